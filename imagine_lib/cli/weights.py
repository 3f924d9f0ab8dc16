"""The verb ``imagine weights``: what trained weights there are on this machine, and how more come to it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from imagine_lib.cli.common import add_family, add_verb, print_json

if TYPE_CHECKING:
    import argparse

    from imagine_lib.models.weights import StoredWeights


def add(verbs: Any) -> None:
    """Add the verb."""
    verbs = add_family(verbs, "weights", "Keep the trained weights that training can start from.")
    add_verb(verbs, "list", _list, "List the weights on this machine.")

    parser = add_verb(verbs, "fetch", _fetch, "Fetch the weights of a network and check them.")
    parser.add_argument("builder", metavar="BUILDER", help="one of torchvision's networks, like resnet18")
    parser.add_argument("--name", default="default", help="torchvision's name of them, or with --url any other")
    parser.add_argument("--url", help="where the file lies, if not where torchvision says")
    parser.add_argument("--sha256", help="what the file must have")

    parser = add_verb(verbs, "import", _import, "Take weights from a file and check them.")
    parser.add_argument("file", metavar="FILE", help="a .safetensors, or a .pth with its --sha256")
    parser.add_argument("--builder", required=True, help="the network that they are of, like resnet18")
    parser.add_argument("--sha256", help="what the file must have; torchvision's own files are known")
    parser.add_argument("--name", help="what to keep them under")


def _list(arguments: argparse.Namespace) -> int:
    from imagine_lib.models import weights

    found = weights.listed()
    if arguments.json:
        print_json([_to_dict(stored) for stored in found])
        return 0
    for stored in found:
        print(f"{stored.builder}\t{stored.name}\t{stored.size / 1e6:.0f} MB\t{stored.path}")
    if not found:
        print("imagine: no weights are on this machine: imagine weights fetch resnet18", file=sys.stderr)
    return 0


def _fetch(arguments: argparse.Namespace) -> int:
    from imagine_lib.models import weights

    return _print_stored(
        weights.fetch(arguments.builder, arguments.name, arguments.sha256, arguments.url), arguments.json
    )


def _import(arguments: argparse.Namespace) -> int:
    from imagine_lib.models import weights

    return _print_stored(
        weights.import_file(arguments.file, arguments.builder, arguments.sha256, arguments.name), arguments.json
    )


def _print_stored(stored: StoredWeights, as_json: bool) -> int:
    if as_json:
        print_json(_to_dict(stored))
    else:
        print(stored.path)
    return 0


def _to_dict(stored: StoredWeights) -> dict[str, Any]:
    return {"path": str(stored.path), **stored.model_dump(mode="json")}
