"""The panel's server part, in a real Jupyter server beside a platform that answers as it is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
from imagine_lab import tutorials

from .conftest import CATALOGUE, HUB_TOKEN, FakePlatform, Lab, make_home, notebook, problem, running_lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADDRESSES = ["catalogue", "catalogue/phytoplankton", "models", "models/ada/copepods", "tutorials"]

DOWN = "The iMagine platform does not answer at the moment; your notebooks are not affected."


@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_is_told_to_who_is_not_signed_in(lab: Lab, platform: FakePlatform, address: str) -> None:
    assert httpx.get(f"{lab.url}/imagine/{address}", trust_env=False).status_code == 403
    assert lab.get(address, token="wrong").status_code == 403
    assert platform.asked == []


@pytest.mark.parametrize("address", ADDRESSES)
def test_another_site_gets_no_answer(lab: Lab, platform: FakePlatform, address: str) -> None:
    headers = {"Authorization": f"token {lab.token}", "Origin": "http://evil.example", "Host": "evil.example"}
    response = httpx.get(f"{lab.url}/imagine/{address}", headers=headers, trust_env=False)
    assert response.status_code in (403, 404)
    assert platform.asked == []


def test_catalogue_comes_from_the_platform_with_the_hub_token(lab: Lab, platform: FakePlatform) -> None:
    response = lab.get("catalogue?q=bering&limit=9999")
    assert response.json()["items"] == [CATALOGUE[1].model_dump(mode="json")]
    assert response.headers["Cache-Control"] == "no-store"
    assert platform.asked == [
        ("/services/imagine/catalogue?q=bering&offset=0&limit=200", f"token {HUB_TOKEN}"),
    ]


def test_one_entry_and_one_shared_model(lab: Lab, platform: FakePlatform) -> None:
    assert lab.get("catalogue/zooplankton").json()["title"] == "Zooplankton of the Bering Sea"
    assert lab.get("models").json()["items"][0]["name"] == "copepods"
    assert lab.get("models/ada/copepods").json()["manifest"]["classes"][0]["name"] == "Acartia"


def test_a_name_cannot_lead_to_another_address(lab: Lab, platform: FakePlatform) -> None:
    assert lab.get("catalogue/..%2Fmodels%3Fq=x").status_code == 404
    assert platform.asked[0][0] == "/services/imagine/catalogue/..%2Fmodels%3Fq%3Dx"


def test_a_problem_is_passed_on_as_its_sentence(lab: Lab, platform: FakePlatform) -> None:
    response = lab.get("catalogue/unknown")
    assert (response.status_code, response.json()) == (404, {"message": "There is no such thing: 100 % sure."})
    platform.answers["/models"] = 429, problem(429, "Too many requests; try again in 5 seconds.")
    response = lab.get("models")
    assert (response.status_code, response.json()) == (429, {"message": "Too many requests; try again in 5 seconds."})


@pytest.mark.parametrize(
    ("status", "body", "given"),
    [(200, b"<html>", 502), (200, [1], 502), (302, b"", 502), (500, b"Traceback: secret", 500)],
)
def test_what_is_no_answer_is_said_in_one_sentence(
    lab: Lab, platform: FakePlatform, status: int, body: object, given: int
) -> None:
    platform.answers["/catalogue"] = status, body
    response = lab.get("catalogue")
    assert (response.status_code, response.json()) == (given, {"message": DOWN})


def test_platform_down(lab: Lab, platform: FakePlatform) -> None:
    platform.down = True
    for address in ADDRESSES[:4]:
        response = lab.get(address)
        assert (response.status_code, response.json()) == (502, {"message": DOWN})
    platform.down = False
    assert lab.get("catalogue").status_code == 200


def test_bad_page_is_refused(lab: Lab, platform: FakePlatform) -> None:
    assert lab.get("catalogue?offset=-1").status_code == 400
    assert lab.get("catalogue?limit=many").status_code == 400
    assert platform.asked == []


def test_the_token_is_in_no_answer_and_no_log(lab: Lab, platform: FakePlatform) -> None:
    platform.answers["/models"] = 500, b"no"
    for address in [*ADDRESSES, "catalogue/unknown", "catalogue?limit=x"]:
        response = lab.get(address)
        assert HUB_TOKEN not in response.text
        assert HUB_TOKEN not in str(response.headers)
    assert HUB_TOKEN not in lab.log.read_text()


def test_tutorials_leave_out_what_cannot_be_read(lab: Lab) -> None:
    assert lab.get("tutorials").json()["items"] == [
        {
            "path": "tutorials/01-first.ipynb",
            "title": "Your first model",
            "summary": "Load a model, look at what it says.",
        },
        {"path": "tutorials/02-share.ipynb", "title": "Share it with friends", "summary": "By link only."},
    ]


def test_tutorials_outside_the_servers_folder_are_not_listed(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    (tmp_path / "elsewhere").mkdir()
    assert tutorials.find(home, tmp_path / "elsewhere") == []
    assert tutorials.find(tmp_path / "elsewhere", tmp_path) == []
    paths = [found.path for found in tutorials.find(home, tmp_path)]
    assert paths == ["home/tutorials/01-first.ipynb", "home/tutorials/02-share.ipynb"]


def test_a_tutorial_may_keep_its_text_as_lines_and_have_a_long_summary(tmp_path: Path) -> None:
    folder = tmp_path / "tutorials"
    folder.mkdir()
    lines = json.loads(notebook("x"))
    lines["cells"][0]["source"] = ["# Title with snake_case #\n", "\n", "word " * 200]
    (folder / "a.ipynb").write_text(json.dumps(lines))
    (tutorial,) = tutorials.find(tmp_path, tmp_path)
    assert tutorial.title == "Title with snake_case"
    assert len(tutorial.summary) <= tutorials.LONGEST_SUMMARY
    assert tutorial.summary.endswith("…")


@pytest.fixture(scope="module")
def plain_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Give a JupyterLab that no hub started."""
    folder = tmp_path_factory.mktemp("plain")
    module = folder / "catalogue" / "seagrass-segmentation"
    module.mkdir(parents=True)
    (module / "ai4-metadata.yml").write_text(
        "metadata_version: 2.3.0\ntitle: Seagrass\nsummary: Finds seagrass.\ndescription: '# Seagrass'\n"
        "links: {source_code: https://example.org}\nlibraries: [PyTorch]\ntasks: [Segmentation]\n"
        "categories: [AI4 inference]\ntags: [seagrass]\ndata-type: [Image]\n"
        "dates: {created: '2026-01-01', updated: '2026-01-01'}\n"
    )
    with running_lab(make_home(folder / "home"), {"IMAGINE_CATALOGUE": str(folder / "catalogue")}) as running:
        yield running


def test_outside_the_hub_the_catalogue_is_the_librarys(plain_lab: Lab) -> None:
    page = plain_lab.get("catalogue").json()
    assert [(entry["title"], page["total"], page["next"]) for entry in page["items"]] == [("Seagrass", 1, None)]
    assert plain_lab.get("catalogue?q=whales").json()["items"] == []
    name = page["items"][0]["name"]
    assert plain_lab.get(f"catalogue/{name}").json()["summary"] == "Finds seagrass."
    response = plain_lab.get("catalogue/unknown")
    assert response.status_code == 404
    assert "unknown" in response.json()["message"]


def test_outside_the_hub_nothing_is_shared_and_it_is_said(plain_lab: Lab) -> None:
    note = "Shared models are there when JupyterLab is started from the iMagine hub."
    assert plain_lab.get("models").json() == {"items": [], "total": 0, "next": None, "note": note}
    response = plain_lab.get("models/ada/copepods")
    assert (response.status_code, response.json()) == (404, {"message": note})
