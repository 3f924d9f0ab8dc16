"""How long ``import imagine_lib`` takes in a fresh process, and whether it loads torch."""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.hardware import PROJECT, write_results

if TYPE_CHECKING:
    from tests.benchmarks.options import Options

TIMES = 20
CODE = """
import sys, time
begin = time.perf_counter()
import imagine_lib
print(time.perf_counter() - begin, "torch" in sys.modules)
"""


def main(options: Options) -> None:
    """Measure and write the table."""
    _import()  # from a warm disk: the first start of a day measures the disk
    found = [_import() for _ in range(3 if options.smoke else TIMES)]
    seconds = [one[0] for one in found]
    row = {"median_seconds": f"{median(seconds):.4f}", "most_seconds": f"{max(seconds):.4f}", "times": len(found)}
    write_results("importing", [row | {"loads_torch": any(one[1] for one in found)}], options.smoke)


def _import() -> tuple[float, bool]:
    command = [sys.executable, "-c", CODE]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT).stdout
    seconds, loaded = printed.split()
    return float(seconds), loaded == "True"
