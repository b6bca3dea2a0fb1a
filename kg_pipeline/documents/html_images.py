"""Which images an HTML element shows, and by which attribute."""

import re
from collections.abc import Iterator

import tinycss2

from kg_pipeline.documents.image_names import names_an_image
from kg_pipeline.documents.templates import quoted

# Element → (attribute, kind). `image` is SVG's, and what browsers and JSX sites write for img.
EMBEDS: dict[str, tuple[tuple[str, str], ...]] = {
    "img": tuple((name, "html_img") for name in ("src", "data-src", "data-original", "data-lazy-src", "data-lazy")),
    "image": (("href", "html_svg_image"), ("xlink:href", "html_svg_image"), ("src", "html_img")),
    "feimage": (("href", "html_svg_image"), ("xlink:href", "html_svg_image")),
    "source": (("src", "html_source"), ("data-src", "html_source")),
    "video": (("poster", "html_poster"), ("src", "html_video")),
    "object": (("data", "html_object"),),
    "embed": (("src", "html_embed"),),
    "v:imagedata": (("src", "html_img"),),
    "amp-img": (("src", "html_img"),),
}
SOURCE_SETS = {"img": "html_img", "source": "html_source", "amp-img": "html_img", "image": "html_img"}
BACKGROUNDS = frozenset(["body", "table", "thead", "tbody", "tr", "td", "th"])
_NO_IMAGE_SOURCE = frozenset(["script", "iframe", "audio", "track", "frame", "input", "link"])
_SOURCE_SET = re.compile(r"\s*([^\s,]\S*[^\s,]|[^\s,])(\s+[^,]*)?(?:,|$)")


def images_of(tag: str, attributes: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(kind, target) of each image that an element shows."""
    for name, kind in EMBEDS.get(tag, ()):
        yield kind, attributes.get(name, "")
    if tag in SOURCE_SETS:
        for name in ("srcset", "data-srcset"):
            yield from ((SOURCE_SETS[tag], candidate) for candidate in _candidates(attributes.get(name, "")))
    if tag == "input" and attributes.get("type", "").lower() == "image":
        yield "html_input", attributes.get("src", "")
    if tag in BACKGROUNDS:
        yield "html_background", attributes.get("background", "")
    # Docusaurus' ideal image: `<Image img={require('./a.png')} />`.
    if (tag not in EMBEDS and tag not in _NO_IMAGE_SOURCE) or tag == "image":
        for name in ("src", "sources", "image", "img"):
            value = attributes.get(name, "")
            written = [value] if names_an_image(value) else quoted(value)
            yield from (("html_img", target) for target in written if names_an_image(target))
    yield from (("css_url", target) for target in _css_urls(attributes.get("style", "")))


def _candidates(source_set: str) -> list[str]:
    if source_set.lstrip(", ").startswith("data:"):
        return []
    return list(dict.fromkeys(match[1] for match in _SOURCE_SET.finditer(source_set)))


def _css_urls(style: str) -> list[str]:
    if "url(" not in style.lower():
        return []
    found = []
    for token in tinycss2.parse_component_value_list(style):
        if token.type == "url":
            found.append(token.value)
        elif token.type == "function" and token.lower_name == "url":
            found += [argument.value for argument in token.arguments if argument.type == "string"]
    return found
