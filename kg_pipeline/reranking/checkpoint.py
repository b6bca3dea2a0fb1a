"""A checkpoint on disk: is it a yes/no reranker of a known family, is it whole, and which one is it exactly."""

import hashlib
import json
import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kg_pipeline.reranking.families import FAMILIES, Family
from kg_pipeline.reranking.protocol import RerankerError

HUB_ID = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})")
WHOLE_FILE_BYTES = 1 << 24
SAMPLES, SAMPLE_BYTES = 64, 1 << 16
"""Of larger files 64 spread samples of 64 KiB are hashed: 4 MiB instead of 5 GB, and training changes every weight."""
DESCRIBED_BY = ("*.json", "*.jinja", "merges.txt")
"""Files beside the weights that change a score: configuration, vocabulary, processor, template."""


@dataclass(frozen=True)
class Checkpoint:
    """A folder that was checked without loading the weights."""

    folder: Path
    family: Family
    config: dict[str, Any]
    name: str
    """For people: the folder's name or the hub id."""
    revision: str
    """Changes when anything in the folder changes that changes a score."""
    parameters: int
    """Numbers in the weight files."""


def open_checkpoint(name: str) -> Checkpoint:
    """Check `name`, a folder or a hub id `owner/model@<40 hex digits>`. Raises RerankerError."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        hub = HUB_ID.fullmatch(name)
        if not hub:
            raise RerankerError(
                f"checkpoint {name!r}: no such folder, and no hub id with its revision (owner/model@<40 hex digits>)"
            )
        folder = _download(hub["repository"], hub["revision"])
    config = _read_config(folder)
    family = _family(folder, config)
    weights = _weights(folder)
    parameters = sum(map(_parameters, weights))
    described = sorted(path for pattern in DESCRIBED_BY for path in folder.glob(pattern))
    if not {"preprocessor_config.json", "processor_config.json"} & {path.name for path in described}:
        raise RerankerError(
            f"{folder}: neither preprocessor_config.json nor processor_config.json: copy it beside them"
        )
    digest = hashlib.sha256()
    for path in (*described, *weights):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        _update(digest, path)
    shown = name if "@" in name and not Path(name).expanduser().is_dir() else folder.absolute().name
    return Checkpoint(folder, family, config, shown, digest.hexdigest()[:16], parameters)


def _download(repository: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        patterns = ["*.safetensors", *DESCRIBED_BY, "vocab.json"]
        return Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError, HFValidationError) as error:
        raise RerankerError(f"checkpoint {repository}@{revision}: cannot be downloaded: {error}") from error


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RerankerError(f"{folder}: no config.json: give the folder of the weights") from error
    except (OSError, ValueError) as error:
        raise RerankerError(f"{path}: cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise RerankerError(f"{path}: expected an object, found {type(config).__name__}")
    return config


def _family(folder: Path, config: dict[str, Any]) -> Family:
    model_type, architectures = config.get("model_type"), config.get("architectures") or []
    family = FAMILIES.get(str(model_type))
    if family is None or family.architecture not in architectures:
        known = ", ".join(family.architecture for family in FAMILIES.values())
        found = ", ".join(architectures) or f"model_type {model_type!r}"
        raise RerankerError(f"{folder}: the checkpoint is {found}; this engine scores with: {known}")
    if "quantization_config" in config:
        raise RerankerError(f"{folder}: the weights are quantized; the engine takes BF16, FP16 or FP32 weights")
    return family


def _weights(folder: Path) -> list[Path]:
    """The shards, each looked at from its header: there, and as long as it says. Raises RerankerError."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise RerankerError(f"{index}: not an index of shards: {error}") from error
    else:
        names = ["model.safetensors"]
    paths = [folder / name for name in names]
    if missing := [path.name for path in paths if not path.is_file()]:
        others = sorted(path.name for path in folder.glob("*.bin"))
        hint = f" ({', '.join(others)}: pickled weights are never loaded)" if others else ""
        raise RerankerError(
            f"{folder}: {len(missing)} of {len(paths)} weight files missing: {', '.join(missing)}{hint}; "
            "download the checkpoint completely"
        )
    return paths


def _parameters(path: Path) -> int:
    """How many numbers a safetensors file holds. Raises RerankerError when it is not as long as its header says.

    The header: 8 bytes length, then JSON with the shape and the offsets of each tensor.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length)) if length <= size else {}
        tensors = [entry for key, entry in header.items() if key != "__metadata__"]
        expected = 8 + length + max(tensor["data_offsets"][1] for tensor in tensors)
        parameters: int = sum(math.prod(tensor["shape"]) for tensor in tensors)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise RerankerError(f"{path}: not a safetensors file: {error}") from error
    if size != expected:
        raise RerankerError(f"{path}: {size} bytes, its header says {expected}: download it again")
    return parameters


def _update(digest: "hashlib._Hash", path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= WHOLE_FILE_BYTES:
            digest.update(file.read())
            return
        for sample in range(SAMPLES):
            file.seek(sample * (size - SAMPLE_BYTES) // (SAMPLES - 1))
            digest.update(file.read(SAMPLE_BYTES))
