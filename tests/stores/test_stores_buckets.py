"""Pictures of buckets, on a real server that speaks S3."""

import logging
from pathlib import Path

import polars as pl
import pytest
from store_servers import SECRET_KEY, picture

from kg_pipeline.images.addresses import open_image_bytes


@pytest.fixture
def filled(s3, bucket):
    s3.put(bucket, site__a_png=picture(1), site__sub__b_png=picture(2), site__notes=b"text", other__c_png=picture(3))
    return {"store": f"s3://{bucket}/site", "endpoint": s3.url}


def test_pictures_below_the_prefix_become_rows_with_a_copy_and_the_address_they_came_from(reading, filled):
    files = reading(filled)
    assert files.select("path", "status", "origin").rows() == [
        ("site/a.png", "ok", f"{filled['store']}/a.png"),
        ("site/sub/b.png", "ok", f"{filled['store']}/sub/b.png"),
    ]
    assert open_image_bytes(files["uri"][0], reading.collection.limits) == picture(1)
    assert (reading.report.listed, reading.report.fetched, reading.report.list_requests) == (3, 2, 1)
    assert reading.report.bytes == len(picture(1)) + len(picture(2))


def test_an_unchanged_object_is_not_fetched_again_and_the_tables_are_the_same(reading, filled):
    first = reading(filled)
    assert reading().equals(first)
    assert (reading.report.unchanged, reading.report.fetched, reading.report.read_requests) == (2, 0, 0)


def test_a_changed_object_is_fetched_again_and_its_old_copy_goes_in_the_end(reading, filled, s3, bucket, monkeypatch):
    old = Path(reading(filled)["uri"][0].removeprefix("file://"))
    s3.put(bucket, site__a_png=picture(9))
    files = reading()
    assert (reading.report.fetched, reading.report.unchanged) == (1, 1)
    assert open_image_bytes(files["uri"][0], reading.collection.limits) == picture(9)
    assert old.exists()
    monkeypatch.setattr("kg_pipeline.stores.cache.GRACE_SECONDS", -1.0)
    reading()
    assert not old.exists()
    assert reading.report.freed_bytes == len(picture(1))
    assert reading.rows() == [("site/a.png", "ok"), ("site/sub/b.png", "ok")]


def test_a_copy_that_was_deleted_or_cut_off_is_fetched_again(reading, filled):
    files = reading(filled)
    Path(files["uri"][0].removeprefix("file://")).unlink()
    Path(files["uri"][1].removeprefix("file://")).write_bytes(b"cut")
    assert reading().equals(files)
    assert reading.report.fetched == 2


def test_an_object_that_is_gone_from_the_listing_is_gone_from_the_table(reading, filled, s3, bucket):
    reading(filled)
    s3.client.delete_object(Bucket=bucket, Key="site/a.png")
    reading()
    assert reading.rows() == [("site/sub/b.png", "ok")]


@pytest.mark.parametrize("problem", ["away", "no bucket", "empty folder", "wrong region of the world"])
def test_a_store_that_cannot_be_listed_keeps_what_was_known(reading, filled, problem, s3, bucket, caplog):
    reading(filled)
    if problem == "away":
        reading.collection = changed(reading, endpoint="http://127.0.0.1:9")
    elif problem == "wrong region of the world":
        reading.collection = changed(reading, endpoint="http://no-such-host.invalid")
    elif problem == "empty folder":
        for key in ("site/a.png", "site/sub/b.png", "site/notes"):
            s3.client.delete_object(Bucket=bucket, Key=key)
    else:
        for key in ("site/a.png", "site/sub/b.png", "site/notes", "other/c.png"):
            s3.client.delete_object(Bucket=bucket, Key=key)
        s3.client.delete_bucket(Bucket=bucket)
    files = reading()
    assert reading.rows() == [("site", "unlistable"), ("site/a.png", "stale"), ("site/sub/b.png", "stale")]
    assert f"s3://{bucket}/site" in files["error"][0]
    assert reading.report.unlistable == 1
    assert open_image_bytes(files["uri"][1], reading.collection.limits) == picture(1)
    assert SECRET_KEY not in str(files.to_dicts()) + caplog.text
    again = reading()
    assert again.equals(files)


def changed(reading, **keys):
    entry = reading.collection.images[0].model_copy(update=keys)
    return reading.collection.model_copy(update={"images": (entry,)})


def test_an_object_that_vanishes_between_listing_and_reading_is_stale_where_it_was_known(
    reading, filled, s3, bucket, monkeypatch
):
    reading(filled)
    from kg_pipeline.stores.buckets import Bucket

    listed = Bucket.pages

    def then_vanish(own, after=None):
        pages = list(listed(own, after))
        s3.client.delete_object(Bucket=bucket, Key="site/a.png")
        s3.client.delete_object(Bucket=bucket, Key="site/new.png")
        yield from pages

    s3.put(bucket, site__a_png=picture(5), site__new_png=picture(6))
    monkeypatch.setattr(Bucket, "pages", then_vanish)
    files = reading()
    assert reading.rows() == [("site/a.png", "stale"), ("site/new.png", "unreadable"), ("site/sub/b.png", "ok")]
    assert files["error"][0] == files["error"][1] == "is gone since it was listed (404)"
    assert reading.report.unreadable == 2


def test_a_denied_object_is_unreadable_and_a_denied_bucket_unlistable(reading, filled, monkeypatch):
    from obstore.exceptions import PermissionDeniedError

    def denied(*_, **__):
        raise PermissionDeniedError(f"status code: 403 Forbidden {SECRET_KEY}")

    monkeypatch.setattr("obstore.get", denied)
    files = reading(filled)
    assert files["error"].to_list() == ["denied (403)"] * 2
    monkeypatch.setattr("obstore.list", denied)
    files = reading()
    assert "denied (403); credentials are AWS_ACCESS_KEY_ID" in files["error"][0]


def test_an_object_over_the_limit_is_skipped_without_being_fetched(reading, filled, s3, bucket):
    s3.put(bucket, site__big_png=picture(1) + bytes(5_000))
    files = reading(filled, limits={"image_bytes": 4_000})
    assert files.filter(status="skipped")["error"].to_list() == [
        f"{len(picture(1)) + 5_000:,} bytes, more than 4,000 (limits.image_bytes); not fetched"
    ]
    assert reading.report.read_requests == 2


@pytest.mark.parametrize("limit", [{"store_objects": 2}, {"store_bytes": 100}])
def test_a_store_beyond_the_limits_is_not_fetched(reading, filled, limit):
    files = reading(filled, limits=limit)
    assert files["status"].to_list() == ["unlistable"]
    assert f"limits.{next(iter(limit))}" in files["error"][0]
    assert reading.report.read_requests == 0


def test_include_exclude_and_folders_that_are_never_content_hold_for_keys(reading, filled, s3, bucket):
    s3.put(bucket, site__node_modules__x_png=picture(4), site__drafts__y_png=picture(5))
    reading(filled | {"exclude": ["drafts/"]})
    assert reading.rows() == [("site/a.png", "ok"), ("site/sub/b.png", "ok")]


def test_an_excluded_picture_leaves_the_table_and_nothing_else(reading, filled):
    reading(filled)
    reading(filled | {"exclude": ["sub/"]})
    assert reading.rows() == [("site/a.png", "ok")]


def test_the_same_object_by_two_places_is_listed_once_and_equal_bytes_are_one_copy(reading, filled, s3, bucket):
    s3.put(bucket, site__copy_png=picture(1))
    files = reading(filled, {"store": f"s3://{bucket}/site/sub", "endpoint": s3.url, "name": "again"})
    assert reading.rows() == [("site/a.png", "ok"), ("site/copy.png", "ok"), ("site/sub/b.png", "ok")]
    assert files["uri"][0] == files["uri"][1]


def test_keys_with_blanks_percent_signs_and_other_scripts_keep_their_names(reading, s3, bucket):
    for key in ("p/ü %20+&.png", "p/图 1.png"):
        s3.client.put_object(Bucket=bucket, Key=key, Body=picture(1))
    files = reading({"store": f"s3://{bucket}/p", "endpoint": s3.url})
    assert files["path"].to_list() == ["p/ü %20+&.png", "p/图 1.png"]
    assert files["status"].to_list() == ["ok", "ok"]


def test_a_profile_gives_the_credentials(reading, filled, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    credentials = tmp_path / "credentials"
    credentials.write_text("[docs]\naws_access_key_id = testing\naws_secret_access_key = whatever\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_PROFILE", "docs")
    assert reading(filled)["status"].to_list() == ["ok", "ok"]
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "nobody" in reading()["error"][0]


def test_ten_thousand_and_one_objects_are_listed_by_pages(reading, s3, bucket, monkeypatch):
    from moto.s3.models import s3_backends

    backend = s3_backends["123456789012"]["aws"]
    for number in range(10_001):  # through the server it would take a minute
        backend.put_object(bucket, f"many/{number:05}.txt", b"x")
    s3.put(bucket, many__z_png=picture(1))
    reading({"store": f"s3://{bucket}/many", "endpoint": s3.url})
    assert reading.rows() == [("many/z.png", "ok")]
    assert reading.report.listed == 10_002
    assert reading.report.list_requests == 11


def test_the_log_says_what_was_asked_and_received(reading, filled, caplog):
    with caplog.at_level(logging.INFO):
        reading(filled)
    assert "1 list requests, 2 read requests" in caplog.text


def test_a_server_that_stops_answering_is_not_asked_for_every_picture(reading, filled, monkeypatch):
    from obstore.exceptions import GenericError

    from kg_pipeline.stores import fetching

    def silent(*_, **__):
        raise GenericError("HTTP error: error sending request")

    monkeypatch.setattr(fetching, "AWAY_AFTER", 1)
    monkeypatch.setattr(fetching, "PARALLEL", 1)
    monkeypatch.setattr("obstore.get", silent)
    files = reading(filled)
    assert files.select(pl.col("status").unique()).item() == "unreadable"
    assert ["does not answer" in error for error in files["error"]] == [True, False]


def test_a_run_that_was_stopped_does_not_fetch_everything_again(reading, filled, monkeypatch):
    import obstore

    get, asked = obstore.get, []

    def stopped(store, key, **options):
        asked.append(key)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return get(store, key, **options)

    monkeypatch.setattr("kg_pipeline.stores.fetching.BATCH", 1)
    monkeypatch.setattr("kg_pipeline.images.remote.SAVED_EVERY_SECONDS", -1.0)
    monkeypatch.setattr("obstore.get", stopped)
    with pytest.raises(KeyboardInterrupt):
        reading(filled)
    reading()
    assert (reading.report.unchanged, reading.report.fetched) == (1, 1)
    assert reading.rows() == [("site/a.png", "ok"), ("site/sub/b.png", "ok")]
