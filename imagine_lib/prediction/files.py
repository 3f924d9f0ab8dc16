"""Predictions in the form that a file's name asks for, and as lines for a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imagine_lib.errors import UsageError
from imagine_lib.prediction.darwin_core import refuse_demonstration
from imagine_lib.prediction.ecotaxa import require_ecotaxa_name, write_ecotaxa
from imagine_lib.prediction.tables import readable, require_parquet, write_csv, write_json, write_parquet

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from imagine_lib.prediction.record import Predictions
    from imagine_lib.wire import ModelStatus

WRITERS = {".csv": write_csv, ".parquet": write_parquet, ".tsv": write_ecotaxa, ".json": write_json}

ESCAPED = str.maketrans({"\t": r"\t", "\n": r"\n", "\r": r"\r"})
"""What would break a line of a table."""


def check_file(path: str | os.PathLike[str], model: str, status: ModelStatus) -> None:
    """Refuse a file that could not be written, before hours of work are spent on it.

    Raises
    ------
    UsageError
        Its name says no form, or one that cannot be written here.
    DemonstrationModelError
        It is for a data base, and the model is for demonstration only.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in WRITERS:
        raise UsageError(f"{path} does not say in which form to write: let it end in {', '.join(WRITERS)}.")
    if suffix == ".parquet":
        require_parquet()
    if suffix == ".tsv":
        require_ecotaxa_name(path)
        refuse_demonstration(model, status, "EcoTaxa")


def write_file(predictions: Predictions, path: str | os.PathLike[str]) -> Path:
    """Write predictions in the form that the end of a file's name says; see :func:`check_file`."""
    check_file(path, predictions.model, predictions.model_status)
    return WRITERS[Path(path).suffix.lower()](predictions, path)


def as_lines(predictions: Predictions) -> Iterator[str]:
    """Yield image, class, probability and status, parted by tabs; of objects also their box, x, y, width, height."""
    for item in predictions.items:
        image = readable(item.image).translate(ESCAPED)
        for thing in item.found:
            box = "\t".join(f"{value:g}" for value in thing.box)
            yield f"{image}\t{thing.label}\t{thing.probability:.3f}\t{item.status}\t{box}"
        if item.top:
            yield f"{image}\t{item.label}\t{item.probability:.3f}\t{item.status}"
