"""Tables whose texts are what careless writers of CSV and Cypher stumble over."""

import polars as pl
from graph_tables import NASTY, tables_of
from hypothesis import strategies as st

# Pieces, joined at random, so that they meet: a backslash before a u, a quote at the end, a delimiter in a list.
PIECES = [
    *("\\", "u0041", "u", "'", '"', '""', "`", ";", ";\n", ",", "\n", "\r", "\r\n", "\t", "|", "0", "[]", "null", " "),
    *("$rows", "$collection", "{", "}", "//", "/*", "*/", "--", "\\n", "\\'"),
    *("\x00", "\x1f", "\x7f", "\x85", "\u2028", "\ufeff", "图像", "😀", "é", "a"),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=8).map("".join)
NUMBERS = st.none() | st.floats(allow_nan=False, width=64)


def lists(*values: list[str]) -> pl.Series:
    return pl.Series(values, dtype=pl.List(pl.String))


def hostile_tables(texts: list[str], number: float | None = 0.5, name: str = "test") -> dict[str, pl.DataFrame]:
    """Tables with these texts wherever a text may stand."""
    tables = tables_of(name)
    at = (text for _ in range(99) for text in [*texts, None, "", NASTY])

    def spread(table: str, *columns: str) -> pl.DataFrame:
        frame = tables[table]
        return frame.with_columns(
            pl.Series(column, [next(at) for _ in range(frame.height)], pl.String) for column in columns
        )

    tables["documents"] = spread("documents", "title", "language")
    tables["chunks"] = spread("chunks", "text").with_columns(
        heading_path=pl.Series([texts, [], ["", "x"]], dtype=pl.List(pl.String))
    )
    tables["image_texts"] = spread("image_texts", "text").with_columns(pl.col("text").fill_null(""))
    tables["references"] = spread("references", "alt", "caption", "target")
    tables["visual_evidence"] = spread("visual_evidence", "reason", "scorer").with_columns(
        log_odds=pl.lit(number, pl.Float64),
        strategies=lists(*[texts] * tables["visual_evidence"].height),
    )
    tables["concepts"] = spread("concepts", "description").with_columns(aliases=lists(texts))
    return tables
