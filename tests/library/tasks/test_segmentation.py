"""A segmenter learns which class each pixel has, whatever the masks are like, and its objects lie on the image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from imagine_lib.data import open_dataset
from imagine_lib.data.mosaics import write_mosaics
from imagine_lib.data.preprocessing import make_input_spec
from imagine_lib.errors import DataError, Interrupted, UsageError
from imagine_lib.evaluation.locating import evaluate_segmenter
from imagine_lib.models.families import SEGMENTERS, require_task
from imagine_lib.models.loading import load_network_model
from imagine_lib.models.network import build_network, replace_head
from imagine_lib.models.segmenter import Segmenter
from imagine_lib.prediction.objects import predict_objects
from imagine_lib.training.progress import EventLog
from imagine_lib.training.segmentation import Segmentation, pixel_weights
from imagine_lib.training.start import PackageStart
from imagine_lib.wire import Architecture, Task
from tests.library.tasks.conftest import RECIPE, SEGMENTER, SIZE, messages, train

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.data import ImageSet
    from imagine_lib.training.progress import Event
    from imagine_lib.training.run import Run

CPU = torch.device("cpu")


def test_training_leaves_a_package_that_answers_the_same(segmenter: Run, masked: ImageSet) -> None:
    manifest = segmenter.package.manifest
    assert manifest.task == Task.SEGMENTATION
    assert [entry.name for entry in manifest.classes] == ["background", "synthetic-disc", "synthetic-star"]
    loaded = load_network_model(segmenter.package)
    assert isinstance(loaded, Segmenter)
    first, second = (evaluate_segmenter(loaded, masked, frozenset(), CPU) for _ in range(2))
    assert np.array_equal(first.confusions, second.confusions)
    assert first.confusion.sum() == len(masked) * 64 * round(64 * SIZE[1] / SIZE[0])  # what lies on the images
    report = segmenter.report().to_dict()
    assert report["test"]["images"] == manifest.metrics.images == len(segmenter.split.test)  # type: ignore[union-attr]
    assert report["metrics"].keys() == {"mean_iou", "mean_dice", "pixel_accuracy"}


class Knowing(torch.nn.Module):
    """Knows the classes by the brightness of a pixel."""

    def forward(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        grey = batch[:, :1]
        return {"out": 10 * torch.cat([grey - 0.5, 0.5 - grey, torch.full_like(grey, -9.0)], dim=1)}


def test_its_patches_are_objects_in_the_pixels_of_an_image_that_is_not_square(
    segmenter: Run, masked: ImageSet, tmp_path: Path
) -> None:
    pixels = np.full((40, 100), 255, np.uint8)
    pixels[5:20, 60:95], pixels[25:35, 2:12] = 0, 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    item = replace(masked.items[0], content=replace(masked.items[0].content, path=tmp_path / "a.png"))  # type: ignore[type-var]
    spec = make_input_spec(200, "pad").model_copy(update={"mean": [0.0] * 3, "std": [1.0] * 3})
    model = Segmenter(Knowing(), segmenter.package.manifest.model_copy(update={"input": spec}))
    found = predict_objects("s", segmenter.package, model, replace(masked, items=(item,)), CPU)
    assert [(thing.label, thing.box, thing.area) for thing in found.items[0].found] == [
        ("synthetic-disc", (60, 5, 35, 15), 525),
        ("synthetic-disc", (2, 25, 10, 10), 100),
    ]
    assert found.items[0].size == (100, 40) and found.task == Task.SEGMENTATION
    assert all(sum(thing.mask["counts"][1::2]) == thing.area for thing in found.items[0].found)  # type: ignore[index]
    assert not predict_objects("s", segmenter.package, model, replace(masked, items=(item,)), CPU, 1.0).items[0].found


def test_same_seed_same_weights_and_going_on_changes_nothing(masked: ImageSet, tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if event["type"] == "progress" and (event["epoch"], event["step"]) == (2, 2):
            raise KeyboardInterrupt

    split = masked.split()
    whole = train(SEGMENTER, split, tmp_path / "whole", epochs=2)
    with pytest.raises(Interrupted):
        train(SEGMENTER, split, tmp_path / "cut", watchers=[stop], epochs=2)
    train(SEGMENTER, split, tmp_path / "cut", epochs=2)
    names = ("whole", "cut")
    first, second = ((tmp_path / name / "model" / "model.safetensors").read_bytes() for name in names)
    assert first == second
    assert whole.package.manifest.provenance.seed == 0


def test_hostile_masks_are_left_out_and_told(mosaics: Path, tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (tmp_path / "set" / part).mkdir(parents=True)
        for file in (mosaics / part).iterdir():
            (tmp_path / "set" / part / file.name).write_bytes(file.read_bytes())
    (tmp_path / "set" / "classes.txt").write_text((mosaics / "classes.txt").read_text())
    split = open_dataset(tmp_path / "set").split()
    damaged, small, strange, nothing = (item.mask.path for item in split.train.items[:4])  # type: ignore[union-attr]
    damaged.write_bytes(b"x")
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(small)
    Image.fromarray(np.full(SIZE[::-1], 7, np.uint8)).save(strange)
    Image.fromarray(np.full(SIZE[::-1], 255, np.uint8)).save(nothing)
    run = train(SEGMENTER, split, tmp_path / "run", batch_size=2)
    told = messages(run)
    assert sum(text.startswith(f"Left out: {damaged} is no mask") for text in told) == 1
    assert sum(text.startswith(f"Left out: {small} has 5 x 5 pixels and its image") for text in told) == 1
    assert "Left out: pixels with numbers that are no class, on 1 images." in told


def test_masks_of_one_class_teach_nothing(masked: ImageSet, tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    Image.fromarray(np.zeros(SIZE[::-1], np.uint8)).save(empty)
    split = masked.split()
    items = tuple(replace(item, mask=replace(item.mask, path=empty)) for item in split.train.items)  # type: ignore[type-var]
    with pytest.raises(DataError, match="hold fewer than two classes: there is nothing to learn"):
        train(SEGMENTER, replace(split, train=replace(split.train, items=items)), tmp_path / "run")


def test_rare_classes_count_more_by_the_root_of_their_rarity() -> None:
    weights = pixel_weights(np.array([900, 0, 100])).double().numpy()
    assert weights[2] / weights[0] == pytest.approx((900 / 100) ** 0.5)
    assert weights[1] == 0
    assert 0.9 * weights[0] + 0.1 * weights[2] == pytest.approx(1)


class Fixed(torch.nn.Module):
    """Answers everywhere the same, and keeps what it was shown."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        self.seen = batch
        return {"out": self.logits.view(1, -1, 1, 1).expand(len(batch), -1, *batch.shape[-2:])}


def test_the_loss_is_that_of_the_pixels_of_the_images_alone(masked: ImageSet, tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl", [])
    objective = Segmentation(
        masked.split(), make_input_spec(96, "pad"), RECIPE, CPU, log
    )  # canvases as wide as images
    logits = np.array([0.3, -0.2, 1.1])
    value = objective.loss(Fixed(logits.tolist()), objective.showing(1))
    masks = np.stack([np.asarray(Image.open(item.mask.path)) for item in objective.train.images.items])  # type: ignore[union-attr]
    counts = np.bincount(masks.ravel(), minlength=3)
    weights = 1 / np.sqrt(counts / counts.sum())
    losses = np.log(np.exp(logits).sum()) - logits
    assert value.item() == pytest.approx((counts * weights * losses).sum() / (counts * weights).sum(), rel=1e-5)
    assert list(objective.support) == list(counts)


def test_masks_are_mirrored_with_their_images(masked: ImageSet, tmp_path: Path) -> None:
    objective = Segmentation(
        masked.split(), make_input_spec(96, "pad"), RECIPE, CPU, EventLog(tmp_path / "events.jsonl", [])
    )
    brightness = []

    class Grey(Fixed):
        def forward(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
            """Say that what is darker than its image is one body or the other."""
            body = (batch[:, :1] < batch.mean(dim=(1, 2, 3), keepdim=True) - 0.7).float()
            brightness.append(batch.sum(dim=(1, 2)))
            return {"out": torch.cat([4.5 - 9 * body, 9 * body - 4.5, 9 * body - 4.5], dim=1)}

    network = Grey([0.0])
    mirrored = objective.loss(network, objective.showing(1))
    objective._recipe = replace(RECIPE, augment=False)
    upright = objective.loss(network, objective.showing(1))
    assert not torch.allclose(*brightness)
    assert mirrored.item() < 1.5 * upright.item() < 2


@pytest.mark.parametrize("builder", [builder for builder in SEGMENTERS if "resnet50" not in builder])
def test_kept_classes_are_answered_as_before_and_new_ones_begin_with_the_average(builder: str) -> None:
    torch.manual_seed(0)
    network = build_network(Architecture(builder=builder), 3).eval()
    batch = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = network(batch)["out"]
        replace_head(network, 4, {0: [2], 1: [0, 1]})
        after = network(batch)["out"]
    expected = torch.stack([before[:, 2], before[:, :2].mean(dim=1), *[before.mean(dim=1)] * 2], dim=1)
    assert torch.allclose(after, expected, atol=1e-5)


def test_retraining_on_other_classes(segmenter: Run, tmp_path: Path) -> None:
    write_mosaics(tmp_path / "more", ["bell", "disc"], count=12, seed=7, size=SIZE)
    split = open_dataset(tmp_path / "more", format="masks").split()
    run = train(PackageStart(segmenter.package, "tiny"), split, tmp_path / "run")
    names = [entry.name for entry in run.package.manifest.classes]
    assert names == ["background", "synthetic-bell", "synthetic-disc"]


def test_a_test_with_classes_in_another_order_measures_the_same(
    segmenter: Run, masked: ImageSet, tmp_path: Path
) -> None:
    model = load_network_model(segmenter.package)
    assert isinstance(model, Segmenter)
    items = []
    for number, item in enumerate(masked.items):
        mask = np.asarray(Image.open(item.mask.path))  # type: ignore[union-attr]
        Image.fromarray(np.array([2, 3, 0], np.uint8)[mask]).save(tmp_path / f"{number}.png")
        items.append(replace(item, mask=replace(item.mask, path=tmp_path / f"{number}.png")))  # type: ignore[type-var]
    order = ("synthetic-star", "another", "background", "synthetic-disc")
    other = replace(masked, items=tuple(items), classes_declared=order)
    first, second = (evaluate_segmenter(model, data, frozenset(), CPU) for data in (masked, other))
    assert np.array_equal(first.confusions, second.confusions)
    assert first.manifest_sha256 != second.manifest_sha256


def test_a_network_for_something_else_is_refused() -> None:
    with pytest.raises(UsageError, match="^resnet18 is made for classification, and these images have masks: begin"):
        require_task("resnet18", Task.SEGMENTATION)
    require_task(SEGMENTER, Task.SEGMENTATION)


def test_it_learns(tmp_path: Path) -> None:
    write_mosaics(tmp_path / "images", ["disc", "star"], count=24, seed=1, size=SIZE)
    split = open_dataset(tmp_path / "images", format="masks").split()
    run = train(SEGMENTER, split, tmp_path / "run", epochs=10, image_size=96, patience=None)
    assert run.report().metrics["mean_iou"] >= 0.45  # all background would be a third
