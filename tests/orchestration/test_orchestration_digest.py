"""The sensor that tells people: one message for many runs, nothing twice, nothing lost while the webhook is away."""

import dagster as dg
import pytest
from webhook_server import webhook_server

from kg_pipeline.notifications import NotificationError, webhook
from kg_pipeline.orchestration import digest as module
from kg_pipeline.orchestration.digest import digest
from kg_pipeline.storage import TableStore
from kg_pipeline.tables import TABLES
from resources.tables import Tables


@dg.op(config_schema=str)
def documents(context: dg.OpExecutionContext) -> None:
    if context.op_config:
        raise dg.Failure(context.op_config)


@dg.job(name="whole_path")
def stand_in() -> None:
    documents()


class Watched:
    """An instance with runs, a webhook, and the sensor between them."""

    def __init__(self, home, instance, server) -> None:
        self.home, self.instance, self.server, self.cursor = home, instance, server, None

    def run(self, collection: str, failure: str = "") -> None:
        quiet = {"console": {"config": {"log_level": "CRITICAL"}}}
        stand_in.execute_in_process(
            instance=self.instance,
            run_config={"ops": {"documents": {"config": failure}}, "loggers": quiet},
            tags={"dagster/partition": collection},
            raise_on_error=False,
        )

    def orphan(self, collection: str, *paths: str) -> None:
        rows = [
            {"path": path, "reason": "unreferenced_matched", "suggestion_rank": 1, "best_document_path": "page.md"}
            for path in paths
        ]
        TableStore(self.home).write("orphan_images", collection, TABLES["orphan_images"].rows(rows))

    def tick(self) -> str:
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"tables": Tables(home=str(self.home))}
        )
        result = digest(context)
        self.cursor = getattr(result, "cursor", None)
        reason = getattr(result, "skip_reason", result)
        return reason.skip_message


@pytest.fixture
def watched(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SETTLED", module.timedelta(0))
    monkeypatch.setattr(webhook, "BACKOFF_SECONDS", 0.0)
    with dg.DagsterInstance.ephemeral() as instance, webhook_server() as server:
        monkeypatch.setenv("KG_PIPELINE_WEBHOOK_URL", server.url)
        monkeypatch.setenv("KG_PIPELINE_DAGSTER_URL", "http://ui")
        yield Watched(tmp_path, instance, server)


def test_many_runs_are_one_message_and_told_once(watched):
    watched.orphan("good", "lamp.png")
    watched.run("good")
    watched.run("bad", "page.md, line 3: not what it was")
    watched.run("bad", "page.md, line 4: not what it was")
    watched.run("worse", "no root")
    watched.tick()
    (told,) = watched.server.received
    assert told["counts"] == {"failures": 2, "orphans": 1, "problems": 0}
    assert [(failed["collection"], failed["failures"]) for failed in told["failures"]] == [("bad", 2), ("worse", 1)]
    assert told["failures"][0]["message"] == "page.md, line 4: not what it was"
    assert told["failures"][0]["step"] == "documents"
    assert told["failures"][0]["link"].startswith("http://ui/runs/")
    watched.run("good")
    assert "nothing new" in watched.tick()
    watched.orphan("good", "lamp.png", "pump.png")
    watched.run("good")
    watched.tick()
    assert [orphan["image"] for orphan in watched.server.received[1]["orphans"]] == ["pump.png"]
    assert len(watched.server.received) == 2


def test_what_the_webhook_did_not_take_is_told_by_the_next_tick(watched):
    watched.run("bad", "no root")
    watched.server.statuses = [500] * 4
    with pytest.raises(NotificationError):
        watched.tick()
    watched.run("worse", "no root")
    watched.tick()
    assert [failed["collection"] for failed in watched.server.received[0]["failures"]] == ["bad", "worse"]


def test_what_is_held_back_is_told_once(watched):
    (watched.home / "automation").mkdir()
    (watched.home / "automation" / "changed_files.json").write_text(
        '{"rack": {"fingerprint": "x", "since": 1.0, "is_done": false, "problem": "rack: held back"}}'
    )
    watched.tick()
    watched.tick()
    assert [body["problems"] for body in watched.server.received] == [["rack: held back"]]


def test_without_an_address_nobody_is_told(watched, monkeypatch):
    monkeypatch.delenv("KG_PIPELINE_WEBHOOK_URL")
    assert "not set" in watched.tick()
