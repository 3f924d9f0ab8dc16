"""Bins of the Imaging FlowCytobot, of both kinds."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest

from imagine_lib.data.images import decode
from imagine_lib.data.readers.ifcb_volume import millilitres
from imagine_lib.errors import DataError
from tests.library.readers.making import NEW_LINE, ifcb, read, write

if TYPE_CHECKING:
    from pathlib import Path

BIN = "D20200102T030405_IFCB123"
OLD_BIN = "IFCB5_2012_028_081515"


def old_bin(root: Path, name: str = OLD_BIN) -> Path:
    """A bin of an old instrument, whose first region begins at byte 1."""
    lines = ["1,0,0,0,0,0,0,0,1,9,9,4,3,1,0,", "2,0,0,0,0,0,0,2,3,9,9,2,2,13,0,", "3,0,0,0,0,0,0,5,9,-9,-9,0,0,17,0,"]
    write(root / f"{name}.adc", "\r\n".join(lines))
    write(root / f"{name}.roi", bytes([0, *range(100, 116)]))
    write(root / f"{name}.hdr", '"Imaging FlowCytobot Acquisition Software version 1.0; October 2005"')
    return root


def test_the_regions_of_a_bin_are_its_images(tmp_path: Path) -> None:
    found = read(ifcb(tmp_path))
    assert [item.name for item in found.items] == [f"{BIN}_00001.png", f"{BIN}_00003.png"]
    assert [item.group for item in found.items] == [BIN, BIN]
    assert found.grouping == "bin"
    assert dict(found.items[0].facts) == {
        "bin": BIN,
        "date": "2020-01-02",
        "time": "03:04:05",
        "instrument": "IFCB123",
    }
    pixels = decode(found.items[0].content).pixels
    np.testing.assert_array_equal(pixels[..., 0], np.arange(12).reshape(3, 4))
    np.testing.assert_array_equal(decode(found.items[1].content).pixels[..., 0], np.arange(12, 22).reshape(5, 2))


def test_an_old_bin_is_read(tmp_path: Path) -> None:
    found = read(old_bin(tmp_path))
    assert [item.name for item in found.items] == [f"{OLD_BIN}_00001.png", f"{OLD_BIN}_00002.png"]
    np.testing.assert_array_equal(decode(found.items[0].content).pixels[..., 0], np.arange(100, 112).reshape(3, 4))
    assert (found.items[0].facts["date"], found.items[0].facts["time"]) == ("2012-01-28", "08:15:15")


def test_a_bin_is_read_by_the_path_of_one_of_its_files(tmp_path: Path) -> None:
    old_bin(ifcb(tmp_path))
    assert len(read(tmp_path)) == 4
    assert {item.sample for item in read(tmp_path / f"{BIN}.adc").items} == {BIN}


def test_the_volume_of_a_bin(tmp_path: Path) -> None:
    """(60.3 s - 0.3 s) of 0.25 ml a minute; the .adc's 21.1 s and 0.3 s differ by more than 2 % in the first only."""
    found = read(ifcb(tmp_path))
    assert found.samples[BIN].volume == pytest.approx((21.1 - 0.3) / 60 * 0.25 / 1000)
    (tmp_path / f"{BIN}.adc").write_text((tmp_path / f"{BIN}.adc").read_text().replace("21.1", ""))
    write(tmp_path / f"{BIN}.adc", (tmp_path / f"{BIN}.adc").read_text().splitlines()[0])
    assert read(tmp_path).samples[BIN].volume == pytest.approx(0.25 / 1000)


def test_the_volume_of_an_old_bin(tmp_path: Path) -> None:
    """It ran for 9 s and was busy from 1 to 2 s and from 3 to 5 s, and 0.073 s at its start."""
    found = read(old_bin(tmp_path))
    assert found.samples[OLD_BIN].volume == pytest.approx((9 - 1 - 2 - 0.073) / 60 * 0.25 / 1000)
    later = "IFCB5_2016_001_000000"
    assert read(old_bin(tmp_path / "later", later)).samples[later].volume == pytest.approx((6 - 0.05) / 240 / 1000)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("partial/IFCB5_2012_028_081515", 0.003391470833333334),
        ("white/D2013/D201305/D20130526/D20130526T095207_IFCB013", 4.8850699041666665),
    ],
)
def test_volumes_are_those_that_pyifcb_publishes(path: str, expected: float, real_images: Path) -> None:
    """The expected values stand in pyifcb's ``test_ml_analyzed.py`` (WHOI), where they hold to 1e-5."""
    stem = real_images / "ifcb" / path
    with stem.with_suffix(".adc").open(newline="") as file:
        rows = list(csv.reader(file))
    parted = (line.partition(":") for line in stem.with_suffix(".hdr").read_text().splitlines())
    header = {key.lower(): value.strip() for key, _, value in parted}
    found = millilitres(rows, header, 0.073 if "IFCB5" in path else None)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({}, None),
        ({"runtime": "60", "inhibittime": "x"}, None),
        ({"runtime": "60", "inhibittime": "90"}, None),
        ({"runtime": "60", "inhibittime": "0", "runsamplefast": "1"}, None),
        ({"runtime": "nan", "inhibittime": "0"}, None),
        ({"runtime": "60", "inhibittime": "0"}, 0.25),
    ],
)
def test_a_volume_is_none_where_the_header_does_not_say(header: dict[str, str], expected: float | None) -> None:
    assert millilitres([], header) == expected


def test_a_clock_that_jumps_at_the_end_is_set_right() -> None:
    lines = [(10.0 * n, 10.0 * n + 0.1, 0.1 * (n + 1)) for n in range(6)]
    lines[-1] = (50.0, 99.0, 0.0)
    rows = [
        NEW_LINE.format(trigger=1, clock=c, width=0, height=0, start=0, ran=r, busy=b).split(",") for c, r, b in lines
    ]
    assert millilitres(rows, {}) == pytest.approx((50.1 - 0.6) / 240)


def test_lines_that_are_cut_short_are_left_out_and_told(tmp_path: Path) -> None:
    root = ifcb(tmp_path)
    file = root / f"{BIN}.adc"
    file.write_text(file.read_text().rstrip()[:-60] + "\nx,y\n")
    found = read(root)
    assert [item.name for item in found.items] == [f"{BIN}_00001.png"]
    assert found.remarks == (f"{BIN}.adc has 2 lines that cannot be read: left out.",)


def test_regions_beyond_the_end_are_left_out_and_told(tmp_path: Path) -> None:
    root = ifcb(tmp_path)
    write(root / f"{BIN}.roi", bytes(21))
    found = read(root)
    assert [item.name for item in found.items] == [f"{BIN}_00001.png"]
    assert found.remarks == (f"{BIN}.roi ends before 1 image of the bin: left out; copy the bin again.",)


@pytest.mark.parametrize("suffix", [".roi", ".adc"])
def test_half_a_bin_is_left_out_and_told(suffix: str, tmp_path: Path) -> None:
    old_bin(ifcb(tmp_path))
    (tmp_path / f"{OLD_BIN}{suffix}").unlink()
    found = read(tmp_path)
    assert {item.sample for item in found.items} == {BIN}
    assert found.remarks == (f"Bin {OLD_BIN} is left out: {OLD_BIN}{suffix} is missing.",)
    assert OLD_BIN not in found.samples


def test_a_bin_that_is_there_twice_is_read_once(tmp_path: Path) -> None:
    ifcb(tmp_path / "a")
    ifcb(tmp_path / "b")
    found = read(tmp_path)
    assert len(found) == 2
    assert found.remarks == (f"Bin {BIN} is there twice: the copy in b/{BIN} is left out.",)


@pytest.mark.parametrize("name", ["D20201399T030405_IFCB123", "IFCB5_2012_028", "notes"])
def test_what_is_called_otherwise_is_no_bin(name: str, tmp_path: Path) -> None:
    for suffix in (".adc", ".roi", ".hdr"):
        write(tmp_path / f"{name}{suffix}", "1")
    with pytest.raises(DataError, match=r"holds no class folders with images"):
        read(tmp_path)


def test_real_bins_are_read(real_images: Path) -> None:
    found = read(real_images / "ifcb")
    assert len(found) == 19
    assert found.items[0].name == "D20130526T095207_IFCB013_00007.png"
    first = decode(found.items[0].content).pixels
    assert first.shape == (34, 88, 1)
    # a picture: its rows resemble their neighbours, which they do not where width and height are swapped
    assert np.abs(np.diff(first[..., 0].astype(float), axis=0)).mean() < 5
    assert found.remarks == (f"Bin {OLD_BIN} is left out: partial/{OLD_BIN}.roi is missing.",)


@pytest.mark.parametrize("folder", ["empty", "invalid"])
def test_real_bins_without_an_image_are_refused(folder: str, real_images: Path) -> None:
    with pytest.raises(DataError, match=rf"ifcb/{folder} holds no image that can be read\.$"):
        read(real_images / "ifcb" / folder)


def test_an_archive_of_bins_is_refused(tmp_path: Path) -> None:
    from tests.library.readers.making import pack

    with pytest.raises(DataError, match=r"is an archive of IFCB bins, which cannot be read in place: unpack it\.$"):
        read(pack(ifcb(tmp_path / "set"), tmp_path / "set.zip"))


def test_an_old_trigger_with_two_images_counts_once() -> None:
    """Its second line is not looked at: 9 s less 1, 2 and 0.073 s."""
    times = [("1", 0, 1), ("2", 2, 3), ("2", 2, 4), ("3", 5, 9)]
    rows = [[trigger, *"000000", str(opened), str(grabbed)] for trigger, opened, grabbed in times]
    assert millilitres(rows, {}, 0.073) == pytest.approx((9 - 1 - 2 - 0.073) / 240)


def test_an_old_bin_may_span_midnight() -> None:
    """From midnight on the clock counts from minus a day: -86390 s is 10 s after the start."""
    rows = [
        [str(n), *"000000", str(opened), str(grabbed)] for n, (opened, grabbed) in enumerate([(0, 4), (6, -86390)])
    ]
    assert millilitres(rows, {}, 0.073) == pytest.approx((10 - 2 - 0.073) / 240)


def test_times_that_go_on_from_the_bin_before_are_left_to_the_header() -> None:
    lines = [(10.0 * n, 10.0 * n + 500, 70 + 0.1 * n) for n in range(1, 7)]
    rows = [
        NEW_LINE.format(trigger=1, clock=c, width=0, height=0, start=0, ran=r, busy=b).split(",") for c, r, b in lines
    ]
    assert millilitres(rows, {"runtime": "61", "inhibittime": "1"}) == pytest.approx(0.25)
    assert millilitres(rows, {}) is None
