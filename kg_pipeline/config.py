"""Settings of the process (environment) and of the collections (collections.yaml), validated."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kg_pipeline.graph_nodes import ConceptNodes, DocumentNodes
from kg_pipeline.model_sections import Descriptions, Embeddings, RemoteReranker
from kg_pipeline.store_addresses import ConfiguredAddress, Endpoint, StoreAddress, parse_address

DEFAULT_HOME = Path(".kg-pipeline")
SKIPPED_FOLDERS = frozenset(
    [".git", ".hg", ".svn", "node_modules", "bower_components", "__pycache__", ".venv", DEFAULT_HOME.name]
)
"""Folders that are never content, wherever they lie."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ConfigError(Exception):
    """A configuration is not valid; the message names file, line, key and what is allowed."""


def _name(value: str) -> str:
    # A collection's name is a file name and a Dagster partition key, where ".." and "..." mean something else.
    if not NAME.fullmatch(value) or ".." in value:
        raise ValueError("1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit, without '..'")
    return value


def is_never_content(folder: Path) -> bool:
    """Whether a folder inside a root is none of its content: one of SKIPPED_FOLDERS, or a HOME of any name."""
    return folder.name in SKIPPED_FOLDERS or (
        (folder / "dagster" / "dagster.yaml").is_file() and (folder / "tables").is_dir()
    )


Name = Annotated[str, AfterValidator(_name)]


class Settings(BaseSettings):
    """What the environment says. Secrets stand nowhere else."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    home: Path = Field(DEFAULT_HOME, validation_alias="KG_PIPELINE_HOME", description="folder for all that is kept")
    config: Path | None = Field(None, validation_alias="KG_PIPELINE_CONFIG", description="a collections.yaml")
    neo4j_uri: str | None = Field(
        None, validation_alias="NEO4J_URI", description="Bolt address; unset: the embedded server"
    )
    neo4j_username: str = Field("neo4j", validation_alias="NEO4J_USERNAME", description="user of that server")
    neo4j_password: SecretStr = Field(
        SecretStr(""), validation_alias="NEO4J_PASSWORD", description="password of that user"
    )
    neo4j_database: str | None = Field(
        None, validation_alias="NEO4J_DATABASE", description="database; unset: the server's default"
    )

    reports_url: str | None = Field(
        None,
        validation_alias="KG_PIPELINE_REPORTS_URL",
        description="address under which HOME/reports is served, for links in Dagster; `kg-pipeline dev` sets it",
    )
    serve_url: str | None = Field(
        None,
        validation_alias="KG_PIPELINE_SERVE_URL",
        description="address of `kg-pipeline serve` as browsers reach it, for links in Dagster",
    )

    embedding_api_key: SecretStr = Field(
        SecretStr(""), validation_alias="KG_PIPELINE_EMBEDDING_API_KEY", description="key of the embedding server"
    )
    description_api_key: SecretStr = Field(
        SecretStr(""),
        validation_alias="KG_PIPELINE_DESCRIPTION_API_KEY",
        description="key of the server that describes pictures",
    )
    reranker_api_key: SecretStr = Field(
        SecretStr(""),
        validation_alias="KG_PIPELINE_RERANKER_API_KEY",
        description="token of the server that `reranker: remote` asks",
    )

    webhook_url: SecretStr = Field(
        SecretStr(""),
        validation_alias="KG_PIPELINE_WEBHOOK_URL",
        description="where digests go; unset: nowhere",
    )
    webhook_format: Literal["json", "slack"] | None = Field(
        None,
        validation_alias="KG_PIPELINE_WEBHOOK_FORMAT",
        description="json or slack; unset: slack for hooks.slack.com, else json",
    )
    dagster_url: str | None = Field(
        None, validation_alias="KG_PIPELINE_DAGSTER_URL", description="address of Dagster's UI, for links in digests"
    )

    graph_names: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict,
        validation_alias="KG_PIPELINE_GRAPH_NAMES",
        description='other names for labels and relationship types, as JSON: `{"Chunk": "Passage"}`',
    )

    @field_validator("graph_names", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        # A ConfigError, for pydantic's own would print the secrets beside it.
        try:
            names = json.loads(value) if isinstance(value, str) else value
        except json.JSONDecodeError as error:
            raise ConfigError(f"KG_PIPELINE_GRAPH_NAMES is not valid JSON: {error}") from error
        if not isinstance(names, dict) or not all(isinstance(text, str) for pair in names.items() for text in pair):
            raise ConfigError('KG_PIPELINE_GRAPH_NAMES must map names to names, such as {"Chunk": "Passage"}')
        return names

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        self.home = self.home.expanduser().absolute()
        return self


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _resolved(path: Path, info: ValidationInfo) -> Path:
    base: Path = (info.context or {}).get("base", Path.cwd())
    return (base / path.expanduser()).absolute()


FilePath = Annotated[Path, AfterValidator(_resolved)]
"""A path; relative ones are relative to the configuration file."""


class DocumentRoot(_Section):
    """A folder of documents."""

    root: FilePath = Field(description="the folder")
    name: Name | None = Field(None, description="put before the paths of this root; only one root may be without")
    include: tuple[str, ...] = Field(("**",), description="patterns as in .gitignore, relative to the root")
    exclude: tuple[str, ...] = Field((), description="patterns as in .gitignore; they win over include")
    site_roots: dict[str, str] = Field(
        default_factory=dict,
        description="prefix of a site-absolute link: folder it stands for, absolute or relative to the root",
    )


class GraphDocuments(_Section):
    """Documents that are nodes which somebody else keeps in the graph."""

    graph: DocumentNodes = Field(description="which nodes")
    name: Name | None = Field(None, description="put before their keys in `path`; the label by default")

    @property
    def prefix(self) -> str:
        """What the paths of its documents begin with."""
        return self.name or self.graph.label


FOLDER, GRAPH = "folder", "graph"


def _kind_of_documents(entry: Any) -> str:
    return GRAPH if isinstance(entry, GraphDocuments) or (isinstance(entry, dict) and "graph" in entry) else FOLDER


Documents = Annotated[
    Annotated[DocumentRoot, Tag(FOLDER)] | Annotated[GraphDocuments, Tag(GRAPH)], Discriminator(_kind_of_documents)
]


class ImageInventory(_Section):
    """A place where images are: exactly one of folder, archive, manifest, store."""

    folder: FilePath | None = Field(None, description="a folder, with all below it")
    archive: FilePath | None = Field(None, description=".zip, .tar, .tar.gz, .tgz")
    manifest: FilePath | None = Field(
        None,
        description=".csv, .json or .parquet with a column `path`; `title`, `description` and `tags` are texts of the "
        "image",
    )
    store: ConfiguredAddress | None = Field(
        None,
        description="s3://bucket/folder, gs://bucket/folder, az://container/folder, https://host/folder/, or a "
        "manifest there (.csv, .json, .parquet): docs/object-stores.md",
    )
    endpoint: Endpoint | None = Field(
        None,
        description="server of s3://, gs:// or az:// when it is not the provider's own: https://minio.example:9000",
    )
    hosts: tuple[ConfiguredAddress, ...] = Field(
        (), description="other servers and buckets that a manifest may name: https://cdn.example.com, s3://bucket"
    )
    name: Name | None = Field(None, description="put before the paths; the file's or folder's name by default")
    include: tuple[str, ...] = ("**",)
    exclude: tuple[str, ...] = ()

    @field_validator("folder", "archive", "manifest", mode="before")
    @classmethod
    def _on_this_machine(cls, value: Any) -> Any:
        if isinstance(value, str) and "://" in value:
            raise ValueError("an address, not a path of this machine: write it under `store`")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.folder, self.archive, self.manifest, self.store)) != 1:
            raise ValueError("give exactly one of folder, archive, manifest, store")
        address = self.address
        if self.endpoint and (address is None or address.is_web) and not self.hosts:
            raise ValueError("`endpoint` belongs to a store with s3://, gs:// or az://")
        if self.hosts and not self.manifest and not (address and address.is_manifest):
            raise ValueError("`hosts` belongs to a manifest: other places list only what is theirs")
        if address and address.is_web and not address.is_manifest and not address.path.endswith("/") and address.path:
            raise ValueError("a folder of a web server ends with `/`, a manifest with .csv, .json or .parquet")
        return self

    @property
    def address(self) -> StoreAddress | None:
        """Where the pictures are, when that is not on this machine."""
        return parse_address(self.store) if self.store else None

    @property
    def asks_servers(self) -> bool:
        """Whether some of its pictures are not on this machine."""
        return bool(self.store or self.hosts)

    @property
    def location(self) -> Path:
        """The folder or file on this machine; there is none for a store."""
        location = self.folder or self.archive or self.manifest
        assert location is not None
        return location

    @property
    def prefix(self) -> str:
        """What the paths of its images begin with."""
        address = self.address
        return self.name or (address.name if address else self.location.name)


class ConceptSources(_Section):
    """Where concepts come from."""

    glossary: FilePath | None = Field(None, description="CSV with columns name, aliases (separated by |), description")
    heading_levels: tuple[Annotated[int, Field(ge=1, le=6)], ...] = Field(
        (), description="headings of these levels are concepts"
    )
    graph: tuple[ConceptNodes, ...] = Field((), description="nodes that somebody else keeps in the graph")


class Limits(_Section):
    """Guards against input that would eat the machine."""

    document_bytes: int = Field(50_000_000, gt=0, description="larger documents are skipped")
    document_pages: int = Field(20_000, gt=0, description="a PDF of more pages is not read")
    document_seconds: float = Field(
        120, gt=0, description="time to take one PDF, Office file, … apart; its process is then killed"
    )
    document_memory: int = Field(
        2_000_000_000, ge=200_000_000, description="bytes that the process may take which takes it apart"
    )
    image_bytes: int = Field(100_000_000, gt=0, description="larger images are skipped")
    image_pixels: int = Field(100_000_000, gt=0, description="images of more pixels are skipped, undecoded")
    archive_members: int = Field(200_000, gt=0, description="an archive with more members is not read")
    archive_bytes: int = Field(20_000_000_000, gt=0, description="unpacked size beyond which an archive is not read")
    archive_ratio: int = Field(200, gt=0, description="members packed tighter than this are skipped")
    store_objects: int = Field(1_000_000, gt=0, description="a store that lists more is not read")
    store_bytes: int = Field(
        200_000_000_000, gt=0, description="of a store whose pictures have more bytes together, none is fetched"
    )


class Scoring(_Section):
    """How pairs are chosen and scored."""

    reranker: Literal["auto", "none", "qwen-vl", "remote"] = "auto"
    checkpoint: str | None = Field(
        None, description="the reranker's weights: a folder, or a hub id with its revision (owner/model@commit)"
    )
    remote: RemoteReranker | None = Field(None, description="the server that `reranker: remote` asks")
    instruction: str | None = Field(
        None, description="what the reranker is told to look for; the model card's if unset"
    )
    direction: Literal["image-to-text", "text-to-image"] = Field(
        "image-to-text", description="what is the query: the image (shared by its texts, so faster) or the text"
    )
    dtype: Literal["bfloat16", "float16", "float32"] = Field("bfloat16", description="precision of the reranker")
    device: str = Field("auto", description="where it computes: cuda, cuda:1, cpu; auto takes a GPU when there is one")
    token_budget: int | None = Field(
        None, ge=128, description="tokens of one forward; by the memory of the device if unset, halved when it runs out"
    )
    allow_scorer_change: bool = Field(
        False, description="let `reranker: auto` score anew with another scorer than the collection's last one"
    )
    ocr: bool = Field(True, description="read the text in images")
    proposals: int = Field(200, ge=1, le=10_000, description="texts that blocking proposes per image")
    candidates: int = Field(50, ge=1, le=1_000, description="texts per image that the evidence model keeps")
    images_per_text: int = Field(50, ge=1, le=1_000, description="images per text that always keep their pair")
    max_new_pairs: int | None = Field(None, ge=0, description="stop before scoring more new pairs than this")
    explain_edges: int = Field(
        0, ge=0, description="edges whose reason the reranker writes in a sentence, the least certain first"
    )


class KeptRule(_Section):
    """Which pairs become edges."""

    min_confidence: float = Field(0.5, ge=0, le=1)
    max_rank: int = Field(3, ge=1)


class Collection(_Section):
    """One body of knowledge: partition, unit of backfill and scope of every delete."""

    name: Name
    documents: tuple[Documents, ...] = Field(min_length=1)
    images: tuple[ImageInventory, ...] = ()
    concepts: ConceptSources = ConceptSources()
    scoring: Scoring = Scoring()
    kept: KeptRule = KeptRule()
    embeddings: Embeddings | None = None
    descriptions: Descriptions | None = None
    limits: Limits = Limits()
    show_content_in_metadata: bool = Field(
        False,
        description="texts and small pictures in Dagster's metadata, which outlives them and is open to all who see "
        "the UI; else lengths",
    )
    hide_references: FilePath | None = Field(
        None, description="CSV with columns document,image: references to leave out, to measure; never synced"
    )

    @field_validator("documents", mode="before")
    @classmethod
    def _one_kind_each(cls, entries: Any) -> Any:
        for entry in entries if isinstance(entries, list | tuple) else ():
            if isinstance(entry, dict) and {"root", "graph"} <= set(entry):
                raise ValueError("give exactly one of root, graph in an entry")
        return entries

    @field_validator("documents")
    @classmethod
    def _sources_apart(cls, entries: tuple[Documents, ...]) -> tuple[Documents, ...]:
        names = [entry.name for entry in entries if isinstance(entry, DocumentRoot)]
        if len(set(names)) < len(names):
            raise ValueError("every documents root but one needs a `name`, and no two the same")
        return entries

    @model_validator(mode="after")
    def _places_apart(self) -> Self:
        prefixes = [inventory.prefix for inventory in self.images]
        prefixes += [root.name for root in self.roots if root.name]
        prefixes += [source.prefix for source in self.graph_documents]
        doubled = sorted({prefix for prefix in prefixes if prefixes.count(prefix) > 1})
        if doubled:
            raise ValueError(f"two places are called {', '.join(doubled)}: give each a `name` of its own")
        return self

    @property
    def roots(self) -> tuple[DocumentRoot, ...]:
        """The folders of documents."""
        return tuple(entry for entry in self.documents if isinstance(entry, DocumentRoot))

    @property
    def graph_documents(self) -> tuple[GraphDocuments, ...]:
        """The documents that are nodes of the graph."""
        return tuple(entry for entry in self.documents if isinstance(entry, GraphDocuments))


class _File(_Section):
    collections: dict[Name, dict[str, Any]] = Field(min_length=1)


def load_collections(path: Path) -> dict[str, Collection]:
    """The collections of a collections.yaml, by name. Raises ConfigError."""
    collections, broken = read_collections(path)
    if broken:
        raise next(iter(broken.values()))
    return collections


def read_collections(path: Path) -> tuple[dict[str, Collection], dict[str, ConfigError]]:
    """The collections of a file that are valid, and what is wrong with the others. Raises ConfigError for the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}, line 1: expected a mapping with the key `collections`")
    context = {"base": path.absolute().parent}
    try:
        file = _File.model_validate(data, context=context)
    except ValidationError as error:
        raise ConfigError(_explain(path, tree, error, ())) from error
    collections, broken = {}, {}
    for name, section in file.collections.items():
        try:
            collections[name] = Collection.model_validate({"name": name, **section}, context=context)
        except ValidationError as error:
            broken[name] = ConfigError(_explain(path, tree, error, ("collections", name)))
            broken[name].__cause__ = error
    return collections, broken


def dump_collection(collection: Collection) -> str:
    """The text of a collections.yaml that holds just this collection, with absolute paths."""
    section = collection.model_dump(mode="json", exclude={"name"}, exclude_defaults=True)
    return yaml.safe_dump({"collections": {collection.name: section}}, allow_unicode=True, sort_keys=True)


def _explain(path: Path, tree: yaml.Node | None, error: ValidationError, prefix: tuple[str, ...]) -> str:
    lines = []
    problems = error.errors()
    for problem in problems:
        place = problem["loc"]
        if problem["type"] == "too_short" and any(
            other["loc"][: len(place)] == place != other["loc"] for other in problems
        ):
            continue  # pydantic counts the valid entries
        where = (*prefix, *_without_tags(place))
        key = ".".join(str(part) for part in where if part != "[key]")
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"unknown key; allowed here: {', '.join(_allowed(place[:-1]))}"
        lines.append(f"{path}, line {_line_of(tree, where)}: {key}: {message}")
    return "\n".join(lines)


def _without_tags(place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Where in the file: `documents.0`, not pydantic's `documents.0.folder`, which also says the kind of entry."""
    return place[:2] + place[3:] if place[:1] == ("documents",) else place


def _allowed(where: tuple[str | int, ...]) -> list[str]:
    model: type[BaseModel] = Collection
    for part in where:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
        elif part == GRAPH and model is DocumentRoot:
            model = GraphDocuments
    return sorted(set(model.model_fields) - {"name"} if model is Collection else set(model.model_fields))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_in(part))), None)


def _line_of(node: yaml.Node | None, where: tuple[str | int, ...]) -> int:
    """Line, from 1, of the deepest part of `where` that stands in the file."""
    line = node.start_mark.line if node else 0
    for part in where:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == part), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
    return line + 1
