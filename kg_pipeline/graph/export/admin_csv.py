"""Export for `neo4j-admin database import full`: CSV files with typed headers, and the script that imports them.

Format: https://neo4j.com/docs/operations-manual/5/tools/neo4j-admin/neo4j-admin-import/
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TextIO

import polars as pl

from kg_pipeline.graph.errors import GraphError
from kg_pipeline.graph.export.folder import ExportFolder
from kg_pipeline.graph.frames import Ends, Graph, end_kinds
from kg_pipeline.graph.model import (
    FLOAT,
    INT,
    MARKER,
    MODEL_VERSION,
    NODES,
    RELATIONSHIPS,
    TEXT,
    TEXTS,
    TIME,
    VECTOR,
    NodeType,
    RelationshipType,
    constraints,
    is_foreign,
)
from kg_pipeline.graph.names import Names
from kg_pipeline.progress import progress

# `int` and `float` are 32 bits there: 0.9 would come back as 0.8999999761581421.
TYPES = {TEXT: "string", INT: "long", FLOAT: "double", TIME: "datetime", TEXTS: "string[]", VECTOR: "double[]"}

# Elements of a list cannot be quoted, so what stands between them must stand in none. Name for the tool, character.
DELIMITERS = (("';'", ";"), ("'|'", "|"), ("'U+001F'", "\x1f"), ("'U+001E'", "\x1e"), ("'U+001D'", "\x1d"))

# A field larger than this buffer is refused; 4 MiB is the tool's own size.
BUFFER_BYTES = 4 << 20

GENERATION = 1
CONSTRAINTS, SCRIPT = "constraints.cypher", "import.sh"

IMPORT = """\
#!/bin/sh
# Imports collection {collection} into a NEW database of a Neo4j 5 or later that does not run:
#   sh {script} [DATABASE] [more options of neo4j-admin database import full]
# Then start the server and run {constraints} with cypher-shell.
cd "$(dirname "$0")" || exit
database="${{1:-neo4j}}"
[ $# -gt 0 ] && shift
exec "${{NEO4J_ADMIN:-neo4j-admin}}" database import full "$database" \\
  --id-type=string --multiline-fields=true --array-delimiter={delimiter} --read-buffer-size={buffer} \\
{files} "$@"
"""


def write_admin_csv(folder: ExportFolder, collection: str, graph: Graph, names: Names, now: datetime) -> int:
    """`nodes/<label>.csv`, `relationships/<type>.<start>-<end>.csv`, `constraints.cypher`, `import.sh`.

    An id space per label. Returns the number of relationships to foreign nodes, which an import cannot match and which
    are left out. Raises GraphError when no delimiter is left for lists.
    """
    delimiter, between = _delimiter(graph)
    stamps = {"generation": pl.lit(GENERATION, INT), "first_seen": pl.lit(now, TIME)}
    advance, done, largest = progress("exporting the graph", graph.size), 0, 0
    arguments, left_out = [], 0

    def write(file: str, frame: pl.DataFrame, header: list[str]) -> None:
        nonlocal done, largest
        with folder.writing(file) as beside, beside.open("w", encoding="utf-8", newline="") as opened:
            opened.write(",".join(header) + "\n")
            largest = max(largest, _write_rows(opened, frame, between))
        done += frame.height
        advance(done)

    nodes = {**graph.nodes, "Collection": _collection(collection, graph, names, now)}
    for label, rows in nodes.items():
        if rows.height:
            frame, header = _node_columns(NODES[label], rows, collection, stamps, now)
            labels = between.join((names[label], *NODES[label].extra_labels))
            file = f"nodes/{names[label]}.csv"
            write(file, frame.with_columns(pl.lit(labels)), header)
            arguments.append(f"  --nodes={file}")
    for type_, rows in graph.edges.items():
        for ends in end_kinds(rows):
            same = _between(rows, ends)
            if is_foreign(*ends[:2]) or is_foreign(*ends[2:]):
                left_out += same.height
                continue
            file = f"relationships/{names[type_]}.{names[ends[0]]}-{names[ends[2]]}.csv"
            write(file, *_edge_columns(names[type_], RELATIONSHIPS[type_], ends, same, collection, stamps))
            arguments.append(f"  --relationships={file}")
    with folder.writing(CONSTRAINTS) as beside:
        beside.write_text(
            "".join(f"{constraint};\n" for constraint in constraints(names[label] for label in NODES)), encoding="utf-8"
        )
    text = IMPORT.format(
        collection=collection,
        script=SCRIPT,
        constraints=CONSTRAINTS,
        delimiter=delimiter,
        buffer=max(BUFFER_BYTES, 2 * largest),
        files=" \\\n".join(arguments),
    )
    with folder.writing(SCRIPT) as beside:
        beside.write_text(text, encoding="utf-8")
    return left_out


def _node_columns(
    node: NodeType, rows: pl.DataFrame, collection: str, stamps: dict[str, pl.Expr], now: datetime
) -> tuple[pl.DataFrame, list[str]]:
    """What a sync stores of a node, and its header; the column :LABEL is added last."""
    owner = {"managed_by": pl.lit(MARKER)} if node.shared else {"collection": pl.lit(collection), **stamps}
    owner = {**owner, "first_seen": stamps["first_seen"], **dict.fromkeys(node.stamped, pl.lit(now, TIME))}
    frame = rows.with_columns(**owner) if node.synced else rows
    typed = [f"{name}:{TYPES[dtype]}" for name, dtype in frame.schema.items() if name != "id"]
    return frame.select("id", pl.exclude("id")), [f"id:ID({node.label})", *typed, ":LABEL"]


def _edge_columns(
    type_: str, edge: RelationshipType, ends: Ends, rows: pl.DataFrame, collection: str, stamps: dict[str, pl.Expr]
) -> tuple[pl.DataFrame, list[str]]:
    frame = rows.select(
        "start", "end", pl.lit(type_).alias("type"), *edge.properties, pl.lit(collection).alias("collection")
    ).with_columns(**stamps)
    typed = [f"{name}:{TYPES[dtype]}" for name, dtype in list(frame.schema.items())[3:]]
    return frame, [f":START_ID({ends[0]})", f":END_ID({ends[2]})", ":TYPE", *typed]


def _collection(collection: str, graph: Graph, names: Names, now: datetime) -> pl.DataFrame:
    """The Collection node as after a completed sync, so that the next one reads the graph back and goes on."""
    rows = {
        "id": collection,
        "managed_by": MARKER,
        "collection": collection,
        "generation": GENERATION,
        "claimed": GENERATION,
        "input_hash": graph.fingerprint(),
        "model": MODEL_VERSION,
    }
    times = {"completed_at": pl.lit(now, TIME), "first_seen": pl.lit(now, TIME)}
    # Nothing ends at a foreign node: such relationships are left out.
    renamed = [f"{ours}={theirs}" for ours, theirs in names.renamed]
    lists = {"foreign_ends": pl.lit([], TEXTS), "names": pl.lit(renamed or None, TEXTS)}
    return pl.DataFrame([rows]).with_columns(**times, **lists)


def _between(rows: pl.DataFrame, ends: Ends) -> pl.DataFrame:
    start_label, start_key, end_label, end_key = ends
    return rows.filter(start_label=start_label, start_key=start_key, end_label=end_label, end_key=end_key)


def _delimiter(graph: Graph) -> tuple[str, str]:
    lists = [
        frame[name].explode().drop_nulls()
        for _, frame in graph.parts()
        for name, dtype in frame.schema.items()
        if dtype == TEXTS
    ]
    for name, character in DELIMITERS:
        if not any(texts.str.contains(character, literal=True).any() for texts in lists):
            return name, character
    raise GraphError(
        "the graph has lists (aliases, paths, strategies) whose texts contain all of the characters that could stand "
        "between the elements in CSV: export as cypher or parquet"
    )


def _write_rows(opened: TextIO, frame: pl.DataFrame, between: str) -> int:
    """Rows as CSV: null is nothing, an empty text is "". Returns the bytes of the largest row, about."""
    flat = frame.select(_cell(name, dtype, between) for name, dtype in frame.schema.items())
    largest = 0
    for batch in _slices(flat):
        # Every text is quoted: an empty cell without quotes is null to the tool.
        opened.write(batch.write_csv(include_header=False, quote_style="non_numeric"))
        sizes = batch.select(pl.sum_horizontal(pl.col(pl.String).str.len_bytes()).max()).item()
        largest = max(largest, sizes or 0)
    return largest


def _slices(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    return frame.iter_slices(10_000)


def _cell(name: str, dtype: pl.DataType, between: str) -> pl.Expr:
    column = pl.col(name)
    if dtype == TEXTS:
        return column.list.join(between)
    if dtype == VECTOR:
        return column.cast(pl.List(pl.Float64)).cast(TEXTS).list.join(between)
    if dtype == TIME:
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    if dtype == FLOAT:
        # As Java spells it.
        return column.cast(pl.String).str.replace("inf", "Infinity")
    return column
