"""Whatever bytes a set's files hold, reading gives an ImageSet or a DataError."""

from __future__ import annotations

import random
import shutil
import zipfile
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagine_lib.data import ImageSet
from imagine_lib.errors import DataError
from tests.library.readers.making import MAKERS, pack, read

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = (".adc", ".hdr", ".tsv", ".csv", ".txt", ".yaml", ".xml", ".json")

TOKENS = [
    *(
        b"\0",
        b"\xff",
        b"\xfe\xff",
        b'"',
        b"\n",
        b"\r",
        b"\t",
        b",",
        b";",
        b"{",
        b"[",
        b"]",
        b"-",
        b"<",
        b"&",
        b"*",
        b"!",
    ),
    *(b"..", b"/", b"\\", b"nan", b"inf", b"-1", b"1e999", b"9" * 30, b"9" * 5000, b"null", b"true", b"''", b" "),
]
"""What often breaks a reader of text."""

EDIT = st.tuples(
    st.sampled_from(["put", "cut", "repeat", "swap"]), st.floats(0, 1), st.floats(0, 1), st.sampled_from(TOKENS)
)

GENTLE = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    folder = Path(mkdtemp())
    yield folder
    shutil.rmtree(folder)


@lru_cache
def original(name: str, folder: Path) -> dict[Path, bytes]:
    """Return the text files of a made set, by their path."""
    root = MAKERS[name](folder / name)
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.suffix in TEXTS}


def edited(content: bytes, edits: list[tuple[str, float, float, bytes]]) -> bytes:
    for kind, start, length, token in edits:
        first = int(start * len(content))
        last = first + int(length * 20)
        match kind:
            case "put":
                content = content[:first] + token + content[first:]
            case "cut":
                content = content[:first] + content[last:]
            case "repeat":
                content = content[:last] + content[first:]
            case "swap":
                content = content[:first] + token + content[last:]
    return content


def ends_well(root: Path, **options: str) -> None:
    try:
        found = read(root, **options)
    except DataError as error:
        sentence = str(error)
        assert sentence
        assert "\n" not in sentence
        assert sentence.endswith(".")
        return
    assert isinstance(found, ImageSet)
    found.to_dataframe()
    assert len({item.name for item in found.items}) == len(found)
    for item in found.items:
        assert not item.name.startswith(("/", "../"))


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "folders"])
@GENTLE
@given(which=st.integers(0, 99), edits=st.lists(EDIT, min_size=1, max_size=4))
def test_changed_text(name: str, scratch: Path, which: int, edits: list[tuple[str, float, float, bytes]]) -> None:
    files = original(name, scratch)
    path = sorted(files)[which % len(files)]
    path.write_bytes(edited(files[path], edits))
    try:
        ends_well(scratch / name, format=name)
    finally:
        path.write_bytes(files[path])


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "folders"])
@GENTLE
@given(which=st.integers(0, 99), content=st.binary(max_size=60))
def test_other_bytes_altogether(name: str, scratch: Path, which: int, content: bytes) -> None:
    files = original(name, scratch)
    path = sorted(files)[which % len(files)]
    path.write_bytes(content)
    try:
        ends_well(scratch / name, format=name)
        ends_well(scratch / name)
    finally:
        path.write_bytes(files[path])


@pytest.mark.parametrize("name", ["table", "coco", "ecotaxa"])
@GENTLE
@given(column=st.lists(st.text(max_size=12), min_size=1, max_size=5), label=st.text(max_size=12), mark=st.booleans())
def test_any_text_in_the_cells(name: str, scratch: Path, column: list[str], label: str, mark: bool) -> None:
    files = original(name, scratch)
    path = next(iter(files))
    encoding = "utf-8-sig" if mark else "utf-8"
    text = files[path].decode().replace("a.png", column[0]).replace("Tripos", label).replace("fish", label)
    path.write_bytes((text + "\n".join(column)).encode(encoding, errors="replace"))
    try:
        ends_well(scratch / name, format=name)
    finally:
        path.write_bytes(files[path])


@pytest.mark.parametrize("name", ["ecotaxa", "ifcb"])
def test_real_files_with_changed_bytes(name: str, real_images: Path, tmp_path: Path) -> None:
    rng = random.Random(7)
    root = tmp_path / name
    shutil.copytree(real_images / name, root, copy_function=shutil.copyfile)
    for path in [root, *root.rglob("*")]:
        path.chmod(0o755)
    files = sorted(path for path in root.rglob("*") if path.suffix in TEXTS and path.stat().st_size)
    for _ in range(60):
        path = rng.choice(files)
        content = path.read_bytes()
        edits = [
            (rng.choice(["put", "cut", "swap"]), rng.random(), rng.random(), rng.choice(TOKENS)) for _ in range(3)
        ]
        path.write_bytes(edited(content, edits))
        ends_well(root)
        path.write_bytes(content)


@pytest.mark.parametrize("name", ["ecotaxa", "table", "folders"])
def test_damaged_archives(name: str, tmp_path: Path) -> None:
    rng = random.Random(11)
    whole = pack(MAKERS[name](tmp_path / name), tmp_path / "whole.zip").read_bytes()
    for number in range(60):
        damaged = bytearray(whole[: rng.randrange(1, len(whole) + 1)] if number % 3 == 0 else whole)
        for _ in range(rng.randrange(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        archive = tmp_path / f"{number}.zip"
        archive.write_bytes(damaged)
        ends_well(archive)
        try:
            for item in read(archive).items:
                item.content.read()
        except DataError:
            pass


def test_archives_of_other_methods_are_read_or_refused(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        archive = tmp_path / f"{method}.zip"
        with zipfile.ZipFile(archive, "w", method) as file:
            file.writestr("fish/a.png", b"x" * 1000)
            file.writestr("labels.csv", b"image,label\nfish/a.png,fish\n")
        damaged = bytearray(archive.read_bytes())
        assert [item.content.read() for item in read(archive).items] == [b"x" * 1000]
        damaged[60:70] = bytes(10)
        archive.write_bytes(damaged)
        ends_well(archive)
