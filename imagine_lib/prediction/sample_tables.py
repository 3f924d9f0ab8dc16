"""Tables of samples: counts, and individuals in a volume of water, with what they assume printed below."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from imagine_lib.data.imageset import Sample
from imagine_lib.errors import DataError
from imagine_lib.evaluation.abundance import abundance
from imagine_lib.prediction.counting import CountedSamples, count_samples
from imagine_lib.prediction.volumes import read_volumes

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from imagine_lib.prediction.record import Predictions

ALL_IMAGES = "all images"
"""What the images without a sample are called together."""

UNREADABLE, TOTAL, UNKNOWN = "(unreadable)", "(total)", "(of these called unknown)"
"""The rows of a sample after its classes; the images of the last are in the rows of the classes too."""

WATER = "The intervals leave out what is uncertain about volume and subsampling."

NAMED = 3
"""Samples that a sentence names."""


class SampleTable(pd.DataFrame):
    """A table with what must be known of it printed below; what is computed from it is a plain table."""

    _metadata = ["notes"]  # noqa: RUF012 (pandas asks for it so)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join([super().__repr__(), *self.notes])

    def _repr_html_(self) -> str:
        return "\n".join([self.to_html(max_rows=60), *(f"<p>{html.escape(note)}</p>" for note in self.notes)])


def counts_by_sample(predictions: Predictions, adjusted: bool = True) -> SampleTable:
    """Count what is in each sample.

    Every image that could be read is counted, also below its class's threshold or called unknown: of the calibrate
    images none was left out either. Images without a sample are counted together as ``all images``.

    Parameters
    ----------
    predictions
        Of any task; objects are counted as they were found.
    adjusted
        Correct the counts for what the model confuses, where it was calibrated: see
        :meth:`imagine_lib.evaluation.counts.CountAdjustment.count`.

    Returns
    -------
    SampleTable
        A data frame with ``sample``, ``class`` and ``counted``; with ``adjusted``, ``low`` and ``high`` where the
        counts were corrected. After the classes of a sample come the rows ``(unreadable)``, ``(total)`` and, of the
        images in this total, ``(of these called unknown)``: where they are many more than among the calibrate images
        (about 5 in 100), something else was imaged, and the counts are too high. What the counts assume is in
        ``notes``, and printed below.

    Notes
    -----
    A sample of 5,000 images in 100 classes takes 3 to 20 s to correct.
    """
    found = count_samples(predictions, adjusted)
    columns = ["counted", *(["adjusted", "low", "high"] if found.adjusted else [])]
    parts = []
    for sample, counts in found.samples.items():
        rest = [counts.unreadable, counts.total, counts.unknown]
        numbers = {
            "counted": [*counts.answered.tolist(), *rest],
            "adjusted": [*counts.adjusted.tolist(), *rest],
            "low": [*_bound(counts.low, found), *[np.nan] * 3],
            "high": [*_bound(counts.high, found), *[np.nan] * 3],
        }
        classes = [*found.classes, UNREADABLE, TOTAL, UNKNOWN]
        parts.append({"sample": sample or ALL_IMAGES, "class": classes, **{name: numbers[name] for name in columns}})
    return _table(parts, ["sample", "class", *columns], found.notes)


def abundance_by_sample(
    predictions: Predictions,
    volumes: pd.DataFrame | str | os.PathLike[str] | None = None,
    unit: Literal["L", "m3"] = "L",
    adjusted: bool = True,
) -> SampleTable:
    """Turn counts into individuals in a volume of water: count x subsampling / volume.

    Parameters
    ----------
    predictions
        Of images with a sample.
    volumes
        See :func:`imagine_lib.prediction.volumes.read_volumes`; goes before what the image set says. None: the image
        set alone.
    unit
        The unit of volume of the answer.
    adjusted
        As for :func:`counts_by_sample`.

    Returns
    -------
    SampleTable
        A data frame with ``sample``, ``class``, ``abundance``, ``low``, ``high`` and ``unit``; the last row of a
        sample is ``(total)``, with its unreadable images.

    Raises
    ------
    DataError
        A sample has no volume, or an image has no sample.
    UsageError
        The unit is neither ``L`` nor ``m3``.
    """
    water = {**predictions.samples, **(read_volumes(volumes, predictions.samples) if volumes is not None else {})}
    _require_volumes(predictions, water)
    found = count_samples(predictions, adjusted)
    parts = []
    for sample, counts in found.samples.items():
        assert sample is not None
        result = abundance(counts, water[sample].volume, water[sample].subsampling, unit)
        parts.append(
            {
                "sample": sample,
                "class": [*found.classes, TOTAL],
                "abundance": [*result.adjusted.tolist(), result.total],
                "low": [*_bound(result.low, found), np.nan],
                "high": [*_bound(result.high, found), np.nan],
                "unit": result.unit,
            }
        )
    notes = (*found.notes, WATER) if found.adjusted else found.notes
    return _table(parts, ["sample", "class", "abundance", "low", "high", "unit"], notes)


def _require_volumes(predictions: Predictions, water: Mapping[str, Sample]) -> None:
    names = {*predictions.sample_names, *(failure.sample for failure in predictions.errors)}
    if None in names:
        raise DataError(
            "Some images belong to no sample, so there is no abundance: open them with open_dataset and say with "
            "group which sample each is of."
        )
    missing = sorted(name for name in names if name is not None and water.get(name, Sample()).volume is None)
    if missing:
        listed = ", ".join(repr(name) for name in missing[:NAMED])
        more = f" and {len(missing) - NAMED:,} more" if len(missing) > NAMED else ""
        raise DataError(
            f"There is no volume of water for sample {listed}{more}: give a table with the columns sample and "
            "volume_l (litres), as in abundance('volumes.csv')."
        )


def _bound(values: NDArray[np.float64] | None, found: CountedSamples) -> list[float]:
    return [np.nan] * len(found.classes) if values is None else values.tolist()


def _table(parts: list[dict[str, Any]], columns: list[str], notes: tuple[str, ...]) -> SampleTable:
    frames = [pd.DataFrame(part, columns=columns) for part in parts]
    table = SampleTable(pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns))
    table.notes = notes
    return table
