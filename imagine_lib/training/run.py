"""``Run``: a retraining that has ended, with everything that it left behind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from imagine_lib.data.splits import Split
    from imagine_lib.evaluation.report import Report
    from imagine_lib.model import Model
    from imagine_lib.models.package import ModelPackage
    from imagine_lib.training.progress import Event


@dataclass(frozen=True)
class Run:
    """One retraining.

    Its folder holds ``model/`` (the package), ``report.html``, ``report.json`` and ``events.jsonl``.
    """

    folder: Path
    package: ModelPackage
    _report: Report
    split: Split
    events: list[Event]
    name: str

    @cached_property
    def model(self) -> Model:
        """The new model."""
        from imagine_lib.api import load

        return load(self.package.folder, name=self.name)

    def report(self) -> Report:
        """Return the test on ``split.test``, which the model saw neither to learn nor to choose."""
        return self._report

    def history(self) -> pd.DataFrame:
        """Return one row an epoch: ``epoch``, ``loss``, ``score`` (on the images to select with)."""
        import pandas as pd

        rows = [event for event in self.events if event["type"] == "metric"]
        return pd.DataFrame(rows, columns=["epoch", "loss", "score"])

    def __repr__(self) -> str:
        return f"<Run in {self.folder}: {self._report!r}>"
