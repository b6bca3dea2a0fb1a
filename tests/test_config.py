from pathlib import Path

import pytest

from kg_pipeline.config import Collection, ConfigError, dump_collection, load_collections


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "collections.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_relative_paths_are_relative_to_the_file(tmp_path):
    path = write(tmp_path, "collections: {manuals: {documents: [{root: docs}], images: [{archive: scans.zip}]}}")
    manuals = load_collections(path)["manuals"]
    assert manuals.documents[0].root == tmp_path / "docs"
    assert manuals.images[0].prefix == "scans.zip"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("collections:\n  a:\n    documents:\n      - rot: x\n", 4, "allowed here: exclude, include, name, root"),
        ("collections:\n  a:\n    documents: []\n", 3, "collections.a.documents"),
        ("collections:\n  a:\n    documents: [{root: x}]\n    kept:\n      max_rank: 0\n", 5, "max_rank"),
        ("collections:\n  a:\n    documents: [{root: x}]\n    images:\n      - {}\n", 5, "exactly one of folder"),
        ("collections:\n  ../a:\n    documents: [{root: x}]\n", 2, "letters, digits"),
        ("collections:\n  a:\n    documents: [{root: x}, {root: y}]\n", 3, "needs a `name`"),
        ("[]", 1, "collections"),
    ],
)
def test_an_error_names_file_line_key_and_what_is_allowed(tmp_path, text, line, words):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load_collections(path)
    assert f"{path}, line {line}" in str(error.value)
    assert words in str(error.value)


def test_invalid_yaml_and_missing_files_are_config_errors(tmp_path):
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_collections(write(tmp_path, "collections: {"))
    with pytest.raises(ConfigError, match="cannot be read"):
        load_collections(tmp_path / "none.yaml")


def test_a_dumped_collection_loads_as_the_same_collection(tmp_path):
    section = {
        "name": "a",
        "documents": [{"root": "docs", "site_roots": {"/x/": "."}}],
        "images": [{"folder": "p"}],
        "scoring": {"reranker": "none", "ocr": False},
    }
    collection = Collection.model_validate(section, context={"base": tmp_path})
    assert load_collections(write(tmp_path, dump_collection(collection)))["a"] == collection
