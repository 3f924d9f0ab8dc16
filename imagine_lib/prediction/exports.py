"""Predictions in the forms that biodiversity data bases take. A demonstration model's never go there."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from imagine_lib.errors import DemonstrationModelError
from imagine_lib.wire import ModelStatus

if TYPE_CHECKING:
    import pandas as pd

    from imagine_lib.prediction.record import Prediction, Predictions

LSID = "urn:lsid:marinespecies.org:taxname:"
"""What precedes an AphiaID in Darwin Core's ``scientificNameID``."""


def to_darwin_core(predictions: Predictions) -> pd.DataFrame:
    """Return the accepted predictions as Darwin Core occurrences by machine observation.

    Parameters
    ----------
    predictions
        Of a released model.

    Returns
    -------
    pandas.DataFrame
        One row an image. ``eventDate`` and coordinates are not known from an image and are not in it.

    Raises
    ------
    DemonstrationModelError
        The model is for demonstration only.
    """
    import pandas as pd

    _refuse_demonstration(predictions, "Darwin Core")
    accepted = [item for item in predictions.items if item.status == "accepted"]
    return pd.DataFrame([_occurrence(predictions, item) for item in accepted])


def write_ecotaxa(predictions: Predictions, path: str | Path) -> Path:
    """Write a tab-separated table that EcoTaxa imports, beside the images.

    Parameters
    ----------
    predictions
        Of a released model.
    path
        The table to write; its name must begin with ``ecotaxa`` and end in ``.tsv``.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    DemonstrationModelError
        The model is for demonstration only.
    """
    _refuse_demonstration(predictions, "EcoTaxa")
    header = [
        "img_file_name",
        "object_id",
        "object_annotation_category",
        "object_annotation_status",
        "sample_id",
    ]
    lines = ["\t".join(header), "\t".join("[t]" for _ in header)]
    lines += ["\t".join(_ecotaxa_row(item)) for item in predictions.items]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Path(path)


def _refuse_demonstration(predictions: Predictions, form: str) -> None:
    if predictions.model_status == ModelStatus.DEMONSTRATION:
        raise DemonstrationModelError(
            f"{predictions.model} is a demonstration model, so its answers cannot be exported to {form}: "
            "use or retrain a released model on real images."
        )


def _occurrence(predictions: Predictions, item: Prediction) -> dict[str, object]:
    aphia_id = item.top[0].aphia_id
    return {
        "occurrenceID": f"{predictions.model_sha256[:12]}:{item.image}",
        "basisOfRecord": "MachineObservation",
        "scientificName": item.label,
        "scientificNameID": f"{LSID}{aphia_id}" if aphia_id else "",
        "identifiedBy": predictions.model,
        "identificationVerificationStatus": "predicted by machine",
        "identificationReferences": f"sha256:{predictions.model_sha256}",
        "identificationRemarks": f"probability {item.probability:.3f}",
        "associatedMedia": item.image,
        "individualCount": 1,
    }


def _ecotaxa_row(item: Prediction) -> list[str]:
    name = PurePosixPath(item.image)
    row = [name.name, name.stem, item.label, "predicted", item.sample or "unknown"]
    return [" ".join(value.split()) for value in row]
