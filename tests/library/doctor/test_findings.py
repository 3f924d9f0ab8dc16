"""Every finding: on a set that has it, and on one that has it not."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from imagine_lib.data.imageset import Box, ImageSet
from imagine_lib.doctor import Diagnosis, Finding, diagnose
from imagine_lib.errors import DataError, UsageError
from imagine_lib.wire import Task

if TYPE_CHECKING:
    from tests.library.doctor.conftest import Maker


def found(data: ImageSet) -> dict[str, Finding]:
    findings = diagnose(data).findings
    assert len({finding.code for finding in findings}) == len(findings)
    return {finding.code: finding for finding in findings}


def fill(make: Maker, **facts: object) -> Maker:
    """Forty sound images of two classes, in groups."""
    for index in range(40):
        make.add("ab"[index % 2], group=f"g{index % 8}", **facts)
    return make


def test_a_sound_set_has_nothing(make: Maker) -> None:
    diagnosis = diagnose(fill(make).done(classes_declared=("a", "b")))
    assert diagnosis.findings == () and diagnosis.ok
    assert diagnosis.summary == "nothing found"


def test_what_cannot_be_read_is_told_apart(make: Maker) -> None:
    fill(make)
    whole = io.BytesIO()
    Image.fromarray(make.noise(64)).save(whole, "PNG")
    make.add("a", b"", group="g0")
    make.add("a", b"no image at all", group="g0")
    make.add("a", whole.getvalue()[:-1000], group="g0")
    findings = found(make.done())
    assert findings["unreadable"].examples == ("0040.png", "0041.png")
    assert findings["truncated"].examples == ("0042.png",)
    assert set(findings) == {"unreadable", "truncated"}
    assert not diagnose(make.done()).ok


def test_more_pixels_than_are_decoded(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(make).add("a", make.noise(64), group="g0")
    monkeypatch.setattr("imagine_lib.data.images.MAX_PIXELS", 3000)
    monkeypatch.setattr("imagine_lib.doctor.files.MAX_PIXELS", 3000)
    assert found(make.done())["too-large"].examples == ("0040.png",)


def test_copies_and_their_labels(make: Maker) -> None:
    fill(make)
    pixels = make.noise()
    make.add("a", pixels, group="g0")
    make.add("a", pixels, group="g0")
    findings = found(make.done())
    assert findings["duplicate"].count == 2 and set(findings) == {"duplicate"}
    make.add("b", pixels, group="g0")
    findings = found(make.done())
    assert set(findings) == {"duplicate", "label-conflict"}
    assert findings["label-conflict"].examples == ("0040.png", "0042.png")


def test_near_copies_and_their_labels(make: Maker) -> None:
    fill(make)
    smooth = Image.fromarray(make.noise(8)).resize((64, 64), Image.Resampling.BICUBIC)
    make.add("a", np.asarray(smooth), group="g0")
    make.add("a", np.asarray(smooth.point(lambda value: value * 0.9)), group="g0")
    findings = found(make.done())
    assert findings["near-duplicate"].examples == ("0040.png", "0041.png")
    assert "near-label-conflict" not in findings
    make.add("b", np.asarray(smooth.point(lambda value: value * 0.8)), group="g0")
    assert found(make.done())["near-label-conflict"].count == 2


def test_unlabelled(make: Maker) -> None:
    fill(make).add(None, group="g0")
    findings = found(make.done())
    assert set(findings) == {"unlabelled"} and findings["unlabelled"].severity == "note"
    assert findings["unlabelled"].message == "1 image without a label."


@pytest.mark.parametrize(("count", "code"), [(2, "class-too-small"), (3, "tiny-class"), (19, "tiny-class"), (20, "")])
def test_small_classes(make: Maker, count: int, code: str) -> None:
    fill(make)
    for index in range(count):
        make.add("c", group=f"g{index % 8}")
    findings = found(make.done())
    assert set(findings) == ({code} if code else set())
    assert not code or findings[code].examples == ("c",)


def test_a_class_in_too_few_groups_and_the_set_without_it(make: Maker) -> None:
    fill(make)
    for index in range(21):
        make.add("c", group=f"g{index % 2}")
        make.add("d", group=f"g{index % 3}")
    data = make.done(classes_declared=("a", "b", "c", "d"))
    finding = found(data)["class-in-few-groups"]
    assert (finding.severity, finding.examples) == ("error", ("c",))
    assert finding.message.startswith("1 class with images in fewer than 3 groups ('c' in 2;")
    with pytest.raises(DataError, match=r"^Class 'c' .* leave the class out: data\.without_rare_classes\(\)\.$"):
        data.split()
    rest = data.without_rare_classes()
    assert rest.classes == ["a", "b", "d"] and len(rest) == len(data) - 21 and not found(rest)
    assert rest.remarks == ("1 rare class left out with 21 images: c.",)
    assert set(rest.split().test.classes) == {"a", "b", "d"}
    assert data.without_rare_classes(images=20, groups=2) is data
    assert data.without_rare_classes(images=21, groups=1).classes == ["c", "d"]


def test_near_copies_count_as_one_group(make: Maker) -> None:
    fill(make)
    smooth = Image.fromarray(make.noise(8)).resize((64, 64), Image.Resampling.BICUBIC)
    for index in range(5):
        make.add("c", np.asarray(smooth.point(lambda value, index=index: value * (1 - index / 50))))
    assert found(make.done())["class-in-few-groups"].examples == ("c",)


def test_given_parts_may_lack_a_class(make: Maker) -> None:
    for index in range(40):
        make.add("ab"[index % 2], group=f"g{index % 8}", part="train" if index % 8 < 6 else "test")
    for _ in range(20):
        make.add("c", group="g0", part="train")
    assert not found(make.done())


def test_images_with_a_rare_box_are_left_out_whole(make: Maker) -> None:
    common, rare = Box("a", 1, 1, 4, 4), Box("b", 8, 8, 4, 4)
    for index in range(30):
        make.add(None, group=f"g{index % 8}", boxes=(common, rare) if index < 2 else (common,))
    rest = make.done(task=Task.DETECTION).without_rare_classes()
    assert (len(rest), rest.counts) == (28, {"a": 28})
    with pytest.raises(UsageError, match="has masks: of these no class can be left out"):
        make.done(task=Task.SEGMENTATION).without_rare_classes()


def test_what_is_sound_and_not_decoded_is_told_apart(make: Maker) -> None:
    fill(make)
    pages = io.BytesIO()
    Image.fromarray(make.noise()).save(pages, "TIFF", save_all=True, append_images=[Image.fromarray(make.noise())])
    make.add("a", pages.getvalue(), group="g0")
    findings = found(make.done())
    assert set(findings) == {"unsupported"} and findings["unsupported"].examples == ("0040.png",)


def test_an_empty_class(make: Maker) -> None:
    assert found(fill(make).done(classes_declared=("a", "b", "z")))["empty-class"].examples == ("z",)


def test_one_class_is_too_few(make: Maker) -> None:
    for _ in range(30):
        make.add("a", group="g0")
    assert found(make.done())["too-few-classes"].message == "Training needs two classes, and only 'a' is there."


@pytest.mark.parametrize("twin", ["A", "a ", " a", "\uff41"])
def test_names_that_differ_in_writing(make: Maker, twin: str) -> None:
    fill(make)
    for _ in range(20):
        make.add(twin, group="g0")
    assert set(found(make.done())["alike-names"].examples) == {"a", twin}


def test_composed_and_decomposed_letters(make: Maker) -> None:
    for index in range(60):
        make.add(["b", "\u00e9", "e\u0301"][index % 3], group=f"g{index % 8}")
    finding = found(make.done())["alike-names"]
    assert finding.count == 2
    assert r"'e\u0301' and '\xe9'" in finding.message


def test_imbalance(make: Maker) -> None:
    picture = make.add("a", group="g0")
    make.items += [picture] * 2020
    make.items += [make.add("b", group="g1")] * 19
    assert found(make.done())["imbalance"].message == "'a' has 101 times as many examples as 'b'."
    make.items += [make.items[-1]]
    assert "imbalance" not in found(make.done())


def test_mixed_depth_and_channels(make: Maker) -> None:
    fill(make).add("a", make.noise(bits=16), group="g0")
    findings = found(make.done())
    assert set(findings) == {"mixed-depth"} and findings["mixed-depth"].examples == ("0040.png",)
    assert "40 of 8 bits, 1 of 16 bits" in findings["mixed-depth"].message
    make.add("a", make.noise(channels=3), group="g0")
    assert found(make.done())["mixed-channels"].examples == ("0041.png",)


def test_extreme_sizes(make: Maker) -> None:
    fill(make).add("a", make.noise(256), group="g0")
    make.add("a", make.noise(4), group="g0")
    assert not {"very-large", "very-small"} & set(found(make.done()))
    make.add("a", make.noise(257), group="g0")
    make.add("a", make.noise(3), group="g0")
    findings = found(make.done())
    assert findings["very-large"].examples == ("0042.png",)
    assert findings["very-small"].examples == ("0043.png",)


def test_larger_than_the_canvas(make: Maker) -> None:
    fill(make).add("a", make.noise(47), group="g0")
    assert not found(make.done())
    make.add("a", make.noise(49), group="g0")
    assert found(make.done())["larger-than-canvas"].examples == ("0041.png",)


@pytest.mark.parametrize(
    ("box", "code"),
    [
        (Box("a", 0, 0, 32, 32), ""),
        (Box("a", -0.9, 0, 33, 32.9), ""),
        (Box("a", 5, 5, 0, 3), "box-without-area"),
        (Box("a", 5, 5, 3, -1), "box-without-area"),
        (Box("a", math.nan, 5, 3, 3), "box-without-area"),
        (Box("a", 32, 5, 3, 3), "box-outside"),
        (Box("a", 5, -4, 3, 4), "box-outside"),
        (Box("a", 30, 5, 4, 3), "box-sticks-out"),
        (Box("a", 5, -2, 4, 9), "box-sticks-out"),
    ],
)
def test_boxes(make: Maker, box: Box, code: str) -> None:
    for index in range(40):
        make.add(None, group=f"g{index % 8}", boxes=(Box("a", 1, 1, 4, 4),))
    make.add(None, group="g0", boxes=(box,))
    findings = found(make.done(task=Task.DETECTION))
    assert set(findings) == ({code} if code else set())
    assert not code or findings[code].examples == ("0040.png",)


def test_images_without_boxes_are_unlabelled_and_those_with_none_are_not(make: Maker) -> None:
    for index in range(40):
        make.add(None, group=f"g{index % 8}", boxes=(Box("a", 1, 1, 4, 4),))
    make.add(None, group="g0", boxes=())
    make.add(None, group="g0")
    assert found(make.done(task=Task.DETECTION))["unlabelled"].examples == ("0041.png",)


@pytest.mark.parametrize(
    ("mask", "code"),
    [
        (np.full((32, 32), 1, np.uint8), ""),
        (np.full((32, 32), 255, np.uint8), ""),
        (np.full((32, 32), 2, np.uint8), "mask-value-without-class"),
        (np.zeros((32, 31), np.uint8), "mask-size"),
        (np.zeros((32, 32, 3), np.uint8), "mask-unreadable"),
    ],
)
def test_masks(make: Maker, mask: np.ndarray, code: str) -> None:
    for index in range(9):
        make.add(None, group=f"g{index % 8}", mask=make.mask(np.eye(32, dtype=np.uint8)))
    make.add(None, group="g0", mask=make.mask(mask))
    findings = found(make.done(task=Task.SEGMENTATION, classes_declared=("water", "weed")))
    assert set(findings) == ({code} if code else set())
    assert not code or findings[code].examples == ("0009.png",)


def test_an_indexed_mask_holds_numbers_and_not_its_colours(make: Maker) -> None:
    item = make.add(None, group="g", mask=make.mask(np.eye(32, dtype=np.uint8)))
    assert item.mask is not None
    indexed = Image.fromarray(np.eye(32, dtype=np.uint8)).convert("P")
    indexed.putpalette([200, 100, 50] * 256)
    indexed.save(item.mask.place)
    assert not found(make.done(task=Task.SEGMENTATION, classes_declared=("water", "weed")))


def test_leaks_between_given_parts(make: Maker) -> None:
    for index in range(40):
        make.add("ab"[index % 2], group=f"g{index % 8}", part="train" if index % 8 < 6 else "test")
    assert not found(make.done())
    pixels = make.noise()
    smooth = Image.fromarray(make.noise(8)).resize((64, 64), Image.Resampling.BICUBIC)
    dimmed = smooth.point(lambda value: value * 0.9)
    for part, group, same, like in (("train", "t", pixels, smooth), ("test", "u", pixels, dimmed)):
        make.add("a", same, group=group, part=part)
        make.add("a", np.asarray(like), group=group, part=part)
    make.add("a", group="g0", part="test")
    findings = found(make.done())
    assert findings["group-in-two-parts"].examples == ("g0",)
    assert findings["copy-in-two-parts"].examples == ("0040.png", "0042.png")
    assert findings["near-copy-in-two-parts"].examples == ("0041.png", "0043.png")


def test_no_groups(make: Maker) -> None:
    for index in range(40):
        make.add("ab"[index % 2])
    findings = found(make.done())
    assert set(findings) == {"no-groups"} and findings["no-groups"].severity == "note"


def test_real_images(real_images: object) -> None:
    """What is known of these sets: two series of one individual, and some other copies."""
    from imagine_lib.data import open_dataset

    findings = found(open_dataset(real_images / "bering_sea_zooplankton"))  # type: ignore[operator]
    assert set(findings) == {"duplicate", "near-duplicate", "no-groups"}
    assert findings["duplicate"].count == 2
    assert 110 <= findings["near-duplicate"].count <= 130
    findings = found(open_dataset(real_images / "phytoplankton_vliz"))  # type: ignore[operator]
    assert set(findings) == {"tiny-class", "no-groups", "mixed-channels", "larger-than-canvas"}


def test_an_empty_set_is_no_accident() -> None:
    diagnosis = diagnose(ImageSet("nothing", ()))
    assert isinstance(diagnosis, Diagnosis) and not diagnosis.ok
