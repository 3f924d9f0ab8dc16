"""An IAM of a few lines: discovery, keys, and tokens for whoever a test says."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import threading
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

SECRET = "a-client-secret-of-a-test"


class IAM:
    """An issuer with discovery, keys and tokens, where everyone who comes is signed in already, as ``person``."""

    def __init__(self) -> None:
        self.keys: dict[str, rsa.RSAPrivateKey] = {}
        self.person = "rosa"
        self.nonce: str | None = None
        self.asked: dict[str, str] = {}
        self.token_status = 200
        self.rotate()
        iam = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/authorize?"):
                    self.send_response(302)
                    self.send_header("Location", iam.authorize(self.path))
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                else:
                    self.answer(200, iam.document(self.path))

            def do_POST(self) -> None:
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                self.answer(*iam.redeem(form, self.headers["Authorization"]))

            def answer(self, status: int, document: Any) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def rotate(self) -> None:
        self.keys[f"key{len(self.keys)}"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def document(self, path: str) -> dict[str, Any]:
        if path.startswith("/.well-known"):
            return {
                "issuer": self.url,
                "jwks_uri": self.url + "/jwks",
                "authorization_endpoint": self.url + "/authorize",
                "token_endpoint": self.url + "/token",
            }
        keys = [
            json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": kid}
            for kid, key in self.keys.items()
        ]
        return {"keys": keys}

    def authorize(self, path: str) -> str:
        """Sign the person in, and return where the browser goes back to."""
        self.asked = dict(parse_qsl(urlsplit(path).query))
        return f"{self.asked['redirect_uri']}?code=good&state={self.asked['state']}"

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, str]]:
        """Give an ID token for the code, if everything about it is right."""
        digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        login = httpx.BasicAuth("imagine-storage", SECRET)._auth_header
        fits = digest.rstrip("=") == self.asked["code_challenge"] and authorization == login
        if not fits or form["code"] != "good" or form["redirect_uri"] != self.asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        nonce = self.nonce or self.asked["nonce"]
        return self.token_status, {"id_token": self.token(self.person, aud="imagine-storage", nonce=nonce)}

    def token(self, uid: str, key: rsa.RSAPrivateKey | None = None, **claims: Any) -> str:
        kid = list(self.keys)[-1]
        now = int(time.time())
        standard = {
            "iss": self.url,
            "aud": ["imagine-storage", "hub"],
            "exp": now + 300,
            "iat": now,
            "sub": f"s-{uid}",
        }
        person = {"preferred_username": uid, "name": uid.title(), "groups": ["imagine-users"]}
        return jwt.encode(standard | person | claims, key or self.keys[kid], algorithm="RS256", headers={"kid": kid})
