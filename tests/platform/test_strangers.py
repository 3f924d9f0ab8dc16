"""Every endpoint against strangers: whatever is sent, the platform answers as its own description says, and cookies
that a browser sends along from another page open nothing."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks

from hub_config.platform import PREFIX
from tests.platform.conftest import Platform, entries_of, make_package

if TYPE_CHECKING:
    from pathlib import Path

    from schemathesis import Case

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = 20
"""Of each kind for each endpoint; a soak tries a hundred times as many."""

THERE = {"owner": "rosa", "name": "kelp", "version": "1", "path": "README.md"}
"""Leads to something that is there."""


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/platform.sqlite"


@pytest.fixture
def furnished(platform: Platform) -> Platform:
    """With two models, of which one is for others only."""
    assert platform.user("rosa").publish("kelp", make_package(b"of everyone")).status_code == 201
    assert platform.user("ben").publish("reef", make_package(b"of ben"), "user:ben").status_code == 201
    return platform


def description(platform: Platform) -> dict[str, Any]:
    document: dict[str, Any] = platform.client().get("/openapi.json").json()
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(verb.upper(), path) for path, verbs in document["paths"].items() for verb in verbs]


# ---------------------------------------------------------------------------------------------- whatever is sent


def bombard(platform: Platform, examples: int) -> dict[str, set[int]]:
    """Send what fits the description and what does not, and return which answers each endpoint gave."""
    document = description(platform)
    schema = schemathesis.openapi.from_dict(document)
    tokens = {name: platform.user(name).headers["Authorization"] for name in ("rosa", "ada", "eve")}
    answers: dict[str, set[int]] = {f"{verb} {path}": set() for verb, path in operations(document)}
    with requests.Session() as session:
        session.trust_env = False

        def send(case: Case, who: str | None) -> None:
            headers = {"Authorization": tokens[who]} if who else {}
            answer = case.call(base_url=f"http://{platform.address}", session=session, headers=headers, timeout=30)
            case.validate_response(answer, checks=CHECKS)
            answers[case.operation.label].add(answer.status_code)

        for found in schema.get_all_operations():
            operation = found.ok()
            known = {one.name for one in operation.path_parameters} & THERE.keys()
            fixed = {name: THERE[name] for name in known}
            kinds = itertools.product(GenerationMode, [{}, fixed] if fixed else [{}])
            for number, (mode, place) in enumerate(kinds):
                cases = operation.as_strategy(generation_mode=mode, path_parameters=place or None)
                tried = settings(
                    max_examples=examples,
                    deadline=None,
                    database=None,
                    phases=[Phase.generate],
                    verbosity=Verbosity.quiet,
                    suppress_health_check=list(HealthCheck),
                )
                everyone = st.sampled_from(["rosa", "rosa", "ada", "eve", None])
                nothing_is_wrong = Unsatisfiable if mode is GenerationMode.NEGATIVE else ()
                with contextlib.suppress(nothing_is_wrong):  # there is nothing that it takes
                    seed(number)(tried(given(case=cases, who=everyone)(send)))()
    return answers


def test_each_endpoint_answers_as_described_whatever_is_sent(furnished: Platform) -> None:
    answers = bombard(furnished, EXAMPLES)
    quiet = [name for name, seen in answers.items() if not seen]
    assert quiet == []
    empty = f"GET {PREFIX}/catalogue/{{name}}"  # the catalogue of these tests
    read = {name for name, seen in answers.items() if 200 in seen}
    assert {name for name in answers if "GET" in name} - {empty} <= read, answers
    kept = furnished.user("rosa").get("/models/rosa/kelp").json()["items"]
    assert [one["version"] for one in kept][-1] == 1
    assert furnished.user("rosa").get("/models/ben/reef").status_code == 404


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_each_endpoint_answers_as_described_for_hours(furnished: Platform) -> None:
    bombard(furnished, EXAMPLES * int(os.environ.get("SOAK", "100")))


def test_what_an_honest_client_sees_is_as_described(furnished: Platform) -> None:
    """The same twice, and what is not sent again because nothing has changed."""
    schema = schemathesis.openapi.from_dict(description(furnished))
    rosa, content = furnished.user("rosa"), make_package(b"brought twice")
    body = {"files": [entry.model_dump() for entry in entries_of(content)], "audience": ["user:nobody"]}
    file = "/models/{owner}/{name}/versions/{version}/files/{path}"
    tag = rosa.get(file.format(**THERE)).headers["ETag"]
    data = content["README.md"]
    upload = {"place": {"sha256": hashlib.sha256(data).hexdigest()}, "content": data}
    for bytes_ in content.values():
        rosa.put_blob(bytes_)
    steps: list[tuple[str, str, int, dict[str, Any]]] = [
        ("PUT", "/blobs/{sha256}", 200, upload),
        ("POST", "/models/{name}/versions", 201, {"place": {"name": "twice"}, "json": body}),
        ("POST", "/models/{name}/versions", 200, {"place": {"name": "twice"}, "json": body}),
        ("GET", file, 200, {"place": THERE}),
        ("GET", file, 304, {"place": THERE, "headers": {"If-None-Match": tag}}),
        (
            "POST",
            "/models/{owner}/{name}/versions/{version}/withdraw",
            200,
            {"place": THERE, "json": {"reason": "old"}},
        ),
        ("GET", file, 410, {"place": THERE}),
    ]
    for method, path, status, sent in steps:
        place = sent.pop("place")
        answer = rosa.request(method, path.format(**place), **sent)
        assert answer.status_code == status, (method, path, answer.text)
        case = schema[f"{PREFIX}{path}"][method].Case(path_parameters=place)
        case.validate_response(answer, checks=CHECKS)


# ------------------------------------------------------------------------------------------ requests of other pages

OTHERS = [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    {"Sec-Fetch-Site": "same-origin", "Referer": "http://127.0.0.1/user/eve/lab"},
    {},
]
BODIES: list[dict[str, Any]] = [
    {"json": {"files": [], "audience": ["everyone"], "reason": "mine"}},
    {
        "content": '{"files": [], "audience": ["everyone"], "reason": "mine"}',
        "headers": {"Content-Type": "text/plain"},
    },
    {"data": {"reason": "mine", "_xsrf": "x"}},
    {"files": {"reason": (None, "mine")}},
]


@pytest.mark.parametrize("headers", OTHERS, ids=str)
def test_a_browsers_cookies_open_nothing_and_no_page_may_read_an_answer(
    furnished: Platform, headers: dict[str, str]
) -> None:
    token = str(furnished.user("rosa").headers["Authorization"]).removeprefix("token ")
    names = [
        "jupyterhub-session-id",
        "jupyterhub-services",
        "service-imagine",
        "jupyterhub-hub-login",
        "_xsrf",
        "token",
    ]
    client = furnished.client()
    client.cookies.update(dict.fromkeys([*names, "Authorization"], token))
    public = {f"{PREFIX}/capacity", f"{PREFIX}/status", f"{PREFIX}/healthz"}
    for verb, path in operations(description(furnished)):
        if path in public:
            continue
        address = re.sub(r"{(\w+)}", lambda found: THERE.get(found[1], "0" * 64), path).removeprefix(PREFIX)
        for body in BODIES if verb in ("POST", "PUT") else [{}]:
            answer = client.request(verb, address, **(body | {"headers": headers | body.get("headers", {})}))
            assert answer.status_code == 401, (verb, path, answer.text)
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
            assert "set-cookie" not in answer.headers
    (kelp,) = furnished.user("rosa").get("/models/rosa/kelp").json()["items"]
    assert kelp["withdrawn"] is None


def test_no_page_is_promised_anything_before_it_asks(furnished: Platform) -> None:
    asked = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    for _, path in operations(description(furnished)):
        answer = furnished.client().options(path.removeprefix(PREFIX), headers=asked)
        assert answer.status_code >= 400
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_a_token_in_the_address_is_none(furnished: Platform) -> None:
    """Addresses are logged, and other pages can make a browser open them."""
    token = str(furnished.user("rosa").headers["Authorization"]).removeprefix("token ")
    for name in ("token", "access_token", "Authorization"):
        assert furnished.client().get("/me", params={name: token}).status_code == 401
