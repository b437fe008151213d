"""What schemathesis needs besides openapi.json (tools/check_api.py): files of the formats that it names, and requests that do
not take hours."""
import base64
import struct

import schemathesis
from hypothesis import strategies


def midi_file(bars, notes):
    """Bars of 4/4 at 480 ticks a quarter note, with notes (beat, pitch, velocity, duration in beats)."""
    events = []
    for beat, pitch, velocity, duration in notes:
        begin = beat % (4 * bars) * 480
        events += [(begin, 1, bytes([0x90, pitch, velocity])), (begin + duration * 480, 0, bytes([0x80, pitch, 0]))]
    end = max([bars * 1920] + [time for time, _, _ in events])
    events = sorted(events) + [(end, 2, b"\xff\x2f\x00")]
    track, now = b"", 0
    for time, _, data in events:
        delta = time - now
        now = time
        track += (bytes([0x80 | delta >> 7]) if delta > 127 else b"") if delta < 16384 else bytes([0x80 | delta >> 14, 0x80 | delta >> 7 & 127])
        track += bytes([delta & 127]) + data
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(track)) + track


def musicxml_file(pitches):
    notes = "".join(f"<note><pitch><step>{step}</step><octave>{octave}</octave></pitch><duration>1</duration><type>quarter</type></note>"
                    for step, octave in pitches)
    return ('<?xml version="1.0"?><score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Piano</part-name>'
            '</score-part></part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions>'
            f'<time><beats>4</beats><beat-type>4</beat-type></time></attributes>{notes}</measure></part></score-partwise>').encode()


def in_base64(files):
    return files.map(lambda data: base64.b64encode(data).decode())


NOTES = strategies.lists(strategies.tuples(strategies.integers(0, 31), strategies.integers(21, 108), strategies.integers(1, 127),
                                           strategies.integers(1, 4)), min_size=1, max_size=12)
PITCHES = strategies.lists(strategies.tuples(strategies.sampled_from("ABCDEFG"), strategies.integers(2, 6)), min_size=4, max_size=4)
schemathesis.openapi.format("midi-file", in_base64(strategies.builds(midi_file, strategies.integers(8, 12), NOTES)))
schemathesis.openapi.format("musicxml-file", in_base64(strategies.builds(musicxml_file, PITCHES)))


@schemathesis.hook
def before_call(context, case, kwargs):
    """A valid request for 1,024 bars or 64 pieces is right, but takes too long for a test."""
    if isinstance(case.body, dict):
        for name, most in (("bars", 4), ("prompt_bars", 4), ("count", 2), ("keep", 1), ("retries", 2)):
            value = case.body.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and most < value <= 1024:
                case.body[name] = most
