"""What every spawner of the workspace has: the form, the check of the choice, the environment of the server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jupyterhub.utils import maybe_future
from traitlets import Any as AnyTrait
from traitlets import HasTraits

from hub_config.audit import audit
from hub_config.link.linker import Linker
from hub_config.signin.operations import read_notice
from hub_config.spawn.form import render_form
from hub_config.spawn.ledger import Ledger
from hub_config.spawn.limits import Held, Wish, find_group
from hub_config.spawn.metrics import servers
from hub_config.spawn.modules import Modules
from hub_config.spawn.offers import ModuleOffer, hardware_offers, module_offers
from hub_config.spawn.options import SpawnRequest, allowed_profiles, check_request
from hub_config.spawn.refusal import SpawnRefusal
from imagine_lib.wire import Capacity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from hub_config.cluster import ModuleImage
    from hub_config.hardware import HardwareProfile
    from hub_config.settings import Settings
    from imagine_lib.storage.credentials import Credential

FIRST_PAGE = "/lab/tree/tutorials/01-retrain-and-share.ipynb?file-browser-path=/"


_catalogues: dict[str, Modules] = {}
"""One for all spawners of a hub."""

Base: Any = HasTraits
"""For the type checker: whatever a spawner has, which is untyped."""


class WorkspaceMixin(Base):  # type: ignore[misc]
    """Starts servers from the catalogue's modules.

    Mixed into a spawner, which says where the server runs.
    """

    settings: Settings = AnyTrait(config=True, help="The workspace's settings.")  # type: ignore[assignment]
    request: SpawnRequest | None = None
    hardware_note = ""
    """What the spawn page says below the choice of hardware."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._steps: list[str] = []
        self._stepped = asyncio.Event()

    async def options_form(self, spawner: object) -> str:  # noqa: ARG002
        """Return the spawn page's form."""
        capacity = await self._capacity()
        return render_form(
            await self._modules(capacity),
            hardware_offers(self._profiles(), capacity),
            note=self.hardware_note,
            closed=read_notice(self.settings.state).draining,
            dead_link=await self.linker.dead_link(self.user.name),
            storage_page=f"{self.hub.base_url}imagine/storage",
        )

    def options_from_form(self, formdata: Mapping[str, list[str]]) -> dict[str, Any]:
        """Turn the form's fields into options; they are checked like those of the API."""
        return {name: values[0] for name, values in formdata.items() if name != "_xsrf" and values}

    def options_from_query(self, query_options: Mapping[str, list[str]]) -> dict[str, Any]:  # noqa: ARG002
        """Take no options from an address: a link on any page could start servers in its reader's name.

        Raises
        ------
        SpawnRefusal
            Always.
        """
        raise SpawnRefusal("A link starts no server: choose below and press Start.", 400)

    async def apply_user_options(self, spawner: object, user_options: dict[str, Any]) -> None:  # noqa: ARG002
        """Check the choice and set everything that follows from it anew."""
        if reason := read_notice(self.settings.state).draining:
            raise SpawnRefusal(reason, 503)
        try:
            request = check_request(user_options, await self._modules(Capacity()), self._profiles())
            self.request = request.model_copy(update={"group": self._find_group(request.hardware)})
        except SpawnRefusal:
            self.orm_spawner.user_options = None  # or the hub would try it again at the next start
            raise
        self.cpu_limit = self.request.hardware.cpu
        self.mem_limit = self.request.hardware.memory_mb * 1024**2

    async def run_pre_spawn_hook(self) -> None:
        """Hold what was chosen from now on."""
        await maybe_future(super().run_pre_spawn_hook())
        if (held := self.held) is not None and self.request is not None:
            self._ledger.begin(held)
            servers.began(self.request.profile, held)

    async def run_post_stop_hook(self) -> None:
        """Hold nothing any more, however the server ended: stopped, died or never up."""
        self.note("server ended")
        if self.held is None or self.held.gpus:
            self._ledger.end(self.user.name)
        servers.ended(self.user.name)
        await maybe_future(super().run_post_stop_hook())

    @property
    def held(self) -> Held | None:
        """What this server holds; None before a choice was made."""
        if self.request is None:
            return None
        hardware = self.request.hardware
        return Held(self.user.name, self.request.group, hardware.gpu, hardware.gpu_flavour if hardware.gpu else "")

    def get_state(self) -> dict[str, Any]:
        """Keep the choice: the hub may be restarted while the server runs."""
        state: dict[str, Any] = super().get_state()
        return state | ({} if self.request is None else {"request": self.request.model_dump(mode="json")})

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up the choice again."""
        super().load_state(state)
        self.request = SpawnRequest.model_validate(state["request"]) if "request" in state else None
        if (held := self.held) is not None and self.request is not None:
            servers.began(self.request.profile, held)

    def get_env(self) -> dict[str, str]:
        """Return the server's environment: addresses and names, no secret but the hub's own token."""
        environment: dict[str, str] = super().get_env()
        settings, request = self.settings, self.request
        environment["IMAGINE_PLATFORM_URL"] = f"{settings.platform.address}/services/imagine"
        environment["IMAGINE_CATALOGUE"] = settings.catalogue
        if request is not None:
            environment["IMAGINE_MODULE"] = request.module
            environment["OMP_NUM_THREADS"] = str(max(1, round(request.hardware.cpu)))
            if not request.hardware.gpu:
                environment["CUDA_VISIBLE_DEVICES"] = ""
        return environment

    @property
    def linker(self) -> Linker:
        """What knows the user's storage."""
        return Linker(self.user.db, self.settings.storage)

    async def key_to_storage(self) -> Credential | None:
        """Return the key to the user's storage, and tell the user what is wrong with it.

        Raises
        ------
        SpawnRefusal
            The user's own link is dead, and they have not said that the server may start without.
        """
        key = await self.linker.key_for(self.user.name, self._access_token)
        if key.is_dead and self.request is not None and self.request.storage:
            raise SpawnRefusal(key.message, 409)
        if key.message:
            self.say(key.message)
        return None if key.is_dead else key.credential

    async def _access_token(self) -> str:
        sign_in = await self.authenticator.live_token(self.user)
        return sign_in.access_token if sign_in else ""

    def note(self, event: str) -> None:
        """Write into the audit log what happens to the server."""
        chosen = {} if self.request is None else {"module": self.request.module, "hardware": self.request.profile}
        audit(event, user=self.user.name, **chosen)

    def say(self, message: str) -> None:
        """Tell the user who waits what happens now."""
        self.log.info("%s: %s", self._log_name, message)
        self._steps.append(message)
        self._stepped.set()

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what was said so far, and what is said until the server answers."""
        shown = 0
        while True:
            while shown < len(self._steps):
                shown += 1
                yield {"progress": min(90, 20 * shown), "message": self._steps[shown - 1]}
            self._stepped.clear()
            await self._stepped.wait()

    async def _modules(self, capacity: Capacity) -> list[ModuleOffer]:
        modules = _catalogues.setdefault(self.settings.catalogue, Modules(self.settings.catalogue))
        return module_offers(await modules.read(), self._images, capacity)

    @property
    def _images(self) -> dict[str, ModuleImage] | None:
        """The image of each module; None where servers share this machine's environment."""
        return None

    async def _capacity(self) -> Capacity:
        """Return what is free; there is nothing to know on one machine."""
        return Capacity()

    def _find_group(self, hardware: HardwareProfile) -> str:
        """Return the group that the server counts for, beside all other servers that run or start now."""
        spawners = [one for user in self.user.settings["app"].users.values() for one in user.spawners.values()]
        held = [one.held for one in spawners if one is not self and one.active and one.held is not None]

        def used(group: str, user: str) -> float:
            self._ledger.end_all_but({one.user for one in held})
            return self._ledger.hours(group, user)

        wish = Wish(self.user.name, [group.name for group in self.user.groups], hardware)
        return find_group(wish, self.settings.spawn, held, used)

    @property
    def _ledger(self) -> Ledger:
        return Ledger(self.user.db)

    def _profiles(self) -> dict[str, Any]:
        return allowed_profiles(self.settings.spawn.profiles, [group.name for group in self.user.groups])
