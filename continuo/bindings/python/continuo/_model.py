"""Models: music written, continued, rewritten and judged."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, Union

import numpy as np
import numpy.typing as npt

from continuo import _core
from continuo._errors import Error, InvalidError
from continuo._files import Music, Progress, StrPath, bar_range, midi_of, score_of, to_bytes_path, to_progress, whole
from continuo._score import Rows, Score
from continuo._tokenizer import Ids, Tokenizer

if TYPE_CHECKING:
    from typing_extensions import Unpack

MODELS = Path(__file__).parent / "share" / "continuo" / "models"

#: Rows of `Bar.notes`: seconds and duration_seconds from the start of the piece, time and duration
#: in ticks, pitch (MIDI key), velocity, program, is_drum.
BAR_NOTE = np.dtype(
    [
        ("seconds", "<f8"),
        ("duration_seconds", "<f8"),
        ("time", "<i4"),
        ("duration", "<i4"),
        ("pitch", "u1"),
        ("velocity", "u1"),
        ("program", "u1"),
        ("is_drum", "?"),
    ],
    align=True,  # as the compiler lays it out
)


Limit: TypeAlias = Union[str, int, Sequence[Union[str, int]], None]


class Options(TypedDict, total=False):
    """How pieces are written: the flags of `continuo generate` under the same names.

    Sampling that is not given is that of the model (`Model.sampling`).
    """

    count: int  # pieces, 1; of `fill`: see there
    keep: int  # only the N best pieces, best first, by the likelihood per token; 0: all, by index
    seed: int  # the same seed gives the same bytes; 1
    batch: int  # pieces written at a time, for speed only; 0: as many as suit the model
    retries: int  # how often a piece that is stuck may go back two bars; 0
    temperature: float  # 0: always the likeliest token; 1: the model's own distribution
    top_k: int  # draw from the k likeliest tokens; 0: from all
    top_p: float  # draw from the likeliest tokens that together reach p; 1: from all
    pitch_top_p: float  # top_p of pitches alone: notes stay in the key, and rhythm and length are free; 1: as top_p
    min_p: float  # draw from tokens at least this share as likely as the likeliest; 0: from all
    repetition_penalty: float  # above 1: makes tokens that the piece has less likely
    recall: float  # share of the notes that return in a bar which repeats another; of models with plan tokens
    drafts: int  # how often every two bars are drawn, 1 to 16, to keep those most like real music
    chord_recall: float  # share of the other bars whose chords return from 4, 8 or 16 bars before; of models with chords
    chords: str | None  # "C | Am | F G7": repeated to the end; needs a model with chord tokens
    #: Of the new bars, of models with plan tokens: "A8 B8 A8 C8", sections with their bars.
    form: str | None
    #: The same: how many notes, 0 to 7: one level, a list of one per section, or of points (level,
    #: bar), bars from 1; or the text of `continuo generate --density`.
    density: str | float | Sequence[float] | Sequence[tuple[float, int]] | None
    loudness: str | float | Sequence[float] | Sequence[tuple[float, int]] | None  # how loud
    #: What new notes keep to; a list has several, each of them for all bars or for some: "A minor@9-16".
    scale: Limit  # "A minor", "C D E G A"
    range: Limit  # lowest and highest note: "C3:C6"
    grid: Limit  # begin on: 16 (sixteenth notes), 8 (eighth notes), 12 (triplets)
    max_notes: Limit  # that begin in a bar
    max_polyphony: Limit  # that sound at once
    silent_bars: int  # a piece with more silent bars in a row is stuck; 4
    equal_bars: int  # a piece with more equal bars in a row is stuck; 4
    notes_at_once: int  # a piece with more notes that begin together is stuck; 16


@dataclass(frozen=True)
class Guard:
    """A limit that a piece passes as it is."""

    bar: int  # counted from 0
    kind: str  # "silence", "repetition" or "crowd"


@dataclass(frozen=True)
class RaisedLevel:
    """A volume or an expression that was inaudible at a bar line, and was raised there."""

    channel: int  # 1 to 16
    controller: int  # 7 (volume) or 11 (expression)
    before: int  # the value in force, 0 to 127
    after: int


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece that a model has written."""

    index: int  # below `count`; names the random numbers
    score: Score  # all of it: of a continuation with the prompt, of `fill` with the bars around
    new_bars: Score | None  # of a continuation: the new bars alone, from tick 0
    new_notes: int  # that the model wrote
    ids: Ids = field(repr=False)  # what the model read and wrote: int32 [ids]
    prompt_length: int  # how many of the ids were read
    #: What pieces are ranked by: the mean negative log-likelihood per new token in nats; of `fill`
    #: per token of the eight bars that follow the new ones.
    nll: float
    guards: tuple[Guard, ...]  # where it is stuck
    retries: int  # how often it went back
    #: What had to be repaired in the file that it was made from, one line for each fault.
    repairs: tuple[str, ...] = field(default=(), repr=False)
    #: Of a continuation: levels that were faded out, and are raised where the new bars begin.
    raised_levels: tuple[RaisedLevel, ...] = ()

    def to_bytes(self) -> bytes:
        """The bytes of the MIDI file."""
        return self.score.to_bytes()

    def write(self, path: StrPath) -> None:
        """Writes the MIDI file, whole or not at all."""
        self.score.write(path)

    def _repr_html_(self) -> str:
        return self.score._repr_html_()


@dataclass(frozen=True, eq=False)
class Bar:
    """What became known of a piece when a bar was complete."""

    bars: int  # complete bars of the piece so far, those of a prompt included
    notes: Rows  # with the fields of BAR_NOTE


@dataclass(frozen=True, eq=False)
class Likelihood:
    """The negative log-likelihood of a piece under a model, in nats: less is likelier."""

    per_token: npt.NDArray[np.float64] = field(repr=False)  # of each id, given those before: [tokens]
    per_bar: npt.NDArray[np.float64] = field(repr=False)  # the sum over each bar's ids: [bars]
    notes: int
    #: What had to be repaired in the file, one line for each fault.
    repairs: tuple[str, ...] = field(default=(), repr=False)

    @property
    def total(self) -> float:
        """The sum over all ids."""
        return float(self.per_token.sum())

    @property
    def tokens(self) -> int:
        return len(self.per_token)

    @property
    def bars(self) -> int:
        return len(self.per_bar)

    @property
    def nll_per_token(self) -> float:
        """The mean per token; NaN without tokens. It does not compare models of different tokenizers."""
        return self.total / self.tokens if self.tokens else float("nan")

    @property
    def nll_per_note(self) -> float:
        """The mean per note, which compares models of different tokenizers."""
        return self.total / self.notes if self.notes else float("nan")

    @property
    def nll_per_bar(self) -> float:
        """The mean per bar."""
        return self.total / self.bars if self.bars else float("nan")


@dataclass(frozen=True)
class _Request:
    kind: str
    music: Music = None
    first: int = 0
    bars: int = 0
    track: int | None = None


class Model:
    """A model that writes music, and its tokenizer.

    `directory` is a model directory (config.json, model.safetensors, tokenizer.json), or the name of
    a model that ships; default: the one that ships, pop piano. `threads` 0 takes one for each core.
    `precision` is "f32", "bf16" or "int8"; default: the model's own. `tokenizer` is a tokenizer.json
    to use in place of the directory's, for one that has none. Raises NotFoundError, or InvalidError
    on files that are damaged or do not match.

    Calls from several threads take turns. A process that forks must load its models afterwards.

    >>> model = Model()
    >>> piece, = model.generate(bars=2, seed=1)
    >>> piece.score.bars
    2
    """

    def __init__(
        self,
        directory: StrPath | None = None,
        *,
        threads: int = 0,
        precision: str | None = None,
        tokenizer: StrPath | None = None,
    ) -> None:
        threads = whole("threads", threads, 0)
        path = MODELS / "pop-piano" if directory is None else Path(directory)
        if not path.exists() and directory is not None and (MODELS / str(directory)).is_dir():
            path = MODELS / str(directory)
        self._arguments = (directory, threads, precision, tokenizer)
        given = None if tokenizer is None else to_bytes_path(tokenizer)
        self._core = _core.Model.load(to_bytes_path(path), threads, precision, given)
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._streaming = False
        #: The model directory.
        self.directory: Path = path
        #: The tokenizer that the model was trained with.
        self.tokenizer: Tokenizer = Tokenizer.from_bytes(
            self._core.tokenizer_json, name=str(path / "tokenizer.json" if tokenizer is None else tokenizer)
        )

    @property
    def sampling(self) -> dict[str, float]:
        """The model's own sampling, which options override."""
        return self._core.sampling

    @property
    def context_length(self) -> int:
        """How many ids the model sees at once."""
        return self._core.context_length

    @property
    def weights_sha256(self) -> str:
        """SHA-256 (hex) of the weights."""
        return self._core.weights_sha256

    def generate(
        self, bars: int = 32, *, bpm: float | None = None, progress: Progress = False, **options: Unpack[Options]
    ) -> list[Piece]:
        """Writes new pieces of exactly `bars` bars, 1 to 10,000.

        `bpm` is the tempo in quarter notes per minute. Returns pieces by index; with `keep`, the
        best first. The same seed gives the same bytes, whatever `count`, `batch` and threads.
        Raises InvalidError on an option out of range, before anything is written.

        >>> pieces = Model().generate(bars=2, count=2, seed=3, temperature=1.0)
        >>> [piece.index for piece in pieces]
        [0, 1]
        """
        return self._write(_Request("new", bars=bars), {**options, "bpm": bpm}, progress)

    def continue_(
        self,
        music: Music,
        prompt_bars: int = 8,
        bars: int = 24,
        *,
        track: int | None = None,
        bpm: float | None = None,
        tempo: Literal["keep", "free"] = "keep",
        progress: Progress = False,
        **options: Unpack[Options],
    ) -> list[Piece]:
        """Keeps the first `prompt_bars` bars of a piece and writes `bars` new ones after them.

        Everything of the file before the bar line between them is kept to the byte. `track`,
        counted from 0, is read and continued alone; default: all tracks. `tempo` "keep" keeps the
        new bars near the tempo of the piece, "free" leaves it to the model, and `bpm` sets it.
        Raises InvalidError if the piece has fewer bars. See `generate`.
        """
        if track is not None:
            track = whole("track", track, 0)
        if tempo not in ("keep", "free"):
            raise InvalidError(f"tempo is {tempo!r}, expected 'keep' or 'free'")
        given = {**options, "bpm": bpm, "free_tempo": tempo == "free"}
        return self._write(_Request("continue", music, prompt_bars, bars, track), given, progress)

    def fill(
        self,
        music: Music,
        bars: tuple[int, int],
        *,
        candidates: int = 16,
        keep_top: bool = False,
        progress: Progress = False,
        **options: Unpack[Options],
    ) -> list[Piece]:
        """Writes bars of a piece again and keeps the rest of the file to the byte.

        `bars` are the first and the last bar to rewrite, counted from 1 as on the command line, so
        that (9, 12) are four bars. Of `candidates` those are best after which the model finds the
        next eight bars likeliest; returns the best one in a list, or the `keep` best. `keep_top`
        keeps the top notes of the bars, taken for their melody, and writes new notes below them.
        """
        first, last = bar_range(bars)
        if "count" in options:
            raise TypeError("fill() takes candidates in place of count")
        return self._write(_Request("fill", music, first - 1, last), {**options, "count": candidates, "keep_top": keep_top}, progress)

    def stream(
        self,
        bars: int = 32,
        *,
        prompt: Music = None,
        prompt_bars: int = 8,
        bpm: float | None = None,
        **options: Unpack[Options],
    ) -> Stream:
        """Writes one piece and yields each bar when it is complete: see `Stream`.

        With `prompt`, continues it by `bars` bars. Leaving the loop stops the work.

        >>> [bar.bars for bar in Model().stream(bars=2)]
        [1, 2]
        """
        if options.get("retries"):
            raise InvalidError("stream and retries: bars that are handed out cannot be taken back")
        if options.get("count", 1) != 1:
            raise TypeError("stream() writes one piece")
        given: dict[str, Any] = {**options, "bpm": bpm}
        if prompt is None:
            return Stream(self, _Request("new", bars=bars), given)
        return Stream(self, _Request("continue", prompt, prompt_bars, bars), given)

    def likelihood(self, music: Music, *, progress: Progress = False) -> Likelihood:
        """How likely the model finds a piece.

        >>> model = Model()
        >>> likelihood = model.likelihood(model.generate(bars=2)[0].score)
        >>> len(likelihood.per_bar)
        2
        """
        score = score_of(music)
        with self._turn():
            per_token, per_bar, notes = self._core.likelihood(score, to_progress(progress, "tokens"))
        return Likelihood(per_token, per_bar, notes, tuple(score.warnings))

    def _turn(self) -> threading.Lock:
        """The lock that the model's users take turns by."""
        if os.getpid() != self._pid:
            raise Error("this model was loaded before the process forked: load it again in the new process")
        if self._streaming:
            raise Error("this model is streaming: finish or close the stream first")
        return self._lock

    def _write(self, request: _Request, options: dict[str, Any], progress: Progress) -> list[Piece]:
        pieces: list[Piece] = []
        midi = _midi(request)
        with self._turn():
            best_first = _write(self._core, request, midi, options, pieces.append, progress=progress)
        return pieces if best_first else sorted(pieces, key=lambda piece: piece.index)

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[Any, ...]]:
        return _load, self._arguments

    def __repr__(self) -> str:
        return f"Model({str(self.directory)!r}, {self.tokenizer!r})"


class Stream(Iterator[Bar]):
    """The bars of a piece as a model writes it, in another thread.

    Iterating yields a `Bar` for each bar or few bars that were completed. `close`, leaving a `with`
    block, or dropping the object stops the work. `piece` is the piece once all bars were yielded.
    While a stream is open, its model refuses other work.
    """

    def __init__(self, model: Model, request: _Request, options: dict[str, Any]) -> None:
        self._model = model
        self._stop = _core.StopFlag()
        self._queue: queue.SimpleQueue[Bar | Piece | BaseException] = queue.SimpleQueue()
        #: The whole piece, when all of its bars were yielded.
        self.piece: Piece | None = None
        midi = _midi(request)
        lock = model._turn()
        lock.acquire()
        model._streaming = True
        # The thread must not hold this object, whose end is to stop it.
        arguments = (model, request, options, midi, self._stop, self._queue)
        self._thread = threading.Thread(target=_run_stream, args=arguments, name="continuo-stream")
        try:
            self._thread.start()
        except BaseException:
            model._streaming = False
            lock.release()
            raise

    def __next__(self) -> Bar:
        if self.piece is not None or self._stop.is_set():
            raise StopIteration
        event = self._queue.get()
        if isinstance(event, Bar):
            return event
        self._thread.join()
        if isinstance(event, Piece):
            self.piece = event
            raise StopIteration
        self._stop.set()
        raise event

    def close(self) -> None:
        """Stops the work and waits for its end; does nothing after that."""
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_thread"):
            self.close()


def _run_stream(
    model: Model,
    request: _Request,
    options: dict[str, Any],
    midi: tuple[bytes | None, str],
    stop: _core.StopFlag,
    events: queue.SimpleQueue[Any],
) -> None:
    done: list[Any] = []

    def on_bar(index: int, bars: int, notes: npt.NDArray[np.uint8]) -> None:
        if not threading.main_thread().is_alive():  # a stream that nobody closed holds up no exit
            stop.set()
        events.put(Bar(bars, notes.view(BAR_NOTE)))

    try:
        _write(model._core, request, midi, options, done.append, on_bar, stop=stop)
    except BaseException as error:
        done = [error]
    finally:
        model._streaming = False
        model._lock.release()
    events.put(done[0] if done else Error("the stream was closed"))


def _write(
    core: _core.Model,
    request: _Request,
    midi: tuple[bytes | None, str],
    options: dict[str, Any],
    on_piece: Callable[[Piece], object],
    on_bar: Callable[[int, int, npt.NDArray[np.uint8]], object] | None = None,
    *,
    progress: Progress = False,
    stop: _core.StopFlag | None = None,
) -> bool:
    """Hands over each piece, and returns whether the best came first."""
    _, best_first, _ = core.write(
        request.kind,
        *midi,
        whole("prompt_bars", request.first, 0),
        whole("bars", request.bars, 0),
        request.track,
        options,
        lambda parts: on_piece(_piece(parts)),
        on_bar,
        to_progress(progress, "bars"),
        stop,
    )
    return best_first


def _midi(request: _Request) -> tuple[bytes | None, str]:
    return (None, "") if request.kind == "new" else midi_of(request.music)


def _score(midi: bytes) -> Score:
    return Score._of_core(_core.Score.parse(midi, "the piece"), midi)


def _piece(parts: dict[str, Any]) -> Piece:
    return Piece(
        index=parts["index"],
        score=_score(parts["midi"]),
        new_bars=None if parts["new_bars"] is None else _score(parts["new_bars"]),
        new_notes=parts["new_notes"],
        ids=parts["ids"],
        prompt_length=parts["prompt_length"],
        nll=parts["nll"],
        guards=tuple(Guard(*guard) for guard in parts["guards"]),
        retries=parts["retries"],
        repairs=tuple(parts["repairs"]),
        raised_levels=tuple(RaisedLevel(*level) for level in parts["raised_levels"]),
    )


def _load(directory: StrPath | None, threads: int, precision: str | None, tokenizer: StrPath | None) -> Model:
    return Model(directory, threads=threads, precision=precision, tokenizer=tokenizer)
