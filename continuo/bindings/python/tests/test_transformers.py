"""Model directories as `transformers` saves them, and as other programs and older releases do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import peer

import continuo as ct

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def net(remi):
    transformers, torch = peer("transformers"), peer("torch")
    torch.manual_seed(1)
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=len(remi), n_positions=128, n_embd=32, n_layer=2, n_head=2)
    )


@pytest.fixture
def saved(net, remi, tmp_path) -> Path:
    folder = tmp_path / "saved"
    net.save_pretrained(folder)
    remi.save(folder / "tokenizer.json")
    return folder


@pytest.fixture
def variant(saved):
    """Copies the directory, with other weights or settings."""
    safetensors = peer("safetensors.torch")

    def make(change=lambda tensors: tensors, **config) -> Path:
        folder = saved.with_name("variant")
        shutil.copytree(saved, folder)
        tensors = safetensors.load_file(saved / "model.safetensors")
        safetensors.save_file(change(tensors), folder / "model.safetensors", metadata={"format": "pt"})
        settings = json.loads((saved / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**settings, **config}))
        return folder

    return make


def written(folder: Path) -> bytes:
    return ct.Model(folder, threads=1).generate(bars=2, seed=3, top_k=10)[0].to_bytes()


def test_what_is_loaded_and_saved_again_is_the_same_model(net, saved, tmp_path):
    transformers = peer("transformers")
    again = tmp_path / "again"
    transformers.GPT2LMHeadModel.from_pretrained(saved).save_pretrained(again)
    shutil.copy(saved / "tokenizer.json", again)
    assert written(again) == written(saved)


def test_the_model_that_ships_with_another_program(model, tmp_path):
    """Ours, loaded and saved by transformers: the tokenizer.json beside the weights names the vocabulary."""
    transformers, torch = peer("transformers"), peer("torch")
    source = Path(__file__).resolve().parents[4] / "models" / "pop-piano"
    net = transformers.AutoModelForCausalLM.from_pretrained(source)
    net.to(torch.float32).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "generation.json"):
        if (source / name).exists():
            shutil.copy(source / name, tmp_path)
    ours = ct.Model(source, threads=1, precision="f32").likelihood(model.generate(bars=2)[0].score)
    theirs = ct.Model(tmp_path, threads=1, precision="f32").likelihood(model.generate(bars=2)[0].score)
    assert theirs.per_bar.tolist() == ours.per_bar.tolist()


def test_masks_of_truth_values(saved, variant):
    torch = peer("torch")
    mask = torch.ones(128, 128, dtype=torch.bool).tril()[None, None]
    masks = {f"transformer.h.{i}.attn.bias": mask.clone() for i in range(2)}
    assert written(variant(lambda tensors: {**tensors, **masks})) == written(saved)


def test_a_head_without_embeddings(saved, variant):
    def rename(tensors):
        return {name.replace("transformer.wte.weight", "lm_head.weight"): tensor for name, tensor in tensors.items()}

    assert written(variant(rename)) == written(saved)


def test_a_padded_vocabulary(saved, net, remi, tmp_path):
    transformers = peer("transformers")
    padded = transformers.GPT2LMHeadModel.from_pretrained(saved)
    padded.resize_token_embeddings(pad_to_multiple_of=64)
    assert padded.config.vocab_size > len(remi)
    padded.save_pretrained(tmp_path / "padded")
    remi.save(tmp_path / "padded" / "tokenizer.json")
    assert written(tmp_path / "padded") == written(saved)


def test_other_names_of_settings(saved, variant):
    names = {"n_embd": "hidden_size", "n_layer": "num_hidden_layers", "n_head": "num_attention_heads"}
    folder = variant(activation_function="gelu_fast")
    settings = json.loads((folder / "config.json").read_text())
    settings = {names.get(name, name): value for name, value in settings.items()}
    (folder / "config.json").write_text(json.dumps(settings))
    assert "n_embd" not in settings
    assert written(folder) == written(saved)


def test_weights_that_are_pickled_are_refused_with_the_remedy(saved, net):
    torch = peer("torch")
    torch.save(net.state_dict(), saved / "pytorch_model.bin")
    (saved / "model.safetensors").unlink()
    with pytest.raises(ct.Error, match="pytorch_model.bin") as caught:
        ct.Model(saved)
    assert "save_pretrained" in str(caught.value) + str(caught.value.hint)
