"""Sources that are nodes somebody else keeps in the same graph: matched, given edges, and left as they are."""

import json

import pytest
import yaml
from knowledge_base import picture

CONFIG = {
    "documents": [{"graph": {"label": "Document", "key": "title"}}],
    "images": [{"folder": "images"}],
    "concepts": {"graph": [{"label": "Concept", "key": "name", "aliases": "synonyms"}]},
    "scoring": {"ocr": False, "reranker": "none"},
    "kept": {"min_confidence": 0.05},
}
TITLES = ("Server rack: the red alarm lamp lights", "Assembly line: tighten the bolt with the torque wrench", "x")
KEEPERS = """
CREATE (rack:Document {title: $titles[0], owner: 'Zoë', tags: ['a', 'b'], weight: 1.5})
CREATE (bolt:Document:Sop {title: $titles[1], text: 'old'})-[:NEXT {by: 'them'}]->(rack)
CREATE (:Concept {name: 'alarm lamp', synonyms: ['warning light'], owner: 'Zoë'})
CREATE (:Concept {name: 'torque wrench'})-[:SEEN_IN]->(bolt)
CREATE (:Collection {name: 'mine'}), (:Image {path: 'theirs.png'})
"""
THEIRS = """
MATCH (n) WHERE n.generation IS NULL AND n.managed_by IS NULL
RETURN labels(n) AS labels, properties(n) AS p
"""
THEIR_EDGES = "MATCH (a)-[e]->(b) WHERE e.collection IS NULL RETURN type(e) AS t, properties(e) AS p ORDER BY t"
EVIDENCE = """
MATCH (d:Document)-[e:HAS_VISUAL_EVIDENCE]->(i:Image)-[m:IN_COLLECTION]->()
RETURN d.title AS title, m.paths[0] AS picture, e.collection AS collection, e.confidence AS confidence
ORDER BY title, e.rank
"""
ILLUSTRATED = """
MATCH (i:Image)-[e:ILLUSTRATES]->(c:Concept), (i)-[m:IN_COLLECTION]->()
RETURN c.name AS name, m.paths[0] AS picture ORDER BY name, picture
"""


class Keeper:
    """Somebody with a graph, a folder of pictures, a collections.yaml and the command line."""

    def __init__(self, base, server):
        self.base, self.server = base, server
        self.config = base.root / "collections.yaml"

    def configure(self, **changes):
        section = {**CONFIG, **changes}
        self.config.write_text(yaml.safe_dump({"collections": {"kb": section}}, allow_unicode=True), encoding="utf-8")

    def run(self, *options, home=None):
        result = self.base.command("run", "--config", str(self.config), *options, home=home)
        assert result.exit_code == 0, result.output
        return self.base.last_run(home)

    def ask(self, text, **parameters):
        with self.server.connect() as connection:
            return connection.read(text, **parameters)

    def do(self, text, **parameters):
        with self.server.connect() as connection:
            connection.run(text, **parameters)

    def theirs(self):
        """All that is not ours, with all properties and labels."""
        nodes = [{**row, "labels": sorted(row["labels"])} for row in self.ask(THEIRS)]
        return json.dumps([sorted(nodes, key=str), self.ask(THEIR_EDGES)], default=str, sort_keys=True)


@pytest.fixture
def keeper(knowledge_base, graph_server, monkeypatch):
    graph_server.select(monkeypatch)
    graph_server.wipe()
    pictures = knowledge_base.root / "images"
    picture(pictures / "rack" / "red-alarm-lamp.png", "ALARM", "red")
    picture(pictures / "line" / "torque-wrench-bolt.png", "M6", "grey")
    keeper = Keeper(knowledge_base, graph_server)
    keeper.do(KEEPERS, titles=list(TITLES))
    keeper.configure()
    return keeper


def test_existing_documents_and_concepts_get_their_evidence_and_stay_as_they_are(keeper):
    before = keeper.theirs()
    first = keeper.run()
    assert first["graph"]["writes"] > 0
    found = keeper.ask(EVIDENCE)
    assert {(row["title"], row["picture"]) for row in found} >= {
        (TITLES[0], "images/rack/red-alarm-lamp.png"),
        (TITLES[1], "images/line/torque-wrench-bolt.png"),
    }
    assert {row["collection"] for row in found} == {"kb"}
    assert {(row["name"], row["picture"]) for row in keeper.ask(ILLUSTRATED)} >= {
        ("alarm lamp", "images/rack/red-alarm-lamp.png"),
        ("torque wrench", "images/line/torque-wrench-bolt.png"),
    }
    assert keeper.theirs() == before
    assert keeper.ask("MATCH (d:Document) RETURN count(d) AS n") == [{"n": 2}]
    assert keeper.ask("MATCH (c:Concept) RETURN count(c) AS n") == [{"n": 2}]
    assert keeper.ask("MATCH (:Chunk)-[:FROM_DOCUMENT]->(d:Document) RETURN count(d) AS n") == [{"n": 2}]

    tables = keeper.base.table_files()
    second = keeper.run()
    assert second["graph"]["writes"] == 0
    assert second["graph"]["read_back"] is False
    assert keeper.base.table_files() == tables
    other = keeper.base.root / "another home"
    assert keeper.run(home=other)["graph"]["writes"] == 0
    assert keeper.base.table_files(other) == tables


def test_a_source_that_is_removed_loses_our_edges_and_keeps_its_nodes(keeper):
    before = keeper.theirs()
    keeper.run()
    keeper.configure(documents=[{"root": "docs"}], concepts={})
    keeper.run("--allow-mass-delete")
    assert keeper.ask(EVIDENCE.replace("d:Document", "d:Document WHERE d.collection IS NULL")) == []
    assert keeper.ask("MATCH (n)-[e]-(m) WHERE e.collection = 'kb' AND m.owner IS NOT NULL RETURN type(e) AS t") == []
    assert keeper.theirs() == before


def test_verdicts_on_their_nodes_are_taken_over(keeper):
    keeper.run()
    before = keeper.theirs()
    keeper.do(
        "MATCH (d:Document {title: $title})-[e:HAS_VISUAL_EVIDENCE]->(:Image) WHERE e.rank = 1 "
        "SET e.verdict = 'accepted', e.verdict_by = 'Zoë'",
        title=TITLES[0],
    )
    keeper.do(
        "MATCH (:Image)-[e:ILLUSTRATES]->(:Concept {name: 'torque wrench'}) "
        "SET e.verdict = 'rejected', e.verdict_by = 'Li'"
    )
    keeper.run()
    verdicts = keeper.base.table("verdicts")
    documents = dict(keeper.base.table("documents").select("document_id", "title").rows())
    concepts = dict(keeper.base.table("concepts").select("concept_id", "name").rows())
    said = {
        (documents.get(row["document_id"]) or concepts.get(row["document_id"]), row["verdict"], row["by"])
        for row in verdicts.to_dicts()
    }
    assert said == {(TITLES[0], "accepted", "Zoë"), ("torque wrench", "rejected", "Li")}
    assert {row["name"] for row in keeper.ask(ILLUSTRATED)} == {"alarm lamp"}
    rejected = "MATCH (c:Concept)-[e:REJECTED_EVIDENCE]->(:Image) RETURN DISTINCT c.name AS name, e.by AS by"
    assert keeper.ask(rejected) == [{"name": "torque wrench", "by": "Li"}]
    assert keeper.run()["graph"]["writes"] == 0
    assert keeper.theirs() == before


def test_a_source_that_cannot_be_read_keeps_its_last_good_rows_and_nothing_is_deleted(keeper, monkeypatch):
    keeper.run()
    evidence = keeper.ask(EVIDENCE)
    broken = {"label": "Document", "key": "title", "query": "MATCH (d:Document) RETURN d.title AS headline"}
    keeper.configure(documents=[{"graph": broken}], images=[{"folder": "images", "include": ["rack/"]}])
    report = keeper.run()["graph"]
    assert "headline" in report["deletes_blocked"]
    assert report["left_standing"]
    assert keeper.ask(EVIDENCE) == evidence
    documents = keeper.base.table("documents")
    assert dict(documents.select("path", "status").rows()) == {
        "Document": "unreadable",
        f"Document/{TITLES[0]}": "stale",
        f"Document/{TITLES[1]}": "stale",
    }

    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    keeper.configure()
    keeper.run("--no-graph")
    concepts = keeper.base.table("concepts")
    assert sorted(concepts["status"]) == ["stale", "stale", "unreadable"]
    assert "127.0.0.1:1" in concepts.filter(status="unreadable")["error"].item()
    monkeypatch.delenv("NEO4J_URI")
    keeper.run("--no-graph")
    errors = keeper.base.table("documents").filter(status="unreadable")["error"]
    assert "set NEO4J_URI" in errors.item()
