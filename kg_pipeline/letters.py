"""Letters: which are Chinese, Japanese or Korean, and texts as they compare, whatever their accents and widths."""

import re
import unicodedata

CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
CJK_CHARACTER = re.compile(f"[{CJK}]")
ACCENT = re.compile("[\u0300-\u036f]")


def normalise(text: str) -> str:
    """NFKC without accents: full-width letters, ligatures and `é` equal their plain forms, as names and OCR write them.

    Marks that are no accents, such as those of kana, stay.
    """
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", ACCENT.sub("", unicodedata.normalize("NFKD", text)))
