"""The product's main job, in a real browser: sign in, start, retrain, share; and a colleague uses it."""

from __future__ import annotations

import json
import time

import pytest
from playwright.sync_api import expect

from tests.workspace.browser import ARTEFACTS, Visitor, chromium
from tests.workspace.conftest import PROJECT, Workspace

pytestmark = [pytest.mark.browser, pytest.mark.workspace]

TUTORIAL_SECONDS = 420


def test_rosa_retrains_and_shares_and_ada_uses_it(workspace: Workspace) -> None:
    with chromium() as browser:
        rosa = Visitor(browser, workspace.url, "rosa")
        rosa.sign_in(workspace.passwords["rosa"], picture=True)
        begin = time.monotonic()
        rosa.start_server("Phytoplankton classification", picture=True)
        seconds_to_lab = time.monotonic() - begin
        expect(rosa.page.get_by_role("heading", name="Retrain a model and share it")).to_be_visible(timeout=30_000)
        expect(rosa.page.locator("#imagine-panel, .imagine-panel, [id*=imagine]").first).to_be_visible()
        rosa.picture("4-lab")
        rosa.run_all_cells(TUTORIAL_SECONDS)
        assert not rosa.page.locator(
            ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr'] >> text=Error"
        ).count()
        expect(rosa.page.get_by_text('im.load("rosa/my-plankton")').last).to_be_visible()
        for name, text in [("5-predictions", "Look at its predictions"), ("6-retraining", "Retraining keeps what"),
                           ("7-report", "See how good it is"), ("8-shared", "Share it")]:  # fmt: skip
            rosa.page.get_by_text(text).last.scroll_into_view_if_needed()
            rosa.page.locator(".jp-WindowedPanel-outer").evaluate("node => node.scrollBy(0, 420)")
            rosa.page.wait_for_timeout(700)
            rosa.picture(name)

        ada = Visitor(browser, workspace.url, "ada")
        ada.sign_in(workspace.passwords["ada"])
        ada.start_server("Phytoplankton classification")
        shared = ada.page.get_by_text("my-plankton").first
        expect(shared).to_be_visible(timeout=30_000)
        shared.click()
        ada.page.get_by_role("button", name="Insert code").click()
        expect(ada.page.get_by_text('im.load("rosa/my-plankton")').first).to_be_visible(timeout=30_000)
        ada.picture("9-colleague")
        assert rosa.abroad == []
        assert ada.abroad == []
    (ARTEFACTS / "timings.json").write_text(json.dumps({"start_to_lab_seconds": round(seconds_to_lab, 1)}))


def test_the_tutorial_is_the_projects_own(workspace: Workspace) -> None:
    copy = workspace.folder / "homes" / "rosa" / "tutorials" / "01-retrain-and-share.ipynb"
    original = PROJECT / "notebooks" / "tutorials" / copy.name
    sources = [[cell["source"] for cell in json.loads(path.read_text())["cells"]] for path in (copy, original)]
    assert sources[0] == sources[1]
