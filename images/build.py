"""Build the container images that images.toml lists, with docker, podman or buildah. Standard library only.

    python images/build.py [NAME…] [--registry HOST/PATH] [--push] …

An image is named REGISTRY/NAME:VERSION. Images that it stands on are built before it, as they are now.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

IMAGES = Path(__file__).resolve().parent
PROJECT = IMAGES.parent
PACKAGES = "a file with PIP_INDEX_URL=… and UV_DEFAULT_INDEX=…, which stays out of the images"
CONTRACT = "1"
"""Version of docs/reference/image-contract.md that notebook servers of ours keep."""

BUILD = {
    "docker": ["docker", "buildx", "build", "--load"],
    "podman": ["podman", "build"],
    "buildah": ["buildah", "build"],
}
SAVE = {
    "docker": ["docker", "save", "--output", "{file}", "{tag}"],
    "podman": ["podman", "save", "--quiet", "--format", "docker-archive", "--output", "{file}", "{tag}"],
    "buildah": ["buildah", "push", "--quiet", "{tag}", "docker-archive:{file}"],
}


@dataclass(frozen=True)
class Image:
    """A row of the table."""

    name: str
    title: str
    description: str
    parent: str = ""
    module: str = ""
    """The catalogue's name of the module that is in it."""

    @property
    def is_server(self) -> bool:
        """Whether users' notebook servers are started from it."""
        return self.name == "base" or self.parent == "base"


class BuildError(Exception):
    """An image cannot be built; the message is one sentence with the remedy."""


def main(arguments: list[str]) -> int:
    """Build, push and describe what the command line asks for."""
    options = _options(arguments)
    try:
        table = read_table()
        for image in with_parents(table, options.names):
            build(image, options)
            if options.sbom:
                describe(image, options)
            if options.push:
                push(image, options)
    except BuildError as error:
        print(f"imagine: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"imagine: this step failed: {shlex.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    return 0


def read_table() -> dict[str, Image]:
    """Return the images by name, each after the one that it stands on."""
    rows = tomllib.loads((IMAGES / "images.toml").read_text())
    return {name: Image(name, **row) for name, row in rows.items()}


def with_parents(table: dict[str, Image], names: list[str]) -> list[Image]:
    """Return the named images (all, if none is named) with those that they stand on, in the order of the table.

    Raises
    ------
    BuildError
        There is no such image.
    """
    wanted = set(names or table)
    if unknown := sorted(wanted - set(table)):
        raise BuildError(f"There is no image {unknown[0]!r}; there are {', '.join(table)}.")
    for image in reversed(table.values()):
        if image.name in wanted and image.parent:
            wanted.add(image.parent)
    return [image for image in table.values() if image.name in wanted]


def build(image: Image, options: argparse.Namespace) -> None:
    """Build one image, and print its size."""
    base = tag_of(image.parent, options) if image.parent else options.base_image
    command = [*BUILD[options.builder], *options.flags, "--file", IMAGES / image.name / "Dockerfile"]
    command += ["--tag", tag_of(image.name, options)]
    for name, value in {"BASE_IMAGE": base, "TORCH": options.torch, "TORCH_INDEX": options.torch_index}.items():
        if value and _takes(image, name):
            command += ["--build-arg", f"{name}={value}"]
    for name, value in labels(image, base).items():
        command += ["--label", f"{name}={value}"]
    if options.packages:
        command += ["--secret", f"id=packages,src={options.packages}"]
    _run([*command, PROJECT])
    shown = [options.builder, "images", "--format", "{{.Size}}", tag_of(image.name, options)]
    print(f"{tag_of(image.name, options)}: {_output(shown).splitlines()[0]}", flush=True)


def labels(image: Image, base: str) -> dict[str, str]:
    """Return an image's labels: those of the Open Container Initiative, and what the workspace asks of servers."""
    opencontainers = {
        "title": image.title,
        "description": image.description,
        "version": version(),
        "revision": _output(["git", "-C", PROJECT, "rev-parse", "HEAD"]),
        "created": datetime.fromtimestamp(_last_commit(), UTC).isoformat(),
        "licenses": "Apache-2.0",
    }
    if base:
        opencontainers["base.name"] = base
    ours = {"image-contract": CONTRACT, "module": image.module} if image.is_server else {}
    return {f"org.opencontainers.image.{name}": value for name, value in opencontainers.items()} | {
        f"eu.imagine-ai.{name}": value for name, value in ours.items() if value
    }


def describe(image: Image, options: argparse.Namespace) -> None:
    """Write what software is in an image to ``dist/NAME.spdx.json``."""
    syft = PROJECT / ".venv" / "bin" / "syft"
    target = PROJECT / "dist" / f"{image.name}.spdx.json"
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "image.tar"
        _run([word.format(file=archive, tag=tag_of(image.name, options)) for word in SAVE[options.builder]])
        _run([syft, "scan", "--quiet", f"docker-archive:{archive}", "--output", f"spdx-json={target}"])
    print(f"{target.relative_to(PROJECT)}: {len(json.loads(target.read_text())['packages'])} packages", flush=True)


def push(image: Image, options: argparse.Namespace) -> None:
    """Push an image, and print the digest by which settings name it.

    Raises
    ------
    BuildError
        No registry was named.
    """
    if not options.registry:
        raise BuildError("Say where to push to: --registry registry.example.org/imagine.")
    tag = tag_of(image.name, options)
    with tempfile.TemporaryDirectory() as folder:
        if options.builder == "docker":
            _run(["docker", "push", "--quiet", tag])
            digest = _output(["docker", "inspect", "--format", "{{index .RepoDigests 0}}", tag]).rpartition("@")[2]
        else:
            _run([options.builder, "push", "--quiet", "--digestfile", f"{folder}/digest", tag])
            digest = Path(folder, "digest").read_text().strip()
    print(f"{tag.rpartition(':')[0]}@{digest}", flush=True)


def tag_of(name: str, options: argparse.Namespace) -> str:
    """Return an image's full name."""
    return f"{options.registry or 'imagine'}/{name}:{version()}"


def version() -> str:
    """Return the project's version."""
    return str(tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"])


def _options(arguments: list[str]) -> argparse.Namespace:
    found = next((name for name in BUILD if shutil.which(name)), "docker")
    parser = argparse.ArgumentParser(prog="images/build.py", description="Build the workspace's container images.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; all, if none is named")
    parser.add_argument("--builder", choices=BUILD, default=found, help="default: the first that is installed")
    parser.add_argument("--flags", type=shlex.split, default=[], help="more flags for the builder")
    parser.add_argument("--registry", default="", help="what names begin with, such as registry.example.org/imagine")
    parser.add_argument("--push", action="store_true", help="push what was built, and print its digest")
    parser.add_argument("--base-image", default="", help="the Debian to stand on, from a mirror of yours")
    parser.add_argument("--torch", default="", help="which requirements/torch-….txt; default: cuda")
    parser.add_argument("--torch-index", default="", help="the index that has this PyTorch")
    parser.add_argument("--packages", default=os.environ.get("PACKAGES", ""), help=PACKAGES)
    parser.add_argument("--sbom", action="store_true", help="list the software in each image in dist/NAME.spdx.json")
    return parser.parse_args(arguments)


def _takes(image: Image, argument: str) -> bool:
    """Tell whether a Dockerfile has an argument; a builder warns of those that none asked for."""
    return f"ARG {argument}=" in (IMAGES / image.name / "Dockerfile").read_text()


def _last_commit() -> int:
    return int(_output(["git", "-C", PROJECT, "log", "-1", "--format=%ct"]))


def _run(command: list[object]) -> None:
    subprocess.run([str(part) for part in command], check=True)


def _output(command: list[object]) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
