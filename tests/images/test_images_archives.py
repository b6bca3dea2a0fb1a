import io
import tarfile
import zipfile

import pytest
from pictures import drawn, file_row, paths

from kg_pipeline.config import Limits
from kg_pipeline.images import ImageError, open_image_bytes


def png(seed: int = 1) -> bytes:
    file = io.BytesIO()
    drawn(seed).save(file, "PNG")
    return file.getvalue()


def make_zip(path, members: dict[str, bytes], method=zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10)), data, method)


def make_tar(path, members: dict[str, bytes], mode="w") -> None:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_700_000_000
            archive.addfile(info, io.BytesIO(data))


NAMES = {"a.png": png(1), "deep/图 1.png": png(2), "deep/100%#!.png": png(3), "notes.txt": b"no image"}


@pytest.mark.parametrize("name", ["scans.zip", "scans.tar", "scans.tar.gz", "scans.tgz"])
def test_members_are_listed_below_the_archive_and_read_in_place(tmp_path, docs, inventory, name):
    if name.endswith("zip"):
        make_zip(tmp_path / name, NAMES)
    else:
        make_tar(tmp_path / name, NAMES, "w" if name.endswith("tar") else "w:gz")
    found = inventory(images=[{"archive": name}])
    assert paths(found) == [f"{name}/a.png", f"{name}/deep/100%#!.png", f"{name}/deep/图 1.png"]
    assert set(found.image_files["status"]) == {"ok"}
    assert all(found.image_files["modified_at"].is_not_null())
    for row in found.image_files.iter_rows(named=True):
        assert open_image_bytes(row["uri"], Limits()) == NAMES[row["path"].removeprefix(f"{name}/")]


def test_a_bang_in_the_archives_own_path_does_not_confuse_the_address(tmp_path, docs, inventory):
    (tmp_path / "odd!").mkdir()
    make_zip(tmp_path / "odd!" / "x.zip", {"!/a.png": png()})
    row = file_row(inventory(images=[{"archive": "odd!/x.zip"}]), "x.zip/!/a.png")
    assert row["status"] == "ok"


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "x/../../a.png", "C:\\a.png", "..\\a.png"])
def test_members_whose_names_leave_the_archive_are_skipped(tmp_path, docs, inventory, name):
    make_zip(tmp_path / "x.zip", {name: png()})
    make_tar(tmp_path / "x.tar", {name: png()})
    for archive in ("x.zip", "x.tar"):
        found = inventory(images=[{"archive": archive}])
        row = found.image_files.row(0, named=True)
        assert row["status"] == "skipped" and "leaves the archive" in row["error"]
        assert ".." not in row["path"].split("/") and row["path"].startswith(f"{archive}/")
        with pytest.raises(ImageError):
            open_image_bytes(row["uri"], Limits())


def test_an_encrypted_member_is_skipped(tmp_path, docs, inventory):
    make_zip(tmp_path / "x.zip", {"a.png": png(), "b.png": png(2)})
    data = bytearray((tmp_path / "x.zip").read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    data[data.index(b"PK\x03\x04") + 6] |= 1
    (tmp_path / "x.zip").write_bytes(data)
    found = inventory(images=[{"archive": "x.zip"}])
    assert found.image_files["status"].to_list() == ["skipped", "ok"]
    assert "encrypted" in found.image_files["error"][0]


def test_a_member_packed_too_tightly_is_skipped(tmp_path, docs, inventory):
    make_zip(tmp_path / "x.zip", {"bomb.bmp": b"BM" + bytes(5_000_000), "a.png": png()}, zipfile.ZIP_DEFLATED)
    found = inventory(images=[{"archive": "x.zip"}])
    assert "archive_ratio" in file_row(found, "x.zip/bomb.bmp")["error"]
    assert file_row(found, "x.zip/a.png")["status"] == "ok"


def test_a_tar_packed_too_tightly_is_not_read(tmp_path, docs, inventory):
    make_tar(tmp_path / "x.tgz", {"a.png": png(), "bomb.bmp": bytes(20_000_000)}, "w:gz")
    row = file_row(inventory(images=[{"archive": "x.tgz"}]), "x.tgz")
    assert row["status"] == "unlistable" and "archive_ratio" in row["error"]


@pytest.mark.parametrize("name", ["x.zip", "x.tar"])
@pytest.mark.parametrize("limit", ["archive_members", "archive_bytes"])
def test_an_archive_beyond_the_limits_is_not_read(tmp_path, docs, inventory, name, limit):
    make = make_zip if name == "x.zip" else make_tar
    make(tmp_path / name, {"a.png": png(), "b.png": png()})
    row = file_row(inventory(images=[{"archive": name}], limits={limit: 1}), name)
    assert row["status"] == "unlistable" and limit in row["error"]


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tgz", "x.rar"])
def test_an_archive_that_is_none_is_unlistable(tmp_path, docs, inventory, name):
    (tmp_path / name).write_bytes(b"nothing of the kind" * 100)
    row = file_row(inventory(images=[{"archive": name}]), name)
    assert row["status"] == "unlistable"
    assert str(tmp_path / name) in row["error"]


def test_a_cut_off_archive_is_unlistable_or_its_last_member_unreadable(tmp_path, docs, inventory):
    for name, mode in (("x.tar", "w"), ("x.tgz", "w:gz")):
        make_tar(tmp_path / name, {"a.png": png(1), "b.png": png(2)}, mode)
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: data.rindex(png(2)[-40:]) if mode == "w" else len(data) // 2])
        found = inventory(images=[{"archive": name}])
        assert {"unlistable", "unreadable"} & set(found.image_files["status"])


def test_a_damaged_member_is_unreadable_and_the_others_are_fine(tmp_path, docs, inventory):
    make_zip(tmp_path / "x.zip", {"a.png": png(1), "b.png": png(2)})
    data = bytearray((tmp_path / "x.zip").read_bytes())
    data[data.index(png(1)) + 200] ^= 255
    (tmp_path / "x.zip").write_bytes(data)
    found = inventory(images=[{"archive": "x.zip"}])
    assert found.image_files["status"].to_list() == ["unreadable", "ok"]


def test_archives_and_links_inside_an_archive_are_not_followed(tmp_path, docs, inventory):
    make_zip(tmp_path / "inner.zip", {"a.png": png()})
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "inner.zip", "inner.zip")
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    found = inventory(images=[{"archive": "x.tar"}])
    assert paths(found) == ["x.tar/link.png"]
    assert found.image_files["status"].to_list() == ["skipped"]


def test_of_two_members_with_one_name_the_last_counts(tmp_path, docs, inventory):
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.png", b"old")
        archive.writestr("a.png", png())
    assert inventory(images=[{"archive": "x.zip"}]).image_files["status"].to_list() == ["ok"]


def test_one_archive_given_twice_is_listed_once(tmp_path, docs, inventory):
    make_zip(tmp_path / "x.zip", {"a.png": png()})
    found = inventory(images=[{"archive": "x.zip"}, {"archive": "x.zip", "name": "again"}])
    assert paths(found) == ["x.zip/a.png"]


def test_a_member_larger_than_the_limit_is_skipped(tmp_path, docs, inventory):
    make_zip(tmp_path / "x.zip", {"a.png": png()})
    row = file_row(inventory(images=[{"archive": "x.zip"}], limits={"image_bytes": 100}), "x.zip/a.png")
    assert row["status"] == "skipped" and "image_bytes" in row["error"]
