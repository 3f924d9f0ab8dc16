"""Which reader reads what, where files may lie, and what a set may not do."""

from __future__ import annotations

import stat
import zipfile
from typing import TYPE_CHECKING

import pytest

from imagine_lib.data.readers import READERS
from imagine_lib.errors import DataError, UsageError
from tests.library.readers.making import MAKERS, draw, folders, labels, pack, read, split_files, table, write

if TYPE_CHECKING:
    from pathlib import Path

IN_ARCHIVES = sorted(MAKERS.keys() - {"ifcb"})


def test_every_format_is_made_here() -> None:
    assert [*MAKERS, "images", "coco-masks"] == [reader.name for reader in READERS]


@pytest.mark.parametrize("name", MAKERS)
def test_a_format_is_found_by_looking_and_by_name(name: str, tmp_path: Path) -> None:
    found = read(MAKERS[name](tmp_path))
    assert found.format == name
    assert len(found) > 0
    assert [item.name for item in found.items] == sorted(item.name for item in found.items)
    assert all(item.content.read() for item in found.items)
    assert read(tmp_path, format=name) == found


@pytest.mark.parametrize("name", IN_ARCHIVES)
def test_a_zip_is_read_like_its_folder(name: str, tmp_path: Path) -> None:
    plain = read(MAKERS[name](tmp_path / "set"))
    packed = read(pack(tmp_path / "set", tmp_path / "set.zip"))
    assert packed.format == name
    told = ("name", "label", "boxes", "sample", "group", "part", "facts")
    assert [[getattr(item, key) for key in told] for item in packed.items] == [
        [getattr(item, key) for key in told] for item in plain.items
    ]
    assert [item.content.read() for item in packed.items] == [item.content.read() for item in plain.items]
    assert (packed.taxa, packed.samples, packed.classes) == (plain.taxa, plain.samples, plain.classes)


def test_an_unknown_format_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^There is no format 'excel'; there are ifcb \(.*folders \(one folder a class"
    ):
        read(folders(tmp_path), format="excel")


@pytest.mark.parametrize("name", MAKERS)
def test_a_folder_of_another_kind_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    write(tmp_path / "notes.txt", "nothing")
    with pytest.raises(DataError, match=rf"^{tmp_path} .*\.$"):
        read(tmp_path, format=name)


@pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", "C:\\x.png", "\\\\server\\x.png", "x/../../y.png"])
def test_a_path_that_leads_out_of_a_table_is_refused(path: str, tmp_path: Path) -> None:
    draw(tmp_path / "secret.png")
    place = write(tmp_path / "set/labels.csv", f"image,label\n{path},a\n")
    with pytest.raises(DataError) as error:
        read(tmp_path / "set")
    assert str(error.value) == (
        f"{place} names {path!r}, which leads out of the set: write paths below the folder of the images."
    )


@pytest.mark.parametrize("name", ["split-files", "table", "coco", "biigle", "ecotaxa", "voc"])
def test_a_path_that_leads_out_is_refused_by_every_reader_of_paths(name: str, tmp_path: Path) -> None:
    root = MAKERS[name](tmp_path / "set")
    draw(tmp_path / "out.png")
    for file in [*root.rglob("*.txt"), *root.rglob("*.csv"), *root.rglob("*.json"), *root.rglob("*.[tx][sm][vl]")]:
        file.write_text(file.read_text().replace("a.png", "../../../out.png").replace("1.png", "../../../out.png"))
    with pytest.raises(DataError, match="which leads out of the set"):
        read(root)


def test_a_link_out_of_the_set_is_not_followed(tmp_path: Path) -> None:
    root = table(tmp_path / "set")
    secret = draw(tmp_path / "elsewhere/secret.png")
    (root / "a.png").unlink()
    (root / "a.png").symlink_to(secret)
    with pytest.raises(DataError, match=rf"^{root}/a\.png is a link that leads out of the set: copy the file itself"):
        read(root)


def test_a_linked_folder_out_of_the_set_is_not_followed(tmp_path: Path) -> None:
    draw(tmp_path / "elsewhere/secret.png")
    root = tmp_path / "set"
    write(root / "labels.csv", "image,label\nmore/secret.png,a\n")
    (root / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=rf"^{root}/more is a link that leads out of the set"):
        read(root)


def test_links_within_the_set_are_followed(tmp_path: Path) -> None:
    root = table(tmp_path / "set")
    draw(root / "raw/x.png", 9)
    (root / "a.png").unlink()
    (root / "a.png").symlink_to(root / "raw/x.png")
    assert labels(read(root)) == {"a.png": "Tripos", "b.png": "Noctiluca"}


def test_links_out_of_class_folders_are_left_out_and_told(tmp_path: Path) -> None:
    root = folders(tmp_path / "set")
    (root / "fish/secret.png").symlink_to(draw(tmp_path / "secret.png"))
    found = read(root)
    assert labels(found) == {"crab/b.png": "crab", "fish/a.png": "fish"}
    assert found.remarks == (f"1 link in {root}, such as 'fish/secret.png': left out; copy there what they lead to.",)


def test_a_class_folder_that_is_a_link_is_told(tmp_path: Path) -> None:
    root = folders(tmp_path / "set")
    draw(tmp_path / "elsewhere/shrimp/c.png")
    (root / "shrimp").symlink_to(tmp_path / "elsewhere/shrimp")
    found = read(root)
    assert labels(found) == {"crab/b.png": "crab", "fish/a.png": "fish"}
    assert found.remarks == (f"1 link in {root}, such as 'shrimp': left out; copy there what they lead to.",)
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "shrimp").symlink_to(tmp_path / "elsewhere/shrimp")
    with pytest.raises(DataError, match=rf"^{alone} holds only links, such as 'shrimp': copy there what they lead"):
        read(alone)


def test_images_beside_the_class_folders_are_told(tmp_path: Path) -> None:
    draw(folders(tmp_path) / "loose.png")
    assert read(tmp_path).remarks == (f"1 image of {tmp_path} in no class folder: left out.",)


@pytest.mark.parametrize("member", ["../out.png", "/etc/x.png", "a/../../x.png", "a\\..\\x.png"])
def test_an_archive_whose_members_lead_out_is_refused(member: str, tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("fish/a.png", b"x")
        file.writestr(member, b"x")
    with pytest.raises(
        DataError, match=rf"^{archive} holds .*, which leads out of the set: pack the archive anew\.$"
    ):
        read(archive)


@pytest.mark.parametrize("spelling", ["fish\\{}.png", "./fish/{}.png", ".\\fish\\{}.png"])
def test_an_archive_of_windows_or_with_dots_is_read(spelling: str, tmp_path: Path) -> None:
    pixels = draw(tmp_path / "a.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr("fish\\", b"")
        for name in ("a", "b"):
            file.writestr(spelling.format(name), pixels)
        file.writestr("crab/c.png", pixels)
    found = read(tmp_path / "set.zip")
    assert labels(found) == {"crab/c.png": "crab", "fish/a.png": "fish", "fish/b.png": "fish"}
    assert all(item.content.read() == pixels for item in found.items)
    assert found.remarks == ()


def test_letters_with_accents_match_however_they_are_written(tmp_path: Path) -> None:
    apart, whole = "A\u030angstro\u0308m.png", "\u00c5ngstr\u00f6m.png"
    for on_disk, in_table in ((apart, whole), (whole, apart)):
        root = tmp_path / str(len(in_table))
        draw(root / "images" / on_disk)
        write(root / "labels.csv", f"image,label\nimages/{in_table},x\n")
        for path in (root, pack(root, tmp_path / "set.zip")):
            found = read(path)
            assert (labels(found), found.remarks) == ({f"images/{on_disk}": "x"}, ())


@pytest.mark.parametrize("text", ['{"images": 1400, "licence": "CC0"}', '{"images": ["a.png"], "name": "net 3"}'])
def test_a_description_beside_class_folders_is_no_coco(text: str, tmp_path: Path) -> None:
    write(folders(tmp_path) / "info.json", text)
    assert read(tmp_path).format == "folders"


def test_images_and_masks_beside_other_folders_are_classes(tmp_path: Path) -> None:
    for name in ("images/a.png", "masks/a.png", "crab/b.png"):
        draw(tmp_path / name)
    found = read(tmp_path)
    assert (found.format, found.classes) == ("folders", ["crab", "images", "masks"])


def test_what_is_not_read_yet_is_named(tmp_path: Path) -> None:
    for kind in ("points", "ifdo"):
        draw(tmp_path / kind / "images/a.png")
    write(tmp_path / "points/annotations.csv", "Name,Row,Column,Label\nimages/a.png,3,4,coral\n")
    with pytest.raises(
        DataError, match=r"points/annotations\.csv holds points \(CoralNet\), which cannot be cut out"
    ):
        read(tmp_path / "points")
    write(tmp_path / "ifdo/set.yaml", "image-set-header: {}\nimage-set-items:\n  a.png: {}\n")
    with pytest.raises(
        DataError, match=r"ifdo/set\.yaml is an iFDO, whose annotations are not read yet: give a table"
    ):
        read(tmp_path / "ifdo")
    draw(tmp_path / "ifdo/more/b.png")
    assert read(tmp_path / "ifdo").classes == ["images", "more"]


def test_a_link_in_an_archive_is_no_image(tmp_path: Path) -> None:
    archive = pack(folders(tmp_path / "set"), tmp_path / "set.zip")
    link = zipfile.ZipInfo("fish/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(link, "/etc/passwd")
    assert [item.name for item in read(archive).items] == ["crab/b.png", "fish/a.png"]


def test_an_archive_of_too_many_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = pack(folders(tmp_path / "set"), tmp_path / "set.zip")
    monkeypatch.setattr("imagine_lib.data.readers.zip_tree.MAX_MEMBERS", 1)
    with pytest.raises(DataError, match=r"has 2 members, which is no set of images: unpack what you need\.$"):
        read(archive)


def test_a_table_that_unfolds_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagine_lib.data.readers.tree.MAX_TEXT", 2_000_000)
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("labels.csv", b"image,label\n" + b"a.png,x\n" * 1_000_000)
    assert archive.stat().st_size < 100_000
    with pytest.raises(DataError, match=rf"^{archive}/labels\.csv has more than 2 MB: divide it\.$"):
        read(archive)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is a damaged archive: copy it again from its source\.$"):
        read(write(tmp_path / "set.zip", b"PK\x03\x04 and then nothing"))


def test_an_archive_that_was_copied_anew_is_read_anew(tmp_path: Path) -> None:
    archive = pack(folders(tmp_path / "one"), tmp_path / "set.zip")
    before = [item.content.read() for item in read(archive).items]
    draw(tmp_path / "one/fish/a.png", 200, size=(60, 40))
    pack(tmp_path / "one", archive)
    assert [item.content.read() for item in read(archive).items] != before


def test_groups_come_from_a_column_or_a_rule_on_the_path(tmp_path: Path) -> None:
    root = table(tmp_path)
    assert [item.group for item in read(root).items] == ["S1", "S2"]
    assert [item.group for item in read(root, group=r"(.)\.png").items] == ["a", "b"]
    found = read(root, group="sample")
    assert ([item.group for item in found.items], found.grouping) == (["S1", "S2"], "sample")


def test_a_group_column_with_holes_or_that_is_not_there_says_so(tmp_path: Path) -> None:
    root = table(tmp_path)
    with pytest.raises(UsageError) as error:
        read(root, group="depth")
    assert str(error.value) == f"{root} has nothing in column 'depth' for 'b.png': fill it in."
    with pytest.raises(UsageError, match=r"has no column 'cruise' for 'a\.png' \(there are depth, sample\)"):
        read(root, group="cruise")


def test_a_column_may_be_called_like_a_rule(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    write(tmp_path / "labels.csv", "image,label,depth (m)\na.png,x,10\n")
    assert [item.group for item in read(tmp_path, group="depth (m)").items] == ["10"]


def test_a_split_that_the_files_give_is_kept(tmp_path: Path) -> None:
    assert [item.part for item in read(split_files(tmp_path)).items] == ["train", "train", "select", "test"]


def test_a_broken_file_beside_a_set_does_not_matter(tmp_path: Path) -> None:
    write(folders(tmp_path) / "old.zip", b"broken")
    assert read(tmp_path).format == "folders"


def test_images_without_labels_are_opened_by_name_and_grouped(tmp_path: Path) -> None:
    for name in ("S1_a.png", "S2_b.png", "deeper/S2_c.png"):
        draw(tmp_path / name)
    with pytest.raises(DataError, match="or give format='images' where there are no labels"):
        read(tmp_path / "deeper")
    data = read(tmp_path, format="images", group=r"(S\d)_")
    assert [(item.name, item.label, item.group) for item in data.items] == [
        ("S1_a.png", None, "S1"),
        ("S2_b.png", None, "S2"),
        ("deeper/S2_c.png", None, "S2"),
    ]
    assert (data.format, data.classes) == ("images", [])


def test_class_folders_may_lie_in_parts(tmp_path: Path) -> None:
    for name in ("train/a/1.png", "train/b/2.png", "Val/a/3.png", "test/b/deep/4.png"):
        draw(tmp_path / name)
    found = {item.name: (item.label, item.part) for item in read(tmp_path).items}
    assert found == {
        "Val/a/3.png": ("a", "select"),
        "test/b/deep/4.png": ("b", "test"),
        "train/a/1.png": ("a", "train"),
        "train/b/2.png": ("b", "train"),
    }


def test_the_folder_that_an_archive_adds_is_no_class(tmp_path: Path) -> None:
    for name in ("mine/set/a/1.png", "mine/set/b/2.png"):
        draw(tmp_path / name)
    assert labels(read(tmp_path)) == {"mine/set/a/1.png": "a", "mine/set/b/2.png": "b"}


def test_classes_called_like_parts_stay_classes(tmp_path: Path) -> None:
    for name in ("train/1.png", "test/2.png"):
        draw(tmp_path / name)
    assert labels(read(tmp_path)) == {"test/2.png": "test", "train/1.png": "train"}
