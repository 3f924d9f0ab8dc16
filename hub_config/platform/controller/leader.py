"""One controller acts at a time: it holds a lock while it does its duties, and others wait for it."""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub_config.platform.controller.duties import Duty
    from hub_config.platform.store.locks import Lock

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""How soon a lost lock is noticed, and a free one taken."""
JOIN_SECONDS = 5.0
"""How long a duty may take to end; it is cut off then, which each of them bears."""


def lead(lock: Lock, duties: Sequence[Duty], stop: Event) -> None:
    """Do the duties whenever this process holds the lock, until told to stop.

    Parameters
    ----------
    lock
        The lock that all controllers share.
    duties
        Each is done in a thread of its own, so that a slow one keeps no other waiting.
    stop
        Set it to end.
    """
    log.info("Waiting to be the controller that acts")
    while not stop.is_set():
        if _acquired(lock):
            log.info("This controller acts now")
            try:
                _act(lock, duties, stop)
            finally:
                lock.release()
        stop.wait(POLL_SECONDS)


def _acquired(lock: Lock) -> bool:
    try:
        return lock.acquire()
    except SQLAlchemyError as error:
        log.warning("The database does not answer: %s", error)
        return False


def _act(lock: Lock, duties: Sequence[Duty], stop: Event) -> None:
    ended = Event()
    threads = [Thread(target=_repeat, args=(duty, ended), name=duty.name, daemon=True) for duty in duties]
    for thread in threads:
        thread.start()
    while not stop.wait(POLL_SECONDS) and lock.held():
        pass
    ended.set()
    for thread in threads:
        thread.join(JOIN_SECONDS)
    log.info("This controller acts no more")


def _repeat(duty: Duty, ended: Event) -> None:
    while not ended.is_set():
        try:
            duty.perform()
        except Exception:
            log.exception("Could not %s; trying again in %g s", duty.name, duty.every)
        ended.wait(duty.every)
