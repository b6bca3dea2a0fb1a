"""What words and paths say: a score of every picture for every passage and document, one matrix per field."""

import math
from collections.abc import Iterable
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates.folders import FolderFit, document_stem, translation_key
from kg_pipeline.candidates.glossary import translated
from kg_pipeline.candidates.image_words import read_image_words
from kg_pipeline.candidates.matching import Bm25, Bm25Texts, Field, IdfCosine, IdfShare, WithinGroups
from kg_pipeline.candidates.quotations import cues, labels_of, lines_of
from kg_pipeline.candidates.reading import read_texts, squashed
from kg_pipeline.candidates.sparse import Integers, Places, Rows, Scores, pairs_of
from kg_pipeline.candidates.tokens import Vocabulary

# b of BM25: headings and titles are short by nature, so their length says less than that of prose.
B_BODY, B_HEADING, B_TITLE = 0.75, 0.5, 0.3
# What the best text needs for full marks (see matching.ENOUGH_BM25): lines and labels as rare as 1 in 150 passages.
ENOUGH_RARITY, ENOUGH_OF_RARITY, ENOUGH_COSINE = 5.0, 0.8, 0.05
ENOUGH_IN_DOCUMENT = 4.0
"""The same of a document: two words that no other of its ten passages has."""
LONGEST = 2.0
"""Passages are cut at a size, so that longer ones are tables and code."""
DAMPED = ("folder_overlap", "folder_name")
"""Fields that say less of a folder of many pictures."""
TRANSLATED = ("translated_body", "translated_heading")
"""Fields that look up English words in other languages: not where the document is there in two."""
CUBED = ("folder_name",)
"""Likenesses that mean little unless they are great."""


class Fields:
    """Scores of pictures, by row of `images`, on passages (`chunk_ids`) and documents (`document_ids`), by theirs.

    Each is computed only for the passages or documents that are asked for. Names in `floors` are relative: to be
    divided by the best of the picture's texts, or by the floor where that is more.
    """

    def __init__(
        self,
        documents: pl.DataFrame,
        chunks: pl.DataFrame,
        image_files: pl.DataFrame,
        images: pl.DataFrame,
        image_texts: pl.DataFrame,
    ) -> None:
        chunks = _in_reading_order(chunks, documents)
        documents = documents.join(chunks, on="document_id", how="semi").sort("document_id")
        self.images = read_image_words(image_files, images, image_texts)
        self.image_ids = pl.Series([image.image_id for image in self.images], dtype=pl.String())
        self.chunk_ids, self.chunk_hashes = chunks["chunk_id"], chunks["text_sha256"]
        self.document_ids = documents["document_id"]
        self.chunk_document = self.document_ids.search_sorted(chunks["document_id"]).to_numpy().astype(np.int32)
        """For each passage its document; passages of a document stand together."""
        self.first_passage = np.searchsorted(self.chunk_document, np.arange(len(documents) + 1)).astype(np.int64)
        paths: list[str] = documents["path"].to_list()
        self.document_work = np.unique([translation_key(path) for path in paths], return_inverse=True)[1].reshape(-1)
        """For each document the work it is a translation of."""
        known = {"en": 1, "zh": -1}
        self.document_language = np.array([known.get(name or "", 0) for name in documents["language"]], np.float32)
        self._one_language = (np.bincount(self.document_work)[self.document_work] == 1).astype(np.float32)
        """1 for documents that are there in one language only."""
        self.image_language = np.array([known.get(image.language or "", 0) for image in self.images], np.float32)
        """1 English, -1 Chinese, 0 unknown or mixed."""
        self.vocabulary = Vocabulary()
        self._index(chunks, paths, documents["title"])

    def _index(self, chunks: pl.DataFrame, paths: list[str], titles: pl.Series) -> None:
        vocabulary, images, texts = self.vocabulary, self.images, chunks["text"]
        # First what takes most while it is made, then what stays.
        letters = Rows.of_characters(" ".join(image.names) for image in images).triples()
        trigrams = IdfShare(
            letters,
            (part.triples() for batch in squashed(texts) for part in Rows.of_squashed(batch.to_list()).batches()),
        )
        phrases, labels = lines_of(images, texts), labels_of(images, texts)
        body = read_texts(vocabulary, texts)
        heading = read_texts(vocabulary, chunks["heading_path"].list.join(" ", ignore_nulls=True).fill_null(""))
        full = [f"{title or ''} {document_stem(path)}" for title, path in zip(titles, paths, strict=True)]
        title = Rows.of([vocabulary.read(text) for text in full])
        name = Rows.of([vocabulary.number(image.name_tokens(vocabulary)) for image in images])
        lines = pl.Series([line for image in images for line in image.lines], dtype=pl.String())
        owner = np.repeat(np.arange(len(images)), [len(image.lines) for image in images])
        line = read_texts(vocabulary, lines, learn=False)
        read, read_pairs = line.regroup(owner, len(images)), line.pairs().regroup(owner, len(images))
        foreign = translated((name, read), vocabulary)
        self.folders = FolderFit(images, paths, full, vocabulary)
        passages = Bm25Texts((name, foreign, read), body.batches(), B_BODY)
        bigrams = Bm25Texts((read_pairs,), (batch.pairs() for batch in body.batches()), B_BODY)
        documents = Bm25Texts((name, read), body.regroup(self.chunk_document, len(paths)).batches(), B_BODY)
        headings = Bm25Texts((name, foreign, read), heading.batches(), B_HEADING)
        stems = Bm25Texts((name,), title.batches(), B_TITLE)
        usual = body.lengths.sum() / max(body.count, 1)
        length = np.minimum(body.lengths / max(usual, 1), LONGEST).astype(np.float32)
        del body, heading
        name_body = Bm25(name, passages)
        self._passages: dict[str, Field | Bm25 | IdfShare | WithinGroups] = {
            "name_body": name_body,
            "name_in_document": WithinGroups(name_body, self.chunk_document),
            "ocr_body": Bm25(read, passages),
            "ocr_heading": Bm25(read, headings),
            "name_heading": Bm25(name, headings),
            "translated_body": Bm25(foreign, passages),
            "translated_heading": Bm25(foreign, headings),
            "ocr_bigrams": Bm25(read_pairs, bigrams),
            "name_trigrams": trigrams,
            "phrase": phrases,
            "ui_labels": labels,
        }
        self._documents: dict[str, Field | Bm25] = {
            "name_title": Bm25(name, stems),
            "name_document": Bm25(name, documents),
            "ocr_document": Bm25(read, documents),
            "title_trigrams": IdfCosine(letters, Rows.of_characters(full).triples()),
        }
        fields = {**self._passages, **self._documents}
        self.floors = {each: field.enough for each, field in fields.items() if isinstance(field, Bm25)}
        """Name of each relative field: what the best text of a picture needs for full marks."""
        enough_rarity = min(ENOUGH_RARITY, ENOUGH_OF_RARITY * math.log1p(len(texts)))
        self.floors |= {"phrase": enough_rarity, "ui_labels": enough_rarity}
        self.floors |= {"title_trigrams": ENOUGH_COSINE, "folder_overlap": self.folders.enough_overlap}
        self.floors |= {"name_in_document": ENOUGH_IN_DOCUMENT}
        self.of_passage = {"cue_words": cues(texts), "passage_length": length}
        self.of_document = {"document_length": _log_lengths(np.diff(self.first_passage))}
        """What holds for a passage or a document whatever the picture."""

    def forget_scores(self) -> None:
        """Give back what scores are computed from."""
        self._passages, self._documents = {}, {}
        del self.folders, self.vocabulary

    def passages(self, rows: Integers, places: Places) -> dict[str, Scores]:
        """Named scores, not yet relative, of pictures on the passages that are looked at for each."""
        scores = {name: field.scores(rows, places) for name, field in self._passages.items()}
        for name in self._passages.keys() & TRANSLATED:
            scores[name] *= self._one_language[self.chunk_document[places]]
        return scores | {name: of_passage[places] for name, of_passage in self.of_passage.items()}

    def documents(self, rows: Integers, places: Places) -> dict[str, Scores]:
        """Named scores, not yet relative, of pictures on the documents that are looked at for each."""
        scores = {name: field.scores(rows, places) for name, field in self._documents.items()}
        scores |= self.folders.scores(rows, places)
        scores |= {name: of_document[places] for name, of_document in self.of_document.items()}
        scores["same_language"] = self.image_language[rows][:, None] * self.document_language[places]
        return scores

    def best_passages(self, rows: Integers, count: int) -> tuple[Integers, Integers]:
        """The `count` best passages of each picture in every field that words are looked up in.

        Pairs of place in `rows` and row of passage.
        """
        fields = [field for field in self._passages.values() if isinstance(field, Field | Bm25)]
        return _joined(pairs_of(field.best(rows, count)) for field in fields)

    def best_documents(self, rows: Integers, count: int) -> tuple[Integers, Integers]:
        """The `count` best documents of each picture in every field, as `best_passages`."""
        found = [pairs_of(field.best(rows, count)) for field in self._documents.values()]
        return _joined([*found, self.folders.best(rows, count)])

    @cached_property
    def chunk_order(self) -> NDArray[np.uint32]:
        """For each passage the place of its id among all ids in order."""
        order = np.empty(len(self.chunk_ids), np.uint32)
        order[self._chunk_by_order] = np.arange(len(order))
        return order

    def chunk_rows(self, ids: pl.Series) -> NDArray[np.int64]:
        """Rows of passages by their ids."""
        rows: NDArray[np.int64] = self._chunk_by_order[self._ordered_ids.search_sorted(ids).to_numpy()].astype(np.int64)
        return rows

    @cached_property
    def _chunk_by_order(self) -> NDArray[np.uint32]:
        return self.chunk_ids.arg_sort().to_numpy()

    @cached_property
    def _ordered_ids(self) -> pl.Series:
        return self.chunk_ids.gather(self._chunk_by_order)

    @cached_property
    def image_row(self) -> dict[str, int]:
        """Row of each image_id."""
        return {image.image_id: row for row, image in enumerate(self.images)}


def _log_lengths(passages: Integers) -> NDArray[np.float32]:
    """Logs of the number of passages of each document, 0 for the usual (geometric mean)."""
    logs = np.log(np.maximum(passages, 1))
    return np.asarray(logs - logs.sum() / max(len(logs), 1), np.float32)


def _joined(found: Iterable[tuple[Integers, Integers]]) -> tuple[Integers, Integers]:
    parts = list(found)
    return np.concatenate([row for row, _ in parts]), np.concatenate([text for _, text in parts])


def _in_reading_order(chunks: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """The passages of `documents`, document by document. No copy where the table is that already: texts are large."""
    places = chunks.select("document_id", "index").with_row_index("row").join(documents, on="document_id", how="semi")
    rows = places.sort("document_id", "index")["row"]
    return chunks if rows.len() == chunks.height and rows.is_sorted() else chunks[rows]
