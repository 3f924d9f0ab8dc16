"""The tables of the platform's database, for SQLite and PostgreSQL alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, DateTime, ForeignKey, MetaData, String, Text, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

if TYPE_CHECKING:
    from sqlalchemy import Dialect


class Moment(TypeDecorator[datetime]):
    """A point in time: SQLite forgets time zones, so both databases keep UTC without one."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn an aware time into naive UTC."""
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn naive UTC into an aware time."""
        return value.replace(tzinfo=UTC) if value else None


class Base(DeclarativeBase):
    """The base of every table; constraints have names, so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Upload(Base):
    """Who brought which file: a user may publish only what they brought, never what they can merely name."""

    __tablename__ = "uploads"

    owner: Mapped[str] = mapped_column(String(255), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[datetime] = mapped_column(Moment)


class Model(Base):
    """A name under which an owner publishes; its row is the lock under which version numbers are given."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("owner", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(64))


class Version(Base):
    """An immutable version; only ``withdrawn`` is ever written again."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("model_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey(Model.id))
    number: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime] = mapped_column(Moment)
    withdrawn: Mapped[str | None] = mapped_column(Text)
    task: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(32))
    class_count: Mapped[int]
    base: Mapped[str | None] = mapped_column(Text)
    metrics: Mapped[str | None] = mapped_column(Text)
    """``wire.TestMetrics`` as JSON."""
    summary: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text)
    """What a search looks at, case-folded."""
    manifest: Mapped[str] = mapped_column(Text, deferred=True)
    """``wire.ModelManifest`` as JSON; lists do not read it."""
    card: Mapped[str] = mapped_column(Text, deferred=True)

    model: Mapped[Model] = relationship(lazy="joined", innerjoin=True)
    files: Mapped[list[VersionFile]] = relationship()
    audience: Mapped[list[VersionAudience]] = relationship()


class VersionFile(Base):
    """A file of a version."""

    __tablename__ = "version_files"

    version_id: Mapped[int] = mapped_column(ForeignKey(Version.id), primary_key=True)
    path: Mapped[str] = mapped_column(String(255), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(BigInteger)


class VersionAudience(Base):
    """Someone who may see a version: ``everyone``, ``user:NAME`` or ``group:NAME``."""

    __tablename__ = "version_audiences"

    version_id: Mapped[int] = mapped_column(ForeignKey(Version.id), primary_key=True)
    audience: Mapped[str] = mapped_column(String(262), primary_key=True, index=True)


class CatalogueRow(Base):
    """A module of the last good copy of the catalogue."""

    __tablename__ = "catalogue"

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    entry: Mapped[str] = mapped_column(Text)
    """``wire.CatalogueEntry`` as JSON."""


class CatalogueCopy(Base):
    """The one row that says which copy the catalogue's rows are, so that readers know when to read again."""

    __tablename__ = "catalogue_copy"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(64))
    refreshed: Mapped[datetime] = mapped_column(Moment)


class ServiceRow(Base):
    """What the controller last saw of a service."""

    __tablename__ = "services"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    message: Mapped[str] = mapped_column(Text)
    checked: Mapped[datetime] = mapped_column(Moment)
    every: Mapped[float]
    """Seconds between two looks: how soon the row is stale."""


class CapacityRow(Base):
    """The one row that says what the controller last saw of the cluster."""

    __tablename__ = "capacity"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    capacity: Mapped[str] = mapped_column(Text)
    """``wire.Capacity`` as JSON."""
    checked: Mapped[datetime] = mapped_column(Moment)
    every: Mapped[float]
    """Seconds between two looks: how soon the row is stale."""


class IncidentRow(Base):
    """A time in which a service did not answer."""

    __tablename__ = "incidents"

    id: Mapped[int] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(String(64))
    message: Mapped[str] = mapped_column(Text)
    began: Mapped[datetime] = mapped_column(Moment, index=True)
    ended: Mapped[datetime | None] = mapped_column(Moment)
    """None: it still does not."""
