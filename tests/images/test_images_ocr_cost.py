from hashlib import sha256

import pytest
from pictures import save

from kg_pipeline.images import ocr_cost
from kg_pipeline.images.ocr_cache import Entry, store_entry
from kg_pipeline.images.ocr_cost import SECONDS


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "ocr"


def test_before_the_first_run_every_picture_but_drawings_counts(docs, make_collection, cache):
    save(docs / "a.png", 1)
    save(docs / "b.jpg", 2)
    (docs / "c.svg").write_text("<svg/>")
    cost = ocr_cost(make_collection(), None, cache)
    assert cost.pictures == 2
    assert cost.seconds == 2 * SECONDS / cost.cores


def test_what_was_read_before_costs_nothing_until_the_file_changes(docs, inventory, make_collection, cache):
    save(docs / "a.png", 1)
    save(docs / "b.png", 2)
    files = inventory().image_files
    store_entry(cache, files["image_id"][0], Entry("reader"))
    assert ocr_cost(make_collection(), files, cache).pictures == 1
    save(docs / "a.png", 3, compress_level=0)
    assert ocr_cost(make_collection(), files, cache).pictures == 2


def test_copies_of_a_known_picture_are_read_once(docs, inventory, make_collection, cache):
    save(docs / "a.png", 1)
    save(docs / "b.png", 1)
    assert ocr_cost(make_collection(), inventory().image_files, cache).pictures == 1


def test_a_collection_whose_pictures_are_not_to_be_read_costs_nothing(docs, make_collection, cache):
    save(docs / "a.png", 1)
    assert ocr_cost(make_collection(scoring={"ocr": False}), None, cache).pictures == 0


def test_what_was_imported_before_the_first_run_costs_nothing(docs, make_collection, cache):
    save(docs / "a.png", 1)
    save(docs / "b.png", 2)
    store_entry(cache, sha256((docs / "a.png").read_bytes()).hexdigest(), Entry("imported"))
    assert ocr_cost(make_collection(), None, cache).pictures == 1


def test_no_more_new_files_are_hashed_than_is_quick(docs, make_collection, cache, monkeypatch):
    save(docs / "a.png", 1)
    store_entry(cache, sha256((docs / "a.png").read_bytes()).hexdigest(), Entry("imported"))
    monkeypatch.setitem(ocr_cost.__globals__, "HASHED_BYTES", 10)
    assert ocr_cost(make_collection(), None, cache).pictures == 1
