"""OCS of the server itself: capabilities, the signed-in user, app passwords; and ``status.php``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .errors import Refused
from .http import Response
from .names import FORBIDDEN_EXTENSIONS, FORBIDDEN_NAMES
from .ocs import Failure
from .ocs_shares import MIN_PASSWORD
from .quota import UNLIMITED

if TYPE_CHECKING:
    from .http import Request
    from .ocs import Table
    from .services import Services
    from .signin import Visitor

VERSION = (33, 0, 2, 2)
_VERSION_TEXT = "33.0.2"


def status_page(_: Request, __: list[str]) -> Response:
    """Answer ``status.php``."""
    state = {
        "installed": True,
        "maintenance": False,
        "needsDbUpgrade": False,
        "version": ".".join(map(str, VERSION)),
        "versionstring": _VERSION_TEXT,
        "edition": "",
        "productname": "Nextcloud",
        "extendedSupport": False,
    }
    body = json.dumps(state).encode()
    return Response(200, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], [body])


class Cloud:
    """The endpoints."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def table(self) -> Table:
        """Return the endpoints by method and path."""
        return {
            ("GET", "cloud/capabilities"): self.capabilities,
            ("GET", "cloud/user"): self.me,
            ("GET", "cloud/users/([^/]+)"): self.user,
            ("GET", "core/getapppassword"): self.new_app_password,
            ("POST", "core/apppassword/rotate"): self.rotate,
            ("DELETE", "core/apppassword"): self.revoke,
        }

    def capabilities(self, request: Request) -> dict[str, Any]:
        """Say what the server can do; strangers learn only its version and whether they are locked out."""
        major, minor, micro, _ = VERSION
        version = {"major": major, "minor": minor, "micro": micro, "string": _VERSION_TEXT, "edition": ""}
        known: dict[str, Any] = {
            "theming": {"name": "iMagine storage"},
            "bruteforce": self._services.guard.state(request.address),
        }
        if self._services.sign_in.visitor(request):
            known |= _CAPABILITIES
        return {"version": version, "capabilities": known}

    def me(self, request: Request) -> dict[str, Any]:
        """Describe the signed-in user."""
        return self._described(self._services.sign_in.required(request))

    def user(self, request: Request, uid: str) -> dict[str, Any]:
        """Describe a user by id: only oneself."""
        visitor = self._services.sign_in.required(request)
        if uid != visitor.user.uid:
            known = self._services.accounts.user(uid) is not None
            raise Failure(404, 998 if known else 404, "User does not exist")
        return self._described(visitor)

    def new_app_password(self, request: Request) -> dict[str, str]:
        """Make an app password for a user who came with a token of the IAM."""
        visitor = self._services.sign_in.required(request)
        if visitor.app_password:
            raise Refused(403, "You cannot request an new apppassword with an apppassword")
        return self._fresh(request, visitor)

    def rotate(self, request: Request) -> dict[str, str]:
        """Replace the app password in use."""
        visitor = self._with_app_password(request)
        fresh = self._fresh(request, visitor)
        self._services.accounts.revoke(visitor.app_password or "")
        return fresh

    def revoke(self, request: Request) -> list[Any]:
        """End the app password in use."""
        visitor = self._with_app_password(request)
        self._services.accounts.revoke(visitor.app_password or "")
        return []

    def _with_app_password(self, request: Request) -> Visitor:
        visitor = self._services.sign_in.required(request)
        if visitor.app_password is None:
            raise Refused(403, "no app password in use")
        return visitor

    def _fresh(self, request: Request, visitor: Visitor) -> dict[str, str]:
        label = request.header("User-Agent") or "unknown"
        return {"apppassword": self._services.accounts.new_app_password(visitor.user.uid, label)}

    def _described(self, visitor: Visitor) -> dict[str, Any]:
        user, quota = visitor.user, self._services.quota
        used = quota.used(user.uid)
        limit = UNLIMITED if quota.limit is None else quota.limit
        return {
            "id": user.uid,
            "displayname": user.name,
            "display-name": user.name,
            "email": user.email,
            "groups": sorted(user.groups),
            "quota": {
                "free": quota.free(used),
                "used": used,
                "total": limit,
                "relative": round(100 * used / limit, 2) if limit > 0 else 0,
                "quota": limit,
            },
            "enabled": True,
            "backend": "user_oidc",
            "language": "en",
        }


_CAPABILITIES: dict[str, Any] = {
    "core": {"webdav-root": "remote.php/webdav"},
    "dav": {"chunking": "1.0", "bulkupload": "1.0"},
    "files": {
        "bigfilechunking": True,
        "chunked_upload": {"max_size": 100 * 2**20, "max_parallel_count": 5},
        "forbidden_filenames": FORBIDDEN_NAMES,
        "forbidden_filename_basenames": [],
        "forbidden_filename_characters": ["\\", "/"],
        "forbidden_filename_extensions": FORBIDDEN_EXTENSIONS,
    },
    "files_sharing": {
        "api_enabled": True,
        "group_sharing": True,
        "default_permissions": 31,
        "public": {
            "enabled": True,
            "password": {"enforced": False},
            "expire_date": {"enabled": False},
            "multiple_links": True,
        },
    },
    "password_policy": {"minLength": MIN_PASSWORD},
}
