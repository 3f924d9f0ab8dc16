"""Two folders made the same: what changed goes over, what changed on both sides stays and is said."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from imagine_lib.errors import StorageError, UsageError
from imagine_lib.storage import sync
from imagine_lib.storage.sync.comparing import LocalTree, RemoteTree, decide
from imagine_lib.storage.sync.state import SyncState
from imagine_lib.storage.webdav.protocol import Entry


@pytest.fixture
def here(tmp_path) -> Path:
    folder = tmp_path / "here"
    (folder / "deep").mkdir(parents=True)
    for name in ("a", "b", "deep/c"):
        (folder / name).write_text(name)
    return folder


def there(fs) -> dict[str, bytes]:
    return {path.removeprefix("there/"): fs.cat_file(path) for path in fs.find("there")}


def found(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_both_ways(fs, here):
    fs.pipe_file("there/d", b"d")
    (here / "empty").mkdir()
    plan = sync(here, "nextcloud:/there", dry_run=True)
    assert (plan.uploaded, plan.downloaded) == (["a", "b", "deep/c"], ["d"])
    assert there(fs) == {"d": b"d"}
    assert not (here / "d").exists()
    report = sync(here, "nextcloud:/there")
    assert (report.uploaded, report.downloaded) == (["a", "b", "deep/c"], ["d"])
    assert there(fs) == found(here) == {"a": b"a", "b": b"b", "deep/c": b"deep/c", "d": b"d"}
    assert fs.isdir("there/empty")
    assert str(sync(here, "nextcloud:/there")) == "nothing to do; 4 unchanged."
    (here / "a").write_text("newer here")
    fs.pipe_file("there/b", b"newer there")
    report = sync(here, "nextcloud:/there")
    assert (report.uploaded, report.downloaded, report.conflicts) == (["a"], ["b"], [])
    assert there(fs) == found(here)


def test_conflicts_are_listed_and_left_alone(fs, here):
    sync(here, "nextcloud:/there")
    (here / "a").write_text("mine")
    fs.pipe_file("there/a", b"theirs")
    (here / "same").write_text("same")
    fs.pipe_file("there/same", b"same")
    report = sync(here, "nextcloud:/there")
    assert report.conflicts == ["a"]
    assert "Conflict, left alone: a" in str(report)
    assert (here / "a").read_text() == "mine"
    assert fs.cat_file("there/a") == b"theirs"
    assert sync(here, "nextcloud:/there").conflicts == ["a"]


def test_a_change_in_the_middle_is_not_overwritten(fs, here, place):
    sync(here, "nextcloud:/there")
    (here / "a").write_text("mine")
    fs.pipe_file("there/b", b"theirs")
    changed = []

    def meddle(_: int) -> None:
        command, path, _headers = place.passage.seen[-1]
        if not changed and command in {"GET", "PUT"} and "/there/" in path:
            changed.append(path)
            (here / "b").write_text("mine too")
            place.directly().pipe_file("there/a", b"theirs too")

    place.passage.hook = meddle
    report = sync(here, "nextcloud:/there")
    place.passage.hook = None
    assert set(report.failed) == {"a", "b"}
    assert all("was not overwritten" in why for why in report.failed.values())
    assert (fs.cat_file("there/a"), (here / "b").read_text()) == (b"theirs too", "mine too")


def test_what_kept_its_tag_is_known_by_its_size(tmp_path):
    def plan(size: int) -> list[str]:
        mine, theirs = LocalTree(files={"f": (tmp_path / "f", (7, 3))}), Entry("f", False, size, "tag", "")
        known = SyncState(tmp_path / "known", files={"f": ("tag", (7, 3))})
        return decide(mine, RemoteTree(files={"f": theirs}), known, set(), "both", delete=False).download

    assert (plan(3), plan(4)) == ([], ["f"])


def test_one_way(fs, here):
    fs.pipe_file("there/d", b"d")
    assert sync(here, "nextcloud:/there", "down").uploaded == []
    assert found(here)["d"] == b"d"
    (here / "a").write_text("changed")
    fs.pipe_file("there/e", b"e")
    assert sync(here, "nextcloud:/there", "up").downloaded == []
    assert there(fs)["a"] == b"changed"
    with pytest.raises(UsageError, match="not 'sideways'"):
        sync(here, "nextcloud:/there", "sideways")


def test_deletions_only_by_wish_and_only_of_what_did_not_change(fs, here):
    sync(here, "nextcloud:/there")
    (here / "a").unlink()
    fs.rm_file("there/b")
    assert sync(here, "nextcloud:/there", "up", delete=False).deleted_there == []
    fs.rm_file("there/b")
    report = sync(here, "nextcloud:/there", delete=True)
    assert (report.deleted_here, report.deleted_there) == (["b"], ["a"])
    assert there(fs) == found(here) == {"deep/c": b"deep/c"}
    (here / "deep" / "c").unlink()
    fs.pipe_file("there/deep/c", b"changed there")
    report = sync(here, "nextcloud:/there", delete=True)
    assert report.deleted_there == []
    assert (here / "deep" / "c").read_bytes() == b"changed there"


def test_links_and_odd_files_are_left_out(fs, here, tmp_path):
    (tmp_path / "outside").mkdir()
    (here / "link").symlink_to(tmp_path / "outside")
    (here / "pointer").symlink_to(here / "a")
    os.mkfifo(here / "pipe")
    Path(os.fsdecode(os.fsencode(here) + b"/\xff")).write_text("x")
    fs.pipe_file("there/link/f", b"x")
    report = sync(here, "nextcloud:/there")
    assert set(report.left_out.values()) == {"it is a link", "it is no file", "its name is no UTF-8"}
    assert report.failed == {}
    assert list((tmp_path / "outside").iterdir()) == []


def test_one_odd_name_stops_no_other(fs, here):
    """Folders that one side cannot hold, and a file on one side that is a folder on the other."""
    refused = "data.part"
    (here / refused / "deeper").mkdir(parents=True)
    (here / refused / "deeper" / "x").write_text("x")
    (here / "file").write_text("mine")
    fs.pipe({"there/file/x": b"theirs", "there/good": b"good", "there/folder": b"theirs"})
    (here / "folder").mkdir()
    (here / "folder" / "x").write_text("mine")
    odd = Path(os.fsdecode(os.fsencode(here) + b"/\xff"))
    odd.mkdir()
    (odd / "x").write_text("x")
    report = sync(here, "nextcloud:/there")
    assert set(report.uploaded) == {"a", "b", "deep/c"}
    assert report.downloaded == ["good"]
    assert set(report.failed) == {refused, f"{refused}/deeper", f"{refused}/deeper/x", "file", "folder"}
    assert report.failed["file"] == (
        f"{here}/file is a file, and nextcloud:/there/file is a folder; give one of them another name."
    )
    assert all(f"nextcloud:/there/{refused}" in report.failed[path] for path in report.failed if refused in path)
    assert set(report.left_out.values()) == {"its name is no UTF-8"}
    assert fs.cat_file("there/file/x") == fs.cat_file("there/folder") == b"theirs"
    assert (here / "file").read_text() == (here / "folder" / "x").read_text() == "mine"


def test_a_folder_that_the_storage_does_not_take_at_all(fs, here):
    with pytest.raises(StorageError, match=r"^Your storage does not take nextcloud:/data\.part"):
        sync(here, "nextcloud:/data.part")


def test_a_folder_that_cannot_be_made_here_stops_no_other(fs, tmp_path):
    here = tmp_path / "/".join(["é" * 100] * 18)  # with more below it, more than a path may have
    here.mkdir(parents=True)
    deep = "/".join(["é" * 100] * 3)
    fs.makedirs(f"there/{deep}")
    fs.pipe({"there/good": b"good", f"there/{deep}/x": b"x"})
    report = sync(here, "nextcloud:/there")
    assert report.downloaded == ["good"]
    assert set(report.failed) == {deep, f"{deep}/x"}
    assert all("File name too long" in why and why.startswith("/") for why in report.failed.values())


def test_a_file_that_cannot_be_read_stops_no_other(fs, here, monkeypatch):
    fs.pipe({"there/a": b"A", "there/b": b"B"})
    os.utime(here / "a", (1, 1))
    os.utime(here / "b", (1, 1))
    opened = Path.open

    def fail(path, *arguments, **options):
        if path == here / "a":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", fail)
    report = sync(here, "nextcloud:/there")
    assert (list(report.failed), report.conflicts, report.uploaded) == (["a"], ["b"], ["deep/c"])


def test_kill_and_go_on(fs, here, place):
    for number in range(300):
        (here / f"f{number}").write_text(f"{number}" * 50)
    code = f"from imagine_lib.storage import sync; print(sync({str(here)!r}, 'nextcloud:/there'))"
    running = []
    for at in (4, 6, 8):
        place.passage.reset()
        place.passage.hook = lambda count, at=at: running[-1].send_signal(signal.SIGKILL) if count >= at else None
        running.append(place.start(code))
        running[-1].communicate(timeout=60)
    place.passage.hook = None
    report = sync(here, "nextcloud:/there")
    assert report.conflicts == []
    assert report.failed == {}
    assert there(fs) == found(here)


def test_a_file_is_no_folder(fs, here):
    fs.pipe_file("there", b"x")
    with pytest.raises(UsageError, match=r"^nextcloud:/there is a file: sync the folder that it lies in\.$"):
        sync(here, "nextcloud:/there")
    with pytest.raises(UsageError, match=f"^{here}/a is a file: sync the folder that it lies in\\.$"):
        sync(here / "a", "nextcloud:/there")
