"""`kg-pipeline graph export`: files that hold what the tables want, and a folder that is never somebody else's."""

import csv
import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from graph_content import content
from graph_servers import CACHE, VERSION, running_server
from graph_tables import tables_of
from hostile import NUMBERS, TEXTS, hostile_tables
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kg_pipeline.graph import EXPORTS, GraphError, export_graph, sync, wanted_graph
from kg_pipeline.graph.export.folder import MANIFEST
from kg_pipeline.graph.export.script import literal

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WANTED = wanted_graph("test", tables_of())
JARS = CACHE / f"neo4j-{VERSION}" / "lib"

on_one_server = settings(
    # Not shrunk: each example takes a second on a server.
    max_examples=6,
    phases=(Phase.explicit, Phase.generate),
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened, strict=True))


# --- the folder


@pytest.mark.parametrize("form", EXPORTS)
def test_an_export_replaces_an_earlier_one_whatever_its_format(tmp_path, form):
    folder = tmp_path / "out"
    for before in EXPORTS:
        export_graph("test", WANTED, before, folder, NOW)
    exported = export_graph("test", WANTED, form, folder, NOW)
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {*exported.files, MANIFEST}
    assert all(any(path.iterdir()) for path in folder.rglob("*") if path.is_dir())
    assert json.loads((folder / MANIFEST).read_text())["complete"] is True


@pytest.mark.parametrize("form", EXPORTS)
def test_the_same_tables_give_the_same_bytes(tmp_path, form):
    folders = [tmp_path / "one", tmp_path / "other"]
    files = [export_graph("test", WANTED, form, folder, NOW).files for folder in folders]
    assert files[0] == files[1]
    assert [(folders[0] / name).read_bytes() for name in files[0]] == [
        (folders[1] / name).read_bytes() for name in files[1]
    ]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(GraphError, match="not empty"):
        export_graph("test", WANTED, "parquet", tmp_path, NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(GraphError, match="it is a file"):
        export_graph("test", WANTED, "parquet", tmp_path / "thesis.txt", NOW)


def test_files_that_people_put_beside_an_export_stay_and_no_manifest_reaches_outside(tmp_path):
    folder, outside = tmp_path / "out", tmp_path / "precious.txt"
    outside.write_text("mine")
    export_graph("test", WANTED, "cypher", folder, NOW)
    (folder / "note.txt").write_text("mine too")
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"files": [*manifest["files"], "../precious.txt"]}))
    export_graph("test", WANTED, "parquet", folder, NOW)
    assert outside.exists()
    assert (folder / "note.txt").exists()
    assert not (folder / "graph.cypher").exists()


def test_an_export_that_breaks_off_is_marked_as_incomplete_and_made_good_by_the_next(tmp_path, monkeypatch):
    folder = tmp_path / "out"

    def breaks(self, path, **options):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pl.DataFrame, "write_parquet", breaks)
        with pytest.raises(GraphError, match="No space left"):
            export_graph("test", WANTED, "parquet", folder, NOW)
    assert json.loads((folder / MANIFEST).read_text())["complete"] is False
    assert not list(folder.rglob("*.parquet"))
    export_graph("test", WANTED, "parquet", folder, NOW)
    assert json.loads((folder / MANIFEST).read_text())["complete"] is True


def test_the_command_needs_no_server(knowledge_base, monkeypatch, tmp_path):
    assert knowledge_base.run("--no-graph").exit_code == 0
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    for form in EXPORTS:
        options = ("--collection", "kb", "--format", form, "--output", str(tmp_path / form))
        result = knowledge_base.command("graph", "export", *options)
        assert result.exit_code == 0, result.output
    assert pl.read_parquet(tmp_path / "parquet" / "nodes" / "Image.parquet").height == 4
    assert len(rows_of(tmp_path / "csv" / "nodes" / "Image.csv")) == 4


# --- Parquet


@settings(max_examples=50)
@given(st.lists(TEXTS, max_size=4))
def test_parquet_holds_the_wanted_graph(tmp_path_factory, texts):
    wanted, folder = wanted_graph("test", hostile_tables(texts)), tmp_path_factory.mktemp("out") / "parquet"
    export_graph("test", wanted, "parquet", folder, NOW)
    for kind, parts in (("nodes", wanted.nodes), ("relationships", wanted.edges)):
        for name, rows in parts.items():
            assert pl.read_parquet(folder / kind / f"{name}.parquet").equals(rows)


# --- CSV


@settings(max_examples=50)
@given(st.lists(TEXTS, max_size=4), NUMBERS)
def test_csv_is_parsed_back_to_the_wanted_graph(tmp_path_factory, texts, number):
    wanted, folder = wanted_graph("test", hostile_tables(texts, number)), tmp_path_factory.mktemp("out") / "csv"
    try:
        export_graph("test", wanted, "csv", folder, NOW)
    except GraphError:
        assert all(any(delimiter in text for text in texts) for delimiter in ";|\x1f\x1e\x1d")
        return
    [option] = [part for part in (folder / "import.sh").read_text().split() if part.startswith("--array-delimiter=")]
    name = option.partition("=")[2].strip("'")
    between = chr(int(name[2:], 16)) if name.startswith("U+") else name

    def cell(value, kind):
        if value is None:
            return ""
        if kind == "string[]":
            return between.join(value)
        return f"{value}" if isinstance(value, str | int) else value

    for label, rows in wanted.nodes.items():
        found = rows_of(folder / "nodes" / f"{label}.csv")
        for row, expected in zip(found, rows.to_dicts(), strict=True):
            assert row.pop(f"id:ID({label})") == expected.pop("id")
            assert row.pop(":LABEL").split(between)[0] == label
            kinds = {key.split(":")[0]: key for key in row}
            for key, value in expected.items():
                assert row[kinds[key]] == cell(value, kinds[key].split(":")[1]), key
    evidence = rows_of(folder / "relationships" / "HAS_VISUAL_EVIDENCE.Chunk-Image.csv")
    chunks = wanted.edges["HAS_VISUAL_EVIDENCE"].filter(start_label="Chunk").to_dicts()
    for row, expected in zip(evidence, chunks, strict=True):
        assert (row[":START_ID(Chunk)"], row[":END_ID(Image)"]) == (expected["start"], expected["end"])
        assert row["reason:string"] == (expected["reason"] or "")
        assert (float(row["log_odds:double"]) if row["log_odds:double"] else None) == expected["log_odds"]


def test_nothing_and_an_empty_text_are_told_apart_and_numbers_keep_their_digits(tmp_path):
    tables = tables_of(concepts=("Pump", "Valve"))
    tables["concepts"] = tables["concepts"].with_columns(description=pl.Series([None, ""]))
    tables["visual_evidence"] = tables["visual_evidence"].with_columns(log_odds=float("inf"), confidence=0.9)
    export_graph("test", wanted_graph("test", tables), "csv", tmp_path, NOW)
    concepts = (tmp_path / "nodes" / "Concept.csv").read_text()
    assert ',"",,"kg-pipeline"' in concepts
    assert ',"","","kg-pipeline"' in concepts
    [row, *_] = rows_of(tmp_path / "relationships" / "ILLUSTRATES.Image-Concept.csv")
    assert (row["log_odds:double"], row["confidence:double"]) == ("Infinity", "0.9")


def test_relationships_to_foreign_nodes_are_counted_and_left_out_of_csv(tmp_path):
    tables = tables_of()
    tables["concepts"] = tables["concepts"].with_columns(
        owned=False, node_label=pl.lit("Product"), key_property=pl.lit("sku"), key_value=pl.lit("17")
    )
    wanted = wanted_graph("test", tables)
    assert export_graph("test", wanted, "csv", tmp_path / "csv", NOW).left_out == 4
    assert export_graph("test", wanted, "cypher", tmp_path / "cypher", NOW).left_out == 0
    assert "a.sku IN r[0]" in (tmp_path / "cypher" / "graph.cypher").read_text()


@pytest.mark.soak
@pytest.mark.skipif(not JARS.is_dir() or not shutil.which("java"), reason=f"no Neo4j jars in {JARS}, or no java")
def test_neo4j_admin_imports_what_a_sync_writes(tmp_path):
    texts = ["a;b", "\\", 'q"', "x\ny\r\nz", "\\u0041", "图像 😀", " padded ", "", "long " * 250_000]
    wanted = wanted_graph("test", hostile_tables(texts, -1.5e-7))
    export_graph("test", wanted, "csv", tmp_path / "csv", NOW)
    home = tmp_path / "neo4j"
    for name in ("conf", "data"):
        (home / name).mkdir(parents=True)
    (home / "conf" / "neo4j.conf").touch()
    admin = tmp_path / "neo4j-admin"
    opened = "--add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/sun.nio.ch=ALL-UNNAMED"
    admin.write_text(
        f"#!/bin/sh\nexec java {opened} --add-modules=jdk.incubator.vector -cp '{JARS}/*' "
        'org.neo4j.cli.AdminTool "$@"\n'
    )
    admin.chmod(0o755)
    path = f"{Path(shutil.which('java')).parent}:/usr/bin:/bin"
    places = {"NEO4J_ADMIN": str(admin), "NEO4J_HOME": str(home), "NEO4J_CONF": str(home / "conf")}
    command = ["sh", tmp_path / "csv" / "import.sh"]
    done = subprocess.run(command, check=False, env={"PATH": path, **places}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    with running_server("neo4j", home) as server:
        imported = content(server)
        with server.connect() as connection:
            assert sync(connection, "test", wanted, home=tmp_path / "home").writes == 0
        server.wipe()
        with server.connect() as connection:
            sync(connection, "test", wanted, home=tmp_path / "other")
        assert imported == content(server)


# --- Cypher


def run_script(server, file: Path) -> None:
    with server.connect() as connection:
        for statement in file.read_text(encoding="utf-8").split(";\n"):
            if statement:
                connection.run(statement)


@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
@given(values=st.lists(TEXTS | st.text(max_size=5) | NUMBERS | st.integers(-(2**63), 2**63 - 1), max_size=30))
@on_one_server
def test_a_literal_is_read_as_its_value(graph_server, values):
    with graph_server.connect() as connection:
        [row] = connection.read(f"RETURN {literal(values)} AS found")
        assert row["found"] == values


@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
@given(texts=st.lists(TEXTS, max_size=4), number=NUMBERS)
@on_one_server
def test_the_script_makes_the_graph_that_a_sync_makes(graph_server, tmp_path_factory, texts, number):
    folder = tmp_path_factory.mktemp("script")
    wanted = wanted_graph("test", hostile_tables(texts, number))
    graph_server.wipe()
    with graph_server.connect() as connection:
        sync(connection, "test", wanted, home=folder / "home")
    synced = content(graph_server)
    graph_server.wipe()
    export_graph("test", wanted, "cypher", folder / "out", NOW)
    run_script(graph_server, folder / "out" / "graph.cypher")
    assert content(graph_server) == synced
    with graph_server.connect() as connection:
        assert sync(connection, "test", wanted, home=folder / "other").writes == 0


def test_times_lists_and_what_is_not_a_number_have_literals_and_other_things_are_refused():
    assert literal(NOW) == "datetime('2026-01-02T03:04:05.000Z')"
    assert literal([float("inf"), float("-inf"), float("nan"), True, None]) == (
        "[(1.0 / 0.0), (-1.0 / 0.0), (0.0 / 0.0), true, null]"
    )
    assert literal({"a": None, "b": "it's"}) == "{b: 'it\\'s'}"
    with pytest.raises(GraphError, match="bytes"):
        literal(b"x")
