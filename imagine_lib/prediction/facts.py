"""When and where an image was taken, as far as its set says."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LATITUDE = ("latitude", "lat", "decimallatitude")
LONGITUDE = ("longitude", "lon", "lng", "decimallongitude")
MOMENT = ("eventdate", "taken_at", "datetime")
DATE, TIME = ("date",), ("time",)
SHALLOWEST, DEEPEST = ("depth_min", "depth"), ("depth_max", "depth")
"""What the readers, BIIGLE and people call the columns."""

DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})", re.ASCII)
CLOCK = re.compile(r"(\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?", re.ASCII)


@dataclass(frozen=True)
class Whereabouts:
    """None where the set does not say, or says what cannot be."""

    day: date | None
    clock: time | None
    """Without a zone unless the set writes one: EcoTaxa and the IFCB mean UTC."""
    zone: str
    """``Z`` for a time that the set gives a zone, brought to UTC; mostly empty."""
    latitude: float | None
    longitude: float | None
    """In decimal degrees; both or neither."""
    shallowest: float | None
    deepest: float | None
    """In metres."""

    @property
    def moment(self) -> str | None:
        """Day, or day and time, as ISO 8601 writes them."""
        if self.day is None:
            return None
        return self.day.isoformat() + ("" if self.clock is None else f"T{self.clock.isoformat()}{self.zone}")


def whereabouts(facts: Mapping[str, str]) -> Whereabouts:
    """Read the facts of an image; the case of their names does not matter."""
    known = {name.lower(): value.strip() for name, value in facts.items()}
    moment = _first(known, MOMENT)
    day_text, _, clock_text = (moment.replace(" ", "T") if moment else "").partition("T")
    day = _day(day_text or _first(known, DATE))
    clock, zone = _clock(clock_text or _first(known, TIME))
    if day is not None and clock is not None and zone not in ("", "Z"):
        day, clock, zone = _in_utc(day, clock, zone)
    latitude = _number(_first(known, LATITUDE), 90)
    longitude = _number(_first(known, LONGITUDE), 180)
    if latitude is None or longitude is None:
        latitude = longitude = None
    depths = (_number(_first(known, names), math.inf) for names in (SHALLOWEST, DEEPEST))
    return Whereabouts(day, clock, zone, latitude, longitude, *depths)


def remembering() -> Callable[[Mapping[str, str]], Whereabouts]:
    """Return :func:`whereabouts` with a memory, for facts that stay alive: the images of a sample share theirs."""
    known: dict[int, Whereabouts] = {}

    def look_up(facts: Mapping[str, str]) -> Whereabouts:
        if id(facts) not in known:
            known[id(facts)] = whereabouts(facts)
        return known[id(facts)]

    return look_up


def _first(known: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((known[name] for name in names if known.get(name)), "")


def _day(text: str) -> date | None:
    found = DAY.fullmatch(text)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:  # a day that no calendar has
        return None


def _clock(text: str) -> tuple[time | None, str]:
    found = CLOCK.fullmatch(text)
    if found is None:
        return None, ""
    try:
        return time(int(found[1]), int(found[2]), int(found[3] or 0)), found[4] or ""
    except ValueError:  # 25 o'clock
        return None, ""


def _in_utc(day: date, clock: time, zone: str) -> tuple[date, time, str]:
    moment = datetime.fromisoformat(f"{day.isoformat()}T{clock.isoformat()}{zone}").astimezone(UTC)
    return moment.date(), moment.time(), "Z"


def _number(text: str, limit: float) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) <= limit else None
