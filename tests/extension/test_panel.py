"""The panel in a real JupyterLab, as a person sees it, driven by the system's Chromium."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Request, Route, expect, sync_playwright

from .conftest import HUB_TOKEN, FakePlatform, problem, published
from .labs import SETTINGS, Lab, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.browser

PICTURES = Path(__file__).parents[1] / "artefacts" / "extension"

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

CODE = 'import imagine_lib as im\nmodel = im.load("phytoplankton")\nmodel'


@dataclass
class Screen:
    """A browser window on the Lab, with what it tried to reach elsewhere."""

    page: Page
    lab: Lab
    workspace: str
    elsewhere: list[str]

    def open(self, path: str = "") -> None:
        """Open the Lab, at a file when one is named, and wait until it is drawn."""
        target = f"/tree/{path}" if path else ""
        self.page.goto(f"{self.lab.url}/lab/workspaces/{self.workspace}{target}?token={self.lab.token}")
        # The launcher, or the notebook, takes the focus when it comes: nothing is pressed before.
        drawn = ".jp-Notebook .jp-Cell" if path else ".jp-LauncherCard"
        expect(self.page.locator(drawn).first).to_be_visible(timeout=60_000)
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0)

    @property
    def panel(self) -> Locator:
        return self.page.locator("#imagine-lab-panel")

    def card(self, name: str) -> Locator:
        return self.panel.locator(f'.imagine-Card[data-name="{name}"]')

    def group(self, name: str) -> Locator:
        return self.panel.get_by_role("region", name=name)

    def look(self) -> None:
        """Come back to the browser's window, as from another one."""
        self.page.evaluate("window.dispatchEvent(new Event('focus'))")

    def scroll(self, to: int | None = None) -> int:
        """Scroll the panel, and tell where it is."""
        script = "(node, to) => { if (to !== null) node.scrollTop = to; return node.scrollTop; }"
        place: int = self.panel.locator(".imagine-Scroll").evaluate(script, to)
        return place

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")


@pytest.fixture(scope="module")
def browser(lab: Lab) -> Iterator[BrowserContext]:
    """Give one browser to all tests: from the second on, it has the Lab's files in its cache."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        context = chromium.new_context(viewport={"width": 1280, "height": 800})
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=lab.url)
        yield context
        chromium.close()


@pytest.fixture
def screen(browser: BrowserContext, lab: Lab, platform: FakePlatform) -> Iterator[Screen]:
    """Give a workspace in which nobody has been before; what it asks of another host is stopped and noted.

    At the end of every test, nothing was asked of another host, and the hub token did not reach the browser.
    """
    elsewhere: list[str] = []
    heard: list[str] = []

    def stop(route: Route) -> None:
        elsewhere.append(route.request.url)
        route.abort()

    def note(request: Request) -> None:
        if urlsplit(request.url).hostname not in ("127.0.0.1", None):
            elsewhere.append(request.url)

    page = browser.new_page()
    page.route(re.compile(r"^https?://(?!127\.0\.0\.1:)"), stop)
    page.on("request", note)
    page.on("response", lambda response: heard.append(str(response.headers)))
    page.set_default_timeout(20_000)
    yield Screen(page, lab, f"t{secrets.token_hex(4)}", elsewhere)
    assert HUB_TOKEN not in page.content() + "".join(heard)
    page.close()
    assert elsewhere == []


def write_notebook(lab: Lab, name: str, *sources: str) -> Path:
    """Write a notebook into the user's home."""
    shared: dict[str, object] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{**shared, "id": f"c{n}", "source": source} for n, source in enumerate(sources)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    file = lab.home / name
    file.write_text(json.dumps(content))
    return file


def saved(file: Path) -> list[str]:
    """Read the cells of a notebook's file; none while it is being written."""
    try:
        return ["".join(cell["source"]) for cell in json.loads(file.read_text())["cells"]]
    except ValueError:
        return []


def sources(page: Page) -> list[str]:
    """Read the cells of the notebook that is on the screen."""
    script = """() => {
      const panel = [...document.querySelectorAll('.jp-NotebookPanel')].find(found => found.checkVisibility());
      return [...panel.querySelectorAll('.jp-Cell')].map(cell =>
        [...cell.querySelectorAll('.jp-InputArea .cm-line')].map(line => line.textContent).join('\\n'));
    }"""
    found: list[str] = page.evaluate(script)
    return found


def test_it_is_there_at_the_first_start_and_not_forced_on_who_closed_it(screen: Screen) -> None:
    screen.open()
    expect(screen.panel).to_be_visible()
    expect(screen.card("phytoplankton")).to_contain_text("Phytoplankton classification")
    expect(screen.card("phytoplankton")).to_contain_text("demonstration")
    expect(screen.card("phytoplankton")).to_contain_text("4 classes · macro-F1 0.910 on 212 test images")
    expect(screen.card("zooplankton")).not_to_contain_text("demonstration")
    expect(screen.card("ada/copepods")).to_contain_text("shared by ada")
    screen.picture("panel-light")
    screen.page.locator('.jp-SideBar [data-id="imagine-lab-panel"]').click()
    expect(screen.panel).to_be_hidden()
    with screen.page.expect_response(re.compile(r"/api/workspaces/"), timeout=20_000) as saved:
        pass
    assert saved.value.ok
    screen.open()
    expect(screen.page.locator('.jp-SideBar [data-id="imagine-lab-panel"]')).to_be_visible()
    expect(screen.panel).to_be_hidden()


def test_search_filters_every_list(screen: Screen) -> None:
    screen.open()
    search = screen.panel.get_by_role("searchbox", name="Search the catalogue and the shared models")
    search.press_sequentially("bering", delay=20)
    expect(screen.card("zooplankton")).to_be_visible()
    expect(screen.card("phytoplankton")).to_have_count(0)
    expect(screen.panel.get_by_role("heading", level=2)).to_have_text([re.compile("^Catalogue")])
    search.fill("whales")
    expect(screen.panel).to_contain_text("Nothing matches “whales”.")
    screen.picture("nothing-found")
    search.fill("")
    expect(screen.card("phytoplankton")).to_be_visible()
    expect(screen.card("ada/copepods")).to_be_visible()


def test_a_page_by_keyboard_and_back(screen: Screen) -> None:
    screen.open()
    screen.card("phytoplankton").focus()
    screen.page.keyboard.press("Enter")
    expect(screen.panel.get_by_role("heading", name="Phytoplankton classification")).to_be_visible()
    expect(screen.panel.get_by_role("button", name="All models")).to_be_focused()
    expect(screen.panel.get_by_role("heading", name="What it is for")).to_be_visible()
    expect(screen.panel).to_contain_text("Do not use its answers in science.")
    expect(screen.panel).to_contain_text("Measured on 212 test images, kept apart from training by group.")
    expect(screen.panel.get_by_role("link")).to_have_text(["Source code"])
    expect(screen.panel.get_by_role("listitem").filter(has_text="synthetic-chain")).to_be_visible()
    screen.picture("page-light")
    screen.page.keyboard.press("Enter")
    expect(screen.card("phytoplankton")).to_be_focused()


def test_insert_code_below_the_active_cell_and_lose_nothing(screen: Screen) -> None:
    name = f"{screen.workspace}.ipynb"
    file = write_notebook(screen.lab, name, "kept = 0", "kept = 1")
    screen.open(name)
    screen.page.locator(".jp-Notebook .jp-Cell").first.click()
    screen.card("phytoplankton").click()
    screen.panel.get_by_role("button", name="Insert code").click()
    expect(screen.panel.get_by_role("status")).to_have_text(f"The code is in {name}.")
    assert sources(screen.page) == ["kept = 0", CODE, "kept = 1"]
    screen.picture("inserted")
    screen.page.keyboard.press("Control+s")
    wait_until(lambda: saved(file) == ["kept = 0", CODE, "kept = 1"], 20, "the notebook was not saved")


def test_without_a_notebook_a_new_one_is_made(screen: Screen) -> None:
    screen.open()
    before = set(screen.lab.home.glob("*.ipynb"))
    screen.card("ada/copepods").click()
    expect(screen.panel).to_contain_text("Version 3, shared on 2026-05-04 with everyone.")
    screen.panel.get_by_role("button", name="Insert code").click()
    expect(screen.panel.get_by_role("status")).to_contain_text("The code is in Untitled", timeout=60_000)
    assert sources(screen.page) == ['import imagine_lib as im\nmodel = im.load("ada/copepods")\nmodel']
    expect(screen.page.locator(".jp-Dialog")).to_have_count(0)
    (made,) = set(screen.lab.home.glob("*.ipynb")) - before
    assert made.name.startswith("Untitled")


def test_copy_code(screen: Screen) -> None:
    screen.open()
    screen.card("phytoplankton").click()
    screen.panel.get_by_role("button", name="Copy code").click()
    expect(screen.panel.get_by_role("status")).to_have_text("The code is copied.")
    assert screen.page.evaluate("navigator.clipboard.readText()") == CODE


def test_an_error_is_one_sentence_and_can_be_tried_again(screen: Screen, platform: FakePlatform) -> None:
    platform.answers["/catalogue"] = 503, problem(503, "The catalogue is being refreshed; try again in a minute.")
    gone = problem(404, "ada no longer shares copepods with you.")
    platform.answers["/models/ada/copepods/versions/latest"] = 404, gone
    screen.open()
    catalogue = screen.panel.get_by_role("region", name="Catalogue")
    expect(catalogue.get_by_role("alert")).to_contain_text("The catalogue is being refreshed; try again in a minute.")
    expect(screen.card("ada/copepods")).to_be_visible()
    screen.picture("error")
    platform.answers.pop("/catalogue")
    catalogue.get_by_role("button", name="Try again").click()
    expect(screen.card("phytoplankton")).to_be_visible()
    screen.card("ada/copepods").click()
    expect(screen.panel.get_by_role("alert")).to_contain_text("ada no longer shares copepods with you.")
    platform.answers.clear()
    screen.panel.get_by_role("button", name="Try again").click()
    expect(screen.panel).to_contain_text("Two genera, from the station off Ostend.")


def test_refresh_shows_what_is_new(screen: Screen, platform: FakePlatform) -> None:
    platform.shared = []
    screen.open()
    expect(screen.group("Shared with me")).to_contain_text("Nobody has shared a model with you yet:")
    platform.shared = [published("ada", "copepods")]
    screen.panel.get_by_role("button", name="Refresh").click()
    expect(screen.card("ada/copepods")).to_be_visible()


def test_ones_own_models_are_a_group_of_their_own(screen: Screen, platform: FakePlatform) -> None:
    screen.open()
    expect(screen.group("My models")).to_contain_text(
        'You have shared no model yet: run model.share("my-model", to="everyone") in a notebook, and it appears here.'
    )
    screen.picture("groups-empty")
    platform.shared.append(published("rosa", "my-plankton"))
    screen.look()
    expect(screen.group("My models").locator(".imagine-Card")).to_contain_text("rosa/my-plankton")
    expect(screen.group("Shared with me").locator(".imagine-Card")).to_contain_text("shared by ada")
    screen.card("ada/copepods").click()
    expect(screen.panel.get_by_role("button", name="Insert code")).to_be_visible()
    expect(screen.panel.get_by_role("button", name="Withdraw")).to_have_count(0)


def test_what_a_cell_shares_is_in_the_panel_at_once(screen: Screen, platform: FakePlatform) -> None:
    name = f"{screen.workspace}.ipynb"
    share = f"import urllib.request as u; u.urlopen('{platform.url}/models/my-plankton/versions', b'{{}}').status"
    write_notebook(screen.lab, name, share)
    screen.open(name)
    expect(screen.group("My models")).to_contain_text("You have shared no model yet")
    # A cell that is run while its kernel still starts may be forgotten by the Lab.
    expect(screen.page.get_by_role("button", name="Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
    screen.page.locator(".jp-Notebook .jp-Cell .cm-content").first.click()
    screen.page.keyboard.press("Shift+Enter")
    expect(screen.page.locator(".jp-OutputArea-output")).to_have_text("201", timeout=60_000)
    expect(screen.card("rosa/my-plankton")).to_be_visible(timeout=6_000)


def test_it_looks_for_what_is_new_while_it_is_shown(screen: Screen, platform: FakePlatform) -> None:
    screen.page.clock.install()
    screen.open()
    expect(screen.card("ada/copepods")).to_be_visible()
    platform.shared.insert(0, published("ben", "krill"))
    screen.page.clock.fast_forward(21_000)
    expect(screen.card("ben/krill")).to_be_visible(timeout=5_000)

    tab = screen.page.locator('.jp-SideBar [data-id="imagine-lab-panel"]')
    tab.click()
    expect(screen.panel).to_be_hidden()
    platform.shared.insert(0, published("ben", "jellies"))
    platform.asked.clear()
    screen.page.clock.fast_forward(60_000)
    screen.look()
    screen.page.wait_for_timeout(1_000)
    assert platform.asked == []
    tab.click()
    expect(screen.card("ben/jellies")).to_be_visible(timeout=5_000)


def test_a_look_for_what_is_new_disturbs_nobody(screen: Screen, platform: FakePlatform) -> None:
    platform.shared = [published("ada", f"copepods-{n}") for n in range(60)]
    screen.open()
    search = screen.panel.get_by_role("searchbox")
    search.fill("copepods")
    expect(screen.group("Catalogue")).to_have_count(0)
    screen.group("Shared with me").get_by_role("button", name="Show more").click()
    expect(screen.card("ada/copepods-59")).to_be_visible()
    screen.card("ada/copepods-55").focus()
    scrolled = screen.scroll(2000)
    screen.page.evaluate("document.querySelector('[data-name=\"ada/copepods-55\"]').kept = true")
    platform.shared.append(published("ada", "copepods-last"))
    with screen.page.expect_response(re.compile("/models/shared.*offset=50")):
        screen.look()
    expect(screen.card("ada/copepods-last")).to_be_visible()
    assert screen.scroll() == scrolled > 1000
    expect(search).to_have_value("copepods")
    expect(screen.card("ada/copepods-55")).to_be_focused()
    assert screen.page.evaluate("document.querySelector('[data-name=\"ada/copepods-55\"]').kept")

    platform.down = True
    with screen.page.expect_response(re.compile("/models/mine")) as answer:
        screen.look()
    assert answer.value.status == 502
    screen.page.wait_for_timeout(500)
    expect(screen.card("ada/copepods-last")).to_be_visible()
    expect(screen.panel.get_by_role("alert")).to_have_count(0)
    platform.down = False

    screen.card("ada/copepods-1").click()
    expect(screen.panel.get_by_role("heading", name="Card")).to_be_visible()
    scrolled = screen.scroll(300)
    with screen.page.expect_response(re.compile("/models/ada/copepods-1")):
        screen.look()
    screen.page.wait_for_timeout(500)
    assert screen.scroll() == scrolled > 0
    expect(screen.panel.get_by_role("heading", name="Card")).to_be_visible()


def test_an_owner_withdraws_a_version_by_keyboard(screen: Screen, platform: FakePlatform) -> None:
    platform.shared.insert(0, published("rosa", "my-plankton", 3))
    address = "/models/rosa/my-plankton/versions/3/withdraw"
    screen.open()
    screen.card("rosa/my-plankton").click()
    button = screen.panel.get_by_role("button", name="Withdraw version 3…")
    dialog = screen.page.get_by_role("dialog")
    reason = dialog.get_by_label("Nobody will be able to load version 3 any more")
    button.focus()
    screen.page.keyboard.press("Enter")
    expect(reason).to_be_focused()
    expect(dialog).to_contain_text("who tries is shown your reason. This cannot be undone.")
    screen.picture("withdraw-dialog")
    screen.page.keyboard.type("  ")
    expect(dialog.get_by_role("button", name="Withdraw")).to_be_disabled()
    screen.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    assert not platform.withdrawn

    platform.answers[address] = 503, problem(503, "The database does not answer: try again in a minute.")
    screen.page.keyboard.press("Enter")
    expect(reason).to_be_focused()
    screen.page.keyboard.type("Two classes were swapped.")
    screen.page.keyboard.press("Enter")
    alert = screen.panel.get_by_role("alert")
    expect(alert).to_have_text("The database does not answer: try again in a minute.")
    expect(alert).to_be_in_viewport(ratio=1)
    screen.picture("withdraw-refused")
    platform.answers.clear()

    button.focus()
    screen.page.keyboard.press("Enter")
    expect(reason).to_be_focused()
    screen.page.keyboard.type("Two classes were swapped.")
    screen.page.keyboard.press("Enter")
    expect(screen.panel).to_contain_text("It was withdrawn and can no longer be loaded: Two classes were swapped.")
    assert platform.withdrawn == {"rosa/my-plankton": "Two classes were swapped."}
    expect(button).to_have_count(0)
    expect(alert).to_have_count(0)
    expect(screen.panel.get_by_role("button", name="Insert code")).to_have_count(0)
    said = "Version 3 of rosa/my-plankton is withdrawn: nobody can load it any more."
    expect(screen.panel.locator(".imagine-Said")).to_have_text(said)
    expect(screen.panel.get_by_role("button", name="All models")).to_be_focused()
    screen.picture("withdrawn")
    screen.page.keyboard.press("Enter")
    expect(screen.card("rosa/my-plankton")).to_have_count(0)
    expect(screen.panel.locator(".imagine-Said")).to_have_text(said)
    expect(screen.panel.get_by_role("searchbox")).to_be_focused()


def test_hostile_metadata_stays_text(screen: Screen) -> None:
    screen.open()
    expect(screen.card("hostile")).to_contain_text("<script>window.hacked = 'title'</script>")
    screen.card("hostile").click()
    markdown = screen.panel.locator(".imagine-Markdown")
    expect(markdown).to_contain_text("Cells in chains.")
    expect(markdown).to_contain_text("a picture elsewhere")
    expect(markdown).to_contain_text("another picture")
    expect(markdown.get_by_role("img", name="a dot")).to_have_count(1)
    never = "script, img:not([src^='data:']), svg, button, [style], [onload], [data-commandlinker-command]"
    expect(markdown.locator(never)).to_have_count(0)
    expect(markdown.get_by_role("link")).to_have_text(["outward"])
    expect(markdown.get_by_role("link")).to_have_attribute("rel", re.compile("noopener"))
    expect(markdown.get_by_role("link")).to_have_attribute("target", "_blank")
    expect(markdown.locator("a:not(.jp-InternalAnchorLink)")).to_have_count(1)
    expect(markdown).to_contain_text("press me too")
    screen.picture("hostile")
    screen.page.wait_for_timeout(500)
    assert screen.page.evaluate("window.hacked") is None
    assert "/lab" in screen.page.url


def test_a_launcher_card_for_each_tutorial(screen: Screen) -> None:
    screen.open()
    cards = screen.page.locator('.jp-LauncherCard[data-category="iMagine"]')
    expect(cards).to_have_text(["Your first model", "Share it with friends"])
    expect(cards.first).to_have_attribute("title", "Load a model, look at what it says.")
    screen.picture("launcher")
    cards.first.click()
    expect(screen.page.get_by_role("tab", name="01-first.ipynb")).to_be_visible(timeout=60_000)
    expect(screen.page.locator(".jp-NotebookPanel")).to_contain_text("Not a title", timeout=60_000)  # its first cell


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_fits_a_narrow_side_bar_in_both_themes(screen: Screen, platform: FakePlatform, theme: str) -> None:
    platform.shared.insert(0, published("rosa", "my-plankton"))
    settings = screen.lab.home / SETTINGS / "themes.jupyterlab-settings"
    settings.write_text(json.dumps({"theme": theme}))
    try:
        screen.open()
        expect(screen.card("phytoplankton")).to_be_visible()
        handle = screen.page.locator("#jp-main-split-panel > .lm-SplitPanel-handle").first.bounding_box()
        assert handle is not None
        edge = handle["x"] + handle["width"] / 2
        panel = screen.panel.bounding_box()
        assert panel is not None
        screen.page.mouse.move(edge, 400)
        screen.page.mouse.down()
        screen.page.mouse.move(edge - (panel["width"] - 240), 400, steps=5)
        screen.page.mouse.up()
        name = theme.split()[1].lower()
        screen.scroll(10_000)
        screen.picture(f"narrow-{name}-groups")
        screen.scroll(0)
        for card in ("zooplankton", "hostile", "rosa/my-plankton"):
            screen.picture(f"narrow-{name}-list")
            screen.card(card).click()
            expect(screen.panel.get_by_role("button", name="All models")).to_be_visible()
            screen.picture(f"narrow-{name}-{card.replace('/', '-')}")
            size = screen.panel.evaluate("node => [node.clientWidth, node.scrollWidth]")
            assert size[0] <= 260
            assert size[1] == size[0]
            screen.panel.get_by_role("button", name="All models").click()
    finally:
        settings.unlink()
