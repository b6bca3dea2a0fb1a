"""What scores the pairs of an evaluation: the same as in a run of the collection."""

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.config import Collection
from kg_pipeline.evaluation.hidden_run import Score
from kg_pipeline.evidence import score_pairs
from kg_pipeline.reranking import Reranker, score_corpus_pairs
from kg_pipeline.storage import ScoreLedger


def scorer_of(collection: Collection, reranker: Reranker | None, ledger: ScoreLedger) -> Score:
    """The reranker with its ledger, or the evidence model where there is none."""

    def score(corpus: Corpus, pairs: pl.DataFrame) -> pl.DataFrame:
        if reranker is None:
            return score_pairs(pairs)
        most = collection.scoring.max_new_pairs
        return score_corpus_pairs(reranker, ledger, corpus, pairs, collection.limits, most)[0]

    return score
