"""How much water an IFCB looked at while it took a bin."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import median, multimode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FLOW = 0.25 / 60
"""Millilitres a second that the syringe gives; of the old instruments 40 steps of 5/48000 ml, which is the same."""

DAY = 86400.0

OLD_OPENED, OLD_GRABBED = 7, 8
NEW_CLOCK, NEW_RUN, NEW_BUSY = 1, 22, 23
"""Where a line of the ``.adc`` has its times, counted from 0."""

FIRST_LINES = 50
"""Lines that tell how far the two clocks of an instrument are apart."""

CLOCKS_APART = 10.0
"""Seconds between the clocks from which on the times of a bin go on from the bin before."""

LARGEST_JUMP = 0.2
STEPS_BACK, LONGEST_STEP = -0.1, 5.0
"""Seconds: what the clocks may jump, and what an image may keep an instrument busy for."""

AGREE = (0.98, 1.02)
"""Header over ``.adc``: outside of it the header is wrong."""


def millilitres(rows: Sequence[Sequence[str]], header: Mapping[str, str], blind: float | None = None) -> float | None:
    """Return the volume that a bin stands for.

    Parameters
    ----------
    rows
        The lines of its ``.adc``, in columns.
    header
        What its ``.hdr`` says; the keys in lower case.
    blind
        Of an old instrument (bins like ``IFCB5_2012_028_081515``) the seconds that it does not look after a trigger.

    Returns
    -------
    float or None
        Millilitres: flow times the time in which the instrument looked, which is the time it ran less that in which
        it was busy with an image. None where the files do not say, or where the sample was run faster than usual.

    Notes
    -----
    A new instrument gives both times in the header and in the ``.adc``; the header counts where it agrees within 2 %.
    An old one gives neither: it ran until its last image was grabbed, and was busy from the grab of an image to the
    next trigger, ``blind`` seconds at least. Source: Sosik and Olson (2007), doi:10.4319/lom.2007.5.204, as computed
    by ``IFCB_volume_analyzed`` in ifcb-analysis and ``ml_analyzed`` in pyifcb (WHOI).
    """
    if blind is not None:
        look = _old_look(rows, blind)
    elif _number(header.get("runsamplefast", "0")) == 0:
        look = _new_look(rows, header)
    else:
        look = None
    return look * FLOW if look is not None and look > 0 else None


def _new_look(rows: Sequence[Sequence[str]], header: Mapping[str, str]) -> float | None:
    ran, busy = _number(header.get("runtime")), _number(header.get("inhibittime"))
    listed = _listed_times(rows)
    if listed is not None:
        ran, busy = (_agreed(told, found) for told, found in zip((ran, busy), listed, strict=True))
    return None if ran is None or busy is None else ran - busy


def _agreed(told: float | None, found: float) -> float:
    return told if told is not None and found and AGREE[0] <= told / found <= AGREE[1] else found


def _listed_times(rows: Sequence[Sequence[str]]) -> tuple[float, float] | None:
    """Return how long an instrument ran and was busy, as its ``.adc`` says; None where it does not."""
    times = [found for row in rows if (found := _times(row)) is not None]
    if len(times) < 2 or times[1][1] - times[1][0] > CLOCKS_APART or not any(busy for _, _, busy in times):
        return None
    lag = median(ran - clock for clock, ran, _ in times[:FIRST_LINES])
    ran = times[-1][1] if abs(times[-1][1] - times[-1][0] - lag) <= LARGEST_JUMP else times[-1][0] + lag
    steps = [(after[2] - before[2], after[2]) for before, after in pairwise(times)]
    good = [(step, busy) for step, busy in steps if STEPS_BACK < step < LONGEST_STEP and busy > 0]
    if not good:
        return None
    usual = min(multimode(round(step, 4) for step, _ in good))
    return ran, good[-1][1] + (len(steps) - len(good)) * usual


def _times(row: Sequence[str]) -> tuple[float, float, float] | None:
    """Return the clock, how long it ran, and how long it was busy, as a line has them."""
    if len(row) <= NEW_BUSY:
        return None
    clock, ran, busy = (_number(row[column]) for column in (NEW_CLOCK, NEW_RUN, NEW_BUSY))
    return None if clock is None or ran is None or busy is None else (clock, ran, busy)


def _old_look(rows: Sequence[Sequence[str]], blind: float) -> float | None:
    times: dict[str, tuple[float, float]] = {}
    for row in rows:
        if len(row) > OLD_GRABBED:
            opened, grabbed = _number(row[OLD_OPENED]), _number(row[OLD_GRABBED])
            if opened is not None and grabbed is not None:
                times.setdefault(row[0], (_of_day(opened), _of_day(grabbed)))
    if not times:
        return None
    listed = list(times.values())
    busy = sum(max(opened - grabbed, blind) for (_, grabbed), (opened, _) in pairwise(listed))
    return listed[-1][1] - busy - blind


def _of_day(time: float) -> float:
    """Return a time of a bin that spans midnight, where the clock begins anew."""
    return time + DAY if time < 0 else time


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
