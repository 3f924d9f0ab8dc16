"""Asks the cluster for its nodes and pods; nothing else of the workspace may."""

from __future__ import annotations

import asyncio
import json
import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from kubernetes_asyncio import client, config

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hub_config.platform.logic.capacity import Object

PAGE = 500
SECONDS = 20
"""That one page may take."""
ALIVE = "status.phase!=Succeeded,status.phase!=Failed"


def nodes_and_pods() -> tuple[list[Object], list[Object]]:
    """Return all nodes, and all pods that hold something.

    Raises
    ------
    kubernetes_asyncio.client.ApiException
        The cluster refuses: 403 where the controller may not look.
    OSError
        It does not answer.
    """
    return asyncio.run(_look())


async def _look() -> tuple[list[Object], list[Object]]:
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        config.load_incluster_config()  # type: ignore[no-untyped-call]
    else:
        await config.load_kube_config()
    async with client.ApiClient() as api:
        cluster = client.CoreV1Api(api)
        nodes = await _all(cluster.list_node)
        pods = await _all(cluster.list_pod_for_all_namespaces, field_selector=ALIVE)
    return nodes, pods


async def _all(listing: Callable[..., Awaitable[Any]], **selection: str) -> list[Object]:
    """Read a list page by page, as JSON: the client's own objects take ten times as long to make."""
    found: list[Object] = []
    token = ""
    while True:
        answer = await listing(
            limit=PAGE, _continue=token or None, _preload_content=False, _request_timeout=SECONDS, **selection
        )
        if answer.status != HTTPStatus.OK:  # not looked at by the client, as it does not read the answer
            raise client.ApiException(status=answer.status, reason=answer.reason)
        page = json.loads(await answer.read())
        found += page["items"]
        token = page["metadata"].get("continue") or ""
        if not token:
            return found
