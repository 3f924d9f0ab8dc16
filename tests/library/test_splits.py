"""How a set is divided: whole groups, every class, the same everywhere, and said in words."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imagine_lib as im
from imagine_lib.cli import main
from imagine_lib.data import ImageSet, Split, open_dataset
from imagine_lib.data.content import FileContent
from imagine_lib.data.duplicates import Duplicates
from imagine_lib.data.imageset import Box, ImageItem
from imagine_lib.data.looks import RECORD, Looks
from imagine_lib.data.mosaics import write_mosaics
from imagine_lib.errors import DataError, UsageError
from imagine_lib.wire import Task

ODD_NAMES = ["with space", "with#hash", "a,b", "Ångström ☂", "dots..inside", "100%", "[1]"]


def noise(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16)).astype(np.uint8)
    Image.fromarray(pixels).save(path)


def fill(folder: Path, count: int) -> None:
    for index in range(count):
        noise(folder / f"{index}.png", sum(map(ord, folder.name)) * 1000 + index)


def unread(items: list[ImageItem], near: list[list[int]] = [], **facts: object) -> ImageSet:  # noqa: B006
    """A set without files, whose near duplicates are known."""
    data = ImageSet("made", tuple(items), **facts)  # type: ignore[arg-type]
    alike = np.arange(len(items))
    for members in near:
        alike[members] = members[0]
    vars(data)["looks"] = Looks(np.zeros(len(items), RECORD), {})
    vars(data)["duplicates"] = Duplicates(np.arange(len(items)), alike)
    return data


def item(index: int, label: str | None = "a", **facts: object) -> ImageItem:
    return ImageItem(FileContent(Path("none")), f"{index:06d}.png", label=label, **facts)  # type: ignore[arg-type]


def names(part: ImageSet) -> set[str]:
    return {image.name for image in part.items}


def groups(part: ImageSet) -> set[str | None]:
    return {image.group for image in part.items}


def unequal(seed: int, count: int = 60) -> ImageSet:
    """Groups from one image to thousands, each with a class mix of its own."""
    rng = random.Random(seed)
    items: list[ImageItem] = []
    for group in range(count):
        favourite = rng.randrange(8)
        for _ in range(int(rng.lognormvariate(4, 1.5)) + 1):
            label = favourite if rng.random() < 0.5 else rng.randrange(8)
            items.append(item(len(items), f"c{label}", group=f"g{group}"))
    return unread(items, grouping="g")


def test_odd_class_names_are_in_every_part(tmp_path: Path) -> None:
    for name in ODD_NAMES:
        fill(tmp_path / name, 5)
    split = open_dataset(tmp_path).split()
    assert all(set(part.classes) == set(ODD_NAMES) for part in split.parts.values())


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    fill(tmp_path / "only", 9)
    with pytest.raises(DataError, match=r"needs at least two classes to learn from; there is only 'only'\.$"):
        open_dataset(tmp_path).split()


def test_too_few_images_name_the_class(tmp_path: Path) -> None:
    fill(tmp_path / "many", 9)
    fill(tmp_path / "few", 2)
    with pytest.raises(DataError) as error:
        open_dataset(tmp_path).split()
    assert re.fullmatch(
        r"Class 'few' of .* \(2 images\) leaves nothing to (choose|test) with: add images \(at least 3 are needed, near "
        r"duplicates count as one\) or leave the class out: data\.without_rare_classes\(\)\.",
        str(error.value),
    )


def test_a_split_is_seeded_stratified_and_complete(plankton: Path) -> None:
    data = open_dataset(plankton)
    split, again, other = data.split(seed=3), data.split(seed=3), data.split(seed=4)
    assert split.sha256 == again.sha256 != other.sha256
    parts = [names(part) for part in split.parts.values()]
    assert sum(map(len, parts)) == len(data) == len(set().union(*parts))
    for part, allowed in zip(split.parts.values(), ({10, 11}, {1, 2}, {3}), strict=True):
        assert set(part.counts.values()) <= allowed and part.classes == data.classes
    assert split.rule == "by image, seed 3, one part to select and calibrate"
    assert split.val is split.select and split.merged and split.calibrate is split.select


def test_the_deal_is_pinned() -> None:
    """Other machines and later versions must deal alike."""
    split = unread([item(index, "ab"[index % 2]) for index in range(20)]).split(seed=7)
    assert sorted(names(split.test)) == ["000011.png", "000013.png", "000014.png", "000016.png"]


def test_the_deal_does_not_depend_on_the_order_of_the_images() -> None:
    items = [item(index, "abc"[index % 3]) for index in range(100)]
    one, other = unread(items).split(), unread(items[::-1]).split()
    assert all(names(part) == names(other.parts[name]) for name, part in one.parts.items())


def test_a_large_set_has_four_parts_and_a_small_one_three() -> None:
    small, large = (unread([item(i, "ab"[i % 2]) for i in range(count)]).split() for count in (1999, 2000))
    assert small.merged and not large.merged
    assert [len(part) for part in large.parts.values()] == [1400, 200, 200, 200]
    assert large.rule == "by image, seed 0"


def test_a_class_too_rare_for_four_parts_merges_two() -> None:
    items = [item(index, "ab"[index % 2]) for index in range(2000)] + [item(3000 + index, "c") for index in range(3)]
    split = unread(items).split()
    assert split.merged and all("c" in part.counts for part in split.parts.values())
    with pytest.raises(DataError, match=r"Class 'c' .* \(at least 4 are needed, near duplicates"):
        unread(items).split(fractions=(0.7, 0.1, 0.1, 0.1))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("fractions", [(0.7, 0.1, 0.2), (0.7, 0.1, 0.1, 0.1)])
def test_fractions_hold_with_groups_of_very_unequal_size(seed: int, fractions: tuple[float, ...]) -> None:
    data = unequal(seed)
    sizes = Counter(image.group for image in data.items)
    assert max(sizes.values()) > 50 * min(sizes.values())
    split = data.split(seed=seed, fractions=fractions)
    tolerance = 0.04 if max(sizes.values()) < len(data) / 2 else 0.08
    for part, share in zip(split.parts.values(), fractions, strict=True):
        assert len(part) / len(data) == pytest.approx(share, abs=tolerance)
        assert set(part.counts) == set(data.counts)
    found = [groups(part) for part in split.parts.values()]
    assert sum(map(len, found)) == len(set().union(*found)) == len(sizes)


def test_on_average_the_shares_are_nearly_met() -> None:
    worst = []
    for seed in (0, 1, 3, 4, 5, 6, 7, 8):  # in these no group holds more than half of the images
        data = unequal(seed, 40)
        parts = data.split(seed=seed, fractions=(0.7, 0.1, 0.1, 0.1)).parts.values()
        shares = [len(part) / len(data) for part in parts]
        worst.append(max(abs(share - wanted) for share, wanted in zip(shares, (0.7, 0.1, 0.1, 0.1), strict=True)))
    assert sum(worst) / len(worst) < 0.02


def test_a_rare_class_in_groups_is_in_every_part() -> None:
    """Three of sixty groups hold it, two of them large: dealing by size alone would leave it out of one part."""
    data = unequal(1)
    rare = [item(900_000 + n, "rare", group=group) for group, n in (("g0", 0), ("g1", 1), ("g2", 2))]
    split = unread([*data.items, *rare], grouping="g").split(fractions=(0.7, 0.1, 0.2))
    assert all(part.counts["rare"] == 1 for part in split.parts.values())


def test_one_group_larger_than_its_part_goes_to_training() -> None:
    items = [item(index, "ab"[index % 2], group="big") for index in range(600)]
    items += [item(1000 + index, "ab"[index % 2], group=f"g{index // 20}") for index in range(400)]
    split = unread(items, grouping="g").split(fractions=(0.7, 0.1, 0.2))
    assert groups(split.train) > {"big"}
    assert [len(part) for part in split.parts.values()] == [700, 100, 200]


def test_groups_are_never_split(plankton: Path) -> None:
    split = open_dataset(plankton, group=r"(S\d+)_").split(fractions=(0.6, 0.2, 0.2))
    found = [groups(part) for part in split.parts.values()]
    assert all(found) and sum(map(len, found)) == 5 == len(set().union(*found))
    assert split.rule.startswith(r"by group (S\d+)_, seed 0")
    assert not any("No group rule" in warning for warning in split.warnings)


@pytest.mark.parametrize("seed", range(5))
def test_near_duplicates_stay_together(seed: int) -> None:
    sets = [[index, index + 50, index + 100] for index in range(0, 50, 2)]
    split = unread([item(index, "ab"[index % 2]) for index in range(300)], sets).split(seed=seed)
    for members in sets:
        wanted = {f"{index:06d}.png" for index in members}
        assert any(wanted <= names(part) for part in split.parts.values())
    assert "75 near duplicates kept together" in split.rule


def test_near_duplicates_join_groups() -> None:
    items = [item(index, "ab"[index % 2], group=f"g{index // 10}") for index in range(300)]
    split = unread(items, [[0, 25], [29, 50]], grouping="g").split()
    assert sum(bool(groups(part) & {"g0", "g2", "g5"}) for part in split.parts.values()) == 1
    assert "4 near duplicates kept together" in split.rule


def test_near_duplicates_do_not_tie_all_groups_to_one() -> None:
    """Each group has an image like one of the next: joined, nothing could be divided."""
    items = [item(index, "ab"[index % 2], group=f"g{index // 10}") for index in range(300)]
    chain = [[10 * group + 9, 10 * group + 10] for group in range(29)]
    split = unread(items, chain, grouping="g").split()
    assert [len(part) for part in split.parts.values()] == pytest.approx([210, 30, 60], abs=30)
    assert any(re.match(r"\d+ near duplicates were not kept together", warning) for warning in split.warnings)


def test_unlabelled_images_are_left_out_and_counted() -> None:
    items = [item(index, "ab"[index % 2]) for index in range(60)] + [item(100 + index, None) for index in range(7)]
    split = unread(items).split()
    assert sum(map(len, split.parts.values())) == 60
    assert split.rule.endswith("7 images without a label left out")


@pytest.mark.parametrize(
    ("fractions", "sentence"),
    [
        ((0.7, 0.2, 0.2), "The three shares of a split are above 0 and add up to 1; these add up to 1.1."),
        ((0.8, 0.2, 0.1, -0.1), "The four shares of a split are above 0 and add up to 1; these add up to 1."),
        ((0.8, 0.2), "A split has three or four shares, for train, select, calibrate, test; 2 are given."),
    ],
)
def test_shares_must_make_sense(fractions: tuple[float, ...], sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        unread([item(index, "ab"[index % 2]) for index in range(60)]).split(fractions=fractions)
    assert str(error.value) == sentence


def given(**counts: int) -> list[ImageItem]:
    parts = [part for part, count in counts.items() for _ in range(count)]
    return [item(index, "ab"[index % 2], part=part) for index, part in enumerate(parts)]


def test_given_parts_are_followed() -> None:
    items = given(train=70, select=10, test=20)
    split = unread(items).split(seed=5)
    assert {name: len(part) for name, part in split.parts.items()} == {"train": 70, "select": 10, "test": 20}
    assert all(image.part == name for name, part in split.parts.items() for image in part.items)
    assert split.rule.startswith("train, select, test as the set's files say, the rest by image, seed 5")


def test_missing_parts_are_taken_from_training() -> None:
    split = unread(given(train=900, test=500)).split()
    assert [len(part) for part in split.parts.values()] == pytest.approx([788, 112, 500], abs=1)
    assert all(image.part == "test" for image in split.test.items)
    assert split.rule.startswith("train, test as the set's files say")
    split = unread(given(train=90)).split()
    assert [len(part) for part in split.parts.values()] == [63, 9, 18]


def test_given_parts_that_share_images_are_warned_of() -> None:
    split = unread(given(train=70, select=10, test=20), [[0, 99]]).split()
    assert any(warning.startswith("2 images share a group, or are near dup") for warning in split.warnings)
    assert not any(
        "share a group" in warning for warning in unread(given(train=70, select=10, test=20)).split().warnings
    )


def test_images_that_the_files_do_not_list_are_left_out_and_said() -> None:
    split = unread([*given(train=70, select=10, test=20), item(900), item(901)]).split()
    assert sum(map(len, split.parts.values())) == 100
    assert any(warning.startswith("2 labelled images are in none of the parts") for warning in split.warnings)


def test_a_class_that_only_the_given_test_lacks_is_warned_of() -> None:
    items = [*given(train=70, select=10, test=20), item(900, "c", part="train"), item(901, "c", part="select")]
    assert "Class 'c' has no image to test with, as the set's files divide it." in unread(items).split().warnings
    items[-2] = replace(items[-2], part="test")
    with pytest.raises(DataError, match=r"^Class 'c' of made \(2 images\) leaves nothing to learn from"):
        unread(items).split()


def test_boxes_are_stratified() -> None:
    rng = random.Random(0)
    labels = [["fish"] * rng.randrange(1, 5) + ["crab"] * (index % 10 == 0) for index in range(300)]
    items = [
        item(index, None, boxes=tuple(Box(label, 0, 0, 1, 1) for label in found))
        for index, found in enumerate(labels)
    ]
    split = unread([*items, item(999, None, boxes=())], task=Task.DETECTION).split()
    assert [part.counts["crab"] for part in split.parts.values()] == [21, 3, 6]
    total = sum(map(len, (image.boxes or () for image in items)))
    assert split.test.counts["fish"] == pytest.approx(0.2 * (total - 30), rel=0.1)
    alone = [item(index, None, boxes=(Box("fish", 0, 0, 1, 1),)) for index in range(30)]
    assert len(unread(alone, task=Task.DETECTION).split().test) == 6


def test_masks_are_split_by_group_only() -> None:
    mask = FileContent(Path("none"))
    items = [item(index, None, mask=mask, group=f"g{index // 5}") for index in range(100)]
    data = unread(items, task=Task.SEGMENTATION, classes_declared=("water", "weed"), grouping="g")
    split = data.split()
    assert [len(part) for part in split.parts.values()] == [70, 10, 20]
    with pytest.raises(DataError, match=r"^made has no labelled images to learn from: add boxes or masks\.$"):
        data.subset([]).split()


def test_without_groups_there_is_a_warning() -> None:
    warnings = unread([item(index, "ab"[index % 2]) for index in range(60)]).split().warnings
    assert len(warnings) == 1 and warnings[0].startswith("No group rule was given: ")


@pytest.fixture
def folder(plankton: Path, tmp_path: Path) -> Path:
    shutil.copytree(plankton, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_saved_split_is_repeated_elsewhere(plankton: Path, folder: Path, tmp_path: Path) -> None:
    split = open_dataset(plankton, group=r"(S\d+)_").split(fractions=(0.4, 0.2, 0.2, 0.2))
    path = split.save(tmp_path / "split.json")
    again = Split.load(path, open_dataset(folder))
    assert again.sha256 == split.sha256 and not again.merged
    assert again.rule == split.rule and again.warnings == split.warnings
    assert {name: names(part) for name, part in again.parts.items()} == {
        name: names(part) for name, part in split.parts.items()
    }
    assert json.loads(path.read_text())["parts"]["test"][0][0] == split.test.items[0].name


def test_images_that_changed_or_are_gone_are_told(plankton: Path, folder: Path, tmp_path: Path) -> None:
    split = open_dataset(plankton).split()
    path = split.save(tmp_path / "split.json")
    (folder / "synthetic-bell" / "new.png").write_bytes((folder / split.train.items[0].name).read_bytes())
    assert "1 images of" in Split.load(path, open_dataset(folder)).warnings[-1]
    first, second = split.train.items[0].name, split.train.items[1].name
    noise(folder / first, 1)
    with pytest.raises(DataError) as error:
        Split.load(path, open_dataset(folder))
    assert str(error.value) == (
        f"1 images of the split {path} have changed since in {folder}, {first!r} among them: bring them back, or split "
        "anew."
    )
    (folder / second).unlink()
    with pytest.raises(DataError, match=re.escape(f"are gone or have no label any more in {folder}, {second!r}")):
        Split.load(path, open_dataset(folder))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"parts": 3}', '{"parts": {"train": [1]}}'])
def test_what_is_no_split_says_so(plankton: Path, tmp_path: Path, content: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(content)
    with pytest.raises(DataError) as error:
        Split.load(path, open_dataset(plankton))
    assert str(error.value) == f"{path} is no split: give a file that Split.save wrote."
    with pytest.raises(DataError, match="cannot be read: no such file or directory"):
        Split.load(tmp_path / "none.json", open_dataset(plankton))


@pytest.mark.parametrize(
    ("task", "first", "second"),
    [
        (Task.CLASSIFICATION, {"label": "a"}, {"label": "b"}),
        (Task.DETECTION, {"boxes": (Box("a", 0, 0, 1, 1),)}, {"boxes": (Box("a", 0, 0, 1, 2),)}),
        (Task.DETECTION, {"boxes": (Box("a", 0, 0, 1, 1),)}, {"boxes": ()}),
        (Task.SEGMENTATION, {"mask": "0.png"}, {"mask": "1.png"}),
    ],
)
def test_other_labels_change_the_manifest(task: Task, first: dict, second: dict, tmp_path: Path) -> None:
    for seed in range(2):
        noise(tmp_path / f"{seed}.png", seed)

    def split(**known: object) -> Split:
        mask = known.pop("mask", None)
        changed = replace(item(0, None), mask=mask and FileContent(tmp_path / str(mask)), **known)
        parts = [unread([image], task=task) for image in (changed, item(1), item(2))]
        return Split(parts[0], parts[1], parts[1], parts[2], 0)

    assert split(**first).sha256 == split(**first).sha256 != split(**second).sha256


def test_the_command_leaves_rare_classes_out_and_says_what_is_doubtful(
    plankton: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(plankton, tmp_path / "images")
    noise(tmp_path / "images/rare/S1_0.png", 1)
    where = [str(tmp_path / "images"), "--out", str(tmp_path / "split.json"), "--json"]
    assert main(["dataset", "split", *where]) == 1
    assert "leave the class out" in capsys.readouterr().err
    assert main(["dataset", "split", *where, "--min-groups", "3"]) == 0
    told = capsys.readouterr()
    assert "imagine: 1 rare class left out with 1 image: rare.\n" in told.err
    assert "imagine: No group rule was given: where several images come from one sample" in told.err
    assert {row[2] for part in json.loads(told.out)["parts"].values() for row in part} == set(
        open_dataset(plankton).classes
    )
    assert main(["dataset", "check", where[0]]) == 1
    assert main(["dataset", "check", where[0], "--min-images", "3"]) == 0


def test_a_saved_split_refuses_other_labels(plankton: Path, tmp_path: Path) -> None:
    data = open_dataset(plankton)
    path = data.split().save(tmp_path / "split.json")
    first = data.items[0]
    changed = replace(data, items=(replace(first, label="synthetic-comb"), *data.items[1:]))
    with pytest.raises(DataError, match=re.escape(f"have other labels now in {plankton}, {first.name!r} among them")):
        Split.load(path, changed)


def test_a_changed_image_changes_the_manifest(folder: Path) -> None:
    before = open_dataset(folder).split()
    noise(folder / before.test.items[0].name, 1)
    assert open_dataset(folder).split().sha256 != before.sha256


def test_masks_of_few_groups_still_give_every_part_one(tmp_path: Path) -> None:
    write_mosaics(tmp_path, ["disc"], count=12, seed=1, size=(40, 30), bodies=1)
    split = im.open_dataset(tmp_path, group=r"(S\d+)_", format="masks").split(seed=0)
    assert sorted(len(part) for part in split.parts.values()) == [3, 3, 6]
