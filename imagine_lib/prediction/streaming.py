"""Answer many images chunk by chunk: while the network works on one, the next are decoded; memory stays bounded."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageItem
    from imagine_lib.data.loading import Progress

AHEAD = 2
"""Chunks that are decoded before they are needed."""

Read = TypeVar("Read")


@dataclass(frozen=True)
class Chunk:
    """What came of some images in a row."""

    arrays: dict[str, NDArray[Any]]
    """One row an image that could be read; ``kept`` holds their positions in the chunk."""
    errors: dict[int, str]
    """One sentence for each position in the chunk that could not."""


class Store(Protocol):
    """Where chunks are kept, so that a broken run goes on."""

    def load(self, start: int) -> Chunk | None:
        """Return the chunk that begins at a position; None where it has to be made."""

    def save(self, start: int, chunk: Chunk) -> None:
        """Keep a chunk."""


class Forgetful:
    """Keeps nothing."""

    def load(self, start: int) -> Chunk | None:
        """Return None."""

    def save(self, start: int, chunk: Chunk) -> None:
        """Do nothing."""


def answer_in_chunks(
    items: Sequence[ImageItem],
    step: int,
    read: Callable[[Sequence[ImageItem]], Read],
    ask: Callable[[Read, Callable[[int], None]], Chunk],
    store: Store,
    progress: Progress,
) -> list[Chunk]:
    """Answer images in order.

    Parameters
    ----------
    items
        The images.
    step
        Images in a chunk.
    read
        Decodes some images; called in another thread.
    ask
        Turns what was read into a chunk; it calls its second argument with the number of images done in the chunk.
    store
        Chunks that it has are not made again.
    progress
        Called with the number of images done and of all.

    Returns
    -------
    list of Chunk
        In the order of the images.
    """
    starts = range(0, len(items), step)
    chunks = {start: chunk for start in starts if (chunk := store.load(start)) is not None}
    missing = [start for start in starts if start not in chunks]
    done = sum(len(items[start : start + step]) for start in chunks)
    progress(done, len(items))
    pieces = [items[start : start + step] for start in missing]
    with closing(_read_ahead(pieces, read)) as decoded:
        for start, piece, ready in zip(missing, pieces, decoded, strict=True):
            chunks[start] = ask(ready, _counting_on(done, len(items), progress))
            store.save(start, chunks[start])
            done += len(piece)
            progress(done, len(items))
    return [chunks[start] for start in starts]


def joined(chunks: Sequence[Chunk], step: int) -> tuple[dict[str, NDArray[Any]], dict[int, str]]:
    """Return the arrays of all chunks and the errors, both by positions among all images.

    There must be a chunk; ``kept`` is among the arrays.
    """
    shifted = [chunk.arrays | {"kept": chunk.arrays["kept"] + number * step} for number, chunk in enumerate(chunks)]
    arrays = {name: np.concatenate([one[name] for one in shifted]) for name in shifted[0]}
    errors = {
        number * step + position: message
        for number, chunk in enumerate(chunks)
        for position, message in sorted(chunk.errors.items())
    }
    return arrays, errors


def _counting_on(before: int, total: int, progress: Progress) -> Callable[[int], None]:
    return lambda count: progress(before + count, total)


def _read_ahead(
    pieces: Sequence[Sequence[ImageItem]], read: Callable[[Sequence[ImageItem]], Read]
) -> Generator[Read]:
    waiting: deque[Future[Read]] = deque()
    pool = ThreadPoolExecutor(1, thread_name_prefix="decoding")
    try:
        for piece in pieces:
            waiting.append(pool.submit(read, piece))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
