"""Give a home the tutorials. Run as the home's owner, before their server starts.

python -m hub_config.spawn.tutorials SOURCE TARGET
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

from hub_config.local.places import write_text

COPIED = ".copied.json"
"""Beside them: the hash of each notebook as it was copied, to tell a changed one from an old one."""


def copy_tutorials(source: Path, target: Path) -> None:
    """Copy what is new or was not touched; a notebook that the user changed stays as it is."""
    target.mkdir(exist_ok=True)
    copied = _read(target / COPIED)
    for notebook in sorted(source.glob("*.ipynb")):
        mine = target / notebook.name
        if not mine.exists() or _hash(mine) == copied.get(notebook.name):
            shutil.copyfile(notebook, mine)
            copied[notebook.name] = _hash(mine)
    write_text(target / COPIED, json.dumps(copied))


def _read(path: Path) -> dict[str, str]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    try:
        copy_tutorials(Path(sys.argv[1]), Path(sys.argv[2]))
    except OSError as error:
        sys.stderr.write(f"The tutorials could not be put into your home: {error.filename}: {error.strerror}.\n")
