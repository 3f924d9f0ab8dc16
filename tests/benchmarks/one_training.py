"""One system, one fold, in a process of its own with empty caches; a line an epoch, and a line at the end.

python -m tests.benchmarks.one_training START FOLD SYSTEM EPOCHS EVERY FILE
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.hardware import keep_to_two_processors

if TYPE_CHECKING:
    from collections.abc import Callable

PEERS = {"plain": "plain", "fastai": "fastai_peer", "lightning": "lightning_peer"}
OURS = "imagine_lib"
VARIANTS: dict[str, dict[str, Any]] = {
    OURS: {},
    "without the head first": {"head_first": False},
    "without the average": {"average": 0.0},
    "without balance": {"balance": "none"},
    "without any of these": {"head_first": False, "average": 0.0, "balance": "none"},
}
"""Our recipe, and what it is without one thing."""


def main(start: str, fold: int, system: str, epochs: int, every: int, file: Path) -> None:
    """Train and write what came of it."""
    from tests.benchmarks.folds import read_fold
    from tests.benchmarks.peers.race import Race, Watch, macro_f1

    race = Race(read_fold(fold, every), start, epochs)
    key = {"start": start, "fold": fold, "system": system}

    def write(facts: dict[str, object]) -> None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(key | facts) + "\n")

    def note(epoch: int, seconds: float, score: float) -> None:
        write({"epoch": epoch, "seconds": round(seconds, 3), "score": score})
        print(f"{start} {fold} {system} {epoch}: {seconds:.1f} s, macro-F1 {score:.3f}", flush=True)

    train = trainer(system)
    watch = Watch(note)
    watch.go()
    ask = train(race, watch)
    watch.stop()
    test = ask(race.fold.test)
    names = [f"{fold}/{example.path.parent.name}/{example.path.name}" for example in race.fold.test]
    facts = {"names": names, "truth": [example.target for example in race.fold.test], "answers": test}
    write({"select": macro_f1(race.fold.select, ask(race.fold.select)), **facts})


def trainer(system: str) -> Callable[..., Any]:
    """Return what trains; imported here, so that no clock runs meanwhile."""
    name = "ours" if system in VARIANTS else PEERS[system]
    return partial(importlib.import_module(f"tests.benchmarks.peers.{name}").train, **VARIANTS.get(system, {}))


if __name__ == "__main__":
    keep_to_two_processors()
    with tempfile.TemporaryDirectory() as caches:
        os.environ |= {"IMAGINE_CACHE": caches, "FASTAI_HOME": caches}
        begin, number, name, most, step, path = sys.argv[1:]
        main(begin, int(number), name, int(most), int(step), Path(path))
