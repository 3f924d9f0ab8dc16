"""A network that breaks in every way: nothing is lost, nothing is half written, every failure is one sentence."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest

from imagine_lib.errors import StorageError
from imagine_lib.storage import stage, sync
from imagine_lib.storage.transfer.bulk import put_many
from imagine_lib.storage.transfer.content import Content
from imagine_lib.storage.transfer.upload import Upload

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.passage import Passage

SENTENCE = re.compile(r"(?:nextcloud:/|Your storage|/)[^\n]{10,400}\.")


class Trial:
    """Some work over a passage that breaks, and what each file may hold after it."""

    def __init__(self, place, tmp_path: Path, seed: int) -> None:
        self.place, self.folder, self.random = place, tmp_path / "here", random.Random(seed)
        self.folder.mkdir()
        self.may: dict[str, set[bytes | None]] = {}
        self.attempts = self.failures = 0
        directly = place.directly()
        uploads = []
        for number in range(14):
            path = f"set/{'ab'[number % 2]}/{number}%.bin"
            uploads.append(Upload(path, Content.of(self.content(20_000))))
            self.may[path] = {uploads[-1].content.source}
        uploads.append(Upload("set/large", Content.of(self.content(300_000))))
        self.may["set/large"] = {uploads[-1].content.source}
        directly.makedirs("set/a"), directly.makedirs("set/b")
        for upload in uploads:
            directly.pipe_file(upload.path, upload.content.source)

    def content(self, most: int) -> bytes:
        return self.random.randbytes(self.random.randrange(most // 2, most))

    def attempt(self, work, outcome: dict[str, bytes | None]) -> None:
        """Do something; what it says it did must be so, what it failed to do may be so."""
        self.attempts += 1
        try:
            work()
        except (StorageError, FileExistsError, FileNotFoundError) as error:
            assert SENTENCE.fullmatch(str(error)), repr(error)
            self.failures += 1
            for path, content in outcome.items():
                self.may[path] = self.may.get(path, {None}) | {content}
        else:
            for path, content in outcome.items():
                self.may[path] = {content}

    def write(self, fs) -> None:
        path = self.random.choice([*self.may, f"new/{self.random.random()}"])
        content = self.content(20_000)
        self.attempt(lambda: fs.pipe_file(path, content), {path: content})

    def append(self, fs) -> None:
        path = next(path for path, known in self.may.items() if len(known) == 1 and None not in known)
        (old,) = self.may[path]

        def work() -> None:
            with fs.open(path, "ab") as file:
                file.write(b"more")

        self.attempt(work, {path: old + b"more"})

    def large(self, fs) -> None:
        source, content = self.folder.parent / f"{self.random.random()}", self.content(400_000)
        source.write_bytes(content)
        self.attempt(lambda: fs.put_file(source, "large/f", chunked_above=1), {"large/f": content})

    def many(self, fs) -> None:
        uploads = [Upload(f"many/{n}", Content.of(self.content(3000)), new=True) for n in range(9)]
        if "many/0" in self.may:
            return
        done: set[str] = set()
        work = put_many(fs.client, uploads, lambda upload, _: done.add(upload.path), lambda *_: None)
        self.attempt(lambda: fs.run(work), {})
        for upload in uploads:
            content = upload.content.source
            self.may[upload.path] = {content} if upload.path in done else {content, None}

    def move(self, fs) -> None:
        path = next(path for path, known in self.may.items() if len(known) == 1 and None not in known)
        (content,) = self.may[path]
        self.attempt(lambda: fs.mv(path, "set/moved"), {path: None, "set/moved": content})

    def remove(self, fs) -> None:
        path = next(path for path, known in self.may.items() if len(known) == 1 and None not in known)
        self.attempt(lambda: fs.rm_file(path), {path: None})

    def stage(self, fs) -> None:
        def work() -> None:
            copy = stage("nextcloud:/set", lambda *_: None, fs)
            for path in (path for path in self.may if path.startswith("set/")):
                local = copy / path.removeprefix("set/")
                assert (local.read_bytes() if local.is_file() else None) in self.may[path], path

        self.attempt(work, {})

    def sync(self, fs) -> None:
        mine = {f"sync/{n}": self.content(3000) for n in range(6)}
        for path, content in mine.items():
            local = self.folder / path.removeprefix("sync/")
            if not local.exists():
                local.write_bytes(content)
            mine[path] = local.read_bytes()
        for path in mine:
            self.may[path] = self.may.get(path, {None}) | {mine[path]}

        def work() -> None:
            report = sync(self.folder, "nextcloud:/sync", filesystem=fs)
            for path in mine:
                assert (self.folder / path.removeprefix("sync/")).read_bytes() == mine[path]
                if path.removeprefix("sync/") in report.uploaded:
                    self.may[path] = {mine[path]}

        self.attempt(work, {})


@pytest.fixture
def trial(at, server, tmp_path, monkeypatch):
    def trial(seed: int, rate: float | None = None) -> Trial:
        place = at(server.account())
        work = Trial(place, tmp_path, seed)
        monkeypatch.setattr("imagine_lib.storage.transfer.writing.IN_MEMORY", 30_000)
        monkeypatch.setattr("imagine_lib.storage.transfer.chunks.CHUNK", 64_000)
        monkeypatch.setattr("imagine_lib.storage.transfer.reading.PART", 64_000)
        monkeypatch.setattr("imagine_lib.storage.webdav.retries.FIRST_WAIT", 0.02)
        monkeypatch.setattr("imagine_lib.storage.webdav.retries.LONGEST_WAIT", 0.3)
        fs = place.files(timeout=0.7, patience=3)
        rate = rate or work.random.choice([0.05, 0.15, 0.3])
        place.passage.breaking(seed, rate)
        steps = [work.write, work.append, work.large, work.many, work.move, work.remove, work.stage, work.sync]
        for step in work.random.sample(steps, 4):
            step(fs)
        passage: Passage = place.passage
        passage.reset()
        truth = place.directly()
        for path, allowed in work.may.items():
            found = truth.cat_file(path) if truth.exists(path) else None
            assert found in allowed, path
        assert not [path for path in truth.find("") if path not in work.may]
        assert work.failures < work.attempts or rate > 0.2
        return work

    return trial


@pytest.mark.parametrize("seed", range(50))
def test_a_network_that_breaks(trial, seed):
    trial(seed)


def test_most_work_gets_done_all_the_same(trial, tmp_path):
    works = []
    for seed in range(5):
        (tmp_path / "here").rename(tmp_path / f"earlier {seed}") if works else None
        works.append(trial(seed, 0.1))
    assert sum(work.attempts for work in works) == 20
    assert sum(work.failures for work in works) <= 4, [(work.attempts, work.failures) for work in works]


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 2000))
def test_a_network_that_breaks_a_thousand_times(trial, seed):
    trial(seed)
