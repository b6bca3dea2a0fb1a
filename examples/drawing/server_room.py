"""Pictures of the server room: racks and their lamps, batteries, cables, power strips."""

import random
from math import cos, pi, sin

from drawing.canvas import Canvas

GREEN, AMBER, RED = "#3ddc73", "#ffab2e", "#ff3b30"


def rack(lamp: str, *, seed: int, shift: int = 0) -> Canvas:
    """A rack seen a little from the left, its beacon in colour `lamp`; the room takes on the colour of the light."""
    dice = random.Random(seed)
    picture = Canvas(760, 620, ("#2b323b", "#141a21"))
    for x in range(-40, 800, 95):  # ceiling panels
        picture.polygon([(x, 0), (x + 80, 0), (x + 80 - (x - 380) * 0.1, 42), (x - (x - 380) * 0.1, 42)], "#3b444f")
    picture.polygon([(0, 540), (760, 540), (760, 620), (0, 620)], ("#39424c", "#252c34"))
    for x in range(-200, 1000, 110):
        picture.line([(x, 620), (380 + (x - 380) * 0.72, 540)], "#1c2229", 1.5)
    for left, dim in ((-150, 0.9), (560, 0.8)):  # the neighbours
        picture.rect((left + shift, 118, left + 262 + shift, 566), ("#20262d", "#12161b"), 3, opacity=dim)
        for y in range(136, 548, 24):
            picture.rect((left + 18 + shift, y, left + 244 + shift, y + 17), ("#2d353e", "#1d232a"), 2)
    picture.blur(2.4)
    left = 232 + shift
    picture.polygon([(left - 58, 128), (left, 104), (left, 590), (left - 58, 556)], ("#1a1f25", "#0c0f12"), shadow=16)
    picture.rect((left, 104, left + 300, 590), ("#303842", "#171c22"), 4, shadow=14)
    picture.rect((left + 16, 122, left + 284, 574), "#0b0e11", 3)
    alarm_unit = 7
    for unit in range(16):
        _server(picture, left + 22, 128 + unit * 27.6, unit, dice, lamp if unit == alarm_unit else GREEN)
    for x in (left + 22, left + 278):
        picture.line([(x, 126), (x, 570)], "#4c5661", 2)
    _beacon(picture, left + 150, lamp)
    return picture


def _server(picture: Canvas, x: float, y: float, unit: int, dice: random.Random, status: str) -> None:
    picture.rect((x, y, x + 256, y + 24), ("#475260", "#2a323b") if unit % 5 else ("#6d7884", "#444e59"), 2)
    if unit % 5:
        for bay in range(8):
            left = x + 12 + bay * 22
            picture.rect((left, y + 4, left + 19, y + 20), ("#1d232a", "#12171c"), 1)
            picture.line([(left + 3, y + 16), (left + 12, y + 16)], "#59636f", 1)
    else:
        for hole in range(36):
            picture.disc((x + 14 + (hole % 18) * 9.8, y + 8 + hole // 18 * 8), 2, "#20262d")
    for lamp in range(3):
        colour = status if lamp == 0 else GREEN
        picture.led((x + 206 + lamp * 15, y + 12), 2.5, colour, lit=lamp == 0 or dice.random() > 0.35)


def _beacon(picture: Canvas, x: float, lamp: str) -> None:
    picture.rect((x - 34, 88, x + 34, 106), ("#4a535e", "#23292f"), 3)
    picture.rect((x - 24, 40, x + 24, 92), (lamp, lamp), 14, shadow=4)
    picture.ellipse((x - 24, 34, x + 24, 62), lamp)
    for offset in (-14, 0, 14):
        picture.line([(x + offset, 52), (x + offset, 88)], "#ffffff", 1.4, opacity=0.3)
    picture.rect((x - 17, 48, x - 11, 84), "#ffffff", 3, opacity=0.55)
    strength = 0.45 if lamp == GREEN else 0.85
    picture.glow((x, 64), 300, lamp, strength * 0.75)
    picture.glow((x, 64), 90, lamp, strength)


def ups_battery_cabinet() -> Canvas:
    """An open battery cabinet: three shelves of four blocks, joined by links, with numbers."""
    picture = Canvas(800, 600, ("#cfd5da", "#aab2b9"))
    picture.rect((0, 545, 800, 600), ("#8d969e", "#78818a"))
    picture.polygon([(120, 62), (76, 92), (76, 584), (120, 560)], ("#5d666f", "#3f474f"))
    picture.rect((120, 40, 690, 566), ("#4b545d", "#343b43"), 6, shadow=18)
    picture.rect((120, 40, 690, 84), ("#2c333a", "#22282e"), 6)
    picture.text((142, 51), "UPS 20 kVA   BATTERY CABINET 2", 20, "#f1f4f6", bold=0.4)
    picture.rect((584, 52, 672, 74), "#f5c518", 3)
    picture.text((628, 63), "240 V DC", 15, "#1b1b1b", "mm", 0.3)
    picture.rect((140, 100, 670, 548), ("#14181c", "#1f252b"), 3)
    for shelf in range(3):
        top = 112 + shelf * 148
        picture.rect((140, top + 122, 670, top + 134), ("#8b949d", "#5c656e"))
        for block in range(4):
            _battery(picture, 154 + block * 128, top + 22, shelf * 4 + block + 1)
        for block in range(3):
            x = 154 + block * 128
            picture.line([(x + 92, top + 20), (x + 112, top + 8), (x + 150, top + 20)], "#1d1f22", 6)
    return picture


def _battery(picture: Canvas, x: float, y: float, number: int) -> None:
    picture.rect((x, y, x + 116, y + 100), ("#3b4653", "#222a33"), 4, shadow=6)
    picture.rect((x, y, x + 116, y + 18), ("#566372", "#414d5a"), 4)
    for terminal, colour in ((x + 22, "#d6342b"), (x + 92, "#15181b")):
        picture.rect((terminal - 11, y - 8, terminal + 11, y + 8), colour, 3)
        picture.disc((terminal, y - 2), 6, ("#e3e6e8", "#8f979f"))
    picture.rect((x + 14, y + 32, x + 102, y + 84), "#eef1f3", 2)
    picture.text((x + 58, y + 49), f"BATT {number:02}", 18, "#16202a", "mm", 0.4)
    picture.text((x + 58, y + 70), "12 V  9 Ah  VRLA", 10, "#3c4650", "mm")


def ups_lcd() -> Canvas:
    """The front of a UPS while it runs on battery."""
    picture = Canvas(760, 480, ("#3a4048", "#1f242a"))
    picture.rect((50, 46, 710, 434), ("#2a2f36", "#171b20"), 18, shadow=16)
    picture.rect((96, 92, 500, 346), "#0c1013", 8)
    picture.rect((108, 104, 488, 334), ("#9fd4c8", "#7fbdb0"), 4)
    ink = "#0e2a2a"
    picture.text((126, 116), "ON BATTERY", 34, ink, bold=0.7)
    for row, (name, value) in enumerate(
        (("Runtime", "00:14 min"), ("Load", "62 %"), ("Battery", "231.8 V"), ("Input", "0.0 V  FAIL"))
    ):
        picture.text((128, 172 + row * 32), name, 22, ink)
        picture.text((270, 172 + row * 32), value, 22, ink, bold=0.3)
    picture.rect((128, 306, 468, 322), "#6aa79b", 3)
    picture.rect((128, 306, 262, 322), ink, 3)
    for row, (name, colour, lit) in enumerate(
        (("LINE", GREEN, False), ("BATTERY", AMBER, True), ("BYPASS", AMBER, False), ("FAULT", RED, False))
    ):
        picture.led((546, 116 + row * 58), 9, colour, lit)
        picture.text((572, 116 + row * 58), name, 20, "#cdd5dc", "lm")
    for column, name in enumerate(("ESC", "UP", "DOWN", "ENTER")):
        picture.rect((110 + column * 96, 366, 190 + column * 96, 406), ("#4a525b", "#31383f"), 8, shadow=3)
        picture.text((150 + column * 96, 386), name, 15, "#dfe5ea", "mm")
    return picture


def maintenance_bypass() -> Canvas:
    """A rotary maintenance bypass switch, turned to UPS."""
    picture = Canvas(700, 560, ("#d9dde0", "#b4babf"))
    picture.rect((110, 40, 590, 524), ("#eceef0", "#c9ced2"), 10, shadow=16)
    for corner in ((134, 64), (566, 64), (134, 500), (566, 500)):
        picture.screw(corner, 8)
    picture.text((350, 92), "MAINTENANCE BYPASS", 30, "#1a2026", "mm", 0.7)
    picture.rect((180, 118, 520, 148), "#f5c518", 3)
    picture.text((350, 133), "UPS OUTPUT STAYS LIVE", 19, "#1b1b1b", "mm", 0.4)
    picture.disc((350, 320), 132, ("#f6d433", "#d9ac12"), shadow=10)
    picture.disc((350, 320), 100, ("#d8382e", "#a81f18"), shadow=8)
    picture.polygon([(262, 256), (286, 228), (438, 384), (414, 412)], ("#ee5a4e", "#c02a20"), shadow=5)
    picture.line([(280, 248), (312, 280)], "#ffffff", 6)
    for at, name in (((222, 192), "UPS"), ((350, 166), "TEST"), ((486, 192), "BYPASS")):
        picture.text(at, name, 22, "#1a2026", "mm", 0.5)
    picture.text((350, 486), "1-2-3   break before make   63 A", 18, "#38424b", "mm")
    return picture


def battery_terminal_corrosion() -> Canvas:
    """A battery pole under a crust of corrosion, from near."""
    dice = random.Random(8)
    picture = Canvas(720, 540, ("#59616a", "#2d333a"))
    picture.rect((0, 250, 720, 540), ("#333b45", "#1b2026"))
    picture.line([(0, 250), (720, 250)], "#77818c", 3)
    picture.line([(720, 90), (520, 120), (390, 190)], "#17191b", 46)
    picture.line([(720, 84), (522, 112), (400, 176)], "#40464c", 8)
    picture.ellipse((240, 250, 480, 330), ("#12161a", "#242a31"))
    picture.rect((280, 150, 440, 300), ("#b9bec3", "#6f767d"), 10, shadow=12)
    picture.ellipse((280, 128, 440, 182), ("#e1e4e6", "#a0a6ac"))
    picture.polygon([(318, 128), (352, 112), (402, 120), (412, 146), (376, 162), (328, 154)], ("#8b9198", "#5d646b"))
    for _ in range(520):
        angle, far = dice.uniform(0, 2 * pi), min(abs(dice.gauss(0, 0.8)), 1.2)
        x, y = 360 + (60 + 46 * far) * cos(angle), 268 + (20 + 40 * far) * sin(angle)
        colour = dice.choice(("#e9f2ee", "#cfe6dc", "#a9d6c6", "#7cc3b2", "#d9e4c8"))
        picture.disc((x, y), dice.uniform(2, 10), colour, opacity=0.75)
    return picture


def cable_labels() -> Canvas:
    """Six patch cords with flag labels."""
    picture = Canvas(800, 520, ("#2b3138", "#15191e"))
    colours = ("#2f7de1", "#2f7de1", "#f0b429", "#f0b429", "#3aa655", "#d64545")
    for row, colour in enumerate(colours):
        y = 76 + row * 74
        path = [(0, y + 16), (120, y + 6), (260, y), (520, y + 4), (680, y - 4), (800, y - 14)]
        picture.line([(x, py + 8) for x, py in path], "#07090b", 20, opacity=0.5)
        picture.line(path, colour, 20)
        picture.line([(x, py - 5) for x, py in path], "#ffffff", 3, opacity=0.35)
    for row in range(len(colours)):
        y, x = 76 + row * 74, 214 + (row % 2) * 170
        picture.rect((x - 8, y - 15, x + 20, y + 18), ("#f4f5f2", "#d3d6d2"), 2)
        picture.rect((x + 14, y - 28, x + 226, y + 22), ("#fcfcf8", "#e4e6e1"), 3, shadow=6)
        picture.text((x + 28, y - 22), f"R03-U{24 - row:02}-P{row * 4 + 1:02}", 23, "#15191d", bold=0.5)
        picture.text((x + 28, y + 3), f"TO  PP-B  PORT {row * 4 + 1:02}", 14, "#39424a")
    return picture


def patch_panel() -> Canvas:
    """A patch panel of 24 ports, eight of them in use."""
    picture = Canvas(900, 380, ("#3a424b", "#1c2127"))
    picture.rect((20, 70, 880, 224), ("#2b3138", "#171b20"), 5, shadow=12)
    for x in (40, 860):
        picture.screw((x, 94), 7)
        picture.screw((x, 200), 7)
    picture.text((66, 84), "PP-B   CAT 6A   24 PORT", 17, "#d7dde2", bold=0.3)
    for port in range(24):
        x = 66 + port * 32.4
        picture.rect((x, 132, x + 26, 164), ("#59636d", "#3a424b"), 2)
        picture.rect((x + 4, 137, x + 22, 159), "#06080a", 1)
        picture.text((x + 13, 121), str(port + 1), 12, "#e6eaed", "mm")
        picture.disc((x + 6, 172), 2.4, GREEN if port % 3 == 0 else "#39424a")
    for number, port in enumerate((0, 3, 6, 9, 12, 15, 18, 21)):
        x = 79 + port * 32.4
        colour = ("#2f7de1", "#f0b429", "#3aa655", "#d64545")[number % 4]
        picture.rect((x - 9, 142, x + 9, 176), ("#dfe5ea", "#aeb6bd"), 2)
        picture.line([(x, 178), (x + 3, 240), (x + 26 - number * 6, 310), (x + 40 - number * 10, 380)], colour, 11)
        picture.line([(x - 3, 180), (x, 240)], "#ffffff", 2, opacity=0.4)
    return picture


def pdu_outlets() -> Canvas:
    """A power strip with eight outlets and its load display."""
    picture = Canvas(900, 360, ("#4b545d", "#2a3037"))
    picture.rect((24, 90, 876, 270), ("#23282e", "#111417"), 10, shadow=16)
    picture.rect((24, 90, 876, 98), "#4c555f", 6)
    picture.text((54, 116), "PDU-A", 26, "#f2f5f7", bold=0.6)
    picture.text((54, 150), "230 V  16 A", 16, "#b9c2ca")
    picture.rect((54, 182, 186, 244), "#050607", 4)
    picture.text((120, 213), "07.4 A", 32, "#ff5a3c", "mm", 0.4)
    for outlet in range(8):
        x = 226 + outlet * 78
        picture.rect((x, 128, x + 62, 206), ("#0a0c0e", "#1b2025"), 8)
        picture.polygon([(x + 12, 142), (x + 50, 142), (x + 50, 180), (x + 42, 192), (x + 20, 192), (x + 12, 180)],
                        ("#2c333a", "#1c2126"))  # fmt: skip
        for dx, dy in ((19, 164), (43, 164), (31, 176)):
            picture.rect((x + dx - 2, dy - 8, x + dx + 2, dy + 4), "#000000", 1)
        picture.text((x + 31, 234), f"A{outlet + 1}", 19, "#dfe5ea", "mm", 0.3)
        picture.led((x + 31, 114), 4, GREEN, lit=outlet != 5)
    return picture


def icon(colour: str, mark: str) -> Canvas:
    """A 32-pixel badge with one character."""
    picture = Canvas(32, 32, "#ffffff")
    picture.disc((16, 16), 14, colour)
    picture.text((16, 16.5), mark, 20, "#ffffff", "mm", 0.8)
    return picture
