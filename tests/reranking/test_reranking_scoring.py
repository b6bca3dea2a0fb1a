"""Scoring with the ledger, with a reranker that counts what it is asked."""

import hashlib
from collections.abc import Iterable, Iterator

import polars as pl
import pytest

from kg_pipeline.ids import sha256_text
from kg_pipeline.reranking import ImageScores, ImageTexts, RerankerError, score_pairs, scoring
from kg_pipeline.storage import ScoreLedger


class DigestReranker:
    """Scores by a digest of picture and text: like a model, it is slow to ask and always answers the same."""

    direction = "image-to-text"
    pairs_per_second = 100.0

    def __init__(self, fingerprint: str = "digest/1", dies_after: int | None = None) -> None:
        self.fingerprint = fingerprint
        self.dies_after = dies_after
        self.asked: list[tuple[str, str]] = []

    def score(self, groups: Iterable[ImageTexts]) -> Iterator[ImageScores]:
        for group in groups:
            if self.dies_after is not None and len(self.asked) >= self.dies_after:
                raise RerankerError("the device is gone")
            self.asked += [(group.image_id, text) for text in group.texts]
            try:
                picture = group.load()
            except OSError as error:
                nothing = (None,) * len(group.texts)
                yield ImageScores(group.image_id, nothing, (False,) * len(group.texts), str(error))
                continue
            yield ImageScores(
                group.image_id,
                tuple(hashlib.sha256(picture + text.encode()).digest()[0] / 32 - 4 for text in group.texts),
                (False,) * len(group.texts),
            )


TEXTS = ["alarm lamp", "torque wrench", "机柜"]


def tables(images: list[str], texts: list[str] = TEXTS) -> tuple[pl.DataFrame, pl.DataFrame]:
    pairs = pl.DataFrame(
        [
            {"image_id": image, "text_kind": "chunk", "text_id": f"c{i}", "text_sha256": sha256_text(text)}
            for image in images
            for i, text in enumerate(texts)
        ]
    )
    return pairs, pl.DataFrame({"text_sha256": [sha256_text(text) for text in texts], "text": texts})


def load(image_id: str) -> bytes:
    if image_id == "broken":
        raise OSError("truncated file")
    return image_id.encode()


def test_a_second_run_asks_the_model_nothing_and_gives_the_same_scores(tmp_path):
    pairs, texts = tables(["a", "b"])
    first, report = score_pairs(DigestReranker(), ScoreLedger(tmp_path), pairs, texts, load)
    assert (report.model_calls, report.ledger_hits) == (6, 0)
    assert report.model_seconds > 0
    again = DigestReranker()
    second, report = score_pairs(again, ScoreLedger(tmp_path), pairs, texts, load)
    assert again.asked == []
    assert (report.model_calls, report.ledger_hits) == (0, 6)
    assert report.model_seconds == 0
    assert first.equals(second)


def test_a_changed_text_costs_only_its_own_pairs(tmp_path):
    ledger = ScoreLedger(tmp_path)
    score_pairs(DigestReranker(), ledger, *tables(["a", "b"]), load)
    reranker = DigestReranker()
    score_pairs(reranker, ledger, *tables(["a", "b"], ["alarm lamp", "torque wrench, step 7", "机柜"]), load)
    assert reranker.asked == [("a", "torque wrench, step 7"), ("b", "torque wrench, step 7")]


def test_another_scorer_does_not_use_these_scores(tmp_path):
    ledger = ScoreLedger(tmp_path)
    score_pairs(DigestReranker("digest/1"), ledger, *tables(["a"]), load)
    reranker = DigestReranker("digest/2")
    score_pairs(reranker, ledger, *tables(["a"]), load)
    assert len(reranker.asked) == 3


def test_a_run_that_dies_keeps_what_it_scored(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "LEDGER_BATCH_PAIRS", 3)
    ledger = ScoreLedger(tmp_path)
    with pytest.raises(RerankerError, match="device is gone"):
        score_pairs(DigestReranker(dies_after=6), ledger, *tables(["a", "b", "c"]), load)
    reranker = DigestReranker()
    frame, report = score_pairs(reranker, ledger, *tables(["a", "b", "c"]), load)
    assert {image for image, _ in reranker.asked} == {"c"}
    assert report.unscored == 0
    assert len(frame) == 9


def test_an_image_that_cannot_be_read_is_counted_and_tried_again(tmp_path):
    ledger = ScoreLedger(tmp_path)
    frame, report = score_pairs(DigestReranker(), ledger, *tables(["a", "broken"]), load)
    assert report.unscored == 3
    assert frame.filter(pl.col("log_odds").is_null())["image_id"].unique().to_list() == ["broken"]
    reranker = DigestReranker()
    score_pairs(reranker, ledger, *tables(["a", "broken"]), load)
    assert {image for image, _ in reranker.asked} == {"broken"}


def test_more_new_pairs_than_allowed_stop_before_the_first_one(tmp_path):
    reranker = DigestReranker()
    with pytest.raises(RerankerError, match="6 pairs are new, max_new_pairs allows 5"):
        score_pairs(reranker, ScoreLedger(tmp_path), *tables(["a", "b"]), load, max_new_pairs=5)
    assert reranker.asked == []


def test_the_same_text_in_two_chunks_is_scored_once(tmp_path):
    pairs, texts = tables(["a"], ["alarm lamp"])
    twice = pl.concat([pairs, pairs.with_columns(text_id=pl.lit("other"))])
    reranker = DigestReranker()
    frame, _ = score_pairs(reranker, ScoreLedger(tmp_path), twice, texts, load)
    assert len(reranker.asked) == 1
    assert frame["log_odds"].n_unique() == 1
    assert len(frame) == 2
