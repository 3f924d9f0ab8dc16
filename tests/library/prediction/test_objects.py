"""Objects on images: in order, kept while they are looked for, and in bounded memory, as the answers to whole images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from torch import nn

from imagine_lib.data.imageset import ImageSet
from imagine_lib.data.opening import open_images
from imagine_lib.errors import Interrupted, UsageError
from imagine_lib.models.detector import Detector, FoundOnCanvas
from imagine_lib.prediction import objects
from imagine_lib.prediction.columns import from_columns, to_columns
from imagine_lib.prediction.record import Found
from tests.library.prediction.making import CLASSES, CPU, draw_images, make_finder, make_model
from tests.library.prediction.test_keeping import asked, chunks_in, interrupt_at
from tests.library.prediction.test_predict import growth_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import torch

    from imagine_lib.data.loading import Canvases
    from imagine_lib.model import Model
    from imagine_lib.models.package import ModelPackage
    from imagine_lib.prediction.record import Predictions


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "CHUNK", 4)
    monkeypatch.setattr(objects, "THRESHOLD", 0.2)


@pytest.fixture(scope="module", params=["ssdlite320_mobilenet_v3_large", "lraspp_mobilenet_v3_large"])
def finder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Model:
    return make_finder(tmp_path_factory.mktemp("finders") / "model", request.param)


def same(first: Predictions, second: Predictions) -> bool:
    return (first.items, first.errors) == (second.items, second.errors)


def test_a_broken_run_goes_on_and_ends_the_same(finder: Model, tmp_path: Path) -> None:
    images, kept = tmp_path / "images", tmp_path / "kept"
    draw_images(images, 14)
    (images / "00001x.png").touch()
    for number in range(4):  # a chunk of which nothing can be read
        (images / f"00006x{number}.png").touch()
    plain = finder.predict(images)
    assert [item.image for item in plain.items] == [str(images / f"{number:05}.png") for number in range(14)]
    assert [failure.position for failure in plain.errors] == [2, 8, 9, 10, 11]
    assert sum(len(item.found) for item in plain.items) >= 14
    with pytest.raises(Interrupted, match=r"stopped with \d+ of 19 images left; .*: ask again with the same folder"):
        finder.predict(images, folder=kept, progress=interrupt_at(8))  # type: ignore[arg-type]
    there = chunks_in(kept)
    assert 1 <= there <= 2
    found, made = asked(finder, kept, images)
    assert made == 19 - 4 * there
    assert same(found, plain)
    again, made = asked(finder, kept, images)
    assert made == 0
    assert same(again, plain)


def test_a_folder_of_another_threshold_or_model_is_refused(finder: Model, tmp_path: Path) -> None:
    draw_images(tmp_path / "images", 2)
    finder.predict(tmp_path / "images", 0.3, folder=tmp_path / "kept")
    with pytest.raises(UsageError) as refused:
        finder.predict(tmp_path / "images", 0.4, folder=tmp_path / "kept")
    assert str(refused.value) == (
        f"{tmp_path / 'kept'} keeps what was found with the threshold 0.3, and not with 0.4: give another folder, or "
        "delete this one."
    )
    with pytest.raises(UsageError, match=r"keeps the answers of another model \(test-finder\)"):
        make_model(tmp_path / "other").predict(tmp_path / "images", folder=tmp_path / "kept")


def test_a_threshold_that_is_no_probability_is_refused_before_work_starts(finder: Model, model: Model) -> None:
    for asked_model in (finder, model):
        with pytest.raises(
            UsageError, match=r"A threshold is a probability between 0 and 1, like 0\.8, and not 80\."
        ):
            asked_model.predict(ImageSet("nothing", ()), 80)


def test_no_image_has_no_objects(finder: Model, tmp_path: Path) -> None:
    assert len(finder.predict(ImageSet("nothing", ()))) == 0
    (tmp_path / "empty.png").touch()
    found = finder.predict(tmp_path / "empty.png", folder=tmp_path / "kept")
    assert (len(found), len(found.errors), len(found.to_dataframe())) == (0, 1, 0)


def test_columns_give_back_what_they_were_made_of() -> None:
    mask = {"size": [4, 6], "counts": [0, 2, 22]}
    box = Found("Ceratium", 0.123456, 109506, (1.0, 2.5, 3.0, 4.0), 12.0)
    patch = Found("Noctiluca", 0.5, None, (0.0, 0.0, 2.0, 1.0), 2.0, mask)
    found = [(), (box, patch), (), (patch,), (box,)]
    assert list(from_columns(to_columns(found, CLASSES), [(6, 4)] * 5, CLASSES)) == found
    parts = [to_columns(found[:2], CLASSES), to_columns(found[2:], CLASSES)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    assert list(from_columns(joined, [(6, 4)] * 5, CLASSES)) == found


class Blind(Detector):
    """Finds nothing, at once."""

    def find(self, canvases: Canvases, device: torch.device) -> Iterator[FoundOnCanvas]:
        for _ in range(len(canvases)):
            yield FoundOnCanvas(np.empty((0, 4), np.float32), np.empty(0, np.int64), np.empty(0, np.float32))


def test_memory_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The canvases of 3,000 images of 128 pixels take 147 MB; three chunks of them and the decoding a part of it."""
    monkeypatch.setattr(objects, "CHUNK", 64)
    draw_images(tmp_path / "images", 3000, side=16, suffix=".jpg")
    made = make_finder(tmp_path / "model", size=128)
    blind = Blind(nn.Identity(), made.package.manifest)
    package: ModelPackage = made.package
    data = open_images([tmp_path / "images"])
    objects.predict_objects("blind", package, blind, open_images([data.items[0].name]), CPU)
    growth = growth_of(lambda watch: objects.predict_objects("blind", package, blind, data, CPU, progress=watch))
    assert growth < 130
