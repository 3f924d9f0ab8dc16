"""Decoded images on disk: decode once, then read pixels as fast as the disk gives them.

One store holds the canvases of one preprocessing, each under the hash of the image that it was made of, so that
every split, retraining and evaluation of the same images shares them. ``pixels`` is an array without a header that
only grows; ``index`` has one record a row, written after the row. Whatever is killed in between leaves a row without
a record, which the next writer overwrites.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from imagine_lib.wire import InputSpec

RECORD = np.dtype([("sha256", "V32"), ("crc", "<u4")])
LARGEST = 40 * 1024**3
"""Bytes that all stores together may keep; beyond, those that were not used for longest go."""


class CanvasStore:
    """The canvases of one preprocessing.

    Parameters
    ----------
    spec
        The preprocessing.
    channels
        1 for grey images, 3 for colour.
    """

    def __init__(self, spec: InputSpec, channels: int) -> None:
        self.folder = stores_folder() / f"{spec.hash[:32]}-{channels}"
        self._shape = (spec.size, spec.size, channels)
        self._row_bytes = spec.size * spec.size * channels

    def find(self, hashes: Iterable[str]) -> dict[str, int]:
        """Return the row of each image that is here, by its hash.

        A row whose pixels are not what was written is not found, and made anew.
        """
        if not self.folder.is_dir():
            return {}
        with suppress(OSError):  # a cache that others share may not be ours to touch
            os.utime(self.folder)
        records = self._records()
        known = {bytes(record["sha256"]).hex(): row for row, record in enumerate(records)}
        pixels = self._map(len(records))
        rows = {digest: known[digest] for digest in hashes if digest in known}
        return {digest: row for digest, row in rows.items() if _checksum(pixels[row]) == records[row]["crc"]}

    def add(self, canvases: Mapping[str, NDArray[np.uint8]]) -> None:
        """Keep canvases by the hashes of their images.

        Parameters
        ----------
        canvases
            Each of shape (size, size, channels).

        Raises
        ------
        OSError
            The disk is full; what was there is still there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._writing():
            count = len(self._records())
            with (self.folder / "pixels").open("ab") as pixels:
                pixels.truncate(count * self._row_bytes)
                for canvas in canvases.values():
                    pixels.write(np.ascontiguousarray(canvas).data)
            records = np.empty(len(canvases), RECORD)
            records["sha256"] = [np.void(bytes.fromhex(digest)) for digest in canvases]
            records["crc"] = [_checksum(canvas) for canvas in canvases.values()]
            with (self.folder / "index").open("ab") as index:
                index.truncate(count * RECORD.itemsize)
                index.write(records.tobytes())

    def pixels(self) -> NDArray[np.uint8]:
        """Return all canvases, shape (rows, size, size, channels), mapped and not read yet."""
        return self._map(len(self._records()))

    def _records(self) -> NDArray[np.void]:
        """Return the records whose pixels are there: after a power cut either file may be the shorter one."""
        try:
            content = (self.folder / "index").read_bytes()
            rows = (self.folder / "pixels").stat().st_size // self._row_bytes
        except FileNotFoundError:
            return np.empty(0, RECORD)
        rows = min(rows, len(content) // RECORD.itemsize)
        return np.frombuffer(content[: rows * RECORD.itemsize], RECORD)

    def _map(self, rows: int) -> NDArray[np.uint8]:
        if not rows:
            return np.empty((0, *self._shape), np.uint8)
        return np.memmap(self.folder / "pixels", np.uint8, "r", shape=(rows, *self._shape))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def stores_folder() -> Path:
    """Return where the stores lie; ``IMAGINE_CACHE`` moves it."""
    return Path(os.environ.get("IMAGINE_CACHE", "~/.cache/imagine")).expanduser() / "canvases"


def make_room(kept: CanvasStore, limit: int = LARGEST) -> None:
    """Remove the stores that were not used for longest until the rest fits, but never the one that is in use."""
    with suppress(OSError):  # another process may be removing the same
        others = [folder for folder in stores_folder().glob("*-[13]") if folder != kept.folder]
        others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
        total = _size(kept.folder)
        for folder in others:
            total += _size(folder)
            if total > limit:
                shutil.rmtree(folder, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir()) if folder.is_dir() else 0


def _checksum(canvas: NDArray[np.uint8]) -> int:
    return zlib.crc32(np.ascontiguousarray(canvas).data)
