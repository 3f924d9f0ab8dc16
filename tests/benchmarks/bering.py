"""How well retraining does on real zooplankton: macro-F1 on a held-out 20 %, from random weights and from the starter.

The split is that of seed 0; three trainings differ in their seed alone.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import imagine_lib as im
from imagine_lib.models.network import best_device
from imagine_lib.training.retrain import retrain
from imagine_lib.wire import Architecture
from tests.benchmarks.hardware import write_results

if TYPE_CHECKING:
    from imagine_lib.models.package import ModelPackage

DATA = Path(__file__).parents[3] / "shared" / "data" / "bering_sea_zooplankton"
SEEDS = (0, 1, 2)
EPOCHS = 20


def main() -> None:
    """Measure and write the table."""
    if not DATA.is_dir():
        print(f"bering: not measured, the images are not on this machine ({DATA.name})")
        return
    split = im.open_dataset(DATA).split(seed=0)
    starter = im.load("phytoplankton").package
    starts: dict[str, ModelPackage | Architecture] = {
        "random weights": Architecture(builder="mobilenet_v3_small"),
        "starter model": starter,
    }
    rows = [_measure(name, base, split, seed) for name, base in starts.items() for seed in SEEDS]
    for name in starts:
        mine = [row for row in rows if row["weights"] == name]
        rows.append({"weights": name, "seed": "mean", "epochs": EPOCHS, "test_images": mine[0]["test_images"]} | {
            key: round(statistics.mean(float(str(row[key])) for row in mine), 4) for key in ("macro_f1", "accuracy", "seconds")
        })  # fmt: skip
    write_results("bering", rows)


def _measure(name: str, base: ModelPackage | Architecture, split: im.Split, seed: int) -> dict[str, object]:
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        recipe = im.Recipe(epochs=EPOCHS, image_size=128, seed=seed)
        device = best_device()
        run = retrain(base, split, recipe, name="bering", folder=Path(folder), device=device, watchers=[])
    metrics = run.report().metrics
    row = {"weights": name, "seed": seed, "epochs": EPOCHS, "test_images": len(split.test)}
    row |= {"macro_f1": round(metrics["macro_f1"], 4), "accuracy": round(metrics["accuracy"], 4)}
    print(name, seed, metrics["macro_f1"], flush=True)
    return row | {"seconds": round(time.monotonic() - begin, 1)}
