// The data of the page and what is derived from it.
import {bytesOf, timeline, unpackNotes} from './notes.js';

/** The program's catalogue of metrics by name, in the order in which the page lists them. readStudy fills it. */
const catalogue = new Map();

export const metricName = (metric) => catalogue.get(metric)?.title ?? metric;
export const metricText = (metric) => catalogue.get(metric)?.description ?? '';
export const metricDigits = (metric) => catalogue.get(metric)?.digits ?? 3;
/** 1: the highest counts as best; -1: the lowest; 0: what is nearest to real music. */
export const metricBest = (metric) => catalogue.get(metric)?.better ?? 0;
/** Why cells are ranked by it. */
export const metricRanking = (metric) => catalogue.get(metric)?.ranking ?? '';

export function format(metric, value) {
  return value === null || value === undefined || !Number.isFinite(value)
    ? '–'
    : value.toFixed(metricDigits(metric));
}

const kMostSeries = 18;

/** A metric of several sets as one: the mean of their means and the interval of that; undefined for no sets. */
function together(metrics) {
  const known = metrics.filter((metric) => Number.isFinite(metric?.mean));
  if (known.length < 2) return known[0];
  const middle = mean(known.map((metric) => metric.mean));
  const std = Math.sqrt(
    known.reduce((sum, metric) => sum + (metric.mean - middle) ** 2, 0) / (known.length - 1),
  );
  const half = (studentQuantile(known.length - 1) * std) / Math.sqrt(known.length);
  return {count: known.length, mean: middle, std, low: middle - half, high: middle + half};
}

class Piece {
  constructor(set, place, {data, ...json}) {
    Object.assign(this, json);
    this.owner = set;
    this.place = place;
    this.playable = typeof data === 'string';
    this.packed = data;
  }
  get set() {
    return this.owner.id;
  }
  data() {
    return unpackNotes(bytesOf(this.packed));
  }
  line() {
    return (this.timed ??= timeline(this.data()));
  }
  value(metric) {
    return this.owner.values[metric]?.[this.place] ?? null;
  }
}

export function readStudy(json) {
  catalogue.clear();
  for (const metric of json.metrics) catalogue.set(metric.name, metric);
  const study = {...json};
  study.runs = json.runs.map((run) => ({
    ...run,
    label: [run.model, run.tokenizer, run.variant].filter(Boolean).join(' · '),
  }));
  study.sets = json.sets.map((set) => {
    const made = {...set, run: set.run === null ? null : study.runs[set.run], metrics: {}};
    for (const [name, [count, mean, std, low, high]] of Object.entries(set.metrics)) {
      made.metrics[name] = {count, mean, std, low, high};
    }
    for (const [i, name] of ['overlap', 'divergence'].entries()) {
      const values = Object.values(set.distances)
        .map((pair) => pair[i])
        .filter(Number.isFinite);
      if (values.length) {
        made.metrics[name] = {
          count: values.length,
          mean: values.reduce((a, b) => a + b, 0) / values.length,
          std: null,
          low: null,
          high: null,
        };
      }
    }
    made.pieces = set.pieces.map((piece, i) => new Piece(made, i, piece));
    return made;
  });
  study.real = study.sets.find((set) => set.kind === 'real') ?? null;
  study.grid = study.sets.filter((set) => set.kind === 'grid' && set.run);
  study.continuations = study.sets.filter((set) => set.kind === 'continuation' && set.run);
  study.models = [...new Set(study.grid.map((set) => set.run.model))];
  study.tokenizers = [...new Set(study.grid.map((set) => set.run.tokenizer))];
  study.epochs = [...new Set(study.grid.map((set) => set.epoch))].sort((a, b) => a - b);
  // What the checkpoints are counted in.
  study.isByPercent = json.meta.checkpoint_unit === 'percent';
  study.checkpointName = (epoch) => (study.isByPercent ? `${epoch}\u00a0%` : `epoch\u00a0${epoch}`);
  study.checkpointTitle = study.isByPercent ? 'percent of the training' : 'epoch';
  study.claims = json.claims ?? [];
  study.firstEpoch = study.epochs[0];
  study.lastEpoch = study.epochs[study.epochs.length - 1];
  study.done = study.grid.filter((set) => set.status === 'done');
  study.tokenizerColor = (tokenizer) =>
    `var(--t${Math.max(0, study.tokenizers.indexOf(tokenizer)) % 6})`;
  study.modelColor = (model) => `var(--m${Math.max(0, study.models.indexOf(model)) % 4})`;
  study.prompts = [...new Set(study.continuations.map((set) => set.prompt))];

  // Sets of one run and epoch differ in how their pieces were sampled.
  const ways = new Map([
    ['setting', (set) => set.setting],
    ['window', (set) => set.sampling.window ?? ''],
    ['seed', (set) => set.seed],
  ]);
  const varying = [...ways].filter(([, get]) => new Set(study.grid.map(get)).size > 1);
  for (const set of study.grid) {
    set.way = varying
      .map(([name, get]) => (name === 'setting' ? get(set) : `${name} ${get(set)}`))
      .join(' · ');
    set.series = [set.run.label, set.way].filter(Boolean).join(' · ');
    set.name = `${set.series} · ${study.checkpointName(set.epoch)}`;
  }
  for (const set of study.continuations) {
    set.checkpoint = `${set.run.label} · ${study.checkpointName(set.epoch)}`;
    set.name = `${set.prompt} · ${set.checkpoint} · ${set.setting}`;
  }
  study.checkpoints = [...new Set(study.continuations.map((set) => set.checkpoint))];
  study.settings = [...new Set(study.continuations.map((set) => set.setting))];
  if (study.real) study.real.name = study.real.series = 'real music';
  study.series = [...new Set(study.grid.map((set) => set.series))];
  /** A series' sets, by epoch. */
  study.setsOf = (series) =>
    study.grid.filter((set) => set.series === series).sort((a, b) => a.epoch - b.epoch);

  // What charts draw: the series, or if there are too many to distinguish, each model with each tokenizer.
  const drawn =
    study.series.length <= kMostSeries
      ? study.series.map((series) => [series, study.setsOf(series)])
      : study.models.flatMap((model) =>
          study.tokenizers.map((tokenizer) => [
            `${model} · ${tokenizer}`,
            study.grid.filter((set) => set.run.model === model && set.run.tokenizer === tokenizer),
          ]),
        );
  study.groups = drawn
    .filter(([, sets]) => sets.length > 0)
    .map(([name, sets]) => {
      const [{run, way}] = sets;
      return {
        name,
        sets,
        model: run.model,
        tokenizer: run.tokenizer,
        short:
          study.series.length <= kMostSeries
            ? [run.tokenizer, run.variant, way].filter(Boolean).join(' ')
            : run.tokenizer,
        at: (epoch, metric) =>
          together(
            sets
              .filter((set) => set.epoch === epoch && set.status === 'done')
              .map((set) => set.metrics[metric]),
          ),
      };
    });
  study.isGrouped = study.series.length > kMostSeries;

  // What the grid has: metrics that the program does not know come last.
  const metrics = new Set(study.grid.flatMap((set) => Object.keys(set.metrics)));
  const known = [...catalogue.values()].filter(({name}) => metrics.has(name));
  study.metrics = [
    ...known.map(({name}) => name),
    ...[...metrics].filter((name) => !catalogue.has(name)).sort(),
  ];
  study.usualMetrics = known.filter(({usual}) => usual).map(({name}) => name);
  study.rankedMetrics = known.filter(({ranking}) => ranking).map(({name}) => name);
  /** The two metrics that sections always show, and what may stand beside them at first. */
  study.mainMetrics = study.rankedMetrics.slice(0, 2);
  study.thirdMetric = study.rankedMetrics[2] ?? study.metrics[0];

  const published = new Map(
    json.published.map(([model, tokenizer, epoch, metric, value]) => [
      JSON.stringify([model, tokenizer, epoch, metric]),
      value,
    ]),
  );
  // A study of other epochs is compared with the published one at the same share of the training.
  const lastPublished = Math.max(0, ...json.published.map(([, , epoch]) => epoch));
  const stretch =
    study.epochs.some((epoch) => json.published.some((value) => value[2] === epoch)) &&
    study.lastEpoch === lastPublished
      ? 1
      : lastPublished / (study.lastEpoch || 1);
  study.publishedOf = (set, metric) =>
    set.run
      ? published.get(
          JSON.stringify([
            set.run.model,
            set.run.tokenizer,
            Math.round(set.epoch * stretch),
            metric,
          ]),
        )
      : undefined;
  study.hasPublished = study.grid.some((set) =>
    study.metrics.some((metric) => study.publishedOf(set, metric) !== undefined),
  );
  study.publishedEpochs = stretch === 1 ? null : lastPublished;

  const byId = new Map(study.sets.map((set) => [set.id, set]));
  study.find = (piece) => byId.get(piece?.set)?.pieces.find((one) => one.number === piece.number);
  const named = ([set, piece]) => ({
    set: study.sets[set].id,
    number: study.sets[set].pieces[piece].number,
  });
  study.votes = json.votes.map(({winner, loser, at}) => ({
    winner: named(winner),
    loser: named(loser),
    at,
  }));
  study.choices = json.choices.map(({prompt, piece, note, at}) => ({
    prompt,
    ...named(piece),
    note,
    at,
  }));
  return study;
}

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The means of a metric, of the sets that have it. */
export const valuesOf = (sets, metric) =>
  sets.map((set) => set.metrics[metric]?.mean).filter(Number.isFinite);

/** The sets, best first: the highest or lowest, or the nearest to real music if neither end is better. */
export function ranked(study, metric, sets = study.done) {
  const known = sets.filter((set) => Number.isFinite(set.metrics[metric]?.mean));
  const better = metricBest(metric),
    real = study.real?.metrics[metric]?.mean;
  if (better === 0 && !Number.isFinite(real)) return [];
  const cost = (set) =>
    better === 0 ? Math.abs(set.metrics[metric].mean - real) : -better * set.metrics[metric].mean;
  return known.sort((a, b) => cost(a) - cost(b));
}

/** Half the width of Welch's 95 % interval of the difference of two means; NaN if a side has fewer than two values. */
export function differenceHalf(a, b) {
  const parts = [a, b].map(({count, std}) =>
    count > 1 && Number.isFinite(std) ? (std * std) / count : NaN,
  );
  const variance = parts[0] + parts[1];
  if (!(variance > 0)) return variance === 0 ? 0 : NaN;
  const freedom = variance ** 2 / (parts[0] ** 2 / (a.count - 1) + parts[1] ** 2 / (b.count - 1));
  return studentQuantile(freedom) * Math.sqrt(variance);
}

/** The t with P(|T| > t) = 0.05: the expansion in 1 / freedom of Fisher and Cornish, exact to 0.1 % from 4 on. */
export function studentQuantile(freedom) {
  const z = 1.959964,
    v = Math.max(1, freedom);
  return (
    z +
    (z ** 3 + z) / (4 * v) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * v ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * v ** 3)
  );
}
