"""Order and groups of suggestions."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg_pipeline.orphans import find_orphans
from kg_pipeline.orphans.suggesting import series_of
from kg_pipeline.tables import TABLES

DOCUMENTS = TABLES["documents"].rows([{"document_id": name, "path": f"{name}.md", "status": "ok"} for name in "de"])


def orphans(
    wanted: dict[str, tuple[str, float]],
    used: dict[str, str] | None = None,
    looks: dict[str, str] | None = None,
    contents: dict[str, str] | None = None,
) -> pl.DataFrame:
    """Path → (document, confidence) of what a passage wants; path → document of what is used; path → look-alikes."""
    used, looks, contents = used or {}, looks or {}, contents or {}
    content = {path: contents.get(path, path) for path in (*wanted, *used)}
    files = [{"path": path, "image_id": name, "status": "ok"} for path, name in content.items()]
    return find_orphans(
        TABLES["image_files"].rows(files),
        TABLES["images"].rows(
            [
                {"image_id": name, "role": "content", "duplicate_group": looks.get(path)}
                for name, path in {name: path for path, name in content.items()}.items()
            ]
        ),
        TABLES["references"].rows(
            [
                {"document_id": document, "document_path": f"{document}.md", "chunk_id": f"{document}-{line}",
                 "line": line, "status": "ok", "image_path": path, "image_id": content[path]}
                for line, (path, document) in enumerate(used.items())
            ]
        ),
        TABLES["visual_evidence"].rows(
            [
                {"type": "HAS_VISUAL_EVIDENCE", "image_id": name, "text_kind": "chunk", "text_id": f"{document}-0",
                 "document_id": document, "confidence": confidence, "rank": 1, "kept": True}
                for name, (document, confidence) in {content[path]: found for path, found in wanted.items()}.items()
            ]
        ),
        DOCUMENTS,
    )  # fmt: skip


def in_order(found: pl.DataFrame) -> list[str]:
    return found.drop_nulls("suggestion_rank").sort("suggestion_rank")["path"].to_list()


def groups(found: pl.DataFrame) -> dict[str, str]:
    return dict(found.select("path", "suggestion_group").iter_rows())


def test_a_document_without_pictures_comes_before_one_that_has_some():
    found = orphans({"much.png": ("d", 0.9), "first.png": ("e", 0.6)}, used={"u1.png": "d", "u2.png": "d"})
    assert in_order(found) == ["first.png", "much.png"]
    values = dict(found.select("path", "suggestion_value").iter_rows())
    # Two pictures in the document, one of them in the passage.
    assert values == {"much.png": pytest.approx(0.9 / math.sqrt(4)), "first.png": pytest.approx(0.6)}


def test_a_series_is_one_suggestion_in_the_order_of_its_numbers():
    found = orphans(
        {f"shots/fan-{number}.png": ("d", 0.5 + number / 100) for number in (1, 2, 10)}
        | {"shots/other.png": ("d", 0.55), "else/fan-3.png": ("d", 0.52), "shots/fan-4.png": ("e", 0.51)}
    )
    first = "shots/fan-1.png"
    assert groups(found) == {
        "shots/fan-1.png": first,
        "shots/fan-2.png": first,
        "shots/fan-10.png": first,
        "shots/other.png": "shots/other.png",
        "else/fan-3.png": "else/fan-3.png",
        "shots/fan-4.png": "shots/fan-4.png",
    }
    # fan-10 is the best of all and takes its series along.
    assert in_order(found)[:4] == ["shots/fan-1.png", "shots/fan-2.png", "shots/fan-10.png", "shots/other.png"]


def test_copies_and_look_alikes_for_one_document_are_one_suggestion():
    found = orphans(
        {"b/left.png": ("d", 0.8), "a/right.png": ("d", 0.8), "c/up.png": ("d", 0.7), "z.png": ("d", 0.6)},
        looks={"c/up.png": "g", "z.png": "g"},
        contents={"b/left.png": "same", "a/right.png": "same"},
    )
    assert groups(found) == {"a/right.png": "a/right.png", "b/left.png": "a/right.png", "c/up.png": "c/up.png",
                             "z.png": "c/up.png"}  # fmt: skip


def test_a_look_alike_of_a_used_picture_is_explained_and_keeps_its_reason():
    found = orphans(
        {"small.png": ("d", 0.9), "elsewhere.png": ("e", 0.9), "new.png": ("d", 0.5)},
        used={"big.png": "d"},
        looks={"small.png": "g", "big.png": "g", "elsewhere.png": "g"},
    )
    rows = {row["path"]: row for row in found.iter_rows(named=True)}
    assert rows["small.png"]["reason"] == "unreferenced_matched"
    assert (rows["small.png"]["near_duplicate_of"], rows["small.png"]["duplicate_of"]) == ("big.png", None)
    # Its document shows the look-alike already: nothing is gained. Another document gains all the same.
    assert rows["small.png"]["suggestion_value"] == 0
    assert in_order(found) == ["elsewhere.png", "new.png", "small.png"]
    assert rows["new.png"]["near_duplicate_of"] is None


def test_what_is_not_suggested_has_neither_value_nor_group():
    found = orphans({"copy.png": ("d", 0.9)}, used={"used.png": "d"}, contents={"copy.png": "x", "used.png": "x"})
    assert found.select("reason", "suggestion_value", "suggestion_group").rows() == [("duplicate", None, None)]


@pytest.mark.parametrize(
    ("path", "folder", "stem"),
    [
        ("shots/Rack_02.png", "shots", "rack"),
        ("shots/rack.jpg", "shots", "rack"),
        ("rack (3).png", "", "rack"),
        ("a/b/01.png", "a/b", ""),
        ("IMG_0412-edited.png", "", "img_#-edited"),
        ("风扇-3.png", "", "风扇"),
    ],
)
def test_names_of_a_series(path, folder, stem):
    assert series_of(path) == (folder, stem)


@given(st.dictionaries(st.from_regex(r"[ab]/[xy]-?[0-9]{0,2}\.png", fullmatch=True), st.floats(0.5, 1), max_size=12))
def test_groups_are_ranked_without_gaps_and_stay_together(confidences):
    found = orphans({path: ("de"[len(path) % 2], value) for path, value in confidences.items()})
    ordered = found.sort("suggestion_rank")
    assert ordered["suggestion_rank"].to_list() == list(range(1, len(confidences) + 1))
    runs = list(ordered["suggestion_group"].rle().struct.field("value")) if len(found) else []
    assert len(runs) == len(set(runs))
    best = ordered.group_by("suggestion_group", maintain_order=True).agg(pl.col("suggestion_value").max())
    assert best["suggestion_value"].is_sorted(descending=True)
    assert ordered.unique("suggestion_group", keep="first", maintain_order=True)["path"].to_list() == runs
