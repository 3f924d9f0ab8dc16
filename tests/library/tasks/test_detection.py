"""A detector learns where things are, whatever the boxes are like, and what it finds lies on the image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from imagine_lib.data import open_dataset
from imagine_lib.data.imageset import Box
from imagine_lib.data.mosaics import write_mosaics
from imagine_lib.data.preprocessing import make_input_spec
from imagine_lib.errors import DataError, Interrupted, UsageError
from imagine_lib.evaluation.locating import evaluate_detector
from imagine_lib.evaluation.objects import DetectionEvaluation
from imagine_lib.models.builders import build_locating, detections, losses
from imagine_lib.models.detector import Detector
from imagine_lib.models.families import DETECTORS
from imagine_lib.models.loading import load_network_model
from imagine_lib.models.network import build_network, replace_head
from imagine_lib.prediction.objects import predict_objects
from imagine_lib.prediction.record import Failure
from imagine_lib.training.detection import Detection
from imagine_lib.training.progress import EventLog
from imagine_lib.training.start import PackageStart
from imagine_lib.wire import Architecture, Task
from tests.library.tasks.conftest import DETECTOR, RECIPE, SIZE, messages, train

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.data import ImageSet, Split
    from imagine_lib.training.progress import Event
    from imagine_lib.training.run import Run

CPU = torch.device("cpu")


def weights_of(run: Run) -> str:
    return next(file.sha256 for file in run.package.files if file.path == "model.safetensors")


def with_boxes(data: ImageSet, change: object) -> ImageSet:
    return replace(data, items=tuple(replace(item, boxes=change(item)) for item in data.items))  # type: ignore[operator]


def some_targets() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    boxes = [torch.tensor([[10.0, 10.0, 40.0, 50.0]]), torch.zeros(0, 4)]
    return boxes, [torch.tensor([1]), torch.zeros(0, dtype=torch.int64)]


def test_training_leaves_a_package_that_finds_the_same(detector: Run, boxed: ImageSet) -> None:
    manifest = detector.package.manifest
    assert manifest.task == Task.DETECTION
    assert [entry.name for entry in manifest.classes] == ["synthetic-disc", "synthetic-star"]
    assert [entry.support for entry in manifest.classes] == list(detector.split.train.counts.values())
    loaded = load_network_model(detector.package)
    assert isinstance(loaded, Detector)
    first, second = (predict_objects("d", detector.package, loaded, boxed, CPU, 0.0) for _ in range(2))
    assert first.items == second.items
    report = detector.report().to_dict()
    assert report["test"]["images"] == manifest.metrics.images == len(detector.split.test)  # type: ignore[union-attr]
    assert {"map", "map_50"} <= report["metrics"].keys()


def test_what_it_finds_lies_in_the_pixels_of_an_image_that_is_not_square(detector: Run, boxed: ImageSet) -> None:
    found = predict_objects("d", detector.package, load_network_model(detector.package), boxed, CPU, 0.0)  # type: ignore[arg-type]
    boxes = np.array([thing.box for item in found.items for thing in item.found])
    assert len(found.items) == len(boxed) and len(boxes) > len(boxed)
    assert {item.size for item in found.items} == {SIZE}
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] > 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= np.array(SIZE) + 0.02).all()
    assert boxes[:, 0].max() > SIZE[1]  # beyond a square of the shorter side
    for item in found.items:
        scores = [thing.probability for thing in item.found]
        assert scores == sorted(scores, reverse=True)


def test_an_image_that_cannot_be_read_is_told_in_its_place(detector: Run, boxed: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"x")
    broken = replace(boxed.items[1], content=replace(boxed.items[1].content, path=tmp_path / "broken.png"))  # type: ignore[type-var]
    data = replace(boxed, items=(boxed.items[0], broken, boxed.items[2]))
    calls: list[tuple[int, int]] = []
    model = load_network_model(detector.package)
    found = predict_objects("d", detector.package, model, data, CPU, progress=lambda *done: calls.append(done))  # type: ignore[arg-type]
    assert [item.image for item in found.items] == [boxed.items[0].name, boxed.items[2].name]
    assert [(error.image, error.position) for error in found.errors] == [(boxed.items[1].name, 1)]
    assert isinstance(found.errors[0], Failure) and calls[-1] == (3, 3)


def check_going_on(builder: str, split: Split, folder: Path, **changes: object) -> None:
    def stop(event: Event) -> None:
        if event["type"] == "progress" and (event["epoch"], event["step"]) == (2, 2):
            raise KeyboardInterrupt

    whole = train(builder, split, folder / "whole", epochs=2, **changes)
    with pytest.raises(Interrupted):
        train(builder, split, folder / "cut", watchers=[stop], epochs=2, **changes)
    torch.manual_seed(99)
    run = train(builder, split, folder / "cut", epochs=2, **changes)
    assert "Going on from a checkpoint in epoch 2." in messages(run)
    assert weights_of(run) == weights_of(whole)


def test_same_seed_same_weights_and_going_on_changes_nothing(boxed: ImageSet, tmp_path: Path) -> None:
    check_going_on(DETECTOR, boxed.split(), tmp_path)


@pytest.mark.soak
def test_going_on_changes_nothing_where_anchors_are_drawn_at_random(boxed: ImageSet, tmp_path: Path) -> None:
    check_going_on("fasterrcnn_mobilenet_v3_large_320_fpn", boxed.split(), tmp_path)


class Watched(torch.nn.Module):
    """In place of a detector: keeps what it is given to learn."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[torch.Tensor] = []
        self.targets: list[dict[str, torch.Tensor]] = []

    def forward(self, images: list[torch.Tensor], targets: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        self.images, self.targets = images, targets
        return {"first": torch.tensor(1.0), "second": torch.tensor(2.0)}


def test_what_is_learned_lies_where_the_bodies_are_and_changes_by_epoch(boxed: ImageSet, tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl", [])
    spec = make_input_spec(192, "pad")
    objective = Detection(boxed.split(), spec, RECIPE, CPU, log)
    network, seen = Watched(), []
    for epoch in (1, 2, 1):
        assert objective.loss(network, objective.showing(epoch)) == 3
        seen.append([target["boxes"] for target in network.targets])
        for image, target in zip(network.images, network.targets, strict=True):
            assert set(target["labels"].tolist()) <= {1, 2}
            dark = image[0] < image[0].median() - 0.7
            inside = torch.zeros_like(dark)
            for left, top, right, bottom in target["boxes"].round().int().tolist():
                inside[top - 2 : bottom + 2, left - 2 : right + 2] = True
                assert dark[top:bottom, left:right].float().mean() > 0.1
            assert dark[~inside].float().mean() < 0.01
    assert all(torch.equal(first, third) for first, third in zip(seen[0], seen[2], strict=True))
    assert not all(torch.equal(first, second) for first, second in zip(seen[0], seen[1], strict=True))


def test_hostile_boxes_and_empty_images_do_not_stop_a_training(boxed: ImageSet, tmp_path: Path) -> None:
    hostile = (
        Box("synthetic-disc", 5, 5, 0, 9),
        Box("synthetic-star", 500, 5, 9, 9),
        Box("synthetic-star", 3, 3, 0.1, 9),
    )
    split = boxed.split()
    empty = replace(split.train.items[0], boxes=())
    items = [replace(item, boxes=(item.boxes or ()) + hostile) for item in split.train.items[1:]]
    changed = replace(split, train=replace(split.train, items=(empty, *items)))
    run = train(DETECTOR, changed, tmp_path / "run")
    count = len(items)
    assert f"Left out: {2 * count} boxes without an area or outside of their image." in messages(run)
    assert any(text.startswith(f"Left out: {count} boxes smaller than a pixel") for text in messages(run))


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("train", "^Class 'synthetic-star' of .* has no box that can be learned from"),
        ("select", "has no box to choose the best epoch with"),
    ],
)
def test_without_boxes_there_is_nothing_to_learn(boxed: ImageSet, tmp_path: Path, part: str, said: str) -> None:
    split = boxed.split()
    kept = {"train": Box("synthetic-star", 1, 1, 0, 0), "select": Box("another", 1, 1, 20, 20)}[part]

    def change(item: object) -> tuple[Box, ...]:
        discs = tuple(box for box in item.boxes if box.label == "synthetic-disc" and part == "train")  # type: ignore[attr-defined]
        return (*discs, kept)

    with pytest.raises(DataError, match=said):
        train(DETECTOR, replace(split, **{part: with_boxes(getattr(split, part), change)}), tmp_path / "run")


def test_it_is_tested_on_fresh_images_and_boxes_of_its_own_classes(detector: Run, boxed: ImageSet) -> None:
    model, seen = load_network_model(detector.package), detector.package.seen()
    assert isinstance(model, Detector)
    strange = with_boxes(boxed, lambda item: (*item.boxes, Box("another", 1, 1, 20, 20)))
    found = evaluate_detector(model, strange, seen, CPU)
    assert isinstance(found, DetectionEvaluation)
    assert found.excluded == len(boxed) - len(found.names) == len(seen)
    assert found.other_classes == {"another": len(boxed)}
    assert sum(len(one.boxes) for one in found.truth) == sum(detector.split.test.counts.values())
    with pytest.raises(DataError, match="holds no image to test with: the model learned from"):
        evaluate_detector(model, detector.split.train, seen, CPU)
    with pytest.raises(DataError, match="The model knows none of the classes"):
        evaluate_detector(model, with_boxes(boxed, lambda item: (Box("another", 1, 1, 9, 9),)), seen, CPU)


@pytest.mark.parametrize("builder", [DETECTOR, "fasterrcnn_mobilenet_v3_large_320_fpn"])
def test_kept_classes_are_found_as_before_and_new_ones_begin_with_the_average(builder: str) -> None:
    torch.manual_seed(0)
    network = build_network(Architecture(builder=builder), 3).eval()
    batch = torch.rand(1, 3, 96, 96)
    before = answers(network, batch)
    replace_head(network, 4, {0: [2], 3: [0]})
    after = answers(network, batch)
    assert after.shape[-1] == 5
    assert torch.allclose(after[..., [0, 1, 4]], before[..., [0, 3, 1]], atol=1e-5)
    assert torch.allclose(after[..., 2], before[..., 1:].mean(dim=-1), atol=1e-5)
    losses(network.train(), torch.rand(2, 3, 96, 96), *some_targets()).backward()


def answers(network: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """What a detector says of each class, the background first, before boxes are chosen."""
    caught: list[torch.Tensor] = []
    path = "head.classification_head" if hasattr(network, "head") else "roi_heads.box_predictor.cls_score"
    hook = network.get_submodule(path).register_forward_hook(lambda _module, _given, found: caught.append(found))
    with torch.no_grad():
        network(list(batch))
    hook.remove()
    return caught[0]


def test_retraining_on_other_classes_keeps_what_still_means_the_same(detector: Run, tmp_path: Path) -> None:
    write_mosaics(tmp_path / "more", ["bell", "disc", "rod"], count=20, seed=7, size=SIZE)
    run = train(PackageStart(detector.package, "tiny"), open_dataset(tmp_path / "more").split(), tmp_path / "run")
    manifest = run.package.manifest
    assert [entry.name for entry in manifest.classes] == ["synthetic-bell", "synthetic-disc", "synthetic-rod"]
    assert manifest.provenance.ancestral_classes == ["synthetic-disc", "synthetic-star"]
    assert run.package.seen() > detector.package.seen()


@pytest.mark.parametrize("builder", [builder for builder in DETECTORS if "resnet50" not in builder])
def test_every_detector_takes_canvases_as_they_are(builder: str) -> None:
    """Twice normalised, or made larger once more, its answers would not fit its images."""
    torch.manual_seed(0)
    network = build_locating(Architecture(builder=builder), 2)
    batch = torch.rand(2, 3, 96, 96)
    images, targets = network.transform(list(batch), [{"boxes": box} for box in some_targets()[0]])  # type: ignore[operator]
    assert torch.equal(images.tensors, batch)
    assert torch.equal(targets[0]["boxes"], some_targets()[0][0])
    with torch.inference_mode():
        for corners, classes, scores in detections(network.eval(), batch[:1]):
            assert corners.shape == (len(scores), 4) and len(scores) <= 100
            assert set(classes.tolist()) <= {0, 1}


def test_a_detector_takes_no_arguments() -> None:
    with pytest.raises(UsageError, match="takes no arguments here: leave dropout out"):
        build_network(Architecture(builder=DETECTOR, arguments={"dropout": 0.1}), 2)


def learn(folder: Path, count: int, **changes: object) -> dict[str, float]:
    write_mosaics(folder / "images", ["disc", "star"], count=count, seed=1, size=(128, 96))
    split = open_dataset(folder / "images").split()
    return train(DETECTOR, split, folder / "run", image_size=128, patience=None, **changes).report().metrics


def test_it_learns_to_find_and_name(tmp_path: Path) -> None:
    assert learn(tmp_path, 40, epochs=10, warmup=0.03, average=0.0)["map_50"] >= 0.5


@pytest.mark.soak
def test_it_learns_to_find_and_name_precisely(tmp_path: Path) -> None:
    found = learn(tmp_path, 100, epochs=25)
    assert found["map"] >= 0.6
    assert found["map_50"] >= 0.9
