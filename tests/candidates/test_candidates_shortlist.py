from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from small_corpus import image_id, small_corpus

from kg_pipeline.candidates import shortlist
from kg_pipeline.candidates.directories import Directories
from kg_pipeline.candidates.matching import Bm25, Bm25Texts, Field, IdfShare
from kg_pipeline.candidates.reading import read_texts, squashed
from kg_pipeline.candidates.shortlist import padded, places_in
from kg_pipeline.candidates.sparse import Columns, Rows, binary, idf
from kg_pipeline.candidates.tokens import Vocabulary, squash
from kg_pipeline.evidence import select_candidates

WORDS = ["motor", "radio", "camera", "wire", "power", "driver", "station", "barrel", "jack", "phase", "target", "light"]
DOCUMENTS = {
    f"guide/{one}/{other}.md": [
        f"# {one} {other}\nThe {one} of the {other} is shown below.",
        f"# More\nA **{other} {one}** number {n}.",
        f"# Rest\nNothing {n % 7} of it.",
    ]
    for n, (one, other) in enumerate(product(WORDS, WORDS))
}
IMAGES = {
    "guide/motor/images/motor-phase.png": ["phase motor"],
    "guide/radio/power/barrel.png": [],
    "media/IMG_0001.png": ["camera light", "target 12"],
    "media/camera_target.png": [],
    "guide/wire/d41d8cd98f00b204e9800998ecf8427e.png": [],
}
REFERENCES = [("guide/motor/phase.md", 0, "guide/motor/images/motor-phase.png")]


@pytest.fixture
def narrowed(monkeypatch):
    """Collections of any size are narrowed, each field to a few passages."""
    for name, value in {"WHOLE": 0, "PER_FIELD": 30, "DOCUMENTS_PER_FIELD": 15, "PICTURES": 2}.items():
        monkeypatch.setattr(shortlist, name, value)


def test_the_best_candidates_are_the_same_when_not_everything_is_looked_at(make_collection, monkeypatch, narrowed):
    corpus = small_corpus(DOCUMENTS, IMAGES, REFERENCES)
    found = select_candidates(make_collection(), corpus).pairs
    monkeypatch.setattr(shortlist, "WHOLE", 10_000)
    whole = select_candidates(make_collection(), small_corpus(DOCUMENTS, IMAGES, REFERENCES)).pairs
    key = ["image_id", "text_id"]
    first = whole.filter(pl.col("position") <= 5)
    both = first.join(found, on=key, suffix="_found")
    assert both.height == first.height
    assert both["position"].to_list() == both["position_found"].to_list()
    for name in first["features"].struct.fields:
        expected, features = (both[column].struct.field(name) for column in ("features", "features_found"))
        # What the passages that are not looked at claim is estimated by place, language and cue words.
        tolerance = 0.2 if name == "rivals" else 1e-6
        assert expected.fill_null(0).to_list() == pytest.approx(features.fill_null(0).to_list(), abs=tolerance)


def test_a_reference_to_a_passage_that_is_not_looked_at_changes_nothing_for_others(make_collection, narrowed):
    far = [("guide/light/jack.md", 2, "guide/motor/images/motor-phase.png")]
    with_far, without = (
        select_candidates(make_collection(), small_corpus(DOCUMENTS, IMAGES, references)).pairs.filter(
            image_id=image_id("guide/motor/images/motor-phase.png")
        )
        for references in (far, [])
    )
    added = with_far.filter(pl.col("strategies").list.contains("reference"))
    assert added.height == 1
    assert added["features"].struct.field("rivals").is_finite().all()
    others = with_far.join(added, on="text_id", how="anti")
    assert others.drop("position").equals(without.join(added, on="text_id", how="anti").drop("position"))


PATHS = st.lists(st.sampled_from("abc"), max_size=3).map("/".join)


def distance(folder: str, directory: str) -> float:
    one, other = ([part for part in path.split("/") if part] for path in (folder, directory))
    common = 0
    while common < min(len(one), len(other)) and one[common] == other[common]:
        common += 1
    return len(one) - common + 0.5 * (len(other) - common)


@given(st.lists(PATHS, min_size=1, max_size=12), PATHS)
def test_directories_know_what_is_near(directories, folder):
    tree = Directories(directories)
    expected = np.array([distance(folder, directory) for directory in directories])
    everything = np.arange(len(directories), dtype=np.int32)[None, :]
    distances = tree.distances([folder])
    common = distances.common(np.zeros(1, np.int64), everything)
    assert distances.of(np.zeros(1, np.int64), everything, common)[0].tolist() == expected.tolist()
    weights = np.arange(1.0, len(directories) + 1)
    assert tree.sums([folder], weights, 0.7)[0] == pytest.approx((weights * np.exp(-0.7 * expected)).sum())
    nearest = tree.nearest(folder, 3)
    assert len(nearest) == len(set(nearest)) >= min(3, len(directories))
    assert sorted(expected[nearest])[:3] == sorted(expected)[:3]


TEXTS = st.lists(st.text(alphabet="abAB12 _-.ﬁÄéйガ각\u0301\u3099使用カメラ😀٣\n", max_size=40), max_size=6)


@given(TEXTS)
def test_a_column_is_read_like_its_texts(texts):
    one, other = Vocabulary(), Vocabulary()
    expected = [one.read(text) for text in texts]
    rows = read_texts(other, pl.Series(texts, dtype=pl.String()))
    assert rows.keys.tolist() == [key for keys in expected for key in keys]
    assert rows.lengths.tolist() == [len(keys) for keys in expected]
    assert (one.ids, one.surface, one.total) == (other.ids, other.surface, other.total)
    found = [text for batch in squashed(pl.Series(texts, dtype=pl.String())) for text in batch]
    assert found == [squash(text) for text in texts]


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_scores_of_pairs_are_cells_of_the_product(seed):
    chance = np.random.default_rng(seed)
    queries, texts = (
        sparse.random_array((count, 9), density=0.4, rng=chance, dtype=np.float32, format="csr") for count in (4, 7)
    )
    places = np.sort(chance.integers(-1, 7, (4, 5)), axis=1).astype(np.int32)
    expected = (queries @ texts.T).toarray()[np.arange(4)[:, None], places]
    found = Field(queries.sorted_indices(), texts.sorted_indices()).scores(np.arange(4), places)
    assert np.array_equal(found, np.where(places >= 0, expected, 0))


def test_the_best_texts_are_found_by_their_rarest_words():
    texts = Rows.of([[0, 1], [0, 2], [0, 3], [0, 1, 1]])
    queries = Rows.of([[0, 1], [9]])
    field = Bm25(queries, Bm25Texts((queries,), [texts], 0.75))
    best = field.best(np.arange(2), 2)
    assert sorted(best[[0]].indices.tolist()) == [0, 3]
    assert best[[1]].nnz == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=20))
def test_padded_tables_hold_the_distinct_values_of_each_row(pairs):
    rows, values = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    table = padded(4, (rows, values))
    for row in range(4):
        expected = sorted({value for other, value in pairs if other == row})
        assert table[row][table[row] >= 0].tolist() == expected
    assert table[rows, places_in(table, (rows, values))].tolist() == values.tolist()


WORDS_OF_TEXTS = st.lists(st.lists(st.integers(0, 700), max_size=30), min_size=1, max_size=12)


@given(WORDS_OF_TEXTS, WORDS_OF_TEXTS)
@settings(max_examples=40)
def test_packed_texts_score_as_the_products_of_whole_matrices(queries, texts):
    asked, read = Rows.of(queries), Rows.of(texts)
    places = np.tile(np.arange(len(texts), dtype=np.int32), (len(queries), 1))
    rows = np.arange(len(queries))
    columns = Columns(asked)
    contained = read.matrix(columns)
    weights = idf(contained)
    share = (binary(asked.matrix(columns)).multiply(weights[None, :]) @ binary(contained).T).toarray()
    largest = binary(asked.matrix(columns)).multiply(weights[None, :]).sum(axis=1)
    share /= np.where(largest > 0, largest, 1)[:, None]
    assert IdfShare(asked, [read]).scores(rows, places) == pytest.approx(share, abs=1e-5)

    held = Bm25Texts((asked,), [read], 0.75)
    every = np.ones(len(columns.keys), np.bool_)
    counts = asked.matrix(columns)
    counts.data = 1 + np.log(counts.data)
    assert Bm25(asked, held).scores(rows, places) == pytest.approx((counts @ held.index.postings(every)).toarray())


def test_a_word_that_a_text_repeats_more_often_than_a_byte_can_count_is_counted():
    query = Rows.of([[1]])
    often, seldom = Bm25Texts((query,), [Rows.of([[1] * 300])], 0.0), Bm25Texts((query,), [Rows.of([[1] * 44])], 0.0)
    assert often.index.postings(np.ones(1, np.bool_)).data[0] > seldom.index.postings(np.ones(1, np.bool_)).data[0]
