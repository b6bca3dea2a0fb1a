"""A run reaches the servers that are configured and nothing else: every other address is refused and written down."""

import socket

import pytest
import yaml
from embedding_server import embedding_server
from graph_servers import running_server

PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server("embedded", tmp_path_factory.mktemp("graph")) as server:
        yield server


class Watch:
    """Refuses connections and look-ups but those to `allowed` hosts and ports."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, allowed: set[tuple[str, int]]) -> None:
        self.allowed, self.reached, self.refused = allowed, set(), []
        connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo
        monkeypatch.setattr(socket.socket, "connect", lambda own, address: connect(own, self.checked(address)))
        monkeypatch.setattr(socket.socket, "connect_ex", lambda own, address: connect_ex(own, self.checked(address)))
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, port, *more, **named: resolve(*self.checked((host, port)), *more, **named),
        )

    def checked(self, address):
        if isinstance(address, tuple):
            place = (str(address[0]), int(address[1] or 0))
            if place not in self.allowed:
                self.refused.append(place)
                raise OSError(f"the test refuses {place}")
            self.reached.add(place)
        return address


def test_a_run_reaches_the_configured_servers_and_nothing_else(knowledge_base, server, monkeypatch):
    for name in (*PROXIES, *(name.upper() for name in PROXIES)):
        monkeypatch.delenv(name, raising=False)
    server.select(monkeypatch)
    with embedding_server() as model:
        section = {
            "documents": [{"root": str(knowledge_base.docs)}],
            "embeddings": {"url": model.url, "model": "bag"},
        }
        (knowledge_base.docs / "remote.md").write_text(
            "# Remote\n\n![logo](https://example.org/logo.png)\n\n<img src='//cdn.example.org/x.png'>\n"
        )
        config = knowledge_base.root / "collections.yaml"
        config.write_text(yaml.safe_dump({"collections": {"kb": section}}))
        ports = {int(url.rsplit(":", 1)[1].split("/")[0]) for url in (model.url, server.settings.neo4j_uri)}
        allowed = {(host, port) for host in ("127.0.0.1", "localhost", "::1") for port in ports}
        watch = Watch(monkeypatch, allowed)
        result = knowledge_base.command("run", "--config", str(config))
        assert result.exit_code == 0, result.output
    assert watch.refused == []
    assert {port for _, port in watch.reached} == ports
    assert knowledge_base.last_run()["graph"]["writes"] > 0


def test_offline_weights_that_are_not_there_are_not_looked_for_elsewhere(knowledge_base, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # what HF_HUB_OFFLINE=1 sets when it is imported
    watch = Watch(monkeypatch, set())
    result = knowledge_base.run("--no-graph", "--reranker", "qwen-vl", "--checkpoint", f"owner/model@{'0' * 40}")
    assert result.exit_code == 1
    assert "owner/model" in result.output
    assert watch.refused == []
