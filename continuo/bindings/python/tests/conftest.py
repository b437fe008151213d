"""What the tests share. They run against the installed wheel, from any folder."""

from __future__ import annotations

import importlib
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import continuo as ct

SOURCE = Path(__file__).resolve().parents[4]


def peer(name: str):
    """A package to compare with, whose own warnings are not ours; skips the test without it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ImportError:
            pytest.skip(f"{name} is not installed")


@pytest.fixture(scope="session")
def source() -> Path:
    return SOURCE


@pytest.fixture(scope="session")
def prompt() -> Path:
    """Eight bars of piano in one track."""
    return SOURCE / "examples" / "prompt.mid"


@pytest.fixture(scope="session")
def songs() -> list[Path]:
    return sorted((SOURCE / "examples" / "corpus").glob("*.mid"))


@pytest.fixture(scope="session")
def model() -> ct.Model:
    return ct.Model(threads=1)


@pytest.fixture(scope="session")
def remi() -> ct.Tokenizer:
    return ct.Tokenizer("remi")


@pytest.fixture(scope="session")
def remi_model(remi: ct.Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> ct.Model:
    """A GPT-2 of one narrow layer with random weights, whose tokens have no chords and no plan."""
    width, shapes = 16, {}
    for norm in ("h.0.ln_1", "h.0.ln_2", "ln_f"):
        shapes |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
    for name, outputs, inputs in (("attn.c_attn", 3, 1), ("attn.c_proj", 1, 1), ("mlp.c_fc", 4, 1), ("mlp.c_proj", 1, 4)):
        shapes |= {f"h.0.{name}.weight": (inputs * width, outputs * width), f"h.0.{name}.bias": (outputs * width,)}
    shapes |= {"wte.weight": (len(remi), width), "wpe.weight": (128, width)}
    random, header, data = np.random.default_rng(1), {}, b""
    for name, shape in shapes.items():
        values = random.uniform(-0.1, 0.1, shape).astype("<f4").tobytes()
        header[f"transformer.{name}"] = {"dtype": "F32", "shape": shape, "data_offsets": (len(data), len(data) + len(values))}
        data += values
    text = json.dumps(header).encode()
    folder = tmp_path_factory.mktemp("model") / "remi"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    config = {"model_type": "gpt2", "vocab_size": len(remi), "n_positions": 128, "n_embd": width, "n_layer": 1, "n_head": 2}
    (folder / "config.json").write_text(json.dumps(config))
    remi.save(folder / "tokenizer.json")
    return ct.Model(folder, threads=1)


@pytest.fixture(scope="session")
def corpus(songs: list[Path], remi: ct.Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> ct.Corpus:
    output = tmp_path_factory.mktemp("corpus") / "remi"
    return ct.Corpus.build(songs[0].parent, remi, output, valid_fraction=0.3)


@pytest.fixture
def band() -> ct.Score:
    """Two tracks and drums, with one row or more in each list."""
    lead = ct.Track(
        notes=[(0, 480, 60, 90), (480, 240, 64, 80), (960, 960, 67, 70)],
        program=40,
        name="Lead",
        controls=[(0, 7, 100)],
        pitch_bends=[(240, -512)],
        lyrics=[(0, "la")],
    )
    piano = ct.Track(notes=[(0, 1920, 48, 64)], program=0, name="Piano", pedals=[(0, 960)], controls=[(0, 64, 127), (960, 64, 0)])
    drums = ct.Track(notes=[(0, 120, 36, 100), (960, 120, 38, 100)], is_drum=True, name="Drums")
    return ct.Score(
        480,
        [lead, piano, drums],
        tempos=[(0, 500000), (960, 600000)],
        time_signatures=[(0, 4, 4), (1920, 3, 4)],
        key_signatures=[(0, -3, 1)],
        markers=[(0, "Verse")],
    )


def equal(a, b) -> bool:
    """Streams of ids that are equal."""
    a, b = ([each] if isinstance(each, np.ndarray) else each for each in (a, b))
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b))
