"""Continuo: symbolic music as tokens, models that write it, and measures of the result.

>>> import continuo as ct
>>> tok = ct.Tokenizer("remi")
>>> len(tok)
316

docs/python.md of the project describes the package, and how code for MidiTok moves to it.

Objects never change after they are made, so that threads may share them. Long work runs without the
GIL, and Ctrl-C stops it. Importing starts no thread: a process may fork afterwards, as long as it
loads its models after the fork.
"""

from __future__ import annotations

from continuo import _core
from continuo._corpus import Collator, Corpus, CorpusReport, Dataset, Song
from continuo._errors import CancelledError, Error, InvalidError, NotFoundError, FileSystemError, TooLargeError
from continuo._evaluate import Auc, Copy, Distance, Evaluation, TwoSample, evaluate
from continuo._model import Bar, Guard, Likelihood, Model, Piece, RaisedLevel
from continuo._score import (
    CONTROL,
    KEY_SIGNATURE,
    NOTE,
    PEDAL,
    PITCH_BEND,
    TEMPO,
    TIME_SIGNATURE,
    Score,
    Track,
)
from continuo._tokenizer import Tokenizer, TokenInfo, presets

__version__: str = _core.version

__all__ = [
    "Auc",
    "Bar",
    "CONTROL",
    "CancelledError",
    "Collator",
    "Copy",
    "Corpus",
    "CorpusReport",
    "Dataset",
    "Distance",
    "Error",
    "Evaluation",
    "Guard",
    "InvalidError",
    "KEY_SIGNATURE",
    "Likelihood",
    "Model",
    "NOTE",
    "NotFoundError",
    "PEDAL",
    "PITCH_BEND",
    "Piece",
    "RaisedLevel",
    "Score",
    "Song",
    "FileSystemError",
    "TEMPO",
    "TIME_SIGNATURE",
    "TokenInfo",
    "Tokenizer",
    "TooLargeError",
    "Track",
    "TwoSample",
    "evaluate",
    "presets",
]
