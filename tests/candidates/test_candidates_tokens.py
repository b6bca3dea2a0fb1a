import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg_pipeline.candidates.folders import translation_key
from kg_pipeline.candidates.image_words import natural_key
from kg_pipeline.candidates.tokens import Vocabulary, folder_names, name_words, telling, tokens, words
from kg_pipeline.candidates.verbatim import occurrences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OpenLoop", ["open", "loop", "openloop"]),
        ("HTTPServer", ["http", "server", "httpserver"]),
        ("使用摄像头", ["使用", "用摄", "摄像", "像头"]),
        ("step_003", ["step", "3"]),
        ("i2c", ["i", "2", "c", "i2c"]),
        ("ＬＥＤ", ["led"]),
        ("Réglages", ["reglages"]),
        ("re\u0301seau", ["reseau"]),
        ("ガ", ["ガ"]),
        ("각", ["각"]),
    ],
)
def test_text_is_cut_into_words(text, expected):
    assert words(text) == expected


def test_tokens_are_stems_without_stop_words():
    assert tokens("the wiring of wires") == ["wire", "wire"]


def test_glued_names_are_split_at_words_of_the_corpus():
    vocabulary = Vocabulary()
    for _ in range(5):
        vocabulary.read("open the loop and configure the motor")
    assert name_words("openloop", vocabulary) == ["open", "loop", "openloop"]
    assert name_words("motor", vocabulary) == ["motor"]
    assert name_words("xyzzyq", vocabulary) == ["xyzzyq"]


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", ""),
        ("d41d8cd98f00b204e9800998ecf8427e", ""),
        ("20240102_101112", "_101112"),
        ("x7Kp92Lq8Zt41bQe", ""),
        ("stm32f103c8t6", "stm32f103c8t6"),
        ("can-bus-2024", "can-bus-2024"),
        ("facade", "facade"),
    ],
)
def test_numbers_of_machines_are_no_words(name, left):
    assert telling(name).strip() == left


@pytest.mark.parametrize(
    ("path", "other", "same"),
    [
        ("doc/en/camera.md", "doc/zh/camera.md", True),
        ("camera.md", "camera.zh.md", True),
        ("README.md", "README_zh-cn.md", True),
        ("doc/en/camera.md", "doc/zh/screen.md", False),
        ("a/camera.md", "b/camera.md", False),
        ("plan_b.md", "plan_a.md", False),
    ],
)
def test_translations_are_the_same_work(path, other, same):
    assert (translation_key(path) == translation_key(other)) == same


def test_generic_folders_and_languages_tell_nothing():
    assert folder_names("docs/en/images/can-bus") == ["can-bus"]


def test_numbers_in_names_count_as_numbers():
    assert sorted(["step10", "step2", "step1"], key=natural_key) == ["step1", "step2", "step10"]


@given(st.lists(st.text(alphabet="ab使\n", max_size=30), max_size=8), st.lists(st.text(alphabet="ab使", max_size=9)))
def test_verbatim_occurrences_are_those_of_the_in_operator(texts, needles):
    needle, text = occurrences(needles, [texts[:3], texts[3:]])
    expected = [(i, j) for i, a in enumerate(needles) for j, b in enumerate(texts) if len(a) > 1 and a in b]
    assert list(zip(needle.tolist(), text.tolist(), strict=True)) == expected
