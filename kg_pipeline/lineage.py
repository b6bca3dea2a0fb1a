"""Where the values of a column come from: a line per column whose origin is in another table."""

from collections.abc import Mapping

PAIR: Mapping[str, tuple[str, ...]] = {
    "image_id": ("candidate_pairs.image_id",),
    "text_kind": ("candidate_pairs.text_kind",),
    "text_id": ("candidate_pairs.text_id",),
}
READ_OF_TEXTS = (
    "chunks.text",
    "chunks.heading_path",
    "documents.title",
    "documents.path",
    "documents.language",
    "concepts.name",
    "concepts.aliases",
    "concept_mentions.alias",
)
READ_OF_IMAGES = ("image_files.path", "image_texts.text", "images.duplicate_group", "references.image_id")

# Columns that a table makes itself (read from files, counted, asked of a model) have no line.
LINEAGE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "images": {"image_id": ("image_files.image_id",), "path": ("image_files.path",)},
    "chunks": {"document_id": ("documents.document_id",)},
    "references": {
        "document_id": ("documents.document_id",),
        "document_path": ("documents.path",),
        "chunk_id": ("chunks.chunk_id",),
        "image_path": ("image_files.path",),
        "image_id": ("image_files.image_id",),
    },
    "image_descriptions": {"image_id": ("images.image_id",)},
    "image_texts": {
        "image_id": ("images.image_id",),
        "text": ("image_files.path", "image_descriptions.text"),
    },
    "concepts": {"name": ("chunks.heading_path",)},
    "concept_mentions": {
        "concept_id": ("concepts.concept_id",),
        "chunk_id": ("chunks.chunk_id",),
        "alias": ("concepts.name", "concepts.aliases", "chunks.text"),
    },
    "embeddings": {"text_sha256": ("chunks.text_sha256",), "vector": ("chunks.text",)},
    "verdicts": {
        "document_id": ("documents.document_id", "concepts.concept_id"),
    },
    "candidate_pairs": {
        "image_id": ("images.image_id",),
        "text_id": ("chunks.chunk_id", "concepts.concept_id"),
        "text_sha256": ("chunks.text_sha256", "concepts.name", "concepts.aliases", "concepts.description"),
        "strategies": (*READ_OF_IMAGES, *READ_OF_TEXTS),
        "fused_score": (*READ_OF_IMAGES, *READ_OF_TEXTS),
        "position": (*READ_OF_IMAGES, *READ_OF_TEXTS),
        "features": (*READ_OF_IMAGES, *READ_OF_TEXTS),
    },
    "pair_scores": {
        **PAIR,
        "log_odds": ("candidate_pairs.features", "image_files.uri", "chunks.text", "concepts.name"),
        "score": ("candidate_pairs.features", "image_files.uri", "chunks.text", "concepts.name"),
        "truncated": ("chunks.text",),
    },
    "visual_evidence": {
        **PAIR,
        "document_id": ("chunks.document_id",),
        "best_chunk_id": ("candidate_pairs.text_id", "concept_mentions.chunk_id"),
        "log_odds": ("pair_scores.log_odds", "candidate_pairs.features", "evidence_weights.weight"),
        "score": ("pair_scores.log_odds", "candidate_pairs.features", "evidence_weights.weight"),
        "confidence": (
            "pair_scores.log_odds",
            "candidate_pairs.features",
            "calibrators.slope",
            "calibrators.intercept",
        ),
        "calibrator": ("calibrators.calibrator",),
        "rank": ("pair_scores.log_odds", "candidate_pairs.features"),
        "margin": ("pair_scores.log_odds", "candidate_pairs.features"),
        "margin_points": ("pair_scores.log_odds", "candidate_pairs.features"),
        "image_rank": ("pair_scores.log_odds", "candidate_pairs.features"),
        "image_margin": ("pair_scores.log_odds", "candidate_pairs.features"),
        "image_margin_points": ("pair_scores.log_odds", "candidate_pairs.features"),
        "strategies": ("candidate_pairs.strategies",),
        "contributions": ("candidate_pairs.features", "evidence_weights.weight", "pair_scores.log_odds"),
        "scorer": ("pair_scores.scorer",),
        "kept": ("pair_scores.log_odds", "calibrators.threshold", "verdicts.verdict", "images.role"),
        "reason": ("candidate_pairs.features", "pair_scores.score", "verdicts.by", "images.decorative_reason"),
    },
    "edge_reasons": {
        "image_id": ("visual_evidence.image_id",),
        "text_kind": ("visual_evidence.text_kind",),
        "text_id": ("visual_evidence.text_id",),
        "reason": ("image_files.uri", "chunks.text", "concepts.name"),
        "written": ("image_files.uri", "chunks.text", "concepts.name"),
    },
    "orphan_images": {
        "path": ("image_files.path",),
        "image_id": ("image_files.image_id",),
        "reason": ("references.image_path", "image_files.status", "images.role", "visual_evidence.kept"),
        "duplicate_of": ("references.image_path", "image_files.image_id"),
        "best_document_path": ("documents.path",),
        "best_chunk_id": ("visual_evidence.best_chunk_id",),
        "score": ("visual_evidence.score",),
        "confidence": ("visual_evidence.confidence",),
        "suggestion_rank": ("visual_evidence.confidence", "references.document_id"),
        "suggestion_value": ("visual_evidence.confidence", "references.document_id"),
        "near_duplicate_of": ("images.duplicate_group", "image_files.path"),
    },
}
"""Table → column → `table.column` that its values are copied or computed from. Dagster draws it as column lineage."""
