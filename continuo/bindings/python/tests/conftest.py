"""What the tests share. They run against the installed wheel, from any folder."""

from __future__ import annotations

import importlib
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
