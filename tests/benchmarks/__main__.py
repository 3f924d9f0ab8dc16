"""``make bench``: run every benchmark of this folder, or those named; results go to ``results/``, hardware in the name."""

from __future__ import annotations

import importlib
import sys

from tests.benchmarks.hardware import keep_to_two_processors
from tests.benchmarks.options import read_options

BENCHMARKS = ("importing", "reading", "predicting", "head", "training", "storage", "gpu")


def main(arguments: list[str]) -> None:
    """Run benchmarks by name."""
    options = read_options(arguments, BENCHMARKS)
    keep_to_two_processors()
    for name in options.names:
        importlib.import_module(f"tests.benchmarks.{name}").main(options)


if __name__ == "__main__":
    main(sys.argv[1:])
