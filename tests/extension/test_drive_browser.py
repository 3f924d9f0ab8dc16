"""The Nextcloud drive in a real JupyterLab, as a person sees it, driven by the system's Chromium."""

from __future__ import annotations

import json
import random
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Request, Response, Route, expect, sync_playwright

from .labs import SETTINGS, Lab, notebook, wait_until
from .test_panel import FLAGS, PICTURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.local.storage.account import Account
    from tests.local.storage.conftest import Server

    from .drives import Drive

pytestmark = pytest.mark.browser

NAMES = ["with space.txt", "100% & 25%25.txt", "a#b?c+d.txt", "[x].txt", "🐟.txt", "ünï.txt", "nextcloud:notes.txt"]

SOON = """
const { setTimeout } = window;
window.setTimeout = (run, pause, ...given) => setTimeout(run, pause === 30000 ? 1000 : pause, ...given);
"""
"""Has the Lab look every second for what it looks for every half a minute."""


@dataclass
class Screen:
    """A browser window on the Lab, with the drive's list open."""

    page: Page
    lab: Lab
    drive: Drive

    def open(self, path: str = "") -> None:
        """Open the Lab in a workspace where nobody has been, and the drive in it."""
        workspace = f"t{secrets.token_hex(4)}{path}"
        self.page.goto(f"{self.lab.url}/lab/workspaces/{workspace}?token={self.lab.token}")
        expect(self.page.locator(".jp-LauncherCard").first).to_be_visible(timeout=60_000)
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0)
        # Shown by itself the first time that someone comes to a workspace.
        expect(self.page.locator("#imagine-lab-panel")).to_be_visible()
        self.page.locator('.jp-SideBar .lm-TabBar-tab[data-id="imagine-lab-nextcloud"]').click()
        expect(self.list).to_be_visible()

    @property
    def list(self) -> Locator:
        return self.page.locator("#imagine-lab-nextcloud")

    @property
    def items(self) -> Locator:
        return self.list.locator(".jp-DirListing-item")

    def item(self, name: str) -> Locator:
        exactly = re.compile(f"^{re.escape(name)}$")
        return self.items.filter(has=self.page.locator(".jp-DirListing-itemText", has_text=exactly))

    @property
    def notice(self) -> Locator:
        return self.list.locator(".imagine-Notice [role=alert]")

    @property
    def crowd(self) -> Locator:
        """What is said of a folder with more entries than are listed."""
        return self.list.locator(".imagine-Notice [role=status]")

    @property
    def dialog(self) -> Locator:
        return self.page.locator(".jp-Dialog")

    def button(self, name: str) -> Locator:
        return self.list.locator(f'.jp-ToolbarButton [title="{name}"], jp-button[title="{name}"]').first

    def choose(self, name: str, command: str) -> None:
        """Choose something in the menu of an entry."""
        self.item(name).click(button="right")
        self.page.locator(".lm-Menu-item", has_text=re.compile(f"^{command}")).first.click()

    def name(self, name: str) -> None:
        """Type a name where the list asks for one."""
        expect(self.list.locator("input.jp-DirListing-editor")).to_be_focused()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(name)
        self.page.keyboard.press("Enter")
        expect(self.item(name)).to_be_visible()

    def edit(self, name: str) -> Locator:
        """Open a text file, and give its editor."""
        self.item(name).dblclick()
        editor = self.page.locator(".jp-FileEditor:visible .cm-content")
        expect(editor).to_be_visible()
        return editor

    def look(self) -> None:
        """Come back to the browser's window, as from another one."""
        self.page.evaluate("window.dispatchEvent(new Event('focus'))")

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")


@pytest.fixture(scope="module")
def browser(drive_lab: Lab) -> Iterator[BrowserContext]:
    """Give one browser to all tests: from the second on, it has the Lab's files in its cache."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield chromium.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
        chromium.close()


@pytest.fixture
def screen(browser: BrowserContext, drive_lab: Lab, drive: Drive) -> Iterator[Screen]:
    """Give a window. At the end of every test, the key to the storage did not reach the browser."""
    page = browser.new_page()
    heard: list[str] = []

    def listen(response: Response) -> None:
        if "/imagine/nextcloud/contents" in response.url:
            heard.append(str(response.headers))

    page.on("response", listen)
    page.set_default_timeout(20_000)
    yield Screen(page, drive_lab, drive)
    assert drive.account.password not in page.content() + "".join(heard)
    page.close()


def test_nothing_is_asked_before_someone_looks(screen: Screen) -> None:
    screen.page.goto(f"{screen.lab.url}/lab/workspaces/quiet?token={screen.lab.token}")
    expect(screen.page.locator(".jp-LauncherCard").first).to_be_visible(timeout=60_000)
    screen.page.wait_for_timeout(2000)
    assert screen.drive.passage.seen == []


def test_a_text_file_is_opened_edited_and_saved(screen: Screen) -> None:
    account = screen.drive.account
    account.send("MKCOL", "/cruise")
    account.put("/cruise/log.txt", b"first line\n")
    screen.open()
    screen.item("cruise").dblclick()
    editor = screen.edit("log.txt")
    expect(editor).to_contain_text("first line")
    editor.press("Control+End")
    editor.type("second line")
    editor.press("Control+s")
    wait_until(lambda: account.read("/cruise/log.txt") == b"first line\nsecond line", 20, "it was not saved")
    editor.type(" and more")
    editor.press("Control+s")
    wait_until(lambda: account.read("/cruise/log.txt").endswith(b" and more"), 20, "it was not saved again")
    expect(screen.dialog).to_have_count(0)


def test_saving_under_the_name_of_another_file_replaces_it(screen: Screen) -> None:
    account, page = screen.drive.account, screen.page
    account.put("/mine.txt", b"mine")
    account.put("/old.txt", b"old")
    screen.open()
    editor = screen.edit("mine.txt")
    expect(editor).to_contain_text("mine")
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.locator('.lm-Menu-item[data-command="docmanager:save-as"]').click()
    screen.dialog.locator("input").fill("old.txt")
    screen.dialog.get_by_role("button", name="Save").click()
    screen.dialog.get_by_role("button", name="Overwrite").click()
    wait_until(lambda: content_of(account, "/old.txt") == b"mine", 20, "it was not saved")
    expect(screen.dialog).to_have_count(0)
    assert account.read("/mine.txt") == b"mine"


def content_of(account: Account, path: str) -> bytes | None:
    """Return what a file holds; None while it is being replaced."""
    answer = account.send("GET", path)
    return answer.content if answer.status_code == 200 else None


def test_an_empty_file_is_opened_and_saved(screen: Screen) -> None:
    account = screen.drive.account
    account.put("/empty.txt", b"")
    screen.open()
    editor = screen.edit("empty.txt")
    editor.type("no more")
    editor.press("Control+s")
    wait_until(lambda: account.read("/empty.txt") == b"no more", 20, "it was not saved")
    expect(screen.dialog).to_have_count(0)


def test_a_picture_is_asked_for_anew(screen: Screen) -> None:
    account = screen.drive.account
    account.put("/c.txt", b"first", X_OC_MTime="1700000000")
    screen.open()
    fetch = "async url => (await fetch(url)).text()"
    token = next(cookie["value"] for cookie in screen.page.context.cookies() if cookie["name"] == "_xsrf")
    url = f"{screen.lab.url}/imagine/nextcloud/files/c.txt?_xsrf={token}"
    assert screen.page.evaluate(fetch, url) == "first"
    account.put("/c.txt", b"second", X_OC_MTime="1710000000")
    assert screen.page.evaluate(fetch, url) == "second"


def test_a_notebook_is_run_and_saved(screen: Screen) -> None:
    account = screen.drive.account
    account.put("/n.ipynb", notebook("# Title").encode())
    screen.open()
    screen.item("n.ipynb").dblclick()
    page = screen.page
    choice = page.locator(".jp-Dialog button.jp-mod-accept")
    expect(choice.or_(page.locator(".jp-Notebook .jp-Cell").first).first).to_be_visible()
    expect(page.locator(".jp-Notebook h1")).to_contain_text("Title")
    if choice.count():
        choice.click()
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    expect(page.locator(".jp-Notebook .jp-Cell.jp-mod-active .cm-content")).to_be_focused()
    page.keyboard.type("6 * 7")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea-output", has_text="42")).to_be_visible(timeout=60_000)
    page.keyboard.press("Control+s")
    wait_until(lambda: b'"42"' in account.read("/n.ipynb"), 20, "it was not saved")
    screen.picture("drive-notebook")
    expect(screen.dialog).to_have_count(0)


def test_a_new_notebook_is_made_where_the_user_looks(screen: Screen) -> None:
    account, page = screen.drive.account, screen.page

    def make() -> None:
        page.get_by_role("menuitem", name="File", exact=True).click()
        page.locator(".lm-Menu-item", has_text=re.compile("^New$")).hover()
        page.locator(".lm-Menu-item", has_text=re.compile("^Notebook$")).click()
        screen.dialog.locator("button.jp-mod-accept").click()
        expect(page.locator(".jp-NotebookPanel:visible")).to_be_visible()

    screen.open()
    expect(screen.button("Upload Files")).to_be_visible()
    make()
    wait_until(lambda: "/Untitled.ipynb" in account.listing(), 20, "it was not made in the storage")
    page.locator('.jp-SideBar .lm-TabBar-tab[data-id="filebrowser"]').click()
    expect(screen.list).to_be_hidden()
    make()
    wait_until((screen.lab.home / "Untitled.ipynb").exists, 20, "it was not made in the home")
    assert list(account.listing()) == ["/", "/Untitled.ipynb"]


def test_twenty_megabytes_go_up_with_progress(screen: Screen, tmp_path: Path) -> None:
    file = tmp_path / "ctd 100%.bin"
    content = random.Random(0).randbytes(20 * 2**20)
    file.write_bytes(content)
    screen.open()
    with screen.page.expect_file_chooser() as chooser:
        screen.button("Upload Files").click()
    chooser.value.set_files(file)
    screen.dialog.get_by_role("button", name="Upload").click()
    bar = screen.page.locator("#jp-main-statusbar", has_text="Uploading")
    expect(bar).to_be_visible()
    screen.picture("drive-upload")
    expect(screen.item(file.name)).to_be_visible(timeout=60_000)
    wait_until(lambda: screen.drive.account.send("GET", f"/{file.name}").content == content, 20, "it is not whole")
    assert screen.drive.passage.counts["PUT"] == 1
    expect(screen.dialog).to_have_count(0)


def test_an_upload_that_the_storage_takes_long_for_is_waited_for(screen: Screen, tmp_path: Path) -> None:
    passage, page = screen.drive.passage, screen.page
    file = tmp_path / "slow.bin"
    file.write_bytes(bytes(2 * 2**20 + 1))
    screen.open()

    def delay(number: int) -> None:
        if passage.seen[number - 1][0] == "PUT":
            time.sleep(11)

    passage.hook = delay
    told: list[int] = []

    def note(answer: Response) -> None:
        if answer.request.method == "PUT" and "/imagine/nextcloud/contents" in answer.url:
            told.append(answer.status)

    page.on("response", note)
    with page.expect_file_chooser() as chooser:
        screen.button("Upload Files").click()
    chooser.value.set_files(file)
    expect(screen.item(file.name)).to_be_visible(timeout=60_000)
    wait_until(lambda: page.wait_for_timeout(100) or len(told) > 3, 20, "nobody asked again")
    assert [status for status in told if not 200 <= status < 202] == [202]
    assert screen.drive.account.send("GET", f"/{file.name}").content == file.read_bytes()
    expect(screen.dialog).to_have_count(0)


def test_an_upload_over_a_file_replaces_what_was_listed_and_nothing_else(screen: Screen, tmp_path: Path) -> None:
    account = screen.drive.account
    account.put("/a.txt", b"listed")
    file = tmp_path / "a.txt"
    file.write_bytes(b"mine")
    screen.open()

    def upload() -> None:
        expect(screen.item("a.txt")).to_be_visible()
        with screen.page.expect_file_chooser() as chooser:
            screen.button("Upload Files").click()
        chooser.value.set_files(file)
        screen.dialog.get_by_role("button", name="Overwrite").wait_for()

    upload()
    screen.dialog.get_by_role("button", name="Overwrite").click()
    wait_until(lambda: account.read("/a.txt") == b"mine", 20, "it was not replaced")
    upload()
    account.put("/a.txt", b"theirs")
    screen.dialog.get_by_role("button", name="Overwrite").click()
    expect(screen.dialog).to_contain_text("a.txt was changed by someone else meanwhile and was not overwritten")
    assert account.read("/a.txt") == b"theirs"


def test_a_long_upload_does_not_replace_what_comes_meanwhile(screen: Screen, tmp_path: Path) -> None:
    account, page = screen.drive.account, screen.page
    account.put("/a.bin", b"listed")
    file = tmp_path / "a.bin"
    file.write_bytes(bytes(10 * 2**20))
    screen.open()
    expect(screen.item("a.bin")).to_be_visible()
    chunks: list[int] = []

    def send(route: Route) -> None:
        if route.request.method == "PUT":
            chunks.append(len(chunks))
            if len(chunks) == 5:
                account.put("/a.bin", b"of someone else")
                with page.expect_response(lambda response: response.url.partition("?")[0].endswith("/contents")):
                    screen.look()
        route.continue_()

    page.route("**/imagine/nextcloud/contents/a.bin*", send)
    with page.expect_file_chooser() as chooser:
        screen.button("Upload Files").click()
    chooser.value.set_files(file)
    screen.dialog.get_by_role("button", name="Overwrite").click()
    expect(screen.dialog).to_contain_text("a.bin was changed by someone else", timeout=60_000)
    assert account.read("/a.bin") == b"of someone else"
    assert len(chunks) == 10


@pytest.mark.parametrize("name", NAMES)
def test_names_of_every_kind(screen: Screen, name: str) -> None:
    account = screen.drive.account
    account.put(f"/{name}", b"content")
    screen.open()
    editor = screen.edit(name)
    expect(editor).to_contain_text("content")
    editor.type("new ")
    editor.press("Control+s")
    wait_until(lambda: account.read(f"/{name}") == b"new content", 20, "it was not saved")
    with screen.page.expect_download() as download:
        screen.choose(name, "Download")
    assert download.value.suggested_filename.replace("_", "?") == name.replace("_", "?").replace(":", "?")
    assert Path(download.value.path()).read_bytes() == b"new content"
    expect(screen.dialog).to_have_count(0)


def test_a_folder_is_made_and_entries_are_renamed_and_deleted(screen: Screen) -> None:
    account = screen.drive.account
    account.put("/old.txt", b"x")
    account.put("/other.txt", b"y")
    screen.open()
    screen.button("New Folder").click()
    screen.name("cruise 42")
    screen.choose("old.txt", "Rename")
    screen.name("new.txt")
    screen.choose("other.txt", "(Delete|Move to Trash)")
    screen.dialog.locator("button.jp-mod-accept").click()
    expect(screen.item("other.txt")).to_have_count(0)
    assert sorted(account.listing()) == ["/", "/cruise 42/", "/new.txt"]


def test_a_file_of_a_share_to_read_only_says_so(screen: Screen, server: Server) -> None:
    owner = server.account()
    owner.put("/theirs.txt", b"content")
    owner.share("/theirs.txt", 0, screen.drive.account.uid, permissions=1)
    screen.open()
    expect(screen.edit("theirs.txt")).to_contain_text("content")
    expect(screen.page.locator(".jp-Toolbar:visible", has_text="is read-only")).to_be_visible()


def test_someone_elses_change_is_asked_about(screen: Screen) -> None:
    account = screen.drive.account
    account.put("/a.txt", b"before")
    screen.open()
    editor = screen.edit("a.txt")
    expect(editor).to_contain_text("before")
    account.put("/a.txt", b"theirs")
    editor.type("mine ")
    editor.press("Control+s")
    expect(screen.dialog).to_contain_text("has changed on disk since the last time it was opened or saved")
    assert account.read("/a.txt") == b"theirs"
    screen.dialog.get_by_role("button", name="Cancel").click()
    editor.press("Control+s")
    screen.dialog.get_by_role("button", name="Overwrite").click()
    wait_until(lambda: account.read("/a.txt") == b"mine before", 20, "what the user chose was not done")


def test_a_change_between_the_look_and_the_save_is_not_overwritten(screen: Screen) -> None:
    account = screen.drive.account
    account.put("/a.txt", b"before")
    screen.open()
    editor = screen.edit("a.txt")
    expect(editor).to_contain_text("before")
    changes = iter([b"theirs"])

    def change_first(route: Route) -> None:
        if route.request.method == "PUT" and (content := next(changes, None)):
            account.put("/a.txt", content)
        route.continue_()

    screen.page.route("**/imagine/nextcloud/contents/a.txt*", change_first)
    editor.type("mine ")
    editor.press("Control+s")
    sentence = "nextcloud:/a.txt was changed by someone else meanwhile and was not overwritten; look at both."
    expect(screen.dialog).to_contain_text(sentence)
    screen.picture("drive-conflict")
    assert account.read("/a.txt") == b"theirs"


def test_a_change_right_after_a_save_is_seen_at_the_next(screen: Screen) -> None:
    account = screen.drive.account
    account.put("/a.txt", b"before")
    screen.open()
    editor = screen.edit("a.txt")
    expect(editor).to_contain_text("before")
    editor.type("mine ")

    def change_after(route: Route) -> None:
        answer = route.fetch()
        if route.request.method == "PUT":
            account.put("/a.txt", b"theirs")
        route.fulfill(response=answer)

    screen.page.route("**/imagine/nextcloud/contents/a.txt*", change_after)
    is_save = re.compile(r"/imagine/nextcloud/contents/a\.txt")  # the Lab keeps its layout by a PUT, too
    with screen.page.expect_response(lambda answer: answer.request.method == "PUT" and is_save.search(answer.url)):
        editor.press("Control+s")
    screen.page.unroute("**/imagine/nextcloud/contents/a.txt*")
    expect(screen.page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
    assert account.read("/a.txt") == b"theirs"
    editor.type("more ")
    editor.press("Control+s")
    expect(screen.dialog).to_contain_text("has changed on disk")
    assert account.read("/a.txt") == b"theirs"


def test_a_dead_credential_is_one_sentence_until_it_is_linked_again(screen: Screen) -> None:
    drive = screen.drive
    drive.account.put("/a.txt", b"before")
    screen.open()
    editor = screen.edit("a.txt")
    drive.link(password="revoked")
    screen.button("Refresh").click()
    sentence = (
        "Your storage no longer lets this server in: link it again at /base/hub/imagine/storage, then go on here."
    )
    expect(screen.notice).to_contain_text(sentence)
    link = screen.notice.get_by_role("link", name="Link your storage")
    assert link.get_attribute("href") == "/base/hub/imagine/storage"
    expect(screen.dialog).to_have_count(0)
    screen.picture("drive-dead-credential")
    editor.type("unsaved ")
    editor.press("Control+s")
    expect(screen.dialog).to_have_count(1)
    expect(screen.dialog).to_contain_text(sentence)
    screen.dialog.get_by_role("button", name="Close").click()
    drive.link()
    screen.look()
    expect(screen.notice).to_have_count(0)
    editor.press("Control+s")
    wait_until(lambda: drive.account.read("/a.txt") == b"unsaved before", 20, "it was not saved after linking anew")


def test_nobody_looks_again_before_the_storage_is_linked_again(screen: Screen) -> None:
    drive, page = screen.drive, screen.page
    page.add_init_script(SOON)
    screen.open()
    expect(screen.button("Refresh")).to_be_visible()
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/imagine/nextcloud/contents" in request.url:
            asked.append(request.url)

    page.on("request", note)
    page.wait_for_timeout(2500)
    assert asked != []
    drive.link(password="revoked")
    screen.button("Refresh").click()
    expect(screen.notice).to_be_visible()
    asked.clear()
    page.wait_for_timeout(2500)
    assert asked == []
    drive.account.put("/a.txt")
    drive.link()
    screen.look()
    expect(screen.item("a.txt")).to_be_visible()


def test_a_full_storage_is_one_sentence(screen: Screen, start: Callable[..., Server], tmp_path: Path) -> None:
    full = start(IMAGINE_STORAGE_QUOTA="1000000")
    account = full.account()
    screen.drive.link(url=full.url, user=account.uid, password=account.password)
    files = [tmp_path / f"{number}.bin" for number in range(3)]
    for file in files:
        file.write_bytes(bytes(2_000_000))
    screen.open()
    with screen.page.expect_file_chooser() as chooser:
        screen.button("Upload Files").click()
    chooser.value.set_files(files)
    expect(screen.dialog).to_contain_text("bin was not written; delete something first.")
    screen.picture("drive-full")
    screen.dialog.get_by_role("button", name="Close").click()
    screen.page.wait_for_timeout(1000)
    expect(screen.dialog).to_have_count(0)
    assert list(account.listing()) == ["/"]


def test_without_a_storage_it_says_so_and_works_once_there_is_one(screen: Screen) -> None:
    drive = screen.drive
    drive.account.put("/a.txt")
    drive.credential.unlink()
    screen.open()
    expect(screen.notice).to_contain_text("No storage is linked to this server: link yours at ")
    drive.link()
    screen.notice.get_by_role("button", name="Try again").click()
    expect(screen.item("a.txt")).to_be_visible()
    expect(screen.notice).to_have_count(0)


def test_a_storage_that_is_down(screen: Screen) -> None:
    drive = screen.drive
    drive.account.put("/a.txt")
    screen.open()
    expect(screen.item("a.txt")).to_be_visible()
    drive.link(url="http://127.0.0.1:9")
    screen.button("Refresh").click()
    expect(screen.notice).to_contain_text(
        "Your storage at http://127.0.0.1:9 does not answer; try again in a moment."
    )
    expect(screen.notice.get_by_role("link")).to_have_count(0)
    expect(screen.dialog).to_have_count(0)


def test_what_was_open_is_there_again_after_a_reload(screen: Screen) -> None:
    screen.drive.account.put("/a.txt", b"content")
    screen.open()
    expect(screen.edit("a.txt")).to_contain_text("content")
    screen.page.wait_for_timeout(2000)  # the Lab saves its layout after a second
    screen.page.reload()
    expect(screen.page.locator(".jp-FileEditor .cm-content")).to_contain_text("content", timeout=60_000)
    expect(screen.item("a.txt")).to_be_visible()


def test_two_and_a_half_thousand_entries(screen: Screen) -> None:
    many = screen.drive.account.home / "many"
    screen.drive.account.send("MKCOL", "/many")
    for number in range(2500):
        (many / f"{number:05}.jpg").touch()
    screen.open()
    screen.item("many").dblclick()
    expect(screen.items).to_have_count(2500, timeout=60_000)
    expect(screen.crowd).to_have_count(0)
    screen.picture("drive-many")


def test_a_folder_of_more_than_ten_thousand_says_so(screen: Screen) -> None:
    crowd = screen.drive.account.home / "crowd"
    screen.drive.account.send("MKCOL", "/crowd")
    for number in range(10_050):
        (crowd / f"{number:05}.jpg").touch()
    screen.open()
    screen.item("crowd").dblclick()
    sentence = (
        "This folder has 10,050 entries, and the first 10,000 of them are listed here; "
        "open the others by name in a notebook, as nextcloud:/crowd."
    )
    expect(screen.crowd).to_have_text(sentence, timeout=90_000)
    screen.picture("drive-crowd")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_pictures(screen: Screen, theme: str) -> None:
    settings = screen.lab.home / SETTINGS / "themes.jupyterlab-settings"
    settings.write_text(json.dumps({"theme": theme}))
    account = screen.drive.account
    for folder in ("/Cruise 2025-09", "/Plankton sets", "/Shared with me"):
        account.send("MKCOL", folder)
    for name in ("/analysis.ipynb", "/stations.csv", "/notes.md"):
        account.put(name, notebook("# Analysis").encode(), X_OC_MTime="1790000000")
    try:
        screen.open()
        expect(screen.item("notes.md")).to_be_visible()
        dark = theme.endswith("Dark")
        expect(screen.page.locator("body")).to_have_attribute("data-jp-theme-light", "false" if dark else "true")
        screen.picture("drive-dark" if dark else "drive")
        screen.drive.link(password=theme)
        screen.button("Refresh").click()
        expect(screen.notice).to_be_visible()
        screen.picture("drive-trouble-dark" if dark else "drive-trouble")
    finally:
        settings.unlink()
