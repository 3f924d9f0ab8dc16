"""The verb ``imagine dataset``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagine_lib.cli.common import add_data_options, add_family, add_verb, print_json

if TYPE_CHECKING:
    import argparse


def add(verbs: Any) -> None:
    """Add the verb."""
    verbs = add_family(verbs, "dataset", "Look at a set of labelled images.")
    text = "Look for what would spoil a training; ends with 1 where something has to be put right."
    add_data_options(add_verb(verbs, "check", _check, text))
    parser = add_verb(verbs, "split", _split, "Divide a set and write down which image is where.")
    add_data_options(parser)
    parser.add_argument("--out", required=True, help="the file to write, .json")
    parser.add_argument("--seed", type=int, default=0)


def _check(arguments: argparse.Namespace) -> int:
    from imagine_lib.data import open_dataset
    from imagine_lib.doctor import diagnose

    found = diagnose(open_dataset(arguments.data, arguments.group_by, arguments.format))
    if arguments.json:
        print_json(found.to_dict())
    else:
        print(repr(found))
    return 0 if found.ok else 1


def _split(arguments: argparse.Namespace) -> int:
    from imagine_lib.data import open_dataset

    split = open_dataset(arguments.data, arguments.group_by, arguments.format).split(arguments.seed)
    path = split.save(arguments.out)
    if arguments.json:
        print_json({"path": str(path), "sha256": split.sha256, **split.manifest})
    else:
        print(path)
    return 0
