"""Login Flow v2: a program asks, a person consents in the browser, the program gets its app password once."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from hub_config.local.storage import login_flows
from tests.local.storage.account import Account
from tests.local.storage.issuer import SECRET
from tests.local.storage.servers import Embedded, free_port

PROGRAM = "iMagine <hub> & friends"


@pytest.fixture(scope="module")
def secret_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("secrets") / "storage-client"
    path.write_text(SECRET)
    return str(path)


@pytest.fixture(scope="module")
def linked(embedded_only, iam, tmp_path_factory, secret_file):
    """A storage with an account at the IAM."""
    environment = {"IMAGINE_STORAGE_CLIENT_SECRET_FILE": secret_file}
    running = Embedded(tmp_path_factory.mktemp("linked") / "state", environment, iam).start()
    yield running
    assert running.end() == 0
    assert "Traceback" not in running.log.read_text()


@pytest.fixture
def server(linked, iam):
    iam.person, iam.nonce, iam.token_status = "rosa", None, 200
    return linked


class Program:
    """What wants an app password."""

    def __init__(self, server, name: str = PROGRAM, prefix: str = "") -> None:
        self.client = httpx.Client(trust_env=False, verify=False, headers={"User-Agent": name})
        answer = self.client.post(f"{server.url}{prefix}/login/v2")
        assert answer.status_code == 200
        self.text = answer.text
        self.token, self.endpoint = answer.json()["poll"]["token"], answer.json()["poll"]["endpoint"]
        self.login = answer.json()["login"]

    def poll(self) -> httpx.Response:
        return self.client.post(self.endpoint, data={"token": self.token})


class Browser(httpx.Client):
    """A person's browser, which follows where it is led."""

    def __init__(self) -> None:
        super().__init__(trust_env=False, verify=False, follow_redirects=True, headers={"Accept": "text/html"})

    def arrive(self, program: Program) -> httpx.Response:
        """Open the program's address, press *Log in*, and sign in."""
        page = self.get(program.login)
        assert page.status_code == 200, page.text
        return self.get(page.url.join(html.unescape(re.search(r'class="button" href="([^"]+)"', page.text)[1])))

    def press(self, page: httpx.Response, change: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text)) | (change or {})
        origin = f"http://{page.url.netloc.decode()}"
        return self.post(page.url.join("/login/v2/grant"), data=fields, headers={"Origin": origin} | headers)


@pytest.mark.parametrize("prefix", ["", "/index.php"])
def test_the_program_gets_an_app_password_once(server, prefix):
    program, browser = Program(server, prefix=prefix), Browser()
    assert len(program.token) == 128
    assert re.fullmatch(re.escape(server.url) + "/login/v2/flow/[A-Za-z0-9]{128}", program.login)
    assert r"http:\/\/" in program.text
    waiting = program.poll()
    assert (waiting.status_code, waiting.json()) == (404, [])
    page = browser.arrive(program)
    assert "signed in as <strong>Rosa</strong> (rosa)" in page.text
    assert html.escape(PROGRAM) in page.text
    assert PROGRAM not in page.text
    assert program.poll().status_code == 404
    done = browser.press(page)
    assert (done.status_code, "Your storage is linked" in done.text) == (200, True)
    answer = program.poll()
    assert answer.status_code == 200
    assert (answer.json()["server"], answer.json()["loginName"]) == (server.url, "rosa")
    password = answer.json()["appPassword"]
    assert re.fullmatch("[A-Za-z0-9]{72}", password)
    rosa = Account(server, "rosa", password)
    assert rosa.put("/f").status_code in {201, 204}
    assert program.poll().status_code == 404
    assert rosa.ocs("DELETE", "core/apppassword") == (200, [])
    kept = b"".join(path.read_bytes() for path in server.state.glob("storage.sqlite*")) + server.log.read_bytes()
    assert password.encode() not in kept
    assert program.token.encode() not in kept


def test_what_the_iam_is_asked(server, iam):
    Browser().arrive(Program(server))
    assert iam.asked["client_id"] == "imagine-storage"
    assert iam.asked["redirect_uri"] == f"{server.url}/apps/user_oidc/code"
    assert iam.asked["code_challenge_method"] == "S256"
    assert {"openid", "profile", "groups"} <= set(iam.asked["scope"].split())


def test_an_address_opens_once_and_a_grant_is_given_once(server):
    program, browser = Program(server), Browser()
    page = browser.arrive(program)
    again = browser.get(program.login)
    assert (again.status_code, "Begin again" in again.text) == (403, True)
    assert browser.press(page).status_code == 200
    assert browser.press(page).status_code == 403
    assert browser.get(f"{server.url}/login/v2/flow/{'x' * 128}").status_code == 403
    assert browser.get(f"{server.url}/login/v2/flow").status_code == 403


def test_two_programs_at_once_do_not_mix(server, iam):
    first, second = Program(server, "first"), Program(server, "second")
    rosas, adas = Browser(), Browser()
    page = rosas.arrive(first)
    iam.person = "ada"
    other = adas.arrive(second)
    assert rosas.press(page).status_code == 200
    assert second.poll().status_code == 404
    assert adas.press(other).status_code == 200
    assert (first.poll().json()["loginName"], second.poll().json()["loginName"]) == ("rosa", "ada")


FORGED = {
    "another origin": ({}, {"Origin": "http://127.0.0.1:1"}),
    "no origin of its own": ({}, {"Origin": "null"}),
    "a wrong form token": ({"requesttoken": "x"}, {}),
    "no form token": ({"requesttoken": ""}, {}),
    "a wrong state": ({"stateToken": "x"}, {}),
    "letters beyond ASCII": ({"stateToken": "ö"}, {}),
}


@pytest.mark.parametrize("why", FORGED)
def test_a_forged_consent_grants_nothing(server, why):
    program, browser = Program(server), Browser()
    page = browser.arrive(program)
    fields, headers = FORGED[why]
    assert browser.press(page, fields, **headers).status_code == 403
    assert program.poll().status_code == 404
    assert browser.press(page).status_code == 200


def test_a_consent_needs_the_browser_that_signed_in(server):
    program, browser = Program(server), Browser()
    before = browser.get(program.login)
    planted = {cookie.name: cookie.value for cookie in browser.cookies.jar}
    page = browser.get(before.url.join(html.unescape(re.search(r'class="button" href="([^"]+)"', before.text)[1])))
    assert Browser().press(page).status_code == 403
    thief = Browser()
    cookie = "; ".join(f"{name}={value}" for name, value in planted.items())
    assert thief.press(page, Cookie=cookie).status_code == 403
    assert thief.get(page.url, headers={"Cookie": cookie}).status_code == 403
    assert program.poll().status_code == 404


def test_a_consent_before_the_sign_in_is_refused(server):
    program, browser = Program(server), Browser()
    page = browser.get(program.login)
    token = re.search(r"stateToken=(\w+)", page.text)[1]
    assert browser.press(page, {"stateToken": token, "requesttoken": ""}).status_code == 403
    assert program.poll().status_code == 404


def test_the_iams_answer_must_be_the_one_that_was_asked_for(server, iam):
    for broken in ("state", "code", "error", "nonce"):
        browser = Browser()
        iam.nonce = "another" if broken == "nonce" else None
        page = browser.get(Program(server).login)
        link = page.url.join(html.unescape(re.search(r'class="button" href="([^"]+)"', page.text)[1]))
        asked = browser.get(browser.get(link, follow_redirects=False).headers["Location"], follow_redirects=False)
        back = asked.headers["Location"]
        back = {
            "state": back.replace("state=", "state=x"),
            "code": back.replace("code=good", "code=bad"),
            "error": back.replace("code=good", "error=access_denied"),
            "nonce": back,
        }[broken]
        answer = browser.get(back, follow_redirects=False)
        assert answer.status_code == 403, broken
        assert "Nothing was granted" in answer.text
        if broken != "state":
            assert browser.get(asked.headers["Location"], follow_redirects=False).status_code == 403


def test_an_iam_that_is_down_is_said_so(server, iam, start, secret_file):
    iam.token_status = 503
    page = Browser().arrive(Program(server))
    assert (page.status_code, "The IAM cannot sign you in just now" in page.text) == (503, True)
    alone = start(IMAGINE_IAM_URL="http://127.0.0.1:1", IMAGINE_STORAGE_CLIENT_SECRET_FILE=secret_file)
    page = Browser().arrive(Program(alone))
    assert (page.status_code, "The IAM cannot be reached" in page.text) == (503, True)


def test_a_storage_that_has_no_account_at_the_iam_says_so(start):
    page = Browser().get(Program(start()).login)
    assert (page.status_code, "nobody can sign in; tell the operator" in page.text) == (503, True)


def test_the_pages_are_closed_to_other_sites(server):
    program, browser = Program(server), Browser()
    opened = browser.get(program.login, follow_redirects=False)
    for cookie in opened.headers.get_list("set-cookie"):
        assert re.search(r"Path=/(login/v2|apps/user_oidc); Max-Age=1200; HttpOnly; SameSite=Lax", cookie)
    page = browser.get(f"{server.url}/login/v2/flow?user=&direct=0")
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert (page.headers["Cache-Control"], page.headers["Referrer-Policy"]) == ("no-store", "same-origin")
    for name in re.findall(r'(?:href|src)="(/login/v2/static/[^"]+)"', page.text):
        assert browser.get(server.url + name).status_code == 200
    assert browser.get(f"{server.url}/login/v2/static/iam.css").status_code == 404
    assert browser.get(f"{server.url}/login/v2/static/%2e%2e").status_code in server.expected(400, 404)
    programmatic = browser.get(f"{server.url}/login/v2/grant", headers={"Accept": "application/json"})
    assert programmatic.status_code == 401


def test_the_addresses_are_those_the_caller_knows(server):
    port = urlsplit(server.url).port
    answer = httpx.post(f"http://localhost:{port}/login/v2", trust_env=False, verify=False).json()
    assert answer["login"].startswith(f"http://localhost:{port}/login/v2/flow/")
    odd = {"Host": 'x"/><script>'}
    with httpx.Client(trust_env=False, verify=False) as client:
        answer = client.post(f"{server.url}/login/v2", headers=odd).json()
    assert answer["poll"]["endpoint"] == f"{server.url}/login/v2/poll"


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/poll"), ("PUT", "/grant"), ("POST", "/flow/x")])
def test_other_methods_are_refused(server, method, path):
    assert httpx.request(method, f"{server.url}/login/v2{path}", trust_env=False, verify=False).status_code in {
        404,
        405,
    }


def test_a_flow_lives_twenty_minutes(monkeypatch):
    now = time.monotonic()
    monkeypatch.setattr(login_flows.time, "monotonic", lambda: now)
    flows = login_flows.LoginFlows()
    flow = flows.begin("program")
    session = flows.open(flow.login_token).session
    now += 20 * 60 - 1
    assert flows.of_session(session) is flow
    flows.grant(flow)
    now += 2
    assert flows.collect(flow.poll_token) is None
    for _ in range(login_flows.MAX_FLOWS + 10):
        last = flows.begin("program")
    assert flows.open(last.login_token) is last


def test_with_the_embedded_iam(start, tmp_path, secret_file):
    iam_port, port = free_port(), free_port()
    environment = os.environ | {
        "IMAGINE_IAM_STATE": str(tmp_path / "iam"),
        "IMAGINE_IAM_URL": f"http://127.0.0.1:{iam_port}",
    }
    person = {"username": "ada", "name": "Ada Lind", "email": "ada@example.org", "password": "copepod-of-43"}
    client = {
        "id": "imagine-storage",
        "name": "iMagine storage",
        "secret": SECRET,
        "redirect_uris": [f"http://127.0.0.1:{port}/apps/user_oidc/code"],
        "scopes": ["openid", "profile", "email", "groups"],
    }
    wish = {"groups": ["imagine-users"], "users": [person | {"groups": ["imagine-users"]}], "clients": [client]}
    seed = [sys.executable, "-m", "hub_config.local.iam.seed"]
    subprocess.run(seed, input=json.dumps(wish), env=environment, text=True, check=True, stdout=subprocess.DEVNULL)
    log = (tmp_path / "iam.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "hub_config.local.iam"], env=environment, stderr=log, stdout=log
    )
    try:
        wait_for(environment["IMAGINE_IAM_URL"] + "/healthz")
        server = start(
            IMAGINE_IAM_URL=environment["IMAGINE_IAM_URL"],
            IMAGINE_STORAGE_URL=f"http://127.0.0.1:{port}",
            IMAGINE_STORAGE_CLIENT_SECRET_FILE=secret_file,
            port=port,
        )
        program, browser = Program(server), Browser()
        form = browser.arrive(program)
        assert form.url.port == iam_port
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form.text.split("<main")[1])
        fields = {name: html.unescape(value) for name, value in hidden}
        page = browser.post(form.url, data=fields | {"login": "ada", "password": "copepod-of-43"})
        assert "signed in as <strong>Ada Lind</strong> (ada)" in page.text
        assert "code" not in parse_qs(page.url.query.decode())
        assert browser.press(page).status_code == 200
        granted = program.poll().json()
        ada = Account(server, granted["loginName"], granted["appPassword"])
        assert ada.ocs("GET", "cloud/user")[1]["groups"] == ["imagine-users"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        log.close()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(url, trust_env=False, verify=False).raise_for_status()
            return
        except httpx.HTTPError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
