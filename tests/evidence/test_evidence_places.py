"""Pictures inside a document's own file: where they lie is evidence, as a folder is; what is said of them is not."""

import pytest
from small_corpus import chunk_of, image_id, small_corpus

from kg_pipeline.evidence import calibration, judge, score_pairs, select_candidates
from kg_pipeline.tables import TABLES

PAGES = [f"# Step {n}\nTurn screw number {n} of the pump." for n in range(1, 41)]
DOCUMENTS = {"manuals/pump.pdf": PAGES, "manuals/valve.pdf": ["# Valve\nTurn the valve."], "read.md": ["# Read\nThis."]}
PICTURE, ENTRY = "manuals/pump.pdf/p3-1.png", ("manuals/pump.pdf", 2, "manuals/pump.pdf/p3-1.png")


def pairs_of(collection, images=None, references=(ENTRY,), **options):
    options = {"kinds": {PICTURE: "embedded"}} | options
    corpus = small_corpus(DOCUMENTS, images or {PICTURE: []}, references, **options)
    return corpus, select_candidates(collection, corpus).pairs


def features_of(pairs, path, page, image=PICTURE):
    return pairs.filter(image_id=image_id(image), text_id=chunk_of(path, page, DOCUMENTS))["features"].item()


@pytest.mark.parametrize("fitted", [False, True])
def test_a_picture_without_words_belongs_to_the_passage_at_which_it_lies(make_collection, fitted):
    collection = make_collection()
    corpus, pairs = pairs_of(collection)
    scores = score_pairs(pairs)
    learned = calibration.Calibration(scores["scorer"][0]) if fitted else None
    evidence = judge(collection, corpus, pairs, scores, TABLES["verdicts"].empty(), learned)
    top = evidence.filter(text_kind="chunk", rank=1).row(0, named=True)
    assert (top["text_id"], top["kept"]) == (chunk_of("manuals/pump.pdf", 2, DOCUMENTS), True)
    assert top["confidence"] > 0.9
    assert "it lies there in the document's own file" in top["reason"]
    assert evidence.filter(text_kind="document", rank=1)["document_id"].item() == top["document_id"]


def test_passages_around_it_are_near_and_others_are_not(make_collection):
    _, pairs = pairs_of(make_collection())
    inside = [features_of(pairs, "manuals/pump.pdf", page)["inside"] for page in (2, 3, 4, 5)]
    assert inside[0] == 1
    assert inside == sorted(inside, reverse=True)
    assert features_of(pairs, "manuals/valve.pdf", 0)["inside"] == 0


def test_the_document_around_a_picture_is_at_no_distance(make_collection):
    book = "manuals/pump.pdf/images/p3-1.png"
    _, pairs = pairs_of(make_collection(), {PICTURE: [], book: []}, ())
    assert features_of(pairs, "manuals/pump.pdf", 2)["path_distance"] == 0
    assert features_of(pairs, "manuals/pump.pdf", 2, book)["path_distance"] == 0
    assert features_of(pairs, "manuals/valve.pdf", 0)["path_distance"] == 1


@pytest.mark.parametrize("options", [{"statuses": {PICTURE: "hidden"}}, {"kinds": {PICTURE: "md_image"}}])
def test_a_hidden_place_and_a_reference_in_words_are_no_place(make_collection, options):
    _, pairs = pairs_of(make_collection(), **options)
    assert pairs["features"].struct.field("inside").max() == 0


def test_two_documents_that_hold_the_picture_do_not_take_it_from_each_other(make_collection):
    copy = "manuals/valve.pdf/p1-1.png"
    _, pairs = pairs_of(
        make_collection(),
        {PICTURE: [], copy: []},
        (ENTRY, ("manuals/valve.pdf", 0, copy)),
        kinds={PICTURE: "embedded", copy: "embedded"},
        same_bytes={copy: PICTURE},
    )
    best = score_pairs(pairs).sort("log_odds", descending=True)
    wanted = {chunk_of("manuals/pump.pdf", 2, DOCUMENTS), chunk_of("manuals/valve.pdf", 0, DOCUMENTS)}
    assert set(best["text_id"][:2]) == wanted
    assert best["score"][:2].min() > 8
