"""No password, text or image content in any log, exception or metadata: all of HOME but its tables is searched."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest
import urllib3
from graph_servers import free_port
from mcp import Client, StdioServerParameters, stdio_client
from PIL import Image, ImageDraw, PngImagePlugin

from kg_pipeline.graph import connection

DOCUMENT = """---
title: Quaggatitle
---
# Zebuheading

The narwhaltext glows red when a fault is waiting on the kakapoconcept.

![okapialt](img/plain.png "dugongtitle")

# Twice

Numbattwice stands here twice.

# Twice

Numbattwice stands here twice.
"""
BROKEN = {
    "broken.html": "<html><p>Tapirhtml <b>never <table><![CDATA[ closed",
    "broken.ipynb": '{"cells": [{"cell_type": "markdown", "source": ["Gnunotebook',
    "broken.rst": "Ibisrst\n==\n\n.. image::\n\n.. include:: /etc/nothing\n",
    "broken.md": "---\ntitle: [Emufrontmatter\n---\nText of the emu.\n",
    "img/broken.svg": "<svg xmlns='http://www.w3.org/2000/svg'><text>Lemursvg</text>",
    "img/broken.png": "Dingopixels are no picture",
}
GLOSSARY = "name,aliases,description\nKakapoconcept,Lorialias,Weasdescription of it\n"

PASSWORDS = ("not-the-walruspassword", "correct horse battery")
CONTENT = (
    *(
        "quagga",
        "zebu",
        "narwhal",
        "okapi",
        "dugong",
        "numbat",
        "tapir",
        "gnunote",
        "ibisrst",
        "emufront",
        "of the emu",
    ),
    *("lemursvg", "dingopixels", "kakapo", "lorialias", "weasdesc", "ocelot", "maragrave"),
)


@pytest.fixture
def server(graph_server, monkeypatch):
    graph_server.select(monkeypatch)
    graph_server.wipe()
    return graph_server


@pytest.fixture
def base(knowledge_base):
    """The knowledge base with words that stand nowhere else."""
    (knowledge_base.docs / "words.md").write_text(DOCUMENT, encoding="utf-8")
    picture = Image.new("RGB", (500, 160), "white")
    ImageDraw.Draw(picture).text((40, 40), "OCELOT", fill="black", font_size=80)
    words = PngImagePlugin.PngInfo()
    words.add_text("Description", "Maragrave in the metadata")
    picture.save(knowledge_base.docs / "img" / "plain.png", pnginfo=words)
    for name, text in BROKEN.items():
        (knowledge_base.docs / name).write_text(text, encoding="utf-8")
    (knowledge_base.root / "glossary.csv").write_text(GLOSSARY, encoding="utf-8")
    (knowledge_base.root / "collections.yaml").write_text(
        "collections:\n  kb:\n    documents: [{root: docs}]\n    concepts: {glossary: glossary.csv}\n",
        encoding="utf-8",
    )
    return knowledge_base


def run(base, *options):
    return base.command("run", "--config", str(base.root / "collections.yaml"), *options)


def written(home: Path) -> str:
    """Every file of HOME but those that are there to hold content, databases also cell by cell, in lower case."""
    texts = []
    for path in sorted(home.rglob("*")):
        if path.is_file() and path.relative_to(home).parts[0] not in {"tables", "reports", "cache", "synced"}:
            texts.append(path.read_bytes().decode("utf-8", "replace"))
            if path.suffix == ".db":
                texts += cells(path)
    return "\n".join(texts).lower()


def cells(path: Path) -> list[str]:
    with sqlite3.connect(path) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return [str(row) for (name,) in tables for row in database.execute(f'SELECT * FROM "{name}"')]


def assert_nothing_is_told(base, told: str) -> None:
    found = {word for text in (told.lower(), written(base.home)) for word in (*PASSWORDS, *CONTENT) if word in text}
    assert not found


class Severed:
    """A way to a server that is cut, for good, when a word passes."""

    def __init__(self, uri: str, word: bytes) -> None:
        parts = urlsplit(uri)
        self.target, self.word, self.cut = (parts.hostname, parts.port), word, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"bolt://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self.cut.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(one, other), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        while not self.cut.is_set():
            try:
                block = source.recv(65536)
                if self.word in block:
                    self.cut.set()
                    self.listener.close()
                if not block or self.cut.is_set():
                    break
                target.sendall(block)
            except OSError:
                break
        for end in (source, target):
            end.close()


@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
def test_what_goes_wrong_tells_no_password_and_no_content(base, server, monkeypatch, capfd, caplog):
    good = run(base)
    assert good.exit_code == 0, good.output
    texts = base.table("image_texts")["text"].to_list()
    assert any("OCELOT" in text for text in texts)
    told = good.output

    monkeypatch.setenv("NEO4J_PASSWORD", PASSWORDS[0])
    refused = run(base)
    assert refused.exit_code == 1
    assert "refuses user name or" in refused.output
    told += refused.output
    server.select(monkeypatch)

    server.wipe()
    with server.connect() as graph:
        graph.run("CREATE CONSTRAINT mine FOR (c:Chunk) REQUIRE c.text IS UNIQUE")
        try:
            violated = run(base, "--no-ocr")
        finally:
            graph.run("DROP CONSTRAINT mine")
    assert violated.exit_code == 1
    assert "constraint" in violated.output
    told += violated.output

    monkeypatch.setitem(connection.DRIVER_SETTINGS, "max_transaction_retry_time", 1.0)
    severed = Severed(server.settings.neo4j_uri, b"HAS_VISUAL_EVIDENCE {")
    monkeypatch.setenv("NEO4J_URI", severed.uri)
    away = run(base, "--no-ocr")
    assert severed.cut.is_set()
    assert away.exit_code == 1
    assert severed.uri in away.output
    told += away.output

    captured = capfd.readouterr()
    assert_nothing_is_told(base, told + captured.out + captured.err + caplog.text)


# --- what serves: a question is content too, and its answers go to whoever asked, not into a log

TOKEN = "axolotl-token-of-some-length"
QUESTION = "narwhaltext gaurquestion"
ASKED = (*CONTENT, *PASSWORDS, "gaurquestion", "axolotl", "dikdik")
REQUESTS = {
    "/api/search": {"query": QUESTION},
    "/api/rerank": {"query": QUESTION, "image_paths": ["img/plain.png", "img/broken.png", "img/gone-dikdik.png"]},
    "/api/score": {"query": QUESTION, "dikdik": ["dikdik"]},
}


def told_by_serve(base, searched: int = 200) -> str:
    """What the server says about requests that are good, bad and without the token."""
    port = free_port()
    command = ["serve", "--port", str(port), "--home", str(base.home), "--image-root", str(base.docs)]
    server = start(*command, env={"KG_PIPELINE_API_TOKEN": TOKEN})
    try:
        wait_for(port, server)
        for path, body in REQUESTS.items():
            for token in (TOKEN, "axolotl-token-that-is-wrong"):
                ask(port, path, json.dumps(body).encode(), token)
            ask(port, path, b'{"query": "gaurquestion', TOKEN)
        assert ask(port, "/api/search", json.dumps({"query": QUESTION}).encode(), TOKEN).status == searched
        ask(port, "/api/collections/dikdik?q=gaurquestion", None, TOKEN)
    finally:
        server.send_signal(signal.SIGINT)
        told = server.communicate(timeout=60)[0]
    return told


def start(*command: str, env: dict[str, str]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "kg_pipeline", *command],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(port: int, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)
    server.kill()
    pytest.fail(server.communicate()[0])


def ask(port: int, path: str, body: bytes | None, token: str) -> urllib3.BaseHTTPResponse:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{port}{path}"
    return urllib3.request("POST" if body else "GET", url, body=body, headers=headers, retries=False, timeout=60)


def told_by_mcp(base, log: Path) -> str:
    """What the server for agents writes to standard error."""

    async def session() -> bool:
        command = StdioServerParameters(
            command=sys.executable, args=["-m", "kg_pipeline", "mcp", "--home", str(base.home)], env=dict(os.environ)
        )
        with log.open("w") as errors:
            async with Client(stdio_client(command, errlog=errors)) as client:
                found = await client.call_tool("search_passages", {"query": QUESTION})
                for tool, arguments in {
                    "search_passages": {"query": QUESTION, "top": 0},
                    "show_picture": {"picture": "dikdik.png"},
                    "read_document": {"document": "words.md"},
                }.items():
                    await client.call_tool(tool, arguments)
                return "narwhal" in str(found.content).lower()

    assert anyio.run(session)
    return log.read_text()


def told_by_watch(base) -> str:
    """What the watched folder says about a job that is done and about two that fail."""
    jobs, results = base.root / "jobs", base.root / "results"
    jobs.mkdir()
    for name, members in {"good": ["plain.png"], "bad": ["broken.png"]}.items():
        with zipfile.ZipFile(jobs / f"{name}.zip", "w") as archive:
            for member in members:
                archive.write(base.docs / "img" / member, member)
        (jobs / f"{name}.txt").write_text(QUESTION)
    (jobs / "cut.zip").write_bytes(b"dikdik")
    (jobs / "cut.txt").write_text(QUESTION)
    command = ["watch", "--watch-dir", str(jobs), "--output-dir", str(results), "--home", str(base.home)]
    watched = start(*command, "--once", "--patience", "0", env={})
    told = watched.communicate(timeout=120)[0]
    assert "1 failed" in told or "2 failed" in told
    reasons = [path.read_text() for path in jobs.rglob("reason.txt")]
    assert reasons
    return "\n".join([told, *reasons])


@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
def test_what_serves_tells_no_question_no_content_and_no_secret(base, server, monkeypatch, tmp_path):
    assert run(base, "--no-ocr").exit_code == 0
    told = {
        "upgrade": base.command("upgrade").output,
        "serve": told_by_serve(base),
        "mcp": told_by_mcp(base, tmp_path / "mcp.log"),
        "watch": told_by_watch(base),
    }
    monkeypatch.setenv("NEO4J_PASSWORD", PASSWORDS[0])
    refused = base.command("search", QUESTION)
    assert refused.exit_code == 1
    told |= {"search": refused.output, "serve, without the graph": told_by_serve(base, searched=503)}
    for command, text in told.items():
        found = {word for word in ASKED if word in text.lower()}
        assert not found, f"{command}:\n{text}"
    assert not {word for word in ASKED if word in written(base.home)}
