"""The links that users made, in the hub's database: encrypted with the hub's keys, which can be changed."""

from __future__ import annotations

import base64
import logging
import secrets
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken
from jupyterhub.crypto import CryptKeeper, decrypt, encrypt
from sqlalchemy import Column, Float, LargeBinary, MetaData, String, Table, delete, insert, select

from hub_config.link.nextcloud import Flow
from imagine_lib.storage.credentials import Credential

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

FLOW_SECONDS = 20 * 60
"""How long a Nextcloud waits for its user."""

METADATA = MetaData()
LINKS = Table(
    "imagine_storage_links",
    METADATA,
    Column("user", String(255), primary_key=True),
    Column("credential", LargeBinary, nullable=False),
    Column("made", Float, nullable=False),
)
FLOWS = Table(
    "imagine_storage_flows",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("user", String(255), nullable=False),
    Column("flow", LargeBinary, nullable=False),
    Column("made", Float, nullable=False),
)


class Links:
    """What users have linked.

    Parameters
    ----------
    session
        The hub's own: another connection would wait for it in the same thread, for ever.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        METADATA.create_all(session.get_bind())

    async def get(self, user: str) -> Credential | None:
        """Return a user's key; None also for one that the hub's keys do not open any more."""
        kept = self._session.execute(select(LINKS.c.credential).where(LINKS.c.user == user)).scalar()
        if kept is None or (opened := await _open(kept)) is None:
            return None
        credential = Credential.model_validate(opened)
        if _is_closed_with_an_old_key(kept):
            await self.put(user, credential)
        return credential

    async def put(self, user: str, credential: Credential) -> None:
        """Keep a user's key in place of the one before."""
        open_credential = credential.model_dump() | {"password": credential.password.get_secret_value()}
        closed = await encrypt(open_credential)
        self._session.execute(delete(LINKS).where(LINKS.c.user == user))
        self._session.execute(insert(LINKS).values(user=user, credential=closed, made=time.time()))
        self._session.commit()

    def drop(self, user: str) -> None:
        """Forget a user's key."""
        self._session.execute(delete(LINKS).where(LINKS.c.user == user))
        self._session.commit()

    async def begin(self, user: str, flow: Flow) -> str:
        """Keep a consent that is under way, and return its id; old ones go."""
        number, closed = secrets.token_urlsafe(24), await encrypt(asdict(flow))
        self._session.execute(
            delete(FLOWS).where((FLOWS.c.user == user) | (FLOWS.c.made < time.time() - FLOW_SECONDS))
        )
        self._session.execute(insert(FLOWS).values(id=number, user=user, flow=closed, made=time.time()))
        self._session.commit()
        return number

    async def flow(self, user: str) -> Flow | None:
        """Return the consent that a user has under way."""
        wanted = (FLOWS.c.user == user) & (FLOWS.c.made > time.time() - FLOW_SECONDS)
        kept = self._session.execute(select(FLOWS.c.flow).where(wanted)).scalar()
        opened = await _open(kept) if kept is not None else None
        return Flow(**opened) if opened is not None else None

    def end(self, user: str) -> None:
        """Forget the consent that a user had under way."""
        self._session.execute(delete(FLOWS).where(FLOWS.c.user == user))
        self._session.commit()


async def _open(closed: bytes) -> dict[str, Any] | None:
    try:
        opened: dict[str, Any] = await decrypt(closed)
    except InvalidToken:
        log.warning("A storage link was closed with a key that is not in crypt_keys any more, and counts as none")
        return None
    return opened


def _is_closed_with_an_old_key(closed: bytes) -> bool:
    newest, *others = CryptKeeper.instance().keys
    if not others:
        return False
    try:
        Fernet(base64.urlsafe_b64encode(newest)).decrypt(closed)
    except InvalidToken:
        return True
    return False
