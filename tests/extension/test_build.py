"""What is built and installed: small, of one version, and the logic in it tested."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from jupyter_core.paths import jupyter_path

SOURCE = Path(__file__).parents[2] / "extensions" / "imagine_lab"

INSTALLED = next(
    (path for folder in jupyter_path("labextensions") if (path := Path(folder, "imagine-lab")).is_dir()), Path()
)
"""Where the Lab finds it."""


def test_what_the_browser_loads_is_small() -> None:
    files = list((INSTALLED / "static").glob("*.js"))
    assert len(files) >= 3
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 30_000


def test_both_parts_have_one_version() -> None:
    assert json.loads((INSTALLED / "package.json").read_text())["version"] == version("imagine-lab")


def test_the_lock_files_name_no_registry() -> None:
    for file in (SOURCE / "yarn.lock", SOURCE / "checks" / "yarn.lock", SOURCE / ".yarnrc.yml"):
        assert "://" not in file.read_text()


def test_the_logic_of_the_browser_part() -> None:
    node = shutil.which("node")
    if node is None or not (SOURCE / "node_modules").is_dir():
        pytest.skip("the extension was not built in this clone")
    done = subprocess.run([node, SOURCE / "checks" / "unit.mjs"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fail 0" in done.stdout
