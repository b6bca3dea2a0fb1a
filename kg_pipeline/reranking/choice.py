"""Which reranker a collection gets, and why; and when its scorer must not change unasked."""

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass

from kg_pipeline.config import Limits, Scoring, Settings
from kg_pipeline.evidence import EVIDENCE_SCORER
from kg_pipeline.reranking.protocol import Reranker, RerankerError

LIBRARIES = ("torch", "torchvision", "transformers", "accelerate", "qwen_vl_utils")
EXTRA = "uv sync --extra gpu"


@dataclass(frozen=True)
class Choice:
    """A reranker, or None when the evidence model scores alone, and the reason in words."""

    reranker: Reranker | None
    reason: str


def choose_reranker(scoring: Scoring, limits: Limits | None = None) -> Choice:
    """The reranker that `scoring` asks for; `auto` takes qwen-vl when a CUDA device and a checkpoint are there.

    The weights are looked at but not loaded; a remote server is asked what scores there, with the key that stands in
    the environment. Raises RerankerError when what is asked for is not there.
    """
    if scoring.reranker == "none":
        return Choice(None, "none: the evidence model scores alone, as asked")
    if scoring.reranker == "remote":
        return Choice(_remote(scoring, limits or Limits()), f"remote: {scoring.remote and scoring.remote.url}")
    if scoring.reranker == "auto" and (lacking := _lacking(scoring)):
        return Choice(None, f"auto: {lacking}, so the evidence model scores alone")
    return Choice(_qwen_vl(scoring, limits), f"{scoring.reranker}: {scoring.checkpoint}")


def check_scorer_change(scoring: Scoring, recorded: Iterable[str], scorer: str) -> None:
    """Refuse that `auto` scores with another model than those `recorded` in the collection's last scores.

    Scores of different scorers have different scales: thresholds, calibration and edges would all change because a
    GPU was or was not there. Raises RerankerError; `allow_scorer_change`, or naming the reranker, allows it.
    """
    if scoring.reranker != "auto" or scoring.allow_scorer_change:
        return
    evidence = EVIDENCE_SCORER.partition("/")[0]
    changed = sorted(old for old in recorded if old != scorer)
    if changed and not all(name.startswith(evidence) for name in (*changed, scorer)):
        raise RerankerError(
            f"the collection was scored by {', '.join(changed)}; `auto` would now take {scorer}. "
            "Name the reranker (--reranker qwen-vl or none), or allow the change with --allow-scorer-change"
        )


def _lacking(scoring: Scoring) -> str:
    if not scoring.checkpoint:
        return "no checkpoint is given"
    if missing := missing_libraries():
        return f"{', '.join(missing)} not installed"
    return "" if _cuda_available() else "no CUDA device"


def _qwen_vl(scoring: Scoring, limits: Limits | None) -> Reranker:
    if not scoring.checkpoint:
        raise RerankerError("reranker 'qwen-vl' needs weights: --checkpoint DIR, or scoring.checkpoint")
    if missing := missing_libraries():
        raise RerankerError(f"reranker 'qwen-vl' needs {', '.join(missing)}: {EXTRA}")
    from kg_pipeline.reranking.checkpoint import open_checkpoint
    from kg_pipeline.reranking.qwen_vl import Precision, QwenVLReranker

    return QwenVLReranker(
        open_checkpoint(scoring.checkpoint),
        instruction=scoring.instruction,
        direction=scoring.direction,
        precision=Precision(scoring.dtype, chosen_device(scoring.device), scoring.token_budget),
        limits=limits,
    )


def _remote(scoring: Scoring, limits: Limits) -> Reranker:
    section, key = scoring.remote, Settings().reranker_api_key
    if section is None:
        raise RerankerError("reranker 'remote' needs an address: --reranker-url URL, or scoring.remote.url")
    from kg_pipeline.reranking.remote import RemoteReranker, ScoreServer
    from kg_pipeline.reranking.remote_server import KgPipelineServer
    from kg_pipeline.reranking.remote_vllm import VllmServer

    if section.api == "vllm":
        server: ScoreServer = VllmServer(section, scoring.direction, scoring.instruction, key, limits)
    else:
        if scoring.instruction is not None:
            raise RerankerError("scoring.instruction is a matter of the server that scores: start it there with it")
        server = KgPipelineServer(section, scoring.direction, key)
    return RemoteReranker(server, section, scoring.direction)


def chosen_device(name: str) -> str:
    """`name`, or what `auto` comes to on this machine. Raises RerankerError for a device that is not there."""
    if name == "auto":
        return "cuda" if _cuda_available() else "cpu"
    if name.startswith("cuda") and not _cuda_available():
        raise RerankerError(f"device {name!r}: no CUDA device is there; use --device cpu")
    if name != "cpu" and not name.startswith("cuda"):
        raise RerankerError(f"device {name!r}: expected cpu, cuda or cuda:N")
    return name


def _cuda_available() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def missing_libraries() -> list[str]:
    """Libraries of the extra `gpu` that are not installed."""
    return [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
