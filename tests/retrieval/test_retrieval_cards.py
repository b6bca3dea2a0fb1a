"""Cards: sentences and their lines, what LexRank chooses, file names, pages as a user gets them."""

import re
from urllib.parse import unquote

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from knowledge_base import KnowledgeBase
from small_pdfs import manual

from kg_pipeline.retrieval.cards.content import _once_a_page
from kg_pipeline.retrieval.cards.lexrank import Summariser
from kg_pipeline.retrieval.cards.names import file_name
from kg_pipeline.retrieval.cards.prose import prose
from kg_pipeline.retrieval.cards.sentences import line_of, split_sentences
from kg_pipeline.retrieval.cards.words import CHINESE, ENGLISH
from kg_pipeline.retrieval.hits import Hit, Picture, with_pictures

CHINESE_PAGE = "# 机房报警灯\n\n机柜上的红色报警灯亮起时，请呼叫操作员并读取面板。\n\n![](img/alarm-lamp.png)\n"
HOSTILE = 'a/b: "键盘" <script>alert(1)</script> & ../x'


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Tighten all bolts to 9.0 Nm now. Use e.g. a calibrated torque wrench.", 2),
        ("红灯亮起时表示严重故障。请立即处理并通知值班人员！然后再复位报警主机", 3),
        ("他说:“请马上关闭电源。”随后检查线路是否完好。", 2),
        ("- Clean the joint face with alcohol\n4. Press the cover down evenly now", 2),
        ("Do the following with the cover:\nCode | Meaning | Usual cause of it\nStep 7", 0),
    ],
)
def test_sentences_are_split(text, sentences):
    assert len(split_sentences(text)) == sentences


@given(st.text(alphabet="ab 。.!?：:\n-|中文A1 ", max_size=200))
def test_no_letter_is_invented_and_no_order_changed(text):
    rest = text
    for sentence in split_sentences(text):
        assert sentence in rest
        rest = rest.split(sentence, 1)[1]


def test_the_line_of_a_sentence_is_found_through_markup():
    source = ["# Title", "", "One. Press the **red** [button](x.md)", "for long. Then go on.", "1. Stop here"]
    assert line_of("Press the red button for long.", source, 1, 5) == 3
    assert line_of("Then go on.", source, 1, 5) == 4
    assert line_of("It is not there.", source, 2, 5) == 2


def test_what_several_sentences_say_is_chosen_once_and_in_order():
    sentences = [
        "Lunch is served in the canteen at noon.",
        "The alarm lamp on the rack lights red at a fault.",
        "At a fault the alarm lamp on the rack lights red.",
        "A red alarm lamp means a fault in the rack.",
    ]
    summariser = Summariser(pl.Series(sentences))
    assert summariser.chosen(sentences, 1) in ([1], [2])
    two = summariser.chosen(sentences, 2)
    assert two == sorted(two)
    assert {1, 2} != set(two)
    assert summariser.chosen(sentences, 1, topic="canteen lunch") == [0]
    assert summariser.chosen([], 3) == []
    assert len(summariser.chosen(sentences, 9)) >= 2


names = st.text(max_size=120)


@given(names, names)
def test_file_names_are_safe_and_never_the_same_for_two(one, other):
    made = file_name(one, one)
    assert re.fullmatch(r"[^\W_]+(-[^\W_]+)*", made)
    assert made == made.lower()
    assert len(made.encode()) <= 100
    assert (made == file_name(other, other)) == (one == other)


def test_text_of_a_passage_becomes_blocks_and_stays_text():
    html = str(prose("Set **limits** & go:\n\n4. one\n- two\n\nA | B\n\n<b>1</b> | 2"))
    assert "<strong>limits</strong> &amp; go" in html
    assert '<li class="numbered"><b>4.</b> one</li><li>two</li>' in html
    assert "<td>&lt;b&gt;1&lt;/b&gt;</td>" in html


@pytest.fixture(scope="module")
def carded(tmp_path_factory) -> KnowledgeBase:
    """A knowledge base after a run, with a concept and a document whose names are hostile."""
    root = tmp_path_factory.mktemp("carded")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NEO4J_URI", "KG_PIPELINE_HOME", "KG_PIPELINE_CONFIG", "DAGSTER_HOME"):
            patch.delenv(name, raising=False)
        base = KnowledgeBase.draw(root)
        (base.docs / "Übersicht & <b>.md").write_text("# " + HOSTILE + "\n\nThe torque wrench clicks once at 9 Nm.\n")
        (base.docs / "manual.pdf").write_bytes(manual())
        (base.docs / "机房.md").write_text(CHINESE_PAGE, encoding="utf-8")
        rows = pl.DataFrame(
            {"name": ["torque wrench", HOSTILE, "lamp/x", "Lamp-X"], "aliases": ["wrench|扭矩扳手", "", "", ""]}
        )
        rows.with_columns(description=pl.lit("What it is.")).write_csv(root / "glossary.csv")
        config = root / "collections.yaml"
        section = f"documents: [{{root: {base.docs}}}], scoring: {{ocr: false}}, concepts: {{glossary: glossary.csv}}"
        config.write_text(f"collections: {{kb: {{{section}}}}}\n")
        result = base.command("run", "--config", str(config), "--no-graph")
        assert result.exit_code == 0, result.output
    return base


def test_a_card_of_a_concept_stands_alone(carded, tmp_path):
    result = carded.command("cards", "--concept", "扭矩扳手", "--output", str(tmp_path))
    assert result.exit_code == 0, result.output
    html, markdown = (tmp_path / name for name in sorted(path.name for path in tmp_path.glob("torque-wrench-*")))
    page = html.read_text(encoding="utf-8")
    assert "Tighten the M6 bolt with the torque wrench to 9 Nm." in page
    assert "assembly.md:5" in page
    assert "data:image/webp;base64," in page
    assert "http" not in re.sub(r"http-equiv", "", page)
    text = markdown.read_text(encoding="utf-8")
    assert "- Tighten the M6 bolt with the torque wrench to 9 Nm. (assembly.md:5)" in text
    [*pictures] = re.findall(r"!\[.*?\]\((pictures/[^)]+)\)", text)
    assert pictures
    assert all((tmp_path / picture).is_file() for picture in pictures)


def test_a_card_of_a_document_has_every_section_in_order(carded, tmp_path):
    result = carded.command("cards", "--document", "server-room.md", "--output", str(tmp_path))
    assert result.exit_code == 0, result.output
    [page] = [path.read_text() for path in tmp_path.glob("server-room-md-*.html")]
    assert page.index("Alarm lamps</h2>") < page.index("red alarm lamp</span>") < page.index("Cooling</h2>")
    assert page.count('<figure class="shot') >= 2


def hit(chunk: str, page: int | None, *pictures: tuple[str, float | None, bool]) -> Hit:
    shown = [Picture(name, f"{name}.png", None, None, sure, None, own, None) for name, sure, own in pictures]
    place = {"document": "m.pdf", "title": "M", "document_uri": None, "heading": None, "line": 1, "line_end": 1}
    return with_pictures(Hit(chunk, "kb", **place, page=page, text=chunk, relevance=0.0), shown)


def test_no_picture_stands_twice_on_a_page_and_the_document_s_own_place_wins():
    sections = [
        hit("a", 1, ("valve", 0.9, False), ("lid", 0.6, False)),
        hit("b", 1, ("valve", 0.4, True), ("lid", 0.8, False)),
        hit("c", 2, ("valve", 0.7, False)),
    ]
    shown = {chunk: [each.image_id for each in pictures] for chunk, pictures in _once_a_page(sections).items()}
    assert shown == {"a": [], "b": ["valve", "lid"], "c": ["valve"]}


def test_a_manual_is_told_page_by_page_in_its_own_language(carded, tmp_path):
    made = carded.command("cards", "--document", "manual.pdf", "--document", "机房.md", "--output", str(tmp_path))
    assert made.exit_code == 0, made.output
    [page] = [path.read_text(encoding="utf-8") for path in tmp_path.glob("manual-pdf-*.html")]
    places = [page.index(f'">Page {number}</h2>') for number in (1, 2, 3)]
    assert places == sorted(places)
    assert places[1] < page.index('title="manual.pdf/p2-1.jpg"') < places[2]
    assert "Figure 1: The valve from above." in page
    [markdown] = [path.read_text(encoding="utf-8") for path in tmp_path.glob("manual-pdf-*.md")]
    assert "## Page 2" in markdown
    [page] = [path.read_text(encoding="utf-8") for path in tmp_path.glob("机房-*.html")]
    assert '<html lang="zh">' in page
    assert "文档所附" in page
    assert "in the document" not in page


def test_every_word_of_a_card_is_there_in_both_languages():
    assert ENGLISH.keys() == CHINESE.keys()
    assert all(ENGLISH[key].count("{}") == CHINESE[key].count("{}") for key in ENGLISH)


def test_the_site_has_a_page_for_everything_and_every_link_leads_somewhere(carded, tmp_path):
    site = tmp_path / "site"
    assert carded.command("cards", "--all", "--output", str(site)).exit_code == 0
    pages = {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    html = [name for name in pages if name.endswith(".html")]
    assert len([name for name in html if name.startswith("concepts/")]) == 4
    assert len([name for name in html if name.startswith("documents/")]) == 5
    for name in html:
        text = pages[name].decode()
        assert "<script>alert" not in text
        for target in re.findall(r'(?:href|src)="((?!file:|#|data:)[^"]+)"', text):
            file, _, anchor = target.partition("#")
            found = (site / name).parent / unquote(file)
            assert found.is_file(), (name, target)
            assert not anchor or f'id="{anchor}"' in found.read_text()
    (site / "concepts" / "old.html").write_text("an older card")
    assert carded.command("cards", "--all", "--output", str(site)).exit_code == 0
    again = {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    assert again == pages


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "say of what"),
        (("--concept", "nothing"), "no concept"),
        (("--concept", "torque wrench", "--collection", "x"), "there are: kb"),
        (("--all",), "holds files that are no cards"),
    ],
)
def test_what_cannot_be_made_is_said(carded, tmp_path, options, says):
    (tmp_path / "mine.txt").write_text("mine")
    result = carded.command("cards", *options, "--output", str(tmp_path))
    assert result.exit_code != 0
    assert says in " ".join(result.output.split())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.browser
def test_the_site_is_searched_by_name_and_asks_nobody(carded, tmp_path):
    from chromium import open_page

    assert carded.command("cards", "--all", "--output", str(tmp_path)).exit_code == 0
    with open_page(width=375) as page:
        asked, said = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto((tmp_path / "index.html").as_uri())
        page.keyboard.press("/")
        page.keyboard.type("扭矩")
        assert page.locator(".entry:visible .name").all_inner_texts() == ["torque wrench"]
        assert page.locator("[role=status]").inner_text() == "1 concepts, 0 documents"
        page.keyboard.press("Escape")
        assert page.locator(".entry:visible").count() == 9
        page.get_by_role("link", name="torque wrench").first.click()
        assert page.locator("h1").inner_text() == "torque wrench"
        assert page.evaluate("[...document.images].every((each) => each.complete && each.naturalWidth > 0)")
        page.locator("a.source").first.click()
        assert page.locator(".step:target h2").inner_text() == "Step 7: tighten the M6 bolt"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert all(url.startswith("file:") for url in asked)
        assert said == []
