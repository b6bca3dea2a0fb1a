"""Agreement with the ground truth of three real documentation sites."""

import polars as pl
import pytest

from kg_pipeline.config import Collection
from kg_pipeline.images import import_ocr, ocr_pending, read_image_texts, read_inventory

CORPORA = ("frc-docs", "maixpy", "windows-iotcore")


@pytest.fixture(scope="module")
def inventories():
    return {}


@pytest.fixture(params=CORPORA)
def corpus(request, corpora, inventories):
    """Collection, inventory and truth table of one corpus."""
    folder = corpora / request.param
    collection = Collection.model_validate({"name": "c", "documents": [{"root": "docs"}]}, context={"base": folder})
    if request.param not in inventories:
        inventories[request.param] = read_inventory(collection)
    return folder, collection, inventories[request.param], pl.read_csv(folder / "images.csv", infer_schema=False)


@pytest.mark.corpora
def test_every_image_has_the_size_format_and_frames_of_the_truth(corpus):
    _, _, inventory, truth = corpus
    found = inventory.image_files.join(inventory.images.drop("path"), on="image_id").select(
        image="path",
        bytes=pl.col("bytes").cast(pl.String),
        sha256="image_id",
        format="format",
        frames=pl.col("frames").cast(pl.String),
        size=pl.when(pl.col("format") != "SVG").then(pl.format("{}x{}", "width", "height")),
    )
    wanted = truth.select(
        "image",
        "bytes",
        "sha256",
        "format",
        pl.col("frames").fill_null("1"),
        size=pl.when(pl.col("format") != "SVG").then(pl.format("{}x{}", "width", "height")),
    )
    assert found.sort("image").equals(wanted.sort("image"))


@pytest.mark.corpora
def test_every_svg_has_a_size(corpus):
    _, _, inventory, _ = corpus
    assert inventory.images.filter(pl.col("width").is_null() | pl.col("height").is_null()).is_empty()


@pytest.mark.corpora
def test_files_of_the_same_bytes_are_one_image(corpus):
    _, _, inventory, truth = corpus
    ids = dict(inventory.image_files.select("path", "image_id").iter_rows())
    for image, others in truth.filter(pl.col("identical_to") != "").select("image", "identical_to").iter_rows():
        assert {ids[other] for other in others.split(";")} == {ids[image]}


@pytest.mark.corpora
def test_look_alikes_are_those_of_the_truth(corpus):
    _, _, inventory, truth = corpus
    hashes = {
        row[0]: int(row[1], 16) for row in inventory.images.select("path", "perceptual_hash").iter_rows() if row[1]
    }
    first = dict(inventory.image_files.join(inventory.images, on="image_id").select("path", "path_right").iter_rows())
    group = dict(inventory.images.select("path", "duplicate_group").iter_rows())
    named = truth.filter(pl.col("near_duplicate_of") != "").select("image", "near_duplicate_of").iter_rows()
    pairs = {(first[image], first[other]) for image, others in named for other in others.split(";")}
    for image, other in pairs:
        # The truth was hashed with another resampling: a pair at the very limit may fall on either side.
        distance = (hashes[image] ^ hashes[other]).bit_count()
        assert distance <= 7
        assert (group[image] is not None and group[image] == group[other]) == (distance <= 6)


@pytest.mark.corpora
def test_what_readers_of_the_site_are_shown_is_content_unless_it_is_an_icon(corpus):
    _, _, inventory, truth = corpus
    shown = truth.filter(pl.col("role") == "referenced")["sha256"]
    decorative = inventory.images.filter(pl.col("image_id").is_in(shown.implode()) & (pl.col("role") == "decorative"))
    assert decorative["width"].max() is None or decorative["width"].max() <= 64


@pytest.mark.corpora
def test_the_ocr_of_the_corpus_fills_the_cache(corpus, tmp_path):
    folder, collection, inventory, truth = corpus
    assert import_ocr(folder / "ocr.csv", tmp_path) == truth.filter(pl.col("format") != "SVG")["sha256"].n_unique()
    assert ocr_pending(inventory, tmp_path) == 0
    lines = pl.read_csv(folder / "ocr.csv", infer_schema=False).filter(pl.col("line") != "0")
    texts = read_image_texts(collection, inventory, tmp_path, workers=1).filter(pl.col("source") == "ocr")
    assert texts["text"].sort().to_list() == lines.unique(["sha256", "line"])["text"].sort().to_list()


@pytest.mark.corpora
def test_no_position_of_a_photograph_is_in_any_table(corpus, tmp_path):
    _, collection, inventory, _ = corpus
    collection = collection.model_copy(update={"scoring": collection.scoring.model_copy(update={"ocr": False})})
    exif = read_image_texts(collection, inventory, tmp_path, workers=1).filter(pl.col("source") == "exif")["text"]
    times = exif.str.contains(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
    assert not exif.filter(~times).str.contains(r"\d+\.\d{3,}|°|(?i)gps|lat|lon").any()
