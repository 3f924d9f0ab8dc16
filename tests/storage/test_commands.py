"""The storage from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagine_lib.cli import main


def run(capsys, *words: object) -> tuple[int, str]:
    code = main(["storage", *map(str, words)])
    return code, capsys.readouterr().out


def test_a_folder_is_copied_and_its_place_printed(fs, capsys):
    fs.pipe_file("cruise/a.jpg", b"a")
    code, out = run(capsys, "copy", "nextcloud:/cruise")
    assert code == 0
    assert (Path(out.strip()) / "a.jpg").read_bytes() == b"a"
    code, out = run(capsys, "copy", "nextcloud:/cruise", "--json")
    assert (Path(json.loads(out)["path"]) / "a.jpg").read_bytes() == b"a"


def test_a_local_path_is_not_copied_from_nextcloud(fs, capsys):
    assert main(["storage", "copy", "/tmp"]) == 2
    assert "write nextcloud:/ before it" in capsys.readouterr().err


def test_two_folders_become_the_same_and_a_conflict_ends_with_1(fs, tmp_path, capsys):
    here = tmp_path / "mine"
    here.mkdir()
    (here / "up.txt").write_bytes(b"up")
    fs.pipe_file("mine/down.txt", b"down")
    code, out = run(capsys, "sync", here, "nextcloud:/mine", "--dry-run")
    assert (code, out) == (0, "1 would be uploaded, 1 would be downloaded; 0 unchanged.\n")
    assert not (here / "down.txt").exists()
    assert run(capsys, "sync", here, "nextcloud:/mine", "--up")[0] == 0
    assert (fs.cat_file("mine/up.txt"), (here / "down.txt").exists()) == (b"up", False)
    assert run(capsys, "sync", here, "nextcloud:/mine")[0] == 0
    assert (here / "down.txt").read_bytes() == b"down"
    (here / "down.txt").write_bytes(b"changed here")
    fs.pipe_file("mine/down.txt", b"changed there")
    code, out = run(capsys, "sync", here, "nextcloud:/mine", "--json")
    assert (code, json.loads(out)["conflicts"]) == (1, ["down.txt"])


def test_a_sync_says_how_far_it_is_and_what_it_would_delete(fs, tmp_path, capsys):
    here = tmp_path / "mine"
    here.mkdir()
    for number in range(120):
        (here / f"{number:03}").write_bytes(b"x")
    assert main(["storage", "sync", str(here), "nextcloud:/mine"]) == 0
    assert capsys.readouterr().err == "100 of 120 files\n120 of 120 files\n"
    (here / "000").unlink()
    code, out = run(capsys, "sync", here, "nextcloud:/mine", "--delete", "--dry-run")
    assert (code, out) == (
        0,
        "1 would be deleted there; 119 unchanged.\nWould be deleted there: 000\n",
    )


def test_a_share_is_given_listed_and_ended(fs, server, capsys):
    fs.pipe_file("data/f", b"x")
    other = server.account().uid
    code, out = run(capsys, "share", "nextcloud:/data", "--user", other)
    number, path, kind, receiver = out.strip().split("\t")
    assert (code, path, kind, receiver) == (0, "nextcloud:/data", "user", other)
    assert run(capsys, "shares")[1] == out
    assert run(capsys, "shares", "--received")[1] == ""
    code, listed = run(capsys, "share", "nextcloud:/data", "--link", "--expires", "2099-01-31", "--json")
    assert (code, json.loads(listed)[0]["expires"]) == (0, "2099-01-31")
    assert run(capsys, "withdraw", number)[0] == 0
    assert [one["kind"] for one in json.loads(run(capsys, "shares", "--json")[1])] == ["link"]


def test_a_share_without_a_receiver_is_asked_wrongly(fs):
    with pytest.raises(SystemExit, match="2"):
        main(["storage", "share", "nextcloud:/data"])
