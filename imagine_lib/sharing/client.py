"""The platform's API, as a notebook or the command line uses it."""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import ValidationError

from imagine_lib.errors import ModelError, PlatformError
from imagine_lib.wire import ModelVersion, Page, Problem, Published, PublishRequest, SharedModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagine_lib.models.package import ModelPackage

TIMEOUT = httpx.Timeout(60, connect=10)
CALLER_OF_SHARE = 4
"""How far up ``Model.share`` is called: publish here, ``sharing.publish``, ``Model.share``, the user's line."""


class SharingWarning(UserWarning):
    """A model was shared, and something about it wants a second look."""


warnings.simplefilter("always", SharingWarning, append=True)  # a cell that is run again shares again, and warns again


class PlatformClient:
    """Talks to the platform as the signed-in user.

    Parameters
    ----------
    url, token
        By default what the hub put into the environment of the user's server.
    """

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self._url = url or os.environ.get("IMAGINE_PLATFORM_URL", "")
        token = token or os.environ.get("JUPYTERHUB_API_TOKEN", "")
        if not (self._url and token):
            raise PlatformError(
                "There is no workspace to share with: sign in to the hub and work in your server there."
            )
        headers = {"Authorization": f"token {token}"}
        self._client = httpx.Client(base_url=self._url, headers=headers, timeout=TIMEOUT, trust_env=False)

    def publish(self, name: str, package: ModelPackage, audience: list[str]) -> ModelVersion:
        """Publish a package as a new version; the same package again gives the same version.

        What the platform finds odd, like a reader whom the workspace does not know, is a :class:`SharingWarning`.

        Raises
        ------
        PlatformError
            The platform refuses or cannot be reached; nothing is visible to others then.
        """
        for entry in package.files:
            with (package.folder / entry.path).open("rb") as file:
                headers = {"Content-Length": str(entry.size)}
                self._request("PUT", f"/blobs/{entry.sha256}", content=file, headers=headers)
        request = PublishRequest(files=package.files, audience=audience)
        answer = self._request("POST", f"/models/{name}/versions", json=request.model_dump(mode="json"))
        published = Published.model_validate(answer.json())
        for sentence in published.warnings:
            warnings.warn(sentence, SharingWarning, stacklevel=CALLER_OF_SHARE)
        return published

    def list(self, text: str = "", offset: int = 0) -> Page[SharedModel]:
        """List the shared models that the user may see."""
        answer = self._request("GET", "/models", params={"q": text, "offset": offset})
        return Page[SharedModel].model_validate(answer.json())

    def version(self, owner: str, name: str, version: str = "latest") -> ModelVersion:
        """Describe one version of a shared model."""
        answer = self._request("GET", f"/models/{owner}/{name}/versions/{version}")
        return ModelVersion.model_validate(answer.json())

    def withdraw(self, owner: str, name: str, version: int, reason: str) -> ModelVersion:
        """Take a version back."""
        path = f"/models/{owner}/{name}/versions/{version}/withdraw"
        return ModelVersion.model_validate(self._request("POST", path, json={"reason": reason}).json())

    def download(self, version: ModelVersion, path: str, target: Path) -> None:
        """Fetch one file of a version, whole or not at all, and check its hash.

        Raises
        ------
        ModelError
            What arrived is not what was published.
        """
        entry = next(file for file in version.files if file.path == path)
        url = f"/models/{version.owner}/{version.name}/versions/{version.version}/files/{path}"
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
        try:
            with os.fdopen(handle, "wb") as file:
                for chunk in self._stream(url):
                    file.write(chunk)
                    digest.update(chunk)
            if digest.hexdigest() != entry.sha256:
                raise ModelError(f"{path} of {version.owner}/{version.name} arrived damaged: try again.")
            Path(name).replace(target)
        finally:
            Path(name).unlink(missing_ok=True)

    def _stream(self, path: str) -> Iterator[bytes]:
        try:
            with self._client.stream("GET", path) as response:
                if not response.is_success:
                    response.read()
                    raise _refusal(response)
                yield from response.iter_bytes()
        except httpx.HTTPError:
            raise self._silence() from None

    def _request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, **kwargs)
        except httpx.HTTPError:
            raise self._silence() from None
        if not response.is_success:
            raise _refusal(response)
        return response

    def _silence(self) -> PlatformError:
        return PlatformError(f"The workspace's platform at {self._url} does not answer: try again in a moment.")


def _refusal(response: httpx.Response) -> PlatformError:
    try:
        return PlatformError(Problem.model_validate_json(response.content).detail)
    except ValidationError:
        return PlatformError(f"The workspace's platform answered {response.status_code}: try again in a moment.")
