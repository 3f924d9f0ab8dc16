"""``nextcloud:/`` paths against the embedded server: whole files, true listings, clear refusals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec
import pytest

import imagine_lib as im
from imagine_lib.data.synthetic import write_dataset
from imagine_lib.errors import DataError, StorageError
from imagine_lib.storage import NextcloudFileSystem, stage
from tests.local.storage.servers import PROJECT

if TYPE_CHECKING:
    from tests.local.storage.servers import Embedded

RETRAIN = str(PROJECT / "notebooks" / "runs" / "retrain.ipynb")
NAMES = ["plain.txt", "with space.txt", "100%.txt", "a#b.txt", "what?.txt", "a+b.txt", "[x].txt", "Ångström ☂.txt"]


@pytest.fixture
def files(server: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NextcloudFileSystem:
    account = server.account()
    credential = tmp_path / "storage.json"
    credential.write_text(json.dumps({"url": server.url, "user": account.uid, "password": account.password}))
    monkeypatch.setenv("IMAGINE_STORAGE_CREDENTIALS", str(credential))
    monkeypatch.setenv("IMAGINE_CACHE", str(tmp_path / "cache"))
    return NextcloudFileSystem()


def test_odd_names_come_back_as_they_went(files: NextcloudFileSystem) -> None:
    files.makedirs("names")
    for name in NAMES:
        files.pipe_file(f"nextcloud:/names/{name}", name.encode())
    assert sorted(Path(path).name for path in files.ls("names", detail=False)) == sorted(NAMES)
    assert all(files.cat_file(f"names/{name}") == name.encode() for name in NAMES)


def test_fsspec_finds_it_by_its_protocol(files: NextcloudFileSystem) -> None:
    with fsspec.open("nextcloud://a.txt", "wb") as file:
        file.write(b"whole")
    assert files.cat_file("a.txt") == b"whole"
    with fsspec.open("nextcloud://a.txt", "rb") as file:
        assert file.read() == b"whole"


def test_a_write_that_fails_halfway_stores_nothing(files: NextcloudFileSystem) -> None:
    def write_half() -> None:
        with files.open("half.txt", "wb") as file:
            file.write(b"half")
            raise RuntimeError("the program broke")

    with pytest.raises(RuntimeError):
        write_half()
    assert not files.exists("half.txt")


def test_a_file_in_the_way_is_not_replaced(files: NextcloudFileSystem) -> None:
    files.pipe_file("one", b"1")
    files.pipe_file("two", b"2")
    with pytest.raises(FileExistsError):
        files.mv("one", "two")
    with pytest.raises(FileExistsError):
        files.pipe_file("two", b"3", mode="create")
    assert files.cat_file("two") == b"2"


def test_staging_follows_every_change(files: NextcloudFileSystem) -> None:
    files.makedirs("set/deep")
    for name in ("set/a", "set/b", "set/deep/c"):
        files.pipe_file(name, name.encode())
    fetched: list[tuple[int, int]] = []
    folder = stage("nextcloud:/set", progress=lambda *counts: fetched.append(counts))
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "a",
        "b",
        "deep/c",
    }
    assert fetched[-1] == (3, 3)
    fetched.clear()
    files.pipe_file("set/a", b"new")
    files.rm_file("set/deep/c")
    newer = stage("nextcloud:/set", progress=lambda *counts: fetched.append(counts))
    assert newer != folder
    assert fetched == [(1, 1)]
    assert (newer / "a").read_bytes() == b"new"
    assert not (newer / "deep" / "c").exists()
    assert (folder / "a").read_bytes() == b"set/a"


def test_a_class_without_images_is_a_folder_without_files(files: NextcloudFileSystem) -> None:
    files.makedirs("set/empty")
    copy = stage("nextcloud:/set", filesystem=files)
    assert (copy / "empty").is_dir()
    files.rm("set/empty", recursive=True)
    assert not (stage("nextcloud:/set", filesystem=files) / "empty").exists()


def test_a_copy_that_was_damaged_is_fetched_again(files: NextcloudFileSystem) -> None:
    files.makedirs("set")
    files.pipe_file("set/a", b"content")
    folder = stage("nextcloud:/set")
    (folder / "a").write_bytes(b"short")
    assert (stage("nextcloud:/set") / "a").read_bytes() == b"content"


def test_a_dataset_in_nextcloud_is_the_same_as_here(files: NextcloudFileSystem, tmp_path: Path) -> None:
    write_dataset(tmp_path / "images", ["disc", "star"], each=4, seed=1, samples=range(2))
    for path in sorted((tmp_path / "images").rglob("*.png")):
        remote = f"mine/{path.relative_to(tmp_path / 'images').as_posix()}"
        files.makedirs(remote.rpartition("/")[0], exist_ok=True)
        files.pipe_file(remote, path.read_bytes())
    here, there = im.open_dataset(tmp_path / "images"), im.open_dataset("nextcloud:/mine")
    assert [item.name for item in there.items] == [item.name for item in here.items]
    assert there.split().train.classes == here.split().train.classes
    one = im.load("phytoplankton").predict("nextcloud:/mine/synthetic-disc/S00_0000.png")
    assert len(one) == 1


def test_what_is_not_there_says_so(files: NextcloudFileSystem) -> None:
    with pytest.raises(DataError, match=r"^nextcloud:/nothing does not exist\.$"):
        im.open_dataset("nextcloud:/nothing")


def test_a_dead_credential_says_so(unguarded: None, files: NextcloudFileSystem, tmp_path: Path) -> None:
    path = tmp_path / "storage.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"password": "wrong"}))
    with pytest.raises(StorageError, match="no longer accepts this server's credential"):
        NextcloudFileSystem().ls("")


@pytest.mark.parametrize("content", ["", "{", '{"url": 1}', "[]"])
def test_a_damaged_credential_says_so(files: NextcloudFileSystem, tmp_path: Path, content: str) -> None:
    (tmp_path / "storage.json").write_text(content)
    with pytest.raises(StorageError, match="cannot be read; link your storage again"):
        NextcloudFileSystem()


def test_a_storage_that_is_down_is_not_an_empty_one(files: NextcloudFileSystem, server: Embedded) -> None:
    server.process.send_signal(signal.SIGSTOP)
    try:
        files._client.timeout = 1
        with pytest.raises(StorageError, match=r"does not answer; try again in a moment\.$"):
            files.exists("a")
    finally:
        server.process.send_signal(signal.SIGCONT)


def test_papermill_reads_data_from_and_writes_its_notebook_to_nextcloud(
    files: NextcloudFileSystem, tmp_path: Path
) -> None:
    write_dataset(tmp_path / "images", ["disc", "star"], each=8, seed=1, samples=range(2))
    for path in sorted((tmp_path / "images").rglob("*.png")):
        remote = f"mine/{path.relative_to(tmp_path / 'images').as_posix()}"
        files.makedirs(remote.rpartition("/")[0], exist_ok=True)
        files.pipe_file(remote, path.read_bytes())
    parameters = {"model": "phytoplankton", "data": "nextcloud:/mine", "epochs": 2, "name": "by papermill"}
    given = [word for key, value in parameters.items() for word in ("-p", key, str(value))]
    command = [sys.executable, "-m", "papermill", RETRAIN, "nextcloud:/runs/today/out.ipynb", *given]
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    executed = json.loads(files.cat_file("runs/today/out.ipynb"))
    text = json.dumps(executed["cells"])
    assert "Report of by papermill" in text
    assert "demonstration model" in text
    (run,) = (tmp_path / "imagine-runs").iterdir()
    assert im.load(run / "model").package.manifest.provenance.arguments["epochs"] == 2
