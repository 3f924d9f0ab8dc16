"""How much water an EcoTaxa sample stands for, from the columns that the instruments' software writes.

EcoTaxa itself knows no volume: each project says which of its columns hold it. Read are

* of Zooprocess (ZooScan, nets): the water ``sample_tot_vol`` in cubic metres, and ``acq_sub_part``, the denominator
  of the part of the sample that was imaged; without that column the whole sample was;
* of the PlanktoScope: the water ``sample_total_volume`` in litres, and ``acq_imaged_volume`` of the
  ``sample_concentrated_sample_volume``, both in millilitres;
* of the FlowCam: the water ``sample_initial_col_vol_m3`` in cubic metres, and ``acq_fluid_volume_imaged`` of the
  ``sample_conc_vol_ml``, both in millilitres.

Sources: for Zooprocess the default formulas of EcoTaxa's back end, ``volume_sampled = tot_vol`` (m³; 999999 is
unknown) and ``subsample_coeff = 1 / sub_part`` (above 0, up to 1); for the other two the columns of their EcoTaxa
exports. Projects disagree on whether a dilution is multiplied or divided by, so a diluted sample is given no volume.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from imagine_lib.data.imageset import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LITRES_PER_CUBIC_METRE = 1000.0

UNKNOWN = 999999.0
"""What Zooprocess writes for a volume that nobody knows."""

NET_VOLUME, NET_SPLIT = "sample_tot_vol", "acq_sub_part"

PUMPED = (
    (
        ("sample_total_volume", 1.0),
        ("sample_concentrated_sample_volume", "acq_imaged_volume"),
        "sample_dilution_factor",
    ),
    (
        ("sample_initial_col_vol_m3", LITRES_PER_CUBIC_METRE),
        ("sample_conc_vol_ml", "acq_fluid_volume_imaged"),
        "sample_volconc",
    ),
)
"""PlanktoScope and FlowCam: the water and its unit in litres, what of it was imaged of how much, and the dilution."""

VOLUME_COLUMNS = (
    *(NET_VOLUME, NET_SPLIT, "acq_id"),
    *("sample_total_volume", "sample_concentrated_sample_volume", "acq_imaged_volume", "sample_dilution_factor"),
    *("sample_initial_col_vol_m3", "sample_conc_vol_ml", "acq_fluid_volume_imaged", "sample_volconc"),
)


def sample_of(name: str, rows: Sequence[Mapping[str, str]]) -> tuple[Sample | None, str | None]:
    """Return the water of one sample, and a remark where it is not clear.

    Parameters
    ----------
    name
        The sample's.
    rows
        The different values that its images have in ``VOLUME_COLUMNS``.

    Returns
    -------
    tuple
        Volume in litres and subsampling; None where the columns do not say.
    """
    found = {_from_net(row) or _from_pump(row) for row in rows} - {None}
    if len(found) == 1 and not (_is_pumped(rows) and len({row["acq_id"] for row in rows}) > 1):
        return next(iter(found)), None
    if found:
        return None, f"Sample {name!r} was imaged in parts with different volumes: it is given none."
    if any(_is_diluted(row) for row in rows):
        return None, f"Sample {name!r} was diluted, which is written in more than one way: it is given no volume."
    return None, None


def _from_net(row: Mapping[str, str]) -> Sample | None:
    volume = _number(row[NET_VOLUME])
    split = _number(row[NET_SPLIT]) if row[NET_SPLIT] else 1.0
    if volume is None or volume == UNKNOWN or split is None or split < 1:
        return None
    return Sample(volume * LITRES_PER_CUBIC_METRE, split)


def _from_pump(row: Mapping[str, str]) -> Sample | None:
    for (water, litres), (held, imaged), dilution in PUMPED:
        volume, whole, part = _number(row[water]), _number(row[held]), _number(row[imaged])
        if volume and whole and part and row[dilution] in ("", "1", "1.0"):
            return Sample(volume * litres, whole / part)
    return None


def _is_diluted(row: Mapping[str, str]) -> bool:
    return any(_number(row[water]) and row[dilution] not in ("", "1", "1.0") for (water, _), _, dilution in PUMPED)


def _is_pumped(rows: Sequence[Mapping[str, str]]) -> bool:
    return all(_from_net(row) is None for row in rows)


def _number(text: str) -> float | None:
    """Read a positive number, with a unit behind it (FlowCam's ``0.59_ml``) or without."""
    found = re.match(r"\d+([.,]\d+)?([eE][+-]?\d+)?(?=$|[ _]?ml$)", text.strip(), re.ASCII)
    if found is None:
        return None
    try:
        number = float(found[0].replace(",", "."))
    except ValueError:
        return None
    return number if 0 < number < math.inf else None
