"""The parts of the page: words in two languages, the gallery's colours, nothing that parses data as HTML."""

import json
import re
from pathlib import Path

import pytest

import kg_pipeline.reports
import kg_pipeline.serving
from kg_pipeline.evidence.reasons import FINDINGS, NOTHING
from kg_pipeline.reports.views import PARTS
from kg_pipeline.serving.browsing import ORPHAN_REASONS, ORPHAN_STATUSES, PASSAGE_STATUSES, PICTURE_STATUSES
from kg_pipeline.tables import PAIR_FEATURES

PAGE = Path(kg_pipeline.serving.__file__).parent / "page"
GALLERY = Path(kg_pipeline.reports.__file__).parent / "gallery.css"
WORDS = {language: json.loads((PAGE / "words" / f"{language}.json").read_text("utf-8")) for language in ("en", "zh")}
SCRIPTS = sorted(PAGE.glob("*.js"))
PLACEHOLDER = re.compile(r"\{\w+\}")


def test_both_languages_have_every_string_with_the_same_placeholders():
    assert WORDS["en"].keys() == WORDS["zh"].keys()
    for key, text in WORDS["en"].items():
        assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(WORDS["zh"][key])), key
        assert text.strip() and WORDS["zh"][key].strip(), key


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_string_that_a_script_asks_for_has_words(script):
    text = script.read_text("utf-8")
    asked = set(re.findall(r'\bt\("([^"]+)"', text)) | set(re.findall(r'"(key_\w+)"', text))
    assert [key for key in sorted(asked) if key not in WORDS["en"] and f"{key}.one" not in WORDS["en"]] == []


def test_what_the_pipeline_says_has_words():
    wanted = [f"finding.{text}" for text in (*FINDINGS, NOTHING)]
    wanted += [f"feature.{name}" for name in (*PAIR_FEATURES, *PARTS, "sum")]
    wanted += [f"{kind}_{name}" for name in ORPHAN_REASONS for kind in ("orphan", "reason")]
    wanted += [f"pictures_{name}" for name in PICTURE_STATUSES] + [f"passages_{name}" for name in PASSAGE_STATUSES]
    wanted += [f"orphans_{name}" for name in ORPHAN_STATUSES]
    assert [key for key in wanted if key not in WORDS["en"]] == []


def test_the_filter_by_reason_offers_what_is_said_of_passages():
    offered = re.findall(r'^  "(.*)",$', (PAGE / "split.js").read_text("utf-8"), re.MULTILINE)
    of_concepts = [text for text in FINDINGS if "concept" in text]
    assert offered == [text for text in (*FINDINGS, NOTHING) if text not in of_concepts]


def test_colours_are_those_of_the_gallery():
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
        for block in GALLERY.read_text("utf-8").split("@media (prefers-color-scheme: dark)")[:2]
    )
    page = re.findall(r"--([a-z-]+): light-dark\((#\w+), (#\w+)\)", (PAGE / "page.css").read_text("utf-8"))
    assert {name: (one, other) for name, one, other in page} == {name: (light[name], dark[name]) for name in light}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_parses_html_or_asks_another_host(script):
    text = script.read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser", text)
    assert re.findall(r"https?://[^\"'\s]+", text) in ([], ["http://www.w3.org/2000/svg"])


def test_the_html_has_no_inline_script_or_style():
    html = (PAGE / "index.html").read_text("utf-8")
    assert not re.search(r"<style|style=|\son\w+=|<script>", html)
