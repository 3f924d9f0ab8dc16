"""Whatever ends a training, it goes on from where it was, to the same weights bit for bit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from imagine_lib.errors import Interrupted, ModelError, UsageError
from imagine_lib.training.checkpoint import BEFORE, LATEST, WRITING, Checkpoint, read_checkpoint, write_checkpoint
from imagine_lib.training.retrain import retrain
from imagine_lib.training.start import PackageStart
from tests.library.conftest import RECIPE, train_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.data import Split
    from imagine_lib.training.progress import Event
    from imagine_lib.training.run import Run

TRAINING = """
import sys
from pathlib import Path
import imagine_lib.training.loop as loop
loop.SECONDS_BETWEEN_CHECKPOINTS = 0.3
from imagine_lib.data import open_dataset
from tests.library.conftest import train_tiny
train_tiny(open_dataset(sys.argv[1]).split(seed=0), Path(sys.argv[2]), epochs=4)
"""


def weights_of(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def start_training(images: Path, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", TRAINING, str(images), str(folder)], stderr=subprocess.DEVNULL)


def kill_until_done(images: Path, folder: Path, kills: int, seed: int) -> int:
    """Kill a training at random moments and start it anew; return how often it was killed while it trained."""
    rng = random.Random(seed)
    struck = 0
    for _ in range(kills):
        process = start_training(images, folder)
        while process.poll() is None and not (folder / LATEST).exists():
            time.sleep(0.01)
        try:
            process.wait(timeout=rng.uniform(0.0, 3.0) + 2.0 * (struck > 0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            struck += 1
        process.wait()
    assert start_training(images, folder).wait(timeout=300) == 0
    return struck


def check_kills(images: Path, folder: Path, kills: int) -> None:
    assert start_training(images, folder / "whole").wait(timeout=300) == 0
    assert kill_until_done(images, folder / "killed", kills, seed=kills) >= 1
    assert weights_of(folder / "killed") == weights_of(folder / "whole")
    assert not list((folder / "killed").glob("*.safetensors"))  # nothing is left of the checkpoints


def test_a_killed_training_ends_with_the_same_weights(plankton: Path, tmp_path: Path) -> None:
    check_kills(plankton, tmp_path, kills=2)


@pytest.mark.soak
def test_a_training_that_is_killed_over_and_over_ends_with_the_same_weights(plankton: Path, tmp_path: Path) -> None:
    check_kills(plankton, tmp_path, kills=40)


def interrupted_at(epoch: int) -> object:
    def watch(event: Event) -> None:
        if event["type"] == "progress" and (event["epoch"], event["step"]) == (epoch, 2):
            raise KeyboardInterrupt

    return watch


def interrupt(split: Split, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    from imagine_lib.training import retrain

    monkeypatch.setattr(retrain, "default_watchers", lambda: [interrupted_at(2)])
    with pytest.raises(Interrupted) as stopped:
        train_tiny(split, folder, watchers=None, **changes)
    assert str(stopped.value) == (
        f"the training was stopped before its end; retrain with folder={str(folder)!r} to go on from there."
    )


def test_an_interrupted_training_goes_on(
    tiny: Run, tiny_split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(tiny_split, tmp_path / "run", monkeypatch)
    run = train_tiny(tiny_split, tmp_path / "run")
    assert weights_of(run.folder) == weights_of(tiny.folder)
    assert any(event.get("text") == "Going on from a checkpoint in epoch 2." for event in run.events)
    assert list(run.history()["epoch"]) == [1, 2]


@pytest.mark.parametrize("place", ["imagine_lib.training.retrain.make_objective", "Classification.finish"])
def test_it_goes_on_after_a_stop_before_and_after_the_epochs(
    tiny: Run, tiny_split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        full = place if "." in place.partition(".")[2] else f"imagine_lib.training.classification.{place}"
        patched.setattr(full, stop)
        with pytest.raises(Interrupted, match=f"stopped before its end; retrain with folder='{tmp_path / 'run'}'"):
            train_tiny(tiny_split, tmp_path / "run")
    assert weights_of(train_tiny(tiny_split, tmp_path / "run").folder) == weights_of(tiny.folder)


def test_a_finished_training_is_not_replaced(tiny: Run, tiny_split: Split) -> None:
    before = weights_of(tiny.folder)
    with pytest.raises(UsageError) as refused:
        train_tiny(tiny_split, tiny.folder)
    assert str(refused.value) == (
        f"{tiny.folder} holds a training that has reached its end: choose another folder, or remove this one first."
    )
    assert weights_of(tiny.folder) == before


def test_a_report_that_cannot_be_written_costs_no_training(
    tiny: Run, tiny_split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("imagine_lib.evaluation.report.Report.save", full_disk)
        with pytest.raises(ModelError, match=r"The report in .*run could not be written \(No space left on device\)"):
            train_tiny(tiny_split, tmp_path / "run")
    run = train_tiny(tiny_split, tmp_path / "run")
    assert weights_of(run.folder) == weights_of(tiny.folder)
    assert any(event.get("text") == "Going on from a checkpoint in epoch 3." for event in run.events)


def test_it_goes_on_with_the_threads_that_it_had(
    tiny: Run, tiny_split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(tiny_split, tmp_path / "run", monkeypatch)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run = train_tiny(tiny_split, tmp_path / "run")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert weights_of(run.folder) == weights_of(tiny.folder)


def test_a_checkpoint_of_another_training_is_refused(
    tiny_split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(tiny_split, tmp_path / "run", monkeypatch)
    with pytest.raises(ModelError, match="holds a training with another recipe: choose another folder"):
        train_tiny(tiny_split, tmp_path / "run", seed=1)


def checkpoint(value: float) -> Checkpoint:
    return Checkpoint({"a": torch.full((1000,), value)}, {"epoch": value})


def test_a_truncated_checkpoint_costs_one_checkpoint(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, checkpoint(1.0))
    write_checkpoint(tmp_path, checkpoint(2.0))
    size = (tmp_path / LATEST).stat().st_size
    for length in (0, 7, 100, size // 2, size - 1):
        os.truncate(tmp_path / LATEST, length)
        found = read_checkpoint(tmp_path)
        assert found is not None
        assert found.facts == {"epoch": 1.0}


def test_garbage_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / LATEST).write_bytes(b"\x00" * 500)
    save_file({"a": torch.zeros(2)}, tmp_path / BEFORE)  # without facts
    assert read_checkpoint(tmp_path) is None


def test_a_full_disk_keeps_the_checkpoints_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(tmp_path, checkpoint(1.0))
    monkeypatch.setattr("imagine_lib.training.checkpoint.save_file", full_disk)
    with pytest.raises(ModelError, match="free some disk space and retrain into"):
        write_checkpoint(tmp_path, checkpoint(2.0))
    found = read_checkpoint(tmp_path)
    assert found is not None
    assert found.facts == {"epoch": 1.0}
    assert {path.name for path in tmp_path.iterdir()} == {LATEST}


def test_a_folder_that_is_gone_ends_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone could not be written \(.*\): free some disk space and retrain into"):
        write_checkpoint(tmp_path / "gone", checkpoint(1.0))


def test_what_a_killed_process_left_is_no_lasting_loss_of_space(tmp_path: Path) -> None:
    (tmp_path / WRITING).write_bytes(b"half of one")
    write_checkpoint(tmp_path, checkpoint(1.0))
    assert {path.name for path in tmp_path.iterdir()} == {LATEST}


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_checkpoint_of_another_base_model_is_refused(
    tiny: Run, tiny_split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(tiny_split, tmp_path / "run", monkeypatch)
    with pytest.raises(ModelError, match="holds a training with another base model: choose another folder"):
        start_from(tiny, tiny_split, tmp_path / "run")


def start_from(base: Run, split: Split, folder: Path) -> None:
    """Retrain a model on images that it has not seen as far as it knows."""
    start = PackageStart(base.package, "tiny")
    object.__setattr__(start, "seen", frozenset)
    retrain(start, split, RECIPE, name="tiny", folder=folder, device=torch.device("cpu"), watchers=[])
