"""Answer many images, whatever the task: in order, with progress, kept in a folder where the user wants it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from imagine_lib.errors import Interrupted
from imagine_lib.prediction.keeping import KeptAnswers
from imagine_lib.prediction.progress import shown
from imagine_lib.prediction.record import Failure
from imagine_lib.prediction.streaming import Chunk, Forgetful, answer_in_chunks, joined

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageItem
    from imagine_lib.data.loading import Loaded, Progress
    from imagine_lib.models.package import ModelPackage
    from imagine_lib.wire import InputSpec

CHUNK_BYTES = 32 * 1024**2
"""Canvases that a chunk may hold: fewer images where they are large."""


class Asker(Protocol):
    """A model of one task as it is asked."""

    spec: InputSpec
    most: int
    """Images in a chunk, where their canvases are small."""

    @property
    def threshold(self) -> float | None:
        """What its answers leave out is less probable than this; None where they leave out nothing."""

    def read(self, items: Sequence[ImageItem]) -> Loaded:
        """Decode images."""

    def ask(self, read: Loaded, told: Callable[[int], None]) -> Chunk:
        """Answer images; ``told`` is called with the number of those that are done."""


def answer_images(
    asker: Asker,
    items: Sequence[ImageItem],
    name: str,
    package: ModelPackage,
    folder: str | os.PathLike[str] | None,
    progress: Progress | None,
) -> tuple[dict[str, NDArray[Any]], dict[int, str]]:
    """Answer images in order.

    Parameters
    ----------
    asker
        The model.
    items
        The images.
    name, package
        What the model is called, and its files.
    folder
        Where answers are kept while they are made; None keeps nothing.
    progress
        Called with the number of images done and of all; None: what takes long is shown.

    Returns
    -------
    arrays, errors
        The arrays of the chunks, joined; ``kept`` holds the position of each image that could be read. One sentence
        for each position that could not.

    Raises
    ------
    UsageError
        The folder keeps other answers.
    StorageError
        The folder cannot be written.
    Interrupted
        The user stopped it.
    """
    spec = asker.spec
    step = max(1, min(asker.most, CHUNK_BYTES // (spec.size * spec.size * 3)))
    kept = None
    if folder is not None:
        place = Path(folder).expanduser()
        kept = KeptAnswers(place, items, name, package.sha256, spec.hash, step, asker.threshold)
        step = kept.step
    reached = 0

    with shown(progress) as show:

        def tell(done: int, total: int) -> None:
            nonlocal reached
            reached = done
            show(done, total)

        try:
            chunks = answer_in_chunks(items, step, asker.read, asker.ask, kept or Forgetful(), tell)
        except KeyboardInterrupt:
            raise Interrupted(_what_is_left(reached, len(items), kept)) from None
    return joined(chunks or [asker.ask(asker.read([]), lambda _: None)], step)


def identities(read: Loaded) -> dict[str, NDArray[Any]]:
    """Return the positions and the hashes of the images that could be read, as every chunk begins with them."""
    hashes = np.frombuffer(bytes.fromhex("".join(read.hashes)), np.uint8).reshape(-1, 32)
    return {"kept": np.asarray(read.kept, np.int64), "hashes": hashes}


def failures(items: Sequence[ImageItem], errors: Mapping[int, str]) -> tuple[Failure, ...]:
    """Return the images that could not be read, from the sentences for their positions."""
    return tuple(
        Failure(items[position].name, message, position, items[position].sample or items[position].group or None)
        for position, message in errors.items()
    )


def _what_is_left(done: int, total: int, kept: KeptAnswers | None) -> str:
    if kept is None:
        return (
            f"the prediction was stopped after {done:,} of {total:,} images, and nothing was kept: "
            "give a folder next time, and it can go on."
        )
    return (
        f"the prediction was stopped with {total - kept.answered:,} of {total:,} images left; the other answers "
        f"are in {kept.folder}: ask again with the same folder to go on."
    )
