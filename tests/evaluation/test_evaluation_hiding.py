"""Nothing that a document says of a hidden picture reaches what judges it."""

from dataclasses import fields

import polars as pl
import pytest
from knowledge_base import picture
from small_corpus import image_id, small_corpus

from kg_pipeline.candidates import Corpus
from kg_pipeline.concepts import concept_texts, read_concepts
from kg_pipeline.documents import read_documents
from kg_pipeline.evaluation import PROTOCOLS, hidden_run, scorer_of, stressed, truth_of
from kg_pipeline.evaluation.hidden_run import fold_of
from kg_pipeline.evidence import score_pairs
from kg_pipeline.images import read_image_texts, read_inventory
from kg_pipeline.reranking import ImageScores
from kg_pipeline.storage import ScoreLedger

PLANTED = ("qxalt", "qxcaption", "qxtitle", "qxtarget", "qxname")

MARKDOWN = """# Server room

When the alarm lamp on the rack lights, call the operator.

![qxalt](img/lamp.png?v=qxtarget "qxtitle")

## Cooling

Replace the filter of the cooling unit.

<figure><img src="img/qxname.png" alt="qxalt" title="qxtitle"><figcaption>qxcaption</figcaption></figure>

![qxalt][unit]

[unit]: img/qxname.png "qxtitle"
"""
RST = """Assembly
========

Tighten the bolt with the wrench.

.. figure:: img/wrench.png
   :alt: qxalt

   qxcaption

.. |bolt| image:: img/qxname.png
   :alt: qxalt

Then |bolt| is done.
"""
HTML = """<html><head><title>Audit</title></head><body><h1>Audit</h1><p>Look at the meter.</p>
<picture><source srcset="img/qxname.png">
<img src="img/meter.png?qxtarget" alt="qxalt" data-caption="qxcaption"></picture>
</body></html>"""


@pytest.fixture
def planted(tmp_path, make_collection) -> tuple:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name, text in (("room.md", MARKDOWN), ("assembly.rst", RST), ("audit.html", HTML)):
        (docs / name).write_text(text, encoding="utf-8")
    for name, colour in (("lamp", "red"), ("qxname", "blue"), ("wrench", "grey"), ("meter", "green")):
        picture(docs / "img" / f"{name}.png", "OK", colour)
    collection = make_collection(scoring={"ocr": False, "reranker": "none"}, concepts={"heading_levels": [1, 2]})
    inventory = read_inventory(collection)
    read = read_documents(collection, inventory.image_files)
    found = read_concepts(collection, read.documents, read.chunks)
    texts = read_image_texts(collection, inventory, tmp_path / "ocr")
    return collection, Corpus(*read, *inventory, texts, *found)


def everything_in(frame: pl.DataFrame) -> str:
    return frame.write_json()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_word_of_the_markup_reaches_a_scorer(planted, protocol):
    collection, corpus = planted
    marked = everything_in(corpus.references)
    assert all(word in marked for word in PLANTED), "the test has to plant all of them"
    seen: list[tuple[Corpus, pl.DataFrame]] = []

    def spy(hidden: Corpus, pairs: pl.DataFrame) -> pl.DataFrame:
        seen.append((hidden, pairs))
        return score_pairs(pairs)

    run = hidden_run(collection, corpus, protocol, spy)
    assert seen
    for hidden, pairs in seen:
        visible = {row["image_id"] for row in hidden.references.iter_rows(named=True)}
        prompts = pl.concat([hidden.chunks.select("text"), concept_texts(hidden.concepts).select("text")])
        said = everything_in(prompts) + everything_in(hidden.chunks) + everything_in(hidden.documents)
        said += everything_in(hidden.concepts) + everything_in(hidden.concept_mentions) + everything_in(pairs)
        assert not [word for word in PLANTED if word in said]
        # Of the picture itself its own name is known; nothing else of what was planted.
        of_pictures = (
            everything_in(hidden.images) + everything_in(hidden.image_files) + everything_in(hidden.image_texts)
        )
        assert [word for word in PLANTED if word in of_pictures] == ["qxname"]
        if protocol == "cold":
            assert not visible
    assert not [word for word in PLANTED if word in everything_in(run.evidence)]


class ReadingReranker:
    """Keeps every text it is asked to score."""

    fingerprint, direction, pairs_per_second = "reading", "image-to-text", 1e6

    def __init__(self) -> None:
        self.prompts: list[str] = []

    def score(self, groups):
        for group in groups:
            assert group.load()
            self.prompts += group.texts
            yield ImageScores(group.image_id, (0.0,) * len(group.texts), (False,) * len(group.texts))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_word_of_the_markup_reaches_a_prompt_of_the_reranker(planted, tmp_path, protocol):
    collection, corpus = planted
    reranker = ReadingReranker()
    score = scorer_of(collection, reranker, ScoreLedger(tmp_path))
    for stress in (frozenset(), frozenset({"hashed-names", "flat-folders"})):
        run = hidden_run(collection, stressed(corpus, stress), protocol, score)
        assert run.evidence["scorer"].unique().to_list() == ["reading"]
    assert any("alarm lamp" in prompt for prompt in reranker.prompts)
    assert not [(word, prompt) for word in PLANTED for prompt in reranker.prompts if word in prompt]


def test_in_folds_a_picture_is_hidden_in_its_own_pass_only(planted):
    collection, corpus = planted
    passes = []
    hidden_run(collection, corpus, "folds", lambda hidden, pairs: passes.append(hidden) or score_pairs(pairs))
    used = set(corpus.visible_references["image_id"])
    hidden_in = [used - set(one.visible_references["image_id"]) for one in passes]
    assert sorted(image for images in hidden_in for image in images) == sorted(used)
    assert all(len({fold_of(image) for image in images}) <= 1 for images in hidden_in)


DOCUMENTS = {
    "rack.md": ["# Rack\nThe alarm lamp lights.", "Call the operator.", "Read the panel."],
    "pump.md": ["# Pump\nThe valve leaks.", "Replace the seal.", "Fill in the form."],
}
IMAGES = {"img/rack/lamp.png": [], "img/rack/panel.png": ["PANEL"], "img/pump/valve.png": [], "img/pump/seal.png": []}
OTHERS = [("rack.md", 2, "img/rack/panel.png"), ("pump.md", 0, "img/pump/valve.png")]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_where_a_picture_is_embedded_changes_nothing_about_it(make_collection, protocol):
    found = []
    for place in (("rack.md", 0), ("rack.md", 1), ("pump.md", 1)):
        corpus = small_corpus(DOCUMENTS, IMAGES, [*OTHERS, (*place, "img/rack/lamp.png")])
        run = hidden_run(make_collection(), corpus, protocol)
        lamp = image_id("img/rack/lamp.png")
        found.append((run.pairs.filter(image_id=lamp), run.evidence.filter(image_id=lamp)))
    for pairs, evidence in found[1:]:
        assert pairs.equals(found[0][0])
        # How other pictures rank for a passage may change: to them this one is a visible sibling.
        own = [name for name in evidence.columns if not name.startswith("image_")]
        assert evidence.select(own).equals(found[0][1].select(own))


def test_hiding_holds_for_every_copy_of_a_picture(make_collection):
    images = {**IMAGES, "img/copy.png": []}
    corpus = small_corpus(
        DOCUMENTS,
        images,
        [("rack.md", 0, "img/rack/lamp.png"), ("pump.md", 1, "img/copy.png")],
        same_bytes={"img/copy.png": "img/rack/lamp.png"},
    )
    seen = []
    hidden_run(make_collection(), corpus, "folds", lambda hidden, pairs: seen.append(hidden) or score_pairs(pairs))
    of_lamp = [set(one.references["image_id"]) & {image_id("img/rack/lamp.png")} for one in seen]
    assert sum(not visible for visible in of_lamp) == 1


def test_every_picture_is_judged_once_by_each_protocol(make_collection):
    corpus = small_corpus(DOCUMENTS, IMAGES, OTHERS)
    for protocol in PROTOCOLS:
        evidence = hidden_run(make_collection(), corpus, protocol).evidence
        assert not evidence.select("type", "image_id", "text_kind", "text_id").is_duplicated().any()


def test_verdicts_and_hidden_references_are_truth_and_nothing_else(make_collection):
    told = small_corpus(DOCUMENTS, IMAGES, OTHERS, statuses={"img/rack/panel.png": "hidden"})
    assert truth_of(told).equals(truth_of(small_corpus(DOCUMENTS, IMAGES, OTHERS)))


def test_the_corpora_have_the_tables_that_hiding_looks_at():
    names = {field.name for field in fields(Corpus)}
    assert names == {
        "documents", "chunks", "references", "image_files", "images", "image_texts", "concepts", "concept_mentions",
        "embeddings",  # of passages as they are in `chunks`, and of what picture_texts says of `images`
    }  # fmt: skip
