"""Login Flow v2: how a program gets an app password by a person's consent in the browser.

A page of any other site, or of a user's server on this very machine, must not be able to consent for somebody: the
form carries a token of its own, its origin is checked, no page can be framed, and the browser's key to the flow
changes when its person has signed in.
"""

from __future__ import annotations

import hmac
import json
import re
from typing import TYPE_CHECKING

from . import pages
from .errors import Refused
from .http import Response
from .login_flows import LIFETIME, LoginFlows
from .oidc import Client, Errand

if TYPE_CHECKING:
    from collections.abc import Callable

    from .http import Request
    from .login_flows import Flow
    from .services import Services

COOKIE = "imagine_storage_login"
_COOKIE_PATHS = ("/login/v2", "/apps/user_oidc")
"""Nothing else on this machine is sent the cookie: browsers do not tell its ports apart."""
_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?")


class Login:
    """The addresses below ``/login/v2``, and the IAM's way back."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._flows = LoginFlows()
        self._client = Client(services.config, services.iam)
        self._table: dict[tuple[str, ...], Callable[[Request], Response]] = {
            ("POST",): self._begin,
            ("POST", "poll"): self._poll,
            ("GET", "flow"): self._welcome,
            ("GET", "grant"): self._consent,
            ("POST", "grant"): self._grant,
        }

    def answer(self, request: Request, parts: list[str]) -> Response:
        """Answer a request below ``/login/v2``."""
        if request.method == "GET" and len(parts) == 2 and parts[0] == "flow":
            return self._open(parts[1])
        if request.method == "GET" and len(parts) == 2 and parts[0] == "static":
            return pages.static(parts[1])
        handler = self._table.get((request.method, *parts))
        if handler is None:
            raise Refused(405 if len(parts) < 2 else 404)
        try:
            return handler(request)
        except Refused as refusal:
            if refusal.status != 503:
                raise
            return pages.page(503, "refused", title="Sign-in does not work just now", reason=refusal.message)

    def back(self, request: Request, parts: list[str]) -> Response:
        """Answer the browser that comes back from the IAM to ``/apps/user_oidc/code``."""
        if request.method != "GET" or parts != ["code"]:
            raise Refused(404)
        flow = self._flow(request)
        if flow is None or flow.errand is None or not _same(request.query.get("state", ""), flow.errand.state):
            return _spent()
        errand, flow.errand = flow.errand, None
        try:
            code = request.query.get("code", "")
            claims = self._client.claims(errand, code) if code else None
            user = self._services.accounts.provision(claims) if claims else None
        except Refused as refusal:
            title = "You are not signed in" if refusal.status == 403 else "Sign-in does not work just now"
            return pages.page(refusal.status, "refused", title=title, reason=refusal.message)
        if user is None:
            return pages.page(403, "refused", title="You are not signed in", reason="The IAM did not sign you in.")
        flow.uid = user.uid
        headers = [("Location", f"/login/v2/grant?user=&direct=0&stateToken={flow.state_token}")]
        return Response(303, headers + _cookies(flow.new_session()))

    def _begin(self, request: Request) -> Response:
        flow, base = self._flows.begin(_program(request)), self._base(request)
        poll = {"token": flow.poll_token, "endpoint": f"{base}/login/v2/poll"}
        return _json(200, {"poll": poll, "login": f"{base}/login/v2/flow/{flow.login_token}"})

    def _poll(self, request: Request) -> Response:
        flow = self._flows.collect(request.form.get("token", ""))
        if flow is None or flow.uid is None:
            return _json(404, [])
        password = self._services.accounts.new_app_password(flow.uid, flow.program)
        return _json(200, {"server": self._base(request), "loginName": flow.uid, "appPassword": password})

    def _open(self, login_token: str) -> Response:
        flow = self._flows.open(login_token)
        if flow is None or flow.session is None:
            return _spent()
        return Response(303, [("Location", "/login/v2/flow?user=&direct=0"), *_cookies(flow.session)])

    def _welcome(self, request: Request) -> Response:
        flow = self._flow(request)
        if flow is None:
            return _spent()
        if not self._client.is_known:
            raise Refused(503, "This storage has no account at an IAM, so nobody can sign in; tell the operator.")
        return pages.page(200, "welcome", program=flow.program, state_token=flow.state_token)

    def _consent(self, request: Request) -> Response:
        flow = self._flow(request)
        if "text/html" not in (request.header("Accept") or ""):
            return _json(401, {"message": "Current user is not logged in"})
        if flow is None or not _same(request.query.get("stateToken", ""), flow.state_token):
            return _spent()
        user = self._services.accounts.user(flow.uid)
        if user is None:
            flow.errand = Errand()
            return Response(303, [("Location", self._client.address(flow.errand))])
        tokens = {"state_token": flow.state_token, "form_token": flow.form_token}
        return pages.page(200, "grant", program=flow.program, user=user, **tokens)

    def _grant(self, request: Request) -> Response:
        flow, form = self._flow(request), request.form
        origin = request.header("Origin")
        is_ours = origin is None or origin in {self._base(request), self._services.config.url}
        if flow is None or flow.uid is None or not is_ours:
            return _spent()
        if not _same(form.get("stateToken", ""), flow.state_token):
            return _spent()
        if not _same(form.get("requesttoken", ""), flow.form_token):
            return _spent()
        self._flows.grant(flow)
        response = pages.page(200, "done", program=flow.program)
        response.headers += _cookies("", seconds=0)
        return response

    def _flow(self, request: Request) -> Flow | None:
        cookies = (pair.strip().partition("=") for pair in (request.header("Cookie") or "").split(";"))
        found = (self._flows.of_session(value) for name, _, value in cookies if name == COOKIE)
        return next((flow for flow in found if flow), None)

    def _base(self, request: Request) -> str:
        """Return the address that the caller knows this server by."""
        host = request.header("Host") or ""
        return f"http://{host}" if _HOST.fullmatch(host) else self._services.config.url


def _program(request: Request) -> str:
    """Return what the program calls itself, fit to be shown."""
    text = "".join(letter for letter in request.header("User-Agent") or "" if letter.isprintable())
    return text[:120].strip() or "A program without a name"


def _spent() -> Response:
    reason = "This address has been used, or is older than twenty minutes."
    return pages.page(403, "refused", title="Begin again", reason=reason)


def _cookies(value: str, seconds: int = LIFETIME) -> list[tuple[str, str]]:
    rules = f"Max-Age={seconds}; HttpOnly; SameSite=Lax"
    return [("Set-Cookie", f"{COOKIE}={value}; Path={path}; {rules}") for path in _COOKIE_PATHS]


def _json(status: int, document: object) -> Response:
    body = json.dumps(document).replace("/", "\\/").encode()
    headers = [("Content-Type", "application/json; charset=utf-8"), ("Cache-Control", "no-store")]
    return Response(status, [*headers, ("Content-Length", str(len(body)))], [body])


def _same(sent: str, known: str) -> bool:
    return hmac.compare_digest(sent.encode(), known.encode())
