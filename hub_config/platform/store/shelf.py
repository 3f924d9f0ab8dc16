"""Shared models as one reader may see them: each question goes through the same visibility."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, func, or_, select

from hub_config.platform.store.database import insert_if_absent
from hub_config.platform.store.tables import Model, Version, VersionAudience

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session


class Shelf:
    """The versions that a reader may see.

    Parameters
    ----------
    session
        The database session to ask in.
    reader
        The user's name.
    audiences
        Every audience that the user belongs to.
    """

    def __init__(self, session: Session, reader: str, audiences: Iterable[str]) -> None:
        self._session = session
        shown = select(VersionAudience.version_id).where(VersionAudience.audience.in_(list(audiences)))
        self._visible: ColumnElement[bool] = or_(Model.owner == reader, Version.id.in_(shown))

    def newest(
        self, words: Iterable[str], owner: str | None, offset: int, limit: int
    ) -> tuple[Sequence[Version], int]:
        """Return a page of models, each as its newest loadable version, newest first; and how many there are."""
        newest = (
            self._select(Version.withdrawn.is_(None))
            .with_only_columns(Version.model_id, func.max(Version.number).label("number"))
            .group_by(Version.model_id)
            .subquery()
        )
        found = select(Version).join(
            newest, and_(Version.model_id == newest.c.model_id, Version.number == newest.c.number)
        )
        for word in words:
            found = found.where(Version.words.contains(word, autoescape=True))
        if owner is not None:
            found = found.join(Version.model).where(Model.owner == owner)
        return self._page(found.order_by(Version.created.desc(), Version.id.desc()), offset, limit)

    def versions(self, owner: str, name: str, offset: int, limit: int) -> tuple[Sequence[Version], int]:
        """Return a page of a model's versions, newest first, and how many there are."""
        found = self._select(Model.owner == owner, Model.name == name)
        return self._page(found.order_by(Version.number.desc()), offset, limit)

    def version(self, owner: str, name: str, number: int | None) -> Version | None:
        """Return one version; without a number the newest that can be loaded, or else the newest."""
        found = self._select(Model.owner == owner, Model.name == name)
        if number is not None:
            found = found.where(Version.number == number)
        order = (Version.withdrawn.is_not(None), Version.number.desc())
        return self._session.scalars(found.order_by(*order).limit(1)).first()

    def _select(self, *where: ColumnElement[bool]) -> Select[Version]:
        return select(Version).join(Version.model).where(self._visible, *where)

    def _page(self, found: Select[Version], offset: int, limit: int) -> tuple[Sequence[Version], int]:
        total = self._session.scalar(select(func.count()).select_from(found.order_by(None).subquery())) or 0
        return self._session.scalars(found.offset(offset).limit(limit)).all(), total


def locked_model(session: Session, owner: str, name: str) -> Model:
    """Return a model's row, made if need be; other publishers of it wait until the session ends."""
    insert_if_absent(session, Model, owner=owner, name=name)
    return session.scalars(select(Model).where(Model.owner == owner, Model.name == name).with_for_update()).one()


def loadable_twins(session: Session, model: Model, sha256: str) -> Sequence[Version]:
    """Return the versions of a model that hold exactly this package and were not withdrawn."""
    twins = select(Version).where(Version.model_id == model.id, Version.sha256 == sha256, Version.withdrawn.is_(None))
    return session.scalars(twins.order_by(Version.number)).all()


def next_number(session: Session, model: Model) -> int:
    """Return the number of a model's next version; the model's row must be locked."""
    newest = session.scalar(select(func.max(Version.number)).where(Version.model_id == model.id))
    return (newest or 0) + 1
