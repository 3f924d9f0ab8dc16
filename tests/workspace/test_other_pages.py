"""Pages of other origins, in the browser of somebody who is signed in: they read nothing and change nothing."""

from __future__ import annotations

import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.workspace.browser import Visitor, chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.workspace.conftest import Workspace
    from tests.workspace.person import Person

pytestmark = [pytest.mark.browser, pytest.mark.workspace]

PAGE = "/hub/imagine/storage"
WAITING = "asks whether this workspace may use your files"
HOSTS = ["127.0.0.1", "localhost"]
"""Another origin of the same site, which is sent every cookie; and another site."""

READ = """async ([address, how]) => {
    try {
        const answer = await fetch(address, { credentials: "include", ...how });
        return answer.type === "opaque" ? "opaque" : "read " + (await answer.text());
    } catch (error) { return "refused"; }
}"""
SEND_FORM = """([address, kind, fields]) => new Promise(done => {
    const frame = document.body.appendChild(document.createElement("iframe"));
    frame.name = "away";
    const form = document.body.appendChild(document.createElement("form"));
    Object.assign(form, { action: address, method: "post", enctype: kind, target: "away" });
    for (const [name, value] of Object.entries(fields))
        form.append(Object.assign(document.createElement("input"), { name, value, type: "hidden" }));
    frame.onload = () => done(true);
    setTimeout(() => done(false), 1500);
    form.submit();
})"""
FORMS = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]


@pytest.fixture(scope="module")
def stranger() -> Iterator[int]:
    """The port of a server of somebody else's, with a page at every address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><title>Win a trip to the sea</title><body>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def rosa(workspace: Workspace) -> Iterator[Page]:
    """Her browser, signed in; she has no server."""
    workspace.sign_in("rosa").stop_server()
    with chromium() as browser:
        visitor = Visitor(browser, workspace.url, "rosa")
        visitor.sign_in(workspace.passwords["rosa"])
        expect(visitor.page.get_by_role("button", name="Sign out")).to_be_visible()
        yield visitor.page


@pytest.fixture(params=HOSTS)
def other_page(request: pytest.FixtureRequest, rosa: Page, stranger: int) -> Page:
    """The stranger's page in her browser, at an address below which the hub's cookies can be read."""
    rosa.goto(f"http://{request.param}:{stranger}/hub/free-trip")
    return rosa


def stolen(page: Page) -> str:
    """Return the hub's token for forms, as far as the page can read it."""
    cookies = dict(pair.strip().partition("=")[::2] for pair in page.evaluate("document.cookie").split(";"))
    return str(cookies.get("_xsrf", ""))


def test_no_form_of_another_page_links_or_unlinks(workspace: Workspace, other_page: Page) -> None:
    address, token = f"{workspace.url}{PAGE}", stolen(other_page)
    for do in ("link", "unlink"):
        for kind in FORMS:
            other_page.evaluate(SEND_FORM, [address, kind, {"do": do, "_xsrf": token}])
        how = {"method": "POST", "mode": "no-cors", "headers": {"Content-Type": FORMS[0]}}
        assert other_page.evaluate(READ, [address, how | {"body": f"do={do}&_xsrf={token}"}]) in ("opaque", "refused")
    events = [line for line in (workspace.state / "audit.jsonl").read_text().splitlines() if "linked" in line]
    assert events == []
    assert WAITING not in rosas_own(workspace, other_page)


def rosas_own(workspace: Workspace, page: Page) -> str:
    page.goto(f"{workspace.url}{PAGE}")
    return page.content()


def test_the_hubs_own_form_does(workspace: Workspace, rosa: Page) -> None:
    """What the others try would work, were it not for where they come from."""
    rosa.goto(f"{workspace.url}{PAGE}")
    rosa.evaluate(SEND_FORM, [f"{workspace.url}{PAGE}", FORMS[0], {"do": "link", "_xsrf": stolen(rosa)}])
    assert WAITING in rosas_own(workspace, rosa)
    rosa.get_by_role("button", name="Do not link").click()
    expect(rosa.get_by_text("There is nothing to do.")).to_be_visible()


READABLE = [
    PAGE, "/hub/home", "/hub/token", "/hub/api/user", "/hub/api/users/rosa", "/hub/imagine/token", "/services/imagine/me",
    "/services/imagine/models", "/services/imagine/openapi.json",
]  # fmt: skip


def test_no_other_page_reads_an_answer(workspace: Workspace, other_page: Page) -> None:
    for path in READABLE:
        for how in ({}, {"mode": "no-cors"}, {"headers": {"Authorization": "token x"}}):
            assert other_page.evaluate(READ, [f"{workspace.url}{path}", how]) in ("opaque", "refused"), (path, how)


DEEDS = [
    ("POST", "/services/imagine/models/planted/versions", '{"files": [], "audience": ["everyone"]}'),
    ("PUT", f"/services/imagine/blobs/{'0' * 64}", "x"),
    ("POST", "/hub/api/users/rosa/server", "{}"),
    ("POST", "/hub/api/users/rosa/tokens", "{}"),
    ("DELETE", "/hub/api/users/rosa", ""),
    ("POST", "/hub/imagine/operate", '{"banner": "planted"}'),
]


def test_no_other_page_makes_or_starts_anything(workspace: Workspace, other_page: Page) -> None:
    person = workspace.sign_in("rosa")
    tokens = tokens_of(person)
    for method, path, body in DEEDS:
        for kind, mode in itertools.product(["text/plain", "application/json"], ["cors", "no-cors"]):
            how = {"method": method, "body": body, "headers": {"Content-Type": kind}, "mode": mode}
            assert other_page.evaluate(READ, [f"{workspace.url}{path}", how]) in ("opaque", "refused"), (path, how)
        if method == "POST":
            other_page.evaluate(
                SEND_FORM, [f"{workspace.url}{path}", "text/plain", {'{"note": "planted", "x': '": 1}'}]
            )
    assert person.servers() == {}
    assert tokens_of(person) == tokens
    assert "planted" not in person.get("/hub/home").text


def tokens_of(person: Person) -> set[str]:
    return {token["id"] for token in person.get("/hub/api/users/rosa/tokens").json()["api_tokens"]}


def test_a_link_of_another_page_starts_no_server(workspace: Workspace, other_page: Page) -> None:
    other_page.evaluate(
        "address => location.href = address", f"{workspace.url}/hub/spawn?module=phytoplankton&profile=small"
    )
    expect(other_page.get_by_role("heading", name="Start your server")).to_be_visible()
    expect(other_page.get_by_text("A link starts no server: choose below and press Start.")).to_be_visible()
    assert workspace.sign_in("rosa").servers() == {}
