import pytest
from pictures import drawn, image_row, save
from PIL import Image

from kg_pipeline.images.decorative import RULES, Look, decorative_reason


@pytest.mark.parametrize(
    ("path", "width", "height", "one_colour", "decorative"),
    [
        ("shots/window.png", 800, 600, False, False),
        ("logo.png", 400, 300, False, False),
        ("logo.png", 120, 60, False, True),
        ("icons/save.png", 96, 96, False, True),
        ("img/UserAvatar2.png", 128, 128, False, True),
        ("img/图标/a.png", 100, 100, False, True),
        ("img/silicon.png", 120, 120, False, False),
        ("img/logic.png", 120, 120, False, False),
        ("dialogue/small.png", 150, 90, False, False),
        ("a.png", 64, 64, False, True),
        ("a.png", 65, 64, False, False),
        ("a.png", 300, 300, True, True),
        ("line.png", 800, 10, False, True),
        ("toolbar.png", 1500, 60, False, False),
        ("a.svg", None, None, False, False),
        ("icon.svg", None, None, False, False),
    ],
)
def test_small_things_and_lines_are_decoration_and_named_things_only_when_small(
    path, width, height, one_colour, decorative
):
    assert (decorative_reason(Look((path,), width, height, one_colour)) is not None) == decorative


def test_every_rule_says_why():
    assert len({rule.reason for rule in RULES}) == len(RULES)


def test_role_and_reason_stand_in_the_table(docs, inventory):
    save(docs / "icon.png", drawn(1, (32, 32)))
    save(docs / "shot.png", drawn(1))
    save(docs / "clear.png", Image.new("RGBA", (300, 300), (9, 9, 9, 0)))
    found = inventory()
    assert image_row(found, "icon.png")["decorative_reason"] == "icon: no side over 64 px"
    assert image_row(found, "clear.png")["decorative_reason"] == "one colour only"
    assert (image_row(found, "shot.png")["role"], image_row(found, "shot.png")["decorative_reason"]) == (
        "content",
        None,
    )
