"""The verb ``imagine share``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagine_lib.cli.common import add_verb, model_source, print_json

if TYPE_CHECKING:
    import argparse


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "share", _share, "Share a model in the workspace.")
    parser.add_argument("model", help="the folder of a model package, or of a run")
    parser.add_argument("name", help="what it shall be called")
    parser.add_argument("--to", action="append", required=True, help="everyone, group:NAME or user:NAME; repeatable")


def _share(arguments: argparse.Namespace) -> int:
    from imagine_lib.api import load

    version = load(model_source(arguments.model)).share(arguments.name, arguments.to)
    if arguments.json:
        print_json(version.model_dump(mode="json", by_alias=True))
    else:
        print(f"{version.owner}/{version.name}@{version.version}")
    return 0
