"""``python -m hub_config.platform.controller``: act, or wait to act, until SIGTERM."""

from __future__ import annotations

import signal
from threading import Event

from hub_config.platform.controller.duties import duties
from hub_config.platform.controller.leader import lead
from hub_config.platform.logic.capacity import CapacityBoard
from hub_config.platform.logic.catalogue import Catalogue
from hub_config.platform.logic.status import StatusBoard
from hub_config.platform.process import begin
from hub_config.platform.store.blobs import BlobStore
from hub_config.platform.store.database import Database
from hub_config.platform.store.locks import named_lock
from hub_config.platform.store.migrations import migrate


def main() -> None:
    """Migrate, then lead or wait."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    loaded = begin()
    database = Database(loaded.platform.database_url)
    migrate(database)
    store = BlobStore(loaded.platform.model_store)
    capacity = CapacityBoard(database, loaded.spawn.gpu_flavours)
    todo = duties(loaded, StatusBoard(database), capacity, Catalogue(database), store)
    lead(named_lock(database, "controller"), todo, stop)
    database.close()


if __name__ == "__main__":
    main()
