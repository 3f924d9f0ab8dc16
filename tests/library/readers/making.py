"""Small sets of every format, made by hand, as their programs write them."""

from __future__ import annotations

import json
import warnings
import zipfile
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from imagine_lib.data import ImageSet, open_dataset

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, **options: str) -> ImageSet:
    """Open a set; its remarks are looked at in the set, not as warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return open_dataset(path, **options)


def write(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def draw(path: Path, value: int = 7, size: tuple[int, int] = (8, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path, format=None if path.suffix else "PNG")
    return path


def pack(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder).as_posix())
    return archive


def labels(data: ImageSet) -> dict[str, str | None]:
    return {item.name: item.label for item in data.items}


def split_files(root: Path) -> Path:
    for name in ("a.png", "b.png", "c.png", "d.png"):
        draw(root / "images" / name)
    write(root / "dataset_files/classes.txt", "Tripos\nNoctiluca\n")
    write(root / "dataset_files/aphia_ids.txt", "494057\n109921\n")
    write(root / "dataset_files/train.txt", "a.png 0\nb.png 1\n")
    write(root / "dataset_files/val.txt", "c.png 0\n")
    write(root / "dataset_files/test.txt", "d.png 1\n")
    return root


def table(root: Path) -> Path:
    for name in ("a.png", "b.png"):
        draw(root / name)
    write(root / "labels.csv", "image,label,sample,depth\na.png,Tripos,S1,10\nb.png,Noctiluca,S2,\n")
    return root


def coco(root: Path) -> Path:
    for name in ("a.png", "b.png"):
        draw(root / "images" / name)
    content = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
        "categories": [{"id": 5, "name": "fish"}, {"id": 9, "name": "crab"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 5, "bbox": [1, 2, 3, 4]},
            {"id": 2, "image_id": 1, "category_id": 9, "bbox": [-5, 0, 100, 2.5]},
        ],
    }
    write(root / "annotations.json", json.dumps(content))
    return root


def yolo(root: Path) -> Path:
    draw(root / "images/train/a.png", size=(100, 50))
    draw(root / "images/val/b.png", size=(100, 50))
    write(root / "data.yaml", "train: images/train\nval: images/val\nnames:\n  0: fish\n  1: crab\n")
    write(root / "labels/train/a.txt", "1 0.5 0.5 0.2 0.4\n")
    write(root / "labels/val/b.txt", "")
    return root


VOC = """<annotation><filename>{name}</filename><object><name>fish</name>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>10</xmax><ymax>4</ymax></bndbox></object></annotation>"""


def voc(root: Path) -> Path:
    for stem in ("a", "b"):
        draw(root / f"JPEGImages/{stem}.png")
        write(root / f"Annotations/{stem}.xml", VOC.format(name=f"{stem}.png"))
    write(root / "ImageSets/Main/train.txt", "a\n")
    write(root / "ImageSets/Main/test.txt", "b\n")
    return root


def biigle(root: Path) -> Path:
    for name in ("a.png", "b.png"):
        draw(root / name)
    rows = (
        "annotation_label_id,label_name,filename,shape_name,points",
        '1,fish,a.png,Rectangle,"[1,2,5,2,5,9,1,9]"',
        '2,crab,a.png,Circle,"[10,10,4]"',
        '3,coral,b.png,Point,"[3,4]"',
    )
    write(root / "report.csv", "\n".join(rows))
    return root


def masks(root: Path) -> Path:
    for index, stem in enumerate(("a", "b")):
        draw(root / f"images/{stem}.png")
        (root / "masks").mkdir(exist_ok=True)
        values = np.zeros((6, 8), np.uint8)
        values[2:4, 2:5] = index + 1
        Image.fromarray(values).save(root / f"masks/{stem}.png")
    write(root / "classes.txt", "water\nfish\ncrab\n")
    return root


ECOTAXA = (
    ("object_id", "[t]"),
    ("img_file_name", "[t]"),
    ("img_rank", "[f]"),
    ("object_annotation_category", "[t]"),
    ("object_annotation_status", "[t]"),
    ("object_date", "[t]"),
    ("object_lat", "[f]"),
    ("sample_id", "[t]"),
    ("sample_tot_vol", "[t]"),
    ("acq_id", "[t]"),
    ("acq_sub_part", "[t]"),
)


def ecotaxa_table(*rows: str, columns: tuple[tuple[str, str], ...] = ECOTAXA) -> str:
    """Write rows, given with spaces between their cells and ``-`` for an empty one."""
    lines = [[name for name, _ in columns], [kind for _, kind in columns]]
    lines += [["" if cell == "-" else cell for cell in row.split()] for row in rows]
    return "\n".join("\t".join(line) for line in lines) + "\n"


def ecotaxa(root: Path) -> Path:
    for name in ("1.png", "2.png", "3.png"):
        draw(root / "net" / name)
    rows = (
        "o1 1.png 0 Copepoda validated 20140420 18.5 net1 2.5 a1 4",
        "o2 2.png 0 Salpida predicted 20140420 18.5 net1 2.5 a1 4",
        "o3 3.png 0 Salpida validated 20140421 18.5 net2 999999 a2 4",
    )
    write(root / "net/ecotaxa_net.tsv", ecotaxa_table(*rows))
    return root


NEW_LINE = "{trigger},{clock},0,0,0,0,0,0,0,0,0,0,0,5,6,{width},{height},{start},0,0,0,0,{ran},{busy}"


def ifcb(root: Path) -> Path:
    """One bin of three triggers; the second has no image."""
    sizes = ((4, 3), (0, 0), (2, 5))
    starts = (0, 12, 12)
    lines = [
        NEW_LINE.format(
            trigger=n + 1, clock=10.0 * n + 1, width=w, height=h, start=s, ran=10.0 * n + 1.1, busy=0.1 * (n + 1)
        )
        for n, ((w, h), s) in enumerate(zip(sizes, starts, strict=True))
    ]
    stem = "D20200102T030405_IFCB123"
    write(root / f"{stem}.adc", "\n".join(lines) + "\n")
    write(root / f"{stem}.roi", bytes(range(22)))
    write(root / f"{stem}.hdr", "runTime: 60.3\ninhibitTime: 0.3\nrunSampleFast: 0\n")
    return root


def folders(root: Path) -> Path:
    for name in ("fish/a.png", "crab/b.png"):
        draw(root / name)
    return root


MAKERS = {
    "ifcb": ifcb,
    "ecotaxa": ecotaxa,
    "split-files": split_files,
    "yolo": yolo,
    "voc": voc,
    "coco": coco,
    "masks": masks,
    "biigle": biigle,
    "table": table,
    "folders": folders,
}
