"""One uncalibrated model and thirty images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.library.prediction.making import draw_images, make_model

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.model import Model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return make_model(tmp_path_factory.mktemp("models") / "plain")


@pytest.fixture(scope="session")
def blots(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_images(tmp_path_factory.mktemp("blots"), 30)
