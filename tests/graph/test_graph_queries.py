"""Every query of docs/queries.md, with the parameters of its table, on a graph that has something for each."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from queried_graph import write_queried_graph
from typer.testing import CliRunner

from kg_pipeline.cli import app
from kg_pipeline.commands.parameters import parse_parameters

PAGE = (Path(__file__).parents[2] / "docs" / "queries.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^\| `\$(\w+)` .*`(.*)` \|$", PAGE, re.MULTILINE)
PARAMETERS = parse_parameters([f"{name}={value}" for name, value in EXAMPLES])


@dataclass(frozen=True)
class Query:
    title: str
    when: str
    cypher: str
    columns: list[str]

    @property
    def searches(self) -> bool:
        """Whether it needs a search index."""
        return bool(re.search(r"Needs (full-text|vector) search \(Neo4j\)", self.when))

    def __str__(self) -> str:
        return self.title


def queries() -> list[Query]:
    found = []
    for section in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]:
        match = re.fullmatch(r"(.+?)\n\n(.+?)\n\n```cypher\n(.+?)```\n\n(.+?)\n\n?(?:## .*)?", section, re.DOTALL)
        assert match, f"a query is a title, when to use it, Cypher, and the shape of the result: {section}"
        title, when, cypher, shape = match.groups()
        found.append(Query(title, when, cypher, re.findall(r"`(\w+)`", shape.partition(": ")[2])))
    return found


QUERIES = queries()


@pytest.fixture(scope="module")
def filled(graph_server, tmp_path_factory):
    graph_server.wipe()
    with graph_server.connect() as connection:
        write_queried_graph(connection, tmp_path_factory.mktemp("queries"))
    return graph_server


@pytest.mark.parametrize("query", [query for query in QUERIES if not query.searches], ids=str)
def test_the_query_finds_what_it_says(filled, query):
    assert_finds(filled, query)


@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True, scope="session")
@pytest.mark.parametrize("query", [query for query in QUERIES if query.searches], ids=str)
def test_the_search_finds_what_it_says(filled, query):
    assert_finds(filled, query)


def assert_finds(server, query):
    assert set(re.findall(r"\$(\w+)", query.cypher)) <= PARAMETERS.keys()
    with server.connect() as connection:
        rows = connection.read(query.cypher, **PARAMETERS)
    assert rows
    assert [*rows[0]] == query.columns
    assert len(rows) == len({json.dumps(row, sort_keys=True, default=str) for row in rows})


def test_there_are_twenty_queries_and_they_say_when_to_use_them():
    assert len(QUERIES) >= 20
    assert all(query.when.startswith("When ") for query in QUERIES)
    assert all(query.searches == ("db.index" in query.cypher) for query in QUERIES)


def query_named(title: str) -> str:
    return next(query.cypher for query in QUERIES if query.title == title)


def test_what_the_last_run_changed_is_told_apart(filled):
    with filled.connect() as connection:
        rows = connection.read(query_named("What the last run changed"), **PARAMETERS)
    assert [(row["what"], row["confidence"]) for row in rows] == [("new", 0.55), ("changed", 0.6)]


def test_the_command_line_takes_the_parameters(filled, monkeypatch, tmp_path):
    filled.select(monkeypatch)
    cypher = query_named("What the last run changed")
    parameters = ["--param", "collection=manuals", "--param", "limit=1"]
    result = CliRunner().invoke(
        app, ["graph", "query", cypher, *parameters, "--format", "json", "--home", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    [row] = json.loads(result.stdout)
    assert (row["what"], row["confidence"]) == ("new", 0.55)
    assert row["at"].startswith("20")
