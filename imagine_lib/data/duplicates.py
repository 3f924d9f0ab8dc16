"""Find images that are the same, or as good as the same, so that a split does not part them.

Two stages. From the fingerprints, every pair that resembles each other from afar and is of about the same size: an
exact search by blocks of matrix products. It takes 10 s for 100,000 images on two processors where their sizes vary
from 60 to 300 pixels and 80 s where all have one size; nine times that for 300,000. Then both images are read again
and compared in detail: about 8 ms a pair, and at most about as many pairs as there are images.

The limits were set on real images, and err to the side of missing some: images that are taken for copies and are none
would tie the parts of a split together. Of made copies of 200 images (JPEG quality 25 and 50, 2 % brighter, 1.02
times the size) all were found, of those shifted by one pixel 98 %, of those with two rows and columns cut off 40 %.
Among 105 FlowCam crops no two individuals agree in detail by more than 0.89. Among 1,400 Bering Sea crops 2,089 pairs
reach the limit; they make 15 sets of together 125 images, two of them series of 46 and 47 pictures of one snail. All
sets were looked at, nine images each of the two series, and none is wrong. The most alike of those that are none, or
doubtful, are round black snails at 0.964 and 0.957.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from imagine_lib.data.images import decode
from imagine_lib.data.looks import announce, to_grey
from imagine_lib.errors import DataError
from imagine_lib.hardware import processors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from imagine_lib.data.content import Content
    from imagine_lib.data.imageset import ImageItem
    from imagine_lib.data.looks import Looks, Progress

    Edges = NDArray[np.float64]

ALIKE = 0.90
"""Correlation of two fingerprints from which on the images are compared in detail."""

SAME = 0.97
"""Correlation in detail from which on two images are near duplicates."""

RELATED = 0.90
"""Correlation in detail that every image of a set has with the one that the set began with: without it, a chain of
small steps would tie everything to everything."""

SIZE_RATIO = 1.1
"""Near duplicates differ in width and in height by no more than this."""

NEIGHBOURS = 4
"""Images that one is compared with in detail, the most alike first."""

BLOCK = 2048
"""Images that are compared at once: 16 MiB of products."""

DETAIL = 96
"""Side at which images are compared in detail, in pixels."""

BAND = (1.5, 6.0)
"""Deviations, in pixels, of the two blurs whose difference is compared: neither noise nor illumination."""

REACH = 4
"""Pixels that one image may be shifted against the other."""

BATCH = 256
"""Pairs that are prepared at once."""

PREPARED = 1024
"""Images that stay prepared: 37 MiB."""


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Which images of a set are copies of which."""

    exact: NDArray[np.int64]
    """For each image, the position of the first that has the same pixels; shape (n,)."""
    near: NDArray[np.int64]
    """For each image, the position of the first of its near duplicates, exact ones among them; shape (n,)."""

    def take(self, indices: Sequence[int]) -> Duplicates:
        """Return what holds for the images at some positions, in the order given."""
        chosen = np.asarray(indices, dtype=np.int64)
        return Duplicates(_first_of(self.exact[chosen]), _first_of(self.near[chosen]))


def sets_of(firsts: NDArray[np.int64]) -> list[list[int]]:
    """Return the positions of the images of each set of two and more, sets and members in order."""
    members: dict[int, list[int]] = {}
    counts = np.bincount(firsts, minlength=len(firsts))
    for index in np.flatnonzero(counts[firsts] > 1):
        members.setdefault(int(firsts[index]), []).append(int(index))
    return [members[first] for first in sorted(members)]


def find_duplicates(items: Sequence[ImageItem], looks: Looks, progress: Progress | None = None) -> Duplicates:
    """Find the exact and the near duplicates among images.

    Parameters
    ----------
    items
        The images.
    looks
        A look at each.
    progress
        Called with the number of pairs compared in detail and of all to compare; by default lines on standard error.

    Returns
    -------
    Duplicates
        Exact: the same pixels, however encoded. Near: re-encoded, brightened, slightly shifted or resized copies,
        and crops of one scene that nearly coincide; not turned, mirrored or much smaller ones.
    """
    exact = _exact(looks)
    firsts = np.flatnonzero((exact == np.arange(len(exact))) & looks.table["fingerprint"].any(axis=1))
    edges = _candidates(firsts, looks)[: len(firsts)]
    near = _joined(exact, edges, items, progress or announce("Comparing images that look alike"))
    return Duplicates(exact, near)


def _first_of(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each position the first position with the same label."""
    _, firsts, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return firsts[inverse].astype(np.int64)


def _exact(looks: Looks) -> NDArray[np.int64]:
    seen: dict[bytes, int] = {}
    exact = np.arange(len(looks))
    for index, digest in enumerate(looks.table["pixels"].tolist()):
        if index not in looks.errors:
            exact[index] = seen.setdefault(digest, index)
    return exact


def _candidates(rows: NDArray[np.int64], looks: Looks) -> Edges:
    """Find the pairs that look alike from afar: two positions and their correlation, the best first."""
    order = rows[np.lexsort((rows, looks.table["width"][rows]))]
    widths = looks.table["width"][order]
    found, limit = [np.empty((0, 3))], 4 * NEIGHBOURS * len(rows)
    for start in range(0, len(order), BLOCK):
        ours = order[start : start + BLOCK]
        end = int(np.searchsorted(widths, widths[start : start + BLOCK][-1] * SIZE_RATIO, side="right"))
        found += [_alike(ours, order[other:end][:BLOCK], looks) for other in range(start, end, BLOCK)]
        if sum(map(len, found)) > limit:
            found = [_best_of_each(np.concatenate(found))]
    return _best_of_each(np.concatenate(found))


def _alike(ours: NDArray[np.int64], theirs: NDArray[np.int64], looks: Looks) -> Edges:
    """Compare two blocks of images by their fingerprints; shape (pairs, 3)."""
    prints = [looks.table["fingerprint"][rows].astype(np.float32) for rows in (ours, theirs)]
    lengths = [np.linalg.norm(block.astype(np.float64), axis=1) for block in prints]
    products = prints[0] @ prints[1].T  # of whole numbers below 2**24: exact, whatever the order of the sums
    alike = np.flatnonzero(products >= np.float32(ALIKE * lengths[0].min() * lengths[1].min()))
    left, right = np.divmod(alike, len(theirs))
    if ours[0] == theirs[0]:
        left, right = left[left < right], right[left < right]
    for key in ("width", "height"):
        sizes = looks.table[key].astype(np.float64)
        ratio = sizes[ours[left]] / sizes[theirs[right]]
        close = (ratio <= SIZE_RATIO) & (ratio >= 1 / SIZE_RATIO)
        left, right = left[close], right[close]
    likeness = products[left, right] / (lengths[0][left] * lengths[1][right])
    ends = np.sort([ours[left], theirs[right]], axis=0)
    edges = np.column_stack([*ends, likeness])
    return _best_of_each(edges[likeness >= ALIKE])


def _best_of_each(edges: Edges) -> Edges:
    """Keep the pairs that are among the best of one of their two images; the best first."""
    edges = edges[np.lexsort((edges[:, 1], edges[:, 0], -edges[:, 2]))]
    return edges[(_rank(edges[:, 0]) < NEIGHBOURS) | (_rank(edges[:, 1]) < NEIGHBOURS)]


def _rank(owners: NDArray[np.float64]) -> NDArray[np.int64]:
    """Tell of each entry how many of the same owner come before it."""
    order = np.argsort(owners, kind="stable")
    ordered = owners[order]
    starts = np.searchsorted(ordered, ordered, side="left")
    rank = np.empty(len(owners), np.int64)
    rank[order] = np.arange(len(owners)) - starts
    return rank


def _joined(
    exact: NDArray[np.int64], edges: Edges, items: Sequence[ImageItem], progress: Progress
) -> NDArray[np.int64]:
    """Join the sets of images that agree in detail, the most alike first.

    The larger set takes the smaller, if the image that it began with is like all of them.
    """
    near = exact.copy()
    members = {members[0]: members for members in sets_of(exact)}
    prepared = lru_cache(PREPARED)(lambda index: _prepare(items[index].content))

    def agree(first: int, second: int, least: float) -> bool:
        return _agreement(prepared(first), prepared(second)) >= least

    with ThreadPoolExecutor(processors()) as pool:
        for start in range(0, len(edges), BATCH):
            pairs = edges[start : start + BATCH, :2].astype(np.int64)
            pairs = pairs[near[pairs[:, 0]] != near[pairs[:, 1]]]
            list(pool.map(prepared, np.unique(pairs).tolist()))
            for one, other in pairs.tolist():
                if near[one] == near[other] or not agree(one, other, SAME):
                    continue
                sets = [(first, members.get(first, [first])) for first in (int(near[one]), int(near[other]))]
                (begun, kept), (ended, moved) = sorted(sets, key=lambda found: (-len(found[1]), found[0]))
                if all(agree(begun, index, RELATED) for index in moved):
                    members[begun] = kept + moved
                    members.pop(ended, None)
                    near[moved] = begun
            progress(min(start + BATCH, len(edges)), len(edges))
    return _first_of(near)


def _prepare(content: Content) -> NDArray[np.float32]:
    """Bring an image to 96 x 96 pixels, blur it by each deviation of ``BAND``, and subtract."""
    from scipy.ndimage import gaussian_filter

    try:
        grey = to_grey(decode(content).pixels)
    except DataError:  # it could be read a moment ago
        return np.zeros((DETAIL, DETAIL), np.float32)
    small = np.asarray(grey.resize((DETAIL, DETAIL), Image.Resampling.BILINEAR), dtype=np.float32)
    band: NDArray[np.float32] = gaussian_filter(small, BAND[0]) - gaussian_filter(small, BAND[1])
    return band


def _agreement(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return how well two prepared images agree in detail, -1 to 1.

    They are laid on each other where their cross-correlation is highest; the answer is Pearson's correlation of what
    overlaps.
    """
    down, right = _shift(first, second)
    over = first[max(0, -down) : DETAIL - max(0, down), max(0, -right) : DETAIL - max(0, right)]
    under = second[max(0, down) : DETAIL + min(0, down), max(0, right) : DETAIL + min(0, right)]
    over, under = over - over.mean(), under - under.mean()
    length = float(np.linalg.norm(over) * np.linalg.norm(under))
    return float((over * under).sum()) / length if length else 0.0


def _shift(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[int, int]:
    """Find by how many pixels, down and to the right, the first is to be moved to lie best on the second."""
    spectrum = np.conj(np.fft.rfft2(first)) * np.fft.rfft2(second)
    match = np.roll(np.fft.irfft2(spectrum, s=first.shape), (REACH, REACH), axis=(0, 1))
    best = int(match[: 2 * REACH + 1, : 2 * REACH + 1].argmax())
    return best // (2 * REACH + 1) - REACH, best % (2 * REACH + 1) - REACH
