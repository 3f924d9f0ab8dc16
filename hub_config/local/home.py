"""Prepare a user's home before their server starts. Run as that user, so that nothing in it can mislead anyone else.

Reads one JSON object on standard input: ``credential``, ``mount``, ``tutorials``. Prints a sentence for each thing in
the home that stands in the way; the server starts nevertheless.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_config.local.places import write_text
from hub_config.spawn.tutorials import copy_tutorials

if TYPE_CHECKING:
    from collections.abc import Callable


def prepare(home: Path, wish: dict[str, Any]) -> list[str]:
    """Put the credential, the link to the storage and the tutorials into a home.

    Parameters
    ----------
    home
        Whose owner runs this.
    wish
        ``credential`` (the storage's, or None), ``mount`` (folder, or None), ``tutorials`` (folder).

    Returns
    -------
    list of str
        A sentence for each of them that could not be put there.
    """
    steps: dict[str, Callable[[], None]] = {
        "The key to your storage": lambda: _place_credential(home, wish["credential"]),
        "The folder ~/nextcloud": lambda: _link_storage(home / "nextcloud", wish["mount"]),
        "The tutorials": lambda: copy_tutorials(Path(wish["tutorials"]), home / "tutorials"),
    }
    return [sentence for what, step in steps.items() if (sentence := _try(what, step))]


def _try(what: str, step: Callable[[], None]) -> str:
    try:
        step()
    except OSError as error:
        return f"{what} could not be put into your home: {error.filename}: {error.strerror}."
    return ""


def _place_credential(home: Path, credential: dict[str, str] | None) -> None:
    folder = home / ".config" / "imagine"
    folder.mkdir(parents=True, exist_ok=True)
    if credential is None:
        (folder / "storage.json").unlink(missing_ok=True)
    else:
        write_text(folder / "storage.json", json.dumps(credential))


def _link_storage(link: Path, mount: str | None) -> None:
    if link.is_symlink():
        link.unlink()
    if mount is None:
        return
    if link.exists():
        raise FileExistsError(errno.EEXIST, "something of yours has this name; rename it", str(link))
    link.symlink_to(mount)


if __name__ == "__main__":
    os.umask(0o077)
    sys.stdout.writelines(f"{sentence}\n" for sentence in prepare(Path.home(), json.load(sys.stdin)))
