"""Nodes that somebody else keeps in the graph: how collections.yaml names them, and what was read of them.

Only the declaration: kg_pipeline.graph reads them, documents and concepts make rows of them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""What may stand in Cypher text: labels, types and property names cannot be parameters."""

OUR_LABELS = frozenset({"Chunk", "Image", "OrphanReport", "Collection"})
"""Labels that no source can have, because only this pipeline writes such nodes where sources stand."""
OUR_KEY = "id"
LABELS_WITH_OUR_KEY = frozenset({"Document", "Concept"})

# A second line of defence: the query runs in a reading transaction, but not every server holds to that.
_NOT_CODE = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`(?:``|[^`])*`|//[^\n]*|/\*.*?\*/", re.DOTALL)
_WRITING = re.compile(
    r"(?<![.:$\w])(?:CREATE|MERGE|SET|DELETE|DETACH|REMOVE|FOREACH|DROP|ALTER|GRANT|DENY|REVOKE|LOAD\s+CSV|"
    r"IN\s+(?:\w+\s+)?(?:CONCURRENT\s+)?TRANSACTIONS|EXPLAIN|PROFILE)\b",
    re.IGNORECASE,
)


def _plain_name(value: str) -> str:
    if not PLAIN_NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot be a label or property name here: "
            "use at most 64 letters, digits and '_', not beginning with a digit"
        )
    return value


def _reading(value: str) -> str:
    if found := _WRITING.search(_NOT_CODE.sub(" ", value)):
        raise ValueError(
            f"the query may only read, but it has {' '.join(found.group().split())!r}; "
            "a name that reads so goes into `backticks`"
        )
    return value


PlainName = Annotated[str, AfterValidator(_plain_name)]
ReadingQuery = Annotated[str, Field(min_length=1), AfterValidator(_reading)]


class GraphNodes(BaseModel):
    """Nodes of somebody else, named by label and key: matched by it, never created, changed or deleted."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    columns: ClassVar[tuple[str, ...]] = ()
    """What is read of a node besides its key: columns of the query, else the properties that these fields name."""

    label: PlainName = Field(description="label of the nodes")
    key: PlainName = Field(description="property that tells them apart: text or a whole number, better with an index")
    query: ReadingQuery | None = Field(
        None, description="Cypher that only reads and brings one row per node, with a column `key`; else all nodes"
    )

    @model_validator(mode="after")
    def _not_ours(self) -> Self:
        ours = self.label in OUR_LABELS or (self.label in LABELS_WITH_OUR_KEY and self.key == OUR_KEY)
        if ours:
            raise ValueError(
                f"(:{self.label} {{{self.key}}}) are nodes that this pipeline writes itself; name another label or key"
            )
        named = sorted(name for name in self.columns if getattr(self, name) is not None)
        if self.query and named:
            raise ValueError(
                f"with `query`, its columns say what {', '.join(named)} is: write e.g. "
                f"`RETURN n.{self.key} AS key, n.{getattr(self, named[0])} AS {named[0]}` and leave out {named[0]}"
            )
        return self

    @property
    def what(self) -> str:
        """As in Cypher, for messages."""
        return f"(:{self.label} {{{self.key}}})"


class ConceptNodes(GraphNodes):
    """Nodes that are concepts. With `query`, its columns are key and optionally name, aliases, description."""

    columns: ClassVar[tuple[str, ...]] = ("name", "aliases", "description")

    name: PlainName | None = Field(None, description="property with the name; the key by default")
    aliases: PlainName | None = Field(None, description="property with other names: a list, or text separated by |")
    description: PlainName | None = Field(None, description="property that says what it is")


class DocumentNodes(GraphNodes):
    """Nodes that are documents. With `query`, its columns are key and optionally title, text."""

    columns: ClassVar[tuple[str, ...]] = ("title", "text")

    title: PlainName | None = Field(None, description="property with the title; the key by default")
    text: PlainName | None = Field(None, description="property with the text; without it the title is the only passage")
    format: Literal["markdown", "text", "html", "rst"] = Field("markdown", description="what the text is written in")


@dataclass(frozen=True)
class NodesRead:
    """What a source brought: a row per node by key, or why it could not be read."""

    rows: pl.DataFrame
    """Columns key and the source's `columns`, texts (aliases: list of texts); `problem`, null when it can be used."""
    without_key: int = 0
    """Nodes that have no key, or one that is neither text nor a whole number."""
    error: str | None = None


ReadNodes: TypeAlias = Callable[[str, GraphNodes], NodesRead]
"""Reads the nodes of a source of the collection of that name; never raises for a graph that cannot be read."""


def schema_of(nodes: GraphNodes) -> pl.Schema:
    """Columns of NodesRead.rows."""
    texts: dict[str, pl.DataType] = dict.fromkeys(nodes.columns, pl.String())
    if "aliases" in texts:
        texts["aliases"] = pl.List(pl.String())
    return pl.Schema({"key": pl.String(), **texts, "problem": pl.String()})


def unread(nodes: GraphNodes, error: str) -> NodesRead:
    """A source that could not be read."""
    return NodesRead(pl.DataFrame(schema=schema_of(nodes)), error=error)


def no_graph(collection: str, nodes: GraphNodes) -> NodesRead:
    """Reads nothing: where there is no graph at hand."""
    return unread(nodes, f"{nodes.what} of collection {collection}: this run has no graph to read from")
