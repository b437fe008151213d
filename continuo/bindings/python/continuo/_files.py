"""What functions of the package take for a piece of music, a path, a whole number, and progress."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from continuo import _core
from continuo._errors import FileSystemError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from continuo._score import Score

StrPath = Union[str, "os.PathLike[str]"]
# A path, the bytes of a MIDI file, a Score, a Piece, or a score of symusic or pretty_midi.
Music = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, "Score", Any]
# True draws a line on stderr; a function is called with what is done and the total.
Progress = Union[bool, Callable[[int, int], object], None]

ENDINGS = (".mid", ".midi", ".kar", ".rmi")


def to_bytes_path(path: StrPath) -> bytes:
    """A path as the C++ library takes it."""
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise InvalidError(f"{os.fspath(path)!r}: a path holds no zero byte")
    return encoded


def read_bytes(path: StrPath) -> bytes:
    """The bytes of a file."""
    to_bytes_path(path)
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such file") from None
    except OSError as error:
        raise FileSystemError(f"{path}: cannot be read: {error.strerror}") from None


def whole(name: str, value: Any, least: int | None = None) -> int:
    """A whole number of Python, NumPy or torch, of `least` or more."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidError(f"{name} is {value!r}, expected a whole number") from None
    if least is not None and number < least:
        raise InvalidError(f"{name} is {number}, expected {least} or more")
    return number


def bar_range(bars: Any) -> tuple[int, int]:
    """The first and the last of some bars, counted from 1."""
    try:
        first, last = bars
    except (TypeError, ValueError):
        raise InvalidError(f"bars is {bars!r}, expected the first and the last bar, as in (9, 12)") from None
    first, last = whole("the first bar", first), whole("the last bar", last)
    if first < 1 or last < first:
        raise InvalidError(f"bars are {first} to {last}, expected a first bar of 1 or more, and a last one from it on")
    return first, last


def is_path(music: object) -> bool:
    return isinstance(music, (str, os.PathLike))


def score_of(music: Music) -> _core.Score:
    """The score of anything that is music."""
    from continuo._score import Score

    if isinstance(music, (str, os.PathLike)):
        return _core.Score.read(to_bytes_path(music))
    if isinstance(music, (bytes, bytearray, memoryview)):
        return _core.Score.parse(bytes(music), "the MIDI file")
    return Score.of(music)._core


def midi_of(music: Music) -> tuple[bytes, str]:
    """The bytes of a MIDI file, and what stands for it in messages."""
    from continuo._score import Score

    if isinstance(music, (str, os.PathLike)):
        return read_bytes(music), str(music)
    if isinstance(music, (bytes, bytearray, memoryview)):
        return bytes(music), "the MIDI file"
    return Score.of(music).to_bytes(), "the score"


def midi_files(paths: StrPath | Iterable[StrPath]) -> list[Path]:
    """Files, and of folders the MIDI files at any depth, by the bytes of their relative paths."""
    files: list[Path] = []
    for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        folder = Path(path)
        if not folder.is_dir():
            files.append(folder)
            continue
        found = [
            file
            for file in folder.rglob("*")
            if file.name.lower().endswith(ENDINGS) and file.is_file()
        ]
        if not found:
            raise NotFoundError(f"{folder}: no MIDI files (expected names that end in {', '.join(ENDINGS)})")
        files += sorted(found, key=lambda file: os.fsencode(file.relative_to(folder)))
    return files


class _Line:
    """Progress on one line of stderr."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __call__(self, done: int, total: int) -> None:
        if total and sys.stderr is not None:
            end = "\n" if done == total else ""
            sys.stderr.write(f"\r{done} of {total} {self._what}{end}")
            sys.stderr.flush()


def to_progress(progress: Progress, what: str) -> Callable[[int, int], object] | None:
    if progress is True:
        return _Line(what)
    if progress is None or progress is False:
        return None
    if not callable(progress):
        raise TypeError(f"progress is {progress!r}, expected True, False or a function of (done, total)")
    return progress
