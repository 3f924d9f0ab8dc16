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
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hub_config.link.rclone import configuration
from hub_config.local.places import write_text
from hub_config.local.rclone import cache_folder, caches, count_kept, count_unsent, mount_command

if TYPE_CHECKING:
    from hub_config.local.accounts import Account
    from imagine_lib.storage.credentials import Credential

log = logging.getLogger(__name__)

READY_SECONDS = 15
FLUSH_SECONDS = 20
"""How long an rclone may take to send what it still holds."""

END_SECONDS = 5
LARGEST_LOOK = 1024**2


REFUSED = b"401"
"""In a line of rclone's log: the storage may have refused its key, or a file has this number in its name."""


class MountError(Exception):
    """The storage cannot be mounted; the message says why and what happens instead."""


@dataclass(frozen=True)
class _Mount:
    process: subprocess.Popen[bytes]
    account: Account
    credential: Credential


class Mounts:
    """The mounts of this workspace.

    Parameters
    ----------
    points
        Folder in which each user's mount point lies.
    state
        Folder for rclone's configurations, caches and logs.
    sockets
        Folder with a short path, in which nobody else can go: where each rclone can be asked.
    """

    def __init__(self, points: Path, state: Path, sockets: Path | None = None) -> None:
        self._points, self._state, self._sockets = points, state, sockets
        self._running: dict[str, _Mount] = {}
        self._read: dict[str, int] = {}
        """Up to where each log was looked at."""

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
        before = self._running.get(account.name)
        self.unmount(account.name, wait=before is None or not _is_same(before.credential, credential))
        point, folder = self.point(account), self._state / account.name
        self._points.mkdir(mode=0o711, parents=True, exist_ok=True)
        point.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            write_text(folder / "rclone.conf", configuration(credential))
        except ValueError as error:
            raise MountError(f"{error} So there is no folder ~/nextcloud.") from None
        cache = cache_folder(folder, credential)
        socket = self._socket(account.name)
        if socket is not None:
            socket.unlink(missing_ok=True)  # an rclone that was killed leaves it, and the next could not listen there
        command = mount_command(account, point, folder, cache, socket)
        with (folder / "rclone.log").open("ab") as output:
            self._read[account.name] = output.tell()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self._running[account.name] = _Mount(process, account, credential)
        if not _gets_mounted(process, point):
            self.unmount(account.name, wait=False)
            raise MountError(
                "Your storage could not be mounted, so there is no folder ~/nextcloud; nextcloud:/ paths work."
            )
        return point

    def unmount(self, name: str, wait: bool = True) -> int:
        """Unmount a user's storage.

        Parameters
        ----------
        name
            Whose.
        wait
            Until what was written has been sent.

        Returns
        -------
        int
            How many files could not be sent. They lie in rclone's cache, and are sent when it mounts again.
        """
        mount = self._running.pop(name, None)
        if mount is not None:
            if wait:
                self._wait_until_sent(name, mount.process)
            mount.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                mount.process.wait(END_SECONDS)
            if mount.process.poll() is None:
                log.warning("The mount of %s did not end in %d s and is cut off", name, END_SECONDS)
                mount.process.kill()
                mount.process.wait()
        detach(self._points / name)
        (self._state / name / "rclone.conf").unlink(missing_ok=True)
        return 0 if mount is None else count_kept(cache_folder(self._state / name, mount.credential))

    def unsent(self, name: str) -> int:
        """Return how many files of a user were written and are not sent yet."""
        socket = self._socket(name)
        return (count_unsent(socket) or 0) if socket is not None and name in self._running else 0

    def kept(self, name: str) -> int:
        """Return how many files of a user are on this machine only, mounted or not."""
        return sum(map(count_kept, caches(self._state / name)))

    def forget(self, name: str) -> None:
        """Delete what was read of an unmounted storage; what it was not sent stays."""
        for cache in caches(self._state / name):
            if not count_kept(cache):
                shutil.rmtree(cache, ignore_errors=True)

    def dead(self) -> list[str]:
        """Return whose mounts have ended by themselves: every look at them fails now."""
        return [name for name, mount in list(self._running.items()) if mount.process.poll() is not None]

    def refused(self) -> dict[str, Credential]:
        """Return the keys that a storage may have refused since the last look."""
        return {name: mount.credential for name, mount in list(self._running.items()) if self._says_refused(name)}

    def _says_refused(self, name: str) -> bool:
        with (self._state / name / "rclone.log").open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(min(self._read.get(name, 0), size))
            said = log.read(LARGEST_LOOK)
            self._read[name] = log.seek(0, os.SEEK_END)
        return REFUSED in said

    def revive(self, name: str) -> None:
        """Mount a user's storage again, with the key that it had.

        Raises
        ------
        MountError
            It cannot be mounted now; it counts as dead still, and can be tried again.
        """
        mount = self._running[name]
        log.warning("The mount of %s ended with code %s and is made again", name, mount.process.returncode)
        try:
            self.mount(mount.account, mount.credential)
        except MountError:
            self._running[name] = mount
            raise

    def _socket(self, name: str) -> Path | None:
        return None if self._sockets is None else self._sockets / f"{name}.rc"

    def _wait_until_sent(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Wait until a mount says that all is sent; one that says nothing may still be sending."""
        deadline = time.monotonic() + FLUSH_SECONDS
        socket = self._socket(name)
        while socket is not None and process.poll() is None and count_unsent(socket) != 0:
            if time.monotonic() > deadline:
                log.warning("Files of %s could not be sent and are kept until the next start", name)
                return
            time.sleep(0.2)

    def unmount_all(self) -> None:
        """Unmount everything, also what an earlier supervisor left."""
        left = {path.name for path in self._points.iterdir()} if self._points.is_dir() else set()
        for name in left | set(self._running):
            self.unmount(name)


def _is_same(first: Credential, second: Credential) -> bool:
    """Tell whether two keys open one account, so that what the first has not sent the second can send."""
    return (first.url, first.user) == (second.url, second.user)


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


def _gets_mounted(process: subprocess.Popen[bytes], point: Path) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if is_mounted(point):
            return True
        time.sleep(0.05)
    return False
