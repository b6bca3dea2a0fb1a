"""A plain in-memory model of one graph that several collections and strangers write to."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import polars as pl

from kg_pipeline.graph import RELATIONSHIPS, Connection, Graph
from kg_pipeline.graph.model import MARKER, NODES

# A thing of a collection, in numbers: ("Chunk", 0, 2) is the third passage of its first document.
Thing = tuple[str | int, ...]
Key = tuple[str, str]  # label and id

DOCUMENTS, CHUNKS, IMAGES, CONCEPTS = range(3), range(3), range(4), range(2)
EDGES = ("FROM_CHUNK", "REFERENCES", "HAS_VISUAL_EVIDENCE", "BEST", "ILLUSTRATES", "REJECTED_EVIDENCE", "LISTS")
VERSIONS = 4
TEXTS = (None, "", "plain", 'it\'s "quoted" `ticked` \\ {braces} $dollar\nnew line 图像 😀')
LISTS = ([], ["one"], ["two", "one"], ["", "ü"])
PASSING = {"generation", "first_seen", "generated_at"}
SHARED = ("Image", "Concept")


@dataclass
class Content:
    """What one collection should be: nodes by label and id, relationships by type, ends and key."""

    nodes: dict[Key, dict[str, Any]] = field(default_factory=dict)
    edges: dict[tuple[str, Key, Key, tuple], dict[str, Any]] = field(default_factory=dict)

    def frames(self) -> Graph:
        """The same as the frames that `sync` takes."""
        nodes: dict[str, list] = {}
        for (label, key), properties in self.nodes.items():
            nodes.setdefault(label, []).append({"id": key, **properties})
        edges: dict[str, list] = {}
        for (name, start, end, _), properties in self.edges.items():
            ends = {"start_label": start[0], "start_key": "id", "start": start[1]}
            ends |= {"end_label": end[0], "end_key": "id", "end": end[1]}
            edges.setdefault(name, []).append({**ends, **properties})
        return Graph.of(
            {name: pl.DataFrame(rows, schema=NODES[name].schema) for name, rows in nodes.items()},
            {name: pl.DataFrame(rows, schema=RELATIONSHIPS[name].schema) for name, rows in edges.items()},
        )


def content(collection: str, things: Mapping[Thing, int]) -> Content:
    """The content that the things of a collection make, each in its version; what lacks an end is left out."""
    made = Content()

    def node(label: str, *numbers: int, own: bool = True) -> Key:
        return label, "-".join([*([collection] if own else []), label.lower(), *map(str, numbers)])

    def add_node(key: Key, version: int, **properties: Any) -> None:
        made.nodes[key] = dict.fromkeys(NODES[key[0]].properties) | properties

    def add_edge(name: str, start: Key, end: Key, *key: Any, **properties: Any) -> None:
        keyed = dict(zip(RELATIONSHIPS[name].key, key, strict=True))
        made.edges[name, start, end, key] = dict.fromkeys(RELATIONSHIPS[name].properties) | keyed | properties

    home: Key = ("Collection", collection)
    report = node("OrphanReport")
    add_node(report, 0, counts="{}")
    nodes = sorted((thing, version) for thing, version in things.items() if thing[0] in NODES)
    for (label, *numbers), version in nodes:
        text = TEXTS[version]
        if label == "Document":
            add_node(node("Document", *numbers), version, title=text, path=f"{version}.md")
        elif label == "Image":
            image = node("Image", *numbers, own=False)
            add_node(image, version, text=text, width=version)
            add_edge("IN_COLLECTION", image, home, paths=LISTS[version], orphan_reason=text)
        elif label == "Concept":
            concept = node("Concept", *numbers, own=False)
            add_node(concept, version, name="pump", aliases=LISTS[version], description=text)
            add_edge("IN_COLLECTION", concept, home)
    passages: dict[int, list[Key]] = {}
    for (label, *numbers), version in nodes:
        if label == "Chunk" and (owner := node("Document", numbers[0])) in made.nodes:
            chunk = node("Chunk", *numbers)
            passages.setdefault(numbers[0], []).append(chunk)
            add_node(chunk, version, text=TEXTS[version], index=numbers[1], page=version or None)
            add_edge("FROM_DOCUMENT", chunk, owner)
    for chunks in passages.values():
        for before, after in pairwise(chunks):
            add_edge("NEXT_CHUNK", before, after)
    for (name, *numbers), version in sorted(things.items()):
        if name not in EDGES:
            continue
        document, chunk_number, image_number, concept_number = numbers
        document_node, chunk = node("Document", document), node("Chunk", document, chunk_number)
        image = node("Image", image_number, own=False)
        concept = node("Concept", concept_number, own=False)
        evidence = {"score": version / 2, "strategies": LISTS[version], "reason": TEXTS[version]}
        start, end, key, properties = {
            "FROM_CHUNK": (concept, chunk, (), {}),
            "REFERENCES": (chunk, image, (concept_number, f"{document} '`"), {"alt": TEXTS[version]}),
            "HAS_VISUAL_EVIDENCE": (chunk, image, (), evidence),
            "BEST": (document_node, image, (), evidence | {"best_chunk": chunk[1]}),
            "ILLUSTRATES": (image, concept, (), evidence),
            "REJECTED_EVIDENCE": (chunk, image, (), {"by": TEXTS[version]}),
            "LISTS": (report, image, (), {"reason": TEXTS[version]}),
        }[name]
        if start in made.nodes and end in made.nodes:
            add_edge("HAS_VISUAL_EVIDENCE" if name == "BEST" else name, start, end, *key, **properties)
    return made


@dataclass
class Found:
    """Everything that a graph holds: nodes by label and id (unique here), relationships as sorted text."""

    nodes: dict[Key, tuple[tuple[str, ...], dict[str, Any]]]
    edges: Counter[tuple[Key, str, Key, str]]

    @classmethod
    def read(cls, connection: Connection) -> "Found":
        rows = connection.read("MATCH (n) RETURN elementId(n) AS e, labels(n) AS labels, properties(n) AS p")
        keys, nodes = {}, {}
        for row in rows:
            labels = tuple(sorted(row["labels"]))
            key = (next(label for label in labels if label != "__Entity__"), row["p"]["id"])
            assert key not in nodes, f"{key} is there twice"
            keys[row["e"]], nodes[key] = key, (labels, _lasting(row["p"]))
        edges: Counter = Counter()
        for row in connection.read(
            "MATCH (a)-[e]->(b) RETURN elementId(a) AS a, type(e) AS type, elementId(b) AS b, properties(e) AS p"
        ):
            edges[keys[row["a"]], row["type"], keys[row["b"]], as_text(row["p"])] += 1
        return cls(nodes, edges)

    def holders(self, key: Key) -> set[str]:
        """Collections that hold a shared node."""
        return {end[1] for (start, name, end, _) in self.edges if start == key and name == "IN_COLLECTION"}


@dataclass
class World:
    """What the graph should hold: completed collections exactly, strangers untouched, the rest in doubt."""

    synced: dict[str, Content] = field(default_factory=dict)
    """The last completed sync of each collection."""
    in_doubt: set[str] = field(default_factory=set)
    """Collections of which a sync did not complete, or that a vandal has changed."""
    versions: dict[Key, list[dict[str, Any]]] = field(default_factory=dict)
    """Of a shared node: every version that a collection has written, or tried to; the last writer wins."""
    strange_nodes: dict[Key, dict[str, Any]] = field(default_factory=dict)
    strange_edges: Counter[tuple[Key, str, Key, str]] = field(default_factory=Counter)

    def check(self, found: Found) -> None:
        """Assert that the graph is as it should be."""
        for key, (_, properties) in found.nodes.items():
            if key[0] in SHARED and properties.get("managed_by") == MARKER:
                assert found.holders(key), f"{key} is ours and nobody holds it"
        certain = {name: wanted for name, wanted in self.synced.items() if name not in self.in_doubt}
        there, expected = _but(found, self.in_doubt), self._expected(certain, found)
        assert there.nodes == expected.nodes
        assert there.edges - expected.edges == Counter(), "too many"
        assert expected.edges - there.edges == Counter(), "missing"

    def _expected(self, certain: Mapping[str, Content], found: Found) -> Found:
        nodes: dict[Key, tuple[tuple[str, ...], dict[str, Any]]] = {}
        edges: Counter = Counter(self.strange_edges)
        for collection, wanted in certain.items():
            nodes["Collection", collection] = (("Collection",), {"id": collection, "managed_by": MARKER})
            for (label, key), properties in wanted.nodes.items():
                labels = tuple(sorted((label, *NODES[label].extra_labels)))
                if label in SHARED:
                    written = {"managed_by": MARKER, **self._version_in(found, (label, key), properties)}
                else:
                    written = {"collection": collection, **properties}
                nodes[label, key] = (labels, _lasting({"id": key, **written}))
            for (name, start, end, _), properties in wanted.edges.items():
                edges[start, name, end, as_text({"collection": collection, **properties})] += 1
        for key, properties in self.strange_nodes.items():
            nodes[key] = ((key[0],), {"id": key[1], **properties})
        return Found(nodes, edges)

    def _version_in(self, found: Found, key: Key, last: dict[str, Any]) -> dict[str, Any]:
        there = found.nodes.get(key, ((), {}))[1]
        same = [version for version in self.versions.get(key, []) if _lasting(version).items() <= there.items()]
        return max(same, key=lambda version: len(_lasting(version)), default=last)


def as_text(properties: Mapping[str, Any]) -> str:
    """Properties without those that differ between runs and those that are null, as text."""
    return json.dumps(_lasting(properties), sort_keys=True, default=str)


def _lasting(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in PASSING and value is not None}


def _but(found: Found, in_doubt: set[str]) -> Found:
    """What was found without what belongs to collections in doubt alone."""
    nodes = {}
    for key, (labels, properties) in found.nodes.items():
        ours = properties.get("managed_by") == MARKER
        if properties.get("collection") in in_doubt or (key[0] == "Collection" and key[1] in in_doubt and ours):
            continue
        if key[0] in SHARED and ours and found.holders(key) <= in_doubt:
            continue
        # The rest of a Collection node is the ledger of the sync.
        of_ledger = key[0] == "Collection" and ours
        nodes[key] = (labels, {"id": key[1], "managed_by": MARKER} if of_ledger else properties)
    edges = {
        edge: count for edge, count in found.edges.items() if json.loads(edge[3]).get("collection") not in in_doubt
    }
    return Found(nodes, Counter(edges))
