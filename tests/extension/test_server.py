"""The panel's server part, in a real Jupyter server beside a platform that answers as it is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from imagine_lab import tutorials

from .conftest import CATALOGUE, HUB_TOKEN, FakePlatform, problem, published
from .labs import Lab, make_home, notebook, running_lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADDRESSES = [
    "catalogue",
    "catalogue/phytoplankton",
    "models/mine",
    "models/shared",
    "models/ada/copepods",
    "tutorials",
]

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
    assert lab.get("models/shared").json()["items"][0]["name"] == "copepods"
    assert lab.get("models/ada/copepods").json()["manifest"]["classes"][0]["name"] == "Acartia"


def names(answer: dict[str, Any]) -> list[str]:
    return [f"{model['owner']}/{model['name']}" for model in answer["items"]]


def test_ones_own_models_and_those_of_others_are_two_lists(lab: Lab, platform: FakePlatform) -> None:
    owners = ["rosa", "rosa", "ada", "rosa", "ben", "rosa"]
    platform.shared = [published(owner, f"m{n}") for n, owner in enumerate(owners)]
    mine = lab.get("models/mine?limit=3").json()
    assert (names(mine), mine["total"], mine["next"]) == (["rosa/m0", "rosa/m1", "rosa/m3"], 4, 3)
    shared = lab.get("models/shared").json()
    assert (names(shared), shared["total"], shared["next"]) == (["ada/m2", "ben/m4"], 2, None)
    assert names(lab.get("models/mine?q=m1").json()) == ["rosa/m1"]
    assert lab.get("models/shared?q=m1").json()["items"] == []
    platform.shared = [published("rosa", "m")]
    assert lab.get("models/shared").json() == {"items": [], "total": 0, "next": None}


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_a_page_of_the_others_models_is_empty_only_at_the_end(lab: Lab, platform: FakePlatform, limit: int) -> None:
    owners = ["rosa", "rosa", "ada", "rosa", "ben", "rosa", "rosa"]
    platform.shared = [published(owner, f"m{n}") for n, owner in enumerate(owners)]
    found: list[str] = []
    at = 0
    while at is not None:
        page = lab.get(f"models/shared?limit={limit}&offset={at}").json()
        assert page["total"] == 2
        assert page["items"] or page["next"] is None
        found += names(page)
        at = page["next"]
    assert found == ["ada/m2", "ben/m4"]


def test_withdraw_is_passed_on_with_its_reason(lab: Lab, platform: FakePlatform) -> None:
    platform.shared = [published("rosa", "copepods", 3)]
    response = lab.withdraw("rosa/copepods", {"reason": "  Two labels were swapped: 100 %. "})
    assert (response.status_code, response.json()["withdrawn"]) == (200, "Two labels were swapped: 100 %.")
    address = "/services/imagine/models/rosa/copepods/versions/3/withdraw"
    assert platform.asked == [(address, f"token {HUB_TOKEN}")]
    platform.answers["/models/rosa/copepods/versions/3/withdraw"] = 409, problem(409, "It was withdrawn before.")
    response = lab.withdraw("rosa/copepods", {"reason": "Again."})
    assert (response.status_code, response.json()) == (409, {"message": "It was withdrawn before."})


@pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": 3}, ["reason"], None])
def test_without_a_reason_nothing_is_withdrawn(lab: Lab, platform: FakePlatform, body: object) -> None:
    assert lab.withdraw("rosa/copepods", body).status_code == 400
    assert platform.asked == []


def test_only_who_is_signed_in_and_comes_from_the_lab_itself_withdraws(lab: Lab, platform: FakePlatform) -> None:
    reason = {"reason": "Wrong."}
    assert lab.withdraw("rosa/copepods", reason, headers={}).status_code == 403
    with httpx.Client(trust_env=False, timeout=30) as browser:
        browser.get(f"{lab.url}/lab?token={lab.token}")
        assert browser.get(f"{lab.url}/imagine/models/mine").status_code == 200  # the cookies sign in
        platform.asked.clear()
        cookies = dict(browser.cookies)
    assert lab.withdraw("rosa/copepods", reason, headers={}, cookies=cookies).status_code == 403
    assert platform.asked == []
    headers = {"X-XSRFToken": cookies["_xsrf"]}
    assert lab.withdraw("rosa/copepods", reason, headers=headers, cookies=cookies).status_code == 200


def test_a_name_cannot_lead_to_another_address(lab: Lab, platform: FakePlatform) -> None:
    assert lab.get("catalogue/..%2Fmodels%3Fq=x").status_code == 404
    assert platform.asked[0][0] == "/services/imagine/catalogue/..%2Fmodels%3Fq%3Dx"


def test_a_problem_is_passed_on_as_its_sentence(lab: Lab, platform: FakePlatform) -> None:
    response = lab.get("catalogue/unknown")
    assert (response.status_code, response.json()) == (404, {"message": "There is no such thing: 100 % sure."})
    platform.answers["/models"] = 429, problem(429, "Too many requests; try again in 5 seconds.")
    response = lab.get("models/shared")
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
    for address in ADDRESSES[:5]:
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
    for address in ("models/mine", "models/shared"):
        assert plain_lab.get(address).json() == {"items": [], "total": 0, "next": None, "note": note}
    response = plain_lab.withdraw("ada/copepods", {"reason": "Wrong."})
    assert (response.status_code, response.json()) == (404, {"message": note})
    response = plain_lab.get("models/ada/copepods")
    assert (response.status_code, response.json()) == (404, {"message": note})
