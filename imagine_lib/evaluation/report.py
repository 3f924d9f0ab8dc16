"""``Report``: what a retrained model is worth, for people. Renders in a notebook, saves as HTML and as JSON."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagine_lib.evaluation.figures import draw_confusion
from imagine_lib.prediction.record import DEMONSTRATION
from imagine_lib.storage.staging import write_atomically
from imagine_lib.wire import MEASURES, ModelStatus

if TYPE_CHECKING:
    from imagine_lib.evaluation.evaluate import Evaluation
    from imagine_lib.pictures import Picture

LISTED = 10
"""Images that could not be read and are named in the report; all of them are in its JSON."""

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#12303f}
table{border-collapse:collapse;margin:1rem 0}
td,th{padding:.25rem .75rem;border-bottom:1px solid #cfdde4;text-align:right}
td:first-child,th:first-child{text-align:left}
img{max-width:100%;height:auto}.note{background:#fff4d6;padding:.5rem 1rem}
"""


@dataclass(frozen=True)
class Report:
    """The test of one model."""

    model: str
    status: ModelStatus
    split_rule: str
    evaluation: Evaluation

    @property
    def metrics(self) -> dict[str, float]:
        """Accuracy, macro-F1 and balanced accuracy, each in 0..1."""
        return self.evaluation.metrics

    def figure(self) -> Picture:
        """Return the confusion matrix."""
        return draw_confusion(self.evaluation)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        head = {"model": self.model, "status": self.status.value, "split": self.split_rule}
        return {**head, **self.evaluation.to_dict()}

    def save(self, path: str | Path) -> Path:
        """Save the report.

        Parameters
        ----------
        path
            Ends in ``.html`` (one file that needs no other) or ``.json``.

        Returns
        -------
        pathlib.Path
        """
        text = json.dumps(self.to_dict(), indent=1) if Path(path).suffix == ".json" else self.to_html()
        write_atomically(Path(path), text.encode())
        return Path(path)

    def to_html(self) -> str:
        """Return the report as one HTML page."""
        title = html.escape(f"Report of {self.model}")
        head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        return f'<!doctype html><html lang="en"><head>{head}</head><body>{self._repr_html_()}</body></html>'

    def _repr_html_(self) -> str:
        picture = f'<img alt="Confusion matrix" src="{self.figure().to_data_uri()}">'
        sections = [f"<h2>Report of {html.escape(self.model)}</h2>", *self._notes(), self._summary()]
        return "\n".join([*sections, self._table(), picture])

    @property
    def figures(self) -> str:
        """The measures in words."""
        return ", ".join(f"{MEASURES[key]} {value:.3f}" for key, value in self.metrics.items())

    def __repr__(self) -> str:
        return f"<Report of {self.model} on {len(self.evaluation.truth)} images: {self.figures}>"

    def _notes(self) -> list[str]:
        notes = [DEMONSTRATION] if self.status == ModelStatus.DEMONSTRATION else []
        if not self.evaluation.grouped:
            notes.append(
                "The images were split one by one. Where several come from one sample, the numbers flatter "
                "the model: give open_dataset a group."
            )
        if self.evaluation.excluded:
            notes.append(f"{self.evaluation.excluded} images were left out: the model had learned from them.")
        notes += [f"Left out: {failure.message}" for failure in self.evaluation.failures[:LISTED]]
        if len(self.evaluation.failures) > LISTED:
            notes.append(f"{len(self.evaluation.failures) - LISTED} more images could not be read: see report.json.")
        return [f'<p class="note" role="note">⚠ {html.escape(note)}</p>' for note in notes]

    def _summary(self) -> str:
        values = "".join(
            f"<tr><td>{MEASURES[key]}</td><td>{value:.3f}</td></tr>" for key, value in self.metrics.items()
        )
        tested = f"{len(self.evaluation.truth)} test images, split {html.escape(self.split_rule)}."
        return f"<p>{tested}</p><table><tbody>{values}</tbody></table>"

    def _table(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(row['label'])}</td><td>{row['precision']:.2f}</td><td>{row['recall']:.2f}</td>"
            f"<td>{row['f1']:.2f}</td><td>{row['support']}</td></tr>"
            for row in self.evaluation.per_class
        )
        head = "".join(f"<th>{name}</th>" for name in ("class", "precision", "recall", "F1", "test images"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
