"""``python -m hub_config.local.stop [delete]``: end the workspace of this clone, and what a killed one left behind.

With ``delete``, all its users, files and models go too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import sys
import time

from hub_config.local.accounts import Accounts
from hub_config.local.leftovers import end_processes
from hub_config.local.lock import WorkspaceLock
from hub_config.local.mounts import Mounts
from hub_config.local.places import STATE, Places, runs_as_root

PATIENCE_SECONDS = 120


def main() -> int:
    """Stop the workspace and return the exit code."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    if not STATE.is_dir():
        logging.info("No workspace has run here.")
        return 0
    deadline, asked = time.monotonic() + PATIENCE_SECONDS, False
    while time.monotonic() < deadline:
        with WorkspaceLock(STATE / "supervisor.lock") as lock:
            if not lock.holder:
                _clean_up()
                logging.info("The workspace is stopped.")
                if "delete" in sys.argv[1:]:
                    _delete()
                return 0
            if not asked:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(lock.holder, signal.SIGTERM)
                asked = True
        time.sleep(0.2)
    logging.error("The workspace did not stop in %d s.", PATIENCE_SECONDS)
    return 1


def _delete() -> None:
    homes = Places.load().homes
    for folder in (STATE, homes, homes.parent / "mounts"):
        shutil.rmtree(folder, ignore_errors=True)
    logging.info("All its users, files and models are deleted.")


def _clean_up() -> None:
    places = Places.load()
    end_processes(str(STATE), Accounts(STATE / "accounts.json", places.homes).uids() if runs_as_root() else set())
    Mounts(places.homes.parent / "mounts", STATE / "mounts").unmount_all()


if __name__ == "__main__":
    sys.exit(main())
