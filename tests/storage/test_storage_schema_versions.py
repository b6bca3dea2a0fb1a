"""A HOME that an older or a newer version of the program wrote."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from knowledge_base import KnowledgeBase

from kg_pipeline.storage import SchemaError, StorageError, TableStore, outdated, schema_versions, upgrade_home
from kg_pipeline.tables import SCHEMA_VERSION, TABLES

VERDICT = {"image_id": "i", "text_kind": "chunk", "document_id": "d", "text_sha256": "t", "verdict": "accepted"}


def rewrite(path: Path, *, version: int | None, drop: tuple[str, ...] = (), **columns: pl.Expr) -> None:
    """The file as a program of another version would have written it."""
    frame = pl.read_parquet(path).drop(drop).with_columns(**columns)
    frame.write_parquet(path, metadata={} if version is None else {"kg_pipeline.schema": str(version)})


@pytest.fixture
def store(tmp_path: Path) -> TableStore:
    store = TableStore(tmp_path)
    store.write("images", "kb", TABLES["images"].rows([{"image_id": "a", "path": "a.png", "role": "content"}]))
    store.write("verdicts", "kb", TABLES["verdicts"].rows([VERDICT]))
    return store


def test_every_file_says_which_schema_it_is_of(store):
    assert schema_versions.version_of(store.path("images", "kb")) == SCHEMA_VERSION
    assert outdated(store.home) == []


def test_a_column_that_was_added_since_reads_as_null_with_its_type(store):
    rewrite(store.path("images", "kb"), version=None, drop=("perceptual_hash", "frames"))
    rows = store.scan("images", "kb").collect()
    assert rows.schema == TABLES["images"].schema
    assert rows.row(0, named=True) | {"perceptual_hash": None, "frames": None} == rows.row(0, named=True)
    assert rows["path"].to_list() == ["a.png"]


def test_a_column_that_is_gone_is_left_out(store):
    rewrite(store.path("images", "kb"), version=0, colour=pl.lit("red"))
    assert store.read("images", "kb").schema == TABLES["images"].schema


def test_a_feature_that_was_added_since_reads_as_null_in_its_struct(store):
    pair = {"image_id": "a", "text_kind": "chunk", "text_id": "t", "text_sha256": "t", "position": 1}
    store.write("candidate_pairs", "kb", TABLES["candidate_pairs"].rows([pair | {"features": {"ocr_body": 0.5}}]))
    before = store.read("candidate_pairs", "kb")
    fewer = pl.struct(pl.col("features").struct.field("name_body"), pl.col("features").struct.field("ocr_body"))
    rewrite(store.path("candidate_pairs", "kb"), version=0, features=fewer)
    assert store.read("candidate_pairs", "kb").equals(before)
    [done] = upgrade_home(store.home)
    assert done.done == "rewritten"
    assert store.read("candidate_pairs", "kb").equals(before)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"drop": ("role",)}, "lacks role"), ({"width": pl.lit("12")}, "has another type of width")],
    ids=["a column that null cannot stand for", "another type"],
)
def test_an_older_table_that_cannot_be_read_says_which_and_what_to_run(store, changes, said):
    rewrite(store.path("images", "kb"), version=0, **changes)
    with pytest.raises(SchemaError, match=f"table images .* schema 0 and {said}.*`kg-pipeline upgrade`"):
        store.scan("images", "kb")


def test_a_newer_table_is_neither_read_nor_replaced(store):
    path = store.path("images", "kb")
    rewrite(path, version=SCHEMA_VERSION + 1)
    before = path.read_bytes()
    with pytest.raises(SchemaError, match=r"newer kg-pipeline .* update"):
        store.scan("images", "kb")
    with pytest.raises(SchemaError, match="newer"):
        store.write("images", "kb", TABLES["images"].empty())
    with pytest.raises(SchemaError, match="newer"):
        list(upgrade_home(store.home))
    assert path.read_bytes() == before


def test_a_damaged_table_says_so_and_is_mended_by_the_next_write(store):
    store.path("images", "kb").write_bytes(b"PAR1 no")
    with pytest.raises(StorageError, match=r"cannot be read .* remove it"):
        store.scan("images", "kb")
    store.write("images", "kb", TABLES["images"].empty())
    assert store.read("images", "kb").is_empty()


def test_an_upgrade_rewrites_what_it_can_and_sets_aside_what_a_run_makes_again(store):
    rewrite(store.path("images", "kb"), version=0, drop=("role",))
    rewrite(store.path("verdicts", "kb"), version=0, drop=("by",))
    done = [(upgrade.table, upgrade.version, upgrade.done) for upgrade in upgrade_home(store.home)]
    assert done == [("images", 0, "set aside"), ("verdicts", 0, "rewritten")]
    assert not store.exists("images", "kb")
    assert store.path("images", "kb").with_name("kb.parquet.schema-0").exists()
    assert pl.read_parquet(store.path("verdicts", "kb")).schema == TABLES["verdicts"].schema
    assert list(upgrade_home(store.home)) == []


def test_what_people_said_is_never_set_aside(store):
    rewrite(store.path("images", "kb"), version=0, drop=("frames",))
    rewrite(store.path("verdicts", "kb"), version=0, drop=("verdict",))
    before = store.path("images", "kb").read_bytes()
    with pytest.raises(SchemaError, match=r"table verdicts .*keep the file and go back to the version"):
        list(upgrade_home(store.home))
    assert store.path("verdicts", "kb").exists()
    assert store.path("images", "kb").read_bytes() == before, "nothing is begun that cannot be ended"


def test_a_step_renames_a_column_of_an_older_file(store, monkeypatch):
    rewrite(store.path("verdicts", "kb"), version=0, drop=("verdict",), word=pl.lit("rejected"))
    step = {"verdicts": {1: lambda frame: frame.rename({"word": "verdict"})}}
    monkeypatch.setattr(schema_versions, "STEPS", step)
    assert store.read("verdicts", "kb")["verdict"].to_list() == ["rejected"]
    list(upgrade_home(store.home))
    monkeypatch.undo()
    assert store.read("verdicts", "kb")["verdict"].to_list() == ["rejected"]


KILLED = """
import os, signal, sys
from pathlib import Path
from kg_pipeline.storage import table_store, upgrade_home

writes = 0
inner = table_store.pl.DataFrame.write_parquet
def write(frame, path, **options):
    global writes
    writes += 1
    if writes == 3:  # half a file, and gone
        Path(path).write_bytes(b"PAR1 half")
        os.kill(os.getpid(), signal.SIGKILL)
    inner(frame, path, **options)
table_store.pl.DataFrame.write_parquet = write
list(upgrade_home(Path(sys.argv[1])))
"""


def test_an_upgrade_that_is_killed_leaves_every_table_readable_and_is_run_again(store):
    for name in "abcdef":
        store.write("verdicts", name, TABLES["verdicts"].rows([VERDICT | {"by": name}]))
        rewrite(store.path("verdicts", name), version=0, drop=("at",))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(store.home)], env={**os.environ}, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(outdated(store.home)) == 4
    assert [store.read("verdicts", name)["by"].item() for name in "abcdef"] == list("abcdef")
    assert len(list(upgrade_home(store.home))) == 4
    assert outdated(store.home) == []
    assert [store.read("verdicts", name)["by"].item() for name in "abcdef"] == list("abcdef")


def test_the_command_says_what_it_did(store, knowledge_base: KnowledgeBase):
    rewrite(store.path("images", "kb"), version=None, drop=("frames",))
    first, second = (" ".join(knowledge_base.command("upgrade", home=store.home).output.split()) for _ in range(2))
    assert "images of kb: schema 0, rewritten" in first
    assert "0 tables changed" in second


@pytest.mark.soak
def test_a_run_on_an_older_home_ends_as_one_on_a_new_one(knowledge_base: KnowledgeBase):
    assert knowledge_base.run("--no-graph").exit_code == 0
    fresh = knowledge_base.table_files()
    for path in (knowledge_base.home / "tables").rglob("*.parquet"):
        table = TABLES[path.parent.name]
        optional = [name for name in table.schema if name not in table.required]
        rewrite(path, version=None, drop=tuple(optional[-1:]))
    assert knowledge_base.run("--no-graph").exit_code == 0
    assert knowledge_base.table_files() == fresh
