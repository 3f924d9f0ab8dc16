"""An IAM for load: everyone who comes is signed in as whom they say, and only the protocol costs time.

python -m tests.benchmarks.hub.issuer PORT
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from urllib.parse import urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT = "imagine-workspace"
SECONDS = 3600


class Issuer:
    """Codes and tokens, in memory."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._nonces: dict[str, tuple[str, str]] = {}
        self._users: dict[str, str] = {}

    async def discover(self, _: web.Request) -> web.Response:
        """Say where everything is."""
        paths = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "revocation": "revoke"}
        return web.json_response(
            {f"{name}_endpoint": f"{self._url}/{path}" for name, path in paths.items()}
            | {"issuer": self._url, "jwks_uri": f"{self._url}/jwks", "code_challenge_methods_supported": ["S256"]}
        )

    async def keys(self, _: web.Request) -> web.Response:
        """Give the key that tokens are signed with."""
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return web.json_response({"keys": [key | {"kid": "only"}]})

    async def authorize(self, request: web.Request) -> web.Response:
        """Send the browser back with a code; the cookie ``person`` says who it is."""
        code = secrets.token_hex(8)
        self._nonces[code] = request.cookies["person"], request.query.get("nonce", "")
        query = urlencode({"code": code, "state": request.query["state"]})
        raise web.HTTPFound(f"{request.query['redirect_uri']}?{query}")

    async def token(self, request: web.Request) -> web.Response:
        """Give tokens for a code, or for a refresh token."""
        form = await request.post()
        if form["grant_type"] == "refresh_token":
            person, nonce = self._users[str(form["refresh_token"])], ""
        else:
            person, nonce = self._nonces.pop(str(form["code"]))
        access, refresh = secrets.token_hex(8), secrets.token_hex(8)
        self._users[access] = self._users[refresh] = person
        now = int(time.time())
        claims = {"iss": self._url, "aud": CLIENT, "iat": now, "exp": now + SECONDS} | _person(person)
        signed = jwt.encode(
            claims | ({"nonce": nonce} if nonce else {}), self._key, algorithm="RS256", headers={"kid": "only"}
        )
        return web.json_response(
            {
                "access_token": access,
                "refresh_token": refresh,
                "id_token": signed,
                "expires_in": SECONDS,
                "token_type": "Bearer",
            }
        )

    async def userinfo(self, request: web.Request) -> web.Response:
        """Say whose an access token is."""
        token = request.headers["Authorization"].partition(" ")[2]
        return web.json_response(_person(self._users[token]))


def _person(name: str) -> dict[str, object]:
    return {"sub": f"s-{name}", "preferred_username": name, "name": name.title(), "groups": ["imagine-users"]}


def main(port: int) -> None:
    """Serve on loopback."""
    issuer, app = Issuer(port), web.Application()
    app.add_routes(
        [
            web.get("/.well-known/openid-configuration", issuer.discover),
            web.get("/jwks", issuer.keys),
            web.get("/authorize", issuer.authorize),
            web.post("/token", issuer.token),
            web.get("/userinfo", issuer.userinfo),
        ]
    )
    web.run_app(app, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
