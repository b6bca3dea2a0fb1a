"""The orphan report on hidden pictures."""

from dataclasses import replace

import polars as pl
import pytest
from small_corpus import small_corpus

from kg_pipeline.evaluation.hidden_run import fold_of, hidden_run
from kg_pipeline.evaluation.suggestions import suggested
from kg_pipeline.tables import TABLES

DOCUMENTS = {
    "rack.md": ["# Rack\nThe alarm lamp lights.", "Call the operator.", "Read the panel."],
    "pump.md": ["# Pump\nThe valve leaks.", "Replace the seal.", "Fill in the form."],
}
IMAGES = {f"img/{name}.png": [] for name in ("alarm-lamp", "seal", "valve", "operator", "panel", "form")}
REFERENCES = [("rack.md", 0, "img/alarm-lamp.png"), ("pump.md", 1, "img/seal.png"), ("pump.md", 0, "img/valve.png")]
CERTAIN = {"confidence": pl.lit(0.9), "kept": pl.col("rank") == 1}


@pytest.mark.parametrize("protocol", ["cold", "folds"])
def test_every_hidden_picture_that_is_wanted_comes_back_once_from_the_pass_that_hid_it(make_collection, protocol):
    corpus = small_corpus(DOCUMENTS, IMAGES, REFERENCES)
    evidence = hidden_run(make_collection(), corpus, protocol).evidence.with_columns(**CERTAIN)
    found = suggested(corpus, protocol, evidence)
    first = evidence.filter(text_kind="chunk", rank=1)
    # The used ones too: each was an orphan while it was hidden.
    assert set(first.select("image_id", "document_id").rows()) == set(found.select("image_id", "document_id").rows())
    folds = [0 if protocol == "cold" else fold_of(image_id) for image_id in found["image_id"]]
    assert found["fold"].to_list() == folds


def test_a_picture_of_several_files_is_one_suggestion(make_collection):
    corpus = small_corpus(DOCUMENTS, IMAGES, REFERENCES)
    copy = corpus.image_files.head(1).with_columns(path=pl.lit("img/zz-copy.png"))
    doubled = replace(corpus, image_files=TABLES["image_files"].conform(pl.concat([corpus.image_files, copy])))
    evidence = hidden_run(make_collection(), doubled, "cold").evidence.with_columns(**CERTAIN)
    found = suggested(doubled, "cold", evidence)
    assert copy["image_id"][0] in set(found["image_id"])
    assert found["image_id"].is_unique().all()
