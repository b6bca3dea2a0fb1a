"""A canvas with gradients, soft shadows and glows, drawn at twice the size and scaled down for smooth edges."""

from collections.abc import Callable, Sequence

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter, ImageFont

SCALE = 2

Point = tuple[float, float]
Box = tuple[float, float, float, float]
Fill = str | tuple[str, str]
"""A colour, or two of them: from top to bottom."""


class Canvas:
    """Coordinates are pixels of the finished picture; boxes are (left, top, right, bottom)."""

    def __init__(self, width: int, height: int, fill: Fill) -> None:
        """A canvas filled with `fill`."""
        self.size = (width * SCALE, height * SCALE)
        self.image = _filled(self.size, fill)

    def rect(self, box: Box, fill: Fill, radius: float = 0, shadow: float = 0, opacity: float = 1) -> None:
        """A rectangle, with round corners where `radius` is given."""
        self._shape(box, fill, shadow, opacity, lambda draw, b: draw.rounded_rectangle(b, radius * SCALE, fill=255))

    def ellipse(self, box: Box, fill: Fill, shadow: float = 0, opacity: float = 1) -> None:
        """An ellipse inside `box`."""
        self._shape(box, fill, shadow, opacity, lambda draw, b: draw.ellipse(b, fill=255))

    def disc(self, centre: Point, radius: float, fill: Fill, shadow: float = 0, opacity: float = 1) -> None:
        """A circle."""
        x, y = centre
        self.ellipse((x - radius, y - radius, x + radius, y + radius), fill, shadow, opacity)

    def polygon(self, points: Sequence[Point], fill: Fill, shadow: float = 0, opacity: float = 1) -> None:
        """A filled polygon."""
        box = _bounds(points)

        def paint(draw: ImageDraw.ImageDraw, local: Box) -> None:
            moved = [((x - box[0]) * SCALE + local[0], (y - box[1]) * SCALE + local[1]) for x, y in points]
            draw.polygon(moved, fill=255)

        self._shape(box, fill, shadow, opacity, paint)

    def line(self, points: Sequence[Point], fill: str, width: float = 1, opacity: float = 1) -> None:
        """A polyline with round joints."""
        left, top, right, bottom = _bounds(points)
        box = (left - width, top - width, right + width, bottom + width)

        def paint(draw: ImageDraw.ImageDraw, local: Box) -> None:
            moved = [((x - box[0]) * SCALE + local[0], (y - box[1]) * SCALE + local[1]) for x, y in points]
            draw.line(moved, fill=255, width=max(1, round(width * SCALE)), joint="curve")
            radius = width * SCALE / 2 - 0.5
            for x, y in (moved[0], moved[-1]) if width > 2 else ():
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)

        self._shape(box, fill, 0, opacity, paint)

    def text(self, at: Point, text: str, size: float, fill: str, anchor: str = "la", bold: float = 0) -> None:
        """Latin text in Pillow's bundled font; `bold` thickens the strokes by so many pixels."""
        font = ImageFont.load_default(size * SCALE)
        ImageDraw.Draw(self.image).text(
            (at[0] * SCALE, at[1] * SCALE),
            text,
            fill=fill,
            font=font,
            anchor=anchor,
            stroke_width=bold * SCALE,
            stroke_fill=fill,
        )

    def glow(self, centre: Point, radius: float, colour: str, strength: float = 1) -> None:
        """Light added around `centre`, fading to nothing at `radius`."""
        side = round(2 * radius * SCALE)
        falloff = ImageChops.invert(Image.radial_gradient("L")).resize((side, side))
        # Squared, so that the light has a core; below 1/8 the corners of the square would show.
        falloff = falloff.point([int(max(0, level - 74) ** 2 / 181**2 * 255 * strength) for level in range(256)])
        light = Image.composite(Image.new("RGB", (side, side), colour), Image.new("RGB", (side, side)), falloff)
        at = (round((centre[0] - radius) * SCALE), round((centre[1] - radius) * SCALE))
        layer = Image.new("RGB", self.size)
        layer.paste(light, at)
        self.image = ImageChops.screen(self.image, layer)

    def led(self, centre: Point, radius: float, colour: str, lit: bool = True) -> None:
        """A small lamp with its bezel; a lit one glows."""
        self.disc(centre, radius * 1.45, "#15181c")
        self.disc(centre, radius, colour if lit else _mixed(colour, "#20242a", 0.78))
        if lit:
            self.glow(centre, radius * 5, colour, 0.85)
        self.disc((centre[0] - radius * 0.3, centre[1] - radius * 0.35), radius * 0.3, "#ffffff", opacity=0.75)

    def screw(self, centre: Point, radius: float = 5) -> None:
        """A cross-head screw."""
        x, y = centre
        self.disc(centre, radius, ("#d5d9de", "#858c95"), shadow=2)
        self.line([(x - radius * 0.5, y), (x + radius * 0.5, y)], "#4a5058", 1.2)
        self.line([(x, y - radius * 0.5), (x, y + radius * 0.5)], "#4a5058", 1.2)

    def blur(self, radius: float) -> None:
        """Put everything drawn so far out of focus."""
        self.image = self.image.filter(ImageFilter.GaussianBlur(radius * SCALE))

    def finished(self) -> Image.Image:
        """The picture at its final size."""
        return self.image.resize((self.size[0] // SCALE, self.size[1] // SCALE), Image.Resampling.LANCZOS)

    def _shape(
        self, box: Box, fill: Fill, shadow: float, opacity: float, paint: Callable[[ImageDraw.ImageDraw, Box], None]
    ) -> None:
        left, top = round(box[0] * SCALE), round(box[1] * SCALE)
        width, height = max(1, round((box[2] - box[0]) * SCALE)), max(1, round((box[3] - box[1]) * SCALE))
        mask = Image.new("L", (width + 1, height + 1))
        paint(ImageDraw.Draw(mask), (0, 0, width, height))
        if shadow:
            self._shadow(mask, (left, top), shadow)
        if opacity < 1:
            mask = mask.point([round(level * opacity) for level in range(256)])
        self.image.paste(_filled(mask.size, fill), (left, top), mask)

    def _shadow(self, mask: Image.Image, at: tuple[int, int], reach: float) -> None:
        pad = round(reach * SCALE * 2)
        soft = Image.new("L", (mask.width + 2 * pad, mask.height + 2 * pad))
        soft.paste(mask, (pad, pad))
        soft = soft.filter(ImageFilter.GaussianBlur(reach * SCALE * 0.6)).point([level // 2 for level in range(256)])
        offset = round(reach * SCALE * 0.5)
        self.image.paste(Image.new("RGB", soft.size, "#05070a"), (at[0] - pad, at[1] - pad + offset), soft)


def _filled(size: tuple[int, int], fill: Fill) -> Image.Image:
    if isinstance(fill, str):
        return Image.new("RGB", size, fill)
    top, bottom = (Image.new("RGB", size, colour) for colour in fill)
    return Image.composite(bottom, top, Image.linear_gradient("L").resize(size))


def _mixed(colour: str, other: str, share: float) -> str:
    """`colour` with `share` of `other`."""
    pairs = zip(ImageColor.getrgb(colour)[:3], ImageColor.getrgb(other)[:3], strict=True)
    return "#" + "".join(f"{round(a * (1 - share) + b * share):02x}" for a, b in pairs)


def _bounds(points: Sequence[Point]) -> Box:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)
