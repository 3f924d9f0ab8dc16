"""Turn images into the canvases that a network takes, with as many threads as there are processors."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from imagine_lib.data.images import Header, decode, header_of
from imagine_lib.data.looks import announce
from imagine_lib.data.preprocessing import to_canvas
from imagine_lib.data.store import CanvasStore, make_room
from imagine_lib.errors import DataError
from imagine_lib.hardware import free_memory, processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageItem
    from imagine_lib.wire import InputSpec

    Progress = Callable[[int, int], None]

Item = TypeVar("Item")
Result = TypeVar("Result")

Read = tuple[str, "NDArray[np.uint8]", tuple[int, int]]
"""Of one image the SHA-256 of its encoded bytes, its canvas, and its width and height in pixels."""

CHUNK_BYTES = 64 * 1024**2
"""Canvases in memory before they are written to the store."""

AT_ONCE = 4096
"""Images that are handed to the threads at a time."""

MEMORY_SHARE = 0.25
"""A set that takes no more of the free memory than this is read into it; a larger one is read as it is needed."""


@dataclass(frozen=True)
class Canvases:
    """Images as a network takes them, in memory or mapped from disk."""

    pixels: NDArray[np.uint8]
    """Shape (rows, size, size, channels); one channel where all images are grey."""
    rows: NDArray[np.int64]
    """The row of each image; shape (n,)."""

    def __len__(self) -> int:
        return len(self.rows)

    def pick(self, positions: NDArray[np.int64]) -> Canvases:
        """Return the canvases at some positions, without reading them."""
        return Canvases(self.pixels, self.rows[positions])

    def take(self, positions: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        """Return some of them, shape (count, size, size, channels)."""
        return self.pixels[self.rows[positions]]


@dataclass(frozen=True)
class Loaded:
    """What came of a list of images."""

    canvases: Canvases
    hashes: list[str]
    """SHA-256 of each image that could be read."""
    kept: list[int]
    """Positions, in the items asked for, of the images that could be read."""
    errors: dict[int, str]
    """One sentence for each position that could not."""
    sizes: list[tuple[int, int]]
    """Width and height of each image that could be read, in pixels."""


def headers(items: Sequence[ImageItem]) -> list[Header | None]:
    """Look at images without decoding them; None stands for what is no image.

    How far it is is told on standard error, as for every look at a whole set.
    """
    tell = announce("Opening the images")
    found = []
    for header in _in_parallel(lambda item: header_of(item.content), items):
        found.append(header)
        tell(len(found), len(items))
    return found


def load_canvases(items: Sequence[ImageItem], spec: InputSpec, progress: Progress | None = None) -> Loaded:
    """Decode images, each only once on this machine.

    Parameters
    ----------
    items
        What to read.
    spec
        The model's preprocessing.
    progress
        Called with the number of images decoded and the number to decode.

    Returns
    -------
    Loaded
        Bad images are reported in ``errors`` and left out.

    Raises
    ------
    DataError
        The disk has no room for the decoded images, and the memory neither.
    """
    looks = headers(items)
    channels = 3 if any(look is not None and look.colour for look in looks) else 1
    hashes = {index: look.sha256 for index, look in enumerate(looks) if look is not None}
    sizes = {index: (look.width, look.height) for index, look in enumerate(looks) if look is not None}
    store = CanvasStore(spec, channels)
    known = store.find(hashes.values())
    missing = [index for index in range(len(items)) if hashes.get(index) not in known]
    errors: dict[int, str] = {}
    spare: dict[str, NDArray[np.uint8]] = {}
    for start, chunk in _chunks(missing, spec, channels):
        decoded, failed = _decode_chunk(items, chunk, spec, channels)
        hashes |= {index: digest for index, (digest, _, _) in decoded.items()}
        sizes |= {index: size for index, (_, _, size) in decoded.items()}
        canvases = {digest: canvas for digest, canvas, _ in decoded.values()}
        if not _keep(store, canvases):
            _require_memory(store, spec, channels, len(missing) - start + len(items))
            spare |= canvases
        errors |= failed
        if progress is not None:
            progress(start + len(chunk), len(missing))
    kept = [index for index in range(len(items)) if index not in errors]
    digests = [hashes[index] for index in kept]
    return Loaded(_gather(store, digests, spare), digests, kept, errors, [sizes[index] for index in kept])


def decode_canvases(items: Sequence[ImageItem], spec: InputSpec) -> Loaded:
    """Decode images without keeping them: for a look that is not repeated."""
    decoded, errors = _decode_chunk(items, range(len(items)), spec, None)
    canvases = [canvas for _, canvas, _ in decoded.values()]
    channels = max((canvas.shape[2] for canvas in canvases), default=1)
    pixels = np.empty((len(canvases), spec.size, spec.size, channels), np.uint8)
    for row, canvas in enumerate(canvases):
        pixels[row] = canvas
    digests = [digest for digest, _, _ in decoded.values()]
    sizes = [size for _, _, size in decoded.values()]
    return Loaded(Canvases(pixels, np.arange(len(pixels))), digests, [*decoded], errors, sizes)


def _decode_chunk(
    items: Sequence[ImageItem], positions: Sequence[int], spec: InputSpec, channels: int | None
) -> tuple[dict[int, Read], dict[int, str]]:
    def one(index: int) -> Read | str:
        item = items[index]
        try:
            image = decode(item.content)
        except DataError as error:
            return str(error).replace(item.content.place, item.name)  # the user knows no cache folder
        try:
            canvas = to_canvas(image.pixels, spec)
        except DataError as error:
            return f"{item.name} {error}"
        height, width = image.pixels.shape[:2]
        whole = canvas if channels is None else np.broadcast_to(canvas, (*canvas.shape[:2], channels))
        return image.sha256, whole, (width, height)

    decoded, errors = {}, {}
    for index, result in zip(positions, _in_parallel(one, positions), strict=True):
        if isinstance(result, str):
            errors[index] = result
        else:
            decoded[index] = result
    return decoded, errors


def _keep(store: CanvasStore, canvases: dict[str, NDArray[np.uint8]]) -> bool:
    """Write canvases to the store; tell whether it has room for them."""
    try:
        store.add(canvases)
    except OSError as error:
        warnings.warn(
            f"Decoded images cannot be kept in {store.folder} ({(error.strerror or str(error)).lower()}): "
            "they stay in memory, and are decoded again next time.",
            UserWarning,
            stacklevel=3,
        )
        return False
    return True


def _require_memory(store: CanvasStore, spec: InputSpec, channels: int, canvases: int) -> None:
    """Raise where canvases that the store has no room for do not fit in memory either."""
    needed = canvases * spec.size * spec.size * channels
    if needed > free_memory():
        raise DataError(
            f"The decoded images need {needed / 1e9:.1f} GB, for which neither {store.folder} nor memory has room: "
            "make room on the disk, or set IMAGINE_CACHE to a folder on another one."
        )


def _gather(store: CanvasStore, digests: list[str], spare: dict[str, NDArray[np.uint8]]) -> Canvases:
    """Bring the canvases of some images together, in memory where they fit."""
    make_room(store)
    rows = store.find(set(digests) - set(spare))
    mapped = store.pixels()
    if not spare and mapped[:1].nbytes * len(digests) > MEMORY_SHARE * free_memory():
        return Canvases(mapped, np.asarray([rows[digest] for digest in digests], dtype=np.int64))
    pixels = np.empty((len(digests), *mapped.shape[1:]), np.uint8)
    for position, digest in enumerate(digests):
        pixels[position] = spare[digest] if digest in spare else mapped[rows[digest]]
    return Canvases(pixels, np.arange(len(pixels)))


def _chunks(positions: Sequence[int], spec: InputSpec, channels: int) -> Iterator[tuple[int, Sequence[int]]]:
    step = max(1, CHUNK_BYTES // (spec.size * spec.size * channels))
    for start in range(0, len(positions), step):
        yield start, positions[start : start + step]


def _in_parallel(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    with ThreadPoolExecutor(processors()) as pool:
        for start in range(0, len(items), AT_ONCE):  # each task takes memory before it begins
            yield from pool.map(work, items[start : start + AT_ONCE])
