"""The secrets that pods of users read, and claims of the volumes that these open: each one user's own."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from kubernetes_asyncio.client import ApiException

from imagine_lib.storage.credentials import Credential

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LABELS = {"app.kubernetes.io/managed-by": "imagine-workspace", "component": "server-secret"}
RENEWED = "imagine-ai.eu/storage-renewed"
"""An annotation of pods. The kubelet brings a changed secret into a pod when it looks at the pod anew, which it does
at once where the pod itself changes, and otherwise about once a minute."""


class Secrets:
    """The secrets of one namespace.

    Parameters
    ----------
    api
        The cluster's core API.
    namespace
        Where.
    """

    def __init__(self, api: Any, namespace: str) -> None:
        self._api, self._namespace = api, namespace

    async def put(self, name: str, values: Mapping[str, str]) -> None:
        """Write a secret, in place of one that is there."""
        manifest = {
            "metadata": {"name": name, "labels": LABELS},
            "type": "Opaque",
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
        }
        try:
            await self._api.create_namespaced_secret(self._namespace, manifest)
        except ApiException as error:
            if error.status != 409:
                raise
            await self._api.replace_namespaced_secret(name, self._namespace, manifest)

    async def put_key(self, name: str, file: str, credential: Credential) -> None:
        """Write a key to a storage, as the library reads it."""
        told = credential.model_dump() | {"password": credential.password.get_secret_value()}
        await self.put(name, {file: json.dumps(told)})

    async def get_key(self, name: str, file: str) -> Credential | None:
        """Return a key to a storage; None where there is none."""
        with _nothing_there():
            secret = await self._api.read_namespaced_secret(name, self._namespace)
            return Credential.model_validate_json(base64.b64decode(secret.data[file]))
        return None

    async def drop(self, name: str) -> None:
        """Delete a secret, if it is there."""
        with _nothing_there():
            await self._api.delete_namespaced_secret(name, self._namespace)

    async def claim(self, manifest: Mapping[str, Any]) -> None:
        """Claim a volume, unless that was done before."""
        try:
            await self._api.create_namespaced_persistent_volume_claim(self._namespace, manifest)
        except ApiException as error:
            if error.status != 409:
                raise

    async def own(self, name: str, pod: str, uid: str) -> None:
        """Make a pod the owner of a secret: the cluster deletes it after the pod."""
        owner = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}
        await self._api.patch_namespaced_secret(name, self._namespace, {"metadata": {"ownerReferences": [owner]}})

    async def touch_pod(self, pod: str) -> None:
        """Have the node look at a pod, and at its secrets, now."""
        with _nothing_there():
            annotations = {RENEWED: str(int(time.time()))}
            await self._api.patch_namespaced_pod(pod, self._namespace, {"metadata": {"annotations": annotations}})


@contextlib.contextmanager
def _nothing_there() -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        if error.status != 404:
            raise
