"""This library on a GPU, as a user calls it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagine_lib as im
from imagine_lib.models.backbones import backbone
from imagine_lib.training.retrain import retrain
from imagine_lib.training.start import BackboneStart
from tests.benchmarks.predicting import write_untrained

if TYPE_CHECKING:
    from tests.benchmarks.gpu import Bench

WARM = 1000
KEPT_BACK = 20
"""One image in so many is there to choose and to test with: a training cannot do without."""


def training(bench: Bench) -> float:
    """Return images per second, from the first step of the last epoch to its last."""
    data = im.open_dataset(bench.folder)
    rows = range(len(data))
    select, test = data.subset(rows[:: 2 * KEPT_BACK]), data.subset(rows[KEPT_BACK :: 2 * KEPT_BACK])
    train = data.subset([row for row in rows if row % KEPT_BACK])
    stamps: dict[tuple[int, int], float] = {}

    def follow(event: dict[str, Any]) -> None:
        if event["type"] == "progress":
            stamps[event["epoch"], event["step"]] = time.perf_counter()

    recipe = im.Recipe(epochs=2, batch_size=bench.batch, image_size=bench.side, resize="pad", compile=bench.compiles)
    with tempfile.TemporaryDirectory() as folder:
        retrain(
            BackboneStart(backbone("resnet50", weights=None)),
            im.Split(train, select, select, test, seed=0),
            recipe,
            name="bench",
            folder=Path(folder) / "run",
            device=bench.device,
            watchers=[follow],
        )
    (epoch, first), (_, last) = min(key for key in stamps if key[0] == 2), max(stamps)
    return (last - first) * bench.batch / (stamps[epoch, last] - stamps[epoch, first])


def prediction(bench: Bench) -> float:
    """Return images per second."""
    with tempfile.TemporaryDirectory() as folder:
        write_untrained(Path(folder) / "model", "resnet50", bench.side)
        model = im.load(Path(folder) / "model", device=str(bench.device))
        model.predict(bench.paths[:WARM], progress=lambda *_: None)
        begin = time.perf_counter()
        model.predict(bench.paths, progress=lambda *_: None)
        return len(bench.paths) / (time.perf_counter() - begin)
