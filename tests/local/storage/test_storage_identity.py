"""A name belongs to the account of the IAM that came with it first; an IAM that hangs hangs nobody else."""

from __future__ import annotations

import html
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from hub_config.local.storage.iam import PATIENCE, RELOAD_PAUSE
from tests.local.storage.issuer import IAM, SECRET

CLIENT = httpx.Client(trust_env=False, timeout=60)
OCS = {"OCS-APIRequest": "true", "Accept": "application/json"}
NOT_YOURS = "belongs to another account of the IAM; sign in with that account, or ask the operator."


def ask(server, token: str, path: str = "ocs/v2.php/cloud/user", method: str = "GET") -> httpx.Response:
    headers = OCS | {"Authorization": f"Bearer {token}"}
    return CLIENT.request(method, f"{server.url}/{path}", headers=headers)


def test_a_freed_name_does_not_come_with_its_files(server):
    ann = server.account("ann")
    ann.put("/diary", b"mine")
    heir = server.iam.token(ann.uid, sub="somebody-else")
    for path, method in (
        ("ocs/v2.php/cloud/user", "GET"),
        ("ocs/v2.php/core/getapppassword", "GET"),
        (f"remote.php/dav/files/{ann.uid}/diary", "GET"),
        (f"remote.php/dav/trashbin/{ann.uid}/trash", "PROPFIND"),
    ):
        answer = ask(server, heir, path, method)
        assert answer.status_code == 403, path
        assert NOT_YOURS in answer.text
    assert ask(server, server.iam.token(ann.uid)).status_code == 200
    assert ann.read("/diary") == b"mine"


def test_whoever_comes_with_anothers_name_changes_nothing_of_theirs(server):
    ann = server.account("ann", groups=["readers"])
    ask(server, server.iam.token(ann.uid, sub="somebody-else", groups=["writers"], name="Eve"))
    user = ann.ocs("GET", "cloud/user")[1]
    assert (user["displayname"], user["groups"]) == (ann.uid.title(), ["readers"])


def test_a_name_stays_bound_over_a_restart(start, tmp_path):
    server = start()
    ann = server.account("ann")
    assert server.end() == 0
    again = start(state=server.state)
    assert ask(again, again.iam.token(ann.uid, sub="somebody-else")).status_code == 403
    assert ask(again, again.iam.token(ann.uid)).status_code == 200


def test_another_iam_has_other_accounts(start):
    server = start()
    ann = server.account("ann")
    assert server.end() == 0
    other = IAM()
    again = start(state=server.state, IMAGINE_IAM_URL=other.url)
    assert ask(again, other.token(ann.uid)).status_code == 403
    other.server.shutdown()


@pytest.mark.parametrize("sub", [None, "", 7])
def test_a_token_without_an_account_is_no_good(server, sub):
    assert ask(server, server.iam.token("nobody", sub=sub)).status_code == 401
    assert not (server.state / "data" / "nobody").exists()


def test_a_freed_name_is_not_signed_in_by_the_browser(start, iam, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    server = start(IMAGINE_STORAGE_CLIENT_SECRET_FILE=str(secret))
    ann = server.account(uid=iam.person, sub="somebody-before")
    login = CLIENT.post(f"{server.url}/login/v2").json()["login"]
    with httpx.Client(trust_env=False, follow_redirects=True, headers={"Accept": "text/html"}) as browser:
        page = browser.get(login)
        button = html.unescape(page.text.partition('class="button" href="')[2].partition('"')[0])
        page = browser.get(page.url.join(button))
    assert page.status_code == 403
    assert NOT_YOURS in page.text
    assert ann.send("PROPFIND").status_code == 207


@pytest.fixture
def hanging():
    """An IAM that answers until it is told to hang."""
    hanging, go_on = IAM(), threading.Event()
    document = hanging.document
    go_on.set()

    def slowly(path: str):
        go_on.wait(60)
        return document(path)

    hanging.document = slowly
    yield hanging, go_on
    go_on.set()
    hanging.server.shutdown()


def test_an_iam_that_hangs_stops_nobody_else(start, hanging):
    iam, go_on = hanging
    server = start(IMAGINE_IAM_URL=iam.url)
    server.iam = iam
    alice = server.account("alice")
    good = iam.token(alice.uid)
    time.sleep(RELOAD_PAUSE + 0.1)
    go_on.clear()
    iam.rotate()
    unknown = iam.token("eve")
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(ask, server, unknown) for _ in range(12)]
        time.sleep(0.5)
        begun = time.monotonic()
        assert ask(server, good).status_code == 200
        assert alice.send("PROPFIND").status_code == 207
        assert time.monotonic() - begun < 5
        while sum(answer.done() for answer in asked) < 11:
            assert time.monotonic() - begun < PATIENCE + 10
            time.sleep(0.1)
        go_on.set()
    assert [answer.result().status_code for answer in asked].count(503) >= 11


def test_an_iam_that_fails_is_left_alone_for_a_while_and_asked_again(start, hanging):
    iam, _ = hanging
    document, asked = iam.document, []
    iam.document = lambda path: asked.append(path) or {}
    server = start(IMAGINE_IAM_URL=iam.url)
    token = iam.token("rosa")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ask(server, token), range(60)))
    assert {answer.status_code for answer in answers} == {503}
    assert "The IAM cannot be reached" in answers[0].text
    assert len(asked) <= 3
    iam.document = document
    deadline = time.monotonic() + RELOAD_PAUSE + 10
    while (status := ask(server, token).status_code) == 503:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert status == 200
