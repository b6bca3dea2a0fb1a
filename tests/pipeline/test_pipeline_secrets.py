"""No password, text or image content in any log, exception or metadata: all of HOME but its tables is searched."""

import socket
import sqlite3
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
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
