"""The embedded IAM, as a real process: what a client, a person and an administrator meet."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import http.server
import json
import os
import re
import secrets
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt
import pytest

if TYPE_CHECKING:
    from pathlib import Path

CALLBACK = "http://127.0.0.1:{port}/hub/oauth_callback"
AFTER_LOGOUT = "http://127.0.0.1:{port}/hub/login"
CLIENT = ("imagine-workspace", "a-client-secret-of-a-test")
SCOPES = "openid profile email groups offline_access"
PASSWORDS = {"rosa": "sea-urchin-42", "ada": "copepod-of-43"}


class IAM:
    """The process under test, with the seed that a workspace gives it."""

    def __init__(self, state: Path) -> None:
        self.state, self.log = state, state.with_suffix(".log")
        self.port, self.client_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.callback = CALLBACK.format(port=self.client_port)
        self.after_logout = AFTER_LOGOUT.format(port=self.client_port)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"IMAGINE_IAM_STATE": str(self.state), "IMAGINE_IAM_URL": self.url}

    def seed(self, text: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hub_config.local.iam.seed"]
        text = text or json.dumps(self.contents())
        return subprocess.run(command, input=text, env=self.environment, text=True, capture_output=True, check=False)

    def contents(self) -> dict[str, list[object]]:
        rosa = {
            "username": "rosa",
            "name": "Rosa Marín",
            "email": "rosa@example.org",
            "groups": ["imagine-users"],
        }
        ada = rosa | {"username": "ada", "name": "Ada Lind", "email": "ada@example.org", "admin": True}
        client = {
            "id": CLIENT[0],
            "secret": CLIENT[1],
            "name": "iMagine workspace",
            "redirect_uris": [self.callback],
            "post_logout_redirect_uris": [self.after_logout],
            "scopes": SCOPES.split(),
        }
        return {
            "groups": ["imagine-users", "imagine-admins"],
            "users": [user | {"password": PASSWORDS[str(user["username"])]} for user in (rosa, ada)],
            "clients": [client, client | {"id": "other", "name": "A guest application", "trusted": False}],
        }

    def start(self) -> None:
        command = [sys.executable, "-m", "hub_config.local.iam"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/healthz").text == "ok":
                    return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError("the IAM did not become ready in 30 s")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


class Browser(httpx.Client):
    """A person's browser: keeps cookies, fills forms in, and stops where it would leave the IAM."""

    def __init__(self, iam: IAM) -> None:
        super().__init__(base_url=iam.url)
        self.iam = iam

    def visit(self, response: httpx.Response) -> httpx.Response:
        while response.next_request and response.next_request.url.port == self.iam.port:
            response = self.send(response.next_request)
        return response

    def open(self, path: str) -> httpx.Response:
        return self.visit(self.get(path))

    def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text.split("<main")[1]))
        hidden = {name: html.unescape(value) for name, value in hidden.items()}
        return self.visit(self.post(page.url, data=hidden | fields))

    def sign_in(self, name: str, password: str | None = None, page: httpx.Response | None = None) -> httpx.Response:
        return self.submit(page or self.open("/sign-in"), login=name, password=password or PASSWORDS[name])

    def sign_up(self, name: str, **changes: str) -> httpx.Response:
        fields = {"username": name, "name": "Nils Berg", "email": f"{uuid.uuid4().hex}@example.org"}
        return self.submit(self.open("/sign-up"), **fields, password1="krill-swarm-44", **changes)


class Flow:
    """One authorization by a client: code, PKCE, state and nonce."""

    def __init__(self, iam: IAM, client: tuple[str, str] = CLIENT) -> None:
        self.iam, self.client = iam, client
        self.endpoints = httpx.get(f"{iam.url}/.well-known/openid-configuration").json()
        self.verifier, self.state, self.nonce = (secrets.token_urlsafe(48) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=")
        self.query = {
            "response_type": "code",
            "client_id": client[0],
            "redirect_uri": iam.callback,
            "scope": SCOPES,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }

    def path(self, **changes: str | None) -> str:
        query = {name: value for name, value in (self.query | changes).items() if value is not None}
        return f"{self.endpoints['authorization_endpoint']}?{urlencode(query)}"

    def redeem(self, arrival: httpx.Response, **changes: str) -> httpx.Response:
        location = arrival.headers["location"]
        assert location.startswith(self.iam.callback)
        answer = {name: value[0] for name, value in parse_qs(urlsplit(location).query).items()}
        assert answer["state"] == self.state
        data = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": self.iam.callback}
        return self.token(**data | {"code_verifier": self.verifier} | changes)

    def token(self, **data: str) -> httpx.Response:
        return httpx.post(self.endpoints["token_endpoint"], data=data, auth=self.client)

    def refresh(self, token: str) -> httpx.Response:
        return self.token(grant_type="refresh_token", refresh_token=token)

    def userinfo(self, token: str) -> httpx.Response:
        return httpx.get(self.endpoints["userinfo_endpoint"], headers={"Authorization": f"Bearer {token}"})

    def read(self, token: str, audience: str) -> dict[str, object]:
        keys = jwt.PyJWKSet.from_dict(httpx.get(self.endpoints["jwks_uri"]).json())
        key = keys[jwt.get_unverified_header(token)["kid"]]
        return jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=self.iam.url)


def run(module: str, environment: dict[str, str], **options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module]
    return subprocess.run(command, env=environment, text=True, capture_output=True, check=False, **options)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def iam(tmp_path_factory):
    iam = IAM(tmp_path_factory.mktemp("iam") / "state")
    done = iam.seed()
    assert json.loads(done.stdout) == {
        "users_created": ["rosa", "ada"],
        "clients": ["imagine-workspace", "other"],
    }
    iam.start()
    yield iam
    assert iam.stop() == 0


@pytest.fixture
def browser(iam):
    with Browser(iam) as browser:
        yield browser


@pytest.fixture(scope="module")
def rosa(iam):
    """A browser in which rosa is signed in, for tests that do not sign her out."""
    with Browser(iam) as browser:
        assert "Rosa Marín" in browser.sign_in("rosa").text
        yield browser


@pytest.fixture(scope="module")
def ada(iam):
    with Browser(iam) as browser:
        browser.sign_in("ada")
        yield browser


# What a client gets


def test_signing_in_gives_verified_tokens_with_the_promised_claims(iam, browser):
    flow = Flow(iam)
    arrival = browser.sign_in("ada", page=browser.open(flow.path()))
    tokens = flow.redeem(arrival).json()

    identity = flow.read(tokens["id_token"], audience="imagine-workspace")
    access = flow.read(tokens["access_token"], audience="imagine-storage")
    userinfo = flow.userinfo(tokens["access_token"]).json()
    about = {
        "preferred_username": "ada",
        "name": "Ada Lind",
        "email": "ada@example.org",
        "email_verified": True,
        "groups": ["imagine-admins", "imagine-users"],
    }
    for claims in (identity, access, userinfo):
        assert about.items() <= claims.items()
        assert uuid.UUID(claims["sub"]).version == 4
        assert claims["sub"] == identity["sub"]
    assert identity["nonce"] == flow.nonce
    assert access["aud"] == ["imagine-workspace", "imagine-storage"]
    assert access["exp"] - access["iat"] == tokens["expires_in"] == 3600
    assert tokens["refresh_expires_in"] == pytest.approx(30 * 24 * 3600, abs=5)


def test_claims_follow_the_granted_scopes(iam, rosa):
    flow = Flow(iam)
    tokens = flow.redeem(rosa.get(flow.path(scope="openid"))).json()
    assert flow.userinfo(tokens["access_token"]).json().keys() == {"sub"}
    flow = Flow(iam)
    tokens = flow.redeem(rosa.get(flow.path(scope="openid groups"))).json()
    assert flow.userinfo(tokens["access_token"]).json()["groups"] == ["imagine-users"]


def test_a_refresh_token_works_once_even_for_requests_at_the_same_time(iam, rosa):
    flow = Flow(iam)
    first = flow.redeem(rosa.get(flow.path())).json()["refresh_token"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(flow.refresh, [first] * 4))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert {answer.json()["error"] for answer in answers if answer.is_error} == {"invalid_grant"}
    second = next(answer.json() for answer in answers if answer.is_success)
    assert flow.read(second["id_token"], audience="imagine-workspace")["groups"] == ["imagine-users"]
    assert flow.refresh(second["refresh_token"]).status_code == 200


def test_a_revoked_token_is_refused(iam, rosa):
    flow = Flow(iam)
    tokens = flow.redeem(rosa.get(flow.path())).json()
    for kind in ("access_token", "refresh_token"):
        assert httpx.post(flow.endpoints["revocation_endpoint"], data={"token": tokens[kind]}, auth=CLIENT).is_success
    assert flow.userinfo(tokens["access_token"]).status_code == 401
    assert flow.refresh(tokens["refresh_token"]).status_code == 400


def test_logout_by_the_client_ends_the_session_and_the_tokens(iam, browser):
    flow = Flow(iam)
    tokens = flow.redeem(browser.sign_in("rosa", page=browser.open(flow.path()))).json()
    query = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": iam.after_logout, "state": "s1"}
    arrival = browser.get(f"{flow.endpoints['end_session_endpoint']}?{urlencode(query)}")
    assert arrival.headers["location"] == f"{iam.after_logout}?state=s1"
    assert "<h1>Sign in</h1>" in browser.open("/").text
    assert flow.refresh(tokens["refresh_token"]).status_code == 400


def test_logout_without_a_hint_asks_first(iam, browser):
    browser.sign_in("rosa")
    page = browser.open("/oauth/logout")
    assert "Sign out?" in page.text
    assert "You are signed out" in browser.submit(page, action="logout").text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"code_challenge": None}, "did not use PKCE with S256"),
        ({"code_challenge_method": "plain"}, "did not use PKCE with S256"),
        ({"client_id": "unknown"}, "not registered with this address"),
        ({"redirect_uri": "http://127.0.0.1:9/hub/oauth_callback"}, "not registered with this address"),
    ],
)
def test_weak_authorization_requests_are_refused(iam, rosa, change, sentence):
    page = rosa.get(Flow(iam).path(**change))
    assert page.status_code == 400
    assert sentence in page.text


@pytest.mark.parametrize("client", [(CLIENT[0], "wrong"), ("unknown", CLIENT[1])])
def test_a_code_needs_the_clients_secret_and_verifier(iam, rosa, client):
    flow = Flow(iam)
    arrival = rosa.get(flow.path())
    assert flow.redeem(arrival, code_verifier=secrets.token_urlsafe(48)).status_code == 400
    flow.client = client
    assert flow.redeem(arrival).status_code == 401


def test_a_client_that_is_not_trusted_asks_for_consent(iam, rosa):
    flow = Flow(iam, ("other", CLIENT[1]))
    page = rosa.open(flow.path(scope="openid email"))
    assert "See your email address" in page.text
    assert "error=access_denied" in rosa.submit(page, action="cancel").headers["location"]
    arrival = rosa.submit(page, action="grant", scopes="openid")
    assert flow.redeem(arrival).json()["scope"] == "openid"


# What a person meets


def test_a_wrong_password_is_said_in_one_sentence(browser):
    for name in ("rosa", "nobody"):
        page = browser.sign_in(name, "wrong-password")
        assert "The username or the password is wrong. Check both and try again." in page.text
        assert page.text.count('role="alert"') == 1


def test_guessing_is_stopped(browser):
    pages = [browser.sign_in("guessed", "wrong-password").text for _ in range(6)]
    assert not any("Too many failed sign-ins" in page for page in pages[:5])
    assert "Too many failed sign-ins. Wait five minutes, then try again." in pages[5]


def test_too_many_requests_are_answered_with_a_page(rosa):
    pages = [rosa.submit(rosa.open("/password")) for _ in range(6)]
    assert [page.status_code for page in pages] == [200] * 5 + [429]
    assert "Wait a minute, then reload the page." in pages[-1].text


def test_sign_up_waits_for_an_administrator(iam, browser, rosa, ada):
    waiting = "Your account waits for approval by an administrator."
    flow = Flow(iam)
    assert waiting in browser.sign_up("nils").text
    page = browser.sign_in("nils", "krill-swarm-44", browser.open(flow.path()))
    assert waiting in page.text
    assert "<h1>Sign in</h1>" in browser.open(flow.path()).text, "no code before approval"

    refused = rosa.open("/approvals")
    assert refused.status_code == 403
    assert "Only members of the group imagine-admins approve accounts." in refused.text
    assert "/approvals" not in rosa.open("/").text

    page = ada.open("/approvals")
    account = re.search(r'name="account" value="([0-9a-f-]{36})"', page.text)[1]
    word = {"account": account, "decision": "approve", "group": "imagine-users"}
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', rosa.open("/").text)[1]
    assert rosa.post("/approvals", data=word | {"csrfmiddlewaretoken": token}).status_code == 403
    assert ada.post("/approvals", data=word).status_code == 403, "a form needs its CSRF token"
    assert "nils can sign in now, as a member of imagine-users." in ada.submit(page, **word).text
    assert "Another administrator has already decided" in ada.submit(page, **word).text

    tokens = flow.redeem(browser.sign_in("nils", "krill-swarm-44", browser.open(flow.path()))).json()
    claims = flow.read(tokens["id_token"], audience="imagine-workspace")
    assert (claims["groups"], claims["email_verified"]) == (["imagine-users"], False)


def test_a_refused_request_is_deleted(browser, ada):
    browser.sign_up("mallory")
    page = ada.open("/approvals")
    done = ada.submit(page, decision="refuse", group="imagine-users").text
    assert "mallory was refused, and the request is deleted." in done
    assert "Nobody is waiting" in done
    assert "The username or the password is wrong." in browser.sign_in("mallory", "krill-swarm-44").text


@pytest.mark.parametrize("name", ["Rosa", "-x", "a b", "a/b", "../x", "ünal", "x\ny", "a" * 33, ".hidden"])
def test_bad_usernames_are_explained(browser, name):
    page = browser.sign_up(name)
    sentence = "at most 32 characters" if len(name) > 32 else "1 to 32 small letters"
    assert sentence in page.text
    assert "waits for approval" not in page.text


def test_sign_up_says_what_is_taken_or_too_weak(browser):
    assert "This username is taken." in browser.sign_up("rosa").text
    page = browser.open("/sign-up")
    fields = {"username": "rosa2", "name": "Rosa", "email": "rosa@example.org", "password1": "password"}
    text = browser.submit(page, **fields).text
    assert "There is already an account with this email address." in text
    assert "at least 10 characters" in text


def test_a_password_can_be_changed(browser, ada):
    browser.sign_up("lena")
    ada.submit(ada.open("/approvals"), decision="approve", group="imagine-users")
    browser.sign_in("lena", "krill-swarm-44")
    page = browser.open("/password")
    new = {"password1": "lantern-fish-45", "password2": "lantern-fish-45"}
    assert "This is not your current password." in browser.submit(page, oldpassword="wrong", **new).text
    assert "<h1>Nils Berg</h1>" in browser.submit(page, oldpassword="krill-swarm-44", **new).text


def test_pages_are_closed_to_other_sites(iam, rosa):
    for path in ("/", "/sign-in", "/nowhere", "/approvals"):
        page = rosa.open(path)
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["referrer-policy"] == "same-origin"
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'self';")
        assert policy.endswith(f"form-action 'self' http://127.0.0.1:{iam.client_port}")
    cookies = httpx.get(f"{iam.url}/sign-in").headers["set-cookie"]
    assert re.match(r"imagine-iam-csrf=.*HttpOnly.*SameSite=Lax", cookies)
    assert {cookie.name for cookie in rosa.cookies.jar} == {"imagine-iam-csrf", "imagine-iam-session"}
    assert httpx.get(f"{iam.url}/healthz", headers={"Host": "evil.example"}).status_code == 400


# What the operator meets


def test_a_restart_keeps_people_sessions_and_keys(tmp_path):
    iam = IAM(tmp_path / "state")
    iam.seed()
    iam.start()
    flow = Flow(iam)
    with Browser(iam) as browser:
        tokens = flow.redeem(browser.sign_in("rosa", page=browser.open(flow.path()))).json()
        assert iam.stop() == 0
        iam.start()
        assert "Rosa Marín" in browser.open("/").text
    assert flow.read(tokens["access_token"], audience="imagine-storage")["preferred_username"] == "rosa"
    assert flow.userinfo(tokens["access_token"]).is_success
    assert flow.refresh(tokens["refresh_token"]).is_success

    files = [iam.state, *iam.state.iterdir()]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}
    assert modes.pop("state") == 0o700
    assert {"iam.sqlite", "secret-key", "signing-key.pem"} <= modes.keys()
    assert set(modes.values()) == {0o600}, modes
    assert iam.stop() == 0

    kept = b"".join(path.read_bytes() for path in iam.state.glob("iam.sqlite*")) + iam.log.read_bytes()
    for secret in (PASSWORDS["rosa"], CLIENT[1], tokens["access_token"], tokens["refresh_token"], flow.nonce):
        assert secret.encode() not in kept


def test_seeding_again_changes_no_person_and_updates_clients(iam, browser):
    again = iam.contents()
    again["users"][0] |= {"password": "another-password-9", "groups": ["imagine-admins"]}
    again["clients"][1]["redirect_uris"] = ["http://127.0.0.1:9/elsewhere"]
    assert json.loads(iam.seed(json.dumps(again)).stdout)["users_created"] == []
    assert "Rosa Marín" in browser.sign_in("rosa").text
    assert "imagine-admins" not in browser.open("/").text
    assert browser.get(Flow(iam, ("other", "")).path()).status_code == 400
    iam.seed()
    assert browser.get(Flow(iam, ("other", "")).path()).status_code == 200


def test_a_bad_seed_is_refused_in_one_sentence_without_its_passwords(iam):
    done = iam.seed('{"users": [{"username": "x", "password": "hidden-password"}]}')
    assert done.returncode == 1
    assert done.stderr == "The seed cannot be read: users.0.email: Field required; users.0.name: Field required.\n"
    bad = iam.contents()
    bad["users"] = [bad["users"][0] | {"username": "Rosa M"}]
    assert "A username has 1 to 32 small letters" in iam.seed(json.dumps(bad)).stderr


@pytest.mark.parametrize("url", ["", "127.0.0.1:8001", "http://127.0.0.1", "http://127.0.0.1:8001/iam", "http://a:x"])
def test_a_bad_address_is_refused_at_the_start(tmp_path, url):
    environment = os.environ | {"IMAGINE_IAM_STATE": str(tmp_path / "state"), "IMAGINE_IAM_URL": url}
    done = run("hub_config.local.iam", environment)
    assert done.returncode == 1
    assert done.stderr == f"IMAGINE_IAM_URL is {url!r}; set it to http://HOST:PORT, such as http://127.0.0.1:8001.\n"


@pytest.mark.browser
def test_chromium_signs_in_and_out_without_leaving_loopback(iam):
    """The content security policy lets the form's redirect reach the client, on another port."""
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright

    class Workspace(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<title>workspace</title>")

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", iam.client_port), Workspace)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    options += ["--disable-background-networking", "--disable-component-update"]
    requests, problems = [], []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        page = chromium.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: problems.append(message.text))
        page.goto(Flow(iam).path())
        page.get_by_label("Username").fill("rosa")
        page.get_by_label("Password").fill(PASSWORDS["rosa"])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{iam.callback}?*")
        page.goto(iam.url)
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("heading", name="You are signed out").wait_for()
        chromium.close()
    server.shutdown()
    assert {urlsplit(url).hostname for url in requests} == {"127.0.0.1"}
    assert problems == []
