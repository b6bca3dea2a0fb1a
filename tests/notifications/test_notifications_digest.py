"""What a digest says, how it is posted, and that an orphan is told of once."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from webhook_server import webhook_server

from kg_pipeline.notifications import (
    Digest,
    FailedCollection,
    NotificationError,
    OrphanFound,
    Webhook,
    new_orphans,
    remember_told,
    webhook,
)
from kg_pipeline.tables import TABLES

SINCE, UNTIL = datetime(2026, 11, 22, 2, tzinfo=UTC), datetime(2026, 11, 22, 2, 15, tzinfo=UTC)
FAILED = FailedCollection("rack", 2, "knowledge_graph", "bolt://graph: no server answers; start it", "http://ui/runs/1")
ORPHAN = OrphanFound("rack", "img/lamp.png", "server-room.md", 0.91)
DIGEST = Digest(SINCE, UNTIL, [FAILED], [ORPHAN], ["line: cannot be read: /mnt/line: No such file or directory"])


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(webhook, "BACKOFF_SECONDS", 0.01)
    with webhook_server() as server:
        yield server


def orphans(*rows: tuple[str, str, int, float]):
    names = ("path", "reason", "suggestion_rank", "confidence")
    return TABLES["orphan_images"].rows(
        [dict(zip(names, row, strict=True)) | {"best_document_path": f"page{row[2]}.md"} for row in rows]
    )


def test_the_generic_form_is_plain_json():
    told = json.loads(json.dumps(DIGEST.as_json()))
    assert told["summary"] == (
        "kg-pipeline: 1 collection failed, 1 new orphan with a suggestion, 1 collection held back"
    )
    assert told["counts"] == {"failures": 1, "orphans": 1, "problems": 1}
    assert told["failures"][0]["step"] == "knowledge_graph"
    assert told["orphans"][0] == {
        "collection": "rack", "image": "img/lamp.png", "document": "server-room.md", "confidence": 0.91,
    }  # fmt: skip


def test_slack_gets_sections_within_its_limits_and_the_count_of_what_did_not_fit():
    many = Digest(
        SINCE,
        UNTIL,
        failures=[FailedCollection(f"c{number}", 1, "documents", "x" * 900) for number in range(1000)],
        orphans=[OrphanFound("rack", f"img/{number}.png", "a<b>&c.md", None) for number in range(1000)],
    )
    told = many.as_slack()
    texts = [block["text"]["text"] for block in told["blocks"]]
    assert all(len(text) <= 3000 for text in texts)
    assert "more" in texts[0].splitlines()[-1]
    assert texts[1].splitlines()[-1] == "… and 980 more"
    assert "a&lt;b&gt;&amp;c.md" in texts[1]
    assert told["text"] == "kg-pipeline: 1000 collections failed, 1000 new orphans with suggestions"


def test_a_failure_links_to_its_run():
    assert "<http://ui/runs/1|rack> (2 times) in `knowledge_graph`" in DIGEST.as_slack()["blocks"][0]["text"]["text"]


def test_the_format_follows_the_address_unless_it_is_named():
    assert Webhook(SecretStr("https://hooks.slack.com/services/T/B/x")).form == "slack"
    assert Webhook(SecretStr("https://example.org/x")).form == "json"
    assert Webhook(SecretStr("https://example.org/x"), "slack").form == "slack"


def test_a_digest_is_posted_again_while_the_server_is_busy(server):
    server.statuses = [503, 429]
    Webhook(SecretStr(server.url)).post(DIGEST)
    assert [body["summary"] for body in server.received] == [DIGEST.summary]


@pytest.mark.parametrize("status", [404, 302, 500])
def test_an_answer_that_is_no_success_is_an_error_without_the_secret(server, status):
    server.statuses = [status] * 9
    with pytest.raises(NotificationError, match=f"127.0.0.1 answers {status}") as refused:
        Webhook(SecretStr(server.url)).post(DIGEST)
    assert "secretpath" not in str(refused.value)


def test_a_server_that_is_away_is_an_error_without_the_secret(monkeypatch):
    monkeypatch.setattr(webhook, "BACKOFF_SECONDS", 0.01)
    with pytest.raises(NotificationError, match=r"at 127\.0\.0\.1 does not answer") as away:
        Webhook(SecretStr("http://127.0.0.1:1/secretpath")).post(DIGEST)
    assert "secretpath" not in str(away.value)


@pytest.mark.parametrize("url", ["ftp://example.org/x", "example.org", "https://"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(NotificationError, match="KG_PIPELINE_WEBHOOK_URL"):
        Webhook(SecretStr(url))


def test_an_orphan_is_new_until_it_was_told_of_and_again_after_it_was_used(tmp_path):
    table = orphans(
        ("a.png", "unreferenced_matched", 2, 0.5),
        ("a.png", "unreferenced_matched", 1, 0.6),
        ("b.png", "unreferenced_matched", 1, 0.9),
        ("c.png", "unmatched", 1, 0.1),
    )
    found = new_orphans(table, "rack", tmp_path)
    assert [(orphan.image, orphan.document) for orphan in found] == [("b.png", "page1.md"), ("a.png", "page1.md")]
    remember_told(table, "rack", tmp_path)
    assert new_orphans(table, "rack", tmp_path) == []
    remember_told(table.filter(path="b.png"), "rack", tmp_path)
    assert [orphan.image for orphan in new_orphans(table, "rack", tmp_path)] == ["a.png"]
    assert [orphan.image for orphan in new_orphans(table, "line", tmp_path)] == ["b.png", "a.png"]
