"""`kg-pipeline mcp`: the tools for agents, over standard input and output."""

from kg_pipeline.commands.options import Home, configured_collections, home_folder


def mcp(home: Home = None) -> None:
    """Serve search and pictures as tools of the Model Context Protocol, on standard input and output."""
    from kg_pipeline.retrieval import open_library
    from kg_pipeline.serving.mcp import mcp_server

    root = home_folder(home)
    with open_library(root, configured_collections(root)) as library:
        mcp_server(library).run("stdio")
