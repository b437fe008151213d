import assert from 'node:assert/strict';
import {test} from 'node:test';
import {claimed, difference} from '../src/claims.js';
import {Store} from '../src/store.js';
import {
  differenceHalf,
  format,
  metricName,
  metricText,
  ranked,
  readStudy,
  studentQuantile,
} from '../src/study.js';

const set = (id, kind, run, epoch, metrics, more = {}) => ({
  id,
  kind,
  run,
  epoch,
  setting: 'default',
  sampling: {},
  prompt: '',
  label: id,
  seed: 1,
  status: 'done',
  metrics,
  distances: {},
  values: {},
  pieces: [{number: 0, name: 'a'}],
  ...more,
});
const run = (model, tokenizer) => ({
  model,
  tokenizer,
  variant: '',
  settings: {},
  train: [],
  valid: [],
});
const metric = (name, better, more = {}) => ({
  name,
  title: name.replace('_', ' '),
  description: `what ${name} is`,
  digits: 3,
  better,
  usual: false,
  ranking: '',
  ...more,
});
const kMetrics = [
  metric('H4', 1, {usual: true, ranking: 'first'}),
  metric('GS', 1, {usual: true, ranking: 'second'}),
  metric('CPI', 0, {usual: true}),
  metric('overlap', 1, {ranking: 'third', digits: 1}),
  metric('notes_per_bar', 0),
];
const json = {
  meta: {spec_sha256: 'abc'},
  metrics: kMetrics,
  runs: [run('m', 't'), run('m', 'u')],
  sets: [
    set('real', 'real', null, null, {GS: [5, 0.8, 0.1, 0.7, 0.9], CPI: [5, 0.5, 0.1, 0.4, 0.6]}),
    set(
      'a',
      'grid',
      0,
      5,
      {GS: [5, 0.9, 0.1, 0.8, 1.0], CPI: [5, 0.9, 0.1, 0.8, 1]},
      {distances: {x: [0.4, 1], y: [0.6, 3]}},
    ),
    set('b', 'grid', 1, 10, {GS: [5, 0.7, 0.1, 0.6, 0.8], CPI: [5, 0.45, 0.1, 0.4, 0.5]}),
    set('c', 'grid', 1, 5, {}, {status: 'pending', pieces: []}),
    set('d', 'continuation', 0, 10, {}, {prompt: 'p'}),
    set('e', 'continuation', 1, 10, {}, {prompt: 'p'}),
  ],
  published: [
    ['m', 't', 50, 'GS', 0.77],
    ['m', 'u', 100, 'GS', 0.88],
  ],
  contrasts: [],
  findings: [],
  votes: [{winner: [4, 0], loser: [5, 0], at: '1'}],
  choices: [{prompt: 'p', piece: [4, 0], note: 'n', at: '1'}],
};

test('the best is the highest where the study says so, else the nearest to real music', () => {
  const study = readStudy(json);
  assert.deepEqual(
    ranked(study, 'GS').map(({id}) => id),
    ['a', 'b'],
  );
  assert.deepEqual(
    ranked(study, 'CPI').map(({id}) => id),
    ['b', 'a'],
  );
  assert.deepEqual(ranked(study, 'H4'), []);
  assert.equal(study.grid[0].metrics.overlap.mean, 0.5);
  assert.equal(study.grid[0].metrics.divergence.mean, 2);
});

test('metrics are listed, named and rounded as the catalogue of the program says, unknown ones last, by name', () => {
  const sets = json.sets.map((one) =>
    one.id === 'b'
      ? {
          ...one,
          metrics: {
            ...one.metrics,
            a_new_one: [1, 2, null, null, null],
            notes_per_bar: [1, 9, null, null, null],
          },
        }
      : one,
  );
  const study = readStudy({...json, sets});
  assert.deepEqual(study.metrics, [
    'GS',
    'CPI',
    'overlap',
    'notes_per_bar',
    'a_new_one',
    'divergence',
  ]);
  assert.deepEqual(study.usualMetrics, ['GS', 'CPI']);
  assert.deepEqual(study.rankedMetrics, ['GS', 'overlap']);
  assert.equal(metricName('notes_per_bar'), 'notes per_bar');
  assert.equal(metricText('GS'), 'what GS is');
  assert.equal(metricName('a_new_one'), 'a_new_one');
  assert.equal(format('overlap', 0.25), '0.3');
});

test('published values stand at the same share of the training', () => {
  const study = readStudy(json);
  assert.equal(study.publishedEpochs, 100);
  assert.equal(study.publishedOf(study.find({set: 'a', number: 0}).owner, 'GS'), 0.77);
  assert.equal(study.publishedOf(study.find({set: 'b', number: 0}).owner, 'GS'), 0.88);
});

test('what was not measured is a dash', () => {
  assert.equal(format('GS', null), '–');
  assert.equal(format('GS', NaN), '–');
  assert.equal(format('GS', 0.5), '0.500');
});

test('the interval of a difference is that of Welch', () => {
  assert.ok(Math.abs(studentQuantile(10) - 2.2281) < 1e-3);
  assert.ok(Math.abs(studentQuantile(38) - 2.0244) < 1e-4);
  const half = differenceHalf({count: 20, std: 1}, {count: 20, std: 1}); // 38 degrees of freedom
  assert.ok(Math.abs(half - 2.0244 * Math.sqrt(0.1)) < 1e-4);
  assert.ok(Number.isNaN(differenceHalf({count: 1, std: null}, {count: 20, std: 1})));
});

test('a store keeps choices and votes, and takes its own export twice without doubling it', () => {
  const kept = new Map();
  const storage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
  };
  const store = new Store(readStudy(json), storage);
  store.choose('p', {set: 'e', number: 0}, 'better');
  store.vote({set: 'e', number: 0}, {set: 'd', number: 0});
  const made = JSON.parse(JSON.stringify(store.toJson()));
  assert.deepEqual(Object.keys(made), ['choices', 'votes']);
  assert.deepEqual(
    made.choices.map(({prompt, set: id, number, note}) => ({prompt, id, number, note})),
    [{prompt: 'p', id: 'e', number: 0, note: 'better'}],
  );
  assert.equal(made.votes.length, 2);
  const again = new Store(readStudy(json), storage); // the page, opened again
  again.take(made);
  assert.deepEqual(JSON.parse(JSON.stringify(again.toJson())), made);
});

test('a store passes over what it does not know', () => {
  const store = new Store(readStudy(json), null);
  store.take({
    choices: [
      {prompt: 'p', set: 'nowhere', number: 0, at: '9'},
      {prompt: 'q', set: 'e', number: 0, at: '9'},
      null,
    ],
    votes: [{winner: {set: 'd', number: 9}, loser: {set: 'e', number: 0}}, {}, null],
  });
  assert.equal(store.votes.length, 1);
  assert.equal(store.choices.get('p').set, 'd');
  store.take('text');
  store.undoVote(); // those of the results stay
  assert.equal(store.votes.length, 1);
});

test('checkpoints are named by what they are counted in', () => {
  assert.equal(readStudy(json).grid[0].name, 'm · t · epoch\u00a05');
  const study = readStudy({...json, meta: {...json.meta, checkpoint_unit: 'percent'}});
  assert.equal(study.grid[0].name, 'm · t · 5\u00a0%');
  assert.deepEqual(study.claims, []);
});

test('differences of a claim are shares, or in the unit of the metric', () => {
  readStudy(json);
  const share = {relative: true, least: 0.14, most: 0.42};
  assert.equal(difference(share, 'GS', 0.2812), '+28.1 %');
  assert.equal(difference(share, 'GS', -0.0001), '0.0 %');
  assert.equal(difference(share, 'GS', null), '–');
  assert.equal(claimed(share, 'GS'), '+14.0 % to +42.0 %');
  const plain = {relative: false, least: 0, most: null};
  assert.equal(difference(plain, 'GS', -0.25), '−0.250');
  assert.equal(claimed(plain, 'GS'), 'above 0.000');
});
