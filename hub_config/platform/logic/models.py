"""Shared models: publish, find, load, withdraw. A version is immutable; a number is given once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hub_config.platform.errors import Conflict, Gone, Invalid, NotAllowed, NotFound
from hub_config.platform.logic import packages
from hub_config.platform.store.shelf import Shelf, loadable_twins, locked_model, next_number
from hub_config.platform.store.tables import Version, VersionAudience, VersionFile
from imagine_lib import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from hub_config.platform.logic.access import Caller
    from hub_config.platform.logic.blobs import Blobs
    from hub_config.platform.logic.paging import Paging
    from hub_config.platform.store.database import Database


class Models:
    """The shared models.

    Parameters
    ----------
    database
        Where versions are kept.
    blobs
        Their files.
    """

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    def publish(self, caller: Caller, name: str, request: wire.PublishRequest) -> tuple[wire.ModelVersion, bool]:
        """Make a version of files that the caller has uploaded.

        Parameters
        ----------
        caller
            The owner.
        name
            The model's name.
        request
            The package's files, and who may see it.

        Returns
        -------
        wire.ModelVersion
        bool
            Whether it is new; False when the same package had been published for the same audience before.

        Raises
        ------
        NotAllowed
            The audience names a group that the caller is not in.
        Conflict
            Files were not uploaded by the caller; ``missing`` lists them.
        Invalid
            The files are no package that can be trusted.
        """
        audience = _audience(caller, request.audience)
        packages.check_files(request.files)
        if missing := self._blobs.missing(caller, request.files):
            raise Conflict(
                f"{len(missing)} of the package's files were not uploaded by you: upload them, then publish again.",
                missing=missing,
            )
        contents = {
            entry.path: self._blobs.read(entry) for entry in request.files if entry.path in packages.TEXT_LIMITS
        }
        manifest = packages.read_manifest(contents[packages.MANIFEST], request.files)
        draft = _draft(caller.name, name, request.files, manifest, packages.read_card(contents[packages.CARD]))
        with self._database.write() as session:
            model = locked_model(session, caller.name, name)
            for twin in loadable_twins(session, model, draft.sha256):
                if {row.audience for row in twin.audience} == set(audience):
                    return _wire(twin), False
            draft.model, draft.number = model, next_number(session, model)
            draft.audience = [VersionAudience(audience=who) for who in audience]
            session.add(draft)
            session.flush()
            return _wire(draft), True

    def newest(self, caller: Caller, text: str, owner: str | None, paging: Paging) -> wire.Page[wire.SharedModel]:
        """Return a page of the models that the caller may load, each as its newest version."""
        with self._database.read() as session:
            found = _shelf(session, caller).newest(text.casefold().split(), owner, paging.offset, paging.limit)
            return paging.page([_line(version) for version in found[0]], found[1])

    def versions(self, caller: Caller, owner: str, name: str, paging: Paging) -> wire.Page[wire.ModelVersion]:
        """Return a page of a model's versions, newest first, the withdrawn ones among them.

        Raises
        ------
        NotFound
            There is none that the caller may see.
        """
        with self._database.read() as session:
            found, total = _shelf(session, caller).versions(owner, name, paging.offset, paging.limit)
            if not total:
                raise _unknown(caller, owner, name, None)
            return paging.page([_wire(version) for version in found], total)

    def version(self, caller: Caller, owner: str, name: str, number: int | None) -> wire.ModelVersion:
        """Return one version; without a number the newest that can be loaded, or else the newest.

        Raises
        ------
        NotFound
            There is none that the caller may see.
        """
        with self._database.read() as session:
            return _wire(_find(session, caller, owner, name, number))

    def file(
        self, caller: Caller, owner: str, name: str, number: int | None, path: str
    ) -> tuple[wire.FileEntry, Iterator[bytes]]:
        """Return a file of a version, and its content.

        Raises
        ------
        NotFound
            There is none that the caller may see.
        Gone
            The version was withdrawn.
        Damaged
            The file is gone or changed.
        """
        version = self.version(caller, owner, name, number)
        label = f"{owner}/{name} version {version.version}"
        if version.withdrawn is not None:
            raise Gone(
                f"{label} was withdrawn and can no longer be loaded ({version.withdrawn}): choose another version."
            )
        entry = next((entry for entry in version.files if entry.path == path), None)
        if entry is None:
            raise NotFound(f"{label} has no file {path}: it has {', '.join(entry.path for entry in version.files)}.")
        return entry, self._blobs.stream(entry)

    def withdraw(self, caller: Caller, owner: str, name: str, number: int | None, reason: str) -> wire.ModelVersion:
        """Take a version back: it stays listed, with the reason, and can no longer be loaded.

        Raises
        ------
        NotFound
            There is none that the caller may see.
        NotAllowed
            The caller is neither its owner nor an admin.
        Conflict
            It was withdrawn for another reason before.
        """
        if not all(letter.isprintable() or letter.isspace() for letter in reason):
            raise Invalid("The reason holds a character that is no text: write it in plain words.")
        with self._database.write() as session:
            version = _find(session, caller, owner, name, number)
            if caller.name != owner and not caller.admin:
                raise NotAllowed(f"Only {owner} or an admin can withdraw {owner}/{name}: ask one of them.")
            if version.withdrawn not in (None, reason):
                raise Conflict(f"It was withdrawn before ({version.withdrawn}): the first reason stays.")
            version.withdrawn = reason
            session.flush()
            return _wire(version)


def _audience(caller: Caller, wanted: list[str]) -> list[str]:
    audience = sorted(set(wanted))
    for who in audience:
        kind, _, name = who.partition(":")
        if not who.isprintable():
            raise Invalid(f"The audience {who!r} holds a character that no name has: correct it.")
        if kind == "group" and name not in caller.groups:
            raise NotAllowed(f"You are not in the group {name}, so you cannot share with it: choose one of yours.")
    return audience


def _draft(owner: str, name: str, files: list[wire.FileEntry], manifest: wire.ModelManifest, card: str) -> Version:
    summary = packages.first_sentence(card)
    base = manifest.provenance.base
    searched = [owner, name, summary, manifest.task, base or "", *(entry.name for entry in manifest.classes)]
    return Version(
        sha256=wire.package_hash(files),
        created=datetime.now(UTC),
        task=manifest.task,
        status=manifest.status,
        class_count=len(manifest.classes),
        base=base,
        metrics=manifest.metrics.model_dump_json() if manifest.metrics else None,
        summary=summary,
        words="\n".join(searched).casefold(),
        manifest=manifest.model_dump_json(by_alias=True),
        card=card,
        files=[VersionFile(**entry.model_dump()) for entry in files],
    )


def _shelf(session: Session, caller: Caller) -> Shelf:
    return Shelf(session, caller.name, caller.audiences)


def _find(session: Session, caller: Caller, owner: str, name: str, number: int | None) -> Version:
    version = _shelf(session, caller).version(owner, name, number)
    if version is None:
        raise _unknown(caller, owner, name, number)
    return version


def _unknown(caller: Caller, owner: str, name: str, number: int | None) -> NotFound:
    label = f"{owner}/{name} version {number}" if number else f"{owner}/{name}"
    if owner == caller.name:
        return NotFound(f"You share no model {label}: look for its name under My models in the panel.")
    return NotFound(
        f"There is no shared model {label} for you: look for its name under Shared with me in the panel, "
        f"or ask {owner} to share it."
    )


def _wire(version: Version) -> wire.ModelVersion:
    return wire.ModelVersion(
        owner=version.model.owner,
        name=version.model.name,
        version=version.number,
        sha256=version.sha256,
        created=version.created,
        audience=sorted(row.audience for row in version.audience),
        withdrawn=version.withdrawn,
        manifest=wire.ModelManifest.model_validate_json(version.manifest),
        files=[
            wire.FileEntry(path=row.path, sha256=row.sha256, size=row.size)
            for row in sorted(version.files, key=lambda row: row.path)  # the database's order depends on its locale
        ],
        card=version.card,
    )


def _line(version: Version) -> wire.SharedModel:
    return wire.SharedModel(
        owner=version.model.owner,
        name=version.model.name,
        latest=version.number,
        created=version.created,
        task=wire.Task(version.task),
        status=wire.ModelStatus(version.status),
        classes=version.class_count,
        metrics=wire.TestMetrics.model_validate_json(version.metrics) if version.metrics else None,
        base=version.base,
        summary=version.summary,
    )
