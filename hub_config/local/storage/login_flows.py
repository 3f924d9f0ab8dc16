"""Login flows under way: a program asks for an app password, a person grants it in the browser, the program gets it.

They live in memory for twenty minutes and are answered once. The app password itself is only made when the program
fetches it, so it is never kept anywhere.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .accounts import random_text

if TYPE_CHECKING:
    from .oidc import Errand

LIFETIME = 20 * 60
MAX_FLOWS = 1000
"""Flows at a time: anyone may begin one, so beyond it the oldest is given up."""
TOKEN_LENGTH = 128


@dataclass
class Flow:
    """One flow; ``session`` is the browser's key to it from the moment its address is opened."""

    program: str
    poll_token: str = field(default_factory=lambda: random_text(TOKEN_LENGTH))
    login_token: str | None = field(default_factory=lambda: random_text(TOKEN_LENGTH))
    session: str | None = None
    state_token: str = field(default_factory=lambda: random_text(64))
    form_token: str = field(default_factory=lambda: random_text(64))
    errand: Errand | None = None
    uid: str | None = None
    is_granted: bool = False
    begun: float = field(default_factory=lambda: time.monotonic())

    def new_session(self) -> str:
        """Give the browser a new key; the one before is worth nothing any more."""
        self.session = random_text(64)
        return self.session


class LoginFlows:
    """The flows of all programs."""

    def __init__(self) -> None:
        self._flows: OrderedDict[str, Flow] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, program: str) -> Flow:
        """Begin a flow for a program."""
        flow = Flow(program)
        with self._lock:
            self._forget_old()
            self._flows[flow.poll_token] = flow
            if len(self._flows) > MAX_FLOWS:
                self._flows.popitem(last=False)
        return flow

    def open(self, login_token: str) -> Flow | None:
        """Return the flow of an address that is opened, the first time only."""
        with self._lock:
            self._forget_old()
            for flow in self._flows.values():
                if flow.login_token == login_token:
                    flow.login_token = None
                    flow.new_session()
                    return flow
        return None

    def of_session(self, session: str | None) -> Flow | None:
        """Return the flow that a browser is in."""
        with self._lock:
            self._forget_old()
            found = (flow for flow in self._flows.values() if session and flow.session == session)
            return next(found, None)

    def grant(self, flow: Flow) -> None:
        """Let the program have its app password; the browser is done."""
        with self._lock:
            flow.is_granted, flow.session = True, None

    def collect(self, poll_token: str) -> Flow | None:
        """Return a flow that was granted, once."""
        with self._lock:
            self._forget_old()
            flow = self._flows.get(poll_token)
            if flow is None or not flow.is_granted:
                return None
            return self._flows.pop(poll_token)

    def _forget_old(self) -> None:
        since = time.monotonic() - LIFETIME
        while self._flows and next(iter(self._flows.values())).begun < since:
            self._flows.popitem(last=False)
