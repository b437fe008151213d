import assert from 'node:assert/strict';
import {test} from 'node:test';
import {midiFile, tempoMap, timeline, unpackNotes} from '../src/notes.js';

const packed = Uint8Array.from([
  96,
  128,
  3, // 96 ticks a quarter; the prompt ends at tick 384
  2,
  0,
  160,
  194,
  30,
  96,
  192,
  132,
  61, // 500,000 us at 0, 1,000,000 us at 96
  2,
  0,
  128,
  3, // bars at 0 and 384
  1,
  48,
  96, // pedal from 48 to 144
  3,
  0,
  60,
  60,
  100,
  96,
  48,
  64,
  90,
  8,
  10,
  60,
  80,
]);

test('unpackNotes reads what the program packed', () => {
  const piece = unpackNotes(packed);
  assert.equal(piece.ticksPerQuarter, 96);
  assert.equal(piece.promptEnd, 384);
  assert.deepEqual(piece.tempos, [
    {tick: 0, us: 500000},
    {tick: 96, us: 1000000},
  ]);
  assert.deepEqual(piece.bars, [0, 384]);
  assert.deepEqual(
    piece.notes.map((note) => [note.tick, note.end, note.pitch, note.velocity]),
    [
      [0, 60, 60, 100],
      [96, 144, 64, 90],
      [104, 114, 60, 80],
    ],
  );
  assert.throws(() => unpackNotes(packed.slice(0, 12)));
});

test('tempoMap goes through the tempos', () => {
  const seconds = tempoMap({ticksPerQuarter: 96, tempos: [{tick: 96, us: 1000000}]});
  assert.equal(seconds(96), 0.5);
  assert.equal(seconds(192), 1.5);
});

test('the pedal holds a note until it goes up, and the same key struck again ends it', () => {
  const {notes, promptEnd, length} = timeline(unpackNotes(packed));
  assert.equal(notes[0].off, (60 * 0.5) / 96);
  assert.equal(notes[0].stop, 0.5 + 8 / 96); // held to 144, but struck again at 104
  assert.equal(notes[1].stop, 1); // ends as the pedal goes up
  assert.equal(notes[2].stop, 1);
  assert.equal(promptEnd, 3.5);
  assert.equal(length, 1);
});

test('midiFile writes a file of the same notes', () => {
  const bytes = midiFile(unpackNotes(packed));
  assert.equal(
    Buffer.from(bytes.slice(0, 14)).toString('hex'),
    '4d546864000000060000000100' + '60',
  );
  assert.equal(new DataView(bytes.buffer).getUint32(18), bytes.length - 22);
  const text = Buffer.from(bytes).toString('hex');
  assert.match(text, /ff510307a120/); // 500,000
  assert.match(text, /903c64/);
  assert.match(text, /ff2f00$/);
});
