"""The same image and the same settings give the same tensor, and size is kept where it tells taxa apart."""

from __future__ import annotations

import hashlib

import numpy as np

from imagine_lib.data.preprocessing import make_input_spec, to_canvas
from imagine_lib.data.synthetic import SHAPES, draw_image

GOLDEN = "daf6c16e90277c75116799ecb198db09b148573d1e7d0515c3b44267299f7eea"


def rgb(label: str, seed: int = 1) -> np.ndarray:
    return np.asarray(draw_image(label, seed).convert("RGB"))


def test_scale_shows_that_one_crop_is_twice_the_other() -> None:
    spec = make_input_spec(128, "scale", [160, 160, 160])
    small = np.full((80, 80, 3), 255, np.uint8)
    small[20:60, 20:60] = 0
    large = small.repeat(2, axis=0).repeat(2, axis=1)
    dark = [int((to_canvas(image, spec)[..., 0] < 128).sum()) for image in (small, large)]
    assert dark[1] > 3.2 * dark[0]


def test_pad_and_stretch_do_not() -> None:
    spec = make_input_spec(64, "pad")
    small = np.full((20, 20, 3), 255, np.uint8)
    small[5:15, 5:15] = 0
    large = small.repeat(2, axis=0).repeat(2, axis=1)
    dark = [int((to_canvas(image, spec)[..., 0] < 128).sum()) for image in (small, large)]
    assert abs(dark[1] - dark[0]) < 0.15 * dark[0]


def test_what_does_not_fit_is_shrunk_and_centred() -> None:
    spec = make_input_spec(64, "scale", [50] * 19 + [400])
    canvas = to_canvas(np.zeros((400, 200, 3), np.uint8), spec)
    assert canvas.shape == (64, 64, 3)


def test_the_border_has_the_images_own_grey() -> None:
    canvas = to_canvas(np.full((10, 40, 3), 77, np.uint8), make_input_spec(64, "pad"))
    assert set(canvas.ravel().tolist()) == {77}


def test_one_pixel_images_work() -> None:
    for resize in ("scale", "pad", "stretch"):
        assert to_canvas(np.zeros((1, 1, 3), np.uint8), make_input_spec(32, resize, [1])).shape == (32, 32, 3)


def test_the_hash_tells_settings_apart() -> None:
    specs = [make_input_spec(64, "pad"), make_input_spec(96, "pad"), make_input_spec(64, "stretch")]
    specs += [make_input_spec(64, "scale", [100]), make_input_spec(64, "scale", [50])]
    assert len({spec.hash for spec in specs}) == len(specs)
    assert make_input_spec(64, "pad").hash == make_input_spec(64, "pad").hash


def test_pixels_are_those_of_this_revision() -> None:
    """Other pixels here mean that stored models meet other tensors: then REVISION must change too."""
    row = np.arange(48 * 30 * 3, dtype=np.uint32).reshape(48, 30, 3) % 251
    canvas = to_canvas(row.astype(np.uint8), make_input_spec(32, "scale", [60]))
    assert hashlib.sha256(canvas.tobytes()).hexdigest() == GOLDEN


def test_drawings_are_seeded_and_differ_by_class() -> None:
    assert np.array_equal(rgb("disc"), rgb("disc"))
    assert not np.array_equal(rgb("disc", 1), rgb("disc", 2))
    assert len({rgb(label).tobytes() for label in SHAPES}) == len(SHAPES)
