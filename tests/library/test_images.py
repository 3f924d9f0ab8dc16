"""Whatever a file holds, reading it gives an image or one clear sentence."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imagine_lib.data.content import FileContent
from imagine_lib.data.images import PAGES, TOO_DEEP, decode
from imagine_lib.data.imageset import ImageItem
from imagine_lib.data.loading import decode_canvases
from imagine_lib.data.preprocessing import make_input_spec
from imagine_lib.data.targets import read_mask
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def png(width: int = 20, height: int = 10) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "png")
    return buffer.getvalue()


def made_png(side: int, bits: int = 8, colour: int = 0, pixels: bytes = b"\0" * 100) -> bytes:
    """What Pillow does not write: a few bytes that say they are a large picture, or one of deep colours."""
    header = struct.pack(">IIBBBBB", side, side, bits, colour, 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def deep_tiff(planes: int, packed: bool) -> bytes:
    """A TIFF of 4 x 3 pixels with 16 bits for each colour, its planes together or apart."""
    data = b"\x12\x34" * (36 // planes)
    data = zlib.compress(data) if packed else data
    start = 8 + 2 + 12 * 10 + 4
    arrays = [start, start + 8, start + 8 + 12]
    first = arrays[2] + 12
    offsets, sizes = [first + plane * len(data) for plane in range(planes)], [len(data)] * planes
    tags = [
        *((256, 3, 1, 4), (257, 3, 1, 3), (258, 3, 3, arrays[0]), (259, 3, 1, 8 if packed else 1), (262, 3, 1, 2)),
        *((273, 4, planes, arrays[1] if planes > 1 else offsets[0]), (277, 3, 1, 3), (278, 3, 1, 3)),
        *((279, 4, planes, arrays[2] if planes > 1 else sizes[0]), (284, 3, 1, 2 if planes > 1 else 1)),
    ]
    return b"".join(
        [
            struct.pack("<2sHIH", b"II", 42, 8, len(tags)),
            *(struct.pack("<HHII", *tag) for tag in tags),
            struct.pack("<I4H", 0, 16, 16, 16, 0),
            struct.pack("<3I", *offsets, *[0] * (3 - planes)),
            struct.pack("<3I", *sizes, *[0] * (3 - planes)),
            data * planes,
        ]
    )


def pages(count: int, kind: str) -> bytes:
    buffer = io.BytesIO()
    first, *others = (Image.new("L", (8, 8), 40 * page) for page in range(count))
    first.save(buffer, kind, save_all=True, append_images=others)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (made_png(4, 16, colour=2, pixels=(b"\0" + b"\x12" * 24) * 4), TOO_DEEP),
        (made_png(4, 16, colour=6, pixels=(b"\0" + b"\x12" * 32) * 4), TOO_DEEP),
        (deep_tiff(1, packed=False), TOO_DEEP),
        (deep_tiff(1, packed=True), TOO_DEEP),
        (deep_tiff(3, packed=False), TOO_DEEP),
        (pages(2, "TIFF"), PAGES),
        (pages(3, "GIF"), PAGES),
    ],
    ids=["png", "png with alpha", "tiff", "packed tiff", "tiff in planes", "pages", "film"],
)
def test_what_would_be_read_in_part_is_refused_and_others_are_read(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "odd.tif"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        decode(FileContent(path))
    assert str(error.value) == f"{path} {sentence}"
    (tmp_path / "good.png").write_bytes(png())
    items = [ImageItem(FileContent(tmp_path / name), name) for name in ("odd.tif", "good.png")]
    found = decode_canvases(items, make_input_spec(32, "pad"))
    assert (found.kept, found.errors) == ([1], {0: f"odd.tif {sentence}"})


@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
def test_one_page_of_eight_bits_and_deep_grey_are_read(tmp_path: Path, kind: str) -> None:
    for name, image in (("colour", Image.new("RGB", (4, 4))), ("grey", Image.fromarray(np.ones((4, 4), np.uint16)))):
        image.save(tmp_path / name, kind)
        assert decode(FileContent(tmp_path / name)).pixels.max() <= 1


def test_a_value_without_a_range_is_told_with_its_file(tmp_path: Path) -> None:
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "deep.tif")
    found = decode_canvases(
        [ImageItem(FileContent(tmp_path / "deep.tif"), "net/deep.tif")], make_input_spec(8, "pad")
    )
    assert found.errors[0].startswith("net/deep.tif holds floating-point values, for which the model has no range")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty (0 bytes): copy it again from its source."),
        (b"not an image at all\n" * 20, "is not an image, whatever its name says."),
        (png()[:200], "is damaged or cut short: copy it again from its source."),
        (made_png(10_001), "is too large (over 100 million pixels): cut it into smaller images."),
        (made_png(30_000), "is too large (over 100 million pixels): cut it into smaller images."),
    ],
    ids=["empty", "text", "truncated", "just too large", "bomb"],
)
def test_a_bad_file_gets_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "bad image, #1.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        decode(FileContent(path))
    assert str(error.value) == f"{path} {sentence}"


def test_a_missing_file_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.png cannot be read: no such file or directory\."):
        decode(FileContent(tmp_path / "gone.png"))


def test_a_folder_with_an_images_name_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r" is no file: it is left out\."):
        decode(FileContent(tmp_path))


def test_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (30, 10))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert decode(FileContent(tmp_path / "turned.jpg")).pixels.shape == (30, 10, 3)


def test_a_mask_is_turned_as_its_own_file_says(tmp_path: Path) -> None:
    """So it fits its image whether the two were turned by their tags or by their pixels."""
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_mask(FileContent(tmp_path / "turned.png"), 3, 4), np.rot90(pixels, -1))


def test_sixteen_bit_grey_keeps_its_order(tmp_path: Path) -> None:
    values = np.array([[0, 20_000, 40_000, 65_535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert decode(FileContent(tmp_path / "deep.png")).pixels[0, :, 0].tolist() == [0, 20_000, 40_000, 65_535]


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert decode(FileContent(tmp_path / "clear.png")).pixels.min() == 255


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.integers(0, 10_000))
def test_mutated_bytes_never_crash(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int, cut: int
) -> None:
    content = bytearray(png())
    content[position % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "mutated.png"
    path.write_bytes(content[: max(1, cut % (len(content) + 1))])
    try:
        assert decode(FileContent(path)).pixels.dtype == np.uint8
    except DataError as error:
        assert str(path) in str(error)
