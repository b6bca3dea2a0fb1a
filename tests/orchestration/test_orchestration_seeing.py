"""What Dagster shows of runs, on a real instance: metadata, column lineage, data versions, what is stale, checks."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from knowledge_base import KnowledgeBase

from kg_pipeline.definitions import build_defs
from kg_pipeline.lineage import LINEAGE
from kg_pipeline.orchestration.instance import open_instance
from kg_pipeline.orchestration.metadata import THUMBNAIL_CHARACTERS, column_schema, sample
from kg_pipeline.orchestration.partitions import sync_partitions
from kg_pipeline.tables import TABLES
from resources.collections import Collections
from resources.graph import Graph
from resources.tables import Tables

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
OF_A_RUN = sorted(set(TABLES) - {"evaluation", "evidence_weights", "calibrators"})


@dataclass
class Site:
    """Two collections and the instance on which they run."""

    base: KnowledgeBase
    instance: dg.DagsterInstance
    definitions: dg.Definitions

    def materialize(self, collection: str, *assets: str) -> dg.ExecuteInProcessResult:
        return self.definitions.resolve_job_def("without_graph").execute_in_process(
            instance=self.instance,
            partition_key=collection,
            asset_selection=[dg.AssetKey(name) for name in assets] or None,
            run_config=QUIET,
        )

    def newest(self, asset: str, collection: str, back: int = 0) -> dg.AssetMaterialization:
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[collection])
        found = self.instance.fetch_materializations(wanted, limit=10).records[back].asset_materialization
        assert found is not None
        return found

    def metadata(self, asset: str, collection: str, back: int = 0) -> dict:
        return {key: value.value for key, value in self.newest(asset, collection, back).metadata.items()}

    def versions(self, collection: str) -> dict[str, str]:
        return {asset: self.newest(asset, collection).tags["dagster/data_version"] for asset in OF_A_RUN}

    def stale(self, collection: str) -> set[str]:
        graph = self.definitions.resolve_asset_graph()
        resolver = CachingStaleStatusResolver(self.instance, graph, LoadingContextForTest(self.instance))
        return {name for name in OF_A_RUN if resolver.get_status(dg.AssetKey(name), collection) is StaleStatus.STALE}

    def checks(self, collection: str) -> dict[str, dg.AssetCheckEvaluation]:
        run = next(run for run in self.instance.get_runs() if run.tags["dagster/partition"] == collection)
        of_type = dg.DagsterEventType.ASSET_CHECK_EVALUATION
        records = self.instance.get_records_for_run(run.run_id, of_type=of_type).records
        found = [record.event_log_entry.dagster_event.event_specific_data for record in records]
        return {evaluation.check_name: evaluation for evaluation in found}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    base = KnowledgeBase.draw(tmp_path_factory.mktemp("seeing"))
    base.home.mkdir()
    (base.home / "collections.yaml").write_text(
        "collections:\n"
        f"  rack: {{documents: [{{root: {base.docs}, include: ['server*']}}], scoring: {{ocr: false}}}}\n"
        f"  line: {{documents: [{{root: {base.docs}, include: ['assembly*']}}], scoring: {{ocr: false}},\n"
        "    show_content_in_metadata: true}\n",
        encoding="utf-8",
    )
    places = {"home": str(base.home)}
    definitions = build_defs(
        resource_overrides={
            "tables": Tables(**places),
            "collections": Collections(**places),
            "graph": Graph(**places, enabled=False),
        }
    )
    with open_instance(base.home) as instance:
        sync_partitions(instance, ["rack", "line"])
        found = Site(base, instance, definitions)
        for collection in ("rack", "line", "rack"):
            assert found.materialize(collection).success
        yield found


def test_an_unchanged_run_has_the_same_versions_and_makes_nothing_stale(site):
    again = site.versions("rack")
    before = {asset: site.newest(asset, "rack", back=1).tags["dagster/data_version"] for asset in OF_A_RUN}
    assert again == before
    assert site.stale("rack") == set()
    for asset in OF_A_RUN:
        metadata = site.metadata(asset, "rack")
        assert [metadata[f"rows_{what}"] for what in ("added", "changed", "removed")] == [0, 0, 0], asset


def test_the_first_run_has_nothing_to_differ_from(site):
    assert "rows_added" not in site.metadata("chunks", "line")
    assert "edges_before" not in site.metadata("visual_evidence", "line")


def test_every_table_shows_rows_file_sample_and_where_its_columns_come_from(site):
    for asset in OF_A_RUN:
        metadata = site.metadata(asset, "rack")
        assert metadata["dagster/partition_row_count"] >= 0
        assert Path(metadata["path"]).stat().st_size == metadata["bytes"]
        assert metadata["sample"]
        lineage = metadata.get("dagster/column_lineage")
        assert (lineage is not None) == (asset in LINEAGE)
        if lineage:
            assert set(lineage.deps_by_column) == set(LINEAGE[asset])


def test_scores_and_confidences_are_drawn_small(site):
    drawn = {
        **site.metadata("pair_scores", "rack"),
        **site.metadata("visual_evidence", "rack"),
    }
    for name in ("Scores of the pairs", "Confidence of the pairs"):
        [address] = re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", drawn[name])
        assert base64.b64decode(address).startswith(b"<svg")
        assert len(address) < 24_000


def test_scoring_says_what_it_cost(site):
    said = site.metadata("pair_scores", "rack")
    assert said["pairs"] == said["dagster/partition_row_count"]
    assert (said["model_calls"], said["ledger_hits"], said["gpu_seconds"]) == (0, 0, 0.0)
    assert said["peak_process_memory_gb"] > 0


def test_texts_and_pictures_are_shown_only_where_the_collection_says_so(site):
    shown, hidden = site.metadata("chunks", "line")["sample"], site.metadata("chunks", "rack")["sample"]
    assert "Tighten the M6 bolt" in shown
    assert "alarm lamp" not in hidden
    assert "characters" in hidden
    assert "data:image/webp" in site.metadata("images", "line")["thumbnails"]
    assert "data:image/webp" in site.metadata("visual_evidence", "line")["sample"]
    for asset in OF_A_RUN:
        assert not re.search(r"data:image/(?!svg)", str(site.metadata(asset, "rack"))), asset


def test_the_checks_of_a_run_say_what_to_do(site):
    found = site.checks("rack")
    assert {name for name, evaluation in found.items() if not evaluation.passed} == {"confidence_is_calibrated"}
    warning = found["confidence_is_calibrated"]
    assert warning.severity is dg.AssetCheckSeverity.WARN
    assert "kg-pipeline calibrate --collection rack" in warning.description
    assert warning.partition == "rack"
    assert {"sources_are_readable", "candidates_cover_pictures", "few_edges_changed", "tables_are_up_to_date"} < set(
        found
    )


def test_a_changed_document_makes_what_follows_stale_in_its_collection_only(site):
    document = site.base.docs / "server-room.md"
    before, text = site.versions("rack"), document.read_text(encoding="utf-8")
    document.write_text(text.replace("blows cold air", "blows very cold air"), encoding="utf-8")
    try:
        site.materialize("rack", "documents", "chunks", "references")
        after = site.versions("rack")
        assert {asset for asset in OF_A_RUN if after[asset] != before[asset]} == {"documents", "chunks", "references"}
        said = site.metadata("chunks", "rack")
        assert (said["rows_added"], said["rows_changed"], said["rows_removed"]) == (0, 1, 0)
        stale = site.stale("rack")
        assert {"candidate_pairs", "visual_evidence", "orphan_images", "embeddings"} <= stale
        assert not stale & {"image_files", "images", "image_texts", "image_descriptions", "documents"}
        assert site.stale("line") == set()
        site.materialize("rack")
        assert site.stale("rack") == set()
    finally:
        document.write_text(text, encoding="utf-8")


def test_what_is_not_sound_goes_no_further(site):
    path = site.base.home / "tables" / "evaluation" / "line.parquet"
    path.parent.mkdir(exist_ok=True)
    TABLES["evaluation"].empty().drop("metric").write_parquet(path)
    before = site.newest("orphan_images", "line").tags
    try:
        run = site.definitions.resolve_job_def("without_graph").execute_in_process(
            instance=site.instance, partition_key="line", run_config=QUIET, raise_on_error=False
        )
    finally:
        path.unlink()
    assert not run.success
    failed = site.checks("line")["tables_fit_their_schema"]
    assert (failed.passed, failed.blocking, failed.severity) == (False, True, dg.AssetCheckSeverity.ERROR)
    assert "evaluation" in failed.description
    assert "kg-pipeline upgrade" in failed.description
    assert site.newest("orphan_images", "line").tags == before


def test_the_origin_of_every_column_is_a_column_that_lies_before_it(site):
    graph = site.definitions.resolve_asset_graph()
    for table, columns in LINEAGE.items():
        assert set(columns) <= set(TABLES[table].schema)
        key = dg.AssetKey(table)
        before = {found.to_user_string() for found in graph.get_ancestor_asset_keys(key)}
        made_with_it = {found.to_user_string() for found in graph.get(key).execution_set_asset_keys}
        for origins in columns.values():
            for origin in origins:
                source, _, column = origin.partition(".")
                assert column in TABLES[source].schema, origin
                assert source in (before | made_with_it) - {table}, f"{table} ← {origin}"


def test_key_columns_are_marked():
    columns = {column.name: column for column in column_schema("chunks").columns}
    assert columns["document_id"].constraints.nullable is False
    assert columns["page"].constraints.nullable is True


def test_a_picture_that_is_too_large_stays_out_of_the_sample():
    rows = TABLES["images"].rows([{"image_id": "a", "path": "a.svg"}, {"image_id": "b", "path": "b.png"}])
    pictures = {"a": "data:image/svg+xml;base64," + "x" * THUMBNAIL_CHARACTERS, "b": "data:image/webp;base64,AAAA"}
    shown = sample(rows, pictures.__getitem__).value
    assert "xxxx" not in shown
    assert "![b](data:image/webp;base64,AAAA)" in shown
