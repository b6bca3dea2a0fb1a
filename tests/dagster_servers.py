"""Dagster as it is deployed: code server, daemon and webserver as processes, driven by GraphQL."""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graph_servers import free_port
from waiting import answers, wait_for

from kg_pipeline.orchestration.instance import dagster_home

# The daemon looks for new backfills every 30 s; a test has no time for that.
DAEMON = """
import dagster._daemon.controller as controller, dagster._daemon.cli as cli
controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 5
cli.main()
"""
WORKSPACE = "load_from:\n  - grpc_server: {{host: 127.0.0.1, port: {port}, location_name: kg_pipeline}}\n"

REPOSITORY = {"repositoryLocationName": "kg_pipeline", "repositoryName": "__repository__"}
LAUNCH = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
CANCEL = "mutation($id: String!) { cancelPartitionBackfill(backfillId: $id) { __typename } }"
BACKFILL = "query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"


@dataclass(frozen=True)
class DagsterServers:
    """The address of a running Dagster."""

    url: str
    home: Path

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.load(answer)
        assert "errors" not in told, told["errors"]
        return told["data"]

    def backfill(self, assets: Sequence[str], partitions: Sequence[str] | None) -> str:
        """Launch a backfill of collections, None for all; its id."""
        params: dict[str, Any] = {"assetSelection": [{"path": [name]} for name in assets]}
        params |= {"allPartitions": True} if partitions is None else {"partitionNames": list(partitions)}
        told = self.ask(LAUNCH, params=params)["launchPartitionBackfill"]
        assert told["__typename"] == "LaunchBackfillSuccess", told
        return told["backfillId"]

    def status(self, backfill: str) -> str:
        return self.ask(BACKFILL, id=backfill)["partitionBackfillOrError"]["status"]

    def finished(self, backfill: str, seconds: float = 900) -> str:
        """The status of a backfill when it has ended."""
        wait_for(lambda: self.status(backfill) not in {"REQUESTED", "CANCELING", "FAILING"}, seconds, "a backfill")
        return self.status(backfill)

    def cancel(self, backfill: str) -> None:
        assert self.ask(CANCEL, id=backfill)["cancelPartitionBackfill"]["__typename"] == "CancelBackfillSuccess"


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running_dagster(home: Path, module: str, environment: dict[str, str]) -> Iterator[DagsterServers]:
    """Code server of `module`, daemon and webserver on a HOME, stopped at the end."""
    folder = dagster_home(home)
    code, web = free_port(), free_port()
    workspace = folder / "workspace.yaml"
    workspace.write_text(WORKSPACE.format(port=code), encoding="utf-8")
    tests = str(Path(__file__).parent)
    everything = {
        **os.environ,
        **environment,
        "KG_PIPELINE_HOME": str(home),
        "DAGSTER_HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(filter(None, [tests, str(Path(tests).parent)])),
    }
    code_server = ["-m", "dagster", "api", "grpc", "-m", module, "-h", "127.0.0.1", "-p", str(code)]
    daemon = ["-c", DAEMON, "run", "-w", str(workspace)]
    webserver = ["-m", "dagster_webserver", "-w", str(workspace), "-h", "127.0.0.1", "-p", str(web)]
    processes = []
    with (folder / "servers.log").open("w") as log:

        def start(*command: str) -> None:
            processes.append(subprocess.Popen([sys.executable, *command], env=everything, stdout=log, stderr=log))

        try:
            start(*code_server)
            wait_for(lambda: listens(code), 120, "the code server")
            start(*daemon)
            start(*webserver)
            servers = DagsterServers(f"http://127.0.0.1:{web}", home)
            wait_for(lambda: answers(f"{servers.url}/server_info"), 120, "the webserver")
            yield servers
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
