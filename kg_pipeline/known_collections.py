"""The collections of a HOME: those of a collections.yaml, and those that `kg-pipeline run --documents` registered."""

from pathlib import Path

from kg_pipeline.config import Collection, Settings, load_collections

REGISTERED = "collections"
"""Folder of HOME with a file per registered collection."""


def known_collections(home: Path, config: Path | None = None) -> dict[str, Collection]:
    """Every collection by name. Raises ConfigError."""
    found: dict[str, Collection] = {}
    for file in collection_files(home, config):
        found |= load_collections(file)
    return found


def collection_files(home: Path, config: Path | None = None) -> list[Path]:
    """From the weakest to the strongest: what stands in the configuration wins over what was registered.

    `config`: a collections.yaml; KG_PIPELINE_CONFIG, else HOME/collections.yaml where it exists, when not given.
    """
    configured = config or Settings().config
    own = configured or home / "collections.yaml"
    # A file that was named has to be there; the default one may be missing.
    files = [own] if configured or own.exists() else []
    return [*sorted((home / REGISTERED).glob("*.yaml")), *files]
