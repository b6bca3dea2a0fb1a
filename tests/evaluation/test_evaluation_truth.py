"""What counts as a right answer."""

import polars as pl
from small_corpus import chunk_of, image_id, small_corpus

from kg_pipeline.evaluation import asked, stressed, truth_of, with_truth
from kg_pipeline.evaluation.stress import stress_name
from kg_pipeline.ids import document_id

DOCUMENTS = {
    "rack.md": ["# Rack\nThe alarm lamp lights.", "Call the operator.", "Read the panel.", "The end."],
    "pump.md": ["# Pump\nThe valve leaks.", "Replace the seal."],
}
IMAGES = {"img/lamp.png": ["ALARM"], "img/valve.png": [], "img/unused.png": []}
GLOSSARY = {"Rack": [], "operator": [], "seal": ["gasket"]}


def texts(truth: pl.DataFrame, image: str, kind: str, *, strict: bool = True) -> set[str]:
    return set(truth.filter(image_id=image_id(image), text_kind=kind, strict=strict)["text_id"])


def test_the_passage_of_the_reference_is_right_and_its_neighbours_are_near():
    truth = truth_of(small_corpus(DOCUMENTS, IMAGES, [("rack.md", 1, "img/lamp.png")]))
    assert texts(truth, "img/lamp.png", "chunk") == {chunk_of("rack.md", 1, DOCUMENTS)}
    beside = {chunk_of("rack.md", 0, DOCUMENTS), chunk_of("rack.md", 2, DOCUMENTS)}
    assert texts(truth, "img/lamp.png", "chunk", strict=False) == beside
    assert texts(truth, "img/lamp.png", "document") == {document_id("test", "rack.md")}


def test_a_right_passage_next_to_another_right_one_stays_right():
    truth = truth_of(
        small_corpus(DOCUMENTS, IMAGES, [("pump.md", 0, "img/valve.png"), ("pump.md", 1, "img/valve.png")])
    )
    assert len(texts(truth, "img/valve.png", "chunk")) == 2
    assert not texts(truth, "img/valve.png", "chunk", strict=False)


def test_concepts_of_the_passage_and_of_its_heading_are_right():
    corpus = small_corpus(DOCUMENTS, IMAGES, [("rack.md", 1, "img/lamp.png")], GLOSSARY)
    names = dict(corpus.concepts.select("concept_id", "name").iter_rows())
    found = {names[text] for text in texts(truth_of(corpus), "img/lamp.png", "concept")}
    assert found == {"Rack", "operator"}


def test_decorative_and_unused_pictures_are_not_asked_for():
    used = [("rack.md", 1, "img/lamp.png"), ("pump.md", 0, "img/valve.png")]
    truth = truth_of(small_corpus(DOCUMENTS, IMAGES, used, decorative=["img/lamp.png"]))
    assert asked(truth, "chunk").to_list() == [image_id("img/valve.png")]


def test_a_picture_on_most_pages_is_a_template_and_not_asked_for():
    pages = {f"page{number}.md": [f"# Page {number}\nText."] for number in range(12)}
    used = [(path, 0, "img/lamp.png") for path in list(pages)[:7]] + [("page1.md", 0, "img/valve.png")]
    assert asked(truth_of(small_corpus(pages, IMAGES, used)), "chunk").to_list() == [image_id("img/valve.png")]


def test_evidence_is_marked_right_and_near():
    truth = truth_of(small_corpus(DOCUMENTS, IMAGES, [("rack.md", 1, "img/lamp.png")]))
    evidence = pl.DataFrame(
        {"image_id": image_id("img/lamp.png"), "text_kind": "chunk", "text_id": chunk_of("rack.md", index, DOCUMENTS)}
        for index in range(4)
    )
    marked = with_truth(evidence, truth)
    assert marked["right"].to_list() == [False, True, False, False]
    assert marked["near"].to_list() == [True, True, True, False]


def test_stress_takes_names_and_folders_and_leaves_the_truth():
    corpus = small_corpus(DOCUMENTS, IMAGES, [("rack.md", 1, "img/lamp.png")])
    hard = stressed(corpus, frozenset({"hashed-names", "flat-folders"}))
    assert truth_of(hard).equals(truth_of(corpus))
    words = [word for image in hard.fields.images for word in image.name_tokens(hard.fields.vocabulary)]
    assert not set(words) & {"lamp", "valv", "unus", "unused"}
    assert {path.rpartition("/")[0] for path in hard.image_files["path"]} == {"images"}
    assert not set(hard.image_texts["source"]) & {"name", "folder"}


def test_stress_can_take_the_text_in_pictures():
    corpus = small_corpus(DOCUMENTS, IMAGES)
    assert stressed(corpus, frozenset({"no-ocr"})).image_texts.is_empty()
    assert stressed(corpus, frozenset()) is corpus


def test_stress_is_named_the_same_in_whatever_order_it_is_given():
    assert stress_name(frozenset(["flat-folders", "hashed-names"])) == "hashed-names+flat-folders"
    assert stress_name(frozenset()) == "none"
