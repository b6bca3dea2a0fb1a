import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg_pipeline.config import Limits
from kg_pipeline.images import ImageError, open_image_bytes
from kg_pipeline.images.addresses import file_uri, member_uri, parse_uri, table_text

# Any bytes a POSIX file name may have, and any text a member's may.
file_names = st.one_of(
    st.binary(min_size=1, max_size=40).map(lambda raw: raw.replace(b"/", b"_").replace(b"\0", b"_")),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1).map(
        lambda text: text.encode()
    ),
).filter(lambda raw: raw not in (b".", b"..") and len(raw) < 200)
member_parts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0\\:"), min_size=1, max_size=20)
member_names = st.lists(member_parts.filter(lambda part: part not in (".", "..")), min_size=1, max_size=3).map("/".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=file_names)
def test_the_address_of_a_file_leads_back_to_its_bytes(tmp_path, raw):
    path = tmp_path / os.fsdecode(raw)
    try:
        path.write_bytes(raw)
    except OSError:
        return  # a name that this file system refuses
    uri = file_uri(path)
    assert uri.isascii()
    assert parse_uri(uri).file == path
    assert open_image_bytes(uri, Limits()) == raw
    table_text(path.name).encode("utf-8")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=member_names)
def test_the_address_of_a_member_leads_back_to_its_bytes(tmp_path, name):
    data = name.encode()
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(name, data)
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    for kind in ("zip", "tar"):
        assert open_image_bytes(member_uri(kind, tmp_path / f"x.{kind}", name), Limits()) == data


@pytest.mark.parametrize(
    "uri", ["", "a.png", "http://x/a.png", "file://host/a.png", "file:///a.zip!/b", "zip:///a.zip", "ftp:///a!/b"]
)
def test_what_is_no_address_is_an_image_error(uri):
    with pytest.raises(ImageError, match="not an address"):
        parse_uri(uri)


def test_a_missing_file_and_a_missing_member_are_image_errors(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    for uri in (file_uri(tmp_path / "none.png"), member_uri("zip", tmp_path / "x.zip", "none.png")):
        with pytest.raises(ImageError):
            open_image_bytes(uri, Limits())


def test_bytes_beyond_the_limit_are_refused(tmp_path):
    Path(tmp_path / "a").write_bytes(bytes(11))
    with pytest.raises(ImageError, match="image_bytes"):
        open_image_bytes(file_uri(tmp_path / "a"), Limits(image_bytes=10))
