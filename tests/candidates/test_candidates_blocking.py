import polars as pl
import pytest
from small_corpus import chunk_of, image_id, small_corpus

from kg_pipeline.candidates import block

DOCUMENTS = {
    "guide/radio.md": ["# Radio\nThe radio sends packets.", "# Power\nPlug the barrel jack in."],
    "guide/motor.md": ["# Motor\nA brushless motor turns.", "# Wiring\nRed goes to plus."],
}


def of(pairs: pl.DataFrame, image: str) -> dict[str, list[str]]:
    mine = pairs.filter(image_id=image_id(image))
    return dict(zip(mine["text_id"], mine["strategies"].to_list(), strict=True))


def test_words_of_the_name_propose_passages(make_collection):
    corpus = small_corpus(DOCUMENTS, {"guide/images/brushless-motor.png": []})
    found = of(block(make_collection(), corpus).pairs, "guide/images/brushless-motor.png")
    assert {"lexical", "lexical_passage"} <= set(found[chunk_of("guide/motor.md", 0, DOCUMENTS)])


def test_an_image_that_says_nothing_gets_the_passages_near_it(make_collection):
    documents = {**DOCUMENTS, **{f"other/{n}.md": ["# Other\nwords"] for n in range(20)}}
    corpus = small_corpus(documents, {"guide/d41d8cd98f00b204e9800998ecf8427e.png": []})
    found = of(block(make_collection(), corpus).pairs, "guide/d41d8cd98f00b204e9800998ecf8427e.png")
    assert {chunk_of(path, n, DOCUMENTS) for path in DOCUMENTS for n in (0, 1)} <= set(found)
    assert all(strategies == ["proximity"] for strategies in found.values())


def test_neighbours_in_a_series_propose_the_passages_they_are_used_in(make_collection):
    images = {f"media/a1b2c3d4e5-{n}.png": [] for n in range(3)}
    references = [("guide/motor.md", 1, "media/a1b2c3d4e5-0.png")]
    pairs = block(make_collection(), small_corpus(DOCUMENTS, images, references)).pairs
    assert "sibling" in of(pairs, "media/a1b2c3d4e5-1.png")[chunk_of("guide/motor.md", 1, DOCUMENTS)]


def test_the_pair_of_a_reference_is_there_beyond_the_cap_and_changes_no_fused_score(make_collection):
    images = {"guide/radio.png": []}
    collection = make_collection(scoring={"proposals": 1, "images_per_text": 1})
    without = block(collection, small_corpus(DOCUMENTS, images)).pairs
    with_reference = block(
        collection, small_corpus(DOCUMENTS, images, [("guide/motor.md", 1, "guide/radio.png")])
    ).pairs
    referenced = with_reference.filter(pl.col("strategies").list.contains("reference"))
    assert referenced["text_id"].to_list() == [chunk_of("guide/motor.md", 1, DOCUMENTS)]
    key = ["image_id", "text_id", "fused_score"]
    assert with_reference.select(key).join(without.select(key), on=key, how="semi").height == without.height


@pytest.mark.parametrize("status", ["hidden", "missing", "not_embedded"])
def test_only_visible_references_count(make_collection, status):
    images = {"guide/radio.png": [], "guide/radio2.png": []}
    hidden = small_corpus(
        DOCUMENTS, images, [("guide/motor.md", 1, "guide/radio.png")], statuses={"guide/radio.png": status}
    )
    bare = small_corpus(DOCUMENTS, images)
    assert block(make_collection(), hidden).pairs.equals(block(make_collection(), bare).pairs)


def test_the_cap_holds_per_image_and_texts_keep_their_quota(make_collection):
    documents = {f"d{n}.md": [f"# Motor {n}\nmotor word{n}"] for n in range(30)}
    images = {f"pictures/motor-{n}.png": [f"word{n}"] for n in range(10)}
    capped = make_collection(scoring={"proposals": 5, "images_per_text": 1})
    pairs = block(capped, small_corpus(documents, images)).pairs
    by_text = pairs.group_by("text_id").len()
    assert by_text["len"].min() >= 1
    assert len(pairs) <= 10 * 5 + 30
    for n in range(10):
        assert chunk_of(f"d{n}.md", 0, documents) in of(pairs, f"pictures/motor-{n}.png")


def test_no_document_takes_all_places(make_collection):
    documents = {
        "long.md": [f"# Motor\nmotor {n}" for n in range(60)],
        **{f"short{n}.md": [f"# Page\nmotor {n} is one of many words here, more than there"] for n in range(30)},
    }
    collection = make_collection(scoring={"proposals": 40, "images_per_text": 1})
    corpus = small_corpus(documents, {"x/motor.png": []})
    pairs = block(collection, corpus).pairs.join(corpus.chunks, left_on="text_id", right_on="chunk_id")
    assert pairs["document_id"].n_unique() > 3


def test_diagnostics_add_up(make_collection):
    corpus = small_corpus(
        DOCUMENTS, {"guide/radio.png": ["barrel jack"], "guide/motor.png": []}, glossary={"radio": []}
    )
    found = block(make_collection(), corpus)
    pairs, diagnostics = found.pairs, found.diagnostics
    assert diagnostics["total"]["pairs"] == len(pairs)
    assert diagnostics["total"]["possible"] == 2 * (4 + 1)
    assert diagnostics["total"]["reduction_ratio"] == pytest.approx(1 - len(pairs) / 10)
    assert diagnostics["pairs"]["lexical"] == pairs.filter(pl.col("strategies").list.contains("lexical")).height
    assert diagnostics["caps"]["cut"] == 0


def test_concepts_come_from_candidate_passages_and_from_the_image_itself(make_collection):
    glossary = {"brushless motor": [], "barrel jack": ["DC plug"], "antenna": []}
    corpus = small_corpus(DOCUMENTS, {"guide/brushless.png": ["dc plug"]}, glossary=glossary)
    pairs = block(make_collection(), corpus).pairs.filter(text_kind="concept")
    names = dict(corpus.concepts.select("concept_id", "name").iter_rows())
    found = {names[text]: strategies for text, strategies in pairs.select("text_id", "strategies").iter_rows()}
    assert found["brushless motor"] == ["concept_passage"]
    assert "concept_in_image" in found["barrel jack"]
    assert "antenna" not in found


def test_a_corpus_without_images_or_without_documents_has_no_pairs(make_collection):
    assert block(make_collection(), small_corpus(DOCUMENTS, {})).pairs.is_empty()
    assert block(make_collection(), small_corpus({}, {"a.png": []})).pairs.is_empty()


def test_the_order_of_the_input_rows_does_not_matter(make_collection):
    corpus = small_corpus(
        DOCUMENTS, {"guide/radio.png": ["plug"], "guide/motor.png": []}, [("guide/motor.md", 1, "guide/motor.png")]
    )
    turned = type(corpus)(**{name: getattr(corpus, name).reverse() for name in corpus.__dataclass_fields__})
    assert block(make_collection(), turned).pairs.equals(block(make_collection(), corpus).pairs)
