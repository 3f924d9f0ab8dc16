"""Who has signed out is out everywhere: at the hub, at the IAM, in the server that goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.workspace.processes import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workspace.conftest import Workspace
    from tests.workspace.person import Person

pytestmark = pytest.mark.workspace

COPY_SECONDS = 45
"""A server asks the hub again about a cookie after half a minute."""


@pytest.fixture
def rosa(workspace: Workspace) -> Iterator[Person]:
    rosa = workspace.sign_in("rosa")
    if not rosa.servers():
        rosa.start_server()
    yield rosa
    workspace.sign_in("rosa").stop_server()


def test_after_signing_out_neither_the_browser_nor_a_copy_of_its_cookies_opens_anything(
    workspace: Workspace, rosa: Person
) -> None:
    account = f"{workspace.address('iam')}/"
    assert "/user/rosa/lab" in str(rosa.get("/user/rosa/lab").url)
    assert rosa.get(account).url.path == "/"
    copy = workspace.person("rosa")
    copy.cookies.update(rosa.cookies)
    server_cookies = [cookie.name for cookie in rosa.cookies.jar if cookie.path.startswith("/user/rosa")]
    assert server_cookies

    page = rosa.get("/hub/logout")
    assert (page.url.path, "Sign in with" in page.text) == ("/hub/login", True)
    for path in (
        "/hub/home",
        "/hub/token",
        "/hub/imagine/storage",
        "/user/rosa/lab",
        "/user/rosa/lab/tree/tutorials",
    ):
        assert rosa.get(path).url.path == "/hub/login", path
    assert rosa.get(account).url.path == "/sign-in"
    assert rosa.get("/user/rosa/api/contents").status_code in (401, 403)

    assert copy.get("/hub/home").url.path == "/hub/login"
    assert copy.get(account).url.path == "/sign-in"
    until(lambda: _is_out(copy), COPY_SECONDS, "the end of a copy of the server's cookie")
    assert workspace.server_of("rosa").is_running()


def _is_out(copy: Person) -> bool:
    try:
        return copy.get("/user/rosa/lab").url.path == "/hub/login"
    except httpx.TooManyRedirects:
        return True
