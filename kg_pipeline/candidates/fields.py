"""What words and paths say: a score of every picture for every passage and document, one matrix per field."""

import math
import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from kg_pipeline.candidates.folders import FolderFit, document_stem, translation_key
from kg_pipeline.candidates.image_words import ImageWords, read_image_words
from kg_pipeline.candidates.sparse import (
    Bm25,
    IdfCosine,
    IdfShare,
    Matrix,
    Rows,
    Scores,
    dense,
    matrix_of,
    relative,
)
from kg_pipeline.candidates.tokens import CJK_CHARACTER, Vocabulary, normalise, squash, tokens
from kg_pipeline.candidates.verbatim import occurrences

# b of BM25: headings and titles are short by nature, so their length says less than that of prose.
B_BODY, B_HEADING, B_TITLE = 0.75, 0.5, 0.3
# What the best text needs for full marks (see sparse.ENOUGH_BM25): lines and labels as rare as 1 in 150 passages.
ENOUGH_RARITY, ENOUGH_OF_RARITY, ENOUGH_COSINE = 5.0, 0.8, 0.05
COMMON_LINE = 0.2  # a line in more than this share of the passages says nothing
PREFIX_LETTERS = 24
BLOCK_CELLS = 2_000_000  # images × passages held at once, some twenty matrices of them: about 250 MB

# What stands in prose for something seen on a screen: **bold**, `code`, quotes, :guilabel:`x`, CJK brackets.
_LABEL = re.compile(
    r"\*\*(.{1,60}?)\*\*|`([^`\n]{1,60})`|[\"“]([^\"”\n]{1,60})[\"”]|[「『【《]([^」』】》\n]{1,60})[」』】》]"
)
_CUE = re.compile(
    r"\b(?:below|above|shown?|shows|figure|image|picture|screenshot|diagram|photo|illustrat\w+|click|see|looks? like|"
    r"following)\b|如图|下图|上图|如下|所示|点击|图片|截图|效果",
    re.IGNORECASE,
)
MAX_CUES = 3.0


class Fields:
    """Scores of pictures, by row of `images`, on passages (`chunk_ids`) and documents (`document_ids`).

    Dense, but only for a block of pictures at a time: `blocks` cuts the pictures so that a block fits into memory.
    """

    def __init__(
        self,
        documents: pl.DataFrame,
        chunks: pl.DataFrame,
        image_files: pl.DataFrame,
        images: pl.DataFrame,
        image_texts: pl.DataFrame,
    ) -> None:
        chunks = chunks.join(documents, on="document_id", how="semi").sort("document_id", "index")
        documents = documents.join(chunks, on="document_id", how="semi").sort("document_id")
        self.images = read_image_words(image_files, images, image_texts)
        self.chunk_ids: list[str] = chunks["chunk_id"].to_list()
        self.document_ids: list[str] = documents["document_id"].to_list()
        place = {document: row for row, document in enumerate(self.document_ids)}
        self.chunk_document = np.array([place[document] for document in chunks["document_id"]], np.int64)
        self.vocabulary = Vocabulary()
        texts: list[str] = chunks["text"].to_list()
        self._body = Rows.of([self.vocabulary.read(text) for text in texts])
        headings = [" ".join(path or []) for path in chunks["heading_path"].to_list()]
        self._heading = Rows.of([self.vocabulary.read(text) for text in headings])
        paths: list[str] = documents["path"].to_list()
        titles = [f"{title or ''} {document_stem(path)}" for title, path in zip(documents["title"], paths, strict=True)]
        self._title = Rows.of([self.vocabulary.read(text) for text in titles])
        self._titles = titles
        self._texts = texts
        self._languages: list[str | None] = documents["language"].to_list()
        self._stems = [squash(document_stem(path)) for path in paths]
        self._name = Rows.of([self.vocabulary.number(image.name_tokens(self.vocabulary)) for image in self.images])
        self._folder = Rows.of([self.vocabulary.number(image.folder_tokens(self.vocabulary)) for image in self.images])
        self._read = Rows.of([self.vocabulary.number(_tokens(image)) for image in self.images])
        self.document_work = np.unique([translation_key(path) for path in paths], return_inverse=True)[1].reshape(-1)
        """For each document the work it is a translation of."""
        self._folders = FolderFit(self.images, paths, titles, self.vocabulary)
        self._bags = _Bags(self)

    def blocks(self) -> list[slice]:
        """Pictures in blocks that fit into memory."""
        size = max(1, BLOCK_CELLS // max(1, len(self.chunk_ids)))
        return [slice(start, min(start + size, len(self.images))) for start in range(0, len(self.images), size)]

    def passages(self, block: slice) -> dict[str, Scores]:
        """Named scores, (pictures of the block, passages)."""
        bags = self._bags
        scores = {name: relative(bm25.scores(block), bm25.enough) for name, bm25 in bags.passage_bm25.items()}
        scores["name_trigrams"] = bags.name_trigrams.scores(block)
        scores["phrase"] = relative(dense(bags.lines[block] @ bags.lines_in_passages), bags.enough_rarity)
        scores["ui_labels"] = relative(dense(bags.labels[block] @ bags.labels_in_passages), bags.enough_rarity)
        scores["cue_words"] = np.broadcast_to(bags.cues, scores["phrase"].shape)
        return scores

    def documents(self, block: slice) -> dict[str, Scores]:
        """Named scores, (pictures of the block, documents)."""
        bags = self._bags
        scores = {name: relative(bm25.scores(block), bm25.enough) for name, bm25 in bags.document_bm25.items()}
        scores["title_trigrams"] = relative(bags.title_trigrams.scores(block), ENOUGH_COSINE)
        scores["folder_trigrams"] = relative(bags.folder_trigrams.scores(block), ENOUGH_COSINE)
        scores |= self._folders.scores(block)
        damping = self._folders.damping[block][:, None]
        for name in ("folder_title", "folder_trigrams", "folder_overlap", "folder_name", "folder_like"):
            scores[name] = scores[name] * damping
        scores["name_prefix"] = self._name_prefix(block)
        scores["same_language"] = self._same_language(block)
        return scores

    def _name_prefix(self, block: slice) -> Scores:
        stems = _character_matrix(self._stems)
        lengths = np.array([len(stem) for stem in self._stems])
        shares = np.zeros((block.stop - block.start, len(self._stems)), np.float32)
        for row, image in enumerate(self.images[block]):
            for name in map(squash, image.names):
                codes = _character_matrix([name])[0]
                common = np.cumprod((stems == codes) & (codes > 0), axis=1).sum(axis=1)
                share = common / np.maximum(1, np.maximum(len(name), lengths))
                shares[row] = np.maximum(shares[row], np.where(common >= 3, share, 0))
        return shares

    def _same_language(self, block: slice) -> Scores:
        known = np.array([{"en": 1, "zh": -1}.get(language or "", 0) for language in self._languages], np.float32)
        of_image = {"en": 1, "zh": -1, None: 0}
        return np.array([known * of_image[image.language] for image in self.images[block]], np.float32).reshape(
            block.stop - block.start, len(known)
        )

    @cached_property
    def chunk_row(self) -> dict[str, int]:
        """Row of each chunk_id."""
        return {chunk: row for row, chunk in enumerate(self.chunk_ids)}

    @cached_property
    def image_row(self) -> dict[str, int]:
        """Row of each image_id."""
        return {image.image_id: row for row, image in enumerate(self.images)}


class _Bags:
    """The matrices behind `Fields`."""

    def __init__(self, fields: Fields) -> None:
        f = fields
        name, folder, read = f._name, f._folder, f._read
        self.passage_bm25 = {
            "name_body": Bm25(name, f._body, B_BODY),
            "ocr_body": Bm25(read, f._body, B_BODY),
            "name_heading": Bm25(name, f._heading, B_HEADING),
            "folder_heading": Bm25(folder, f._heading, B_HEADING),
            "name_bigrams": Bm25(name.pairs(), f._body.pairs(), B_BODY),
            "ocr_bigrams": Bm25(_line_pairs(f.images, f.vocabulary), f._body.pairs(), B_BODY),
        }
        whole = f._body.regroup(f.chunk_document, len(f.document_ids))
        self.document_bm25 = {
            "name_title": Bm25(name, f._title, B_TITLE),
            "folder_title": Bm25(folder, f._title, B_TITLE),
            "name_document": Bm25(name, whole, B_BODY),
            "ocr_document": Bm25(read, whole, B_BODY),
        }
        names = Rows.of_characters(" ".join(image.names) for image in f.images).triples()
        self.name_trigrams = IdfShare(names, Rows.of_characters(f._texts).triples())
        titles = Rows.of_characters(f._titles).triples()
        self.title_trigrams = IdfCosine(names, titles)
        self.folder_trigrams = IdfCosine(Rows.of_characters(i.folder_text for i in f.images).triples(), titles)
        self.lines, self.lines_in_passages = _lines(f.images, f._texts)
        self.labels, self.labels_in_passages = _labels(f.images, f._texts)
        self.enough_rarity = min(ENOUGH_RARITY, ENOUGH_OF_RARITY * math.log1p(len(f._texts)))
        cues = [len(_CUE.findall(text)) + text.rstrip().endswith((":", ":")) for text in f._texts]
        self.cues = np.minimum(np.array(cues, np.float32), MAX_CUES)


def _tokens(image: ImageWords) -> list[str]:
    return [token for line in image.lines for token in tokens(line)]


def _line_pairs(images: list[ImageWords], vocabulary: Vocabulary) -> Rows:
    lines = [(row, vocabulary.number(tokens(line))) for row, image in enumerate(images) for line in image.lines]
    owner = np.array([row for row, _ in lines], np.int64)
    return Rows.of([ids for _, ids in lines]).pairs().regroup(owner, len(images))


def _lines(images: list[ImageWords], texts: list[str]) -> tuple[Matrix, Matrix]:
    """Lines read in the pictures, (images, lines), and where they stand verbatim, weighted, (lines, passages)."""
    of_image = [image.squashed_lines() for image in images]
    needles = sorted({line for lines in of_image for line in lines})
    column = {line: place for place, line in enumerate(needles)}
    owners = Rows.of([[column[line] for line in lines] for lines in of_image])
    needle, text = occurrences(needles, [squash(text) for text in texts])
    hits = np.bincount(needle, minlength=len(needles))
    weight = np.where(hits <= COMMON_LINE * len(texts), np.log1p(len(texts) / np.maximum(hits, 1)), 0)
    return (
        owners.matrix(np.arange(len(needles))),
        matrix_of(needle, text, weight[needle], (len(needles), len(texts))),
    )


def _labels(images: list[ImageWords], texts: list[str]) -> tuple[Matrix, Matrix]:
    """Labels read in the pictures, (images, labels), and the passages that quote them, weighted, (labels, passages)."""
    of_text = [_quoted(text) for text in texts]
    needles = sorted({label for labels in of_text for label in labels})
    column = {label: place for place, label in enumerate(needles)}
    quoting = Rows.of([[column[label] for label in labels] for labels in of_text]).matrix(np.arange(len(needles)))
    label, image = occurrences(needles, ["\n".join(squash(line) for line in image.lines) for image in images])
    in_images = np.bincount(label, minlength=len(needles))
    in_texts = np.bincount(quoting.indices, minlength=len(needles))
    weight = np.log1p(len(images) / np.maximum(in_images, 1)) + 0.5 * np.log1p(len(texts) / np.maximum(in_texts, 1))
    return (
        matrix_of(image, label, np.ones(len(label)), (len(images), len(needles))),
        sparse.csr_array(quoting.multiply(weight[None, :].astype(np.float32)).T),
    )


def _quoted(text: str) -> list[str]:
    found = (
        squash(next(group for group in groups if group)) for groups in _LABEL.findall(normalise(text)) if any(groups)
    )
    return [label for label in dict.fromkeys(found) if len(label) >= (2 if CJK_CHARACTER.search(label) else 3)]


def _character_matrix(texts: Sequence[str]) -> NDArray[np.uint32]:
    """Code points of the first letters of each text, padded with 0."""
    padded = "".join(text[:PREFIX_LETTERS].ljust(PREFIX_LETTERS, "\0") for text in texts)
    return np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), np.uint32).reshape(-1, PREFIX_LETTERS)
