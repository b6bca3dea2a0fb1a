"""The three users live in Dagster's UI: lineage, a backfill, metadata and checks, seen in a real browser."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import open_page
from knowledge_base import KnowledgeBase
from playwright.sync_api import Page, expect

from kg_pipeline.orchestration.instance import open_instance
from kg_pipeline.storage import TableStore

pytestmark = pytest.mark.browser
PICTURES = Path(os.environ.get("KG_PIPELINE_TEST_PICTURES", "test-results"))


@pytest.fixture
def dagster_ui(knowledge_base: KnowledgeBase) -> Iterator[tuple[str, KnowledgeBase]]:
    """`kg-pipeline dev` on a HOME with two configured collections."""
    knowledge_base.home.mkdir()
    (knowledge_base.home / "collections.yaml").write_text(
        f"collections:\n"
        f"  rack: {{documents: [{{root: {knowledge_base.docs}, include: ['server*']}}], scoring: {{ocr: false}}}}\n"
        f"  line: {{documents: [{{root: {knowledge_base.docs}, include: ['assembly*']}}], scoring: {{ocr: false}}}}\n",
        encoding="utf-8",
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "kg_pipeline", "dev", "--home", str(knowledge_base.home), "--port", str(port)]
    log = (knowledge_base.root / "dev.log").open("w")
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(f"{url}/server_info"), 90, "the UI to answer")
        yield url, knowledge_base
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            log.close()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def wait_for(done, seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            pytest.fail(f"waited {seconds} s for {what}")
        time.sleep(0.5)


def keep(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def test_lineage_backfill_metadata_and_checks_are_seen_in_the_ui(dagster_ui):
    url, knowledge_base = dagster_ui
    with open_page(1600, 1000) as page:
        page.goto(f"{url}/asset-groups/~all")
        for group in ("ingestion", "candidates", "scoring", "reports", "graph", "quality"):
            expect(page.get_by_text(group, exact=True).first).to_be_visible(timeout=60_000)
        keep(page, "dagster-lineage")
        folded = page.get_by_role("img", name="unfold_more")
        while folded.count():
            folded.first.click()
            page.wait_for_timeout(1_000)
        # What does not fit into the window is not drawn.
        expect(page.get_by_text("visual_evidence", exact=True).first).to_be_visible()

        page.locator("button", has_text="Materialize").first.click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_text("All", exact=True).click(timeout=30_000)
        expect(dialog.get_by_text("2 partitions")).to_be_visible()
        keep(page, "dagster-backfill")
        dialog.locator("button", has_text="Launch").last.click()

        store = TableStore(knowledge_base.home)
        wait_for(
            lambda: all(store.exists("orphan_images", name) for name in ("rack", "line")), 240, "the backfill to end"
        )
        with open_instance(knowledge_base.home) as instance:
            wait_for(lambda: all(run.is_finished for run in instance.get_runs()), 120, "the runs to finish")
            assert {run.status.value for run in instance.get_runs()} == {"SUCCESS"}
            assert {run.tags["dagster/partition"] for run in instance.get_runs()} == {"rack", "line"}

        page.goto(f"{url}/assets/visual_evidence?view=checks")
        expect(page.get_by_text("ends_exist").first).to_be_visible(timeout=60_000)
        expect(page.get_by_text("Passed").first).to_be_visible(timeout=60_000)
        keep(page, "dagster-checks")
        page.goto(f"{url}/assets/images?view=events")
        page.get_by_text("[Show Markdown]").first.click(timeout=60_000)
        expect(page.locator("img[src^='data:image']").first).to_be_visible(timeout=60_000)
        keep(page, "dagster-metadata")
