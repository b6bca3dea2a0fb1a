"""Documents that embed a picture by its address, when that picture is one that a store holds."""

import pytest
from store_servers import picture

from kg_pipeline.documents import read_documents


@pytest.fixture
def references(reading, web, tmp_path):
    web.files = {"/m.json": b'["a.png", "b%20c.png"]', "/a.png": picture(1), "/b%20c.png": picture(2)}

    def read(text: str) -> list[tuple]:
        (tmp_path / "docs" / "page.md").write_text(text)
        files = reading({"store": f"{web.url}/m.json", "name": "dam"})
        found = read_documents(reading.collection, files, shelf=tmp_path / "shelf")
        return found.references.select("status", "image_path", "resolution").rows()

    return read


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("URL/a.png", ("ok", "dam/a.png", "origin")),
        ("<URL/b c.png>", ("ok", "dam/b c.png", "origin")),
        ("URL/b%20c.png", ("ok", "dam/b c.png", "origin")),
        ("URL/a.png?sig=x", ("ok", "dam/a.png", "origin")),
        ("URL/other.png", ("remote", None, None)),
        ("https://elsewhere.example/a.png", ("remote", None, None)),
    ],
)
def test_an_address_that_a_store_holds_is_that_picture(references, web, target, found):
    assert references(f"# Pumps\n\n![pump]({target.replace('URL', web.url)})\n") == [found]
