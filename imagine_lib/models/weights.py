"""Trained weights of torchvision's networks: fetched or imported once, kept, and found again.

Whatever comes from elsewhere is checked against a pinned sha256 before it is read, and kept as safetensors.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from imagine_lib.errors import ModelError, UsageError
from imagine_lib.models.download import download, without_secrets
from imagine_lib.models.offers import DEFAULT, offer, offers
from imagine_lib.models.shelf import list_stored, put, read_stored, require_name, writing
from imagine_lib.models.stored import StoredWeights, checked_sha256, hash_file, matching_hash, named_after

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

__all__ = ["StoredWeights", "fetch", "find", "import_file", "listed"]

PICKLES = (".pth", ".pt")
CONVERTERS = ("imagine-workspace", "torch", "torchvision")


def find(builder: str, name: str = DEFAULT) -> StoredWeights | None:
    """Look for trained weights in the folders of ``IMAGINE_WEIGHTS``, without using the network.

    Parameters
    ----------
    builder
        A torchvision builder, like ``resnet18``.
    name
        Torchvision's name of them, like ``IMAGENET1K_V1``, or the one that a file was imported under; ``default`` is
        the one that torchvision recommends.

    Returns
    -------
    StoredWeights or None
        None where no folder holds them.

    Raises
    ------
    UsageError
        torchvision has no such builder, or no default weights for it.
    ModelError
        They were changed since they were stored.
    """
    return read_stored(builder, offer(builder, name).name if name.lower() == DEFAULT else name)


def fetch(
    builder: str,
    name: str = DEFAULT,
    sha256: str | None = None,
    url: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> StoredWeights:
    """Fetch trained weights into the first folder of ``IMAGINE_WEIGHTS``, unless they are there already.

    Parameters
    ----------
    builder
        A torchvision builder.
    name
        Torchvision's name of them; with ``url``, the name to keep them under.
    sha256
        Of the file, where its publisher gives one. Of torchvision's own files eight or more digits are known from
        their names, and are always compared; a file from elsewhere needs it.
    url
        Where the file lies; by default where torchvision says, on the server of ``IMAGINE_WEIGHTS_URL`` if that is
        set.
    progress
        Called with the bytes that have arrived and those that there are.

    Returns
    -------
    StoredWeights

    Raises
    ------
    UsageError
        There are no such weights, or nothing says what their sha256 must be.
    ModelError
        There is no network, another file than the pinned one came, it holds no weights of this builder, or the disk
        is full. Nothing is left behind.
    """
    if url is None:
        wanted = offer(builder, name)
        name, url = wanted.name, wanted.url
    official = next((known for known in offers(builder) if known.name == name), None)
    shown, pin = without_secrets(url), official.pin if official else None
    if not sha256 and not (official and official.url == url and pin):
        raise UsageError(f"{shown} has no sha256 to be checked with: give sha256 (--sha256).")
    pins = [part for part in (pin, sha256 and checked_sha256(sha256)) if part]
    if found := _kept(builder, name, pins):
        return found
    with writing() as scratch:
        if found := _kept(builder, name, pins):  # another program fetched them while this one waited
            return found
        arrived = scratch / f"arrived{'.safetensors' if urlsplit(url).path.endswith('.safetensors') else '.pth'}"
        digest = download(url, arrived, pins, progress)
        return _store(scratch, arrived, builder, name, shown, digest, official.licence if official else None)


def import_file(
    path: str | os.PathLike[str], builder: str, sha256: str | None = None, name: str | None = None
) -> StoredWeights:
    """Take weights from a file into the first folder of ``IMAGINE_WEIGHTS``.

    Parameters
    ----------
    path
        A ``.safetensors`` or ``.pth`` with a network's state dict.
    builder
        The torchvision builder whose network they fill.
    sha256
        Of the file. A ``.pth`` needs it, unless it is one of torchvision's own, which are known.
    name
        What to keep them under; by default torchvision's name, or the file's with the beginning of its sha256.

    Returns
    -------
    StoredWeights

    Raises
    ------
    UsageError
        The name, the builder or the kind of file cannot be right.
    ModelError
        The file is missing, is another than the pinned one, or holds no weights of this builder; or other weights
        have that name already.
    """
    path = Path(path).expanduser()
    if path.suffix not in (".safetensors", *PICKLES):
        raise UsageError(f"{path} is no file of weights: a .safetensors or a .pth is.")
    official = offers(builder)
    digest = matching_hash(path, sha256)
    known = next((entry for entry in official if entry.pin and digest.startswith(entry.pin)), None)
    if path.suffix in PICKLES and not sha256 and not known:
        raise ModelError(
            f"{path} is a {path.suffix} file that torchvision does not know: give the sha256 that its publisher "
            "names (--sha256), or save it as .safetensors."
        )
    name = require_name(name or (known.name if known else named_after(path, digest)))
    if name in {entry.name for entry in official if entry is not known}:
        raise UsageError(f"{name} is torchvision's name for other weights than {path}: give another name (--name).")
    if found := _kept(builder, name, [digest]):
        return found
    with writing() as scratch:
        return _store(scratch, path, builder, name, path.name, digest, known.licence if known else None)


def listed() -> list[StoredWeights]:
    """Return the weights that the folders of ``IMAGINE_WEIGHTS`` hold, sorted by builder and name."""
    return list_stored()


def _kept(builder: str, name: str, pins: list[str]) -> StoredWeights | None:
    """Return weights that are stored already; damaged ones are as good as none, and are replaced."""
    try:
        found = read_stored(builder, name)
    except ModelError:
        return None
    if found and not all(found.original_sha256.startswith(pin) for pin in pins):
        raise ModelError(f"{found.path} holds other weights under the name {name}: give another name (--name).")
    return found


def _store(
    scratch: Path, file: Path, builder: str, name: str, source: str, digest: str, licence: str | None
) -> StoredWeights:
    """Convert a checked file and put it where weights are kept."""
    from imagine_lib.models.trained import convert

    converted = scratch / "converted.safetensors"
    classes = convert(builder, file, converted, source)
    stored = StoredWeights(
        path=converted,
        builder=builder,
        name=name,
        source=source,
        original_sha256=digest,
        sha256=hash_file(converted),
        size=converted.stat().st_size,
        classes=classes,
        licence=licence,
        converted_by=", ".join(f"{library} {version(library)}" for library in CONVERTERS),
    )
    return put(scratch, stored)
