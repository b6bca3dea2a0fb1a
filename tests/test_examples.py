import csv
import hashlib
import io
import re
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat, UnidentifiedImageError

from kg_pipeline.config import load_collections

EXAMPLES = Path(__file__).parents[1] / "examples"
PICTURES = (".png", ".jpg", ".svg")
QUERIES = (
    "服务器机柜内红色报警灯亮起",
    "PLC模块LED显示ERR红灯",
    "SOP第7步:用扭矩扳手紧固M6螺栓",
    "手机边框存在0.3mm以上毛刺",
    "蓝色control panel with 'RUN' button lit",
)


def picture_files() -> dict[str, Path]:
    """Files by the path that the tables use."""
    found = {}
    for root, prefix in (("docs", ""), ("photos", "photos/")):
        for file in sorted((EXAMPLES / root).rglob("*")):
            if file.suffix in PICTURES:
                found[prefix + file.relative_to(EXAMPLES / root).as_posix()] = file
    return found


def document_texts() -> list[str]:
    files = sorted(file for file in (EXAMPLES / "docs").rglob("*.*") if file.suffix in (".md", ".rst", ".html"))
    return [file.read_text(encoding="utf-8") for file in files]


@pytest.fixture(scope="module")
def drawn() -> dict[str, bytes]:
    sys.path.insert(0, str(EXAMPLES))
    try:
        import draw
    finally:
        sys.path.remove(str(EXAMPLES))
    return draw.draw()


def test_the_collection_loads_and_everything_it_names_exists():
    example = load_collections(EXAMPLES / "collections.yaml")["example"]
    assert [root.root.is_dir() for root in example.roots] == [True]
    assert [inventory.prefix for inventory in example.images] == ["photos"]
    assert example.concepts.glossary is not None
    assert example.concepts.glossary.is_file()


def test_drawing_again_gives_the_committed_pictures(drawn):
    committed = {file.relative_to(EXAMPLES).as_posix(): file for file in picture_files().values()}
    assert drawn.keys() == committed.keys()
    for path, file in committed.items():
        if path.endswith(".svg") or not drawn[path]:
            assert drawn[path] == file.read_bytes(), path
        elif not path.endswith("DSC_0091.jpg"):
            # Encoders and resampling may differ in the last bits between versions of Pillow.
            with Image.open(io.BytesIO(drawn[path])) as now, Image.open(file) as before:
                difference = ImageChops.difference(now.convert("RGB"), before.convert("RGB"))
                assert max(ImageStat.Stat(difference).mean) < 2, path


def test_the_pictures_are_small():
    assert sum(file.stat().st_size for file in picture_files().values()) < 1_500_000


def test_the_truth_names_documents_and_pictures_that_exist():
    pictures = picture_files()
    with (EXAMPLES / "truth.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({tuple(row.values()) for row in rows}) > 25
    for row in rows:
        assert (EXAMPLES / "docs" / row["document"]).is_file(), row
        assert row["image"] in pictures, row


@pytest.mark.parametrize("query", QUERIES)
def test_each_query_stands_in_exactly_one_document(query):
    assert sum(query in text for text in document_texts()) == 1


def test_every_glossary_concept_is_named_in_a_document():
    texts = " ".join(document_texts()).lower()
    with (EXAMPLES / "glossary.csv").open(encoding="utf-8", newline="") as file:
        concepts = list(csv.DictReader(file))
    assert list(concepts[0]) == ["name", "aliases", "description"]
    for concept in concepts:
        names = [concept["name"], *concept["aliases"].split("|")]
        assert any(name.lower() in texts for name in names), concept["name"]


def test_the_traps_are_set():
    pictures = picture_files()
    ids = {path: hashlib.sha256(file.read_bytes()).hexdigest() for path, file in pictures.items()}
    assert ids["photos/line2_panel_backup.png"] == ids["assembly-line/images/control_panel_run.png"]
    assert pictures["photos/scan_0007.png"].stat().st_size == 0
    with pytest.raises((OSError, UnidentifiedImageError)), Image.open(pictures["photos/DSC_0091.jpg"]) as truncated:
        truncated.load()
    assert "server-room/images/battery_test_log.png" not in pictures
    cabling = (EXAMPLES / "docs/server-room/cabling.rst").read_text(encoding="utf-8")
    assert re.search(r"images/Cable_Labels\.PNG", cabling)
    with Image.open(pictures["server-room/images/icon_info.png"]) as icon:
        assert icon.size == (32, 32)
