"""What an address in the configuration may look like, and what of an address is ever shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg_pipeline.config import ConfigError, load_collections
from kg_pipeline.store_addresses import parse_address

START = "collections:\n  a:\n    documents: [{root: docs}]\n    images:\n      - "


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("store: https://joe:s3cr3t@host.example/p/", "no user or password in an address"),
        ("store: s3://joe:s3cr3t@bucket/p", "no user or password in an address"),
        ("store: https://host.example/m.csv?token=s3cr3t", "the address is a signed one"),
        ("store: https://host.example/m.csv?X-Amz-Signature=s3cr3t", "the address is a signed one"),
        ("store: ftp://host.example/p/", "expected an address such as s3://bucket/folder"),
        ("store: s3:///p", "expected the name of a bucket"),
        ("store: https:///p/", "expected the name of a host"),
        ("store: https://host.example/folder", "a folder of a web server ends with `/`"),
        ("folder: s3://bucket/p", "write it under `store`"),
        ("{store: s3://bucket/p, folder: x}", "exactly one of folder, archive, manifest, store"),
        ("{folder: x, endpoint: https://minio.example}", "`endpoint` belongs to a store"),
        ("{store: s3://bucket/p, endpoint: https://joe:s3cr3t@minio.example}", "no user or password"),
        ("{store: s3://bucket/p, hosts: [https://cdn.example]}", "`hosts` belongs to a manifest"),
    ],
)
def test_a_wrong_address_is_refused_in_words_without_its_secret(tmp_path, entry, words):
    path = tmp_path / "collections.yaml"
    path.write_text(f"{START}{entry}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 5") as error:
        load_collections(path)
    assert words in str(error.value)
    assert "s3cr3t" not in str(error.value)


@pytest.mark.parametrize(
    ("written", "shown", "name"),
    [
        ("s3://bucket/a b/ü?#.png", "s3://bucket/a b/ü?#.png", "ü?#.png"),
        ("gs://bucket", "gs://bucket/", "bucket"),
        ("HTTPS://Host.Example:443/a b/ü.png", "https://host.example/a%20b/%C3%BC.png", "ü.png"),
        ("https://host.example:8443/x/?b=2&sig=x", "https://host.example:8443/x/?b=2", "x"),
        ("http://[::1]:80/x.csv#part", "http://[::1]/x.csv", "x.csv"),
    ],
)
def test_an_address_has_one_spelling(written, shown, name):
    address = parse_address(written)
    assert (str(address), address.name) == (shown, name)
    assert parse_address(str(address)) == parse_address(shown)


@given(st.sampled_from(["s3", "gs", "az", "https", "http"]), st.text(max_size=60))
def test_what_is_shown_of_an_address_is_an_address_and_stays_as_it_is(scheme, rest):
    try:
        address = parse_address(f"{scheme}://host{rest}")
    except ValueError:
        return
    assert str(parse_address(str(address))) == str(address)
    assert "@" not in address.host
