"""The web page of `kg-pipeline serve` in a real Chromium: every flow, with keys, narrow, dark, in Chinese, by axe."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from chromium import PATIENCE, open_browser, serious
from playwright.sync_api import Browser, Page, Route, expect
from pydantic import SecretStr
from qwen_checkpoints import build_checkpoint
from served import Served, serving
from typer.testing import CliRunner

from kg_pipeline.cli import app
from kg_pipeline.config import Scoring
from kg_pipeline.orchestration.metadata import served_view
from kg_pipeline.serving import ServeSettings
from kg_pipeline.storage import TableStore

pytestmark = pytest.mark.browser
SCREENSHOTS = Path(os.environ.get("KG_PIPELINE_TEST_PICTURES", "test-results"))
EXAMPLES = Path(__file__).parents[2] / "examples"
QUERY = "服务器机柜内红色报警灯亮起"
RACK = [f"rack_{number:03}.png" for number in (1, 2, 3)]
HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
TOKEN = "correct-horse-battery-staple"
SHOWN = ".orphan, .side .pair, .folders"
"""What stands on a view when it is drawn."""
VIEWS = ("orphans/example", "pictures/example", "passages/example", "try")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example collection after a run, with one more document that would like to run scripts."""
    root = tmp_path_factory.mktemp("page")
    shutil.copytree(EXAMPLES, root / "examples")
    hostile = root / "examples" / "docs" / "server-room" / "<b onclick=hack()>.md"
    hostile.write_text(f"# Alarm {HOSTILE}\n\nA `{HOSTILE}` of the zebra lamp.\n", encoding="utf-8")
    (root / "pictures" / "below").mkdir(parents=True)
    for name in RACK:
        shutil.copy(EXAMPLES / "docs" / "server-room" / "images" / name, root / "pictures" / name)
    shutil.copy(EXAMPLES / "photos" / "picnic_2024.jpg", root / "pictures" / "below")
    command = ["run", "--config", str(root / "examples" / "collections.yaml"), "--home", str(root / "home")]
    result = CliRunner().invoke(app, [*command, "--no-graph", "--no-ocr", "--reranker", "none"])
    assert result.exit_code == 0, result.output
    return root / "home"


@pytest.fixture(scope="module")
def server(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    checkpoint = build_checkpoint(tmp_path_factory.mktemp("tiny"))
    scoring = Scoring(reranker="qwen-vl", checkpoint=str(checkpoint), dtype="float32", device="cpu")
    with serving(ServeSettings(home=home, image_roots=(home.parent / "pictures",), scoring=scoring)) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def visit(server: Served, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address of the page; what it asks for elsewhere, and what it complains of, fails the test."""
    with visiting(server, browser) as opened:
        yield opened


@contextmanager
def visiting(server: Served, browser: Browser) -> Iterator[Callable[..., Page]]:
    contexts, problems = [], []

    def opened(address: str, width: int = 1400, height: int = 900, dark: bool = False, language: str = "en-US") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", locale=language
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda asked: is_own(asked.url) or problems.append(f"asked for {asked.url}"))
        page.on("pageerror", lambda error: problems.append(f"script: {error}"))
        page.on("console", lambda said: said.type == "error" and is_news(said.text) and problems.append(said.text))
        page.goto(f"{server.url}/#/{address}")
        return page

    def is_own(url: str) -> bool:
        return url.startswith((f"{server.url}/", "blob:", "data:"))

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


def is_news(text: str) -> bool:
    """A picture that has no preview, a refused token or verdict, and a busy server are answers."""
    return not re.search(r"status of (401|404|409|429)|ERR_ABORTED", text)


def settled(page: Page) -> Page:
    page.wait_for_load_state("networkidle")
    return page


def hold(page: Page, address: str | re.Pattern[str]) -> list[Route]:
    """The requests to an address, which wait from now on for whoever answers them."""
    waiting: list[Route] = []
    page.route(address, lambda route: waiting.append(route))  # noqa: PLW0108 Playwright takes no builtin
    return waiting


def keep(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"page-{name}.png")


def eventually(home: Path, verdicts: dict[str, str]) -> None:
    """Wait until the table holds exactly these verdicts, by picture: the page does not wait for the server."""
    until = time.monotonic() + PATIENCE / 1000
    found: dict[str, str] = {}
    while time.monotonic() < until:
        found = dict(TableStore(home).read("verdicts", "example").select("image_id", "verdict").iter_rows())
        if found == verdicts:
            return
        time.sleep(0.1)
    assert found == verdicts


def scores_on(page: Page) -> dict[str, float]:
    """Scores on the cards, unrounded, by file name."""
    cards = page.locator(".grid > li[data-score]")
    return {
        card.get_attribute("data-name").rpartition("/")[2]: float(card.get_attribute("data-score"))
        for card in cards.all()
    }


# --- try


def test_a_query_on_a_folder_gives_the_scores_of_the_api_in_their_order(visit, server):
    answer = server.post("/api/rerank", {"query": QUERY, "image_paths": RACK}).json()
    expected = {result["image_path"]: result["score"] for result in answer["results"]}
    page = visit("try")
    page.get_by_label("Query", exact=True).last.fill(QUERY)
    expect(page.get_by_text("3 pictures", exact=False)).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("3 pictures scored")).to_be_visible()
    assert scores_on(page) == expected
    shown = page.locator(".grid > li")
    best, second = (result["score"] for result in answer["results"][:2])
    expect(shown.first.locator(".rank")).to_have_text("1")
    expect(shown.first.locator(".score")).to_have_text(f"{best:.1f}")
    expect(shown.first.locator(".gap")).to_contain_text(f"+{best - second:.1f}")
    expect(shown.first.locator(".confidence")).to_contain_text(f"{best / 10:.2f}")
    expect(shown.first.locator("img")).to_have_js_property("complete", True)
    assert "query=" in page.url
    settled(page)
    assert serious(page) == []
    keep(page, "try-results")

    # The address of an answer gives the same answer to somebody else.
    other = visit(page.url.partition("#/")[2])
    expect(other.get_by_text("3 pictures scored")).to_be_visible()
    assert scores_on(other) == expected

    # Into a folder, and with the folders below.
    page.get_by_role("link", name="below").click()
    expect(page.locator(".where")).to_contain_text("1 picture")
    page.get_by_role("link", name="up").click()
    page.get_by_label("with the folders below").check()
    expect(page.locator(".where")).to_contain_text("4 pictures")


def test_uploads_get_the_same_scores_whatever_they_are_called(visit, server, home):
    folder = home.parent / "pictures"
    page = visit("try?source=upload")
    page.set_input_files("#files", [folder / name for name in RACK])
    expect(page.get_by_text("3 pictures chosen")).to_be_visible()
    page.get_by_label("Query", exact=True).last.fill(QUERY)
    page.locator("#score").click()
    expect(page.get_by_text("3 pictures scored")).to_be_visible()
    by_path = server.post("/api/rerank", {"query": QUERY, "image_paths": RACK}).json()["results"]
    assert scores_on(page) == {result["image_path"]: result["score"] for result in by_path}
    expect(page.locator(".grid img").first).to_have_attribute("src", re.compile("^blob:"))


def test_scoring_shows_its_progress_is_cancelled_and_waits_for_a_busy_server(visit, home):
    page = visit("try?folder=&deep=1")
    asked: list[int] = []

    def answer(route) -> None:
        names = json.loads(route.request.post_data)["image_paths"]
        asked.append(len(names))
        if len(asked) == 1:
            route.fulfill(status=429, headers={"Retry-After": "1"}, json={"detail": "busy"})
        elif len(asked) == 2:
            results = [{"image_path": name, "score": 1.0 + at, "log_odds": at, "raw_output": "Score: 1.0 — so"}
                       for at, name in enumerate(names[:2])]  # fmt: skip
            results += [{"image_path": name, "score": None, "error": "broken", "raw_output": ""} for name in names[2:]]
            route.fulfill(json={"results": results})
        # The third is never answered.

    folder = [{"name": f"{at}.png", "path": f"{at}.png"} for at in range(9)]
    listing = {"path": "", "parent": None, "folders": [], "pictures": folder, "complete": True}
    page.route("**/api/rerank", answer)
    page.route("**/api/folders?*", lambda route: route.fulfill(json=listing))
    page.reload()
    page.get_by_label("Query", exact=True).last.fill("lamp")
    page.locator("#score").click()
    expect(page.get_by_text("4 of 9 scored")).to_be_visible()
    expect(page.locator(".grid > li").last).to_contain_text("Not scored: broken")
    expect(page.locator(".grid > li").first.locator(".score")).to_have_text("2.0")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled: 4 of 9 scored")).to_be_visible()
    expect(page.locator("#score")).to_be_enabled()


# --- browse


def test_pictures_are_searched_filtered_and_shown_with_their_passages(visit, server):
    page = visit("pictures/example")
    rows = page.locator("a.row")
    expect(rows.first).to_be_visible()
    count = rows.count()
    page.keyboard.press("/")
    page.keyboard.type("cooling setpoints")
    expect(rows).to_have_count(1)
    expect(page.locator(".side h2")).to_contain_text("cooling_unit_setpoints.png")
    pair = page.locator(".side .pair").first
    expect(pair).to_contain_text("cooling.html")
    expect(pair).to_contain_text("Score:")
    expect(pair).to_contain_text("margin")
    pair.get_by_text("what adds up").click()
    expect(pair.locator(".bars")).to_contain_text("sum")
    shared = page.url
    assert "search=cooling+setpoints" in shared
    page.get_by_role("searchbox").press("Escape")
    expect(rows).to_have_count(count)

    page.get_by_label("Status").select_option("unused")
    expect(page.get_by_text(re.compile(r"1–\d+ of \d+"))).to_be_visible()
    unused = server.get("/api/collections/example/pictures?status=unused").json()["total"]
    expect(rows).to_have_count(unused)
    page.get_by_label("Lowest confidence").fill("0.5")
    page.get_by_label("Lowest confidence").press("Tab")
    confident = server.get("/api/collections/example/pictures?status=unused&min_confidence=0.5").json()["total"]
    expect(rows).to_have_count(confident)

    other = visit(shared.partition("#/")[2])
    expect(other.locator("a.row")).to_have_count(1)
    expect(other.get_by_role("searchbox")).to_have_value("cooling setpoints")


def test_the_picture_chosen_last_is_shown_however_late_its_details_arrive(visit, server):
    [row] = server.get("/api/collections/example/pictures?search=cooling+setpoints").json()["rows"]
    page = visit("pictures/example")
    expect(page.locator(".side h2")).to_be_visible()
    address = f"**/pictures/{row['image_id']}"
    waiting = hold(page, address)
    page.keyboard.press("/")
    with page.expect_request(address):
        page.keyboard.insert_text("cooling setpoint")
    # The search goes on before they are there, and it is the same picture that comes first.
    with page.expect_response("**/pictures?*"):
        page.keyboard.insert_text("s")
    for route in waiting:
        route.continue_()
    expect(page.locator(".side h2")).to_have_text(row["path"])


def test_a_verdict_that_is_written_late_does_not_bring_its_picture_back(visit):
    page = visit("pictures/example")
    title = page.locator(".side h2")
    expect(title).to_be_visible()
    judged = title.inner_text()
    waiting = hold(page, "**/verdicts")
    with page.expect_request("**/verdicts"):
        page.keyboard.press("a")
    page.keyboard.press("j")
    expect(title).not_to_have_text(judged)
    for route in waiting:
        route.fulfill(json={})
    expect(page.get_by_role("status").filter(has_text="Accepted")).to_be_visible()
    settled(page)
    expect(title).not_to_have_text(judged)


def test_no_key_judges_the_picture_that_is_about_to_go(visit):
    page = visit("pictures/example")
    title = page.locator(".side h2")
    expect(title).to_be_visible()
    about_to_go = title.inner_text()
    verdicts = hold(page, "**/verdicts")
    with page.expect_request(re.compile("/pictures/[0-9a-f]+$")):
        details = hold(page, re.compile("/pictures/[0-9a-f]+$"))
        page.keyboard.press("j")
    page.keyboard.press("a")
    for route in details:
        route.continue_()
    expect(title).not_to_have_text(about_to_go)
    assert verdicts == []


@pytest.mark.parametrize(("view", "number"), [("orphans", 1), ("pictures", 2)])
def test_a_link_from_dagster_opens_its_view_of_its_collection(visit, server, monkeypatch, view, number):
    monkeypatch.setenv("KG_PIPELINE_SERVE_URL", f"{server.url}/")
    [link] = served_view(view, "example").values()
    page = visit("try")
    page.goto(link.value)
    expect(page.locator(SHOWN).first).to_be_visible()
    expect(page.locator("nav [aria-current=page]")).to_contain_text(str(number))
    expect(page.locator("label.collection select")).to_have_value("example")
    assert page.url == link.value


def test_lists_are_walked_with_keys_and_turned_page_by_page(visit, server):
    page = visit("passages/example?order=path")
    rows = page.locator("a.row")
    expect(rows).to_have_count(50)
    page.keyboard.press("j")
    expect(rows.nth(1)).to_have_attribute("aria-current", "true")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(rows.nth(0)).to_have_attribute("aria-current", "true")
    total = server.get("/api/collections/example/passages").json()["total"]
    page.keyboard.press("n")
    expect(page.get_by_text(f"51–{total} of {total}")).to_be_visible()
    page.go_back()
    expect(rows).to_have_count(50)


def test_a_passage_shows_its_pictures_and_hostile_text_stays_text(visit):
    page = visit("passages/example?search=zebra")
    expect(page.locator(".side blockquote").first).to_contain_text("<script>window.hacked=1</script>")
    expect(page.locator(".side .place").first).to_contain_text("<b onclick=hack()>.md")
    assert page.evaluate("window.hacked") is None
    page.goto(page.url.partition("#")[0] + "#/passages/example?search=alert+thresholds")
    page.reload()
    pair = page.locator(".side .pair").first
    expect(pair.locator("img")).to_be_visible()
    pair.get_by_role("link").last.click()
    expect(page).to_have_url(re.compile("#/pictures/example"))


def test_a_pair_is_judged_where_it_is_shown(visit, home):
    page = visit("pictures/example?search=cooling+setpoints")
    page.locator(".side .pair").first.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("status").filter(has_text="Rejected.")).to_be_visible()
    assert TableStore(home).read("verdicts", "example")["verdict"].to_list() == ["rejected"]
    rejected = page.locator(".side .pair").first.get_by_role("button", name="Reject")
    expect(rejected).to_have_attribute("aria-pressed", "true")
    page.locator("body").press("u")
    expect(page.get_by_role("status").filter(has_text="Taken back.")).to_be_visible()
    eventually(home, {})


# --- orphans


def test_orphans_are_judged_with_one_key_each_and_undone(visit, server, home):
    report = server.get("/api/collections/example/orphans").json()
    decidable = report["counts"]["decidable"]
    page = visit("orphans/example")
    first, second = (row["path"] for row in report["rows"][:2])
    expect(page.locator(".orphan .name")).to_have_text(first)
    expect(page.get_by_text(f"0 of {decidable} judged")).to_be_visible()
    settled(page)
    keep(page, "orphans-light")

    page.keyboard.press("a")
    expect(page.locator(".orphan .name")).to_have_text(second)
    expect(page.get_by_text(f"1 of {decidable} judged")).to_be_visible()
    page.keyboard.press("r")
    expect(page.get_by_text(f"2 of {decidable} judged")).to_be_visible()
    wanted = {report["rows"][0]["image_id"]: "accepted", report["rows"][1]["image_id"]: "rejected"}
    eventually(home, wanted)
    page.keyboard.press("u")
    expect(page.locator(".orphan .name")).to_have_text(second)
    expect(page.get_by_text(f"1 of {decidable} judged")).to_be_visible()
    eventually(home, {report["rows"][0]["image_id"]: "accepted"})

    page.get_by_label("Status").select_option("accepted")
    expect(page.locator(".orphan .name")).to_have_text(first)
    expect(page.locator(".orphan")).to_contain_text("accepted")
    page.get_by_role("button", name=re.compile("^Undo")).click()
    expect(page.get_by_text(f"0 of {decidable} judged")).to_be_visible()
    eventually(home, {})


def test_open_orphans_are_judged_to_the_last_one_by_address_and_reason(visit, server, home):
    page = visit("orphans/example?status=open&place=1")
    rows = server.get("/api/collections/example/orphans?status=open").json()["rows"]
    expect(page.locator(".orphan .name")).to_have_text(rows[1]["path"])
    page.keyboard.press("ArrowLeft")
    for row in rows:
        expect(page.locator(".orphan .name")).to_have_text(row["path"])
        page.keyboard.press("r")
    expect(page.get_by_role("status").filter(has_text="All suggestions are judged.")).to_be_visible()
    eventually(home, {row["image_id"]: "rejected" for row in rows})
    for row in reversed(rows):
        page.keyboard.press("u")
        expect(page.locator(".orphan .name")).to_have_text(row["path"])
    eventually(home, {})

    page.get_by_label("Status").select_option("")
    page.get_by_role("button", name=re.compile("^unreadable")).click()
    expect(page.locator(".orphan")).to_contain_text("Nothing to decide here.")
    expect(page.locator(".orphan")).to_contain_text("broken JPEG")


def test_a_verdict_that_the_server_refuses_is_taken_back(visit):
    page = visit("orphans/example")
    name = page.locator(".orphan .name")
    first = name.inner_text()
    page.route("**/verdicts", lambda route: route.fulfill(status=409, json={"detail": "the table is held"}))
    page.keyboard.press("a")
    expect(page.get_by_role("status").filter(has_text="the table is held")).to_be_visible()
    expect(name).to_have_text(first)
    expect(page.get_by_text(re.compile("^0 of"))).to_be_visible()


# --- everybody's page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(visit, dark):
    for view in VIEWS:
        page = visit(view, dark=dark)
        page.locator(SHOWN).first.wait_for()
        settled(page)
        assert serious(page) == [], view
        keep(page, f"{view.partition('/')[0]}-{'dark' if dark else 'light'}")
        page.keyboard.press("?")
        page.get_by_role("dialog").wait_for()
        assert serious(page) == [], view


def test_nothing_is_wider_than_a_phone(visit):
    for view in VIEWS:
        page = visit(view, width=375, height=740)
        page.locator(".orphan, a.row, .folders").first.wait_for()
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, view
        keep(page, f"{view.partition('/')[0]}-narrow")
    page = visit("pictures/example", width=375, height=740)
    page.locator("a.row").first.click()
    expect(page.locator(".side h2")).to_be_visible()
    expect(page.locator(".list")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    keep(page, "picture-narrow")
    page.get_by_role("link", name="Back to the list").click()
    expect(page.locator("a.row").first).to_be_visible()


def test_the_page_speaks_the_reader_s_language_and_keeps_what_is_chosen(visit):
    page = settled(visit("orphans/example", language="zh-CN"))
    expect(page.get_by_role("heading", level=1)).to_have_text("孤立图片")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator(".orphan .why").last).to_contain_text("保留")
    keep(page, "orphans-chinese")
    page.goto(page.url.replace("orphans", "pictures"))
    page.locator(SHOWN).first.wait_for()
    page.wait_for_timeout(500)
    keep(page, "pictures-chinese")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pictures")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="Auto").click()
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(paper) != light
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pictures")
    assert page.evaluate(paper) != light


def test_keys_are_listed_and_can_be_switched_off(visit):
    page = visit("orphans/example")
    name = page.locator(".orphan .name")
    first = name.inner_text()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("accept the suggestion")
    keep(page, "keys")
    dialog.get_by_label("Single-key shortcuts").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    expect(name).to_have_text(first)
    page.locator(".orphan").get_by_role("button", name="Skip").click()
    expect(name).not_to_have_text(first)


def test_the_keyboard_alone_reaches_everything_with_a_visible_focus(visit):
    page = visit("orphans/example")
    page.locator(".orphan .name").wait_for()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
        if page.evaluate("document.activeElement === document.body"):
            break
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", reached[-1]
    assert reached[0] == "Skip to the content"
    assert {"Accepta", "Rejectr"} <= set(reached)


def test_an_unknown_collection_and_picture_are_said_in_words(visit):
    page = visit("pictures/nothing")
    expect(page.get_by_role("alert")).to_contain_text("there is no such collection")
    page = visit("pictures/example?at=" + "0" * 64)
    expect(page.get_by_role("alert")).to_contain_text("no picture of this id")


def test_a_token_is_asked_for_once_and_then_carried_by_pictures_too(home, browser):
    settings = ServeSettings(
        home=home, image_roots=(home.parent / "pictures",), token=SecretStr(TOKEN), scoring=Scoring(reranker="none")
    )
    with serving(settings) as server, visiting(server, browser) as visit:
        page = visit("pictures/example")
        page.get_by_label("Token", exact=True).last.fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_text("The server does not take this token.")).to_be_visible()
        page.get_by_label("Token", exact=True).last.fill(TOKEN)
        page.keyboard.press("Enter")
        image = page.locator("a.row img").first
        expect(image).to_have_attribute("src", re.compile("^blob:"))
        page.wait_for_function("document.querySelector('a.row img').naturalWidth > 0")
        page.reload()
        expect(page.locator("a.row").first).to_be_visible()
        page.goto(page.url.partition("#")[0] + "#/try")
        expect(page.get_by_text("No model looks at the pictures.")).to_be_visible()
