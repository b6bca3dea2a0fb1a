"""Draw every picture of the example: `python examples/draw.py [folder]`, by default into examples/ itself."""

import io
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from drawing import assembly_line, diagrams, screens, server_room
from drawing.canvas import Canvas
from PIL import Image, ImageChops, ImageStat

HERE = Path(__file__).parent
SERVERS, LINE, PHOTOS = "docs/server-room/images", "docs/assembly-line/images", "photos"
PALETTE_ERROR = 40
"""Levels of 255 by which a palette of 256 colours may miss a spot of 4 x 4 pixels. It takes a third of the bytes of
true colour, but the median cut gives a lone red lamp the brown of its surroundings."""
STEP = 3
"""Levels that true colour is rounded to; 85 are left per channel, a third of the bytes goes."""

RASTER: Mapping[str, Callable[[], Canvas]] = {
    f"{SERVERS}/rack_001.png": lambda: server_room.rack(server_room.GREEN, seed=1),
    f"{SERVERS}/rack_002.png": lambda: server_room.rack(server_room.RED, seed=2, shift=26),
    f"{SERVERS}/rack_003.png": lambda: server_room.rack(server_room.AMBER, seed=3, shift=-34),
    f"{SERVERS}/ups_battery_cabinet.png": server_room.ups_battery_cabinet,
    f"{SERVERS}/ups_lcd_on_battery.png": server_room.ups_lcd,
    f"{SERVERS}/cable_labels.png": server_room.cable_labels,
    f"{SERVERS}/patch_panel_front.png": server_room.patch_panel,
    f"{SERVERS}/pdu_outlets.png": server_room.pdu_outlets,
    f"{SERVERS}/icon_warning.png": lambda: server_room.icon("#d9480f", "!"),
    f"{SERVERS}/icon_info.png": lambda: server_room.icon("#1f6fd1", "i"),
    f"{SERVERS}/cooling_unit_setpoints.png": lambda: screens.dialog(
        "CRAC-1  Cooling unit setpoints",
        ("Setpoints", "Alarms", "Network"),
        (
            ("Supply air setpoint", "21.0 °C"),
            ("Return air high alarm", "36.0 °C"),
            ("Fan speed control", "Differential pressure v"),
            ("Humidity band", "40 - 60 %RH"),
            ("Restart after power loss", "[x] Enabled"),
        ),
        "Changes are written to the unit.",
    ),
    f"{SERVERS}/alert_thresholds.png": lambda: screens.dialog(
        "Alert thresholds",
        ("Temperature", "Power", "Recipients"),
        (
            ("Rack inlet warning", "27 °C"),
            ("Rack inlet critical", "32 °C"),
            ("Hold time", "5 min"),
            ("Send e-mail to", "noc-oncall"),
            ("Repeat until acknowledged", "[x] every 15 min"),
        ),
        "Applies to 24 racks.",
    ),
    f"{LINE}/control_panel_run.png": lambda: assembly_line.control_panel(running=True),
    f"{LINE}/control_panel_estop.png": lambda: assembly_line.control_panel(running=False),
    f"{LINE}/plc_err_led.png": lambda: assembly_line.plc(fault=True),
    f"{LINE}/plc_run_ok.png": lambda: assembly_line.plc(fault=False),
    f"{LINE}/torque_wrench_m6.png": assembly_line.torque_wrench,
    f"{LINE}/gasket_seat.png": assembly_line.gasket_seat,
    f"{LINE}/phone_frame_burr.png": lambda: assembly_line.phone_frame(burr=True),
    f"{LINE}/phone_frame_ok.png": lambda: assembly_line.phone_frame(burr=False),
    f"{LINE}/barcode_scanner_settings.png": lambda: screens.dialog(
        "Barcode scanner settings",
        ("Serial port", "Symbologies", "Trigger"),
        (
            ("Port", "COM4 v"),
            ("Baud rate", "115200 v"),
            ("Suffix", "CR LF v"),
            ("Data Matrix", "[x] Read"),
            ("No-read output", "NOREAD"),
        ),
        "Scanner connected.",
    ),
    f"{PHOTOS}/torque_controller_pset7.png": lambda: screens.dialog(
        "Torque controller  Pset 7",
        ("Pset", "Results", "Calibration"),
        (
            ("Target torque", "9.0 Nm"),
            ("Torque limits", "8.1 - 9.9 Nm"),
            ("Final angle", "20 - 60 deg"),
            ("Batch size", "8"),
            ("Lock tool on NOK", "[x] Enabled"),
        ),
        "Station 20, gearbox cover",
    ),
    f"{PHOTOS}/maintenance_bypass_switch.png": server_room.maintenance_bypass,
    f"{PHOTOS}/电池极柱腐蚀.png": server_room.battery_terminal_corrosion,
    f"{PHOTOS}/IMG_0412.jpg": assembly_line.conveyor_photoeye,
    f"{PHOTOS}/DSC_0091.jpg": lambda: server_room.rack(server_room.GREEN, seed=9, shift=60),
    f"{PHOTOS}/picnic_2024.jpg": assembly_line.picnic,
}
VECTOR: Mapping[str, Callable[[], str]] = {
    f"{SERVERS}/power_feed_wiring.svg": diagrams.power_feeds,
    f"{SERVERS}/hot_aisle_airflow.svg": diagrams.hot_aisle_airflow,
    f"{LINE}/plc_input_wiring.svg": diagrams.plc_input_wiring,
    f"{LINE}/tightening_sequence.svg": diagrams.tightening_sequence,
}
COPIES = {f"{PHOTOS}/line2_panel_backup.png": f"{LINE}/control_panel_run.png"}
TRUNCATED = f"{PHOTOS}/DSC_0091.jpg"
"""Cut off after a third, as by a broken upload."""
EMPTY = f"{PHOTOS}/scan_0007.png"


def draw() -> dict[str, bytes]:
    """The bytes of every picture by its path below examples/."""
    pictures = {path: _encoded(canvas(), path) for path, canvas in RASTER.items()}
    pictures |= {path: svg().encode() for path, svg in VECTOR.items()}
    pictures[TRUNCATED] = pictures[TRUNCATED][: len(pictures[TRUNCATED]) // 3]
    return pictures | {path: pictures[original] for path, original in COPIES.items()} | {EMPTY: b""}


def _encoded(canvas: Canvas, path: str) -> bytes:
    out, picture = io.BytesIO(), canvas.finished()
    if path.endswith(".jpg"):
        picture.save(out, "JPEG", quality=82, optimize=True)
    else:
        _compact(picture).save(out, "PNG", optimize=True)
    return out.getvalue()


def _compact(picture: Image.Image) -> Image.Image:
    palette = picture.quantize(256, dither=Image.Dither.NONE)
    spots = ImageChops.difference(palette.convert("RGB"), picture).reduce(4)
    if max(high for _, high in ImageStat.Stat(spots).extrema) <= PALETTE_ERROR:
        return palette
    return picture.point([level // STEP * STEP for level in range(256)] * 3)


def main(folder: Path) -> None:
    """Write every picture below `folder`."""
    for path, data in draw().items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
