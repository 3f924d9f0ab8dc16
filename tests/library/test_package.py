"""A model package that was touched is refused, and nothing in it can reach outside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import imagine_lib as im
from imagine_lib.errors import ModelError
from imagine_lib.models.package import read_package, write_package

if TYPE_CHECKING:
    from imagine_lib.training.run import Run


@pytest.fixture
def copy(tiny: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny.package.folder, tmp_path / "package"))


def test_it_holds_what_it_says(tiny: Run) -> None:
    names = {entry.path for entry in tiny.package.manifest.files}
    assert names == {"model.safetensors", "README.md", "seen.json", "calibration.safetensors"}
    assert read_package(tiny.package.folder).sha256 == tiny.package.sha256


@pytest.mark.parametrize("arguments", [{"weights_backbone": 1}, {"width_mult": 1e9}, {"num_classes": 5}])
def test_arguments_that_could_fetch_or_fill_are_refused(copy: Path, arguments: dict[str, float]) -> None:
    package = read_package(copy)
    manifest = package.manifest.model_copy(deep=True)
    manifest.architecture.arguments = arguments
    write_package(copy, manifest, {entry.path: (copy / entry.path).read_bytes() for entry in package.manifest.files})
    with pytest.raises(im.ImagineError, match="A network here takes no argument"):
        _ = im.load(copy).network


@pytest.mark.parametrize("name", ["model.safetensors", "README.md", "seen.json"])
def test_one_flipped_byte_is_refused(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(
        ModelError, match=rf"{name} is not the file that its model\.json describes \(sha256 differs\)"
    ):
        im.load(copy)


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "seen.json").unlink()
    with pytest.raises(ModelError, match=r"seen\.json is missing from its model package"):
        im.load(copy)


def test_a_link_out_of_it_is_refused(copy: Path, tmp_path: Path) -> None:
    (copy / "README.md").rename(tmp_path / "outside.md")
    (copy / "README.md").symlink_to(tmp_path / "outside.md")
    with pytest.raises(ModelError, match="points outside its model package"):
        im.load(copy)


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b", "a/b/c", ".hidden", "x\0y"])
def test_a_path_that_climbs_is_refused(copy: Path, path: str) -> None:
    manifest = json.loads((copy / "model.json").read_text())
    manifest["files"][0]["path"] = path
    (copy / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"model\.json cannot be understood: files\.0\.path"):
        im.load(copy)


@pytest.mark.parametrize(
    ("key", "value"),
    [("classes", []), ("schema", 99), ("architecture", {"builder": 3}), ("surprise", 1), ("input", {"size": 10**9})],
)
def test_a_lie_in_the_manifest_is_refused(copy: Path, key: str, value: object) -> None:
    manifest = json.loads((copy / "model.json").read_text()) | {key: value}
    (copy / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"model\.json cannot be understood"):
        im.load(copy)


def test_weights_of_another_network_are_refused(copy: Path) -> None:
    package = read_package(copy)
    manifest = package.manifest.model_copy(deep=True)
    manifest.architecture.builder = "resnet18"
    files = {entry.path: (copy / entry.path).read_bytes() for entry in package.manifest.files}
    write_package(copy, manifest, files)
    with pytest.raises(ModelError, match="does not fit the network"):
        _ = im.load(copy).network


def test_an_unknown_network_is_refused(copy: Path) -> None:
    package = read_package(copy)
    manifest = package.manifest.model_copy(deep=True)
    manifest.architecture.builder = "os.system"
    files = {entry.path: (copy / entry.path).read_bytes() for entry in package.manifest.files}
    write_package(copy, manifest, files)
    with pytest.raises(im.ImagineError, match=r"torchvision has no network 'os\.system'"):
        _ = im.load(copy).network


def test_a_folder_with_other_things_is_left_alone(tiny: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ModelError, match=r"holds other files \(thesis\.txt\)"):
        tiny.model.save(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_full_disk_leaves_the_old_package(tiny: Run, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: both fail in the middle of a write."""
    target = tmp_path / "package"
    tiny.model.save(target)
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "import imagine_lib as im\n"
        "im.load(Path(sys.argv[1])).save(sys.argv[2])\n"
    )
    command = [sys.executable, "-c", code, str(tiny.package.folder), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert "could not be written (File too large): nothing was changed there." in done.stderr
    assert read_package(target).sha256 == tiny.package.sha256
    assert [path.name for path in tmp_path.iterdir()] == ["package"]


def test_saving_over_a_package_with_notes_beside_it_is_refused(tiny: Run, tmp_path: Path) -> None:
    tiny.model.save(tmp_path / "p")
    (tmp_path / "p" / "my-notes.txt").write_text("years of work")
    with pytest.raises(ModelError, match=r"holds other files \(my-notes\.txt\)"):
        tiny.model.save(tmp_path / "p")
    assert (tmp_path / "p" / "my-notes.txt").read_text() == "years of work"


def test_a_package_of_another_preprocessing_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / "model.json").read_text())
    manifest["input"]["hash"] = "0" * 64
    (copy / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="was made with another preprocessing"):
        im.load(copy)


@pytest.mark.parametrize("change", [{"mean": [0.5]}, {"std": [0, 1, 1]}, {"std": [float("nan")] * 3}])
def test_numbers_that_cannot_be_are_refused(copy: Path, change: dict[str, object]) -> None:
    manifest = json.loads((copy / "model.json").read_text())
    manifest["input"] |= change
    (copy / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"model\.json cannot be understood"):
        im.load(copy)


def test_a_card_cannot_run_or_load_anything_in_a_notebook(tiny: Run, copy: Path) -> None:
    package = read_package(copy)
    files = {entry.path: (copy / entry.path).read_bytes() for entry in package.manifest.files}
    hostile = "# T\n<script>alert(1)</script> <img src=x onerror=alert(1)> ![p](https://example.org/p.png) [l](javascript:a)"
    write_package(copy, package.manifest, files | {"README.md": hostile.encode()})
    page = im.load(copy)._repr_html_()
    assert "<h1>T</h1>" in page
    assert not {"<script", "<img", 'href="javascript'} & {
        tag for tag in ("<script", "<img", 'href="javascript') if tag in page
    }
    assert not hasattr(im.load(copy), "_repr_markdown_")
