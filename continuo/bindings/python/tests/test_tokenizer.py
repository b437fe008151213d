"""Tokenizers: vocabulary, ids, files, threads."""

from __future__ import annotations

import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import equal

import continuo as ct


@pytest.mark.parametrize("preset", ct.presets())
def test_every_preset_decodes_what_it_encodes(preset, band):
    tok = ct.Tokenizer(preset)
    ids = tok.encode(band.replace(tracks=band.tracks[:1]))
    score = tok.decode(ids)
    assert score.notes["pitch"].tolist() == [60, 64, 67]
    assert equal(tok.encode(score), ids)


@pytest.mark.parametrize("preset", ct.presets())
def test_every_token_has_a_type_and_the_id_of_its_name(preset):
    tok = ct.Tokenizer(preset)
    assert list(tok.vocab.values()) == list(range(len(tok)))
    for name, number in tok.vocab.items():
        info = tok.info(number)
        assert (info.id, info.name) == (number, name)
        assert name.startswith(info.type + "_")
        # In BEAT a pattern says whether the key begins a note.
        pitches = ("Pitch", "NoteOn", "PitchDrum", "DrumOn") if preset != "beat_default" else ()
        assert info.begins_note == (info.type in pitches)


def test_names_and_ids_are_looked_up_both_ways(remi):
    assert remi[remi["Pitch_60"]] == "Pitch_60"
    assert "Pitch_60" in remi and "Pitch_999" not in remi and 60 not in remi
    assert list(remi)[:4] == ["PAD_None", "BOS_None", "EOS_None", "MASK_None"]
    assert (remi.pad_id, remi.bos_id, remi.eos_id) == (0, 1, 2)


@pytest.mark.parametrize("token", ["Pitch_999", ""])
def test_an_unknown_name_is_a_key_error(remi, token):
    with pytest.raises(KeyError):
        remi[token]


@pytest.mark.parametrize("token", [-1, 100000])
def test_an_unknown_id_is_an_index_error(remi, token):
    with pytest.raises(IndexError, match="expected 0 to 315"):
        remi[token]


@pytest.mark.parametrize(
    ("preset", "name", "value"),
    [
        ("remi", "Pitch_60", 60),
        ("remi", "Velocity_99", 99),
        ("remi", "Duration_1.4.8", 1.5),
        ("remi", "Position_3", 3),
        ("remi", "Bar_None", None),
        ("remiplus", "TimeSig_3/4", (3, 4)),
        ("midilike", "TimeShift_0.2.8", 0.25),
        ("midilike", "NoteOff_60", 60),
        ("remi_all", "Program_-1", -1),
    ],
)
def test_values_are_what_the_names_say(preset, name, value):
    assert ct.Tokenizer(preset).info(name).value == value


def test_tempo_values_are_quarter_notes_per_minute(remi):
    tempos = [remi.info(name).value for name in remi if name.startswith("Tempo_")]
    assert tempos == sorted(tempos) and (tempos[0], tempos[-1]) == (40.0, 250.0)


def test_path_bytes_and_score_give_the_same_ids(remi, prompt):
    ids = remi.encode(prompt)
    assert isinstance(ids, np.ndarray) and ids.dtype == np.int32 and ids.ndim == 1
    for music in (str(prompt), prompt.read_bytes(), bytearray(prompt.read_bytes()), ct.Score.read(prompt)):
        assert equal(remi.encode(music), ids)
    assert equal(remi(prompt), ids)


def test_several_streams_are_a_list(remi, band):
    streams = remi.encode(band)
    assert isinstance(streams, list) and len(streams) == 3
    assert equal(remi.encode_tracks(band), streams)


def test_one_stream_holds_all_tracks(band):
    tok = ct.Tokenizer("remi_all")
    ids = tok.encode(band)
    assert isinstance(ids, np.ndarray)
    assert {tok.info(int(i)).value for i in ids if tok[int(i)].startswith("Program_")} == {-1, 0, 40}


def test_encode_files_gives_what_encode_gives_on_any_number_of_threads(remi, songs):
    expected = [remi.encode(song) for song in songs]
    for threads in (0, 1, 2, 5):
        assert all(map(equal, remi.encode_files(songs, threads=threads), expected))


def test_encode_files_takes_no_lone_path(remi, prompt):
    for path in (str(prompt), prompt, prompt.parent):
        with pytest.raises(TypeError, match="expected a list of paths"):
            remi.encode_files(path)


def test_encode_files_of_nothing_is_nothing(remi):
    assert remi.encode_files([]) == []


def test_encode_files_raises_the_first_error_or_returns_it(remi, prompt, tmp_path):
    bad = tmp_path / "bad.mid"
    bad.write_bytes(b"no music")
    with pytest.raises(ct.InvalidError, match="bad.mid"):
        remi.encode_files([prompt, bad])
    first, second, third = remi.encode_files([prompt, bad, tmp_path / "none.mid"], errors="return")
    assert equal(first, remi.encode(prompt))
    assert isinstance(second, ct.InvalidError)
    assert isinstance(third, FileNotFoundError)


def test_progress_ends_with_all_files(remi, songs):
    calls = []
    remi.encode_files(songs, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (len(songs), len(songs))


def test_progress_true_draws_on_stderr_and_nothing_else_prints(remi, songs, capfd):
    remi.encode_files(songs)
    assert capfd.readouterr() == ("", "")
    remi.encode_files(songs, progress=True)
    out, err = capfd.readouterr()
    assert out == "" and f"{len(songs)} of {len(songs)} files" in err


def test_what_a_progress_function_raises_comes_out(remi, songs):
    def fail(done, total):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        remi.encode_files(songs, progress=fail)


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda ids: np.array(ids, np.int64), lambda ids: np.array(ids, np.uint16)])
def test_decode_takes_any_kind_of_whole_numbers(remi, prompt, kind):
    ids = remi.encode(prompt)
    assert remi.decode(kind(ids.tolist())) == remi.decode(ids)


def test_decode_takes_a_list_of_streams(remi, band):
    score = remi.decode(remi.encode(band))
    assert len(score.tracks) == 3


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([5, 316], "id 316 at place 1"),
        ([-1], "id -1 at place 0"),
        ([2**40], "at place 0"),
        ([1.5], "whole numbers"),
        ([[[1]]], "dimensions"),
    ],
)
def test_ids_that_are_none_are_refused(remi, ids, message):
    with pytest.raises(ct.InvalidError, match=message):
        remi.decode(ids)


def test_decode_of_nothing_is_an_empty_score(remi):
    assert len(remi.decode([]).notes) == 0


def test_bar_offsets_are_where_the_bars_begin(remi, prompt):
    ids = remi.encode(prompt)
    offsets = remi.bar_offsets(ids)
    assert len(offsets) == 8 and set(ids[offsets]) == {remi["Bar_None"]}


def test_transpose_moves_pitches_alone(remi, prompt):
    ids = remi.encode(prompt)
    moved = remi.decode(remi.transpose(ids, 3)).notes
    notes = remi.decode(ids).notes
    assert np.array_equal(moved["pitch"], notes["pitch"] + 3)
    assert np.array_equal(moved["time"], notes["time"])
    assert np.array_equal(remi.transpose(ids, np.int64(3)), remi.transpose(ids, 3))
    with pytest.raises(ct.InvalidError, match="leaves the vocabulary"):
        remi.transpose(ids, 100)
    with pytest.raises(ct.InvalidError, match="semitones is 1.5, expected a whole number"):
        remi.transpose(ids, 1.5)


@pytest.mark.parametrize("release", ["3.0.4", "3.1.0"])
def test_the_release_is_kept(release):
    tok = ct.Tokenizer("remi_default", miditok=release)
    assert tok.miditok == release
    assert ct.Tokenizer.from_bytes(tok.to_json()).miditok == release


def test_files_keep_the_tokenizer(remi, tmp_path):
    remi.save(tmp_path / "t.json")
    remi.save_pretrained(tmp_path)
    for path in (tmp_path / "t.json", tmp_path, str(tmp_path)):
        assert ct.Tokenizer.from_file(path) == remi
    assert ct.Tokenizer.from_pretrained(tmp_path) == remi
    assert ct.Tokenizer(tmp_path / "t.json") == remi
    assert json.loads((tmp_path / "t.json").read_text())["config"]["num_velocities"] == remi.config["num_velocities"]


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"config": {"num_velocities": -4}}')
    with pytest.raises(ct.InvalidError, match="tokenizer.json"):
        ct.Tokenizer.from_file(tmp_path)
    with pytest.raises(FileNotFoundError, match="none.json"):
        ct.Tokenizer.from_file(tmp_path / "none.json")
    with pytest.raises(ct.Error, match="presets"):
        ct.Tokenizer("no-such-preset")
    with pytest.raises(ct.InvalidError, match="9.9"):
        ct.Tokenizer("remi", miditok="9.9")


@pytest.mark.parametrize("preset", ["remi", "midilike_all", "remichord", "remiplan"])
def test_tokenizers_pickle_and_compare(preset):
    tok = ct.Tokenizer(preset)
    again = pickle.loads(pickle.dumps(tok))
    assert again == tok and hash(again) == hash(tok) and copy.deepcopy(tok) == tok
    assert again.vocab == tok.vocab and again.vocab_sha256 == tok.vocab_sha256
    assert tok != ct.Tokenizer("tsd_default")


def test_threads_share_a_tokenizer(remi, songs):
    expected = [remi.encode(song) for song in songs]
    with ThreadPoolExecutor(4) as pool:
        assert all(map(equal, pool.map(remi.encode, songs), expected))


def test_repr_says_what_it_is(remi):
    assert repr(remi) == "Tokenizer(REMI, MidiTok 3.1.0, 316 tokens)"
