"""How many GPUs are free, and where images lie: from what a cluster says of its nodes and pods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hub_config.platform.logic.status import STALE_AFTER
from hub_config.platform.store import capacity as store
from imagine_lib.wire import Capacity, GPUCapacity, ImageCapacity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hub_config.hardware import GPUFlavour
    from hub_config.platform.store.database import Database

Object = dict[str, Any]
"""A node or a pod, as the cluster's API writes it."""

_ENDED = {"Succeeded", "Failed"}


class CapacityBoard:
    """What is known of the cluster's capacity.

    Parameters
    ----------
    database
        Where it is kept.
    flavours
        The kinds of GPU, by name.
    """

    def __init__(self, database: Database, flavours: Mapping[str, GPUFlavour]) -> None:
        self._database = database
        self._configured = configured(flavours)

    def record(self, seen: Capacity, every: float) -> None:
        """Write what was seen; ``every`` says in how many seconds somebody looks again."""
        with self._database.write() as session:
            store.put(session, seen.model_dump_json(), datetime.now(UTC), every)

    def read(self) -> Capacity:
        """Return what is known now: what was configured, where nobody has looked lately."""
        with self._database.read() as session:
            row = store.current(session)
            if row is None or datetime.now(UTC) - row.checked > timedelta(seconds=STALE_AFTER * row.every):
                return self._configured
            return Capacity.model_validate_json(row.capacity)


def configured(flavours: Mapping[str, GPUFlavour]) -> Capacity:
    """Return what the operator says that there is."""
    return Capacity(
        gpus=[GPUCapacity(flavour=name, title=one.title, total=one.count) for name, one in flavours.items()]
    )


def measure(
    nodes: Sequence[Object],
    pods: Iterable[Object],
    flavours: Mapping[str, GPUFlavour],
    images: Mapping[str, str],
    now: datetime,
) -> Capacity:
    """Return what is free.

    Parameters
    ----------
    nodes, pods
        All of the cluster.
    flavours
        The kinds of GPU, by name.
    images
        Each module's image, by digest.
    now
        When the cluster was asked.
    """
    usable = [node for node in nodes if _takes_pods(node)]
    alive = [pod for pod in pods if pod.get("status", {}).get("phase") not in _ENDED]
    return Capacity(
        gpus=[_gpus(name, flavour, usable, alive) for name, flavour in flavours.items()],
        images=[_image(module, image, usable) for module, image in images.items()],
        measured=now,
    )


def _gpus(name: str, flavour: GPUFlavour, nodes: Sequence[Object], pods: Sequence[Object]) -> GPUCapacity:
    of_kind = [node for node in nodes if _fits(node["metadata"].get("labels") or {}, flavour.node_selector)]
    there = {node["metadata"]["name"]: _number(node["status"], "allocatable", flavour.resource) for node in of_kind}
    free = dict(there)
    waiting = 0
    for pod in pods:
        wanted = _wanted(pod, flavour.resource)
        node = pod["spec"].get("nodeName")
        if node in free:
            free[node] -= wanted
        elif not node and wanted and _asks_for(pod, flavour):
            waiting += 1
    # Several kinds may lie on one node, and others' pods may hold what an operator has set aside.
    total = sum(there.values()) if flavour.count is None else min(flavour.count, sum(there.values()))
    taken = sum(there.values()) - sum(free.values())
    left = max(
        0, min(sum(max(0, one) for one in free.values()), total - taken if flavour.count is not None else total)
    )
    together = max((max(0, one) for one in free.values()), default=0)
    return GPUCapacity(
        flavour=name,
        title=flavour.title,
        total=total,
        free=left,
        free_together=min(left, together),
        waiting=waiting,
    )


def _image(module: str, image: str, nodes: Sequence[Object]) -> ImageCapacity:
    digest = image.rpartition("@")[2]
    sizes = [
        held.get("sizeBytes")
        for node in nodes
        for held in node["status"].get("images") or []
        if any(name.endswith(f"@{digest}") for name in held.get("names") or [])
    ]
    return ImageCapacity(
        module=module, machines=len(sizes), of=len(nodes), size=max(filter(None, sizes), default=None)
    )


def _takes_pods(node: Object) -> bool:
    conditions = {one["type"]: one["status"] for one in node.get("status", {}).get("conditions") or []}
    return conditions.get("Ready") == "True" and not node.get("spec", {}).get("unschedulable")


def _fits(labels: Mapping[str, str], selector: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()


def _asks_for(pod: Object, flavour: GPUFlavour) -> bool:
    return _fits(pod["spec"].get("nodeSelector") or {}, flavour.node_selector)


def _wanted(pod: Object, resource: str) -> int:
    """Return what a pod asks for: its containers' sum, or the most that one of its first containers needs."""
    spec = pod["spec"]
    running = sum(_number(one.get("resources") or {}, "requests", resource) for one in spec["containers"])
    first = [_number(one.get("resources") or {}, "requests", resource) for one in spec.get("initContainers") or []]
    return max([running, *first])


def _number(holder: Object, part: str, resource: str) -> int:
    return int((holder.get(part) or {}).get(resource, 0))
