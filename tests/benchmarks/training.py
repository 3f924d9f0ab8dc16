"""Time to an equally good model: this library, fastai, Lightning and torchvision's reference recipe, fold by fold.

Every system trains the same module from the same weights on the same images, each in its own documented way and in
a process of its own. The systems take turns within a fold, so that a machine that slows down slows all of them. What
is done is kept in a work file: a benchmark that was cut off goes on. planktonclas, the catalogue's own trainer, needs
TensorFlow and cannot run in one environment with the others.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.benchmarks.hardware import PROJECT, SCRATCH, hardware, write_results
from tests.benchmarks.images import has_photographs
from tests.benchmarks.judging import Key, Training, finished, judge, key_of
from tests.benchmarks.one_training import OURS, PEERS, VARIANTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.options import Options

EPOCHS, SMOKE_EPOCHS = 30, 2
SMOKE_EVERY = 12
STARTS = ("random", "starter")


def main(options: Options) -> None:
    """Train what is not trained yet, and write the table."""
    if not has_photographs("training"):
        return
    systems = tuple(VARIANTS) if options.ablation else (*PEERS, OURS)
    systems = tuple(system for system in systems if system in (options.systems or systems))
    folds = options.folds or ((0,) if options.smoke or options.ablation else tuple(range(5)))
    work = SCRATCH / f"{'smoke' if options.smoke else 'training'}-{hardware()}.jsonl"
    work.parent.mkdir(parents=True, exist_ok=True)
    if options.fresh or options.smoke:
        work.unlink(missing_ok=True)
    keys = [(start, fold, system) for start in options.starts or STARTS for fold in folds for system in systems]
    done = _kept(work)
    for key in keys:
        if key not in done:
            _train(key, work, options.smoke)
    rows = _judge(_kept(work), keys)
    write_results("ablation" if options.ablation else "training", rows, options.smoke)


def _kept(work: Path) -> dict[Key, Training]:
    """Return the finished trainings of a work file, and clear it of the lines of others."""
    texts = work.read_text(encoding="utf-8").splitlines() if work.exists() else []
    whole = [text for text in texts if text.endswith("}")]
    done = finished(map(json.loads, whole))
    work.write_text("".join(f"{text}\n" for text in whole if key_of(json.loads(text)) in done), encoding="utf-8")
    return done


def _train(key: Key, work: Path, smoke: bool) -> None:
    epochs, every = (SMOKE_EPOCHS, SMOKE_EVERY) if smoke else (EPOCHS, 1)
    start, fold, system = key
    command = [sys.executable, "-m", "tests.benchmarks.one_training"]
    subprocess.run([*command, start, str(fold), system, str(epochs), str(every), str(work)], check=True, cwd=PROJECT)


def _judge(done: dict[Key, Training], keys: list[Key]) -> list[dict[str, object]]:
    """Return the rows of what was asked for, measured against all peers that are known for these folds."""
    rows: list[dict[str, object]] = []
    for begin in dict.fromkeys(start for start, _, _ in keys):
        folds = sorted({fold for start, fold, _ in keys if start == begin})
        asked = [system for start, _, system in keys if start == begin]
        known = [name for name in PEERS if all((begin, fold, name) in done for fold in folds)]
        trainings = {name: [done[begin, fold, name] for fold in folds] for name in dict.fromkeys([*known, *asked])}
        rows += judge(begin, trainings, tuple(VARIANTS))
    return rows
