"""The knowledge graph over Bolt: its model, the plan that brings it to what the tables say, the embedded server."""

from kg_pipeline.graph.connection import Connection, connect
from kg_pipeline.graph.doctor import Check, check_server
from kg_pipeline.graph.errors import DriftError, GraphError, SupersededError
from kg_pipeline.graph.export import EXPORTS, Exported, export_graph
from kg_pipeline.graph.frames import Graph
from kg_pipeline.graph.model import RELATIONSHIPS, constraints
from kg_pipeline.graph.names import Names
from kg_pipeline.graph.planning import Plan, check_mass_delete, plan
from kg_pipeline.graph.readback import count_graph, read_graph
from kg_pipeline.graph.retrieval import PICTURES_OF_PASSAGES
from kg_pipeline.graph.schema_text import schema_text
from kg_pipeline.graph.search_indexes import IndexFinding, create_search_indexes, find_search_indexes
from kg_pipeline.graph.sources import reading_nodes
from kg_pipeline.graph.syncing import Difference, SyncReport, difference, sync
from kg_pipeline.graph.verdicts import harvest, take_over_verdicts
from kg_pipeline.graph.verifying import Verification, verify, verify_counts
from kg_pipeline.graph.wanted import WANTED_TABLES, blocked_deletes, wanted_graph

__all__ = [
    "EXPORTS",
    "PICTURES_OF_PASSAGES",
    "RELATIONSHIPS",
    "WANTED_TABLES",
    "Check",
    "Connection",
    "Difference",
    "DriftError",
    "Exported",
    "Graph",
    "GraphError",
    "IndexFinding",
    "Names",
    "Plan",
    "SupersededError",
    "SyncReport",
    "Verification",
    "blocked_deletes",
    "check_mass_delete",
    "check_server",
    "connect",
    "constraints",
    "count_graph",
    "create_search_indexes",
    "difference",
    "export_graph",
    "find_search_indexes",
    "harvest",
    "plan",
    "read_graph",
    "reading_nodes",
    "schema_text",
    "sync",
    "take_over_verdicts",
    "verify",
    "verify_counts",
    "wanted_graph",
]
