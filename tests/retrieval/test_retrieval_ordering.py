"""The formula: weight 0 is plain search, pictures only ever help, relevance is never forgotten."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg_pipeline.retrieval import Hit, Picture, illustrated_first
from kg_pipeline.retrieval.hits import visual_evidence
from kg_pipeline.retrieval.ordering import fused, stretched

BARE = Hit("", "kb", "a.md", None, None, None, 1, 2, None, "text", 1.0)
PICTURE = Picture("id", "a.png", None, None, 0.5, 5.0, False, None)
scores = st.lists(st.tuples(st.floats(1e-3, 50), st.floats(0, 1)), max_size=30)


def hits(found: list[tuple[float, float]]) -> list[Hit]:
    ordered = sorted(found, reverse=True)
    return [replace(BARE, chunk_id=str(n), relevance=r, visual=v) for n, (r, v) in enumerate(ordered)]


@given(scores)
def test_weight_0_is_plain_search(found):
    plain = hits(found)
    ordered = illustrated_first(plain, 0.0)
    assert [hit.chunk_id for hit in ordered] == [hit.chunk_id for hit in plain]
    assert [hit.score for hit in ordered] == [hit.relevance for hit in plain]


@given(scores, st.floats(0, 3))
def test_a_passage_passes_only_those_up_to_one_plus_weight_times_as_relevant(found, weight):
    ordered = illustrated_first(hits(found), weight)
    for place, hit in enumerate(ordered):
        for behind in ordered[place + 1 :]:
            assert hit.relevance * (1 + weight) >= behind.relevance * (1 - 1e-12)


@given(st.lists(st.floats(0, 1), max_size=6), st.floats(0, 1))
def test_another_picture_never_takes_evidence_away(confidences, one_more):
    pictures = [replace(PICTURE, confidence=confidence) for confidence in confidences]
    more = visual_evidence([*pictures, replace(PICTURE, confidence=one_more)])
    assert 0 <= visual_evidence(pictures) <= more + 1e-12 <= 1 + 1e-9


def test_what_the_document_shows_counts_in_full():
    assert visual_evidence([replace(PICTURE, referenced=True, confidence=None)]) == 1.0


def test_words_and_meaning_are_the_mean_of_both():
    assert fused([("a", 8.0), ("b", 4.0)], [("b", 0.9), ("c", 0.7)]) == [("b", 0.75), ("a", 0.5), ("c", 0.0)]
    assert fused([], [("c", 0.7)]) == [("c", 0.5)]
    assert stretched([("a", 0.4), ("b", 0.4)]) == pytest.approx({"a": 1.0, "b": 1.0})
