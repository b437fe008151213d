"""Prints the notes of a MusicXML file as JSON, [[onset in quarter notes, MIDI key]], sorted, each
once; a tied note at its first onset. Read by music21 where this Python has it, and else from the
XML. The last word says which: {"reader": ..., "notes": ...}.
"""
import json
import sys
import xml.etree.ElementTree as ElementTree

KEYS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def by_music21(path):
    from music21 import converter
    notes = []
    for element in converter.parse(path).flatten().notes:
        for note in getattr(element, "notes", [element]):
            if hasattr(note, "pitch") and not (note.tie and note.tie.type in ("stop", "continue")):
                notes.append([float(element.offset), note.pitch.midi])
    return notes


def by_hand(path):
    notes = []
    for part in ElementTree.parse(path).getroot().iter("part"):
        now, divisions = 0.0, 1
        for measure in part.iter("measure"):
            begin, furthest, onset = now, now, now
            for element in measure:
                divisions = int(element.findtext("divisions", divisions))
                length = float(element.findtext("duration", "0")) / divisions
                if element.tag == "backup":
                    now -= length
                elif element.tag == "forward":
                    now += length
                elif element.tag == "note":
                    if element.find("chord") is None:
                        onset = now
                        now += length
                    tied = [tie.get("type") for tie in element.iter("tie")]
                    pitch = element.find("pitch")
                    if pitch is not None and "stop" not in tied:
                        key = KEYS[pitch.findtext("step")] + int(pitch.findtext("alter", "0"))
                        notes.append([onset, key + 12 * (int(pitch.findtext("octave")) + 1)])
                furthest = max(furthest, now)
            now = max(furthest, begin)
    return notes


def main():
    try:
        reader, notes = "music21", by_music21(sys.argv[1])
    except ImportError:
        reader, notes = "hand", by_hand(sys.argv[1])
    notes = sorted({(round(onset, 6), key) for onset, key in notes})
    print(json.dumps({"reader": reader, "notes": notes}))


main()
