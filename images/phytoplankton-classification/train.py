"""Make the starter model of this module: draw images, train from random weights, write ``model/``.

python images/phytoplankton-classification/train.py [FOLDER]    (another folder than model/)
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from imagine_lib.api import Model
from imagine_lib.data import open_dataset
from imagine_lib.data.synthetic import write_dataset
from imagine_lib.models.network import best_device
from imagine_lib.training import Recipe
from imagine_lib.training.progress import print_event
from imagine_lib.training.retrain import retrain
from imagine_lib.wire import Architecture

KNOWN = ["chain", "cluster", "crescent", "disc", "filament", "horn", "rod", "star"]
"""The other shapes are kept for the tutorials, where a user teaches them to the model."""

EACH = 250
SAMPLES = range(20)
RECIPE = Recipe(epochs=14, batch_size=32, learning_rate=2e-3, image_size=96, seed=0)


def main(target: Path) -> None:
    """Train and write the package, half the size of what was trained."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "images"
        write_dataset(folder, KNOWN, EACH, seed=2026, samples=SAMPLES)
        split = open_dataset(folder, group=r"(S\d+)_").split(seed=0)
        run = retrain(
            Architecture(builder="mobilenet_v3_small"),
            split,
            RECIPE,
            name="phytoplankton",
            folder=Path(scratch) / "run",
            device=best_device("cpu"),
            watchers=[print_event],
        )
        model = Model("phytoplankton", run.package)
        model.classifier.save(
            target, model.card.replace(str(folder), "generated images"), model.package.seen(), half=True
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "model")
