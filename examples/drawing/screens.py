"""Screenshots of settings dialogs: a title bar, labelled fields, buttons."""

from drawing.canvas import Canvas

INK, QUIET, RULE, ACCENT = "#1c232b", "#5d6873", "#c6ced6", "#1f6fd1"


def dialog(title: str, tabs: tuple[str, ...], fields: tuple[tuple[str, str], ...], note: str) -> Canvas:
    """A dialog. A value that begins with [x] or [ ] is a check box, one that ends in ' v' a drop-down list."""
    height = 236 + 50 * len(fields)
    picture = Canvas(720, height, ("#7f93a8", "#5c7086"))
    picture.rect((36, 30, 684, height - 34), "#f4f6f8", 9, shadow=16)
    picture.rect((36, 30, 684, 74), ("#fdfdfe", "#e6eaee"), 9)
    picture.rect((36, 64, 684, 74), "#e6eaee")
    picture.text((58, 52), title, 20, INK, "lm", 0.4)
    for n, colour in enumerate(("#c8d0d8", "#c8d0d8", "#e5584d")):
        picture.disc((614 + n * 24, 52), 7, colour)
    left = 58.0
    for n, tab in enumerate(tabs):
        width = 22 + 9.4 * len(tab)
        picture.text((left + width / 2, 98), tab, 17, ACCENT if n == 0 else QUIET, "mm", 0.3 if n == 0 else 0)
        if n == 0:
            picture.rect((left, 112, left + width, 115), ACCENT)
        left += width + 10
    picture.rect((36, 115, 684, 116), RULE)
    for row, (label, value) in enumerate(fields):
        _field(picture, 136 + row * 50, label, value)
    bottom = height - 66
    picture.text((58, bottom), note, 15, QUIET, "lm")
    for x, name, primary in ((474, "Cancel", False), (576, "Apply", True)):
        picture.rect((x, bottom - 18, x + 88, bottom + 18), ACCENT if primary else "#dde3e9", 6)
        picture.text((x + 44, bottom), name, 17, "#ffffff" if primary else INK, "mm", 0.2)
    return picture


def _field(picture: Canvas, top: float, label: str, value: str) -> None:
    picture.text((58, top + 18), label, 18, INK, "lm")
    if value.startswith(("[x]", "[ ]")):
        ticked = value[1] == "x"
        picture.rect((340, top + 7, 362, top + 29), ACCENT if ticked else RULE, 4)
        if ticked:
            picture.line([(345, top + 18), (350, top + 23), (358, top + 13)], "#ffffff", 2.6)
        else:
            picture.rect((342, top + 9, 360, top + 27), "#ffffff", 3)
        picture.text((374, top + 18), value[4:], 17, INK, "lm")
        return
    picture.rect((340, top, 656, top + 36), RULE, 5)
    picture.rect((341, top + 1, 655, top + 35), "#ffffff", 5)
    shown = value.removesuffix(" v")
    picture.text((354, top + 18), shown, 18, INK, "lm")
    if shown != value:
        picture.polygon([(630, top + 14), (644, top + 14), (637, top + 23)], QUIET)
