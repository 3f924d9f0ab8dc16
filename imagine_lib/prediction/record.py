"""``Predictions``: one record for all tasks, in the order asked, with the images that could not be read beside it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, overload

from imagine_lib.wire import ModelStatus, Task

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from imagine_lib.data.content import Content
    from imagine_lib.data.imageset import Sample
    from imagine_lib.pictures import Picture
    from imagine_lib.prediction.sample_tables import SampleTable

DEMONSTRATION = "This is a demonstration model: it knows shapes that a program drew, and no living thing."
"""Said wherever the answers of such a model are shown."""

NOTHING: Mapping[str, Any] = MappingProxyType({})

Status = Literal["accepted", "below_threshold", "unknown"]


@dataclass(frozen=True, slots=True)
class Guess:
    """One class and how probable the model finds it."""

    label: str
    probability: float
    aphia_id: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One object on an image."""

    label: str
    probability: float
    aphia_id: int | None
    box: tuple[float, float, float, float]
    """x, y, width and height, in pixels of the original image from its top left corner."""
    area: float
    """In pixels of the original image: of the mask where there is one, else of the box."""
    mask: Mapping[str, Any] | None = None
    """COCO's uncompressed run lengths: ``{"size": [height, width], "counts": [...]}``, column by column."""


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image."""

    image: str
    sample: str | None
    status: Status
    """Of an image on which objects were looked for: ``accepted``."""
    top: tuple[Guess, ...] = ()
    """The most probable classes, best first; empty where objects were looked for."""
    found: tuple[Found, ...] = ()
    """The objects, surest first; empty where the whole image was classified."""
    size: tuple[int, int] | None = None
    """Width and height of the original image in pixels, where objects were looked for."""
    sha256: str | None = None
    """Of the image's encoded bytes."""
    facts: Mapping[str, str] = field(default_factory=lambda: NOTHING, repr=False)
    """What the image set says of it, such as date and place."""
    content: Content | None = field(default=None, repr=False)
    """Where its bytes lie, for pictures."""

    @property
    def label(self) -> str:
        """The most probable class, or that of the surest object; empty where nothing was found."""
        best = (self.top or self.found)[:1]
        return best[0].label if best else ""

    @property
    def probability(self) -> float:
        """How probable the model finds it; 0 where nothing was found."""
        best = (self.top or self.found)[:1]
        return best[0].probability if best else 0.0


@dataclass(frozen=True)
class Failure:
    """An image that could not be read."""

    image: str
    message: str
    position: int | None = None
    """Its place among the images asked for, from 0."""
    sample: str | None = None


@dataclass(frozen=True, repr=False, eq=False)
class Predictions:
    """The answers of one model."""

    model: str
    model_sha256: str
    model_status: ModelStatus
    items: Sequence[Prediction]
    """One an image that could be read; a classifier's are kept in columns and made when they are looked at."""
    errors: tuple[Failure, ...]
    task: Task = Task.CLASSIFICATION
    samples: Mapping[str, Sample] = field(default_factory=lambda: NOTHING)
    """How much water each sample stands for, by the name in :attr:`Prediction.sample`."""
    notes: tuple[str, ...] = ()
    """What to know when the answers are used, one sentence each."""

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.items)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...

    @overload
    def __getitem__(self, index: slice) -> Predictions: ...

    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        """Return one prediction, or some of them without the images that could not be read."""
        if isinstance(index, slice):
            return replace(self, items=self.items[index], errors=())
        return self.items[index]

    @property
    def sample_names(self) -> list[str | None]:
        """The sample of each image; None where it has none."""
        from imagine_lib.prediction.answers import ClassAnswers

        if isinstance(self.items, ClassAnswers):
            return self.items.samples
        return [item.sample for item in self.items]

    def counts(self) -> dict[str, int]:
        """Return how many images (or objects) were given each class, most frequent first; whatever their status."""
        from imagine_lib.prediction.answers import ClassAnswers

        if isinstance(self.items, ClassAnswers):
            names = [entry.name for entry in self.items.rule.classes]
            found = Counter(names[number] for number in self.items.labels.tolist())
        else:
            found = Counter(thing.label for item in self.items for thing in item.found or item.top[:1])
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))

    def counts_by_sample(self, adjusted: bool = True) -> SampleTable:
        """Return what is in each sample; see :func:`imagine_lib.prediction.sample_tables.counts_by_sample`."""
        from imagine_lib.prediction.sample_tables import counts_by_sample

        return counts_by_sample(self, adjusted)

    def abundance(
        self,
        volumes: pd.DataFrame | str | os.PathLike[str] | None = None,
        unit: Literal["L", "m3"] = "L",
        adjusted: bool = True,
    ) -> SampleTable:
        """Return individuals in water; see :func:`imagine_lib.prediction.sample_tables.abundance_by_sample`."""
        from imagine_lib.prediction.sample_tables import abundance_by_sample

        return abundance_by_sample(self, volumes, unit, adjusted)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, as ``imagine predict --json`` prints it."""
        from imagine_lib.prediction.tables import to_dict

        return to_dict(self)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row an image, or an object; see :func:`imagine_lib.prediction.tables.to_dataframe`."""
        from imagine_lib.prediction.tables import to_dataframe

        return to_dataframe(self)

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as CSV; see :func:`imagine_lib.prediction.tables.write_csv`."""
        from imagine_lib.prediction.tables import write_csv

        return write_csv(self, path)

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as Parquet; see :func:`imagine_lib.prediction.tables.write_parquet`."""
        from imagine_lib.prediction.tables import write_parquet

        return write_parquet(self, path)

    def to_darwin_core(self) -> pd.DataFrame:
        """Return Darwin Core occurrences; see :func:`imagine_lib.prediction.darwin_core.to_darwin_core`."""
        from imagine_lib.prediction.darwin_core import to_darwin_core

        return to_darwin_core(self)

    def to_ecotaxa(self, path: str | os.PathLike[str]) -> Path:
        """Write an EcoTaxa import table; see :func:`imagine_lib.prediction.ecotaxa.write_ecotaxa`."""
        from imagine_lib.prediction.ecotaxa import write_ecotaxa

        return write_ecotaxa(self, path)

    def to_coco(self, path: str | os.PathLike[str]) -> Path:
        """Write found objects as COCO JSON; see :func:`imagine_lib.prediction.coco.write_coco`."""
        from imagine_lib.prediction.coco import write_coco

        return write_coco(self, path)

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
        from imagine_lib.prediction.page import render_predictions

        return render_predictions(self)
