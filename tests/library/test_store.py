"""The decoded cache: what is damaged is made anew, a full disk ends the keeping and not the work."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from imagine_lib.data import open_dataset
from imagine_lib.data.loading import headers, load_canvases
from imagine_lib.data.preprocessing import make_input_spec
from imagine_lib.data.store import CanvasStore, make_room
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.data.loading import Loaded

SPEC = make_input_spec(32, "pad")

FILL = """
import sys
from imagine_lib.data import open_dataset
from imagine_lib.data.loading import load_canvases
from imagine_lib.data.preprocessing import make_input_spec
print(len(load_canvases(open_dataset(sys.argv[1]).items, make_input_spec(32, "pad")).kept), flush=True)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMAGINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def load(folder: Path) -> Loaded:
    return load_canvases(open_dataset(folder).items, SPEC)


def pixels(loaded: Loaded) -> bytes:
    return loaded.canvases.take(slice(None)).tobytes()


def decoded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Load and return how many images were decoded for it."""
    count = 0

    def told(done: int, total: int) -> None:
        nonlocal count
        count = total

    load_canvases(open_dataset(folder).items, SPEC, told)
    return count


def test_each_image_is_decoded_once(plankton: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(plankton)
    assert decoded(plankton, monkeypatch) == 0
    assert pixels(load(plankton)) == pixels(first)


@pytest.mark.parametrize("damage", ["short pixels", "no pixels", "short index", "flipped", "no index"])
def test_what_is_damaged_is_made_anew(
    plankton: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    wanted = pixels(load(plankton))
    (folder,) = (cache / "canvases").iterdir()
    match damage:
        case "short pixels":
            os.truncate(folder / "pixels", 32 * 32 * 10 + 5)
        case "no pixels":
            (folder / "pixels").unlink()
        case "short index":
            os.truncate(folder / "index", 36 * 7 + 3)
        case "flipped":
            content = bytearray((folder / "pixels").read_bytes())
            content[32 * 32 * 3] ^= 0xFF
            (folder / "pixels").write_bytes(content)
        case "no index":
            (folder / "index").unlink()
    assert pixels(load(plankton)) == wanted
    assert decoded(plankton, monkeypatch) == 0


def test_a_full_disk_ends_the_keeping_and_not_the_work(plankton: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = pixels(load(plankton))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("IMAGINE_CACHE", str(plankton.parent / "another-cache"))
    monkeypatch.setattr(CanvasStore, "add", full)
    with pytest.warns(UserWarning, match="no space left on device"):
        assert pixels(load(plankton)) == wanted


def test_a_full_disk_and_a_full_memory_end_the_work_in_one_sentence(
    plankton: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(CanvasStore, "add", full)
    needed = 2 * 45 * 32 * 32  # each canvas once as it is decoded, and once among all
    monkeypatch.setattr("imagine_lib.data.loading.free_memory", lambda: needed)
    with pytest.warns(UserWarning, match="no space left on device"):
        assert len(load(plankton).kept) == 45
    monkeypatch.setattr("imagine_lib.data.loading.free_memory", lambda: needed - 1)
    with (
        pytest.warns(UserWarning, match="no space left on device"),
        pytest.raises(DataError, match=rf"need 0\.0 GB, for which neither {cache}/.* nor memory has room: make room"),
    ):
        load(plankton)


def test_opening_many_images_tells_how_far_it_is(
    plankton: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("imagine_lib.data.looks.PATIENCE", -1.0)
    assert len(headers(open_dataset(plankton).items)) == 45
    assert "Opening the images: 44 of 45\nOpening the images: 45 of 45\n" in capsys.readouterr().err


def test_two_processes_that_fill_one_cache_do_not_disturb_each_other(plankton: Path) -> None:
    both = [subprocess.Popen([sys.executable, "-c", FILL, str(plankton)], stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in both] == [b"45\n", b"45\n"]
    alone = load(plankton)
    assert len(alone.kept) == 45
    means = alone.canvases.take(slice(None)).reshape(45, -1).mean(axis=1)
    assert np.unique(means.round(6)).size > 40


def test_a_killed_process_leaves_a_cache_that_goes_on(
    plankton: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = subprocess.Popen([sys.executable, "-c", FILL, str(plankton)], stdout=subprocess.DEVNULL)
    while process.poll() is None and not list(cache.glob("canvases/*/pixels")):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(load(plankton).kept) == 45
    assert decoded(plankton, monkeypatch) == 0


def test_the_store_in_use_is_never_removed_and_the_oldest_go_first(plankton: Path) -> None:
    stores = []
    for size in (16, 24, 32):
        spec = make_input_spec(size, "pad")
        load_canvases(open_dataset(plankton).items, spec)
        stores.append(CanvasStore(spec, 1))
        os.utime(stores[-1].folder, (size, size))
    make_room(stores[0], limit=40 * (16 * 16 + 32 * 32) + 20_000)
    assert [store.folder.is_dir() for store in stores] == [True, False, True]
