import polars as pl
import pytest
from small_corpus import best, chunk_of, image_id, small_corpus

from kg_pipeline.candidates import shortlist
from kg_pipeline.evidence import score_pairs, select_candidates
from kg_pipeline.tables import TABLES

ENGLISH = {
    "guide/radio.md": [
        "# Radio\nThe radio sends packets to the driver station.",
        "# Radio power\nPlug the barrel jack into the **VRM**.",
    ],
    "guide/motor.md": [
        "# Brushless motor\nA brushless motor turns when phases are driven, as shown below.",
        "# Wiring\nThe red wire goes to plus, the black one to ground.",
    ],
    "guide/vision.md": [
        "# Camera\nMount the camera so that it sees the target.",
        "# Settings\nSet `Exposure` by hand.",
    ],
}
CHINESE = {
    "zh/camera.md": ["# 摄像头\n打开摄像头,调整曝光时间。", "# 安装\n把摄像头固定在支架上。"],
    "zh/screen.md": ["# 屏幕\n屏幕显示识别结果。", "# 亮度\n在设置里调整屏幕亮度。"],
}


@pytest.mark.parametrize(
    ("image", "lines", "document", "passage"),
    [
        ("guide/images/brushless-motor.png", [], "guide/motor.md", 0),
        ("guide/images/brushlessMotor.png", [], "guide/motor.md", 0),
        ("pictures/d41d8cd98f00b204e9800998ecf8427e.png", ["Barrel jack", "VRM"], "guide/radio.md", 1),
        ("pictures/IMG_0001.png", ["Exposure 12"], "guide/vision.md", 1),
        ("guide/motor/red-black-wire.jpg", [], "guide/motor.md", 1),
        ("static/支架.png", [], "zh/camera.md", 1),
        ("static/a.png", ["屏幕亮度", "设置"], "zh/screen.md", 1),
    ],
)
def test_the_obvious_passage_comes_first(make_collection, image, lines, document, passage):
    documents = {**ENGLISH, **CHINESE}
    pairs = select_candidates(make_collection(), small_corpus(documents, {image: lines})).pairs
    assert best(pairs, image) == chunk_of(document, passage, documents)


def test_among_translations_the_language_of_the_picture_decides(make_collection):
    documents = {
        "en/screen.md": ["# Screen\nThe screen brightness of the MaixCAM is set here."],
        "zh/screen.md": ["# Screen 屏幕\n这里设置 MaixCAM 的 screen brightness 屏幕亮度。"],
    }
    images = {"a/screen-brightness.png": ["屏幕亮度设置"], "b/screen-brightness.png": ["Brightness of the screen"]}
    pairs = select_candidates(make_collection(), small_corpus(documents, images)).pairs
    assert best(pairs, "a/screen-brightness.png") == chunk_of("zh/screen.md", 0, documents)
    assert best(pairs, "b/screen-brightness.png") == chunk_of("en/screen.md", 0, documents)


def test_a_picture_of_which_nothing_is_known_scores_low(make_collection):
    images = {"guide/images/d41d8cd98f00b204e9800998ecf8427e.png": []}
    scores = score_pairs(select_candidates(make_collection(), small_corpus(ENGLISH, images)).pairs)
    assert len(scores)
    assert scores["score"].max() < 3


def test_a_picture_that_fits_belongs_and_one_that_fits_many_belongs_to_none(make_collection):
    documents = {f"d/motor-{n}.md": [f"# Motor {n}\nThe motor turns."] for n in range(20)} | ENGLISH
    images = {"guide/brushless-motor.png": ["brushless motor"], "x/motor.png": []}
    scores = score_pairs(select_candidates(make_collection(), small_corpus(documents, images)).pairs)
    top = dict(scores.group_by("image_id").agg(pl.col("score").max()).iter_rows())
    assert top[image_id("guide/brushless-motor.png")] > 5
    assert top[image_id("x/motor.png")] < 3


def test_the_translation_of_a_document_is_no_rival_of_it(make_collection):
    text = "# Screen\nThe screen brightness is set here."
    images = {"x/screen-brightness.png": ["screen brightness is set"]}
    twin, rival = (
        score_pairs(select_candidates(make_collection(), small_corpus(documents, images)).pairs)
        for documents in (
            {**ENGLISH, "en/screen.md": [text], "zh/screen.md": [text]},
            {**ENGLISH, "en/screen.md": [text], "en-old/screen.md": [text]},
        )
    )
    assert twin["log_odds"].max() > rival["log_odds"].max() + 0.2


def test_adding_or_removing_its_own_reference_changes_nothing_for_an_image(make_collection):
    images = {
        "guide/radio.png": ["packets"],
        "guide/copy.png": ["packets"],
        "guide/motor.png": [],
        "guide/wire.png": [],
    }
    others = [("guide/motor.md", 0, "guide/motor.png"), ("guide/motor.md", 1, "guide/wire.png")]
    own = [("guide/vision.md", 0, "guide/radio.png"), ("guide/vision.md", 1, "guide/copy.png")]
    without, with_own = (
        select_candidates(
            make_collection(),
            small_corpus(ENGLISH, images, references, same_bytes={"guide/copy.png": "guide/radio.png"}),
        ).pairs.filter(image_id=image_id("guide/radio.png"))
        for references in (others, others + own)
    )
    key = ["text_kind", "text_id"]
    both = without.join(with_own, on=key, suffix="_with")
    assert both.height == without.height > 0
    assert both["features"].to_list() == both["features_with"].to_list()
    scored = score_pairs(without).join(score_pairs(with_own), on=key, suffix="_with")
    assert scored["log_odds"].to_list() == scored["log_odds_with"].to_list()
    assert both["fused_score"].to_list() == both["fused_score_with"].to_list()


def test_the_references_of_other_images_are_evidence(make_collection):
    images = {f"media/step-{n}.png": [] for n in range(3)}
    references = [("guide/motor.md", 1, "media/step-1.png"), ("guide/motor.md", 1, "media/step-3.png")]
    images["media/step-3.png"] = []
    pairs = select_candidates(make_collection(), small_corpus(ENGLISH, images, references)).pairs
    assert best(pairs, "media/step-2.png") == chunk_of("guide/motor.md", 1, ENGLISH)
    features = pairs.filter(image_id=image_id("media/step-2.png"), position=1)["features"].item()
    assert features["siblings"] > 0.5
    assert features["proximity"] > 0.5


def test_alternative_texts_are_no_evidence(make_collection):
    images = {"x/a.png": [], "x/b.png": []}
    corpus = small_corpus(ENGLISH, images, [("guide/motor.md", 0, "x/a.png")])
    told = corpus.references.with_columns(alt=pl.lit("Camera mounted on target"), caption=pl.lit("Camera"))
    retold = type(corpus)(
        **{**{name: getattr(corpus, name) for name in corpus.__dataclass_fields__}, "references": told}
    )
    collection = make_collection()
    assert select_candidates(collection, corpus).pairs.equals(select_candidates(collection, retold).pairs)


def test_positions_count_from_one_without_gaps_and_follow_the_scores(make_collection):
    images = {"guide/radio.png": ["VRM"], "guide/motor.png": ["phases"], "x/camera.png": []}
    collection = make_collection(scoring={"candidates": 3})
    references = [("guide/motor.md", 1, "x/camera.png")]
    pairs = select_candidates(collection, small_corpus(ENGLISH, images, references, glossary={"motor": []})).pairs
    for _, group in pairs.group_by("image_id", "text_kind"):
        ordered = group.sort("position")
        assert ordered["position"].to_list() == list(range(1, len(group) + 1))
        scores = ordered.join(score_pairs(ordered), on=["image_id", "text_kind", "text_id"], maintain_order="left")
        assert scores["log_odds"].is_sorted(descending=True)
    chunks = pairs.filter(text_kind="chunk").group_by("image_id").len()
    referenced = image_id("x/camera.png")
    assert all(count <= 3 + (image == referenced) for image, count in chunks.iter_rows())
    assert pairs.filter(pl.col("strategies").list.contains("reference")).height == 1


def test_the_hash_of_the_text_is_that_of_the_scored_text(make_collection):
    corpus = small_corpus(ENGLISH, {"guide/motor.png": []}, glossary={"motor": ["engine"]})
    pairs = select_candidates(make_collection(), corpus).pairs
    chunks = pairs.join(corpus.chunks, left_on="text_id", right_on="chunk_id")
    assert chunks["text_sha256"].to_list() == chunks["text_sha256_right"].to_list()
    assert pairs.filter(text_kind="concept")["text_sha256"].null_count() == 0


def test_a_concept_named_in_the_picture_beats_one_that_is_only_mentioned_near_it(make_collection):
    glossary = {"driver station": [], "barrel jack": ["DC plug"]}
    corpus = small_corpus(ENGLISH, {"guide/radio.png": ["DC plug"]}, glossary=glossary)
    pairs = select_candidates(make_collection(), corpus).pairs
    names = dict(corpus.concepts.select("concept_id", "name").iter_rows())
    assert names[best(pairs, "guide/radio.png", "concept")] == "barrel jack"


def test_the_same_corpus_gives_the_same_bytes(make_collection):
    images = {f"guide/{name}.png": [name] for name in ("radio", "motor", "camera", "wiring")}
    references = [("guide/motor.md", 1, "guide/wiring.png")]
    once, again = (
        select_candidates(make_collection(), small_corpus(documents, images, references, glossary={"motor": []})).pairs
        for documents in (ENGLISH, dict(reversed(ENGLISH.items())))
    )
    assert once.equals(again)
    assert once.schema == again.schema


@pytest.mark.parametrize("whole", [0, 10_000])
def test_what_is_given_back_on_the_last_use_is_not_missed(make_collection, monkeypatch, whole):
    monkeypatch.setattr(shortlist, "WHOLE", whole)
    monkeypatch.setattr(shortlist, "PICTURES", 2)
    images = {f"guide/images/{name}.png": [] for name in ("radio", "motor", "camera", "brushless-motor", "red-wire")}
    references = [("guide/radio.md", 0, "guide/images/radio.png"), ("guide/motor.md", 1, "guide/images/red-wire.png")]
    glossary = {"camera": [], "motor": ["brushless motor"]}
    kept, given_back = (
        select_candidates(make_collection(), small_corpus(ENGLISH, images, references, glossary), last_use=last_use)
        for last_use in (False, True)
    )
    assert given_back.pairs.equals(kept.pairs)
    assert given_back.diagnostics == kept.diagnostics
    assert given_back.pairs.select("image_id", "text_kind", "position").equals(
        TABLES["candidate_pairs"].conform(given_back.pairs).select("image_id", "text_kind", "position")
    )
