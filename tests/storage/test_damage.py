"""What arrives damaged, in doubt or from someone else is never taken for what was sent."""

from __future__ import annotations

import os
import random
import threading
import time

import pytest

from imagine_lib.errors import StorageError
from imagine_lib.storage import sync
from imagine_lib.storage.transfer.bulk import put_many
from imagine_lib.storage.transfer.chunks import chunk_length, upload_name
from imagine_lib.storage.transfer.content import Content
from imagine_lib.storage.transfer.upload import InDoubt, Upload
from imagine_lib.storage.transfer.writing import put
from tests.storage.test_key import Scripted, files, scripted  # noqa: F401


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("imagine_lib.storage.webdav.retries.FIRST_WAIT", 0.01)
    monkeypatch.setattr("imagine_lib.storage.webdav.retries.LONGEST_WAIT", 0.05)


def unproven(passage, monkeypatch) -> None:
    """Make a server that tells no checksum of what it stored."""
    pass_on = passage._pass

    def silent(handler, body):
        status, headers, content = pass_on(handler, body)
        return status, [(name, value) for name, value in headers if name.lower() != "x-hash-sha256"], content

    monkeypatch.setattr(passage, "_pass", silent)


def test_an_update_that_arrives_damaged_each_time_leaves_what_was_there(fs, place, quick):
    fs.pipe_file("f", b"old" * 1000)
    etag = fs.info("f")["etag"]
    place.passage.breaking(1, 1.0, ("damaged request",))
    with pytest.raises(StorageError, match="^nextcloud:/f arrives damaged each time; try again"):
        fs.run(put(fs.client, "f", Content.of(b"new" * 1000), etag=etag))
    place.passage.reset()
    assert fs.cat_file("f") == b"old" * 1000


def test_a_sync_after_damage_brings_the_file_anew(fs, place, tmp_path, quick):
    (tmp_path / "here").mkdir()
    local = tmp_path / "here" / "f"
    local.write_bytes(b"old" * 1000)
    sync(tmp_path / "here", "nextcloud:/there")
    local.write_bytes(b"new" * 1000)
    place.passage.breaking(1, 1.0, ("damaged request",))
    assert list(sync(tmp_path / "here", "nextcloud:/there").failed) == ["f"]
    place.passage.reset()
    sync(tmp_path / "here", "nextcloud:/there")
    assert fs.cat_file("there/f") == b"new" * 1000


def test_a_damaged_file_that_cannot_be_taken_away_is_said(place, quick):
    fs = place.files(patience=0.3)
    fs.exists("f")

    def cut(_: int) -> None:
        if place.passage.seen[-1][0] == "PUT":
            place.passage._faults = ("close before",)

    place.passage.breaking(1, 1.0, ("damaged request",))
    place.passage.hook = cut
    with pytest.raises(InDoubt, match="^nextcloud:/f did not arrive safely in your storage and") as error:
        fs.pipe_file("f", b"x" * 1000, mode="create")
    assert error.value.path == "f"
    assert place.directly().info("f")["size"] == 1000


def test_of_two_that_append_in_one_second_one_is_told(fs):
    old = b"o" * 5_000_000
    fs.pipe_file("log", old)
    mine, theirs = fs.open("log", "ab"), fs.open("log", "ab")
    mine.write(b"mine!!")
    theirs.write(b"theirs")
    for file in (mine, theirs):
        file._spool.flush()
        os.utime(file._spool.name, (1_600_000_000, 1_600_000_000))
    mine.close()
    with pytest.raises(StorageError, match="changed by someone else meanwhile and was not overwritten"):
        theirs.close()
    assert fs.cat_file("log", len(old)) == b"mine!!"


@pytest.mark.parametrize("size", [1000, 5_000_000])
def test_a_write_whose_answer_was_lost_is_stored_once(fs, place, quick, size):
    content = random.Random(3).randbytes(size)
    fs.exists("f")
    place.passage.breaking(1, 1.0, ("close after",))
    place.passage.hook = lambda _: place.passage.breaking(1, 0.0)
    fs.pipe_file("f", content, mode="create")
    assert fs.cat_file("f") == content


@pytest.fixture
def in_chunks(monkeypatch):
    monkeypatch.setattr("imagine_lib.storage.transfer.chunks.CHUNK", 100_000)
    monkeypatch.setattr("imagine_lib.storage.transfer.writing.IN_MEMORY", 50_000)


def test_a_chunk_that_nobody_vouches_for_is_sent_again(fs, tmp_path, in_chunks):
    content = random.Random(4).randbytes(300_000)
    (tmp_path / "f").write_bytes(content)
    upload = upload_name(Upload("f", Content.of(tmp_path / "f")), chunk_length(len(content)))
    headers = {"Destination": fs.client.address("f")}
    fs.run(fs.client.request("MKCOL", fs.client.address(upload, "uploads"), headers=headers))
    chunk = fs.client.address(f"{upload}/00002", "uploads")
    fs.run(fs.client.request("PUT", chunk, headers=headers, body=bytes(100_000)))
    fs.put_file(tmp_path / "f", "f", chunked_above=1)
    assert fs.cat_file("f") == content


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_chunks_that_a_server_does_not_prove_are_read_back(fs, place, tmp_path, in_chunks, quick, monkeypatch, rate):
    content = random.Random(5).randbytes(1_000_000)
    (tmp_path / "f").write_bytes(content)
    unproven(place.passage, monkeypatch)
    fs.exists("f")
    place.passage.breaking(5, rate, ("damaged request",))
    if rate:
        with pytest.raises(StorageError, match="arrived damaged each time and was taken away again"):
            fs.put_file(tmp_path / "f", "f", chunked_above=1)
        place.passage.reset()
        assert not fs.exists("f")
    else:
        fs.put_file(tmp_path / "f", "f", chunked_above=1)
        assert fs.cat_file("f") == content


def test_a_whole_file_that_a_server_does_not_prove_is_read_back(fs, place, quick, monkeypatch):
    unproven(place.passage, monkeypatch)
    fs.pipe_file("f", b"whole")
    assert fs.cat_file("f") == b"whole"
    place.passage.breaking(1, 1.0, ("damaged request",))
    with pytest.raises(StorageError, match="arrived damaged each time and was taken away again"):
        fs.pipe_file("g", b"x" * 1000)
    place.passage.reset()
    assert not fs.exists("g")


def test_what_took_long_is_tried_again(scripted):  # noqa: F811
    def answer(_):
        if len(server.asked) == 1:
            time.sleep(1.2)
            return 502, {}, b""
        return 200, {"ETag": '"1"'}, b"x"

    server = scripted(answer)
    assert files(server, patience=0.5).cat_file("f") == b"x"


def stored(fs, uploads):
    done, failed = [], {}
    tell = lambda upload, why: failed.__setitem__(upload.path, str(why))  # noqa: E731
    fs.run(put_many(fs.client, uploads, lambda upload, _: done.append(upload.path), tell))
    return sorted(done), failed


def test_a_colleagues_new_files_in_a_shared_folder_are_not_overwritten(server, place, fs):
    colleague = server.account()
    colleague.send("MKCOL", "/ours")
    colleague.share("/ours", 0, place.account.uid, permissions=15)
    fs.mkdir("mine")
    place.account.share("/mine", 0, colleague.uid, permissions=15)
    for folder in ("ours", "mine"):
        uploads = [Upload(f"{folder}/{n:02}", Content.of(b"me"), new=True) for n in range(20)]

        met, turn = [], threading.Lock()

        def meddle(_: int, folder: str = folder, met: list[int] = met, turn: threading.Lock = turn) -> None:
            with turn:
                if not met and {"POST", "PUT"} & set(place.passage.counts):
                    met += range(10, 20)
                    for number in met:
                        colleague.put(f"/{folder}/{number:02}", b"them")

        place.passage.reset()

        place.passage.hook = meddle
        done, failed = stored(fs, uploads)
        assert set(failed) == {f"{folder}/{number}" for number in range(10, 20)}
        assert all("exists already" in why for why in failed.values())
        assert fs.cat_file(f"{folder}/19") == b"them"
        assert done == [f"{folder}/{number:02}" for number in range(10)]


def test_each_batch_of_new_files_looks_first(fs, place, monkeypatch):
    monkeypatch.setattr("imagine_lib.storage.transfer.bulk.BATCH_FILES", 10)
    monkeypatch.setattr("imagine_lib.storage.transfer.bulk.PARALLEL", 1)
    uploads = [Upload(f"d/{n:02}", Content.of(b"me"), new=True) for n in range(20)]

    def meddle(_: int) -> None:
        if place.passage.seen[-1][0] == "POST":
            place.passage.hook = None
            place.directly().pipe_file("d/19", b"them")

    place.passage.hook = meddle
    done, failed = stored(fs, uploads)
    assert (len(done), list(failed)) == (19, ["d/19"])
    assert fs.cat_file("d/19") == b"them"
    assert place.passage.counts["POST"] == 2


def test_a_large_file_that_comes_damaged_another_way_each_time_ends(fs, place, tmp_path, quick, monkeypatch):
    monkeypatch.setattr("imagine_lib.storage.transfer.reading.PART", 100_000)
    fs.pipe_file("f", random.Random(6).randbytes(400_000))
    place.passage.reset()
    place.passage.breaking(7, 1.0, ("damaged answer",))
    with pytest.raises(StorageError, match="^nextcloud:/f arrives damaged each time"):
        fs.get_file("f", tmp_path / "f")
    assert place.passage.counts == {"GET": 12}
    assert list(tmp_path.glob("*f")) == []


def test_the_first_part_of_a_large_file_is_small(fs, place, tmp_path):
    content = random.Random(8).randbytes(9 * 1024**2)
    fs.pipe_file("f", content)
    place.passage.reset()
    fs.get_file("f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == content
    ranges = [headers["Range"] for _, _, headers in place.passage.seen]
    assert ranges == [f"bytes=0-{8 * 1024**2 - 1}", f"bytes={8 * 1024**2}-{9 * 1024**2 - 1}"]
