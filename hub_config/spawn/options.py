"""What a user may choose on the spawn page, and the check of what they chose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from hub_config.hardware import HardwareProfile
from hub_config.spawn.refusal import SpawnRefusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hub_config.spawn.offers import ModuleOffer


class SpawnRequest(BaseModel):
    """A server as it was asked for: everything that the spawner needs, and nothing else."""

    model_config = ConfigDict(frozen=True)

    module: str
    profile: str
    hardware: HardwareProfile
    image: str = ""
    """By digest; empty on one machine, where all modules share one environment."""
    group: str = ""
    """Whose limits the server counts for; empty: nobody is limited."""
    storage: bool = True
    """Whether the server may not start without the storage that its user linked."""


def allowed_profiles(profiles: Mapping[str, HardwareProfile], groups: Iterable[str]) -> dict[str, HardwareProfile]:
    """Return the hardware that a user of some groups may choose."""
    mine = set(groups)
    return {name: profile for name, profile in profiles.items() if not profile.groups or mine & set(profile.groups)}


def check_request(
    chosen: Mapping[str, Any], modules: list[ModuleOffer], profiles: Mapping[str, HardwareProfile]
) -> SpawnRequest:
    """Check a choice, from the page or the API.

    Parameters
    ----------
    chosen
        ``module`` and ``profile``; what is missing is the first of those offered. ``storage`` is ``without`` where
        the server may start without it.
    modules, profiles
        What is offered to this user.

    Returns
    -------
    SpawnRequest

    Raises
    ------
    SpawnRefusal
        400, naming what is allowed.
    """
    unknown = sorted(set(chosen) - {"module", "profile", "storage"})
    if unknown:
        raise _refusal(f"{unknown[0]!r} is no option; there are 'module', 'profile' and 'storage'.")
    storage = chosen.get("storage") or "with"
    if storage not in ("with", "without"):
        raise _refusal(f"There is no storage {storage!r}; there are with, without.")
    names = [offer.entry.name for offer in modules if not offer.why_not]
    if not names:
        raise _refusal("The catalogue holds no module that can be started here.")
    module, profile = chosen.get("module") or names[0], chosen.get("profile") or next(iter(profiles), "")
    why_not = next((one.why_not for one in modules if one.entry.name == module), "")
    if why_not:
        raise _refusal(f"The module {module!r} cannot be started here. {why_not} There are {', '.join(names)}.")
    if module not in names:
        raise _refusal(f"There is no module {module!r}; there are {', '.join(names)}.")
    if profile not in list(profiles):
        raise _refusal(f"There is no hardware {profile!r} for you; there are {', '.join(profiles)}.")
    return SpawnRequest(module=module, profile=profile, hardware=profiles[profile], storage=storage == "with")


def _refusal(message: str) -> SpawnRefusal:
    return SpawnRefusal(message, 400)
