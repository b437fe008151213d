"""Prints the notes that music21 reads in a MusicXML file as JSON, [[onset in quarter notes, MIDI
key]], sorted, each once; a tied note at its first onset.
"""
import json
import sys

from music21 import converter, harmony

notes = set()
for element in converter.parse(sys.argv[1]).flatten().notes:
    if isinstance(element, harmony.Harmony):  # a chord's name, which music21 gives notes
        continue
    for note in getattr(element, "notes", [element]):
        if not (note.tie and note.tie.type in ("stop", "continue")):
            notes.add((round(float(element.offset), 6), note.pitch.midi))
print(json.dumps(sorted(notes)))
