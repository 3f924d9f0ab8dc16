"""Where the drive's uploads wait until they are whole: on disk, within what that has room for, and not for ever."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from typing import TYPE_CHECKING

import pytest
from imagine_lab.drive import spool
from imagine_lab.drive.refused import Refused
from imagine_lab.drive.spool import FIRST, LAST, Spool

if TYPE_CHECKING:
    from pathlib import Path

NAME = "nextcloud:/a.bin"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMAGINE_CACHE", str(tmp_path))
    return tmp_path / "uploads"


def waiting(place: Path) -> list[bytes]:
    return [file.read_bytes() for file in place.glob("*/*")]


async def test_it_waits_in_the_cache_of_the_home(place: Path) -> None:
    uploads = Spool()
    await uploads.take("a", FIRST, b"one ", NAME, "")
    upload = await uploads.take("a", LAST, b"two", NAME, "")
    assert waiting(place) == [b"one two"]
    assert upload.content().digest() == hashlib.sha256(b"one two").hexdigest()
    uploads.drop("a")
    assert waiting(place) == []


async def test_a_disk_without_room_is_said_before_it_is_full(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "SPARE", 2**60)
    with pytest.raises(Refused) as error:
        await Spool().take("a", FIRST, b"x", NAME, "")
    assert (error.value.status_code, error.value.sentence) == (
        507,
        "This server has no room left for nextcloud:/a.bin (No space left on device): "
        "free some disk space in your home, and upload it again.",
    )
    assert waiting(place) == []


async def test_an_upload_that_is_given_up_goes_by_itself(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "FORGOTTEN_SECONDS", 0.3)
    uploads = Spool()
    await uploads.take("a", FIRST, b"1", NAME, "")
    await asyncio.sleep(0.2)
    await uploads.take("a", 2, b"2", NAME, "")
    await asyncio.sleep(0.2)
    assert waiting(place) == [b"12"]
    await asyncio.sleep(0.3)
    assert waiting(place) == []
    with pytest.raises(Refused, match="409"):
        await uploads.take("a", LAST, b"3", NAME, "")


async def test_an_upload_that_is_being_stored_is_not_forgotten(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "FORGOTTEN_SECONDS", 0.1)
    uploads = Spool()
    await uploads.take("a", FIRST, b"1", NAME, "")
    upload = await uploads.take("a", LAST, b"2", NAME, "")
    upload.storing = asyncio.create_task(asyncio.sleep(0.5, {}))
    await asyncio.sleep(0.3)
    assert waiting(place) == [b"12"]
    assert await uploads.take("a", LAST, b"", NAME, "") is upload
    await asyncio.sleep(0.4)
    assert waiting(place) == []


async def test_what_a_killed_server_left_goes_with_the_next(place: Path) -> None:
    for name, age in (("killed", 2 * 86400), ("running", 60)):
        folder = place / name
        folder.mkdir(parents=True)
        (folder / "upload").write_text(name)
        for path in (folder / "upload", folder):
            os.utime(path, (time.time() - age,) * 2)
    uploads = Spool()
    await uploads.take("a", FIRST, b"mine", NAME, "")
    assert sorted(waiting(place)) == [b"mine", b"running"]
