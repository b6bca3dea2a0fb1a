"""The language of a document: Chinese, English, both."""

import re

from kg_pipeline.documents.parsed import ParsedDocument

CHINESE_SHARE, MIXED_SHARE = 0.30, 0.05
"""Shares of CJK letters among letters above which a text is zh or mixed."""

_NOT_PROSE = re.compile(r"`+[^`]*`+|https?://\S+|<[^>]*>")
_CJK = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def language_of(document: ParsedDocument) -> str:
    """zh, mixed, en, or und when there are no letters; code, tags and URLs do not count."""
    cjk = letters = 0
    for number, line in enumerate(document.prose, start=1):
        if line and number not in document.code_lines:
            text = _NOT_PROSE.sub(" ", line)
            cjk += len(_CJK.findall(text))
            letters += sum(map(str.isalpha, text))
    if not letters:
        return "und"
    share = cjk / letters
    return "zh" if share > CHINESE_SHARE else "mixed" if share > MIXED_SHARE else "en"
