"""The three users live in Dagster's UI: lineage, backfills, metadata and checks, seen in a real browser."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from chromium import open_page
from knowledge_base import KnowledgeBase
from playwright.sync_api import Page, expect
from waiting import answers, wait_for

from kg_pipeline.definitions import build_defs
from kg_pipeline.orchestration.instance import open_instance
from resources.collections import Collections
from resources.graph import Graph
from resources.tables import Tables

pytestmark = pytest.mark.browser
STALE = re.compile(r"^Unsynced \(\d+\)$")
PICTURES = Path(os.environ.get("KG_PIPELINE_TEST_PICTURES", "test-results"))


@pytest.fixture
def dagster_ui(knowledge_base: KnowledgeBase) -> Iterator[tuple[str, KnowledgeBase]]:
    """`kg-pipeline dev` on a HOME with three configured collections, of which two have a page that nobody can read."""
    knowledge_base.home.mkdir()
    (knowledge_base.docs / "aisle.md").write_text("# Aisle\n\n![lamp](img/alarm-lamp.png)\n", encoding="utf-8")
    # Of both, as the page of a check shows the collection that was looked at last.
    for name in ("aisle-gone.md", "assembly-gone.md"):
        (knowledge_base.docs / name).symlink_to(name)
    sections = {
        "aisle": {"documents": [{"root": str(knowledge_base.docs), "include": ["aisle*"]}]},
        "rack": {
            "documents": [{"root": str(knowledge_base.docs), "include": ["server*"]}],
            "show_content_in_metadata": True,
        },
        "shelf": {"documents": [{"root": str(knowledge_base.docs), "include": ["assembly*"]}]},
    }
    for section in sections.values():
        section["scoring"] = {"ocr": False}
    (knowledge_base.home / "collections.yaml").write_text(yaml.safe_dump({"collections": sections}), encoding="utf-8")
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


def keep(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.wait_for_timeout(500)  # dialogs fade in
    page.screenshot(path=PICTURES / f"{name}.png")


def materialize(page: Page, collections: list[str], picture: str) -> None:
    """Choose the partitions in the dialog of the lineage page, and launch."""
    page.locator("button", has_text="Materialize").first.click()
    dialog = page.get_by_role("dialog").filter(has_text="Launch runs to materialize")
    dialog.get_by_text("Select a partition").click()
    for name in collections:
        page.get_by_text(name, exact=True).filter(visible=True).last.click()
    dialog.get_by_text("Launch runs to materialize").click(force=True)
    expect(dialog.get_by_text(re.compile(f"^{len(collections)} partitions?$"))).to_be_visible()
    expect(page.get_by_placeholder("Filter partitions")).to_be_hidden()
    keep(page, picture)
    dialog.locator("button", has_text="Launch").last.click()
    expect(dialog).to_be_hidden()


def finished(knowledge_base: KnowledgeBase, collections: set[str]) -> None:
    """Wait until each of these collections has had its one run, which succeeded."""
    with open_instance(knowledge_base.home) as instance:
        wait_for(lambda: instance.get_runs_count() == len(collections), 120, "the runs to be there")
        wait_for(lambda: all(run.is_finished for run in instance.get_runs()), 600, "the runs to finish")
        assert {run.tags["dagster/partition"]: run.status.value for run in instance.get_runs()} == dict.fromkeys(
            collections, "SUCCESS"
        )


def test_lineage_backfill_metadata_and_checks_are_seen_in_the_ui(dagster_ui):
    url, knowledge_base = dagster_ui
    with open_page(1600, 1000) as page:
        page.goto(f"{url}/asset-groups/~all")
        for group in ("ingestion", "candidates", "scoring", "reports", "graph", "quality"):
            expect(page.get_by_text(group, exact=True).first).to_be_visible()
        keep(page, "dagster-lineage")
        folded = page.get_by_role("img", name="unfold_more")
        while folded.count():
            folded.first.click()
            page.wait_for_timeout(1_000)
        # What does not fit into the window is not drawn.
        expect(page.get_by_text("visual_evidence", exact=True).first).to_be_visible()

        materialize(page, ["rack"], "dagster-materialize-one")
        finished(knowledge_base, {"rack"})
        # First and last of aisle, rack, shelf: two runs, whatever lies between. One group is enough for that.
        page.goto(f"{url}/locations/__repository__@kg_pipeline.definitions/asset-groups/ingestion")
        materialize(page, ["aisle", "shelf"], "dagster-backfill")
        finished(knowledge_base, {"aisle", "rack", "shelf"})
        page.goto(f"{url}/runs?view=backfills")
        expect(page.get_by_text("2 partitions").first).to_be_visible()
        expect(page.get_by_text("Success").first).to_be_visible()
        keep(page, "dagster-backfills")

        see_checks_and_metadata(page, url)
        see_what_is_stale(page, url, knowledge_base)


def see_checks_and_metadata(page: Page, url: str) -> None:
    """What passed and what failed with what to do, thumbnails, plots, and the way to the page of edges."""
    page.goto(f"{url}/assets/visual_evidence?view=checks&checkDetail=ends_exist")
    expect(page.get_by_text("ends_exist").first).to_be_visible()
    expect(page.get_by_text("Passed").first).to_be_visible()
    keep(page, "dagster-checks")
    page.goto(f"{url}/assets/images?view=partitions&partition=rack")
    markdown = page.get_by_text("[Show Markdown]")
    markdown.first.click()
    expect(page.locator("img[src^='data:image']").first).to_be_visible()
    keep(page, "dagster-metadata")

    page.goto(f"{url}/assets/visual_evidence?view=partitions&partition=rack")
    markdown.first.click()
    expect(page.locator("img[src^='data:image/svg']").first).to_be_visible()
    keep(page, "dagster-plots")

    page.goto(f"{url}/assets/documents?view=checks")
    expect(page.get_by_text("sources_are_readable").first).to_be_visible()
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    expect(page.get_by_text("mend the files or their rights").first).to_be_visible()
    keep(page, "dagster-failed-check")

    page.goto(f"{url}/assets/visual_evidence?view=partitions&partition=rack")
    link = page.locator("a[href$='/rack/edges.html']").first
    expect(link).to_be_visible()
    page.goto(str(link.get_attribute("href")))
    expect(page.locator("#edges .card").first).to_be_visible()
    expect(page.locator("#edges img").first).to_be_visible()
    keep(page, "edges")


def see_what_is_stale(page: Page, url: str, knowledge_base: KnowledgeBase) -> None:
    """A document changes and only the documents are read again: the UI says what would come out otherwise now."""
    page.goto(f"{url}/assets/candidate_pairs?view=partitions&partition=rack")
    expect(page.get_by_text("dagster/partition_row_count").first).to_be_visible()
    expect(page.get_by_text(STALE)).to_have_count(0)
    keep(page, "dagster-fresh")
    document = knowledge_base.docs / "server-room.md"
    document.write_text(document.read_text(encoding="utf-8").replace("cold air", "very cold air"), encoding="utf-8")
    home = str(knowledge_base.home)
    definitions = build_defs(
        resource_overrides={
            "tables": Tables(home=home),
            "collections": Collections(home=home),
            "graph": Graph(home=home, enabled=False),
        }
    )
    with open_instance(knowledge_base.home) as instance:
        definitions.resolve_job_def("without_graph").execute_in_process(
            instance=instance,
            partition_key="rack",
            asset_selection=[dg.AssetKey(name) for name in ("documents", "chunks", "references")],
        )
    page.goto(f"{url}/assets/candidate_pairs?view=partitions&partition=rack")
    expect(page.get_by_text(STALE).first).to_be_visible()
    keep(page, "dagster-stale")
