"""The schema of every table: column names, types, nested shapes, a line on each column. Other programs read these."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

TEXT, INT, FLOAT, BOOL = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()
TEXTS = pl.List(pl.String())
VECTOR = pl.List(pl.Float32())
TIME = pl.Datetime("us", "UTC")

SCHEMA_VERSION = 2
"""Of the tables as a whole, in the metadata of every file. Raise it with each change of columns or types; what older
files then lack is null, or handled in storage/schema_versions.py. 0: files from before there were versions."""


class TableError(ValueError):
    """A frame does not fit the schema of its table."""


@dataclass(frozen=True)
class Column:
    """One column: its name, its type and what it holds."""

    name: str
    dtype: pl.DataType
    doc: str


@dataclass(frozen=True)
class Table:
    """One table. Rows are kept in the order of `key`, rows of equal key in the order they were given."""

    name: str
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    unique: bool = True
    """Whether no two rows share a key."""
    indispensable: tuple[str, ...] = ()
    """Columns beside the key for which null has no meaning: a file without them cannot be used."""

    @property
    def required(self) -> tuple[str, ...]:
        """Columns that a file must have; any other that it lacks is read as null."""
        return (*self.key, *self.indispensable)

    @property
    def schema(self) -> pl.Schema:
        """Column name to type, in order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def empty(self) -> pl.DataFrame:
        """The table without rows."""
        return pl.DataFrame(schema=self.schema)

    def rows(self, rows: list[dict[str, object]]) -> pl.DataFrame:
        """A frame from dictionaries; a missing key is null. Raises TableError for a key that is no column."""
        unknown = {name for row in rows for name in row} - set(self.schema)
        if unknown:
            raise TableError(f"table {self.name}: no such column: {', '.join(sorted(unknown))}")
        return self.conform(pl.DataFrame(rows, schema=self.schema, strict=False, infer_schema_length=None))

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` with exactly this table's columns and types, sorted by key. Raises TableError."""
        missing = set(self.schema) - set(frame.columns)
        extra = set(frame.columns) - set(self.schema)
        if missing or extra:
            raise TableError(f"table {self.name}: missing columns {sorted(missing)}, unknown columns {sorted(extra)}")
        try:
            typed = frame.select(pl.col(name).cast(dtype) for name, dtype in self.schema.items())
        except pl.exceptions.PolarsError as error:
            raise TableError(f"table {self.name}: {error}") from error
        return typed.sort(self.key, nulls_last=True, maintain_order=True)


def _columns(**columns: tuple[pl.DataType, str]) -> tuple[Column, ...]:
    return tuple(Column(name, dtype, doc) for name, (dtype, doc) in columns.items())


# What the evidence model looks at; each is a number >= 0 unless said otherwise (kg_pipeline.evidence computes them).
# "Relative" is relative to the image's best text: 1 for the best, 0 where nothing matches.
PAIR_FEATURES: Mapping[str, str] = {
    "name_body": "BM25 of the file name on the passage, relative",
    "ocr_body": "BM25 of the text read in the picture on the passage, relative",
    "name_in_document": "the same, words weighted by how few passages of the document have them, relative",
    "name_heading": "BM25 of the file name on the headings above the passage, relative",
    "ocr_heading": "BM25 of the text read in the picture on the headings above the passage, relative",
    "translated_body": "BM25 of the Chinese and French for words of name and picture on the passage, relative",
    "translated_heading": "the same on the headings above the passage, relative",
    "name_trigrams": "IDF-weighted share of the file name's character trigrams that the passage contains",
    "ocr_bigrams": "BM25 of pairs of neighbouring words read in the picture on the passage, relative",
    "phrase": "lines read in the picture that stand verbatim in the passage, weighted by rarity, relative",
    "ui_labels": "quoted or bold labels of the passage that are read in the picture, weighted by rarity, relative",
    "cue_words": "words such as 'below', 'shown', 'figure' in the passage, at most 3",
    "passage_length": "words of the passage as a share of the usual number, at most 2; speaks against it",
    "name_title": "BM25 of the file name on the document's title and file stem, relative",
    "folder_overlap": "IDF weight of words that title and the image's own folders share, relative; less for big ones",
    "folder_name": "likeness of a folder of the image's own to the document's file stem, cubed; less for big folders",
    "title_trigrams": "cosine of file name and title in character trigrams, relative",
    "path_distance": "directories between image and document: up + 0.5 down; 0 for a picture inside the document",
    "name_document": "BM25 of the file name on the whole document, relative",
    "ocr_document": "BM25 of the text read in the picture on the whole document, relative",
    "same_language": "1 same language, -1 other language, 0 unknown",
    "document_length": "log of the document's passages over the usual number, below 0 for few; speaks against it",
    "siblings": "share of the votes of like images, by their references, for this passage",
    "proximity": "share of the references of the folder's other images that stand in this document",
    "inside": "1 for the passage at which the picture lies in the document's own file, less for those around it",
    "embedding": "cosine of the vectors of the picture's words and the passage, above the usual one, relative",
    "rivals": "log of how strongly all other passages together claim the image; takes away from each of them",
    "concept_in_name": "1 when the concept is named in the image's file name or folders",
    "concept_passage": "probability of the image's best candidate passage that mentions the concept",
}

_FOREIGN = {
    "node_label": (TEXT, "label of the foreign node; null for our own"),
    "key_property": (TEXT, "key property of the foreign node"),
    "key_value": (TEXT, "its value"),
    "owned": (BOOL, "whether the node is ours to create and delete"),
}

REFERENCE_STATUSES = ("ok", "missing", "remote", "outside_root", "unsupported", "not_embedded", "hidden")

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table(
            "documents",
            "One row per document file or node; also per folder or graph source that could not be read (see `format`).",
            ("document_id",),
            _columns(
                document_id=(TEXT, "hash(collection, path)"),
                path=(
                    TEXT,
                    "relative to the documents root, with /, preceded by the root's name where it has one; "
                    "<source>/<key> of a node",
                ),
                uri=(TEXT, "file:// address; null for a node"),
                format=(
                    TEXT,
                    "markdown, rst, html, pdf, …; `graph` for a node or a whole source of nodes (then key_value is "
                    "null); `folder` for a folder that could not be listed",
                ),
                title=(TEXT, "title or first heading, else the file's stem"),
                language=(TEXT, "en, zh, mixed, und"),
                sha256=(TEXT, "of the file's bytes; null when they could not be read"),
                bytes=(INT, "size of the file"),
                status=(TEXT, "ok, unreadable, skipped, stale (the last good rows are carried on)"),
                error=(TEXT, "why the status is not ok"),
                **_FOREIGN,
            ),
            indispensable=("path", "status"),
        ),
        Table(
            "chunks",
            "Passages. Line ranges tile the document: every line lies in exactly one chunk; neighbours may share a "
            "line of generated HTML that holds several blocks.",
            ("document_id", "index"),
            _columns(
                chunk_id=(
                    TEXT,
                    "hash(document_id, text_sha256, n-th occurrence of that text in the document)",
                ),
                document_id=(TEXT, "its document"),
                index=(INT, "0… in reading order"),
                heading_path=(TEXTS, "headings above the passage, outermost first"),
                text=(TEXT, "prose; image markup, alt texts and captions are taken out"),
                text_sha256=(TEXT, "of `text`"),
                line_start=(INT, "first line, from 1: of the file, or of the text as read where the file has no lines"),
                line_end=(INT, "last line, inclusive"),
                page=(INT, "page, slide or sheet from 1, where the format has them"),
            ),
            indispensable=("document_id", "text", "text_sha256"),
        ),
        Table(
            "references",
            "Every place where a document embeds or links an image.",
            ("document_id", "line"),
            _columns(
                document_id=(TEXT, "the document"),
                document_path=(TEXT, "its path"),
                chunk_id=(TEXT, "the chunk that holds `line`"),
                line=(INT, "where the embedding stands, from 1"),
                kind=(TEXT, "md_image, html_img, rst_image, …, link; embedded: a picture in the document's own file"),
                target=(TEXT, "as written"),
                alt=(TEXT, "alternative text; null when hidden"),
                caption=(TEXT, "caption; null when hidden"),
                status=(TEXT, ", ".join(REFERENCE_STATUSES)),
                image_path=(TEXT, "`path` of image_files that the target resolves to"),
                image_id=(TEXT, "id of that image; null when it is unreadable or not resolved"),
                resolution=(
                    TEXT,
                    "the rule that resolved it: exact, case_insensitive, url_decoded, site_root, …",
                ),
            ),
            unique=False,
            indispensable=("status",),
        ),
        Table(
            "image_files",
            "One row per image file, archive member, manifest row or picture in a document; also per unlisted place.",
            ("path",),
            _columns(
                path=(TEXT, "relative to the documents root, else <inventory name>/<path>; <document>/p3-1.png"),
                uri=(TEXT, "file:// or zip://…!/member address of the bytes; of a picture in a document: in the cache"),
                image_id=(TEXT, "sha256 of the bytes; null when unreadable"),
                bytes=(INT, "size"),
                modified_at=(TIME, "modification time of the file or archive member"),
                status=(TEXT, "ok, unreadable, unlistable (a folder, archive, manifest or store), skipped, stale"),
                error=(TEXT, "why the status is not ok"),
                origin=(TEXT, "address in a store or on a web server of which `uri` is the copy; null for local files"),
            ),
            indispensable=("status",),
        ),
        Table(
            "images",
            "One row per distinct image content.",
            ("image_id",),
            _columns(
                image_id=(TEXT, "sha256 of the bytes"),
                path=(TEXT, "first of its paths"),
                width=(INT, "pixels"),
                height=(INT, "pixels"),
                format=(TEXT, "PNG, JPEG, GIF, WEBP, BMP, TIFF, SVG: from the content, not the name"),
                frames=(INT, "number of frames"),
                has_alpha=(BOOL, "whether it has transparency"),
                perceptual_hash=(TEXT, "256-bit difference hash, hex; null for SVG"),
                duplicate_group=(TEXT, "id of the first image of a group of look-alikes; null when alone"),
                role=(TEXT, "content, decorative"),
                decorative_reason=(TEXT, "the rule that called it decorative"),
            ),
            indispensable=("role",),
        ),
        Table(
            "image_descriptions",
            "What a model that sees a picture says of it; no rows unless the collection has a section `descriptions`.",
            ("image_id",),
            _columns(
                image_id=(TEXT, "a content picture of pixels: no decoration, no SVG"),
                describer=(TEXT, "fingerprint of model and question"),
                text=(TEXT, "a sentence or two; null when there is none"),
                error=(TEXT, "why there is none: the model refused, or the picture cannot be read"),
            ),
        ),
        Table(
            "image_texts",
            "Text that belongs to an image other than through its references.",
            ("image_id", "source"),
            _columns(
                image_id=(TEXT, "the image"),
                source=(
                    TEXT,
                    "name, folder, ocr, svg, exif (time of the camera, never a position), manifest (its "
                    "columns title, description, tags), description (see image_descriptions)",
                ),
                text=(TEXT, "one name, folder, line or description; lines in reading order"),
                confidence=(FLOAT, "0–1 of the recogniser; null where nothing was recognised"),
            ),
            unique=False,
            indispensable=("text",),
        ),
        Table(
            "concepts",
            "Things that have a name: glossary entries, headings, nodes of the graph.",
            ("concept_id",),
            _columns(
                concept_id=(TEXT, "hash(source key)"),
                name=(TEXT, "preferred name"),
                aliases=(TEXTS, "other names"),
                description=(TEXT, "what it is"),
                source=(TEXT, "glossary, heading, graph"),
                **_FOREIGN,
                status=(TEXT, "ok, stale; unreadable and skipped: nothing to name, the row says why"),
                error=(TEXT, "why the status is not ok"),
            ),
            indispensable=("name",),
        ),
        Table(
            "concept_mentions",
            "Where a concept is named.",
            ("concept_id", "chunk_id", "alias"),
            _columns(
                concept_id=(TEXT, "the concept"),
                chunk_id=(TEXT, "the passage"),
                alias=(TEXT, "the name that was found"),
            ),
        ),
        Table(
            "candidate_pairs",
            "Pairs of an image and a text that are worth scoring.",
            ("image_id", "text_kind", "position"),
            _columns(
                image_id=(TEXT, "the image"),
                text_kind=(TEXT, "chunk, concept"),
                text_id=(TEXT, "chunk_id or concept_id"),
                text_sha256=(TEXT, "of the text to score"),
                strategies=(TEXTS, "blocking strategies that proposed it"),
                fused_score=(FLOAT, "reciprocal rank fusion of the strategies"),
                position=(INT, "1… per image and text_kind, best first, unique"),
                features=(
                    pl.Struct(dict.fromkeys(PAIR_FEATURES, FLOAT)),
                    "named features; null where one does not apply",
                ),
            ),
            indispensable=("text_id", "text_sha256", "features"),
        ),
        Table(
            "pair_scores",
            "What the collection's scorer says of each candidate pair.",
            ("image_id", "text_kind", "text_id"),
            _columns(
                image_id=(TEXT, "the image"),
                text_kind=(TEXT, "chunk, concept"),
                text_id=(TEXT, "chunk_id or concept_id"),
                scorer=(TEXT, "fingerprint of the reranker, or of the evidence model when there is none"),
                direction=(TEXT, "image-to-text, text-to-image; null for the evidence model"),
                log_odds=(FLOAT, "of 'this picture shows this text'; null when it could not be scored"),
                score=(FLOAT, "10·sigmoid(log_odds)"),
                truncated=(BOOL, "whether the text was cut to the model's limit"),
            ),
            indispensable=("scorer", "log_odds"),
        ),
        Table(
            "embeddings",
            "Vectors of passages and of pictures' words, one per distinct text; none without a section `embeddings`.",
            ("text_sha256",),
            _columns(
                text_sha256=(TEXT, "of the text"),
                embedder=(TEXT, "fingerprint of the model"),
                vector=(VECTOR, "of length 1, four decimals; null when the model does not take the text"),
                error=(TEXT, "why there is no vector"),
            ),
        ),
        Table(
            "visual_evidence",
            "One row per candidate pair and per image and document, kept or not.",
            ("type", "image_id", "text_kind", "rank"),
            _columns(
                type=(TEXT, "HAS_VISUAL_EVIDENCE, ILLUSTRATES"),
                image_id=(TEXT, "the image"),
                text_kind=(TEXT, "chunk, document, concept"),
                text_id=(TEXT, "chunk_id, document_id or concept_id"),
                document_id=(TEXT, "the document of the text; null for concepts"),
                best_chunk_id=(TEXT, "the passage that speaks most for it"),
                log_odds=(FLOAT, "of the pair"),
                score=(FLOAT, "0–10"),
                confidence=(FLOAT, "0–1"),
                confidence_source=(TEXT, "calibrated, score"),
                calibrator=(TEXT, "id of the calibrator; null when confidence is score/10"),
                rank=(INT, "1… among the texts of this kind for this image, no ties"),
                margin=(
                    FLOAT,
                    "log-odds above the best other text of this kind for this image; null when alone",
                ),
                margin_points=(FLOAT, "the same in points of 0–10"),
                image_rank=(INT, "1… among the images for this text, no ties"),
                image_margin=(FLOAT, "log-odds above the best other image for this text; null when alone"),
                image_margin_points=(FLOAT, "the same in points of 0–10"),
                strategies=(TEXTS, "blocking strategies that proposed it"),
                contributions=(
                    pl.List(pl.Struct({"name": TEXT, "value": FLOAT})),
                    "what each feature adds to the log-odds",
                ),
                scorer=(TEXT, "whose log_odds and score these are"),
                kept=(BOOL, "whether it becomes an edge"),
                reason=(TEXT, "`Score: X.X — …` and why it is kept or not"),
            ),
            indispensable=("text_id", "kept", "scorer"),
        ),
        Table(
            "edge_reasons",
            "What the reranker wrote about kept rows of visual_evidence, where scoring.explain_edges asks for it.",
            ("image_id", "text_kind", "text_id"),
            _columns(
                image_id=(TEXT, "the image"),
                text_kind=(TEXT, "chunk, document (that of its best passage), concept"),
                text_id=(TEXT, "chunk_id, document_id or concept_id"),
                scorer=(TEXT, "fingerprint of the reranker that wrote it"),
                reason=(TEXT, "the sentence; null when what was written has no such form"),
                written=(TEXT, "all that was written; a number in it is nobody's score"),
            ),
        ),
        Table(
            "orphan_images",
            "Image files that no document of the collection references.",
            ("path",),
            _columns(
                path=(TEXT, "of image_files"),
                image_id=(TEXT, "null when unreadable"),
                reason=(TEXT, "duplicate, unreadable, decorative, unreferenced_matched, unmatched"),
                duplicate_of=(TEXT, "path of a used image with the same bytes"),
                best_document_path=(TEXT, "the document that most wants it"),
                best_chunk_id=(TEXT, "and the passage"),
                score=(FLOAT, "0–10 of that passage"),
                confidence=(FLOAT, "0–1 of that passage"),
                suggestion_rank=(INT, "1… over all orphans with a suggestion, most promising first, groups together"),
                suggestion_group=(TEXT, "path of the first file of a series, or of copies, that is one suggestion"),
                suggestion_value=(FLOAT, "confidence times what the document gains: less the more pictures it shows"),
                near_duplicate_of=(TEXT, "path of a used image that looks the same and has other bytes"),
            ),
            indispensable=("reason",),
        ),
        Table(
            "verdicts",
            "What people said of a pair.",
            ("image_id", "text_kind", "document_id", "text_sha256"),
            _columns(
                image_id=(TEXT, "the image"),
                text_kind=(TEXT, "chunk, concept"),
                document_id=(TEXT, "document of the passage; concept_id for a concept"),
                text_sha256=(TEXT, "of the text that was judged"),
                verdict=(TEXT, "accepted, rejected"),
                by=(TEXT, "who"),
                at=(TIME, "when"),
            ),
            indispensable=("verdict",),
        ),
        Table(
            "evidence_weights",
            "What each feature weighs in the collection, a version per calibration; only the job `calibrate` adds one.",
            ("version", "feature"),
            _columns(
                version=(INT, "1…; the newest one of the collection's scorer counts"),
                scorer=(TEXT, "fingerprint of the scorer that the weights go with"),
                feature=(TEXT, "of candidate_pairs.features, or `reranker`: the log-odds of a model reranker"),
                weight=(FLOAT, "log-odds per unit of the feature"),
                shipped=(FLOAT, "the weight that it started from"),
            ),
            indispensable=("weight", "scorer"),
        ),
        Table(
            "calibrators",
            "Curves from log-odds to confidence, and what they were found to be worth on hidden references.",
            ("version", "text_kind"),
            _columns(
                version=(INT, "as in evidence_weights"),
                calibrator=(TEXT, "hash of weights and curves; stands on every edge that they decided about"),
                scorer=(TEXT, "fingerprint of the only scorer that it applies to; names model, instruction, direction"),
                text_kind=(TEXT, "chunk, document, concept"),
                slope=(FLOAT, "confidence = sigmoid(slope * log-odds + intercept)"),
                intercept=(FLOAT, "see slope"),
                threshold=(FLOAT, "confidence from which pairs are kept; null: the collection's kept.min_confidence"),
                target_precision=(FLOAT, "share of kept pairs that should be right; null when no one asked for one"),
                precision=(FLOAT, "share of kept pairs that was right, on held-out pictures"),
                coverage=(FLOAT, "share of held-out pictures that kept a right pair"),
                coverage_before=(FLOAT, "the same at kept.min_confidence"),
                pictures=(INT, "pictures with a known answer"),
                accuracy=(FLOAT, "share of them whose first answer was right, held out"),
                ece=(FLOAT, "expected calibration error of the first answer, held out"),
                ece_floor=(FLOAT, "the same of outcomes drawn from the confidences: what so few pictures cannot beat"),
            ),
            indispensable=("scorer", "calibrator", "slope", "intercept"),
        ),
        Table(
            "evaluation",
            "Measures of quality on hidden references.",
            ("scenario", "protocol", "stress", "scorer", "metric", "k"),
            _columns(
                scenario=(TEXT, "part of the images that was asked"),
                protocol=(TEXT, "cold, folds"),
                stress=(TEXT, "what was made harder"),
                scorer=(TEXT, "fingerprint"),
                metric=(TEXT, "name of the measure"),
                k=(INT, "cut-off, where the measure has one"),
                value=(FLOAT, "the measure"),
                n=(INT, "number of images or passages"),
                ci_low=(FLOAT, "lower end of the 95 % interval"),
                ci_high=(FLOAT, "upper end"),
            ),
        ),
    )
}
