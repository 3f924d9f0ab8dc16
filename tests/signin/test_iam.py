"""What the hub believes of an IAM, and what it does not."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from hub_config.signin.iam import IAM, Client, ForgedError, IAMAwayError, IAMRefusalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NONCE = "of-this-sign-in"
OURS, THEIRS = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


class Issuer:
    """An IAM that answers what it is told to."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                issuer.asked.append(self.path)
                status, body = issuer.answers.get(self.path, (404, b"{}"))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        document = {
            "issuer": self.url,
            **{f"{name}_endpoint": f"{self.url}/{name}" for name in ("authorization", "token", "userinfo")},
            "jwks_uri": f"{self.url}/keys",
        }
        self.tell("/.well-known/openid-configuration", document)
        self.publish(OURS, "first")

    def tell(self, path: str, answer: Any, status: int = 200) -> None:
        self.answers[path] = status, answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    def publish(self, key: rsa.RSAPrivateKey, name: str) -> None:
        public = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
        self.tell("/keys", {"keys": [public | {"kid": name, "use": "sig", "alg": "RS256"}]})

    def sign(self, key: rsa.RSAPrivateKey = OURS, kid: str = "first", **changes: Any) -> str:
        now = time.time()
        claims = {"iss": self.url, "sub": "s1", "aud": "hub", "iat": now, "exp": now + 600, "nonce": NONCE} | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.server.shutdown()
    issuer.server.server_close()


def iam_at(issuer: Issuer, folder: Path) -> IAM:
    return IAM(issuer.url, Client("hub", "s3cret"), folder / "discovery.json", timeout=5)


def check(issuer: Issuer, folder: Path, token: str) -> dict[str, Any]:
    return asyncio.run(iam_at(issuer, folder).check(token, NONCE))


def test_a_good_id_token_is_believed_also_with_clocks_that_differ(issuer: Issuer, tmp_path: Path) -> None:
    for late in (0, 50, -50):
        token = issuer.sign(iat=time.time() + late, exp=time.time() - 20 if late < 0 else time.time() + 600)
        assert check(issuer, tmp_path, token)["sub"] == "s1"


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "another"},
        {"iss": "https://elsewhere.example.org"},
        {"nonce": "of-another-sign-in"},
        {"nonce": None},
        {"exp": time.time() - 120},
        {"iat": time.time() + 3600},
        {"azp": "another"},
        {"sub": None},
        {"exp": None},
        {"kid": "second"},
        {"key": THEIRS},
    ],
    ids=["aud", "iss", "nonce", "no nonce", "exp", "iat", "azp", "no sub", "no exp", "kid", "key"],
)
def test_a_forged_id_token_is_not(issuer: Issuer, tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ForgedError):
        check(issuer, tmp_path, issuer.sign(**change))


def test_an_unsigned_token_and_one_signed_with_a_shared_secret_are_forged(issuer: Issuer, tmp_path: Path) -> None:
    claims = {
        "iss": issuer.url,
        "sub": "s1",
        "aud": "hub",
        "iat": time.time(),
        "exp": time.time() + 60,
        "nonce": NONCE,
    }
    tokens = [
        jwt.encode(claims, None, algorithm="none", headers={"kid": "first"}),
        jwt.encode(claims, "s3cret" * 8, algorithm="HS256", headers={"kid": "first"}),
        "no.token.at-all",
        "",
    ]
    for token in tokens:
        with pytest.raises(ForgedError):
            check(issuer, tmp_path, token)


def test_a_new_key_of_the_iam_is_found_and_a_forged_one_does_not_make_the_hub_ask_and_ask(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def signed_in_ten_times() -> None:
        iam = iam_at(issuer, tmp_path)
        assert (await iam.check(issuer.sign(), NONCE))["sub"] == "s1"
        for _ in range(10):
            with pytest.raises(ForgedError):
                await iam.check(issuer.sign(THEIRS, kid="unknown"), NONCE)
        assert issuer.asked.count("/keys") == 1
        issuer.publish(THEIRS, "second")
        monkeypatch.setattr("hub_config.signin.iam.KEYS_ASKED_AGAIN_AFTER", 0)
        assert (await iam.check(issuer.sign(THEIRS, kid="second"), NONCE))["sub"] == "s1"

    asyncio.run(signed_in_ten_times())


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, b"", IAMAwayError),
        (503, b"<html>", IAMAwayError),
        (429, b"{}", IAMAwayError),
        (302, b"", IAMAwayError),
        (200, b"<html>login</html>", IAMAwayError),
        (200, b"[]", IAMAwayError),
        (200, b"{}", IAMAwayError),
        (400, b'{"error": "invalid_grant"}', IAMRefusalError),
        (401, b"no json", IAMRefusalError),
        (403, b"[1]", IAMRefusalError),
    ],
)
def test_no_answer_is_told_from_a_no(
    issuer: Issuer, tmp_path: Path, status: int, body: bytes, error: type[Exception]
) -> None:
    issuer.tell("/token", body, status)
    with pytest.raises(error):
        asyncio.run(iam_at(issuer, tmp_path).ask_for_tokens({"grant_type": "refresh_token", "refresh_token": "r"}))


def test_the_last_discovery_document_serves_while_the_iam_is_away(issuer: Issuer, tmp_path: Path) -> None:
    first = asyncio.run(iam_at(issuer, tmp_path).document())
    issuer.tell("/.well-known/openid-configuration", b"", 503)
    assert asyncio.run(iam_at(issuer, tmp_path).document()) == first
    (tmp_path / "discovery.json").write_text("{damaged")
    with pytest.raises(IAMAwayError, match="does not answer, and never has"):
        asyncio.run(iam_at(issuer, tmp_path).document())


def test_an_address_that_answers_for_another_issuer_is_refused(issuer: Issuer, tmp_path: Path) -> None:
    issuer.tell("/.well-known/openid-configuration", {"issuer": "https://elsewhere.example.org"})
    with pytest.raises(ForgedError, match=r"calls itself https://elsewhere.example.org: set iam\.issuer"):
        asyncio.run(iam_at(issuer, tmp_path).document())


def test_a_token_for_another_service_is_exchanged(issuer: Issuer, tmp_path: Path) -> None:
    exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
    document = json.loads(issuer.answers["/.well-known/openid-configuration"][1])
    issuer.tell("/.well-known/openid-configuration", document | {"grant_types_supported": [exchange]})
    issuer.tell("/token", {"access_token": "for-storage", "expires_in": 300})
    found = asyncio.run(iam_at(issuer, tmp_path).exchange("mine", "storage"))
    assert found["access_token"] == "for-storage"
    assert found["expires_at"] == pytest.approx(time.time() + 300, abs=5)


def test_the_clients_secret_is_in_no_text(issuer: Issuer, tmp_path: Path) -> None:
    iam = iam_at(issuer, tmp_path)
    issuer.tell("/token", {"error": "invalid_client"}, 401)
    with pytest.raises(IAMRefusalError) as refused:
        asyncio.run(iam.ask_for_tokens({"grant_type": "authorization_code"}))
    assert "s3cret" not in f"{refused.value!r} {iam!r} {Client('hub', 's3cret')!r}"
