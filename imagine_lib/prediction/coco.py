"""Objects found on images as COCO JSON, which most tools for detection and segmentation read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from imagine_lib.errors import UsageError
from imagine_lib.prediction.tables import readable, write_export
from imagine_lib.wire import Task

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from imagine_lib.prediction.record import Found, Predictions


def write_coco(predictions: Predictions, path: str | os.PathLike[str]) -> Path:
    """Write found objects as COCO JSON: ``images``, ``annotations`` with ``bbox`` and ``score``, ``categories``.

    Parameters
    ----------
    predictions
        Of detection or segmentation.
    path
        The file to write.

    Returns
    -------
    pathlib.Path
        Categories are sorted by name. Masks are uncompressed run lengths with ``iscrowd`` 0.

    Raises
    ------
    UsageError
        The predictions are of whole images.
    StorageError
        It cannot be written; what was there before stays.
    """
    if predictions.task == Task.CLASSIFICATION:
        raise UsageError(
            "COCO is for objects on images, and this model names whole images: use to_csv or to_ecotaxa."
        )
    aphia_ids = {found.label: found.aphia_id for item in predictions.items for found in item.found}
    numbers = {label: number for number, label in enumerate(sorted(aphia_ids), start=1)}
    content = {
        "info": {"description": f"Predictions of {predictions.model}", "model_sha256": predictions.model_sha256},
        "images": list(_images(predictions)),
        "annotations": list(_annotations(predictions, numbers)),
        "categories": [
            {"id": number, "name": label, "aphia_id": aphia_ids[label]} for label, number in numbers.items()
        ],
    }
    return write_export(path, json.dumps(content, ensure_ascii=False).encode())


def _images(predictions: Predictions) -> Iterator[dict[str, Any]]:
    for number, item in enumerate(predictions.items, start=1):
        size = {} if item.size is None else {"width": item.size[0], "height": item.size[1]}
        yield {"id": number, "file_name": readable(item.image)} | size


def _annotations(predictions: Predictions, numbers: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    objects = ((image, found) for image, item in enumerate(predictions.items, start=1) for found in item.found)
    for number, (image, found) in enumerate(objects, start=1):
        yield {"id": number, "image_id": image, "category_id": numbers[found.label]} | _shape(found)


def _shape(found: Found) -> dict[str, Any]:
    shape = {"bbox": list(found.box), "area": found.area, "iscrowd": 0, "score": found.probability}
    return shape if found.mask is None else shape | {"segmentation": dict(found.mask)}
