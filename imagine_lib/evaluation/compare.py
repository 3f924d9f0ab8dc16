"""Two models on the same images."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.errors import DataError
from imagine_lib.evaluation.evaluate import evaluate_classifier

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from imagine_lib.data.imageset import ImageSet
    from imagine_lib.evaluation.evaluate import Evaluation
    from imagine_lib.models.classifier import Classifier

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Comparison:
    """The same images, two models, the classes that both know."""

    first: Evaluation
    second: Evaluation
    left_out: int
    """Images of classes that only one of the two knows."""
    interval: tuple[float, float]
    """95 % interval of the difference in accuracy (second minus first), by paired bootstrap over groups."""

    def to_dataframe(self) -> pd.DataFrame:
        """Return F1 of each shared class: ``first``, ``second``, ``difference``."""
        import pandas as pd

        one = {row["label"]: row["f1"] for row in self.first.per_class if row["support"]}
        two = {row["label"]: row["f1"] for row in self.second.per_class if row["support"]}
        frame = pd.DataFrame({"first": one, "second": two}).fillna(0.0)
        frame["difference"] = frame["second"] - frame["first"]
        return frame.sort_index()

    def __repr__(self) -> str:
        one, two = self.first.metrics["accuracy"], self.second.metrics["accuracy"]
        span = f" (95 % interval {self.interval[0]:+.3f} to {self.interval[1]:+.3f})"
        return f"<Comparison on {len(self.first.truth)} images: accuracy {one:.3f} -> {two:.3f}{span}>"

    def _repr_html_(self) -> str:
        left = f"<p>{self.left_out} images of classes that only one model knows were left out.</p>"
        table: str = self.to_dataframe().to_html(float_format="{:.3f}".format)
        return f"<p>{html.escape(repr(self)[1:-1])}</p>{left if self.left_out else ''}{table}"


def compare_classifiers(
    first: Classifier, second: Classifier, data: ImageSet, seen: frozenset[str], device: torch.device
) -> Comparison:
    """Test two models on the images of the classes that both know.

    Parameters
    ----------
    first, second
        The models.
    data
        Images with labels.
    seen
        Content hashes of the images that either learned from.
    device
        Where to compute.

    Returns
    -------
    Comparison
        The interval resamples the groups of the test images, or the images where there are no groups (percentile
        bootstrap, 1000 resamples, seed 0); it leaves out that
        retraining with another seed gives another model.

    Raises
    ------
    DataError
        The models share no class that the images have.
    """
    shared = set(first.labels) & set(second.labels)
    common = data.subset([index for index, item in enumerate(data.items) if item.label in shared])
    if not len(common):
        raise DataError(f"The two models share no class with images in {data.source}: there is nothing to compare.")
    one = evaluate_classifier(first, common, seen, device)
    two = evaluate_classifier(second, common, seen, device)
    return Comparison(one, two, len(data) - len(common), _interval(one, two))


def _interval(one: Evaluation, two: Evaluation) -> tuple[float, float]:
    truth = np.asarray(one.truth)
    gain = (np.asarray(two.answers) == truth).astype(float) - (np.asarray(one.answers) == truth)
    _, unit = np.unique(np.asarray(one.groups), return_inverse=True)
    sums, sizes = np.bincount(unit, weights=gain), np.bincount(unit)
    rng = np.random.default_rng(0)
    drawn = (rng.integers(len(sums), size=len(sums)) for _ in range(RESAMPLES))
    means = [sums[pick].sum() / sizes[pick].sum() for pick in drawn]
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
