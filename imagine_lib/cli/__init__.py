"""The command line: the verbs of the library. Data on standard output, talk on standard error.

Exit codes: 0 done, 1 failed (also when some of the images could not be read), 2 asked wrongly.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING

from imagine_lib.cli import catalogue, dataset, predicting, sharing, storage, training, weights
from imagine_lib.errors import ImagineError, Interrupted

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOMS = (catalogue, predicting, dataset, training, sharing, storage, weights)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        Without the program's name; by default the process's.

    Returns
    -------
    int
        The exit code.
    """
    parsed = make_parser().parse_args(arguments)
    warnings.showwarning = _print_warning
    try:
        code = int(parsed.run(parsed))
        sys.stdout.flush()
    except ImagineError as error:
        print(f"imagine: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as stop:
        print(f"imagine: {stop if isinstance(stop, Interrupted) else 'interrupted'}", file=sys.stderr)
        return 130
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that closing it cannot fail once more
        print(f"imagine: {error.filename or 'the output'}: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        return 1
    return code


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    parser = argparse.ArgumentParser(prog="imagine", description="Use, retrain and share AI models for images.")
    parser.add_argument("--version", action="version", version=f"imagine {version('imagine-workspace')}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for room in ROOMS:
        room.add(verbs)
    return parser


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"imagine: {message}", file=sys.stderr)
