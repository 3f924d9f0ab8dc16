"""The supervisor's socket: the hub asks here for accounts, homes and mounts, and for nothing else.

One JSON object a line in each direction. The socket lies in a folder that only the supervisor's account can enter.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import subprocess
import sys
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from hub_config.link.addresses import Addresses
from hub_config.link.nextcloud import KeyState, Nextclouds
from hub_config.local.accounts import AccountError
from hub_config.local.mounts import MountError
from hub_config.local.places import Places, runs_as_root
from imagine_lib.storage.credentials import Credential

if TYPE_CHECKING:
    from pathlib import Path

    from hub_config.local.accounts import Account, Accounts
    from hub_config.local.mounts import Mounts

log = logging.getLogger(__name__)

PREPARE_SECONDS = 60
SECONDS_BETWEEN_LOOKS = 2
"""At the mounts: until one that died is there again."""

UNSENT = "{count} files that you had written to ~/nextcloud could not be sent before; they are being sent now."
NOT_SENT = (
    "{count} files that you had written to ~/nextcloud could not be sent: they are kept here, and sent when you link "
    "the same account again and start a server."
)


class Agent:
    """Answers the hub.

    Parameters
    ----------
    accounts, mounts
        What it hands out.
    runtime
        Folder with a short path, for the users' sockets.
    tutorials
        Copied into each home.
    """

    def __init__(self, accounts: Accounts, mounts: Mounts, runtime: Path, tutorials: Path) -> None:
        self._accounts, self._mounts, self._runtime, self._tutorials = accounts, mounts, runtime, tutorials
        self._numbers = itertools.count(1)
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._credentials: dict[str, dict[str, str]] = {}
        """What is given back when a server ends: kept here, because the hub may have been restarted meanwhile."""

    async def serve(self, socket: Path) -> asyncio.Server:
        """Listen on a socket."""
        return await asyncio.start_unix_server(self._answer, socket)

    async def keep_mounts(self) -> None:
        """Make mounts again that have ended by themselves, and end those whose key is refused."""
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            try:
                await self._look_at_mounts()
            except Exception:
                log.exception("The mounts could not be looked at")

    async def _look_at_mounts(self) -> None:
        for name in self._mounts.dead():
            await asyncio.to_thread(self._revive, name)
        for name, credential in (await asyncio.to_thread(self._mounts.refused)).items():
            if await Nextclouds(Addresses(credential.url)).check(credential) is KeyState.DEAD:
                await asyncio.to_thread(self._end_refused, name, credential)

    def _end_refused(self, name: str, credential: Credential) -> None:
        """Unmount before the storage, which counts wrong keys, refuses everyone here; the library says what to do."""
        account = self._accounts.get(name)
        with self._locks[name]:
            known = self._credentials.get(name)
            if known is None or Credential.model_validate(known) != credential:
                return
            log.warning("The storage of %s refuses its key, and is unmounted", name)
            self._mounts.unmount(name, wait=False)
            _prepare_home(account, self._wish(known, None))

    def _revive(self, name: str) -> None:
        with self._locks[name]:
            try:
                if name in self._mounts.dead():
                    self._mounts.revive(name)
            except MountError as error:
                log.warning("The mount of %s is tried again: %s", name, error)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            wish = json.loads(await reader.readline())
            answer = await asyncio.to_thread(self._do, wish)
        except (AccountError, ValueError, KeyError, OSError, subprocess.SubprocessError) as error:
            log.warning("The hub's request failed: %s", type(error).__name__)
            answer = {"error": str(error)}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    def _do(self, wish: dict[str, Any]) -> dict[str, Any]:
        account = self._accounts.get(wish["user"])
        if wish["do"] == "look":
            return {"kept": self._mounts.kept(account.name)}
        with self._locks[account.name]:
            match wish["do"]:
                case "open":
                    return self._open(account, wish.get("credential"))
                case "renew":
                    return self._renew(account, wish["credential"])
                case "take":
                    return self._take(account)
                case "close":
                    unsent = self._unmount(account)
                    return {"credential": self._credentials.pop(account.name, None), "unsent": unsent}
                case other:
                    raise ValueError(f"There is no request {other!r}.")

    def _open(self, account: Account, credential: dict[str, str] | None) -> dict[str, Any]:
        """Make everything ready for a server: the home, the mount, a folder for its sockets."""
        return {
            "messages": self._give(account, credential),
            "uid": account.uid,
            "home": str(account.home),
            "runtime": str(self._sockets(account)),
        }

    def _renew(self, account: Account, credential: dict[str, str]) -> dict[str, Any]:
        """Put another key in the place of the one that a server has, and return that."""
        before = self._credentials.get(account.name)
        return {"messages": self._give(account, credential), "credential": before}

    def _take(self, account: Account) -> dict[str, Any]:
        """Take the key that a server has, when what it wrote has been sent, and return it."""
        unsent = self._unmount(account)
        messages = [NOT_SENT.format(count=unsent)] if unsent else []
        messages += _prepare_home(account, self._wish(None, None))
        return {"messages": messages, "credential": self._credentials.pop(account.name, None)}

    def _unmount(self, account: Account) -> int:
        """Unmount until a server starts again; return how many files could not be sent."""
        unsent = self._mounts.unmount(account.name)
        self._mounts.forget(account.name)
        return unsent

    def _wish(self, credential: dict[str, str] | None, mount: str | None) -> dict[str, Any]:
        return {"credential": credential, "mount": mount, "tutorials": str(self._tutorials)}

    def _give(self, account: Account, credential: dict[str, str] | None) -> list[str]:
        mount, messages = None, []
        if credential is not None:
            self._credentials[account.name] = credential
            try:
                mount = str(self._mounts.mount(account, Credential.model_validate(credential)))
            except MountError as error:
                messages.append(str(error))
            if unsent := self._mounts.unsent(account.name):
                messages.append(UNSENT.format(count=unsent))
        return messages + _prepare_home(account, self._wish(credential, mount))

    def _sockets(self, account: Account) -> Path:
        """Make a folder for a user's sockets, beside no other: its name is chosen here and not by the user."""
        folder = self._runtime / f"user-{next(self._numbers)}"
        folder.mkdir(mode=0o700)
        os.chown(folder, account.uid, account.uid if runs_as_root() else -1)
        return folder


def _prepare_home(account: Account, wish: dict[str, Any]) -> list[str]:
    """Prepare a home as its owner, and return a sentence for each thing in it that stood in the way."""
    identity: dict[str, Any] = {}
    if runs_as_root():
        identity = {"user": account.uid, "group": account.uid, "extra_groups": []}
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [sys.executable, "-m", "hub_config.local.home"],
        input=json.dumps(wish),
        text=True,
        check=True,
        stdout=subprocess.PIPE,
        cwd=Places.load().project,
        env={"HOME": str(account.home), "PATH": "/usr/bin:/bin"},
        timeout=PREPARE_SECONDS,
        **identity,
    )
    return done.stdout.splitlines()


async def ask(socket: Path, wish: dict[str, Any]) -> dict[str, Any]:
    """Ask the supervisor, from the hub.

    Parameters
    ----------
    socket
        The supervisor's.
    wish
        ``do`` (``open``, ``renew``, ``take``, ``close`` or ``look``), ``user``, and ``credential`` to open or renew.

    Returns
    -------
    dict
        ``messages`` for the user; after ``open`` also ``uid``, ``home`` and ``runtime``; after the others the
        ``credential`` that is no longer needed, or None. ``close`` tells how many files are ``unsent`` instead,
        and ``look`` only how many are ``kept`` on this machine.

    Raises
    ------
    RuntimeError
        The supervisor refuses, or is not there.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        raise RuntimeError("The workspace's supervisor does not answer; start the workspace again.") from None
    writer.write(json.dumps(wish).encode() + b"\n")
    answer: dict[str, Any] = json.loads(await reader.readline() or b'{"error": "The supervisor ended."}')
    writer.close()
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer
