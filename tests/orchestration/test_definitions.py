"""The code location: what it loads, what it must not load, how the assets hang together."""

import subprocess
import sys

import dagster as dg

from kg_pipeline.definitions import build_defs
from kg_pipeline.tables import TABLES

HEAVY = ("torch", "torchvision", "transformers", "accelerate", "ray", "onnxruntime", "rapidocr", "arcadedb_embedded")


def test_loading_the_code_location_imports_no_model_library():
    script = f"import sys, kg_pipeline.definitions; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_definitions_are_valid():
    dg.Definitions.validate_loadable(build_defs())


def lineage() -> dict[str, set[str]]:
    graph = build_defs().resolve_asset_graph()
    return {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.materializable_asset_keys
    }


def test_every_table_of_a_run_is_an_asset_and_the_graph_stands_at_the_end():
    assets = lineage()
    assert set(assets) == set(TABLES) | {"knowledge_graph"}
    assert not any("knowledge_graph" in parents for parents in assets.values())


def test_the_data_goes_one_way():
    assets = lineage()
    assert assets["image_files"] == set()
    assert assets["references"] == {"image_files"}
    assert assets["image_descriptions"] == {"image_files", "images"}
    assert "image_descriptions" in assets["image_texts"]
    assert "candidate_pairs" in assets["pair_scores"]
    assert {"pair_scores", "verdicts"} <= assets["visual_evidence"]
    assert "visual_evidence" in assets["orphan_images"]
    assert "visual_evidence" in assets["edge_reasons"]
    assert {"visual_evidence", "edge_reasons", "orphan_images"} <= assets["knowledge_graph"]


def test_every_asset_is_partitioned_by_collection_and_says_what_it_is():
    graph = build_defs().resolve_asset_graph()
    for node in (graph.get(key) for key in graph.materializable_asset_keys):
        assert node.partitions_def.name == "collections", node.key
        assert node.description, node.key
        assert node.code_version, node.key
        assert node.group_name != "default", node.key


def test_scoring_takes_the_gpu_and_writing_the_graph_has_one_writer():
    graph = build_defs().resolve_asset_graph()
    pools = {node.key.to_user_string(): node.pools for node in graph.asset_nodes if node.pools}
    on_gpu = {name for name, pool in pools.items() if pool == {"gpu"}}
    assert on_gpu == {
        "image_descriptions",
        "pair_scores",
        "edge_reasons",
        "evaluation",
        "evidence_weights",
        "calibrators",
    }
    assert {name: pool for name, pool in pools.items() if name not in on_gpu} == {"knowledge_graph": {"neo4j_write"}}
