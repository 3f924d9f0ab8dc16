"""Objects found on images in columns: as arrays they are kept in a folder, and read from it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imagine_lib.prediction.record import Found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from imagine_lib.wire import ClassEntry


def to_columns(found: Sequence[Sequence[Found]], classes: Sequence[ClassEntry]) -> dict[str, NDArray[Any]]:
    """Return what was found on each image as arrays that may be joined end to end with those of other images.

    Parameters
    ----------
    found
        The objects of each image.
    classes
        The model's.

    Returns
    -------
    dict
        ``objects``, shape (images,): how many are on each. ``classes``, ``probabilities``, ``boxes`` (four columns),
        ``areas`` and ``runs`` (how many run lengths its mask has, 0 without one), shape (objects,). ``lengths``: the
        run lengths of all masks.
    """
    numbers = {entry.name: number for number, entry in enumerate(classes)}
    things = [thing for on_image in found for thing in on_image]
    runs = [thing.mask["counts"] if thing.mask is not None else [] for thing in things]
    return {
        "objects": np.array([len(on_image) for on_image in found], np.int64),
        "classes": np.array([numbers[thing.label] for thing in things], np.int64),
        "probabilities": np.array([thing.probability for thing in things], np.float64),
        "boxes": np.array([thing.box for thing in things], np.float64).reshape(-1, 4),
        "areas": np.array([thing.area for thing in things], np.float64),
        "runs": np.array([len(lengths) for lengths in runs], np.int64),
        "lengths": np.concatenate([np.empty(0, np.int64), *(np.array(lengths, np.int64) for lengths in runs)]),
    }


def from_columns(
    arrays: Mapping[str, NDArray[Any]], sizes: Sequence[tuple[int, int]], classes: Sequence[ClassEntry]
) -> Iterator[tuple[Found, ...]]:
    """Yield the objects of each image again.

    Parameters
    ----------
    arrays
        From :func:`to_columns`.
    sizes
        Width and height of each image, in pixels.
    classes
        The model's.
    """
    things = zip(
        arrays["classes"].tolist(),
        arrays["probabilities"].tolist(),
        arrays["boxes"].tolist(),
        arrays["areas"].tolist(),
        np.split(arrays["lengths"], np.cumsum(arrays["runs"])[:-1]) if len(arrays["runs"]) else [],
        strict=True,
    )
    for count, (width, height) in zip(arrays["objects"].tolist(), sizes, strict=True):
        found = []
        for _ in range(count):
            number, probability, box, area, lengths = next(things)
            mask = {"size": [height, width], "counts": lengths.tolist()} if len(lengths) else None
            found.append(Found(classes[number].name, probability, classes[number].aphia_id, tuple(box), area, mask))
        yield tuple(found)
