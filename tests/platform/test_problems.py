"""Every error is a problem document with one sentence; what is public is public, offline, and nothing else is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from hub_config.platform.api import models
from hub_config.platform.store.database import Database
from imagine_lib.wire import Problem, Status


def problem(answer: Any, status: int) -> Problem:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = Problem.model_validate(answer.json())
    assert document.status == status
    assert document.title
    assert document.detail.endswith(".")
    return document


PUBLIC = {"/capacity", "/status", "/healthz"}


@pytest.fixture
def database_url(tmp_path: Any) -> str:
    return f"sqlite:///{tmp_path}/platform.sqlite"


def test_unknown_addresses_and_methods(platform: Any) -> None:
    client = platform.client()
    for address in ("/nothing", "/models/", "/../../hub", "/%2e%2e/%2e%2e/etc/passwd"):
        problem(client.get(address), 404)
    answer = client.delete("/me")
    problem(answer, 405)
    assert answer.headers["Allow"] == "GET"


def test_what_is_public_and_what_is_not(platform: Any) -> None:
    client = platform.client()
    routes = client.get("/openapi.json").json()["paths"]
    for address, verbs in routes.items():
        path = re.sub(r"{sha256}", "0" * 64, address.removeprefix("/services/imagine"))
        path = re.sub(r"{version}", "1", path)
        for verb in verbs:
            answer = client.request(verb, re.sub(r"{\w+}", "x", path), json={})
            assert answer.status_code == (200 if path in PUBLIC else 401), (verb, path)
    assert {path for path in routes if "models" in path} == {
        "/services/imagine/models",
        "/services/imagine/models/{name}/versions",
        "/services/imagine/models/{owner}/{name}",
        "/services/imagine/models/{owner}/{name}/versions/{version}",
        "/services/imagine/models/{owner}/{name}/versions/{version}/files/{path}",
        "/services/imagine/models/{owner}/{name}/versions/{version}/withdraw",
    }
    assert "application/problem+json" in routes["/services/imagine/me"]["get"]["responses"]["4XX"]["content"]
    assert "HTTPValidationError" not in client.get("/openapi.json").text
    assert client.get("/healthz").json() == {"status": "ok"}
    status = Status.model_validate(client.get("/status").json())
    assert {service.state for service in status.services} == {"unknown"}


def test_documentation_needs_no_network(platform: Any) -> None:
    client = platform.client()
    page = client.get("/docs")
    assert page.status_code == 200
    links = re.findall(r"""(?:href|src|url)\s*[=:]\s*["']([^"']+)["']""", page.text)
    assert len(links) >= 3
    for link in links:
        assert link.startswith("/services/imagine/"), link
        assert client.get(f"http://{platform.address}{link}").status_code == 200


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("limit=0", "limit in the query cannot be used (Input should be greater than or equal to 1)"),
        ("limit=201", "limit in the query cannot be used (Input should be less than or equal to 200)"),
        ("offset=-1", "offset in the query cannot be used (Input should be greater than or equal to 0)"),
        ("offset=99999999999999999999", "offset in the query cannot be used"),
        ("limit=many", "limit in the query cannot be used"),
        ("q=%00", "q in the query cannot be used"),
        ("q=" + "a" * 201, "q in the query cannot be used"),
        ("owner=%0a", "owner in the query cannot be used"),
    ],
)
def test_odd_queries_name_the_field(platform: Any, query: str, sentence: str) -> None:
    document = problem(platform.user("rosa").get(f"/models?{query}"), 422)
    assert document.detail.startswith(sentence)
    assert document.detail.endswith(": correct it and send the request again.")


@pytest.mark.parametrize(
    "path",
    [
        "/models/rosa/UPPER",
        "/models/rosa/%2e%2e%2f%2e%2e",
        "/models/rosa/m/versions/0",
        "/models/rosa/m/versions/-1",
        "/models/rosa/m/versions/1e3",
        "/models/rosa/m/versions/99999999999999999999",
        "/models/%00/m",
        "/models/" + "r" * 300 + "/m",
        "/models/rosa/m/versions/1/files/..%2f..%2fetc%2fpasswd",
        "/models/rosa/m/versions/1/files//etc/passwd",
        "/models/rosa/m/versions/1/files/nothing.md",
        "/models/rosa/m/versions/1/files/%ff%fe",
        "/models/rosa/m/versions/7",
        "/models/nobody/m",
        "/catalogue/..%2f..%2fetc",
        "/catalogue/nothing",
    ],
)
def test_hostile_paths(platform: Any, path: str) -> None:
    rosa = platform.user("rosa")
    rosa.publish("m")
    answer = rosa.get(path)
    problem(answer, 404 if answer.status_code == 404 else 422)


@pytest.mark.parametrize(
    "change",
    [
        {"files": []},
        {"files": [{"path": "../x.json", "sha256": "0" * 64, "size": 1}] * 2},
        {"files": [{"path": "/etc/x.json", "sha256": "0" * 64, "size": 1}] * 2},
        {"files": [{"path": "a.json", "sha256": "0" * 64, "size": -1}] * 2},
        {"files": [{"path": "a.json", "sha256": "0" * 64, "size": 10**30}] * 2},
        {"files": [{"path": "a.json", "sha256": "0" * 64, "size": 1}] * 65},
        {"files": [{"path": "a.json", "sha256": "0" * 64, "size": 1}] * 2},
        {"files": [{"path": name, "sha256": "0" * 64, "size": 1} for name in ("a.md", "A.MD")]},
        {"files": [{"path": name, "sha256": "0" * 64, "size": 1} for name in ("a.md", "a.md/b.md")]},
        {"audience": []},
        {"audience": ["all"]},
        {"audience": ["group:"]},
        {"audience": ["user:a b"]},
        {"audience": ["user:\x00"]},
        {"audience": ["user:\ud800"]},
        {"audience": ["user:" + "x" * 256]},
        {"more": 1},
        [],
        None,
    ],
)
def test_hostile_publications(platform: Any, package: Any, change: Any) -> None:
    rosa = platform.user("rosa")
    content = package.make()
    for data in content.values():
        rosa.put_blob(data)
    honest = {"files": [entry.model_dump() for entry in package.entries(content)], "audience": ["everyone"]}
    body = json.dumps({**honest, **change} if isinstance(change, dict) else change)
    problem(rosa.post("/models/m/versions", content=body, headers={"Content-Type": "application/json"}), 422)
    assert rosa.get("/models").json()["total"] == 0


@pytest.mark.parametrize("body", [b"{", b"\xff", b"", b'{"reason": "' + b"x" * 1001 + b'"}', b'{"reason":"\\ud800"}'])
def test_bodies_that_are_no_json(platform: Any, body: bytes) -> None:
    rosa = platform.user("rosa")
    rosa.publish("m")
    address = "/models/rosa/m/versions/1/withdraw"
    answer = rosa.post(address, content=body, headers={"Content-Type": "application/json"})
    problem(answer, 400 if answer.status_code == 400 else 422)
    assert rosa.get("/models/rosa/m/versions/1").json()["withdrawn"] is None


def test_what_nobody_thought_of_tells_nothing_of_the_inside(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(version: str) -> int:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(models, "number", fail)
    answer = platform.user("rosa").get("/models/rosa/m/versions/1")
    assert "secret" not in answer.text
    assert problem(answer, 500).detail == (
        "Something unexpected happened in the platform; it was logged: try again, then tell the operators."
    )


def test_a_database_that_does_not_answer_is_said(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_self: Database) -> None:
        raise OperationalError("SELECT", {}, Exception("secret inside"))

    rosa = platform.user("rosa")
    monkeypatch.setattr(Database, "read", fail)
    for client, address in ((rosa, "/models"), (platform.client(), "/healthz"), (platform.client(), "/status")):
        answer = client.get(address)
        assert problem(answer, 503).detail == "The database does not answer: try again in a minute."
        assert "Retry-After" in answer.headers
        assert "secret" not in answer.text


def test_a_locked_database_is_waited_for(platform: Any) -> None:
    rosa = platform.user("rosa")
    rosa.publish("m")
    other = Database(platform.settings.platform.database_url)
    with other.write() as session:
        session.execute(text("DELETE FROM services"))
        assert rosa.get("/models").json()["total"] == 1
    other.close()
    assert rosa.publish("n").status_code == 201
