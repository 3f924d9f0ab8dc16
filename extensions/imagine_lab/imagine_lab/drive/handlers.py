"""The HTTP side of the drive: Jupyter's own contents handler over the user's storage, and downloads beside it."""

# mypy: disallow-untyped-calls=False
# Some of Jupyter's helpers have no types.

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from jupyter_client.jsonutil import json_default
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler, path_regex
from jupyter_server.services.contents.handlers import AUTH_RESOURCE, ContentsHandler, validate_model
from jupyter_server.utils import ensure_async, url_escape, url_path_join
from tornado import web
from tornado.iostream import StreamClosedError

from .refused import Refused

if TYPE_CHECKING:
    from .contents import NextcloudContents

CONTENTS, FILES = "contents", "files"

_AT = "nextcloud"

_DRIVE = "imagine_drive"


class _Handler(JupyterHandler):
    """What both handlers have in common."""

    auth_resource = AUTH_RESOURCE

    @property
    def contents_manager(self) -> NextcloudContents:
        """The drive."""
        drive: NextcloudContents | None = self.settings.get(_DRIVE)
        if drive is None:
            try:
                from .contents import NextcloudContents
            except ImportError:
                raise Refused(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "The Nextcloud drive is not installed in this environment: ask its operator for imagine_lib.",
                ) from None
            drive = self.settings[_DRIVE] = NextcloudContents(parent=self.serverapp)
        return drive

    def write_error(self, status_code: int, **options: Any) -> None:
        """Answer with the sentence, where there is one."""
        error = (options.get("exc_info") or (None, None))[1]
        if isinstance(error, Refused):
            self.set_header("Content-Type", "application/json")
            self.finish(json.dumps({"message": error.sentence, "reason": None}))
        else:
            super().write_error(status_code, **options)


class DriveHandler(_Handler, ContentsHandler):
    """``/imagine/nextcloud/contents/PATH``: as Jupyter's own, with pages, and a guard on every write."""

    def location_url(self, path: str) -> str:
        """Return the address of a file."""
        return str(url_path_join(self.base_url, "imagine", _AT, CONTENTS, url_escape(path)))

    @web.authenticated
    @authorized
    async def get(self, path: str = "") -> None:
        """Describe a file or a folder.

        With ``?following=`` the next page of a folder, and with ``?unless=`` no content if its hash is still this.
        """
        after, known = (self.get_query_argument(name, None) for name in ("following", "unless"))
        if after is not None:
            page = await self.contents_manager.following(path, after)
            self.finish(json.dumps(page, default=json_default))
            return
        if known is not None:
            model = await self.contents_manager.get(path, content=False)
            if model["hash"] == known:
                self._finish_model(model, location=False)
                return
        await ensure_async(super().get(path))

    @web.authenticated
    @authorized
    async def put(self, path: str = "") -> None:
        """Store a file, or one chunk of it."""
        model = self.get_json_body()
        if not isinstance(model, dict):
            raise web.HTTPError(HTTPStatus.BAD_REQUEST, "A model is needed")
        saved = await self.contents_manager.save(model, path)
        if saved is None:
            self.set_status(HTTPStatus.ACCEPTED)
            self.finish({"message": "The upload is on its way into the storage."})
            return
        validate_model(saved)
        self._finish_model(saved)

    async def _finish_error(self, code: int, message: str) -> None:
        """Leave it to ``write_error``: what Jupyter would send here is no JSON."""


class FilesHandler(_Handler):
    """``/imagine/nextcloud/files/PATH``: downloads."""

    @property
    def content_security_policy(self) -> str:
        """A page or a drawing from the storage must not act in the name of this server."""
        return f"{super().content_security_policy}; sandbox"

    @web.authenticated
    @authorized
    async def head(self, path: str) -> None:
        """Tell what a download would be."""
        from .passing import describe

        self.check_xsrf_cookie()
        await describe(self, self.contents_manager.cloud(), path)

    @web.authenticated
    @authorized
    async def get(self, path: str) -> None:
        """Pass a file on, or a part of it."""
        from .passing import pass_on

        self.check_xsrf_cookie()
        try:
            await pass_on(self, self.contents_manager.linked, path)
        except StreamClosedError:
            self.log.debug("A download was given up by the browser")


def addresses() -> list[tuple[str, type[JupyterHandler]]]:
    """Return the drive's addresses below the panel's, and who answers there."""
    return [(f"{_AT}/{CONTENTS}{path_regex}", DriveHandler), (f"{_AT}/{FILES}{path_regex}", FilesHandler)]
