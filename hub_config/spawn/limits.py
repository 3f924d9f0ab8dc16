"""Who may start what while others hold something: limits of users and of groups, and how many GPUs there are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from hub_config.spawn.refusal import SpawnRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hub_config.hardware import HardwareProfile, Limits, SpawnSettings

DAYS = 30
"""For which GPU-hours are counted."""
NO_GROUP = "Your groups may start no server here: ask the people who run this workspace."
FULL = "{whose} at most {what}: {held}. Stop one, or choose other hardware."
USED_UP = "{whose} {most:g} GPU-hours in {days} days, and {used:.1f} are used: choose hardware without a GPU."
NONE_FREE = "All {count} of {title} are in use: {held}. Choose other hardware, or try again later."
_NAMED = 5


@dataclass(frozen=True)
class Held:
    """A server that someone has."""

    user: str
    group: str
    """Whose limits it counts for."""
    gpus: int
    gpu_flavour: str


@dataclass(frozen=True)
class Wish:
    """A server that someone wants."""

    user: str
    groups: Sequence[str]
    hardware: HardwareProfile


def find_group(wish: Wish, spawn: SpawnSettings, held: Sequence[Held], used: Callable[[str, str], float]) -> str:
    """Return the group whose limits a new server counts for; empty where nobody is limited.

    Parameters
    ----------
    wish
        Who wants what.
    spawn
        What the operator chose.
    held
        All servers that there are.
    used
        Returns the GPU-hours of the last 30 days: of a group, and of one user in it or, with an empty name, of all.

    Raises
    ------
    SpawnRefusal
        429: someone holds too much; the message says who and what.
    """
    _require_a_free_gpu(wish.hardware, spawn, held)
    if not spawn.limits:
        return ""
    refusals = []
    for group, limits in spawn.limits.items():
        if group not in wish.groups:
            continue
        of_group = [one for one in held if one.group == group]
        of_user = [one for one in of_group if one.user == wish.user]
        reason = _reason("You may have", limits.each, wish, of_user, partial(used, group, wish.user))
        reason = reason or _reason(
            f"The group {group} may have", limits.together, wish, of_group, partial(used, group, "")
        )
        if not reason:
            return group
        refusals.append(reason)
    raise SpawnRefusal(refusals[0] if refusals else NO_GROUP, 429 if refusals else 403)


def _require_a_free_gpu(hardware: HardwareProfile, spawn: SpawnSettings, held: Iterable[Held]) -> None:
    flavour = spawn.gpu_flavours.get(hardware.gpu_flavour)
    if not hardware.gpu or flavour is None or flavour.count is None:
        return
    holders = [one for one in held if one.gpus and one.gpu_flavour == hardware.gpu_flavour]
    if sum(one.gpus for one in holders) + hardware.gpu > flavour.count:
        message = NONE_FREE.format(count=flavour.count, title=flavour.title, held=_who(holders))
        raise SpawnRefusal(message, 429)


def _reason(whose: str, limits: Limits, wish: Wish, held: Sequence[Held], used: Callable[[], float]) -> str:
    gpus = wish.hardware.gpu
    if limits.servers is not None and len(held) + 1 > limits.servers:
        return FULL.format(whose=whose, what=f"{limits.servers} servers", held=_who(held))
    if gpus and limits.gpus is not None and sum(one.gpus for one in held) + gpus > limits.gpus:
        return FULL.format(whose=whose, what=f"{limits.gpus} GPUs", held=_who([one for one in held if one.gpus]))
    if gpus and limits.gpu_hours is not None and (spent := used()) >= limits.gpu_hours:
        return USED_UP.format(whose=whose, most=limits.gpu_hours, days=DAYS, used=spent)
    return ""


def _who(held: Sequence[Held]) -> str:
    """Return who holds what, the first few by name."""
    counts: dict[str, list[int]] = {}
    for one in held:
        counts.setdefault(one.user, []).append(one.gpus)
    told = [
        f"{user} has {len(gpus)} server{'s' * (len(gpus) > 1)}"
        + (f" with {sum(gpus)} GPU{'s' * (sum(gpus) > 1)}" if sum(gpus) else "")
        for user, gpus in sorted(counts.items())
    ]
    more = f" and {len(told) - _NAMED} more people" if len(told) > _NAMED else ""
    return ", ".join(told[:_NAMED]) + more if told else "nobody has one, and this one asks for more"
