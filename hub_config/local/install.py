"""Install what the workspace needs on this machine, then start it (or stop there). Standard library only.

    python3 hub_config/local/install.py [run|workspace|dev|bench]

What is already there and unchanged is not touched, so that a second start needs no network.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hub_config.local.places import CLONE, LOCAL, Places, runs_as_root

OLDEST_PYTHON = (3, 11)
OLDEST_NODE = (20, 19)
"""What the extension's bundler runs on."""

NEEDED_GB = 12
"""Free disk that a first installation takes: PyTorch with CUDA is 5 GB, and is unpacked beside its archive."""

FOLDERS_OF_PYTHONS = ("/usr/bin", "/usr/local/bin")

NOBODY = 65_534
"""An account without any rights, on every machine."""

TOOLS = LOCAL / "tools"
PROXY = LOCAL / "proxy"
BENCH = LOCAL / "bench"
"""An environment of its own for what the library is measured against."""

ELSEWHERE = Path("/var/lib/imagine-workspace")
"""Where things go when the clone or the Python is closed to other accounts."""


class InstallError(Exception):
    """Something is missing; the message is one sentence with the remedy."""


def main(arguments: list[str]) -> int:
    """Install, and start the workspace when asked to."""
    goal = arguments[0] if arguments else "workspace"
    os.umask(0o022)
    try:
        check_machine()
        places = choose_places()
        install(places, goal if goal in ("dev", "bench") else "workspace")
    except InstallError as error:
        print(f"imagine: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"imagine: this step of the installation failed: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    if goal != "run":
        return 0
    os.chdir(CLONE)  # and not places.project: the state belongs to the clone, where `make stop` looks for it
    return os.execv(places.python, [str(places.python), "-m", "hub_config.local"])


def check_machine() -> None:
    """Check what must be there before anything is installed.

    Raises
    ------
    InstallError
        Something is missing.
    """
    if sys.version_info < OLDEST_PYTHON:
        raise InstallError(
            f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}: try make run PYTHON=python3.12."
        )
    if os.name != "posix":
        raise InstallError("The workspace runs on Linux and macOS; on Windows, use it inside WSL.")
    if not (TOOLS / "bin" / "uv").exists():
        if subprocess.run(
            [sys.executable, "-c", "import ensurepip, venv"], check=False, capture_output=True
        ).returncode:
            raise InstallError(
                "This Python cannot make environments: install its venv package (apt install python3-venv)."
            )
        free = shutil.disk_usage(CLONE).free / 1e9
        if free < NEEDED_GB:
            raise InstallError(f"{free:.0f} GB are free here and {NEEDED_GB} GB are needed: free some disk space.")


def choose_places() -> Places:
    """Decide where things lie: in the clone, or elsewhere where other accounts could not reach it."""
    try:
        LOCAL.mkdir(mode=0o711, exist_ok=True)
        LOCAL.chmod(0o711)
    except PermissionError:
        raise InstallError(
            f"{LOCAL} belongs to another account: run as that account, or use a clone of your own."
        ) from None
    places = Places()
    if runs_as_root() and not _open_to_all(CLONE / "hub_config" / "settings.py"):
        root = ELSEWHERE / hashlib.sha256(str(CLONE).encode()).hexdigest()[:8]
        places = Places(project=root / "project", environment=root / "environment", homes=root / "homes")
        print(
            f"imagine: other accounts cannot reach {CLONE}; homes and environment are placed in {root}",
            file=sys.stderr,
        )
        _copy_project(places.project)
        _link(CLONE / ".venv", places.environment)
    places.save()
    return places


def _link(link: Path, target: Path) -> None:
    """Let the Makefile find the environment where it expects it."""
    target.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.symlink_to(target)


def install(places: Places, kind: str) -> None:
    """Bring the environment to what ``requirements/KIND.txt`` says, with all that belongs to it.

    Parameters
    ----------
    places
        Where.
    kind
        ``workspace``, ``dev`` or ``bench``.
    """
    if kind == "bench":
        _install_environment(replace(places, environment=BENCH), kind)
        return
    if Path("/dev/fuse").exists():
        _install_debian("fuse3", "fusermount3", "without it, storage is reached by nextcloud:/ paths only")
    if kind == "dev":
        _install_debian("chromium", "chromium", "without it, the browser tests are skipped")
        _install_debian("postgresql", "postgres", "without it, the database tests run on SQLite only")
    _install_environment(places, kind)
    _install_node(places)
    _install_proxy(places)
    _install_extension(places)


def _install_environment(places: Places, kind: str) -> None:
    requirements = CLONE / "requirements" / f"{kind}.txt"
    stamp = places.environment / f".{kind}.sha256"
    wanted = _fingerprint([requirements, CLONE / "pyproject.toml"])
    if _is(stamp, wanted):
        return
    _say("installing Python packages (PyTorch among them: several GB at the first time)")
    uv = _install_uv()
    if not places.python.exists():
        _run([uv, "venv", "--quiet", "--allow-existing", "--python", _readable_python(places), places.environment])
    pip = [uv, "pip", "install", "--quiet", "--python", places.python]
    _run([*pip, "--require-hashes", "-r", requirements])
    _run([*pip, "--no-deps", "--no-build-isolation", "--offline", "-e", places.project])
    stamp.write_text(wanted)


def _install_uv() -> Path:
    uv = TOOLS / "bin" / "uv"
    if not uv.exists():
        _run([sys.executable, "-m", "venv", TOOLS])
        _run(
            [
                TOOLS / "bin" / "pip",
                "install",
                "--quiet",
                "--require-hashes",
                "-r",
                CLONE / "requirements" / "bootstrap.txt",
            ]
        )
    return uv


def _readable_python(places: Places) -> Path:
    """Return an interpreter that users' servers can start: this one, the system's, or a copy of this one."""
    mine = Path(sys.executable).resolve()
    if not runs_as_root() or _open_to_all(mine):
        return mine
    for name in ("python3", *(f"python3.{minor}" for minor in range(20, 10, -1))):
        for folder in FOLDERS_OF_PYTHONS:
            found = Path(folder, name).resolve()
            if found.exists() and _open_to_all(found) and _serves_others(found):
                return found
    root = places.project.parent if places.project != CLONE else ELSEWHERE
    copy = root / f"python{sys.version_info.major}.{sys.version_info.minor}"
    _say(f"other accounts cannot reach {mine}; a copy of this Python is placed in {copy}")
    if not copy.exists():
        unfinished = copy.with_name(f".{copy.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(sys.base_prefix, unfinished, symlinks=True)
        unfinished.chmod(0o755)
        unfinished.rename(copy)
    if not _serves_others(copy / "bin" / mine.name):  # it looks for libraries in the closed folder
        shutil.rmtree(copy)
        raise InstallError(
            f"Other accounts cannot use {mine}, nor a copy of it: install a Python for all (apt install python3) "
            "and name it: make run PYTHON=/usr/bin/python3."
        )
    return copy / "bin" / mine.name


def _serves_others(python: Path) -> bool:
    """Tell whether an account without any rights can run an interpreter, and whether that is new enough."""
    question = f"import sys, sqlite3, ssl; raise SystemExit(sys.version_info < {OLDEST_PYTHON})"
    nobody: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    command = [str(python), "-I", "-c", question]
    try:
        return subprocess.run(command, check=False, capture_output=True, cwd="/", **nobody).returncode == 0
    except OSError:
        return False


def _install_node(places: Places) -> None:
    found = shutil.which("node")
    if found and shutil.which("npm"):
        version = subprocess.run([found, "--version"], check=False, capture_output=True, text=True).stdout
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
        if numbers >= OLDEST_NODE:
            return
    if not (places.environment / "bin" / "npm").exists():
        _say("installing Node.js")
        requirements = CLONE / "requirements" / "node.txt"
        uv = _install_uv()
        _run([uv, "pip", "install", "--quiet", "--python", places.python, "--require-hashes", "-r", requirements])


def _install_proxy(places: Places) -> None:
    source = CLONE / "hub_config" / "local" / "proxy"
    stamp, wanted = PROXY / ".sha256", _fingerprint(sorted(source.glob("package*.json")))
    if _is(stamp, wanted):
        return
    _say("installing the proxy")
    PROXY.mkdir(exist_ok=True)
    for file in source.glob("package*.json"):
        shutil.copy(file, PROXY)
    _run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--prefix", PROXY], places)
    stamp.write_text(wanted)


def _install_extension(places: Places) -> None:
    source = CLONE / "extensions" / "imagine_lab"
    files = [path for path in sorted(source.rglob("*")) if path.is_file() and not _is_built(path, source)]
    stamp, wanted = places.environment / ".imagine_lab.sha256", _fingerprint(files)
    if _is(stamp, wanted):
        return
    _say("building the JupyterLab extension")
    pip = [_install_uv(), "pip", "install", "--quiet", "--python", places.python]
    _run([*pip, "--no-deps", "--no-build-isolation", "--offline", "--reinstall", source], places)
    stamp.write_text(wanted)


def _install_debian(package: str, program: str, otherwise: str) -> None:
    """Install a Debian package where that needs no question: as root, where apt is."""
    tried = LOCAL / f".tried-{package}"
    if not runs_as_root() or not shutil.which("apt-get") or _finds(program) or tried.exists():
        return
    tried.touch()  # once: a later start must not wait for, or ask, the network
    _say(f"installing {package}")
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", package]
    if not (_succeeds(command) or (_succeeds(["apt-get", "update"]) and _succeeds(command))):
        _say(f"{package} could not be installed: {otherwise}")


def _finds(program: str) -> bool:
    return bool(shutil.which(program) or list(Path("/usr/lib/postgresql").glob(f"*/bin/{program}")))


def _succeeds(command: list[str]) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, check=False, capture_output=True, env=environment).returncode == 0


def _is_built(path: Path, source: Path) -> bool:
    parts = path.relative_to(source).parts
    folders = {"node_modules", "lib", "labextension", "__pycache__", ".yarn", "dist"}
    return bool(folders & set(parts)) or path.suffix in (".tsbuildinfo", ".log")


def _copy_project(target: Path) -> None:
    """Copy what users' servers read; the state stays in the clone, closed."""
    target.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name in ("hub_config", "imagine_lib", "images", "notebooks", "pyproject.toml", "README.md", "LICENSE"):
        source, copy = CLONE / name, target / name
        if source.is_dir():
            shutil.copytree(source, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _open_to_all(path: Path) -> bool:
    """Tell whether any account can read a file."""
    if not path.stat().st_mode & stat.S_IROTH:
        return False
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def _fingerprint(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _is(stamp: Path, wanted: str) -> bool:
    return stamp.exists() and stamp.read_text() == wanted


def _run(command: list[object], places: Places | None = None, cwd: Path | None = None) -> None:
    environment = dict(os.environ)
    if places is not None:
        environment["PATH"] = os.pathsep.join([environment.get("PATH", os.defpath), str(places.environment / "bin")])
    subprocess.run([str(part) for part in command], check=True, env=environment, cwd=cwd)


def _say(text: str) -> None:
    print(f"imagine: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
