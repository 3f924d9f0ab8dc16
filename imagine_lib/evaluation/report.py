"""``Report``: what a model is worth, for people. Renders in a notebook, saves as HTML and as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from imagine_lib.evaluation.page import Section, Words, render, render_page
from imagine_lib.evaluation.wording import NAMES, count
from imagine_lib.prediction.record import DEMONSTRATION
from imagine_lib.prediction.tables import write_export
from imagine_lib.wire import ModelStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagine_lib.pictures import Picture
    from imagine_lib.prediction.record import Failure


class Result(Protocol):
    """The test of a model, whatever its task."""

    @property
    def names(self) -> Sequence[str]:
        """The images that were tested."""

    @property
    def grouped(self) -> bool:
        """Whether they have groups."""

    @property
    def manifest_sha256(self) -> str:
        """Hash of the test set."""

    @property
    def failures(self) -> Sequence[Failure]:
        """The images that could not be read."""

    @property
    def metrics(self) -> dict[str, float]:
        """The main figures."""

    def figure(self) -> Picture:
        """Return the picture that says most."""

    def sections(self) -> list[Section]:
        """Return what is to be said, in the order in which it is read."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""


@dataclass(frozen=True, eq=False)
class Report:
    """The test of one model."""

    model: str
    status: ModelStatus
    split_rule: str
    evaluation: Result
    warnings: Sequence[str] = ()
    """What makes the figures doubtful, one sentence each."""

    @property
    def metrics(self) -> dict[str, float]:
        """The main figures, such as accuracy and macro-F1, each in 0..1."""
        return self.evaluation.metrics

    @property
    def figures(self) -> str:
        """The main figures in words."""
        return ", ".join(f"{NAMES[key]} {value:.3f}" for key, value in self.metrics.items())

    def figure(self) -> Picture:
        """Return the picture that says most: for a classifier its confusion matrix."""
        return self.evaluation.figure()

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        head = {"model": self.model, "status": self.status.value, "split": self.split_rule}
        return {**head, "warnings": list(self.warnings), **self.evaluation.to_dict()}

    def save(self, path: str | Path) -> Path:
        """Save the report.

        Parameters
        ----------
        path
            Ends in ``.html`` (one file that needs no other) or ``.json``.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        StorageError
            It cannot be written; what was there before stays.
        """
        if Path(path).suffix == ".json":
            text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        else:
            text = self.to_html()
        return write_export(path, text.encode())

    def to_html(self) -> str:
        """Return the report as one HTML page."""
        return render_page(self._title, self._sections(), self._notes())

    def __repr__(self) -> str:
        return f"<Report of {self.model} on {len(self.evaluation.names)} images: {self.figures}>"

    def _repr_html_(self) -> str:
        return render(self._title, self._sections(), self._notes())

    @property
    def _title(self) -> str:
        return f"Report of {self.model}"

    def _notes(self) -> list[str]:
        return [DEMONSTRATION] if self.status == ModelStatus.DEMONSTRATION else []

    def _sections(self) -> list[Section]:
        tested = f"On {count(len(self.evaluation.names), 'image')} that it had not seen, split {self.split_rule}."
        blocks = [Words(tested), *(Words(warning, warning=True) for warning in self.warnings)]
        return [Section("What it was tested on", blocks), *self.evaluation.sections()]
