"""`kg-pipeline mcp`: the tools for agents, over standard input and output."""

from kg_pipeline.commands.options import Home, home_folder


def mcp(home: Home = None) -> None:
    """Serve search and pictures as tools of the Model Context Protocol, on standard input and output."""
    from kg_pipeline.retrieval import Library
    from kg_pipeline.serving.mcp import mcp_server

    with Library(home_folder(home)) as library:
        mcp_server(library).run("stdio")
