#!/usr/bin/env python3
"""Writes the seeds of the fuzzers to testdata/fuzz: small inputs that reach each part of the readers."""
import io
import json
import pathlib
import struct
import zipfile

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "fuzz"
END = b"\x00\xff\x2f\x00"


def chunk(kind, data):
    return kind + struct.pack(">I", len(data)) + data


def midi(tracks, kind=1, division=480):
    header = chunk(b"MThd", struct.pack(">HHH", kind, len(tracks), division))
    return header + b"".join(chunk(b"MTrk", track) for track in tracks)


def notes(channel, pitches, gap=b"\x60"):
    return b"".join(
        bytes([0, 0x90 | channel, pitch, 80]) + gap + bytes([0x80 | channel, pitch, 64]) for pitch in pitches
    )


def meta(kind, data, time=b"\x00"):
    return time + bytes([0xFF, kind, len(data)]) + data


CONDUCTOR = (
    meta(0x51, b"\x07\xa1\x20") + meta(0x58, b"\x04\x02\x18\x08") + meta(0x59, b"\xfe\x01") + meta(0x06, b"A_M7_E")
    + meta(0x06, b"N_N_N", b"\x83\x60") + meta(0x51, b"\x09\x27\xc0") + meta(0x58, b"\x06\x03\x18\x08", b"\x9e\x00") + END
)

MIDI = {
    "one-track": midi([CONDUCTOR[:-4] + notes(0, [60, 64, 67]) + END], kind=0),
    "tracks": midi([CONDUCTOR, b"\x00\xff\x03\x05piano\x00\xc0\x05" + notes(0, [60, 62]) + END, notes(9, [36, 42]) + END]),
    "running-status": midi([b"\x00\x90\x3c\x50\x60\x3c\x00\x00\x40\x50\x60\x40\x00" + END]),
    "pedals-bends": midi([b"\x00\xb0\x40\x7f\x00\xe0\x00\x50" + notes(0, [50, 57]) + b"\x00\xb0\x40\x00\x00\xe0\x00\x40" + END]),
    "sysex": midi([b"\x00\xf0\x03\x7e\x00\x01\x10\xf7\x02\x02\xf7" + notes(1, [70]) + b"\x00\xf8\x00\xf3\x01" + END]),
    "overlaps": midi([b"\x00\x90\x3c\x50\x10\x90\x3c\x40\x10\x80\x3c\x00\x10\x80\x3c\x00\x00\x80\x3d\x00" + END]),
    "frames": midi([notes(0, [60])], division=0xE728),
    "format-two": midi([notes(0, [60]) + END, notes(0, [61]) + END], kind=2),
    "long-time": midi([notes(0, [60], gap=b"\xff\xff\xff\x7f") + END]),
    "no-end": midi([notes(0, [60, 61])]) + b"XFIH\x00\x00\x00\x02abtrailing",
}
MIDI["riff"] = b"RIFF" + struct.pack("<I", 12 + len(MIDI["tracks"])) + b"RMIDdata" + struct.pack("<I", len(MIDI["tracks"])) + MIDI["tracks"]

CONFIG = {
    "pitch_range": [21, 109], "beat_res": {"0_4": 8, "4_12": 4}, "num_velocities": 32, "special_tokens": ["PAD", "BOS", "EOS"],
    "use_chords": False, "use_rests": True, "beat_res_rest": {"0_1": 8, "1_2": 4}, "use_tempos": True, "num_tempos": 16,
    "tempo_range": [40, 250], "log_tempos": True, "use_time_signatures": True, "time_signature_range": {"8": [3, 12, 6], "4": [4, 3]},
    "use_programs": True, "programs": [-1, 0, 5], "use_sustain_pedals": True, "use_pitch_bends": True,
    "pitch_bend_range": [-8192, 8191, 16], "additional_params": {"max_bar_embedding": None, "use_bar_end_tokens": True},
}
JSON = {
    "smallest": {"tokenization": "REMI"},
    "remi": {"config": CONFIG, "tokenization": "REMI", "miditok_version": "3.0.4"},
    "chords": {"config": {"use_chords": True, "chord_maps": {"maj": [0, 4, 7]}, "chord_tokens_with_root_note": True, "chord_unknown": [3, 6]}, "tokenization": "TSD"},
    "midilike": {"config": {"additional_params": {"max_duration": "4.0.8"}, "use_note_duration_programs": [0, 1]}, "tokenization": "MIDILike", "miditok": "3.1.0"},
    "remichord": {"config": {"use_tempos": True}, "tokenization": "REMIChord", "chords": "markers", "vocab_sha256": ""},
    "remiplan": {"config": {"use_tempos": True}, "tokenization": "REMIPlan", "chords": "auto",
                 "plan": {"density": [1, 2, 3, 4, 5, 6, 7.5], "loudness": [10, 20, 30, 40, 50, 60, 70]}, "vocab_sha256": ""},
}


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(kind, shape, begin, end):
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


SAFETENSORS = {
    "empty": safetensors({}),
    "types": safetensors(
        {
            "__metadata__": {"format": "pt", "vocab_sha256": "00"},
            "a": tensor("F32", [2, 1], 0, 8), "b": tensor("BF16", [1], 8, 10), "c": tensor("F16", [3], 10, 16),
            "d": tensor("I8", [2], 16, 18), "e": tensor("U8", [], 18, 19), "f": tensor("I32", [1], 19, 23),
            "g": tensor("I64", [1, 1, 1], 23, 31), "nothing": tensor("F32", [0, 7], 31, 31),
        },
        bytes(range(31)),
    ),
    "overlap": safetensors({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 2, 6)}, b"abcdef"),
    "hole": safetensors({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [2], 3, 5)}, b"abcde"),
    "overflow": safetensors({"a": tensor("F32", [1 << 62, 1 << 62], 0, 4)}, b"abcd"),
    "twice": safetensors(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a"),
    "deep": safetensors(b'{"a":' + b"[" * 100 + b"]" * 100 + b"}"),
    "long-header": struct.pack("<Q", 1 << 63) + b"{}",
}

MODEL_CONFIG = {
    "gpt2": {"model_type": "gpt2", "vocab_size": 5, "n_positions": 8, "n_embd": 4, "n_layer": 2, "n_head": 2,
             "n_inner": 9, "resid_pdrop": 0.1, "layer_norm_epsilon": 1e-5, "tie_word_embeddings": False},
    "llama": {"model_type": "llama", "vocab_size": 5, "max_position_embeddings": 8, "hidden_size": 8,
              "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6,
              "intermediate_size": 9, "rms_norm_eps": 1e-6, "rope_theta": 500.0, "attention_bias": True,
              "mlp_bias": True, "tie_word_embeddings": True,
              "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                               "original_max_position_embeddings": 8192}},
    "mistral": {"model_type": "mistral", "vocab_size": 5, "max_position_embeddings": 8, "hidden_size": 8,
                "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 9,
                "sliding_window": 5, "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 77.0}},
    "gpt_neox": {"model_type": "gpt_neox", "vocab_size": 5, "max_position_embeddings": 8, "hidden_size": 8,
                 "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "rotary_pct": 0.5,
                 "hidden_act": "gelu_new", "use_parallel_residual": False,
                 "rope_parameters": {"rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5}},
    "qwen2": {"model_type": "qwen2", "vocab_size": 5, "max_position_embeddings": 8, "hidden_size": 8,
              "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 8,
              "use_sliding_window": False, "layer_types": ["full_attention"]},
    "qwen3": {"model_type": "qwen3", "vocab_size": 5, "max_position_embeddings": 8, "hidden_size": 8,
              "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4,
              "intermediate_size": 9, "layer_types": ["full_attention"], "use_sliding_window": False},
}


def musicxml(*measures, part=""):
    body = "".join(f'<measure number="{number + 1}">{measure}</measure>' for number, measure in enumerate(measures))
    return (f'<?xml version="1.0"?><score-partwise version="3.1"><part-list><score-part id="P1"><part-name>Piano</part-name>{part}'
            f'</score-part></part-list><part id="P1">{body}</part></score-partwise>')


def pitch(step, octave, duration, more="", before=""):
    return (f"<note>{before}<pitch><step>{step}</step><octave>{octave}</octave></pitch><duration>{duration}</duration>{more}</note>")


FOUR = "<attributes><divisions>2</divisions><key><fifths>1</fifths></key><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
BACKWARD = '<barline location="right"><repeat direction="backward"/></barline>'
MUSICXML = {
    "voices": musicxml(FOUR + pitch("C", 5, 2) + pitch("E", 5, 2, before="<chord/>") + pitch("F", 5, 4, "<tie type='start'/>")
                       + "<backup><duration>4</duration></backup>" + pitch("A", 3, 4, "<staff>2</staff>"), pitch("F", 5, 8, "<tie type='stop'/>")),
    "repeats": musicxml(FOUR + pitch("C", 4, 8), '<barline><ending type="start" number="1, 2"/></barline>' + pitch("D", 4, 8)
                        + '<barline><ending type="stop" number="1,2"/><repeat direction="backward"/></barline>',
                        '<barline><ending type="start" number="3"/></barline>' + pitch("E", 4, 3), pitch("G", 4, 8) + BACKWARD),
    "directions": musicxml(FOUR + "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/><per-minute>90"
                           "</per-minute></metronome><dynamics><ff/></dynamics></direction-type><offset>2</offset><sound tempo='120' "
                           "dynamics='80'/></direction><harmony><root><root-step>B</root-step><root-alter>-1</root-alter></root>"
                           "<kind>dominant</kind></harmony>" + pitch("C", 4, 8)),
    "metres": musicxml("<attributes><divisions>6</divisions><time><beats>3+2</beats><beat-type>8</beat-type></time><transpose><chromatic>-2"
                       "</chromatic><octave-change>1</octave-change></transpose></attributes>" + pitch("C", 4, 2) + pitch("D", 4, 2)
                       + pitch("E", 4, 2) + pitch("F", 4, 9), '<note><rest measure="yes"/><duration>1</duration></note>'),
    "drums": musicxml(FOUR + "<note><unpitched><display-step>C</display-step><display-octave>5</display-octave></unpitched><duration>4"
                      "</duration><instrument id='I'/></note><note><grace/><unpitched/></note>",
                      part="<midi-instrument id='I'><midi-channel>10</midi-channel><midi-unpitched>39</midi-unpitched></midi-instrument>"),
    "entities": '<!DOCTYPE score-partwise [<!ENTITY a "&b;">]>' + musicxml(FOUR + pitch("C", 4, 8) + "<!-- &a; --><![CDATA[x]]>"),
}


def mxl(score):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        container = '<container><rootfiles><rootfile full-path="a.xml"/></rootfiles></container>'
        for name, text in (("META-INF/container.xml", container), ("a.xml", score)):
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
    return packed.getvalue()


def main():
    folders = "midi tokenizer_json decode round_trip safetensors musicxml compose model_config discriminator"
    for folder in folders.split():
        (FOLDER / folder).mkdir(parents=True, exist_ok=True)
    shipped = json.loads((FOLDER.parents[1] / "models" / "pop-piano" / "discriminator.json").read_text())
    digits = [i % 7 + 1 for i in range(len(shipped["features"]))]  # short: inputs have 4,096 bytes at most
    lists = {key: digits for key in ("means", "deviations", "linear", "squared")}
    shipped["regressions"] = [{"bars": 2, "intercept": 1, **lists}]
    text = json.dumps(shipped, separators=(",", ":"))
    (FOLDER / "discriminator" / "one.json").write_text(text + "\n")
    for name, data in MIDI.items():
        (FOLDER / "midi" / f"{name}.mid").write_bytes(data)
    for name, data in JSON.items():
        (FOLDER / "tokenizer_json" / f"{name}.json").write_text(json.dumps(data) + "\n")
    for name, data in SAFETENSORS.items():
        (FOLDER / "safetensors" / name).write_bytes(data)
    for name, text in MUSICXML.items():
        (FOLDER / "musicxml" / f"{name}.musicxml").write_text(text + "\n")
    (FOLDER / "musicxml" / "compressed.mxl").write_bytes(mxl(MUSICXML["voices"]))
    for name, data in MODEL_CONFIG.items():
        (FOLDER / "model_config" / f"{name}.json").write_text(json.dumps(data) + "\n")
    for number in range(29):
        # Ids in runs, as a stream of tokens has them, from all over the vocabulary.
        ids = [(4 + i * step) % 700 for step in (0, 1, 37, 101) for i in range(12)]
        (FOLDER / "decode" / f"{number:02}").write_bytes(bytes([number]) + struct.pack(f"<{len(ids)}H", *ids))
        names = sorted(MIDI)
        (FOLDER / "round_trip" / f"{number:02}").write_bytes(bytes([number]) + MIDI[names[number % len(names)]])
    cases = sorted((FOLDER.parent / "cases").glob("*.mid"))
    for number, path in enumerate(path for path in cases if path.stat().st_size < 1000):
        (FOLDER / "compose" / path.stem).write_bytes(bytes([number, 3 + number, number, 0]) + path.read_bytes())


if __name__ == "__main__":
    main()
