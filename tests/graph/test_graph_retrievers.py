"""neo4j-graphrag's own retrievers on a graph that a run has written, with the code of docs/retrievers.md."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from embedding_server import embedding_server
from knowledge_base import KnowledgeBase
from neo4j_graphrag.exceptions import Text2CypherRetrievalError
from neo4j_graphrag.llm import LLMInterface, LLMResponse

from kg_pipeline.graph import schema_text
from kg_pipeline.retrieval import RetrievalError
from kg_pipeline.retrieval.graph_passages import lucene_words

PAGE = Path(__file__).parents[2] / "docs" / "retrievers.md"

ALARM = "When the red alarm lamp on the rack lights"
BOLT = "Tighten the M6 bolt with the torque wrench"
PICTURES_OF_THE_WRENCH = """
MATCH (c:Chunk)-[e:HAS_VISUAL_EVIDENCE]->(i:Image)-[place:IN_COLLECTION]->(:Collection)
WHERE c.text CONTAINS 'torque wrench'
RETURN c.text AS text, place.uri AS uri, e.confidence AS confidence ORDER BY confidence DESC
"""

pytestmark = pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True, scope="module")


class Scripted(LLMInterface):
    """Answers with the Cypher it is given and keeps the prompt."""

    def __init__(self, cypher: str) -> None:
        super().__init__("scripted")
        self.cypher, self.prompts = cypher, []

    def invoke(self, input: str, *_: Any, **__: Any) -> LLMResponse:  # noqa: A002
        self.prompts.append(input)
        return LLMResponse(content=f"```cypher\n{self.cypher}\n```")

    async def ainvoke(self, *arguments: Any, **named: Any) -> LLMResponse:
        return self.invoke(*arguments, **named)


@pytest.fixture(scope="module")
def documented(graph_server, tmp_path_factory) -> dict[str, Any]:
    """The names that the code of the page leaves behind, after a run of a collection with embeddings."""
    root = tmp_path_factory.mktemp("retrievers")
    config = root / "collections.yaml"
    with pytest.MonkeyPatch.context() as patch, embedding_server() as server:
        graph_server.wipe()
        graph_server.select(patch)
        base = KnowledgeBase.draw(root)
        (base.docs / "canteen.md").write_text("# Canteen\n\nSoup is served at noon.\n")
        section = {
            "documents": [{"root": str(base.docs)}],
            "scoring": {"ocr": False},
            "embeddings": {"url": server.url, "model": "bag"},
        }
        config.write_text(yaml.safe_dump({"collections": {"manuals": section}}))
        patch.setenv("KG_PIPELINE_CONFIG", str(config))
        result = base.command("run", "--config", str(config))
        assert result.exit_code == 0, result.output
        assert set(base.last_run()["graph"]["search_indexes"].values()) == {"online"}
        names: dict[str, Any] = {"base": base, "llm": Scripted(PICTURES_OF_THE_WRENCH)}
        for code in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            exec(compile(code, PAGE.name, "exec"), names)
        yield names
        names["driver"].close()


def file_names(item) -> list[str]:
    return [Path(picture["uri"]).name for picture in item.metadata["pictures"]]


def test_vector_search_brings_the_passage_and_the_addresses_of_its_pictures(documented):
    first = documented["answer"].items[0]
    assert ALARM in first.content
    assert file_names(first)[0] == "alarm-lamp.png"
    picture = first.metadata["pictures"][0]
    assert picture["uri"].startswith("file:///")
    assert 0 < picture["confidence"] <= 1
    assert 0 < picture["score"] <= 10
    assert picture["referenced"] is True
    assert picture["reason"].startswith("Score: ")


def test_a_picture_that_no_document_shows_comes_after_those_that_one_does(documented):
    found = documented["by_meaning"].search(query_text="tighten the bolt with the torque wrench", top_k=1).items[0]
    assert BOLT in found.content
    assert file_names(found)[:2] == ["torque-wrench.png", "torque-wrench-click.png"]
    assert [picture["referenced"] for picture in found.metadata["pictures"]][:2] == [True, False]


def test_a_passage_without_pictures_is_found_all_the_same(documented):
    everything = documented["by_meaning"].search(query_text="soup is served", top_k=50).items
    assert everything[0].metadata["document"] == "Canteen"
    assert everything[0].metadata["pictures"] == []
    assert len(everything) == len({item.content for item in everything})


def test_hybrid_search_finds_passages_and_with_the_retrieval_query_their_pictures(documented):
    assert BOLT in documented["hybrid"].items[0].content
    assert file_names(documented["hybrid"].items[0])[0] == "torque-wrench.png"
    assert BOLT in documented["plain"].items[0].content
    assert ALARM in documented["with_pictures"].search(query_text="zebra lamp", top_k=1).items[0].content


def test_the_illustrated_retriever_brings_passages_with_their_pictures_to_a_language_model(documented):
    item = documented["first"]
    assert ALARM in item.content
    assert "Picture: red alarm lamp <file:///" in item.content
    assert item.metadata["document"] == "server-room.md"
    assert item.metadata["pictures"][0]["caption"] == "red alarm lamp"
    assert item.metadata["visual"] == 1.0
    assert ALARM in documented["llm"].prompts[0]
    assert "alarm-lamp.png" in documented["llm"].prompts[0]
    assert documented["reply"].answer
    assert len(documented["reply"].retriever_result.items) == 3


QUESTIONS = ["alarm lamp filter", "torque wrench (M6) AND -bolt", '"soup" noon/operator', "lamp 红色报警灯 " * 900]


@pytest.mark.parametrize("question", QUESTIONS, ids=["words", "signs", "quotes", "long"])
def test_with_weight_0_the_order_is_that_of_the_servers_full_text_index(documented, question):
    plain = """CALL db.index.fulltext.queryNodes('kg_pipeline_chunk_text', $words) YIELD node, score
               RETURN node.id AS id, score ORDER BY score DESC, id LIMIT 10"""
    words = lucene_words(question)
    rows = documented["driver"].execute_query(plain, words=words).records
    hits = documented["illustrated"].search(query_text=question, top_k=10, weight=0.0, by="words").items
    assert rows
    assert [(hit.metadata["chunk_id"], hit.metadata["score"]) for hit in hits] == [tuple(row) for row in rows]


def test_the_illustrated_retriever_searches_by_meaning_and_only_its_collections(documented):
    from kg_pipeline.retrieval.graphrag import IllustratedRetriever

    by_meaning = documented["illustrated"].search(query_text="zebra bolt wrench", top_k=1, by="meaning").items[0]
    assert BOLT in by_meaning.content
    elsewhere = IllustratedRetriever(documented["driver"], collections=["other"])
    assert elsewhere.search(query_text="alarm lamp").items == []
    with pytest.raises(RetrievalError, match="no vectors"):
        elsewhere.search(query_text="alarm lamp", by="meaning")


def test_the_command_searches_the_server(documented, graph_server, monkeypatch):
    graph_server.select(monkeypatch)
    base = documented["base"]
    result = base.command("search", "red alarm lamp", "--by", "words", "--format", "json")
    assert result.exit_code == 0, result.output
    [first, *_] = json.loads(result.stdout)
    assert ALARM in first["text"]
    assert first["pictures"][0]["caption"] == "red alarm lamp"


def test_text_to_cypher_gets_our_schema_and_gives_pictures(documented):
    assert schema_text() in documented["llm"].prompts[-1]
    assert "torque-wrench-click.png" in documented["told"].items[0].content
    assert documented["told"].metadata["cypher"].strip() == PICTURES_OF_THE_WRENCH.strip()


def test_text_to_cypher_writes_nothing(documented):
    from neo4j_graphrag.retrievers import Text2CypherRetriever

    ask = Text2CypherRetriever(documented["driver"], Scripted("MATCH (n) DETACH DELETE n"), neo4j_schema=schema_text())
    with pytest.raises(Text2CypherRetrievalError, match="non-read-only"):
        ask.search(query_text="Delete everything")


def test_every_search_of_the_schema_text_runs(documented):
    calls = re.findall(r"CALL db\.index.*", schema_text())
    assert len(calls) == 4
    for call in calls:
        documented["driver"].execute_query(f"{call} RETURN node.id AS id, score")


def test_the_answer_can_be_sent_on_as_json(documented):
    assert json.loads(json.dumps([item.metadata for item in documented["answer"].items]))
