"""Pictures of the assembly line: control panel, PLC, torque wrench, phone frame, conveyor."""

import random
from math import cos, radians, sin

from drawing.canvas import Canvas, Point

GREEN, AMBER, RED = "#3ddc73", "#ffab2e", "#ff3b30"


def control_panel(*, running: bool) -> Canvas:
    """A blue panel. Running: RUN is lit green. Else: the emergency stop is pressed and the fault lamp lit."""
    picture = Canvas(820, 560, ("#9aa3ab", "#6a737b"))
    picture.rect((60, 36, 760, 530), ("#2f6fc4", "#173f7e"), 16, shadow=20)
    picture.rect((72, 48, 748, 52), "#8fbcf3", 2, opacity=0.5)
    for corner in ((88, 64), (732, 64), (88, 502), (732, 502)):
        picture.screw(corner, 8)
    picture.rect((120, 76, 520, 236), "#0a0f15", 8)
    picture.rect((130, 86, 510, 226), ("#0f2a3d", "#0a1c2a"), 4)
    state, colour = ("LINE 2   RUNNING", GREEN) if running else ("LINE 2   EMERGENCY STOP", RED)
    picture.text((148, 102), state, 24, colour, bold=0.5)
    speed, pieces = ("18 pcs/min", "1 204") if running else ("0 pcs/min", "1 187")
    for row, (name, value) in enumerate((("Speed", speed), ("Good parts", pieces), ("Recipe", "GB-204"))):
        picture.text((148, 138 + row * 27), name, 18, "#8fb6cf")
        picture.text((290, 138 + row * 27), value, 18, "#e4f1fa")
    _lamp(picture, (588, 130), "POWER", "#f4f7fa", lit=True)
    _lamp(picture, (676, 130), "FAULT", RED, lit=not running)
    _button(picture, (200, 352), "RUN", GREEN, lit=running)
    _button(picture, (350, 352), "STOP", RED, lit=False)
    _button(picture, (500, 352), "RESET", "#3fa0ff", lit=False)
    _emergency_stop(picture, (652, 352), pressed=not running)
    return picture


def _lamp(picture: Canvas, at: Point, name: str, colour: str, *, lit: bool) -> None:
    picture.disc(at, 26, ("#cfd5da", "#7d858d"), shadow=4)
    picture.led(at, 17, colour, lit)
    picture.text((at[0], at[1] + 48), name, 16, "#f2f6fb", "mm", 0.3)


def _button(picture: Canvas, at: Point, name: str, colour: str, *, lit: bool) -> None:
    picture.disc(at, 58, ("#dde2e6", "#848c94"), shadow=8)
    picture.disc(at, 49, "#1a1f24")
    picture.led(at, 44 / 1.45, colour, lit)
    picture.disc(at, 44, colour if lit else "#343d46", opacity=0.82)
    picture.ellipse((at[0] - 30, at[1] - 38, at[0] + 30, at[1] - 8), "#ffffff", opacity=0.25 if lit else 0.1)
    if lit:
        picture.glow(at, 150, colour, 0.5)
    picture.text(at, name, 21, "#06210f" if lit else "#dfe5ea", "mm", 0.6)
    picture.rect((at[0] - 44, at[1] + 76, at[0] + 44, at[1] + 102), "#f1f4f7", 3)
    picture.text((at[0], at[1] + 89), name, 17, "#16202a", "mm", 0.4)


def _emergency_stop(picture: Canvas, at: Point, *, pressed: bool) -> None:
    picture.disc(at, 72, ("#ffdc3a", "#dcae0f"), shadow=6)
    radius, reach = (46, 5) if pressed else (50, 16)
    picture.disc(at, radius, ("#f0493c", "#a3160f"), shadow=reach)
    picture.ellipse((at[0] - 30, at[1] - 36, at[0] + 30, at[1] - 4), "#ffffff", opacity=0.2)
    picture.text((at[0], at[1] + 89), "E-STOP", 18, "#ffe27a", "mm", 0.5)


def plc(*, fault: bool) -> Canvas:
    """A PLC on its rail: CPU with four LEDs, and two input/output modules."""
    picture = Canvas(800, 560, ("#b4bbc1", "#8b939a"))
    picture.rect((0, 250, 800, 330), ("#e3e6e8", "#a3abb2"))
    picture.line([(0, 262), (800, 262)], "#737b83", 2)
    picture.line([(0, 318), (800, 318)], "#737b83", 2)
    picture.rect((90, 60, 340, 510), ("#434b54", "#2a3037"), 8, shadow=16)
    picture.text((112, 80), "CPU 314", 26, "#f0f3f5", bold=0.5)
    picture.rect((112, 122, 318, 300), ("#20252b", "#171b1f"), 5)
    lamps = (("PWR", GREEN, True), ("RUN", GREEN, not fault), ("ERR", RED, fault), ("COM", AMBER, False))
    for row, (name, colour, lit) in enumerate(lamps):
        picture.led((140, 146 + row * 42), 10, colour, lit)
        picture.text((172, 146 + row * 42), name, 25, "#eef2f5" if lit else "#8b959f", "lm", 0.5 if lit else 0.2)
    picture.rect((112, 326, 318, 392), ("#161a1e", "#0e1114"), 4)
    picture.text((215, 346), "RUN     STOP     MRES", 14, "#aab4bd", "mm")
    picture.rect((140, 360, 292, 380), "#31383f", 4)
    knob = 246 if fault else 164
    picture.rect((knob - 16, 356, knob + 16, 384), ("#d2d8dd", "#8b949c"), 4)
    for port in range(2):
        picture.rect((124 + port * 100, 420, 208 + port * 100, 478), ("#c2c8cd", "#8e969d"), 3)
        picture.rect((138 + port * 100, 432, 194 + port * 100, 470), "#0a0c0e", 2)
    for module, name in enumerate(("DI 16 x 24 V", "DO 16 x 24 V")):
        _io_module(picture, 356 + module * 200, name, module)
    return picture


def _io_module(picture: Canvas, x: float, name: str, module: int) -> None:
    picture.rect((x, 60, x + 184, 510), ("#4b545d", "#2f363d"), 8, shadow=14)
    picture.text((x + 18, 82), name, 19, "#eef2f5", bold=0.3)
    for channel in range(16):
        column, row = divmod(channel, 8)
        lit = (channel * 7 + module * 3) % 5 < 2
        picture.led((x + 34 + column * 84, 138 + row * 24), 5, GREEN, lit)
        picture.text((x + 50 + column * 84, 138 + row * 24), f"{column}.{row}", 14, "#c3ccd4", "lm")
    for wire in range(8):
        left = x + 16 + wire * 20
        picture.rect((left, 352, left + 16, 400), ("#3aa07a", "#226b50"), 2)
        picture.disc((left + 8, 366), 5, ("#d9dee2", "#8a929a"))
        colour = ("#1f5fbf", "#7a4a22", "#c7c7c7", "#23282d")[wire % 4]
        picture.line([(left + 8, 398), (left + 8, 450), (left + 8 + (wire - 4) * 4, 520)], colour, 6)


def torque_wrench() -> Canvas:
    """A torque wrench on an M6 bolt of a gearbox cover."""
    picture = Canvas(860, 580, ("#5b646c", "#363d44"))
    picture.polygon([(0, 250), (860, 150), (860, 580), (0, 580)], ("#4a5259", "#2d3338"))
    picture.polygon([(90, 300), (560, 212), (760, 420), (250, 556)], ("#c5cbd0", "#8b939a"), shadow=18)
    picture.polygon([(250, 556), (760, 420), (760, 456), (250, 580)], ("#717980", "#565d63"))
    picture.polygon([(160, 318), (540, 246), (692, 408), (272, 516)], ("#b2b9bf", "#9aa2a9"))
    for at in ((140, 318), (330, 280), (548, 238), (646, 326), (722, 418), (256, 520), (180, 404), (490, 470)):
        _bolt(picture, at)
    picture.text((410, 388), "GB-204", 40, "#6d757c", "mm", 1)
    picture.text((410, 426), "M6 x 8    9.0 Nm", 22, "#6d757c", "mm", 0.5)
    handle = [(180, 404), (820, 76)]
    picture.line([(x + 8, y + 26) for x, y in handle], "#0a0c0e", 30, opacity=0.35)
    picture.line(handle, "#7f878e", 26)
    picture.line([(x - 3, y - 7) for x, y in handle], "#eef1f3", 5, opacity=0.8)
    picture.line([(590, 194), (830, 71)], "#1b1e21", 36)
    for step in range(12):
        x, y = 606 + step * 18, 186 - step * 9.2
        picture.line([(x - 7, y - 14), (x + 7, y + 14)], "#3a4046", 3)
    picture.line([(470, 255), (580, 199)], "#f4f5f0", 24)
    for step in range(11):
        x, y = 476 + step * 10, 252 - step * 5.1
        picture.line([(x - 3, y - 7), (x + (1 if step % 5 else 4), y + (1 if step % 5 else 8))], "#15191d", 1.6)
    picture.disc((180, 404), 46, ("#a9b0b6", "#6c747b"), shadow=12)
    picture.disc((180, 404), 34, ("#dfe3e6", "#8d959c"))
    picture.disc((180, 404), 15, "#2a3036")
    return picture


def _bolt(picture: Canvas, at: Point) -> None:
    picture.disc(at, 21, ("#8a9299", "#70787f"), shadow=3)
    corners = [(at[0] + 16 * cos(radians(60 * n + 12)), at[1] + 13 * sin(radians(60 * n + 12))) for n in range(6)]
    picture.polygon(corners, ("#eceff1", "#a4acb3"), shadow=3)


def gasket_seat() -> Canvas:
    """A gearbox housing from above, its gasket half pressed into the groove, two dowel pins standing out."""
    picture = Canvas(760, 560, ("#596169", "#343a40"))
    picture.rect((110, 60, 650, 510), ("#c8ced3", "#939ba2"), 40, shadow=18)
    picture.rect((156, 106, 604, 464), ("#7b838a", "#666e75"), 28)
    picture.rect((168, 118, 592, 452), ("#bcc3c8", "#9fa7ae"), 22)
    picture.rect((196, 146, 564, 424), ("#262b30", "#3d444b"), 12)
    for centre, teeth, radius in (((310, 288), 22, 96), ((458, 296), 12, 56)):
        for tooth in range(teeth):
            angle = radians(tooth * 360 / teeth)
            picture.disc((centre[0] + radius * cos(angle), centre[1] + radius * sin(angle)), 9, "#a79a6a")
        picture.disc(centre, radius, ("#cfc08a", "#8c7f50"))
        picture.disc(centre, radius * 0.3, "#3a3f44")
    picture.line([(162, 300), (162, 140), (190, 112), (570, 112), (598, 140), (598, 240)], "#161819", 11)
    picture.line([(598, 240), (620, 300), (668, 356), (706, 372)], "#161819", 11)
    picture.line([(159, 300), (159, 140), (188, 109), (560, 109)], "#5a6066", 2)
    for at in ((134, 84), (626, 486)):
        picture.disc(at, 17, ("#f2f4f6", "#9ba3aa"), shadow=6)
        picture.disc(at, 11, ("#ffffff", "#c4cbd1"))
    for at in ((380, 82), (626, 84), (134, 486), (380, 487), (134, 285), (628, 330)):
        picture.disc(at, 12, "#23282d")
    return picture


def phone_frame(*, burr: bool) -> Canvas:
    """The corner of a phone's metal frame under a microscope; with a burr, its height is measured."""
    picture = Canvas(820, 560, ("#20262c", "#0d1013"))
    picture.glow((520, 180), 420, "#5d7894", 0.55)
    picture.rect((150, 190, 1100, 900), ("#d9dee3", "#7f8890"), 150, shadow=24)
    picture.rect((152, 196, 1100, 900), ("#f4f6f8", "#98a1a9"), 148)
    picture.rect((186, 230, 1100, 900), ("#aab2ba", "#6b747c"), 116)
    picture.rect((198, 242, 1100, 900), ("#0b0d10", "#1a2027"), 106)
    picture.polygon([(330, 250), (560, 250), (340, 560), (214, 560), (214, 420)], "#2b3540", opacity=0.5)
    for offset in range(0, 30, 5):
        picture.line([(300, 200 + offset), (820, 200 + offset)], "#ffffff", 1, opacity=0.18)
    if burr:
        dice = random.Random(3)
        edge: list[Point] = [(470, 196)]
        for step in range(1, 23):
            x = 470 + step * 6
            height = 27 * sin(step / 23 * 3.14) ** 0.7 + dice.uniform(-6, 7)
            edge.append((x, 192 - max(3.0, height)))
        picture.polygon([*edge, (610, 198)], ("#ffffff", "#b4bcc3"), shadow=5)
        picture.line(edge, "#ffffff", 2)
        picture.ellipse((440, 126, 640, 230), "#ff5a4d", opacity=0.16)
        for y in (158, 192):
            picture.line([(620, y), (716, y)], "#ffd23c", 2)
        picture.line([(700, 108), (700, 158)], "#ffd23c", 2)
        picture.line([(700, 192), (700, 236)], "#ffd23c", 2)
        for tip, base in ((158, 146), (192, 204)):
            picture.polygon([(700, tip), (693, base), (707, base)], "#ffd23c")
        picture.text((690, 78), "0.34 mm", 30, "#ffd23c", "mm", 0.6)
        picture.text((36, 30), "BURR   x50", 22, "#ffd23c", bold=0.4)
    else:
        picture.text((36, 30), "OK   x50", 22, "#7fe0a0", bold=0.4)
    picture.line([(36, 526), (136, 526)], "#eef2f5", 3)
    picture.text((86, 508), "1 mm", 16, "#eef2f5", "mm")
    return picture


def conveyor_photoeye() -> Canvas:
    """A conveyor with boxes; the red beam of a photo-eye runs to its reflector, just above the belt. No text."""
    picture = Canvas(860, 600, ("#aeb8c0", "#727c85"))
    for x in (80, 360, 640):
        picture.rect((x, 40, x + 180, 190), ("#d9e6ee", "#b9c8d2"), 4)
    picture.blur(5)
    picture.polygon([(0, 470), (860, 340), (860, 470), (0, 600)], ("#2f353b", "#1b2024"), shadow=14)
    picture.polygon([(0, 440), (860, 310), (860, 340), (0, 470)], ("#d6b13a", "#a5821d"))
    picture.polygon([(0, 340), (860, 240), (860, 310), (0, 440)], ("#3c434a", "#272d32"))
    _carton(picture, 520, 160, 150, 126)
    _carton(picture, 96, 216, 168, 138)
    for x, y in ((402, 420), (470, 262)):
        picture.rect((x - 8, y - 60, x + 8, y + 70), ("#c7cdd2", "#868e95"), 3, shadow=6)
    picture.rect((360, 326, 424, 386), ("#2d7bd0", "#164a86"), 8, shadow=8)
    picture.disc((406, 350), 13, "#10151a")
    picture.led((374, 338), 5, AMBER)
    picture.rect((446, 186, 496, 232), ("#f2f4f6", "#c3cad0"), 6, shadow=6)
    picture.rect((452, 192, 490, 226), ("#ff7a66", "#c5341f"), 4)
    picture.line([(406, 350), (470, 210)], "#ff3b30", 5, opacity=0.9)
    picture.glow((406, 350), 60, RED, 0.9)
    picture.glow((470, 210), 70, RED, 0.8)
    return picture


def _carton(picture: Canvas, x: float, y: float, width: float, height: float) -> None:
    picture.polygon([(x, y + 20), (x + width * 0.66, y + 8), (x + width * 0.66, y + height), (x, y + height + 14)],
                    ("#c99c63", "#9b7040"), shadow=10)  # fmt: skip
    picture.polygon([(x + width * 0.66, y + 8), (x + width, y + 24), (x + width, y + height - 12),
                     (x + width * 0.66, y + height)], ("#a87c49", "#7c5730"))  # fmt: skip
    picture.polygon([(x, y + 20), (x + width * 0.34, y), (x + width, y + 24), (x + width * 0.66, y + 8)], "#dcb27a")
    picture.line([(x + width * 0.33, y + 15), (x + width * 0.33, y + height + 5)], "#e6cfa4", 9, opacity=0.8)


def picnic() -> Canvas:
    """A lake between mountains, a tree and a blanket with a basket: the team's day out."""
    picture = Canvas(900, 600, ("#79b7ec", "#f6e6cf"))
    picture.glow((690, 120), 240, "#fff1b8", 0.9)
    picture.disc((690, 120), 42, "#fff7d6")
    picture.polygon([(0, 330), (130, 190), (250, 290), (400, 150), (560, 300), (720, 210), (900, 330)], "#8fa7c4")
    picture.polygon([(340, 206), (400, 150), (458, 204), (424, 214), (402, 198), (374, 218)], "#f5f8fb")
    picture.polygon([(0, 350), (200, 270), (430, 350), (640, 280), (900, 350)], ("#6f9a7c", "#4d7f61"))
    picture.rect((0, 345, 900, 430), ("#9fd0e8", "#5c9fc6"))
    for n in range(14):
        picture.line(
            [((40 + n * 211) % 840, 360 + n * 5), ((40 + n * 211) % 840 + 70, 360 + n * 5)], "#e9f6fc", 2, opacity=0.6
        )
    picture.polygon([(0, 430), (300, 408), (620, 424), (900, 404), (900, 600), (0, 600)], ("#8cc152", "#4f8a2f"))
    picture.rect((118, 300, 142, 470), ("#7a5434", "#573920"), 6)
    for x, y, r in ((130, 250, 84), (78, 290, 58), (184, 286, 62), (126, 200, 58)):
        picture.disc((x, y), r, ("#5fa544", "#37732b"))
    picture.polygon([(330, 500), (640, 476), (720, 560), (380, 590)], ("#f4f1ea", "#dedad0"), shadow=8)
    for n in range(6):
        picture.line([(362 + n * 56, 498 - n * 4), (412 + n * 58, 588 - n * 5)], "#d64545", 9, opacity=0.8)
    picture.line([(352, 530), (668, 504)], "#d64545", 9, opacity=0.8)
    picture.rect((470, 468, 570, 530), ("#c08a4a", "#8a5c2a"), 8, shadow=8)
    picture.line([(480, 470), (520, 428), (560, 470)], "#8a5c2a", 7)
    for x, colour in ((620, "#d64545"), (650, "#f0b429")):
        picture.disc((x, 520), 14, colour, shadow=4)
    return picture
