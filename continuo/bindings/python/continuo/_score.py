"""Scores: notes and what governs them, as NumPy arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from continuo import _core
from continuo._errors import InvalidError
from continuo._files import Music, StrPath, bar_range, is_path, score_of, to_bytes_path, whole

Rows = npt.NDArray[np.void]


def _dtype(name: str) -> np.dtype[np.void]:
    names, formats, offsets, size = _core.layouts()[name]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})


#: Rows of `Track.notes`: time and duration in ticks, pitch (MIDI key), velocity.
NOTE = _dtype("note")
#: Rows of `Score.tempos`: time in ticks, microseconds per quarter note.
TEMPO = _dtype("tempo")
#: Rows of `Score.time_signatures`: time in ticks, numerator, denominator.
TIME_SIGNATURE = _dtype("time_signature")
#: Rows of `Score.key_signatures`: time in ticks, sharps (positive) or flats, 0 major or 1 minor.
KEY_SIGNATURE = _dtype("key_signature")
#: Rows of `Track.controls`: time in ticks, number and value of a controller.
CONTROL = _dtype("control")
#: Rows of `Track.pitch_bends`: time in ticks, -8192 to 8191.
PITCH_BEND = _dtype("pitch_bend")
#: Rows of `Track.pedals`: time and duration in ticks that the sustain pedal is down.
PEDAL = _dtype("pedal")


def _empty(dtype: np.dtype[np.void]) -> Any:
    return field(default_factory=lambda: np.zeros(0, dtype))


def _rows(values: Any, dtype: np.dtype[np.void], name: str) -> Rows:
    """Values as rows of a list: an array with these fields, or a sequence of tuples. Whole numbers."""
    if isinstance(values, np.ndarray) and values.dtype == dtype:
        return values
    names = dtype.names or ()
    if isinstance(values, np.ndarray) and values.dtype.names:
        missing = [field for field in names if field not in values.dtype.names]
        if missing:
            raise InvalidError(f"{name} has no field {missing[0]}, expected {', '.join(names)}")
        columns = {field: values[field] for field in names}
    else:
        table = list(values)
        wrong = [row for row in table if not hasattr(row, "__len__") or len(row) != len(names)]
        if wrong:
            raise InvalidError(f"{name} has the row {wrong[0]!r}, expected {', '.join(names)}")
        columns = {field: np.asarray([row[i] for row in table]) for i, field in enumerate(names)}
    rows = np.zeros(len(next(iter(columns.values()))), dtype)
    for field_name, column in columns.items():
        if column.dtype.kind not in "iub":
            for i, value in enumerate(column.tolist()):
                if not (isinstance(value, int) or (isinstance(value, float) and value.is_integer())):
                    raise InvalidError(f"{name}[{i}].{field_name} is {value!r}, expected a whole number")
        limits = np.iinfo(dtype[field_name])
        bad = np.flatnonzero((column < limits.min) | (column > limits.max))
        if len(bad):
            raise InvalidError(
                f"{name}[{bad[0]}].{field_name} is {column[bad[0]]}, expected {limits.min} to {limits.max}"
            )
        rows[field_name] = column
    return rows


def _bytes(values: Any, dtype: np.dtype[np.void], name: str) -> npt.NDArray[np.uint8]:
    rows = np.ascontiguousarray(_rows(values, dtype, name))
    return rows.view(np.uint8).reshape(-1)


@dataclass
class Track:
    """A track of a score.

    The lists are structured arrays with the fields of `NOTE`, `CONTROL`, `PITCH_BEND` and `PEDAL`;
    tuples in that order will do to make one. Times are in ticks. Lyrics are (tick, text). The
    arrays of a track that comes from a Score are read-only views of it; copy them to change them.

    >>> track = Track(notes=[(0, 480, 60, 90), (480, 480, 64, 90)], program=40)
    >>> Score(480, [track]).tracks[0].notes["pitch"]
    array([60, 64], dtype=uint8)
    """

    notes: Any = _empty(NOTE)
    program: int = 0  # 0 to 127
    is_drum: bool = False
    name: str = ""
    controls: Any = _empty(CONTROL)
    pitch_bends: Any = _empty(PITCH_BEND)
    pedals: Any = _empty(PEDAL)
    lyrics: Sequence[tuple[int, str]] = ()

    def __len__(self) -> int:
        """The number of notes."""
        return len(self.notes)

    def __repr__(self) -> str:
        kind = "drums" if self.is_drum else f"program {self.program}"
        return f"Track({self.name!r}, {kind}, {len(self)} notes)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Track) and Score(480, [self]) == Score(480, [other])


class Score:
    """Music as notes and what governs them. A score does not change; arrays are read-only views.

    Lists are put in the order of time. Times are in ticks, `ticks_per_quarter` to a quarter note.
    Before the first of them, 120 quarter notes per minute and 4/4 are in force. Raises InvalidError,
    naming list, row and field, on a value that MIDI cannot hold.

    >>> import numpy as np
    >>> score = Score(480, [Track(notes=[(0, 960, 60, 100)])], tempos=[(0, 500000)])
    >>> score.tracks[0].notes[0]["duration"].item()
    960
    >>> Score.from_bytes(score.to_bytes()) == score
    True
    """

    __slots__ = ("_core", "_midi", "_tracks")

    def __init__(
        self,
        ticks_per_quarter: int = 480,
        tracks: Iterable[Track] = (),
        tempos: Any = (),
        time_signatures: Any = (),
        key_signatures: Any = (),
        markers: Iterable[tuple[int, str]] = (),
    ) -> None:
        tracks = list(tracks)
        for i, track in enumerate(tracks):
            if not isinstance(track, Track):
                raise TypeError(f"tracks[{i}] is a {type(track).__name__}, expected a Track")
            if not isinstance(track.name, str):
                raise TypeError(f"tracks[{i}].name is {track.name!r}, expected a str")
        parts = [
            (
                track.name,
                whole(f"tracks[{i}].program", track.program),
                bool(track.is_drum),
                _bytes(track.notes, NOTE, f"tracks[{i}].notes"),
                _bytes(track.controls, CONTROL, f"tracks[{i}].controls"),
                _bytes(track.pitch_bends, PITCH_BEND, f"tracks[{i}].pitch_bends"),
                _bytes(track.pedals, PEDAL, f"tracks[{i}].pedals"),
                [(int(time), text) for time, text in track.lyrics],
            )
            for i, track in enumerate(tracks)
        ]
        core = _core.Score.build(
            whole("ticks_per_quarter", ticks_per_quarter),
            parts,
            _bytes(tempos, TEMPO, "tempos"),
            _bytes(time_signatures, TIME_SIGNATURE, "time_signatures"),
            _bytes(key_signatures, KEY_SIGNATURE, "key_signatures"),
            [(int(time), text) for time, text in markers],
        )
        self._set(core)

    def _set(self, core: _core.Score, midi: bytes | None = None) -> Score:
        self._core = core
        self._midi = midi
        self._tracks: list[Track] | None = None
        return self

    @classmethod
    def _of_core(cls, core: _core.Score, midi: bytes | None = None) -> Score:
        return cls.__new__(cls)._set(core, midi)

    @classmethod
    def read(cls, path: StrPath) -> Score:
        """Reads a MIDI file. Faults that can be repaired are, and listed in `warnings`.

        Raises NotFoundError, and InvalidError on a file that is no MIDI file.
        """
        return cls._of_core(_core.Score.read(to_bytes_path(path)))

    @classmethod
    def from_bytes(cls, midi: bytes, *, name: str = "the MIDI file") -> Score:
        """Reads the bytes of a MIDI file; `name` stands for it in messages. See `read`."""
        return cls._of_core(_core.Score.parse(bytes(midi), name))

    @classmethod
    def of(cls, music: Music) -> Score:
        """A score from a path, bytes, a Score, a Piece, a symusic.Score or a pretty_midi.PrettyMIDI."""
        from continuo import _interop

        if isinstance(music, Score):
            return music
        score = getattr(music, "score", None)
        if isinstance(score, Score):  # of a Piece
            return score
        if is_path(music) or isinstance(music, (bytes, bytearray, memoryview)):
            return cls._of_core(score_of(music))
        return _interop.to_score(music)

    @classmethod
    def from_symusic(cls, music: Any) -> Score:
        """A score from a symusic.Score, of any unit of time."""
        return cls.of(music)

    @classmethod
    def from_pretty_midi(cls, music: Any) -> Score:
        """A score from a pretty_midi.PrettyMIDI, in its ticks."""
        return cls.of(music)

    @property
    def ticks_per_quarter(self) -> int:
        """Ticks of a quarter note."""
        return self._core.ticks_per_quarter

    @property
    def tracks(self) -> list[Track]:
        """The tracks, in the order of the file."""
        if self._tracks is None:
            core = self._core
            self._tracks = [
                Track(
                    core.notes(i).view(NOTE),
                    core.program(i),
                    core.is_drum(i),
                    core.track_name(i),
                    core.controls(i).view(CONTROL),
                    core.pitch_bends(i).view(PITCH_BEND),
                    core.pedals(i).view(PEDAL),
                    core.lyrics(i),
                )
                for i in range(core.track_count)
            ]
        return list(self._tracks)

    @property
    def tempos(self) -> Rows:
        """Tempo changes, with the fields of `TEMPO`."""
        return self._core.tempos().view(TEMPO)

    @property
    def time_signatures(self) -> Rows:
        """Time signatures, with the fields of `TIME_SIGNATURE`."""
        return self._core.time_signatures().view(TIME_SIGNATURE)

    @property
    def key_signatures(self) -> Rows:
        """Key signatures, with the fields of `KEY_SIGNATURE`."""
        return self._core.key_signatures().view(KEY_SIGNATURE)

    @property
    def markers(self) -> list[tuple[int, str]]:
        """Marker texts, as (tick, text)."""
        return self._core.markers

    @property
    def warnings(self) -> list[str]:
        """What had to be repaired to read the file, each with its byte offset."""
        return self._core.warnings

    @property
    def bars(self) -> int:
        """Bars up to the one in which the last note begins; 0 without notes."""
        return self._core.bars

    @property
    def bar_lines(self) -> npt.NDArray[np.int32]:
        """The tick at which each bar begins, and that of the end of the last: [bars + 1]."""
        return self._core.bar_lines()

    @property
    def notes(self) -> Rows:
        """The notes of all tracks in one array, in the order of time; those of drums are among them."""
        notes = np.concatenate([np.zeros(0, NOTE)] + [track.notes for track in self.tracks])
        return notes[np.argsort(notes["time"], kind="stable")]

    @property
    def end(self) -> int:
        """The tick at which the last note ends."""
        return max((int((t.notes["time"] + t.notes["duration"]).max()) for t in self.tracks if len(t)), default=0)

    @property
    def duration(self) -> float:
        """Seconds until the last note ends."""
        return float(self.seconds(np.array([self.end]))[0])

    def seconds(self, ticks: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Seconds from the start to each tick, through the tempos; the shape of `ticks`.

        >>> Score(480, tempos=[(0, 1000000)]).seconds([0, 480]).tolist()
        [0.0, 1.0]
        """
        array = np.asarray(ticks)
        if array.size and array.dtype.kind not in "iu":
            raise InvalidError(f"ticks are {array.dtype}, expected whole numbers")
        wrong = array[(array < 0) | (array > 2**31 - 1)]
        if wrong.size:
            raise InvalidError(f"tick {wrong[0]} is not in a score, expected 0 to {2**31 - 1}")
        return self._core.seconds(np.ascontiguousarray(array.reshape(-1), np.int32)).reshape(array.shape)

    def piano_roll(
        self, columns_per_quarter: int = 4, *, tracks: Iterable[int] | None = None, drums: bool = False
    ) -> npt.NDArray[np.uint8]:
        """Velocities of the notes that sound: uint8 [128 pitches, columns].

        Of `tracks` (indices), or of all but drums, or with `drums` of all. A note takes at least one
        column. Raises TooLargeError beyond 524,288 columns.

        >>> roll = Score(480, [Track(notes=[(0, 480, 60, 100)])]).piano_roll()
        >>> roll.shape, roll[60].tolist()
        ((128, 4), [100, 100, 100, 100])
        """
        columns = whole("columns_per_quarter", columns_per_quarter)
        if columns < 1 or columns > 32767:
            raise InvalidError(f"columns_per_quarter is {columns_per_quarter}, expected 1 to 32767")
        if tracks is None:
            core = self._core
            tracks = [i for i in range(core.track_count) if drums or not core.is_drum(i)]
        return self._core.piano_roll(columns, [whole("a track", track, 0) for track in tracks])

    def svg(
        self,
        bars: tuple[int, int] | None = None,
        *,
        form: str | None = "auto",
        width: int = 1200,
        height: int = 400,
        pedals: bool = False,
    ) -> str:
        """A picture of the piano roll, as `continuo picture` draws it: the text of an SVG file.

        `bars` are the first and the last bar to draw, counted from 1. `form` names parts above the
        bars: "A8 B8 A8", "auto" finds what returns, None has none.

        >>> Score(480, [Track(notes=[(0, 480, 60, 100)])]).svg().count('class="note"')
        1
        """
        first, last = (1, max(self.bars, 1)) if bars is None else bar_range(bars)
        label = f"piano roll: {self.bars} bars, {len(self.notes)} notes"
        return self._core.svg(first - 1, last, form or "none", width, height, pedals, False, label)[0]

    def to_bytes(self) -> bytes:
        """The bytes of a type 1 Standard MIDI File."""
        return self._midi if self._midi is not None else self._core.to_bytes()

    def write(self, path: StrPath) -> None:
        """Writes a MIDI file, whole or not at all. Raises FileSystemError, or NotFoundError."""
        if self._midi is None:
            self._core.write(to_bytes_path(path))
        else:
            _core.write_file(to_bytes_path(path), self._midi)

    def to_symusic(self) -> Any:
        """A symusic.Score in ticks; needs symusic."""
        from continuo import _interop

        return _interop.to_symusic(self)

    def to_pretty_midi(self) -> Any:
        """A pretty_midi.PrettyMIDI; needs pretty_midi."""
        from continuo import _interop

        return _interop.to_pretty_midi(self)

    def replace(self, **changes: Any) -> Score:
        """A score with other values for some arguments of the constructor.

        >>> Score(480, tempos=[(0, 500000)]).replace(tempos=[(0, 600000)]).tempos["us_per_quarter"].item()
        600000
        """
        values: dict[str, Any] = {
            "ticks_per_quarter": self.ticks_per_quarter,
            "tracks": self.tracks,
            "tempos": self.tempos,
            "time_signatures": self.time_signatures,
            "key_signatures": self.key_signatures,
            "markers": self.markers,
        }
        unknown = set(changes) - set(values)
        if unknown:
            raise TypeError(f"replace() got an unexpected argument '{sorted(unknown)[0]}'")
        return Score(**(values | changes))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Score):
            return NotImplemented
        return self._core.equals(other._core)

    def __hash__(self) -> int:
        return hash((self.ticks_per_quarter, self._core.track_count, len(self.tempos)))

    def __reduce__(self) -> tuple[Any, ...]:
        tracks = [
            (
                np.array(track.notes),
                track.program,
                track.is_drum,
                track.name,
                np.array(track.controls),
                np.array(track.pitch_bends),
                np.array(track.pedals),
                track.lyrics,
            )
            for track in self.tracks
        ]
        lists = (np.array(self.tempos), np.array(self.time_signatures), np.array(self.key_signatures))
        return _unpickle, (self.ticks_per_quarter, tracks, *lists, self.markers, self._midi)

    def __repr__(self) -> str:
        notes = sum(len(track) for track in self.tracks)
        return f"Score({self._core.track_count} tracks, {self.bars} bars, {notes} notes)"

    def _repr_html_(self) -> str:
        from continuo import _display

        return _display.html_of(self)


def _unpickle(
    ticks_per_quarter: int,
    tracks: list[tuple[Any, ...]],
    tempos: Rows,
    time_signatures: Rows,
    key_signatures: Rows,
    markers: list[tuple[int, str]],
    midi: bytes | None,
) -> Score:
    parts = [Track(*track) for track in tracks]
    score = Score(ticks_per_quarter, parts, tempos, time_signatures, key_signatures, markers)
    return score._set(score._core, midi)
