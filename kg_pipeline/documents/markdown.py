"""Markdown in its dialects (MS Learn, MkDocs, Jekyll, Hugo, Docusaurus, MyST), rendered line by line to HTML.

markdown-it decides what is code, link, image or HTML; the HTML scanner then reads prose and references of both
languages in one pass, so that `<figure>` around a Markdown image, or a comment around several blocks, just work.
"""

import html
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace

import yaml
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from kg_pipeline.documents.html import IMAGE_TAG, scan_html
from kg_pipeline.documents.image_names import IMAGE_EXTENSIONS, names_an_image
from kg_pipeline.documents.parsed import ParsedDocument
from kg_pipeline.documents.templates import TemplateTags

_YAML_FRONT = re.compile(r"\ufeff?---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_TOML_FRONT = re.compile(r"\+\+\+[ \t]*\n(.*?)^\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_TITLE_LINE = re.compile(r"^title\s*[:=]\s*[\"']?(.*?)[\"']?\s*$", re.MULTILINE)
_FENCE = re.compile(r"\s*(?:(?:[-*+]|\d+[.)])\s+|>\s?)*(`{3,}|~{3,})")
# MkDocs: admonitions, collapsible ones, tabs. Their content is indented by four, which elsewhere means code.
_INDENTED_BLOCK = re.compile(
    r"(?P<indent>\s*)(?:!!!|\?\?\?\+?|===[!+]?)\s+(?P<words>[\w-]+(?:\s+[\w-]+)*)?\s*(?:\"(?P<title>[^\"]*)\")?\s*$"
)
_DIRECTIVE_LINE = re.compile(r":{3,}.*|^--8<--.*|^/{3,}(?:\s.*)?$")
# GitHub, MS Learn, Obsidian: what kind of block a quotation is; the film of a `[!VIDEO address]`.
_CALLOUT = re.compile(r"^\[!\w[^\]\n]*\][+-]?")
_ATTRIBUTE_LIST = re.compile(r"\{:[^{}\n]*\}|\s\{#[\w-]+\}$|(?:^\s?|(?<=[)\]>*`]))\{[^{}\n]*[.#=][^{}\n]*\}")
_IMPORT_LINE = re.compile(r"^(?:import\s.+?\sfrom\s|export\s+(?:default|const)\s).*")
_MS_IMAGE = re.compile(r":::\s*image\b(?P<rest>(?:\"[^\"]*\"|'[^']*'|[^\"'])*?):::", re.DOTALL)
_MYST_COLON = re.compile(
    r":{3,}\s*\{(?P<name>image|figure|thumbnail)\}[ \t]+(?P<target>[^\n]+)(?P<rest>(?:\n:[\w-]+:[^\n]*)*)"
)
_MYST_FENCE = re.compile(r"\{(?P<name>[\w:.+-]+)\}\s*(?P<argument>.*)")
_MYST_OPTION = re.compile(r"^\s*:(?P<name>[\w-]+):[ \t]*(?P<value>.*)$", re.MULTILINE)
_MYST_CODE = frozenset(
    ["code", "code-block", "code-cell", "sourcecode", "literalinclude", "math", "mermaid", "toctree", "raw", "eval-rst"]
)
_WIKI_IMAGE = re.compile(r"!\[\[(?P<target>[^\]\n|#]+)(?:#[^\]\n|]*)?(?:\|(?P<alt>[^\]\n]*))?\]\]")
# Spaces in a target, or `=300x200` after it: not CommonMark, yet Python-Markdown, kramdown and wikis render it.
_LOOSE_IMAGE = re.compile(
    rf"!\[(?P<alt>[^\]\n]{{0,1000}})\]\(\s*<?(?P<target>[^()<>\n]{{0,1000}}?\.(?:{'|'.join(IMAGE_EXTENSIONS)})(?:[?#][^\s()]*)?)>?"
    r"(?:\s+[\"'“](?P<title>[^\"'”\n]*)[\"'”])?(?:\s+=[\dx%*.]+)?\s*\)",
    re.IGNORECASE,
)
# Gollum, the wiki of GitHub.
_GOLLUM_IMAGE = re.compile(r"\[\[(?P<target>[^\]\[\n|#]+)(?P<rest>(?:\|[^\]\n|]*)*)\]\]")
_GOLLUM_ALT = re.compile(r"\|alt=([^|\]]*)")
# R Markdown and Quarto: the code of such a block is run, and its pictures are shown.
_R_CHUNK = re.compile(r"\{r\b", re.IGNORECASE)
_R_GRAPHICS = re.compile(r"\binclude_graphics\(")
_R_STRING = re.compile(r"\"([^\"\n]+)\"|'([^'\n]+)'")
_NAMED = re.compile(r"([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.DOTALL)
_MARKDOWN_INSIDE = re.compile(r"<\w[^>]*\smarkdown(?:\s*=|\s|>)", re.IGNORECASE)


def parse_markdown(text: str) -> ParsedDocument:
    """Markdown with HTML in it."""
    return _parse(text, _markdown())


def parse_mdx(text: str) -> ParsedDocument:
    """MDX: as Markdown, but indentation makes no code, Markdown goes on behind a tag, and `import` binds images."""
    return _parse(text, _markdown().disable("code"), goes_on_behind_tags=True)


def _parse(text: str, markdown: MarkdownIt, *, goes_on_behind_tags: bool = False) -> ParsedDocument:
    title, body = _without_front_matter(text)
    tags = TemplateTags()
    source, block_titles = _unindent_blocks(tags.set_aside(body).split("\n"))
    writer = _HtmlLines(len(source), tags, goes_on_behind_tags)
    for line, block_title in block_titles.items():
        writer.put(line, f"<p>{html.escape(block_title)}</p>")
    writer.render(markdown, "\n".join(source), 0)
    document = scan_html("\n".join(writer.lines), tags)
    return replace(document, title=title)


def _without_front_matter(text: str) -> tuple[str | None, str]:
    """Title of the front matter, and the text with blank lines in its place."""
    for pattern, load in ((_YAML_FRONT, yaml.safe_load), (_TOML_FRONT, tomllib.loads)):
        match = pattern.match(text)
        if match:
            return _title(match[1], load), "\n" * match[0].count("\n") + text[match.end() :]
    return None, text


def _title(front: str, load: Callable[[str], object]) -> str | None:
    try:
        data = load(front)
    except (yaml.YAMLError, tomllib.TOMLDecodeError, ValueError):
        # Template tags and stray colons make invalid YAML of front matter that sites still build with.
        line = _TITLE_LINE.search(front)
        return line[1] if line else None
    value = data.get("title") if isinstance(data, Mapping) else None
    return " ".join(str(value).split()) or None if value is not None else None


def _unindent_blocks(lines: list[str]) -> tuple[list[str], dict[int, str]]:
    """Lines with the content of MkDocs blocks moved left by four, and the titles of those blocks by line (from 0)."""
    lines, titles, fence = list(lines), {}, ""
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
            continue
        block = None if fence else _INDENTED_BLOCK.fullmatch(line)
        if not block or not (block["words"] or block["title"]):
            continue
        indent = len(block["indent"]) + 4
        end = number + 1
        while end < len(lines) and (not lines[end].strip() or lines[end].expandtabs(4).startswith(" " * indent)):
            lines[end] = lines[end].expandtabs(4)
            end += 1
        if not any(line.strip() for line in lines[number + 1 : end]):
            continue
        titles[number] = block["title"] if block["title"] is not None else block["words"].split()[0].capitalize()
        lines[number] = ""
        lines[number + 1 : end] = [line[: indent - 4] + line[indent:] for line in lines[number + 1 : end]]
    return lines, titles


class _HtmlLines:
    """HTML that is written line for line beside its Markdown source."""

    def __init__(self, count: int, tags: TemplateTags, goes_on_behind_tags: bool) -> None:
        self.lines = [""] * count
        self._goes_on_behind_tags = goes_on_behind_tags
        self._tags = tags
        self._line = 0

    def put(self, line: int, text: str) -> None:
        """Put text behind what is on a line so far."""
        self.lines[line] += text

    def _write(self, line: int, text: str) -> None:
        """Put text on a line (from 0), or below when something later was already written."""
        self._line = max(self._line, min(line, len(self.lines) - 1))
        first, *others = text.split("\n")
        self.lines[self._line] += first
        for other in others:
            self._line = min(self._line + 1, len(self.lines) - 1)
            self.lines[self._line] += other

    def render(self, markdown: MarkdownIt, source: str, offset: int) -> None:
        """Write the HTML of `source`, whose first line is line `offset` of the document."""
        ends: list[int] = []
        row = 0
        for token in markdown.parse(source):
            line = offset + token.map[0] if token.map else row
            row = line
            if token.type == "inline":
                self._inline(token, line)
            elif token.type == "html_block":
                self._html_block(token.content, line)
            elif token.type == "fence" and _R_CHUNK.match(token.info):
                self._r_chunk(token, line + 1)
            elif token.type == "fence" and _MYST_FENCE.match(token.info):
                self._myst(markdown, token, line)
            elif token.type in ("fence", "code_block"):
                first = line + 1 if token.type == "fence" else line
                self._write(first, f"<pre>{html.escape(token.content.rstrip(chr(10)))}</pre>")
            elif token.nesting == 1:
                ends.append(offset + token.map[1] - 1 if token.map else line)
                self._write(line, f"<{token.tag}>")
            elif token.nesting == -1:
                self._write(ends.pop(), f"</{token.tag}>")
        self._write(self._line, " ")

    def _html_block(self, content: str, line: int) -> None:
        if _MARKDOWN_INSIDE.search(content) or (self._goes_on_behind_tags and not content.lstrip().startswith("<!--")):
            content = _LOOSE_IMAGE.sub(
                lambda match: _image("md_image", match["target"], match["alt"], match["title"]), content
            )
        self._write(line, content.rstrip("\n"))

    def _r_chunk(self, token: Token, first: int) -> None:
        self._write(first, f"<pre>{html.escape(token.content.rstrip(chr(10)))}</pre>")
        for call in _R_GRAPHICS.finditer(token.content):
            end = token.content.find("\n\n", call.end())
            arguments = token.content[call.end() : end if end > 0 else None]
            arguments = arguments[: arguments.find("include_graphics(") if "include_graphics(" in arguments else None]
            for written in _R_STRING.finditer(arguments):
                target = written[1] or written[2]
                if names_an_image(target):
                    row = token.content.count("\n", 0, call.end() + written.start())
                    self.put(first + row, _image("knitr", target, None, None))

    def _myst(self, markdown: MarkdownIt, token: Token, line: int) -> None:
        match = _MYST_FENCE.match(token.info)
        assert match is not None
        name = match["name"].lower()
        if name in ("image", "figure", "thumbnail"):
            options = {option["name"]: option["value"] for option in _MYST_OPTION.finditer(token.content)}
            caption = _MYST_OPTION.sub("", token.content).strip().split("\n\n")[0] if name == "figure" else None
            self._write(line, _image(f"myst_{name}", match["argument"], options.get("alt"), caption))
        elif name in _MYST_CODE:
            self._write(line + 1, f"<pre>{html.escape(token.content.rstrip(chr(10)))}</pre>")
        else:
            self._write(line, f"<p>{html.escape(match['argument'])}</p>")
            self.render(markdown, _MYST_OPTION.sub("", token.content), line + 1)

    def _inline(self, token: Token, first_line: int) -> None:
        line, counted, above = first_line, 0, 0
        for child in token.children or ():
            position = child.meta.get("position")
            if position is not None and child.nesting >= 0 and position > counted:
                above += token.content.count("\n", counted, position)
                counted = position
                line = max(line, first_line + above)
            if child.type in ("softbreak", "hardbreak"):
                line += 1
                self._write(line, "")
            else:
                self._write(line, _inline_html(child))


def _inline_html(token: Token) -> str:
    render = _RENDERED.get(token.type)
    return render(token) if render else ""


def _text(token: Token) -> str:
    text = token.content
    for markup in (_ATTRIBUTE_LIST, _CALLOUT, _DIRECTIVE_LINE, _IMPORT_LINE):
        text = markup.sub("", text)
    return html.escape(text, quote=False)


def _embedded(token: Token) -> str:
    title = token.attrGet("title")
    kind = str(token.meta.get("kind", "md_image"))
    return _image(kind, str(token.attrGet("src") or ""), token.content, None if title is None else str(title))


_RENDERED: Mapping[str, Callable[[Token], str]] = {
    "text": _text,
    "image": _embedded,
    "html_inline": lambda token: token.content,
    "code_inline": lambda token: f"<code>{html.escape(token.content)}</code>",
    "link_open": lambda token: f'<a href="{html.escape(str(token.attrGet("href") or ""))}">',
    "link_close": lambda token: "</a>",
    "strong_open": lambda token: "<b>",
    "strong_close": lambda token: "</b>",
}


def _image(kind: str, target: str, alt: str | None, caption: str | None) -> str:
    attributes = {"kind": kind, "src": target, "alt": alt, "title": caption}
    written = (f'{name}="{html.escape(value)}"' for name, value in attributes.items() if value is not None)
    return f"<{IMAGE_TAG} {' '.join(written)}>".replace("\n", " ")


def _markdown() -> MarkdownIt:
    """A parser that keeps targets as written and tells where in a block each inline token begins."""
    # js-default nests to 100; CommonMark's 20 would drop images in deep lists.
    markdown = MarkdownIt("js-default", {"html": True, "linkify": False, "typographer": False})
    markdown.validateLink = lambda url: True  # type: ignore[method-assign]
    markdown.normalizeLink = lambda url: url  # type: ignore[method-assign]
    ruler = markdown.inline.ruler
    ruler.before("text", "site_image", _site_image)
    ruler.after("image", "loose_image", _loose_image)
    for rule in list(ruler.__rules__):
        if rule.name != "text":
            ruler.at(rule.name, _positioned(rule.fn))
    return markdown


def _positioned(rule: Callable[[StateInline, bool], bool]) -> Callable[[StateInline, bool], bool]:
    def positioned(state: StateInline, silent: bool) -> bool:
        position, count = state.pos, len(state.tokens)
        matched = rule(state, silent)
        if matched and not silent:
            for token in state.tokens[count:]:
                if token.type != "text":
                    token.meta.setdefault("position", position)
        return matched

    return positioned


def _site_image(state: StateInline, silent: bool) -> bool:
    """MS Learn's `:::image source="…":::`, MyST's `:::{image} …`, `![[wiki.png]]` and `[[wiki.png|alt=…]]`."""
    source, position = state.src, state.pos
    if source.startswith(":::", position):
        match = _MS_IMAGE.match(source, position)
        if match:
            named = {name: a or b for name, a, b in _NAMED.findall(match["rest"])}
            return _push(state, silent, match, "ms_image", named.get("source"), named.get("alt-text"), None)
        match = _MYST_COLON.match(source, position)
        if match:
            named = {option["name"]: option["value"] for option in _MYST_OPTION.finditer(match["rest"])}
            return _push(state, silent, match, f"myst_{match['name']}", match["target"], named.get("alt"), None)
    elif source.startswith("[[", position):
        match = _GOLLUM_IMAGE.match(source, position)
        if match and names_an_image(match["target"]):
            alt = _GOLLUM_ALT.search(match["rest"])
            return _push(state, silent, match, "wiki_image", match["target"], alt and alt[1], None)
    elif source.startswith("![[", position):
        match = _WIKI_IMAGE.match(source, position)
        if match and names_an_image(match["target"]):
            return _push(state, silent, match, "wiki_image", match["target"], match["alt"], None)
    return False


def _loose_image(state: StateInline, silent: bool) -> bool:
    match = _LOOSE_IMAGE.match(state.src, state.pos) if state.src.startswith("![", state.pos) else None
    return match is not None and _push(
        state, silent, match, "md_image", html.unescape(match["target"]), match["alt"], match["title"]
    )


def _push(
    state: StateInline,
    silent: bool,
    match: re.Match[str],
    kind: str,
    target: str | None,
    alt: str | None,
    title: str | None,
) -> bool:
    if not target:
        return False
    if not silent:
        token = state.push("image", "img", 0)
        token.attrs = {"src": target.strip(), **({"title": title} if title else {})}
        token.content = alt or ""
        token.children = []
        token.meta["kind"] = kind
    state.pos = match.end()
    return True
