import assert from 'node:assert/strict';
import {test} from 'node:test';
import {chance, rank} from '../src/bradley_terry.js';

const votes = (winner, loser, count) => new Array(count).fill({winner, loser});

test('two items without a prior have the log of their odds between them', () => {
  const {ranking} = rank([...votes('a', 'b', 30), ...votes('b', 'a', 10)], [], 1e6);
  assert.equal(ranking[0].name, 'a');
  assert.ok(Math.abs(ranking[0].strength - ranking[1].strength - Math.log(3)) < 1e-6);
  // The variance of a log of odds is 1/30 + 1/10; of one strength from their mean a quarter of it.
  const half = 1.959964 * Math.sqrt((1 / 30 + 1 / 10) / 4);
  assert.ok(Math.abs((ranking[0].high - ranking[0].low) / 2 - half) < 1e-4);
  assert.deepEqual([ranking[0].wins, ranking[0].losses], [30, 10]);
});

test('strengths that made the votes are found again', () => {
  const truth = {a: 1.2, b: 0.2, c: -0.4, d: -1.0};
  const made = [];
  for (const i of Object.keys(truth)) {
    for (const j of Object.keys(truth)) {
      if (i < j) {
        const wins = Math.round(1000 * chance(truth[i] - truth[j]));
        made.push(...votes(i, j, wins), ...votes(j, i, 1000 - wins));
      }
    }
  }
  for (const {name, strength, low, high} of rank(made).ranking) {
    assert.ok(Math.abs(strength - truth[name]) < 0.03, `${name}: ${strength}`);
    assert.ok(low < truth[name] && truth[name] < high);
  }
});

test('one that always wins stays finite, and few votes say so', () => {
  const {ranking, missing} = rank(votes('a', 'b', 4), ['a', 'b', 'c']);
  assert.ok(Number.isFinite(ranking[0].strength) && ranking[0].name === 'a');
  assert.equal(missing, 6);
  assert.equal(ranking.find((item) => item.name === 'c').wins, 0);
});

test('votes of an item against itself count for nothing', () => {
  assert.equal(rank([{winner: 'a', loser: 'a'}]).votes, 0);
  assert.deepEqual(rank([]).ranking, []);
});
