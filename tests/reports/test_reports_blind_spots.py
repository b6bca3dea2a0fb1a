import polars as pl
import pytest

from kg_pipeline.reports.blind_spots import is_scored_without_pixels, pictures_without_text
from kg_pipeline.tables import TABLES


def mute(
    *names: str, texts: dict[str, str] | None = None, decorative: tuple[str, ...] = (), inside: tuple[str, ...] = ()
) -> list[str]:
    images = [
        {"image_id": name, "path": f"{name}.png", "role": "decorative" if name in decorative else "content"}
        for name in names
    ]
    rows = [{"image_id": name, "source": "name", "text": name} for name in names]
    rows += [{"image_id": name, "source": source, "text": "words"} for name, source in (texts or {}).items()]
    lying = [{"image_id": name, "kind": "embedded", "status": "ok"} for name in inside]
    tables = TABLES["images"].rows(images), TABLES["image_texts"].rows(rows), TABLES["references"].rows(lying)
    return pictures_without_text(*tables)


@pytest.mark.parametrize("name", ["IMG_0412", "DSC00017", "20240117_093012", "图片 3", "photo (2)"])
def test_a_name_of_the_camera_says_nothing(name):
    assert mute(name) == [f"{name}.png"]


@pytest.mark.parametrize("name", ["torque_wrench", "机柜报警灯", "rack_001"])
def test_a_name_with_a_word_of_its_own_says_something(name):
    assert mute(name) == []


def test_names_that_differ_in_their_number_alone_do_not_tell_the_pictures_apart():
    assert mute("rack_001", "rack_002", "rack_rear") == ["rack_001.png", "rack_002.png"]


@pytest.mark.parametrize("source", ["ocr", "svg", "description"])
def test_text_in_the_picture_is_enough(source):
    assert mute("IMG_1", texts={"IMG_1": source}) == []


@pytest.mark.parametrize(("text", "is_mute"), [("0", True), ("l 1 |", True), ("OK", False), ("报警", False)])
def test_what_ocr_sees_in_a_lamp_is_no_text(text, is_mute):
    images = TABLES["images"].rows([{"image_id": "a", "path": "IMG_1.png", "role": "content"}])
    texts = TABLES["image_texts"].rows(
        [{"image_id": "a", "source": source, "text": text} for source, text in (("name", "IMG_1"), ("ocr", text))]
    )
    assert pictures_without_text(images, texts, TABLES["references"].empty()) == ["IMG_1.png"] * is_mute


def test_folders_and_camera_times_are_no_text_of_the_picture():
    assert mute("IMG_1", texts={"IMG_1": "folder"}) == mute("IMG_1", texts={"IMG_1": "exif"}) == ["IMG_1.png"]


def test_a_second_telling_name_of_the_same_picture_is_enough():
    images = TABLES["images"].rows([{"image_id": "a", "path": "IMG_1.png", "role": "content"}])
    texts = TABLES["image_texts"].rows(
        [{"image_id": "a", "source": "name", "text": text} for text in ("IMG_1", "torque_wrench")]
    )
    assert pictures_without_text(images, texts, TABLES["references"].empty()) == []


def test_a_picture_that_lies_in_a_document_needs_no_text_to_be_placed():
    assert mute("p3-1", inside=("p3-1",)) == []


def test_decorative_pictures_are_not_asked_about():
    assert mute("IMG_1", decorative=("IMG_1",)) == []


@pytest.mark.parametrize(
    ("scorer", "blind"), [("evidence-model/1", True), ("evidence-model/2", True), ("lychee", False)]
)
def test_the_scorer_tells_whether_pixels_were_looked_at(scorer, blind):
    evidence = TABLES["visual_evidence"].rows([{"type": "ILLUSTRATES", "scorer": scorer}])
    assert is_scored_without_pixels(evidence) is blind
    assert is_scored_without_pixels(evidence.filter(pl.lit(False))) is False
