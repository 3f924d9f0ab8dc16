"""A project and a Python that only root can enter: what users' servers need is put where they can reach it.

Nothing is installed here. The packages of the environment that runs the tests are lent to the one that the installer
is to use, and it is told that they are installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub_config.local import install
from hub_config.local.places import CHOSEN, Places, runs_as_root
from tests.workspace.conftest import PROJECT, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.workspace,
    pytest.mark.skipif(not runs_as_root(), reason="only root can give users accounts of their own"),
]

STRANGER = 54_323
"""A uid that nobody has."""

COPIED = ("hub_config", "imagine_lib", "images", "notebooks", "extensions", "requirements")
BUILT = shutil.ignore_patterns("__pycache__", "node_modules", "lib", "labextension", ".yarn", "dist", "*.tsbuildinfo")


class Clone(Workspace):
    """A copy of the project that is used as `make` does, with its state inside."""

    @property
    def project(self) -> Path:
        return self.folder.parent

    @property
    def elsewhere(self) -> Path:
        """Where the installer puts what others must reach."""
        return Path("/var/lib/imagine-workspace") / sha256(str(self.project).encode()).hexdigest()[:8]

    @property
    def environment(self) -> dict[str, str]:
        offline = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1", "npm_config_offline": "true"}
        mine = {name: value for name, value in os.environ.items() if name != CHOSEN}
        return mine | offline | {"PORT": str(self.port), "PYTHON": sys.executable}

    def launch(self) -> int:
        with self.log.open("a") as output:
            self.process = subprocess.Popen(
                ["make", "-e", "run"], cwd=self.project, env=self.environment, stdout=output, stderr=output, text=True
            )
        return 0

    def end(self) -> None:
        subprocess.run(["make", "stop"], cwd=self.project, env=self.environment, check=True, capture_output=True)


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that only root can enter."""
    with tempfile.TemporaryDirectory(prefix="imagine-closed-") as name:
        assert Path(name).stat().st_mode & 0o777 == 0o700
        yield Path(name)


@pytest.fixture
def clone(closed: Path, needs_proxy: None) -> Iterator[Clone]:
    """The project in such a folder, with everything installed where the installer looks for it."""
    project = closed / "project"
    for name in COPIED:
        shutil.copytree(PROJECT / name, project / name, ignore=None if name == "imagine_lib" else BUILT)
    for name in ("Makefile", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, project)
    local = project / ".local"
    shutil.copytree(PROJECT / ".local" / "proxy", local / "proxy", symlinks=True)
    (local / "tools").symlink_to(PROJECT / ".local" / "tools")
    (local / ".tried-fuse3").touch()
    workspace = Clone(local)
    existed = workspace.elsewhere.parent.exists()
    try:
        _lend_packages(workspace.elsewhere / "environment", workspace.elsewhere / "project")
        _stamp(project, workspace.elsewhere / "environment")
        yield workspace
    finally:
        workspace.end()
        shutil.rmtree(workspace.elsewhere)
        if not existed:
            workspace.elsewhere.parent.rmdir()


def _lend_packages(environment: Path, project: Path) -> None:
    """Make an environment whose packages are those of this one, but the project's."""
    environment.parent.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    site, lent = (next(root.glob("lib/python3*/site-packages")) for root in (environment, Path(sys.prefix)))
    (site / "lent.pth").write_text(f"{project}\nimport site; site.addsitedir({str(lent)!r})\n")
    for name in ("share", "etc"):
        (environment / name).symlink_to(Path(sys.prefix) / name)
    ours = f"#!{sys.prefix}/bin/python".encode()
    for program in (Path(sys.prefix) / "bin").iterdir():
        copy = environment / "bin" / program.name
        if not copy.exists() and program.is_file():
            shutil.copy(program, copy)
            if (content := program.read_bytes()).startswith(ours):
                copy.write_bytes(content.replace(ours, f"#!{environment}/bin/python".encode(), 1))


def _stamp(project: Path, environment: Path) -> None:
    """Say that everything is installed."""
    extension, proxy = project / "extensions" / "imagine_lab", project / "hub_config" / "local" / "proxy"
    stamps = {
        environment / ".workspace.sha256": [project / "requirements" / "workspace.txt", project / "pyproject.toml"],
        environment / ".imagine_lab.sha256": [path for path in sorted(extension.rglob("*")) if path.is_file()],
        project / ".local" / "proxy" / ".sha256": sorted(proxy.glob("package*.json")),
    }
    for stamp, files in stamps.items():
        stamp.write_text(install._fingerprint(files))


def test_users_have_servers_where_only_root_can_enter_the_project(clone: Clone) -> None:
    clone.start()
    where = f"other accounts cannot reach {clone.project}; homes and environment are placed in {clone.elsewhere}"
    assert f"imagine: {where}\n" in clone.heard()
    rosa = clone.sign_in("rosa")
    rosa.start_server()
    assert rosa.server_api("kernels", "POST", json={"name": "python3"}).status_code == 201
    server, uid = clone.server_of("rosa"), clone.uids()["rosa"]
    assert server.uids().real == uid
    home = clone.elsewhere / "homes" / "rosa"
    assert server.environ()["HOME"] == str(home)
    assert list((home / "tutorials").glob("*.ipynb"))
    code = "import imagine_lib as im; print(im.__file__); print(len(im.catalogue.search('plankton')) > 0)"
    python = clone.elsewhere / "environment" / "bin" / "python"
    said = _as(uid, [str(python), "-c", code], server.environ())
    assert said == f"{clone.elsewhere}/project/imagine_lib/__init__.py\nTrue\n"
    assert "Permission denied" in _as(uid, ["ls", str(clone.project)], server.environ())
    sockets = Path((clone.state / "sockets").read_text())
    clone.end()
    assert clone.processes() == []
    assert not sockets.exists()


def test_a_python_that_only_root_can_enter_is_not_what_servers_run_on(closed: Path) -> None:
    base = Path(sys._base_executable)
    subprocess.run([base, "-m", "venv", "--without-pip", "--copies", closed / "python"], check=True)
    mine = closed / "python" / "bin" / "python"
    code = "from hub_config.local import install, places; print(install._readable_python(places.Places()))"
    command = [mine, "-c", code]
    chosen = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip()
    assert "Permission denied" in _as(STRANGER, ["ls", str(mine)], {})
    assert _as(STRANGER, [chosen, "-c", "import sqlite3, ssl; print('runs')"], {}) == "runs\n"


def test_a_python_whose_libraries_stay_closed_is_refused_with_a_remedy(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other Python is on this machine, and the copy of this one starts for root only."""
    python = closed / "base" / "bin" / "python"
    python.parent.mkdir(parents=True)
    (closed / "library").symlink_to(sys._base_executable)
    python.write_text(f'#!/bin/sh\nexec {closed}/library "$@"\n')
    python.chmod(0o755)
    for name, value in {"executable": str(python), "base_prefix": str(closed / "base")}.items():
        monkeypatch.setattr(sys, name, value)
    monkeypatch.setattr(install, "FOLDERS_OF_PYTHONS", ())
    with tempfile.TemporaryDirectory(prefix="imagine-open-") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(install, "ELSEWHERE", Path(folder))
        with pytest.raises(install.InstallError, match="Other accounts cannot use .*, nor a copy of it: install"):
            install._readable_python(Places())
        assert list(Path(folder).iterdir()) == []


def _as(uid: int, command: list[str], environment: dict[str, str]) -> str:
    """Return what a program prints to a user of this machine."""
    return subprocess.run(
        command, user=uid, group=uid, extra_groups=[], env={"PATH": os.defpath, "LC_ALL": "C"} | environment, cwd="/",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
    ).stdout  # fmt: skip
