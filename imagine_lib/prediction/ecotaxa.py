"""Predictions as a table that EcoTaxa imports, beside the images.

Rules of the import, from EcoTaxa's back end (``TSVFile``, ``Bundle``): the file's name begins with ``ecotaxa``; the
second line gives ``[t]`` or ``[f]`` of each column; every row has an ``object_id`` and an image that lies where
``img_file_name`` says, from the table's folder; dates are ``yyyymmdd``, times ``hhmmss``, both UTC; the state is
``predicted``, ``validated`` or ``dubious``, or nothing; text is read as Latin-1 unless the file begins with the mark
of UTF-8; white space around a value is taken away.
"""

from __future__ import annotations

import csv
import io
import posixpath
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from imagine_lib.data.content import FileContent
from imagine_lib.errors import UsageError
from imagine_lib.prediction.darwin_core import refuse_demonstration
from imagine_lib.prediction.facts import remembering
from imagine_lib.prediction.tables import write_export
from imagine_lib.wire import Task

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from imagine_lib.prediction.facts import Whereabouts
    from imagine_lib.prediction.record import Prediction, Predictions

KINDS = {
    "img_file_name": "[t]",
    "object_id": "[t]",
    "object_annotation_category": "[t]",
    "object_annotation_status": "[t]",
    "object_probability": "[f]",
    "sample_id": "[t]",
    "object_date": "[t]",
    "object_time": "[t]",
    "object_lat": "[f]",
    "object_lon": "[f]",
    "object_depth_min": "[f]",
    "object_depth_max": "[f]",
}
"""The columns and what they hold; one that is empty throughout is left out, but for the first four."""

ALWAYS = 4


def write_ecotaxa(predictions: Predictions, path: str | os.PathLike[str]) -> Path:
    """Write a tab-separated table that EcoTaxa imports.

    The table belongs into the folder that holds all the images: they are named from there. An image that was called
    unknown gets no category and no state.

    Parameters
    ----------
    predictions
        Of a released classifier.
    path
        The table to write; its name begins with ``ecotaxa`` and ends in ``.tsv``.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    DemonstrationModelError
        The model is for demonstration only.
    UsageError
        EcoTaxa would pass over a file of this name, or the predictions are of objects on images.
    StorageError
        It cannot be written; what was there before stays.
    """
    require_ecotaxa_name(path)
    refuse_demonstration(predictions.model, predictions.model_status, "EcoTaxa")
    if predictions.task != Task.CLASSIFICATION:
        raise UsageError("EcoTaxa takes one object an image: write the objects found on images with to_coco.")
    rows = _rows(predictions, Path(path).expanduser())
    columns = [name for number, name in enumerate(KINDS) if number < ALWAYS or any(row[name] for row in rows)]
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerow(KINDS[name] for name in columns)
    writer.writerows([row[name] for name in columns] for row in rows)
    content = text.getvalue()
    return write_export(path, content.encode("ascii" if content.isascii() else "utf-8-sig"))


def require_ecotaxa_name(path: str | os.PathLike[str]) -> None:
    """Refuse a name that EcoTaxa's import would pass over.

    Raises
    ------
    UsageError
        It is one.
    """
    name = Path(path).name
    if not (name.startswith("ecotaxa") and name.endswith(".tsv")):
        raise UsageError(
            f"EcoTaxa imports only tables that are called ecotaxa….tsv: rename {name!r} to ecotaxa_{name}."
        )


def _rows(predictions: Predictions, path: Path) -> list[dict[str, str]]:
    found: dict[str, Prediction] = {}
    unfit: list[str] = []
    for item, place in zip(predictions.items, _places(predictions.items, path), strict=True):
        if _can_be_named(place):
            found.setdefault(place, item)
        else:
            unfit.append(item.image)
    _tell(unfit, sum(not isinstance(item.content, FileContent | None) for item in found.values()))
    stems = [posixpath.splitext(place)[0] for place in found]
    ids = stems if len(set(stems)) == len(stems) else list(found)
    look_up = remembering()
    return [
        _row(item, place, object_id, look_up(item.facts))
        for (place, item), object_id in zip(found.items(), ids, strict=True)
    ]


def _row(item: Prediction, place: str, object_id: str, where: Whereabouts) -> dict[str, str]:
    numbers = (where.latitude, where.longitude, where.shallowest, where.deepest)
    latitude, longitude, shallowest, deepest = ("" if number is None else repr(number) for number in numbers)
    is_known = item.status != "unknown"
    return {
        "img_file_name": place,
        "object_id": object_id,
        "object_annotation_category": _one_line(item.label) if is_known else "",
        "object_annotation_status": "predicted" if is_known else "",
        "object_probability": f"{item.probability:.6f}",
        "sample_id": _one_line(item.sample or ""),
        "object_date": "" if where.day is None else f"{where.day:%Y%m%d}",
        "object_time": "" if where.clock is None else f"{where.clock:%H%M%S}",
        "object_lat": latitude,
        "object_lon": longitude,
        "object_depth_min": shallowest,
        "object_depth_max": deepest,
    }


def _places(items: Sequence[Prediction], path: Path) -> list[str]:
    """Return where each image lies: from the table's folder where all lie below it, else from their common folder."""
    folder = path.absolute().parent
    files = [item.content.path.absolute() for item in items if isinstance(item.content, FileContent)]
    if files and len(files) == len(items) and all(file.is_relative_to(folder) for file in files):
        return [file.relative_to(folder).as_posix() for file in files]
    names = [posixpath.normpath(item.image) for item in items]
    folders = {posixpath.dirname(name) for name in names}
    try:
        common = posixpath.commonpath(folders) if folders else ""
    except ValueError:  # absolute and relative names have nothing in common
        common = ""
    return [posixpath.relpath(name, common) if common else name for name in names]


def _can_be_named(place: str) -> bool:
    """Whether EcoTaxa finds a file by this name: no white space around it, no line breaks, valid Unicode."""
    try:
        place.encode()
    except UnicodeEncodeError:
        return False
    return (
        place == place.strip() and not any(sign in place for sign in "\r\n\0") and not place.startswith(("/", "../"))
    )


def _one_line(text: str) -> str:
    return " ".join(text.encode("utf-8", "replace").decode().split())


def _tell(unfit: list[str], parts: int) -> None:
    if unfit:
        number = "1 image is" if len(unfit) == 1 else f"{len(unfit):,} images are"
        warnings.warn(
            f"{number} left out, whose place or name EcoTaxa cannot take (for example {unfit[0]!r}): "
            "put them below one folder under plain names.",
            UserWarning,
            stacklevel=5,
        )
    if parts:
        warnings.warn(
            f"{parts:,} of the images are no files of their own: EcoTaxa needs each as a file beside the table.",
            UserWarning,
            stacklevel=5,
        )
