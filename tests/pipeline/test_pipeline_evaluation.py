"""The asset `evaluation` on its own job."""

import pytest

from kg_pipeline.definitions import build_defs
from kg_pipeline.orchestration.instance import open_instance
from kg_pipeline.orchestration.run import QUIET
from kg_pipeline.storage import TableStore
from resources.collections import Collections
from resources.graph import Graph
from resources.tables import Tables


@pytest.fixture
def materialize(knowledge_base):
    assert knowledge_base.run("--no-graph").exit_code == 0
    home = str(knowledge_base.home)
    definitions = build_defs(
        resource_overrides={
            "tables": Tables(home=home),
            "collections": Collections(home=home),
            "graph": Graph(home=home, enabled=False),
        }
    )

    def run(raise_on_error: bool = True, **config):
        with open_instance(knowledge_base.home) as instance:
            return definitions.resolve_job_def("evaluate").execute_in_process(
                instance=instance,
                partition_key="kb",
                run_config={**QUIET, "ops": {"evaluation": {"config": config}}},
                raise_on_error=raise_on_error,
            )

    return run


def metadata_of(result) -> dict:
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_it_measures_from_the_tables_and_shows_figures_and_plots(knowledge_base, materialize):
    before = knowledge_base.table_files()
    metadata = metadata_of(materialize(scenarios=["format"]))
    assert metadata["cold/Top-1 document"] == 1.0
    assert metadata["folds/recall@50 strict"] == 1.0
    plots = [name for name, value in metadata.items() if str(value).startswith(f"![{name}](data:image/svg+xml")]
    assert len(plots) == 6
    assert "recall@50 strict" in metadata["compared"]
    after = knowledge_base.table_files()
    assert after.pop("evaluation/kb.parquet")
    assert after == before
    table = TableStore(knowledge_base.home).read("evaluation", "kb")
    assert set(table["scenario"]) == {"all", "format=markdown"}


def test_no_text_of_a_passage_is_in_its_metadata(knowledge_base, materialize):
    said = str(metadata_of(materialize()))
    assert not [word for word in ("torque", "operator", "Cooling", "alarm") if word in said]


def test_an_unknown_word_in_the_launchpad_is_refused(materialize):
    result = materialize(raise_on_error=False, stresses=[["no-colours"]])
    assert not result.success


def test_a_run_of_the_whole_path_does_not_evaluate(knowledge_base):
    jobs = {job.name: job for job in build_defs().resolve_all_job_defs()}
    for name in ("whole_path", "without_graph"):
        assert "evaluation" not in {key.to_user_string() for key in jobs[name].asset_layer.executable_asset_keys}
