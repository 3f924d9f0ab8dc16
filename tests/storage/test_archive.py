"""Archives of every make, cut anywhere, are taken whole file by whole file or not at all."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zipfile
import zlib

import pytest

from imagine_lib.storage.errors import Damaged
from imagine_lib.storage.transfer.archive import Archive

CONTENTS = {"a.bin": b"a" * 1000, "sub/ü.bin": b"", "sub/PK\x03\x04.bin": b"PK\x07\x08PK\x01\x02" * 9, "z": b"z"}


class Stream(io.RawIOBase):
    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, block) -> int:
        self.data += block
        return len(block)


def by_python(method: int = zipfile.ZIP_STORED, stream: bool = True) -> bytes:
    target = Stream() if stream else io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.writestr("top/", b"")
        archive.writestr("top/sub/", b"")
        for name, content in CONTENTS.items():
            archive.writestr(f"top/{name}", content)
    return bytes(target.data if stream else target.getvalue())


def by_hand(wide: bool, mark: bytes) -> bytes:
    """As PHP's writers of archives do it: lengths after the content, with or without a mark, short or wide."""
    out = b""
    for name, content in CONTENTS.items():
        raw = f"top/{name}".encode()
        out += struct.pack("<4s5H3L2H", b"PK\x03\x04", 45, 0x0808, 0, 0, 0, 0, 0, 0, len(raw), 0) + raw + content
        out += mark + struct.pack("<L2Q" if wide else "<3L", zlib.crc32(content), len(content), len(content))
    return out + b"PK\x01\x02" + b"central directory"


MAKES = {
    "python, streamed": by_python(),
    "python, with lengths": by_python(stream=False),
    "python, compressed": by_python(zipfile.ZIP_DEFLATED, stream=False),
    "short": by_hand(False, b""),
    "short, marked": by_hand(False, b"PK\x07\x08"),
    "wide": by_hand(True, b""),
    "wide, marked": by_hand(True, b"PK\x07\x08"),
}
SIZES = {name: len(content) for name, content in CONTENTS.items()}


def read(raw: bytes, sizes: dict[str, int], step: int = 7) -> tuple[dict[str, bytes], bool]:
    found: dict[str, bytes] = {}
    archive = Archive(sizes, "top", found.__setitem__)
    try:
        for start in range(0, len(raw), step):
            archive.feed(raw[start : start + step])
    except Damaged:
        return found, False
    return found, archive.complete


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("step", [1, 13, 10**6])
def test_every_make(make, step):
    assert read(MAKES[make], SIZES, step) == (CONTENTS, True)


@pytest.mark.parametrize("make", MAKES)
def test_damage_is_never_taken_for_content(make):
    source = random.Random(5)
    for _ in range(300):
        raw = bytearray(MAKES[make])
        raw[source.randrange(len(raw))] ^= 1 << source.randrange(8)
        if source.random() < 0.3:
            del raw[source.randrange(len(raw)) :]
        found, _ = read(bytes(raw), SIZES, 64)
        assert all(CONTENTS.get(name, content) == content for name, content in found.items())


@pytest.mark.parametrize("make", MAKES)
def test_a_listing_of_another_moment_ends_the_reading(make):
    found, complete = read(MAKES[make], {**SIZES, "sub/PK\x03\x04.bin": 3})
    assert "a.bin" in found
    assert all(CONTENTS[name] == content for name, content in found.items())
    assert not complete


@pytest.mark.parametrize("listed", [{"a.bin": 1000}, {"a.bin": 0}, {}])
def test_an_archive_that_unpacks_to_more_than_is_listed_takes_no_memory(listed):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/a.bin", bytes(50_000_000))
    raw = target.getvalue()
    lying = raw.replace(struct.pack("<L", 50_000_000), struct.pack("<L", listed.get("a.bin", 0)))
    for sent in (raw, lying):
        tracemalloc.start()
        assert read(sent, listed, 1000) == ({}, False)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1_000_000


def test_what_is_in_no_listing_ends_the_reading():
    assert read(MAKES["python, with lengths"], {name: SIZES[name] for name in ("a.bin", "sub/ü.bin")}) == (
        {"a.bin": CONTENTS["a.bin"], "sub/ü.bin": b""},
        False,
    )
