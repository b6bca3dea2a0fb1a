from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_corpus import chunk_of, image_id, small_corpus

from kg_pipeline.concepts import concept_text
from kg_pipeline.concepts.reading import concept_id
from kg_pipeline.evidence import EVIDENCE_SCORER, judge, score_pairs, select_candidates
from kg_pipeline.evidence.model import DOCUMENT_INTERCEPT, DOCUMENT_SCALE, log_odds
from kg_pipeline.evidence.ranking import with_ranks
from kg_pipeline.ids import document_id, sha256_text
from kg_pipeline.tables import TABLES

DOCUMENTS = {
    "guide/radio.md": ["# Radio\nThe radio sends packets.", "# Radio power\nPlug the barrel jack into the **VRM**."],
    "guide/motor.md": ["# Brushless motor\nA brushless motor turns.", "# Wiring\nThe red wire goes to plus."],
}
IMAGES = {"guide/barrel-jack.png": ["VRM"], "guide/brushless-motor.png": [], "x/nothing.png": []}
GLOSSARY = {"brushless motor": [], "VRM": []}
NO_VERDICTS = TABLES["verdicts"].empty()


def verdict(image: str, document: str, passage: int, said: str, by: str | None = "Ann") -> dict[str, object]:
    return {
        "image_id": image_id(image),
        "text_kind": "chunk",
        "document_id": document_id("test", document),
        "text_sha256": sha256_text(DOCUMENTS[document][passage]),
        "verdict": said,
        "by": by,
        "at": datetime(2026, 1, 1, tzinfo=UTC),
    }


def judged(collection, corpus, verdicts=(), scores=None) -> pl.DataFrame:
    pairs = select_candidates(collection, corpus).pairs
    return judge(
        collection,
        corpus,
        pairs,
        score_pairs(pairs) if scores is None else scores(pairs),
        TABLES["verdicts"].rows(list(verdicts)),
    )


def row(evidence: pl.DataFrame, image: str, document: str, passage: int) -> dict[str, object]:
    wanted = evidence.filter(image_id=image_id(image), text_id=chunk_of(document, passage, DOCUMENTS))
    return wanted.row(0, named=True)


def test_every_candidate_pair_has_one_row_and_every_document_among_them(make_collection):
    collection, corpus = make_collection(), small_corpus(DOCUMENTS, IMAGES, glossary=GLOSSARY)
    pairs = select_candidates(collection, corpus).pairs
    evidence = judge(collection, corpus, pairs, score_pairs(pairs), NO_VERDICTS)
    texts = evidence.filter(pl.col("text_kind") != "document")
    key = ["image_id", "text_kind", "text_id"]
    assert texts.select(key).sort(key).equals(pairs.select(key).sort(key))
    documents = evidence.filter(text_kind="document")
    assert documents.select("image_id", "text_id").is_unique().all()
    best = texts.filter(text_kind="chunk").group_by("image_id", "document_id").agg(pl.col("log_odds").max())
    joined = documents.join(best, on=["image_id", "document_id"])
    assert joined.height == best.height
    # A document is more likely right than its best passage is, and in the same order.
    said = [DOCUMENT_INTERCEPT + DOCUMENT_SCALE * log_odds for log_odds in joined["log_odds_right"]]
    assert joined["log_odds"].to_list() == pytest.approx(said, abs=1e-6)
    assert joined["confidence"].to_list() == pytest.approx((joined["score"] / 10).to_list())


def test_a_document_has_of_another_scorer_what_its_best_passage_has(make_collection):
    collection, corpus = make_collection(), small_corpus(DOCUMENTS, IMAGES)
    pairs = select_candidates(collection, corpus).pairs
    scores = score_pairs(pairs).with_columns(scorer=pl.lit("another/1"))
    evidence = judge(collection, corpus, pairs, scores, NO_VERDICTS)
    best = evidence.filter(text_kind="chunk").group_by("image_id", "document_id").agg(pl.col("log_odds").max())
    joined = evidence.filter(text_kind="document").join(best, on=["image_id", "document_id"])
    assert joined["log_odds"].to_list() == joined["log_odds_right"].to_list()


def test_types_and_places_are_named(make_collection):
    evidence = judged(make_collection(), small_corpus(DOCUMENTS, IMAGES, glossary=GLOSSARY))
    concepts = evidence.filter(text_kind="concept")
    assert set(concepts["type"]) == {"ILLUSTRATES"}
    assert concepts["document_id"].null_count() == concepts.height
    assert concepts.filter(pl.col("best_chunk_id").is_not_null()).height > 0
    rest = evidence.filter(pl.col("text_kind") != "concept")
    assert set(rest["type"]) == {"HAS_VISUAL_EVIDENCE"}
    assert rest["best_chunk_id"].null_count() == 0
    assert set(evidence["scorer"]) == {EVIDENCE_SCORER}
    assert set(evidence["confidence_source"]) == {"score"}


def test_contributions_add_up_to_the_log_odds(make_collection):
    references = [("guide/motor.md", 1, "guide/brushless-motor.png")]
    evidence = judged(make_collection(), small_corpus(DOCUMENTS, IMAGES, references, glossary=GLOSSARY))
    for total, parts in evidence.select("log_odds", "contributions").iter_rows():
        assert sum(part["value"] for part in parts) == pytest.approx(total, abs=1e-9)
        assert parts[0]["name"] == "intercept"


def test_the_rule_keeps_what_is_sure_and_the_reason_says_so(make_collection):
    evidence = judged(make_collection(), small_corpus(DOCUMENTS, IMAGES))
    kept = row(evidence, "guide/barrel-jack.png", "guide/radio.md", 1)
    assert kept["kept"]
    assert kept["confidence"] == pytest.approx(kept["score"] / 10)
    assert kept["reason"].startswith(f"Score: {kept['score']:.1f} — ")
    assert "words of the file name stand in the passage" in kept["reason"]
    assert kept["reason"].endswith(f"kept: confidence {kept['confidence']:.2f} ≥ 0.50, rank 1 ≤ 3")
    dropped = row(evidence, "guide/barrel-jack.png", "guide/motor.md", 0)
    assert not dropped["kept"]
    assert dropped["reason"].endswith(f"not kept: confidence {dropped['confidence']:.2f} < 0.50")


def test_the_rule_is_the_collections(make_collection):
    collection = make_collection(kept={"min_confidence": 0, "max_rank": 1})
    evidence = judged(collection, small_corpus(DOCUMENTS, IMAGES, glossary=GLOSSARY))
    assert (evidence["kept"] == (evidence["rank"] == 1)).all()
    second = evidence.filter(pl.col("rank") == 2)["reason"].to_list()
    assert all(reason.endswith("not kept: rank 2 > 1") for reason in second)


def test_a_decorative_image_has_scores_but_no_edge(make_collection):
    corpus = small_corpus(DOCUMENTS, IMAGES, decorative=["guide/barrel-jack.png"])
    found = row(judged(make_collection(), corpus), "guide/barrel-jack.png", "guide/radio.md", 1)
    assert found["confidence"] > 0.5
    assert not found["kept"]
    assert found["reason"].endswith("not kept: decorative image, a spacer")


def test_an_accepted_pair_is_kept_even_when_it_is_not_proposed(make_collection):
    collection = make_collection(scoring={"candidates": 1})
    corpus = small_corpus(DOCUMENTS, IMAGES)
    before = judged(collection, corpus)
    accepted = [verdict("guide/brushless-motor.png", "guide/radio.md", 0, "accepted")]
    after = judged(collection, corpus, accepted)
    assert after.height > before.height
    found = row(after, "guide/brushless-motor.png", "guide/radio.md", 0)
    assert found["kept"]
    assert found["reason"].endswith("kept: accepted by Ann")
    assert found["strategies"] == ["accepted"]
    assert found["log_odds"] is not None
    document = after.filter(
        image_id=image_id("guide/brushless-motor.png"), text_id=document_id("test", "guide/radio.md")
    )
    assert document["kept"].item()
    assert document["best_chunk_id"].item() == found["text_id"]


def test_a_rejected_pair_is_never_kept_and_its_document_falls_back(make_collection):
    rejected = [verdict("guide/barrel-jack.png", "guide/radio.md", 1, "rejected", by=None)]
    evidence = judged(make_collection(), small_corpus(DOCUMENTS, IMAGES), rejected)
    found = row(evidence, "guide/barrel-jack.png", "guide/radio.md", 1)
    assert not found["kept"]
    assert found["reason"].endswith("not kept: rejected by a person")
    document = evidence.filter(image_id=found["image_id"], text_id=found["document_id"])
    assert document["best_chunk_id"].item() == chunk_of("guide/radio.md", 0, DOCUMENTS)


def test_an_accepted_concept_is_kept_too(make_collection):
    corpus = small_corpus(DOCUMENTS, IMAGES, glossary={**GLOSSARY, "antenna": []})
    antenna = concept_id("antenna")
    accepted = {
        **verdict("x/nothing.png", "guide/motor.md", 0, "accepted"),
        "text_kind": "concept",
        "document_id": antenna,
        "text_sha256": sha256_text(concept_text("antenna", [], None)),
    }
    found = judged(make_collection(), corpus, [accepted]).filter(text_id=antenna)
    assert found.select("type", "image_id", "kept").rows() == [("ILLUSTRATES", image_id("x/nothing.png"), True)]


def test_a_verdict_on_a_text_that_changed_is_void(make_collection):
    old = {**verdict("x/nothing.png", "guide/motor.md", 1, "accepted"), "text_sha256": sha256_text("an older text")}
    corpus = small_corpus(DOCUMENTS, IMAGES)
    assert judged(make_collection(), corpus, [old]).equals(judged(make_collection(), corpus))


def test_a_rerankers_scores_are_the_rows_and_contributions_stay_the_models(make_collection):
    def reranked(pairs: pl.DataFrame) -> pl.DataFrame:
        nothing = pl.col("image_id") == image_id("x/nothing.png")
        scores = score_pairs(pairs).with_columns(
            scorer=pl.lit("reranker/x"),
            log_odds=pl.when(~nothing).then(-pl.col("log_odds")),
        )
        return scores.with_columns(score=10 / (1 + (-pl.col("log_odds")).exp()))

    corpus = small_corpus(DOCUMENTS, IMAGES)
    pairs = select_candidates(make_collection(), corpus).pairs
    evidence = judged(make_collection(), corpus, scores=reranked)
    assert set(evidence["scorer"]) == {"reranker/x"}
    model = pairs.with_columns(log_odds(pairs)).select("image_id", "text_id", model="log_odds")
    for total, parts, own in (
        evidence.join(model, on=["image_id", "text_id"]).select("log_odds", "contributions", "model").iter_rows()
    ):
        assert sum(part["value"] for part in parts) == pytest.approx(own, abs=1e-9)
        assert total is None or total == pytest.approx(-own)
    unscored = evidence.filter(image_id=image_id("x/nothing.png"))
    assert unscored["log_odds"].null_count() == unscored.height > 0
    assert not unscored["kept"].any()
    assert all(reason.startswith("Score: none — ") for reason in unscored["reason"])
    assert all(reason.endswith("the pair could not be scored") for reason in unscored["reason"])
    assert all("pixels" not in reason for reason in evidence["reason"])


def test_an_accepted_pair_the_reranker_never_saw_is_kept_without_a_score(make_collection):
    def reranked(pairs: pl.DataFrame) -> pl.DataFrame:
        return score_pairs(pairs).with_columns(scorer=pl.lit("reranker/x"))

    collection = make_collection(scoring={"candidates": 1})
    accepted = [verdict("guide/brushless-motor.png", "guide/radio.md", 0, "accepted")]
    evidence = judged(collection, small_corpus(DOCUMENTS, IMAGES), accepted, reranked)
    found = row(evidence, "guide/brushless-motor.png", "guide/radio.md", 0)
    assert found["kept"]
    assert (found["log_odds"], found["score"], found["confidence"]) == (None, None, None)


def test_nothing_to_judge_is_an_empty_table(make_collection):
    assert judged(make_collection(), small_corpus(DOCUMENTS, {})).equals(TABLES["visual_evidence"].empty())


LOG_ODDS = st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 2.0]))


@settings(max_examples=60)
@given(st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 4)), LOG_ODDS, min_size=1))
def test_ranks_have_no_ties_and_margins_follow_from_them(cells):
    rows = pl.DataFrame(
        {
            "image_id": [f"i{image}" for image, _ in cells],
            "text_kind": ["chunk"] * len(cells),
            "text_id": [f"t{text}" for _, text in cells],
            "position": pl.Series([text + 1 for _, text in cells], dtype=pl.Int64),
            "decisive": pl.Series(list(cells.values()), dtype=pl.Float64),
        }
    ).with_columns(score=10 / (1 + (-pl.col("decisive")).exp()))
    ranked = with_ranks(rows)
    assert ranked.height == rows.height
    for group, rank, margin in (("image_id", "rank", "margin"), ("text_id", "image_rank", "image_margin")):
        for _, members in ranked.group_by(group):
            ordered = members.sort(rank)
            values = ordered["decisive"].to_list()
            assert ordered[rank].to_list() == list(range(1, len(members) + 1))
            assert values == sorted(values, key=lambda value: (value is None, -(value or 0)))
            for place, (value, above) in enumerate(zip(values, ordered[margin], strict=True)):
                others = [other for other in values[:place] + values[place + 1 :] if other is not None]
                expected = value - max(others) if value is not None and others else None
                assert above == (pytest.approx(expected) if expected is not None else None)
