"""The table of images and their Dockerfiles hold together, and the program that builds them says what it does."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = PROJECT / "images"
PROGRAM = IMAGES / "build.py"


def load_program() -> Any:
    spec = importlib.util.spec_from_file_location("build_images", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


build = load_program()
TABLE = build.read_table()


def dockerfile(name: str) -> str:
    return (IMAGES / name / "Dockerfile").read_text()


def test_each_image_has_a_folder_and_each_dockerfile_a_row() -> None:
    assert sorted(TABLE) == sorted(path.parent.name for path in IMAGES.glob("*/Dockerfile"))
    for image in TABLE.values():
        assert image.parent in {"", *TABLE}, image.name
        assert list(TABLE).index(image.name) > list(TABLE).index(image.parent) if image.parent else True


def test_each_module_of_the_catalogue_has_an_image() -> None:
    modules = {path.parent.name for path in IMAGES.glob("*/ai4-metadata.yml")}
    assert modules == {image.name for image in TABLE.values() if image.module}


@pytest.mark.parametrize("name", TABLE)
def test_a_dockerfile_takes_any_mirror_and_ends_as_an_ordinary_user(name: str) -> None:
    text = dockerfile(name)
    assert re.search(r"^ARG BASE_IMAGE=\S+$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${BASE_IMAGE}"}
    users = re.findall(r"^USER (\S+)", text, re.MULTILINE)
    assert users[-1:] == ([] if TABLE[name].parent and not users else ["1000:1000"])
    assert not re.search(r"curl|wget|https?://|ADD ", text)


@pytest.mark.parametrize("name", TABLE)
def test_every_package_is_pinned_by_hash(name: str) -> None:
    for command in re.findall(r"pip install (.*(?:\n\s+.*)*)", dockerfile(name)):
        assert "--require-hashes" in command or "--no-deps /dist/" in command, command


@pytest.mark.parametrize("name", TABLE)
def test_what_a_dockerfile_copies_is_there_and_let_through(name: str) -> None:
    seen = [line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = re.findall(r"^COPY (?:--\S+ )*(\S+) ", dockerfile(name), re.MULTILINE)
    sources += re.findall(r"type=bind,source=([^,]+)", dockerfile(name))
    for source in set(sources) - {"dist"}:  # made by `make wheels`
        assert (PROJECT / source).exists(), source
        assert any(pattern.startswith(source) or source.startswith(pattern.split("/*")[0]) for pattern in seen), (
            source
        )


def test_torch_is_in_the_base_alone() -> None:
    for name in ("server", "hub"):
        assert not re.search(r"^(torch|torchvision|nvidia-\S+)==", requirements(name), re.MULTILINE), name
    assert re.search(r"^torch==", requirements("torch-cuda"), re.MULTILINE)
    assert [name for name in TABLE if "torch-$TORCH" in dockerfile(name)] == ["base"]


def test_images_and_workspace_have_the_same_versions() -> None:
    """What is deployed is what was tested."""
    tested = versions("dev")
    for name in ("torch-cuda", "server", "hub"):
        for package, version in versions(name).items():
            assert tested.get(package, version) == version, f"{package} in {name}.txt"


def requirements(name: str) -> str:
    return (PROJECT / "requirements" / f"{name}.txt").read_text()


def versions(name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([a-z0-9-]+)(?:\[\S+\])?==(\S+)", requirements(name), re.MULTILINE):
        found.setdefault(package, set()).add(version)
    return found


def test_an_image_is_built_after_the_one_that_it_stands_on(builder: Path) -> None:
    done = run(builder, "phytoplankton-classification", "--registry", "r.example.org/imagine", "--torch", "cpu")
    assert done.returncode == 0, done.stderr
    base, module = [words for words in recorded(builder) if words[0] == "build"]
    version = build.version()
    assert base[base.index("--tag") + 1] == f"r.example.org/imagine/base:{version}"
    assert "TORCH=cpu" in base
    assert f"BASE_IMAGE=r.example.org/imagine/base:{version}" in module
    assert "TORCH=cpu" not in module
    assert "eu.imagine-ai.image-contract=1" in module
    assert "eu.imagine-ai.module=phytoplankton" in module
    assert any(word.startswith("org.opencontainers.image.revision=") for word in module)


def test_images_for_nobodys_server_declare_no_contract(builder: Path) -> None:
    assert run(builder, "platform").returncode == 0
    assert not any("image-contract" in word for words in recorded(builder) for word in words)


def test_an_index_of_the_operators_is_a_secret_of_the_build(builder: Path, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.write_text("PIP_INDEX_URL=https://user:password@packages.example.org/simple\n")
    assert run(builder, "hub", "--packages", str(packages)).returncode == 0
    (words,) = [words for words in recorded(builder) if words[0] == "build"]
    assert f"id=packages,src={packages}" in words
    assert not any("password" in word for word in words)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["plankton"],
            "There is no image 'plankton'; there are base, hub, platform, proxy, demo, phytoplankton-classification.",
        ),
        (["hub", "--push"], "Say where to push to: --registry registry.example.org/imagine."),
    ],
)
def test_what_cannot_be_done_is_said(builder: Path, arguments: list[str], sentence: str) -> None:
    done = run(builder, *arguments)
    assert (done.returncode, done.stderr.strip()) == (1, f"imagine: {sentence}")


@pytest.fixture
def builder(tmp_path: Path) -> Path:
    """A program in the place of podman, which writes down what it is asked to do."""
    program = tmp_path / "podman"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"open({str(tmp_path / 'asked')!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
        "print('1.2 GB')\n"
    )
    program.chmod(0o755)
    return tmp_path


def run(builder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{builder}:/usr/bin:/bin"}
    command = [sys.executable, str(PROGRAM), *arguments, "--builder", "podman"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def recorded(builder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (builder / "asked").read_text().splitlines()]
