"""What the pages for people tell them to type and promise them to see."""

import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from small_corpus import small_corpus

from kg_pipeline.candidates.shortlist import shortlists
from kg_pipeline.reranking import score_pairs
from kg_pipeline.storage import ScoreLedger
from kg_pipeline.tables import TABLES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PASSING = re.compile(r"\S*(?=\.kg-pipeline/)")
# Numbers may differ a little with each change of the evidence model; ids, which people have to copy, may not.
NUMBER = re.compile(r"\b[\d.]+\b")


def plain(text: str) -> str:
    """On one line, without what may differ: numbers, and the folder one is in."""
    return NUMBER.sub("#", PASSING.sub("", " ".join(text.split())))


def source() -> str:
    """The text of all modules, with the pieces of a string that was cut for its length put together."""
    files = [path for folder in ("kg_pipeline", "assets", "resources") for path in (ROOT / folder).rglob("*.py")]
    return re.sub(r'"\s*f?"', "", "\n".join(path.read_text(encoding="utf-8") for path in files))


def test_the_tutorial_does_what_it_says(tmp_path):
    text = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NEO4J_", "KG_PIPELINE"))}
    environment |= {
        "CHECKOUT": str(ROOT),
        "COLUMNS": "160",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    said = ""
    for kind, block in re.findall(r"^```(sh|text)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if kind == "sh":
            done = subprocess.run(
                ["bash", "-euc", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
            said = plain(done.stdout)
        else:
            for row in re.sub(r"\n {10,}", " ", block).splitlines():
                assert plain(row) in said, f"{row!r} is not in: {said}"


def test_every_message_on_the_page_of_troubles_is_one_that_the_code_says():
    rows = re.findall(r"^\| (.*?) \|", (DOCS / "troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)
    messages = {message for row in rows for message in re.findall(r"`([^`]+)`", row)}
    others = {"Step blocked by limit for pool", "No module named 'psycopg'", "stale", "unreadable", "missing"}
    others |= {"new_collections", "visual_evidence", "deploy/dagster.yaml", "HOME/tables"}
    code = source()
    assert [message for message in sorted(messages - others) if message not in code] == []
    assert len(messages) > 30


def block_with(name: str) -> str:
    """The code on the page about extending that defines a class."""
    page = (DOCS / "extending.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if f"class {name}:" in block)


def test_the_blocking_strategy_of_the_page_proposes_passages():
    made: dict = {"__name__": "page"}
    exec(block_with("SameFolder"), made)
    documents = {"guide/radio.md": ["# Radio\nSends packets.", "# Power\nPlug."], "other/motor.md": ["# Motor\nTurns."]}
    shortlist = next(shortlists(small_corpus(documents, {"guide/radio.png": []})))
    rows, columns, ranks = made["SameFolder"](5).propose(shortlist)
    assert rows.tolist() == [0, 0]
    assert sorted(columns.tolist()) == [0, 1], "the passages of the document beside it, not of the other"
    assert ranks.tolist() == [1, 2]


def test_the_reranker_of_the_page_scores_and_a_picture_that_is_gone_is_a_row_without_a_score(tmp_path):
    made: dict = {"__name__": "page"}
    exec(block_with("JudgeReranker"), made)
    reranker = made["JudgeReranker"](lambda image, text: 0.9 if text.encode() in image else 0.1, "1")
    pairs = [
        {"image_id": image, "text_kind": "chunk", "text_id": text, "text_sha256": text, "position": 1}
        for image in ("lamp", "gone")
        for text in ("lamp", "bolt")
    ]

    def load(image: str) -> bytes:
        if image == "gone":
            raise OSError("it is gone")
        return image.encode()

    texts = pl.DataFrame({"text_sha256": ["lamp", "bolt"], "text": ["lamp", "bolt"]})
    scores, report = score_pairs(reranker, ScoreLedger(tmp_path), TABLES["candidate_pairs"].rows(pairs), texts, load)
    found = {(row["image_id"], row["text_id"]): row["score"] for row in scores.to_dicts()}
    assert found["lamp", "lamp"] == pytest.approx(9)
    assert found["lamp", "bolt"] == pytest.approx(1)
    assert found["gone", "bolt"] is None
    assert report.unscored == 2


def test_the_page_on_deployment_starts_what_the_compose_file_starts():
    """Without containers, the same commands: only addresses and paths are those of one machine."""
    from deployment import compose

    page = (DOCS / "deployment.md").read_text(encoding="utf-8")
    page = page.replace("127.0.0.1 -p", "0.0.0.0 -p").replace("deploy/workspace.yaml", "/opt/dagster/workspace.yaml")
    for service in ("migrate", "upgrade", "code-server", "webserver", "daemon"):
        assert " ".join(compose()["services"][service]["command"]) in page, service
