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
from imagine_lib.data.images import decode
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def png(width: int = 20, height: int = 10) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "png")
    return buffer.getvalue()


def huge_png(side: int) -> bytes:
    """A few bytes that say they are a large picture."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty (0 bytes): copy it again from its source."),
        (b"not an image at all\n" * 20, "is not an image, whatever its name says."),
        (png()[:200], "is damaged or cut short: copy it again from its source."),
        (huge_png(10_001), "is too large (over 100 million pixels): cut it into smaller images."),
        (huge_png(30_000), "is too large (over 100 million pixels): cut it into smaller images."),
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
    with pytest.raises(DataError, match="cannot be read: is a directory"):
        decode(FileContent(tmp_path))


def test_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (30, 10))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert decode(FileContent(tmp_path / "turned.jpg")).pixels.shape == (30, 10, 3)


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
