"""Models: pieces, streams, likelihoods, stopping."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import continuo as ct


def test_a_piece_has_the_bars_asked_for(model):
    for bars in (1, 3):
        (piece,) = model.generate(bars=bars)
        assert piece.score.bars == bars and piece.new_bars is None
        assert piece.index == 0 and piece.prompt_length == 0 and piece.nll > 0
        assert ct.Score.from_bytes(piece.to_bytes()) == piece.score


def test_the_same_seed_gives_the_same_bytes(model):
    first = [piece.to_bytes() for piece in model.generate(bars=2, count=3, seed=5)]
    again = [piece.to_bytes() for piece in ct.Model(threads=2).generate(bars=2, count=3, seed=5, batch=1)]
    assert first == again and len(set(first)) == 3
    assert model.generate(bars=2, seed=6)[0].to_bytes() not in first


def test_the_program_writes_the_same_bytes(model, tmp_path):
    subprocess.run(
        [sys.executable, "-m", "continuo", "-q", "generate", "--bars", "2", "--count", "2", "--seed", "3", "-o", tmp_path],
        check=True, stdout=subprocess.DEVNULL,
    )
    for piece in model.generate(bars=2, count=2, seed=3):
        assert piece.to_bytes() == (tmp_path / f"piece-{piece.index + 1:03}.mid").read_bytes()


def test_ids_decode_to_the_piece(model):
    (piece,) = model.generate(bars=2)
    decoded = model.tokenizer.decode(piece.ids)
    scale = piece.score.ticks_per_quarter // decoded.ticks_per_quarter
    assert np.array_equal(decoded.notes["pitch"], piece.score.notes["pitch"])
    assert np.array_equal(decoded.notes["time"] * scale, piece.score.notes["time"])


def test_keep_gives_the_likeliest_first(model):
    all_pieces = model.generate(bars=2, count=5)
    best = model.generate(bars=2, count=5, keep=2)
    assert [p.index for p in all_pieces] == list(range(5))
    assert [p.index for p in best] == [p.index for p in sorted(all_pieces, key=lambda p: p.nll)][:2]


def test_the_tempo_can_be_chosen(model):
    score = model.generate(bars=2, bpm=90)[0].score
    assert 60e6 / score.tempos["us_per_quarter"][0] == pytest.approx(90, abs=4)


def test_temperature_0_ignores_the_seed(model):
    a, b = (model.generate(bars=1, temperature=0, seed=seed)[0].to_bytes() for seed in (1, 2))
    assert a == b


def test_repairs_and_raised_levels_are_reported(model):
    notes = [(480 * i, 480, 60 + i % 5, 80) for i in range(16)]
    fade = [(0, 7, 100), (960, 7, 70), (1920, 7, 40), (2880, 7, 10)]
    faded = ct.Score(480, [ct.Track(notes=notes, controls=fade)]).to_bytes()
    (piece,) = model.continue_(faded, prompt_bars=2, bars=1)
    assert piece.raised_levels == (ct.RaisedLevel(channel=1, controller=7, before=10, after=100),)
    assert piece.repairs == ()

    plain = ct.Score(480, [ct.Track(notes=notes)]).to_bytes()
    (piece,) = model.continue_(plain, prompt_bars=2, bars=1)
    assert piece.raised_levels == () and piece.repairs == ()

    # The last note has no end: its note-off and the end of the track are cut off.
    broken = plain[: plain.rindex(b"\xff\x2f\x00") - 4]
    for piece in (*model.continue_(broken, 2, 1), *model.fill(broken, (2, 2), candidates=1)):
        assert piece.repairs and all(isinstance(line, str) for line in piece.repairs)
    assert model.likelihood(broken).repairs
    assert model.likelihood(plain).repairs == ()
    assert model.generate(bars=1)[0].repairs == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bars": 0}, "bars"),
        ({"bars": 10**6}, "bars"),
        ({"bars": -1}, "bars is -1"),
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top-p is 0"),
        ({"top_p": 1.5}, "top-p is 1.5"),
        ({"pitch_top_p": 0}, "pitch-top-p is 0"),
        ({"min_p": 2}, "min-p is 2"),
        ({"repetition_penalty": 0}, "repetition-penalty is 0"),
        ({"top_k": -3}, "top-k is -3"),
        ({"temperature": "hot"}, "temperature is 'hot'"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"seed": 2**64}, "seed is 18446744073709551616"),
        ({"bars": 2.0}, "bars is 2.0, expected a whole number"),
        ({"bars": "2"}, "bars is '2', expected a whole number"),
        ({"count": 0}, "count"),
        ({"count": -2}, "count is -2"),
        ({"bpm": 5}, "bpm|tempo"),
        ({"chords": "C | H"}, "chord|bar 2"),
        ({"form": "A8 ?8"}, "byte 4"),
        ({"form": "A2"}, "its sections have 2 bars"),
        ({"density": 8}, "level from 0 to 7"),
        ({"density": "2:1 6:1"}, "rising bars"),
        ({"density": [(2, 1), (6, 1)]}, "'6:1' comes after bar 1"),
        ({"loudness": [2, 9]}, "'9' does not begin with a level"),
        ({"scale": "A miner"}, "scale is 'A miner'"),
        ({"grid": 12}, "grid is 12"),
        ({"max_notes": [3, "2@7"]}, "max_notes is for bar 7"),
        ({"keep_top": True}, "keep_top"),
    ],
)
def test_options_out_of_range_are_refused_by_name(model, options, message):
    with pytest.raises(ct.InvalidError, match=message):
        model.generate(**{"bars": 1, **options})


def test_numbers_may_be_those_of_numpy(model):
    (piece,) = model.generate(np.int64(1), count=np.int32(1), seed=np.uint64(2**64 - 1), temperature=np.float32(1), bpm=np.int16(120))
    assert piece.to_bytes() == model.generate(1, seed=2**64 - 1, temperature=1, bpm=120)[0].to_bytes()


@pytest.mark.parametrize("options", [{"chords": "C | Am"}, {"form": "A1"}, {"density": 3}])
def test_what_the_tokens_do_not_have_is_refused(remi_model, options):
    with pytest.raises(ct.InvalidError, match="remiplan"):
        remi_model.generate(bars=1, **options)


def test_an_unknown_option_is_a_type_error(model):
    with pytest.raises(TypeError, match="temprature"):
        model.generate(bars=1, temprature=1.0)
    with pytest.raises(TypeError, match="candidates"):
        model.fill(b"", (1, 1), count=3)


def test_new_notes_keep_to_limits(model):
    limits = {"scale": ["A minor pentatonic", "C D@2"], "range": "C4:C6", "grid": 8, "max_notes": 4}
    score = model.generate(bars=3, **limits)[0].score
    line = score.bar_lines
    for note in score.notes:
        second = line[1] <= note["time"] < line[2]
        assert note["pitch"] % 12 in ({0, 2} if second else {9, 0, 2, 4, 7})
        assert 60 <= note["pitch"] <= 84
    assert score.bars == 3 and len(score.notes) <= 12


def test_fill_keeps_the_top_notes(model, prompt):
    (piece,) = model.fill(prompt, (3, 4), candidates=2, keep_top=True)
    given = ct.Score.read(prompt)
    first, last = given.bar_lines[2], given.bar_lines[4]

    def highest(score):
        inside = score.notes[(score.notes["time"] >= first) & (score.notes["time"] < last)]
        return inside["pitch"].max()

    assert highest(piece.score) == highest(given)


def test_none_leaves_the_default(model):
    assert model.generate(bars=1, chords=None, top_k=None)[0].to_bytes() == model.generate(bars=1)[0].to_bytes()


def test_a_continuation_keeps_the_prompt(model, prompt):
    (piece,) = model.continue_(prompt, prompt_bars=4, bars=2)
    whole, given = piece.score, ct.Score.read(prompt)
    assert whole.bars == 6 and piece.new_bars.bars == 2
    line = given.bar_lines[4]
    kept = given.notes[given.notes["time"] < line]
    assert np.array_equal(whole.notes["pitch"][: len(kept)], kept["pitch"])
    assert piece.prompt_length > 0


def test_a_continuation_keeps_the_tempo_or_has_the_one_asked_for(model, prompt):
    given = ct.Score.read(prompt)
    before = 60e6 / given.tempos["us_per_quarter"][-1]
    kept = model.continue_(prompt, 8, 2)[0].score
    line = given.bar_lines[8]
    for tempo in kept.tempos[kept.tempos["time"] >= line]["us_per_quarter"]:
        assert 60e6 / tempo == pytest.approx(before, rel=0.15)
    fast = model.continue_(prompt, 8, 2, bpm=200)[0].score
    assert 60e6 / fast.tempos["us_per_quarter"][-1] == pytest.approx(200, rel=0.05)


def test_a_stream_continues_a_piece(model, prompt):
    stream = model.stream(bars=2, prompt=prompt, prompt_bars=4)
    assert [bar.bars for bar in stream][-1] == 6
    assert stream.piece.to_bytes() == model.continue_(prompt, 4, 2)[0].to_bytes()
    assert stream.piece.new_notes > 0


def test_events_that_are_no_notes_keep_their_bytes(model, prompt):
    midi = bytearray(prompt.read_bytes())
    end = midi.rindex(b"\xff\x2f\x00")
    event = b"\x00\xf0\x05\x7d\x01\x02\x03\xf7"  # a system exclusive message, which a Score does not have
    midi[end - 1 : end - 1] = event
    at = midi.rindex(b"MTrk") + 4
    midi[at : at + 4] = (int.from_bytes(midi[at : at + 4], "big") + len(event)).to_bytes(4, "big")
    filled = model.fill(bytes(midi), (3, 3), candidates=1)[0]
    assert event[1:] in filled.to_bytes()


def test_music_may_be_a_path_bytes_or_a_score(model, prompt):
    given = (prompt, str(prompt), prompt.read_bytes(), ct.Score.read(prompt))
    pieces = [model.continue_(music, 8, 1)[0] for music in given]
    assert len({piece.to_bytes() for piece in pieces[:3]}) == 1
    # A score becomes a file of its own, with the same notes.
    assert pieces[3].score.notes.tolist() == pieces[0].score.notes.tolist()


def test_music_may_be_a_piece(model, remi):
    (piece,) = model.generate(bars=2)
    assert model.likelihood(piece).bars == 2 and ct.Score.of(piece) is piece.score
    assert np.array_equal(remi.encode(piece), remi.encode(piece.score))
    assert model.continue_(piece, 2, 1)[0].to_bytes() == model.continue_(piece.to_bytes(), 2, 1)[0].to_bytes()


def test_fill_changes_the_bars_named_alone(model, prompt):
    pieces = model.fill(prompt, (3, 4), candidates=3)
    assert len(pieces) == 1
    before, after = ct.Score.read(prompt), pieces[0].score
    begin, end = before.bar_lines[2], before.bar_lines[4]

    def outside(score):
        notes = score.notes
        kept = notes[(notes["time"] < begin) | (notes["time"] >= end)]
        return sorted(zip(kept["time"].tolist(), kept["pitch"].tolist()))

    assert outside(before) == outside(after)
    assert not np.array_equal(before.notes, after.notes)
    assert len(model.fill(prompt, (3, 3), candidates=3, keep=2)) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, p: m.fill(p, (0, 1)), "bars are 0 to 1"),
        (lambda m, p: m.fill(p, (4, 3)), "bars are 4 to 3"),
        (lambda m, p: m.fill(p, (8, 20)), "bars"),
        (lambda m, p: m.fill(p, 5), r"bars is 5, expected the first and the last bar, as in \(9, 12\)"),
        (lambda m, p: m.fill(p, (5, 6, 7)), r"bars is \(5, 6, 7\)"),
        (lambda m, p: m.fill(p, (5, 6.5)), "the last bar is 6.5"),
        (lambda m, p: m.continue_(p, prompt_bars=100), "prompt"),
        (lambda m, p: m.continue_(p, track=5), "track"),
        (lambda m, p: m.continue_(p, track=-1), "track is -1"),
        (lambda m, p: m.continue_(b"no music"), "MIDI"),
        (lambda m, p: m.continue_(p, tempo="fast"), "tempo is 'fast'"),
        (lambda m, p: m.stream(2, retries=1), "retries"),
    ],
)
def test_requests_that_cannot_be_are_refused(model, prompt, call, message):
    with pytest.raises(ct.InvalidError, match=message):
        call(model, prompt)
    with pytest.raises(FileNotFoundError, match="none.mid"):
        model.continue_("none.mid")
    with pytest.raises(ct.FileSystemError, match="cannot be read: Is a directory"):
        model.continue_(prompt.parent)


def test_a_stream_yields_each_bar_and_ends_with_the_piece(model):
    stream = model.stream(bars=4, seed=9)
    bars = list(stream)
    assert [bar.bars for bar in bars][-1] == 4
    (piece,) = model.generate(bars=4, seed=9)
    assert stream.piece.to_bytes() == piece.to_bytes()
    assert sum(len(bar.notes) for bar in bars) == len(piece.score.notes)
    seconds = np.concatenate([bar.notes["seconds"] for bar in bars])
    ticks = np.concatenate([bar.notes["time"] for bar in bars])
    assert np.allclose(seconds, piece.score.seconds(ticks))
    assert next(stream, None) is None


def test_breaking_off_a_stream_stops_it(model):
    begin = time.process_time()
    for bar in model.stream(bars=10000):
        break
    del bar
    assert time.process_time() - begin < 20  # all bars take minutes of the processor
    assert model.generate(bars=1)  # is free again


def test_a_stream_that_is_open_at_the_end_holds_up_no_exit():
    script = "import continuo as ct\nstream = ct.Model(threads=1).stream(bars=10000)\nprint(next(stream).bars)"
    run = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=300)
    assert (run.returncode, run.stdout, run.stderr) == (0, "1\n", "")  # all bars take longer


def test_pieces_are_the_same_only_as_themselves(model):
    one, other = model.generate(bars=1, count=2)
    assert one == one and one != other and [one, other].index(other) == 1 and len({one, other}) == 2
    likelihood = model.likelihood(one)
    assert likelihood == likelihood and likelihood != model.likelihood(one)


def test_a_model_that_streams_refuses_other_work_instead_of_hanging(model):
    with model.stream(bars=10000) as stream:
        next(stream)
        with pytest.raises(ct.Error, match="streaming"):
            model.generate(bars=1)
    with pytest.raises(StopIteration):
        next(stream)
    assert model.generate(bars=1)


def test_what_goes_wrong_in_a_stream_is_raised(model):
    with pytest.raises(ct.InvalidError, match="temperature"):
        next(model.stream(bars=2, temperature=-1))
    assert model.generate(bars=1)


def test_threads_take_turns(model):
    results: list[bytes] = []

    def work():
        results.append(model.generate(bars=2, seed=4)[0].to_bytes())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3 and len(set(results)) == 1


def test_other_threads_run_meanwhile(model):
    ticks = 0
    done = threading.Event()

    def count():
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    model.generate(bars=60)
    done.set()
    thread.join()
    assert ticks > 20


def test_likelihoods_add_up(model, prompt):
    likelihood = model.likelihood(prompt)
    assert (likelihood.bars, likelihood.notes) == (8, 105)
    assert likelihood.tokens == len(model.tokenizer.encode(prompt))
    assert likelihood.per_bar.sum() == pytest.approx(likelihood.total)
    assert likelihood.nll_per_token == pytest.approx(likelihood.total / likelihood.tokens)
    assert likelihood.nll_per_note == pytest.approx(likelihood.total / 105)
    assert likelihood.nll_per_bar == pytest.approx(likelihood.total / 8)


def test_the_likelihood_of_a_piece_is_that_it_was_written_with(remi_model):
    (piece,) = remi_model.generate(bars=3, bpm=120)  # a file always has a tempo, and so its tokens have one
    likelihood = remi_model.likelihood(piece.score)
    assert likelihood.tokens == len(piece.ids)
    # The piece also counts the token that ends it.
    assert piece.nll * len(piece.ids) < likelihood.total < piece.nll * (len(piece.ids) + 1)


def test_a_shuffled_piece_is_less_likely(model, prompt):
    ids = model.tokenizer.encode(prompt)
    pitches = [i for i, each in enumerate(ids) if model.tokenizer[int(each)].startswith("Pitch_")]
    shuffled = ids.copy()
    shuffled[pitches] = np.random.default_rng(0).permutation(shuffled[pitches])
    assert model.likelihood(model.tokenizer.decode(shuffled)).nll_per_note > model.likelihood(prompt).nll_per_note


def test_a_score_without_notes_has_no_likelihood_per_note(model):
    likelihood = model.likelihood(ct.Score())
    assert np.isnan(likelihood.nll_per_note) and likelihood.notes == 0


def test_models_that_are_none_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="none: does not exist, expected a model directory"):
        ct.Model(tmp_path / "none")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ct.Error, match="config.json"):
        ct.Model(tmp_path)
    with pytest.raises(ct.InvalidError, match="f16"):
        ct.Model(precision="f16")
    with pytest.raises(ct.InvalidError, match="threads"):
        ct.Model(threads=-1)


def test_a_model_says_what_it_is(model):
    assert model.sampling.keys() == {
        "temperature",
        "top_k",
        "top_p",
        "pitch_top_p",
        "min_p",
        "repetition_penalty",
        "recall",
        "chord_recall",
        "drafts",
    }
    assert model.context_length >= 512 and len(model.weights_sha256) == 64
    assert "pop-piano" in repr(model) and ct.Model("pop-piano").directory == model.directory


def test_models_pickle_as_their_directory(model):
    again = pickle.loads(pickle.dumps(model))
    assert again.generate(bars=1)[0].to_bytes() == model.generate(bars=1)[0].to_bytes()


def test_a_directory_without_a_tokenizer_takes_one(model, tmp_path):
    for file in model.directory.iterdir():
        if file.name != "tokenizer.json":
            (tmp_path / file.name).symlink_to(file)
    with pytest.raises(FileNotFoundError, match="tokenizer.json"):
        ct.Model(tmp_path)
    tokenizer = model.directory / "tokenizer.json"
    given = ct.Model(tmp_path, tokenizer=tokenizer)
    assert given.tokenizer.vocab == model.tokenizer.vocab
    assert given.generate(bars=1)[0].to_bytes() == model.generate(bars=1)[0].to_bytes()
    assert pickle.loads(pickle.dumps(given)).tokenizer.vocab == model.tokenizer.vocab
    with pytest.raises(FileNotFoundError, match="none.json"):
        ct.Model(tmp_path, tokenizer=tmp_path / "none.json")


def test_progress_counts_bars(model):
    calls = []
    model.generate(bars=3, count=2, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (6, 6)


def test_ctrl_c_stops(tmp_path):
    script = (
        "import continuo as ct\nimport signal\nmodel = ct.Model(threads=1)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # which a shell's background leaves out
        "print('ready', flush=True)\n"
        "try:\n    model.generate(bars=10000, count=50)\nexcept KeyboardInterrupt:\n    print('stopped', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    # All pieces take hours.
    assert process.communicate(timeout=300)[0] == "stopped\n" and process.returncode == 0


def test_a_fork_after_the_import_is_safe_and_a_model_says_that_it_is_not(model):
    child = os.fork()
    if child == 0:
        try:
            try:
                model.generate(bars=1)
                os._exit(1)
            except ct.Error as error:
                if "forked" not in str(error):
                    os._exit(2)
            ct.Model(threads=2).generate(bars=1)
            ct.Tokenizer("remi").encode_files([], threads=2)
            os._exit(0)
        except BaseException:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
