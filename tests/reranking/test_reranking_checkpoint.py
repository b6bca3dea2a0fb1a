"""Checkpoints that are not what they should be are refused before anything is loaded, with what to do."""

import json
import shutil

import pytest

from kg_pipeline.config import Scoring
from kg_pipeline.reranking import RerankerError, check_scorer_change, choose_reranker
from kg_pipeline.reranking.checkpoint import open_checkpoint
from kg_pipeline.reranking.qwen_vl import Precision, QwenVLReranker


@pytest.fixture
def copy(checkpoint, tmp_path):
    """A copy of the tiny checkpoint to damage."""
    return shutil.copytree(checkpoint("qwen2_5_vl"), tmp_path / "copy")


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_another_architecture_is_named_with_those_that_work(copy):
    change_config(copy, model_type="llama", architectures=["LlamaForCausalLM"])
    with pytest.raises(RerankerError, match=r"LlamaForCausalLM; this engine scores with: Qwen2_5_VL.*Qwen3VL"):
        open_checkpoint(str(copy))


def test_a_classifier_head_is_not_a_yes_no_reranker(copy):
    change_config(copy, architectures=["Qwen2_5_VLForSequenceClassification"])
    with pytest.raises(RerankerError, match="Qwen2_5_VLForSequenceClassification"):
        open_checkpoint(str(copy))


def test_a_missing_shard_is_named(copy):
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(RerankerError, match=r"1 of 2 weight files missing: model-00002-of-00002\.safetensors"):
        open_checkpoint(str(copy))


def test_pickled_weights_are_never_loaded(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(RerankerError, match="pickled weights are never loaded"):
        open_checkpoint(str(copy))


def test_a_download_that_broke_off_is_seen_from_its_length(copy):
    weights = copy / "model.safetensors"
    with weights.open("rb+") as file:
        file.truncate(weights.stat().st_size - 1000)
    with pytest.raises(RerankerError, match="its header says"):
        open_checkpoint(str(copy))


def test_weights_that_are_no_safetensors(copy):
    (copy / "model.safetensors").write_bytes(b"<html>not found</html>")
    with pytest.raises(RerankerError, match="not a safetensors file"):
        open_checkpoint(str(copy))


def test_quantized_weights_are_refused(copy):
    change_config(copy, quantization_config={"quant_method": "awq"})
    with pytest.raises(RerankerError, match="quantized"):
        open_checkpoint(str(copy))


def test_a_name_that_is_neither_folder_nor_pinned_hub_id():
    with pytest.raises(RerankerError, match="no such folder, and no hub id with its revision"):
        open_checkpoint("vec-ai/lychee-rerank-mm")


def test_a_hub_id_that_cannot_be_downloaded_says_so(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    commit = "0123456789" * 4
    with pytest.raises(
        RerankerError, match=rf"checkpoint nobody/reranker@{commit}: cannot be downloaded: .*traffic has been disabled"
    ):
        open_checkpoint(f"nobody/reranker@{commit}")
    with pytest.raises(RerankerError, match=r"cannot be downloaded: Repo id must"):
        open_checkpoint(f"no--body/..x@{commit}")


def test_the_weights_are_counted_without_loading_them(checkpoint):
    opened = open_checkpoint(str(checkpoint("qwen2_5_vl")))
    reranker = QwenVLReranker(opened, precision=Precision("float32"))
    assert opened.parameters == sum(weight.numel() for weight in reranker.model.model.parameters())


def test_placing_the_weights_leaves_no_hooks(engine):
    model = engine().model.model
    assert {weight.device.type for weight in model.parameters()} == {"cpu"}
    assert not any(hasattr(module, "_hf_hook") for module in model.modules())


def test_no_yes_and_no_in_the_vocabulary(copy):
    path = copy / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["yesno"] = vocabulary.pop("yes")
    tokenizer["model"]["merges"] = [m for m in tokenizer["model"]["merges"] if "".join(m) != "yes"]
    tokenizer["model"]["merges"] = [m for m in tokenizer["model"]["merges"] if "yes" not in m]
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    with pytest.raises(RerankerError, match="no tokens `yes` and `no`"):
        QwenVLReranker(open_checkpoint(str(copy)), precision=Precision("float32")).prompts.answer_ids()


def test_weights_of_another_shape_are_not_filled_up_at_random(copy):
    config = json.loads((copy / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] += 1
    config["text_config"].pop("layer_types", None)
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(RerankerError, match="weights are not in the checkpoint"):
        _ = QwenVLReranker(open_checkpoint(str(copy)), precision=Precision("float32")).model


def test_the_fingerprint_changes_with_all_that_changes_a_score(checkpoint, copy):
    folder = str(checkpoint("qwen2_5_vl"))
    opened = open_checkpoint(folder)

    def fingerprint(**changes):
        return QwenVLReranker(opened, **changes).fingerprint

    other_weights = copy / "model.safetensors"
    data = bytearray(other_weights.read_bytes())
    data[-(1 << 14) :] = bytes(1 << 14)
    other_weights.write_bytes(data)
    prints = [
        fingerprint(),
        fingerprint(instruction="Find the part."),
        fingerprint(direction="text-to-image"),
        fingerprint(precision=Precision("float32")),
        QwenVLReranker(open_checkpoint(str(copy))).fingerprint,
    ]
    assert len(set(prints)) == len(prints)
    assert fingerprint(precision=Precision(token_budget=99)) == fingerprint()


def test_auto_without_a_checkpoint_takes_the_evidence_model_and_says_why():
    choice = choose_reranker(Scoring())
    assert choice.reranker is None
    assert "no checkpoint is given" in choice.reason


def test_auto_without_a_gpu_takes_the_evidence_model(checkpoint, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    choice = choose_reranker(Scoring(checkpoint=str(checkpoint("qwen2_5_vl"))))
    assert choice.reranker is None
    assert "no CUDA device" in choice.reason


def test_what_is_asked_for_by_name_is_there_or_an_error(checkpoint):
    assert choose_reranker(Scoring(reranker="qwen-vl", checkpoint=str(checkpoint("qwen2_5_vl")))).reranker
    with pytest.raises(RerankerError, match="needs weights: --checkpoint"):
        choose_reranker(Scoring(reranker="qwen-vl"))
    with pytest.raises(RerankerError, match="'remote' needs an address: --reranker-url"):
        choose_reranker(Scoring(reranker="remote"))


def test_auto_does_not_change_the_scorer_of_a_collection():
    model, evidence = "qwen-vl/a@1/image-to-text/bfloat16/x", "evidence-model/5"
    with pytest.raises(RerankerError, match="--allow-scorer-change"):
        check_scorer_change(Scoring(), [model], evidence)
    with pytest.raises(RerankerError, match="--allow-scorer-change"):
        check_scorer_change(Scoring(), [evidence], model)
    check_scorer_change(Scoring(), [], model)
    check_scorer_change(Scoring(), [model], model)
    check_scorer_change(Scoring(), ["evidence-model/0"], evidence)
    check_scorer_change(Scoring(reranker="none"), [model], evidence)
    check_scorer_change(Scoring(allow_scorer_change=True), [model], evidence)
