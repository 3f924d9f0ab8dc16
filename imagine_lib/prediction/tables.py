"""Predictions as tables and as plain data, and the files that hold them."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagine_lib.errors import StorageError, UsageError
from imagine_lib.prediction.answers import ClassAnswers
from imagine_lib.prediction.rule import STATUSES
from imagine_lib.storage.staging import write_atomically
from imagine_lib.wire import Task

if TYPE_CHECKING:
    import os

    import pandas as pd

    from imagine_lib.prediction.record import Found, Prediction, Predictions

COLUMNS = ["image", "sample", "label", "probability", "status", "aphia_id"]

BOX = ["x", "y", "width", "height"]


def to_dataframe(predictions: Predictions) -> pd.DataFrame:
    """Return predictions as a table.

    Parameters
    ----------
    predictions
        Of any task.

    Returns
    -------
    pandas.DataFrame
        ``image``, ``sample``, ``label``, ``probability``, ``status`` and ``aphia_id``, one row an image. Where
        objects were looked for, one row an object, with ``x``, ``y``, ``width``, ``height`` and ``area`` in pixels;
        an image on which nothing was found has no row.
    """
    import pandas as pd

    items = predictions.items
    if isinstance(items, ClassAnswers):
        return _class_table(items)
    if predictions.task == Task.CLASSIFICATION:
        rows = [(*_names(i), i.label, i.probability, i.status, i.top[0].aphia_id if i.top else None) for i in items]
        return _typed(pd.DataFrame(rows, columns=COLUMNS))
    objects = [
        (*_names(i), f.label, f.probability, i.status, f.aphia_id, *f.box, f.area) for i in items for f in i.found
    ]
    return _typed(pd.DataFrame(objects, columns=[*COLUMNS, *BOX, "area"]))


def to_dict(predictions: Predictions) -> dict[str, Any]:
    """Return predictions as plain data: ``model``, ``predictions`` and ``errors``."""
    return {
        "model": {
            "name": predictions.model,
            "sha256": predictions.model_sha256,
            "status": predictions.model_status.value,
        },
        "predictions": [_plain(item) for item in predictions.items],
        "errors": [
            {"image": readable(failure.image), "message": readable(failure.message)} for failure in predictions.errors
        ],
    }


def write_csv(predictions: Predictions, path: str | os.PathLike[str]) -> Path:
    """Write the table as CSV.

    Parameters
    ----------
    predictions
        Of any task.
    path
        The file to write, in UTF-8.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    StorageError
        It cannot be written; what was there before stays.
    """
    table = to_dataframe(predictions)
    return write_export(path, table.to_csv(index=False, lineterminator="\r\n").encode())


def write_parquet(predictions: Predictions, path: str | os.PathLike[str]) -> Path:
    """Write the table as Parquet.

    Parameters
    ----------
    predictions
        Of any task.
    path
        The file to write.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    UsageError
        The library that writes Parquet is not installed.
    StorageError
        It cannot be written; what was there before stays.
    """
    require_parquet()
    buffer = io.BytesIO()
    to_dataframe(predictions).to_parquet(buffer, index=False)
    return write_export(path, buffer.getvalue())


def write_json(predictions: Predictions, path: str | os.PathLike[str]) -> Path:
    """Write :func:`to_dict` as JSON; errors are those of :func:`write_csv`."""
    return write_export(path, (json.dumps(to_dict(predictions), indent=1, ensure_ascii=False) + "\n").encode())


def require_parquet() -> None:
    """Refuse where the library that writes Parquet is not installed."""
    if importlib.util.find_spec("pyarrow") is None:
        raise UsageError("Parquet needs the library pyarrow, which is not installed here: write a .csv file instead.")


def write_export(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file whole or not at all.

    Raises
    ------
    StorageError
        It cannot be written; what was there before stays.
    """
    target = Path(path).expanduser()
    try:
        write_atomically(target, content)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StorageError(f"{target} could not be written ({reason}): nothing was changed there.") from None
    return target


def readable(name: str) -> str:
    r"""Return a file's name in valid Unicode; bytes that are none are written as ``\udc..``."""
    return name.encode("utf-8", "backslashreplace").decode()


def _readable(name: str | None) -> str | None:
    return None if name is None else readable(name)


def _names(item: Prediction) -> tuple[str, str | None]:
    return readable(item.image), _readable(item.sample)


def _class_table(answers: ClassAnswers) -> pd.DataFrame:
    import pandas as pd

    classes = answers.rule.classes
    labels = answers.labels.tolist()
    return _typed(
        pd.DataFrame(
            {
                "image": pd.Series([readable(item.name) for item in answers.images], dtype=object),
                "sample": pd.Series([_readable(name) for name in answers.samples], dtype=object),
                "label": pd.Series([classes[label].name for label in labels], dtype=object),
                "probability": answers.probabilities.max(axis=1, initial=0).astype(float).round(6),
                "status": pd.Series([STATUSES[status] for status in answers.statuses.tolist()], dtype=object),
                "aphia_id": [classes[label].aphia_id for label in labels],
            }
        )
    )


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({"aphia_id": "Int64"})


def _plain(item: Prediction) -> dict[str, Any]:
    head: dict[str, Any] = dict(zip(("image", "sample"), _names(item), strict=True))
    if item.top:
        top = [{"label": g.label, "probability": g.probability, "aphia_id": g.aphia_id} for g in item.top]
        label = {"label": item.label, "probability": item.probability, "status": item.status}
        return head | label | {"top": top}
    return head | {"status": item.status, "found": [_plain_object(found) for found in item.found]}


def _plain_object(found: Found) -> dict[str, Any]:
    return {
        "label": found.label,
        "probability": found.probability,
        "aphia_id": found.aphia_id,
        "box": list(found.box),
        "area": found.area,
        "mask": None if found.mask is None else dict(found.mask),
    }
