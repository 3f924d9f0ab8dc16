"""What cannot be done is said where the person is, in a sentence, and the rest goes on."""

from __future__ import annotations

import html
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from hub_config.local.places import runs_as_root
from hub_config.signin.authenticator import IAM_IS_DOWN, NOT_IN_A_GROUP
from hub_config.spawn.local import PORT_TAKEN
from tests.workspace.conftest import PROJECT, Workspace
from tests.workspace.processes import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.workspace.person import Person

pytestmark = pytest.mark.workspace

NOBODYS = 54_322
"""A uid that nobody has."""

SECONDS_TO_BE_FOOLED = 3
"""A hub that takes any listener for the server would have spoken to it by then."""

SECONDS_TO_SAY_WHY = 30
"""A server that dies is noticed at once; the rest of it is the start itself, on a busy machine."""


@pytest.fixture(scope="module")
def rosa(workspace: Workspace) -> Iterator[Person]:
    """Signed in, without a server: another file's tests may have left one."""
    person = workspace.sign_in("rosa")
    person.stop_server()
    yield person
    person.stop_server()


@pytest.fixture(scope="module")
def home(workspace: Workspace, rosa: Person) -> Path:
    """Rosa's home, after a first server."""
    folder = workspace.folder / "homes" / "rosa"
    if not folder.exists():
        rosa.start_server()
        rosa.stop_server()
    return folder


@contextmanager
def frozen(service: psutil.Process) -> Iterator[None]:
    """Hold a service still: its port takes connections, and nobody answers."""
    every = [service, *service.children(recursive=True)]
    for process in every:
        process.suspend()
    try:
        yield
    finally:
        for process in every:
            process.resume()


def server_configuration(home: Path, code: str) -> Path:
    """Write a user's own configuration of their server; the folder belongs to them, as Jupyter expects."""
    file = home / ".jupyter" / "jupyter_server_config.py"
    file.parent.mkdir(exist_ok=True)
    os.chown(file.parent, home.stat().st_uid, home.stat().st_gid)
    file.write_text(code)
    return file


def said_on(page: httpx.Response, sentence: str) -> bool:
    return sentence in html.unescape(page.text) and "Traceback" not in page.text


# ---------------------------------------------------------------------------------------------------- signing in


def test_a_wrong_password_is_said_on_the_sign_in_page(workspace: Workspace) -> None:
    person = workspace.person("rosa")
    page = person.sign_in("not-her-password")
    assert page.url.port == workspace.port + 1
    assert said_on(page, "The username or the password is wrong. Check both and try again.")
    assert person.get("/hub/home").url.path == "/hub/login"
    assert person.get("/hub/api/user").status_code == 403
    assert workspace.sign_in("rosa").get("/hub/api/user").json()["name"] == "rosa"


def test_an_account_that_nobody_has_approved_waits(workspace: Workspace) -> None:
    person = workspace.person("nils")
    form = person.get(f"{workspace.address('iam')}/sign-up")
    fields = {"username": "nils", "name": "Nils Berg", "email": "nils@example.org", "password1": "krill-swarm-44"}
    assert said_on(person.submit(form, **fields), "Your account waits for approval by an administrator.")
    page = workspace.person("nils").sign_in("krill-swarm-44")
    assert page.url.port == workspace.port + 1
    assert said_on(page, "Your account waits for approval by an administrator.")
    assert person.get("/hub/home").url.path == "/hub/login"


def test_an_account_in_no_group_is_told_so_and_gets_no_server(workspace: Workspace) -> None:
    lone = {"username": "lone", "password": "plain-sailing-9", "email": "l@example.org", "name": "L", "groups": []}
    environment = workspace.environment | {
        "IMAGINE_IAM_URL": workspace.address("iam"),
        "IMAGINE_IAM_STATE": str(workspace.state / "iam"),
    }
    command = [sys.executable, "-m", "hub_config.local.iam.seed"]
    subprocess.run(command, input=json.dumps({"users": [lone]}), text=True, env=environment, cwd=PROJECT, check=True)
    person = workspace.person("lone")
    page = person.sign_in("plain-sailing-9")
    assert page.status_code == 403
    assert said_on(page, NOT_IN_A_GROUP)
    assert person.ask_for_server().status_code == 403
    assert person.get("/hub/home").url.path == "/hub/login"


def test_an_iam_that_does_not_answer_is_said_before_the_browser_leaves(workspace: Workspace) -> None:
    sentence = IAM_IS_DOWN.format(iam="iMagine IAM")
    with frozen(workspace.service("iam")):
        page = workspace.person("rosa").get("/hub/oauth_login")
    assert page.status_code == 503
    assert said_on(page, sentence)
    workspace.sign_in("rosa")


def test_an_iam_that_dies_during_a_sign_in_is_said_on_the_way_back(workspace: Workspace) -> None:
    person = workspace.person("rosa")
    form = person.get("/hub/oauth_login")
    person.follow_redirects = False
    answer = person.submit(form, login="rosa", password=workspace.passwords["rosa"])
    while not answer.headers["location"].startswith(f"{workspace.url}/hub/oauth_callback"):
        answer = person.get(str(answer.url.join(answer.headers["location"])))
    iam = workspace.service("iam")
    for process in [iam, *iam.children()]:
        process.kill()
    page = person.get(answer.headers["location"])
    assert page.status_code == 503
    assert said_on(page, IAM_IS_DOWN.format(iam="iMagine IAM"))
    until(lambda: _is_well(f"{workspace.address('iam')}/healthz"), 60, "a restart of the IAM")
    workspace.sign_in("rosa")


def _is_well(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


# ------------------------------------------------------------------------------------------------------ choosing


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"module": "whales"}, "There is no module 'whales'; there are phytoplankton"),
        ({"module": ["phytoplankton"]}, "There is no module ['phytoplankton']; there are phytoplankton"),
        ({"profile": "huge"}, "There is no hardware 'huge' for you; there are standard, small"),
        ({"profile": {"cpu": 64}}, "There is no hardware {'cpu': 64} for you; there are standard, small"),
        ({"cpu": 64}, "'cpu' is no option; there are 'module', 'profile' and 'storage'."),
        ({"module": "%s%d <b>"}, "There is no module '%s%d <b>'; there are phytoplankton"),
    ],
)
def test_a_choice_that_is_not_offered_is_refused_and_names_what_is(
    rosa: Person, options: dict[str, Any], sentence: str
) -> None:
    answer = rosa.ask_for_server(**options)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(sentence)
    assert rosa.servers() == {}


def test_the_spawn_page_refuses_such_a_choice_with_the_same_sentence(rosa: Person) -> None:
    answer = rosa.choose("whales", "small")
    assert answer.status_code == 400
    assert said_on(answer, "There is no module 'whales'; there are phytoplankton")
    assert rosa.servers() == {}


# ------------------------------------------------------------------------------------------------------ starting


def test_a_storage_that_does_not_answer_is_said_and_the_lab_starts(workspace: Workspace, rosa: Person) -> None:
    sentence = f"Your storage at {workspace.address('storage')} does not answer. The server starts without it."
    with frozen(workspace.service("storage")):
        said = rosa.start_server()
        assert sentence in said
        assert sentence in (workspace.state / "logs" / "hub.log").read_text()
        assert rosa.server_api("status").status_code == 200
        assert workspace.mounts() == []
    rosa.stop_server()
    assert sentence not in rosa.start_server()
    assert (workspace.folder / "homes" / "rosa" / "nextcloud" / "iMagine" / "README.md").is_file()
    rosa.stop_server()


def test_what_stands_in_the_way_in_a_home_is_said_and_the_lab_starts(rosa: Person, home: Path) -> None:
    (home / "tutorials").rename(home / "moved")
    (home / "tutorials").write_text("a file of mine")
    (home / "nextcloud").unlink(missing_ok=True)
    (home / "nextcloud").mkdir()
    try:
        said = rosa.start_server()
        assert f"The tutorials could not be put into your home: {home}/tutorials: File exists." in said
        assert any(
            text.startswith(f"The folder ~/nextcloud could not be put into your home: {home}") for text in said
        )
        assert rosa.server_api("status").status_code == 200
        assert (home / "tutorials").read_text() == "a file of mine"
    finally:
        rosa.stop_server()
        (home / "nextcloud").rmdir()
        (home / "tutorials").unlink()
        (home / "moved").rename(home / "tutorials")


def test_a_server_that_dies_at_its_start_says_why_in_seconds(workspace: Workspace, rosa: Person, home: Path) -> None:
    broken = server_configuration(home, "raise SystemExit('my-settings are for <another> Jupyter')\n")
    sentence = "Your server ended while it started: my-settings are for <another> Jupyter"
    try:
        begin = time.monotonic()
        rosa.choose("phytoplankton", "standard")
        seen = rosa.follow_start()[-1]
        assert time.monotonic() - begin < SECONDS_TO_SAY_WHY
        assert seen["failed"]
        assert seen["message"].endswith(sentence)
        page = rosa.get("/hub/spawn-pending/rosa")
        assert page.status_code == 500
        assert said_on(page, sentence)
        assert "<another>" not in page.text
        assert workspace.mounts() == []
    finally:
        broken.unlink()


SQUATTER = """
import socket
with socket.create_server(("127.0.0.1", port)) as server:
    print("listening", flush=True)
    while True:
        connection, _ = server.accept()
        print(connection.recv(65536), flush=True)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nX-JupyterHub-Version: 6\\r\\nContent-Length: 0\\r\\n\\r\\n")
        connection.close()
"""


@pytest.mark.skipif(not runs_as_root(), reason="only root can give users accounts of their own")
def test_a_port_that_another_account_has_taken_first_gets_nothing_of_the_user(
    workspace: Workspace, rosa: Person, home: Path
) -> None:
    """Rosa's settings hold her server back until the other account listens on the port that it was given."""
    wait = f"import os, time\nwhile not os.path.exists('{home}/go'): time.sleep(0.05)\n"
    held = server_configuration(home, wait)
    squatter = None
    try:
        rosa.choose("phytoplankton", "standard")
        server = until(lambda: _server(workspace), 30, "the start of the server")
        port = urlsplit(server.environ()["JUPYTERHUB_SERVICE_URL"]).port
        squatter = subprocess.Popen(
            [sys.executable, "-c", f"port = {port}\n{SQUATTER}"],
            user=NOBODYS, group=NOBODYS, extra_groups=[], stdout=subprocess.PIPE, text=True, cwd="/",
        )  # fmt: skip
        assert squatter.stdout is not None
        assert squatter.stdout.readline() == "listening\n"
        time.sleep(SECONDS_TO_BE_FOOLED)
        (home / "go").touch()
        seen = rosa.follow_start()[-1]
        assert seen["message"].endswith(PORT_TAKEN.format(port=port)), seen
        held.unlink()
        rosa.start_server()
        rosa.stop_server()
        squatter.kill()
        assert [line for line in squatter.stdout.read().splitlines() if line != "b''"] == []
    finally:
        if squatter is not None:
            squatter.kill()
            squatter.wait()
        held.unlink(missing_ok=True)
        (home / "go").unlink(missing_ok=True)


def _server(workspace: Workspace) -> psutil.Process | None:
    try:
        return workspace.server_of("rosa")
    except (AssertionError, KeyError, psutil.Error):
        return None


def test_no_key_to_the_storage_is_left_when_a_server_has_ended(
    workspace: Workspace, rosa: Person, home: Path
) -> None:
    rosa.start_server()
    key = json.loads((home / ".config" / "imagine" / "storage.json").read_text())
    root = f"{key['url']}/remote.php/dav/files/{key['user']}/"
    auth = (key["user"], key["password"])
    assert httpx.request("PROPFIND", root, auth=auth, headers={"Depth": "0"}, trust_env=False).status_code == 207
    workspace.server_of("rosa").send_signal(signal.SIGKILL)
    until(lambda: workspace.mounts() == [], 60, "an unmount after the server's death")
    until(
        lambda: (
            httpx.request("PROPFIND", root, auth=auth, headers={"Depth": "0"}, trust_env=False).status_code == 401
        ),
        20,
        "the end of the key",
    )
