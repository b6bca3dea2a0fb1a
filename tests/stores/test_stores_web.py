"""Pictures of web servers: manifests, folders, conditional requests, and servers that misbehave."""

import json

import polars as pl
import pytest
from store_servers import listing, picture, redirect, refusal, truncated, web_server

from kg_pipeline.images import read_image_texts
from kg_pipeline.images.addresses import open_image_bytes

CSV = 'url,title,tags\na.png,Feed pump,"pump, wet end"\nsub/b.png,,\n'


@pytest.fixture
def shop(web):
    web.files = {"/m/all.csv": CSV.encode(), "/m/a.png": picture(1), "/m/sub/b.png": picture(2)}
    return {"store": f"{web.url}/m/all.csv"}


def test_a_manifest_names_pictures_beside_it_and_what_it_says_of_them_becomes_texts(reading, shop, web, tmp_path):
    files = reading(shop)
    assert files.select("path", "status", "origin").rows() == [
        ("all.csv/a.png", "ok", f"{web.url}/m/a.png"),
        ("all.csv/sub/b.png", "ok", f"{web.url}/m/sub/b.png"),
    ]
    texts = read_image_texts(reading.collection, reading.tables, tmp_path / "ocr", 1, stores=reading.cache)
    said = texts.filter(source="manifest").select("image_id", "text").sort("text").rows()
    assert said == [(files["image_id"][0], "Feed pump"), (files["image_id"][0], "pump, wet end")]


def test_what_is_unchanged_is_asked_for_and_not_sent_again(reading, shop, web):
    first = reading(shop)
    assert web.statuses() == [200, 200, 200]
    assert reading().equals(first)
    assert web.statuses() == [304, 304, 304]
    web.files["/m/a.png"] = picture(9)
    files = reading()
    assert web.statuses() == [200, 304, 304]
    assert open_image_bytes(files["uri"][0], reading.collection.limits) == picture(9)
    assert (reading.report.fetched, reading.report.unchanged) == (1, 1)


def test_a_server_without_etags_is_read_whole_each_time_and_the_tables_stay_the_same(reading):
    with web_server(has_etags=False) as web:
        web.files = {"/m.json": json.dumps(["a.png"]).encode(), "/a.png": picture(1)}
        first = reading({"store": f"{web.url}/m.json"})
        assert first["status"].to_list() == ["ok"]
        assert reading().equals(first)
        assert web.statuses() == [200] * 4


@pytest.mark.parametrize("form", ["csv", "json", "json with a key", "parquet"])
def test_the_same_rows_in_every_form_of_manifest(reading, web, form, tmp_path, shop):
    rows = [{"path": "a.png", "title": "Feed pump", "tags": ["wet", "end"]}, {"path": "sub/b.png"}]
    table = pl.DataFrame(rows, schema={"path": pl.String, "title": pl.String, "tags": pl.List(pl.String)})
    table.write_parquet(tmp_path / "m.parquet")
    web.files["/m/m.csv"] = b'path,title,tags\na.png,Feed pump,"wet, end"\nsub/b.png,,\n'
    web.files["/m/m.parquet"] = (tmp_path / "m.parquet").read_bytes()
    web.files["/m/m.json"] = json.dumps({"images": rows} if "key" in form else rows).encode()
    files = reading({"store": f"{web.url}/m/m.{form.split()[0]}", "name": "dam"})
    assert reading.rows() == [("dam/a.png", "ok"), ("dam/sub/b.png", "ok")]
    texts = read_image_texts(reading.collection, reading.tables, tmp_path / "ocr", 1, stores=reading.cache)
    assert texts.filter(source="manifest", image_id=files["image_id"][0])["text"].to_list() == ["Feed pump", "wet, end"]


@pytest.mark.parametrize("body", [b"{", b"[1]", b'{"pictures": []}', b"[" * 100_000, "ü".encode("latin-1")])
def test_a_manifest_that_cannot_be_read_keeps_what_was_known(reading, web, body, tmp_path):
    web.files = {"/m.json": b'[{"url": "a.png", "title": "Feed pump"}]', "/a.png": picture(1)}
    reading({"store": f"{web.url}/m.json", "name": "dam"})
    web.files["/m.json"] = body
    files = reading()
    assert reading.rows() == [("dam", "unlistable"), ("dam/a.png", "stale")]
    assert "the manifest cannot be read" in files["error"][0]
    assert str(reading.cache) not in files["error"][0]
    texts = read_image_texts(reading.collection, reading.tables, tmp_path / "ocr", 1, stores=reading.cache)
    assert "Feed pump" in texts["text"].to_list()
    web.files["/m.json"] = b'["a.png"]'
    reading()
    assert reading.rows() == [("dam/a.png", "ok")]


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (truncated(picture(1)), "unreadable", "came incomplete"),
        (refusal(404), "unreadable", "is not there (404)"),
        (refusal(403), "unreadable", "denied (403)"),
        (refusal(500), "unreadable", "the server answers 500"),
        (redirect("http://elsewhere.example/a.png"), "skipped", "redirects to another place, http://elsewhere.example"),
        (redirect("file:///etc/passwd"), "unreadable", "redirects to something that is not an address"),
        (redirect("/m/a.png"), "skipped", "more than 5 redirects"),
    ],
)
def test_an_answer_that_is_no_picture_is_a_row_with_its_reason(reading, shop, web, answer, status, words, monkeypatch):
    monkeypatch.setattr("kg_pipeline.stores.web.BACKOFF_SECONDS", 0.0)
    web.answers["/m/a.png"] = answer
    files = reading(shop)
    assert files["status"].to_list() == [status, "ok"]
    assert words in files["error"][0]
    assert not list((reading.cache / "incoming").iterdir())


def test_a_picture_that_was_good_and_breaks_off_now_is_stale(reading, shop, web):
    good = reading(shop)
    web.answers["/m/a.png"] = truncated(picture(8))
    files = reading()
    assert files["status"].to_list() == ["stale", "ok"]
    assert files["image_id"].to_list() == good["image_id"].to_list()


def test_a_redirect_on_the_same_server_and_to_a_named_host_is_followed(reading, shop, web):
    with web_server() as other:
        other.files["/x.png"] = picture(5)
        web.answers["/m/a.png"] = redirect("/m/moved%20here.png")
        web.files["/m/moved%20here.png"] = picture(3)
        web.answers["/m/sub/b.png"] = redirect(f"{other.url}/x.png")
        files = reading(shop | {"hosts": [other.url]})
        assert files["status"].to_list() == ["ok", "ok"]
        assert open_image_bytes(files["uri"][1], reading.collection.limits) == picture(5)


def test_a_manifest_may_name_only_its_own_server_and_those_of_hosts(reading, web, s3, bucket):
    s3.put(bucket, in__x_png=picture(6), out__y_png=picture(7))
    rows = [f"s3://{bucket}/in/x.png", f"s3://{bucket}/out/y.png", "https://metadata.example/a.png", "ftp://h/a.png"]
    web.files = {"/m.json": json.dumps(rows).encode()}
    files = reading({"store": f"{web.url}/m.json", "name": "dam", "hosts": [f"s3://{bucket}/in"], "endpoint": s3.url})
    assert dict(files.select("path", "status").iter_rows()) == {
        f"dam/{bucket}/in/x.png": "ok",
        f"dam/{bucket}/out/y.png": "skipped",
        "dam/metadata.example/a.png": "skipped",
        "dam/ftp://h/a.png": "skipped",
    }
    assert reading.report.skipped == 3
    assert "`hosts` of the inventory does not name https://metadata.example" in " ".join(files["error"].drop_nulls())


def test_a_manifest_on_this_machine_may_name_addresses_of_hosts(reading, web, tmp_path):
    web.files = {"/a.png": picture(1)}
    (tmp_path / "docs" / "local.png").write_bytes(picture(2))
    manifest = tmp_path / "dam.csv"
    manifest.write_text(f"path,title\n{web.url}/a.png,Feed pump\ndocs/local.png,Here\n")
    files = reading({"manifest": "dam.csv", "hosts": [web.url]})
    host = web.url.removeprefix("http://")
    assert reading.rows() == [(f"dam.csv/{host}/a.png", "ok"), ("local.png", "ok")]
    texts = read_image_texts(reading.collection, reading.tables, tmp_path / "ocr", 1, stores=reading.cache)
    assert sorted(texts.filter(source="manifest")["text"]) == ["Feed pump", "Here"]
    assert files["origin"].to_list() == [f"{web.url}/a.png", None]
    manifest.write_bytes(b"\xff\xfe\x00")
    files = reading()
    assert reading.rows() == [("dam.csv", "unlistable"), (f"dam.csv/{host}/a.png", "stale"), ("local.png", "ok")]
    assert reading.report.unlistable == 1
    assert str(reading.cache) not in files["error"][0]
    assert len(list((reading.cache / "known").iterdir())) == 1


def test_signatures_and_passwords_of_a_manifest_are_used_but_never_shown(reading, web, caplog):
    signed = f"{web.url}/a.png?id=5&X-Amz-Signature=s3cr3t&sig=s3cr3t"
    rows = [signed, "https://joe:s3cr3t@host.example/b.png", "https://host.example/c.png?token=s3cr3t"]
    web.files = {"/m.json": json.dumps(rows).encode(), signed.removeprefix(web.url): picture(1)}
    files = reading({"store": f"{web.url}/m.json", "name": "dam"})
    assert dict(files.select("path", "status").iter_rows()) == {
        "dam/a.png?id=5": "ok",
        "dam/host.example/c.png": "skipped",
        "dam/https://host.example/b.png": "skipped",
    }
    kept = "".join(str(frame.to_dicts()) for frame in reading.tables)
    assert "s3cr3t" not in kept + caplog.text
    assert b"s3cr3t" not in b"".join(file.read_bytes() for file in reading.cache.rglob("known/*"))


def test_netrc_gives_user_and_password_of_a_host(reading, shop, web, monkeypatch, tmp_path):
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login joe password s3cr3t\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    reading(shop)
    said = [value for entry in web.asked for name, value in entry.headers.items() if name.lower() == "authorization"]
    assert said == ["Basic am9lOnMzY3IzdA=="] * 3


def test_a_folder_of_a_web_server_is_listed_with_all_below_it(reading, web):
    web.files = {
        "/p/": listing("a.png", "sub/", "notes.txt", "https://elsewhere.example/x.png", "/other/y.png"),
        "/p/sub/": listing("b%20c.png", title="Directory listing for /p/sub/"),
        "/p/a.png": picture(1),
        "/p/sub/b%20c.png": picture(2),
    }
    reading({"store": f"{web.url}/p/"})
    assert reading.rows() == [("p/a.png", "ok"), ("p/sub/b c.png", "ok")]
    web.statuses()
    reading()
    assert web.statuses() == [200, 200, 304, 304]


@pytest.mark.parametrize("page", [b"<title>Sign in</title>", b"", b"\x00\x01", listing(title="Welcome")])
def test_a_page_that_is_no_listing_is_not_an_empty_folder(reading, web, page):
    web.files = {"/p/": listing("a.png"), "/p/a.png": picture(1)}
    reading({"store": f"{web.url}/p/"})
    web.files["/p/"] = page
    files = reading()
    assert reading.rows() == [("p", "unlistable"), ("p/a.png", "stale")]
    assert "give a manifest" in files["error"][0]
