"""A file that a sync sent, and that arrived damaged, is not called the same by the next one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from imagine_lib.errors import StorageError
from imagine_lib.storage import sync
from tests.storage.passage import damaged

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def here(tmp_path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "a").write_bytes(b"first content")
    return folder


def break_puts(passage, away_after: int = 1000):
    """Damage what is put; after so many, take the storage away."""
    honest, puts = passage._pass, []

    def lie(handler, body):
        if len(puts) >= away_after:
            raise OSError
        if handler.command == "PUT":
            puts.append(handler.path)
            return honest(handler, damaged(body, 0.5))
        return honest(handler, body)

    passage._pass = lie
    return lambda: setattr(passage, "_pass", honest)


def test_an_update_that_arrives_damaged_each_time(fs, place, here):
    sync(here, "nextcloud:/there")
    (here / "a").write_bytes(b"other content")
    mend = break_puts(place.passage)
    report = sync(here, "nextcloud:/there", filesystem=place.files(patience=1))
    assert list(report.failed) == ["a"]
    assert fs.cat_file("there/a") == b"first content"
    mend()
    report = sync(here, "nextcloud:/there")
    assert report.uploaded == ["a"]
    assert fs.cat_file("there/a") == b"other content"
    assert sync(here, "nextcloud:/there").unchanged == 1


def test_a_new_file_that_arrives_damaged_before_the_network_goes(fs, place, here):
    mend = break_puts(place.passage, away_after=1)
    try:
        report = sync(here, "nextcloud:/there", filesystem=place.files(patience=1))
    except StorageError:
        report = None
    mend()
    assert report is None or list(report.failed) == ["a"]
    assert fs.cat_file("there/a") != b"first content"
    for _ in range(2):
        report = sync(here, "nextcloud:/there", delete=True)
        assert (report.unchanged, report.conflicts, report.downloaded) == (0, ["a"], [])
    assert (here / "a").read_bytes() == b"first content"


def test_a_file_in_doubt_that_arrived_whole_is_the_same(fs, place, here):
    """The storage goes away with the answer to what was sent."""

    def go_away(_: int) -> None:
        if "capabilities" in place.passage.seen[-1][1]:
            place.passage.breaking(0, 1.0, ("close after",))

    place.passage.hook = go_away
    for number in range(20):
        (here / f"f{number}").write_bytes(b"x" * number)
    with pytest.raises(StorageError):
        sync(here, "nextcloud:/there", filesystem=place.files(patience=0.2))
    place.passage.hook = None
    place.passage.reset()
    report = sync(here, "nextcloud:/there")
    assert (report.conflicts, report.failed) == ([], {})
    for path in here.iterdir():
        assert fs.cat_file(f"there/{path.name}") == path.read_bytes()
    place.passage.reset()
    assert sync(here, "nextcloud:/there").unchanged == 21
    assert place.passage.counts == {"PROPFIND": 1}


def test_what_is_compared_by_content_takes_no_memory(fs, place, here, monkeypatch):
    """A large file comes to disk, and nothing of it stays there."""
    monkeypatch.setattr("imagine_lib.storage.transfer.reading.PART", 64_000)
    content = os.urandom(1_000_000)
    for name, theirs in (("same", content), ("other", content[:-1] + b"-")):
        (here / name).write_bytes(content)
        os.utime(here / name, (10**9, 10**9))
        fs.pipe_file(f"there/{name}", theirs)
    place.passage.reset()
    report = sync(here, "nextcloud:/there")
    assert (report.conflicts, report.unchanged) == (["other"], 1)
    ranges = [headers.get("Range") for command, _, headers in place.passage.seen if command == "GET"]
    assert ranges.count("bytes=0-63999") == 2
    assert [path for path in place.cache.rglob("*") if path.is_file() and path.stat().st_size > 100_000] == []
