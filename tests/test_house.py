"""The house rules that a program can check."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

TOOLS = Path(sys.executable).parent
LARGEST = 4 * 1024**2
LONGEST = 500


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=PROJECT, capture_output=True, text=True, check=True)
    return [PROJECT / name for name in listed.stdout.splitlines() if (PROJECT / name).is_file()]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["mypy", "--strict", "--explicit-package-bases", "extensions/imagine_lab/imagine_lab"],
        ["sphinx-build", "--quiet", "--fail-on-warning", "docs", "docs/_build"],
    ],
    ids=["ruff", "format", "mypy", "mypy of the extension", "docs"],
)
def test_a_tool_finds_nothing(command: list[str]) -> None:
    done = subprocess.run(
        [TOOLS / command[0], *command[1:]], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_target_is_in_the_help() -> None:
    shown = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for target in [
        "help",
        "run",
        "stop",
        "reset",
        "test",
        "lint",
        "bench",
        "docs",
        "images",
        "clean",
        "starter-model",
        "lock",
    ]:
        assert re.search(rf"make {target} ", shown), target


def test_every_requirement_is_pinned_with_hashes() -> None:
    for path in tracked("requirements/*.txt"):
        lines = [line for line in path.read_text().splitlines() if re.match(r"[A-Za-z0-9]", line)]
        assert lines
        assert all("==" in line and line.endswith("\\") for line in lines), path


def test_files_stay_small() -> None:
    for path in tracked():
        assert path.stat().st_size < LARGEST, path
    for path in tracked("*.py", "*.ts", "*.tsx"):
        if not path.is_relative_to(PROJECT / "tests"):
            assert len(path.read_text().splitlines()) <= LONGEST, path


def test_the_lock_files_carry_no_addresses() -> None:
    for path in tracked("*package-lock.json", "*yarn.lock", "requirements/*.txt"):
        assert not re.search(r'"resolved"|https?://[^ "]*(registry|index|files)', path.read_text()), path


def test_arrows_between_the_rooms_go_one_way() -> None:
    """What a folder of ``imagine_lib`` may not import, and what the hub may import of it."""
    for path in tracked("imagine_lib/**/*.py", "imagine_lib/*.py"):
        assert "hub_config" not in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE), path
    for path in tracked("hub_config/platform/**/*.py"):
        for room in re.findall(r"^\s*from imagine_lib\.?(\w*)", path.read_text(), re.MULTILINE):
            assert room in ("", "wire", "catalogue", "errors"), path


def test_notebooks_are_stored_without_outputs() -> None:
    for path in tracked("notebooks/**/*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells), path
