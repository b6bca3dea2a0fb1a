"""How sure a measure is: 95 % intervals of shares, means and other statistics, and of averages over collections."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Z = 1.959964
RESAMPLES, SEED = 1_000, 20_240_229
Values = NDArray[np.float64]
Statistic = Callable[[Values], float]


class Estimate(NamedTuple):
    """A measure with its 95 % interval, made of `n` units."""

    value: float
    n: int
    low: float
    high: float


def mean(values: Values) -> float:
    """The mean of the rows."""
    return float(values.mean())


def estimate(values: Values, statistic: Statistic = mean) -> Estimate | None:
    """`statistic` of `values` (a row per unit); None without any.

    The interval is Wilson's for a share (every value 0 or 1), else the percentile bootstrap over the units, seeded.
    """
    if not len(values):
        return None
    value = statistic(values)
    if statistic is mean and np.isin(values, (0.0, 1.0)).all():
        return Estimate(value, len(values), *wilson(value, len(values)))
    return Estimate(value, len(values), *bootstrap(values, statistic))


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's score interval of a share of `n`; unlike the normal one it is not empty at 0 and 1."""
    centre = share + Z**2 / (2 * n)
    half = Z * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    scale = 1 + Z**2 / n
    return max(0.0, float((centre - half) / scale)), min(1.0, float((centre + half) / scale))


def bootstrap(values: NDArray[Any], statistic: Statistic) -> tuple[float, float]:
    """Percentiles 2.5 and 97.5 of `statistic` over resamples of the rows, drawn with replacement."""
    draw = np.random.default_rng(SEED)
    found = [statistic(values[draw.integers(0, len(values), len(values))]) for _ in range(RESAMPLES)]
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def average(parts: Sequence[Estimate]) -> Estimate:
    """Mean of independent estimates, each weighing the same.

    The interval is put together from theirs, not assumed symmetric: MOVER, Zou and Donner, Statistics in Medicine 2008.
    """
    value = float(np.mean([part.value for part in parts]))
    below = float(np.sqrt(sum((part.value - part.low) ** 2 for part in parts))) / len(parts)
    above = float(np.sqrt(sum((part.high - part.value) ** 2 for part in parts))) / len(parts)
    return Estimate(value, sum(part.n for part in parts), value - below, value + above)
