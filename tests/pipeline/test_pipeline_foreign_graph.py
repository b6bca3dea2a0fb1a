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
