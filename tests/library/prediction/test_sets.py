"""What ``predict`` makes of a folder."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from imagine_lib.data.imageset import ImageSet, Sample
from imagine_lib.data.opening import open_images
from imagine_lib.errors import DataError
from tests.library.readers.making import MAKERS, draw, ecotaxa, ifcb, pack, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imagine_lib.model import Model


def opened(*paths: Path) -> ImageSet:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return open_images(paths)


def test_an_ecotaxa_folder_keeps_samples_facts_and_volumes(model: Model, tmp_path: Path) -> None:
    root = ecotaxa(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = model.predict(root)
    assert [(item.image, item.sample) for item in found.items] == [
        (f"{root}/net/1.png", "net1"),
        (f"{root}/net/2.png", "net1"),
        (f"{root}/net/3.png", "net2"),
    ]
    assert found.samples["net1"] == Sample(2500.0, 4.0)
    assert found[0].facts["date"] == "2014-04-20"


def test_an_ifcb_bin_is_predicted_image_by_image(model: Model, tmp_path: Path) -> None:
    found = model.predict(ifcb(tmp_path))
    lid = "D20200102T030405_IFCB123"
    assert [item.image for item in found.items] == [f"{tmp_path}/{lid}_00001.png", f"{tmp_path}/{lid}_00003.png"]
    assert found.abundance()["sample"].unique().tolist() == [lid]
    assert found[0].facts["time"] == "03:04:05"


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_labels_are_never_taken_along(make: Callable[[Path], Path], tmp_path: Path) -> None:
    items = opened(make(tmp_path)).items
    assert items
    assert all(item.label is None and item.boxes is None and item.mask is None for item in items)
    assert len({item.name for item in items}) == len(items)


def test_images_that_a_table_does_not_list_are_not_forgotten(tmp_path: Path) -> None:
    root = MAKERS["table"](tmp_path)
    draw(root / "unlisted.png")
    items = {item.name: item.sample for item in opened(root).items}
    assert items == {f"{root}/a.png": "S1", f"{root}/b.png": "S2", f"{root}/unlisted.png": None}


def test_masks_are_not_images_to_be_named(tmp_path: Path) -> None:
    root = MAKERS["masks"](tmp_path)
    assert {item.name for item in opened(root).items} == {f"{root}/images/a.png", f"{root}/images/b.png"}


def test_a_table_of_other_images_spoils_nothing(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    write(tmp_path / "old.csv", "image,label\nelsewhere/a1.png,Tripos\n")
    assert [item.name for item in opened(tmp_path).items] == [f"{tmp_path}/a.png"]


def test_a_zip_is_read_without_unpacking(tmp_path: Path) -> None:
    draw(tmp_path / "set" / "x" / "a.png")
    archive = pack(tmp_path / "set", tmp_path / "set.zip")
    assert [item.name for item in opened(archive).items] == [f"{archive}/x/a.png"]


def test_two_folders_may_not_disagree_on_a_sample(tmp_path: Path) -> None:
    first, second = ecotaxa(tmp_path / "one"), ecotaxa(tmp_path / "two")
    assert len(opened(first, second)) == 6
    table = second / "net/ecotaxa_net.tsv"
    table.write_text(table.read_text().replace("\t2.5\t", "\t9.5\t"))
    with pytest.raises(DataError, match="two gives sample 'net1' another volume of water: open it by itself"):
        opened(first, second)
