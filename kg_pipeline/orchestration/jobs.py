"""Jobs: what a schedule, a sensor or the command line runs for a collection."""

import dagster as dg

whole_path = dg.define_asset_job(
    "whole_path",
    selection=dg.AssetSelection.all(),
    description="From the files of a collection to the graph and the orphan report.",
)
without_graph = dg.define_asset_job(
    "without_graph",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets("knowledge_graph"),
    description="The same without writing the graph: tables and gallery only.",
)
