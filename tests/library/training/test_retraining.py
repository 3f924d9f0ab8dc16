"""Retraining learns, is repeatable, and tells what it did."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image

import imagine_lib as im
from imagine_lib.data import Split, open_dataset
from imagine_lib.data.synthetic import write_dataset
from imagine_lib.errors import DataError
from imagine_lib.models.classifier import load_classifier
from imagine_lib.models.network import head_parameters, last_linear, replace_head
from imagine_lib.training import progress
from imagine_lib.widgets.progress import advance
from tests.library.conftest import train_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.training.run import Run


def test_the_run_keeps_everything(tiny: Run) -> None:
    assert {path.name for path in tiny.folder.iterdir()} == {"model", "report.html", "report.json", "events.jsonl"}
    lines = [json.loads(line) for line in (tiny.folder / "events.jsonl").read_text().splitlines()]
    assert [line for line in lines if line["type"] not in ("progress", "reading")] == tiny.events
    assert list(tiny.history()["epoch"]) == [1, 2]


def test_same_seed_same_weights(tiny_split: Split, tiny: Run, tmp_path: Path) -> None:
    again = train_tiny(tiny_split, tmp_path / "again")
    other = train_tiny(tiny_split, tmp_path / "other", seed=1)
    hashes = [
        next(f.sha256 for f in run.package.files if f.path == "model.safetensors") for run in (tiny, again, other)
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_it_learns(tmp_path: Path) -> None:
    write_dataset(tmp_path / "images", ["disc", "star"], each=40, seed=1, samples=range(4))
    split = open_dataset(tmp_path / "images").split(seed=0)
    run = train_tiny(split, tmp_path / "run", epochs=12, image_size=48)
    assert run.report().metrics["accuracy"] >= 0.9


def test_provenance_is_complete(tiny: Run, tiny_split: Split) -> None:
    provenance = tiny.package.manifest.provenance
    assert provenance.data_manifest_sha256 == tiny_split.sha256
    assert provenance.arguments["epochs"] == 2
    assert provenance.libraries["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert provenance.base is None


def test_provenance_says_what_the_training_decided_itself(tiny: Run) -> None:
    arguments = tiny.package.manifest.provenance.arguments
    assert (arguments["balance"], arguments["batch_size"], arguments["halved"]) == ("none", 8, False)


def test_the_random_numbers_of_a_notebook_are_left_alone(tiny_split: Split, tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train_tiny(tiny_split, tmp_path / "run", epochs=1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("wait", [0.0, 60.0])
def test_progress_goes_to_the_watchers_and_now_and_then_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait: float
) -> None:
    monkeypatch.setattr(progress, "INTERVAL", wait)
    told: list[progress.Event] = []
    log = progress.EventLog(tmp_path / "events.jsonl", [told.append])
    for step in range(100):
        log.emit("progress", epoch=1, epochs=1, step=step, steps=100)
    log.emit("metric", epoch=1)
    lines = [json.loads(line)["type"] for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert len(told) == 101
    assert [event["type"] for event in log.events] == ["metric"]
    assert lines == ["progress"] * (1 if wait else 100) + ["metric"]


def test_retraining_keeps_the_features_and_replaces_the_head(tiny: Run) -> None:
    network = load_classifier(tiny.package).network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    replace_head(network, 7)
    assert last_linear(network)[2].out_features == 7
    assert last_linear(network)[2].in_features == 1024
    changed = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ["classifier.3.weight", "classifier.3.bias"]
    assert len(head_parameters(network)) == 2


def test_a_chain_of_models_remembers_all_images(tiny: Run, tiny_split: Split, tmp_path: Path) -> None:
    write_dataset(tmp_path / "more", ["disc", "star"], each=10, seed=9, samples=range(2))
    second = tiny.model.retrain(
        open_dataset(tmp_path / "more"), im.Recipe(epochs=1, batch_size=8), folder=tmp_path / "run", watchers=[]
    )
    assert second.model.package.seen() > tiny.package.seen()
    assert second.package.manifest.provenance.base_sha256 == tiny.package.sha256
    with pytest.raises(DataError, match="the model learned from all"):
        tiny.model.evaluate(tiny_split.train)


def test_unreadable_images_are_named_and_the_others_learned_from(plankton: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "images", ["disc", "star"], each=12, seed=1, samples=range(2))
    split = open_dataset(tmp_path / "images").split()
    split.train.items[0].content.path.write_bytes(b"broken")
    run = train_tiny(split, tmp_path / "run", epochs=1)
    messages = [event["text"] for event in run.events if event["type"] == "message"]
    assert sum("Left out: " in text and "is not an image" in text for text in messages) == 1


def test_a_class_of_only_broken_images_is_named(tmp_path: Path) -> None:
    write_dataset(tmp_path / "images", ["disc"], each=5, seed=1, samples=range(2))
    (tmp_path / "images" / "broken").mkdir()
    for index in range(5):
        (tmp_path / "images" / "broken" / f"{index}.png").write_bytes(b"x")
    with pytest.raises(DataError, match="^Class 'broken' of .* has no training image that can be read"):
        train_tiny(open_dataset(tmp_path / "images").split(), tmp_path / "run", epochs=1)


def test_the_widget_follows_the_events(tiny: Run) -> None:
    state: dict[str, object] = {"epoch": 0, "epochs": 0, "share": 0.0, "history": [], "messages": []}
    shares = []
    for event in tiny.events:
        state = advance(state, event)
        shares.append(state["share"])
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    early = advance({"epoch": 8, "epochs": 10, "share": 0.8, "history": [], "messages": []}, {"type": "end"})
    assert early["share"] == 1.0
    assert [row["epoch"] for row in state["history"]] == [1, 2]  # type: ignore[attr-defined]


def test_importing_the_library_loads_no_torch() -> None:
    code = "import sys, imagine_lib; raise SystemExit(bool({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_real_images(real_images: Path, tmp_path: Path) -> None:
    """The FlowCam crops are few and small sets are hard: what counts is that the whole way works on them."""
    split = open_dataset(real_images / "phytoplankton_vliz").split(seed=0)
    run = train_tiny(split, tmp_path / "run", epochs=2)
    report = run.report().to_dict()
    assert report["test"]["images"] == len(split.test)
    assert {row["label"] for row in report["per_class"]} >= set(split.test.classes)
    with Image.open(split.test.items[0].content.path) as image:
        assert max(image.size) > 0


def test_a_test_set_that_the_base_has_seen_is_refused_before_training(
    tiny: Run, plankton: Path, tmp_path: Path
) -> None:
    split = open_dataset(plankton).split(seed=0)
    seen_only = Split(split.train, split.select, split.calibrate, split.train, 0)
    with pytest.raises(DataError, match=f"the model learned from all {len(split.train)} test images"):
        tiny.model.retrain(seen_only, im.Recipe(epochs=1), folder=tmp_path / "run", watchers=[])
    assert not (tmp_path / "run" / "events.jsonl").exists()  # not one step was made


def test_a_full_disk_ends_the_log_and_not_the_training(tiny_split: Split, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "events.jsonl").symlink_to("/dev/full")
    run = train_tiny(tiny_split, tmp_path / "run", epochs=1)
    messages = [event["text"] for event in run.events if event["type"] == "message"]
    assert sum("cannot be written (No space left on device); the run goes on." in text for text in messages) == 1
    assert (run.folder / "model" / "model.json").is_file()


def test_few_calibration_images_make_no_rule_for_unknowns(tiny: Run) -> None:
    calibration = tiny.package.manifest.calibration
    assert calibration is not None
    assert (calibration.images, calibration.unknown_above) == (5, None)


def test_many_calibration_images_make_one_that_keeps_most_of_what_is_known(tmp_path: Path) -> None:
    write_dataset(tmp_path / "images", ["disc", "star"], each=120, seed=1, samples=range(4))
    data = open_dataset(tmp_path / "images")
    run = train_tiny(data.split(seed=0, fractions=(0.4, 0.35, 0.25)), tmp_path / "run", epochs=2)
    calibration = run.package.manifest.calibration
    assert calibration is not None
    assert calibration.unknown_above is not None
    called = [item.status == "unknown" for item in run.model.predict(run.split.test).items]
    assert sum(called) < 0.2 * len(called)
