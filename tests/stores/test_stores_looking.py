"""The sensor's look at stores, and the doctor's: listings with marks, in bounded time, nothing fetched."""

import time

import pytest
from store_servers import SECRET_KEY, listing, picture
from typer.testing import CliRunner

from kg_pipeline.cli import app
from kg_pipeline.doctor import Finding
from kg_pipeline.inputs import scan_inputs


@pytest.fixture
def look(make_collection, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n")

    def look(*images: dict, seconds: float = 60):
        collection = make_collection(images=list(images))
        return scan_inputs(collection, tmp_path / "memory.parquet", time.monotonic() + seconds)

    return look


def test_a_bucket_is_known_by_its_listing_and_nothing_is_fetched(look, s3, bucket, monkeypatch):
    def fetched(*_, **__):
        raise AssertionError("an object was read")

    s3.put(bucket, p__a_png=picture(1), p__b_png=picture(2), p__notes=b"1")
    monkeypatch.setattr("obstore.get", fetched)
    place = {"store": f"s3://{bucket}/p", "endpoint": s3.url}
    first = look(place)
    assert (first.fingerprint is not None, first.files) == (True, 4)
    s3.put(bucket, p__notes=b"2", elsewhere_png=picture(3))
    assert look(place).fingerprint == first.fingerprint
    s3.put(bucket, p__b_png=picture(4))
    changed = look(place)
    assert changed.fingerprint not in (None, first.fingerprint)
    s3.put(bucket, p__b_png=picture(2))
    assert look(place).fingerprint == first.fingerprint


def test_a_listing_that_takes_longer_than_a_tick_goes_on_in_the_next(look, s3, bucket, monkeypatch):
    monkeypatch.setattr("kg_pipeline.stores.buckets.PAGE", 2)
    s3.put(bucket, **{f"p__{number}_png": picture(number) for number in range(5)})
    place = {"store": f"s3://{bucket}/p", "endpoint": s3.url}
    whole = look(place).fingerprint
    found = [look(place, seconds=-1) for _ in range(8)]
    assert [scan.pending for scan in found[:3]] == [1, 1, 1]
    assert [scan.fingerprint for scan in found if scan.fingerprint] == [whole, whole]


def test_a_store_that_is_away_is_a_problem_and_no_change(look, s3, bucket):
    s3.put(bucket, p__a_png=picture(1))
    scan = look({"store": f"s3://{bucket}/p", "endpoint": "http://127.0.0.1:9"})
    assert scan.fingerprint is None
    assert scan.problems == (f"s3://{bucket}/p cannot be listed: the server does not answer (connect)",)
    assert "holds nothing" in look({"store": f"s3://{bucket}/q", "endpoint": s3.url}).problems[0]


def test_a_manifest_is_known_by_its_content_and_asked_for_by_its_mark(look, web):
    web.files = {"/m.csv": b"url\na.png\n"}
    first = look({"store": f"{web.url}/m.csv"})
    assert look({"store": f"{web.url}/m.csv"}).fingerprint == first.fingerprint
    assert web.statuses() == [200, 304]
    web.files["/m.csv"] = b"url\nb.png\n"
    assert look({"store": f"{web.url}/m.csv"}).fingerprint != first.fingerprint
    web.files.clear()
    assert "is not there (404)" in look({"store": f"{web.url}/m.csv"}).problems[0]


def test_a_web_folder_is_known_by_what_its_pages_say(look, web):
    web.files = {"/p/": listing("a.png", "sub/"), "/p/sub/": listing("b.png")}
    place = {"store": f"{web.url}/p/"}
    first = look(place)
    assert look(place).fingerprint == first.fingerprint
    web.files["/p/sub/"] = listing("b.png").replace(b"1234", b"1235")
    assert look(place).fingerprint != first.fingerprint


def test_the_doctor_says_which_stores_can_be_listed(monkeypatch, tmp_path, s3, bucket, web):
    monkeypatch.setattr("kg_pipeline.doctor.check_server", lambda *_: [])
    monkeypatch.setattr("kg_pipeline.doctor._gpu", lambda: Finding("ok", "GPU", "not looked at"))
    s3.put(bucket, p__a_png=picture(1), p__b=b"1")
    web.files = {"/m.csv": b"url\na.png\n"}
    (tmp_path / "docs").mkdir()
    config = tmp_path / "collections.yaml"
    config.write_text(
        "collections:\n  plant:\n    documents: [{root: docs}]\n    images:\n"
        f"      - {{store: 's3://{bucket}/p', endpoint: '{s3.url}'}}\n"
        f"      - {{store: 's3://{bucket}x/p', endpoint: '{s3.url}', name: q}}\n"
        f"      - {{store: '{web.url}/m.csv'}}\n"
        f"      - {{store: '{web.url}/none.csv'}}\n"
    )
    words = ["doctor", "--home", str(tmp_path / "home"), "--config", str(config)]
    found = CliRunner().invoke(app, words, env={"COLUMNS": "300"})
    assert found.exit_code == 1
    assert "can be listed; 1 pictures among the first 2 objects" in found.output
    assert "there is no bucket or container of that name (404)" in found.output
    assert "can be read; it names 1 pictures" in found.output
    assert "is not there (404)" in found.output
    assert SECRET_KEY not in found.output
