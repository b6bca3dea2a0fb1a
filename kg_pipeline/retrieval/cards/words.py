"""What a card says of its own, in the language of what it is about."""

from collections.abc import Mapping

from kg_pipeline.letters import CJK_CHARACTER

Words = Mapping[str, str]

ENGLISH: Words = {
    "language": "en",
    "document": "document",
    "concept": "concept",
    "sections": "{} sections",
    "section": "1 section",
    "illustrated": "{} illustrated",
    "is illustrated": "illustrated",
    "in short": "In short",
    "contents": "Sections",
    "page": "Page {}",
    "slide": "Slide {}",
    "sheet": "Sheet {}",
    "line": "line {}",
    "lines": "lines {}–{}",
    "no preview": "no preview",
    "in the document": "in the document",
    "in": "in {}",
    "from": "from {}",
    "confidence": "confidence {}",
    "how sure": "how sure it is that the picture shows it, 0 to 1",
    "pictures": "Pictures",
    "no pictures": "No picture was found to show it.",
    "mentioned": "Mentioned in",
    "at": "at {}",
    "shown there": "shown there",
    "foot": "sentences are taken from the documents as they stand, chosen by LexRank; nothing is loaded from elsewhere",
}
CHINESE: Words = {
    "language": "zh",
    "document": "文档",
    "concept": "概念",
    "sections": "{} 个段落",
    "section": "1 个段落",
    "illustrated": "{} 个有图",
    "is illustrated": "有图",
    "in short": "概要",
    "contents": "目录",
    "page": "第 {} 页",
    "slide": "幻灯片 {}",
    "sheet": "工作表 {}",
    "line": "第 {} 行",
    "lines": "第 {}–{} 行",
    "no preview": "无法预览",
    "in the document": "文档所附",
    "in": "见 {}",
    "from": "来自 {}",
    "confidence": "置信度 {}",
    "how sure": "图片展示该内容的把握，0 到 1",
    "pictures": "图片",
    "no pictures": "没有找到展示它的图片。",
    "mentioned": "提及之处",
    "at": "见 {}",
    "shown there": "原文配图",
    "foot": "句子原样取自文档，由 LexRank 选出；不从别处加载任何内容",
}


def words_of(language: str | None) -> Words:
    """For the language of a document as the table has it; English where it is another than Chinese."""
    return CHINESE if (language or "").startswith("zh") else ENGLISH


def words_of_name(name: str) -> Words:
    """For a concept, which has no language of its own: Chinese where its name is."""
    return CHINESE if CJK_CHARACTER.search(name) else ENGLISH
