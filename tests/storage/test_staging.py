"""Local copies: in one archive where that pays, verified, resumed, shared, and never more than their limit."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from imagine_lib.errors import StorageError
from imagine_lib.storage import stage
from imagine_lib.storage.transfer.bulk import put_many
from imagine_lib.storage.transfer.content import Content
from imagine_lib.storage.transfer.local import put_down
from imagine_lib.storage.transfer.upload import Upload

STAGE = "from imagine_lib.storage import stage; print('at', stage('nextcloud:/set'))"


def fill(place, count: int, seed: int = 1, size: int = 2000, folder: str = "set") -> dict[str, bytes]:
    """Put files into the account's home, past the passage."""
    source = random.Random(seed)
    contents = {}
    for number in range(count):
        name = f"{'abc'[number % 3]}/ü {number:04}#%.bin"
        contents[name] = source.randbytes(source.randrange(size))
    below = f"{folder}/" if folder else ""
    uploads = [Upload(f"{below}{name}", Content.of(content)) for name, content in contents.items()]
    done, failed = [], []
    fs = place.directly()
    fs.run(
        put_many(fs.client, uploads, lambda upload, _: done.append(upload), lambda upload, _: failed.append(upload))
    )
    assert (len(done), failed) == (count, [])
    return contents


def found(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_comes_as_one_archive(place):
    contents = fill(place, 300)
    seen = []
    folder = stage("nextcloud:/set", progress=lambda *counts: seen.append(counts))
    assert found(folder) == contents
    assert seen[-1] == (300, 300)
    assert place.passage.counts == {"PROPFIND": 1, "GET": 2}  # the listing, the server's abilities, the archive
    place.passage.reset()
    assert stage("nextcloud:/set") == folder
    assert place.passage.counts == {"PROPFIND": 1}


def test_the_whole_storage_can_be_copied(place):
    contents = fill(place, 20, folder="")
    assert found(stage("nextcloud:/")) == contents


def test_names_that_a_nextcloud_garbles_in_archives_come_whole(place, fs):
    user = place.account.uid
    names = ["d/{user}{n}", "d{n}", "d/{user}/files/{n}", "d/{n}"]  # garbled, each but the last is called as the next
    contents = {name.format(user=user, n=n): f"{n} in {name[:9]:9}".encode() for n in range(9) for name in names}
    for name, content in contents.items():
        fs.pipe_file(name, content)
    for top in ("", "d"):
        below = f"{top}/" if top else ""
        wanted = {name.removeprefix(below): kept for name, kept in contents.items() if name.startswith(below)}
        assert found(stage(f"nextcloud:/{top}")) == wanted


def test_only_what_changed_is_fetched(place, fs):
    contents = fill(place, 60)
    folder = stage("nextcloud:/set")
    names = sorted(contents)
    fs.pipe_file(f"set/{names[0]}", b"new")
    fs.rm_file(f"set/{names[1]}")
    fs.rm("set/c", recursive=True)
    fs.pipe_file("set/c", b"now a file")
    seen = []
    newer = stage("nextcloud:/set", progress=lambda *counts: seen.append(counts))
    assert seen[-1] == (2, 2)
    assert found(folder) == contents
    expected = {name: content for name, content in contents.items() if not name.startswith("c/")}
    expected |= {names[0]: b"new", "c": b"now a file"}
    del expected[names[1]]
    assert found(newer) == expected
    shared = [name for name in expected if (folder / name).is_file()]
    same = [name for name in shared if (folder / name).stat().st_ino == (newer / name).stat().st_ino]
    assert len(same) == len(expected) - 2


USES = """
import os, time
from pathlib import Path
from imagine_lib.storage import stage
folder = stage('nextcloud:/set')
print('at', folder, flush=True)
while not Path(os.environ['IMAGINE_CACHE'], 'look').exists():
    time.sleep(0.05)
print(sorted((p.relative_to(folder).as_posix(), p.read_bytes()) for p in folder.rglob('*') if p.is_file()))
"""


def test_a_copy_that_another_program_uses_stays_as_it_is(place, fs):
    for name, content in {"a": b"old", "b": b"stays", "c": b"goes"}.items():
        fs.pipe_file(f"set/{name}", content)
    program = place.start(USES)
    line = program.stdout.readline()
    while not line.startswith("at "):  # how many files were fetched
        line = program.stdout.readline()
    first = Path(line[3:].strip())
    fs.pipe_file("set/a", b"new")
    fs.rm_file("set/c")
    assert place.start(STAGE).wait(30) == 0
    (place.cache / "look").touch()
    output = program.communicate(timeout=30)[0]
    assert output.strip() == str([("a", b"old"), ("b", b"stays"), ("c", b"goes")])
    newer = stage("nextcloud:/set")
    assert found(newer) == {"a": b"new", "b": b"stays"}
    assert newer != first
    assert not first.exists()


def test_a_state_that_shares_its_files_takes_their_room_once(place, fs, monkeypatch):
    monkeypatch.setenv("IMAGINE_CACHE_GB", "0.001")
    fs.pipe_file("set/large", os.urandom(700_000))
    stage("nextcloud:/set")
    for number in range(3):
        fs.pipe_file(f"set/{number}", b"x" * 10_000)
        assert len(found(stage("nextcloud:/set"))) == number + 2


def test_a_copy_that_is_dropped_meanwhile_is_made_anew(place, fs):
    fs.pipe_file("set/a", b"x")
    assert place.start(STAGE).wait(30) == 0
    (root,) = (path for path in place.cache.glob("staging/*/*") if path.is_dir())
    with root.with_suffix(".lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        program = place.start(STAGE)
        waiting = program.stdout.readline()
        shutil.rmtree(root)
    output = program.communicate(timeout=30)[0]
    assert "waiting for it" in waiting
    assert program.returncode == 0, output
    assert found(root / "files") == {"a": b"x"}


def test_a_copy_that_a_program_changed_is_made_good(place):
    contents = fill(place, 20)
    folder = stage("nextcloud:/set")
    victim = folder / min(contents)
    same_length = bytes(len(victim.read_bytes()))
    victim.write_bytes(same_length)
    (folder / "mine.txt").write_text("x")
    assert found(stage("nextcloud:/set")) == contents


@pytest.mark.parametrize("fault", ["damaged answer", "half an answer"])
def test_an_archive_that_breaks_is_made_up_for_file_by_file(place, fault):
    source = random.Random(1)
    contents = {f"{'abc'[number % 3]}/{number}": source.randbytes(2000) for number in range(60)}
    for name, content in contents.items():  # one by one, so that each has a checksum
        place.directly().pipe_file(f"set/{name}", content)
    files = place.files()
    files.exists("set")
    files.run(files.client.capabilities())
    place.passage.reset()
    place.passage.breaking(3, 0.0, (fault,))

    def break_the_archive_and_some(number: int) -> None:
        place.passage._rate = 1.0 if number == 1 else 0.3

    place.passage.hook = break_the_archive_and_some
    seen = []
    folder = stage("nextcloud:/set", progress=lambda *counts: seen.append(counts), filesystem=files)
    assert found(folder) == contents
    assert len(seen) == 60
    assert place.passage.counts["GET"] > 1


def test_a_server_without_archives(place, monkeypatch):
    contents = fill(place, 30)
    monkeypatch.setattr("imagine_lib.storage.webdav.capabilities.ARCHIVES_SINCE", 99)
    assert found(stage("nextcloud:/set")) == contents
    assert place.passage.counts["GET"] == 31


def test_kill_and_go_on(place):
    contents = fill(place, 400, size=20_000)
    source = random.Random(7)
    for attempt in range(4):
        program = place.start(STAGE)
        copies = place.cache / "staging"
        deadline = time.monotonic() + 30
        wanted = source.randrange(20, 90) * (attempt + 1)
        while time.monotonic() < deadline and program.poll() is None:
            if sum(path.is_file() for path in copies.glob("*/*/files/**/*")) >= wanted:
                break
        program.send_signal(signal.SIGKILL)
        program.communicate()
    seen = []
    folder = stage("nextcloud:/set", progress=lambda *counts: seen.append(counts))
    assert found(folder) == contents
    assert not seen or len(seen) < 400


def test_two_programs_at_once_share_one_copy(place):
    contents = fill(place, 200)
    programs = [place.start(STAGE) for _ in range(2)]
    outputs = [program.communicate(timeout=60)[0] for program in programs]
    assert [program.returncode for program in programs] == [0, 0], outputs
    folders = {output.strip().splitlines()[-1] for output in outputs}
    (folder,) = folders
    assert found(Path(folder.removeprefix("at "))) == contents
    assert place.passage.counts["GET"] <= 3


def test_the_copy_used_longest_ago_goes_first_and_one_in_use_never(place, fs, monkeypatch):
    for name in "abcd":
        fs.pipe_file(f"{name}/f", os.urandom(400_000))
    monkeypatch.setenv("IMAGINE_CACHE_GB", "0.001")
    for name in "ab":
        code = STAGE.replace("nextcloud:/set", f"nextcloud:/{name}")
        assert place.start(code, IMAGINE_CACHE_GB="0.001").wait(30) == 0
        time.sleep(0.05)
    mine = stage("nextcloud:/c")
    copies = {path.read_bytes()[:8] for path in place.cache.glob("staging/*/*/files/f")}
    assert copies == {fs.cat_file(f"{name}/f", 0, 8) for name in "bc"}
    stage("nextcloud:/d")
    with pytest.raises(StorageError, match=r"local copies may take 0\.001 GB: set IMAGINE_CACHE_GB higher"):
        stage("nextcloud:/a")
    assert (mine / "f").stat().st_size == 400_000


def test_a_disk_that_is_full_says_so(place, monkeypatch):
    fill(place, 20)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("imagine_lib.storage.transfer.local._create", full)
    with pytest.raises(StorageError, match=r"could not be written \(No space left on device\); free some disk space"):
        stage("nextcloud:/set")


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_file_that_is_put_down_keeps_its_time(tmp_path, size):
    put_down(tmp_path / "f", b"x" * size, 1_600_000_000)
    assert (tmp_path / "f").stat().st_mtime == 1_600_000_000
