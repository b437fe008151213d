"""Measures of pieces and of sets of pieces."""

from __future__ import annotations

import html
import importlib
import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from continuo import _core
from continuo._errors import InvalidError, NotFoundError
from continuo._files import Music, Progress, StrPath, midi_files, score_of, to_bytes_path, to_progress, whole
from continuo._model import MODELS
from continuo._tokenizer import Tokenizer

# Above this many pieces, SI, which takes up to half a second for each, is left out by default.
_PIECES_WITH_SI = 100

# The bars that the two-sample test looks at unless `bars` says otherwise, and the pieces it needs.
_TWO_SAMPLE_BARS = 32
_LEAST_FOR_TWO_SAMPLE = 10

# How many failures a table lists.
_FAILURES_SHOWN = 5

Pieces = Union[StrPath, Iterable[Music], Music]


@dataclass(frozen=True)
class Distance:
    """How far a set is from a reference set in one feature; docs/metrics.md defines the numbers."""

    feature: str
    within_reference: float  # mean distance of two pieces of the reference
    between: float  # mean distance of a piece of the set and one of the reference
    overlap: float  # of the densities of these distances: 0 to 1
    divergence: float  # Kullback-Leibler, in nats


@dataclass(frozen=True)
class Auc:
    """How often a classifier tells which of two pieces is of which set: 0.5 if it guesses, 1 always."""

    value: float
    low: float  # 95 % bootstrap interval
    high: float


@dataclass(frozen=True)
class TwoSample:
    """How well classifiers tell a set from a reference set; docs/metrics.md describes the test."""

    pieces: int  # of each set
    forest: Auc  # a random forest
    forest_without_form: Auc  # one that does not see how bars return
    logistic: Auc  # logistic regression
    #: Features in words, with the means of the set and of the reference and the difference in
    #: standard deviations, the largest first.
    differences: list[tuple[str, float, float, float]] = field(repr=False)


@dataclass(frozen=True)
class Copy:
    """The longest run of notes that a piece shares with any of the songs, in any key."""

    notes: int  # 0: not even two notes
    bar: int  # of the piece, counted from 0
    song: str  # "" if notes is 0
    song_bar: int  # counted from 0


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` has measured of a set of pieces; NaN where a metric is undefined."""

    names: list[str]  # of the pieces: paths, or "piece 1" and so on
    metrics: list[str]  # names of the columns
    values: npt.NDArray[np.float64] = field(repr=False)  # [pieces, metrics]
    keys: list[str] = field(repr=False)  # "C major" of each piece
    failures: list[str]  # why the pieces that are missing could not be measured
    set_values: dict[str, float] = field(repr=False)  # measures of the set as a whole
    #: For each metric: count, mean, std, and low and high of a 95 % interval of the mean.
    summary: dict[str, dict[str, float]] = field(repr=False)
    reference: dict[str, Any] | None = field(default=None, repr=False)  # name, mean and std by metric
    distances: list[Distance] = field(default_factory=list, repr=False)  # from `against`
    two_sample: TwoSample | None = None  # against `against`, if both have ten pieces or more
    copies: list[Copy] = field(default_factory=list, repr=False)  # of each piece, from `copied_from`
    _main: list[str] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        """The number of pieces that were measured."""
        return len(self.names)

    def __getitem__(self, metric: str) -> npt.NDArray[np.float64]:
        """The values of one metric: [pieces]. Raises KeyError."""
        if metric not in self.metrics:
            raise KeyError(metric)
        return self.values[:, self.metrics.index(metric)]

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each metric over the pieces for which it is defined."""
        return {name: row["mean"] for name, row in self.summary.items()}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation (n - 1) of each metric."""
        return {name: row["std"] for name, row in self.summary.items()}

    def describe(self) -> dict[str, dict[str, float]]:
        """`summary`, with `reference` (its mean) where there is one."""
        described = {name: dict(row) for name, row in self.summary.items()}
        if self.reference is not None:
            for name, mean in self.reference["mean"].items():
                if name in described:
                    described[name]["reference"] = mean
        return described

    def to_dict(self) -> list[dict[str, Any]]:
        """A dict for each piece: its name, the metrics, its key."""
        return [
            {"name": name, **dict(zip(self.metrics, row.tolist())), "key": key}
            for name, row, key in zip(self.names, self.values, self.keys)
        ]

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with a row for each piece; needs pandas."""
        pandas: Any = importlib.import_module("pandas")
        return pandas.DataFrame(self.to_dict()).set_index("name") if self.names else pandas.DataFrame()

    def _table(self) -> list[tuple[str, list[float]]]:
        rows = [(name, [self[metric][i] for metric in self._main]) for i, name in enumerate(self.names)]
        if len(self) > 1:
            rows.append((f"mean of {len(self)}", [self.mean[metric] for metric in self._main]))
        if self.reference is not None:
            mean = self.reference["mean"]
            rows.append((self.reference["name"], [mean.get(metric, math.nan) for metric in self._main]))
        return rows

    def __str__(self) -> str:
        """The main metrics as a table, and what could not be measured."""
        rows = self._table()
        width = max([len(name) for name, _ in rows], default=0)
        lines = [" " * width + "".join(f"{metric:>10}" for metric in self._main)]
        lines += [f"{name:<{width}}" + "".join(f"{_text(value):>10}" for value in values) for name, values in rows]
        return "\n".join(lines + self._failed())

    def _failed(self) -> list[str]:
        """The first failures, as lines of text."""
        if not self.failures:
            return []
        more = len(self.failures) - _FAILURES_SHOWN
        shown = self.failures[:_FAILURES_SHOWN] + ([f"and {more} more (failures)"] if more > 0 else [])
        return [f"{len(self.failures)} could not be measured:", *(f"  {line}" for line in shown)]

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(metric)}</th>" for metric in self._main)
        body = "".join(
            f"<tr><th>{html.escape(name)}</th>" + "".join(f"<td>{_text(value)}</td>" for value in values) + "</tr>"
            for name, values in self._table()
        )
        failed = "".join(f"{html.escape(line)}<br>" for line in self._failed())
        return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>{failed}"


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0f}" if value == int(value) else f"{value:.3f}"


def _parts(music: Pieces) -> list[tuple[str, Any]]:
    """Names with paths or scores."""
    if isinstance(music, (str, os.PathLike)):
        return [(str(file), to_bytes_path(file)) for file in midi_files(music)]
    if isinstance(music, (bytes, bytearray, memoryview)) or not isinstance(music, Iterable):
        music = [music]
    parts: list[tuple[str, Any]] = []
    for each in music:
        if isinstance(each, (str, os.PathLike)):
            parts += [(str(file), to_bytes_path(file)) for file in midi_files(each)]
        else:
            parts.append((f"piece {len(parts) + 1}", score_of(each)))
    return parts


def _read_reference(reference: StrPath) -> dict[str, Any]:
    path = Path(reference)
    shipped = MODELS / f"{reference}.eval.json"
    if not path.exists() and shipped.exists():
        path = shipped
    try:
        read = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such file (a reference is 'pop1k7', or the output of `continuo eval --json`)") from None
    except ValueError as error:
        raise InvalidError(f"{path}: is no JSON: {error}") from None
    if not (isinstance(read, dict) and isinstance(read.get("mean"), dict) and isinstance(read.get("std"), dict)):
        raise InvalidError(f'{path}: has no "mean" and "std", expected the output of `continuo eval --json`')
    return {"name": str(read.get("name", path)), "mean": read["mean"], "std": read["std"]}


def evaluate(
    pieces: Pieces,
    *,
    bars: int = 0,
    si: bool | str = "auto",
    reference: StrPath | None = None,
    against: Pieces | None = None,
    against_tokens: Tokenizer | str | None = None,
    copied_from: Pieces | None = None,
    threads: int = 0,
    progress: Progress = False,
) -> Evaluation:
    """Measures pieces: entropy of pitch classes, groove, chords, structure, and their description.

    `pieces` are files, folders of them, Scores, Pieces or anything that `Score.of` takes; one or
    several. `bars` measures the first bars of each; 0: all. `si` measures SI, the amount of
    repetition in whole pieces: True, False, or "auto" for up to 100 pieces. `reference` adds the
    means of real music ("pop1k7", 1,747 songs of 32 bars) or of a file that `continuo eval --json`
    printed. `against` adds distances from a reference set and, if both have ten pieces, a classifier
    two-sample test of the first 32 bars (or `bars`); `against_tokens`, a tokenizer or preset, first
    turns the reference into tokens and back, so that what these cannot express does not count.
    `copied_from` adds the longest runs of notes that are in those songs too. A piece that cannot be
    read is left out and listed in `failures`. docs/metrics.md defines the metrics.

    >>> import continuo as ct
    >>> score = ct.Model().generate(bars=4)[0].score
    >>> result = ct.evaluate(score, reference="pop1k7")
    >>> result["bars"].tolist()
    [4.0]
    """
    bars = whole("bars", bars, 0)
    threads = whole("threads", threads, 0)
    if si not in (True, False, "auto", "yes", "no"):
        raise InvalidError(f"si is {si!r}, expected True, False or 'auto'")
    real = None if reference is None else _read_reference(reference)
    parts = _parts(pieces)
    structure = len(parts) <= _PIECES_WITH_SI if si == "auto" else si in (True, "yes")
    called = to_progress(progress, "pieces")
    feature_bars = 0 if against is None else bars or _TWO_SAMPLE_BARS
    measured = _core.measure_set(parts, bars, structure, feature_bars, None, threads, called)
    failures: list[str] = list(measured.failures)

    distances: list[Distance] = []
    two_sample: TwoSample | None = None
    if against is None and against_tokens is not None:
        raise InvalidError("against_tokens needs a reference set, which against names")
    if against is not None:
        tok = Tokenizer(against_tokens) if isinstance(against_tokens, str) else against_tokens
        tok_core = None if tok is None else tok._core
        other = _core.measure_set(_parts(against), bars, False, feature_bars, tok_core, threads, called)
        failures += other.failures
        distances = [Distance(*row) for row in measured.distances(other)]
        if min(len(measured.names), len(other.names)) >= _LEAST_FOR_TWO_SAMPLE:
            compared, forest, formless, logistic, differences = measured.two_sample(other, threads, called)
            two_sample = TwoSample(compared, Auc(*forest), Auc(*formless), Auc(*logistic), differences)
    copies: list[Copy] = []
    if copied_from is not None:
        songs = _core.index_songs(_parts(copied_from), threads, called)
        failures += songs.failures
        copies = [Copy(*row) for row in measured.copies(songs)]

    rows = _core.metric_rows()
    names = [name for name, *_ in rows]
    fields = ("count", "mean", "std", "low", "high")
    return Evaluation(
        names=measured.names,
        metrics=names,
        values=measured.values(),
        keys=measured.keys,
        failures=failures,
        set_values=measured.set_values(),
        summary={name: dict(zip(fields, row)) for name, row in zip(names, measured.summaries())},
        reference=real,
        distances=distances,
        two_sample=two_sample,
        copies=copies,
        _main=[name for name, _, _, main in rows if main],
    )
