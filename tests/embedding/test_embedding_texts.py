import numpy as np
import polars as pl
import pytest

from kg_pipeline.embedding import EmbeddingCache, EmbeddingError, dimensions_of, embed_texts, texts
from kg_pipeline.ids import sha256_text
from kg_pipeline.tables import TABLES


class Counting:
    """Puts the text's length into the first of three numbers, and remembers what it was asked."""

    def __init__(self, name="one", dimensions=3, fails_at=None):
        self.fingerprint, self.dimensions, self.fails_at = name, dimensions, fails_at
        self.asked = []

    def embed(self, given):
        if self.fails_at in given:
            raise EmbeddingError("the server is away")
        self.asked += given
        vectors = np.ones((len(given), self.dimensions), np.float32)
        vectors[:, 0] = [len(text) for text in given]
        vectors[[text == "refused" for text in given]] = np.nan
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def cache(tmp_path):
    return EmbeddingCache(tmp_path / "cache")


def frame(*given):
    return pl.DataFrame({"text_sha256": [sha256_text(text) for text in given], "text": given})


def test_a_text_is_sent_once_however_often_it_stands_and_however_often_it_is_run(cache):
    model = Counting()
    first, report = embed_texts(model, cache, frame("a", "bb", "a", "  ", ""))
    assert (report.embedded, report.cache_hits, report.refused) == (2, 0, 0)
    assert first["text_sha256"].to_list() == sorted([sha256_text("a"), sha256_text("bb")])
    again, report = embed_texts(model, cache, frame("bb", "a"))
    assert (report.embedded, report.cache_hits) == (0, 2)
    assert again.equals(first)
    assert sorted(model.asked) == ["a", "bb"]
    embed_texts(Counting("other"), cache, frame("a"))
    assert embed_texts(model, cache, frame("a", "c"))[1].embedded == 1


def test_numbers_are_rounded_so_that_noise_changes_no_row(cache):
    table, _ = embed_texts(Counting(), cache, frame("a" * 7))
    assert table["vector"].to_list() == [pytest.approx([0.9802, 0.14, 0.14], abs=1e-6)]
    assert table.schema == TABLES["embeddings"].schema
    assert dimensions_of(table) == 3
    assert dimensions_of(TABLES["embeddings"].empty()) is None


def test_a_refused_text_is_a_row_with_the_reason(cache):
    table, report = embed_texts(Counting(), cache, frame("refused", "b"))
    [row] = table.filter(pl.col("vector").is_null()).to_dicts()
    assert row["text_sha256"] == sha256_text("refused")
    assert "too long" in row["error"]
    assert report.refused == 1
    assert embed_texts(Counting(), cache, frame("refused", "b"))[1].cache_hits == 1


def test_what_was_paid_for_before_an_error_is_not_asked_again(cache, monkeypatch):
    monkeypatch.setattr(texts, "STORED_TEXTS", 2)
    all_texts = frame("1", "22", "333", "4444", "55555")
    with pytest.raises(EmbeddingError, match="away"):
        embed_texts(Counting(fails_at="4444"), cache, all_texts)
    model = Counting()
    table, report = embed_texts(model, cache, all_texts)
    assert (report.cache_hits, model.asked, table.height) == (2, ["333", "4444", "55555"], 5)


def test_another_model_behind_the_same_name_is_found_out(cache):
    embed_texts(Counting(), cache, frame("a"))
    with pytest.raises(EmbeddingError, match=r"\[3, 5\] dimensions: the model behind that name was replaced"):
        embed_texts(Counting(dimensions=5), cache, frame("a", "b"))
