"""Text in GBK that does not say so: names in zip files of Chinese Windows, and small text files."""


def gbk_text(data: bytes) -> str | None:
    """`data` as text when it is likely GBK: when three quarters of its wide characters are everyday ones (GB 2312).

    Nearly any two bytes beyond ASCII are some character of GBK, but names in other code pages come out as rare ones.
    """
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return None
    wide = [character for character in text if not character.isascii()]
    return text if wide and sum(map(_is_everyday, wide)) * 4 >= len(wide) * 3 else None


def _is_everyday(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
