"""Bad input is normal: each becomes a counted row with a reason, the run goes on, nothing is lost."""

import os
import struct
import unicodedata
import zlib
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest
from knowledge_base import picture


def huge_png(path: Path) -> None:
    """A PNG whose header promises 30000 × 30000 pixels."""

    def block(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1000)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + block(b"IHDR", header) + block(b"IDAT", rows) + block(b"IEND", b""))


BAD_IMAGES = {
    "empty.png": lambda path: path.write_bytes(b""),
    "truncated.png": lambda path: path.write_bytes(path.with_name("alarm-lamp.png").read_bytes()[:300]),
    "huge.png": huge_png,
    "page.png": lambda path: path.write_text("<!doctype html><p>not found"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_is_a_row_with_a_reason(knowledge_base, name):
    BAD_IMAGES[name](knowledge_base.docs / "img" / name)
    result = knowledge_base.run("--no-graph")
    assert result.exit_code == 0, result.output
    row = knowledge_base.table("image_files").filter(path=f"img/{name}").to_dicts()[0]
    assert row["status"] in ("unreadable", "skipped")
    assert row["error"]
    assert row["image_id"] is None
    orphans = knowledge_base.table("orphan_images")
    assert orphans.filter(path=f"img/{name}")["reason"].to_list() == ["unreadable"]


def test_documents_in_other_encodings_are_read(knowledge_base):
    text = "# Übersicht\n\nDie Lampe am Gehäuse leuchtet rot, wenn das Gerät gestört ist. Größe prüfen.\n"
    (knowledge_base.docs / "latin.md").write_bytes(text.encode("latin-1"))
    (knowledge_base.docs / "utf16.md").write_bytes(text.encode("utf-16"))
    assert knowledge_base.run("--no-graph").exit_code == 0
    documents = knowledge_base.table("documents")
    assert documents.filter(pl.col("path").is_in(["latin.md", "utf16.md"]))["status"].to_list() == ["ok", "ok"]
    assert set(documents.filter(pl.col("path").is_in(["latin.md", "utf16.md"]))["title"]) == {"Übersicht"}


def test_a_document_of_200_megabytes_is_skipped_unread_and_a_binary_one_refused(knowledge_base):
    with (knowledge_base.docs / "dump.txt").open("wb") as file:
        file.truncate(200_000_000)
    (knowledge_base.docs / "firmware.txt").write_bytes(bytes(range(256)) * 40)
    assert knowledge_base.run("--no-graph").exit_code == 0
    documents = {row["path"]: row for row in knowledge_base.table("documents").to_dicts()}
    assert documents["dump.txt"]["status"] == "skipped"
    assert documents["dump.txt"]["sha256"] is None
    assert documents["firmware.txt"]["status"] == "unreadable"
    assert "binary" in documents["firmware.txt"]["error"]


def test_a_target_that_climbs_out_of_the_root_is_never_opened(knowledge_base):
    (knowledge_base.docs / "climb.md").write_text(
        "# Climb\n\n![p](../../../../etc/passwd)\n\n![q](/../../etc/hosts.png)\n"
    )
    assert knowledge_base.run("--no-graph").exit_code == 0
    rows = knowledge_base.table("references").filter(document_path="climb.md").to_dicts()
    assert rows[0]["status"] == "outside_root"
    assert {row["image_path"] for row in rows} == {None}


ODD_NAMES = [
    "with space.png",
    'it\'s "quoted".png',
    "hash#1.png",
    "100%25.png",
    "报警灯.png",
    "lamp🚨.png",
    unicodedata.normalize("NFC", "Gerät.png"),
    unicodedata.normalize("NFD", "Kühler.png"),
]


def test_images_with_odd_names_are_found_and_referenced(knowledge_base):
    lines = ["# Odd names"]
    for number, name in enumerate(ODD_NAMES):
        picture(knowledge_base.docs / "odd" / name, f"N{number}", "green")
        lines.append(f"\n![picture {number}](odd/{quote(unicodedata.normalize('NFC', name))})")
    (knowledge_base.docs / "odd.md").write_text("\n".join(lines), encoding="utf-8")
    assert knowledge_base.run("--no-graph").exit_code == 0
    references = knowledge_base.table("references").filter(document_path="odd.md")
    assert references["status"].to_list() == ["ok"] * len(ODD_NAMES)
    assert set(references["image_path"]) == {f"odd/{name}" for name in ODD_NAMES}


def test_an_unreadable_document_keeps_its_last_good_rows(knowledge_base):
    assert knowledge_base.run("--no-graph").exit_code == 0
    before = knowledge_base.table("chunks")
    document = knowledge_base.docs / "assembly.md"
    document.unlink()
    document.write_bytes(b"\x00\x01\x02" * 5000)
    assert knowledge_base.run("--no-graph").exit_code == 0
    status = knowledge_base.table("documents").filter(path="assembly.md")["status"].item()
    assert status == "stale"
    assert knowledge_base.table("chunks").equals(before)


def test_no_documents_and_no_images_are_runs_that_say_so(knowledge_base):
    for file in sorted(knowledge_base.docs.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    result = knowledge_base.run("--no-graph")
    assert result.exit_code == 0, result.output
    assert knowledge_base.last_run()["counts"]["documents"] == 0
    (knowledge_base.docs / "only.md").write_text("# Words\n\nNo picture anywhere.\n")
    result = knowledge_base.run("--no-graph")
    assert result.exit_code == 0, result.output
    assert knowledge_base.last_run()["counts"]["chunks"] == 1


def test_a_root_that_is_gone_loses_nothing(knowledge_base):
    assert knowledge_base.run("--no-graph").exit_code == 0
    before = knowledge_base.table("chunks")
    knowledge_base.docs.rename(knowledge_base.root / "moved")
    result = knowledge_base.run("--no-graph")
    assert result.exit_code == 0, result.output
    documents = knowledge_base.table("documents")
    assert documents.filter(format="folder")["status"].to_list() == ["unreadable"]
    assert set(documents.filter(pl.col("format") != "folder")["status"]) == {"stale"}
    assert knowledge_base.table("chunks").equals(before)
    assert knowledge_base.table("orphan_images").height <= 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_without_rights_loses_nothing(knowledge_base):
    assert knowledge_base.run("--no-graph").exit_code == 0
    before = knowledge_base.table("images")
    folder = knowledge_base.docs / "img"
    folder.chmod(0)
    try:
        assert knowledge_base.run("--no-graph").exit_code == 0
    finally:
        folder.chmod(0o755)
    assert knowledge_base.table("images").equals(before)
