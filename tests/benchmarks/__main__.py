"""``make bench``: run every benchmark of this folder, or those named; results go to ``results/``, hardware in the name."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = ("bering",)


def main(names: list[str]) -> None:
    """Run benchmarks by name."""
    for name in names or BENCHMARKS:
        importlib.import_module(f"tests.benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
