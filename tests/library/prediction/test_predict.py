"""Answers: in order, the same every time, bad images beside them, and what they are called."""

from __future__ import annotations

import gc
import threading
import time
import warnings
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from imagine_lib.data.imageset import ImageSet
from imagine_lib.data.opening import open_images
from imagine_lib.models.folding import fold
from imagine_lib.models.network import build_network
from imagine_lib.prediction import predict, streaming
from imagine_lib.prediction.streaming import Chunk, Forgetful, answer_in_chunks
from imagine_lib.wire import Architecture, Calibration
from tests.library.prediction.making import draw_images, make_model, plain_answers, probabilities, softmax

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imagine_lib.model import Model


def test_the_answers_are_those_of_the_plain_network(model: Model, blots: list[Path]) -> None:
    found = model.predict(blots)
    wanted = softmax(plain_answers(model, blots))
    assert np.ptp(wanted.argmax(axis=1)) > 0, "the test's network must not answer everything alike"
    assert probabilities(found) == pytest.approx(wanted, abs=1e-5)
    names = [entry.name for entry in model.package.manifest.classes]
    assert [item.label for item in found.items] == [names[index] for index in wanted.argmax(axis=1)]
    assert [item.image for item in found.items] == [str(path) for path in blots]
    first = found[0]
    assert [guess.label for guess in first.top] == [names[index] for index in np.argsort(-wanted[0])]
    assert first.top[0].aphia_id == model.package.manifest.classes[wanted[0].argmax()].aphia_id


def test_bad_images_are_reported_with_their_place_and_stop_nothing(
    model: Model, blots: list[Path], tmp_path: Path
) -> None:
    cut = tmp_path / "cut.jpg"
    Image.open(blots[0]).convert("RGB").resize((400, 400)).save(cut)
    cut.write_bytes(cut.read_bytes()[:900])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no image")
    bomb = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(bomb)
    asked = [
        blots[0],
        cut,
        tmp_path / "empty.png",
        blots[1],
        tmp_path / "text.png",
        bomb,
        blots[2],
        tmp_path / "no.png",
    ]
    found = model.predict(asked)
    assert [item.image for item in found.items] == [str(blots[index]) for index in range(3)]
    assert [failure.position for failure in found.errors] == [1, 2, 4, 5, 7]
    assert [failure.image for failure in found.errors] == [str(asked[index]) for index in (1, 2, 4, 5, 7)]
    assert all(failure.message.startswith(failure.image) for failure in found.errors)
    assert probabilities(found) == pytest.approx(probabilities(model.predict(blots[:3])), abs=1e-6)


def test_no_image_and_only_bad_images_have_no_answers(model: Model, tmp_path: Path) -> None:
    assert len(model.predict(ImageSet("nothing", ()))) == 0
    (tmp_path / "empty.png").touch()
    found = model.predict(tmp_path / "empty.png")
    assert len(found) == 0
    assert len(found.errors) == 1
    assert found.counts() == {}
    assert len(found.to_dataframe()) == 0


def test_the_same_call_gives_the_same_bits(model: Model, blots: list[Path]) -> None:
    assert np.array_equal(probabilities(model.predict(blots)), probabilities(model.predict(blots)))


def test_chunks_and_folding_change_nothing(
    model: Model, blots: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "bad.png"
    bad.touch()
    asked = [*blots[:10], bad, *blots[10:]]
    whole = model.predict(asked)
    monkeypatch.setattr(predict, "CHUNK", 4)
    parts = model.predict(asked)
    assert [item.image for item in parts.items] == [item.image for item in whole.items]
    assert [item.sha256 for item in parts.items] == [item.sha256 for item in whole.items]
    assert parts.errors == whole.errors
    assert probabilities(parts) == pytest.approx(probabilities(whole), abs=1e-4)


def test_images_are_decoded_while_the_network_works_but_never_far_ahead() -> None:
    ahead: list[int] = []
    read_count = 0
    asked_count = 0
    lock = threading.Lock()

    def read(items: object) -> int:
        nonlocal read_count
        with lock:
            read_count += 1
        return read_count

    def ask(number: int, told: object) -> Chunk:
        nonlocal asked_count
        time.sleep(0.02)
        asked_count += 1
        ahead.append(read_count - asked_count)
        return Chunk({"kept": np.zeros(1, np.int64)}, {})

    items = open_images([f"{number}.png" for number in range(12)]).items
    answer_in_chunks(items, 1, read, ask, Forgetful(), lambda done, total: None)
    assert max(ahead) > 0
    assert max(ahead) <= streaming.AHEAD


@pytest.mark.parametrize("builder", ["resnet18", "efficientnet_b0", "mobilenet_v3_large", "convnext_tiny"])
def test_folding_leaves_the_answers_and_the_network_as_they_were(builder: str) -> None:
    torch.manual_seed(0)
    network = build_network(Architecture(builder=builder), 5)
    network.train()
    with torch.no_grad():
        network(torch.randn(8, 3, 64, 64))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.eval()
    folded = fold(network, 64)
    batch = torch.randn(4, 3, 64, 64)
    with torch.inference_mode():
        wanted = network(batch)
        assert folded(batch) == pytest.approx(wanted, abs=1e-4 * float(wanted.abs().max()))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    if builder != "convnext_tiny":
        assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in folded.modules())


def test_a_network_that_folding_would_change_is_left_alone() -> None:
    class Moody(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(3, 2)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return self.layer(batch.mean(dim=(2, 3))) + torch.randn(1)

    class Branching(Moody):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return super().forward(batch) if batch.sum() > 0 else super().forward(-batch)

    for network in (Moody(), Branching()):
        assert fold(network, 32) is network


def calibration(**changes: object) -> Calibration:
    facts = {"temperature": 2.0, "thresholds": [0.9, None, 0.0], "images": 100}
    return Calibration(**(facts | changes))  # type: ignore[arg-type]


def test_each_class_is_measured_by_its_own_threshold(tmp_path: Path, blots: list[Path]) -> None:
    model = make_model(tmp_path / "m", calibration())
    found = model.predict(blots)
    table = softmax(plain_answers(model, blots) / 2)
    assert probabilities(found) == pytest.approx(table, abs=1e-5)
    needed = np.array([0.9, 0.5, 0.0])[table.argmax(axis=1)]
    wanted = np.where(table.max(axis=1) >= needed, "accepted", "below_threshold")
    assert [item.status for item in found.items] == wanted.tolist()
    assert set(wanted) == {"accepted", "below_threshold"}
    assert found.to_dataframe()["status"].tolist() == wanted.tolist()
    assert found.notes == (
        "A precision of 95% is not promised for Noctiluca: "
        "the calibration had too few sure images, and 0.5 is asked there.",
    )
    assert "not promised for Noctiluca" in found._repr_html_()


def test_a_given_threshold_holds_for_all_classes(tmp_path: Path, blots: list[Path]) -> None:
    model = make_model(tmp_path / "m", calibration())
    found = model.predict(blots, 0.6)
    sure = probabilities(found).max(axis=1) >= 0.6
    assert [item.status == "accepted" for item in found.items] == sure.tolist()
    assert 0 < sure.sum() < len(sure)
    assert found.notes == ("No precision is promised for any class: the threshold 0.6 was given by hand.",)


def test_strange_images_are_unknown_whatever_their_probability(tmp_path: Path, blots: list[Path]) -> None:
    plain = make_model(tmp_path / "plain")
    energies = -np.log(np.exp(plain_answers(plain, blots)).sum(axis=1))
    limit = float(np.median(energies))
    model = make_model(tmp_path / "m", calibration(unknown_above=limit, thresholds=[0.0, 0.0, 0.0]))
    found = model.predict(blots)
    assert [item.status == "unknown" for item in found.items] == (energies > limit).tolist()
    assert not found.notes


def test_a_model_without_calibration_says_that_it_promises_nothing(model: Model, blots: list[Path]) -> None:
    (note,) = model.predict(blots[:1]).notes
    assert note == "No precision is promised for any class: the model was not calibrated; 0.5 is asked of all."


def test_predictions_are_a_sequence(model: Model, blots: list[Path]) -> None:
    found = model.predict(blots)
    assert len(found) == len(list(found)) == 30
    some = found[5:20:5]
    assert [item.image for item in some] == [str(blots[index]) for index in (5, 10, 15)]
    assert found[-1].image == str(blots[-1])
    assert some.to_dataframe()["image"].tolist() == [item.image for item in some]
    assert sum(found.counts().values()) == 30
    with pytest.raises(IndexError):
        found[30]


def growth_of(work: Callable[[Callable[[int, int], None]], object]) -> float:
    """Return by how many megabytes the process grows at most during work, which tells its progress."""
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    highest = before

    def watch(done: int, total: int) -> None:
        nonlocal highest
        highest = max(highest, process.memory_info().rss)

    kept = work(watch)
    growth = (max(highest, process.memory_info().rss) - before) / 2**20
    del kept
    return growth


def growth_over(model: Model, folder: Path) -> float:
    data = open_images([folder])
    model.predict(data.items[0].name)
    return growth_of(lambda watch: model.predict(data, progress=watch))


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """The canvases of 3,000 images of 128 pixels take 147 MB; three chunks of them and the decoding a part of it."""
    model = make_model(tmp_path / "m", size=128)
    draw_images(tmp_path / "images", 3000, side=16, suffix=".jpg")
    assert growth_over(model, tmp_path / "images") < 130


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_images_stay_below_a_gigabyte_and_a_half(tmp_path: Path) -> None:
    model = make_model(tmp_path / "m", size=128)
    paths = draw_images(tmp_path / "images", 500, side=64, suffix=".jpg")
    for number in range(100_000 - len(paths)):
        (tmp_path / "images" / f"link{number:06}.jpg").hardlink_to(paths[number % len(paths)])
    growth_over(model, tmp_path / "images")
    assert psutil.Process().memory_info().rss < 1.5e9


def test_nothing_is_warned_of_on_the_way(model: Model, blots: list[Path]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(blots)
