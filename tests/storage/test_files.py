"""Files by every name, in as few requests as can be, and refusals that say what to do."""

from __future__ import annotations

import gc
import socket
import threading
import time
import unicodedata
from pathlib import Path

import dask.bytes
import fsspec
import pandas as pd
import pytest
import zarr

from imagine_lib.errors import StorageError
from imagine_lib.storage import NextcloudFileSystem

NAMES = [
    "plain.txt",
    "with space.txt",
    "100%.txt",
    "a%20b.txt",
    "a#b.txt",
    "what?.txt",
    "a+b&c.txt",
    "[x].txt",
    "star*.txt",
    "it's; a=b, c@d.txt",
    "Ångström ☂.txt",
    "🐠.txt",
    "é" * 123 + ".txt",
    " leading and trailing ",
    "~tilde!$(x).txt",
]


def test_odd_names_come_back_as_they_went(fs):
    for name in NAMES:
        fs.pipe_file(f"nextcloud:/names/{name}", name.encode())
    assert sorted(fs.ls("names", detail=False)) == sorted(f"names/{name.strip('/')}" for name in NAMES)
    for name in NAMES:
        path = f"names/{name}"
        assert fs.cat_file(path) == name.encode()
        assert fs.info(path)["size"] == len(name.encode())
        fs.mv(path, f"moved/{name}") if fs.exists("moved") else (fs.mkdir("moved"), fs.mv(path, f"moved/{name}"))
        assert not fs.exists(path)
        assert fs.cat(f"moved/{name}") == name.encode()
    assert len(fs.find("moved")) == len(NAMES)


def test_a_pattern_is_a_name_where_there_is_such_a_file(fs):
    for name in ("a[1].txt", "a1.txt"):
        fs.pipe_file(f"d/{name}", name.encode())
    fs.rm("d/a[1].txt")
    assert fs.find("d") == ["d/a1.txt"]
    assert fs.glob("d/a[1].txt") == ["d/a1.txt"]


def test_both_spellings_of_a_name_are_one_file(fs):
    composed, decomposed = (unicodedata.normalize(form, "Ström.txt") for form in ("NFC", "NFD"))
    fs.pipe_file(f"d/{decomposed}", b"x")
    assert fs.ls("d", detail=False) == [f"d/{composed}"]
    assert fs.cat_file(f"d/{decomposed}") == fs.cat_file(f"d/{composed}") == b"x"


@pytest.mark.parametrize("path", ["a/../b", "..", "./a"])
def test_a_path_that_climbs_is_refused(fs, path):
    with pytest.raises(StorageError, match="write the path out"):
        fs.cat_file(path)


def test_requests_are_counted(fs, place, tmp_path):
    content = b"x" * 100_000
    place.passage.reset()
    fs.pipe_file("one.bin", content)
    assert place.passage.counts == {"PUT": 1}
    for read in (
        lambda: fs.cat_file("one.bin"),
        lambda: fs.cat_file("one.bin", 10, 20),
        lambda: fs.get_file("one.bin", tmp_path / "one.bin"),
        lambda: fs.open("one.bin").read(),
    ):
        place.passage.reset()
        read()
        assert place.passage.counts == {"GET": 1}
    for look in (lambda: fs.info("one.bin"), lambda: fs.exists("one.bin"), lambda: fs.ls(""), lambda: fs.find("")):
        place.passage.reset()
        look()
        assert place.passage.counts == {"PROPFIND": 1}
    place.passage.reset()
    fs.makedirs("made", exist_ok=True)
    assert place.passage.counts == {"MKCOL": 1}


def test_parts_of_a_file(fs):
    content = bytes(range(256)) * 40
    fs.pipe_file("f", content)
    fs.pipe_file("empty", b"")
    for start, end in [
        (0, 1),
        (0, 10),
        (5, None),
        (-7, None),
        (-7, -2),
        (3, -3),
        (9, 9),
        (10_000, 20_000),
        (99_999, None),
    ]:
        assert fs.cat_file("f", start, end) == content[start:end]
    assert fs.cat_file("empty") == fs.open("empty").read() == b""
    with fs.open("f", block_size=1000) as file:
        file.seek(5000)
        assert file.read(3000) == content[5000:8000]
        file.seek(0)
        assert file.read() == content


def test_a_large_file_comes_in_parts(fs, place, tmp_path, monkeypatch):
    monkeypatch.setattr("imagine_lib.storage.transfer.reading.PART", 100_000)
    content = bytes(range(251)) * 4001
    fs.pipe_file("f", content)
    place.passage.reset()
    fs.get_file("f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == content
    assert place.passage.counts == {"GET": -(-len(content) // 100_000)}
    assert list(tmp_path.glob(".arriving*")) == []


def test_a_file_that_changes_while_it_is_read_is_no_mixture(fs, place):
    fs.pipe_file("f", b"old" * 1000)
    place.pause()
    with fs.open("f", block_size=100) as file:
        assert file.read(3) == b"old"
        fs.pipe_file("f", b"new" * 1000)
        with pytest.raises(StorageError, match=r"^nextcloud:/f changed while it was read; try again\.$"):
            file.read(2000)


def test_times_are_kept(fs, tmp_path):
    (tmp_path / "f").write_bytes(b"x")
    import os

    os.utime(tmp_path / "f", (1_600_000_000, 1_600_000_000))
    fs.put_file(tmp_path / "f", "f")
    assert fs.modified("f").timestamp() == 1_600_000_000
    fs.get_file("f", tmp_path / "g")
    assert (tmp_path / "g").stat().st_mtime == 1_600_000_000


def test_what_is_in_the_way_stays(fs):
    fs.pipe_file("one", b"1")
    fs.pipe_file("two", b"2")
    for refused in (
        lambda: fs.mv("one", "two"),
        lambda: fs.pipe_file("two", b"3", mode="create"),
        lambda: fs.open("two", "xb").close(),
        lambda: fs.mkdir("two"),
    ):
        with pytest.raises(FileExistsError, match=r"^nextcloud:/two exists already\.$"):
            refused()
    assert fs.cat_file("two") == b"2"


def test_writes_that_break_store_nothing(fs):
    def broken(opened):
        with opened as file:
            file.write("half" if "b" not in getattr(file, "mode", "b") else b"half")
            raise RuntimeError("broke")

    for opened in (fs.open("half", "wb"), fs.open("half", "w"), fsspec.open("nextcloud://half", "wb")):
        with pytest.raises((RuntimeError, TypeError)):
            broken(opened)
    frame = pd.DataFrame({"a": [1, 2]})
    frame["a"] = [object(), 3]

    class Bad:
        def __str__(self):
            raise RuntimeError("broke")

    frame["a"] = [1, Bad()]
    with pytest.raises(RuntimeError):
        frame.to_csv("nextcloud://half")
    leftover = fs.open("half", "wb")
    leftover.write(b"half")
    del leftover
    assert not fs.exists("half")


def test_a_file_written_while_an_error_is_handled_is_stored(fs):
    try:
        raise ValueError
    except ValueError:
        with fs.open("log", "wb") as file:
            file.write(b"kept")
        with fsspec.open("nextcloud://log2", "wb") as file:
            file.write(b"kept")
    assert fs.cat_file("log") == fs.cat_file("log2") == b"kept"


def test_what_could_not_be_stored_is_kept_here_and_said_where(place, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fs = place.files(patience=0.3)
    with fs.open("done", "wb") as file:
        file.write(b"x")
    file = fs.open("f", "wb")
    file.write(b"an hour's work")
    place.passage.breaking(1, 1.0, ("close before",))
    with pytest.raises(
        StorageError, match=r"does not answer; .*; what you wrote is kept in \S+-not-stored\.$"
    ) as error:
        file.close()
    kept = str(error.value).rpartition("kept in ")[2].rstrip(".")
    assert Path(kept).read_bytes() == b"an hour's work"
    assert [path.name for path in tmp_path.glob("imagine-*")] == [Path(kept).name]
    place.passage.reset()
    file = fs.open("done", "xb")
    file.write(b"y")
    with pytest.raises(FileExistsError, match=r"^nextcloud:/done exists already; what you wrote is kept in "):
        file.close()


def test_a_users_own_block_that_fails_stores_what_it_closes(fs):
    class Log:
        def __enter__(self):
            self.file = fs.open("log", "wb")
            return self.file

        def __exit__(self, *_):
            self.file.close()

    def write() -> None:
        with Log() as log:
            log.write(b"until here")
            raise RuntimeError("broke")

    with pytest.raises(RuntimeError):
        write()
    assert fs.cat_file("log") == b"until here"


def test_connections_are_closed_with_their_filesystem(place):
    fs = place.files()
    fs.exists("f")
    connections = fs.client.connection._http
    del fs
    deadline = time.monotonic() + 10
    while not connections.is_closed and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.05)
    assert connections.is_closed


def test_appending_keeps_what_is_there_and_what_others_wrote(fs):
    for _ in range(2):
        with fs.open("log", "ab") as file:
            file.write(b"line\n")
    assert fs.cat_file("log") == b"line\n" * 2
    mine = fs.open("log", "ab")
    mine.write(b"mine")
    fs.pipe_file("log", b"theirs")
    with pytest.raises(StorageError, match="changed by someone else meanwhile and was not overwritten"):
        mine.close()
    assert fs.cat_file("log") == b"theirs"


def test_tables_and_text(fs):
    frame = pd.DataFrame({"taxon": ["Acartia", "Ångström"], "count": [1, 2]})
    frame.to_csv("nextcloud://new/folder/t.csv", index=False)
    assert pd.read_csv("nextcloud://new/folder/t.csv").equals(frame)
    with fs.open("t.txt", "w", encoding="utf-8") as file:
        file.write("å\n")
    assert fs.open("t.txt", "r", encoding="utf-8").read() == "å\n"


def test_trees(fs, tmp_path):
    for name in ("t/a/1", "t/a/2", "t/b/3"):
        fs.pipe_file(name, name.encode())
    fs.get("t", str(tmp_path / "t"), recursive=True)
    assert (tmp_path / "t" / "b" / "3").read_bytes() == b"t/b/3"
    fs.put(str(tmp_path / "t"), "u", recursive=True)
    assert fs.find("u") == ["u/a/1", "u/a/2", "u/b/3"]
    fs.copy("u", "v", recursive=True)
    assert fs.cat_file("v/a/1") == b"t/a/1"
    with pytest.raises(StorageError, match="recursive=True"):
        fs.rm("u")
    fs.rm("u", recursive=True)
    assert not fs.exists("u")
    with pytest.raises(StorageError, match="whole storage"):
        fs.rm("", recursive=True)


def test_a_folder_is_no_file(fs):
    fs.mkdir("d")
    with pytest.raises(StorageError, match=r"^nextcloud:/d is a folder, not a file\.$"):
        fs.cat_file("d")
    with pytest.raises(StorageError):
        fs.pipe_file("d", b"x")


@pytest.mark.parametrize("name", ["a.part", "x" * 251, "a\\b"])
def test_names_that_the_storage_does_not_take(fs, name):
    with pytest.raises(StorageError, match="give it another name"):
        fs.pipe_file(name, b"x")


def test_a_share_to_read_only(place, server, fs):
    other = server.account()
    other.send("MKCOL", "/data")
    other.put("/data/f", b"theirs")
    other.share("/data", 0, place.account.uid, permissions=1)
    assert fs.cat_file("data/f") == b"theirs"
    for change in (
        lambda: fs.pipe_file("data/f", b"x"),
        lambda: fs.pipe_file("data/g", b"x"),
        lambda: fs.rm_file("data/f"),
        lambda: fs.mv("data/f", "mine"),
    ):
        with pytest.raises(StorageError, match="You may not change nextcloud:/data/"):
            change()
    assert other.read("/data/f") == b"theirs"


def test_a_storage_that_is_full(limited, at):
    fs = at(limited(1000)).files()
    fs.pipe_file("f", b"old")
    with pytest.raises(StorageError, match=r"^Your storage is full: nextcloud:/f was not written; delete something"):
        fs.pipe_file("f", b"x" * 2000)
    assert fs.cat_file("f") == b"old"


def test_a_locked_file_is_waited_for(place, fs):
    account = place.account
    connection = socket.create_connection(("127.0.0.1", account.server.port), timeout=20)
    head = f"PUT {account.root}/f HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {account.basic}\r\nContent-Length: 4\r\n\r\n"
    connection.sendall(head.encode() + b"th")
    time.sleep(0.2)
    with pytest.raises(StorageError, match=r"^nextcloud:/f is being changed by another program; try again"):
        place.files(patience=0.5).pipe_file("f", b"mine")
    threading.Timer(0.7, connection.sendall, [b"ey"]).start()
    fs.pipe_file("f", b"mine")
    assert fs.cat_file("f") == b"mine"


def test_who_cannot_tell_does_not_say_no(place):
    place.passage.close()
    for ask in ("exists", "isdir", "isfile", "ls"):
        with pytest.raises(StorageError, match=r"does not answer; try again in a moment\.$"):
            getattr(NextcloudFileSystem(patience=0.3), ask)("a")


def test_arrays_by_zarr(fs):
    store = zarr.storage.FsspecStore.from_url("nextcloud://arrays/z", storage_options={})
    array = zarr.create_array(store, shape=(20, 20), chunks=(10, 10), dtype="i4")
    array[:] = 7
    assert (zarr.open_array(store, mode="r")[5:15, 5:15] == 7).all()


def test_tables_by_dask(fs):
    fs.pipe_file("lines/a.txt", b"1\n2\n")
    fs.pipe_file("lines/b.txt", b"3\n")
    _, blocks = dask.bytes.read_bytes("nextcloud://lines/*.txt", sample=False)
    assert b"".join(dask.compute(*[part for file in blocks for part in file], scheduler="threads")) == b"1\n2\n3\n"
