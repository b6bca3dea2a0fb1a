import polars as pl
import pytest
from graph_tables import tables_of
from hypothesis import given, settings
from hypothesis import strategies as st

from kg_pipeline.graph import Graph, GraphError, batching, check_mass_delete, plan, wanted_graph
from kg_pipeline.graph.batching import batches
from kg_pipeline.graph.model import ENDS, RELATIONSHIPS, SYNCED_NODES
from kg_pipeline.graph.planning import FREE_DELETES, applied, key_columns

TEXTS = st.sampled_from(["", "a", "b", "new\nline", "😀"])
VALUES = {
    pl.String: st.none() | TEXTS,
    pl.Int64: st.none() | st.integers(-3, 3),
    pl.Float64: st.none() | st.floats(-1, 1).map(lambda value: round(value, 4)),
    pl.List: st.none() | st.lists(TEXTS, max_size=2),
    pl.Datetime: st.none() | st.datetimes().map(lambda value: value.replace(microsecond=0, fold=0)),
}


@st.composite
def frames(draw, name):
    schema = SYNCED_NODES[name].schema if name in SYNCED_NODES else RELATIONSHIPS[name].schema
    key = key_columns(name)
    columns = {
        column: VALUES[dtype.base_type()] if column not in {*key, *ENDS} else _key_values(dtype)
        for column, dtype in schema.items()
    }
    rows = draw(st.lists(st.fixed_dictionaries(columns), max_size=5))
    naive = {name: pl.Datetime("ms") if isinstance(dtype, pl.Datetime) else dtype for name, dtype in schema.items()}
    frame = pl.DataFrame(rows, schema=naive).with_columns(pl.selectors.datetime().dt.replace_time_zone("UTC"))
    return frame.unique(key, keep="first", maintain_order=True)


def test_a_node_that_somebody_doubled_is_compared_and_not_deleted():
    wanted = wanted_graph("test", tables_of())
    chunks = wanted.nodes["Chunk"]
    doubled = pl.concat([chunks, chunks.head(1).with_columns(text=pl.lit("other"))])
    planned = plan(Graph.of({**wanted.nodes, "Chunk": doubled}, wanted.edges), wanted)
    assert planned.deletes.size == 0
    assert planned.new.size == 0
    assert planned.changed.size <= 1


def _key_values(dtype):
    return st.integers(0, 2) if dtype == pl.Int64 else st.sampled_from(["a", "b", "c"])


@st.composite
def graphs(draw):
    parts = {name: draw(frames(name)) for name in (*SYNCED_NODES, *RELATIONSHIPS)}
    return Graph.of(parts, parts)


@settings(max_examples=50)
@given(graphs(), graphs())
def test_applying_the_plan_to_what_was_there_gives_what_is_wanted(last, wanted):
    planned = plan(last, wanted)
    assert applied(last, planned).equals(wanted)
    assert applied(last, planned).fingerprint() == wanted.fingerprint()
    assert plan(wanted, wanted).empty
    # Neither rewritten unchanged nor deleted and written again.
    before, wished = dict(last.parts()), dict(wanted.parts())
    deletes, new = dict(planned.deletes.parts()), dict(planned.new.parts())
    for name, changed in planned.changed.parts():
        key = key_columns(name)
        assert new[name].equals(wished[name].join(before[name], on=key, how="anti").sort(key))
        assert changed.join(before[name], on=key, how="anti").is_empty()
        assert changed.join(before[name], on=changed.columns, how="semi", nulls_equal=True).is_empty()
        assert deletes[name].equals(before[name].join(wished[name], on=key, how="anti").sort(key))


@settings(max_examples=20)
@given(graphs(), graphs())
def test_rewriting_writes_every_wanted_row_once(last, wanted):
    planned = plan(last, wanted).rewriting(wanted)
    new, changed = dict(planned.new.parts()), dict(planned.changed.parts())
    for name, rows in wanted.parts():
        assert pl.concat([new[name], changed[name]]).sort(key_columns(name)).equals(rows)
    assert applied(last, planned).equals(wanted)


@settings(max_examples=50)
@given(graphs(), graphs())
def test_without_deletes_all_that_was_there_stays_but_what_people_reject(last, wanted):
    kept = applied(last, plan(last, wanted).without_deletes())
    after = dict(kept.parts())
    # Only a pair that a person rejects loses its edge.
    rejected = wanted.edges["REJECTED_EVIDENCE"].select("start", "end")
    rejected = pl.concat([rejected, rejected.select(start="end", end="start")])
    for name, frame in (*last.parts(), *wanted.parts()):
        gone = frame.join(after[name], on=key_columns(name), how="anti")
        if name in {"HAS_VISUAL_EVIDENCE", "ILLUSTRATES"}:
            gone = gone.join(rejected, on=["start", "end"], how="anti")
        assert gone.is_empty()


@given(st.lists(st.text(max_size=30), max_size=30), st.integers(1, 7), st.integers(1, 500))
def test_batches_cover_all_rows_in_order_within_the_limits(texts, max_rows, max_bytes):
    rows = pl.DataFrame({"id": texts}, schema={"id": pl.String})
    found = list(batches(rows, max_rows, max_bytes))
    assert [value for batch in found for value in batch["id"]] == texts
    assert all(0 < batch.height <= max_rows for batch in found)
    assert all(sum(100 + len(t.encode()) for t in batch["id"]) <= max_bytes for batch in found if batch.height > 1)


def test_groups_of_a_round_share_no_node_and_the_rounds_have_every_row(monkeypatch):
    monkeypatch.setattr(batching, "PARALLEL_ROWS", 1)
    starts = [f"c{n}" for n in range(200)]
    rows = pl.DataFrame({"start": [*starts, *["c0"] * 200], "end": [*["i0"] * 200, *(f"i{n}" for n in range(200))]})
    found = list(batching.rounds(rows, ("Chunk", "id", "Image", "id")))
    assert len(found) == batching.WRITERS
    for groups in found:
        for side in ("start", "end"):
            nodes = [node for group in groups for node in group[side].unique()]
            assert len(nodes) == len(set(nodes))
    together = pl.concat([group for groups in found for group in groups])
    assert together.sort("start", "end").equals(rows.sort("start", "end"))
    [[whole]] = batching.rounds(rows, ("Chunk", "id", "Chunk", "id"))
    assert whole.equals(rows)


def images(number):
    return wanted_graph("test", tables_of(images=tuple(f"image{n}" for n in range(number)), references=(), rejected=()))


def test_the_guard_lets_few_rows_go_and_stops_many():
    few, many = images(FREE_DELETES), images(3 * FREE_DELETES)
    nothing = wanted_graph("test", {})
    without_edges = Graph.of(few.nodes, {})
    check_mass_delete(plan(without_edges, nothing), without_edges)
    check_mass_delete(plan(many, images(2 * FREE_DELETES)), many)
    with pytest.raises(GraphError, match="60 of 60 Image"):
        check_mass_delete(plan(many, nothing), many)
    check_mass_delete(plan(many, nothing), many, allowed=True)
    check_mass_delete(plan(many, nothing), many, max_share=1.0)


def test_the_fingerprint_is_of_the_content():
    tables = tables_of()
    shuffled = {name: frame.sample(fraction=1, shuffle=True, seed=1) for name, frame in tables.items()}
    shuffled["references"] = tables["references"]
    assert wanted_graph("test", tables).fingerprint() == wanted_graph("test", shuffled).fingerprint()
    assert wanted_graph("test", tables).fingerprint() != wanted_graph("other", tables).fingerprint()
