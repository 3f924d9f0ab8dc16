"""From start to stop: what is kept, what is cleaned up, what is never shown, and what survives a blow.

The tests share one workspace of their own. Each brings it into the state that it needs, so that any one runs alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest
import websocket
import yaml

from hub_config.local.__main__ import SINGLE_ACCOUNT
from hub_config.local.logs import LARGEST
from hub_config.local.places import runs_as_root
from hub_config.local.storage.accounts import Accounts
from hub_config.local.storage.database import Database
from hub_config.local.storage.homes import Homes
from imagine_lib.data.synthetic import write_dataset
from tests.platform.conftest import User, make_package
from tests.workspace.conftest import PROJECT, Workspace, running
from tests.workspace.processes import COMMANDS, command, mounts_below, run_as, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workspace.person import Person

pytestmark = [
    pytest.mark.workspace,
    pytest.mark.skipif(not runs_as_root(), reason="only root can give users accounts of their own"),
]

STRANGER = 54_321
"""A uid that nobody has."""

RETRAIN = """
import sys
from imagine_lib.cli import main
sys.exit(main(["retrain", "phytoplankton", images, "--out", out, "--epochs", "1"]))
"""

READ_BY_LIBRARY = "import imagine_lib as im; print(len(im.open_dataset('nextcloud:/iMagine/my-plankton')), 'images')"


@pytest.fixture(scope="module")
def own(workspace_folder: Path, needs_proxy: None) -> Iterator[Workspace]:
    """A workspace that these tests may treat badly."""
    with running(workspace_folder / "own") as workspace:
        yield workspace


def settled(own: Workspace) -> Person:
    """Bring Rosa to a running server with a kernel, and the workspace up before where it is down."""
    if own.process is None or own.process.poll() is not None:
        print(f"ready after {own.start():.1f} s")
    until(lambda: _signs_in(own), 60, "a sign-in")
    rosa = own.sign_in("rosa")
    if not rosa.servers():
        rosa.start_server()
    if not rosa.server_api("kernels").json():
        assert rosa.server_api("kernels", "POST", json={"name": "python3"}).status_code == 201
    until(lambda: len(_of_users(own)) >= 2, 30, "the start of a kernel")
    return rosa


def _of_users(own: Workspace) -> list[psutil.Process]:
    uids = set(own.uids().values())
    return [process for process in own.processes() if process.uids().real in uids]


def _home(own: Workspace) -> Path:
    return own.folder / "homes" / "rosa"


def _sockets(own: Workspace) -> Path:
    return Path((own.state / "sockets").read_text())


def assert_nothing_is_left(own: Workspace, sockets: Path) -> None:
    assert own.processes() == []
    assert own.mounts() == []
    assert not sockets.exists()


# ----------------------------------------------------------------------------------------- what may be seen by whom


def test_only_what_must_be_open_is_open(own: Workspace) -> None:
    settled(own)
    modes = {
        own.state: 0o700, own.folder / "homes": 0o711, own.folder / "mounts": 0o711, _home(own): 0o700,
        own.folder / "mounts" / "rosa": 0o700, _sockets(own): 0o711,
        _home(own) / ".config" / "imagine" / "storage.json": 0o600,
    }  # fmt: skip
    assert {path: oct(stat.S_IMODE(path.stat().st_mode)) for path in modes} == {
        path: oct(mode) for path, mode in modes.items()
    }
    assert _home(own).stat().st_uid == own.uids()["rosa"]
    for secret in _secret_files(own):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600, secret
    for root in (own.folder, _sockets(own)):
        assert [path for path in _reachable(root) if path != own.log] == []


def _secret_files(own: Workspace) -> list[Path]:
    names = ["settings.yaml", "hub/cookie_secret", "hub/crypt_keys", "iam/secret-key", "iam/signing-key.pem"]
    names += ["mounts/rosa/rclone.conf", "iam/iam.sqlite", "storage/storage.sqlite"]
    return [*(own.state / "secrets").iterdir(), *(own.state / name for name in names)]


def _reachable(folder: Path) -> list[Path]:
    """Return what any account of this machine could read below a folder."""
    if not folder.stat().st_mode & stat.S_IXOTH:
        return []
    below = [path for path in folder.iterdir() if not path.is_symlink()]
    listable = [folder] if folder.stat().st_mode & stat.S_IROTH else []
    readable = [path for path in below if path.is_file() and path.stat().st_mode & stat.S_IROTH]
    return listable + readable + [found for path in below if path.is_dir() for found in _reachable(path)]


def test_no_secret_is_in_a_log_a_command_line_or_a_users_environment(own: Workspace) -> None:
    rosa = settled(own)
    assert rosa.get("/hub/home").is_success
    secrets = _secrets(own)
    shown = {"own server token": own.server_of("rosa").environ()["JUPYTERHUB_API_TOKEN"], **secrets}
    logs = {path: path.read_text(errors="replace") for path in own.state.rglob("*.log")}
    assert len(logs) >= len(COMMANDS) + 2
    assert "rosa" in logs[own.state / "logs" / "hub.log"]
    for path, text in logs.items():
        assert [name for name, value in shown.items() if value in text] == [], path
        assert "eyJhbGciOi" not in text, path  # how a token of the IAM begins
    printed = own.heard()
    assert [name for name, value in shown.items() if value in printed and not name.startswith("password")] == []
    lines = [command(process) for process in own.processes()]
    assert any("rclone" in line for line in lines)
    for line in lines:
        assert [name for name, value in shown.items() if value in line] == []
    for process in _of_users(own):
        environment = "\n".join(process.environ().values())
        assert [name for name, value in secrets.items() if value in environment] == []


def _secrets(own: Workspace) -> dict[str, str]:
    files = ["proxy-token", "iam-client", "platform-token"]
    found = {name: (own.state / "secrets" / name).read_text().strip() for name in files}
    found |= {f"password of {name}": password for name, password in own.passwords.items()}
    found["cookie secret"] = (own.state / "hub" / "cookie_secret").read_text().strip()
    found["crypt key"] = (own.state / "hub" / "crypt_keys").read_text().strip()
    found["iam key"] = (own.state / "iam" / "secret-key").read_text().strip()
    found["signing key"] = (own.state / "iam" / "signing-key.pem").read_text().splitlines()[1]
    found["storage key"] = json.loads((_home(own) / ".config" / "imagine" / "storage.json").read_text())["password"]
    found["rclone"] = (own.state / "mounts" / "rosa" / "rclone.conf").read_text().rpartition("= ")[2].strip()
    assert all(len(value) >= 8 for value in found.values())
    return found


# --------------------------------------------------------------------------------------------- starts that are refused


def test_a_second_start_of_a_running_workspace_says_so(own: Workspace) -> None:
    settled(own)
    assert own.process is not None
    said = own.refuse_to_start()
    assert said == f"The workspace runs already (process {own.process.pid}); stop it with: make stop\n"
    assert own.server_of("rosa").is_running()


def test_a_busy_port_is_said_at_once(workspace_folder: Path) -> None:
    folder = workspace_folder / "busy"
    folder.mkdir(mode=0o711)
    workspace = Workspace(folder)
    with socket.socket() as other:
        other.bind(("127.0.0.1", workspace.port + 3))
        other.listen()
        said = workspace.refuse_to_start()
    number = workspace.port + 3
    assert said == f"Port {number} is in use or not for you; choose another with: make run PORT=8100\n"
    assert workspace.processes() == []
    workspace.changes = {"PORT": "eighty"}
    assert workspace.refuse_to_start().count("\n") == 1


# ---------------------------------------------------------------------------------------------------------- blows


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_service_comes_back_and_the_users_server_goes_on(own: Workspace, name: str) -> None:
    rosa = settled(own)
    killed, server, kernels = own.service(name), own.server_of("rosa"), rosa.server_api("kernels").json()
    token = rosa.token()
    killed.kill()
    until(lambda: not _lives(killed), 10, "the end of the service")
    until(lambda: _pid(own, name) not in (None, killed.pid), 60, f"a restart of {name}")
    headers = {"Authorization": f"token {token}"}
    url = f"{own.url}/user/rosa/api/kernels"
    until(lambda: _status(url, headers) == 200, 60, "an answer of the user's server")
    assert own.server_of("rosa") == server
    assert [kernel["id"] for kernel in httpx.get(url, headers=headers, trust_env=False).json()] == [
        kernel["id"] for kernel in kernels
    ]
    for address in ("hub/health", "services/imagine/healthz"):
        until(lambda: _status(f"{own.url}/{address}", {}) == 200, 60, f"an answer of {address}")  # noqa: B023
    until(lambda: _is_readable(own.folder / "mounts" / "rosa" / "iMagine" / "README.md"), 60, "a read of the mount")
    until(lambda: _signs_in(own), 60, "a sign-in")


def _is_readable(path: Path) -> bool:
    try:
        return "A program drew all of them." in path.read_text()
    except OSError:
        return False


def _signs_in(own: Workspace) -> bool:
    try:
        return own.sign_in("rosa").get("/hub/api/user").is_success
    except (AssertionError, httpx.TransportError):
        return False


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _pid(own: Workspace, name: str) -> int | None:
    try:
        return own.service(name).pid
    except AssertionError:
        return None


def _status(url: str, headers: dict[str, str]) -> int:
    try:
        return httpx.get(url, headers=headers, trust_env=False, timeout=10).status_code
    except httpx.TransportError:
        return 0


def test_a_server_that_ran_while_the_hub_was_killed_gives_its_key_back(own: Workspace) -> None:
    rosa = settled(own)
    hub = own.service("hub")
    hub.kill()
    until(lambda: _pid(own, "hub") not in (None, hub.pid), 60, "a restart of the hub")
    until(lambda: _status(f"{own.url}/hub/health", {}) == 200, 60, "an answer of the hub")
    key = json.loads((_home(own) / ".config" / "imagine" / "storage.json").read_text())
    url, auth = f"{key['url']}/remote.php/dav/files/rosa/iMagine/README.md", (key["user"], key["password"])
    assert httpx.get(url, auth=auth, trust_env=False).status_code == 200
    rosa.renew_xsrf()
    rosa.stop_server()
    assert own.mounts() == []
    until(lambda: httpx.get(url, auth=auth, trust_env=False).status_code == 401, 20, "the end of the key")


def test_after_a_kill_of_the_supervisor_the_next_start_cleans_up_and_works(own: Workspace) -> None:
    settled(own)
    assert own.process is not None
    left, sockets = own.processes(), _sockets(own)
    of_server, of_laptop = _key(own)["password"], _app_password(own, "Rosa's laptop")
    assert (_storage(own, of_server), _storage(own, of_laptop)) == (207, 207)
    own.process.kill()
    own.process.wait()
    assert own.server_of("rosa").is_running()
    assert own.mounts()
    print(f"ready after {own.start():.1f} s")
    assert [process for process in left if _lives(process)] == []
    assert own.mounts() == []
    assert not sockets.exists()
    assert (_storage(own, of_server), _storage(own, of_laptop)) == (401, 207)
    settled(own)
    assert (_home(own) / "nextcloud" / "iMagine" / "README.md").is_file()


def _key(own: Workspace) -> dict[str, str]:
    """Return what the server of Rosa reaches her storage with."""
    key: dict[str, str] = json.loads((_home(own) / ".config" / "imagine" / "storage.json").read_text())
    return key


def _app_password(own: Workspace, label: str) -> str:
    """Return an app password of Rosa for a program of her own."""
    state = own.state / "storage"
    return Accounts(Database(state / "storage.sqlite"), Homes(state, None)).new_app_password("rosa", label)


def _storage(own: Workspace, password: str) -> int:
    url, depth = f"{own.address('storage')}/remote.php/dav/files/rosa/", {"Depth": "0"}
    return httpx.request("PROPFIND", url, auth=("rosa", password), headers=depth, trust_env=False).status_code


# ------------------------------------------------------------------------------------------------------ what grows


def test_a_log_that_has_grown_too_long_keeps_its_last_lines_and_begins_anew(own: Workspace) -> None:
    rosa = settled(own)
    logs = [own.state / name for name in ("logs/hub.log", "hub/servers/rosa.log", "mounts/rosa/rclone.log")]
    for log in logs:
        grown = f"{'a line of many ' * 10}\n" * (LARGEST // 100) + "the last line before\n"
        with log.open("ab", buffering=0) as output:  # in one write: a beginning anew may come at any moment
            output.write(grown.encode())
    for log in logs:
        kept = log.with_name(f"{log.name}.1")
        until(kept.exists, 30, "a log kept beside the new one")
        until(lambda: "the last line before\n" in kept.read_text()[-100_000:], 10, "its last line")  # noqa: B023
        assert kept.stat().st_size <= LARGEST + 100_000
        assert log.stat().st_size < LARGEST
    assert rosa.server_api("contents/there-is-no-such-file").status_code == 404
    written = until(logs[1].read_bytes, 20, "a line about the missing file")
    assert b"there-is-no-such-file" in written
    assert b"\0" not in written  # the server goes on at the new beginning, not where it was


def test_a_full_disk_ends_a_retraining_with_one_sentence_and_keeps_what_was_saved(own: Workspace) -> None:
    settled(own)
    uid, disk, images = own.uids()["rosa"], _home(own) / "small-disk", _home(own) / "labelled"
    write_dataset(images, ["bell", "comb"], each=10, seed=3, samples=range(4))
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size=1m,mode=700,uid={uid},gid={uid}", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        subprocess.run(["chown", "-R", f"{uid}:{uid}", images], check=True)
        (disk / "notes.txt").write_text("saved before")
        done = run_as(uid, RETRAIN, own.server_of("rosa").environ(), images=str(images), out=str(disk / "run"))
        sentence = rf"The model package {disk}/run/(preview|model) could not be written \(No space left on device\)"
        assert done.returncode == 1
        assert [line for line in done.stderr.splitlines() if re.search(sentence, line)], done.stderr
        assert "Traceback" not in done.stderr
        assert (disk / "notes.txt").read_text() == "saved before"
        assert sorted(path.name for path in (disk / "run").iterdir()) == ["events.jsonl"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
        disk.rmdir()
        shutil.rmtree(images)


# ----------------------------------------------------------------------------------------------------- what is large


def test_messages_of_12_mib_reach_a_kernel_and_come_back(own: Workspace) -> None:
    rosa = settled(own)
    size = 12 * 1024**2
    kernel = rosa.server_api("kernels").json()[0]["id"]
    address = f"{own.url}/user/rosa/api/kernels/{kernel}/channels".replace("http", "ws", 1)
    channel = websocket.create_connection(address, timeout=60, header={"Authorization": f"token {rosa.token()}"})
    try:
        code = f"text = '{'x' * size}'\nprint(len(text))\ndisplay({{'text/plain': text[::-1]}}, raw=True)"
        channel.send(json.dumps(_execution(code)))
        printed, shown = "", 0
        while not shown:
            answer = json.loads(channel.recv())
            assert answer["msg_type"] != "error", answer["content"]
            printed += answer["content"].get("text", "") if answer["msg_type"] == "stream" else ""
            if answer["msg_type"] == "display_data":
                shown = len(answer["content"]["data"]["text/plain"])
    finally:
        channel.close()
    assert (printed, shown) == (f"{size}\n", size)


def _execution(code: str) -> dict[str, object]:
    header = {"msg_id": "large", "msg_type": "execute_request", "session": "large", "username": "", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    return {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}


# ------------------------------------------------------------------------------------------------- stop and go on


@pytest.mark.parametrize("way", ["Ctrl-C", "make stop"])
def test_a_stop_ends_every_process_and_unmounts_everything(own: Workspace, way: str) -> None:
    settled(own)
    assert own.process is not None
    sockets = _sockets(own)
    if way == "Ctrl-C":
        assert own.stop(signal.SIGINT) == 0
    else:
        command = [sys.executable, "-m", "hub_config.local.stop"]
        done = subprocess.run(command, cwd=PROJECT, env=own.environment, capture_output=True, text=True, check=True)
        assert done.stderr.endswith("The workspace is stopped.\n")
        assert own.process.wait(10) == 0
    assert_nothing_is_left(own, sockets)
    assert "Traceback" not in own.heard()


def test_a_stop_during_the_start_leaves_nothing(own: Workspace) -> None:
    if own.process is not None and own.process.poll() is None:
        own.stop()
    own.launch()
    until(lambda: _pid(own, "iam"), 60, "a start of the first service")
    sockets = _sockets(own)
    own.stop(signal.SIGINT)
    assert_nothing_is_left(own, sockets)
    assert "Traceback" not in own.heard()


def test_settings_and_the_quota_reach_the_services_and_no_users_server(own: Workspace) -> None:
    if own.process is not None and own.process.poll() is None:
        own.stop()
    database = own.state / "platform" / "another.sqlite"
    own.changes = {
        "IMAGINE_IAM__NAME": "Harbour IAM",
        "IMAGINE_SPAWN__PROFILES": json.dumps({"pilot": {"title": "Pilot", "cpu": 3, "memory_mb": 2048}}),
        "IMAGINE_PLATFORM__DATABASE_URL": f"sqlite:///{database}",
        "IMAGINE_STORAGE_QUOTA": "40000000",
    }
    try:
        own.start()
        assert "Harbour IAM" in own.person("rosa").get("/hub/login").text
        rosa = own.sign_in("rosa")
        rosa.start_server("pilot")
        environment = own.server_of("rosa").environ()
        assert environment["OMP_NUM_THREADS"] == "3"
        assert [name for name in own.changes if name in environment] == []
        assert str(database) not in environment.values()
        assert database.exists()
        url = f"{own.address('storage')}/remote.php/dav/files/rosa/large.bin"
        auth = ("rosa", _key(own)["password"])
        assert httpx.put(url, content=bytes(41_000_000), auth=auth, trust_env=False, timeout=60).status_code == 507
        rosa.stop_server()
        own.stop()
        own.changes = {"IMAGINE_SPAWN__START_TIMEOUT": "soon"}
        said = own.refuse_to_start()
        assert said.startswith("Setting spawn.start_timeout: input should be a valid integer")
        assert said.count("\n") == 1
        assert_nothing_is_left(own, own.state / "sockets")
    finally:
        own.end()
        own.changes = {}


def test_a_second_start_keeps_users_files_models_and_passwords(own: Workspace) -> None:
    settled(own)
    passwords, uids = own.passwords, own.uids()
    (_home(own) / "mine.txt").write_text("of my home")
    (_home(own) / "nextcloud" / "stored.txt").write_text("of my storage")
    package = make_package(b"weights to keep")
    assert _platform(own).publish("kept", package, "user:rosa").status_code in (200, 201)
    own.stop()
    rosa = settled(own)
    assert (own.passwords, own.uids()) == (passwords, uids)
    assert passwords["rosa"] in own.said
    assert own.url in own.said
    assert (_home(own) / "mine.txt").read_text() == "of my home"
    assert (_home(own) / "nextcloud" / "stored.txt").read_text() == "of my storage"
    file = _platform(own).get("/models/rosa/kept/versions/latest/files/model.safetensors")
    assert file.content == package["model.safetensors"]
    assert rosa.get("/hub/api/user").json()["groups"] == ["imagine-users"]


def _platform(own: Workspace) -> User:
    headers = {"Authorization": f"token {own.server_of('rosa').environ()['JUPYTERHUB_API_TOKEN']}"}
    return User(base_url=f"{own.address('platform')}/services/imagine", headers=headers, trust_env=False)


# --------------------------------------------------------------------------------------------------- other machines


def test_without_fuse_the_spawn_says_so_and_storage_is_read_by_the_library(own: Workspace) -> None:
    if own.process is not None and own.process.poll() is None:
        own.stop()
    programs = own.folder / "programs"
    programs.mkdir(exist_ok=True)
    for name in ("node", "env", "sh", "umount"):
        found = shutil.which(name)
        if found and not (programs / name).exists():
            (programs / name).symlink_to(found)
    own.changes = {"PATH": str(programs)}
    try:
        own.start()
        rosa = own.sign_in("rosa")
        said = rosa.start_server()
        assert any(text.startswith("fusermount3 is missing, so there is no folder ~/nextcloud;") for text in said)
        assert rosa.server_api("status").status_code == 200
        assert own.mounts() == []
        assert not (_home(own) / "nextcloud").exists()
        done = run_as(own.uids()["rosa"], READ_BY_LIBRARY, own.server_of("rosa").environ())
        assert done.stdout == "160 images\n", done.stderr
    finally:
        own.stop()
        own.changes = {}


def test_an_ordinary_user_can_run_it_for_one_account(workspace_folder: Path, needs_proxy: None) -> None:
    folder = workspace_folder / "ordinary"
    account = {"user": STRANGER, "group": STRANGER, "extra_groups": []}
    with running(folder, account=account, changes={"HOME": str(folder)}) as workspace:
        assert SINGLE_ACCOUNT in workspace.said
        rosa = workspace.sign_in("rosa")
        said = rosa.start_server()
        assert rosa.server_api("status").status_code == 200
        server = workspace.server_of("rosa")
        assert server.uids().real == STRANGER
        assert {process.uids().effective for process in workspace.processes()} <= {STRANGER, 0}
        assert run_as(STRANGER, READ_BY_LIBRARY, server.environ()).stdout == "160 images\n"
        settings = yaml.safe_load((workspace.state / "settings.yaml").read_text())
        sockets = Path(settings["local"]["agent_socket"]).parent.parent
        if workspace.mounts():
            code = "print(open(f'{home}/nextcloud/iMagine/README.md').read())"
            read = run_as(STRANGER, code, server.environ(), home=server.environ()["HOME"])
            assert "A program drew all of them." in read.stdout, read.stderr
        else:
            assert any("there is no folder ~/nextcloud; nextcloud:/ paths work." in text for text in said)
        assert workspace.stop(signal.SIGINT) == 0
        assert_nothing_is_left(workspace, sockets)
    assert mounts_below(folder) == []
    assert [p for p in psutil.process_iter() if _is_strangers(p)] == []


def _is_strangers(process: psutil.Process) -> bool:
    try:
        return process.uids().real == STRANGER and process.pid != os.getpid()
    except psutil.NoSuchProcess:
        return False
