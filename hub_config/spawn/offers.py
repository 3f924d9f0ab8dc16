"""What the spawn page says of each module and each choice of hardware: whether it can be had here, and how soon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hub_config.cluster import ModuleImage
    from hub_config.hardware import HardwareProfile
    from imagine_lib.wire import Capacity, CatalogueEntry, GPUCapacity, ImageCapacity

CONTRACT = 1
"""Version of the image contract whose images this hub can start (docs/reference/image-contract.md)."""

NO_SERVER = "It is used by its own interface and has no notebook server."
NO_IMAGE = "The operator has named no image for it."
NO_CONTRACT = "Its image was not found to keep version {version} of the image contract."


@dataclass(frozen=True)
class ModuleOffer:
    """A module of the catalogue on the spawn page."""

    entry: CatalogueEntry
    why_not: str = ""
    """Why it cannot be started here; empty: it can."""
    wait: str = ""
    """What its first start on a machine waits for."""


@dataclass(frozen=True)
class HardwareOffer:
    """A hardware profile on the spawn page."""

    name: str
    profile: HardwareProfile
    available: str = ""
    """How many of its GPUs are free; empty where it has none."""


def module_offers(
    entries: Iterable[CatalogueEntry], images: Mapping[str, ModuleImage] | None, capacity: Capacity
) -> list[ModuleOffer]:
    """Return what the page says of each module, by title; those that can be started come first.

    Parameters
    ----------
    entries
        The catalogue.
    images
        The image of each module; None where all modules share this machine's environment.
    capacity
        What is known of the machines.
    """
    held = {one.module: one for one in capacity.images}
    offers = [
        ModuleOffer(entry, _why_not(entry, images), _wait(held.get(entry.name), capacity.measured is not None))
        for entry in entries
    ]
    return sorted(offers, key=lambda offer: (bool(offer.why_not), offer.entry.title))


def hardware_offers(profiles: Mapping[str, HardwareProfile], capacity: Capacity) -> list[HardwareOffer]:
    """Return what the page says of each choice of hardware."""
    gpus = {one.flavour: one for one in capacity.gpus}
    return [
        HardwareOffer(name, one, _available(one.gpu, gpus.get(one.gpu_flavour)) if one.gpu else "")
        for name, one in profiles.items()
    ]


def _why_not(entry: CatalogueEntry, images: Mapping[str, ModuleImage] | None) -> str:
    if not entry.launchable:
        return NO_SERVER
    if images is None:
        return ""
    image = images.get(entry.name)
    if image is None:
        return NO_IMAGE
    return "" if image.contract == CONTRACT else NO_CONTRACT.format(version=CONTRACT)


def _wait(image: ImageCapacity | None, is_measured: bool) -> str:
    if image is None or not is_measured or image.machines == image.of:
        return ""
    if image.machines:
        return (
            f"Ready on {image.machines} of {image.of} machines; elsewhere {_gigabytes(image.size)} are fetched first."
        )
    return "On no machine yet: the first start fetches it, which takes minutes."


def _gigabytes(size: int | None) -> str:
    return f"{size / 1e9:.1f} GB" if size else "its files"


def _available(wanted: int, gpus: GPUCapacity | None) -> str:
    if gpus is None or gpus.total is None:
        return "How many are free is not known."
    if gpus.free is None or gpus.free_together is None:
        return f"{gpus.total} in all; how many are free is not known."
    if gpus.total < wanted:
        return "There is none at the moment."
    if gpus.free_together >= wanted:
        return f"{gpus.free} of {gpus.total} free now."
    free = "None is free now" if not gpus.free else f"{gpus.free} free now, but not {wanted} on one machine"
    waiting = {0: "", 1: ", and one server waits"}.get(gpus.waiting, f", and {gpus.waiting} servers wait")
    return f"{free}{waiting}: yours starts when one is given back."
