"""Write the reference pages that follow from code: tables, configuration, graph model, commands. Run after changes."""

import inspect
import sys
from collections.abc import Iterator
from enum import EnumType
from pathlib import Path
from typing import Any, get_type_hints

import typer
from pydantic import BaseModel, SecretStr

from kg_pipeline.cli import app
from kg_pipeline.config import Collection, Settings
from kg_pipeline.graph.model import NODES, RELATIONSHIPS, SEARCH_INDEXES, constraints, search_index
from kg_pipeline.tables import PAIR_FEATURES, TABLES

HERE = Path(__file__).parent


def tables_page() -> Iterator[str]:
    """Every table with a line per column."""
    yield "# Tables\n"
    yield "One Parquet file per table and collection at `HOME/tables/<table>/<collection>.parquet`, sorted by key."
    yield "The same input gives the same bytes. `kg-pipeline tables NAME --collection C --format json` prints one.\n"
    for table in TABLES.values():
        yield f"## {table.name}\n"
        keys = ", ".join(f"`{name}`" for name in table.key)
        yield f"{table.doc} {'Key' if table.unique else 'Sorted by'}: {keys}.\n"
        yield "| column | type | what it holds |\n|---|---|---|"
        for column in table.columns:
            dtype = "Struct of features" if column.name == "features" else str(column.dtype)
            yield f"| `{column.name}` | {dtype} | {_cell(column.doc)} |"
        yield ""
    yield "## Features of a candidate pair\n"
    yield "| feature | meaning |\n|---|---|"
    yield from (f"| `{name}` | {_cell(doc)} |" for name, doc in PAIR_FEATURES.items())


def configuration_page() -> Iterator[str]:
    """Every key of collections.yaml and every environment variable."""
    yield "# Configuration\n"
    yield "## collections.yaml\n"
    yield "`collections:` maps a name (letters, digits, `.`, `_`, `-`) to a section with the keys below. Relative paths"
    yield "are relative to the file. A mistake is reported with file, line, key and what is allowed. Patterns are those"
    yield "of .gitignore.\n"
    yield from _model_rows(Collection)
    yield "\n## Environment\n"
    yield "| variable | meaning | default |\n|---|---|---|"
    for field in Settings.model_fields.values():
        default = field.get_default(call_default_factory=True)
        shown = "" if isinstance(default, SecretStr) else _default(default)
        yield f"| `{field.validation_alias}` | {_cell(field.description or '')} | {shown} |"


def graph_model_page() -> Iterator[str]:
    """Every label and relationship type."""
    yield "# Graph model\n"
    yield "Names are those of neo4j-graphrag, so its retrievers work as they are. Every node and relationship of ours"
    yield "but Image and Concept carries `collection` and `generation`; relationships also `first_seen`. Images and"
    yield "concepts are shared by collections and held by IN_COLLECTION; the last collection that lets go takes them"
    yield "along. What carries no collection of ours is never touched.\n"
    yield "## Nodes\n"
    yield "| label | what it is | properties |\n|---|---|---|"
    for node in NODES.values():
        names = ", ".join(f"`{name}`" for name in ("id", *node.properties, *node.stamped))
        yield f"| `{node.pattern}` | {_cell(node.doc)} | {names} |"
    yield "\n## Relationships\n"
    yield "| pattern | what it says | properties |\n|---|---|---|"
    for edge in RELATIONSHIPS.values():
        pattern = f"(:{'|'.join(edge.start)})-[:{edge.type}]->(:{'|'.join(edge.end)})"
        names = ", ".join(f"`{name}`" for name in edge.properties)
        yield f"| `{_cell(pattern)}` | {_cell(edge.doc)} | {names} |"
    yield "\n`OrphanReport` counts every orphan file; `LISTS` leads to those that are images: an unreadable file has no"
    yield "Image node. Set `verdict` (`accepted`, `rejected`, `withdrawn`; and `verdict_by`, `verdict_at`) on a"
    yield "HAS_VISUAL_EVIDENCE, ILLUSTRATES or REJECTED_EVIDENCE relationship by hand, and the next run takes it over:"
    yield "[graph-operations.md](graph-operations.md).\n"
    yield "## Constraints\n"
    yield "```cypher"
    yield from (f"{constraint};" for constraint in constraints())
    yield "```\n"
    yield "## Search indexes\n"
    yield "Made at the end of a run on servers that have such indexes (Neo4j; not the embedded server). What is in the"
    yield "way is left alone: `kg-pipeline doctor` says what to do.\n"
    yield "| index | kind | finds | on |\n|---|---|---|---|"
    for index in SEARCH_INDEXES:
        on = ", ".join(f"`{index.label}.{name}`" for name in index.properties)
        yield f"| `{index.name}` | {index.kind.lower()} | {index.doc} | {on} |"
    yield "\n```cypher"
    yield from (f"{search_index(index, 1024)};" for index in SEARCH_INDEXES)
    yield "```"


def cli_page() -> Iterator[str]:
    """Every command with its arguments and options."""
    yield "# Command line\n"
    yield "A mistake in an option ends a command with code 2, all else that keeps it from doing its work with 1: one"
    yield "line on standard error says what, where and what to do. `--help` works everywhere.\n"
    commands = list(_commands("kg-pipeline", typer.main.get_command(app)))
    yield "| command | what it does |\n|---|---|"
    for name, command in commands:
        yield f"| [`{name}`](#{name.replace(' ', '-')}) | {_cell(' '.join(_paragraphs(command.help)[0].split()))} |"
    for name, command in commands:
        yield f"\n## {name}\n"
        yield "\n\n".join(_paragraphs(command.help))
        hints = get_type_hints(inspect.unwrap(command.callback))
        shown = [parameter for parameter in command.params if parameter.name != "help"]
        arguments = [parameter.name.upper() for parameter in shown if parameter.param_type_name == "argument"]
        options = " [OPTIONS]" if len(shown) > len(arguments) else ""
        yield f"\n```sh\n{' '.join([name, *arguments])}{options}\n```"
        if shown:
            yield "\n| option | meaning | default |\n|---|---|---|"
        for parameter in shown:
            yield _parameter(parameter, hints.get(parameter.name))


def _commands(name: str, command: typer.core.TyperGroup | typer.core.TyperCommand) -> Iterator[tuple[str, Any]]:
    if isinstance(command, typer.core.TyperGroup):
        for word, inner in command.commands.items():
            yield from _commands(f"{name} {word}", inner)
    else:
        yield name, command


def _paragraphs(text: str | None) -> list[str]:
    return [" ".join(part.split()) for part in (text or "").split("\n\n")]


def _parameter(parameter: Any, annotation: object) -> str:
    is_argument = parameter.param_type_name == "argument"
    names = parameter.name.upper() if is_argument else ", ".join((*parameter.opts, *parameter.secondary_opts))
    kinds = [annotation, *getattr(annotation, "__args__", ())]
    choices = [word for kind in kinds if isinstance(kind, EnumType) for word in kind]
    value = "" if is_argument or getattr(parameter, "is_flag", False) else f" {parameter.metavar or 'VALUE'}"
    meaning = (parameter.help or "") + (f" One of {', '.join(map(_word, choices))}." if choices else "")
    if parameter.required:
        default = "required"
    else:
        default = "" if parameter.default in (None, False, ()) else f"`{_word(parameter.default)}`"
    variable = f"`{parameter.envvar}`" if parameter.envvar else default
    return f"| `{names}{value}` | {_cell(meaning)} | {variable} |"


def _word(value: object) -> str:
    return str(getattr(value, "value", value))


def _model_rows(model: type[BaseModel], path: str = "") -> Iterator[str]:
    yield "| key | meaning | default |\n|---|---|---|"
    nested: list[tuple[str, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        if model is Collection and name == "name":
            continue
        inner = list(_inner_models(field.annotation))
        if inner:
            many = "tuple" in str(field.annotation)
            nested += [(path + name + ("[]" if many else ""), one) for one in inner]
            continue
        default = "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
        yield f"| `{name}` | {_cell(field.description or '')} | {default} |"
    keys = [key for key, _ in nested]
    for place, (key, inner_model) in enumerate(nested):
        other = ", or" if key in keys[:place] else ""
        yield f"\n### {key}{other}\n\n{inner_model.__doc__}\n"
        yield from _model_rows(inner_model, f"{key}.")


def _inner_models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for part in getattr(annotation, "__args__", ()):
            yield from _inner_models(part)


def _default(value: object) -> str:
    if value is None or value in ("", (), {}):
        return ""
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES = {
    "tables.md": tables_page,
    "configuration.md": configuration_page,
    "graph-model.md": graph_model_page,
    "cli.md": cli_page,
}


def pages() -> dict[Path, str]:
    """What each page should be."""
    return {HERE / name: "\n".join(make()) + "\n" for name, make in PAGES.items()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")
