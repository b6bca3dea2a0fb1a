"""Evaluations of before: kept under HOME/evaluation/<collection>/, one file each, and compared with the next one."""

from pathlib import Path

import polars as pl

from kg_pipeline.evaluation.baseline import FILE_NAME
from kg_pipeline.evaluation.errors import EvaluationError
from kg_pipeline.storage.atomic import replacing
from kg_pipeline.tables import TABLES

MEASURED = ["scenario", "protocol", "stress", "baseline", "metric", "k"]
"""What makes two values comparable; that the scorer may differ is what a comparison is for."""
COMPARED = pl.Schema(
    {
        **TABLES["evaluation"].schema,
        "before": pl.Float64(),
        "delta": pl.Float64(),
        "scorer_before": pl.String(),
        "beyond_noise": pl.Boolean(),
    }
)


class History:
    """The evaluations of one collection, from 0001.parquet on; each holds the comparison it was printed with."""

    def __init__(self, home: Path, collection: str) -> None:
        """Nothing is created before the first evaluation is added."""
        self.folder = home / "evaluation" / collection

    def add(self, table: pl.DataFrame) -> pl.DataFrame:
        """Keep an evaluation and return it with before, delta, scorer_before, beyond_noise (see `compare`).

        Raises EvaluationError when it cannot be written. The same evaluation again is compared, but not kept twice.
        """
        files = self._files()
        compared = compare(table, self._last_measured(files))
        if not (files and pl.read_parquet(files[-1]).select(table.columns).equals(table)):
            path = self.folder / f"{len(files) + 1:04}.parquet"
            try:
                with replacing(path) as beside:
                    compared.write_parquet(beside, compression="zstd")
            except OSError as error:
                raise EvaluationError(
                    f"cannot write {path}: {error.strerror or error}; check free space and rights of {self.folder}"
                ) from error
        return compared

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9][0-9][0-9][0-9].parquet"))

    def _last_measured(self, files: list[Path]) -> pl.DataFrame:
        """The youngest value of everything that was ever measured."""
        whole = [pl.read_parquet(path).select(TABLES["evaluation"].schema.names()) for path in reversed(files)]
        youngest = pl.concat([*whole, TABLES["evaluation"].empty()]).with_columns(_is_baseline())
        return youngest.unique(MEASURED, keep="first", maintain_order=True)


def compare(table: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """`table` with before, delta, scorer_before (null where it is new) and beyond_noise.

    `before` has the column `baseline`. Beyond noise: the value of before lies outside today's 95 % interval.
    """
    earlier = before.select(*MEASURED, before="value", scorer_before="scorer")
    joined = table.with_columns(_is_baseline()).join(
        earlier, on=MEASURED, how="left", nulls_equal=True, maintain_order="left"
    )
    return joined.with_columns(
        delta=(pl.col("value") - pl.col("before")).round(6),
        beyond_noise=~pl.col("before").is_between(pl.col("ci_low"), pl.col("ci_high")),
    ).select(COMPARED.names())


def _is_baseline() -> pl.Expr:
    return (pl.col("scorer") == FILE_NAME).alias("baseline")
