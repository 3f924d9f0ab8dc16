"""Boxes: COCO, YOLO, Pascal VOC, BIIGLE."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from imagine_lib.data.imageset import Box
from imagine_lib.errors import DataError
from imagine_lib.wire import Task
from tests.library.readers.making import biigle, coco, draw, read, voc, write, yolo

if TYPE_CHECKING:
    from pathlib import Path


def changed(root: Path, **lists: Any) -> Path:
    """Write a COCO set whose lists are others."""
    file = coco(root) / "annotations.json"
    write(file, json.dumps({**json.loads(file.read_text()), **lists}))
    return root


def box(**keys: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": 1, "category_id": 5, "bbox": [1, 2, 3, 4], **keys}


def test_coco_boxes_are_read_also_where_they_leave_the_image(tmp_path: Path) -> None:
    found = read(coco(tmp_path))
    assert found.task == Task.DETECTION
    assert found.items[0].boxes == (Box("fish", 1, 2, 3, 4), Box("crab", -5, 0, 100, 2.5))
    assert found.items[1].boxes == ()
    assert found.counts == {"crab": 1, "fish": 1}
    assert found.remarks == ()


def test_coco_without_annotations_says_nothing_of_its_images(tmp_path: Path) -> None:
    found = read(changed(tmp_path, annotations=None))
    assert [item.boxes for item in found.items] == [None, None]
    assert len(found.labelled) == 0


@pytest.mark.parametrize(
    ("annotation", "remark"),
    [
        (box(category_id=77), "1 annotation of an unknown category: left out."),
        (box(iscrowd=1), "1 annotation of a crowd: left out."),
        (box(bbox=[1, 2, 3]), "1 annotation without a usable bbox: left out."),
        (box(bbox=[1, 2, 0, 4]), "1 annotation without a usable bbox: left out."),
        (box(bbox=[1, 2, float("nan"), 4]), "1 annotation without a usable bbox: left out."),
        (box(bbox="1234"), "1 annotation without a usable bbox: left out."),
        (box(image_id=99), "1 box of an image that is not listed: left out."),
        (
            box(segmentation=[[1, 2, 3, 4, 5, 6]]),
            "1 outline: read as boxes; format='coco-masks' reads them as masks.",
        ),
    ],
)
def test_coco_annotations_that_are_odd_are_told(annotation: dict[str, Any], remark: str, tmp_path: Path) -> None:
    found = read(changed(tmp_path, annotations=[annotation]))
    assert found.remarks[0] == f"{tmp_path}/annotations.json has {remark}"


def test_an_image_whose_boxes_were_all_left_out_is_not_called_empty(tmp_path: Path) -> None:
    found = read(changed(tmp_path, annotations=[box(category_id=77)]))
    assert [item.boxes for item in found.items] == [None, ()]


def test_coco_images_that_are_not_there_stay_in_the_set(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "gone.png"}, {"id": 3}]
    found = read(changed(tmp_path, images=images))
    assert [item.name for item in found.items] == ["gone.png", "images/a.png"]
    assert found.remarks == (
        f"{tmp_path}/annotations.json has 1 image without a file_name: left out.",
        f"1 image is named, but not there ({tmp_path}; for example 'gone.png').",
    )


def test_several_coco_files_are_parts_of_one_set(tmp_path: Path) -> None:
    for word in ("train2017", "val2017"):
        draw(tmp_path / word / f"{word}.png")
        content = {
            "images": [{"id": 1, "file_name": f"{word}.png"}],
            "categories": [{"id": 5, "name": "fish"}],
            "annotations": [box()],
        }
        write(tmp_path / f"annotations/instances_{word}.json", json.dumps(content))
    found = read(tmp_path)
    assert [(item.name, item.part) for item in found.items] == [
        ("train2017/train2017.png", "train"),
        ("val2017/val2017.png", "select"),
    ]


@pytest.mark.parametrize("text", ['{"images": [', '["images"]', '{"images": 3}', '{"images": ' + "[" * 100_000])
def test_json_that_is_no_coco_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"annotations\.json (is no valid JSON|has no list of 'images'): export it again"
    ):
        read(write(tmp_path / "annotations.json", text))


def test_yolo_boxes_are_pixels(tmp_path: Path) -> None:
    found = read(yolo(tmp_path))
    (only,) = found.items[0].boxes or ()
    assert (only.label, only.x, only.y, only.width, only.height) == pytest.approx(("crab", 40, 15, 20, 20))
    assert found.items[1].boxes == ()
    assert [item.part for item in found.items] == ["train", "select"]
    assert found.classes_declared == ("crab", "fish")


def test_yolo_outlines_become_boxes_and_odd_lines_are_told(tmp_path: Path) -> None:
    root = yolo(tmp_path)
    write(root / "labels/train/a.txt", "0 0.1 0.2 0.3 0.2 0.3 0.6\n7 0.5 0.5 0.1 0.1\n0 nan 1 1 1\nfish\n")
    (root / "labels/val/b.txt").unlink()
    found = read(root)
    (only,) = found.items[0].boxes or ()
    assert (only.x, only.y, only.width, only.height) == pytest.approx((10, 10, 20, 20))
    assert found.items[1].boxes is None
    assert found.remarks == (
        "1 image without a text file of boxes: read without labels.",
        "3 lines with no box of a known class, such as in 'labels/train/a.txt': left out.",
    )


@pytest.mark.parametrize("names", ["[fish, crab]", "{0: fish, 1: crab}", "['fish', 'crab']"])
def test_yolo_names_are_a_list_or_a_mapping(names: str, tmp_path: Path) -> None:
    root = yolo(tmp_path)
    write(root / "data.yaml", f"names: {names}\n")
    assert read(root).classes == ["crab"]


@pytest.mark.parametrize("names", ["[fish, [crab]]", "3", "", "!!python/object/apply:os.system ['true']", "&a [*a]"])
def test_yolo_without_names_is_refused(names: str, tmp_path: Path) -> None:
    root = yolo(tmp_path)
    write(root / "data.yaml", f"names: {names}\n")
    with pytest.raises(DataError, match=r"data\.yaml has (no list of 'names'|a class without a name)"):
        read(root)


def test_voc_corners_count_from_one_and_belong_to_the_box(tmp_path: Path) -> None:
    found = read(voc(tmp_path))
    assert found.items[0].boxes == (Box("fish", 0, 1, 10, 3),)
    assert [item.part for item in found.items] == ["train", "test"]


def test_voc_files_that_are_damaged_or_hostile_are_left_out(tmp_path: Path) -> None:
    root = voc(tmp_path)
    write(root / "Annotations/c.xml", "<annotation><object>")
    bomb = '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><annotation><filename>&c;</filename></annotation>'
    write(root / "Annotations/d.xml", bomb)
    write(root / "Annotations/e.xml", "<annotation><filename>a.png</filename><object/></annotation>")
    found = read(root)
    assert len(found) == 2
    assert "2 XML files that cannot be read as an annotation, such as 'Annotations/c.xml': left out." in found.remarks
    assert "1 object without a name or a usable box: left out." in found.remarks


def test_biigle_shapes_become_boxes_and_points_do_not(tmp_path: Path) -> None:
    found = read(biigle(tmp_path))
    assert found.items[0].boxes == (Box("fish", 1, 2, 4, 7), Box("crab", 6, 6, 8, 8))
    assert found.items[1].boxes is None
    assert found.remarks[0] == "1 row of points and lines: left out."


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3), (3, 1, 0, 2)])
def test_a_turned_ellipse_has_the_box_around_it(order: tuple[int, ...], tmp_path: Path) -> None:
    """Semi-axes of 10 and 5 at 30 degrees: the box against points along the ellipse."""
    turn = np.deg2rad(30)
    across, along = 10 * np.array([np.cos(turn), np.sin(turn)]), 5 * np.array([-np.sin(turn), np.cos(turn)])
    middle = np.array([40.0, 30.0])
    ends = [middle + across, middle - across, middle + along, middle - along]
    points = json.dumps(np.concatenate([ends[place] for place in order]).tolist())
    write(biigle(tmp_path) / "report.csv", f'label_name,filename,shape_name,points\nfish,a.png,Ellipse,"{points}"\n')
    (only,) = read(tmp_path).items[0].boxes or ()
    angles = np.linspace(0, 2 * np.pi, 1000)[:, None]
    rim = middle + across * np.cos(angles) + along * np.sin(angles)
    corner, size = rim.min(axis=0), np.ptp(rim, axis=0)
    assert (only.x, only.y, only.width, only.height) == pytest.approx((*corner, *size), abs=1e-3)


@pytest.mark.parametrize(("image", "text"), [("\u00e9", "e\u0301"), ("e\u0301", "\u00e9")])
def test_yolo_texts_match_however_accents_are_written(image: str, text: str, tmp_path: Path) -> None:
    root = yolo(tmp_path)
    (root / "images/train/a.png").rename(root / f"images/train/{image}.png")
    (root / "labels/train/a.txt").rename(root / f"labels/train/{text}.txt")
    assert len(read(root).items[0].boxes or ()) == 1


def test_the_last_word_of_a_coco_files_path_says_its_part(tmp_path: Path) -> None:
    for word in ("train", "val"):
        coco(tmp_path / "training" / word)
        (tmp_path / "training" / word / "annotations.json").rename(
            tmp_path / "training" / word / f"boxes_{word}.json"
        )
    parts = {item.name: item.part for item in read(tmp_path).items}
    assert parts["training/train/images/a.png"] == "train"
    assert parts["training/val/images/a.png"] == "select"


def test_yolo_and_voc_images_whose_boxes_were_all_left_out_are_not_called_empty(tmp_path: Path) -> None:
    root = yolo(tmp_path / "yolo")
    write(root / "labels/train/a.txt", "9 0.5 0.5 0.1 0.1\n")
    assert [item.boxes for item in read(root).items] == [None, ()]
    root = voc(tmp_path / "voc")
    write(root / "Annotations/b.xml", "<annotation><filename>b.png</filename><object/></annotation>")
    assert read(root).items[1].boxes is None


def test_voc_images_without_objects_are_empty(tmp_path: Path) -> None:
    root = voc(tmp_path)
    write(root / "Annotations/b.xml", "<annotation><filename>b.png</filename></annotation>")
    assert read(root).items[1].boxes == ()


def test_coco_ids_may_be_written_as_floats(tmp_path: Path) -> None:
    listed = [{"id": 1.0, "file_name": "a.png"}, {"id": 2.0, "file_name": "b.png"}]
    found = read(changed(tmp_path, images=listed, annotations=[box(image_id=2.0, category_id=5.0)]))
    assert [len(item.boxes or ()) for item in found.items] == [0, 1]


def test_coco_boxes_of_several_files_are_brought_together(tmp_path: Path) -> None:
    whole = json.loads((coco(tmp_path) / "annotations.json").read_text())
    other = {**whole, "annotations": [box(bbox=[0, 0, 2, 2])]}
    write(tmp_path / "a-captions.json", json.dumps({**whole, "annotations": [{"image_id": 1, "caption": "a fish"}]}))
    write(tmp_path / "ben.json", json.dumps(other))
    found = read(tmp_path)
    assert set(found.items[0].boxes or ()) == {
        Box("fish", 1, 2, 3, 4),
        Box("crab", -5, 0, 100, 2.5),
        Box("fish", 0, 0, 2, 2),
    }
