"""Make the starter model of this module: draw images, train from random weights, write ``model/``.

python images/phytoplankton-classification/train.py [FOLDER]    (another folder than model/)
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import imagine_lib as im
from imagine_lib.data.synthetic import write_dataset
from imagine_lib.models.calibration import CALIBRATION

KNOWN = ["chain", "cluster", "crescent", "disc", "filament", "horn", "rod", "star"]
"""The other shapes are kept for the tutorials, where a user teaches them to the model."""

EACH = 250
SAMPLES = range(20)
RECIPE = im.Recipe(epochs=14, batch_size=32, learning_rate=2e-3, image_size=96, seed=0)


def main(target: Path) -> None:
    """Train and write the package, half the size of what was trained."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "images"
        write_dataset(folder, KNOWN, EACH, seed=2026, samples=SAMPLES)
        split = im.open_dataset(folder, group=r"(S\d+)_").split(seed=0)
        network = im.backbone("mobilenet_v3_small", weights=None)
        run = network.retrain(split, RECIPE, name="phytoplankton", folder=Path(scratch) / "run", device="cpu")
        model = run.model
        files = {CALIBRATION: (run.package.folder / CALIBRATION).read_bytes()}
        card = model.card.replace(str(folder), "generated images")
        model.network.save(target, card, model.package.seen(), files, half=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "model")
