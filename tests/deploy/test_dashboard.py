"""The dashboard asks for figures that exist, by labels that they have."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import jupyterhub.metrics
from prometheus_client import CollectorRegistry, generate_latest

from hub_config.hardware import GPUFlavour
from hub_config.platform.api.metrics import REQUEST_SECONDS, Boards
from hub_config.platform.logic.capacity import CapacityBoard
from hub_config.platform.logic.status import StatusBoard
from hub_config.platform.store.database import Database
from hub_config.platform.store.migrations import migrate
from hub_config.spawn.limits import Held
from hub_config.spawn.metrics import servers
from imagine_lib.wire import ServiceState
from tests.conftest import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DASHBOARD = json.loads((PROJECT / "hub_config" / "deploy" / "dashboard.json").read_text())
SERIES = re.compile(r"\b((?:imagine|jupyterhub|process)_\w+)(?:\{([^}]*)\})?")
BY = re.compile(r"by \(([^)]*)\)")


def existing(folder: Path) -> dict[str, set[str]]:
    """Return the labels of each series that the hub and the platform have, once something has happened."""
    jupyterhub.metrics.SERVER_SPAWN_DURATION_SECONDS.labels("success", "none").observe(1)
    jupyterhub.metrics.ACTIVE_USERS.labels(period="24h").set(1)
    servers.began("gpu", Held("dashboard", "users", 1, "a100"))
    REQUEST_SECONDS.labels("GET", "/status", 200).observe(0.01)
    database = Database(f"sqlite:///{folder}/platform.sqlite")
    migrate(database)
    status = StatusBoard(database)
    status.record([ServiceState(name="IAM", state="up")], every=60)
    registry = CollectorRegistry()
    registry.register(Boards(status, CapacityBoard(database, {"a100": GPUFlavour(title="A100", count=1)})))
    text = generate_latest(registry).decode() + generate_latest().decode()
    servers.ended("dashboard")
    database.close()
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? ", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def questions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_every_figure_exists_with_the_labels_that_are_asked_for(tmp_path: Path) -> None:
    found = existing(tmp_path)
    for question in questions():
        assert SERIES.search(question), question
        for name, selection in SERIES.findall(question):
            assert name in found, question
            wanted = set(re.findall(r"(\w+)=", selection))
            for labels in BY.findall(question):
                wanted |= {label.strip() for label in labels.split(",")} - {"job"}
            assert wanted <= found[name], question


def test_panels_have_numbers_and_places_of_their_own_and_one_source() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (x, y)
        for panel in panels
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert all(x < 24 for x, _ in taken)
    assert {panel["datasource"]["uid"] for panel in panels} == {"${source}"}
