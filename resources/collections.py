"""The collections that are configured: collections.yaml, and those that `kg-pipeline run --documents` registered."""

import json
from pathlib import Path

import dagster as dg

from kg_pipeline.config import Collection, ConfigError, Settings, dump_collection, read_collections
from kg_pipeline.known_collections import REGISTERED, collection_files


class Collections(dg.ConfigurableResource):
    """Looks collections up by name, reading the files anew each time: a long-lived code server sees edits."""

    home: str | None = None
    config: str | None = None
    """A collections.yaml; KG_PIPELINE_CONFIG, else HOME/collections.yaml where it exists, when not given."""
    override: str | None = None
    """JSON of one collection that stands in for the configured one of that name, for one run."""

    def all(self) -> dict[str, Collection]:
        """Every collection by name. Raises ConfigError when one is not valid."""
        found, broken = self.read()
        if broken:
            raise next(iter(broken.values()))
        return found

    def read(self) -> tuple[dict[str, Collection], dict[str, ConfigError]]:
        """The valid collections by name, and what is wrong with the others. Raises ConfigError for a whole file."""
        found: dict[str, Collection] = {}
        broken: dict[str, ConfigError] = {}
        for file in self._files():
            valid, wrong = read_collections(file)
            found, broken = {**found, **valid}, {**broken, **wrong}
            # A section that is not valid is not replaced by the weaker one of the same name.
            found = {name: collection for name, collection in found.items() if name not in wrong}
            broken = {name: error for name, error in broken.items() if name not in valid}
        if self.override:
            collection = Collection.model_validate(json.loads(self.override))
            found[collection.name] = collection
            broken.pop(collection.name, None)
        return found, broken

    def get(self, name: str) -> Collection:
        """One collection, whatever is wrong with others. Raises ConfigError, naming those that exist."""
        found, broken = self.read()
        if name in broken:
            raise broken[name]
        if name not in found:
            known = ", ".join(sorted(found)) or "none"
            raise ConfigError(f"no collection {name!r} in {' or '.join(map(str, self._files()))}; there are: {known}")
        return found[name]

    def register(self, collection: Collection) -> Path:
        """Write a collection's file under HOME/collections so that the UI and later commands know it."""
        path = self._registered / f"{collection.name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dump_collection(collection), encoding="utf-8")
        return path

    @property
    def _home(self) -> Path:
        return Path(self.home).absolute() if self.home else Settings().home

    @property
    def _registered(self) -> Path:
        return self._home / REGISTERED

    def _files(self) -> list[Path]:
        return collection_files(self._home, Path(self.config) if self.config else None)
