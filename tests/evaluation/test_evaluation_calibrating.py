"""`calibrate`: what a collection's references teach, as versions of two tables, and what the next run makes of it."""

import polars as pl
import pytest
from small_corpus import small_corpus

from kg_pipeline.evaluation import (
    CalibrationTables,
    EvaluationError,
    add_version,
    calibrate,
    evaluate,
    hidden_run,
    truth_of,
)
from kg_pipeline.evaluation.calibrating import CERTAINTY
from kg_pipeline.evaluation.cross_fitting import ENOUGH_PICTURES, cross_fitted
from kg_pipeline.evidence import EVIDENCE_SCORER
from kg_pipeline.tables import TABLES

WORDS = ("valve", "hinge", "bracket", "spindle", "gasket", "flange", "washer", "rotor")
COLOURS = ("red", "green", "blue", "black", "white", "brass", "steel", "copper")
THINGS = [(colour, word) for word in WORDS for colour in COLOURS]


def shop(pictures: int):
    """A document per word with a passage per colour; the picture of each is embedded in its own passage.

    Every fifth is named after another thing: nobody can find those.
    """
    documents = {
        f"{word}.md": [f"# {colour} {word}\nThe {colour} {word} is made here." for colour in COLOURS] for word in WORDS
    }
    images, references = {}, []
    for number, (colour, word) in enumerate(THINGS[:pictures]):
        said = THINGS[(number * 7 + 3) % len(THINGS)] if number % 5 == 0 else (colour, word)
        path = f"img/{said[0]}-{said[1]}-{number}.png"
        images[path] = []
        references.append((f"{word}.md", COLOURS.index(colour), path))
    return small_corpus(documents, images, references)


@pytest.fixture(scope="module")
def corpus():
    return shop(64)


def test_too_few_pictures_are_refused_with_the_number_that_is_needed(make_collection):
    with pytest.raises(EvaluationError, match=f"test: 20 pictures .* {ENOUGH_PICTURES} are needed"):
        calibrate(make_collection(), shop(20))


def test_curves_and_weights_come_with_what_they_were_worth_on_held_out_pictures(make_collection, corpus):
    found = calibrate(make_collection(), corpus)
    assert found.calibrators["text_kind"].to_list() == ["chunk", "document"]
    assert set(found.calibrators["scorer"]) == {EVIDENCE_SCORER}
    passages = found.calibrators.row(0, named=True)
    assert passages["pictures"] == 64
    assert 0.7 <= passages["accuracy"] <= 0.85  # a fifth is named after something else
    assert passages["ece"] <= passages["ece_floor"] + 0.1
    assert found.evidence_weights["feature"].is_unique().all()


def test_a_precision_that_is_asked_for_is_bought_with_coverage(make_collection, corpus):
    free = calibrate(make_collection(), corpus).calibrators.row(0, named=True)
    asked = calibrate(make_collection(), corpus, target_precision=0.97).calibrators.row(0, named=True)
    assert asked["coverage_before"] == free["coverage"]
    assert asked["threshold"] == CERTAINTY or asked["precision"] >= 0.97
    assert asked["coverage"] <= free["coverage"]


def test_what_a_picture_refers_to_goes_into_nothing_that_judges_it(make_collection, corpus):
    collection, truth = make_collection(), truth_of(corpus)
    run = hidden_run(collection, corpus, "folds")
    fold = run.pairs["fold"][0]
    hidden = run.pairs.filter(fold=fold)["image_id"].unique()
    of_fold = pl.col("image_id").is_in(hidden.implode())
    lied = pl.concat([truth.filter(~of_fold), truth.filter(of_fold).with_columns(text_id=pl.col("text_id").reverse())])
    honest, other = (cross_fitted(collection, corpus, run, said).filter(of_fold) for said in (truth, lied))
    assert honest.drop("calibrator", "scorer").equals(other.drop("calibrator", "scorer"))


def test_the_same_calibration_adds_no_version_and_another_one_does(make_collection, corpus):
    none = CalibrationTables(TABLES["evidence_weights"].empty(), TABLES["calibrators"].empty())
    first = add_version(none, calibrate(make_collection(), corpus))
    assert set(first.calibrators["version"]) == {1}
    assert add_version(first, calibrate(make_collection(), corpus)) is first
    second = add_version(first, calibrate(make_collection(), corpus, target_precision=0.9))
    assert sorted(set(second.calibrators["version"])) == [1, 2]
    assert sorted(set(second.evidence_weights["version"])) == [1, 2]


def test_an_evaluation_of_folds_is_fitted_where_there_are_enough_pictures(make_collection, corpus):
    fitted = evaluate(make_collection(), corpus, ("cold", "folds")).table
    scorers = dict(fitted.filter(metric="recall", k=1, scenario="all").select("protocol", "scorer").rows()[::-1])
    assert scorers["folds"] == f"{EVIDENCE_SCORER} + fitted"
    assert scorers["cold"] == EVIDENCE_SCORER
    as_shipped = evaluate(make_collection(), corpus, ("folds",), fitted=False).table
    assert EVIDENCE_SCORER in set(as_shipped["scorer"])


def test_a_run_judges_by_the_newest_calibration_and_an_unchanged_one_adds_none(knowledge_base):
    """From files to edges, as a user would."""
    from knowledge_base import picture

    for word in WORDS:
        passages = []
        for number, colour in enumerate(COLOURS):
            picture(knowledge_base.docs / "img" / f"{colour}-{word}.png", f"{word} {colour}", f"#{number}0{number}0ff")
            passages.append(
                f"## {colour} {word}\n\nThe {colour} {word} is made here.\n\n![](img/{colour}-{word}.png)\n"
            )
        (knowledge_base.docs / f"{word}.md").write_text(f"# {word}\n\n" + "\n".join(passages), encoding="utf-8")
    assert knowledge_base.run("--no-graph").exit_code == 0
    assert set(knowledge_base.table("visual_evidence")["confidence_source"]) == {"score"}
    before = knowledge_base.command("calibrate", "--collection", "kb")
    assert before.exit_code == 0, before.output
    assert "version 1 of collection kb" in before.stdout.replace("\n", " ")
    again = knowledge_base.command("calibrate", "--collection", "kb")
    assert "version 1 of collection kb" in again.stdout.replace("\n", " ")
    assert knowledge_base.run("--no-graph").exit_code == 0
    evidence = knowledge_base.table("visual_evidence").filter(pl.col("text_kind") != "concept")
    assert set(evidence["confidence_source"]) == {"calibrated"}
    assert set(evidence["calibrator"]) == set(knowledge_base.table("calibrators")["calibrator"])


def test_a_collection_that_never_ran_or_has_no_references_is_told_what_to_do(knowledge_base):
    assert knowledge_base.run("--no-graph").exit_code == 0
    result = knowledge_base.command("calibrate", "--collection", "kb")
    assert result.exit_code == 1
    assert f"{ENOUGH_PICTURES} are needed" in result.stderr
