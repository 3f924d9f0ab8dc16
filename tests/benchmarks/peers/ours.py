"""This library, as a user calls it. The clock stands still from the last step of an epoch until its score is known."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagine_lib as im
from imagine_lib.models.backbones import backbone
from imagine_lib.models.network import best_device
from imagine_lib.training.retrain import retrain
from imagine_lib.training.start import BackboneStart, PackageStart
from tests.benchmarks.images import BERING
from tests.benchmarks.peers.race import BUILDER, SIDE, STARTER, macro_f1

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagine_lib.training.start import Start
    from tests.benchmarks.folds import Example, Fold
    from tests.benchmarks.peers.race import Ask, Race, Watch

ROUNDING = 0.01
"""By which a folded network may answer otherwise: an image or two."""


def train(race: Race, watch: Watch, **changes: Any) -> Ask:
    """Train; return what answers images. What is kept is the best epoch, chosen on the images to choose with."""
    watch.stop()
    split, start = split_of(race.fold), start_of(race.start)
    scores: list[float] = []
    watch.go()

    def follow(event: dict[str, Any]) -> None:
        if event["type"] == "progress" and event["step"] == event["steps"]:
            watch.stop()
        elif event["type"] == "metric":
            scores.append(event["score"])
            watch.epoch_ended(event["score"])
            watch.go()

    recipe = im.Recipe(epochs=race.epochs, image_size=SIDE, seed=race.seed, **changes)
    with tempfile.TemporaryDirectory() as folder:
        run = retrain(
            start,
            split,
            recipe,
            name="bering",
            folder=Path(folder) / "run",
            device=best_device("cpu"),
            watchers=[follow],
        )
        watch.stop()
        model = im.load(run.model.save(Path(folder) / "model"), device="cpu")
        known = _answered(model, [*race.fold.select, *race.fold.test])
    kept = macro_f1(race.fold.select, [known[example] for example in race.fold.select])
    if kept < max(scores) - ROUNDING:
        raise RuntimeError(f"the epochs said up to {max(scores):.4f}, and the model that was kept has {kept:.4f}")
    return lambda examples: [known[example] for example in examples]


def split_of(fold: Fold) -> im.Split:
    """Return a stored fold as a split; it is given to all systems, so nothing about it is timed."""
    data = im.open_dataset(BERING)
    places = {item.name: index for index, item in enumerate(data.items)}

    def part(examples: Sequence[Example]) -> im.ImageSet:
        return data.subset([places[example.path.relative_to(BERING).as_posix()] for example in examples])

    select = part(fold.select)
    return im.Split(part(fold.train), select, select, part(fold.test), seed=fold.number, rule="a stored fold")


def start_of(name: str) -> Start:
    """Return what a training begins with."""
    if name == "random":
        return BackboneStart(backbone(BUILDER, weights=None))
    return PackageStart(im.load(STARTER).package, STARTER)


def _answered(model: im.Model, examples: Sequence[Example]) -> dict[Example, int]:
    found = model.predict([example.path for example in examples])
    return {example: model.classes.index(one.label) for example, one in zip(examples, found, strict=True)}
