"""The verbs ``imagine retrain``, ``evaluate`` and ``compare``."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagine_lib.cli.common import add_data_options, add_verb, model_source, print_json, tell_failures

if TYPE_CHECKING:
    from imagine_lib.data import ImageSet, Split
    from imagine_lib.training import Recipe

TORCHVISION = "torchvision:"
"""What precedes the name of a network in place of a model."""

PYTHON = {"None": None, "True": True, "False": False}
"""Values of a recipe as Python writes them, beside JSON."""


def add(verbs: Any) -> None:
    """Add the verbs."""
    parser = add_verb(verbs, "retrain", _retrain, "Train a model on your own classes.")
    parser.add_argument("model", help="what to start from: a model, or torchvision:BUILDER like torchvision:resnet18")
    add_data_options(parser)
    parser.add_argument("--out", required=True, type=Path, help="folder for the run; one that was cut off goes on")
    parser.add_argument("--split", help="a split that was written down, in place of a new one")
    parser.add_argument("--weights", default="default", help="of a torchvision network: a name, a file, or none")
    parser.add_argument("--name", help="what the new model is called")
    parser.add_argument("--preset", choices=["quick", "best"], help="a first look, or a model to keep")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--seed", type=int)
    text = "another field of the recipe, like image_size=128; repeatable"
    parser.add_argument("--set", action="append", default=[], type=_setting, metavar="FIELD=VALUE", help=text)

    parser = add_verb(verbs, "evaluate", _evaluate, "Test a model on labelled images that it has not seen.")
    parser.add_argument("model")
    add_data_options(parser)
    parser.add_argument("--taxonomy", type=Path, help="a table of taxa: the accuracy at each rank is measured too")

    parser = add_verb(verbs, "compare", _compare, "Test two models on the same images, which neither has seen.")
    parser.add_argument("first")
    parser.add_argument("second")
    add_data_options(parser)


def _retrain(arguments: argparse.Namespace) -> int:
    from imagine_lib.api import backbone, load

    recipe = _recipe(arguments)
    data = _split(arguments, _open(arguments))
    name = arguments.model.removeprefix(TORCHVISION)
    if name != arguments.model:
        start = backbone(name, None if arguments.weights == "none" else arguments.weights)
        run = start.retrain(data, recipe, name=arguments.name, folder=arguments.out)
    else:
        model = load(model_source(name))
        run = model.retrain(data, recipe, name=arguments.name, folder=arguments.out)
    report = run.report()
    if arguments.json:
        print_json({"run": str(run.folder), "model": str(run.package.folder), **report.to_dict()})
    else:
        print(run.package.folder)
    return tell_failures(report.evaluation.failures)


def _evaluate(arguments: argparse.Namespace) -> int:
    from imagine_lib.api import load

    evaluation = load(model_source(arguments.model)).evaluate(_open(arguments), taxonomy=arguments.taxonomy)
    if arguments.json:
        print_json(evaluation.to_dict())
    else:
        for name, value in evaluation.metrics.items():
            print(f"{name:20} {value:.4f}")
    return tell_failures(evaluation.failures)


def _compare(arguments: argparse.Namespace) -> int:
    from imagine_lib.api import compare, load

    first, second = load(model_source(arguments.first)), load(model_source(arguments.second))
    found = compare(first, second, _open(arguments))
    if arguments.json:
        print_json(found.to_dict())
    else:
        print(repr(found))
        print(found.to_dataframe().to_string(float_format="{:.3f}".format))
    return 0


def _open(arguments: argparse.Namespace) -> ImageSet:
    from imagine_lib.data import open_dataset

    return open_dataset(arguments.data, arguments.group_by, arguments.format)


def _split(arguments: argparse.Namespace, data: ImageSet) -> ImageSet | Split:
    from imagine_lib.data import Split

    return Split.load(arguments.split, data) if arguments.split else data


def _recipe(arguments: argparse.Namespace) -> Recipe:
    from imagine_lib.errors import UsageError
    from imagine_lib.training import Recipe

    given = {"epochs": arguments.epochs, "batch_size": arguments.batch_size, "seed": arguments.seed}
    changes = {name: value for name, value in given.items() if value is not None} | dict(arguments.set)
    known = {field.name for field in fields(Recipe)}
    if unknown := sorted(set(changes) - known):
        raise UsageError(f"A recipe has no field {unknown[0]!r}; there are {', '.join(sorted(known))}.")
    preset = {"quick": Recipe.quick, "best": Recipe.best}.get(arguments.preset, Recipe)
    return preset(**changes)


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form FIELD=VALUE")
    try:
        return name, PYTHON[value] if value in PYTHON else json.loads(value)
    except ValueError:
        return name, value
