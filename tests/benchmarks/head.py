"""The head first: how soon a first model is there, from cold caches, and what share of full retraining it reaches."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagine_lib as im
from imagine_lib.models.network import best_device
from imagine_lib.training.retrain import retrain
from tests.benchmarks.folds import read_fold
from tests.benchmarks.hardware import write_results
from tests.benchmarks.images import has_photographs
from tests.benchmarks.peers.ours import split_of, start_of
from tests.benchmarks.peers.race import SIDE, macro_f1
from tests.benchmarks.training import EPOCHS, SMOKE_EPOCHS, SMOKE_EVERY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.folds import Example
    from tests.benchmarks.options import Options


def main(options: Options) -> None:
    """Measure and write the table."""
    if not has_photographs("head"):
        return
    fold = read_fold(0, SMOKE_EVERY if options.smoke else 1)
    epochs = SMOKE_EPOCHS if options.smoke else EPOCHS
    split, start = split_of(fold), start_of("starter")
    found: dict[str, Any] = {}

    def follow(event: dict[str, Any]) -> None:
        if event["type"] == "preview":
            found["seconds"] = time.perf_counter() - begin
            found["score"] = event["score"]
            found["test"] = _test(event["model"], fold.test)

    with tempfile.TemporaryDirectory() as scratch:
        os.environ["IMAGINE_CACHE"] = scratch
        recipe = im.Recipe(epochs=epochs, image_size=SIDE)
        begin = time.perf_counter()
        run = retrain(
            start,
            split,
            recipe,
            name="head",
            folder=Path(scratch) / "run",
            device=best_device("cpu"),
            watchers=[follow],
        )
        full = _test(str(run.package.folder), fold.test)
        best = float(run.history()["score"].max())
    row: dict[str, object] = {
        "images": len(fold.train) + len(fold.select) + len(fold.test),
        "seconds": f"{found['seconds']:.1f}",
        "select_macro_f1": f"{found['score']:.4f}",
        "full_select_macro_f1": f"{best:.4f}",
        "select_share": f"{found['score'] / best:.3f}",
        "test_macro_f1": f"{found['test']:.4f}",
        "full_test_macro_f1": f"{full:.4f}",
        "test_share": f"{found['test'] / full:.3f}",
    }
    write_results("head", [row], options.smoke)


def _test(package: str, examples: Sequence[Example]) -> float:
    model = im.load(package, device="cpu")
    answers = [model.classes.index(one.label) for one in model.predict([example.path for example in examples])]
    return macro_f1(examples, answers)
