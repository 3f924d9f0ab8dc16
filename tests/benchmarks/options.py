"""What can be asked of ``python -m tests.benchmarks``."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Which benchmarks, and which part of the one that takes hours."""

    names: tuple[str, ...]
    smoke: bool = False
    fresh: bool = False
    ablation: bool = False
    folds: tuple[int, ...] = ()
    systems: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()


def read_options(arguments: list[str], known: tuple[str, ...]) -> Options:
    """Read a command line."""
    parser = ArgumentParser(
        "python -m tests.benchmarks", description="Measure; all benchmarks unless some are named."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--smoke", action="store_true", help="a few images: does it run? Figures are not kept")
    training = parser.add_argument_group("training", "goes on where it was cut off")
    training.add_argument("--fresh", action="store_true", help="begin anew")
    training.add_argument("--ablation", action="store_true", help="what brings it: our recipe without one thing")
    training.add_argument("--folds", default="", help="such as 0,1")
    training.add_argument("--systems", default="", help="such as fastai,imagine_lib")
    training.add_argument("--start", default="", help="random or starter")
    found = parser.parse_args(arguments)
    if unknown := set(found.names) - set(known):
        parser.error(f"there is no benchmark {min(unknown)!r}: choose from {', '.join(known)}")
    return Options(
        names=tuple(found.names) or known,
        smoke=found.smoke,
        fresh=found.fresh,
        ablation=found.ablation,
        folds=tuple(map(int, _listed(found.folds))),
        systems=_listed(found.systems),
        starts=_listed(found.start),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))
