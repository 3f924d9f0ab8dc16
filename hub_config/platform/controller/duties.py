"""What the controller does again and again."""

from __future__ import annotations

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx

from hub_config.platform import PREFIX
from hub_config.platform.controller.cluster import nodes_and_pods
from hub_config.platform.logic.capacity import measure
from imagine_lib.wire import ServiceState

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_config.platform.logic.capacity import CapacityBoard
    from hub_config.platform.logic.catalogue import Catalogue
    from hub_config.platform.logic.status import StatusBoard
    from hub_config.platform.store.blobs import BlobStore
    from hub_config.settings import Settings

log = logging.getLogger(__name__)

PROBE_TIMEOUT = 5.0
CATALOGUE_SECONDS = 60.0
SWEEP_SECONDS = 3600.0
UPLOAD_SECONDS = 24 * 3600.0
"""No upload takes longer; what is older was left by a killed one."""


@dataclass(frozen=True)
class Duty:
    """Something that is done every so many seconds."""

    name: str
    every: float
    perform: Callable[[], None]


def duties(
    settings: Settings, board: StatusBoard, capacity: CapacityBoard, catalogue: Catalogue, store: BlobStore
) -> list[Duty]:
    """Return the controller's duties.

    Parameters
    ----------
    settings
        Where the services are, and how often to look.
    board
        Where their states are written.
    capacity
        Where it is written what the cluster has left.
    catalogue
        What is refreshed.
    store
        What is tidied.

    Returns
    -------
    list of Duty
    """
    every = settings.platform.probe_seconds
    refresh_every = max(every, CATALOGUE_SECONDS)
    addresses = {
        "IAM": f"{settings.iam.issuer.rstrip('/')}/.well-known/openid-configuration",
        "storage": f"{settings.storage.url.rstrip('/')}/status.php",
        "hub": f"http://{settings.hub_listen}/hub/api/health",
        "platform": f"{settings.platform.address}{PREFIX}/healthz",
    }

    def sweep() -> None:
        if count := store.sweep(UPLOAD_SECONDS):
            log.info("Removed %d files that broken uploads had left", count)

    def look_at_cluster() -> None:
        nodes, pods = nodes_and_pods()
        images = {module: one.image for module, one in settings.kubernetes.images.items()}
        capacity.record(measure(nodes, pods, settings.spawn.gpu_flavours, images, datetime.now(UTC)), every)

    is_watched = settings.spawn.spawner == "kubernetes" and settings.kubernetes.watches_cluster
    of_cluster = [Duty("look at the cluster", every, look_at_cluster)] if is_watched else []
    return [
        *of_cluster,
        Duty("look at the services", every, lambda: board.record(look(addresses), every)),
        Duty(
            "refresh the catalogue",
            refresh_every,
            lambda: board.record([catalogue.refresh(settings.catalogue)], refresh_every),
        ),
        Duty("tidy the model store", SWEEP_SECONDS, sweep),
    ]


def look(addresses: dict[str, str]) -> list[ServiceState]:
    """Ask each service whether it is well.

    Parameters
    ----------
    addresses
        By name, an address that answers 200 when the service is well.

    Returns
    -------
    list of ServiceState
        With one more, for the controller itself.
    """
    with ThreadPoolExecutor(len(addresses)) as pool:
        return [*pool.map(_probe, addresses, addresses.values()), ServiceState(name="controller", state="up")]


def _probe(name: str, address: str) -> ServiceState:
    direct = {"all://127.0.0.1": None, "all://localhost": None}  # never by a proxy that the environment names
    try:
        with httpx.Client(timeout=PROBE_TIMEOUT, mounts=direct) as client:
            trouble = _trouble(name, client.get(address))
    except httpx.HTTPError as error:
        log.warning("%s does not answer at %s: %s", name, address, error)
        trouble = "It does not answer."
    return ServiceState(name=name, state="down" if trouble else "up", message=trouble)


def _trouble(name: str, answer: httpx.Response) -> str:
    if not answer.is_success:
        return f"It answers {answer.status_code}."
    if name == "storage" and (match := re.search(r'"maintenance":\s*(true|false)', answer.text)):
        return "It is in maintenance." if match[1] == "true" else ""
    return "It does not answer as a Nextcloud does." if name == "storage" else ""
