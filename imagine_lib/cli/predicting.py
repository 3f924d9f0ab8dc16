"""The verb ``imagine predict``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagine_lib.cli.common import add_verb, model_source, print_json, tell_failures

if TYPE_CHECKING:
    from imagine_lib.prediction.record import Predictions


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "predict", _predict, "Name what is on images.")
    parser.add_argument("model", help="catalogue name, owner/name, or the folder of a model package")
    parser.add_argument("images", nargs="+", help="files, folders, zips or nextcloud:/ paths")
    text = "mark answers less probable than this (default: what each class was calibrated with, else 0.5)"
    parser.add_argument("--threshold", type=_probability, help=text)
    parser.add_argument("--folder", type=Path, help="keep answers here while they are made, and go on from there")
    text = "write the answers to a file: .csv, .parquet, .json, or ecotaxa_NAME.tsv"
    parser.add_argument("--out", type=Path, help=text)


def _predict(arguments: argparse.Namespace) -> int:
    from imagine_lib.api import load
    from imagine_lib.prediction.files import check_file, write_file

    model = load(model_source(arguments.model))
    if arguments.out is not None:
        check_file(arguments.out, model.name, model.status)
    predictions = model.predict(arguments.images, arguments.threshold, folder=arguments.folder)
    if arguments.out is not None:
        write_file(predictions, arguments.out)
    _print(predictions, arguments)
    return tell_failures(predictions.errors)


def _print(predictions: Predictions, arguments: argparse.Namespace) -> None:
    from imagine_lib.prediction.files import as_lines
    from imagine_lib.prediction.record import DEMONSTRATION
    from imagine_lib.wire import ModelStatus

    if arguments.json:
        print_json(predictions.to_dict())
    elif arguments.out is not None:
        print(arguments.out)
    else:
        for line in as_lines(predictions):
            print(line)
    if predictions.model_status == ModelStatus.DEMONSTRATION:
        print(f"imagine: {DEMONSTRATION}", file=sys.stderr)
    for note in predictions.notes:
        print(f"imagine: {note}", file=sys.stderr)


def _probability(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and 1")
    return value
