"""Text files as researchers have them: UTF-8 or Latin-1, with whatever ends their lines and parts their columns."""

from __future__ import annotations

import codecs
import csv
import io
from typing import TYPE_CHECKING

from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagine_lib.data.readers.tree import Tree


def open_text(content: bytes) -> io.TextIOWrapper:
    """Return a file's text, line by line: UTF-16 where it is marked so, UTF-8 where it is valid, else Latin-1."""
    return io.TextIOWrapper(io.BytesIO(content), encoding=_encoding(content), errors="replace", newline="")


def read_lines(tree: Tree, name: str) -> list[str]:
    """Return the lines of a file without the white space around them; empty ones at its end are left out."""
    with open_text(tree.read(name)) as text:
        lines = [line.strip() for line in text.read().replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def read_rows(content: bytes, separator: str, place: str) -> Iterator[list[str]]:
    """Yield the rows of a table that are not empty.

    Raises
    ------
    DataError
        The quotes in it do not match.
    """
    with open_text(content) as text:
        rows = csv.reader(text, delimiter=separator, strict=True)
        try:
            for row in rows:
                if any("\n" in cell for cell in row):  # what lies between two stray quotes would be lost
                    raise csv.Error
                if any(cell and not cell.isspace() for cell in row):
                    yield [cell.strip() for cell in row]
        except csv.Error:
            raise DataError(
                f"{place} cannot be read as a table: look for a quote that is not closed, or a line break in a cell, "
                f"at or before line {rows.line_num}."
            ) from None


def first_line(content: bytes) -> str:
    """Return the first line of a file."""
    start = content[: 2**16]
    with io.TextIOWrapper(io.BytesIO(start), _encoding(start), errors="replace") as text:
        return text.readline().rstrip("\n")


def header(content: bytes, separator: str) -> list[str]:
    """Return the names of a table's columns as they are written."""
    try:
        return [cell.strip() for cell in next(csv.reader([first_line(content)], delimiter=separator), [])]
    except csv.Error:
        return []


def counted(number: int, thing: str, things: str | None = None) -> str:
    """Return a number of things in words: ``1 image``, ``2 images``."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def _encoding(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"
