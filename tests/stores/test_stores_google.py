"""Google's client, on a server that speaks S3: object_store lists and reads through the XML API, which is the same."""

from store_servers import picture


def test_pictures_of_a_google_bucket_are_listed_and_fetched_once(s3, bucket, reading, monkeypatch):
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    s3.put(bucket, site__a_png=picture(1), site__sub__b_png=picture(2))
    assert reading({"store": f"gs://{bucket}/site", "endpoint": s3.url})["error"].to_list() == ["denied (403)"] * 2
    for key in ("site/a.png", "site/sub/b.png"):
        s3.client.put_object_acl(Bucket=bucket, Key=key, ACL="public-read")
    files = reading()
    assert files.select("path", "status", "origin").rows() == [
        ("site/a.png", "ok", f"gs://{bucket}/site/a.png"),
        ("site/sub/b.png", "ok", f"gs://{bucket}/site/sub/b.png"),
    ]
    assert reading().equals(files)
    assert (reading.report.unchanged, reading.report.read_requests) == (2, 0)


def test_a_google_bucket_without_credentials_says_what_to_set(s3, bucket, reading, monkeypatch, tmp_path):
    for name in ("GOOGLE_SKIP_SIGNATURE", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    files = reading({"store": f"gs://{bucket}/site", "endpoint": s3.url})
    assert files["status"].to_list() == ["unlistable"]
    assert "none.json" in files["error"][0] or "GOOGLE_APPLICATION_CREDENTIALS" in files["error"][0]
