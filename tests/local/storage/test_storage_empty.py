"""An empty file is read like any other."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("wanted", ["bytes=0-", "bytes=0-99", "bytes=-5", "bytes=7-"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_range_of_an_empty_file_is_the_whole_file(alice, wanted, method):
    tag = alice.put("/empty", b"").headers["ETag"]
    answer = alice.send(method, "/empty", Range=wanted)
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (200, b"", tag)
    assert "Content-Range" not in answer.headers
