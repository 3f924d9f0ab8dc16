"""What the cluster says about a pod, in the user's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAIN = {
    "Scheduled": "A place for your server was found",
    "Pulled": "The module's image is there",
    "Created": "Your server is made",
    "Started": "Your server starts",
    "TriggeredScaleUp": "The cluster adds a machine for your server; that takes some minutes",
    "NotTriggerScaleUp": "The cluster cannot grow any more: your server waits until another one ends",
    "FailedMount": "Your home folder cannot be opened yet; it is tried again",
    "FailedAttachVolume": "Your home folder is still held by another machine; it is tried again",
    "SuccessfulAttachVolume": "Your home folder is there",
    "Preempted": "Your server had to make room for a more urgent one",
}
_PULLING = re.compile(r'image "(?P<image>[^"]+)"')
_LACKS = (
    ("Insufficient nvidia.com", "a GPU of this kind is free"),
    ("Insufficient memory", "enough memory is free"),
    ("Insufficient cpu", "enough CPUs are free"),
    ("Insufficient ephemeral-storage", "enough disk is free"),
)
WAITS = "Your server waits until {what}"
NOWHERE = "No machine fits your choice at the moment: {said}"

BROKEN_IMAGE = {"InvalidImageName", "ErrImageNeverPull"}
MISSING_IMAGE = {"ErrImagePull", "ImagePullBackOff"}
ENDED = "Your server ended while it started{why}: {last}"
OUT_OF_MEMORY = " because it needed more memory than {limit}"
NO_IMAGE = "The image {image} of this module cannot be fetched: choose another module, and tell the operator."
_LONGEST_LINE = 300


def plain(event: Mapping[str, Any]) -> str:
    """Return a pod's event as a sentence for its user; empty where it tells them nothing.

    Parameters
    ----------
    event
        As the cluster gives it, with ``reason`` and ``message``.
    """
    reason, message = event.get("reason") or "", event.get("message") or ""
    if reason == "Pulling":
        found = _PULLING.search(message)
        return f"This machine fetches the module's image {found['image'] if found else ''}".rstrip()
    if reason == "FailedScheduling":
        lacks = [what for sign, what in _LACKS if sign in message]
        return WAITS.format(what=" and ".join(lacks)) if lacks else NOWHERE.format(said=message)
    return PLAIN.get(reason, "")


class Failure(NamedTuple):
    """Why a pod will not come up any more."""

    reason: str
    """Two or three words."""
    sentence: str


def why_not(pod: Mapping[str, Any], container: str) -> Failure | None:
    """Return why a pod will not come up any more, as its state tells; None while it may.

    Parameters
    ----------
    pod
        As the cluster gives it.
    container
        The name of the one that is waited for.
    """
    status = pod.get("status") or {}
    if status.get("phase") == "Failed" and not status.get("containerStatuses"):
        last = status.get("message") or status.get("reason") or "the cluster does not say why."
        return Failure(status.get("reason") or "pod failed", ENDED.format(why="", last=last))
    for one in status.get("containerStatuses") or []:
        if one["name"] != container:
            continue
        state = one.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated")
        if ended is not None:
            return _ended(ended, pod, container)
        if waiting.get("reason") in BROKEN_IMAGE | MISSING_IMAGE:
            return Failure("image missing", NO_IMAGE.format(image=one.get("image") or ""))
    return None


def _ended(state: Mapping[str, Any], pod: Mapping[str, Any], container: str) -> Failure:
    lines = [line.strip() for line in (state.get("message") or "").splitlines() if line.strip()]
    last = lines[-1][:_LONGEST_LINE] if lines else f"it printed nothing (exit code {state.get('exitCode')})."
    limit = next(
        (
            one["resources"]["limits"].get("memory", "")
            for one in pod["spec"]["containers"]
            if one["name"] == container and (one.get("resources") or {}).get("limits")
        ),
        "",
    )
    if state.get("reason") == "OOMKilled":
        return Failure("out of memory", ENDED.format(why=OUT_OF_MEMORY.format(limit=_megabytes(limit)), last=last))
    return Failure("server ended", ENDED.format(why="", last=last))


def _megabytes(quantity: str) -> str:
    return f"{int(quantity) // 1024**2} MB" if quantity.isdecimal() else quantity or "it may have"
