"""Name the hardware that a figure was measured on, keep to two processors, and write the figures."""

from __future__ import annotations

import csv
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

import torch

from imagine_lib.hardware import processors

PROJECT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results"
SCRATCH = PROJECT / "tests" / "artefacts" / "benchmarks"
"""What is not kept: the state of benchmarks that are not done, and the results of smoke runs."""

THREADS = 2
"""What a laptop surely has; more would measure the machine."""

Row = dict[str, object]


def keep_to_two_processors() -> None:
    """Give this process, and all that it starts, two processors and a thread on each."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    os.environ["OMP_NUM_THREADS"] = str(THREADS)
    torch.set_num_threads(THREADS)


def hardware(gpu: bool = False) -> str:
    """Return a short name, good for a file: processor or GPU, cores, torch."""
    name = torch.cuda.get_device_name() if gpu and torch.cuda.is_available() else _processor()
    return re.sub(r"[^a-z0-9]+", "-", f"{name} {processors()} cores torch {version('torch')}".lower()).strip("-")


def write_results(benchmark: str, rows: list[Row], smoke: bool, gpu: bool = False) -> Path:
    """Write one row a measurement and print them; what a smoke run says is not kept."""
    folder = SCRATCH if smoke else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{benchmark}-{hardware(gpu)}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{path}\n{path.read_text(encoding='utf-8')}", flush=True)
    return path


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
