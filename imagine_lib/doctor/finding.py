"""One thing that the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagine_lib.data.imageset import ImageSet

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The gravest first."""

EXAMPLES = 10
"""Names that a finding gives."""


@dataclass(frozen=True)
class Finding:
    """What is wrong, with how many images, and what to do."""

    code: str
    """For programs; it stays the same from version to version."""
    severity: Severity
    count: int
    """How many images, boxes, classes or groups are concerned, as the message says."""
    message: str
    """One sentence."""
    remedy: str
    """One sentence."""
    examples: tuple[str, ...] = ()
    """Up to ten names, of images or of classes."""
    pictures: tuple[int, ...] = ()
    """Positions in the set of the images to show, the worst first."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        keys = ("code", "severity", "count", "message", "remedy")
        return {key: getattr(self, key) for key in keys} | {"examples": list(self.examples)}


def about_images(
    data: ImageSet, positions: Sequence[int], code: str, severity: Severity, message: str, remedy: str
) -> list[Finding]:
    """Return a finding on some images of a set, the worst first; none where there are none."""
    if not positions:
        return []
    worst = tuple(positions[:EXAMPLES])
    names = tuple(data.items[index].name for index in worst)
    return [Finding(code, severity, len(positions), message, remedy, names, worst)]


def about_names(names: Sequence[str], code: str, severity: Severity, message: str, remedy: str) -> list[Finding]:
    """Return a finding on some classes or groups; none where there are none."""
    if not names:
        return []
    return [Finding(code, severity, len(names), message, remedy, tuple(names[:EXAMPLES]))]
