"""The product's main job, in a real browser: sign in, start, retrain, share; and a colleague uses it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.workspace.browser import ARTEFACTS, Visitor, chromium
from tests.workspace.conftest import PROJECT, Workspace
from tests.workspace.loopback import only_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.browser, pytest.mark.workspace]

TUTORIAL_SECONDS = 420
MODULE = "Phytoplankton classification"
LOAD = 'im.load("rosa/my-plankton")'


@pytest.fixture
def servers_end(workspace: Workspace) -> Iterator[None]:
    """Leave no server to the tests that follow in the same workspace."""
    yield
    for name in ("rosa", "ada"):
        workspace.sign_in(name).stop_server()


@pytest.mark.usefixtures("servers_end")
def test_rosa_retrains_and_shares_and_ada_uses_it(workspace: Workspace) -> None:
    with chromium() as browser, only_loopback(workspace) as abroad:
        rosa = Visitor(browser, workspace.url, "rosa")
        rosa.sign_in(workspace.passwords["rosa"], picture=True)
        seconds = {"start_to_lab": start(rosa), "tutorial": run_the_tutorial(rosa)}
        ada = Visitor(browser, workspace.url, "ada")
        ada.sign_in(workspace.passwords["ada"])
        ada.start_server(MODULE)
        use_what_was_shared(ada)
        assert rosa.abroad == ada.abroad == []
    assert abroad == set()
    (ARTEFACTS / "seconds.json").write_text(json.dumps(seconds))


def start(rosa: Visitor) -> float:
    begin = time.monotonic()
    rosa.start_server(MODULE, picture=True)
    seconds = round(time.monotonic() - begin, 1)
    expect(rosa.page.get_by_role("heading", name="Retrain a model and share it")).to_be_visible(timeout=30_000)
    expect(rosa.page.get_by_placeholder("Search models")).to_be_visible()
    expect(rosa.page.locator(".jp-DirListing").get_by_text("nextcloud", exact=True)).to_be_attached()
    rosa.picture("4-lab")
    return seconds


def run_the_tutorial(rosa: Visitor) -> float:
    begin = time.monotonic()
    rosa.run_all_cells()
    rosa.show("Retraining keeps what")
    shares = rosa.watch_progress(TUTORIAL_SECONDS)
    assert any(0 < share < 100 for share in shares), "the progress was not shown while it trained"
    rosa.wait_for_last_cell(TUTORIAL_SECONDS)
    seconds = round(time.monotonic() - begin, 1)
    assert rosa.page.get_by_text("Traceback (most recent call last)").count() == 0
    expect(rosa.page.locator(".imagine-Panel").get_by_text("my-plankton").first).to_be_visible(timeout=30_000)
    expect(rosa.page.get_by_text(LOAD).last).to_be_visible()
    for name, text in [
        ("5-predictions", "Look at its predictions"),
        ("6-retraining", "Retraining keeps what"),
        ("7-report", "See how good it is"),
        ("8-shared", "Share it"),
    ]:
        rosa.show(text)
        rosa.picture(name)
        if name in ("5-predictions", "7-report"):
            expect(rosa.page.locator(".jp-OutputArea-output img").first).to_be_visible()
    return seconds


def use_what_was_shared(ada: Visitor) -> None:
    shared = ada.page.get_by_text("my-plankton").first
    expect(shared).to_be_visible(timeout=30_000)
    shared.click()
    ada.page.get_by_role("button", name="Insert code").click()
    expect(ada.page.get_by_text(LOAD).nth(1)).to_be_visible(timeout=30_000)
    ada.run_cell_with(LOAD)
    expect(ada.page.locator(".jp-OutputArea-output").get_by_text("Tells 4 classes").first).to_be_visible(
        timeout=120_000
    )
    ada.type_below('model.predict("nextcloud:/iMagine/my-plankton")')
    answers = ada.page.locator(".jp-OutputArea-output").get_by_text("160 images").first
    expect(answers).to_be_visible(timeout=120_000)
    ada.picture("9-colleague")


def test_the_tutorial_is_the_projects_own(workspace: Workspace) -> None:
    copy = workspace.folder / "homes" / "rosa" / "tutorials" / "01-retrain-and-share.ipynb"
    original = PROJECT / "notebooks" / "tutorials" / copy.name
    sources = [[cell["source"] for cell in json.loads(path.read_text())["cells"]] for path in (copy, original)]
    assert sources[0] == sources[1]
