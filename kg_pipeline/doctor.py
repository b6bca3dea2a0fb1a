"""What a run needs, whether it is there, and what reading pictures will cost; with remedies."""

import importlib.util
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from kg_pipeline.config import Collection, Settings
from kg_pipeline.descriptions import DESCRIPTION
from kg_pipeline.embedding import EMBEDDING
from kg_pipeline.graph import check_server
from kg_pipeline.images import StoreError, ocr_cost, probe_store
from kg_pipeline.model_server import ModelServer
from kg_pipeline.reranking import RerankerError, choose_reranker
from kg_pipeline.storage import StorageError, TableStore, outdated
from kg_pipeline.tables import SCHEMA_VERSION

LIBRARIES = ("dagster", "polars", "deltalake", "neo4j", "arcadedb-embedded", "rapidocr", "onnxruntime", "pillow")
GPU_LIBRARIES = ("torch", "torchvision", "transformers", "accelerate", "qwen-vl-utils")
FREE_BYTES = 2 << 30
MODELS_SHOWN = 8


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Literal["ok", "note", "problem"]
    what: str
    found: str
    remedy: str = ""


def examine(
    settings: Settings, home: Path, checkpoint: Path | None, collections: Iterable[Collection] = ()
) -> list[Finding]:
    """Look at everything; nothing is changed, nothing is downloaded, no model is loaded."""
    return [
        _python(),
        *_libraries(),
        _gpu(),
        *_checkpoint(checkpoint),
        *_server(settings, home),
        _disk(home),
        _schema(home),
        *(
            finding
            for collection in collections
            for finding in (
                _ocr(collection, home),
                *_stores(collection),
                *_reranker(collection),
                *_models(collection, settings),
            )
        ),
    ]


def _python() -> Finding:
    found = sys.version.split()[0]
    if (3, 11) <= sys.version_info < (3, 14):
        return Finding("ok", "Python", found)
    return Finding("problem", "Python", found, "use Python 3.11, 3.12 or 3.13 (uv run --python 3.13 …)")


def _libraries() -> Iterator[Finding]:
    for name in LIBRARIES:
        try:
            yield Finding("ok", name, version(name))
        except PackageNotFoundError:
            yield Finding("problem", name, "not installed", "uv sync")


def _gpu() -> Finding:
    missing = [name for name in GPU_LIBRARIES if importlib.util.find_spec(name.replace("-", "_")) is None]
    if missing:
        return Finding("note", "GPU", f"{', '.join(missing)} not installed", "only for a reranker: uv sync --extra gpu")
    import torch

    if not torch.cuda.is_available():
        return Finding("note", "GPU", "no CUDA device", "without one, the evidence model scores alone")
    free, total = torch.cuda.mem_get_info()
    return Finding("ok", "GPU", f"{torch.cuda.get_device_name()}, {free >> 30} of {total >> 30} GiB free")


def _checkpoint(checkpoint: Path | None) -> Iterator[Finding]:
    if checkpoint is None:
        yield Finding("note", "checkpoint", "none given", "only for a reranker: --checkpoint DIR")
    elif not (checkpoint / "config.json").is_file():
        yield Finding("problem", "checkpoint", f"no config.json in {checkpoint}", "give the folder of the weights")
    elif not list(checkpoint.glob("*.safetensors")):
        yield Finding("problem", "checkpoint", f"no .safetensors in {checkpoint}", "download the weights completely")
    else:
        yield Finding("ok", "checkpoint", str(checkpoint))


def _server(settings: Settings, home: Path) -> Iterator[Finding]:
    for check in check_server(settings, home):
        yield Finding("ok" if check.ok else "problem", check.what, check.found, check.remedy)


def _disk(home: Path) -> Finding:
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    found = f"{free / (1 << 30):.1f} GiB free at {existing}"
    if free < FREE_BYTES:
        return Finding("problem", "disk", found, "free at least 2 GiB, or choose another place with --home")
    return Finding("ok", "disk", found)


def _schema(home: Path) -> Finding:
    what = f"tables of {home}"
    try:
        files = outdated(home)
    except StorageError as error:
        return Finding("problem", what, str(error), "remove the file; the next run makes it again")
    if any(version > SCHEMA_VERSION for _, _, version in files):
        return Finding("problem", what, "some are of a newer kg-pipeline", "update kg-pipeline, or choose another HOME")
    if files:
        found = f"{len(files)} of an older schema"
        return Finding("note", what, found, "read as they are; for other programs: kg-pipeline upgrade")
    return Finding("ok", what, f"of schema {SCHEMA_VERSION}")


def _ocr(collection: Collection, home: Path) -> Finding:
    store, what = TableStore(home), f"text in pictures of {collection.name}"
    known = store.read("image_files", collection.name) if store.exists("image_files", collection.name) else None
    cost = ocr_cost(collection, known, home / "cache" / "ocr")
    if not cost.pictures:
        return Finding("ok", what, "all read, or not to be read")
    found = f"{cost.pictures:,} pictures to read, about {_duration(cost.seconds)} on {cost.cores} cores"
    return Finding("note", what, found, "read once and kept, also when interrupted; a run with --no-ocr goes without")


def _stores(collection: Collection) -> Iterator[Finding]:
    """Each store, asked for the beginning of its listing, or for its manifest."""
    for inventory in collection.images:
        if inventory.store:
            what = f"store {inventory.prefix} of {collection.name}"
            try:
                yield Finding("ok", what, f"{inventory.store} {probe_store(inventory)}")
            except StoreError as error:
                yield Finding(
                    "problem", what, str(error), "docs/object-stores.md; a run keeps what it knows until then"
                )


def _reranker(collection: Collection) -> Iterator[Finding]:
    """The remote reranker, asked what scores there; vLLM scores two plain pairs for that."""
    if collection.scoring.reranker != "remote":
        return
    what = f"reranker server of {collection.name}"
    try:
        choice = choose_reranker(collection.scoring, collection.limits)
    except RerankerError as error:
        found, _, remedy = str(error).partition(": ")
        yield Finding("problem", what, found, remedy)
        return
    assert choice.reranker
    choice.reranker.close()
    yield Finding("ok", what, f"{choice.reranker.fingerprint}, {choice.reason}")


def _models(collection: Collection, settings: Settings) -> Iterator[Finding]:
    """The servers of embeddings and descriptions, asked for the list of their models: no text or picture is sent."""
    for service, section, key in (
        (EMBEDDING, collection.embeddings, settings.embedding_api_key),
        (DESCRIPTION, collection.descriptions, settings.description_api_key),
    ):
        if section is None or section.url is None or section.model is None:
            continue
        what = f"{service.name} server of {collection.name}"
        try:
            models = ModelServer(service, section.url, section.model, key, section.timeout_seconds).models()
        except service.error as error:
            found, _, remedy = str(error).partition(": ")
            yield Finding("problem", what, found, remedy)
            continue
        if models is None:
            yield Finding("note", what, f"{section.url} answers, but does not list its models")
        elif section.model in models:
            yield Finding("ok", what, f"{section.model} at {section.url}")
        else:
            listed = ", ".join(sorted(models)[:MODELS_SHOWN]) or "none"
            remedy = f"correct {service.section}.model; listed there: {listed}"
            yield Finding("problem", what, f"{section.url} does not list the model {section.model}", remedy)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.0f} h"
