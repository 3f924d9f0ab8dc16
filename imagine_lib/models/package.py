"""A model package is a folder that can be trusted: every file is listed in ``model.json`` with its hash.

Nothing in it is ever executed or unpickled.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from imagine_lib.data.preprocessing import preprocessing_hash
from imagine_lib.errors import ModelError
from imagine_lib.wire import FileEntry, ModelManifest, Sha256, package_hash

MANIFEST = "model.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"
SEEN = "seen.json"


@dataclass(frozen=True)
class ModelPackage:
    """A package whose files have the hashes that its manifest says."""

    folder: Path
    manifest: ModelManifest
    sha256: str
    """Hash of the whole package."""

    @property
    def files(self) -> list[FileEntry]:
        """Every file, ``model.json`` among them."""
        return [describe_file(self.folder, MANIFEST), *self.manifest.files]

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return self._text(CARD) or ""

    def seen(self) -> frozenset[str]:
        """Return the content hashes of every image that the model or an ancestor learned from."""
        text = self._text(SEEN)
        try:
            return frozenset(TypeAdapter(list[Sha256]).validate_json(text)) if text else frozenset()
        except ValidationError:
            raise ModelError(f"{self.folder / SEEN} is no list of hashes: get the package again.") from None

    def _text(self, path: str) -> str | None:
        """Return a file that the manifest lists; whatever else lies in the folder is not of the package."""
        listed = {entry.path for entry in self.manifest.files}
        return (self.folder / path).read_text(encoding="utf-8") if path in listed else None


def read_package(folder: Path) -> ModelPackage:
    """Read and verify a package.

    Parameters
    ----------
    folder
        Where it lies.

    Returns
    -------
    ModelPackage

    Raises
    ------
    ModelError
        A file is missing, was changed, or lies outside the folder; or ``model.json`` cannot be understood.
    """
    manifest = _read_manifest(folder)
    for entry in manifest.files:
        _verify(folder, entry)
    if manifest.input.hash != preprocessing_hash(manifest.input):
        raise ModelError(
            f"{folder} was made with another preprocessing than this library's: its answers would be wrong."
        )
    if WEIGHTS not in {entry.path for entry in manifest.files}:
        raise ModelError(f"{folder} is no model package: its {MANIFEST} does not list {WEIGHTS}.")
    return ModelPackage(folder, manifest, package_hash([describe_file(folder, MANIFEST), *manifest.files]))


def write_package(folder: Path, manifest: ModelManifest, files: dict[str, bytes]) -> ModelPackage:
    """Write a package whole or not at all.

    Parameters
    ----------
    folder
        Where it shall lie; it must not exist, or be an older package.
    manifest
        What ``model.json`` says; its ``files`` are filled in here.
    files
        Content of every other file, by path.

    Returns
    -------
    ModelPackage

    Raises
    ------
    ModelError
        The folder holds something else, or the disk is full.
    """
    _require_replaceable(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        writing = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".writing-"))
        writing.chmod(0o755)
        try:
            return _fill(writing, folder, manifest, files)
        finally:
            shutil.rmtree(writing, ignore_errors=True)
    except OSError as error:
        raise ModelError(
            f"The model package {folder} could not be written ({error.strerror}): nothing was changed there."
        ) from None


def describe_file(folder: Path, path: str) -> FileEntry:
    """Return a file's entry for a list of files."""
    with (folder / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(path=path, sha256=digest, size=(folder / path).stat().st_size)


def _fill(writing: Path, folder: Path, manifest: ModelManifest, files: dict[str, bytes]) -> ModelPackage:
    for path, content in files.items():
        (writing / path).parent.mkdir(parents=True, exist_ok=True)
        (writing / path).write_bytes(content)
    listed = manifest.model_copy(update={"files": [describe_file(writing, path) for path in sorted(files)]})
    text = json.dumps(listed.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False)
    (writing / MANIFEST).write_text(text + "\n", encoding="utf-8")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".replaced-") as aside:
        if folder.exists():
            folder.rename(Path(aside) / "old")
        writing.rename(folder)
    return read_package(folder)


def _require_replaceable(folder: Path) -> None:
    """Refuse a folder that holds anything but a package: what is in it would be lost."""
    if not folder.exists():
        return
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    listed = {MANIFEST, *(entry.path for entry in _read_manifest(folder).files)} if MANIFEST in found else set()
    if found - listed:
        raise ModelError(f"{folder} holds other files ({min(found - listed)}): choose another folder.")


def _read_manifest(folder: Path) -> ModelManifest:
    try:
        return ModelManifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise ModelError(f"{folder} is no model package: it holds no {MANIFEST}.") from None
    except OSError as error:
        raise ModelError(f"{folder / MANIFEST} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the text"
        raise ModelError(f"{folder / MANIFEST} cannot be understood: {where}: {first['msg'].lower()}.") from None


def _verify(folder: Path, entry: FileEntry) -> None:
    path = folder / entry.path
    if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
        raise ModelError(f"{path} points outside its model package: the package is refused.")
    if not path.is_file():
        raise ModelError(f"{path} is missing from its model package: get the package again.")
    if describe_file(folder, entry.path) != entry:
        raise ModelError(f"{path} is not the file that its {MANIFEST} describes (sha256 differs): get it again.")
