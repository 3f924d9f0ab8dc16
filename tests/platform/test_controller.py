"""One controller acts at a time; what it sees is on the status page, and old news are doubted."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sqlalchemy import update

from hub_config.platform.controller import duties as duty_module
from hub_config.platform.controller import leader
from hub_config.platform.controller.duties import Duty, duties, look
from hub_config.platform.controller.leader import lead
from hub_config.platform.errors import NotFound
from hub_config.platform.logic.capacity import CapacityBoard
from hub_config.platform.logic.catalogue import Catalogue
from hub_config.platform.logic.paging import Paging
from hub_config.platform.logic.status import StatusBoard
from hub_config.platform.store.blobs import BlobStore
from hub_config.platform.store.database import Database
from hub_config.platform.store.locks import named_lock
from hub_config.platform.store.tables import ServiceRow
from imagine_lib.wire import ServiceState
from tests.platform.conftest import Neighbours, stop, until

if TYPE_CHECKING:
    from pathlib import Path

CONTROLLER = "hub_config.platform.controller"


def states(board: StatusBoard) -> dict[str, str]:
    return {service.name: service.state for service in board.read().services}


def write_module(folder: Path, name: str, title: str = "Plankton") -> None:
    links = {"source_code": "https://example.org/code"}
    metadata = {
        "metadata_version": "2.3.0",
        "title": title,
        "summary": "Names it.",
        "description": "Long.",
        "links": links,
    }
    metadata |= {
        "libraries": ["PyTorch"],
        "tasks": ["Classification"],
        "categories": ["AI4 inference"],
        "tags": [name],
    }
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "ai4-metadata.yml").write_text(yaml.safe_dump(metadata))


def test_two_controllers_and_the_death_of_the_first(
    database_url: str, make_settings: Any, start: Any, tmp_path: Path, neighbours: Neighbours
) -> None:
    make_settings(database_url, probe_seconds=0.5)
    write_module(tmp_path / "modules", "plankton")

    def acts(label: str) -> bool:
        log = (tmp_path / f"{label}.log").read_text()
        return log.count("acts now") > log.count("acts no more")

    first = start(CONTROLLER, "first")
    until(lambda: acts("first"), 60)
    board = StatusBoard(Database(database_url))
    well = {"IAM": "up", "storage": "up", "hub": "up", "catalogue": "up", "controller": "up"}
    until(lambda: {**states(board), "platform": ""} == {**well, "platform": ""})
    assert states(board)["platform"] == "down"  # no API runs in this test
    second = start(CONTROLLER, "second")
    until(lambda: "Waiting" in (tmp_path / "second.log").read_text(), 60)
    time.sleep(2)
    assert not acts("second")

    stop(first, signal.SIGKILL)
    until(lambda: acts("second"))
    neighbours.well = False
    until(lambda: states(board)["IAM"] == states(board)["hub"] == "down")
    third = start(CONTROLLER, "third")
    until(lambda: "Waiting" in (tmp_path / "third.log").read_text(), 60)
    assert stop(second) == 0
    until(lambda: acts("third"))
    assert stop(third) == 0
    assert "Traceback" not in (tmp_path / "third.log").read_text()


def test_a_leader_that_loses_its_lock_stops_acting_and_tries_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "POLL_SECONDS", 0.05)
    done: list[int] = []
    lock, end = named_lock(database, "controller"), Event()
    failing = Duty("fail", 0.01, lambda: 1 / 0)  # type: ignore[arg-type]
    thread = Thread(target=lead, args=(lock, [failing, Duty("count", 0.01, lambda: done.append(1))], end))
    thread.start()
    until(lambda: len(done) > 3)
    lock.release()
    until(lambda: lock.held())
    seen = len(done)
    until(lambda: len(done) > seen)
    end.set()
    thread.join(10)
    assert not lock.held()


def test_old_news_are_doubted(database: Database) -> None:
    board = StatusBoard(database)
    assert set(states(board).values()) == {"unknown"}
    board.record(look({"hub": "http://127.0.0.1:1/"}), 10)
    assert states(board)["hub"] == "down"
    assert states(board)["controller"] == "up"
    with database.write() as session:
        session.execute(update(ServiceRow).values(checked=datetime.now(UTC) - timedelta(seconds=39)))
    assert states(board)["hub"] == "down"
    with database.write() as session:
        session.execute(update(ServiceRow).values(checked=datetime.now(UTC) - timedelta(seconds=41)))
    assert states(board)["hub"] == "unknown"
    assert states(board)["controller"] == "down"


def test_a_look_says_what_is_wrong_and_nothing_of_the_inside(
    neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://{neighbours.address}"
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    seen = {state.name: state for state in look({"storage": address, "hub": "http://127.0.0.1:1", "IAM": "nonsense"})}
    assert [seen[name].state for name in ("storage", "hub", "IAM", "controller")] == ["up", "down", "down", "up"]
    assert seen["hub"].message == "It does not answer."
    monkeypatch.setattr(neighbours, "answer", lambda path, token: (200, {"maintenance": True}))
    assert look({"storage": address})[0].message == "It is in maintenance."
    monkeypatch.setattr(neighbours, "answer", lambda path, token: (200, "no object"))
    assert look({"storage": address})[0].message == "It does not answer as a Nextcloud does."
    neighbours.__dict__.pop("answer")
    neighbours.well = False
    assert look({"hub": address})[0].message == "It answers 503."


def test_the_last_good_copy_of_the_catalogue_is_kept(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, reader = tmp_path / "modules", Catalogue(database)
    catalogue = Catalogue(database)
    assert reader.search("", Paging()).total == 0
    assert "There is no copy yet." in catalogue.refresh(str(source)).message
    for name in ("plankton", "corals", "whales"):
        write_module(source, name, name.title())
    assert catalogue.refresh(str(source)).message == "3 modules"
    assert [entry.name for entry in reader.search("", Paging()).items] == ["corals", "plankton", "whales"]
    assert reader.search("", Paging(offset=1, limit=1)).next == 2
    assert [entry.name for entry in reader.search("coral", Paging()).items] == ["corals"]
    assert reader.get("whales").title == "Whales"

    source.rename(tmp_path / "away")
    state = catalogue.refresh(str(source))
    assert state.state == "down"
    assert state.message.startswith("Its source cannot be read. The copy of ")
    assert str(tmp_path) not in state.message
    assert "cannot be read" in caplog.text
    source.mkdir()
    assert catalogue.refresh(str(source)).state == "down"
    assert reader.search("", Paging()).total == 3

    write_module(source, "corals", "Cold corals")
    assert catalogue.refresh(str(source)).state == "up"
    assert [entry.title for entry in reader.search("", Paging()).items] == ["Cold corals"]
    with pytest.raises(NotFound, match=r"^The catalogue has no module whales: look at the list for its name"):
        reader.get("whales")


def test_ten_thousand_entries_are_parsed_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub_config.platform.logic import catalogue as module
    from imagine_lib.wire import CatalogueEntry

    entries = [CatalogueEntry(name=f"m{n}", title=f"Module {n}", summary="Names things.") for n in range(10_000)]
    monkeypatch.setattr(module, "load", lambda location: entries)
    catalogue = Catalogue(database)
    catalogue.refresh("")
    assert catalogue.search("", Paging()).total == 10_000
    begin = time.monotonic()
    assert catalogue.get("m9999").title == "Module 9999"
    assert time.monotonic() - begin < 0.5


def test_duties(make_settings: Any, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_module(tmp_path / "modules", "plankton")
    store = BlobStore(str(tmp_path / "model-store"))
    monkeypatch.setattr(duty_module, "UPLOAD_SECONDS", -10)
    store.incoming().write(b"left")
    board, loaded = StatusBoard(database), make_settings("sqlite://")
    for duty in duties(loaded, board, CapacityBoard(database, {}), Catalogue(database), store):
        duty.perform()
    assert states(board) == {
        "IAM": "up", "storage": "up", "hub": "up", "platform": "down", "catalogue": "up", "controller": "up",
    }  # fmt: skip
    assert not list((tmp_path / "model-store" / "incoming").iterdir())


def test_an_incident_lasts_from_the_second_failed_look_to_the_next_good_one(database: Database) -> None:
    board = StatusBoard(database)

    def see(state: str, message: str = "") -> None:
        board.record([ServiceState.model_validate({"name": "IAM", "state": state, "message": message})], every=60)

    see("up")
    assert board.read().incidents == []
    see("down", "It answers 503.")
    assert board.read().incidents == []
    see("down", "It does not answer.")
    see("down", "It answers 500.")
    (incident,) = board.read().incidents
    assert (incident.service, incident.message, incident.ended) == ("IAM", "It does not answer.", None)
    see("up")
    see("up")
    (incident,) = board.read().incidents
    assert incident.ended is not None
    assert incident.ended > incident.began
    see("down", "It answers 500.")
    see("down", "It answers 500.")
    assert [one.ended is None for one in board.read().incidents] == [True, False]
