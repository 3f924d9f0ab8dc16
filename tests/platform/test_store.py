"""The database and the model store by themselves, on each kind there is."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from sqlalchemy import inspect, text

from hub_config.platform.store import uploads
from hub_config.platform.store.blobs import BlobStore
from hub_config.platform.store.database import Database
from hub_config.platform.store.locks import named_lock
from hub_config.platform.store.migrations import alembic_config, migrate
from hub_config.platform.store.tables import Base

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"content" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def test_migrations_lead_from_nothing_to_the_models_and_back(database: Database) -> None:
    with database.engine.connect() as connection:
        command.check(alembic_config(connection))
    assert set(Base.metadata.tables) < set(inspect(database.engine).get_table_names())
    migrate(database)
    with database.engine.connect() as connection:
        command.downgrade(alembic_config(connection.execution_options(writing=True)), "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]


def test_processes_that_start_together_migrate_once(database_url: str, make_settings: Any, start: Any) -> None:
    make_settings(database_url)
    processes = [start("hub_config.platform.migrate", "migrate") for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    with Database(database_url).read() as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).all() == [("0002",)]
        assert session.scalar(text("SELECT count(*) FROM versions")) == 0


def test_what_fails_is_not_kept(database: Database) -> None:
    def fail() -> None:
        with database.write() as session:
            uploads.record(session, "rosa", DIGEST, 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.read() as session:
        assert uploads.sizes(session, "rosa", [DIGEST]) == {}


def test_a_reader_is_not_kept_waiting_and_sees_one_state(database: Database) -> None:
    with database.write() as writing:
        uploads.record(writing, "rosa", DIGEST, 1)
        with database.read() as reading:
            assert uploads.sizes(reading, "rosa", [DIGEST]) == {}
    with database.read() as reading:
        assert uploads.sizes(reading, "rosa", [DIGEST]) == {DIGEST: 1}


def test_a_lock_has_one_holder(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    mine, yours = named_lock(database, "controller"), named_lock(other, "controller")
    assert mine.acquire()
    assert mine.held()
    assert not yours.acquire()
    assert not yours.held()
    assert named_lock(other, "another").acquire()
    mine.release()
    assert not mine.held()
    assert yours.acquire()
    yours.release()
    other.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_lost_connection_is_a_lost_lock(database: Database) -> None:
    lock = named_lock(database, "controller")
    assert lock.acquire()
    with database.write() as session:
        session.execute(text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"))
    assert not lock.held()
    assert lock.acquire()
    lock.release()


@pytest.fixture(params=["folder", "file URL", "memory", "odd name"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    odd = tmp_path / "a store #1 %20 é"
    places = {"folder": str(tmp_path / "store"), "file URL": f"file://{tmp_path}/store", "odd name": str(odd)}
    return BlobStore(places.get(request.param, f"memory://{tmp_path}"))


def test_a_file_is_there_whole_or_not_at_all(store: BlobStore) -> None:
    incoming = store.incoming()
    incoming.write(CONTENT[:100])
    incoming.write(CONTENT[100:])
    assert store.size(DIGEST) is None
    assert (incoming.sha256, incoming.size) == (DIGEST, len(CONTENT))
    incoming.keep()
    incoming.discard()
    assert store.size(DIGEST) == len(CONTENT)
    assert b"".join(store.read(DIGEST)) == CONTENT


def test_a_discarded_file_leaves_nothing(store: BlobStore) -> None:
    incoming = store.incoming()
    incoming.write(CONTENT)
    incoming.discard()
    incoming.discard()
    assert store.sweep(older_than=-10) == 0
    with pytest.raises(FileNotFoundError):
        next(store.read(DIGEST))


def test_a_file_may_be_written_twice(store: BlobStore) -> None:
    first, second = store.incoming(), store.incoming()
    for incoming in (first, second):
        incoming.write(CONTENT)
    first.keep()
    second.keep()
    assert b"".join(store.read(DIGEST)) == CONTENT


def test_what_killed_uploads_left_is_swept_when_old(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.sweep(older_than=100) == 0
    store.incoming().write(CONTENT)
    assert store.sweep(older_than=100) == 0
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 101)
    assert store.sweep(older_than=100) == 1
    assert store.sweep(older_than=100) == 0
