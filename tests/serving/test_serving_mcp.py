"""The tools for agents, asked by the real client over standard input and output of the real command."""

import base64
import io
import sys

import anyio
import pytest
from knowledge_base import KnowledgeBase
from mcp import Client, StdioServerParameters, stdio_client
from mcp.types import CallToolResult
from PIL import Image

QUESTIONS = {
    "collections": ("list_collections", {}),
    "search": ("search_passages", {"query": "red alarm lamp", "top": 2, "thumbnails": True}),
    "plain": ("search_passages", {"query": "red alarm lamp", "top": 2, "weight": 0}),
    "concept": ("pictures_for_concept", {"name": "alarm lamp", "thumbnails": True}),
    "unknown": ("pictures_for_concept", {"name": "alram lamp"}),
    "picture": ("passages_for_picture", {"picture": "torque-wrench.png"}),
    "document": ("read_document", {"document": "server-room.md", "first": 2, "sections": 5}),
    "orphans": ("orphan_images", {"collection": "kb"}),
    "show": ("show_picture", {"picture": "img/alarm-lamp.png", "longest_side": 128}),
    "elsewhere": ("orphan_images", {"collection": "nope"}),
    "badly": ("search_passages", {"query": "lamp", "top": 0}),
    "outside": ("show_picture", {"picture": "../../../../etc/passwd"}),
}


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """What one session of the client got: the tools, their instructions, and the answers to QUESTIONS."""
    root = tmp_path_factory.mktemp("mcp")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NEO4J_URI", "KG_PIPELINE_HOME", "KG_PIPELINE_CONFIG", "DAGSTER_HOME"):
            patch.delenv(name, raising=False)
        base = KnowledgeBase.draw(root)
        (root / "glossary.csv").write_text("name,aliases,description\nAlarm lamp,lamp,Shows faults.\n")
        config = root / "collections.yaml"
        section = f"documents: [{{root: {base.docs}}}], scoring: {{ocr: false}}, concepts: {{glossary: glossary.csv}}"
        config.write_text(f"collections: {{kb: {{{section}}}}}\n")
        assert base.command("run", "--config", str(config), "--no-graph").exit_code == 0
        command = ["-m", "kg_pipeline", "mcp", "--home", str(base.home)]
        return anyio.run(asked, StdioServerParameters(command=sys.executable, args=command))


async def asked(server: StdioServerParameters) -> dict[str, object]:
    async with Client(stdio_client(server)) as client:
        found: dict[str, object] = {"tools": (await client.list_tools()).tools, "instructions": client.instructions}
        for name, (tool, arguments) in QUESTIONS.items():
            found[name] = await client.call_tool(tool, arguments)
        return found


def text(answer: CallToolResult) -> str:
    return answer.content[0].text


def pictures(answer: CallToolResult) -> list[Image.Image]:
    data = [content.data for content in answer.content if content.type == "image"]
    return [Image.open(io.BytesIO(base64.b64decode(each))) for each in data]


def test_every_tool_says_what_it_is_for_and_only_reads(session):
    assert [tool.name for tool in session["tools"]][:2] == ["list_collections", "search_passages"]
    assert len(session["tools"]) == 7
    for tool in session["tools"]:
        assert tool.description.endswith(".")
        assert tool.annotations.read_only_hint
        assert all("description" in field for field in tool.input_schema["properties"].values())
    assert "search_passages" in session["instructions"]


def test_collections_are_counted(session):
    [found] = session["collections"].structured_content["collections"]
    assert found["collection"] == "kb"
    assert found["documents"] == 2
    assert "kb: 2 documents" in text(session["collections"])


def test_search_gives_text_data_and_thumbnails(session):
    answer = session["search"]
    assert "[server-room.md:" in text(answer)
    assert "Picture: red alarm lamp <file:///" in text(answer)
    first = answer.structured_content["passages"][0]
    assert first["pictures"][0]["uri"].endswith("alarm-lamp.png")
    assert max(pictures(answer)[0].size) == 256
    assert pictures(session["plain"]) == []
    scores = [passage["score"] for passage in session["plain"].structured_content["passages"]]
    assert scores == [passage["relevance"] for passage in session["plain"].structured_content["passages"]]


def test_a_concept_gives_its_pictures(session):
    found = session["concept"].structured_content
    assert found["name"] == "Alarm lamp"
    assert found["pictures"][0]["path"] == "img/alarm-lamp.png"
    assert len(pictures(session["concept"])) == len(found["pictures"])
    assert found["mentions"][0]["document"] == "server-room.md"


def test_a_picture_gives_its_passages_and_a_document_its_sections(session):
    assert session["picture"].structured_content["passages"][0]["document"] == "assembly.md"
    document = session["document"].structured_content
    assert (document["first"], document["count"], len(document["sections"])) == (2, 2, 1)
    assert "Cooling" in text(session["document"])
    assert session["orphans"].structured_content["orphans"][0]["path"] == "img/torque-wrench-click.png"


def test_one_picture_can_be_looked_at(session):
    [shown] = pictures(session["show"])
    assert shown.size == (128, 96)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("unknown", "did you mean Alarm lamp"),
        ("elsewhere", "there are: kb"),
        ("badly", "top"),
        ("outside", "no picture"),
    ],
)
def test_mistakes_are_answered_in_a_sentence(session, name, says):
    assert session[name].is_error
    assert says in text(session[name])
    assert "Traceback" not in text(session[name])
