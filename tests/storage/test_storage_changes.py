import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from kg_pipeline.storage import Changes, row_changes
from kg_pipeline.tables import TABLES


def pairs(rows: dict[str, float]) -> pl.DataFrame:
    return TABLES["pair_scores"].rows(
        [{"image_id": "i", "text_kind": "chunk", "text_id": name, "score": score} for name, score in rows.items()]
    )


SCORES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([0.5, 1.5, None]))


@given(SCORES, SCORES)
def test_rows_are_told_apart_by_their_key(before, after):
    assert row_changes(TABLES["pair_scores"], pairs(before), pairs(after)) == Changes(
        added=len(after.keys() - before.keys()),
        removed=len(before.keys() - after.keys()),
        changed=sum(before[name] != after[name] for name in before.keys() & after.keys()),
    )


def test_lists_and_structs_are_compared():
    def evidence(value: float) -> pl.DataFrame:
        return TABLES["visual_evidence"].rows(
            [{"type": "X", "image_id": "i", "rank": 1, "contributions": [{"name": "a", "value": value}]}]
        )

    table = TABLES["visual_evidence"]
    assert row_changes(table, evidence(1.0), evidence(2.0)) == Changes(0, 0, 1)
    assert row_changes(table, evidence(1.0), evidence(1.0)) == Changes(0, 0, 0)


def test_of_rows_that_may_share_a_key_each_copy_counts():
    def references(*targets: str) -> pl.DataFrame:
        return TABLES["references"].rows([{"document_id": "d", "line": 1, "target": target} for target in targets])

    table = TABLES["references"]
    assert row_changes(table, references("a", "a", "b"), references("a", "b", "c")) == Changes(1, 1, 0)
    assert row_changes(table, references("a", "b"), references("b", "a")) == Changes(0, 0, 0)
