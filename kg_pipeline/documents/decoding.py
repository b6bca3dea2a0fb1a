"""Bytes to text: BOM, UTF-8, the declared charset, then a guess."""

import codecs
import re

from charset_normalizer import from_bytes

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"(?:charset|encoding|coding)\s*[=:]\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_DECLARATION_BYTES = 4096
_GUESS_BYTES = 200_000
# What browsers mean by it (https://encoding.spec.whatwg.org/#names-and-labels).
_MEANT = {"iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252"}
_MEANT |= {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "shift_jis": "cp932", "iso-8859-9": "cp1254"}
# What browsers know; the code pages of DOS and the Macintosh, which fit anything, are not among them.
_LATIN = ["cp1252", "cp1250", "cp1254", "cp1257", "iso8859_2"]
_WEB_CHARSETS = [*_LATIN, "cp1251", "cp1253", "cp1255", "cp1256", "cp874", "koi8_r"]
_WEB_CHARSETS += ["gb18030", "big5", "cp932", "euc_jp", "cp949"]
# Only text in Latin letters is without two wide bytes in a row.
_WIDE_PAIR = re.compile(rb"[\x80-\xff]{2}")
_WIDE_WORD = re.compile(rb"[^\s<>\x80-\xff]{0,40}[\x80-\xff][^\s<>]{0,200}")
_NO_WORSE = 0.02
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


class BinaryFileError(ValueError):
    """The bytes are not text."""


def decode(data: bytes) -> str:
    """The text, with LF for CRLF and lone CR. Raises BinaryFileError."""
    text = _decode(data)
    if len(_CONTROL.findall(text)) > len(text) // 100:
        raise BinaryFileError("not text: control characters in it; is it a binary file with the wrong extension?")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decode(data: bytes) -> str:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(encoding, errors="replace")
    if b"\0" in data[:_GUESS_BYTES]:
        return _without_bom_wide(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        mended = _nearly_utf_8(data)
    if mended is not None:
        return mended
    for encoding in _declared(data):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode(_guessed(data), errors="replace")


def _guessed(data: bytes) -> str:
    """The likeliest charset of the web. Words that are not ASCII are looked at first: markup all around hides them."""
    charsets = _WEB_CHARSETS if _WIDE_PAIR.search(data) else _LATIN
    words = b" ".join(_WIDE_WORD.findall(data))[:_GUESS_BYTES]
    # Signs alone (©, °) are no words of any language; with the text around them they are plausible.
    matches = from_bytes(words, cp_isolation=charsets) or from_bytes(data[:_GUESS_BYTES], cp_isolation=charsets)
    best = matches.best()
    if best is None:
        raise BinaryFileError("not text in any charset known")
    western = next((match for match in matches if match.encoding == "cp1252"), None)
    return "cp1252" if western and western.chaos <= best.chaos + _NO_WORSE else best.encoding


def _nearly_utf_8(data: bytes) -> str | None:
    """UTF-8 in which a few bytes are broken: other charsets do not make ten valid sequences for each invalid one."""
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    wide = sum(not character.isascii() for character in text) - broken
    return text if wide > 10 * broken else None


def _without_bom_wide(data: bytes) -> str:
    """UTF-16 without BOM: markup is ASCII, so every other byte is mostly zero."""
    sample = data[:_DECLARATION_BYTES]
    for first_zero, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if sample[first_zero::2].count(0) > len(sample) * 0.2 and sample[1 - first_zero :: 2].count(0) == 0:
            return data.decode(encoding, errors="replace")
    raise BinaryFileError("not text: zero bytes in it; is it a binary file with the wrong extension?")


def _declared(data: bytes) -> list[str]:
    match = _DECLARED.search(data[:_DECLARATION_BYTES])
    if not match:
        return []
    name = match[1].decode("ascii").lower()
    # A page that was read as bytes cannot be UTF-16 when its declaration is readable as ASCII.
    return [] if name.startswith("utf-16") else [_MEANT.get(name, name)]
