import threading
import time
from concurrent.futures import ThreadPoolExecutor

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


def test_a_table_is_read_as_it_was_at_one_moment_while_it_is_replaced(tmp_path):
    store = TableStore(tmp_path)
    few, many = images("a"), images(*(f"{number:064x}" for number in range(500)))
    store.write("images", "manuals", few)
    done = threading.Event()

    def replace() -> None:
        while not done.is_set():
            store.write("images", "manuals", many)
            store.write("images", "manuals", few)

    lengths = set()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(replace)
        try:
            until = time.monotonic() + 1
            while time.monotonic() < until:
                lengths.add(len(store.read("images", "manuals")))
                lazy = store.scan("images", "manuals")
                first, second = len(lazy.collect()), lazy.select(pl.len()).collect().item()
                assert first == second
        finally:
            done.set()
        writing.result()
    assert lengths <= {1, 500}


def test_a_lazy_table_outlives_its_file(tmp_path):
    store = TableStore(tmp_path)
    store.write("images", "manuals", images("a", "b"))
    lazy = store.scan("images", "manuals")
    store.path("images", "manuals").unlink()
    assert lazy.filter(image_id="b").collect()["path"].to_list() == ["b.png"]
    assert len(lazy.collect()) == 2
    assert store.read("images", "manuals").is_empty()
