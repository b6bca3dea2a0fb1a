"""The worst misses of an evaluation: what was expected, what was found instead, and what made the difference."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from kg_pipeline.evaluation import Evaluation, Outcome
from kg_pipeline.reports.views import Bar, Passage, Passages, Picture, Pictures, waterfall

MISSES = 50
DECIDING = 3
"""Features named as those that decided."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Side:
    """A passage with what speaks for it; without rank it was not among the candidates."""

    passage: Passage
    rank: int | None
    score: float | None
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Miss:
    """A picture whose first passage is neither one that embeds it nor next to one."""

    collection: str
    picture: Picture
    expected: Side
    others: int
    """How many more passages would have been right."""
    found: Side
    same_document: bool
    behind: float
    """Points by which the right passage is behind."""
    decided_by: str


def worst_misses(
    evaluations: Sequence[Evaluation], outcomes: Sequence[Outcome], thumbnail: Callable[[str], str | None]
) -> tuple[list[Miss], int]:
    """The MISSES pictures whose wrong answer is furthest ahead of the right one, and the number of all misses.

    `outcomes` are those of `evaluations`, one each.
    """
    frames = [_missed(outcome).with_columns(of=pl.lit(number)) for number, outcome in enumerate(outcomes)]
    missed = pl.concat(frames).sort("behind", "of", "image_id", descending=[True, False, False])
    worst = missed.head(MISSES).with_row_index("place")
    cards = [
        (row["place"], card)
        for number, evaluation in enumerate(evaluations)
        for row, card in _cards(evaluation, worst.filter(of=number), thumbnail)
    ]
    return [card for _, card in sorted(cards, key=lambda placed: placed[0])], len(missed)


def _missed(outcome: Outcome) -> pl.DataFrame:
    """Per missed picture: found_* (the first passage), right_* (the best right one, null when not proposed), behind."""
    passages = outcome.answers.filter(text_kind="chunk")
    columns = ("text_id", "document_id", "rank", "score", "contributions")
    first = passages.filter((pl.col("rank") == 1) & ~pl.col("near"))
    first = first.select("image_id", **{f"found_{name}": name for name in columns})
    best = passages.filter("right").sort("image_id", "rank").unique("image_id", keep="first", maintain_order=True)
    best = best.select("image_id", **{f"right_{name}": name for name in columns})
    true = (
        outcome.truth.filter("strict", text_kind="chunk")
        .group_by("image_id")
        .agg(expected=pl.col("text_id").min(), others=pl.len() - 1)
    )
    joined = first.join(best, on="image_id", how="left").join(true, on="image_id")
    behind = pl.col("found_score").fill_null(0.0) - pl.col("right_score").fill_null(0.0)
    return joined.with_columns(behind=behind).sort("behind", "image_id", descending=[True, False])


def _cards(
    evaluation: Evaluation, missed: pl.DataFrame, thumbnail: Callable[[str], str | None]
) -> Iterator[tuple[Row, Miss]]:
    corpus = evaluation.corpus
    wanted = [*missed["found_text_id"], *missed["right_text_id"], *missed["expected"]]
    passages = Passages(corpus.chunks, corpus.documents, wanted)
    pictures = Pictures(corpus.image_files, thumbnail)
    paths = dict(corpus.images.select("image_id", "path").iter_rows())
    for row in missed.iter_rows(named=True):
        card = Miss(
            collection=evaluation.collection,
            picture=pictures.picture(paths[row["image_id"]]),
            expected=_side(row, "right", passages.passage(row["right_text_id"] or row["expected"])),
            others=row["others"],
            found=_side(row, "found", passages.passage(row["found_text_id"])),
            same_document=row["found_document_id"] == row["right_document_id"],
            behind=row["behind"],
            decided_by=_decided_by(row["found_contributions"] or [], row["right_contributions"] or []),
        )
        yield row, card


def _side(row: Row, which: str, passage: Passage) -> Side:
    bars = waterfall(row[f"{which}_contributions"] or [])
    return Side(passage, row[f"{which}_rank"], row[f"{which}_score"], bars)


def _decided_by(found: list[dict[str, Any]], right: list[dict[str, Any]]) -> str:
    """The features by which the found passage gained most on the right one: `folder_name +1.8, name_title +1.2`."""
    values = {part["name"]: part["value"] for part in right}
    gains = {part["name"]: part["value"] - values.pop(part["name"], 0.0) for part in found}
    gains |= {name: -value for name, value in values.items()}
    best = sorted(gains.items(), key=lambda gain: (-gain[1], gain[0]))[:DECIDING]
    return ", ".join(f"{name} {gain:+.1f}" for name, gain in best if gain >= 0.05)
