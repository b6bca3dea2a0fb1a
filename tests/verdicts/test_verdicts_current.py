from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from kg_pipeline.ids import chunk_id, document_id, sha256_text
from kg_pipeline.tables import TABLES
from kg_pipeline.verdicts import WITHDRAWN, count_verdicts, current_verdicts, merged

EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
LATER = EARLIER + timedelta(days=1)
PICTURE = "a" * 64


def tables(documents: dict[str, list[str]], images: tuple[str, ...] = (PICTURE,)) -> dict[str, pl.DataFrame]:
    chunks = [
        {
            "chunk_id": chunk_id(document_id("c", path), sha256_text(text), texts[:index].count(text)),
            "document_id": document_id("c", path),
            "index": index,
            "text": text,
            "text_sha256": sha256_text(text),
        }
        for path, texts in documents.items()
        for index, text in enumerate(texts)
    ]
    rows = {
        "documents": [{"document_id": document_id("c", path), "path": path} for path in documents],
        "chunks": chunks,
        "images": [{"image_id": image} for image in images],
        "concepts": [{"concept_id": "k", "name": "Pump", "aliases": []}],
    }
    return {name: TABLES[name].rows(found) for name, found in rows.items()}


def verdicts(*rows: tuple[str, str, str, datetime]) -> pl.DataFrame:
    """Document path, text, verdict, time."""
    return pl.DataFrame(
        [
            {
                "image_id": PICTURE,
                "text_kind": "chunk",
                "document_id": document_id("c", path),
                "text_sha256": sha256_text(text),
                "verdict": verdict,
                "by": "Ann",
                "at": at,
            }
            for path, text, verdict, at in rows
        ],
        schema=TABLES["verdicts"].schema,
    )


def holds_for(said: pl.DataFrame, now: dict[str, pl.DataFrame]) -> set[tuple[str, str]]:
    places = now["chunks"].join(now["documents"], on="document_id").select("path", text_id="chunk_id")
    return set(current_verdicts(said, now).join(places, on="text_id").select("path", "verdict").rows())


def test_a_verdict_outlives_rechunking_and_ends_with_its_text():
    said = verdicts(("a.md", "turn it", "accepted", EARLIER))
    assert holds_for(said, tables({"a.md": ["new at the top", "turn it"]})) == {("a.md", "accepted")}
    assert holds_for(said, tables({"a.md": ["turn it off"]})) == set()
    assert holds_for(said, tables({"a.md": ["turn it"]}, images=("b" * 64,))) == set()


def test_a_verdict_moves_with_its_document_when_there_is_no_doubt_where_to():
    said = verdicts(("old.md", "turn it", "rejected", EARLIER))
    assert holds_for(said, tables({"new/old.md": ["turn it"], "b.md": ["other"]})) == {("new/old.md", "rejected")}
    assert holds_for(said, tables({"new/old.md": ["turn it"], "b.md": ["turn it"]})) == set()
    # The document is still there and no longer has the text: it was edited, not moved.
    assert holds_for(said, tables({"old.md": ["edited"], "b.md": ["turn it"]})) == set()


def test_what_was_said_after_the_move_counts():
    said = verdicts(("old.md", "turn it", "rejected", EARLIER), ("new.md", "turn it", "accepted", LATER))
    assert holds_for(said, tables({"new.md": ["turn it"]})) == {("new.md", "accepted")}


def test_verdicts_are_counted_by_what_they_say_and_whether_they_hold():
    said = verdicts(
        ("a.md", "one", "accepted", EARLIER), ("a.md", "two", "rejected", EARLIER), ("a.md", "gone", "accepted", LATER)
    )
    counts = count_verdicts(said, tables({"a.md": ["one", "one", "two"]}))
    assert counts == {"accepted": 1, "rejected": 1, "not_applicable": 1}


def test_a_verdict_on_a_concept_ends_when_the_concept_is_described_anew():
    row = {"image_id": PICTURE, "text_kind": "concept", "document_id": "k", "verdict": "accepted", "by": "A"}
    said = TABLES["verdicts"].rows([{**row, "text_sha256": sha256_text("Pump"), "at": EARLIER}])
    now = tables({})
    assert current_verdicts(said, now)["text_id"].to_list() == ["k"]
    now["concepts"] = now["concepts"].with_columns(description=pl.lit("moves water"))
    assert count_verdicts(said, now)["not_applicable"] == 1


def test_a_withdrawal_after_a_move_withdraws_what_was_said_before_it():
    said = verdicts(("old.md", "turn it", "accepted", EARLIER), ("b.md", "other", "accepted", EARLIER))
    left = merged(said, verdicts(("new.md", "turn it", WITHDRAWN, LATER)))
    assert left["document_id"].to_list() == [document_id("c", "b.md")]


WORDS = st.sampled_from(["accepted", "rejected", WITHDRAWN])
FOUND = st.lists(
    st.tuples(st.sampled_from(["a.md", "b.md"]), st.sampled_from(["one", "two"]), WORDS, st.integers(0, 9)),
    max_size=12,
)


@given(FOUND)
def test_harvests_one_by_one_leave_the_newest_word_of_each_pair(found):
    known, newest = verdicts(), {}
    for path, text, word, hour in found:
        at = EARLIER + timedelta(hours=hour)
        before = newest.get((path, text))
        if word == WITHDRAWN:
            # Without a row of its own document it withdraws what the text was told elsewhere.
            meant = [(path, text)] if before else [key for key in newest if key[1] == text]
            for key in meant:
                if at >= newest[key][1]:
                    del newest[key]
        elif before is None or (before[0] != word and at >= before[1]):
            newest[path, text] = (word, at)
        known = merged(known, verdicts((path, text, word, at)))
    expected = {(document_id("c", path), sha256_text(text)): said for (path, text), said in newest.items()}
    assert {row[:2]: row[2:] for row in known.select("document_id", "text_sha256", "verdict", "at").rows()} == expected
