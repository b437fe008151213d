"""Scores of symusic and pretty_midi, where these are installed."""

from __future__ import annotations

import importlib
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from continuo._score import Score


def to_score(music: Any) -> Score:
    """The score of an object of symusic or pretty_midi. Raises TypeError on any other."""
    package = type(music).__module__.split(".")[0]
    if package == "symusic" and hasattr(music, "dumps_midi"):
        return _of_symusic(music)
    if package == "pretty_midi" and hasattr(music, "instruments"):
        return _of_pretty_midi(music)
    raise TypeError(
        f"expected a path, bytes, a Score, a Piece, a symusic.Score or a pretty_midi.PrettyMIDI, not {type(music).__name__}"
    )


def _table(columns: dict[str, Any]) -> list[tuple[int, ...]]:
    return list(zip(*(values.tolist() for values in columns.values())))


def _of_symusic(music: Any) -> Score:
    from continuo._score import Score, Track

    if str(music.ttype).split(".")[-1] != "Tick":
        music = music.to("tick")
    tracks = []
    for track in music.tracks:
        notes = track.notes.numpy()
        tracks.append(
            Track(
                _table({name: notes[name] for name in ("time", "duration", "pitch", "velocity")}),
                track.program,
                track.is_drum,
                track.name,
                [(event.time, event.number, event.value) for event in track.controls],
                [(event.time, event.value) for event in track.pitch_bends],
                [(event.time, event.duration) for event in track.pedals],
                [(event.time, event.text) for event in track.lyrics],
            )
        )
    return Score(
        music.ticks_per_quarter,
        tracks,
        [(tempo.time, tempo.mspq) for tempo in music.tempos],
        [(each.time, each.numerator, each.denominator) for each in music.time_signatures],
        [(each.time, each.key, each.tonality) for each in music.key_signatures],
        [(marker.time, marker.text) for marker in music.markers],
    )


def to_symusic(score: Score) -> Any:
    symusic: Any = importlib.import_module("symusic")
    result = symusic.Score(score.ticks_per_quarter)
    for track in score.tracks:
        part = symusic.Track(track.name, track.program, track.is_drum)
        for note in track.notes.tolist():
            part.notes.append(symusic.Note(*note))
        for control in track.controls.tolist():
            part.controls.append(symusic.ControlChange(*control))
        for bend in track.pitch_bends.tolist():
            part.pitch_bends.append(symusic.PitchBend(*bend))
        for pedal in track.pedals.tolist():
            part.pedals.append(symusic.Pedal(*pedal))
        for time, text in track.lyrics:
            part.lyrics.append(symusic.TextMeta(time, text))
        result.tracks.append(part)
    for time, us_per_quarter in score.tempos.tolist():
        result.tempos.append(symusic.Tempo(time, mspq=us_per_quarter))
    for signature in score.time_signatures.tolist():
        result.time_signatures.append(symusic.TimeSignature(*signature))
    for key in score.key_signatures.tolist():
        result.key_signatures.append(symusic.KeySignature(*key))
    for time, text in score.markers:
        result.markers.append(symusic.TextMeta(time, text))
    return result


def _of_pretty_midi(music: Any) -> Score:
    """Through a file, which PrettyMIDI writes by its own map of ticks."""
    from continuo._score import Score

    with tempfile.TemporaryDirectory(prefix="continuo-") as folder:
        path = Path(folder) / "score.mid"
        music.write(str(path))
        return Score.from_bytes(path.read_bytes(), name="the PrettyMIDI")


def to_pretty_midi(score: Score) -> Any:
    pretty_midi: Any = importlib.import_module("pretty_midi")
    return pretty_midi.PrettyMIDI(io.BytesIO(score.to_bytes()))
