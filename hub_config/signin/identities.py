"""Who a hub user is: one account of one IAM, for ever.

A name can be given to another person one day, and a home must not go with it. So the first sign-in binds a name to
(issuer, sub), and everyone else who comes with that name, in any spelling, is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Column, DateTime, MetaData, String, Table, UniqueConstraint, func, insert, select, update

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

METADATA = MetaData()
IDENTITIES = Table(
    "imagine_identities",
    METADATA,
    Column("name", String(255), primary_key=True),
    Column("issuer", String(1023), nullable=False),
    Column("sub", String(255), nullable=False),
    Column("blocked_since", DateTime(timezone=True)),
    UniqueConstraint("issuer", "sub"),
)
"""Lies in the hub's own database, beside the users that it is about."""


class NameTakenError(Exception):
    """The name belongs to another account."""


class Identities:
    """The bindings.

    Parameters
    ----------
    session
        The hub's own: another connection would wait for it in the same thread, for ever.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        METADATA.create_all(session.get_bind())

    def bind(self, name: str, issuer: str, sub: str) -> str:
        """Return the hub user that an account is.

        Parameters
        ----------
        name
            As the IAM calls the account today; used at its first sign-in only.
        issuer, sub
            What the account is, whatever it is called.

        Raises
        ------
        NameTakenError
            The account is new here, and its name is another's.
        """
        account = (IDENTITIES.c.issuer == issuer) & (IDENTITIES.c.sub == sub)
        known = self._session.execute(select(IDENTITIES.c.name).where(account)).scalar()
        if known is not None:
            return str(known)
        name = name.lower()
        if self._session.execute(select(IDENTITIES.c.name).where(IDENTITIES.c.name == name)).scalar() is not None:
            raise NameTakenError(name)
        self._session.execute(insert(IDENTITIES).values(name=name, issuer=issuer, sub=sub))
        self._session.commit()
        return name

    def is_blocked(self, name: str) -> bool:
        """Return whether the people who run the workspace have put a user out."""
        blocked = select(IDENTITIES.c.blocked_since).where(IDENTITIES.c.name == name.lower())
        return self._session.execute(blocked).scalar() is not None

    def block(self, name: str, blocked: bool) -> bool:
        """Put a user out, or let them in again; return whether there is such a user."""
        since = func.now() if blocked else None
        change = update(IDENTITIES).where(IDENTITIES.c.name == name.lower()).values(blocked_since=since)
        found = self._session.execute(change.returning(IDENTITIES.c.name)).scalar() is not None
        self._session.commit()
        return found
