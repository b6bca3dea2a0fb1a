"""Made-up corpora of any size: Zipf words, documents of 20 passages, pictures named after what they show.

What matters for speed is as on real sites: how common words are, how long names and lines are, how many pictures share
a folder. Half of the pictures lie in a folder of their document, the others in one of their directory; six in ten have
lines that can be read, seven in ten are referenced.
"""

import numpy as np
import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.ids import chunk_id, document_id, sha256_text
from kg_pipeline.tables import TABLES

SEED = 7
WORDS, ZIPF = 200_000, 1.07
TOKENS, PER_DOCUMENT, PER_DIRECTORY, TOPIC_WORDS = 60, 20, 15, 25
READ_SHARE, REFERENCED_SHARE = 0.6, 0.7
SYLLABLES = [
    first + second
    for first in ["b", "c", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "pl"]
    for second in ["a", "e", "i", "o", "u"]
]


def synthetic_corpus(passages: int, images: int) -> Corpus:
    """A corpus of so many passages and images; the same for the same numbers."""
    chance = np.random.default_rng(SEED)
    words = np.array(_vocabulary(chance))
    share = 1 / np.arange(1, WORDS + 1) ** ZIPF
    cumulative = np.cumsum(share / share.sum())
    count = -(-passages // PER_DOCUMENT)
    # Topics are words of the middle: neither "the" nor names that occur once.
    topics = chance.integers(300, WORDS // 4, (count, TOPIC_WORDS))
    directories = [f"{words[a]}/{words[b]}" for a, b in chance.integers(500, 20_000, (count // PER_DIRECTORY + 1, 2))]
    place = [directories[number // PER_DIRECTORY] for number in range(count)]
    paths = [f"{place[n]}/{words[topics[n, 0]]}-{words[topics[n, 1]]}-{n}.md" for n in range(count)]
    ids = [document_id("bench", path) for path in paths]
    documents = TABLES["documents"].conform(
        _columns(
            "documents",
            document_id=ids,
            path=paths,
            format=["markdown"] * count,
            title=[f"{words[t[0]]} {words[t[1]]} {words[t[2]]}".title() for t in topics],
            language=["en"] * count,
            status=["ok"] * count,
        )
    )
    chunks, own_words = _chunks(chance, words, cumulative, topics, ids, passages)
    shown = chance.choice(passages, images)
    files, texts, image_ids = _images(chance, words, own_words, shown, place, topics)
    referenced = chance.random(images) < REFERENCED_SHARE
    references = pl.DataFrame({"image_id": image_ids, "chunk": shown}).filter(pl.Series(referenced))
    by_number = chunks.with_row_index("chunk").select(pl.col("chunk").cast(pl.Int64), "chunk_id", "document_id")
    references = references.join(by_number, on="chunk").select(
        "image_id", "chunk_id", "document_id", pl.lit("ok").alias("status"), pl.lit(1).alias("line")
    )
    return Corpus(
        documents=documents,
        chunks=TABLES["chunks"].conform(chunks),
        references=TABLES["references"].conform(_columns("references", **references.to_dict())),
        image_files=files.select(TABLES["image_files"].schema.names()),
        images=TABLES["images"].conform(
            _columns(
                "images",
                image_id=image_ids,
                path=files["path"],
                width=chance.integers(300, 1900, images),
                height=chance.integers(200, 1000, images),
                role=["content"] * images,
            )
        ),
        image_texts=texts,
        concepts=TABLES["concepts"].empty(),
        concept_mentions=TABLES["concept_mentions"].empty(),
    )


def _vocabulary(chance: np.random.Generator) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < WORDS:
        for length in chance.choice([2, 3, 4], 50_000, p=[0.3, 0.5, 0.2]):
            found["".join(SYLLABLES[n] for n in chance.integers(0, len(SYLLABLES), length))] = None
    return list(found)[:WORDS]


def _chunks(
    chance: np.random.Generator,
    words: np.ndarray,
    cumulative: np.ndarray,
    topics: np.ndarray,
    ids: list[str],
    passages: int,
) -> tuple[pl.DataFrame, np.ndarray]:
    """The chunks, unsorted, and six telling words of each passage, (passages, 6)."""
    texts: list[str] = []
    headings: list[list[str]] = []
    telling = np.empty((passages, 6), np.int64)
    for start in range(0, passages, 20_000):
        stop = min(start + 20_000, passages)
        found = np.searchsorted(cumulative, chance.random((stop - start, TOKENS)))
        own = topics[np.arange(start, stop) // PER_DOCUMENT]
        picked = np.take_along_axis(own, chance.integers(0, TOPIC_WORDS, (stop - start, 6)), axis=1)
        found[:, [5, 11, 19, 23, 31, 47]] = picked
        telling[start:stop] = picked
        for row in words[found].tolist():
            row[9] = f"**{row[9]}**"
            texts.append(" ".join(row[:20]) + ". " + " ".join(row[20:40]) + ".\n" + " ".join(row[40:]) + ".")
        headings += [[f"{a} {b}".title()] for a, b in words[picked[:, :2]].tolist()]
    owner = [ids[number // PER_DOCUMENT] for number in range(passages)]
    hashes = [sha256_text(text) for text in texts]
    return _columns(
        "chunks",
        chunk_id=[chunk_id(document, text, 0) for document, text in zip(owner, hashes, strict=True)],
        document_id=owner,
        index=np.arange(passages) % PER_DOCUMENT,
        heading_path=headings,
        text=texts,
        text_sha256=hashes,
    ), telling


def _images(
    chance: np.random.Generator,
    words: np.ndarray,
    own_words: np.ndarray,
    shown: np.ndarray,
    place: list[str],
    topics: np.ndarray,
) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """image_files in the order of `shown`, image_texts, ids."""
    paths, lines = [], []
    for number, chunk in enumerate(shown.tolist()):
        document = chunk // PER_DOCUMENT
        own = words[own_words[chunk]]
        folder = f"{words[topics[document, 0]]}-{words[topics[document, 1]]}" if number % 2 else "images"
        name = "-".join(own[chance.choice(6, 2, replace=False)])
        paths.append(f"{place[document]}/{folder}/{name}-{number}.png")
        if chance.random() < READ_SHARE:
            noise = words[np.minimum(chance.zipf(1.2, 12), WORDS - 1)]
            read = np.concatenate([own[:4], noise])
            chance.shuffle(read)
            lines += [(number, " ".join(part)) for part in np.array_split(read, 6)]
    ids = [sha256_text(path) for path in paths]
    files = _columns("image_files", path=paths, image_id=ids, status=["ok"] * len(paths))
    texts = _columns(
        "image_texts",
        image_id=[ids[number] for number, _ in lines],
        source=["ocr"] * len(lines),
        text=[line for _, line in lines],
        confidence=[0.9] * len(lines),
    )
    return files, texts, ids


def _columns(table: str, **columns: object) -> pl.DataFrame:
    """The table's columns; those not given are null."""
    schema = TABLES[table].schema
    given = pl.DataFrame(dict(columns))
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in columns]
    return given.with_columns(absent).select(pl.col(name).cast(dtype) for name, dtype in schema.items())
