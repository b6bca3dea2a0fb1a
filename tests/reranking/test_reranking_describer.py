"""Descriptions by a checkpoint: the real path with random weights, whose words are nonsense."""

import pytest
from PIL import Image

from kg_pipeline.config import Limits
from kg_pipeline.descriptions import DescriptionError, UndescribedError, choose_describer, describe_collection
from kg_pipeline.descriptions import checkpoint as describing_checkpoint
from kg_pipeline.descriptions.asking import ASKED, cleaned, small_jpeg
from kg_pipeline.images import read_inventory
from kg_pipeline.model_sections import Descriptions


def section(folder, **settings):
    return Descriptions(**{"checkpoint": str(folder), "device": "cpu", "dtype": "float32", **settings})


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(describing_checkpoint, "MOST_TOKENS", 8)


@pytest.mark.parametrize("model_type", ["qwen2_5_vl", "qwen3_vl"])
def test_a_checkpoint_writes_about_a_picture(model_type, checkpoint, picture, png):
    describer = choose_describer(section(checkpoint(model_type)), None, Limits())
    jpeg = small_jpeg(png(picture(90, 60)), Limits())
    written = describer.describe(jpeg)
    assert written == describer.describe(jpeg) == cleaned(written) != ""
    assert describer.fingerprint.startswith("qwen-vl:")
    describer.close()


def test_the_words_are_those_of_the_model_itself(engine, loop, picture, png):
    import torch

    image, plain = picture(90, 60), loop("qwen2_5_vl")
    content = [{"type": "image", "image": image}, {"type": "text", "text": ASKED["en"]}]
    prompt = plain.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    inputs = plain.processor(
        text=[prompt], images=[image], images_kwargs={"size": {"shortest_edge": 3136, "longest_edge": 1003520}},
        return_tensors="pt",
    )  # fmt: skip
    with torch.inference_mode():
        written = plain.model.generate(**inputs, max_new_tokens=8, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    expected = plain.processor.tokenizer.decode(written, skip_special_tokens=True).strip()
    assert engine().write(png(image), ASKED["en"], "", 8) == expected


def test_pictures_of_a_collection_are_described_once(make_collection, checkpoint, tmp_path):
    (tmp_path / "docs").mkdir()
    Image.new("RGB", (300, 200), "red").save(tmp_path / "docs" / "a.png")
    picture = Image.new("RGB", (3000, 10), "red")  # 300 times as wide as high: no model of this family takes it
    picture.paste("blue", (0, 0, 1500, 10))
    picture.save(tmp_path / "docs" / "long.png")
    collection = make_collection(descriptions=section(checkpoint("qwen2_5_vl")).model_dump())
    inventory = read_inventory(collection, None, 1)
    table, report = describe_collection(collection, inventory, tmp_path / "cache")
    wanted = inventory.images.filter(role="content").height
    assert (report.new_images, len(table)) == (wanted, wanted)
    again, report = describe_collection(collection, inventory, tmp_path / "cache")
    assert again.equals(table)
    assert report.cache_hits == wanted


def test_a_picture_that_the_family_does_not_take_has_no_words(checkpoint):
    describer = choose_describer(section(checkpoint("qwen2_5_vl")), None, Limits())
    with pytest.raises(UndescribedError, match="the model does not take the picture"):
        describer.describe(b"no picture")


def test_a_checkpoint_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DescriptionError, match=r"descriptions: checkpoint .* no such folder"):
        choose_describer(section(tmp_path / "none"), None, Limits())


def test_weights_and_precision_are_part_of_the_fingerprint(checkpoint):
    fingerprints = {
        choose_describer(section(checkpoint(kind), dtype=dtype), None, Limits()).fingerprint
        for kind in ("qwen2_5_vl", "qwen3_vl")
        for dtype in ("float32", "bfloat16")
    }
    assert len(fingerprints) == 4
