"""Large files in chunks that survive a crash, small ones in batches, conditions that hold."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from imagine_lib.errors import StorageError
from imagine_lib.storage.transfer.bulk import put_many
from imagine_lib.storage.transfer.content import Content
from imagine_lib.storage.transfer.upload import Upload
from imagine_lib.storage.transfer.writing import put

CHUNKED = (
    "import sys; from imagine_lib.storage import NextcloudFileSystem;"
    "from imagine_lib.storage.transfer import chunks, writing;"
    "chunks.CHUNK = 100_000; writing.IN_MEMORY = 50_000;"
    "NextcloudFileSystem().put_file(sys.argv[1] if len(sys.argv) > 1 else {path!r}, 'big/f', chunked_above=1)"
)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr("imagine_lib.storage.transfer.chunks.CHUNK", 100_000)
    monkeypatch.setattr("imagine_lib.storage.transfer.writing.IN_MEMORY", 50_000)


def test_a_large_file_goes_in_chunks(fs, place, tmp_path, small_chunks):
    content = random.Random(1).randbytes(1_234_567)
    (tmp_path / "f").write_bytes(content)
    os.utime(tmp_path / "f", (1_600_000_000, 1_600_000_000))
    fs.put_file(tmp_path / "f", "new/f", chunked_above=1_000_000)
    assert fs.cat_file("new/f") == content
    assert fs.modified("new/f").timestamp() == 1_600_000_000
    assert place.passage.counts["PUT"] >= 13
    place.passage.reset()
    fs.put_file(tmp_path / "f", "new/g", chunked_above=2_000_000)
    assert place.passage.counts["PUT"] == 1


def test_chunks_under_a_condition(fs, tmp_path, small_chunks):
    (tmp_path / "f").write_bytes(b"x" * 300_000)
    fs.pipe_file("f", b"theirs")
    with pytest.raises(FileExistsError):
        fs.put_file(tmp_path / "f", "f", mode="create", chunked_above=1)
    assert fs.cat_file("f") == b"theirs"


def test_kill_and_go_on(fs, place, tmp_path, small_chunks):
    content = random.Random(2).randbytes(3_000_000)
    (tmp_path / "f").write_bytes(content)
    fs.makedirs("big")
    place.passage.reset()
    killed = []

    def kill_at(number: int):
        def hook(count: int) -> None:
            if count == number:
                killed[-1].send_signal(signal.SIGKILL)

        return hook

    for number in (10, 16, 13):  # at each, four chunks are under way that nobody has acknowledged
        place.passage.seen.clear()
        place.passage.hook = kill_at(number)
        killed.append(place.start(CHUNKED.format(path=str(tmp_path / "f"))))
        killed[-1].communicate(timeout=60)
        assert killed[-1].returncode == -signal.SIGKILL
        assert not fs.exists("big/f")
    place.passage.hook = None
    place.passage.reset()
    program = place.start(CHUNKED.format(path=str(tmp_path / "f")))
    output = program.communicate(timeout=60)[0]
    assert program.returncode == 0, output
    assert place.passage.counts["PUT"] < 24
    assert fs.cat_file("big/f") == content


def test_a_file_that_changed_after_the_crash_is_sent_anew(fs, place, tmp_path, small_chunks):
    path = tmp_path / "f"
    path.write_bytes(b"a" * 1_000_000)
    place.passage.hook = lambda count: program.send_signal(signal.SIGKILL) if count == 7 else None
    program = place.start(CHUNKED.format(path=str(path)))
    program.communicate(timeout=60)
    place.passage.hook = None
    path.write_bytes(b"b" * 1_000_000)
    fs.put_file(path, "big/f", chunked_above=1)
    assert fs.cat_file("big/f") == b"b" * 1_000_000


def test_a_file_that_changes_while_it_is_sent_is_not_stored(fs, place, tmp_path, monkeypatch):
    monkeypatch.setattr("imagine_lib.storage.transfer.writing.IN_MEMORY", 1000)
    path = tmp_path / "f"
    path.write_bytes(b"a" * 5_000_000)
    content = Content.of(path)
    path.write_bytes(b"b" * 5_000_000)
    with pytest.raises(StorageError, match="changed while it was read; nothing was stored"):
        fs.run(put(fs.client, "f", content))
    time.sleep(1)  # what has been sent whole is stored in this time
    assert not fs.exists("f")


def test_a_log_that_grows_while_it_is_sent_is_not_stored(fs, tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_bytes(b"line\n" * 4_000_000)
    content = Content.of(path)
    blocks = Content._blocks

    def growing(self, start, end):
        for block in blocks(self, start, end):
            with path.open("ab") as file:
                file.write(b"line\n")
            yield block

    monkeypatch.setattr(Content, "_blocks", growing)
    with pytest.raises(StorageError, match="changed while it was read; nothing was stored"):
        fs.run(put(fs.client, "log", content))
    time.sleep(1)
    assert not fs.exists("log")


def write(fs):
    fs.pipe_file("f", b"mine" * 30_000)


def append(fs):
    with fs.open("f", "ab") as file:
        file.write(b"mine" * 30_000)


def send(fs):
    fs.put_file(__file__, "f")


@pytest.mark.parametrize("work", [write, append, send])
def test_what_breaks_off_leaves_the_old_file_as_it_was(place, work):
    place.directly().pipe_file("f", b"old")
    for fault in ("half a request", "close before"):
        place.passage.breaking(1, 1.0, (fault,))
        with pytest.raises(StorageError):
            work(place.files(patience=0.5))
        place.passage.reset()
        assert place.directly().cat_file("f") == b"old"


def test_what_is_replaced_stays_the_same_file(place, fs):
    properties = ("oc:fileid", "oc:favorite")
    fs.pipe_file("f", b"old")
    before = place.account.properties("/f", *properties)
    place.passage.reset()
    fs.pipe_file("f", b"newer")
    assert place.passage.counts == {"PUT": 2, "GET": 1, "MKCOL": 1, "MOVE": 1}  # the GET: the server's abilities
    fs.pipe_file("f", b"")
    fs.pipe_file("f", b"newest")
    assert fs.cat_file("f") == b"newest"
    assert place.account.properties("/f", *properties) == before


def many(fs, uploads):
    done, failed = {}, {}
    fs.run(
        put_many(
            fs.client,
            uploads,
            lambda upload, etag: done.__setitem__(upload.path, etag),
            lambda upload, why: failed.__setitem__(upload.path, str(why)),
        )
    )
    return done, failed


def test_many_small_files_go_in_few_requests(fs, place):
    contents = {f"many/{'ab'[n % 2]}/é {n}%.bin": random.Random(n).randbytes(n * 7 % 3000) for n in range(600)}
    place.passage.reset()
    done, failed = many(fs, [Upload(path, Content.of(content)) for path, content in contents.items()])
    assert failed == {}
    assert {entry["name"]: entry["etag"] for entry in fs.find("many", detail=True).values()} == done
    assert all(fs.cat_file(path) == contents[path] for path in list(contents)[::37])
    assert place.passage.counts["POST"] == 3
    assert place.passage.counts["PUT"] == 0


def test_what_a_batch_does_not_take_is_sent_alone_or_said(fs, place):
    fs.pipe_file("d/mine", b"theirs")
    uploads = [Upload(f"d/{n}", Content.of(b"%d" % n)) for n in range(10)]
    uploads += [Upload("d/a.part", Content.of(b"x")), Upload("d/mine", Content.of(b"mine"), new=True)]
    done, failed = many(fs, uploads)
    assert sorted(done) == [f"d/{n}" for n in range(10)]
    assert set(failed) == {"d/a.part", "d/mine"}
    assert fs.cat_file("d/mine") == b"theirs"
    assert "exists already" in failed["d/mine"]


def test_a_server_that_fails_at_a_batch(fs, monkeypatch):
    monkeypatch.setattr("imagine_lib.storage.transfer.bulk._body", lambda *_: b"--no such boundary")
    done, failed = many(fs, [Upload(f"d/{n}", Content.of(b"%d" % n), new=True) for n in range(9)])
    assert (len(done), failed) == (9, {})
    assert fs.cat_file("d/8") == b"8"


def test_a_server_without_batches(fs, place, monkeypatch):
    monkeypatch.setattr("imagine_lib.storage.transfer.bulk.FEW", 10**6)
    done, failed = many(fs, [Upload(f"d/{n}", Content.of(b"%d" % n)) for n in range(20)])
    assert len(done) == place.passage.counts["PUT"] == 20
    assert failed == {}
