"""Fused log-odds, weights fitted on known answers, curves, and a judgement by them."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_corpus import chunk_of, image_id, small_corpus

from kg_pipeline.evidence import (
    EVIDENCE_SCORER,
    PRIOR_WEIGHTS,
    Calibration,
    Curve,
    calibration_of,
    fit_curve,
    fit_weights,
    judge,
    score_pairs,
    select_candidates,
)
from kg_pipeline.evidence.calibration import NO_PASSAGE, RERANKER, any_of, fused_parts, fused_sum
from kg_pipeline.tables import PAIR_FEATURES, TABLES

DOCUMENTS = {
    "guide/radio.md": ["# Radio\nThe radio sends packets.", "# Radio power\nPlug the barrel jack into the **VRM**."],
    "guide/motor.md": ["# Brushless motor\nA brushless motor turns.", "# Wiring\nThe red wire goes to plus."],
}
IMAGES = {"guide/barrel-jack.png": ["VRM"], "guide/brushless-motor.png": []}
NO_VERDICTS = TABLES["verdicts"].empty()
CALIBRATION = Calibration(EVIDENCE_SCORER, curves={"chunk": Curve(1.5, 0.25), "document": Curve(2.0, 1.0)})


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def pairs_of(*rows: dict[str, object]) -> pl.DataFrame:
    """Pairs as fused_parts and fit_weights take them; `name_body` and other features are given by name."""
    made = [
        {
            "image_id": "i", "document_id": "d", "work": "w", "log_odds": None, "counted": True, "right": False,
            **{name: value for name, value in row.items() if name not in PAIR_FEATURES},
            "features": {name: row.get(name) for name in PAIR_FEATURES},
        }
        for row in rows
    ]  # fmt: skip
    features = pl.Struct(dict.fromkeys(PAIR_FEATURES, pl.Float64()))
    return pl.DataFrame(made, schema_overrides={"features": features, "log_odds": pl.Float64()})


def fused(*rows: dict[str, object]) -> list[float]:
    return fused_sum(fused_parts(pairs_of(*rows), CALIBRATION)).to_list()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_probabilities_of_the_passages_and_of_no_passage_add_up_to_one(scores):
    log_odds = fused(*({"name_body": score, "document_id": f"d{n}", "work": f"w{n}"} for n, score in enumerate(scores)))
    mass = np.exp([PRIOR_WEIGHTS["name_body"] * score for score in scores])
    nothing = math.exp(NO_PASSAGE) / (math.exp(NO_PASSAGE) + mass.sum())
    assert sum(map(sigmoid, log_odds)) + nothing == pytest.approx(1, abs=1e-4)


def test_a_pair_that_only_a_reference_proposed_is_nobodys_rival():
    other = {"name_body": 1.0, "document_id": "e", "work": "e"}
    alone = fused(other)
    beside = fused(other, {"name_body": 1.0, "counted": False})
    assert beside[0] == alone[0]
    assert beside[1] < beside[0]  # but the other one is its rival


def test_translations_of_the_document_are_no_rivals():
    other = {"name_body": 1.0, "document_id": "e"}
    assert fused(other | {"work": "w"}, {"name_body": 1.0})[1] == fused({"name_body": 1.0})[0]
    assert fused(other | {"work": "v"}, {"name_body": 1.0})[1] < fused({"name_body": 1.0})[0]


def test_what_the_reranker_could_not_score_has_no_log_odds_and_takes_nothing_from_others():
    calibration = Calibration("qwen", {**PRIOR_WEIGHTS, RERANKER: 2.0})
    scored = {"log_odds": 1.0, "document_id": "e", "work": "e"}
    both = fused_sum(fused_parts(pairs_of(scored, {"log_odds": None}), calibration)).to_list()
    assert both == [*fused_sum(fused_parts(pairs_of(scored), calibration)), None]


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=8))
def test_any_of_is_one_minus_the_product_of_all_failing(log_odds):
    found = pl.DataFrame({"x": log_odds}, schema={"x": pl.Float64()}).select(any_of(pl.col("x"))).item()
    none_of = math.exp(sum(-math.log1p(math.exp(value)) for value in log_odds))
    expected = math.log1p(-none_of) - math.log(none_of) if none_of < 1 else -math.inf
    assert found == pytest.approx(np.clip(expected, -20.8, 30.0), rel=1e-4, abs=1e-4)


def lesson(feature: str, pictures: int) -> pl.DataFrame:
    """Pictures whose true passage is the one with the feature, beside one with the file name in its body."""
    rows = []
    for n in range(pictures):
        rows.append({"image_id": f"i{n:03}", feature: 1.0, "right": True})
        rows.append({"image_id": f"i{n:03}", "name_body": 1.0})
    return pairs_of(*rows)


def test_a_feature_that_tells_the_truth_gains_weight_and_one_that_misleads_loses_it():
    weights = fit_weights(lesson("ocr_body", 60), with_reranker=False)
    assert weights["ocr_body"] > 2 * PRIOR_WEIGHTS["ocr_body"]
    assert 0 <= weights["name_body"] < PRIOR_WEIGHTS["name_body"]
    assert weights["phrase"] == pytest.approx(PRIOR_WEIGHTS["phrase"])  # nothing was seen of it


def test_few_pictures_move_the_weights_less_than_many():
    few, many = (fit_weights(lesson("ocr_body", count), with_reranker=False)["ocr_body"] for count in (5, 200))
    assert PRIOR_WEIGHTS["ocr_body"] < few < many


def test_without_a_known_answer_the_weights_are_as_shipped():
    nobody = lesson("ocr_body", 5).with_columns(right=pl.lit(False))
    assert fit_weights(nobody, with_reranker=False) == dict(PRIOR_WEIGHTS)
    assert fit_weights(nobody, with_reranker=True) == {**PRIOR_WEIGHTS, RERANKER: 1.0}


@given(st.lists(st.tuples(st.sampled_from(list(PRIOR_WEIGHTS)), st.booleans()), min_size=2, max_size=30))
def test_no_weight_ever_changes_its_sign(drawn):
    rows = [{"image_id": f"i{n // 3}", name: 1.0, "right": right} for n, (name, right) in enumerate(drawn)]
    weights = fit_weights(pairs_of(*rows), with_reranker=False)
    assert all(weight * PRIOR_WEIGHTS[name] >= 0 for name, weight in weights.items())


def test_the_order_of_rows_does_not_matter():
    rows = lesson("ocr_body", 12)
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=1)
    assert fit_weights(shuffled, with_reranker=False) == pytest.approx(fit_weights(rows, with_reranker=False), abs=1e-4)


def test_a_curve_finds_slope_and_intercept_of_what_it_sees():
    draw = np.random.default_rng(0)
    log_odds = draw.normal(0, 2, 20_000)
    right = draw.random(20_000) < 1 / (1 + np.exp(-(0.5 * log_odds + 1)))
    curve = fit_curve(log_odds, right)
    assert (curve.slope, curve.intercept) == pytest.approx((0.5, 1.0), abs=0.06)


def test_a_curve_never_turns_the_order_round_and_stays_a_number():
    log_odds = np.linspace(-3, 3, 50)
    assert fit_curve(log_odds, log_odds < 0).slope == 0
    certain = fit_curve(log_odds, np.ones(50, np.bool_))
    assert math.isfinite(certain.slope)
    assert math.isfinite(certain.intercept)


def test_the_newest_version_of_exactly_this_scorer_counts():
    rows = [
        {
            "version": version,
            "calibrator": "x",
            "scorer": scorer,
            "text_kind": "chunk",
            "slope": slope,
            "intercept": 0.0,
        }
        for version, scorer, slope in ((1, "a", 1.0), (2, "a", 2.0), (3, "b", 3.0))
    ]
    weights = [
        {"version": version, "scorer": scorer, "feature": "phrase", "weight": weight}
        for version, scorer, weight in ((1, "a", 0.1), (2, "a", 0.2), (3, "b", 0.3))
    ]
    tables = TABLES["evidence_weights"].rows(weights), TABLES["calibrators"].rows(rows)
    found = calibration_of("a", *tables)
    assert found == Calibration("a", {"phrase": 0.2}, {"chunk": Curve(2.0)})
    assert calibration_of("a ", *tables) is None


@pytest.fixture
def case(make_collection):
    collection = make_collection()
    corpus = small_corpus(DOCUMENTS, IMAGES)
    return collection, corpus, select_candidates(collection, corpus).pairs


def test_a_calibration_of_another_scorer_is_refused(case):
    collection, corpus, pairs = case
    with pytest.raises(ValueError, match=r"of another/1, the scores are of evidence-model/5"):
        judge(collection, corpus, pairs, score_pairs(pairs), NO_VERDICTS, Calibration("another/1"))


def test_a_calibrated_edge_says_how_sure_and_by_which_calibrator(case):
    collection, corpus, pairs = case
    evidence = judge(collection, corpus, pairs, score_pairs(pairs), NO_VERDICTS, CALIBRATION)
    jack = evidence.filter(image_id=image_id("guide/barrel-jack.png"), text_kind="chunk", rank=1).row(0, named=True)
    assert jack["text_id"] == chunk_of("guide/radio.md", 1, DOCUMENTS)
    assert jack["confidence"] == pytest.approx(sigmoid(1.5 * jack["log_odds"] + 0.25))
    assert (jack["confidence_source"], jack["calibrator"]) == ("calibrated", CALIBRATION.name)
    assert jack["scorer"] == f"{EVIDENCE_SCORER}+{CALIBRATION.name}"


def test_contributions_add_up_to_the_fused_log_odds_of_passages_and_documents(case):
    collection, corpus, pairs = case
    evidence = judge(collection, corpus, pairs, score_pairs(pairs), NO_VERDICTS, CALIBRATION)
    assert set(evidence["text_kind"]) == {"chunk", "document"}
    for log_odds, parts in evidence.select("log_odds", "contributions").iter_rows():
        assert sum(part["value"] for part in parts) == pytest.approx(log_odds, abs=1e-4)
    documents = evidence.filter(text_kind="document")
    best = evidence.filter(text_kind="chunk").group_by("image_id", "document_id").agg(best=pl.col("log_odds").max())
    assert documents.join(best, on=["image_id", "document_id"]).filter(pl.col("log_odds") < pl.col("best")).is_empty()


def test_a_visible_reference_changes_no_score_of_its_picture(case):
    collection, corpus, pairs = case
    referenced = small_corpus(DOCUMENTS, IMAGES, references=[("guide/motor.md", 1, "guide/barrel-jack.png")])
    seen = select_candidates(collection, referenced).pairs
    before = judge(collection, corpus, pairs, score_pairs(pairs), NO_VERDICTS, CALIBRATION)
    after = judge(collection, referenced, seen, score_pairs(seen), NO_VERDICTS, CALIBRATION)
    of_jack = pl.col("image_id") == image_id("guide/barrel-jack.png")
    key = ["text_kind", "text_id"]
    both = before.filter(of_jack, text_kind="chunk").join(after.filter(of_jack), on=key, suffix="_after")
    assert both["log_odds"].to_list() == both["log_odds_after"].to_list()


def test_a_rerankers_scores_stay_its_own_while_the_fused_log_odds_decide(case):
    collection, corpus, pairs = case
    calibration = Calibration("qwen", {**PRIOR_WEIGHTS, RERANKER: 3.0}, {"chunk": Curve()})
    scores = score_pairs(pairs).with_columns(scorer=pl.lit("qwen"), log_odds=pl.lit(-1.0), score=pl.lit(2.7))
    evidence = judge(collection, corpus, pairs, scores, NO_VERDICTS, calibration).filter(text_kind="chunk")
    assert set(evidence["log_odds"]) == {-1.0}
    assert set(evidence["scorer"]) == {"qwen"}
    first = evidence.filter(image_id=image_id("guide/barrel-jack.png"), rank=1).row(0, named=True)
    assert first["text_id"] == chunk_of("guide/radio.md", 1, DOCUMENTS)
    assert {"name": RERANKER, "value": -3.0} in first["contributions"]


def test_a_threshold_takes_the_place_of_the_collections_rule(case):
    collection, corpus, pairs = case
    strict = CALIBRATION.with_curves({"chunk": Curve(1.5, 0.25, threshold=0.999)})
    evidence = judge(collection, corpus, pairs, score_pairs(pairs), NO_VERDICTS, strict).filter(text_kind="chunk")
    assert not evidence["kept"].any()
    assert evidence["reason"].str.contains("< 1.00", literal=True).any()
