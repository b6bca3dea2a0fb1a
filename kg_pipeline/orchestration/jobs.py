"""Jobs: what a schedule, a sensor or the command line runs for a collection."""

import dagster as dg

# Measuring quality takes several passes over a collection and changes nothing in its graph.
PATH = dg.AssetSelection.all() - dg.AssetSelection.groups("quality") - dg.AssetSelection.assets("collections")

whole_path = dg.define_asset_job(
    "whole_path",
    selection=PATH,
    description="From the files of a collection to the graph and the orphan report.",
)
without_graph = dg.define_asset_job(
    "without_graph",
    selection=PATH - dg.AssetSelection.assets("knowledge_graph"),
    description="The same without writing the graph: tables and gallery only.",
)
evaluate = dg.define_asset_job(
    "evaluate",
    selection=dg.AssetSelection.assets("evaluation"),
    description="Hide the references of a collection, find them again in memory, and say how well that goes.",
)
calibrate = dg.define_asset_job(
    "calibrate",
    selection=dg.AssetSelection.assets("evidence_weights", "calibrators"),
    description="Fit weights and confidence curves on the references of a collection; the next run judges by them.",
)
