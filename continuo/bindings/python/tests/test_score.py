"""Scores: arrays, files, editing, pictures."""

from __future__ import annotations

import pickle
import re
from xml.etree import ElementTree

import numpy as np
import pytest

import continuo as ct


def test_lists_have_the_rows_that_were_given(band):
    lead, piano, drums = band.tracks
    assert lead.notes.dtype == ct.NOTE
    assert lead.notes.tolist() == [(0, 480, 60, 90), (480, 240, 64, 80), (960, 960, 67, 70)]
    assert (lead.program, lead.is_drum, lead.name, lead.lyrics) == (40, False, "Lead", [(0, "la")])
    assert lead.controls.tolist() == [(0, 7, 100)] and lead.pitch_bends.tolist() == [(240, -512)]
    assert piano.pedals.tolist() == [(0, 960)]
    assert drums.is_drum and len(drums) == 2
    assert band.tempos.tolist() == [(0, 500000), (960, 600000)]
    assert band.time_signatures.tolist() == [(0, 4, 4), (1920, 3, 4)]
    assert band.key_signatures.tolist() == [(0, -3, 1)]
    assert band.markers == [(0, "Verse")]


def test_a_file_keeps_all(band, tmp_path):
    band.write(tmp_path / "band.mid")
    assert ct.Score.read(tmp_path / "band.mid") == band
    assert ct.Score.read(str(tmp_path / "band.mid")).warnings == []
    assert ct.Score.from_bytes(band.to_bytes()) == band
    assert ct.Score.of(band.to_bytes()) == band and ct.Score.of(band) is band


def test_arrays_are_read_only_views(prompt):
    score = ct.Score.read(prompt)
    notes = score.tracks[0].notes
    assert notes.base is not None
    with pytest.raises(ValueError, match="read-only"):
        notes["pitch"] = 60
    del score
    assert notes["pitch"].max() <= 127  # the array keeps what it shows


def test_rows_are_sorted_by_time():
    score = ct.Score(480, [ct.Track([(480, 10, 61, 1), (0, 10, 60, 1)])], tempos=[(5, 500000), (0, 400000)])
    assert score.tracks[0].notes["time"].tolist() == [0, 480]
    assert score.tempos["time"].tolist() == [0, 5]


def test_rows_may_have_other_types_and_more_fields():
    notes = np.zeros(2, [("pitch", "i8"), ("time", "i8"), ("duration", "f8"), ("velocity", "i4"), ("extra", "i4")])
    notes["pitch"], notes["duration"], notes["velocity"] = [60, 62], 120, 99
    assert ct.Score(480, [ct.Track(notes)]).tracks[0].notes.tolist() == [(0, 120, 60, 99), (0, 120, 62, 99)]


def test_editing_makes_another_score(band):
    notes = band.tracks[0].notes.copy()
    notes["pitch"] += 12
    changed = band.replace(tracks=[ct.Track(notes, program=40)])
    assert changed.tracks[0].notes["pitch"].tolist() == [72, 76, 79]
    assert changed.tempos.tolist() == band.tempos.tolist() and changed != band
    with pytest.raises(TypeError, match="tempo"):
        band.replace(tempo=[])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tracks": [ct.Track([(-1, 1, 60, 1)])]}, "tracks[0].notes[0].time is -1"),
        ({"tracks": [ct.Track([(0, 1, 60, 1), (0, 1, 128, 1)])]}, "tracks[0].notes[1].pitch is 128"),
        ({"tracks": [ct.Track([(0, 1, 300, 1)])]}, "tracks[0].notes[0].pitch is 300"),
        ({"tracks": [ct.Track([(2**31 - 1, 1, 60, 1)])]}, "duration is 1, expected 0 to 0"),
        ({"tracks": [ct.Track([(0, 1, 60)])]}, "expected time, duration, pitch, velocity"),
        ({"tracks": [ct.Track(), ct.Track(program=128)]}, "tracks[1].program is 128"),
        ({"tracks": [ct.Track(controls=[(0, 128, 0)])]}, "tracks[0].controls[0].number is 128"),
        ({"tracks": [ct.Track(pitch_bends=[(0, 8192)])]}, "tracks[0].pitch_bends[0].value is 8192"),
        ({"tracks": [ct.Track(lyrics=[(-5, "x")])]}, "tracks[0].lyrics[0].time is -5"),
        ({"tempos": [(0, 0)]}, "tempos[0].us_per_quarter is 0"),
        ({"time_signatures": [(0, 4, 3)]}, "time_signatures[0].denominator is 3, expected a power of two"),
        ({"time_signatures": [(0, 0, 4)]}, "time_signatures[0].numerator is 0"),
        ({"key_signatures": [(0, 8, 0)]}, "key_signatures[0].key is 8"),
        ({"ticks_per_quarter": 0}, "ticks_per_quarter is 0"),
        ({"ticks_per_quarter": 40000}, "ticks_per_quarter is 40000"),
        ({"ticks_per_quarter": 480.5}, "ticks_per_quarter is 480.5, expected a whole number"),
        ({"tracks": [ct.Track([(0, 480, 60, 90), (0.5, 0.25, 60, 90)])]}, "tracks[0].notes[1].time is 0.5, expected a whole"),
        ({"tracks": [ct.Track([(0, float("nan"), 60, 90)])]}, "tracks[0].notes[0].duration is nan, expected a whole"),
        ({"tracks": [ct.Track(np.array([[0, 1, 60.5, 90]]))]}, "tracks[0].notes[0].pitch is 60.5, expected a whole"),
        ({"tracks": [ct.Track([("0", 1, 60, 90)])]}, "tracks[0].notes[0].time is '0', expected a whole"),
        ({"tracks": [ct.Track([(None, 1, 60, 90)])]}, "tracks[0].notes[0].time is None, expected a whole"),
        ({"tracks": [ct.Track([(2**70, 1, 60, 90)])]}, f"tracks[0].notes[0].time is {2**70}"),
        ({"tracks": [ct.Track([0, 480, 60, 90])]}, "tracks[0].notes has the row 0, expected time, duration"),
        ({"tracks": [ct.Track(program=1.5)]}, "tracks[0].program is 1.5, expected a whole number"),
        ({"tempos": [(0, 5e5), (0.1, 6e5)]}, "tempos[1].time is 0.1, expected a whole number"),
    ],
)
def test_what_midi_cannot_hold_is_refused_by_its_place(arguments, message):
    with pytest.raises(ct.InvalidError, match=re.escape(message)):
        ct.Score(**arguments)


@pytest.mark.parametrize(
    ("tracks", "message"),
    [([[(0, 480, 60, 90)]], r"tracks\[0\] is a list, expected a Track"), ([ct.Track(name=None)], r"tracks\[0\].name is None")],
)
def test_what_is_no_track_is_a_type_error(tracks, message):
    with pytest.raises(TypeError, match=message):
        ct.Score(480, tracks)


@pytest.mark.parametrize(
    ("ticks", "message"),
    [([0.5], "ticks are float64, expected whole"), (2**31, "tick 2147483648 is not in a"), ([-(2**40)], f"tick -{2**40} is not in a")],
)
def test_ticks_that_are_none_have_no_seconds(band, ticks, message):
    with pytest.raises(ct.InvalidError, match=message):
        band.seconds(ticks)
    assert band.seconds([]).shape == (0,)


def test_a_path_with_a_zero_byte_is_not_that_of_another_file(prompt, tmp_path):
    for read in (ct.Score.read, ct.Tokenizer("remi").encode, ct.Corpus, ct.Tokenizer, ct.Tokenizer.from_file, ct.Model):
        with pytest.raises(ct.InvalidError, match="zero byte"):
            read(f"{prompt}\0.txt")
    with pytest.raises(ct.InvalidError, match="zero byte"):
        ct.Score.read(prompt).write(tmp_path / "a.mid\0.mid")
    assert not (tmp_path / "a.mid").exists()


def test_a_field_that_is_missing_is_named():
    with pytest.raises(ct.InvalidError, match="no field velocity"):
        ct.Score(480, [ct.Track(np.zeros(1, [("time", "i4"), ("duration", "i4"), ("pitch", "i4")]))])


def test_bad_files_are_named(tmp_path):
    (tmp_path / "bad.mid").write_bytes(b"RIFF")
    with pytest.raises(ct.InvalidError, match="bad.mid"):
        ct.Score.read(tmp_path / "bad.mid")
    with pytest.raises(FileNotFoundError, match="none.mid"):
        ct.Score.read(tmp_path / "none.mid")
    with pytest.raises(ct.InvalidError, match="what I named"):
        ct.Score.from_bytes(b"", name="what I named")
    with pytest.raises(ct.Error):
        ct.Score().write(tmp_path / "none" / "x.mid")
    with pytest.raises(TypeError, match="not float"):
        ct.Score.of(1.5)


def test_repairs_are_listed(prompt):
    midi = prompt.read_bytes()
    assert ct.Score.from_bytes(midi[:-20]).warnings


@pytest.mark.parametrize("name", ["Café", "音楽", "\U0001f3b9", ""])
def test_names_in_any_script_are_kept(name):
    score = ct.Score(480, [ct.Track([(0, 1, 60, 1)], name=name, lyrics=[(0, name + "la")])], markers=[(0, name + "!")])
    again = ct.Score.from_bytes(score.to_bytes())
    assert again == score and again.tracks[0].name == name


def test_paths_that_are_no_utf8_work(tmp_path, band):
    path = tmp_path / b"caf\xe9.mid".decode("utf-8", "surrogateescape")
    band.write(path)
    assert ct.Score.read(path) == band


def test_scores_pickle(band, prompt):
    for score in (band, ct.Score.read(prompt), ct.Score()):
        assert pickle.loads(pickle.dumps(score)) == score
    assert hash(pickle.loads(pickle.dumps(band))) == hash(band)
    assert band != "band"


def test_tracks_compare_by_what_they_hold(band):
    again = pickle.loads(pickle.dumps(band))
    assert again.tracks == band.tracks and band.tracks[0] != band.tracks[1]


def test_bars_follow_the_time_signatures():
    score = ct.Score(480, [ct.Track([(0, 1, 60, 1), (2000, 1, 60, 1)])], time_signatures=[(0, 3, 4)])
    assert score.bars == 2
    assert score.bar_lines.tolist() == [0, 1440, 2880]
    assert ct.Score().bars == 0


def test_seconds_follow_the_tempos(band):
    assert band.seconds([0, 960, 1920]).tolist() == [0.0, 1.0, 2.2]
    assert band.seconds(480).shape == () and band.seconds([[0], [480]]).shape == (2, 1)
    assert band.duration == pytest.approx(2.2) and band.end == 1920
    with pytest.raises(ct.InvalidError, match="tick -1 is not in a score"):
        band.seconds([-1])


def test_notes_are_those_of_all_tracks_in_time(band):
    assert band.notes["time"].tolist() == sorted(band.notes["time"].tolist()) and len(band.notes) == 6


def test_a_piano_roll_has_the_velocities_where_notes_sound(band):
    roll = band.piano_roll(2)
    assert roll.shape == (128, 8) and roll.dtype == np.uint8
    assert roll[60].tolist() == [90, 90, 0, 0, 0, 0, 0, 0]
    assert roll[67].tolist() == [0, 0, 0, 0, 70, 70, 70, 70]
    assert roll[36].sum() == 0 and band.piano_roll(2, drums=True)[36, 0] == 100
    assert band.piano_roll(2, tracks=[1]).nonzero()[0].tolist() == [48] * 8
    assert ct.Score().piano_roll().shape == (128, 0)


def test_a_piano_roll_equals_one_drawn_note_by_note(prompt):
    score = ct.Score.read(prompt)
    roll = score.piano_roll(24)
    expected = np.zeros_like(roll)
    for time, duration, pitch, velocity in score.tracks[0].notes.tolist():
        begin, end = (each * 24 // score.ticks_per_quarter for each in (time, time + duration))
        expected[pitch, begin : max(end, begin + 1)] = velocity
    assert np.array_equal(roll, expected)


def test_a_piano_roll_is_bounded():
    score = ct.Score(1, [ct.Track([(2**31 - 10, 5, 60, 1)])])
    with pytest.raises(ct.TooLargeError, match="columns"):
        score.piano_roll()
    with pytest.raises(IndexError):
        score.piano_roll(tracks=[4])
    with pytest.raises(ct.InvalidError, match="columns_per_quarter is 0"):
        score.piano_roll(0)


def test_html_contains_all_it_needs(band):
    page = band._repr_html_()
    assert page.count('class="note"') == 6 and "AudioContext" in page
    assert not re.search(r'src=|href=|https?:', page)
    assert page.startswith("<div") and page.endswith("</div>")
    assert band._repr_html_().split('"')[1] != page.split('"')[1]  # two outputs of one notebook


def test_html_of_nothing_and_of_hostile_names():
    assert "<svg" in ct.Score()._repr_html_()
    score = ct.Score(480, [ct.Track([(0, 1, 60, 1)], name="</script><script>alert(1)")])
    assert "alert" not in score._repr_html_()


def test_a_picture_is_an_svg_file(band):
    picture = band.svg(form=f"B{band.bars}")
    root = ElementTree.fromstring(picture)
    notes = [each for each in root.iter() if each.get("class") == "note"]
    assert len(notes) == 6 and root.get("width") == "1200"
    assert "B" in {each.text for each in root.iter() if each.tag.endswith("text")}
    assert 0 < band.svg((1, 1)).count('class="note"') <= 6
    for arguments, message in [
        ({"form": "A1 B900"}, "its sections have 901 bars together, expected"),
        ({"width": 1}, "width is 1"),
        ({"bars": (3, 2)}, "bars are 3 to 2"),
        ({"bars": (4, 5)}, "bars 4 to 5"),
    ]:
        with pytest.raises(ct.InvalidError, match=message):
            band.svg(**arguments)


def test_repr_counts(band):
    assert repr(band) == "Score(3 tracks, 3 bars, 6 notes)".replace("3 bars", f"{band.bars} bars")
    assert repr(band.tracks[2]) == "Track('Drums', drums, 2 notes)"
