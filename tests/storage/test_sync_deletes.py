"""A sync deletes what was deleted, and never what it could not see."""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from pathlib import Path

import pytest

from imagine_lib.errors import StorageError
from imagine_lib.storage import Credential, NextcloudFileSystem, shares, sync
from tests.storage.altering import answers, without

FILES = {"a": b"a", "b": b"b", "deep/c": b"c", "deep/d": b"d", "deep/er/e": b"e"}
SENTENCE = re.compile(r"(?:nextcloud:/|/)[^\n]{10,400}\.")


@pytest.fixture
def here(fs, tmp_path) -> Path:
    """A folder that was just made the same as nextcloud:/there."""
    folder = tmp_path / "here"
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    assert len(sync(folder, "nextcloud:/there").uploaded) == 5
    return folder


def there(fs) -> dict[str, bytes]:
    return {path.removeprefix("there/"): fs.cat_file(path) for path in fs.find("there")}


def found(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(folder: Path, **options) -> str:
    with pytest.raises(StorageError) as error:
        sync(folder, "nextcloud:/there", delete=True, **options)
    assert SENTENCE.fullmatch(str(error.value))
    return str(error.value)


@pytest.mark.parametrize("state", ["missing", "empty", "of another disk"])
def test_a_folder_here_that_is_not_mounted(fs, here, state):
    here.rename(here.with_name("away"))
    if state != "missing":
        here.mkdir()
    if state == "of another disk":
        (here / "readme").write_text("the disk belongs here")
    for _ in range(2):
        for dry in (True, False):
            assert "has none of the files that the last sync left there" in refused(here, dry_run=dry)
    assert there(fs) == FILES
    if state != "missing":
        shutil.rmtree(here)
    here.with_name("away").rename(here)
    assert str(sync(here, "nextcloud:/there", delete=True)) == "nothing to do; 5 unchanged."


@pytest.mark.parametrize("state", ["renamed", "replaced", "empty"])
def test_a_folder_there_that_is_gone(fs, here, state):
    fs.mv("there", "elsewhere")
    if state != "renamed":
        fs.mkdir("there")
    if state == "replaced":
        fs.pipe_file("there/new", b"new")
    assert "nextcloud:/there has none" in refused(here)
    assert found(here) == FILES
    sync(here, "nextcloud:/there")
    assert FILES.items() <= there(fs).items()


def test_an_answer_without_entries(fs, place, here):
    fs = place.files(patience=0.5)
    empty = b'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"></d:multistatus>'
    with answers(place.passage, "PROPFIND", lambda path, body: empty):
        assert "arrives damaged" in refused(here, filesystem=fs)
    assert found(here) == FILES


def test_a_listing_that_leaves_something_out(fs, place, here):
    """A server that lists a tree only in part, but each folder whole."""
    with answers(place.passage, "PROPFIND", without("deep/c", "deep/er/e"), headers={"Depth": "infinity"}):
        report = sync(here, "nextcloud:/there", delete=True)
    assert (report.deleted_here, set(report.failed)) == ([], {"deep/c", "deep/er/e"})
    assert all(SENTENCE.fullmatch(why) for why in report.failed.values())
    assert found(here) == FILES
    assert sync(here, "nextcloud:/there", delete=True).unchanged == 5


def test_a_tree_whose_folder_goes_while_it_is_listed(fs, place, here):
    """Where a server lists no trees, its folders are listed one by one."""

    def refuse(path: str, body: bytes) -> int | bytes:
        return 403

    def lose(path: str, body: bytes) -> int | bytes:
        return 404 if path.rstrip("/").endswith("/deep") else body

    with answers(place.passage, "PROPFIND", refuse, headers={"Depth": "infinity"}):
        assert sync(here, "nextcloud:/there", delete=True).unchanged == 5
        with answers(place.passage, "PROPFIND", lose, headers={"Depth": "1"}):
            assert "changed while it was read" in refused(here)
    assert (found(here), there(fs)) == (FILES, FILES)


@pytest.mark.parametrize("what", ["deep", "deep/c"])
def test_what_became_a_link(fs, here, tmp_path, what):
    shutil.move(here / what, tmp_path / "big")
    (here / what).symlink_to(tmp_path / "big")
    report = sync(here, "nextcloud:/there", delete=True)
    assert report.left_out == {what: "it is a link"}
    assert (report.deleted_there, report.failed) == ([], {})
    assert there(fs) == FILES
    (here / what).unlink()
    shutil.move(tmp_path / "big", here / what)
    assert sync(here, "nextcloud:/there", delete=True).unchanged == 5


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ENOTCONN])
@pytest.mark.parametrize("what", ["deep", "deep/er", ""])
def test_a_folder_that_cannot_be_read(fs, here, monkeypatch, what, number):
    scandir, why = os.scandir, os.strerror(number)

    def fail(path):
        if Path(path) == here / what:
            raise OSError(number, why, str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", fail)
    if what:
        report = sync(here, "nextcloud:/there", delete=True)
        assert report.deleted_there == []
        assert list(report.failed) == [what]
        assert f"cannot be read ({why})" in report.failed[what]
    else:
        assert f"cannot be read ({why})" in refused(here)
    monkeypatch.undo()
    assert there(fs) == FILES


def test_a_disk_below_the_folder_that_is_not_mounted(fs, here, monkeypatch):
    with monkeypatch.context() as mounted:
        mounted.setattr(os.path, "ismount", lambda path: Path(path) == here / "deep")
        assert sync(here, "nextcloud:/there", delete=True).unchanged == 5
    (here / "deep").rename(here.with_name("unmounted"))
    (here / "deep").mkdir()
    for _ in range(2):
        report = sync(here, "nextcloud:/there", delete=True)
        assert (report.deleted_there, list(report.failed)) == ([], ["deep"])
        assert SENTENCE.fullmatch(report.failed["deep"])
    assert there(fs) == FILES
    sync(here, "nextcloud:/there")
    assert found(here) == FILES
    (here / "deep" / "c").unlink()
    assert sync(here, "nextcloud:/there", delete=True).deleted_there == ["deep/c"]


def test_a_share_below_the_folder_that_was_withdrawn(at, server, tmp_path):
    place, owner = at(server.account()), server.account()
    theirs = NextcloudFileSystem(Credential(url=server.url, user=owner.uid, password=owner.password))
    theirs.pipe({"cruise/x": b"x", "cruise/y": b"y"})
    share = shares.create("nextcloud:/cruise", user=place.account.uid, rights="write", filesystem=theirs)
    fs, here = place.files(), tmp_path / "all"
    fs.pipe_file("mine", b"mine")
    assert {"cruise/x", "cruise/y", "mine"} <= set(sync(here, "nextcloud:/").downloaded)
    shares.withdraw(share.id, theirs)
    for _ in range(2):
        report = sync(here, "nextcloud:/", delete=True)
        assert (report.deleted_here, report.uploaded, list(report.failed)) == ([], [], ["cruise"])
        assert report.failed["cruise"].startswith("nextcloud:/cruise has none of the files")
    assert (here / "cruise" / "x").read_bytes() == b"x"


def test_files_that_this_library_is_still_writing(fs, here):
    names = ["deep/.arriving-0123456789abcdef", "deep/.writing-a1_2b3c4"]
    fs.pipe(dict.fromkeys((f"there/{name}" for name in names), b"half"))
    for _ in range(2):
        assert sync(here, "nextcloud:/there", delete=True).unchanged == 5
    assert set(there(fs)) == {*FILES, *names}


def test_a_disk_that_tells_no_upper_from_lower_letters(fs, here, monkeypatch):
    """It lists one spelling, and finds the file by any."""
    (here / "deep" / "c").rename(here / "deep" / "C")
    lstat = Path.lstat
    monkeypatch.setattr(Path, "lstat", lambda path: lstat(path.with_name("C") if path.name == "c" else path))
    report = sync(here, "nextcloud:/there", delete=True)
    assert (report.deleted_there, report.uploaded) == ([], ["deep/C"])
    assert f"{here / 'deep' / 'c'} is there after all" in report.failed["deep/c"]
    assert FILES.items() <= there(fs).items()


def test_what_was_deleted_on_both_sides_and_restored(fs, here):
    stamp = (here / "a").stat()
    (here / "a").unlink()
    fs.rm_file("there/a")
    sync(here, "nextcloud:/there", delete=True)
    (here / "a").write_bytes(b"a")
    os.utime(here / "a", ns=(stamp.st_mtime_ns, stamp.st_mtime_ns))
    report = sync(here, "nextcloud:/there", delete=True)
    assert (report.deleted_here, report.uploaded) == ([], ["a"])


def test_folders_deleted_here_and_there_are_gone_on_both_sides(fs, here):
    for name in ("one", "two/three"):
        (here / name).mkdir(parents=True)
        (here / name / "f").write_bytes(b"f")
    sync(here, "nextcloud:/there")
    shutil.rmtree(here / "deep")
    fs.rm("there/two", recursive=True)
    (here / "one" / "f").unlink()
    report = sync(here, "nextcloud:/there", delete=True)
    assert (report.deleted_here, report.failed) == (["two/three/f"], {})
    assert report.deleted_there == ["deep/c", "deep/d", "deep/er/e", "one/f"]
    assert not (here / "two").exists()
    assert not (here / "deep").exists()
    assert not fs.exists("there/deep")
    assert not fs.exists("there/two")
    assert fs.isdir("there/one")
    assert str(sync(here, "nextcloud:/there", delete=True)) == "nothing to do; 2 unchanged."


def test_a_deleted_folder_with_something_new_in_it_stays(fs, here):
    shutil.rmtree(here / "deep")
    fs.pipe_file("there/deep/er/new", b"new")
    report = sync(here, "nextcloud:/there", delete=True)
    assert report.deleted_there == ["deep/c", "deep/d", "deep/er/e"]
    assert report.downloaded == ["deep/er/new"]
    assert there(fs) == found(here) == {"a": b"a", "b": b"b", "deep/er/new": b"new"}
    fs.rm("there/deep", recursive=True)
    (here / "deep" / "link").symlink_to("elsewhere")
    assert sync(here, "nextcloud:/there", delete=True).deleted_here == ["deep/er/new"]
    assert (here / "deep" / "link").is_symlink()


def test_without_the_wish_to_delete_folders_come_back(fs, here):
    shutil.rmtree(here / "deep")
    sync(here, "nextcloud:/there")
    assert found(here) == FILES


def test_how_many_requests_a_deletion_takes(fs, place, here):
    for name in ("a", "deep/c", "deep/d"):
        (here / name).unlink()
    place.passage.reset()
    sync(here, "nextcloud:/there", delete=True)
    assert place.passage.counts == {"PROPFIND": 1, "DELETE": 3}
    fs.rm("there/deep/er", recursive=True)
    place.passage.reset()
    sync(here, "nextcloud:/there", delete=True)
    assert place.passage.counts == {"PROPFIND": 2}


def test_a_plan_names_what_would_be_deleted(fs, here):
    (here / "a").unlink()
    fs.rm_file("there/b")
    told = str(sync(here, "nextcloud:/there", dry_run=True, delete=True)).splitlines()
    assert told[1:] == ["Would be deleted here: b", "Would be deleted there: a"]
    told = str(sync(here, "nextcloud:/there", delete=True)).splitlines()
    assert told[1:] == ["Deleted here: b", "Deleted there: a"]


def test_two_thousand_files_are_compared_quickly(fs, here):
    for number in range(2000):
        (here / f"f{number}").write_bytes(b"x")
    sync(here, "nextcloud:/there")
    begun = time.monotonic()
    assert sync(here, "nextcloud:/there", delete=True).unchanged == 2005
    assert time.monotonic() - begun < 10
