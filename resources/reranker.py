"""The reranker of a collection."""

import dagster as dg
from pydantic import PrivateAttr

from kg_pipeline.config import Collection
from kg_pipeline.reranking import Choice, choose_reranker


class RerankerResource(dg.ConfigurableResource):
    """Hands out the reranker that a collection's scoring section asks for; its weights load at the first score.

    What is a matter of the machine can stand here, for all collections whose section does not say it.
    """

    checkpoint: str | None = None
    device: str = "auto"

    _choices: dict[str, Choice] = PrivateAttr(default_factory=dict)

    def get(self, collection: Collection) -> Choice:
        """The same reranker for the same settings within a run. Raises RerankerError when it is not there."""
        scoring = collection.scoring
        scoring = scoring.model_copy(
            update={
                "checkpoint": scoring.checkpoint or self.checkpoint,
                "device": self.device if scoring.device == "auto" else scoring.device,
            }
        )
        key = scoring.model_dump_json() + collection.limits.model_dump_json()
        if key not in self._choices:
            self._choices[key] = choose_reranker(scoring, collection.limits)
        return self._choices[key]

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Free the device at the end of a run."""
        for choice in self._choices.values():
            if choice.reranker:
                choice.reranker.close()
        self._choices.clear()
