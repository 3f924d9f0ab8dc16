"""What the verbs share: options, and how answers are printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from imagine_lib.prediction.record import Failure


def add_verb(verbs: Any, name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    """Add a verb that can answer in JSON."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def add_family(verbs: Any, name: str, text: str) -> Any:
    """Add a verb that has verbs of its own, and return the place for them."""
    parser = verbs.add_parser(name, help=text, description=text)
    return parser.add_subparsers(required=True, metavar="VERB")


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add how images are opened."""
    parser.add_argument("data", help="folder, zip or table with labelled images; also nextcloud:/")
    parser.add_argument("--format", help="its reader; by default found by looking")
    parser.add_argument(
        "--group-by",
        help="what keeps images together: a regular expression with one pair of parentheses around the group's name, "
        "or a column",
    )


def model_source(text: str) -> str | Path:
    """Take an existing folder for a package, or for a run that holds one."""
    folder = Path(text).expanduser()
    for candidate in (folder, folder / "model"):
        if (candidate / "model.json").is_file():
            return candidate
    return folder if folder.is_dir() else text


def print_json(value: Any) -> None:
    """Print plain data as JSON."""
    json.dump(value, sys.stdout, indent=1, ensure_ascii=False)
    print()


def tell_failures(failures: Sequence[Failure]) -> int:
    """Name the images that could not be read, and return the exit code."""
    for failure in failures:
        print(f"imagine: {failure.message}", file=sys.stderr)
    return 1 if failures else 0
