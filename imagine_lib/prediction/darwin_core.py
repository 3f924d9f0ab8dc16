"""Predictions as Darwin Core occurrences, as OBIS asks for them of imaging instruments.

Source of the terms and of ``PredictedByMachine``: Martin-Cabrera et al. (2022), Best practices and recommendations
for plankton imaging data management, as the OBIS manual follows it.
"""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

from imagine_lib.errors import DemonstrationModelError
from imagine_lib.prediction.facts import remembering
from imagine_lib.prediction.tables import readable
from imagine_lib.wire import ModelStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from imagine_lib.prediction.facts import Whereabouts
    from imagine_lib.prediction.record import Found, Guess, Prediction, Predictions

LSID = "urn:lsid:marinespecies.org:taxname:"
"""What precedes an AphiaID in Darwin Core's ``scientificNameID``."""

NAMED = 8
"""Classes that a warning names; the rest is counted."""

COLUMNS = [
    *("occurrenceID", "basisOfRecord", "occurrenceStatus", "scientificName", "scientificNameID", "individualCount"),
    *("eventID", "eventDate", "decimalLatitude", "decimalLongitude", "minimumDepthInMeters", "maximumDepthInMeters"),
    *("identifiedBy", "identificationVerificationStatus", "identificationReferences", "identificationRemarks"),
    "associatedMedia",
]


def to_darwin_core(predictions: Predictions) -> pd.DataFrame:
    """Return the accepted predictions as Darwin Core occurrences by machine observation.

    An answer whose class has no AphiaID, such as detritus, is no occurrence of an organism: these are left out and
    counted in a warning. Which of ``eventDate`` and coordinates are missing is said in another.

    Parameters
    ----------
    predictions
        Of a released model.

    Returns
    -------
    pandas.DataFrame
        One row an image, or an object. ``occurrenceID`` is the SHA-256 of the image, with the object's box behind it:
        it stays the same when another model names the image anew. Copies of one image are numbered.

    Raises
    ------
    DemonstrationModelError
        The model is for demonstration only.
    """
    import pandas as pd

    refuse_demonstration(predictions.model, predictions.model_status, "Darwin Core")
    others: Counter[str] = Counter()
    table = pd.DataFrame(_occurrences(predictions, others), columns=COLUMNS)
    _tell_what_is_left_out(others)
    _tell_what_is_missing(table)
    return table


def refuse_demonstration(model: str, status: ModelStatus, form: str) -> None:
    """Keep the answers of a demonstration model out of data bases.

    Raises
    ------
    DemonstrationModelError
        It is one.
    """
    if status == ModelStatus.DEMONSTRATION:
        raise DemonstrationModelError(
            f"{model} is a demonstration model, so its answers cannot be exported to {form}: "
            "use or retrain a released model on real images."
        )


def _occurrences(predictions: Predictions, others: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield the occurrences, and count in ``others`` the answers that name no taxon."""
    seen: Counter[str] = Counter()
    look_up = remembering()
    for item in predictions.items:
        if item.status != "accepted":
            continue
        common = _common(predictions, item, look_up(item.facts))
        for thing in item.found or item.top[:1]:
            if thing.aphia_id is None:
                others[thing.label] += 1
                continue
            identity = _identity(item, thing)
            seen[identity] += 1
            number = f"-{seen[identity]}" if seen[identity] > 1 else ""
            yield common | _identification(thing) | {"occurrenceID": identity + number}


def _identity(item: Prediction, thing: Guess | Found) -> str:
    image = f"sha256:{item.sha256}" if item.sha256 else readable(item.image)
    if not item.found:
        return image
    return f"{image}#xywh={','.join(f'{value:g}' for value in thing.box)}"  # type: ignore[union-attr]


def _common(predictions: Predictions, item: Prediction, where: Whereabouts) -> dict[str, Any]:
    return {
        "basisOfRecord": "MachineObservation",
        "occurrenceStatus": "present",
        "individualCount": 1,
        "eventID": item.sample,
        "eventDate": where.moment,
        "decimalLatitude": where.latitude,
        "decimalLongitude": where.longitude,
        "minimumDepthInMeters": where.shallowest,
        "maximumDepthInMeters": where.deepest,
        "identifiedBy": predictions.model,
        "identificationVerificationStatus": "PredictedByMachine",
        "identificationReferences": f"sha256:{predictions.model_sha256}",
        "associatedMedia": readable(item.image),
    }


def _identification(thing: Guess | Found) -> dict[str, Any]:
    return {
        "scientificName": thing.label,
        "scientificNameID": f"{LSID}{thing.aphia_id}",
        "identificationRemarks": f"probability {thing.probability:.3f}",
    }


def _tell_what_is_left_out(others: Counter[str]) -> None:
    if others:
        number = "1 answer is" if others.total() == 1 else f"{others.total():,} answers are"
        classes = ", ".join(f"{label} ({count:,})" for label, count in others.most_common(NAMED))
        more = f" and {len(others) - NAMED:,} more" if len(others) > NAMED else ""
        warnings.warn(
            f"{number} left out, because the model knows no AphiaID of the class: {classes}{more}; "
            "retrain it on a set that says the AphiaIDs where these are organisms.",
            UserWarning,
            stacklevel=4,
        )


def _tell_what_is_missing(table: pd.DataFrame) -> None:
    gaps = {"eventDate": table["eventDate"].isna().sum(), "coordinates": table["decimalLatitude"].isna().sum()}
    missing = [f"{name} {_share(int(gap), len(table))}" for name, gap in gaps.items() if gap]
    if missing:
        warnings.warn(
            f"OBIS needs what the image set does not say: {' and '.join(missing)}; add them before you publish.",
            UserWarning,
            stacklevel=4,
        )


def _share(gap: int, rows: int) -> str:
    return "of all occurrences" if gap == rows else f"of {gap:,} of {rows:,} occurrences"
