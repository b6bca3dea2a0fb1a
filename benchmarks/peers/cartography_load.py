"""Load a graph with cartography's own `load` and `load_matchlinks`; run by graph_sync.py in an environment of its own.

    python cartography_load.py ADDRESS USER PASSWORD FOLDER

FOLDER holds `Chunk.json`, `Image.json` and `edges.json`, a list of rows each. Prints the seconds of each as JSON.
"""

import json
import logging
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import make_dataclass
from pathlib import Path

warnings.filterwarnings("ignore", category=DeprecationWarning)

import neo4j
from cartography.client.core.tx import load, load_matchlinks
from cartography.models.core.common import PropertyRef
from cartography.models.core.nodes import CartographyNodeProperties, CartographyNodeSchema
from cartography.models.core.relationships import (
    CartographyRelProperties,
    CartographyRelSchema,
    LinkDirection,
    make_source_node_matcher,
    make_target_node_matcher,
)

TAG = 1
NODE_PROPERTIES = {
    "Chunk": ("text", "index", "heading", "line_start", "line_end", "page"),
    "Image": ("format", "width", "height", "text"),
}
EDGE_PROPERTIES = (
    "log_odds", "score", "confidence", "confidence_source", "rank", "margin", "scorer", "strategies", "reason",
    "verdict", "verdict_synced", "best_chunk",
)  # fmt: skip


def made(base: type, name: str, **values: object) -> object:
    """An instance of a frozen dataclass below `base`, as its modules declare them by hand."""
    fields = [(key, type(value), value) for key, value in values.items()]
    return make_dataclass(name, fields, bases=(base,), frozen=True)()


def references(names: tuple[str, ...]) -> dict[str, PropertyRef]:
    return {name: PropertyRef(name) for name in names} | {"lastupdated": PropertyRef("lastupdated", set_in_kwargs=True)}


def node_schema(label: str) -> CartographyNodeSchema:
    names = ("id", *NODE_PROPERTIES[label])
    properties = made(CartographyNodeProperties, f"{label}Properties", **references(names))
    return made(CartographyNodeSchema, label, label=label, properties=properties)


def edge_schema() -> CartographyRelSchema:
    owner = {name: PropertyRef(name, set_in_kwargs=True) for name in ("_sub_resource_label", "_sub_resource_id")}
    return made(
        CartographyRelSchema,
        "Evidence",
        source_node_label="Chunk",
        source_node_matcher=make_source_node_matcher({"id": PropertyRef("start")}),
        target_node_label="Image",
        target_node_matcher=make_target_node_matcher({"id": PropertyRef("end")}),
        direction=LinkDirection.OUTWARD,
        rel_label="HAS_VISUAL_EVIDENCE",
        properties=made(CartographyRelProperties, "EvidenceProperties", **references(EDGE_PROPERTIES), **owner),
    )


def clock(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main(address: str, user: str, password: str, folder: str) -> None:
    logging.getLogger().setLevel(logging.ERROR)
    rows = {name: json.loads((Path(folder) / f"{name}.json").read_text()) for name in ("Chunk", "Image", "edges")}
    seconds = {}
    with neo4j.GraphDatabase.driver(address, auth=(user, password)) as driver, driver.session() as session:
        driver.verify_connectivity()
        for label in NODE_PROPERTIES:
            schema = node_schema(label)
            seconds[label] = clock(lambda label=label, s=schema: load(session, s, rows[label], lastupdated=TAG))
        seconds["edges"] = clock(
            lambda: load_matchlinks(
                session,
                edge_schema(),
                rows["edges"],
                lastupdated=TAG,
                _sub_resource_label="Collection",
                _sub_resource_id="benchmark",
            )
        )
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
