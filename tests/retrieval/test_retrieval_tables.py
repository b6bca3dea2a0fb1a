"""Search over the tables of a HOME: on a knowledge base that was run, as a user would."""

import json
import math
import shutil

import polars as pl
import pytest
from knowledge_base import KnowledgeBase
from served import serving

from kg_pipeline.candidates.tokens import tokens
from kg_pipeline.config import Scoring
from kg_pipeline.retrieval import Library, RetrievalError, TablePassages, plain_search
from kg_pipeline.retrieval.word_index import WordIndex
from kg_pipeline.serving import ServeSettings


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> KnowledgeBase:
    """A knowledge base after a run without graph; the tests leave its tables alone."""
    root = tmp_path_factory.mktemp("searched")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NEO4J_URI", "KG_PIPELINE_HOME", "KG_PIPELINE_CONFIG", "DAGSTER_HOME"):
            patch.delenv(name, raising=False)
        base = KnowledgeBase.draw(root)
        (base.docs / "zh.md").write_text("# 机柜\n\n红色报警灯亮起时,检查电源。\n", encoding="utf-8")
        (root / "glossary.csv").write_text("name,aliases,description\nTorque wrench,wrench/key,Tightens bolts.\n")
        config = root / "collections.yaml"
        section = f"documents: [{{root: {base.docs}}}], scoring: {{ocr: false}}"
        config.write_text(f"collections: {{kb: {{{section}, concepts: {{glossary: glossary.csv}}}}}}\n")
        assert base.command("run", "--config", str(config), "--no-graph").exit_code == 0
    return base


@pytest.fixture
def library(kept) -> Library:
    return Library(kept.home, tables_only=True)


def test_a_question_finds_its_passage_with_the_picture_it_shows(library):
    hit = library.search("what to do when the red alarm lamp lights")[0]
    assert (hit.document, hit.heading, hit.collection) == ("server-room.md", "Server room > Alarm lamps", "kb")
    assert "When the red alarm lamp" in hit.text
    assert hit.line < hit.line_end
    picture = hit.pictures[0]
    assert (picture.path, picture.caption, picture.referenced) == ("img/alarm-lamp.png", "red alarm lamp", True)
    assert picture.uri.endswith("/docs/img/alarm-lamp.png")
    assert hit.visual == 1.0
    assert hit.score > hit.relevance


def test_only_the_last_choices_of_collections_stay_in_memory(kept, tmp_path, monkeypatch):
    monkeypatch.setattr("kg_pipeline.retrieval.library.MOST_CHOICES", 2)
    for table in (kept.home / "tables").glob("*/kb.parquet"):
        (tmp_path / "tables" / table.parent.name).mkdir(parents=True)
        for name in ("a", "b"):
            shutil.copy(table, tmp_path / "tables" / table.parent.name / f"{name}.parquet")
    library = Library(tmp_path, tables_only=True)
    both, first = library.passages(), library.passages(["a"])
    assert library.passages(["b", "a"]) is both
    library.passages(["b"])
    assert library.passages(["a"]) is first
    assert library.passages() is not both


def test_chinese_is_found_by_pairs_of_characters(library):
    assert library.search("报警灯")[0].document == "zh.md"


def test_weight_0_is_plain_search_in_order_and_score(library):
    for question in ("the rack", "bolt or filter", "红色 lamp"):
        plain = plain_search(library.passages(), question, 100, "words")
        assert [(hit.chunk_id, hit.score) for hit in library.search(question, weight=0.0)] == list(plain)[:10]


def test_scores_are_bm25(kept):
    chunks = kept.table("chunks")
    passages = pl.DataFrame({"text": chunks["text"], "headings": [""] * len(chunks)})
    found = WordIndex(passages).scores("filter of the cooling unit")
    texts = [tokens(text) for text in chunks["text"]]
    mean = sum(map(len, texts)) / len(texts)
    expected = [0.0] * len(texts)
    for word in tokens("filter of the cooling unit"):
        holding = sum(word in text for text in texts)
        idf = math.log1p((len(texts) - holding + 0.5) / (holding + 0.5))
        for place, text in enumerate(texts):
            tf = text.count(word)
            expected[place] += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(text) / mean))
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("question", "options"), [(" ", {}), ("lamp", {"weight": -1.0}), ("lamp", {"by": "meaning"})])
def test_what_cannot_be_answered_is_refused(library, question, options):
    with pytest.raises(RetrievalError):
        library.search(question, **options)


def test_what_nobody_wrote_is_not_found(library):
    assert library.search("xylophone of the") == []


def test_a_rejected_picture_is_gone_at_once_and_a_new_run_is_read(kept, library):
    evidence = kept.table("visual_evidence").filter(pl.col("kept"), pl.col("text_kind") == "chunk")
    shown = kept.table("references").filter(pl.col("status") == "ok")
    extra = evidence.join(shown, left_on=["image_id", "text_id"], right_on=["image_id", "chunk_id"], how="anti").row(
        0, named=True
    )
    chunk = kept.table("chunks").filter(chunk_id=extra["text_id"])["text"].item()

    def pictures() -> list[str]:
        hits = {hit.chunk_id: hit for hit in library.search(chunk)}
        return [picture.image_id for picture in hits[extra["text_id"]].pictures]

    assert extra["image_id"] in pictures()
    said = ("--collection", "kb", "--image", extra["image_id"], "--text", extra["text_id"])
    assert kept.command("review", "reject", *said, "--by", "me").exit_code == 0
    assert extra["image_id"] not in pictures()
    assert kept.command("review", "clear", *said).exit_code == 0
    assert extra["image_id"] in pictures()


def test_several_collections_are_searched_as_one(library):
    tables = library.answers("kb").tables
    other = {**tables, "chunks": tables["chunks"].with_columns(chunk_id=pl.col("chunk_id") + "x")}
    found = TablePassages({"kb": tables, "other": other})
    both = found.hits(found.by_words("red alarm lamp", 10))
    assert {hit.collection for hit in both[:2]} == {"kb", "other"}
    assert both[0].relevance == pytest.approx(both[1].relevance)


def test_a_concept_has_pictures_and_mentions(library):
    found = library.answers("kb").concept("torque WRENCH")
    assert found.name == "Torque wrench"
    assert found == library.answers("kb").concept("wrench/key")
    assert [hit.document for hit in found.mentions] == ["assembly.md"]
    assert {picture.path for picture in found.pictures} <= {"img/torque-wrench.png", "img/torque-wrench-click.png"}
    assert found.pictures
    with pytest.raises(RetrievalError, match="did you mean Torque wrench"):
        library.answers("kb").concept("torqe wrench")


def test_a_picture_knows_its_passages(library):
    found = library.answers("kb").picture("alarm-lamp.png")
    assert found.path == "img/alarm-lamp.png"
    assert found.orphan_reason is None
    assert found.passages[0].heading == "Server room > Alarm lamps"
    assert [picture.image_id for picture in found.passages[0].pictures] == [found.image_id]


def test_orphans_come_with_the_passage_that_wants_them(library):
    first = library.answers("kb").orphans()[0]
    assert first.path == "img/torque-wrench-click.png"
    assert first.passage.document == "assembly.md"


def test_a_document_is_told_in_order(library):
    found = library.answers("kb").document("server-room.md")
    assert [hit.heading for hit in found.sections][-2:] == ["Server room > Alarm lamps", "Server room > Cooling"]
    assert [len(hit.pictures) > 0 for hit in found.sections][-2:] == [True, True]
    with pytest.raises(RetrievalError, match=r"did you mean server-room\.md"):
        library.answers("kb").document("server-rooms.md")


def test_the_command_prints_passages_and_pictures(kept, monkeypatch):
    monkeypatch.delenv("NEO4J_URI", raising=False)
    shown = kept.command("search", "red alarm lamp", "--top", "1")
    assert shown.exit_code == 0, shown.output
    assert "1. server-room.md:" in shown.output
    assert "img/alarm-lamp.png “red alarm lamp” (shown there" in " ".join(shown.output.split())
    rows = json.loads(kept.command("search", "red alarm lamp", "--top", "1", "--format", "json").stdout)
    assert rows[0]["pictures"][0]["path"] == "img/alarm-lamp.png"
    assert json.loads(kept.command("search", "xylophone", "--format", "json").stdout) == []
    refused = kept.command("search", "lamp", "--collection", "nope")
    assert refused.exit_code == 1
    assert "there are: kb" in refused.output


def test_the_api_answers_the_same(kept, library):
    settings = ServeSettings(home=kept.home, scoring=Scoring(reranker="none"))
    with serving(settings) as server:
        answer = server.post("/api/search", {"query": "red alarm lamp", "top": 2, "weight": 0.5})
        assert answer.status == 200, answer.body
        found = answer.json()
        hits = library.search("red alarm lamp", top=2, weight=0.5)
        assert found["results"] == json.loads(json.dumps([hit.as_dict() for hit in hits]))
        assert found["formula"] == "score = relevance * (1 + weight * visual)"
        unknown = server.post("/api/search", {"query": "lamp", "collections": ["nope"]})
        assert (unknown.status, "there are: kb" in unknown.json()["detail"]) == (400, True)
        assert str(kept.home) not in unknown.body.decode()
        assert server.post("/api/search", {"query": "lamp", "by": "meaning"}).status == 400
        for wrong in ({"query": ""}, {"query": "a", "weight": -1}, {"query": "a", "top": 0}, {"query": "a", "x": 1}):
            assert server.post("/api/search", wrong).status == 422
