"""The documentation says what the code does."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_generated_pages_are_current():
    for path, text in runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages"]().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `uv run python docs/generate.py`"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", prose):
        assert (page.parent / target).exists(), target


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^uv run .*$", text, re.MULTILINE)
    assert commands[0] == "uv run kg-pipeline demo"
    assert "pytest" in commands[1]


def test_no_page_names_a_machine_of_its_writers():
    for page in PAGES:
        assert "/work/" not in page.read_text(encoding="utf-8"), page
