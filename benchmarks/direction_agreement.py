"""How the two directions of a checkpoint agree: image as query against text as query, on your own pictures and texts.

    python benchmarks/direction_agreement.py --checkpoint DIR --images FOLDER --texts FILE [--device cuda]

FILE has a text per line. Scores every picture with every text both ways and prints the rank correlation of the
log-odds (Spearman), how often both put the same text first for a picture, and the mean difference. Ends with one JSON
line.
"""

import argparse
import json
import platform
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from kg_pipeline.config import Scoring
from kg_pipeline.reranking import choose_reranker, score_files

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="bfloat16")
    options = parser.parse_args()
    images = [str(path) for path in sorted(options.images.rglob("*")) if path.suffix.lower() in SUFFIXES]
    texts = [line for line in options.texts.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not images or not texts:
        parser.error(f"{len(images)} pictures and {len(texts)} texts were found: there must be some of both")
    scores = []
    for direction in ("image-to-text", "text-to-image"):
        scoring = Scoring(
            reranker="qwen-vl",
            checkpoint=options.checkpoint,
            device=options.device,
            dtype=options.dtype,
            direction=direction,
        )
        reranker = choose_reranker(scoring).reranker
        assert reranker
        rows = score_files(reranker, images, texts)
        reranker.close()
        scores.append(np.array([row["log_odds"] for row in rows], dtype=float).reshape(len(images), len(texts)))
    readable = ~np.isnan(scores[0] + scores[1]).any(axis=1)
    image_query, text_query = (matrix[readable] for matrix in scores)
    found = {
        "name": "direction_agreement",
        "pairs": int(image_query.size),
        "spearman": round(float(spearmanr(image_query.ravel(), text_query.ravel()).statistic), 4),
        "same_best_text": round(float((image_query.argmax(1) == text_query.argmax(1)).mean()), 4),
        "mean_difference": round(float((image_query - text_query).mean()), 4),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
