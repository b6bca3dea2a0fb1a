"""What an image's file name looks like in a text."""

import re

# fmt: off
IMAGE_EXTENSIONS = (
    "apng", "avif", "bmp", "cur", "dib", "emf", "eps", "gif", "heic", "heif", "ico", "j2k", "jfif", "jp2", "jpe",
    "jpeg", "jpf", "jpg", "jpx", "jxl", "png", "svg", "svgz", "tga", "tif", "tiff", "webp", "wmf",
)
# fmt: on

_EXTENSION = rf"\.(?:{'|'.join(sorted(IMAGE_EXTENSIONS, key=len, reverse=True))})"
_PATH_CHARACTER = r"[A-Za-z0-9À-ɏ_./\\%+&@~:=,$-]"

_ENDS_AS_IMAGE = re.compile(rf"{_EXTENSION}(?:[?#].*)?$", re.IGNORECASE | re.DOTALL)
_BARE_PATH = re.compile(
    rf"(?<!{_PATH_CHARACTER}){_PATH_CHARACTER}*{_EXTENSION}(?![A-Za-z0-9_])(?:[?#][\w=&.-]+)?", re.IGNORECASE
)
_MARKDOWN_IMAGE = re.compile(r"!\[(?P<alt>[^\]\n]{0,500})\]\(\s*<?(?P<target>[^)\n>]{1,500})>?\)")
_MARKUP = (
    ("![", _MARKDOWN_IMAGE),
    ("![[", re.compile(r"!\[\[[^\]\n]+\]\]")),
    ("<", re.compile(r"<(?:img|image|source|kg-image)\b[^>\n]{0,2000}>?", re.IGNORECASE)),
    (":::", re.compile(r":::\s*image\b.{0,2000}?(?::::|$)")),
    ("..", re.compile(r"\.\.\s+(?:\|[^|\n]+\|\s+)?(?:image|figure|thumbnail)::.*")),
)
_COMMENTED = re.compile(
    r"!\[(?P<alt>[^\]]*)\]\(\s*<?(?P<md>[^)\s>]+)"
    r"|:::\s*image\b[^:]*?\bsource=[\"'](?P<ms>[^\"']+)"
    r"|<(?:img|image|source|input|embed)\b[^>]*?\s(?:src|href|srcset)\s*=\s*(?:\"(?P<dq>[^\"]+)\"|'(?P<sq>[^']+)'"
    r"|(?P<uq>[^\s\"'>]+))"
    r"|\.\.\s+(?:\|[^|\n]+\|\s+)?(?:image|figure|thumbnail)::[ \t]*(?P<rst>[^\n|]+)",
    re.IGNORECASE,
)


def names_an_image(target: str) -> bool:
    """Whether a target ends like an image file, query and fragment aside."""
    return bool(_ENDS_AS_IMAGE.search(target.strip()))


def without_image_names(line: str) -> str:
    """`line` without image markup that stands as text (in code, say) and without bare image paths.

    A file name in a passage would tell a scorer which image belongs there.
    """
    for mark, markup in _MARKUP:
        if mark in line:
            line = markup.sub("", line)
    return _BARE_PATH.sub("", line) if "." in line else line


def commented_images(comment: str, line: int) -> list[tuple[int, str, str | None]]:
    """(line, target, alt) of each image embedding of any markup inside a comment that begins at `line`."""
    found = []
    for match in _COMMENTED.finditer(comment):
        target = next(match[name] for name in ("md", "ms", "dq", "sq", "uq", "rst") if match[name] is not None)
        found.append((line + comment.count("\n", 0, match.start()), target.strip(), match["alt"]))
    return found
