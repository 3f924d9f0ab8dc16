"""Servers as processes of this machine, each under its user's own account where the hub is root."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Any

import psutil
from jupyterhub.spawner import LocalProcessSpawner

from hub_config.local.agent import ask
from hub_config.local.places import runs_as_root
from hub_config.spawn.mixin import WorkspaceMixin
from hub_config.spawn.ports import listens
from hub_config.spawn.refusal import SpawnRefusal
from imagine_lib.storage.credentials import Credential

if TYPE_CHECKING:
    from collections.abc import Callable

LAB = Path(__file__).parent / "lab"
"""Jupyter's configuration for every server."""

LOWEST_UID = 1_000
"""Below are the system's own accounts; no server ever runs under one."""

LAST_BYTES = 65_536
LONGEST_LINE = 300
"""Of a failed server's log: the bytes that are looked at, and the characters that its user is shown."""

PORT_TAKEN = "Another program of this machine has taken port {port}, which was meant for your server: start it again."


class LocalSpawner(WorkspaceMixin, LocalProcessSpawner):  # type: ignore[misc]  # JupyterHub is untyped
    """Asks the supervisor for an account and the storage, then starts the server under that account."""

    hardware_note = "On this machine the choice sets the number of threads; memory is shared and not limited."
    pid: int
    _account: dict[str, Any] | None = None

    async def start(self) -> tuple[str, int]:
        """Start the server; without storage where that does not answer."""
        self._steps.clear()
        self.say("Linking your storage")
        credential = await self.key_to_storage()
        self.say("Opening your home folder" if credential is None else "Mounting your storage")
        self._account = await self._ask("open", credential)
        for message in self._account["messages"]:
            self.say(message)
        self.say("Starting JupyterLab")
        self._log_file.unlink(missing_ok=True)
        with self._log_file.open("ab") as output:
            self.popen_kwargs = {"stdin": DEVNULL, "stdout": output, "stderr": output}
            address: tuple[str, int] = await super().start()
        await self._wait_until_listening(address[1])
        self.note("server started")
        return address

    async def stop(self, now: bool = False) -> None:  # noqa: ARG002
        """End the server by SIGTERM at once: to SIGINT a Jupyter server only answers with a question."""
        await super().stop(now=True)

    async def run_post_stop_hook(self) -> None:
        """Give the storage back, however the server ended: stopped, died or never up."""
        await super().run_post_stop_hook()
        answer = await self._ask("close", None)
        if answer["unsent"]:
            self.log.warning("%s: %d files could not be sent to the storage", self._log_name, answer["unsent"])
        kept = answer["credential"]
        if kept is not None:
            await self.linker.give_back(self.user.name, Credential.model_validate(kept))

    async def renew_storage(self, credential: Credential) -> list[str]:
        """Give a server that runs the new key: the library and the mount go on with it at once."""
        return await self._change_storage("renew", credential)

    async def take_storage(self) -> list[str]:
        """Take the key from a server that runs, when what it wrote has been sent."""
        return await self._change_storage("take", None)

    async def count_kept(self) -> int:
        """Return how many files of the user wait on this machine to be sent to their storage."""
        try:
            return int((await self._ask("look", None))["kept"])
        except SpawnRefusal:
            return 0

    async def _change_storage(self, what: str, credential: Credential | None) -> list[str]:
        try:
            answer = await self._ask(what, credential)
        except SpawnRefusal as error:
            return [f"Your server keeps the key that it has ({error.message}): stop it and start it again."]
        if (before := answer["credential"]) is not None:
            await self.linker.give_back(self.user.name, Credential.model_validate(before))
        return list(answer["messages"])

    def get_state(self) -> dict[str, Any]:
        """Keep when the server's process began beside its number, which the system may give to another one day."""
        state: dict[str, Any] = super().get_state()
        return state | ({"began": _began(self.pid)} if self.pid else {})

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up a server after a restart of the hub, if that process is still the same."""
        super().load_state(state)
        if self.pid and _began(self.pid) != state.get("began"):
            self.pid = 0

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Point the server to its user's home."""
        account = self._account or {}
        runtime = account.get("runtime", "")
        return env | {
            "USER": self.user.name,
            "HOME": account.get("home", ""),
            "SHELL": "/bin/bash",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
            "JUPYTER_CONFIG_PATH": str(LAB),
            "JUPYTER_RUNTIME_DIR": runtime,  # short: a socket's path may have 107 characters
            "TMPDIR": runtime,
        }

    def make_preexec_fn(self, name: str) -> Callable[[], None]:  # noqa: ARG002
        """Return what the child does before it becomes the server: drop to the user's account, go home."""
        account = self._account or {}
        uid, home = account["uid"], account["home"]

        def become_user() -> None:
            os.umask(0o077)
            if runs_as_root():
                if uid < LOWEST_UID:
                    os._exit(1)
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            os.chdir(home)

        return become_user

    async def _wait_until_listening(self, port: int) -> None:
        """Wait for the server, and end at once when its process does: the hub itself would wait for minutes.

        Only a socket of the user's own account counts. Any other account of the machine can see the port that a
        server is told to use, take it before the server does, and would be sent what is meant for its user.
        """
        uid = (self._account or {})["uid"] if runs_as_root() else os.getuid()
        while not listens(port, uid, self.pid):
            if await self.poll() is not None:
                raise SpawnRefusal(await asyncio.to_thread(self._why_it_ended, port), 500)
            await asyncio.sleep(0.1)

    def _why_it_ended(self, port: int) -> str:
        with socket.socket() as probe:
            probe.settimeout(2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return PORT_TAKEN.format(port=port)
        return f"Your server ended while it started: {self._last_line()}"

    def _last_line(self) -> str:
        with self._log_file.open("rb") as log:  # its end only: the server's user decides how long it is
            log.seek(-min(LAST_BYTES, log.seek(0, os.SEEK_END)), os.SEEK_CUR)
            words = log.read(LAST_BYTES).decode(errors="replace")
        lines = [line.strip() for line in words.splitlines() if line.strip()]
        return lines[-1][:LONGEST_LINE] if lines else "it printed nothing."

    @property
    def _log_file(self) -> Path:
        folder = self.settings.state / "servers"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder / f"{self.user.name}.log"

    async def _ask(self, what: str, credential: Credential | None) -> dict[str, Any]:
        wish: dict[str, Any] = {"do": what, "user": self.user.name}
        if credential is not None:
            wish["credential"] = credential.model_dump() | {"password": credential.password.get_secret_value()}
        supervisor = self.settings.local.agent_socket
        if supervisor is None:
            raise SpawnRefusal("local.agent_socket is not set: local servers need the supervisor of `make run`.", 500)
        try:
            return await ask(supervisor, wish)
        except RuntimeError as error:
            raise SpawnRefusal(str(error), 500) from None


def _began(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None
