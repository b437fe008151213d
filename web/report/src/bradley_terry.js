// Who wins how often: the model of Bradley and Terry (Biometrika 39, 1952), in which item i is preferred to item j with the chance
// 1 / (1 + exp(s_j - s_i)).

/** Strengths are drawn towards 0 as if from a normal distribution of this deviation: keeps them finite where one always wins. */
const kPriorDeviation = 2;
/** Fewer votes than this, or than two for each item, rank nothing. */
const kLeastVotes = 10;

function invert(matrix) {
  const n = matrix.length;
  const rows = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let column = 0; column < n; ++column) {
    let pivot = column;
    for (let row = column + 1; row < n; ++row) {
      if (Math.abs(rows[row][column]) > Math.abs(rows[pivot][column])) pivot = row;
    }
    [rows[column], rows[pivot]] = [rows[pivot], rows[column]];
    const scale = rows[column][column];
    rows[column] = rows[column].map((value) => value / scale);
    for (let row = 0; row < n; ++row) {
      const factor = rows[row][column];
      if (row !== column && factor !== 0)
        rows[row] = rows[row].map((value, j) => value - factor * rows[column][j]);
    }
  }
  return rows.map((row) => row.slice(n));
}

/**
 * Ranks items by votes [{winner, loser}], names of items. Gives [{name, wins, losses, strength, low, high}], best first, strengths
 * relative to their mean with the 95 % interval of the Laplace approximation, and `missing`, how many votes are still needed
 * before it means anything. Votes of an item against itself don't count.
 */
export function rank(votes, names = [], priorDeviation = kPriorDeviation) {
  const counted = votes.filter(({winner, loser}) => winner !== loser);
  const items = [...new Set([...names, ...counted.flatMap(({winner, loser}) => [winner, loser])])];
  const n = items.length;
  const place = new Map(items.map((name, i) => [name, i]));
  const wins = items.map(() => new Array(n).fill(0));
  for (const {winner, loser} of counted) wins[place.get(winner)][place.get(loser)] += 1;

  const strength = new Array(n).fill(0);
  const prior = 1 / priorDeviation ** 2;
  let covariance = [];
  // Newton's method on a concave function; it converges from 0.
  for (let step = 0; step < 100 && n > 0; ++step) {
    const gradient = strength.map((value) => -prior * value);
    const information = items.map((_, i) => items.map((__, j) => (i === j ? prior : 0)));
    for (let i = 0; i < n; ++i) {
      for (let j = 0; j < n; ++j) {
        const count = wins[i][j];
        if (count === 0) continue;
        const chance = 1 / (1 + Math.exp(strength[j] - strength[i]));
        gradient[i] += count * (1 - chance);
        gradient[j] -= count * (1 - chance);
        const weight = count * chance * (1 - chance);
        information[i][i] += weight;
        information[j][j] += weight;
        information[i][j] -= weight;
        information[j][i] -= weight;
      }
    }
    covariance = invert(information);
    const move = covariance.map((row) =>
      row.reduce((sum, value, j) => sum + value * gradient[j], 0),
    );
    const largest = Math.max(...move.map(Math.abs));
    move.forEach((value, i) => {
      strength[i] += value * Math.min(1, 2 / largest);
    });
    if (largest < 1e-10) break;
  }
  const mean = strength.reduce((sum, value) => sum + value, 0) / Math.max(1, n);
  const ranking = items.map((name, i) => {
    // The variance of s_i less the mean of all.
    let variance = 0;
    for (let j = 0; j < n; ++j) {
      for (let k = 0; k < n; ++k) {
        variance += ((i === j) - 1 / n) * ((i === k) - 1 / n) * covariance[j][k];
      }
    }
    const half = 1.959964 * Math.sqrt(Math.max(0, variance));
    const value = strength[i] - mean;
    return {
      name,
      wins: wins[i].reduce((a, b) => a + b, 0),
      losses: wins.reduce((sum, row) => sum + row[i], 0),
      strength: value,
      low: value - half,
      high: value + half,
    };
  });
  ranking.sort((a, b) => b.strength - a.strength || (a.name < b.name ? -1 : 1));
  return {
    ranking,
    votes: counted.length,
    missing: Math.max(0, Math.max(kLeastVotes, 2 * n) - counted.length),
  };
}

/** The chance of winning against one of average strength. */
export const chance = (strength) => 1 / (1 + Math.exp(-strength));
