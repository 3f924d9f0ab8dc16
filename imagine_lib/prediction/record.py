"""``Predictions``: one record an image, in the order asked, with the images that could not be read beside them."""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from imagine_lib.wire import ModelStatus

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from imagine_lib.pictures import Picture

DEMONSTRATION = "This is a demonstration model: it knows shapes that a program drew, and no living thing."
"""Said wherever the answers of such a model are shown."""


@dataclass(frozen=True)
class Guess:
    """One class and how probable the model finds it."""

    label: str
    probability: float
    aphia_id: int | None = None


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image."""

    image: str
    sample: str | None
    status: Literal["accepted", "below_threshold", "unknown"]
    top: tuple[Guess, ...]
    """The most probable classes, best first."""

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.top[0].label

    @property
    def probability(self) -> float:
        """How probable the model finds it."""
        return self.top[0].probability


@dataclass(frozen=True)
class Failure:
    """An image that could not be read."""

    image: str
    message: str


@dataclass(frozen=True)
class Predictions:
    """The answers of one model."""

    model: str
    model_sha256: str
    model_status: ModelStatus
    items: tuple[Prediction, ...]
    errors: tuple[Failure, ...]
    paths: tuple[Path, ...] = ()
    """Where each image lies on this machine, for pictures."""

    def __len__(self) -> int:
        return len(self.items)

    def counts(self) -> dict[str, int]:
        """Return how many images were given each class, most frequent first."""
        return dict(Counter(item.label for item in self.items).most_common())

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, as ``imagine predict --json`` prints it."""
        return {
            "model": {"name": self.model, "sha256": self.model_sha256, "status": self.model_status.value},
            "predictions": [_plain(item) for item in self.items],
            "errors": [{"image": failure.image, "message": failure.message} for failure in self.errors],
        }

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row an image: ``image``, ``sample``, ``label``, ``probability``, ``status``."""
        import pandas as pd

        rows = [(i.image, i.sample, i.label, i.probability, i.status) for i in self.items]
        return pd.DataFrame(rows, columns=["image", "sample", "label", "probability", "status"])

    def to_darwin_core(self) -> pd.DataFrame:
        """Return Darwin Core occurrences; see :func:`imagine_lib.prediction.exports.to_darwin_core`."""
        from imagine_lib.prediction.exports import to_darwin_core

        return to_darwin_core(self)

    def to_ecotaxa(self, path: str | Path) -> Path:
        """Write an EcoTaxa import table; see :func:`imagine_lib.prediction.exports.write_ecotaxa`."""
        from imagine_lib.prediction.exports import write_ecotaxa

        return write_ecotaxa(self, path)

    def show(self, rows: int = 4, columns: int = 6) -> Picture:
        """Return a picture of the first images with what the model says of each.

        Parameters
        ----------
        rows, columns
            How many pictures.

        Returns
        -------
        Picture
        """
        from imagine_lib.prediction.gallery import draw_gallery

        return draw_gallery(self, rows, columns)

    def __repr__(self) -> str:
        return f"<Predictions of {self.model}: {len(self.items)} images, {len(self.errors)} unreadable>"

    def _repr_html_(self) -> str:
        images = f"{len(self.items)} image{'' if len(self.items) == 1 else 's'}"
        lines = [f"<p><strong>{images}</strong>, model <code>{html.escape(self.model)}</code></p>"]
        if self.model_status == ModelStatus.DEMONSTRATION:
            lines.append(f'<p role="note">⚠ {DEMONSTRATION}</p>')
        rows = "".join(f"<tr><td>{html.escape(k)}</td><td>{v}</td></tr>" for k, v in self.counts().items())
        lines.append(f"<table><thead><tr><th>class</th><th>images</th></tr></thead><tbody>{rows}</tbody></table>")
        lines += [f"<p>Not read: {html.escape(failure.message)}</p>" for failure in self.errors[:10]]
        return "\n".join(lines)


def _plain(item: Prediction) -> dict[str, Any]:
    top = [{"label": g.label, "probability": g.probability, "aphia_id": g.aphia_id} for g in item.top]
    head = {"image": item.image, "sample": item.sample, "label": item.label, "probability": item.probability}
    return {**head, "status": item.status, "top": top}
