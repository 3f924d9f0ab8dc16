"""The verb ``imagine dataset``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from imagine_lib.cli.common import add_data_options, add_family, add_verb, print_json

if TYPE_CHECKING:
    import argparse

    from imagine_lib.data import ImageSet


def add(verbs: Any) -> None:
    """Add the verb."""
    verbs = add_family(verbs, "dataset", "Look at a set of labelled images.")
    text = "Look for what would spoil a training; ends with 1 where something has to be put right."
    parser = add_verb(verbs, "check", _check, text)
    add_data_options(parser)
    _add_rarity(parser)
    parser = add_verb(verbs, "split", _split, "Divide a set and write down which image is where.")
    add_data_options(parser)
    _add_rarity(parser)
    parser.add_argument("--out", required=True, help="the file to write, .json")
    parser.add_argument("--seed", type=int, default=0)


def _add_rarity(parser: argparse.ArgumentParser) -> None:
    text = "leave out classes with fewer images (for detection: boxes)"
    parser.add_argument("--min-images", type=int, default=0, metavar="N", help=text)
    text = "leave out classes whose images lie in fewer groups; a split needs 3"
    parser.add_argument("--min-groups", type=int, default=0, metavar="N", help=text)


def _open(arguments: argparse.Namespace) -> ImageSet:
    from imagine_lib.data import open_dataset

    data = open_dataset(arguments.data, arguments.group_by, arguments.format)
    if not arguments.min_images and not arguments.min_groups:
        return data
    rest = data.without_rare_classes(arguments.min_images, arguments.min_groups)
    for remark in rest.remarks[len(data.remarks) :]:
        print(f"imagine: {remark}", file=sys.stderr)
    return rest


def _check(arguments: argparse.Namespace) -> int:
    from imagine_lib.doctor import diagnose

    found = diagnose(_open(arguments))
    if arguments.json:
        print_json(found.to_dict())
    else:
        print(repr(found))
    return 0 if found.ok else 1


def _split(arguments: argparse.Namespace) -> int:
    split = _open(arguments).split(arguments.seed)
    path = split.save(arguments.out)
    for warning in split.warnings:
        print(f"imagine: {warning}", file=sys.stderr)
    if arguments.json:
        print_json({"path": str(path), "sha256": split.sha256, **split.manifest})
    else:
        print(path)
    return 0
