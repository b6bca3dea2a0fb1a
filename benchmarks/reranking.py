"""Pairs scored per second, packed against one pair per forward, with the bound that counting operations gives.

    python benchmarks/reranking.py [--device cpu] [--dtype float32] [--shapes balanced,vision_heavy] [--repeat 3]

Both sides start from the bytes of the same image (504 x 504) and have the same random weights. The loop is the one of
the tests, with the logits of the last token only: a kinder opponent than the model card's. On a CPU one thread computes
and processor time counts, so that other work on the machine is not measured. The loop's time per pair is the median
over the texts it scored; the engine's is the median of its repeats. Ends with one JSON line.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from qwen_checkpoints import Shape, build_checkpoint, tokenizer
from reference_loop import ReferenceLoop

from kg_pipeline.reranking.checkpoint import open_checkpoint
from kg_pipeline.reranking.flops import bound
from kg_pipeline.reranking.protocol import ImageTexts
from kg_pipeline.reranking.qwen_vl import Precision, QwenVLReranker

SHAPES = {
    # The 7B with widths divided by 8 and layers by 4: the same share of the operations in the vision tower.
    "balanced": Shape(448, 7, 7, 1, 2368, 160, 8, 2, 428),
    # A small language model behind a large vision tower.
    "vision_heavy": Shape(256, 4, 4, 2, 768, 320, 8, 4, 856),
}
SIDE = 504
GRID = (SIDE // 28, SIDE // 28)
TEXTS_PER_IMAGE = (1, 4, 16, 64)
TEXT_TOKENS = (60, 120, 180)
ON_CPU = "--device" not in sys.argv or "cpu" in sys.argv
WORDS = "The red lamp beside the cabinet door is lit when a fault waits; read the panel, then call the operator. "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    if ON_CPU:
        torch.set_num_threads(1)
    ratios: dict[str, float] = {}
    bounds: dict[str, float] = {}
    for name in options.shapes.split(","):
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = build_checkpoint(Path(folder), shape=SHAPES[name], scale=1.0)
            measure(name, checkpoint, options, ratios, bounds)
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()}"
    )
    found = {"name": "reranking", "ratios": ratios, "bound": bounds, "machine": machine}
    print(json.dumps(found))


def measure(
    name: str, folder: Path, options: argparse.Namespace, ratios: dict[str, float], bounds: dict[str, float]
) -> None:
    loop = ReferenceLoop(folder, options.dtype, options.device)
    opened = open_checkpoint(str(folder))
    engine = QwenVLReranker(opened, precision=Precision(options.dtype, options.device))
    data = picture()
    warm = engine.score([ImageTexts("warm", lambda: data, ("lamp", "bolt"))])
    assert next(warm).error is None
    print(f"\n{name}: {SHAPES[name]}")
    print(
        f"{'texts':>5} {'tokens':>6} {'loop ms':>8} {'engine ms':>9} {'ratio':>6} {'bound':>6} {'share':>6}   per pair"
    )
    for tokens in TEXT_TOKENS:
        for count in TEXTS_PER_IMAGE:
            texts = [text(tokens, number) for number in range(count)]
            group = ImageTexts("a", lambda: data, tuple(texts))
            # Taken in turns, so that other work on the machine hits both sides.
            loop_seconds, engine_seconds = [], []
            for turn in range(options.repeat):
                engine_seconds.append(clock(lambda group=group: list(engine.score([group]))))
                for one in (texts[turn % count], texts[-1 - turn % count]):
                    loop_seconds.append(clock(lambda one=one: loop.log_odds(Image.open(BytesIO(data)), one)))  # noqa: PERF401
            per_pair, packed = statistics.median(loop_seconds), statistics.median(engine_seconds) / count
            key = f"{name}/{count}x{tokens}"
            ratios[key] = round(per_pair / packed, 2)
            bounds[key] = round(bound(opened.config, GRID, [tokens] * count), 2)
            share = ratios[key] / bounds[key]
            times = f"{per_pair * 1e3:8.1f} {packed * 1e3:9.1f}"
            print(f"{count:5} {tokens:6} {times} {ratios[key]:6.2f} {bounds[key]:6.2f} {share:6.0%}", flush=True)


def clock(work: Callable[[], object]) -> float:
    """Processor time on a CPU, where other work would be measured too; wall-clock time on a GPU."""
    started, started_cpu = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - started_cpu if ON_CPU else time.perf_counter() - started


def picture() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(noise).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


def text(tokens: int, number: int) -> str:
    ids = tokenizer().encode(f"Step {number}. " + WORDS * (tokens // 20 + 1))
    return tokenizer().decode(ids[:tokens])


if __name__ == "__main__":
    main()
