"""Bins of the Imaging FlowCytobot: an ``.adc`` lists the regions whose pixels lie in the ``.roi`` beside it.

A bin is a sample. Its images are named as everywhere, ``D20130526T095207_IFCB013_00012.png``: the bin and the line of
the ``.adc``, from 1. Bins carry no labels. Source of both layouts: pyifcb (WHOI).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from imagine_lib.data.content import RegionContent
from imagine_lib.data.imageset import ImageItem, ImageSet, Sample
from imagine_lib.data.readers.folder_tree import FolderTree
from imagine_lib.data.readers.ifcb_volume import millilitres
from imagine_lib.data.readers.reader import Reader
from imagine_lib.data.readers.text import counted, open_text
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imagine_lib.data.readers.tree import Tree

SUFFIXES = (".adc", ".roi", ".hdr")

NEW_NAME = re.compile(r"D(\d{8}T\d{6})_IFCB(\d+)", re.ASCII)
OLD_NAME = re.compile(r"IFCB(\d+)_(\d{4})_(\d{3})_(\d{6})", re.ASCII)

WIDTH, HEIGHT, START = 0, 1, 2
NEW_COLUMNS = (15, 16, 17)
OLD_COLUMNS = (11, 12, 13)
"""Where a line of the ``.adc`` has width, height and first byte of its region, counted from 0."""

USUAL_BLIND, SHORTER_BLIND = 0.073, 0.05
SHORTER_SINCE = datetime(2015, 6, 1, tzinfo=UTC)
"""IFCB5 was rebuilt then (pyifcb's ``compute_ml_analyzed``)."""


@dataclass(frozen=True)
class Bin:
    """One bin's files and what its name says."""

    lid: str
    """Its name, as the instrument gave it."""
    stem: str
    """Its path below the set's root, without a suffix."""
    taken: datetime
    instrument: str
    is_old: bool

    @property
    def blind(self) -> float | None:
        """Seconds at least that an old instrument does not look after a trigger."""
        if not self.is_old:
            return None
        return SHORTER_BLIND if int(self.instrument) == 5 and self.taken >= SHORTER_SINCE else USUAL_BLIND

    @property
    def facts(self) -> Mapping[str, str]:
        """What is known of all its images; times are UTC."""
        return {
            "bin": self.lid,
            "date": f"{self.taken:%Y-%m-%d}",
            "time": f"{self.taken:%H:%M:%S}",
            "instrument": f"IFCB{self.instrument}",
        }


def _recognises(tree: Tree) -> bool:
    return any(_bin(name) is not None for name in tree.files(*SUFFIXES))


def _read(tree: Tree) -> ImageSet:
    if not isinstance(tree, FolderTree):
        raise DataError(f"{tree.location} is an archive of IFCB bins, which cannot be read in place: unpack it.")
    items: list[ImageItem] = []
    samples: dict[str, Sample] = {}
    remarks: list[str] = []
    for found in _bins(tree):
        if found.lid in samples:
            remarks.append(f"Bin {found.lid} is there twice: the copy in {found.stem} is left out.")
            continue
        try:
            images, rows, odd = _images(tree, found)
            volume = millilitres(rows, _header(tree, found), found.blind)
        except DataError as error:
            remarks.append(f"Bin {found.lid} is left out: {error}")
            continue
        remarks += odd
        items += images
        samples[found.lid] = Sample(None if volume is None else volume / 1000)
    if not items:
        raise DataError(f"{tree.location} holds no image that can be read{_first(remarks)}")
    items.sort(key=lambda item: item.name)
    return ImageSet(
        tree.location, tuple(items), format=READER.name, grouping="bin", samples=samples, remarks=tuple(remarks)
    )


def _bins(tree: Tree) -> list[Bin]:
    names = (
        tree.names
        if tree.file is None
        else tuple(name for name in tree.names if name.rpartition(".")[0] == tree.file.rpartition(".")[0])
    )
    stems = {name[:-4]: None for name in names if name.lower().endswith(SUFFIXES)}
    return [found for stem in stems if (found := _bin(stem)) is not None]


def _bin(path: str) -> Bin | None:
    stem = path[:-4] if path.lower().endswith(SUFFIXES) else path
    lid = stem.rpartition("/")[2]
    try:
        if new := NEW_NAME.fullmatch(lid):
            taken = datetime.strptime(new[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
            return Bin(lid, stem, taken, new[2], is_old=False)
        if old := OLD_NAME.fullmatch(lid):
            clock = datetime.strptime(old[2] + old[4], "%Y%H%M%S").replace(tzinfo=UTC)
            return Bin(lid, stem, clock + timedelta(days=int(old[3]) - 1), old[1], is_old=True)
    except (ValueError, OverflowError):  # a date that no calendar has
        return None
    return None


def _images(tree: FolderTree, found: Bin) -> tuple[list[ImageItem], list[list[str]], list[str]]:
    """Return the images of a bin, the lines of its ``.adc``, and what is odd."""
    roi = tree.root / _file(tree, found, ".roi")
    size = tree.size(_file(tree, found, ".roi"))
    with open_text(tree.read(_file(tree, found, ".adc"))) as text:
        rows = [line.strip().split(",") for line in text]
    columns = OLD_COLUMNS if found.is_old else NEW_COLUMNS
    images, broken, beyond = [], 0, 0
    facts = found.facts
    for number, row in enumerate(rows, start=1):
        region = _region(row, columns)
        if region is None:
            broken += any(row)
        elif region[START] + region[WIDTH] * region[HEIGHT] > size:
            beyond += 1
        elif region[WIDTH] * region[HEIGHT]:
            content = RegionContent(roi, region[START], region[WIDTH], region[HEIGHT])
            name = f"{found.lid}_{number:05d}.png"
            images.append(ImageItem(content, name, sample=found.lid, group=found.lid, facts=facts))
    remarks = []
    if broken:
        remarks.append(f"{found.stem}.adc has {counted(broken, 'line')} that cannot be read: left out.")
    if beyond:
        lost = counted(beyond, "image")
        remarks.append(f"{found.stem}.roi ends before {lost} of the bin: left out; copy the bin again.")
    return images, rows, remarks


def _region(row: list[str], columns: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Return width, height and first byte; None where a line is cut short or holds something else."""
    try:
        width, height, start = (int(row[column]) for column in columns)
    except (IndexError, ValueError):
        return None
    return (width, height, start) if min(width, height, start) >= 0 else None


def _header(tree: FolderTree, found: Bin) -> dict[str, str]:
    """Return what the ``.hdr`` says, by its keys in lower case; nothing where there is none."""
    name = next((name for name in (f"{found.stem}.hdr", f"{found.stem}.HDR") if tree.has(name)), None)
    if name is None:
        return {}
    with open_text(tree.read(name)) as text:
        parted = (line.partition(":") for line in text)
        return {key.strip().lower(): value.strip() for key, colon, value in parted if colon}


def _file(tree: FolderTree, found: Bin, suffix: str) -> str:
    for name in (found.stem + suffix, found.stem + suffix.upper()):
        if tree.has(name):
            return name
    raise DataError(f"{found.stem}{suffix} is missing.")


def _first(remarks: list[str]) -> str:
    return f": {remarks[0]}" if remarks else "."


READER = Reader("ifcb", "bins of an Imaging FlowCytobot (.adc, .roi, .hdr)", _recognises, _read)
