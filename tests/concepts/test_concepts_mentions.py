import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg_pipeline.concepts import find_mentions
from kg_pipeline.tables import TABLES


def mentioned(text: str, *names: str) -> list[str]:
    concepts = TABLES["concepts"].rows([{"concept_id": name, "name": name, "aliases": []} for name in names])
    return find_mentions(concepts, pl.DataFrame({"chunk_id": ["c"], "text": [text]}), "chunk_id")["alias"].to_list()


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("Plug in the roboRIO.", "roboRIO", True),
        ("Plug in the ROBORIO.", "roborio", True),
        ("two motor controllers here", "Motor Controller", True),
        ("the motor-controller here", "Motor Controller", True),
        ("the controller's light", "controller", True),
        ("a motorbike", "motor", False),
        ("a promotor", "motor", False),
        ("no motor. Controller is next", "motor controller", False),
        ("you can do it", "CAN", False),
        ("the CAN bus", "CAN", True),
        ("two PDPs", "PDP", True),
        ("打开摄像头设置", "摄像头", True),
        ("摄像机", "摄像头", False),
        ("使用MaixCAM的摄像头", "MaixCAM", True),
        ("written in C++ today", "C++", True),
        ("ＰＷＭ pulses", "pwm pulse", True),
        ("le réseau électrique", "reseau", True),
        ("un reseau", "Réseau", True),
        ("glass", "glas", False),
        ("x", "x", False),
    ],
)
def test_names_are_found_as_people_write_them(text, name, found):
    assert mentioned(text, name) == ([name] if found else [])


def test_aliases_are_mentions_of_their_concept():
    concepts = TABLES["concepts"].rows([{"concept_id": "1", "name": "roboRIO", "aliases": ["controller box"]}])
    found = find_mentions(concepts, pl.DataFrame({"chunk_id": ["c"], "text": ["a controller box"]}), "chunk_id")
    assert found.rows() == [("c", "1", "controller box")]


def test_longer_and_shorter_names_are_both_found():
    assert mentioned("the motor controller", "motor", "motor controller") == ["motor", "motor controller"]


@given(st.text(), st.text(alphabet="aß使İ1 -'", max_size=8))
def test_any_text_and_any_name_can_be_read(text, name):
    assert mentioned(text, name) in ([], [name])


@given(st.lists(st.sampled_from(["alpha", "beta", "gamma", "使用"]), min_size=1, max_size=6))
def test_a_name_is_found_where_its_words_stand_in_a_row(words):
    assert mentioned(" ".join(words), "alpha beta") == (["alpha beta"] if "alpha beta" in " ".join(words) else [])
