"""The same as MidiTok, symusic and pretty_midi. CONTINUO_PEER_SONGS=300 compares more songs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import SOURCE, equal, peer

import continuo as ct

pytestmark = pytest.mark.filterwarnings("ignore")

MIDITOK_PRESETS = [preset for preset in ct.presets() if preset not in ("remichord", "remiplan")]


def peer_songs() -> list[Path]:
    """Songs of the large test data where there are any, else of the examples."""
    count = int(os.environ.get("CONTINUO_PEER_SONGS", "3"))
    shared = Path(os.environ.get("CONTINUO_SHARED", SOURCE.parent / "shared")) / "data" / "pop1k7"
    files = sorted(shared.rglob("*.mid")) or sorted((SOURCE / "examples" / "corpus").glob("*.mid"))
    return files[:: max(1, len(files) // count)][:count]


@pytest.mark.parametrize("preset", MIDITOK_PRESETS)
def test_ids_and_files_are_those_of_miditok(preset, tmp_path):
    miditok = peer("miditok")
    ours = ct.Tokenizer(preset)
    ours.save(tmp_path / "tokenizer.json")
    kind = getattr(miditok, ours.representation)
    theirs = kind(params=tmp_path / "tokenizer.json")
    assert theirs.vocab == ours.vocab
    theirs.save(tmp_path / "theirs.json")
    assert ct.Tokenizer.from_file(tmp_path / "theirs.json").config == ours.config
    for song in peer_songs():
        streams = theirs(song)
        streams = streams if isinstance(streams, list) else [streams]
        assert equal(ours.encode_tracks(song), [np.array(stream.ids) for stream in streams]), song


@pytest.mark.parametrize("preset", ["remi", "midilike", "tsd_default", "remi_all"])
def test_scores_are_those_that_miditok_decodes(preset, tmp_path):
    miditok = peer("miditok")
    ours = ct.Tokenizer(preset)
    ours.save(tmp_path / "tokenizer.json")
    theirs = getattr(miditok, ours.representation)(params=tmp_path / "tokenizer.json")
    for song in peer_songs():
        tracks = ours.encode_tracks(song)
        ids = [stream.tolist() for stream in tracks]
        expected = ct.Score.from_symusic(theirs.decode(ids[0] if ours.one_stream else ids))
        decoded = ours.decode(tracks)
        assert [sorted(track.notes.tolist()) for track in decoded.tracks] == [
            sorted(track.notes.tolist()) for track in expected.tracks
        ]


def test_scores_go_to_symusic_and_back(band, prompt):
    symusic = peer("symusic")
    for score in (band, ct.Score.read(prompt)):
        assert ct.Score.from_symusic(score.to_symusic()) == score
    theirs = symusic.Score(str(prompt))
    assert ct.Score.of(theirs).notes.tolist() == ct.Score.read(prompt).notes.tolist()
    assert ct.Score.of(theirs.to("quarter")).bars == 8


def test_a_tokenizer_reads_scores_of_others(remi, prompt):
    symusic, pretty_midi = peer("symusic"), peer("pretty_midi")
    ids = remi.encode(prompt)
    assert equal(remi.encode(symusic.Score(str(prompt))), ids)
    # PrettyMIDI writes notes that begin together in another order, and of two of one pitch one ends
    # first.
    theirs = remi.encode(pretty_midi.PrettyMIDI(str(prompt)))
    assert sorted(i for i in theirs if remi[int(i)].startswith("Pitch_")) == sorted(
        i for i in ids if remi[int(i)].startswith("Pitch_")
    )


def test_scores_go_to_pretty_midi_and_back(band):
    peer("pretty_midi")
    theirs = band.to_pretty_midi()
    assert [len(instrument.notes) for instrument in theirs.instruments] == [3, 1, 2]
    assert theirs.instruments[0].notes[2].start == pytest.approx(band.seconds(960))
    back = ct.Score.from_pretty_midi(theirs)
    assert [track.notes.tolist() for track in back.tracks if len(track)] == [
        track.notes.tolist() for track in band.tracks
    ]


def test_other_objects_are_refused():
    with pytest.raises(TypeError, match="symusic"):
        ct.Score.of(object())
