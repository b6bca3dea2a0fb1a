"""Illustrated cards in a real Chromium: by axe, narrow, with keys, on paper."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import open_browser, serious
from knowledge_base import KnowledgeBase
from playwright.sync_api import Browser
from small_pdfs import manual

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cards of a PDF, of Markdown, and of a document in Chinese, with their index."""
    base = KnowledgeBase.draw(tmp_path_factory.mktemp("cards"))
    (base.docs / "manual.pdf").write_bytes(manual())
    steps = "".join(
        f"## 第{n}步\n\n拧紧第{n}个螺钉，然后检查报警灯。\n\n![](img/alarm-lamp.png)\n\n" for n in range(1, 6)
    )
    (base.docs / "机房.md").write_text(f"# 机房报警灯\n\n{steps}", encoding="utf-8")
    assert base.run("--no-graph").exit_code == 0
    output = base.root / "site"
    assert base.command("cards", "--all", "--output", str(output)).exit_code == 0
    return output


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


def pages(site: Path) -> list[Path]:
    return [site / "index.html", *sorted(site.glob("documents/*.html"))]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_on_cards(browser, site, dark):
    page = browser.new_page(color_scheme="dark" if dark else "light")
    for file in pages(site):
        page.goto(file.as_uri())
        assert serious(page) == [], file.name


def test_cards_are_no_wider_than_a_phone_and_no_picture_is_cut_off(browser, site):
    page = browser.new_page(viewport={"width": 375, "height": 740})
    for file in pages(site):
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, file.name
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)"), file.name


def test_the_first_key_reaches_a_link_and_the_contents_lead_to_their_section(browser, site):
    page = browser.new_page()
    [chinese] = site.glob("documents/机房-*.html")
    page.goto(chinese.as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "A"
    link = page.locator(".toc a").nth(3)
    link.focus()
    page.keyboard.press("Enter")
    assert page.locator(":target h2").inner_text() == link.inner_text()


def test_on_paper_every_page_of_a_manual_keeps_its_heading(browser, site, tmp_path):
    page = browser.new_page()
    [file] = site.glob("documents/manual-pdf-*.html")
    page.goto(file.as_uri())
    page.emulate_media(media="print")
    assert page.locator("h2.sheet").all_inner_texts() == ["Page 1", "Page 2", "Page 3"]
    assert page.locator(".toc").is_hidden() or page.locator(".toc").count() == 0
    assert page.pdf(path=str(tmp_path / "card.pdf"), format="A4").startswith(b"%PDF")
