"""A broken run goes on where it was, and says so when it cannot."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from imagine_lib.errors import Interrupted, StorageError, UsageError
from imagine_lib.prediction import keeping, predict
from tests.library.prediction.making import draw_images, make_model, probabilities

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.model import Model
    from imagine_lib.prediction.record import Predictions

PREDICT = """
import sys
from pathlib import Path
from imagine_lib.api import load
from imagine_lib.prediction import predict
predict.CHUNK = 4
found = load(Path(sys.argv[1]), device="cpu").predict(sys.argv[2], folder=sys.argv[3], progress=lambda *_: None)
print(len(found), flush=True)
"""


def threads() -> dict[str, str]:
    """Return what gives another process as many threads as this one: sums come out the same then."""
    return {"OMP_NUM_THREADS": str(torch.get_num_threads())}


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "CHUNK", 4)


def same(first: Predictions, second: Predictions) -> bool:
    return (
        first.to_dict() == second.to_dict()
        and first.errors == second.errors
        and np.array_equal(probabilities(first), probabilities(second))
    )


def asked(model: Model, folder: Path, images: object) -> tuple[Predictions, int]:
    """Predict, and return how many images were answered anew."""
    starts: list[int] = []
    found = model.predict(images, folder=folder, progress=lambda done, total: starts.append(done))  # type: ignore[arg-type]
    return found, starts[-1] - starts[0]


def test_nothing_is_written_without_a_folder(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_images(tmp_path / "images", 9)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGINE_CACHE", str(tmp_path / "cache"))
    model.predict(tmp_path / "images")
    assert {path.name for path in tmp_path.iterdir()} == {"images"}


def test_a_second_call_answers_at_once_and_the_same(model: Model, tmp_path: Path) -> None:
    draw_images(tmp_path / "images", 10)
    (tmp_path / "images" / "00004x.png").touch()
    plain = model.predict(tmp_path / "images")
    first, made = asked(model, tmp_path / "kept", tmp_path / "images")
    assert made == 11
    second, made = asked(model, tmp_path / "kept", tmp_path / "images")
    assert made == 0
    assert same(plain, first)
    assert same(first, second)
    assert [failure.position for failure in second.errors] == [5]


def test_a_killed_run_goes_on_and_ends_the_same(model: Model, tmp_path: Path) -> None:
    draw_images(tmp_path / "images", 240)
    wanted = model.predict(tmp_path / "images")
    rng = random.Random(3)
    arguments = [str(model.package.folder), str(tmp_path / "images"), str(tmp_path / "kept")]
    for _ in range(3):
        before = chunks_in(tmp_path / "kept")
        process = subprocess.Popen([sys.executable, "-c", PREDICT, *arguments], env=os.environ | threads())
        enough = before + rng.randint(1, 12)
        while process.poll() is None and chunks_in(tmp_path / "kept") < enough:
            time.sleep(0.001)
        time.sleep(rng.random() * 0.02)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    there = chunks_in(tmp_path / "kept")
    assert 3 <= there < 60
    found, made = asked(model, tmp_path / "kept", tmp_path / "images")
    assert made == 240 - 4 * there
    assert same(found, wanted)
    assert not list((tmp_path / "kept").glob(".writing-*"))


def chunks_in(folder: Path) -> int:
    return len(list(folder.glob("answers-*")))


def test_answers_of_another_model_or_to_other_images_are_refused(model: Model, tmp_path: Path) -> None:
    draw_images(tmp_path / "images", 5)
    kept = tmp_path / "kept"
    model.predict(tmp_path / "images", folder=kept)
    other = make_model(tmp_path / "other", seed=1)
    with pytest.raises(UsageError) as refused:
        other.predict(tmp_path / "images", folder=kept)
    assert str(refused.value) == (
        f"{kept} keeps the answers of another model (test-model): give another folder, or delete this one."
    )
    draw_images(tmp_path / "images", 6)
    with pytest.raises(UsageError) as refused:
        model.predict(tmp_path / "images", folder=kept)
    assert str(refused.value) == (
        f"{kept} keeps the answers to other images (5 of them): give another folder, or delete this one."
    )
    (tmp_path / "images" / "00005.png").unlink()
    assert asked(model, kept, tmp_path / "images")[1] == 0


def test_a_folder_with_other_files_is_left_alone(model: Model, tmp_path: Path) -> None:
    draw_images(tmp_path / "images", 2)
    with pytest.raises(UsageError, match="images holds other files: give a folder that is new or empty"):
        model.predict(tmp_path / "images", folder=tmp_path / "images")
    assert len(list((tmp_path / "images").iterdir())) == 2


def test_an_image_that_changed_is_answered_anew(model: Model, tmp_path: Path) -> None:
    paths = draw_images(tmp_path / "images", 12)
    model.predict(tmp_path / "images", folder=tmp_path / "kept")
    paths[5].write_bytes(draw_images(tmp_path / "others", 1, seed=9, side=40)[0].read_bytes())
    found, made = asked(model, tmp_path / "kept", tmp_path / "images")
    assert made == 4
    assert same(found, model.predict(tmp_path / "images"))


@pytest.mark.parametrize("harm", ["cut", "flipped", "swapped", "empty"])
def test_a_damaged_chunk_is_made_anew(model: Model, tmp_path: Path, harm: str) -> None:
    draw_images(tmp_path / "images", 12)
    wanted = model.predict(tmp_path / "images", folder=tmp_path / "kept")
    first, second, _ = sorted((tmp_path / "kept").glob("answers-*"))
    content = bytearray(second.read_bytes())
    if harm == "cut":
        del content[-7:]
    elif harm == "flipped":
        content[-7] ^= 1
    elif harm == "swapped":
        content = bytearray(first.read_bytes())
    else:
        content.clear()
    second.write_bytes(content)
    found, made = asked(model, tmp_path / "kept", tmp_path / "images")
    assert made == 4
    assert same(found, wanted)


def test_a_full_disk_is_one_sentence_and_what_is_there_stays_good(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_images(tmp_path / "images", 12)
    write = keeping.write_atomically

    def fill_up(target: Path, content: bytes) -> None:
        if target.name.startswith("answers-00000008"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(target, content)

    monkeypatch.setattr(keeping, "write_atomically", fill_up)
    with pytest.raises(StorageError) as full:
        model.predict(tmp_path / "images", folder=tmp_path / "kept")
    assert str(full.value) == (
        f"The answers could not be kept in {tmp_path / 'kept'} (no space left on device); those to 8 of 12 images are "
        "there: free some disk space and ask again with the same folder."
    )
    monkeypatch.setattr(keeping, "write_atomically", write)
    found, made = asked(model, tmp_path / "kept", tmp_path / "images")
    assert made == 4
    assert same(found, model.predict(tmp_path / "images"))


def test_a_folder_that_cannot_be_written_is_said_before_work_starts(model: Model, tmp_path: Path) -> None:
    draw_images(tmp_path / "images", 2)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="Answers cannot be kept in .*: give another folder"):
        model.predict(tmp_path / "images", folder=tmp_path / "file" / "kept")


def test_an_index_that_is_none_is_said(model: Model, tmp_path: Path) -> None:
    draw_images(tmp_path / "images", 2)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / keeping.INDEX).write_text(json.dumps({"model": 1}))
    with pytest.raises(UsageError, match=r"predictions\.json cannot be understood"):
        model.predict(tmp_path / "images", folder=tmp_path / "kept")


def interrupt_at(position: int) -> object:
    def stop(done: int, total: int) -> None:
        if done >= position:
            raise KeyboardInterrupt

    return stop


def test_an_interrupt_says_what_is_left(model: Model, tmp_path: Path) -> None:
    draw_images(tmp_path / "images", 12)
    with pytest.raises(Interrupted) as stopped:
        model.predict(tmp_path / "images", folder=tmp_path / "kept", progress=interrupt_at(8))  # type: ignore[arg-type]
    kept = 12 - int(str(stopped.value).split(" with ")[1].split()[0])
    assert str(stopped.value) == (
        f"the prediction was stopped with {12 - kept} of 12 images left; the other answers are in "
        f"{tmp_path / 'kept'}: ask again with the same folder to go on."
    )
    assert kept in (4, 8)
    found, made = asked(model, tmp_path / "kept", tmp_path / "images")
    assert made == 12 - kept
    assert same(found, model.predict(tmp_path / "images"))


def test_an_interrupt_without_a_folder_says_that_nothing_was_kept(model: Model, tmp_path: Path) -> None:
    draw_images(tmp_path / "images", 12)
    with pytest.raises(Interrupted) as stopped:
        model.predict(tmp_path / "images", progress=interrupt_at(8))  # type: ignore[arg-type]
    assert str(stopped.value) == (
        "the prediction was stopped after 8 of 12 images, and nothing was kept: give a folder next time, and it can go on."
    )


def test_ctrl_c_on_the_command_line_is_one_sentence(model: Model, tmp_path: Path) -> None:
    draw_images(tmp_path / "images", 3000)
    command = [sys.executable, "-m", "imagine_lib.cli", "predict", model.package.folder, tmp_path / "images"]
    process = subprocess.Popen(
        [*map(str, command), "--folder", str(tmp_path / "kept")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | threads(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what runs in the background ignores it
    )
    while process.poll() is None and not list((tmp_path / "kept").glob("answers-*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output == ""
    assert "imagine: the prediction was stopped with " in said
    assert "Traceback" not in said
