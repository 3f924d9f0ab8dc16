"""Where things lie in laptop mode, and how they are written.

Imported by the installer, which runs before anything is installed: standard library only.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
LOCAL = CLONE / ".local"
MARK = "IMAGINE_WORKSPACE"
"""The environment variable with the state folder, by which every process of a workspace is known."""

CHOSEN = "IMAGINE_WORKSPACE_STATE"
"""The environment variable that chooses another state folder; services do not inherit it."""

STATE = Path(os.environ.get(CHOSEN, LOCAL / "state"))
"""Databases, keys, users' stored files: closed to everyone else."""

RECORD = LOCAL / "places.json"


@dataclass(frozen=True)
class Places:
    """What depends on the machine: other uids must be able to reach these."""

    project: Path = CLONE
    """The code that users' servers import."""
    environment: Path = CLONE / ".venv"
    homes: Path = STATE.parent / "homes"

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return self.environment / "bin" / "python"

    def save(self) -> None:
        """Remember them for the next start."""
        write_text(RECORD, json.dumps({key: str(value) for key, value in asdict(self).items()}), mode=0o644)

    @staticmethod
    def load() -> Places:
        """Return what the installer decided; a state folder that was chosen by hand has its homes beside it."""
        try:
            places = Places(**{key: Path(value) for key, value in json.loads(RECORD.read_text()).items()})
        except (OSError, ValueError, TypeError):
            return Places()
        return replace(places, homes=Places.homes) if CHOSEN in os.environ else places


def write_text(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file whole or not at all, readable by its owner unless said otherwise."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def secret(name: str, length: int = 32) -> Path:
    """Return a file with a random secret, made at the first call."""
    path = STATE / "secrets" / name
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_text(path, secrets.token_hex(length))
    return path


def runs_as_root() -> bool:
    """Tell whether users can be kept apart by accounts of their own."""
    return os.geteuid() == 0
