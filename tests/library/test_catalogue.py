"""Metadata as it is found in the wild becomes entries; one broken module hides no other."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

import imagine_lib as im
from imagine_lib import catalogue
from imagine_lib.catalogue import load, search_entries
from imagine_lib.catalogue.metadata import parse_metadata
from imagine_lib.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imagine_lib.training.run import Run

CURRENT = """
metadata_version: 2.1.0
title: Seagrass mapping
summary: Finds seagrass on drone images
description: Long **text**
links: {source_code: https://example.org/x, odd: 3, script: "javascript:alert(1)"}
libraries: [PyTorch]
tasks: [Segmentation]
categories: [AI4 inference]
tags: seagrass
unknown_key: {kept: true}
"""


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    for name, file, text in [
        ("seagrass", "ai4-metadata.yml", CURRENT),
        (
            "old-module",
            "metadata.json",
            json.dumps({"title": "Old", "description": ["one", "two"], "keywords": ["fish"]}),
        ),
        ("broken", "ai4-metadata.yml", "title: [unclosed"),
        ("list", "ai4-metadata.yml", "- just\n- a list"),
        ("nothing", "README.md", "no metadata"),
    ]:
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
    (tmp_path / "binary").mkdir()
    (tmp_path / "binary" / "ai4-metadata.yml").write_bytes(b"\xff\xfe\x00")
    return tmp_path


@pytest.fixture
def served(modules: Path) -> Iterator[str]:
    (modules / "index.json").write_text(json.dumps({"modules": ["seagrass", "missing", "broken"]}))
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(modules))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/index.json"
        server.shutdown()


def test_good_modules_are_read_beside_broken_ones(modules: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert [entry.name for entry in load(str(modules))] == ["old-module", "seagrass"]
    assert "broken/ai4-metadata.yml cannot be read" in caplog.text


def test_a_served_catalogue_reads_the_same(served: str) -> None:
    entries = load(served)
    assert [entry.title for entry in entries] == ["Seagrass mapping"]


def test_a_served_model_is_fetched_once_and_verified(
    served: str, modules: Path, tiny: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IMAGINE_CATALOGUE", served)
    shutil.copytree(tiny.package.folder, modules / "seagrass" / "model")
    assert im.load("seagrass").package.sha256 == tiny.package.sha256
    (modules / "seagrass" / "model" / "model.safetensors").unlink()
    assert im.load("seagrass").package.sha256 == tiny.package.sha256


def test_odd_values_are_taken_as_far_as_they_go(modules: Path) -> None:
    entry = next(entry for entry in load(str(modules)) if entry.name == "seagrass")
    assert entry.tags == ["seagrass"]
    assert entry.links == {"source_code": "https://example.org/x"}
    assert not entry.launchable
    assert entry.status is None


def test_the_older_form_says_that_it_is(modules: Path) -> None:
    entry = next(entry for entry in load(str(modules)) if entry.name == "old-module")
    assert entry.description == "one\ntwo"
    assert entry.warnings == ["The metadata is in the older form (metadata.json)."]


def test_what_is_missing_is_said() -> None:
    entry = parse_metadata("x", "ai4-metadata.yml", "title: T", None)
    assert "The metadata has no 'summary'." in entry.warnings


def test_search_ranks_titles_over_descriptions_and_needs_every_word(modules: Path) -> None:
    entries = load(str(modules))
    assert [entry.name for entry in search_entries(entries, "seagrass DRONE")] == ["seagrass"]
    assert search_entries(entries, "seagrass whale") == []
    assert len(search_entries(entries, "")) == 2


def test_an_unknown_name_is_met_with_the_nearest(monkeypatch: pytest.MonkeyPatch, modules: Path) -> None:
    monkeypatch.setenv("IMAGINE_CATALOGUE", str(modules))
    with pytest.raises(CatalogueError, match=r"^The catalogue has no module 'seagras': did you mean 'seagrass'\?$"):
        catalogue.find("seagras")


def test_a_module_without_a_model_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch, modules: Path) -> None:
    with pytest.raises(CatalogueError, match="brings no model package"):
        catalogue.fetch_package(str(modules), "seagrass")


@pytest.mark.parametrize("location", ["/no/such/folder", "http://127.0.0.1:9/index.json"])
def test_a_catalogue_that_is_not_there_says_so(location: str) -> None:
    with pytest.raises(CatalogueError, match="cannot be read|does not answer"):
        load(location)


def test_the_table_is_safe_html(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "ai4-metadata.yml").write_text("title: <img src=x onerror=alert(1)>")
    monkeypatch.setenv("IMAGINE_CATALOGUE", str(tmp_path))
    assert "<img" not in catalogue.search("")._repr_html_()
