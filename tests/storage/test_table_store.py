import polars as pl
import pytest

from kg_pipeline.storage import MissingTableError, StorageError, TableStore
from kg_pipeline.tables import TABLES, TableError


def images(*ids: str) -> pl.DataFrame:
    return TABLES["images"].rows([{"image_id": image_id, "path": f"{image_id}.png"} for image_id in ids])


def test_what_is_written_is_read_back_sorted_by_key(tmp_path):
    store = TableStore(tmp_path)
    store.write("images", "manuals", images("b", "a"))
    assert store.scan("images", "manuals").collect()["image_id"].to_list() == ["a", "b"]
    assert store.collections("images") == ["manuals"]


def test_the_same_rows_in_another_order_give_the_same_bytes(tmp_path):
    store = TableStore(tmp_path)
    store.write("images", "one", images("b", "a"))
    store.write("images", "two", images("a", "b"))
    assert store.path("images", "one").read_bytes() == store.path("images", "two").read_bytes()


def test_a_refused_write_keeps_the_last_good_table(tmp_path):
    store = TableStore(tmp_path)
    store.write("images", "manuals", images("a"))
    with pytest.raises(TableError, match="share a key"):
        store.write("images", "manuals", pl.concat([images("b"), images("b")]))
    with pytest.raises(TableError, match="unknown columns"):
        store.write("images", "manuals", images("b").with_columns(x=1))
    assert store.read("images", "manuals")["image_id"].to_list() == ["a"]
    assert [path.name for path in (tmp_path / "tables" / "images").iterdir()] == ["manuals.parquet"]


def test_a_table_that_was_never_written_says_what_to_do(tmp_path):
    store = TableStore(tmp_path)
    with pytest.raises(MissingTableError, match="kg-pipeline run"):
        store.scan("images", "manuals")
    with pytest.raises(StorageError, match="there is no table 'pictures'"):
        store.scan("pictures", "manuals")
