"""EcoTaxa's folders and archives: real ones, and made ones for what those lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imagine_lib.data.imageset import Sample
from imagine_lib.errors import DataError
from tests.library.readers.making import ECOTAXA, draw, ecotaxa, ecotaxa_table, labels, pack, read, write

if TYPE_CHECKING:
    from pathlib import Path

PUMPED = (
    *(("object_id", "[t]"), ("img_file_name", "[t]"), ("sample_id", "[t]"), ("acq_id", "[t]")),
    *(("sample_total_volume", "[t]"), ("sample_concentrated_sample_volume", "[t]"), ("acq_imaged_volume", "[t]")),
    ("sample_dilution_factor", "[t]"),
)

FLOWCAM = (
    *(("object_id", "[t]"), ("img_file_name", "[t]"), ("sample_id", "[t]"), ("acq_id", "[t]")),
    *(("sample_initial_col_vol_m3", "[t]"), ("sample_conc_vol_ml", "[t]"), ("acq_fluid_volume_imaged", "[t]")),
)


def made(root: Path, *rows: str, columns: tuple[tuple[str, str], ...] = ECOTAXA) -> Path:
    for name in ("1.png", "2.png", "3.png"):
        draw(root / name)
    write(root / "ecotaxa_x.tsv", ecotaxa_table(*rows, columns=columns))
    return root


def test_only_what_was_validated_is_a_label(tmp_path: Path) -> None:
    found = read(ecotaxa(tmp_path))
    assert labels(found) == {"net/1.png": "Copepoda", "net/2.png": None, "net/3.png": "Salpida"}
    assert found.remarks == ("1 image not validated in EcoTaxa (1 predicted): read without a label.",)
    assert [item.group for item in found.items] == ["net1", "net1", "net2"]
    assert found.grouping == "sample_id"


def test_facts_are_named_as_elsewhere_and_kept_once(tmp_path: Path) -> None:
    first, second, third = read(ecotaxa(tmp_path)).items
    assert first.facts is second.facts
    assert first.facts["date"] == "2014-04-20"
    assert first.facts["latitude"] == "18.5"
    assert third.facts["sample_id"] == "net2"
    assert "object_date" not in first.facts


def test_the_water_of_a_net_is_cubic_metres_and_a_split(tmp_path: Path) -> None:
    found = read(ecotaxa(tmp_path))
    assert found.samples == {"net1": Sample(volume=2500.0, subsampling=4.0)}  # net2 has 999999: unknown


@pytest.mark.parametrize(
    ("volume", "split", "expected"),
    [
        ("2.5", "-", Sample(2500.0, 1.0)),
        ("0", "4", None),
        ("2.5", "0.25", None),
        ("2.5", "x", None),
        ("nan", "4", None),
        ("1e400", "4", None),
    ],
)
def test_a_volume_that_cannot_be_is_none(volume: str, split: str, expected: Sample | None, tmp_path: Path) -> None:
    found = read(made(tmp_path, f"o1 1.png 0 Copepoda validated 20140420 18.5 net {volume} a1 {split}"))
    assert found.samples.get("net") == expected


def test_a_sample_imaged_in_parts_with_different_splits_has_no_volume(tmp_path: Path) -> None:
    rows = (
        "o1 1.png 0 Copepoda validated 20140420 18.5 net 2.5 big 1",
        "o2 2.png 0 Copepoda validated 20140420 18.5 net 2.5 small 64",
    )
    found = read(made(tmp_path, *rows))
    assert found.samples == {}
    assert found.remarks == ("Sample 'net' was imaged in parts with different volumes: it is given none.",)


def test_the_water_of_a_planktoscope_and_a_flowcam(tmp_path: Path) -> None:
    scope = read(made(tmp_path / "scope", "o1 1.png s a 15 250 2.5 -", columns=PUMPED))
    assert scope.samples == {"s": Sample(volume=15.0, subsampling=100.0)}
    cam = read(made(tmp_path / "cam", "o1 1.png s a 0.02 50 0.5_ml", columns=FLOWCAM))
    assert cam.samples == {"s": Sample(volume=20.0, subsampling=100.0)}


@pytest.mark.parametrize(
    ("rows", "remark"),
    [
        (
            ["o1 1.png s a 15 250 2.5 2"],
            "Sample 's' was diluted, which is written in more than one way: it is given no",
        ),
        (["o1 1.png s a 15 250 2.5 -", "o2 2.png s b 15 250 2.5 -"], "Sample 's' was imaged in parts with different"),
    ],
)
def test_water_that_is_not_clear_is_not_guessed(rows: list[str], remark: str, tmp_path: Path) -> None:
    found = read(made(tmp_path, *rows, columns=PUMPED))
    assert found.samples == {}
    assert any(text.startswith(remark) for text in found.remarks)


@pytest.mark.parametrize(("first", "second", "kept"), [("1", "0", "2.png"), ("-", "1", "1.png"), ("2", "7", "1.png")])
def test_an_object_counts_once_with_its_lowest_rank(first: str, second: str, kept: str, tmp_path: Path) -> None:
    rows = [
        f"o1 {image}.png {rank} Copepoda validated 20140420 18.5 net 2.5 a 4"
        for image, rank in ((1, first), (2, second))
    ]
    found = read(made(tmp_path, *rows))
    assert [item.name for item in found.items] == [kept]
    assert found.remarks == ("1 further image of objects that have several: left out.",)


def test_objects_that_share_an_image_file_are_counted(tmp_path: Path) -> None:
    rows = (
        "o1 1.png 0 Copepoda validated 20140420 18.5 net 2.5 a 4",
        "o2 1.png 0 Copepoda validated 20140420 18.5 net 2.5 a 4",
        "o3 2.png 0 Salpida predicted 20140420 18.5 net 2.5 a 4",
        "o4 2.png 0 Salpida predicted 20140420 18.5 net 2.5 a 4",
        "o5 2.png 0 Salpida dubious 20140420 18.5 net 2.5 a 4",
    )
    found = read(made(tmp_path, *rows))
    assert labels(found) == {"1.png": "Copepoda", "2.png": None}
    assert found.remarks == (
        "1 image not validated in EcoTaxa (1 predicted): read without a label.",
        "3 objects with the image file of another object: left out, for an image is read once.",
    )


def test_objects_of_two_samples_may_have_one_number(tmp_path: Path) -> None:
    rows = [f"1 {n}.png 0 Copepoda validated 20140420 18.5 net{n} 2.5 a 4" for n in (1, 2)]
    assert len(read(made(tmp_path, *rows))) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    made(tmp_path)
    text = ecotaxa_table("o1 1.png 0 Ålga<Mané validated 20140420 18.5 net 2.5 a 4")
    write(tmp_path / "ecotaxa_x.tsv", text, encoding)
    assert read(tmp_path).classes == ["Ålga<Mané"]


def test_an_export_without_the_line_of_kinds_is_read(tmp_path: Path) -> None:
    root = ecotaxa(tmp_path)
    file = root / "net/ecotaxa_net.tsv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0].upper(), *lines[2:]]))
    assert labels(read(root))["net/1.png"] == "Copepoda"


def test_a_folder_of_archives_is_one_set(tmp_path: Path) -> None:
    ecotaxa(tmp_path / "one")
    (tmp_path / "all").mkdir()
    pack(tmp_path / "one", tmp_path / "all/a.zip")
    pack(tmp_path / "one", tmp_path / "all/b.zip")
    found = read(tmp_path / "all")
    assert [item.name for item in found.items[:1]] == ["a.zip/net/1.png"]
    # the objects of both are the same objects
    assert len(found) == 3
    assert found.items[0].content.read() == (tmp_path / "one/net/1.png").read_bytes()


def test_nobodys_name_becomes_a_fact(real_images: Path) -> None:
    found = read(real_images / "ecotaxa")
    assert not any("annotator" in value for item in found.items for value in item.facts.values())


def test_real_folders_are_read(real_images: Path) -> None:
    full = read(real_images / "ecotaxa/import_test")
    assert (full.format, len(full), full.classes) == ("ecotaxa", 8, [])
    assert {item.sample for item in full.items} == {"m106_mn01_n1_sml", "m106_mn01_n2_sml"}
    assert full.remarks == (
        "8 images not validated in EcoTaxa (8 predicted): read without a label.",
        "3 objects with the image file of another object: left out, for an image is read once.",
    )
    mixed = read(real_images / "ecotaxa/import_mixed_states")
    assert [item.label for item in mixed.items] == ["small<egg"]
    assert mixed.items[0].facts["depth_max"] == "600.0"
    sparse = read(real_images / "ecotaxa/import_sparse")
    assert (len(sparse), sparse.grouping) == (6, None)
    assert sparse.items[0].facts["time"] == "02:01:39.315"
    assert sparse.remarks == ("6 images not validated in EcoTaxa (6 without a state): read without a label.",)


def test_a_zip_without_a_table_says_so(tmp_path: Path) -> None:
    draw(tmp_path / "set/1.png")
    archive = pack(tmp_path / "set", tmp_path / "set.zip")
    with pytest.raises(
        DataError, match=r"holds no EcoTaxa table: one has the columns object_id and img_file_name\.$"
    ):
        read(archive, format="ecotaxa")
