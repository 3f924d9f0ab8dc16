"""The users' Nextcloud as a folder: one ``rclone mount`` each, run by the supervisor.

The mount lies outside the home, where only the supervisor can put things, and ``~/nextcloud`` is a link to it: a
mount made inside a folder that its user may rearrange could be turned against the rest of the machine.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from hub_config.local.places import runs_as_root, write_text

if TYPE_CHECKING:
    from hub_config.local.accounts import Account
    from imagine_lib.storage.credentials import Credential

log = logging.getLogger(__name__)

READY_SECONDS = 15
FLUSH_SECONDS = 20
"""How long an rclone may take to send what it still holds."""


class MountError(Exception):
    """The storage cannot be mounted; the message says why and what happens instead."""


class Mounts:
    """The mounts of this workspace.

    Parameters
    ----------
    points
        Folder in which each user's mount point lies.
    state
        Folder for rclone's configurations, caches and logs.
    """

    def __init__(self, points: Path, state: Path) -> None:
        self._points, self._state = points, state
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def point(self, account: Account) -> Path:
        """Return where a user's storage appears."""
        return self._points / account.name

    def mount(self, account: Account, credential: Credential) -> Path:
        """Mount a user's storage anew.

        Raises
        ------
        MountError
            FUSE is missing, or the storage does not answer.
        """
        _require_fuse()
        self.unmount(account.name)
        point, folder = self.point(account), self._state / account.name
        self._points.mkdir(mode=0o711, parents=True, exist_ok=True)
        point.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_text(folder / "rclone.conf", _configuration(credential))
        with (folder / "rclone.log").open("ab") as output:
            process = subprocess.Popen(
                _command(account, point, folder), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._running[account.name] = process
        if not _gets_mounted(process, point):
            self.unmount(account.name)
            raise MountError(
                "Your storage could not be mounted, so there is no folder ~/nextcloud; nextcloud:/ paths work."
            )
        return point

    def unmount(self, name: str) -> None:
        """Unmount a user's storage; what was written is sent first."""
        process = self._running.pop(name, None)
        if process is not None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(FLUSH_SECONDS)
            if process.poll() is None:
                log.warning("The mount of %s did not end in %d s and is cut off", name, FLUSH_SECONDS)
                process.kill()
                process.wait()
        detach(self._points / name)
        (self._state / name / "rclone.conf").unlink(missing_ok=True)

    def unmount_all(self) -> None:
        """Unmount everything, also what an earlier supervisor left."""
        left = {path.name for path in self._points.iterdir()} if self._points.is_dir() else set()
        for name in left | set(self._running):
            self.unmount(name)


def detach(point: Path) -> None:
    """Take a mount away from its folder, also a dead one that answers nothing."""
    tool = ["fusermount3", "-u", "-z"] if shutil.which("fusermount3") else ["umount", "-l"]
    for _ in range(8):
        if not is_mounted(point):
            return
        subprocess.run([*tool, str(point)], check=False, capture_output=True)


def is_mounted(point: Path) -> bool:
    """Tell whether something is mounted on a folder, without touching it: a dead mount would hang."""
    try:
        table = Path("/proc/self/mountinfo").read_text()
    except OSError:
        return os.path.ismount(point)
    wanted = str(point).replace(" ", "\\040")
    return any(line.split()[4] == wanted for line in table.splitlines())


def _require_fuse() -> None:
    if not Path("/dev/fuse").exists():
        raise MountError("This machine has no FUSE, so there is no folder ~/nextcloud; nextcloud:/ paths work.")
    if not (shutil.which("fusermount3") or shutil.which("fusermount")):
        raise MountError(
            "fusermount3 is missing, so there is no folder ~/nextcloud; nextcloud:/ paths work. "
            "To have it, install fuse3 (for example: apt install fuse3)."
        )


def _configuration(credential: Credential) -> str:
    hidden = subprocess.run(
        [_rclone(), "obscure", "-"],
        input=credential.password.get_secret_value(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    url = f"{credential.url.rstrip('/')}/remote.php/dav/files/{quote(credential.user)}"
    return f"[nextcloud]\ntype = webdav\nvendor = nextcloud\nurl = {url}\nuser = {credential.user}\npass = {hidden}\n"


def _command(account: Account, point: Path, folder: Path) -> list[str]:
    command = [_rclone(), "mount", "nextcloud:", str(point), "--config", str(folder / "rclone.conf")]
    command += ["--cache-dir", str(folder / "cache"), "--vfs-cache-mode", "full", "--vfs-write-back", "1s"]
    command += [
        "--webdav-pacer-min-sleep",
        "0",
        "--webdav-nextcloud-chunk-size",
        "0",
        "--dir-cache-time",
        "5s",
        "--umask",
        "077",
    ]
    if runs_as_root():
        command += ["--allow-other", "--default-permissions", "--uid", str(account.uid), "--gid", str(account.uid)]
    return command


def _rclone() -> str:
    return str(Path(sys.executable).parent / "rclone")


def _gets_mounted(process: subprocess.Popen[bytes], point: Path) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if is_mounted(point):
            return True
        time.sleep(0.05)
    return False
