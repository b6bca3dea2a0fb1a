"""Sentences that the model writes about the edges a collection kept: beside the scores, which they never change."""

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from kg_pipeline.ids import sha256_text
from kg_pipeline.images.errors import ImageError
from kg_pipeline.progress import track
from kg_pipeline.reranking.protocol import Reason, Reranker
from kg_pipeline.reranking.reasons import REASONS_VERSION, parse, parsed_share
from kg_pipeline.storage.atomic import replacing
from kg_pipeline.tables import TABLES

KEY = ("image_id", "text_kind", "text_id")
COMPOSED = re.compile(r"(?P<score>Score: \S+) — .*?(?P<kept>; (?:not )?kept: .*)?", re.S)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReasonsReport:
    """What writing reasons cost and gave."""

    edges: int = 0
    model_calls: int = 0
    failed: int = 0
    """Pictures that could not be read again."""
    parsed_share: float = 0.0
    """Share of the reasons that have the form `Score: X.X — sentence`."""


def explain_edges(
    reranker: Reranker,
    evidence: pl.DataFrame,
    texts: pl.DataFrame,
    load_image: Callable[[str], bytes],
    most: int,
    cache: Path,
) -> tuple[pl.DataFrame, ReasonsReport]:
    """Table edge_reasons for at most `most` kept edges, the least certain first.

    `evidence` is visual_evidence; `texts` has text_kind, text_id, text. What was written is kept under `cache` by
    scorer, picture and text, so that the same edge is never asked about twice. Raises RerankerError, OSError.
    """
    chosen = _least_certain(evidence, texts, most)
    calls, failed = 0, 0
    found: list[tuple[Mapping[str, Any], Reason]] = []
    for edge in track(chosen.to_dicts(), f"writing reasons for {len(chosen)} edges"):
        path = _entry(cache, reranker.fingerprint, edge["image_id"], edge["text"])
        written = _read(path)
        if written is None:
            try:
                written = reranker.explain(load_image(edge["image_id"]), edge["text"]).text
            except (OSError, ValueError, ImageError) as error:
                logger.warning("no reason for image %s: it cannot be read: %s", edge["image_id"][:12], error)
                failed += 1
                continue
            calls += 1
            with replacing(path) as beside:
                beside.write_text(json.dumps({"written": written}, ensure_ascii=False), encoding="utf-8")
        found.append((edge, parse(written)))
    report = ReasonsReport(len(chosen), calls, failed, parsed_share([reason for _, reason in found]))
    return _table(reranker.fingerprint, found, evidence), report


def with_model_reasons(evidence: pl.DataFrame, edge_reasons: pl.DataFrame) -> pl.DataFrame:
    """`evidence` whose `reason` says what the model wrote, where it did; score and decision stay as they are."""
    joined = evidence.join(
        edge_reasons.select(*KEY, said="reason").drop_nulls("said"), on=KEY, how="left", maintain_order="left"
    )
    reasons = [_said(reason, said) for reason, said in joined.select("reason", "said").iter_rows()]
    return evidence.with_columns(reason=pl.Series(reasons, dtype=pl.String()))


def _said(reason: str | None, said: str | None) -> str | None:
    composed = COMPOSED.fullmatch(reason or "")
    if said is None or composed is None:
        return reason
    return f"{composed['score']} — {said} (the model's words){composed['kept'] or ''}"


def _least_certain(evidence: pl.DataFrame, texts: pl.DataFrame, most: int) -> pl.DataFrame:
    return (
        evidence.filter(pl.col("kept") & pl.col("log_odds").is_not_null())
        .join(texts.select("text_kind", "text_id", "text"), on=["text_kind", "text_id"])
        .sort("confidence", "log_odds", *KEY)
        .head(most)
        .select(*KEY, "text")
    )


def _table(scorer: str, found: Iterable[tuple[Mapping[str, Any], Reason]], evidence: pl.DataFrame) -> pl.DataFrame:
    """A document has the reason of its best passage."""
    rows = [
        {**{name: edge[name] for name in KEY}, "scorer": scorer, "reason": reason.why, "written": reason.text}
        for edge, reason in found
    ]
    of_texts = TABLES["edge_reasons"].rows(rows)
    of_documents = (
        evidence.filter(pl.col("kept") & (pl.col("text_kind") == "document"))
        .select("image_id", "text_id", passage="best_chunk_id")
        .join(
            of_texts.filter(pl.col("text_kind") == "chunk").drop("text_kind").rename({"text_id": "passage"}),
            on=["image_id", "passage"],
        )
        .with_columns(text_kind=pl.lit("document"))
        .select(of_texts.columns)
    )
    return TABLES["edge_reasons"].conform(pl.concat([of_texts, of_documents]))


def _entry(cache: Path, scorer: str, image_id: str, text: str) -> Path:
    key = sha256_text("\0".join([scorer, str(REASONS_VERSION), image_id, text]))
    return cache / key[:2] / f"{key}.json"


def _read(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["written"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s: damaged entry, the reason is written again: %r", path, error)
        return None
