"""``python -m hub_config.local``: the workspace on this machine, until Ctrl-C. `make run` ends here."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

from hub_config import settings
from hub_config.local import firststart
from hub_config.local.accounts import Accounts
from hub_config.local.agent import Agent
from hub_config.local.firststart import Ports
from hub_config.local.leftovers import end_processes, revoke_keys
from hub_config.local.lock import WorkspaceLock
from hub_config.local.logs import keep_short
from hub_config.local.mounts import Mounts
from hub_config.local.places import LOCAL, MARK, STATE, Places, runs_as_root, write_text
from hub_config.local.services import all_services, base_environment, iam_environment
from hub_config.local.supervisor import NotReadyError, Supervisor

log = logging.getLogger("imagine")

SOCKETS = STATE / "sockets"
"""Where the folder for sockets is written down."""

SINGLE_ACCOUNT = (
    "You are not root, so all users' servers run under your account and can read each other's files; "
    "give nobody else access."
)


def main() -> int:
    """Run the workspace and return the exit code."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    os.umask(0o022)
    os.environ[MARK] = str(STATE)
    try:
        ports = Ports.parse(os.environ.get("PORT") or "8000")
    except ValueError as error:
        log.error("%s", error)
        return 1
    LOCAL.mkdir(mode=0o711, exist_ok=True)
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    STATE.chmod(0o700)
    with WorkspaceLock(STATE / "supervisor.lock") as lock:
        if lock.holder:
            log.error("The workspace runs already (process %d); stop it with: make stop", lock.holder)
            return 1
        taken = [port for port in ports.all.values() if _is_taken(port)]
        accounts = Accounts(STATE / "accounts.json", Places.load().homes)
        if taken:
            end_processes(str(STATE), accounts.uids() if runs_as_root() else set())
            taken = [port for port in ports.all.values() if _is_taken(port)]
        if taken:
            log.error("Port %d is in use or not for you; choose another with: make run PORT=8100", taken[0])
            return 1
        return asyncio.run(_run(ports, accounts))


async def _run(ports: Ports, accounts: Accounts) -> int:
    started, places = time.monotonic(), Places.load()
    _remove_sockets()
    runtime, private = _short_folders()
    mounts = Mounts(places.homes.parent / "mounts", STATE / "mounts", private)
    _clean_up(accounts, mounts)
    revoke_keys(STATE / "storage" / "storage.sqlite")
    try:
        supervisor = _prepare(ports, places, private / "agent.sock")
    except settings.SettingsError as error:
        log.error("%s", error)
        _remove_sockets()
        return 1
    agent = Agent(accounts, mounts, runtime, places.project / "notebooks" / "tutorials")
    server = await agent.serve(private / "agent.sock")
    ended = _end_on_signals()
    keepers = [asyncio.create_task(keep_short(STATE)), asyncio.create_task(agent.keep_mounts())]
    try:
        starting = asyncio.create_task(supervisor.start())
        await asyncio.wait([starting, asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            _say_ready(ports, time.monotonic() - started)
            await ended.wait()
        starting.cancel()
    except NotReadyError as error:
        log.error("%s", error)
        return 1
    finally:
        log.info("Stopping…")
        await supervisor.stop()
        for keeper in keepers:
            keeper.cancel()
        server.close()
        _clean_up(accounts, mounts)
        _remove_sockets()
    return 0


def _short_folders() -> tuple[Path, Path]:
    """Make a folder for sockets, whose paths must be short, and one in it for the supervisor alone."""
    runtime = Path(tempfile.mkdtemp(prefix="imagine-"))
    runtime.chmod(0o711)
    write_text(SOCKETS, str(runtime))
    return runtime, Path(tempfile.mkdtemp(dir=runtime))


def _remove_sockets() -> None:
    """Remove the folder of this start, or of one that was killed."""
    if SOCKETS.exists():
        shutil.rmtree(SOCKETS.read_text(), ignore_errors=True)
        SOCKETS.unlink()


def _prepare(ports: Ports, places: Places, agent_socket: Path) -> Supervisor:
    written = firststart.write_settings(ports, places, agent_socket)
    os.environ["IMAGINE_SETTINGS"] = str(written)
    settings.load()  # a variable that cannot be used is said here, and not by each service in its log
    examples = firststart.draw_examples()
    environment = base_environment(places)
    firststart.seed_iam(ports, environment | iam_environment(ports))
    services = all_services(ports, places, written, examples)
    return Supervisor(services, environment, STATE / "logs", places.project)


def _clean_up(accounts: Accounts, mounts: Mounts) -> None:
    end_processes(str(STATE), accounts.uids() if runs_as_root() else set())
    mounts.unmount_all()


def _end_on_signals() -> asyncio.Event:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    return ended


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _say_ready(ports: Ports, seconds: float) -> None:
    passwords = firststart.demo_passwords()
    lines = ["", f"The workspace is ready ({seconds:.0f} s):  {ports.url('proxy')}", "", "Sign in as"]
    lines += [
        f"  {user.username:6} {passwords[user.username]:14} {', '.join(user.groups)}"
        for user in firststart.DEMO_USERS
    ]
    lines += ["", *([] if runs_as_root() else [SINGLE_ACCOUNT, ""]), "Stop it with Ctrl-C or: make stop", ""]
    log.info("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
