"""Shared models over HTTP, on both databases: who sees what, and what a version promises."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from hub_config.platform.logic import blobs

WHO = ["rosa", "ben", "eve", "ada"]  # owner, in the group plankton, stranger, admin


def test_a_published_version_comes_back_as_it_was_sent(platform: Any, package: Any) -> None:
    rosa, ben = platform.user("rosa"), platform.user("ben")
    content = package.make(report___index__html=b"<h1>Report</h1>")
    answer = rosa.publish("copepods", content, "group:plankton", "user:eve")
    assert answer.status_code == 201
    version = answer.json()
    assert version.pop("warnings") == []
    lines = sorted(f"{path} {hashlib.sha256(data).hexdigest()}\n" for path, data in content.items())
    assert version["sha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert (version["owner"], version["name"], version["version"]) == ("rosa", "copepods", 1)
    assert version["audience"] == ["group:plankton", "user:eve"]
    assert version["manifest"]["schema"] == 1
    assert version["created"].endswith("Z")
    assert ben.get("/models/rosa/copepods/versions/1").json() == version
    assert ben.get("/models/rosa/copepods/versions/latest").json() == version
    for path, data in content.items():
        file = ben.get(f"/models/rosa/copepods/versions/latest/files/{path}")
        assert file.content == data
        assert file.headers["Content-Length"] == str(len(data))
        assert file.headers["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
        assert file.headers["Content-Disposition"] == "attachment"
        again = ben.get(file.url, headers={"If-None-Match": file.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    line = ben.get("/models").json()["items"][0]
    assert (line["owner"], line["latest"], line["classes"]) == ("rosa", 1, 2)
    assert line["summary"] == "Tells copepods apart."


@pytest.mark.parametrize(
    ("audience", "readers"),
    [
        ("everyone", ["rosa", "ben", "eve", "ada"]),
        ("group:plankton", ["rosa", "ben"]),
        ("group:imagine-users", ["rosa"]),
        ("user:eve", ["rosa", "eve"]),
        ("user:rosa", ["rosa"]),
    ],
)
def test_only_the_audience_sees_a_model_and_nobody_else_learns_that_it_exists(
    platform: Any, audience: str, readers: list[str]
) -> None:
    assert platform.user("rosa").publish("m", None, audience).status_code == 201
    for name in WHO:
        reader = platform.user(name)
        seen = name in readers
        assert reader.get("/models").json()["total"] == seen
        for path in ("", "/versions/1", "/versions/latest", "/versions/1/files/README.md"):
            answer = reader.get(f"/models/rosa/m{path}")
            assert answer.status_code == (200 if seen else 404)
            if not seen:
                unknown = reader.get(f"/models/rosa/never{path}")
                assert answer.text == unknown.text.replace("rosa/never", "rosa/m")
        if name != "rosa":
            withdrawn = reader.post("/models/rosa/m/versions/1/withdraw", json={"reason": "wrong labels"})
            assert withdrawn.status_code == (404 if not seen else 200 if name == "ada" else 403)
    assert platform.client().get("/models").status_code == 401


def test_a_version_shown_to_fewer_leaves_the_older_one_to_the_others(platform: Any, package: Any) -> None:
    rosa, eve = platform.user("rosa"), platform.user("eve")
    rosa.publish("m", package.make(b"one"), "everyone")
    rosa.publish("m", package.make(b"two"), "user:ben")
    assert rosa.get("/models").json()["items"][0]["latest"] == 2
    assert eve.get("/models").json()["items"][0]["latest"] == 1
    assert [version["version"] for version in eve.get("/models/rosa/m").json()["items"]] == [1]
    assert eve.get("/models/rosa/m/versions/latest").json()["version"] == 1
    assert eve.get("/models/rosa/m/versions/2").status_code == 404


def test_publishing_again_is_no_new_version(platform: Any, package: Any) -> None:
    rosa = platform.user("rosa")
    first = rosa.publish("m", None, "everyone", "user:ben")
    again = rosa.publish("m", None, "user:ben", "everyone", "everyone")
    assert (again.status_code, again.json()) == (200, first.json())
    assert rosa.publish("m", None, "everyone").json()["version"] == 2
    assert rosa.publish("m", package.make(b"other"), "everyone").json()["version"] == 3
    listed = rosa.get("/models/rosa/m").json()
    assert [version["version"] for version in listed["items"]] == [3, 2, 1]


def test_twenty_publishers_of_five_names_lose_no_version(platform: Any, package: Any) -> None:
    def publish(number: int) -> int:
        answer = platform.user("rosa").publish(f"m{number % 5}", package.make(b"%d" % number))
        assert answer.status_code == 201, answer.text
        return int(answer.json()["version"])

    with ThreadPoolExecutor(20) as pool:
        numbers = list(pool.map(publish, range(20)))
    for name in range(5):
        assert sorted(numbers[name::5]) == [1, 2, 3, 4]
    rosa = platform.user("rosa")
    assert rosa.get("/models").json()["total"] == 5
    assert {item["latest"] for item in rosa.get("/models").json()["items"]} == {4}


def test_the_same_package_from_twenty_at_once_is_one_version(platform: Any) -> None:
    rosa = platform.user("rosa")
    rosa.publish("other")
    content = {200: 0, 201: 0}
    with ThreadPoolExecutor(20) as pool:
        for answer in pool.map(lambda _: platform.user("rosa").publish("m"), range(20)):
            content[answer.status_code] += 1
    assert content == {200: 19, 201: 1}


def test_a_withdrawn_version_is_listed_and_not_loaded(platform: Any, package: Any) -> None:
    rosa, eve, ada = platform.user("rosa"), platform.user("eve"), platform.user("ada")
    rosa.publish("m", package.make(b"one"))
    rosa.publish("m", package.make(b"two"))
    address = "/models/rosa/m/versions/2/withdraw"
    assert eve.post(address, json={"reason": "no"}).status_code == 403
    assert rosa.post(address, json={"reason": ""}).status_code == 422
    assert rosa.post(address, json={"reason": "labels\0"}).status_code == 422
    withdrawn = rosa.post(address, json={"reason": "wrong labels"})
    assert withdrawn.json()["withdrawn"] == "wrong labels"
    assert rosa.post(address, json={"reason": "wrong labels"}).json() == withdrawn.json()
    assert ada.post(address, json={"reason": "something else"}).status_code == 409
    file = eve.get("/models/rosa/m/versions/2/files/README.md")
    assert file.status_code == 410
    assert "wrong labels" in file.json()["detail"]
    assert eve.get("/models/rosa/m/versions/2").json()["withdrawn"] == "wrong labels"
    assert eve.get("/models/rosa/m/versions/latest").json()["version"] == 1
    assert eve.get("/models").json()["items"][0]["latest"] == 1
    assert rosa.publish("m", package.make(b"two")).json()["version"] == 3
    for number in (1, 3):
        assert ada.post(f"/models/rosa/m/versions/{number}/withdraw", json={"reason": "unsafe"}).status_code == 200
    assert eve.get("/models").json()["total"] == 0
    assert eve.get("/models/rosa/m/versions/latest").json()["withdrawn"] == "unsafe"


def test_naming_a_hash_gives_nobody_the_file(platform: Any, package: Any) -> None:
    rosa, eve = platform.user("rosa"), platform.user("eve")
    content = package.make(b"rosa's secret")
    rosa.publish("private", content, "user:rosa")
    answer = eve.post_version("stolen", content)
    assert answer.status_code == 409
    assert answer.json()["missing"] == sorted(entry.sha256 for entry in package.entries(content))
    assert eve.get("/models").json()["total"] == 0


def test_one_may_share_with_ones_own_groups_only(platform: Any) -> None:
    eve = platform.user("eve")
    answer = eve.publish("m", None, "group:plankton")
    assert answer.status_code == 403
    assert answer.json()["detail"] == (
        "You are not in the group plankton, so you cannot share with it: choose one of yours."
    )
    assert platform.user("ada").publish("m", None, "group:plankton").status_code == 403


@pytest.mark.parametrize("name", ["model.pkl", "weights.pt", "run.py", "notes.JSON", "data", "a/b.exe"])
def test_files_of_other_kinds_are_refused(platform: Any, package: Any, name: str) -> None:
    content = package.make(**{name.replace("/", "___").replace(".", "__"): b"x"})
    answer = platform.user("rosa").publish("m", content)
    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        f"{name} cannot be shared: "
        "a package holds only .html, .json, .md, .png, .safetensors, .yml files; leave it out."
    )


@pytest.mark.parametrize("name", ["model.json", "README.md", "model.safetensors"])
def test_a_package_needs_manifest_card_and_weights(platform: Any, package: Any, name: str) -> None:
    content = package.make(other__md=b"x")
    del content[name]
    answer = platform.user("rosa").publish("m", content)
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        f"The package has no {name}: add it and publish again.",
    )


def test_a_manifest_that_lies_is_refused(platform: Any, package: Any) -> None:
    rosa = platform.user("rosa")
    honest = package.make()
    rest = {path: data for path, data in honest.items() if path != "model.json"}
    text = honest["model.json"].decode()
    lies = {
        "another file": package.manifest({**rest, "model.safetensors": b"other"}).model_dump_json(by_alias=True),
        "a file more": package.manifest({**rest, "more.md": b""}).model_dump_json(by_alias=True),
        "a file less": package.manifest({"README.md": rest["README.md"]}).model_dump_json(by_alias=True),
        "no JSON": "{",
        "an unknown key": text.replace('"task"', '"tusk"'),
        "deep": '{"schema":' + "[" * 100_000,
        "NaN": text.replace('"arguments":{}', '"arguments":{"a":NaN}'),
        "infinite": text.replace('"arguments":{}', '"arguments":{"a":1e999}'),
        "long number": text.replace('"arguments":{}', '"arguments":{"a":' + "9" * 5000 + "}"),
        "NUL": text.replace("Acartia", r"Aca\u0000rtia"),
        "half a letter": text.replace("Acartia", r"Aca\ud800rtia"),
        "one class": text.replace(text[text.index(',{"name":"Calanus"') : text.index('],"input"')], ""),
    }
    for lie, told in lies.items():
        answer = rosa.publish("m", {**rest, "model.json": told.encode()})
        assert answer.status_code == 422, (lie, answer.text)
        assert answer.json()["detail"].endswith((".", ":")) or "model.json" in answer.json()["detail"], lie
    assert rosa.get("/models").json()["total"] == 0


@pytest.mark.parametrize("card", [b"", b" \n", b"\xff\xfe", b"nul \0"])
def test_a_card_must_be_text(platform: Any, package: Any, card: bytes) -> None:
    answer = platform.user("rosa").publish("m", package.make(README__md=card))
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("README.md is ")


def test_huge_texts_are_refused(platform: Any, package: Any) -> None:
    rosa = platform.user("rosa")
    answer = rosa.publish("m", package.make(README__md=b"x" * (1024**2 + 1)))
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "README.md has 1,048,577 bytes and may have 1,048,576: shorten it.",
    )
    answer = rosa.post("/models/m/versions", content=b"[" * 300_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    answer = rosa.post("/models/m/versions", content=b"[" * 200_000, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


def test_searching_and_paging(platform: Any, package: Any) -> None:
    rosa, eve = platform.user("rosa"), platform.user("eve")
    for number in range(5):
        rosa.publish(f"m{number}", package.make(README__md=b"Finds Noctiluca 100%% in bay_%d." % number))
    eve.publish("m0", package.make(README__md=b"Finds nothing."))
    found = eve.get("/models", params={"q": "NOCTILUCA finds", "limit": 2, "offset": 2}).json()
    assert (found["total"], found["next"]) == (5, 4)
    assert [item["name"] for item in found["items"]] == ["m2", "m1"]
    assert eve.get("/models", params={"q": "Noctiluca", "offset": 4}).json()["next"] is None
    assert eve.get("/models", params={"q": "100% bay_3"}).json()["total"] == 1
    assert eve.get("/models", params={"q": "%"}).json()["total"] == 5
    assert eve.get("/models", params={"q": "acartia", "owner": "eve"}).json()["total"] == 1
    versions = rosa.get("/models/rosa/m1", params={"limit": 1}).json()
    assert (versions["total"], versions["next"], len(versions["items"])) == (1, None, 1)


def test_a_changed_small_file_is_refused_with_a_sentence_and_repaired_by_its_owner(
    platform: Any, package: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rosa, eve = platform.user("rosa"), platform.user("eve")
    content = package.make(b"weights" * 1000)
    rosa.publish("m", content)
    blob = platform.blob(content["model.safetensors"])
    flipped = bytearray(blob.read_bytes())
    flipped[100] ^= 1
    for damaged in (flipped, flipped[:-1], None):
        if damaged is None:
            blob.unlink()
        else:
            blob.write_bytes(damaged)
        caplog.clear()
        answer = eve.get("/models/rosa/m/versions/1/files/model.safetensors")
        assert answer.status_code == 500
        assert answer.json()["detail"] == (
            "model.safetensors is gone or was changed in the model store, so it is not given out: "
            "ask the model's owner to publish the same files again, which repairs it."
        )
        assert blob.name in caplog.text
    assert rosa.post_version("m", content).json()["missing"] == [blob.name]
    assert rosa.publish("m", content).json()["version"] == 1
    assert eve.get("/models/rosa/m/versions/1/files/model.safetensors").content == content["model.safetensors"]


def test_a_changed_large_file_never_arrives_whole(
    platform: Any, package: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "AT_ONCE", 100)
    rosa = platform.user("rosa")
    content = package.make(b"w" * 3_000_000)
    rosa.publish("m", content)
    blob = platform.blob(content["model.safetensors"])
    address = "/models/rosa/m/versions/1/files/model.safetensors"
    assert rosa.get(address).content == content["model.safetensors"]
    blob.write_bytes(b"v" + content["model.safetensors"][1:])
    with pytest.raises(httpx.RemoteProtocolError):
        rosa.get(address)
    assert rosa.get(address).status_code == 500
    rosa.put_blob(content["model.safetensors"])
    assert rosa.get(address).content == content["model.safetensors"]
