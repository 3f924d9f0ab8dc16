"""All that the doctor found, as a table to look at and as data to work with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagine_lib.data.readers.text import counted
from imagine_lib.doctor.finding import SEVERITIES

if TYPE_CHECKING:
    from imagine_lib.data.imageset import ImageSet
    from imagine_lib.doctor.finding import Finding


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What is wrong with a set of images, the gravest first."""

    data: ImageSet
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found that has to be put right before training."""
        return not any(finding.severity == "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "source": self.data.source,
            "images": len(self.data),
            "classes": dict(self.data.counts),
            "ok": self.ok,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    @property
    def summary(self) -> str:
        """The number of findings in words."""
        found = Counter(finding.severity for finding in self.findings)
        return ", ".join(counted(found[kind], kind) for kind in SEVERITIES if found[kind]) or "nothing found"

    def __repr__(self) -> str:
        lines = [f"<Diagnosis of {self.data.source}, {counted(len(self.data), 'image')}: {self.summary}>"]
        for finding in self.findings:
            lines.append(f"{finding.severity}: {finding.message} {finding.remedy}")
            if finding.examples:
                lines.append(f"    for example {', '.join(finding.examples[:3])}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from imagine_lib.doctor.page import render

        return render(self)
