// Tests of the npm package: CONTINUO_PACKAGE is its folder, CONTINUO_FOUR_LANES that of pieces which
// `continuo generate --lanes 4` wrote, SEED/piece-001.mid.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  mkdirSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {before, test} from 'node:test';
import {fileURLToPath, pathToFileURL} from 'node:url';

const packageFolder = process.env.CONTINUO_PACKAGE;
const fourLanes = process.env.CONTINUO_FOUR_LANES;
const source = join(dirname(fileURLToPath(import.meta.url)), '../../../..');
const prompt = new Uint8Array(readFileSync(join(source, 'examples/prompt.mid')));
const {load, ContinuoError} = await import(pathToFileURL(join(packageFolder, 'index.js')));
let continuo;

before(async () => {
  continuo = await load();
});

test('the example of the README runs', () => {
  const readme = readFileSync(join(packageFolder, 'README.md'), 'utf8');
  const example = /```js\n([\s\S]*?)```/.exec(readme)[1];
  assert.ok(example.split('\n').length <= 12, 'ten lines');
  const folder = mkdtempSync(join(tmpdir(), 'continuo-npm-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(packageFolder, join(folder, 'node_modules/continuo'));
  writeFileSync(join(folder, 'example.mjs'), example);
  const output = execFileSync(process.execPath, ['example.mjs'], {cwd: folder, encoding: 'utf8'});
  assert.match(
    output,
    /^bar 1: \d+ notes\nbar 2: [\s\S]*bar 8: \d+ notes\n[A-G].* (major|minor)\n$/,
  );
  assert.equal(readFileSync(join(folder, 'piece.mid')).subarray(0, 4).toString(), 'MThd');
});

test('a seed gives the bytes of the native library with four lanes', () => {
  const seeds = readdirSync(fourLanes);
  assert.ok(seeds.length >= 3);
  const different = seeds.filter((seed) => {
    const {pieces} = continuo.generate({bars: 8, seed: Number(seed)});
    const file = join(fourLanes, seed, 'piece-001.mid');
    return Buffer.compare(readFileSync(file), pieces[0].midi) !== 0;
  });
  assert.deepEqual(different, []);
});

test('bars come one by one, with the notes of the piece', () => {
  const bars = [];
  const notes = [];
  const {pieces, stopped} = continuo.generate(
    {bars: 6, seed: 3},
    {
      onBar: (update) => {
        bars.push(update.bars);
        notes.push(...update.notes);
      },
    },
  );
  assert.equal(stopped, false);
  assert.deepEqual(bars, [1, 2, 3, 4, 5, 6]);
  assert.ok(notes.length > 10);
  for (const note of notes) {
    assert.ok(note.seconds >= 0 && note.durationSeconds > 0, JSON.stringify(note));
  }
  assert.ok(Number.isFinite(pieces[0].nllPerToken));
});

test('a callback stops the work; the engine serves on', () => {
  let bars = 0;
  const first = continuo.generate({bars: 32, seed: 1}, {onBar: () => ++bars < 2});
  assert.equal(first.stopped, true);
  assert.equal(bars, 2);
  assert.deepEqual(first.pieces, []);
  let asked = 0;
  const second = continuo.generate({bars: 32, seed: 1}, {shouldStop: () => ++asked > 20});
  assert.equal(second.stopped, true);
  assert.ok(asked < 100);
  const failing = () =>
    continuo.generate(
      {bars: 4},
      {
        onBar: () => {
          throw new RangeError('mine');
        },
      },
    );
  assert.throws(failing, RangeError);
  assert.equal(continuo.generate({bars: 2, seed: 1}).pieces.length, 1);
});

test('continues and rewrites a piece, and keeps the rest', () => {
  const {pieces} = continuo.continueFrom(prompt, {promptBars: 4, bars: 4, seed: 5, count: 2});
  assert.deepEqual(pieces.map(({index}) => index).sort(), [0, 1]);
  assert.ok(pieces[0].newBars.length > 20);
  const {pieces: filled} = continuo.fill(prompt, {first: 3, last: 3, count: 3, keep: 2, seed: 2});
  assert.equal(filled.length, 2);
  assert.ok(filled[0].followingNll <= filled[1].followingNll);
  assert.notDeepEqual(filled[0].midi, filled[1].midi);
});

test('measures and exports', () => {
  const likelihood = continuo.likelihood(prompt);
  assert.ok(likelihood.nllOfBars.length >= 8);
  assert.ok(likelihood.notes > 0 && likelihood.nll > 0);
  const {metrics, key} = continuo.evaluate(prompt);
  assert.match(key, /major|minor/);
  assert.ok(metrics.H1 > 0 && metrics.H1 < 3.6, JSON.stringify(metrics));
  assert.match(
    continuo.exportMusicXml(prompt, {title: 'A & B'}),
    /<score-partwise[\s\S]*A &amp; B/,
  );
  assert.equal(continuo.info().models[0].name, 'pop-piano');
});

test('reads MusicXML, plain and compressed, and refuses what is damaged', () => {
  const xmlText = continuo.exportMusicXml(prompt);
  const xml = new TextEncoder().encode(xmlText);
  const {midi, warnings} = continuo.importMusicXml(xml);
  assert.deepEqual(warnings, []);
  const struck = xmlText
    .split('<note')
    .filter((note) => note.includes('<pitch>') && !note.includes('<tie type="stop"'));
  assert.equal(continuo.likelihood(midi).notes, struck.length);
  const packed = readFileSync(join(source, 'testdata/fuzz/musicxml/compressed.mxl'));
  assert.ok(continuo.likelihood(continuo.importMusicXml(packed).midi).notes > 0);
  const damaged = Uint8Array.from(packed);
  damaged.fill(255, 100, 140);
  for (const file of [xml.subarray(0, 400), damaged, new Uint8Array(10)]) {
    assert.throws(() => continuo.importMusicXml(file), ContinuoError);
  }
});

test('new notes keep to a scale and a range', () => {
  const pitches = [];
  continuo.generate(
    {bars: 4, seed: 2, scale: 'C major', range: ['C4:C6', 'C3:C5@3-']},
    {
      onBar: ({bars, notes}) =>
        void pitches.push(...notes.map(({pitch}) => [pitch, bars < 3 ? 60 : 48])),
    },
  );
  assert.ok(pitches.length > 4);
  for (const [pitch, lowest] of pitches) {
    assert.ok([0, 2, 4, 5, 7, 9, 11].includes(pitch % 12), `key ${pitch}`);
    assert.ok(pitch >= lowest && pitch <= lowest + 24, `key ${pitch}`);
  }
});

test('new notes keep to a grid and a number of notes, in all bars or some', () => {
  const bars = [];
  continuo.generate(
    {bars: 4, seed: 4, grid: [8, '16@3-4'], maxNotes: '3@2-', maxPolyphony: 2},
    {onBar: ({bars: count, notes}) => void bars.push([count, notes])},
  );
  assert.equal(bars.length, 4);
  for (const [bar, notes] of bars) {
    for (const {time} of notes) assert.equal(time % (bar < 3 ? 240 : 120), 0, `bar ${bar}: ${time}`);
    assert.ok(bar < 2 || notes.length <= 3, `bar ${bar}: ${notes.length} notes`);
  }
});

test('what is wrong is an error with words, and the engine serves on', () => {
  const failure = (work) => {
    try {
      work();
    } catch (error) {
      assert.ok(error instanceof ContinuoError, String(error));
      return error;
    }
    return assert.fail('no error');
  };
  assert.match(failure(() => continuo.generate({bars: 0})).message, /bars is 0, expected/);
  assert.match(failure(() => continuo.likelihood(new Uint8Array(10))).message, /midi/);
  assert.match(failure(() => continuo.continueFrom(prompt, {promptBars: 900})).message, /bars/);
  assert.equal(failure(() => continuo.fill(prompt, {first: 1, last: 9999})).code, 'invalid');
  assert.match(failure(() => continuo.generate({bars: 1, recall: 1.5})).message, /recall is 1.5/);
  assert.ok(continuo.evaluate(prompt).key);
});

test('a damaged model is refused', async () => {
  const model = {'config.json': new TextEncoder().encode('{}')};
  await assert.rejects(load({model, name: 'mine'}), /mine\/config\.json/);
});
