"""The reports over http beside `kg-pipeline dev`, asked for real."""

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from PIL import Image

from kg_pipeline.commands.report_server import serve_reports
from kg_pipeline.storage import TableStore
from kg_pipeline.tables import TABLES

KNOWN = "a" * 64


@pytest.fixture
def address(tmp_path) -> Iterator[str]:
    (tmp_path / "home" / "reports" / "kb").mkdir(parents=True)
    (tmp_path / "home" / "reports" / "kb" / "edges.html").write_text("<p>edges", encoding="utf-8")
    (tmp_path / "home" / "secret.txt").write_text("secret", encoding="utf-8")
    Image.new("RGB", (400, 200), "red").save(tmp_path / "red.png")
    rows = [{"path": "red.png", "uri": (tmp_path / "red.png").as_uri(), "image_id": KNOWN, "status": "ok"}]
    TableStore(tmp_path / "home").write("image_files", "kb", TABLES["image_files"].rows(rows))
    with serve_reports(tmp_path / "home", 0) as address:
        yield address


def ask(address: str, path: str, host: str | None = None) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers.get("Content-Type", ""), body


def test_pages_and_thumbnails_are_served(address):
    assert ask(address, "/kb/edges.html") == (200, "text/html", b"<p>edges")
    status, kind, body = ask(address, f"/kb/thumbnails/{KNOWN}")
    assert (status, kind) == (200, "image/webp")
    assert body.startswith(b"RIFF")


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/%2e%2e/secret.txt", f"/kb/thumbnails/{'b' * 64}", f"/none/thumbnails/{KNOWN}",
     f"/../thumbnails/{KNOWN}"],
)  # fmt: skip
def test_what_is_no_report_or_picture_is_not_found(address, path):
    assert ask(address, path)[0] == 404


def test_a_name_that_somebody_pointed_here_is_refused(address):
    assert ask(address, "/kb/edges.html", host="evil.example:80")[0] == 403


def test_the_name_under_which_a_proxy_passes_it_on_is_allowed(tmp_path, monkeypatch):
    monkeypatch.setenv("KG_PIPELINE_REPORTS_URL", "https://Reports.example/kb")
    (tmp_path / "reports").mkdir()
    with serve_reports(tmp_path, 0) as address:
        assert [ask(address, "/", host)[0] for host in ("reports.example", "127.0.0.1", "evil.example", "[::")] == [
            200, 200, 403, 403,
        ]  # fmt: skip


def test_a_port_that_is_taken_is_an_error(address, tmp_path):
    with pytest.raises(OSError, match="in use"), serve_reports(tmp_path / "home", urlsplit(address).port or 0):
        pass
