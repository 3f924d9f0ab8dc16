"""What is replaced, and by whom: a place is looked at once nobody else can change it, and no tree is lost for good."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

ROUNDS = 6
FOLDERS = 400
"""Enough that walking the tree takes longer than storing a small file."""


@pytest.fixture
def tree(alice):
    """A folder that takes a while to walk; its name is free again for each round."""

    def tree(name: str) -> str:
        for number in range(FOLDERS):
            (alice.home / name / str(number)).mkdir(parents=True)
        return f"/{name}"

    return tree


def together(first, second, pause: float):
    """Send two requests, the second a little later; a place that is busy is asked for again, as clients do."""

    def later():
        time.sleep(pause)
        return second()

    def patient(ask):
        while (answer := ask()).status_code == 423:
            time.sleep(0.01)
        return answer.status_code

    with ThreadPoolExecutor(2) as pool:
        answers = pool.submit(patient, first), pool.submit(patient, later)
    return [answer.result() for answer in answers]


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
def test_what_came_first_is_not_overwritten_unasked(alice, tree, method):
    big = tree("big")
    for number in range(ROUNDS):
        alice.put(f"/small{number}", b"small")
        statuses = together(
            lambda: alice.move(big, f"/new{number}", method, Overwrite="F"),  # noqa: B023
            lambda: alice.move(f"/small{number}", f"/new{number}", method, Overwrite="F"),  # noqa: B023
            pause=0.003 * number,
        )
        assert sorted(statuses) == [201, 412]
        assert (alice.home / f"small{number}").exists() or (alice.home / f"new{number}").is_file()
        if method == "MOVE" and not (alice.home / "big").exists():
            alice.move(f"/new{number}", big)


def test_a_folder_that_changed_is_not_removed_under_a_condition(alice, tree):
    for number in range(ROUNDS):
        path = tree(f"big{number}")
        begun = time.monotonic()
        tag = alice.etag(f"{path}/")
        removed, made = together(
            lambda: alice.send("DELETE", path, If_Match=tag),  # noqa: B023
            lambda: alice.send("MKCOL", f"{path}/0/new"),  # noqa: B023
            pause=(time.monotonic() - begun) * number / ROUNDS,
        )
        assert (removed, made) in {(204, 409), (412, 201)}


def test_what_is_restored_overwrites_nothing(alice):
    for number in range(ROUNDS):
        path = f"/f{number}"
        for content in (b"one", b"two"):
            alice.put(path, content)
            alice.send("DELETE", path)
        shelf = alice.server.url + f"/remote.php/dav/trashbin/{alice.uid}"
        one, two = sorted(found.name for found in (alice.home.parent / "trash" / "files").iterdir())
        statuses = together(
            lambda: restored(alice, shelf, one),  # noqa: B023
            lambda: restored(alice, shelf, two),  # noqa: B023
            pause=0,
        )
        assert statuses == [201, 201]
        kept = [found.read_bytes() for found in alice.home.iterdir() if found.name.startswith(f"f{number}")]
        assert sorted(kept) == [b"one", b"two"]


def restored(account, shelf: str, name: str):
    target = {"Destination": f"{shelf}/restore/{name}"}
    return account.client.request("MOVE", f"{shelf}/trash/{name}", headers=target)


def test_copies_of_one_file_may_be_made_at_the_same_time(embedded_only, alice):
    alice.put("/f", b"x" * 3_000_000)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: alice.move("/f", f"/copy{number}", "COPY").status_code, range(16)))
    assert made == [201] * 16


@pytest.fixture
def carl(server):
    return server.account("carl")


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
@pytest.mark.parametrize("what", ["folder", "file"])
def test_the_right_to_update_does_not_remove_a_tree(carl, bob, method, what):
    carl.send("MKCOL", "/set")
    carl.send("MKCOL", "/set/sub")
    carl.put("/set/sub/f", b"theirs")
    carl.share("/set", 0, bob.uid, permissions=3)
    bob.send("MKCOL", "/folder")
    bob.put("/file", b"mine")
    assert bob.send("DELETE", "/set/sub").status_code == 403
    assert bob.move(f"/{what}", "/set/sub", method).status_code == 403
    assert carl.read("/set/sub/f") == b"theirs"
    assert f"/{what}" in {path.rstrip("/") for path in bob.listing()}


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
@pytest.mark.parametrize(("old", "new"), [("folder", "folder"), ("folder", "file"), ("file", "folder")])
def test_a_replaced_tree_lies_in_its_owners_trash(carl, bob, method, old, new):
    carl.send("MKCOL", "/set")
    if old == "folder":
        carl.send("MKCOL", "/set/sub")
        carl.put("/set/sub/f", b"theirs")
    else:
        carl.put("/set/sub", b"theirs")
    carl.share("/set", 0, bob.uid, permissions=15)
    if new == "folder":
        bob.send("MKCOL", "/new")
    else:
        bob.put("/new", b"mine")
    assert bob.move("/new", "/set/sub", method).status_code == 204
    shelf = f"{carl.server.url}/remote.php/dav/trashbin/{carl.uid}"
    listed = carl.client.request("PROPFIND", f"{shelf}/trash", headers={"Depth": "1"})
    name = listed.text.rpartition("/trash/")[2].partition("<")[0].rstrip("/")
    assert name.startswith("sub.d")
    carl.send("DELETE", "/set/sub")
    assert restored(carl, shelf, name).status_code == 201
    assert carl.read("/set/sub/f" if old == "folder" else "/set/sub") == b"theirs"
