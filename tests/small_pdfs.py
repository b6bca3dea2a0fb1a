"""PDFs of a few hundred bytes, written by hand: text in Helvetica, JPEG pictures, lines and curves."""

import zlib
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image, ImageDraw


@dataclass
class Page:
    """A page of 612 x 792 points."""

    operations: list[str] = field(default_factory=list)
    images: list[bytes] = field(default_factory=list)

    def text(self, text: str, x: float = 72, y: float = 700, size: float = 10) -> "Page":
        escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        self.operations.append(f"BT /F1 {size} Tf {x} {y} Td ({escaped}) Tj ET")
        return self

    def image(self, jpeg: bytes, x: float, y: float, width: float, height: float) -> "Page":
        self.images.append(jpeg)
        self.operations.append(f"q {width} 0 0 {height} {x} {y} cm /I{len(self.images)} Do Q")
        return self

    def draw(self, operations: str) -> "Page":
        self.operations.append(operations)
        return self


def jpeg(seed: int = 0, size: tuple[int, int] = (200, 120), label: str = "") -> bytes:
    """A picture like no other of another seed."""
    picture = Image.new("RGB", size, ((seed * 67) % 256, (seed * 31 + 80) % 256, 200))
    draw = ImageDraw.Draw(picture)
    draw.line((0, seed * 7 % size[1], size[0], size[1]), fill="black", width=5)
    draw.text((10, 10), label or f"picture {seed}", fill="white")
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def plot(x: float = 100, y: float = 300) -> str:
    """Twenty slanted lines in a frame of 200 x 150 points."""
    frame = f"{x} {y} 200 150 re S\n"
    return frame + "\n".join(f"{x + 10 * i} {y + 5 * i} m {x + 10 * i + 8} {y + 7 * i} l S" for i in range(20))


def pdf(*pages: Page, title: str | None = None) -> bytes:
    """The file."""
    objects: list[bytes] = [b"", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    known: dict[bytes, int] = {}
    for page in pages:
        names = []
        for number, image in enumerate(page.images, start=1):
            if image not in known:
                width, height = Image.open(BytesIO(image)).size
                objects.append(
                    f"<< /Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceRGB "
                    f"/BitsPerComponent 8 /Filter /DCTDecode /Length {len(image)} >>\nstream\n".encode()
                    + image
                    + b"\nendstream"
                )
                known[image] = len(objects)
            names.append(f"/I{number} {known[image]} 0 R")
        content = zlib.compress("\n".join(page.operations).encode("latin-1"))
        head = f"<< /Filter /FlateDecode /Length {len(content)} >>\nstream\n".encode()
        objects.append(head + content + b"\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> /XObject << {' '.join(names)} >> >> >>".encode()
        )
        kids.append(f"{len(objects)} 0 R")
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R >>"
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    info = ""
    if title:
        objects.append(f"<< /Title ({title}) >>".encode())
        info = f"/Info {len(objects)} 0 R"
    body, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {info} >>\nstartxref\n{len(body)}\n%%EOF\n"
    return bytes(body) + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def manual() -> bytes:
    """Three pages: a title, text around a captioned picture, a drawing; a logo on every page."""
    logo = jpeg(9, (180, 90), "logo")
    first = Page().text("Pump Manual", y=720, size=24).text("How to keep the pump running for many years.", y=660)
    second = Page().text("Replacing the valve", y=740, size=16)
    second.text("Turn the valve to the left until it clicks.", y=710)
    second.image(jpeg(1), 100, 500, 250, 150).text("Figure 1: The valve from above.", x=100, y=485)
    second.text("Then close the lid with both screws.", y=300)
    third = Page().text("Pressure over time", y=740, size=16).text("The pressure rises after the start.", y=700)
    third.draw(plot())
    for page in (first, second, third):
        page.image(logo, 500, 760, 40, 20)
    return pdf(first, second, third, title="Pump")
