"""Name the hardware that a figure was measured on, and write the figures."""

from __future__ import annotations

import csv
import platform
import re
from importlib.metadata import version
from pathlib import Path

import torch

from imagine_lib.data.loading import processors

RESULTS = Path(__file__).parent / "results"


def hardware() -> str:
    """Return a short name, good for a file: processor or GPU, cores, torch."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else _processor()
    return re.sub(r"[^a-z0-9]+", "-", f"{name} {processors()} cores torch {version('torch')}".lower()).strip("-")


def write_results(benchmark: str, rows: list[dict[str, object]]) -> Path:
    """Write one row a measurement and print them."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{benchmark}-{hardware()}.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(path.read_text())
    return path


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
