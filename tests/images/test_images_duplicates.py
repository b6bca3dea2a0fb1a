import io

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from pictures import drawn, image_row, save
from PIL import Image

from kg_pipeline.images.duplicates import MAX_DISTANCE, MIN_INFORMATION, duplicate_groups


def table(hashes: list[int], sizes: list[tuple[int, int]] | None = None) -> pl.DataFrame:
    sizes = sizes or [(100, 100)] * len(hashes)
    return pl.DataFrame(
        {
            "image_id": [f"{number:06}" for number in range(len(hashes))],
            "width": [width for width, _ in sizes],
            "height": [height for _, height in sizes],
            "perceptual_hash": [f"{value:064x}" for value in hashes],
        },
        schema={"image_id": pl.String, "width": pl.Int64, "height": pl.Int64, "perceptual_hash": pl.String},
    )


def groups(images: pl.DataFrame) -> dict[str, str]:
    return dict(duplicate_groups(images).iter_rows())


def flip(value: int, bits) -> int:
    for bit in bits:
        value ^= 1 << bit
    return value


def brute_force(images: pl.DataFrame) -> dict[str, str]:
    rows = [
        (image_id, int(hash_, 16), width / height)
        for image_id, width, height, hash_ in images.iter_rows()
        if min(width, height) >= 48 and MIN_INFORMATION <= int(hash_, 16).bit_count() <= 256 - MIN_INFORMATION
    ]
    group = {image_id: image_id for image_id, _, _ in rows}
    for left, left_hash, left_aspect in rows:
        for right, right_hash, right_aspect in rows:
            aspects = max(left_aspect, right_aspect) / min(left_aspect, right_aspect)
            if (left_hash ^ right_hash).bit_count() <= MAX_DISTANCE and aspects <= 1.05 + 1e-9:
                old, new = group[left], group[right]
                group = {key: new if value == old else value for key, value in group.items()}
    members: dict[str, list[str]] = {}
    for image_id, name in group.items():
        members.setdefault(name, []).append(image_id)
    return {image_id: min(ids) for ids in members.values() if len(ids) > 1 for image_id in ids}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sets(st.integers(0, 255), max_size=8),
            st.sampled_from([(100, 100), (103, 100), (40, 60)]),
        ),
        max_size=25,
    )
)
def test_groups_are_those_of_comparing_all_with_all(drawn_rows):
    bases = [0, int("5a" * 32, 16), int("0f" * 32, 16)]
    images = table([flip(bases[base], bits) for base, bits, _ in drawn_rows], [size for *_, size in drawn_rows])
    assert groups(images) == brute_force(images)


def test_six_bits_apart_are_alike_and_seven_are_not():
    base = int("5a" * 32, 16)
    spread = range(0, 256, 40)
    assert groups(table([base, flip(base, spread[:6])])) == {"000000": "000000", "000001": "000000"}
    assert groups(table([base, flip(base, spread[:7])])) == {}


def test_nearly_flat_pictures_do_not_make_a_giant_group():
    assert groups(table([1 << bit for bit in range(200)])) == {}


def test_small_pictures_and_other_shapes_are_left_alone():
    base = int("5a" * 32, 16)
    assert groups(table([base, base], [(47, 47), (47, 47)])) == {}
    assert groups(table([base, base], [(100, 100), (106, 100)])) == {}


def test_thousands_of_like_pictures_are_grouped_without_comparing_in_python():
    random = np.random.default_rng(7)
    bases = [int.from_bytes(random.bytes(32), "big") for _ in range(2000)]
    alike = [flip(bases[0], random.choice(256, 2, replace=False).tolist()) for _ in range(1500)]
    found = groups(table(bases + alike))
    assert len(found) == 1501
    assert set(found.values()) == {"000000"}


def test_a_rescaled_and_recompressed_copy_is_a_look_alike(docs, inventory):
    picture = drawn(1, (400, 300))
    save(docs / "a.png", picture)
    save(docs / "b.jpg", picture.resize((200, 150), Image.Resampling.LANCZOS), quality=80)
    save(docs / "c.png", drawn(2, (400, 300)))
    found = inventory()
    group = image_row(found, "a.png")["duplicate_group"]
    assert group == min(image_row(found, "a.png")["image_id"], image_row(found, "b.jpg")["image_id"])
    assert image_row(found, "b.jpg")["duplicate_group"] == group
    assert image_row(found, "c.png")["duplicate_group"] is None


def test_blank_pages_have_no_group(docs, inventory):
    for name, colour in (("a.png", "white"), ("b.png", "black"), ("c.png", "red")):
        save(docs / name, Image.new("RGB", (200, 100), colour))
    assert inventory().images["duplicate_group"].null_count() == 3


def test_svg_has_no_hash_and_no_group(docs, inventory):
    for name in ("a.svg", "b.svg"):
        (docs / name).write_text(
            f"<svg xmlns='http://www.w3.org/2000/svg' width='100' height='100'><!-- {name} --></svg>"
        )
    assert inventory().images["perceptual_hash"].null_count() == 2


def test_bytes_of_one_picture_saved_twice_differ_but_are_alike(docs, inventory):
    for level in (0, 9):
        file = io.BytesIO()
        drawn(1).save(file, "PNG", compress_level=level)
        (docs / f"{level}.png").write_bytes(file.getvalue())
    found = inventory()
    assert len(found.images) == 2 and found.images["duplicate_group"].n_unique() == 1
