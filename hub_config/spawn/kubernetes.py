"""Servers as pods of a Kubernetes cluster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kubespawner import KubeSpawner
from traitlets import Instance

from hub_config.link.rclone import REMOTE, configuration
from hub_config.platform_client import PlatformClient
from hub_config.spawn.mixin import WorkspaceMixin
from hub_config.spawn.pods import CONTAINER, KEY_FILE, KEY_SECRET, KEYS, NEXTCLOUD, nextcloud_claim, pod_traits
from hub_config.spawn.refusal import SpawnRefusal
from hub_config.spawn.secrets import Secrets
from hub_config.spawn.words import plain, why_not

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from hub_config.cluster import ModuleImage
    from imagine_lib.storage.credentials import Credential
    from imagine_lib.wire import Capacity

SECRET_VARIABLES = ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN")
"""What the hub gives each server to be its user's; JupyterHub writes the same token under both names."""

TOKEN_SECRET = "token-{user_server}"  # noqa: S105  # a secret's name
SECONDS_BETWEEN_LOOKS = 0.5


class PodSpawner(WorkspaceMixin, KubeSpawner):  # type: ignore[misc]  # JupyterHub is untyped
    """Makes a pod of the choice, and tells its user what the cluster does with it."""

    platform_client = Instance(PlatformClient, config=True, help="What knows how much is free.")
    hardware_note = "Your server gets what you choose: that much is kept for it, and it cannot take more."

    async def apply_user_options(self, spawner: object, user_options: dict[str, Any]) -> None:
        """Check the choice, and make the pod's every trait follow from it: none is left from an earlier start."""
        await super().apply_user_options(spawner, user_options)
        assert self.request is not None
        image = self.settings.kubernetes.images[self.request.module].image
        self.request = self.request.model_copy(update={"image": image})
        for name, value in pod_traits(self.request, self.settings.spawn, self.settings.kubernetes).items():
            setattr(self, name, value)

    async def load_user_options(self) -> None:
        """Leave the choice to ``apply_user_options``: KubeSpawner's own profiles are not used."""

    async def start(self) -> str:
        """Make the pod; its secrets are there before it, so that it waits for none."""
        self._steps.clear()
        self.say("Linking your storage")
        self.modify_pod_hook, self.after_pod_created_hook = PodSpawner.without_tokens, PodSpawner.hand_over_secret
        await self.secrets.put(self.token_secret, dict.fromkeys(SECRET_VARIABLES, str(self.api_token)))
        credential = await self.key_to_storage()
        await self._put_key(credential)
        if credential is None:
            self.volumes.pop("nextcloud", None)
            self.volume_mounts.pop("nextcloud", None)
        self.say("Looking for a place for your server")
        url: str = await super().start()
        self.note("server started")
        return url

    async def run_post_stop_hook(self) -> None:
        """Take the key to the storage back, however the server ended."""
        await super().run_post_stop_hook()
        kept = await self.secrets.get_key(self.key_secret, KEY_FILE)
        await self._put_key(None)
        if kept is not None:
            await self.linker.give_back(self.user.name, kept)

    async def renew_storage(self, credential: Credential) -> None:
        """Give a server that runs the new key; the library and the drive go on with it within a minute."""
        before = await self.secrets.get_key(self.key_secret, KEY_FILE)
        await self._put_key(credential)
        await self.secrets.touch_pod(self.pod_name)
        if before is not None:
            await self.linker.give_back(self.user.name, before)

    def get_env(self) -> dict[str, Any]:
        """Return the environment, without whatever is secret."""
        environment: dict[str, Any] = super().get_env()
        environment["IMAGINE_STORAGE_CREDENTIALS"] = f"{KEYS}/{KEY_FILE}"
        environment["IMAGINE_CATALOGUE"] = self.settings.kubernetes.catalogue
        return environment

    def is_pod_running(self, pod: Mapping[str, Any] | None) -> bool:
        """Tell whether the server answers; one that cannot any more is told at once and not waited for.

        Raises
        ------
        SpawnRefusal
            With the pod's last words.
        """
        if pod is not None and (failure := why_not(pod, CONTAINER)):
            raise SpawnRefusal(failure.sentence, 500, failure.reason)
        running: bool = super().is_pod_running(pod)
        return running

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what happens: what the hub does for the pod, then what the cluster does with it."""
        told, seen = 0, set[str]()
        while True:
            for event in self.events:
                sentence = plain(event)
                if event["metadata"]["uid"] not in seen and sentence and sentence not in self._steps:
                    self.say(sentence)
                seen.add(event["metadata"]["uid"])
            while told < len(self._steps):
                told += 1
                yield {"progress": int(90 * (1 - 0.8**told)), "message": self._steps[told - 1]}
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)

    def without_tokens(self, pod: Any) -> Any:
        """Replace tokens in the pod's specification by references: whoever may read pods may not read secrets."""
        for variable in pod.spec.containers[0].env:
            if variable.name in SECRET_VARIABLES:
                variable.value = None
                variable.value_from = {"secretKeyRef": {"name": self.token_secret, "key": variable.name}}
        return pod

    async def hand_over_secret(self, pod: Mapping[str, Any]) -> None:
        """Let the secret go when the pod goes."""
        await self.secrets.own(self.token_secret, self.pod_name, pod["metadata"]["uid"])

    @property
    def secrets(self) -> Secrets:
        """The secrets in the servers' namespace."""
        return Secrets(self.api, self.namespace)

    @property
    def token_secret(self) -> str:
        """Name of the secret with the server's token of the hub."""
        return str(self._expand_user_properties(TOKEN_SECRET))

    @property
    def key_secret(self) -> str:
        """Name of the secret with the key to the storage."""
        return str(self._expand_user_properties(KEY_SECRET))

    @property
    def _images(self) -> dict[str, ModuleImage]:
        return self.settings.kubernetes.images

    async def _capacity(self) -> Capacity:
        return await self.platform_client.capacity()

    async def _put_key(self, credential: Credential | None) -> None:
        """Write the key where the server and the driver of its volume read it, or take it away."""
        if credential is None:
            await self.secrets.drop(self.key_secret)
        else:
            await self.secrets.put_key(self.key_secret, KEY_FILE, credential)
        if self.settings.kubernetes.nextcloud.by == "csi":
            await self._put_volume(credential)

    async def _put_volume(self, credential: Credential | None) -> None:
        """Tell the driver how to mount; the claim stays, and opens nothing without the secret."""
        name = str(self._expand_user_properties(NEXTCLOUD))
        if credential is None:
            await self.secrets.drop(name)
            return
        told = await asyncio.to_thread(configuration, credential)
        await self.secrets.put(name, {"remote": REMOTE, "remotePath": "", "configData": told})
        await self.secrets.claim(nextcloud_claim(name, self.settings.kubernetes))
