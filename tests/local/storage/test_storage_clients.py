"""The clients that users have: rclone (copy and mount) and webdav4."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

RCLONE = Path(sys.executable).with_name("rclone")


@pytest.fixture
def rclone(alice, tmp_path):
    obscured = subprocess.run([RCLONE, "obscure", alice.password], capture_output=True, text=True, check=True).stdout
    config = tmp_path / "rclone.conf"
    config.write_text(
        f"[nc]\ntype = webdav\nvendor = nextcloud\nurl = {alice.url()}\nuser = {alice.uid}\n"
        f"pass = {obscured.strip()}\nnextcloud_chunk_size = 10Mi\npacer_min_sleep = 0\n"
    )

    def run(*arguments: str | Path) -> str:
        command = [str(RCLONE), "--config", str(config), "--retries", "1", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.config = config
    return run


@pytest.fixture
def tree(tmp_path):
    """A folder of files with odd names and old dates."""
    top = tmp_path / "tree"
    for name in ("a b/ö#1.txt", "a b/100%?.bin", "deep/er/[x]*.jpg", "🐟.png", "empty", "big.bin"):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(30_000_000 if name == "big.bin" else 0 if name == "empty" else 1000))
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return top


def digests(top: Path) -> dict[str, str]:
    files = (path for path in top.rglob("*") if path.is_file())
    return {str(path.relative_to(top)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def stored(account, top: str) -> dict[str, str]:
    """Return the digests of what the server holds; while it is being written, of less."""
    if account.send("PROPFIND", top).status_code == 404:
        return {}
    paths = [path for path in account.listing(top, "d:getetag", depth="infinity") if not path.endswith("/")]
    contents = ((path, account.send("GET", path)) for path in paths)
    return {path.removeprefix(f"{top}/"): hashlib.sha256(answer.content).hexdigest() for path, answer in contents}


def test_rclone_copies_there_and_back(rclone, alice, tree, tmp_path):
    rclone("copy", tree, "nc:tree", "--transfers", "8")
    assert stored(alice, "/tree") == digests(tree)
    assert alice.properties("/tree/big.bin", "oc:checksums")["oc:checksums"].startswith("SHA1:")
    rclone("check", tree, "nc:tree")
    rclone("copy", "nc:tree", tmp_path / "back")
    assert digests(tmp_path / "back") == digests(tree)
    assert (tmp_path / "back" / "big.bin").stat().st_mtime == 1_600_000_000
    rclone("moveto", "nc:tree/a b", "nc:tree/moved")
    assert "moved/ö#1.txt" in rclone("lsf", "-R", "nc:tree")
    rclone("purge", "nc:tree")
    assert list(alice.listing()) == ["/"]


def test_rclone_mounts(rclone, alice, tree, tmp_path):
    if not Path("/dev/fuse").exists() or not shutil.which("fusermount3"):
        pytest.skip("there is no /dev/fuse or no fusermount3")
    alice.put("/first.txt", b"first")
    place = tmp_path / "mount"
    place.mkdir()
    command = [RCLONE, "--config", rclone.config, "mount", "nc:", place, "--vfs-cache-mode", "full"]
    log = tmp_path / "mount.log"
    command += [
        "--log-file",
        log,
        "--cache-dir",
        tmp_path / "cache",
        "--vfs-write-back",
        "1s",
        "--dir-cache-time",
        "1s",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as mount:
        try:
            wait_for(lambda: place.is_mount() or mount.poll() is not None)
            if not place.is_mount():
                pytest.skip(f"rclone cannot mount here: {mount.stderr.read().decode()[-300:]}")
            assert (place / "first.txt").read_bytes() == b"first"
            shutil.copytree(tree, place / "tree")
            wait_for(lambda: stored(alice, "/tree") == digests(tree), lambda: log.read_text()[-2000:])
            (place / "first.txt").rename(place / "renamed.txt")
            assert alice.read("/renamed.txt") == b"first"
            (place / "renamed.txt").unlink()
            assert alice.send("GET", "/renamed.txt").status_code == 404
        finally:
            subprocess.run(["fusermount3", "-u", place], check=False)
            mount.terminate()


def test_webdav4(alice, tmp_path):
    files = fsspec.filesystem("webdav", base_url=alice.url(), auth=(alice.uid, alice.password))
    files.mkdir("d")
    with files.open("d/f.txt", "wb") as stream:
        stream.write(b"through fsspec")
    assert files.cat("d/f.txt") == b"through fsspec"
    assert files.info("d/f.txt")["size"] == 14
    assert [entry["name"] for entry in files.ls("d")] == ["d/f.txt"]
    files.mv("d/f.txt", "d/g.txt")
    files.cp("d/g.txt", "h.txt")
    assert sorted(files.find("")) == ["d/g.txt", "h.txt"]
    with files.open("h.txt", "rb") as stream:
        stream.seek(8)
        assert stream.read() == b"fsspec"
    files.rm("d", recursive=True)
    assert not files.exists("d")


def test_two_thousand_small_files(alice, record_property):
    """Reasonable, not fast: the bounds are an order of magnitude above what a busy two-core machine takes."""
    alice.send("MKCOL", "/set")
    for number in range(2000):
        (alice.home / "set" / f"{number:04d}.jpg").write_bytes(os.urandom(30_000))
    began = time.monotonic()
    found = alice.listing("/set", "d:getetag", "d:getcontentlength", "oc:fileid", "oc:checksums")
    listed = time.monotonic()
    assert len(found) == 2001
    with ThreadPoolExecutor(16) as pool:
        sizes = list(pool.map(lambda number: len(alice.read(f"/set/{number:04d}.jpg")), range(2000)))
    read = time.monotonic()
    assert set(sizes) == {30_000}
    archive = alice.send("GET", "/set", Accept="application/zip")
    assert len(archive.content) > 60_000_000
    packed = time.monotonic()
    record_property("seconds", {"list": listed - began, "get": read - listed, "zip": packed - read})
    print(f"list {listed - began:.2f} s, get {read - listed:.2f} s, zip {packed - read:.2f} s")
    assert listed - began < 10
    assert read - listed < 60
    assert packed - read < 20


def wait_for(condition, explain=lambda: "") -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.05)
