"""Tools for agents over the Model Context Protocol: search with pictures, and the ways from one to the other."""

from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import wraps
from importlib.metadata import version
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Image
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from kg_pipeline.embedding import EmbeddingError
from kg_pipeline.graph import GraphError
from kg_pipeline.images import thumbnail
from kg_pipeline.retrieval import DEFAULT_WEIGHT, Hit, Library, Picture, RetrievalError
from kg_pipeline.retrieval.lookup import find_picture
from kg_pipeline.retrieval.telling import place, told, told_picture
from kg_pipeline.storage import StorageError

INSTRUCTIONS = """Passages of documents and the pictures that show them. Start with list_collections, then
search_passages. Every picture comes with its address (uri), the caption a document gives it, and how sure it is that
it shows the text: "shown there" where the document itself places it, else a confidence from 0 to 1. Cite document and
line, and the uri of a picture. Ask for thumbnails only when you need to look; show_picture gives one picture larger."""

ANSWERED_ERRORS = (RetrievalError, EmbeddingError, GraphError, StorageError)
"""What the agent can be told in a sentence; anything else is a defect and logged."""

THUMBNAIL_SIDE, SHOWN_SIDE, MAX_SIDE = 256, 768, 1536
THUMBNAILS = 8
"""Of one answer; pictures are dear to a model's context."""
ANSWERS = 50
"""Most passages or pictures of one answer."""
VECTOR_GRAPHIC = "image/svg+xml"
"""Which models cannot look at."""

Collection = Annotated[str | None, Field(description="Name of a collection; may be left out when there is only one.")]
Top = Annotated[int, Field(ge=1, le=ANSWERS, description="How many at most.")]
Thumbnails = Annotated[bool, Field(description="Also give small pictures as images (at most 8).")]
Reason = Literal["unreferenced_matched", "unmatched", "duplicate", "decorative", "unreadable"]


class Tools:
    """What an agent can ask of a library. Each answer is text to read, the same as data, and pictures if wanted."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def list_collections(self) -> CallToolResult:
        """The collections there are, with numbers of documents, passages, pictures, concepts and orphan images."""
        found = [self._library.answers(name).summary() for name in self._library.collections()]
        lines = [
            f"{each.collection}: {each.documents} documents, {each.passages} passages, {each.pictures} pictures, "
            f"{each.concepts} concepts, {each.orphans} orphan images"
            for each in found
        ]
        return _answer(
            "\n".join(lines) or "no collection was run yet", {"collections": [asdict(each) for each in found]}
        )

    def search_passages(
        self,
        query: Annotated[str, Field(description="Words or a question, in the language of the documents.")],
        collection: Annotated[str | None, Field(description="Name of a collection; all when left out.")] = None,
        top: Top = 5,
        weight: Annotated[
            float, Field(ge=0, le=10, description="How much pictures count: 0 not at all, 0.5 strongly.")
        ] = DEFAULT_WEIGHT,
        thumbnails: Thumbnails = False,
    ) -> CallToolResult:
        """Passages that answer a question, those with strong visual evidence first, each with its pictures."""
        hits = self._library.search(query, [collection] if collection else None, top=top, weight=weight)
        text = "\n\n".join(f"{number}. {told(hit)}" for number, hit in enumerate(hits, start=1)) or "nothing found"
        pictures = [(hit.collection, picture) for hit in hits for picture in hit.pictures] if thumbnails else []
        return _answer(text, {"passages": [hit.as_dict() for hit in hits]}, self._small(pictures))

    def pictures_for_concept(
        self,
        name: Annotated[str, Field(description="Name or alias of a concept, e.g. a part, a device, a term.")],
        collection: Collection = None,
        top: Top = 5,
        thumbnails: Thumbnails = False,
    ) -> CallToolResult:
        """The pictures that show a concept of the glossary or graph, and the passages that mention it."""
        where = self._library.only(collection)
        found = self._library.answers(where).concept(name)
        shown = found.pictures[:top]
        lines = [found.name + (f" ({', '.join(found.aliases)})" if found.aliases else ""), found.description or ""]
        lines += [told_picture(picture) for picture in shown] or ["no picture was found to show it"]
        lines += [f"Mentioned in {place(hit)}" for hit in found.mentions[:top]]
        data = {
            "concept_id": found.concept_id,
            "name": found.name,
            "aliases": list(found.aliases),
            "description": found.description,
            "pictures": [asdict(picture) for picture in shown],
            "mentions": [_brief(hit) for hit in found.mentions[:ANSWERS]],
        }
        wanted = [(where, picture) for picture in shown] if thumbnails else []
        return _answer("\n".join(filter(None, lines)), data, self._small(wanted))

    def passages_for_picture(
        self,
        picture: Annotated[str, Field(description="Its path or the end of it, its uri, or its image_id.")],
        collection: Collection = None,
        top: Top = 5,
    ) -> CallToolResult:
        """Where a picture stands or what it was found to show: passages, concepts, and the text read in it."""
        where = self._library.only(collection)
        found = self._library.answers(where).picture(picture)
        lines = [f"{found.path} <{found.uri or ''}>"]
        lines += [f"No document uses it ({found.orphan_reason})."] if found.orphan_reason else []
        lines += [f"Text read in it: {' / '.join(found.text.split(chr(10)))}"] if found.text else []
        lines += [f"Shows: {', '.join(found.concepts)}"] if found.concepts else []
        lines += [told(hit) for hit in found.passages[:top]] or ["No passage was found that it shows."]
        data = asdict(found) | {"passages": [hit.as_dict() for hit in found.passages[:top]]}
        return _answer("\n".join(lines), data)

    def read_document(
        self,
        document: Annotated[str, Field(description="Its path or the end of it, or its title.")],
        collection: Collection = None,
        first: Annotated[int, Field(ge=1, description="Number of the first section, from 1.")] = 1,
        sections: Top = 20,
        thumbnails: Thumbnails = False,
    ) -> CallToolResult:
        """A document section by section, in reading order, each with its pictures."""
        where = self._library.only(collection)
        found = self._library.answers(where).document(document)
        shown = found.sections[first - 1 : first - 1 + sections]
        last = first + len(shown) - 1
        head = f"{found.title or found.document}: sections {first} to {last} of {len(found.sections)}"
        data = {
            "document": found.document,
            "title": found.title,
            "uri": found.uri,
            "first": first,
            "count": len(found.sections),
            "sections": [hit.as_dict() for hit in shown],
        }
        pictures = [(where, picture) for hit in shown for picture in hit.pictures[:1]] if thumbnails else []
        return _answer("\n\n".join([head, *(told(hit) for hit in shown)]), data, self._small(pictures))

    def orphan_images(
        self,
        collection: Collection = None,
        reason: Annotated[
            Reason | None, Field(description="unreferenced_matched: those that a passage wants, with that passage.")
        ] = None,
        top: Top = 20,
        thumbnails: Thumbnails = False,
    ) -> CallToolResult:
        """Image files that no document uses: suggestions where to put them first, then the rest with the reason."""
        where = self._library.only(collection)
        found = self._library.answers(where).orphans(reason)
        lines = [f"{len(found)} image files that no document uses" + (f" ({reason})" if reason else "")]
        for each in found[:top]:
            wanted = f", wanted by {place(each.passage)}" if each.passage and each.reason != "unmatched" else ""
            sure = f", confidence {each.confidence:.2f}" if wanted and each.confidence is not None else ""
            same = f", same bytes as {each.duplicate_of}" if each.duplicate_of else ""
            lines.append(f"{each.path}: {each.reason}{same}{wanted}{sure} <{each.uri or ''}>")
        data = [asdict(each) | {"passage": _brief(each.passage) if each.passage else None} for each in found[:top]]
        uris = [(where, each.uri) for each in found[:top] if each.uri and thumbnails and each.reason != "unreadable"]
        return _answer("\n".join(lines), {"count": len(found), "orphans": data}, self._images(uris, THUMBNAIL_SIDE))

    def show_picture(
        self,
        picture: Annotated[str, Field(description="Its path or the end of it, its uri, or its image_id.")],
        collection: Collection = None,
        longest_side: Annotated[int, Field(ge=64, le=MAX_SIDE, description="Pixels.")] = SHOWN_SIDE,
    ) -> CallToolResult:
        """One picture as an image to look at."""
        where = self._library.only(collection)
        file = find_picture(self._library.answers(where).tables["image_files"], picture)
        images = self._images([(where, file["uri"])], longest_side)
        if not images:
            raise RetrievalError(f"{file['path']} cannot be shown as an image; its address is {file['uri']}")
        return _answer(f"{file['path']} <{file['uri']}>", {"path": file["path"], "uri": file["uri"]}, images)

    def _small(self, pictures: Iterable[tuple[str, Picture]]) -> list[Image]:
        distinct = {picture.image_id: (where, picture.uri) for where, picture in pictures if picture.uri}
        return self._images([(where, uri) for where, uri in distinct.values() if uri], THUMBNAIL_SIDE)

    def _images(self, uris: Sequence[tuple[str, str]], longest_side: int) -> list[Image]:
        """Those that can be shown; the text has the addresses of all."""
        found = []
        for collection, uri in uris[:THUMBNAILS]:
            address = thumbnail(uri, self._library.limits(collection), longest_side)
            if address is None or address.startswith(f"data:{VECTOR_GRAPHIC}"):
                continue
            kind, _, data = address.removeprefix("data:image/").partition(";base64,")
            found.append(Image(data=b64decode(data), format=kind))
        return found


TOOLS = (
    "list_collections",
    "search_passages",
    "pictures_for_concept",
    "passages_for_picture",
    "read_document",
    "orphan_images",
    "show_picture",
)
"""In the order in which an agent sees them."""


def mcp_server(library: Library) -> MCPServer[Any]:
    """The server with all tools; all of them only read."""
    server: MCPServer[Any] = MCPServer(
        "kg-pipeline", instructions=INSTRUCTIONS, version=version("kg-pipeline"), log_level="WARNING"
    )
    tools = Tools(library)
    for name in TOOLS:
        server.add_tool(_explained(getattr(tools, name)), annotations=ToolAnnotations(read_only_hint=True))
    return server


def _explained(tool: Callable[..., CallToolResult]) -> Callable[..., CallToolResult]:
    """The tool, whose errors are a sentence for the agent."""

    @wraps(tool)
    def answered(*given: Any, **named: Any) -> CallToolResult:
        try:
            return tool(*given, **named)
        except ANSWERED_ERRORS as error:
            raise ToolError(str(error)) from error

    return answered


def _answer(text: str, data: dict[str, Any], images: Sequence[Image] = ()) -> CallToolResult:
    content = [TextContent(type="text", text=text), *(image.to_image_content() for image in images)]
    return CallToolResult(content=content, structured_content=data)


def _brief(hit: Hit) -> dict[str, Any]:
    return {"document": hit.document, "line": hit.line, "heading": hit.heading, "chunk_id": hit.chunk_id}
