"""Tokenizers: music as the ids of MidiTok, and back."""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, overload

import numpy as np
import numpy.typing as npt

from continuo import _core
from continuo._errors import Error, InvalidError
from continuo._files import Music, Progress, StrPath, read_bytes, score_of, to_bytes_path, to_progress, whole
from continuo._score import Score

Ids = npt.NDArray[np.int32]
TokenValue = Union[int, float, "tuple[int, int]", None]


def presets() -> list[str]:
    """The names that `Tokenizer` knows.

    >>> "remi" in presets()
    True
    """
    return _core.preset_names()


@dataclass(frozen=True)
class TokenInfo:
    """What a token is."""

    id: int
    name: str  # "Pitch_60"; of a trained tokenizer also "Pitch_60+Velocity_63"
    type: str  # "Pitch"; "Merged" of an id that stands for several tokens or none
    #: A MIDI key, velocity, program (-1: drums) or position; beats of a Duration, TimeShift or Rest;
    #: quarter notes per minute of a Tempo; (numerator, denominator) of a TimeSig; else None.
    value: TokenValue
    #: True for the one token of each note that gives its pitch, and for a merged id with such a token.
    begins_note: bool
    #: The names of the tokens that it stands for: its own, unless the tokenizer is trained.
    tokens: tuple[str, ...]


def _as_ids(ids: npt.ArrayLike) -> Ids:
    array = np.asarray(ids)
    if array.ndim != 1:
        raise InvalidError(f"ids have {array.ndim} dimensions, expected 1, or a list of such arrays")
    if array.size == 0:
        return np.zeros(0, np.int32)
    if not np.issubdtype(array.dtype, np.integer):
        raise InvalidError(f"ids are {array.dtype}, expected whole numbers")
    wrong = np.flatnonzero((array < 0) | (array > 2**31 - 1))
    if len(wrong):
        raise InvalidError(f"id {array[wrong[0]]} at place {wrong[0]} is not in the vocabulary")
    return np.ascontiguousarray(array, np.int32)


def _as_streams(ids: Any) -> list[Ids]:
    """One array of ids, or a list of them."""
    if isinstance(ids, np.ndarray):
        return [_as_ids(row) for row in ids] if ids.ndim == 2 else [_as_ids(ids)]
    if isinstance(ids, (list, tuple)) and ids and not np.isscalar(ids[0]) and np.ndim(ids[0]) > 0:
        return [_as_ids(each) for each in ids]
    return [_as_ids(ids)]


def _of_streams(streams: list[Ids]) -> Ids | list[Ids]:
    return streams[0] if len(streams) == 1 else streams


class Tokenizer:
    """Score <-> ids, as MidiTok does it. A tokenizer does not change; any thread may use it.

    `spec` is a preset (see `presets`) or the path of a tokenizer.json. `miditok` is the release
    whose ids and behaviour a preset has, "3.1.0" or "3.0.4". Raises NotFoundError or InvalidError.

    The tokenizer.json may be of a tokenizer that was trained (BPE, Unigram, WordPiece). Ids are then
    those of the trained vocabulary, of which one may stand for several tokens of `base`.

    >>> tok = Tokenizer("remi")
    >>> tok["Bar_None"], tok[4]
    (4, 'Bar_None')
    >>> score = tok.decode([tok[name] for name in ("Bar_None", "Position_0", "Pitch_60", "Velocity_99", "Duration_1.0.8")])
    >>> score.tracks[0].notes["pitch"].tolist()
    [60]
    >>> [tok[i] for i in tok.encode(score)][-3:]
    ['Pitch_60', 'Velocity_99', 'Duration_1.0.8']
    """

    __slots__ = ("_core", "_ids", "_json", "_tokens")

    def __init__(self, spec: StrPath = "remi", *, miditok: str = "3.1.0") -> None:
        self._set(_core.Tokenizer.load(to_bytes_path(spec), miditok))

    def _set(self, core: _core.Tokenizer) -> Tokenizer:
        self._core = core
        self._tokens = core.names
        self._ids: dict[str, int] = {}
        for i, name in enumerate(self._tokens):
            self._ids.setdefault(name, i)
        if core.is_trained:
            self._ids.update(core.ids_of_tokens)
        self._json = core.to_json()
        return self

    @classmethod
    def from_file(cls, path: StrPath, *, miditok: str = "3.1.0") -> Tokenizer:
        """Reads a tokenizer.json, MidiTok's or ours; or of a folder the one in it.

        `miditok` is the release of a file that names none.
        """
        file = Path(path)
        if file.is_dir():
            file = file / "tokenizer.json"
        return cls.from_bytes(read_bytes(file), miditok=miditok, name=str(file))

    @classmethod
    def from_pretrained(cls, path: StrPath) -> Tokenizer:
        """`from_file` under MidiTok's name: a folder or a file of this machine."""
        return cls.from_file(path)

    @classmethod
    def from_bytes(cls, text: bytes | str, *, miditok: str = "3.1.0", name: str = "tokenizer.json") -> Tokenizer:
        """Reads the text of a tokenizer.json; `name` stands for it in messages."""
        data = text.encode() if isinstance(text, str) else bytes(text)
        return cls.__new__(cls)._set(_core.Tokenizer.from_json(data, name, miditok))

    # ---- The vocabulary ----

    @property
    def vocab(self) -> dict[str, int]:
        """The id of each name.

        Of a trained tokenizer, the tokens' names and those of merged ids, such as
        "Pitch_60+Velocity_63". Ids that begin a bar or beat may share a name with others, so that it
        may have fewer entries than there are ids. MidiTok's `vocab` is that of `base`.
        """
        return dict(self._ids)

    @property
    def tokens(self) -> list[str]:
        """The name of each id."""
        return list(self._tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    @overload
    def __getitem__(self, token: str) -> int: ...
    @overload
    def __getitem__(self, token: int) -> str: ...
    def __getitem__(self, token: str | int) -> str | int:
        """The id of a name, or the name of an id. Raises KeyError or IndexError."""
        if isinstance(token, str):
            return self._ids[token]
        number = operator.index(token)
        if not 0 <= number < len(self._tokens):
            raise IndexError(f"id {number} is not in the vocabulary, expected 0 to {len(self._tokens) - 1}")
        return self._tokens[number]

    def info(self, token: int | str) -> TokenInfo:
        """What a token is, by its id or name. Raises IndexError or KeyError.

        >>> tok = Tokenizer("remi")
        >>> info = tok.info("Duration_1.4.8")
        >>> info.type, info.value
        ('Duration', 1.5)
        """
        number = self._ids[token] if isinstance(token, str) else operator.index(token)
        name = self[number]
        tokens, value, begins_note = self._core.info(number)
        kind = tokens[0].split("_")[0] if len(tokens) == 1 else "Merged"
        return TokenInfo(number, name, kind, value, begins_note, tokens)

    @property
    def pad_id(self) -> int | None:
        """The id of PAD; None if the vocabulary has none."""
        return self._core.pad

    @property
    def bos_id(self) -> int | None:
        """The id of BOS; None if the vocabulary has none."""
        return self._core.bos

    @property
    def eos_id(self) -> int | None:
        """The id of EOS; None if the vocabulary has none."""
        return self._core.eos

    # ---- Trained vocabularies ----

    @property
    def is_trained(self) -> bool:
        """True if ids may stand for several tokens each: the tokenizer was trained (BPE, ...)."""
        return self._core.is_trained

    @property
    def base(self) -> Tokenizer:
        """The tokenizer of the tokens that a trained one merges; itself unless trained."""
        return Tokenizer.from_bytes(self._core.base_json, miditok=self.miditok) if self.is_trained else self

    def encode_token_ids(self, ids: npt.ArrayLike) -> Ids:
        """Ids of one stream of `base` as ids of this tokenizer: int32 [ids]. The same unless trained.

        They are what `encode` gives for the same music, but for the last bar, which MidiTok may take
        to be longer. Tokens that the trained vocabulary lacks are left out, as MidiTok does. Raises
        InvalidError on an id that is not in the vocabulary of `base`.
        """
        return self._core.convert(_as_ids(ids), False)

    def decode_token_ids(self, ids: npt.ArrayLike) -> Ids:
        """The other way: the ids of `base` that ids of this tokenizer stand for."""
        return self._core.convert(_as_ids(ids), True)

    # ---- Encoding ----

    def encode(self, music: Music) -> Ids | list[Ids]:
        """The ids of a piece: int32 [ids]; a list of such arrays if there are several streams.

        `music` is a path, the bytes of a MIDI file, a Score, a Piece, a symusic.Score or a PrettyMIDI.
        Tokenizers with one stream for all tracks give one array; others give an array for each
        track, and the array itself if there is one track. No BOS or EOS is added.
        Files and bytes are read as the symusic of the MidiTok release reads them, so that the ids
        are MidiTok's; scores are taken as they are. Raises NotFoundError, and InvalidError on a file that is no MIDI file.
        """
        return _of_streams(self.encode_tracks(music))

    __call__ = encode

    def encode_tracks(self, music: Music) -> list[Ids]:
        """The same, as a list of arrays however many streams there are."""
        if isinstance(music, (str, os.PathLike)):
            return self._core.encode_file(to_bytes_path(music))
        if isinstance(music, (bytes, bytearray, memoryview)):
            return self._core.encode_bytes(bytes(music), "the MIDI file")
        return self._core.encode_score(score_of(music))

    @overload
    def encode_files(
        self,
        paths: Iterable[StrPath],
        *,
        threads: int = ...,
        progress: Progress = ...,
        errors: Literal["raise"] = ...,
    ) -> list[Ids | list[Ids]]: ...
    @overload
    def encode_files(
        self,
        paths: Iterable[StrPath],
        *,
        threads: int = ...,
        progress: Progress = ...,
        errors: Literal["return"],
    ) -> list[Ids | list[Ids] | Error]: ...
    def encode_files(
        self,
        paths: Iterable[StrPath],
        *,
        threads: int = 0,
        progress: Progress = False,
        errors: Literal["raise", "return"] = "raise",
    ) -> Any:
        """What `encode` gives for each file, in the order of `paths`.

        `threads` 0 takes one for each core. `progress` is True for a line on stderr, or a function
        that is called with (done, total). `errors` "return" puts the Error of a file that cannot be
        read in its place; "raise" raises the first.
        """
        if errors not in ("raise", "return"):
            raise InvalidError(f"errors is {errors!r}, expected 'raise' or 'return'")
        if isinstance(paths, (str, os.PathLike)):
            raise TypeError(f"paths is {paths!r}, expected a list of paths; sorted(Path(folder).rglob('*.mid')) lists a folder")
        results: list[Any] = self._core.encode_files(
            [to_bytes_path(path) for path in paths], whole("threads", threads, 0), to_progress(progress, "files")
        )
        for i, result in enumerate(results):
            if not isinstance(result, Error):
                results[i] = _of_streams(result)
            elif errors == "raise":
                raise result
        return results

    # ---- Decoding ----

    def decode(self, ids: npt.ArrayLike | Sequence[npt.ArrayLike]) -> Score:
        """The score of ids: one array (any integer type, or a list of int), or one for each track.

        Ids that make no sense where they stand are passed over, as MidiTok does. Raises
        InvalidError, naming the place, on an id that is not in the vocabulary.
        """
        return Score._of_core(self._core.decode(_as_streams(ids)))

    def bar_offsets(self, ids: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Where each bar begins in ids of one stream: the index of its first token."""
        return self._core.bar_offsets(_as_ids(ids))

    def transpose(self, ids: npt.ArrayLike, semitones: int) -> Ids:
        """Ids of the same music, moved. Raises InvalidError where a pitch leaves the vocabulary.

        >>> tok = Tokenizer("remi")
        >>> tok[int(tok.transpose([tok["Pitch_60"]], 2)[0])]
        'Pitch_62'
        """
        semitones = whole("semitones", semitones)
        if self.is_trained:
            moved = self.base.transpose(self.decode_token_ids(ids), semitones)
            result = self.encode_token_ids(moved)
            if not np.array_equal(self.decode_token_ids(result), moved):
                raise InvalidError(f"a token leaves the trained vocabulary, moved by {semitones} semitones")
            return result
        array = _as_ids(ids)
        table = self._core.transpose_map(semitones)
        if array.size and array.max() >= len(table):
            raise InvalidError(f"id {array.max()} is not in the vocabulary, expected 0 to {len(table) - 1}")
        moved = table[array]
        wrong = np.flatnonzero(moved < 0)
        if len(wrong):
            raise InvalidError(
                f"{self[int(array[wrong[0]])]} at place {wrong[0]} leaves the vocabulary, moved by {semitones} semitones"
            )
        return moved

    # ---- Configuration ----

    @property
    def representation(self) -> str:
        """"REMI", "MIDILike", "TSD", "REMIChord" or "REMIPlan"."""
        return self._core.representation

    @property
    def miditok(self) -> str:
        """The release of MidiTok whose ids and behaviour this tokenizer has."""
        return self._core.release

    @property
    def one_stream(self) -> bool:
        """True if all tracks share one stream of ids."""
        return self._core.one_stream

    @property
    def vocab_sha256(self) -> str:
        """SHA-256 (hex) of the vocabulary, one token per line."""
        return self._core.vocab_sha256

    @property
    def config(self) -> dict[str, Any]:
        """The configuration, with MidiTok's keys."""
        config: dict[str, Any] = json.loads(self._core.base_json)["config"]
        return config

    def to_json(self) -> str:
        """The text of a tokenizer.json, which MidiTok reads too."""
        return self._json

    def save(self, path: StrPath) -> None:
        """Writes a tokenizer.json, whole or not at all; into a folder under that name."""
        file = Path(path)
        if file.is_dir():
            file = file / "tokenizer.json"
        _core.write_file(to_bytes_path(file), self._json.encode())

    save_pretrained = save

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tokenizer):
            return NotImplemented
        return self._json == other._json

    def __hash__(self) -> int:
        return hash(self._json)

    def __reduce__(self) -> tuple[Callable[[bytes], Tokenizer], tuple[bytes]]:
        return Tokenizer.from_bytes, (self._json.encode(),)

    def __repr__(self) -> str:
        count = f"{len(self)} trained ids" if self.is_trained else f"{len(self)} tokens"
        return f"Tokenizer({self.representation}, MidiTok {self.miditok}, {count})"
