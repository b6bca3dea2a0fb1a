"""Fitting the weights of the fused log-odds on pictures whose passage is known."""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize

from kg_pipeline.evidence.calibration import PRIOR_WEIGHTS, RERANKER, RERANKER_PRIOR

# Measured on three corpora of 93 to 168 pictures, a fifth held out at a time: between a third of this and three times
# as much strict@1 moves by two points, and stays above the weights as shipped. In pictures, not per picture: the more
# there are, the less the shipped weights count.
RIDGE_PICTURES = 1.5


def fit_weights(pairs: pl.DataFrame, *, with_reranker: bool) -> dict[str, float]:
    """Weights that make the true passages of pictures likely among all proposed ones, near those that are shipped.

    `pairs`: image_id, features, log_odds, counted, right; pictures without a true passage among the counted teach
    nothing. Minimises the conditional logit loss, mean over pictures of -log(softmax mass on true passages), plus
    RIDGE_PICTURES / pictures * squared distance from the shipped weights (McFadden 1974; maximum a posteriori). No
    weight changes its sign: what speaks for a pair may weigh nothing, never against it.
    """
    priors = {**PRIOR_WEIGHTS, **({RERANKER: RERANKER_PRIOR} if with_reranker else {})}
    names, prior = list(priors), np.array([*priors.values()])
    counted = pairs.filter("counted").sort("image_id", maintain_order=True)
    counted = counted.filter(pl.col("right").any().over("image_id"))
    if counted.is_empty():
        return priors
    sign = np.where(prior < 0, -1.0, 1.0)
    inputs = _inputs(counted, names) * sign
    image = counted["image_id"].rank("dense").cast(pl.Int64).to_numpy() - 1
    right = counted["right"].to_numpy()
    pictures, start = int(image[-1]) + 1, np.abs(prior)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total = inputs @ weights
        mass, of_all = _softmax(total, image, pictures)
        right_mass, of_right = _softmax(np.where(right, total, -np.inf), image, pictures)
        away = weights - start
        gradient = inputs.T @ (of_all - of_right) / pictures + 2 * RIDGE_PICTURES / pictures * away
        return float((mass - right_mass).mean() + RIDGE_PICTURES / pictures * away @ away), gradient

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(names)).x
    return {name: round(float(value), 6) for name, value in zip(names, found * sign + 0.0, strict=True)}


def _inputs(pairs: pl.DataFrame, names: list[str]) -> NDArray[np.float64]:
    features = pairs["features"].struct.unnest().with_columns(pairs["log_odds"].alias(RERANKER))
    return np.asarray(np.nan_to_num(features.select(pl.col(names).cast(pl.Float64)).to_numpy()))


def _softmax(
    total: NDArray[np.float64], image: NDArray[np.int64], pictures: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log of the sum of exponentials per picture, and each row's share of it."""
    top = np.full(pictures, -np.inf)
    np.maximum.at(top, image, total)
    share = np.exp(total - top[image])
    mass = np.bincount(image, share, pictures)
    return top + np.log(mass), share / mass[image]
