"""Someone who uses the workspace over HTTP, as a browser or a program of theirs does."""

from __future__ import annotations

import html
import json
import re
import time
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from tests.workspace.conftest import Workspace

FIELD = re.compile(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"')
SERVER_SECONDS = 90


class Person(httpx.Client):
    """A client with the cookies of one person."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        super().__init__(base_url=workspace.url, follow_redirects=True, timeout=60, trust_env=False)
        self.workspace, self.name = workspace, name

    def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Fill a form of the IAM in and send it."""
        hidden = {name: html.unescape(value) for name, value in FIELD.findall(page.text)}
        return self.post(page.url, data=hidden | fields, headers={"Referer": str(page.url)})

    def sign_in(self, password: str | None = None) -> httpx.Response:
        """Sign in from the front door, and return the page where that ends."""
        password = password or self.workspace.passwords[self.name]
        page = self.submit(self.get("/hub/oauth_login"), login=self.name, password=password)
        self.renew_xsrf()
        return page

    def renew_xsrf(self) -> None:
        """Send with each request what the hub's own pages send."""
        self.headers["X-XSRFToken"] = self.cookies.get("_xsrf", path="/hub/") or ""

    def ask_for_server(self, **options: Any) -> httpx.Response:
        """Ask for a server, and return the answer."""
        return self.post(f"/hub/api/users/{self.name}/server", json=options)

    def choose(self, module: str, profile: str) -> httpx.Response:
        """Fill the spawn page in, and return the page that follows."""
        form = self.get("/hub/spawn")
        self.renew_xsrf()
        return self.submit(form, module=module, profile=profile, _xsrf=self.headers["X-XSRFToken"])

    def start_server(self, profile: str = "standard") -> list[str]:
        """Start a server as from the spawn page, wait until it answers, and return what that page said meanwhile."""
        page = self.choose("phytoplankton", profile)
        assert page.url.path.startswith("/hub/spawn-pending/"), page.text
        events = self.follow_start()
        assert events[-1].get("ready"), events
        return [event["message"] for event in events]

    def follow_start(self) -> list[dict[str, Any]]:
        """Return what the spawn page is told until the server is ready or has failed."""
        path = f"/hub/api/users/{self.name}/server/progress"
        with self.stream("GET", path, timeout=SERVER_SECONDS) as stream:
            lines = [line.removeprefix("data:") for line in stream.iter_lines() if line.startswith("data:")]
        return [json.loads(line) for line in lines]

    def stop_server(self) -> None:
        """Stop the server, and wait until it is gone."""
        self.delete(f"/hub/api/users/{self.name}/server")
        end = time.monotonic() + SERVER_SECONDS
        while self.servers():
            assert time.monotonic() < end, "the server did not stop"
            time.sleep(0.2)

    def servers(self) -> dict[str, Any]:
        """Return the hub's list of this person's servers."""
        found: dict[str, Any] = self.get(f"/hub/api/users/{self.name}").json()["servers"]
        return found

    def token(self) -> str:
        """Return a new token of the hub that may do whatever this person may."""
        answer = self.post(f"/hub/api/users/{self.name}/tokens", json={"expires_in": 3600})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def server_api(self, path: str, method: str = "GET", **arguments: Any) -> httpx.Response:
        """Call the person's own Jupyter server."""
        headers = {"Authorization": f"token {self.token()}"}
        url = f"{self.workspace.url}/user/{self.name}/api/{path}"
        return httpx.request(method, url, headers=headers, timeout=30, trust_env=False, **arguments)
