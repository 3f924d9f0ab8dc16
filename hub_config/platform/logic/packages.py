"""What a model package must be before anyone else can load it. Nothing in it is executed or unpickled."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pydantic import ValidationError

from hub_config.platform.errors import Invalid
from imagine_lib.wire import FileEntry, ModelManifest

if TYPE_CHECKING:
    from collections.abc import Sequence

MANIFEST = "model.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"
ALLOWED = (".html", ".json", ".md", ".png", ".safetensors", ".yml")
TEXT_LIMITS = {MANIFEST: 2 * 1024**2, CARD: 1024**2}
"""In bytes: these two are kept in the database and sent in lists; a manifest of 10,000 classes has less than 1 MB."""
SUMMARY_LENGTH = 300


def check_files(files: Sequence[FileEntry]) -> None:
    """Refuse a list of files that cannot be a package.

    Raises
    ------
    Invalid
        A file is of a kind that may not be shared, is listed twice, is too long or lacks.
    """
    sizes = {entry.path: entry.size for entry in files}
    for path in sizes:
        if PurePosixPath(path).suffix not in ALLOWED:
            raise Invalid(f"{path} cannot be shared: a package holds only {', '.join(ALLOWED)} files; leave it out.")
    folded = [entry.path.casefold() for entry in files]
    folders = {path.rpartition("/")[0] for path in folded}
    for entry, path in zip(files, folded, strict=True):
        if folded.count(path) > 1 or path in folders:
            raise Invalid(f"{entry.path} is listed twice, or as a file and a folder: list each file once.")
    for path in (MANIFEST, WEIGHTS, CARD):
        if path not in sizes:
            raise Invalid(f"The package has no {path}: add it and publish again.")
    for path, limit in TEXT_LIMITS.items():
        if sizes[path] > limit:
            raise Invalid(f"{path} has {sizes[path]:,} bytes and may have {limit:,}: shorten it.")


def read_manifest(content: bytes, files: Sequence[FileEntry]) -> ModelManifest:
    """Return what ``model.json`` says, once it agrees with the files that are published.

    Raises
    ------
    Invalid
        It cannot be understood, or tells of other files.
    """
    try:
        manifest = ModelManifest.model_validate_json(content)
        text = json.dumps(manifest.model_dump(), allow_nan=False, default=str)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the text"
        raise Invalid(
            f"{MANIFEST} cannot be understood: {where}: {first['msg'].lower()}; save the model again."
        ) from None
    except ValueError:
        raise Invalid(f"{MANIFEST} holds a number that is not finite or too long: measure again and save.") from None
    if "\\u0000" in text:
        raise Invalid(f"{MANIFEST} holds a NUL character: name the classes in plain text and save the model again.")
    told = {entry.path: entry for entry in manifest.files}
    sent = {entry.path: entry for entry in files if entry.path != MANIFEST}
    for path in sorted(told.keys() | sent.keys()):
        if told.get(path) != sent.get(path):
            raise Invalid(f"{path} is not the file that {MANIFEST} describes: publish the package as it was saved.")
    return manifest


def read_card(content: bytes) -> str:
    """Return the model card.

    Raises
    ------
    Invalid
        It is empty or no text.
    """
    try:
        card = content.decode()
    except UnicodeDecodeError:
        card = "\0"
    if "\0" in card:
        raise Invalid(f"{CARD} is no UTF-8 text: write the model card as plain Markdown.")
    if not card.strip():
        raise Invalid(f"{CARD} is empty: say what the model is for, what it learned from and where its limits are.")
    return card


def first_sentence(card: str) -> str:
    """Return the first sentence of a card's first paragraph, past title, front matter, pictures and notices."""
    body = re.sub(r"\A---\n.*?\n---\n", "", card, flags=re.DOTALL)
    paragraphs = (
        " ".join(part.split()) for part in re.split(r"\n\s*\n", re.sub(r"^#.*$", "", body, flags=re.MULTILINE))
    )
    text = next((part for part in paragraphs if part and part[0] not in "!<>[|-=`"), "")
    sentence = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
    return sentence if len(sentence) <= SUMMARY_LENGTH else f"{sentence[: SUMMARY_LENGTH - 1]}…"
