"""The storage link on a whole workspace: by consent in a browser, dead, made anew, mounted, sent, taken away."""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

from hub_config.local.places import runs_as_root
from tests.workspace.browser import Visitor, chromium
from tests.workspace.conftest import PROJECT, Workspace, running
from tests.workspace.processes import command, until
from tests.workspace.test_pages import check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psutil

    from tests.workspace.person import Person

pytestmark = [
    pytest.mark.workspace,
    pytest.mark.skipif(not runs_as_root(), reason="only root can give users accounts of their own"),
]

PAGE = "/hub/imagine/storage"
README = "iMagine/README.md"
DEAD = "no longer accepts this workspace's key: link it again, or start without your storage."

READ_WHEN_TOLD = """
import sys, fsspec
fs = fsspec.filesystem("nextcloud")
for _ in sys.stdin:
    try:
        print(fs.cat_file("/iMagine/README.md").decode().splitlines()[0], flush=True)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
"""


@pytest.fixture(scope="module")
def linking(workspace_folder: Path, needs_proxy: None) -> Iterator[Workspace]:
    """A workspace whose users link their storage by consent."""
    with running(workspace_folder / "links", changes={"IMAGINE_STORAGE__BY_SIGN_IN": "false"}) as workspace:
        yield workspace


@pytest.fixture
def rosa(linking: Workspace) -> Iterator[Person]:
    """Signed in, without a server, with her storage linked."""
    rosa = linking.sign_in("rosa")
    rosa.stop_server()
    if "The link works." not in rosa.get(PAGE).text:
        link(rosa)
    yield rosa
    rosa.stop_server()


@pytest.fixture
def server(rosa: Person) -> Person:
    """Her server runs."""
    rosa.start_server()
    assert is_readable(mount(rosa))
    return rosa


# ------------------------------------------------------------------------------------------------- what people do


def press(rosa: Person, do: str) -> httpx.Response:
    rosa.get(PAGE)
    rosa.renew_xsrf()
    return rosa.post(PAGE, data={"do": do, "_xsrf": rosa.headers["X-XSRFToken"]})


def start(rosa: Person, **chosen: str) -> httpx.Response:
    """Press Start on the spawn page."""
    rosa.get("/hub/spawn")
    rosa.renew_xsrf()
    fields = {"module": "phytoplankton", "profile": "standard", "_xsrf": rosa.headers["X-XSRFToken"]}
    return rosa.post("/hub/spawn", data=fields | chosen)


def link(rosa: Person) -> None:
    """Link the storage, and say yes there."""
    asked = re.search(r'href="([^"]+/login/v2/flow/[^"]+)"', press(rosa, "link").text)
    assert asked is not None
    page = rosa.get(html.unescape(asked[1]), headers={"Accept": "text/html"})
    onwards = re.search(r'class="button" href="([^"]+)"', page.text)
    assert onwards is not None, page.text
    page = rosa.get(str(page.url.join(html.unescape(onwards[1]))), headers={"Accept": "text/html"})
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    origin = rosa.workspace.address("storage")
    assert rosa.post(f"{origin}/login/v2/grant", data=fields, headers={"Origin": origin}).status_code == 200
    assert "The link works." in rosa.get(PAGE).text


def key(rosa: Person) -> dict[str, str]:
    """Return what her server has."""
    found: dict[str, str] = json.loads(key_file(rosa).read_text())
    return found


def key_file(rosa: Person) -> Path:
    return rosa.workspace.folder / "homes" / "rosa" / ".config" / "imagine" / "storage.json"


def mount(rosa: Person) -> Path:
    return rosa.workspace.folder / "mounts" / "rosa"


def at_storage(rosa: Person, method: str, path: str, credential: dict[str, str], **more: Any) -> httpx.Response:
    url, headers = f"{credential['url']}/{path}", {"OCS-APIRequest": "true", "Accept": "application/json"}
    auth = (credential["user"], credential["password"])
    return httpx.request(method, url, auth=auth, headers=headers, trust_env=False, timeout=20, **more)


def opens(rosa: Person, credential: dict[str, str]) -> bool:
    return at_storage(rosa, "GET", "ocs/v2.php/cloud/user", credential).status_code == 200


def revoke(rosa: Person, credential: dict[str, str]) -> None:
    """Take the key away where it was given, as she would in her Nextcloud's settings."""
    assert at_storage(rosa, "DELETE", "ocs/v2.php/core/apppassword", credential).status_code == 200


def is_readable(folder: Path) -> bool:
    try:
        return (folder / README).read_text().startswith("# Example images")
    except OSError:
        return False


def rclone(workspace: Workspace) -> psutil.Process | None:
    found = [one for one in workspace.processes() if "rclone mount" in command(one) and "mounts/rosa" in command(one)]
    return found[0] if found else None


def is_noted(workspace: Workspace, name: str) -> bool:
    """Tell whether rclone has noted a file as closed; killed while it writes this down, it can forget the file."""
    notes = (workspace.state / "mounts" / "rosa" / "cache").glob(f"*/vfsMeta/**/{name}")
    with contextlib.suppress(ValueError):
        return any(json.loads(note.read_text())["Size"] for note in notes)
    return False


@contextmanager
def notebook(rosa: Person) -> Iterator[Any]:
    """Run a program of hers that reads a file whenever it is told to."""
    uid, environment = rosa.workspace.uids()["rosa"], rosa.workspace.server_of("rosa").environ()
    program = subprocess.Popen(
        [sys.executable, "-c", READ_WHEN_TOLD],
        user=uid, group=uid, extra_groups=[], env=environment, cwd="/", text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert program.stdin is not None
    assert program.stdout is not None

    def read() -> str:
        print("now", file=program.stdin, flush=True)
        return str(program.stdout.readline()).strip()  # type: ignore[union-attr]

    try:
        yield read
    finally:
        program.stdin.close()
        program.wait(20)


@contextmanager
def frozen(service: psutil.Process) -> Iterator[None]:
    service.suspend()
    try:
        yield
    finally:
        service.resume()


# ---------------------------------------------------------------------------------------------------- the consent


@pytest.mark.browser
def test_rosa_links_her_storage_in_her_browser_and_finds_it_in_her_server(linking: Workspace) -> None:
    with chromium() as browser:
        visitor = Visitor(browser, linking.url, "rosa")
        page = visitor.page
        visitor.sign_in(linking.passwords["rosa"])
        page.get_by_role("link", name="Storage").click()
        expect(page.get_by_text("No storage is linked.")).to_be_visible()
        visitor.picture("link-1-nothing")
        page.get_by_role("button", name="Link my Nextcloud").click()
        visitor.picture("link-2-asked")
        with page.expect_popup() as opened:
            page.get_by_role("button", name=f"Open {linking.address('storage')}").click()
        there = opened.value
        there.get_by_role("link", name="Log in").click()
        expect(there.get_by_text("signed in as")).to_contain_text("Rosa Pérez")
        expect(page.get_by_text("this page goes on by itself")).to_be_visible()
        there.screenshot(path=_artefact("link-3-consent"))
        there.get_by_role("button", name="Grant access").click()
        expect(there.get_by_role("heading", name="Your storage is linked")).to_be_visible()
        expect(page.get_by_text("The link works.")).to_be_visible(timeout=15_000)
        expect(page.locator("main")).to_contain_text(f"{linking.address('storage')}, as rosa")
        visitor.picture("link-4-linked")
        assert there.evaluate("window.opener") is None
        check(page, "Your storage · iMagine")
        assert visitor.abroad == []
    rosa = linking.sign_in("rosa")
    rosa.start_server()
    assert is_readable(linking.folder / "homes" / "rosa" / "nextcloud")
    password = key(rosa)["password"]
    for process in linking.processes():
        assert password not in "\n".join([*process.environ().values(), command(process)])
    for log in [*linking.state.rglob("*.log"), linking.state / "audit.jsonl", linking.log]:
        assert password not in log.read_text(errors="replace"), log
    rosa.stop_server()
    assert opens(rosa, {"url": linking.address("storage"), "user": "rosa", "password": password})


def _artefact(name: str) -> Path:
    from tests.workspace.browser import ARTEFACTS

    return ARTEFACTS / f"{name}.png"


def test_a_link_outlives_the_workspace(linking: Workspace, rosa: Person) -> None:
    rosa.start_server()
    before = key(rosa)
    linking.stop()
    linking.start()
    rosa = linking.sign_in("rosa")
    assert "The link works." in rosa.get(PAGE).text
    assert opens(rosa, before)


# ------------------------------------------------------------------------------------------------- a link that died


def test_a_dead_link_is_said_before_anything_starts_and_a_server_goes_without_it_on_the_users_word(
    linking: Workspace, rosa: Person
) -> None:
    rosa.start_server()
    revoke(rosa, key(rosa))
    rosa.stop_server()
    form = rosa.get("/hub/spawn")
    assert f"Your storage at {linking.address('storage')} {DEAD}" in html.unescape(form.text)
    assert f'href="{PAGE}">Link again</a>' in form.text
    refused = start(rosa)
    assert refused.status_code == 409
    assert DEAD in html.unescape(refused.text)
    assert "Link again" in refused.text
    answer = rosa.ask_for_server(module="phytoplankton")
    assert answer.status_code == 409
    assert answer.json()["message"].endswith(DEAD)
    assert rosa.servers() == {}

    page = start(rosa, storage="without")
    assert page.url.path.startswith("/hub/spawn-pending/"), page.text
    events = rosa.follow_start()
    assert events[-1].get("ready"), events
    assert any(event["message"].endswith(DEAD) for event in events)
    assert linking.mounts() == []
    assert not key_file(rosa).exists()
    assert rosa.server_api("status").status_code == 200

    link(rosa)  # while it runs
    until(lambda: is_readable(linking.folder / "homes" / "rosa" / "nextcloud"), 20, "a mount")


def test_a_link_made_anew_repairs_library_and_mount_of_a_server_that_runs(server: Person) -> None:
    with notebook(server) as read:
        assert read() == "# Example images"
        old = key(server)
        revoke(server, old)
        assert "link your storage again" in read() or "no longer" in read()
        link(server)
        begin = time.monotonic()
        assert read() == "# Example images"
        assert is_readable(mount(server))
        assert time.monotonic() - begin < 5
    assert key(server)["password"] != old["password"]


def test_a_mount_whose_key_is_refused_is_taken_away_and_comes_back_with_a_new_one(
    linking: Workspace, server: Person
) -> None:
    revoke(server, key(server))

    def is_gone() -> bool:
        with contextlib.suppress(OSError):
            list((mount(server) / "iMagine").iterdir())
        return linking.mounts() == [] and rclone(linking) is None

    until(is_gone, 20, "an unmount")
    link_at_home = linking.folder / "homes" / "rosa" / "nextcloud"
    until(lambda: not link_at_home.is_symlink(), 10, "an end of the link in the home")
    assert server.server_api("status").status_code == 200
    link(server)
    assert is_readable(linking.folder / "homes" / "rosa" / "nextcloud")


def test_unlinking_takes_the_storage_from_a_server_that_runs_and_what_was_written_is_sent_first(
    linking: Workspace, server: Person
) -> None:
    old = key(server)
    (mount(server) / "written-before.txt").write_text("seagrass")
    page = press(server, "unlink")
    assert "No storage is linked." in page.text
    assert linking.mounts() == []
    assert rclone(linking) is None
    assert not key_file(server).exists()
    assert not opens(server, old)
    assert (linking.state / "storage" / "data" / "rosa" / "files" / "written-before.txt").read_text() == "seagrass"
    assert server.server_api("status").status_code == 200


# ------------------------------------------------------------------------------------------------------ the mount


def test_a_killed_mount_comes_back_by_itself(linking: Workspace, server: Person) -> None:
    names = ["written-before-the-kill.txt", "written-before-another.txt"]
    for name in names:
        killed = rclone(linking)
        assert killed is not None
        (mount(server) / name).write_text("eelgrass")
        until(lambda name=name: is_noted(linking, name), 10, "rclone's note of what was written")
        killed.send_signal(signal.SIGKILL)
        until(lambda: is_readable(mount(server)), 20, "a mount that can be read")
        for _ in range(20):
            assert list(mount(server).iterdir())
    stored = [linking.state / "storage" / "data" / "rosa" / "files" / name for name in names]
    until(
        lambda: all(file.exists() and file.read_text() == "eelgrass" for file in stored),
        30,
        "an end of sending what was written before the kills",
    )


def test_what_was_just_written_is_sent_before_the_server_is_gone(linking: Workspace, server: Person) -> None:
    content = os.urandom(8 * 1024**2)
    (mount(server) / "last.bin").write_bytes(content)
    server.stop_server()
    assert linking.mounts() == []
    assert (linking.state / "storage" / "data" / "rosa" / "files" / "last.bin").read_bytes() == content
    assert list((linking.state / "mounts" / "rosa" / "cache").iterdir()) == []


def test_a_mount_that_does_not_answer_has_sent_nothing(linking: Workspace, server: Person) -> None:
    mounted = rclone(linking)
    assert mounted is not None
    with frozen(linking.service("storage")):
        (mount(server) / "held-back.txt").write_text("maerl")
        until(lambda: is_noted(linking, "held-back.txt"), 10, "rclone's note of what was written")
        mounted.suspend()
    page = press(server, "unlink")
    assert "1 files that you had written to ~/nextcloud could not be sent" in html.unescape(page.text)
    link(server)
    kept = linking.state / "storage" / "data" / "rosa" / "files" / "held-back.txt"
    until(kept.exists, 20, "an end of sending what was held back")


def test_what_cannot_be_sent_is_kept_said_and_sent_later(linking: Workspace, server: Person) -> None:
    with frozen(linking.service("storage")):
        (mount(server) / "kept.txt").write_text("kelp")
        server.stop_server()
        assert linking.mounts() == []
        assert "1 files could not be sent to the storage" in (linking.state / "logs" / "hub.log").read_text()
    assert (
        "1 of the files that you wrote to <code>~/nextcloud</code> are not at your storage yet."
        in server.get(PAGE).text
    )
    said = server.start_server()
    assert any(
        text.startswith("1 files that you had written to ~/nextcloud could not be sent before") for text in said
    )
    kept = linking.state / "storage" / "data" / "rosa" / "files" / "kept.txt"
    until(lambda: kept.exists() and kept.read_text() == "kelp", 30, "the file at the storage")
    until(lambda: "are not at your storage yet." not in server.get(PAGE).text, 10, "an end of the warning")


# ------------------------------------------------------------------------------------------------------ operators


def test_a_hub_that_is_drained_starts_no_server_and_says_why(linking: Workspace, rosa: Person) -> None:
    reason = "The disks are changed on Friday: start again after noon."
    assert operate(linking, "drain", reason).returncode == 0
    try:
        assert reason in rosa.get("/hub/spawn").text
        page = start(rosa)
        assert (page.status_code, reason in page.text) == (503, True)
        answer = rosa.ask_for_server(module="phytoplankton")
        assert (answer.status_code, answer.json()["message"]) == (503, reason)
        assert rosa.servers() == {}
        assert linking.mounts() == []
    finally:
        assert operate(linking, "drain", "").returncode == 0
    rosa.start_server()


def test_offboarding_ends_server_mount_and_key(linking: Workspace, server: Person) -> None:
    old = key(server)
    assert operate(linking, "offboard", "rosa").returncode == 0
    try:
        assert linking.mounts() == []
        assert not opens(server, old)
        until(lambda: server.get("/hub/home").url.path == "/hub/login", 10, "the way out")
    finally:
        assert operate(linking, "readmit", "rosa").returncode == 0
    server.sign_in()


def operate(workspace: Workspace, *order: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from hub_config.operate import main; sys.exit(main())"
    environment = os.environ | {"IMAGINE_SETTINGS": str(workspace.state / "settings.yaml")}
    return subprocess.run(
        [sys.executable, "-c", code, *order],
        env=environment,
        cwd=PROJECT,
        text=True,
        capture_output=True,
        check=False,
    )
