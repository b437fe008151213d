// Repetition and copying: fitness scape plots, and the longest runs of notes shared with training songs.
import {h, replace, select, whenSeen} from './dom.js';
import {stripChart} from './charts.js';
import {bytesOf} from './notes.js';
import {pieceName} from './gallery.js';
import {playButton} from './player.js';
import {format, mean, metricName} from './study.js';
import {isDark, onTheme} from './theme.js';

// Colors from 0 to 1, through hues that differ in lightness, so that they also differ in grey.
// The end of the scale of colors; fitness is rarely higher.
const kFull = 0.74;
const kLight = [
  [240, 238, 231],
  [247, 214, 140],
  [226, 134, 78],
  [160, 50, 88],
  [58, 18, 80],
];
const kDark = [
  [36, 39, 46],
  [88, 32, 96],
  [180, 62, 86],
  [236, 148, 78],
  [252, 236, 180],
];

function ramp(stops, value) {
  const at = (value / 255) * (stops.length - 1),
    i = Math.min(stops.length - 2, Math.floor(at));
  return stops[i].map((from, channel) => from + (stops[i + 1][channel] - from) * (at - i));
}

function drawScape(canvas, bytes) {
  const frames = new DataView(bytes.buffer).getUint32(0, true);
  canvas.width = 2 * frames;
  canvas.height = frames;
  const context = canvas.getContext('2d');
  const image = context.createImageData(canvas.width, canvas.height);
  const stops = isDark() ? kDark : kLight;
  const palette = Array.from({length: 256}, (_, value) => ramp(stops, value));
  let at = 4;
  for (let length = 1; length <= frames; ++length) {
    for (let start = 0; start + length <= frames; ++start) {
      const color = palette[Math.min(255, Math.round(bytes[at++] / kFull))];
      for (const x of [2 * start + length - 1, 2 * start + length]) {
        const pixel = 4 * ((frames - length) * canvas.width + x);
        image.data.set(color, pixel);
        image.data[pixel + 3] = 255;
      }
    }
  }
  context.putImageData(image, 0, 0);
}

function scape(player, piece, title) {
  const canvas = h('canvas', {class: 'scape', role: 'img', 'aria-label': `Scape plot of ${title}`});
  const bytes = bytesOf(piece.scape);
  let seen = false;
  const draw = () => {
    if (seen) drawScape(canvas, bytes);
  };
  whenSeen(canvas, () => {
    seen = true;
    draw();
  });
  onTheme(draw);
  const seconds = piece.playable ? piece.line().length : null;
  const si = ['SI_short', 'SI_mid', 'SI_long'].map((metric) => format(metric, piece.value(metric)));
  return h(
    'figure',
    {class: 'scape-box'},
    canvas,
    h(
      'div',
      {class: 'scape-axis'},
      h('span', {}, '0'),
      h('span', {}, seconds ? `${Math.round(seconds)} s` : ''),
    ),
    h(
      'figcaption',
      {},
      playButton(player, piece, pieceName(piece)),
      h('span', {}, h('b', {}, title), h('small', {}, `SI ${si.join(' / ')}`)),
    ),
  );
}

export function scapes(study, player) {
  const typical = (set) => set?.pieces.find((piece) => piece.scape);
  const epochs = study.epochs.filter((epoch) =>
    study.done.some((set) => set.epoch === epoch && typical(set)),
  );
  if (epochs.length === 0 && !typical(study.real)) return null;
  const box = h('div', {class: 'scapes'});
  let epoch = String(epochs[epochs.length - 1] ?? '');
  const draw = () =>
    replace(
      box,
      typical(study.real) && scape(player, typical(study.real), 'real music'),
      study.groups
        .map(({name, sets}) => [
          name,
          sets.find((set) => String(set.epoch) === epoch && set.status === 'done' && typical(set)),
        ])
        .filter(([, set]) => set)
        .map(([name, set]) => scape(player, typical(set), name)),
    );
  draw();
  return [
    epochs.length > 0 &&
      h(
        'div',
        {class: 'tools screen-only'},
        select(
          'Checkpoint',
          epochs.map((value) => [String(value), study.checkpointName(value)]),
          epoch,
          (value) => {
            epoch = value;
            draw();
          },
        ),
      ),
    box,
    h('p', {class: 'fitness'}, 'fitness 0 ', h('i', {class: 'ramp'}), ` ${kFull} and more`),
    h(
      'p',
      {class: 'note'},
      'The piece of each row with the median SI mid. Each point is a segment: its middle from left to ' +
        'right, its length upwards; the further along the scale of colors, the better its repetitions explain the piece. Below each: SI short / mid / long.',
    ),
  ];
}

export function copying(study, player) {
  const row = (sets, name, color) => {
    const values = sets
      .flatMap((set) => set.pieces.map((piece) => piece.copied))
      .filter(Number.isFinite);
    return values.length ? {name, color, values, mean: mean(values)} : null;
  };
  const rows = [
    study.real && row([study.real], 'real music', 'var(--real)'),
    ...study.groups.map(({name, tokenizer, sets}) => {
      const done = sets.filter((set) => set.status === 'done');
      const last = Math.max(...done.map((set) => set.epoch));
      return row(
        done.filter((set) => set.epoch === last),
        last === study.lastEpoch ? name : `${name} · ${study.checkpointName(last)}`,
        study.tokenizerColor(tokenizer),
      );
    }),
  ].filter(Boolean);
  if (rows.length === 0) return null;
  const longest = [...study.done, ...study.continuations]
    .flatMap((set) => set.pieces)
    .filter((piece) => Number.isFinite(piece.copied))
    .sort((a, b) => b.copied - a.copied)
    .slice(0, 8);
  return h(
    'div',
    {class: 'panels two'},
    stripChart({
      title: 'Longest run shared with a training song',
      unit: `at ${study.checkpointName(study.lastEpoch)}; the more pieces, the larger the dot; the mark is the mean`,
      rows,
      xLabel: 'notes in a row',
    }),
    h(
      'div',
      {class: 'panel'},
      h('div', {class: 'figcaption'}, h('b', {}, 'The longest')),
      h(
        'div',
        {class: 'scroll'},
        h(
          'table',
          {class: 'plain-table'},
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              h('th', {class: 'num'}, 'Notes'),
              h('th', {}, 'Piece'),
              h('th', {}, 'Song'),
              h('th', {class: 'screen-only'}, ''),
            ),
          ),
          h(
            'tbody',
            {},
            longest.map((piece) =>
              h(
                'tr',
                {},
                h('td', {class: 'num'}, `${piece.copied} of ${piece.notes ?? '–'}`),
                h('td', {}, pieceName(piece)),
                h('td', {class: 'song'}, piece.from),
                h('td', {class: 'screen-only'}, playButton(player, piece, pieceName(piece))),
              ),
            ),
          ),
        ),
      ),
      study.done.some((set) => set.metrics.distinct_runs) &&
        h(
          'p',
          {class: 'under'},
          `${metricName('distinct_runs')}: of runs of eight notes within a row, ${format('distinct_runs', Math.min(...study.done.map((set) => set.metrics.distinct_runs?.mean ?? Infinity)))} ` +
            'or more occur only once.',
        ),
    ),
    h(
      'p',
      {class: 'note'},
      'A run counts as copied if its intervals and onsets are those of a training song, in any key. Real music is represented by songs that were not trained on.',
    ),
  );
}
