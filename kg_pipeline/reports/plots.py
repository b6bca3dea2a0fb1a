"""Plots as SVG: lines, steps and dots over two axes. Numbers become places here, the template draws them."""

import base64
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from markupsafe import Markup

from kg_pipeline.reports.page import HERE, environment

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 66, 14, 12, 44
"""Room around the drawing, for the labels of the axes."""
DOT, LARGEST_DOT = 2.5, 11.0
KEY_LINE = 18


@dataclass(frozen=True)
class Axis:
    """A scale from `low` to `high` with its marks."""

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]
    text: Callable[[float], str] = "{:g}".format
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value stands, 0–1 and not beyond."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        return min(1.0, max(0.0, (self._scaled(value) - low) / (high - low)))

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.log else value


@dataclass(frozen=True)
class Series:
    """Points that belong together; `colour` is 1–6, 0 for what is only there to compare with."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: int
    mark: Literal["line", "steps", "dots"] = "line"
    sizes: Sequence[float] = ()
    """Of dots: how much each stands for."""
    ranges: Sequence[tuple[float, float]] = ()
    """Of dots: lower and upper end of a vertical bar through each."""
    dashed: bool = False


@dataclass(frozen=True)
class Plot:
    """A titled drawing."""

    title: str
    note: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    diagonal: bool = False
    """Whether to draw the line on which x equals y."""

    def svg(self, style: str = "") -> Markup:
        """The SVG element; with `style` it stands alone, key included, without it takes the style of its page."""
        markup = (
            environment()
            .get_template("plot.svg.j2")
            .render(
                plot=self,
                style=Markup(style),
                size=(WIDTH, HEIGHT),
                frame=(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM),
                x_ticks=[(self._x(tick), self.x.text(tick)) for tick in self.x.ticks],
                y_ticks=[(self._y(tick), self.y.text(tick)) for tick in self.y.ticks],
                key=self.series if style and len(self.series) > 1 else (),
                key_line=KEY_LINE,
                drawn=[self._drawn(series) for series in self.series],
            )
        )
        return Markup(markup)

    def data_uri(self) -> str:
        """The plot as a data: address, with its own colours for light and dark."""
        style = (HERE / "plot.css").read_text(encoding="utf-8")
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg(style).encode()).decode()

    def _x(self, value: float) -> float:
        return round(LEFT + self.x.share(value) * (WIDTH - RIGHT - LEFT), 1)

    def _y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - self.y.share(value) * (HEIGHT - BOTTOM - TOP), 1)

    def _drawn(self, series: Series) -> dict[str, object]:
        places = [(self._x(x), self._y(y)) for x, y in series.points]
        corners = [corner for before, (x, y) in pairwise(places) for corner in ((x, before[1]), (x, y))]
        line = [*places[:1], *corners] if series.mark == "steps" else places
        most = max(series.sizes, default=1.0) or 1.0
        sizes = series.sizes or [0.0] * len(places)
        return {
            "series": series,
            "path": " ".join(f"{x},{y}" for x, y in line),
            "dots": [
                (x, y, round(max(DOT, LARGEST_DOT * math.sqrt(size / most)), 1))
                for (x, y), size in zip(places, sizes, strict=True)
            ],
            "bars": [
                (place[0], self._y(low), self._y(high))
                for place, (low, high) in zip(places, series.ranges, strict=False)
            ],
        }  # fmt: skip
