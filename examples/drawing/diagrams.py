"""Diagrams as SVG, written by hand: wiring, airflow, tightening order. Labels are in English and Chinese."""

from math import cos, radians, sin

STYLE = """
  text { font-family: "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "Helvetica Neue", Arial, sans-serif;
         font-size: 17px; fill: #1c252e }
  .title { font-size: 22px; font-weight: 600 }
  .quiet { fill: #5b6873; font-size: 14px }
  .box { fill: #ffffff; stroke: #41505d; stroke-width: 2 }
  .wire { fill: none; stroke-width: 3.5; stroke-linejoin: round }
"""


def _svg(width: int, height: int, title: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n"
        f'<rect width="{width}" height="{height}" fill="#f5f7f9"/>\n'
        f'<text class="title" x="32" y="44">{title}</text>\n{body}</svg>\n'
    )


def _box(x: float, y: float, width: float, height: float, *lines: str) -> str:
    first = y + height / 2 + 6 - (len(lines) - 1) * 11
    texts = "".join(
        f'<text x="{x + width / 2:g}" y="{first + n * 22:g}" text-anchor="middle"'
        f"{'' if n == 0 else ' class=' + chr(34) + 'quiet' + chr(34)}>{line}</text>"
        for n, line in enumerate(lines)
    )
    return f'<rect class="box" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>{texts}\n'


def _wire(colour: str, *points: tuple[float, float]) -> str:
    return f'<polyline class="wire" stroke="{colour}" points="{" ".join(f"{x:g},{y:g}" for x, y in points)}"/>\n'


def power_feeds() -> str:
    """Feeds A and B from two boards to the two supplies of a server."""
    a, b = "#c0392b", "#2463b0"
    body = (
        _wire(a, (210, 140), (300, 140)) + _wire(a, (440, 140), (560, 140)) + _wire(a, (700, 140), (790, 200))
        + _wire(b, (210, 340), (300, 340)) + _wire(b, (440, 340), (560, 340)) + _wire(b, (700, 340), (790, 280))
        + _box(50, 100, 160, 80, "LV board 1", "市电进线 A") + _box(50, 300, 160, 80, "LV board 2", "市电进线 B")
        + _box(300, 100, 140, 80, "UPS 1", "20 kVA") + _box(300, 300, 140, 80, "UPS 2", "20 kVA")
        + _box(560, 100, 140, 80, "PDU-A", "F11  16 A") + _box(560, 300, 140, 80, "PDU-B", "F12  16 A")
        + _box(780, 180, 150, 120, "Server", "PSU 1 / PSU 2", "双路电源")
        + '<text class="quiet" x="452" y="128">L1 N PE</text><text class="quiet" x="452" y="328">L2 N PE</text>\n'
        + '<text x="720" y="130" fill="#c0392b">A 路</text><text x="720" y="360" fill="#2463b0">B 路</text>\n'
    )  # fmt: skip
    return _svg(960, 430, "Power feeds A and B / 机柜双路供电", body)


def hot_aisle_airflow() -> str:
    """Cold air from the raised floor, through the racks, into the closed hot aisle."""
    arrow = '<path d="M0 0 L26 9 L0 18 Z" fill="{c}" transform="translate({x} {y}) rotate({r})"/>\n'
    body = (
        '<rect x="40" y="350" width="840" height="50" fill="#cfe3f5"/><text x="60" y="382">架空地板 送风静压箱</text>\n'
    )
    for x in (190, 590):
        body += f'<rect x="{x}" y="130" width="130" height="220" rx="5" fill="#39444f"/>\n'
        body += "".join(
            f'<rect x="{x + 12}" y="{142 + n * 25}" width="106" height="18" rx="2" fill="#55626f"/>\n' for n in range(8)
        )
        body += f'<text x="{x + 65}" y="120" text-anchor="middle">机柜</text>\n'
    body += '<rect x="320" y="80" width="270" height="270" fill="#f7d6cc"/>\n'
    body += '<text x="455" y="180" text-anchor="middle" fill="#b03a1e">封闭热通道</text>\n'
    body += '<text x="455" y="206" text-anchor="middle" class="quiet">hot aisle 35 °C</text>\n'
    body += '<text x="115" y="200" text-anchor="middle" fill="#1f5fa8">冷通道</text>\n'
    body += '<text x="115" y="226" text-anchor="middle" class="quiet">cold aisle 22 °C</text>\n'
    body += '<text x="800" y="200" text-anchor="middle" fill="#1f5fa8">冷通道</text>\n'
    for x, turn in ((118, -90), (798, -90)):
        body += arrow.format(c="#2a78c8", x=x - 9, y=330, r=turn)
    for y in (250, 300):
        body += arrow.format(c="#2a78c8", x=152, y=y, r=0) + arrow.format(c="#d4502c", x=332, y=y, r=0)
        body += arrow.format(c="#2a78c8", x=760, y=y + 18, r=180) + arrow.format(c="#d4502c", x=580, y=y + 18, r=180)
    body += arrow.format(c="#d4502c", x=446, y=140, r=-90)
    return _svg(920, 430, "冷热通道气流组织 Airflow with a closed hot aisle", body)


def plc_input_wiring() -> str:
    """Three sensors on the input module of the PLC."""
    body = _box(620, 86, 220, 304, "")
    body += '<text x="730" y="116" text-anchor="middle">DI 16 x 24 V DC</text>\n'
    rows = (("S1 guard door", "NC contact", "0.0"), ("B2 photo-eye", "PNP, dark on", "0.1"), ("S3 reset", "NO", "0.2"))
    for n, (name, kind, channel) in enumerate(rows):
        y = 160 + n * 74
        body += _wire("#23282d", (250, y - 12), (640, y - 12)) + _wire("#7a4a22", (250, y + 12), (430, y + 12))
        body += _box(50, y - 30, 200, 60, name, kind)
        body += f'<circle cx="640" cy="{y - 12}" r="7" fill="#41505d"/><text x="660" y="{y - 6}">I {channel}</text>\n'
        body += f'<text class="quiet" x="270" y="{y - 20}">BK  signal</text>'
        body += f'<text class="quiet" x="270" y="{y + 30}">BN  L+ 24 V</text>\n'
    body += _wire("#7a4a22", (430, 172), (430, 360), (640, 360))
    body += '<circle cx="640" cy="360" r="7" fill="#7a4a22"/><text x="660" y="366">L+ (24 V)</text>\n'
    return _svg(900, 430, "PLC input wiring, terminals X10", body)


def tightening_sequence() -> str:
    """Eight bolts of the gearbox cover and the order in which they are tightened."""
    body = '<rect x="150" y="90" width="460" height="320" rx="60" fill="#d5dbe0" stroke="#6b7781" stroke-width="3"/>\n'
    body += '<rect x="210" y="150" width="340" height="200" rx="30" fill="#c2cad1"/>\n'
    order = (1, 5, 3, 7, 2, 6, 4, 8)
    points = {
        number: (380 + 195 * cos(radians(45 * n - 90)), 250 + 128 * sin(radians(45 * n - 90)))
        for n, number in enumerate(order)
    }
    path = " ".join(f"{points[n][0]:.0f},{points[n][1]:.0f}" for n in range(1, 9))
    body += f'<polyline points="{path}" fill="none" stroke="#c0392b" stroke-width="1.5" stroke-dasharray="6 5"/>\n'
    for number, (x, y) in sorted(points.items()):
        body += f'<circle cx="{x:.0f}" cy="{y:.0f}" r="22" fill="#ffffff" stroke="#41505d" stroke-width="2"/>'
        body += f'<text x="{x:.0f}" y="{y + 6:.0f}" text-anchor="middle">{number}</text>\n'
    body += '<text x="640" y="150">对角紧固顺序</text><text x="640" y="178">① 预紧 4 N·m</text>'
    body += '<text x="640" y="206">② 终紧 9 N·m</text><text class="quiet" x="640" y="236">M6 × 20, 8.8 级</text>\n'
    return _svg(860, 450, "变速箱端盖螺栓紧固顺序 GB-204", body)
