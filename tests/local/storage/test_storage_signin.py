"""Who gets in, with what, and what the others are told."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import time

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.local.storage.account import TLS

REMEMBERED_SECONDS = 15
"""For how long a Nextcloud takes a password that was replaced."""
OCS = {"OCS-APIRequest": "true", "Accept": "application/json"}


def ask(server, authorization: str | None, path: str = "", method: str = "GET") -> httpx.Response:
    headers = OCS | ({"Authorization": authorization} if authorization else {})
    with httpx.Client(trust_env=False, verify=TLS) as client:
        return client.request(method, f"{server.url}/{path or 'ocs/v2.php/cloud/user'}", headers=headers)


def basic(login: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


def test_the_first_token_makes_the_user_and_each_refreshes_them(server):
    token = server.iam.token("rosa", name="Rosa Luna", groups=["imagine-users", "b"], email="rosa@example.org")
    user = ask(server, f"Bearer {token}").json()["ocs"]["data"]
    assert (user["id"], user["displayname"], user["email"]) == ("rosa", "Rosa Luna", "rosa@example.org")
    assert user["groups"] == ["b", "imagine-users"]
    assert user["quota"] == {"free": -3, "used": 0, "total": -3, "relative": 0, "quota": -3}
    later = server.iam.token("rosa", name="R. Luna", groups=["imagine-admins"])
    user = ask(server, f"Bearer {later}").json()["ocs"]["data"]
    assert (user["displayname"], user["groups"]) == ("R. Luna", ["imagine-admins"])


def bad_tokens(iam):
    now = int(time.time())
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    header = base64.urlsafe_b64encode(b'{"alg":"none","kid":"key0"}').decode().rstrip("=")
    return {
        "another audience": iam.token("eve", aud="hub"),
        "another issuer": iam.token("eve", iss="http://127.0.0.1:1"),
        "expired": iam.token("eve", exp=now - 90),
        "not yet valid": iam.token("eve", nbf=now + 90),
        "another's signature": iam.token("eve", key=stranger),
        "no signature": header + "." + iam.token("eve").split(".")[1] + ".",
        "no expiry": iam.token("eve", exp=None),
        "no audience": iam.token("eve", aud=None),
        "a climbing name": iam.token("../eve"),
        "an upper-case name": iam.token("Eve"),
        "a hidden name": iam.token(".eve"),
        "a long name": iam.token("e" * 65),
        "a number for a name": iam.token("eve", preferred_username=7),
        "rubbish": "rubbish",
        "an app password of nobody": "A" * 72,
    }


def test_bad_tokens_are_refused_and_make_nobody(server):
    for why, token in bad_tokens(server.iam).items():
        answer = ask(server, f"Bearer {token}")
        assert answer.status_code == 401, why
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="Authorisation Required"'
        assert answer.json()["ocs"]["meta"]["statuscode"] == 997
        dav = ask(server, f"Bearer {token}", "remote.php/dav/files/eve/", "PROPFIND")
        assert dav.status_code == 401
        assert "Bearer token was incorrect" in dav.text
    assert not (server.state / "data" / "eve").exists()


def test_a_token_just_expired_is_still_taken(server):
    assert ask(server, f"Bearer {server.iam.token('late', exp=int(time.time()) - 30)}").status_code == 200


def test_a_new_key_of_the_iam_is_found(start):
    server = start()
    assert ask(server, f"Bearer {server.iam.token('kim')}").status_code == 200
    time.sleep(5.1)
    server.iam.rotate()
    assert ask(server, f"Bearer {server.iam.token('kim')}").status_code == 200


def test_an_iam_that_is_down_is_not_a_bad_credential(start):
    server = start(IMAGINE_IAM_URL="http://127.0.0.1:1", IMAGINE_STORAGE_BRUTE_FORCE="on")
    for _ in range(12):
        assert ask(server, f"Bearer {server.iam.token('rosa')}").status_code == 503
    answer = ask(server, f"Bearer {server.iam.token('rosa')}", "remote.php/dav/files/rosa/", "PROPFIND")
    assert "The IAM cannot be reached" in answer.text


def test_credentials_that_are_accepted(server, alice):
    assert re.fullmatch("[A-Za-z0-9]{72}", alice.password)
    good = [basic(alice.uid, alice.password), basic(alice.uid.upper(), alice.password), f"Bearer {alice.password}"]
    for credential in good:
        assert_accepted(server, credential, alice.uid)


def test_a_token_of_the_iam_is_accepted(server, alice):
    assert_accepted(server, f"Bearer {server.iam.token(alice.uid)}", alice.uid)


def assert_accepted(server, credential: str, uid: str) -> None:
    assert ask(server, credential).json()["ocs"]["data"]["id"] == uid
    answer = ask(server, credential, f"remote.php/dav/files/{uid}/", "PROPFIND")
    assert (answer.status_code, answer.headers["X-User-Id"]) == (207, uid)


def test_credentials_that_are_refused(unguarded, server, alice, bob):
    wrong, unread = "Username or password was incorrect", "No 'Authorization: Basic' header found"
    bad = {
        basic(alice.uid, "wrong"): wrong,
        basic(alice.uid, ""): wrong,
        basic(alice.uid, bob.password): wrong,
        basic("", alice.password): wrong,
        "Basic !!!": unread,
        "Basic " + base64.b64encode(b"\xff\xfe").decode(): unread,
        f"Digest {alice.password}": unread,
    }
    for credential, why in bad.items():
        answer = ask(server, credential, f"remote.php/dav/files/{alice.uid}/", "PROPFIND")
        assert answer.status_code == 401, credential
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="Nextcloud", charset="UTF-8"'
        assert "<s:exception>Sabre\\DAV\\Exception\\NotAuthenticated</s:exception>" in answer.text
        assert why in answer.text, credential


def test_no_credentials(server):
    answer = ask(server, None)
    assert (answer.status_code, answer.json()["ocs"]["meta"]["message"]) == (401, "Current user is not logged in")
    assert "WWW-Authenticate" not in answer.headers
    assert ask(server, None, "remote.php/dav/files/alice/", "PROPFIND").status_code == 401


def test_an_app_password_cannot_make_another_but_rotates_and_ends_itself(unguarded, alice):
    status, data = alice.ocs("GET", "core/getapppassword")
    assert (status, data) == (403, [])
    status, data = alice.ocs("POST", "core/apppassword/rotate")
    assert status == 200
    alice.client.cookies.clear()  # a Nextcloud's session outlives the password that it began with
    until = time.monotonic() + (0 if alice.server.is_own else REMEMBERED_SECONDS)
    while alice.client.request("OPTIONS", alice.url()).status_code != 401 and time.monotonic() < until:
        alice.client.cookies.clear()
        time.sleep(1)
    assert alice.send("PROPFIND").status_code == 401
    alice.client.auth = (alice.uid, data["apppassword"])
    assert alice.send("PROPFIND").status_code == 207
    assert alice.ocs("DELETE", "core/apppassword") == (200, [])
    alice.client.cookies.clear()
    assert alice.send("PROPFIND").status_code == 401


def test_a_token_of_the_iam_is_no_app_password_to_end(server, alice):
    bearer = f"Bearer {server.iam.token(alice.uid)}"
    assert ask(server, bearer, "ocs/v2.php/core/apppassword", "DELETE").status_code == 403


def test_no_password_is_kept_readable_or_logged(server, alice):
    token = server.iam.token(alice.uid)
    ask(server, f"Bearer {token}")
    kept = b"".join(path.read_bytes() for path in server.state.glob("storage.sqlite*")) + server.log.read_bytes()
    assert alice.password.encode() not in kept
    assert token.encode() not in kept


def test_what_is_kept_is_closed_to_other_users_of_the_machine(server, alice):
    alice.put("/f")
    for path in [server.state, server.state / "storage.sqlite", alice.home, alice.home / "f"]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_ocs_frame(server, alice, bob):
    url = f"{server.url}/ocs/v2.php/cloud/user"
    without = alice.client.get(url)
    assert (without.status_code, without.json()) == (412, {"message": "CSRF check failed"})
    xml = alice.client.get(url, headers={"OCS-APIRequest": "true"})
    assert xml.headers["Content-Type"].startswith("application/xml")
    assert f"<id>{alice.uid}</id>" in xml.text
    query = alice.client.get(url + "?format=json", headers={"OCS-APIRequest": "true"})
    assert query.json()["ocs"]["meta"] == {"status": "ok", "statuscode": 200, "message": "OK"}
    first = alice.client.get(url.replace("v2", "v1"), headers=OCS)
    assert (first.status_code, first.json()["ocs"]["meta"]["statuscode"]) == (200, 100)
    unknown = alice.client.get(f"{server.url}/ocs/v2.php/nope", headers=OCS)
    assert (unknown.status_code, unknown.json()["ocs"]["meta"]["statuscode"]) == (404, 998)
    for uid, code in ((bob.uid, 998), ("nobody-at-all", 404)):
        other = alice.client.get(f"{server.url}/ocs/v2.php/cloud/users/{uid}", headers=OCS)
        assert (other.status_code, other.json()["ocs"]["meta"]["statuscode"]) == (404, code)


def test_status_and_capabilities(server, alice):
    status = httpx.get(f"{server.url}/status.php", trust_env=False, verify=TLS).json()
    assert status["installed"] is True
    assert status["versionstring"].startswith("33.0.") or not server.is_own
    anonymous = ask(server, None, "ocs/v2.php/cloud/capabilities").json()["ocs"]["data"]["capabilities"]
    assert set(anonymous) == {"theming", "bruteforce"} or not server.is_own  # its apps may tell more
    assert set(anonymous["bruteforce"]) == {"delay", "allow-listed"}
    assert anonymous["bruteforce"] == {"delay": 0, "allow-listed": True} or not server.is_own
    known = alice.ocs("GET", "cloud/capabilities")[1]["capabilities"]
    assert known["files"]["forbidden_filename_extensions"] == [".filepart", ".part"]
    assert known["files"]["bigfilechunking"] is True
    assert known["files"]["chunked_upload"] == {"max_size": 104857600, "max_parallel_count": 5}
    assert known["files"]["forbidden_filename_characters"] == ["\\", "/"]
    offered = {"chunking": "1.0", "bulkupload": "1.0"}
    assert known["dav"] == (offered if server.is_own else known["dav"] | offered)
    assert known["files_sharing"]["api_enabled"] is True


@pytest.mark.parametrize("guard", ["on", "10.0.0.0/8"])
def test_eleven_wrong_credentials_lock_the_address_out(start, guard):
    server = start(IMAGINE_STORAGE_BRUTE_FORCE=guard)
    alice = server.account("alice")
    for _ in range(11):
        assert ask(server, basic("alice", "wrong"), "remote.php/webdav/", "PROPFIND").status_code == 401
    locked = alice.send("PROPFIND")
    assert locked.status_code == 429
    assert "Exception\\TooManyRequests" in locked.text
    assert "Retry-After" not in locked.headers
    assert ask(server, f"Bearer {server.iam.token(alice.uid)}").status_code == 429
    state = ask(server, None, "ocs/v2.php/cloud/capabilities").json()["ocs"]["data"]["capabilities"]["bruteforce"]
    assert state == {"delay": 25000, "allow-listed": False}


@pytest.mark.parametrize("guard", ["off", "127.0.0.0/8,::1"])
def test_a_trusted_address_is_never_locked_out(start, guard):
    server = start(IMAGINE_STORAGE_BRUTE_FORCE=guard)
    alice = server.account("alice")
    for _ in range(14):
        assert ask(server, basic("alice", "wrong"), "remote.php/webdav/", "PROPFIND").status_code == 401
    assert alice.send("PROPFIND").status_code == 207


def test_the_skeleton_is_copied_once(start, tmp_path):
    skeleton = tmp_path / "skeleton"
    (skeleton / "images").mkdir(parents=True)
    (skeleton / "images" / "a.txt").write_text("example")
    (skeleton / "link").symlink_to("/etc/passwd")
    server = start(IMAGINE_STORAGE_SKELETON=str(skeleton))
    alice = server.account("alice")
    assert list(alice.listing(depth="infinity")) == ["/", "/images/", "/images/a.txt"]
    alice.send("DELETE", "/images")
    assert len(list((alice.home.parent / "trash" / "files").iterdir())) == 1
    server.account(uid=alice.uid)
    assert list(alice.listing(depth="infinity")) == ["/"]


SETTINGS = [
    ({"IMAGINE_STORAGE_STATE": ""}, "IMAGINE_STORAGE_STATE is not set"),
    ({"IMAGINE_STORAGE_URL": "nowhere"}, "must look like http://127.0.0.1:8002, not 'nowhere'"),
    ({"IMAGINE_STORAGE_QUOTA": "much"}, "must be a number of bytes, not 'much'"),
    ({"IMAGINE_STORAGE_SKELETON": "/nope"}, "names /nope, which is not a folder"),
    ({"IMAGINE_STORAGE_CLIENT_SECRET_FILE": "/nope"}, "names /nope, which cannot be read"),
    ({"IMAGINE_STORAGE_BRUTE_FORCE": "perhaps"}, "must be on, off or networks"),
]


@pytest.mark.parametrize(("changed", "sentence"), SETTINGS)
def test_unusable_settings_are_one_sentence(server, tmp_path, changed, sentence):
    good = {"IMAGINE_STORAGE_STATE": str(tmp_path / "s"), "IMAGINE_STORAGE_URL": "http://127.0.0.1:9"}
    environment = {"PYTHONPATH": server_path(), **good, **changed}
    done = subprocess.run([sys.executable, "-m", "hub_config.local.storage"], env=environment, capture_output=True)
    assert done.returncode == 2
    assert sentence in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_a_busy_port_is_one_sentence(server, tmp_path):
    environment = {
        "PYTHONPATH": server_path(),
        "IMAGINE_STORAGE_STATE": str(tmp_path / "s"),
        "IMAGINE_STORAGE_URL": server.url,
    }
    done = subprocess.run([sys.executable, "-m", "hub_config.local.storage"], env=environment, capture_output=True)
    assert done.returncode == 1
    assert f"cannot listen at {server.url}" in done.stderr.decode()


def server_path() -> str:
    import hub_config

    return str(next(iter(hub_config.__path__))).removesuffix("/hub_config")
