"""The command line: the verbs of the library. Data on standard output, talk on standard error.

Exit codes: 0 done, 1 failed (also when some of the images could not be read), 2 asked wrongly.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagine_lib.errors import ImagineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imagine_lib.prediction.record import Failure, Predictions
    from imagine_lib.wire import CatalogueEntry


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
    parsed = _parser().parse_args(arguments)
    warnings.showwarning = _print_warning
    try:
        code = int(parsed.run(parsed))
        sys.stdout.flush()
    except ImagineError as error:
        print(f"imagine: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("imagine: interrupted", file=sys.stderr)
        return 130
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that closing it cannot fail once more
        print(f"imagine: {error.filename or 'the output'}: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="imagine", description="Use, retrain and share AI models for images.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_catalogue(verbs)
    _add_predict(verbs)
    _add_retrain(verbs)
    _add_evaluate(verbs)
    _add_share(verbs)
    return parser


def _verb(verbs: Any, name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_catalogue(verbs: Any) -> None:
    text = "Look into the catalogue of modules."
    parser = verbs.add_parser("catalogue", help=text, description=text)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _verb(verbs, "list", _catalogue_search, "List all modules.").set_defaults(text="")
    _verb(verbs, "search", _catalogue_search, "Find modules by words.").add_argument("text")
    _verb(verbs, "show", _catalogue_show, "Show one module.").add_argument("name")


def _add_predict(verbs: Any) -> None:
    parser = _verb(verbs, "predict", _predict, "Name what is on images.")
    parser.add_argument("model", help="catalogue name, owner/name, or the folder of a model package")
    parser.add_argument("images", nargs="+", help="files, folders or nextcloud:/ paths")
    parser.add_argument("--threshold", type=_probability, default=0.5, help="mark answers less probable than this")


def _add_retrain(verbs: Any) -> None:
    parser = _verb(verbs, "retrain", _retrain, "Train a model on your own classes.")
    parser.add_argument("model", help="what to start from")
    parser.add_argument("data", help="folder with one subfolder a class; also nextcloud:/")
    parser.add_argument("--out", required=True, type=Path, help="folder for the run: model, report, events")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--group-by", help="regular expression with one pair of parentheses around the group")


def _add_evaluate(verbs: Any) -> None:
    parser = _verb(verbs, "evaluate", _evaluate, "Test a model on labelled images that it has not seen.")
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--group-by", help="regular expression with one pair of parentheses around the group")


def _add_share(verbs: Any) -> None:
    parser = _verb(verbs, "share", _share, "Share a model in the workspace.")
    parser.add_argument("model", help="the folder of a model package, or of a run")
    parser.add_argument("name", help="what it shall be called")
    parser.add_argument("--to", action="append", required=True, help="everyone, group:NAME or user:NAME; repeatable")


def _catalogue_search(arguments: argparse.Namespace) -> int:
    from imagine_lib import catalogue

    found = catalogue.search(arguments.text)
    if arguments.json:
        _print_json([entry.model_dump(mode="json") for entry in found])
    else:
        for entry in found:
            print(f"{entry.name:24} {entry.title}: {entry.summary}")
        if not found:
            print(f"imagine: no module of the catalogue fits {arguments.text!r}", file=sys.stderr)
    return 0


def _catalogue_show(arguments: argparse.Namespace) -> int:
    from imagine_lib import catalogue

    entry = catalogue.find(arguments.name)
    if arguments.json:
        _print_json(entry.model_dump(mode="json"))
    else:
        print(_describe(entry))
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    from imagine_lib.api import load

    predictions = load(_model_source(arguments.model)).predict(arguments.images, arguments.threshold)
    if arguments.json:
        _print_json(predictions.to_dict())
    else:
        _print_predictions(predictions)
    return _tell_failures(predictions.errors)


def _retrain(arguments: argparse.Namespace) -> int:
    from imagine_lib.api import load
    from imagine_lib.data import open_dataset
    from imagine_lib.training import Recipe

    recipe = Recipe(epochs=arguments.epochs, seed=arguments.seed, batch_size=arguments.batch_size)
    data = open_dataset(arguments.data, group=arguments.group_by)
    run = load(_model_source(arguments.model)).retrain(data, recipe, folder=arguments.out)
    evaluation = run.report().evaluation
    if arguments.json:
        _print_json({"run": str(run.folder), "model": str(run.package.folder), **run.report().to_dict()})
    else:
        print(run.package.folder)
    return _tell_failures(evaluation.failures)


def _evaluate(arguments: argparse.Namespace) -> int:
    from imagine_lib.api import load
    from imagine_lib.data import open_dataset

    evaluation = load(_model_source(arguments.model)).evaluate(open_dataset(arguments.data, group=arguments.group_by))
    if arguments.json:
        _print_json(evaluation.to_dict())
    else:
        for name, value in evaluation.metrics.items():
            print(f"{name:20} {value:.4f}")
    return _tell_failures(evaluation.failures)


def _share(arguments: argparse.Namespace) -> int:
    from imagine_lib.api import load

    version = load(_model_source(arguments.model)).share(arguments.name, arguments.to)
    if arguments.json:
        _print_json(version.model_dump(mode="json", by_alias=True))
    else:
        print(f"{version.owner}/{version.name}@{version.version}")
    return 0


def _probability(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and 1")
    return value


def _tell_failures(failures: Sequence[Failure]) -> int:
    """Name the images that could not be read, and return the exit code."""
    for failure in failures:
        print(f"imagine: {failure.message}", file=sys.stderr)
    return 1 if failures else 0


def _model_source(text: str) -> str | Path:
    """Take an existing folder for a package, or for a run that holds one."""
    folder = Path(text).expanduser()
    for candidate in (folder, folder / "model"):
        if (candidate / "model.json").is_file():
            return candidate
    return folder if folder.is_dir() else text


def _describe(entry: CatalogueEntry) -> str:
    lines = [f"{entry.title} ({entry.name})", entry.summary, "", entry.description]
    if entry.status is not None:
        lines.append(f"\nstatus: {entry.status.value}; classes: {', '.join(known.name for known in entry.classes)}")
    return "\n".join(lines)


def _print_predictions(predictions: Predictions) -> None:
    from imagine_lib.prediction.record import DEMONSTRATION
    from imagine_lib.wire import ModelStatus

    if predictions.model_status == ModelStatus.DEMONSTRATION:
        print(f"imagine: {DEMONSTRATION}", file=sys.stderr)
    for item in predictions.items:
        print(f"{item.image}\t{item.label}\t{item.probability:.3f}\t{item.status}")


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=1, ensure_ascii=False)
    print()


def _print_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"imagine: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
