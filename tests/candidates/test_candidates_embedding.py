from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from embedding_server import bag_of_words
from small_corpus import image_id, small_corpus

from kg_pipeline.candidates import meaning as meanings
from kg_pipeline.candidates import picture_texts, shortlist
from kg_pipeline.candidates.meaning import Meaning
from kg_pipeline.evidence import select_candidates
from kg_pipeline.tables import TABLES

DOCUMENTS = {
    "power.md": ["# Feeding\nMains lead and inlet.", "# Fuses\nWhat blows when the current is too high."],
    "radio.md": ["# Aerial\nHow waves are sent.", "# Bands\nWhich channels may be used."],
}
IMAGES = {"img/antenna.png": [], "img/IMG_1.png": ["cable", "socket"], "img/IMG_2.png": []}
SAME = {"socket": "inlet", "antenna": "aerial", "cable": "lead"}
BEST = {"img/antenna.png": "# Aerial\nHow waves are sent.", "img/IMG_1.png": "# Feeding\nMains lead and inlet."}


def vectors(corpus):
    """Of a model for which synonyms are one word."""
    texts = pl.concat([corpus.chunks.select("text_sha256", "text"), picture_texts(corpus.fields.images)[:, 1:]])
    rows = []
    for digest, text in texts.unique("text_sha256", maintain_order=True).filter(pl.col("text") != "").iter_rows():
        vector = np.array(bag_of_words(" ".join(SAME.get(word, word) for word in text.lower().split()), 512))
        rows.append({"text_sha256": digest, "embedder": "synonyms", "vector": list(vector / np.linalg.norm(vector))})
    return TABLES["embeddings"].rows(rows)


@pytest.fixture(params=["whole", "narrowed", "narrowed, by HNSW"])
def found(request, monkeypatch, make_collection):
    """Candidates of the corpus with vectors, with the text of the passage; looked at whole, or as large ones are."""
    if request.param != "whole":
        monkeypatch.setattr(shortlist, "WHOLE", 0)
    if "HNSW" in request.param:
        monkeypatch.setattr(meanings, "EXACT", 0)
    plain = small_corpus(DOCUMENTS, IMAGES)
    corpus = replace(plain, embeddings=vectors(plain))
    pairs = select_candidates(make_collection(), corpus).pairs
    assert pairs.equals(select_candidates(make_collection(), replace(corpus)).pairs)
    return pairs.join(corpus.chunks.select("text", text_id="chunk_id"), on="text_id")


def test_a_passage_in_other_words_is_proposed_and_comes_first(found):
    for image, text in BEST.items():
        [first] = found.filter(image_id=image_id(image), position=1).to_dicts()
        assert (first["text"], first["features"]["embedding"]) == (text, 1.0)
        assert "embedding" in first["strategies"]


def test_a_picture_of_which_nothing_is_known_has_no_meaning(found):
    unknown = found.filter(image_id=image_id("img/IMG_2.png"))
    assert not unknown["strategies"].explode().is_in(["embedding"]).any()
    assert unknown["features"].struct.field("embedding").sum() == 0


def test_without_vectors_nothing_is_proposed_by_meaning(make_collection):
    pairs = select_candidates(make_collection(), small_corpus(DOCUMENTS, IMAGES)).pairs
    assert not pairs["strategies"].explode().is_in(["embedding"]).any()


def test_the_graph_finds_what_comparing_with_everything_finds(monkeypatch):
    chance = np.random.default_rng(3)
    both = chance.standard_normal((2_050, 32)).astype(np.float32)
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    rows = np.arange(50)
    exact = of_rows(Meaning(both[:50], both[50:]).best(rows, 10))
    monkeypatch.setattr(meanings, "EXACT", 0)
    nearest = of_rows(Meaning(both[:50], both[50:]).best(rows, 10))
    assert np.mean([len(exact[row] & nearest[row]) / 10 for row in rows]) > 0.9
    assert nearest == of_rows(Meaning(both[:50], both[50:]).best(rows, 10))


def of_rows(pairs):
    return {row: set(pairs[1][pairs[0] == row].tolist()) for row in np.unique(pairs[0]).tolist()}
