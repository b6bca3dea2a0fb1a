"""What deploy/ starts: the same commands and settings on real Postgres and Neo4j, driven through GraphQL."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import urllib3
from deployment import Deployment, GraphQL
from graph_servers import PASSWORD, own_neo4j
from knowledge_base import KnowledgeBase
from postgres_server import running_postgres

SECRET = "a secret with spaces & signs: $1'%"
TOKEN = "a token of the API that is long enough"
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "kg_pipeline"}
COLLECTIONS = """\
collections:
  rack:
    documents: [{root: /data/documents, include: ["server*"]}]
    images: [{folder: /data/images}]
    scoring: {ocr: false}
  line:
    documents: [{root: /data/documents, include: ["assembly*"]}]
    scoring: {ocr: false}
"""

ADD = """mutation ($key: String!, $repository: RepositorySelector!) {
  addDynamicPartition(repositorySelector: $repository, partitionsDefName: "collections", partitionKey: $key) {
    __typename } }"""
ASSETS = "query { assetNodes { assetKey { path } groupName isMaterializable } }"
BACKFILL = """mutation ($parameters: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $parameters) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATUS = (
    """query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"""
)
RUNS = "query { runsOrError { ... on Runs { results { runId status tags { key value } } } } }"
FAILURES = """query ($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  ... on MessageEvent { eventType stepKey message }
  ... on ErrorEvent { error { message stack cause { message } } } } } } }"""
LINKS = """query { assetOrError(assetKey: {path: ["orphan_images"]}) { ... on Asset {
  assetMaterializations(limit: 9) { partition metadataEntries { label ... on UrlMetadataEntry { url } } } } } }"""
INSTANCE = """query { instance { concurrencyLimits { concurrencyKey limit claimedSlots { runId } }
  daemonHealth { allDaemonStatuses { daemonType healthy required } } } }"""


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, GraphQL]]:
    """Postgres, Neo4j and every service of the compose file, in its order."""
    root = tmp_path_factory.mktemp("production")
    knowledge_base = KnowledgeBase.draw(root)
    neo4j = root / "neo4j"
    neo4j.mkdir()
    with own_neo4j(neo4j) as graph:
        deployment = Deployment(
            root,
            {"KG_PIPELINE_DOCUMENTS": knowledge_base.docs, "KG_PIPELINE_IMAGES": knowledge_base.docs / "img"},
            addresses={"neo4j:7687": graph.process.port},
            secrets={"postgres_password": SECRET, "neo4j_auth": f"neo4j/{PASSWORD}", "api_token": TOKEN},
            files={"./collections.yaml": COLLECTIONS},
        )
        said = deployment.services["postgres"]
        who = said["environment"]
        with running_postgres(
            said["command"], deployment.port("postgres:5432"), who["POSTGRES_USER"], SECRET, who["POSTGRES_DB"]
        ):
            try:
                for service in ("migrate", "upgrade"):
                    done = deployment.run(service)
                    assert done.returncode == 0, done.stdout + done.stderr
                for service in ("code-server", "webserver", "daemon", "serve", "reports"):
                    assert set(deployment.services[service]["depends_on"]) <= {*deployment.services}
                    deployment.start(service)
                    if service != "daemon":
                        deployment.wait_until_healthy(service)
                yield deployment, GraphQL(f"http://127.0.0.1:{deployment.port('webserver:3000')}")
            finally:
                deployment.stop()


def wait_for(done, seconds: float, deployment: Deployment, what: str) -> None:
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            logs = "\n".join(deployment.log(name).read_text()[-2000:] for name in deployment.running)
            pytest.fail(f"waited {seconds} s for {what}:\n{logs}")
        time.sleep(1)


def failures(dagster: GraphQL, run: dict[str, Any]) -> list[Any]:
    """The tags of a run, and what its log says went wrong."""
    events = dagster.ask(FAILURES, run=run["runId"])["logsForRun"]["events"]
    return [run["tags"], *(event for event in events if "error" in event or "FAIL" in event.get("eventType", ""))]


def test_a_backfill_of_two_collections_through_graphql_fills_the_graph(production):
    deployment, dagster = production
    for key in ("rack", "line"):
        dagster.ask(ADD, key=key, repository=REPOSITORY)
    nodes = dagster.ask(ASSETS)["assetNodes"]
    made_by_runs = [node for node in nodes if node["isMaterializable"] and node["groupName"] != "quality"]
    selection = [node["assetKey"] for node in made_by_runs]
    launched = dagster.ask(BACKFILL, parameters={"assetSelection": selection, "partitionNames": ["rack", "line"]})
    backfill = launched["launchPartitionBackfill"]
    assert backfill["__typename"] == "LaunchBackfillSuccess", backfill

    def status() -> str:
        return dagster.ask(STATUS, id=backfill["backfillId"])["partitionBackfillOrError"]["status"]

    wait_for(lambda: status().startswith("COMPLETED"), 900, deployment, "the backfill")
    runs = dagster.ask(RUNS)["runsOrError"]["results"]
    assert [failures(dagster, run) for run in runs if run["status"] != "SUCCESS"] == []
    assert len(runs) == 2
    assert status() == "COMPLETED_SUCCESS"

    answer = dagster.ask(INSTANCE)["instance"]
    assert all(limit["limit"] == 1 and not limit["claimedSlots"] for limit in answer["concurrencyLimits"])
    assert {"gpu", "neo4j_write"} <= {limit["concurrencyKey"] for limit in answer["concurrencyLimits"]}
    assert all(daemon["healthy"] for daemon in answer["daemonHealth"]["allDaemonStatuses"] if daemon["required"])
    assert deployment.is_healthy("daemon")


def test_the_links_of_an_asset_lead_somewhere(production):
    deployment, dagster = production
    made = dagster.ask(LINKS)["assetOrError"]["assetMaterializations"]
    entries = next(each["metadataEntries"] for each in made if each["partition"] == "rack")
    links = {entry["label"]: entry["url"] for entry in entries if "url" in entry}
    serve, reports = (f"http://127.0.0.1:{deployment.port(name)}" for name in ("serve:8765", "reports:3001"))
    assert links == {
        "open orphans in kg-pipeline serve": f"{serve}/#/orphans/rack",
        "open gallery": f"{reports}/rack/gallery.html",
        "open edges page": f"{reports}/rack/edges.html",
    }
    for link in links.values():
        answer = urllib3.request("GET", link)
        assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/html"), link


def test_history_is_in_postgres_and_nothing_is_written_where_a_container_is_read_only(production):
    deployment, _ = production
    with psycopg2.connect(
        host="127.0.0.1", port=deployment.port("postgres:5432"), user="dagster", password=SECRET, dbname="dagster"
    ) as connection, connection.cursor() as cursor:  # fmt: skip
        cursor.execute("select count(*) from runs where status = 'SUCCESS'")
        assert cursor.fetchone() == (2,)
    for service in ("webserver", "daemon", "code-server", "serve", "reports"):
        said, inside = deployment.services[service], deployment.root / service
        mounts = [re.search(r":(/[^:]+)", volume)[1] for volume in said["volumes"]]
        written = [f"/{path.relative_to(inside)}" for path in inside.rglob("*") if path.is_file()]
        assert written or service == "reports"
        assert [path for path in written if not path.startswith((*mounts, *said["tmpfs"]))] == [], service


def test_no_secret_is_in_a_command_line_or_a_log(production):
    deployment, _ = production
    for process in deployment.running.values():
        assert SECRET not in Path(f"/proc/{process.pid}/cmdline").read_text()
    for service in deployment.running:
        assert SECRET not in deployment.log(service).read_text()
        assert PASSWORD not in deployment.log(service).read_text()


def test_the_api_is_there_and_takes_nobody_without_the_token(production):
    deployment, _ = production
    deployment.wait_until_healthy("serve")
    url = f"http://127.0.0.1:{deployment.port('serve:8765')}/api/models"
    assert urllib3.request("GET", url).status == 401
    assert urllib3.request("GET", url, headers={"Authorization": f"Bearer {TOKEN}"}).status == 200
