// The data of the page, with what follows from it.
import {bytesOf, timeline, unpackNotes} from './notes.js';

/** What is known of metrics: a name, what it is, digits worth showing, and which end is better where one is. */
const kMetrics = {
  H1: ['H1', 'entropy of pitch classes within a bar, in bits', 3, 1],
  H4: ['H4', 'entropy of pitch classes within four bars, in bits', 3, 1],
  GS: ['GS', 'grooving similarity of all pairs of bars, 0 to 1', 3, 1],
  CPI: ['CPI', 'chord progression irregularity, 0 to 1', 3, 0],
  SI_short: ['SI short', 'repetition over 3 to 8 seconds', 3, 0],
  SI_mid: ['SI mid', 'repetition over 8 to 15 seconds', 3, 0],
  SI_long: ['SI long', 'repetition over more than 15 seconds', 3, 0],
  overlap: ['Overlap', 'how much the set is like real music, in the mean over features, 0 to 1', 3, 1],
  valid_nll_bar: ['NLL a bar', 'negative log-likelihood of validation songs, in nats a bar', 2, -1],
  valid_nll_note: ['NLL a note', 'negative log-likelihood of validation songs, in nats a note', 3, -1],
  valid_nll_token: ['NLL a token', 'negative log-likelihood of validation songs, in nats a token; comparable within a tokenizer only', 3, -1],
  nll_token: ['Own NLL', 'negative log-likelihood of its own pieces, in nats a token', 3, 0],
  copied_notes: ['Copied', 'longest run of notes shared with a training song', 1, 0],
  distinct_runs: ['Distinct', 'share of runs of eight notes that occur once in the set', 3, 0],
  bars: ['Bars', 'bars a piece', 1, 0],
  notes: ['Notes', 'notes a piece', 0, 0],
  notes_per_bar: ['Notes a bar', 'notes that begin in a bar', 1, 0],
  polyphony: ['Polyphony', 'notes that sound at once', 2, 0],
  empty_bars: ['Empty bars', 'share of bars in which no note begins', 3, 0],
  lowest_pitch: ['Lowest', 'lowest MIDI key', 1, 0],
  highest_pitch: ['Highest', 'highest MIDI key', 1, 0],
  pitches_used: ['Pitches', 'different keys used', 1, 0],
  scale_consistency: ['In scale', 'largest share of notes within one major scale', 3, 0],
  tempo_mean: ['Tempo', 'quarters a minute', 1, 0],
  tempo_deviation: ['Tempo spread', 'standard deviation of the tempo within a piece', 1, 0],
  mean_interval: ['Interval', 'semitones from a note to the next', 2, 0],
  mean_onset_gap: ['Onset gap', 'quarters from an onset to the next', 3, 0],
};

export const metricName = metric => kMetrics[metric]?.[0] ?? metric;
export const metricText = metric => kMetrics[metric]?.[1] ?? '';
export const metricDigits = metric => kMetrics[metric]?.[2] ?? 3;
/** 1: the study calls the highest best; -1: the lowest is; 0: neither. */
export const metricBest = metric => kMetrics[metric]?.[3] ?? 0;
export const metricOrder = Object.keys(kMetrics);

export function format(metric, value) {
  return value === null || value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(metricDigits(metric));
}

class Piece {
  constructor(set, place, {data, ...json}) {
    Object.assign(this, json);
    this.owner = set;
    this.place = place;
    this.playable = typeof data === 'string';
    this.packed = data;
  }
  get set() { return this.owner.id; }
  data() { return unpackNotes(bytesOf(this.packed)); }
  line() { return (this.timed ??= timeline(this.data())); }
  value(metric) { return this.owner.values[metric]?.[this.place] ?? null; }
}

export function readStudy(json) {
  const study = {...json};
  study.runs = json.runs.map(run => ({...run, label: [run.model, run.tokenizer, run.variant].filter(Boolean).join(' · ')}));
  study.sets = json.sets.map(set => {
    const made = {...set, run: set.run === null ? null : study.runs[set.run], metrics: {}};
    for (const [name, [count, mean, std, low, high]] of Object.entries(set.metrics)) {
      made.metrics[name] = {count, mean, std, low, high};
    }
    const overlaps = Object.values(set.distances).map(([overlap]) => overlap).filter(Number.isFinite);
    if (overlaps.length) {
      made.metrics.overlap = {count: overlaps.length, mean: overlaps.reduce((a, b) => a + b, 0) / overlaps.length, std: null,
        low: null, high: null};
    }
    made.pieces = set.pieces.map((piece, i) => new Piece(made, i, piece));
    return made;
  });
  study.real = study.sets.find(set => set.kind === 'real') ?? null;
  study.grid = study.sets.filter(set => set.kind === 'grid' && set.run);
  study.board = study.sets.filter(set => set.kind === 'continuation' && set.run);
  study.models = [...new Set(study.grid.map(set => set.run.model))];
  study.tokenizers = [...new Set(study.grid.map(set => set.run.tokenizer))];
  study.epochs = [...new Set(study.grid.map(set => set.epoch))].sort((a, b) => a - b);
  study.prompts = [...new Set(study.board.map(set => set.prompt))];

  // Sets of one run and epoch differ by what varies in how pieces were drawn.
  const ways = new Map([['setting', set => set.setting], ['window', set => set.sampling.window ?? ''], ['seed', set => set.seed]]);
  const varying = [...ways].filter(([, get]) => new Set(study.grid.map(get)).size > 1);
  for (const set of study.grid) {
    set.way = varying.map(([name, get]) => (name === 'setting' ? get(set) : `${name} ${get(set)}`)).join(' · ');
    set.series = [set.run.label, set.way].filter(Boolean).join(' · ');
    set.name = `${set.series} · epoch ${set.epoch}`;
  }
  for (const set of study.board) {
    set.checkpoint = `${set.run.label} · epoch ${set.epoch}`;
    set.name = `${set.prompt} · ${set.checkpoint} · ${set.setting}`;
  }
  if (study.real) study.real.name = study.real.series = 'real music';
  study.series = [...new Set(study.grid.map(set => set.series))];

  const metrics = new Set(study.grid.flatMap(set => Object.keys(set.metrics)));
  study.metrics = [...metricOrder.filter(metric => metrics.has(metric)),
    ...[...metrics].filter(metric => !metricOrder.includes(metric)).sort()];

  const published = new Map(json.published.map(([model, tokenizer, epoch, metric, value]) =>
    [JSON.stringify([model, tokenizer, epoch, metric]), value]));
  study.publishedOf = (set, metric) => set.run
    ? published.get(JSON.stringify([set.run.model, set.run.tokenizer, set.epoch, metric])) : undefined;
  study.hasPublished = published.size > 0;

  const byId = new Map(study.sets.map(set => [set.id, set]));
  study.find = piece => byId.get(piece?.set)?.pieces.find(one => one.number === piece.number);
  const named = ([set, piece]) => ({set: study.sets[set].id, number: study.sets[set].pieces[piece].number});
  study.votes = json.votes.map(({winner, loser, at}) => ({winner: named(winner), loser: named(loser), at}));
  study.choices = json.choices.map(({prompt, piece, note, at}) => ({prompt, piece: named(piece), note, at}));
  return study;
}
