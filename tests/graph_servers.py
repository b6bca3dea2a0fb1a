"""Graph servers for the tests: a real Neo4j Community (jars of .ci/neo4j, or NEO4J_TEST_URI) and the embedded one."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import neo4j
import pytest

from kg_pipeline.config import Settings
from kg_pipeline.graph.connection import BatchTooLargeError, Connection, connect
from kg_pipeline.graph.embedded import attached

VERSION = "5.26.28"
CACHE = Path(__file__).parents[1] / ".ci" / "cache"
REQUIRED = "KG_PIPELINE_REQUIRE_NEO4J"
PASSWORD = "correct horse battery"
START_SECONDS = 90

JAVA = [
    "java", "-Djol.skipHotspotSAAttach=true",
    "--add-opens=java.base/java.nio=ALL-UNNAMED", "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED", "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED", "--add-modules=jdk.incubator.vector",
]  # fmt: skip

CONFIGURATION = """\
server.bolt.listen_address=127.0.0.1:{port}
server.bolt.advertised_address=127.0.0.1:{port}
server.http.enabled=false
server.https.enabled=false
dbms.security.auth_enabled=true
server.memory.pagecache.size={memory.page_cache}
dbms.usage_report.enabled=false
db.memory.transaction.max={memory.transaction}
db.tx_log.preallocate=false
server.directories.data={home}/data
server.directories.logs={home}/logs
"""


@dataclass(frozen=True)
class Memory:
    """What a Neo4j may use. The default is small, so that tests meet its limits."""

    heap: str = "1g"
    initial_heap: str = "128m"
    page_cache: str = "128m"
    transaction: str = "8m"


SMALL = Memory()


@dataclass
class Neo4jProcess:
    """A Neo4j server of our own, which may be killed and started again on the same data and port."""

    folder: Path
    port: int
    memory: Memory = SMALL
    process: subprocess.Popen | None = None

    @property
    def uri(self) -> str:
        return f"neo4j://127.0.0.1:{self.port}"

    def start(self, *, is_new: bool = False) -> None:
        """Start it and wait until it answers; a new one gets its password."""
        heap = [f"-Xms{self.memory.initial_heap}", f"-Xmx{self.memory.heap}"]
        command = [*JAVA, *heap, "-cp", f"{_jars()}/*", "org.neo4j.server.CommunityEntryPoint"]
        command += [f"--home-dir={self.folder}", f"--config-dir={self.folder / 'conf'}"]
        with (self.folder / "server.out").open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + START_SECONDS
        auth = ("neo4j", "neo4j" if is_new else PASSWORD)
        # Without routing, which would log an error for every attempt.
        address = self.uri.replace("neo4j://", "bolt://")
        with neo4j.GraphDatabase.driver(address, auth=auth, max_transaction_retry_time=0.0) as driver:
            while True:
                try:
                    if is_new:
                        change = "ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO $password"
                        driver.execute_query(change, password=PASSWORD, database_="system")
                    else:
                        driver.execute_query("RETURN 1")
                    return
                except (neo4j.exceptions.ServiceUnavailable, neo4j.exceptions.TransientError):
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        pytest.fail(f"Neo4j did not start:\n{(self.folder / 'server.out').read_text()[-3000:]}")
                    time.sleep(0.3)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass(frozen=True)
class GraphServer:
    """A running server and the settings that lead to it."""

    kind: str
    settings: Settings
    process: Neo4jProcess | None = None
    """Of a Neo4j that the tests have started."""

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection as the pipeline opens it."""
        with connect(self.settings, Path("unused")) as connection:
            yield connection

    def select(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make it the server of every command, through the environment as a user would."""
        monkeypatch.setenv("NEO4J_URI", self.settings.neo4j_uri)
        monkeypatch.setenv("NEO4J_USERNAME", self.settings.neo4j_username)
        monkeypatch.setenv("NEO4J_PASSWORD", self.settings.neo4j_password.get_secret_value())
        monkeypatch.setenv("NEO4J_DATABASE", self.settings.neo4j_database or "")

    def wipe(self) -> None:
        """Delete every node."""
        with self.connect() as connection:
            try:
                connection.run("MATCH (n) DETACH DELETE n")
            except BatchTooLargeError:
                # Relationships first: a few hubs together are too much for a transaction.
                while connection.read("MATCH ()-[e]->() RETURN count(e) AS n")[0]["n"]:
                    connection.run("MATCH ()-[e]->() WITH e LIMIT 200 DELETE e")
                while connection.read("MATCH (n) RETURN count(n) AS n")[0]["n"]:
                    connection.run("MATCH (n) WITH n LIMIT 4 DETACH DELETE n")


def settings_for(uri: str | None, username: str = "neo4j", password: str = "", database: str | None = None) -> Settings:
    """Settings that name one server, whatever the environment says."""
    values = {"NEO4J_URI": uri, "NEO4J_USERNAME": username, "NEO4J_PASSWORD": password, "NEO4J_DATABASE": database}
    values["KG_PIPELINE_GRAPH_NAMES"] = {}
    return Settings.model_validate(values)


@contextmanager
def running_server(kind: str, folder: Path, memory: Memory = SMALL) -> Iterator[GraphServer]:
    """A server of that kind with its data under `folder`, stopped at the end; skips the test when it cannot be had."""
    with _neo4j(folder, memory) if kind == "neo4j" else _embedded(folder) as server:
        yield server


@contextmanager
def _embedded(folder: Path) -> Iterator[GraphServer]:
    with attached(folder) as server:
        yield GraphServer("embedded", settings_for(server.uri, *server.auth, server.database))


@contextmanager
def _neo4j(folder: Path, memory: Memory) -> Iterator[GraphServer]:
    if uri := os.environ.get("NEO4J_TEST_URI"):
        username = os.environ.get("NEO4J_TEST_USERNAME", "neo4j")
        yield GraphServer("neo4j", settings_for(uri, username, os.environ.get("NEO4J_TEST_PASSWORD", "")))
        return
    with own_neo4j(folder, memory) as server:
        yield server


@contextmanager
def own_neo4j(folder: Path, memory: Memory = SMALL) -> Iterator[GraphServer]:
    """A Neo4j that the tests start, and may kill, with its data under `folder`; skips when it cannot be had."""
    if not _jars().is_dir():
        _unavailable(f"no Neo4j jars in {_jars()}: run .ci/neo4j, or set NEO4J_TEST_URI")
    if not shutil.which("java"):
        _unavailable("no `java` (17 or 21) on the PATH, or set NEO4J_TEST_URI")
    for name in ("conf", "data", "logs", "run", "plugins", "import", "licenses"):
        (folder / name).mkdir(exist_ok=True)
    process = Neo4jProcess(folder, free_port(), memory)
    (folder / "conf" / "neo4j.conf").write_text(CONFIGURATION.format(port=process.port, home=folder, memory=memory))
    try:
        process.start(is_new=True)
        yield GraphServer("neo4j", settings_for(process.uri, "neo4j", PASSWORD), process)
    finally:
        process.stop()


def _jars() -> Path:
    return CACHE / f"neo4j-{VERSION}" / "lib"


def _unavailable(reason: str) -> None:
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{reason} ({REQUIRED}=1)")
    pytest.skip(reason)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
