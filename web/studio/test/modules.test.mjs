// The page's modules without a browser. esbuild turns them into JavaScript.
import assert from 'node:assert/strict';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {test} from 'node:test';
import {fileURLToPath, pathToFileURL} from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..', '..');
const shared = process.env.CONTINUO_SHARED ?? join(root, '..', 'shared');
const esbuild = await import('esbuild').catch(() => null);
if (!esbuild) {
  console.log('skipped: no npm packages (tools/bootstrap.sh --page-tests installs them)');
  process.exit(process.env.CONTINUO_REQUIRE_BROWSER ? 1 : 0);
}
const folder = mkdtempSync(join(tmpdir(), 'studio-'));
async function load(name) {
  const outfile = join(folder, `${name}.mjs`);
  await esbuild.build({
    entryPoints: [join(here, '..', 'src', `${name}.ts`)],
    bundle: true,
    format: 'esm',
    outfile,
    logLevel: 'error',
  });
  return import(pathToFileURL(outfile));
}
const {parseMidi, writeMidi} = await load('midi');
const {analyse, addNotes, changeNotes, removeNotes, emptySong} = await load('song');
const {commandOf, courseOf, quote} = await load('command');
const {faultOf, completions} = await load('chords');
const {kNoLimits, isLimited, limitOptions} = await load('limits');
process.on('exit', () => rmSync(folder, {recursive: true, force: true}));

/** A MIDI file of tracks given as lists of [delta, ...bytes]; deltas below 128. */
function file(tracks, division = 480, format = 1) {
  const u16 = (value) => [value >> 8, value & 255];
  const u32 = (value) => [0, 0, ...u16(value)];
  const chunks = tracks
    .map((events) => events.flat())
    .map((body) => [77, 84, 114, 107, ...u32(body.length), ...body]);
  return Uint8Array.from([
    77,
    84,
    104,
    100,
    0,
    0,
    0,
    6,
    0,
    format,
    ...u16(tracks.length),
    ...u16(division),
    ...chunks.flat(),
  ]);
}
const kEnd = [0, 0xff, 0x2f, 0];

/** Every event of a file with its tick, read another way than by midi.ts: by track, as text. */
function eventsOf(bytes) {
  const tracks = [];
  let at = 14;
  while (at + 8 <= bytes.length) {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at + 4);
    const end = at + 8 + length;
    const isTrack = String.fromCharCode(...bytes.subarray(at, at + 4)) === 'MTrk';
    at += 8;
    const events = [];
    let tick = 0;
    let status = 0;
    const number = () => {
      let value = 0;
      for (;;) {
        const byte = bytes[at++];
        value = value * 128 + (byte & 127);
        if (byte < 128) return value;
      }
    };
    while (isTrack && at < end) {
      tick += number();
      if (bytes[at] >= 128) status = bytes[at++];
      let size;
      if (status === 0xff) {
        const type = bytes[at++];
        size = number();
        events.push(`${tick} ff${type} ${bytes.subarray(at, at + size)}`);
      } else if (status >= 0xf0) {
        size = number();
        events.push(`${tick} ${status} ${bytes.subarray(at, at + size)}`);
      } else {
        size = status >> 4 === 12 || status >> 4 === 13 ? 1 : 2;
        events.push(`${tick} ${status} ${bytes.subarray(at, at + size)}`);
      }
      at += size;
      if (events.at(-1).includes('ff47 ')) break;
    }
    if (isTrack) tracks.push(events);
    at = end;
  }
  return tracks;
}

test('a song that was not edited has the same events at the same ticks', () => {
  const files = [join(root, 'examples', 'prompt.mid')];
  const cases = join(shared, 'cases');
  if (existsSync(cases)) {
    for (const name of readdirSync(cases))
      if (/\.(mid|kar)$/.test(name)) files.push(join(cases, name));
  }
  for (const name of files) {
    const bytes = new Uint8Array(readFileSync(name));
    const song = parseMidi(bytes);
    if (name.endsWith('ableton5.mid')) {
      // A delta time of -128.
      assert.equal(song.notes.length, 32);
      continue;
    }
    assert.deepEqual(eventsOf(writeMidi(song)), eventsOf(bytes), name);
  }
});

test('notes are edited, and everything else stays', () => {
  const bytes = file([
    [
      [0, 0xff, 3, 2, 72, 105],
      [0, 0xf0, 3, 1, 2, 0xf7],
      [10, 0x90, 60, 100],
      [20, 0xb0, 64, 127],
      [30, 0x80, 60, 10],
      [0, 0x90, 62, 90],
      [40, 62, 0],
      kEnd,
    ],
  ]);
  const song = parseMidi(bytes);
  assert.deepEqual(
    song.notes.map(({tick, end, pitch, velocity, release}) => [
      tick,
      end,
      pitch,
      velocity,
      release,
    ]),
    [
      [10, 60, 60, 100, 10],
      [60, 100, 62, 90, -1],
    ],
  );
  const [first, second] = song.notes;
  const moved = changeNotes(song, new Set([first.id]), (note) => ({
    pitch: note.pitch + 5,
    end: note.end + 7,
  }));
  assert.deepEqual(eventsOf(writeMidi(moved)), [
    [
      '0 ff3 72,105',
      '0 240 1,2,247',
      '10 144 65,100',
      '30 176 64,127',
      '60 144 62,90',
      '67 128 65,10',
      '100 144 62,0',
      '100 ff47 ',
    ],
  ]);
  const {song: added} = addNotes(removeNotes(song, new Set([second.id])), [
    {track: 0, channel: 0, pitch: 48, tick: 60, end: 70, velocity: 1},
  ]);
  assert.deepEqual(eventsOf(writeMidi(added))[0].slice(3), [
    '30 176 64,127',
    '60 128 60,10',
    '60 144 48,1',
    '70 128 48,64',
    '100 ff47 ',
  ]);
});

test('no pitch sounds twice after an edit, so that a file says what the page shows', () => {
  const note = (tick, end, pitch = 60) => ({
    track: 1,
    channel: 0,
    pitch,
    tick,
    end,
    velocity: 50 + tick / 10,
  });
  const shown = (song) => song.notes.map(({tick, end, pitch}) => [tick, end, pitch]);
  const readAgain = (song) => shown(parseMidi(writeMidi(song)));
  let {song} = addNotes(emptySong(), [note(0, 400), note(600, 700), note(100, 200, 62)]);
  // Within one, across the start of one, and from one tick as another.
  ({song} = addNotes(song, [note(100, 200), note(500, 650)]));
  assert.deepEqual(shown(song), [
    [0, 100, 60],
    [100, 200, 60],
    [100, 200, 62],
    [500, 600, 60],
    [600, 700, 60],
  ]);
  assert.deepEqual(readAgain(song), shown(song));
  const upper = song.notes.find(({pitch}) => pitch === 62);
  const moved = changeNotes(song, new Set([upper.id]), () => ({pitch: 60, tick: 50, end: 900}));
  assert.deepEqual(readAgain(moved), shown(moved));
  assert.deepEqual(shown(moved).slice(0, 3), [
    [0, 50, 60],
    [50, 100, 60],
    [100, 200, 60],
  ]);
  // What overlaps in a file stays so until it is moved.
  const overlapping = parseMidi(
    file([[[0, 0x90, 60, 1], [10, 0x90, 60, 2], [10, 0x80, 60, 0], [10, 0x80, 60, 0], kEnd]]),
  );
  const [first] = overlapping.notes;
  const louder = changeNotes(overlapping, new Set([first.id]), () => ({velocity: 9}));
  assert.deepEqual(shown(louder), [
    [0, 20, 60],
    [10, 30, 60],
  ]);
});

test('broken files are refused with the place, and never read past their end', () => {
  const good = file([[[0, 0x90, 60, 100], [60, 0x80, 60, 0], kEnd]]);
  for (let length = 0; length < good.length; ++length) {
    try {
      parseMidi(good.slice(0, length));
    } catch (error) {
      assert.equal(error.constructor.name, 'MidiError', `${length}: ${error.stack}`);
    }
  }
  assert.throws(() => parseMidi(Uint8Array.from([1, 2, 3])), /not a MIDI file/);
  assert.throws(() => parseMidi(file([[[0, 60, 100]]])), /without a status at byte/);
  assert.throws(() => parseMidi(file([[kEnd]], 0xe728)), /frames/);
  let seed = 7;
  for (let i = 0; i < 3000; ++i) {
    const bytes = good.slice();
    for (let k = 0; k < 3; ++k) {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      bytes[14 + (seed % (bytes.length - 14))] = (seed >> 8) & 255;
    }
    try {
      analyse(parseMidi(bytes));
    } catch (error) {
      assert.equal(error.constructor.name, 'MidiError', error.stack);
    }
  }
});

test('bars follow the signatures, and one within a bar cuts it short', () => {
  // 3/4 for one bar, 4/4 from tick 30 * 48 on, in the middle of its first bar 7/8.
  const bytes = file(
    [
      [
        [0, 0xff, 0x58, 4, 3, 2, 24, 8],
        [36, 0xff, 0x58, 4, 4, 2, 24, 8],
        [24, 0xff, 0x58, 4, 7, 3, 24, 8],
        [0, 0x90, 60, 100],
        [120, 0x80, 60, 0],
        kEnd,
      ],
    ],
    12,
  );
  const analysis = analyse(parseMidi(bytes));
  assert.deepEqual(
    analysis.bars
      .slice(0, 4)
      .map(({tick, end, numerator, changes}) => [tick, end, numerator, changes]),
    [
      [0, 36, 3, true],
      [36, 60, 4, true],
      [60, 102, 7, true],
      [102, 144, 7, false],
    ],
  );
  assert.equal(analysis.barCount, 5);
  assert.equal(analysis.barAt(59), 1);
  assert.equal(analysis.bar(6).tick, 60 + 4 * 42);
  assert.equal(analysis.barAt(60 + 4 * 42), 6);
});

test('time goes through the tempos, both ways', () => {
  const bytes = file(
    [
      [
        [0, 0xff, 0x51, 3, 7, 161, 32],
        [96, 0xff, 0x51, 3, 15, 66, 64],
        [0, 0x90, 60, 1],
        [96, 0x80, 60, 1],
        kEnd,
      ],
    ],
    96,
  );
  const analysis = analyse(parseMidi(bytes));
  assert.equal(analysis.secondsAt(96), 0.5);
  assert.equal(analysis.secondsAt(192), 1.5);
  assert.equal(analysis.tickAt(1.5), 192);
  assert.equal(analysis.tickAt(0.25), 48);
  assert.equal(analysis.bpmAt(100), 60);
  // The one note is at the second tempo.
  assert.equal(analysis.meanBpm, 60);
});

test('the pedal holds a note until it goes up, and the same key struck again ends it', () => {
  const bytes = file([
    [
      [0, 0x90, 60, 100],
      [10, 0xb0, 64, 127],
      [10, 0x80, 60, 0],
      [20, 0x90, 62, 100],
      [5, 0x80, 62, 0],
      [5, 0x90, 62, 100],
      [10, 0xb0, 64, 0],
      [40, 0x80, 62, 0],
      kEnd,
    ],
  ]);
  const analysis = analyse(parseMidi(bytes));
  assert.deepEqual([...analysis.stops], [60, 50, 100]);
  assert.deepEqual(analysis.pedals, [{tick: 10, end: 60}]);
});

/** A file with time signatures [tick, numerator, bits of the denominator] and a note up to `end`. */
function signatureFile(division, signatures, end) {
  const length = (ticks) => [128 | (ticks >> 14), 128 | ((ticks >> 7) & 127), ticks & 127];
  let now = 0;
  const events = signatures.map(([tick, numerator, bits]) => {
    const delta = length(tick - now);
    now = tick;
    return [...delta, 0xff, 0x58, 4, numerator, bits, 24, 8];
  });
  const note = [
    [0, 0x90, 60, 9],
    [...length(end), 0x80, 60, 9],
  ];
  return analyse(
    parseMidi(
      file(
        [
          [...events, kEnd],
          [...note, kEnd],
        ],
        division,
      ),
    ),
  );
}

test('bars are those of the engine', () => {
  const lines = (...args) => signatureFile(...args).bars.map(({tick}) => tick);
  // Lines between ticks are rounded one by one.
  assert.deepEqual(lines(1, [[0, 3, 3]], 9), [0, 2, 3, 5, 6, 8]);
  assert.deepEqual(lines(1, [[0, 5, 4]], 5), [0, 1, 3, 4]);
  assert.deepEqual(lines(2, [[0, 7, 4]], 14), [0, 4, 7, 11]);
  assert.deepEqual(lines(1, [[0, 1, 7]], 2), [0, 1]);
  // A signature at such a line is where the line is exactly.
  const changes = [
    [0, 3, 3],
    [2, 2, 3],
    [3, 3, 3],
    [4, 4, 2],
  ];
  assert.deepEqual(lines(1, changes, 12), [0, 2, 3, 4, 8]);
  // One equal to that in force changes nothing, and of several at one tick the last counts.
  const equal = [
    [0, 4, 2],
    [100, 4, 2],
    [2000, 3, 2],
    [2000, 4, 2],
  ];
  assert.deepEqual(lines(480, equal, 5760), [0, 1920, 3840]);
  assert.deepEqual(
    signatureFile(480, equal, 5760).bars.map((bar) => bar.changes),
    [true, false, false],
  );
  const cut = [
    [0, 4, 2],
    [2000, 3, 2],
  ];
  assert.deepEqual(lines(480, cut, 5000), [0, 1920, 2000, 3440, 4880]);
});

test('bars after the last go on as the engine counts them', () => {
  for (const [division, signatures, end] of [
    [1, [[0, 3, 3]], 4],
    [2, [[0, 7, 4]], 5],
    [480, [[0, 3, 2]], 1000],
    [1, [[0, 1, 7]], 3],
  ]) {
    const song = signatureFile(division, signatures, end);
    const whole = signatureFile(division, signatures, 400 * division);
    const seen = whole.bars.slice(0, -1);
    seen.forEach((bar, i) => {
      assert.deepEqual([song.bar(i).tick, song.bar(i).end], [bar.tick, bar.end]);
      assert.equal(song.barAt(bar.tick), i);
      assert.equal(song.barAt(bar.end - 1), i);
      assert.equal(song.barAt(bar.end - 0.5), i);
    });
  }
});

test('notes of a range are found, long ones too', () => {
  const notes = [{track: 1, channel: 0, pitch: 30, tick: 0, end: 100000, velocity: 9}];
  for (let i = 0; i < 2000; ++i)
    notes.push({track: 1, channel: 0, pitch: 60, tick: i * 50, end: i * 50 + 40, velocity: 9});
  const analysis = analyse(addNotes(emptySong(), notes).song);
  const found = [];
  analysis.eachNote(50000, 50100, (note) => found.push([note.pitch, note.tick]));
  assert.deepEqual(found, [
    [30, 0],
    [60, 50000],
    [60, 50050],
  ]);
});

test('a take is a command line', () => {
  const how = {
    task: 'continue',
    sourceName: "it's.mid",
    promptBars: 8,
    bars: 4,
    first: 0,
    last: 0,
    options: {seed: 3, count: 4, temperature: 1.1, tempo: 'free'},
    model: 'pop-piano',
  };
  assert.deepEqual(commandOf(how, 2, 2), {
    command:
      "continuo continue --prompt 'it'\\''s.mid' --prompt-bars 8 --bars 4 --count 4 --seed 3 --tempo free --temperature 1.1 -o out/takes",
    file: 'out/takes/piece-003.mid',
  });
  assert.deepEqual(
    commandOf(
      {...how, task: 'fill', sourceName: 'a.mid', first: 5, last: 6, options: {seed: 0, count: 2}},
      0,
      1,
    ),
    {
      command: 'continuo fill a.mid --bars 5:6 --candidates 2 --keep 2 --seed 0 -o out/takes',
      file: 'out/takes/piece-002.mid',
    },
  );
  const limited = {seed: 1, scale: 'A minor', range: 'C3:F#5', keepTop: true};
  assert.match(
    commandOf({...how, task: 'fill', first: 5, last: 6, options: limited}, 0, 0).command,
    / --scale 'A minor' --range 'C3:F#5' --keep-top -o /,
  );
  const lists = {...limited, keepTop: false, scale: ['C major@1-2', 'A minor@3-']};
  assert.match(
    commandOf({...how, options: lists}, 0, 0).command,
    / --scale 'C major@1-2' --scale 'A minor@3-' --range 'C3:F#5' -o /,
  );
  const counted = {
    seed: 1,
    grid: ['8', '16@3-4'],
    maxNotes: 6,
    maxPolyphony: 2,
    recall: 0,
    chordRecall: 0.5,
    drafts: 3,
  };
  assert.match(
    commandOf({...how, options: counted, model: 'my model', engine: 'wasm'}, 0, 0).command,
    / --recall 0 --chord-recall 0.5 --drafts 3 --grid 8 --grid 16@3-4 --max-notes 6 --max-polyphony 2 --model 'my model' --lanes 4 -o /,
  );
  assert.equal(quote('$(rm)'), "'$(rm)'");
});

test('limits are for all bars, and others for those that are written', () => {
  const all = {...kNoLimits, scale: 'C major', lowest: 48, maxNotes: 8};
  const some = [
    {...kNoLimits, first: 3, last: 6, scale: 'A minor', grid: 8},
    {...kNoLimits, first: 5, last: 9, highest: 72},
    {...kNoLimits, first: 20, last: 30, maxNotes: 1},
    {...kNoLimits, first: 1, last: 9},
  ];
  assert.deepEqual(limitOptions(all, [], {first: 1, last: 8}), {
    scale: 'C major',
    range: 'C3:G9',
    maxNotes: 8,
  });
  assert.deepEqual(limitOptions(all, some, {first: 4, last: 8}), {
    scale: ['C major', 'A minor@4-6'],
    range: ['C3:G9', 'C-1:C5@5-8'],
    grid: '8@4-6',
    maxNotes: 8,
  });
  assert.deepEqual(limitOptions(kNoLimits, some, {first: 10, last: 19}), {});
  assert.deepEqual([isLimited(all), isLimited(kNoLimits)], [true, false]);
});

test('a curve is points of levels at rising bars', () => {
  assert.equal(courseOf([0, 0.5, 1], 9), '0:1 3.5:5 7:9');
  assert.equal(courseOf([0.2, 0.5, 1], 1), '1.4:1');
  assert.equal(courseOf([0, 0.5, 1], 2), '0:1 3.5:2');
});

test('chords are checked and completed', () => {
  assert.equal(faultOf('C | Am | F G7 | Bbmaj7'), null);
  assert.equal(faultOf('C | H'), 'H');
  assert.deepEqual(completions('C | ', 'A minor').slice(0, 3), ['Am', 'C', 'Dm']);
  assert.ok(completions('C | Am', '').includes('Am7'));
});
