"""Concepts from nodes of the graph, a glossary file and headings."""

import csv
import io
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple, cast

import polars as pl

from kg_pipeline.concepts.mentions import find_mentions
from kg_pipeline.concepts.nodes import Row, read_node_concepts
from kg_pipeline.config import Collection
from kg_pipeline.graph_nodes import ReadNodes, no_graph
from kg_pipeline.ids import sha256_text, stable_id
from kg_pipeline.tables import TABLES

COLUMNS = ("name", "aliases", "description")
ALIAS_SEPARATOR = "|"
USABLE = ("ok", "stale")
MAX_HEADING_CHARACTERS = 80  # longer headings are sentences, not names


def _phrases(text: str) -> frozenset[str]:
    return frozenset(" ".join(phrase.split()) for phrase in text.split(","))


# Headings that every document has: they name a part of the page, not a thing.
GENERIC_HEADINGS = _phrases(
    """
    about, abstract, appendix, before you begin, background, basics, changelog, changes, conclusion, configuration,
    contents, description, details, documentation, download, downloads, example, examples, faq, feedback,
    further reading, general, get started, getting started, glossary, how to use, index, installation, installing,
    instructions, introduction, learn more, license, limitations, links, more, more information, next steps, note,
    notes, options, other, overview, parameters, preface, prerequisites, questions, quick start, quickstart, references,
    related topics, remarks, requirements, resources, result, results, return value, see also, setup, step by step,
    steps, summary, support, table of contents, tips, troubleshooting, tutorial, usage, use, warning, what's new,
    概述, 简介, 介绍, 前言, 总结, 小结, 目录, 示例, 例子, 例程, 使用方法, 使用, 用法, 安装, 准备, 准备工作, 参考,
    参考资料, 更多, 常见问题, 注意, 注意事项, 说明, 下一步, 快速开始, 快速入门, 开始, 背景, 步骤, 其他, 其它, 结果,
    下载, 配置, 许可证
    """
)


# "2.1 Wiring", "3) Wiring", "三、接线", but not "12 V supply".
_NUMBERING = re.compile(r"^\s*(?:\d+(?:(?:\.\d+)+[.)]?|[.)])\s+|[\d一二三四五六七八九十]+、\s*)")
_MARKS = re.compile(r"\*\*|`")


class ConceptError(Exception):
    """A glossary cannot be read; the message names file and line."""


class ConceptTables(NamedTuple):
    """The tables of kg_pipeline.tables."""

    concepts: pl.DataFrame
    concept_mentions: pl.DataFrame


def read_concepts(
    collection: Collection,
    documents: pl.DataFrame,
    chunks: pl.DataFrame,
    previous: pl.DataFrame | None = None,
    read_nodes: ReadNodes = no_graph,
) -> ConceptTables:
    """Nodes of the graph, glossary entries and headings of `chunks`, and where the chunks mention them.

    A heading that is also in the glossary is the glossary's, and a glossary entry that is also a node is the node's.
    The id of our own depends on the name alone, so that collections share their concepts. `previous`: table concepts
    of the last run, for graph sources that cannot be read now. Raises ConceptError.
    """
    own: dict[str, Row] = {}
    if collection.concepts.glossary:
        own = {str(row["concept_id"]): row for row in read_glossary(collection.concepts.glossary)}
    known = documents.filter(pl.col("status").is_in(["ok", "stale"])).select("document_id")
    for name in _headings(chunks.join(known, on="document_id", how="semi"), collection.concepts.heading_levels):
        own.setdefault(concept_id(name), _row(name, [], None, "heading"))
    nodes = read_node_concepts(collection, previous, read_nodes)
    concepts = TABLES["concepts"].rows(without_doubles(own, nodes))
    mentions = find_mentions(usable_concepts(concepts), chunks, "chunk_id")
    return ConceptTables(concepts, TABLES["concept_mentions"].conform(mentions))


def without_doubles(own: dict[str, Row], nodes: list[Row]) -> list[Row]:
    """Nodes, and those of our own that no node has the name of; such a node is found by their aliases too."""
    taken: set[str] = set()
    rows = []
    for row in nodes:
        same = concept_id(str(row["name"]))
        entry = own.get(same) if row["status"] in USABLE else None
        if entry:
            taken.add(same)
            aliases = [*cast(list[str], row["aliases"]), *cast(list[str], entry["aliases"])]
            row |= {"aliases": list(dict.fromkeys(aliases)), "description": row["description"] or entry["description"]}
        rows.append(row)
    return [*rows, *(entry for same, entry in own.items() if same not in taken)]


def usable_concepts(concepts: pl.DataFrame) -> pl.DataFrame:
    """The rows of table concepts that name something: not those that say what could not be read."""
    return concepts.filter(pl.col("status").fill_null("ok").is_in(USABLE))


def concept_id(name: str) -> str:
    """Id of a concept: its name in NFKC, case folded, spaces joined."""
    return stable_id("concept", _folded(name))


def concept_text(name: str, aliases: list[str] | None, description: str | None) -> str:
    """What a scorer is given for a concept: `Name (alias, alias): description`."""
    other = ", ".join(alias for alias in aliases or [] if _folded(alias) != _folded(name))
    return f"{name} ({other})" * bool(other) + name * (not other) + (f": {description}" if description else "")


def concept_texts(concepts: pl.DataFrame) -> pl.DataFrame:
    """concept_id, text and text_sha256 of what a scorer is given for each row of table concepts."""
    texts = [concept_text(*row) for row in concepts.select("name", "aliases", "description").iter_rows()]
    return concepts.select("concept_id").with_columns(
        pl.Series("text", texts, dtype=pl.String),
        pl.Series("text_sha256", [sha256_text(text) for text in texts], dtype=pl.String),
    )


def read_glossary(path: Path) -> list[dict[str, object]]:
    """Rows of table concepts from a CSV with the columns name, aliases, description. Raises ConceptError.

    Entries of the same name are one concept with the aliases of all and the first description.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConceptError(f"glossary {path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConceptError(f"glossary {path}, line {line}: not UTF-8 ({error.reason}); save it as UTF-8") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows: dict[str, dict[str, object]] = {}
    try:
        columns = {(column or "").strip().lower(): column for column in reader.fieldnames or []}
        if "name" not in columns:
            raise ConceptError(f"glossary {path}, line 1: no column `name`; expected {', '.join(COLUMNS)}")
        for entry in reader:
            where = f"glossary {path}, line {reader.line_num}"
            if None in entry:
                raise ConceptError(f"{where}: more cells than columns; quote cells that hold a comma")
            cells = {column: (entry.get(columns.get(column, ""), "") or "").strip() for column in COLUMNS}
            if not any(cells.values()):
                continue
            if not cells["name"]:
                raise ConceptError(f"{where}: the name is empty; every concept needs one")
            aliases = [alias.strip() for alias in cells["aliases"].split(ALIAS_SEPARATOR) if alias.strip()]
            known = rows.get(concept_id(cells["name"]))
            if known:
                aliases = [*cast(list[str], known["aliases"]), *aliases]
            description = (known or {}).get("description") or cells["description"] or None
            name = known["name"] if known else cells["name"]
            rows[concept_id(cells["name"])] = _row(str(name), aliases, description, "glossary")
    except csv.Error as error:
        raise ConceptError(f"glossary {path}, line {reader.reader.line_num}: not valid CSV: {error}") from error
    return list(rows.values())


def _headings(chunks: pl.DataFrame, levels: tuple[int, ...]) -> list[str]:
    """Distinct headings of these levels (1 = first of heading_path) in order of document and place."""
    found: dict[str, str] = {}
    for path in chunks.sort("document_id", "index")["heading_path"].to_list():
        for level in levels:
            name = _plain(path[level - 1]) if len(path or []) >= level else ""
            if name and len(name) <= MAX_HEADING_CHARACTERS and _folded(name) not in GENERIC_HEADINGS:
                found.setdefault(concept_id(name), name)
    return [found[key] for key in sorted(found)]


def _plain(heading: str) -> str:
    """Without its number and the marks of bold and code: `2.1 The **CAN** bus` is `The CAN bus`."""
    return " ".join(_NUMBERING.sub("", _MARKS.sub("", heading)).split())


def _row(name: str, aliases: list[str], description: object, source: str) -> dict[str, object]:
    return {
        "concept_id": concept_id(name),
        "name": name,
        "aliases": list(dict.fromkeys(aliases)),
        "description": description,
        "source": source,
        "owned": True,
        "status": "ok",
    }


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
