"""The pages around JupyterLab fit every window, say what they are, and know whether the server runs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.workspace.browser import CHROMIUM, QUIET, Visitor, chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Response

    from tests.workspace.conftest import Workspace

pytestmark = [pytest.mark.browser, pytest.mark.workspace]

WIDTHS = [360, 480, 768, 1024]
MODULE = "Phytoplankton classification"
SECONDS_TO_STOP = 60

BEFORE_SIGN_IN = {
    "front page": ("proxy", "/hub/login", "Sign in · iMagine"),
    "sign-in": ("iam", "/sign-in", "Sign in · iMagine"),
    "sign-up": ("iam", "/sign-up", "Ask for an account · iMagine"),
    "status": ("proxy", "/hub/imagine/status", "Status · iMagine"),
    "error": ("proxy", "/hub/oauth_callback?code=x&state=y", "Something went wrong · iMagine"),
}
AFTER_SIGN_IN = {
    "account": ("iam", "/", "Your account · iMagine"),
    "spawn": ("proxy", "/hub/spawn", "Start a server · iMagine"),
    "home": ("proxy", "/hub/home", "Home · iMagine"),
    "tokens": ("proxy", "/hub/token", "Tokens · iMagine"),
    "not found": ("proxy", "/hub/nowhere", "Not found · iMagine"),
    "not running": ("proxy", "/hub/user/ada/lab", "The server does not run · iMagine"),
    "administration": ("proxy", "/hub/admin", "Administration · iMagine"),
}
UNNAMED_FIELDS = """() => [...document.querySelectorAll("input:not([type=hidden]):not([hidden]), select, textarea")]
    .filter(field => !field.labels?.length && !field.ariaLabel).map(field => field.outerHTML)"""
HEADING_LEVELS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
    .filter(heading => heading.checkVisibility()).map(heading => Number(heading.tagName[1]))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def stranger(browser: Browser, workspace: Workspace) -> Page:
    return Visitor(browser, workspace.url, "nobody").page


@pytest.fixture(scope="module")
def ada(browser: Browser, workspace: Workspace) -> Page:
    """Signed in as one who sees all pages, with no server and a token whose name is long."""
    person = workspace.sign_in("ada")
    person.stop_server()
    person.post(
        "/hub/api/users/ada/tokens", json={"note": "the-script-on-the-ship's-computer" * 4, "expires_in": 600}
    )
    visitor = Visitor(browser, workspace.url, "ada")
    visitor.sign_in(workspace.passwords["ada"])
    expect(visitor.page.get_by_role("button", name="Sign out")).to_be_visible()
    return visitor.page


@pytest.fixture
def rosa(workspace: Workspace) -> Iterator[str]:
    """Without a server, before and after."""
    workspace.sign_in("rosa").stop_server()
    yield "rosa"
    workspace.sign_in("rosa").stop_server()


@contextmanager
def without_storage(workspace: Workspace) -> Iterator[None]:
    """Hold the storage still: a server that starts or stops waits for it."""
    storage = workspace.service("storage")
    storage.suspend()
    try:
        yield
    finally:
        storage.resume()


def too_narrow(page: Page) -> list[int]:
    """Return the widths at which the page scrolls sideways."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            found.append(width)
    return found


def check(page: Page, title: str) -> None:
    """Check what holds for all pages."""
    expect(page).to_have_title(title)
    assert too_narrow(page) == []
    assert page.evaluate(UNNAMED_FIELDS) == []
    levels = page.evaluate(HEADING_LEVELS)
    assert levels[0] == 1 and levels.count(1) == 1, levels
    expect(page.get_by_role("img", name="iMagine")).to_be_visible()


def address(workspace: Workspace, service: str) -> str:
    return workspace.url if service == "proxy" else workspace.address(service)


@pytest.mark.parametrize("name", BEFORE_SIGN_IN)
def test_a_page_before_sign_in_fits_and_says_what_it_is(workspace: Workspace, stranger: Page, name: str) -> None:
    service, path, title = BEFORE_SIGN_IN[name]
    stranger.goto(address(workspace, service) + path)
    check(stranger, title)


@pytest.mark.parametrize("name", AFTER_SIGN_IN)
def test_a_page_after_sign_in_fits_and_says_what_it_is(workspace: Workspace, ada: Page, name: str) -> None:
    service, path, title = AFTER_SIGN_IN[name]
    ada.goto(address(workspace, service) + path, wait_until="networkidle")
    check(ada, title)


def test_the_hub_and_the_iam_show_one_logo_and_one_icon(workspace: Workspace, stranger: Page) -> None:
    pictures = []
    for service, path, _ in (BEFORE_SIGN_IN["front page"], BEFORE_SIGN_IN["sign-in"]):
        stranger.goto(address(workspace, service) + path)
        logo = stranger.get_by_role("img", name="iMagine").evaluate("image => image.src")
        icon = stranger.locator("link[rel=icon]").evaluate("link => link.href")
        pictures.append([stranger.request.get(url).body() for url in (logo, icon)])
    assert pictures[0] == pictures[1]
    assert all(b"<svg" in picture for picture in pictures[0])


def test_the_waves_of_the_front_page_are_whole(workspace: Workspace, stranger: Page) -> None:
    stranger.goto(f"{workspace.url}/hub/login")
    low, high, height = stranger.locator(".waves").evaluate(
        """waves => { const box = waves.querySelector("g").getBBox({ fill: true, stroke: true });
            const line = parseFloat(getComputedStyle(waves.querySelector("path")).strokeWidth) / 2;
            return [box.y - line, box.y + box.height + line, waves.viewBox.baseVal.height]; }"""
    )
    assert low >= 0 and high <= height


def test_a_token_can_do_what_was_chosen_for_it(workspace: Workspace, ada: Page) -> None:
    ada.goto(f"{workspace.url}/hub/token")
    ada.get_by_label("What it is for").fill("the catalogue")
    ada.get_by_label("How long it works").select_option("1 Hour")
    ada.get_by_label("What it may do").select_option("Use the catalogue and the shared models")
    ada.get_by_role("button", name="Make a token").click()
    shown = ada.locator("#token-result")
    expect(shown).not_to_be_empty()
    headers = {"Authorization": f"token {shown.inner_text()}"}
    program = workspace.person("ada")
    assert program.get("/services/imagine/models", headers=headers).status_code == 200
    assert program.post("/hub/api/users/ada/server", headers=headers, json={}).status_code in (403, 404)


def test_the_pages_follow_a_server_that_starts_and_stops(workspace: Workspace, browser: Browser, rosa: str) -> None:
    visitor = Visitor(browser, workspace.url, rosa)
    page = visitor.page
    visitor.sign_in(workspace.passwords[rosa])
    with without_storage(workspace):
        page.get_by_text(MODULE).click()
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.get_by_role("heading", name="Your server is starting")).to_be_visible()
        check(page, "Starting · iMagine")
    page.wait_for_url("**/lab/**", timeout=120_000)

    page.goto(f"{workspace.url}/hub/home")
    start, stopping = (
        page.get_by_role("button", name="Start", exact=True),
        page.get_by_role("button", name="Stopping…"),
    )
    expect(page.get_by_role("button", name="Open JupyterLab")).to_be_visible()
    with without_storage(workspace):
        page.get_by_role("button", name="Stop the server").click()
        expect(stopping).to_be_disabled()
        page.wait_for_timeout(2500)
        page.reload()
        expect(stopping).to_be_disabled()
        expect(start).to_be_hidden()
        check(page, "Home · iMagine")
        other = page.context.new_page()
        other.goto(f"{workspace.url}/hub/spawn-pending/{rosa}")
        check(other, "Stopping · iMagine")
        other.close()
    expect(start).to_be_visible(timeout=SECONDS_TO_STOP * 1000)
    expect(stopping).to_be_hidden()


@pytest.mark.parametrize("keeps", [True, False], ids=["pages kept for Back", "pages loaded anew"])
def test_back_after_signing_out_leads_to_the_sign_in(
    workspace: Workspace, browser: Browser, rosa: str, keeps: bool
) -> None:
    """People's browsers keep whole pages for Back; Playwright tells Chromium not to."""
    changed = ["--disable-back-forward-cache"] if keeps else []
    own = browser.browser_type.launch(executable_path=CHROMIUM, args=QUIET, ignore_default_args=changed)
    visitor = Visitor(own, workspace.url, rosa)
    page, rules = visitor.page, {}
    page.on("response", lambda answer: rules.update({urlsplit(answer.url).path: cache_rule(answer)}))
    visitor.sign_in(workspace.passwords[rosa])
    visitor.start_server(MODULE)
    page.goto(f"{workspace.url}/hub/token")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#token-result")).not_to_be_empty()
    page.goto(f"{workspace.url}/hub/home")
    expect(page.get_by_role("button", name="Open JupyterLab")).to_be_visible()
    page.goto(f"{workspace.url}/user/{rosa}/lab")
    expect(page.locator(".jp-LabShell")).to_be_visible(timeout=60_000)
    page.goto(f"{workspace.url}/hub/logout")
    door = page.get_by_role("button", name="Sign in with")
    expect(door).to_be_visible()
    for left in ("JupyterLab", "the home page", "the page of tokens"):
        page.go_back()
        expect(door, left).to_be_visible()
        expect(page.locator("#token-result")).to_have_count(0)
        expect(page.locator(".jp-LabShell")).to_have_count(0)
    own.close()

    assert rules[f"/user/{rosa}/lab"] == "no-store"
    static = [rule for path, rule in rules.items() if path.startswith(f"/user/{rosa}/static/")]
    assert static and not any("no-store" in rule for rule in static)


def cache_rule(answer: Response) -> str:
    return answer.headers.get("cache-control", "")


def test_anyone_sees_what_works(stranger: Page, workspace: Workspace) -> None:
    stranger.goto(f"{workspace.url}/hub/imagine/status")
    for service in ("IAM", "storage", "hub", "platform", "catalogue", "controller"):
        row = stranger.get_by_role("row").filter(has=stranger.get_by_role("cell", name=service, exact=True))
        expect(row).to_contain_text("works")
    expect(stranger.get_by_role("status").last).to_have_text("Everything that was looked at works.")
