"""The order in which trained weights are looked for. What is nowhere is an error, never random weights."""

from __future__ import annotations

import os
from pathlib import Path

from imagine_lib.errors import ModelError
from imagine_lib.models.package import MANIFEST
from imagine_lib.models.shelf import folders
from imagine_lib.models.stored import (
    StoredWeights,
    checked_sha256,
    matching_hash,
    named_after,
    read_description,
    verify,
)
from imagine_lib.models.weights import PICKLES, fetch, find, import_file


def obtain(builder: str, weights: str | os.PathLike[str], sha256: str | None) -> StoredWeights:
    """Get trained weights from the first place that has them: the file named, the folders, the network.

    Parameters
    ----------
    builder
        A torchvision builder.
    weights
        A ``.safetensors`` or ``.pth`` file, or the name of weights.
    sha256
        Of the file; a ``.pth`` that is not torchvision's own needs it.

    Returns
    -------
    StoredWeights

    Raises
    ------
    UsageError
        There are no such weights.
    ModelError
        They are not to be had, damaged, or of another network.
    """
    path = Path(weights).expanduser()
    if path.suffix in PICKLES:
        return import_file(path, builder, sha256)
    if path.suffix == ".safetensors":
        return _in_place(path, builder, sha256)
    name = str(weights)
    if found := find(builder, name):
        _require_pinned(found, sha256)
        return found
    searched = os.pathsep.join(map(str, folders()))
    try:
        return fetch(builder, name, sha256)
    except ModelError as error:
        raise ModelError(
            f"There are no trained weights for {builder} here: weights= names no file, the folder {searched} "
            f"(IMAGINE_WEIGHTS) does not hold them, and from the network: {str(error).rstrip('.')}; run `imagine "
            f"weights fetch {builder}` where there is a network and copy that folder, or `imagine weights import` a "
            "file."
        ) from None


def _in_place(path: Path, builder: str, sha256: str | None) -> StoredWeights:
    """Describe a safetensors file that is used where it lies."""
    from imagine_lib.models.trained import describe_tensors, read_tensors

    if (path.parent / MANIFEST).is_file():
        raise ModelError(
            f"{path} is part of a model package: start from im.load({str(path.parent)!r}), which knows the images "
            "that the model has seen."
        )
    if path.resolve().parent in {folder.resolve() for folder in folders()}:
        stored = read_description(path)
        if stored.builder != builder:
            raise ModelError(f"{path} holds weights of {stored.builder} and not of {builder}: choose others.")
        verify(stored)
        _require_pinned(stored, sha256)
        return stored
    digest = matching_hash(path, sha256)
    _, classes = describe_tensors(builder, read_tensors(path, str(path)), str(path))
    return StoredWeights(
        path=path,
        builder=builder,
        name=named_after(path, digest),
        source=path.name,
        original_sha256=digest,
        sha256=digest,
        size=path.stat().st_size,
        classes=classes,
    )


def _require_pinned(stored: StoredWeights, sha256: str | None) -> None:
    if sha256 and checked_sha256(sha256) not in (stored.sha256, stored.original_sha256):
        raise ModelError(f"{stored.path} was made from another file: its sha256 was {stored.original_sha256}.")
