"""Packing is pure: it loses no pair, keeps to the budget, and lays tokens out where the mask and positions say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg_pipeline.reranking.packing import Branch, Segment, Tree, lay_out, pack, padded_size


def text(length: int, first: int = 1) -> Segment:
    return Segment(np.arange(first, first + length))


@st.composite
def forests(draw) -> list[Tree]:
    return [
        Tree(
            text(draw(st.integers(1, 60))),
            tuple(
                Branch(text(length), (number, index))
                for index, length in enumerate(draw(st.lists(st.integers(1, 40), min_size=1, max_size=12)))
            ),
        )
        for number in range(draw(st.integers(0, 5)))
    ]


@given(forests(), st.integers(1, 300))
def test_every_pair_is_packed_once_in_its_order(trees, budget):
    packed = [branch.pair for row in pack(trees, budget) for tree in row.trees for branch in tree.branches]
    assert packed == [branch.pair for tree in trees for branch in tree.branches]


@given(forests(), st.integers(1, 300))
def test_only_a_single_prompt_may_exceed_the_budget(trees, budget):
    for row in pack(trees, budget):
        assert len(row) <= budget or (len(row.trees) == 1 and len(row.trees[0].branches) == 1)


@given(forests())
def test_a_branch_continues_after_its_prefix_whatever_stands_between(trees):
    for row in pack(trees, 200):
        layout = lay_out(row, 256)
        for number, (tree, span) in enumerate(zip(row.trees, layout.spans, strict=True)):
            start = span.prefix_end
            for count, (branch, end) in enumerate(zip(tree.branches, span.branch_ends, strict=True), start=1):
                assert layout.positions[0, start] == len(tree.prefix.tokens)
                assert (layout.tokens[start:end] == branch.segment.tokens).all()
                assert (layout.tree[start:end] == number).all()
                assert (layout.branch[start:end] == count).all()
                start = end
        assert layout.pairs == tuple(branch.pair for tree in row.trees for branch in tree.branches)
        assert (layout.tree[len(row) :] == len(row.trees)).all()


def test_an_image_spans_its_grid_and_the_text_resumes_after_the_longer_side():
    # 672 x 672 at position 60 spans 60..83; the text resumes at 84.
    segment = Segment(np.zeros(60 + 576 + 2, dtype=np.int64), 0, 60, (24, 24))
    positions, after = segment.positions(0)
    assert positions[:, 60].tolist() == [60, 60, 60]
    assert positions[:, 60 + 575].tolist() == [60, 83, 83]
    assert positions[:, 636].tolist() == [84, 84, 84]
    assert after == 86


@given(st.integers(1280, 8192))
def test_a_row_is_padded_by_at_most_a_tenth(length):
    size = padded_size(length, 8192)
    assert size >= length
    assert size % 128 == 0
    assert (size - length) / size <= 0.1


def test_row_sizes_are_few():
    assert len({padded_size(length, 8192) for length in range(1, 8193)}) <= 36
    assert padded_size(9000, 8192) == 9088


def test_a_tree_is_not_begun_in_a_row_that_is_half_full():
    trees = [
        Tree(text(60), (Branch(text(20), (0, 0)),)),
        Tree(text(60), tuple(Branch(text(20), (1, n)) for n in range(4))),
    ]
    rows = list(pack(trees, 150))
    assert [[len(tree.branches) for tree in row.trees] for row in rows] == [[1], [4]]


@pytest.mark.parametrize("length", [1, 127, 128, 129])
def test_small_rows_are_padded_to_a_block(length):
    assert padded_size(length, 8192) == -(-length // 128) * 128
