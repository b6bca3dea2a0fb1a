"""What our labels and types are called in a database: as in the model, or as KG_PIPELINE_GRAPH_NAMES says."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from kg_pipeline.config import ConfigError
from kg_pipeline.graph.errors import GraphError
from kg_pipeline.graph.model import NODES, RELATIONSHIPS
from kg_pipeline.graph_nodes import PLAIN_NAME

OURS = (*NODES, *RELATIONSHIPS)
VARIABLE = "KG_PIPELINE_GRAPH_NAMES"

# In Cypher of ours a label or type stands after ':' or '|', or in quotes where it is compared with type() or labels().
# A foreign label of the same name is written in backticks, and so left alone.
_IN_CYPHER = re.compile(rf"(?<=[:|'])(?:{'|'.join(OURS)})(?![A-Za-z0-9_])")


@dataclass(frozen=True)
class Names:
    """Names in the database by name in the model; one that is not renamed is the same in both."""

    renamed: tuple[tuple[str, str], ...] = ()
    """Pairs of a name of the model and the one that stands for it, sorted."""

    @classmethod
    def of(cls, renamed: Mapping[str, str]) -> "Names":
        """Checked names. Raises ConfigError for a key that is no name of ours and for a value that cannot be one."""
        for ours, theirs in renamed.items():
            if ours not in OURS:
                raise ConfigError(f"{VARIABLE}: {ours!r} is no label or type of ours: {', '.join(OURS)}")
            if not PLAIN_NAME.fullmatch(theirs):
                raise ConfigError(
                    f"{VARIABLE}: {ours} cannot be called {theirs!r}: "
                    "use at most 64 letters, digits and '_', not beginning with a digit"
                )
        # Also unlike the names that are given up, and in lower case too: constraints are named after labels.
        extra = [label for node in NODES.values() for label in node.extra_labels]
        taken = {name.lower(): name for name in (*OURS, *extra)}
        for ours, theirs in renamed.items():
            if theirs == ours:
                continue
            other = taken.setdefault(theirs.lower(), ours)
            if other != ours or theirs.lower() == ours.lower():
                raise ConfigError(f"{VARIABLE}: {ours} cannot be called {theirs!r}: {other} is a name in use")
        return cls(tuple(sorted((ours, theirs) for ours, theirs in renamed.items() if theirs != ours)))

    def __getitem__(self, name: str) -> str:
        return dict(self.renamed).get(name, name)

    def __str__(self) -> str:
        """As KG_PIPELINE_GRAPH_NAMES has it."""
        return json.dumps(dict(self.renamed))

    def check_foreign(self, label: str) -> None:
        """Raise GraphError when somebody else's nodes would have a label that ours were given."""
        for ours, theirs in self.renamed:
            if label == theirs:
                raise GraphError(
                    f"the label {label!r} of foreign nodes is what our {ours} is called ({VARIABLE}): name another"
                )

    def cypher(self, text: str) -> str:
        """Cypher of ours, with the names of the database."""
        return _IN_CYPHER.sub(lambda found: self[found[0]], text) if self.renamed else text


AS_IN_THE_MODEL = Names()
