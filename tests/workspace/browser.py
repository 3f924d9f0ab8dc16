"""A person at a browser: the steps that the journeys share."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
ARTEFACTS = PROJECT / "tests" / "artefacts" / "journey"
CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """One person with a window of their own."""

    def __init__(self, browser: Browser, url: str, name: str) -> None:
        self.page: Page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        self.url, self.name = url, name
        self.abroad: list[str] = []
        self.page.on("request", self._note)
        self.page.on("websocket", self._note)
        ARTEFACTS.mkdir(parents=True, exist_ok=True)

    def _note(self, request: object) -> None:
        address = urlsplit(request.url)  # type: ignore[attr-defined]
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname not in LOOPBACK:
            self.abroad.append(address.geturl())

    def picture(self, name: str) -> None:
        self.page.screenshot(path=ARTEFACTS / f"{name}.png")

    def sign_in(self, password: str, picture: bool = False) -> None:
        self.page.goto(self.url)
        if picture:
            self.picture("1-front-door")
        self.page.get_by_role("button", name="Sign in with").click()
        self.page.get_by_label("Username").fill(self.name)
        self.page.get_by_label("Password").fill(password)
        if picture:
            self.picture("2-sign-in")
        self.page.get_by_role("button", name="Sign in", exact=True).click()

    def start_server(self, module: str, picture: bool = False) -> None:
        expect(self.page.get_by_role("heading", name="Start your server")).to_be_visible()
        self.page.get_by_text(module).click()
        if picture:
            self.picture("3-spawn")
        self.page.get_by_role("button", name="Start", exact=True).click()
        self.page.wait_for_url("**/lab/**", timeout=120_000)
        expect(self.page.locator(".jp-Notebook")).to_be_visible(timeout=60_000)

    def run_all_cells(self) -> None:
        """Begin to run the open notebook."""
        idle = self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        expect(idle.first).to_be_attached(timeout=60_000)
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    def wait_for_last_cell(self, seconds: float) -> None:
        """Wait until the open notebook has run to its end."""
        count = self.page.locator(".jp-Notebook .jp-CodeCell").count()
        last = self.page.locator(".jp-CodeCell .jp-InputPrompt").last
        expect(last).to_have_text(f"[{count}]:", timeout=seconds * 1000)

    def watch_progress(self, seconds: float) -> list[int]:
        """Return the percentages that the training widget showed until it was done."""
        bar = self.page.locator(".imagine-progress progress")
        bar.wait_for(state="attached", timeout=seconds * 1000)
        seen: list[int] = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and (not seen or seen[-1] < 100):
            seen.append(int(bar.get_attribute("value") or 0))
            self.page.wait_for_timeout(150)
        return seen

    def show(self, text: str) -> None:
        """Scroll to a text, and a little further to what follows it."""
        self.page.get_by_text(text).last.scroll_into_view_if_needed()
        self.page.locator(".jp-WindowedPanel-outer").evaluate("node => node.scrollBy(0, 420)")
        self.page.wait_for_timeout(700)

    def run_cell_with(self, text: str) -> None:
        """Run the cell of the notebook that holds a text."""
        self.page.locator(".jp-Notebook .jp-CodeCell", has_text=text).first.locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")

    def type_below(self, code: str) -> None:
        """Run some code in a new cell after the one that ran last."""
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("a")
        self.page.keyboard.press("Enter")
        self.page.keyboard.insert_text(code)
        self.page.keyboard.press("Shift+Enter")
