// Charts of the grid: heatmaps, bars, progress over epochs, change from the first checkpoint, and controlled comparisons.
import {h, replace, select} from './dom.js';
import {intervalChart, lineChart, padded, panel} from './charts.js';
import {findingsList} from './overview.js';
import {
  differenceHalf,
  format,
  mean,
  metricBest,
  metricName,
  metricRanking,
  metricText,
  ranked,
  valuesOf,
} from './study.js';

function signed(metric, value) {
  const size = format(metric, Math.abs(value));
  return Number(size) === 0 ? size : `${value > 0 ? '+' : '−'}${size}`;
}

export const realLevel = (study, metric) => {
  const real = study.real?.metrics[metric];
  return real && {value: real.mean, low: real.low, high: real.high, name: 'real music'};
};

const kGrouped =
  'Means over everything that the grid varies besides model and tokenizer, with the 95 % intervals of these rows.';

/** The main metrics of the study and one more, each once. */
const withMain = (study, metric) =>
  [...new Set([...study.mainMetrics, metric])].filter((name) => study.metrics.includes(name));
const mainNames = (study) => study.mainMetrics.map(metricName).join(' and ');

const metricOptions = (study) => study.metrics.map((metric) => [metric, metricName(metric)]);
const epochOptions = (study) => [
  ['all', 'mean of all checkpoints'],
  ...study.epochs.map((epoch) => [String(epoch), study.checkpointName(epoch)]),
];

/** A model x tokenizer table in which color is the value. */
function heatmap(study, metric, epoch) {
  const cells = study.models.map((model) =>
    study.tokenizers.map((tokenizer) => {
      const sets = study.done.filter(
        (set) =>
          set.run.model === model &&
          set.run.tokenizer === tokenizer &&
          (epoch === 'all' || String(set.epoch) === epoch),
      );
      const values = valuesOf(sets, metric);
      return {model, tokenizer, value: values.length ? mean(values) : NaN, count: values.length};
    }),
  );
  const known = cells
    .flat()
    .map((cell) => cell.value)
    .filter(Number.isFinite);
  const low = Math.min(...known),
    high = Math.max(...known);
  const best = metricBest(metric) === 0 ? NaN : metricBest(metric) > 0 ? high : low;
  const real = study.real?.metrics[metric]?.mean;
  return panel(
    metricName(metric),
    metricText(metric),
    h(
      'table',
      {class: 'heatmap', 'data-metric': metric},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('td', {}),
          study.tokenizers.map((name) => h('th', {}, name)),
        ),
      ),
      h(
        'tbody',
        {},
        cells.map((row, i) =>
          h(
            'tr',
            {},
            h('th', {scope: 'row'}, study.models[i]),
            row.map(({value, count}) => {
              const share = Number.isFinite(value)
                ? high > low
                  ? (value - low) / (high - low)
                  : 0.5
                : NaN;
              return h(
                'td',
                {
                  class: `cell${share > 0.66 ? ' strong' : ''}${Number.isFinite(value) ? '' : ' none'}`,
                  style: Number.isFinite(share)
                    ? {'--heat': `${(8 + 84 * share).toFixed(1)}%`}
                    : undefined,
                  title: `${count} row${count === 1 ? '' : 's'}`,
                },
                value === best ? h('b', {}, format(metric, value)) : format(metric, value),
              );
            }),
          ),
        ),
      ),
    ),
    Number.isFinite(real) && h('p', {class: 'under'}, `real music: ${format(metric, real)}`),
  );
}

export function heatmaps(study) {
  const box = h('div', {class: 'panels three'});
  let metric = study.rankedMetrics.at(-1) ?? study.metrics[0],
    epoch = 'all';
  const draw = () =>
    replace(
      box,
      withMain(study, metric).map((name) => heatmap(study, name, epoch)),
    );
  draw();
  return [
    h(
      'div',
      {class: 'tools screen-only'},
      select(`Beside ${mainNames(study)}`, metricOptions(study), metric, (value) => {
        metric = value;
        draw();
      }),
      select('Of', epochOptions(study), epoch, (value) => {
        epoch = value;
        draw();
      }),
    ),
    box,
    h(
      'p',
      {class: 'note'},
      'Each map has its own scale: the stronger the color, the higher the value.',
    ),
  ];
}

export function bars(study) {
  const box = h('div', {class: 'panels three'});
  let epoch = String(study.lastEpoch),
    zero = true,
    only = 'usual';
  const draw = () => {
    const metrics = (only === 'usual' ? study.usualMetrics : [only]).filter((metric) =>
      study.metrics.includes(metric),
    );
    const charts = metrics
      .map((metric) => ({
        metric,
        rows: study.groups.map(({name, model, tokenizer, at}) => ({
          name,
          color: study.tokenizerColor(tokenizer),
          hollow: study.models.indexOf(model) % 2 === 1,
          ...at(Number(epoch), metric),
        })),
      }))
      .filter(({rows}) => rows.some((row) => Number.isFinite(row.mean)));
    replace(
      box,
      charts.length === 0
        ? h('p', {class: 'note'}, `No row of ${study.checkpointName(epoch)} is finished.`)
        : charts.map(({metric, rows}) =>
            intervalChart({
              title: metricName(metric),
              unit: metricText(metric),
              bars: zero,
              level: realLevel(study, metric),
              rows,
            }),
          ),
    );
  };
  draw();
  return [
    h(
      'div',
      {class: 'tools screen-only'},
      select(
        'Checkpoint',
        study.epochs.map((value) => [String(value), study.checkpointName(value)]),
        epoch,
        (value) => {
          epoch = value;
          draw();
        },
      ),
      select('Metrics', [['usual', 'the usual ones'], ...metricOptions(study)], only, (value) => {
        only = value;
        draw();
      }),
      select(
        'Scale',
        [
          ['zero', 'bars from zero'],
          ['close', 'dots, close up'],
        ],
        'zero',
        (value) => {
          zero = value === 'zero';
          draw();
        },
      ),
    ),
    box,
    study.isGrouped && h('p', {class: 'note'}, kGrouped),
  ];
}

export function progress(study) {
  const box = h('div', {class: 'panels two'});
  let third = study.thirdMetric;
  const draw = () =>
    replace(
      box,
      withMain(study, third).map((metric) => {
        const all = study.groups
          .flatMap(({at}) => study.epochs.map((epoch) => at(epoch, metric)))
          .filter(Boolean);
        const level = realLevel(study, metric);
        const domain = padded([
          ...all.flatMap(({mean: middle, low, high}) => [middle, low, high]),
          level?.value,
          level?.low,
          level?.high,
        ]);
        const begun = study.models.filter((model) =>
          study.done.some((set) => set.run.model === model && set.metrics[metric]),
        );
        return begun.map((model) =>
          lineChart({
            title: `${metricName(metric)}, ${model}`,
            unit: metricText(metric),
            xLabel: study.checkpointTitle,
            ticks: study.epochs,
            across: [study.firstEpoch, study.lastEpoch],
            domain,
            level,
            lines: study.groups
              .filter((group) => group.model === model)
              .map(({short, tokenizer, at}) => ({
                name: short,
                color: study.tokenizerColor(tokenizer),
                points: study.epochs
                  .map((x) => ({x, ...at(x, metric)}))
                  .filter(({mean: y}) => Number.isFinite(y))
                  .map(({x, mean: y, low, high}) => ({x, y, low, high})),
              })),
          }),
        );
      }),
    );
  draw();
  return [
    h(
      'div',
      {class: 'tools screen-only'},
      select(`Below ${mainNames(study)}`, metricOptions(study), third, (value) => {
        third = value;
        draw();
      }),
    ),
    box,
    study.isGrouped && h('p', {class: 'note'}, kGrouped),
  ];
}

/** Learning curves: loss in training, and NLL of songs that were not trained on. */
export function losses(study) {
  const runs = study.runs.filter((run) => run.train.length > 0);
  if (runs.length === 0) return h('p', {class: 'note'}, 'No training has logged anything yet.');
  const tokenizers = [...new Set(runs.map((run) => run.tokenizer))];
  const of = (run, _, all) => {
    const unseen = run.valid.filter(([, y]) => Number.isFinite(y)).map(([x, y]) => ({x, y}));
    const name = all.length > 8 ? '' : [run.model, run.variant].filter(Boolean).join(' ');
    return [
      {
        name: unseen.length ? '' : name,
        faint: true,
        width: 1.2,
        color: study.modelColor(run.model),
        points: run.train.map(([x, y]) => ({x, y})),
      },
      {name, width: 2.2, color: study.modelColor(run.model), points: unseen},
    ];
  };
  const every = tokenizers.map((tokenizer) => runs.filter((run) => run.tokenizer === tokenizer));
  const top = Math.max(
    ...runs.flatMap((run) => run.train.slice(Math.floor(run.train.length / 40)).map(([, y]) => y)),
  );
  const low = Math.min(
    ...runs
      .flatMap((run) => [...run.train, ...run.valid].map(([, y]) => y))
      .filter(Number.isFinite),
  );
  return [
    h(
      'div',
      {class: 'panels three'},
      every.map((some, i) =>
        lineChart({
          title: `Loss, ${tokenizers[i]}`,
          unit: 'nats per token',
          xLabel: study.checkpointTitle,
          points: false,
          across: [
            0,
            Math.max(
              ...some.map((run) => run.epochs ?? 0),
              ...some.flatMap((run) => run.train.map(([x]) => x)),
            ),
          ],
          lines: some.flatMap(of),
          height: 240,
          domain: padded([low, top], 0.04),
        }),
      ),
    ),
    h(
      'p',
      {class: 'note'},
      'Thick: songs that were not trained on; thin: the training itself. A token stands for more music in one tokenizer than in another: compare curves within a panel; across tokenizers, compare the NLL per note or per bar.',
    ),
  ];
}

/** The change of each metric since the first checkpoint. */
export function changes(study) {
  const box = h('div', {});
  let third = study.thirdMetric;
  const table = (metric) => {
    const rows = study.groups.map(({name, at}) => {
      const first = at(study.firstEpoch, metric);
      return {
        name,
        first,
        cells: study.epochs.slice(1).map((epoch) => {
          const now = at(epoch, metric);
          if (!first || !now) return null;
          const change = now.mean - first.mean;
          const half = differenceHalf(first, now);
          return {
            change,
            half,
            state: Number.isNaN(half) ? '' : Math.abs(change) > half ? ' clear' : ' unclear',
          };
        }),
      };
    });
    const largest = Math.max(
      1e-12,
      ...rows
        .flatMap((row) => row.cells)
        .filter(Boolean)
        .map(({change}) => Math.abs(change)),
    );
    return panel(
      `${metricName(metric)} since ${study.checkpointName(study.firstEpoch)}`,
      metricText(metric),
      h(
        'div',
        {class: 'scroll'},
        h(
          'table',
          {class: 'changes'},
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              h('th', {}, ''),
              h('th', {class: 'num'}, `at ${study.firstEpoch}`),
              study.epochs.slice(1).map((epoch) => h('th', {class: 'num'}, epoch)),
            ),
          ),
          h(
            'tbody',
            {},
            rows.map(({name, first, cells}) =>
              h(
                'tr',
                {},
                h('th', {scope: 'row'}, name),
                h('td', {class: 'num'}, first ? format(metric, first.mean) : '–'),
                cells.map((cell) =>
                  !cell
                    ? h('td', {class: 'num'}, '–')
                    : h(
                        'td',
                        {
                          class: `num shift ${cell.change > 0 ? 'up' : 'down'}${cell.state}`,
                          style: {
                            '--heat': `${(((cell.state === ' unclear' ? 18 : 58) * Math.abs(cell.change)) / largest).toFixed(1)}%`,
                          },
                          title: Number.isFinite(cell.half)
                            ? `95 % interval ${signed(metric, cell.change - cell.half)} to ${signed(metric, cell.change + cell.half)}`
                            : 'no interval',
                        },
                        signed(metric, cell.change),
                      ),
                ),
              ),
            ),
          ),
        ),
      ),
    );
  };
  const draw = () =>
    replace(box, h('div', {class: 'panels two'}, withMain(study, third).map(table)));
  draw();
  return [
    h(
      'div',
      {class: 'tools screen-only'},
      select(`Beside ${mainNames(study)}`, metricOptions(study), third, (value) => {
        third = value;
        draw();
      }),
    ),
    box,
    h(
      'p',
      {class: 'note'},
      h('b', {}, 'Bold'),
      ': the 95 % interval of the change (Welch) excludes 0. Grey and pale: it includes 0. Columns are checkpoints. ',
      'Overlap, KL and AUC are values of a whole row: their changes have no interval.',
    ),
  ];
}

const kAxes = {epoch: 'Checkpoints', model: 'Architecture', tokenizer: 'Tokenizer'};

/** One axis varied, everything else equal. */
export function controlled(study) {
  const axes = [...new Set(study.contrasts.map((contrast) => contrast.axis))];
  if (axes.length === 0)
    return h('p', {class: 'note'}, 'No two finished rows differ in exactly one thing.');
  return axes.map((axis) => {
    const all = study.contrasts.filter((contrast) => contrast.axis === axis);
    const metrics = study.usualMetrics.filter((metric) =>
      all.some((contrast) => contrast.metric === metric),
    );
    const rows = [...new Set(all.map(({a, b, within}) => JSON.stringify([a, b, within])))].map(
      (key) => JSON.parse(key),
    );
    const found = study.findings.filter((finding) => finding.axis === axis);
    return h(
      'div',
      {class: 'axis', 'data-axis': axis},
      h('h3', {}, kAxes[axis] ?? axis),
      found.length > 0
        ? findingsList(study, found, 5)
        : h(
            'p',
            {class: 'none-found'},
            'No difference over all cells is clear with this number of pieces.',
          ),
      h(
        'div',
        {class: 'scroll'},
        h(
          'table',
          {class: 'contrasts'},
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              h('th', {}, 'From → to'),
              h('th', {}, 'Within'),
              h('th', {class: 'num wide', title: 'pairs of rows that are compared'}, 'Pairs'),
              metrics.map((metric) =>
                h('th', {class: 'num', title: metricText(metric)}, metricName(metric)),
              ),
            ),
          ),
          h(
            'tbody',
            {},
            rows.map(([a, b, within]) =>
              h(
                'tr',
                {class: within ? '' : 'whole'},
                h('th', {scope: 'row'}, `${a} → ${b}`),
                h('td', {}, within || 'all'),
                h(
                  'td',
                  {class: 'num wide'},
                  Math.max(
                    ...all
                      .filter((one) => one.a === a && one.b === b && one.within === within)
                      .map((one) => one.pairs),
                  ),
                ),
                metrics.map((metric) => {
                  const one = all.find(
                    (contrast) =>
                      contrast.a === a &&
                      contrast.b === b &&
                      contrast.within === within &&
                      contrast.metric === metric,
                  );
                  if (!one) return h('td', {class: 'num'}, '–');
                  const sure = Number.isFinite(one.low);
                  return h(
                    'td',
                    {
                      class: `num shift${one.clear ? ' clear' : ' unclear'}`,
                      title: `${format(metric, one.mean_a)} to ${format(metric, one.mean_b)}${
                        sure
                          ? `; 95 % interval ${signed(metric, one.low)} to ${signed(metric, one.high)}`
                          : ''
                      }`,
                    },
                    h('span', {class: 'value'}, signed(metric, one.difference)),
                    h(
                      'span',
                      {class: 'half'},
                      sure ? `±${format(metric, (one.high - one.low) / 2)}` : '',
                    ),
                  );
                }),
              ),
            ),
          ),
        ),
      ),
    );
  });
}

export const controlledNote =
  'Differences ± half of their 95 % intervals. Bold: the interval excludes 0 even when it is widened for all comparisons of ' +
  'the table together (Bonferroni), so that at most one study in 20 has a wrong one. Only the pieces of a row count as drawn by chance: where each ' +
  'training ran once, the intervals do not cover the effect of another seed. NLLs of both sides are of the same songs; the intervals include the ' +
  'spread of the songs and are therefore wide.';

const ordinal = (place) =>
  `${place}${place % 100 > 10 && place % 100 < 14 ? 'th' : (['th', 'st', 'nd', 'rd'][place % 10] ?? 'th')}`;

/** Several orders side by side: those of the study, and those by likeness to music. */
export function rankings(study, playOf) {
  const lists = study.rankedMetrics.map((metric) => ({
    metric,
    why: metricRanking(metric),
    order: ranked(study, metric),
  }));
  const cards = lists.map(({metric, why, order}) => {
    const other = lists.filter((list) => list.metric !== metric);
    return h(
      'div',
      {class: 'panel ranking', 'data-metric': metric},
      h(
        'div',
        {class: 'figcaption'},
        h('b', {}, `${metricBest(metric) > 0 ? 'Highest' : 'Lowest'} ${metricName(metric)}`),
        h('span', {class: 'unit'}, why),
      ),
      h(
        'ol',
        {},
        order.slice(0, 3).map((set) =>
          h(
            'li',
            {},
            h(
              'div',
              {class: 'rank-line'},
              h('b', {class: 'rank-name'}, set.name),
              h(
                'span',
                {class: 'rank-value'},
                format(metric, set.metrics[metric].mean),
                Number.isFinite(set.metrics[metric].low) &&
                  h(
                    'small',
                    {},
                    ` ±${format(metric, (set.metrics[metric].high - set.metrics[metric].low) / 2)}`,
                  ),
              ),
              playOf(set),
            ),
            h(
              'div',
              {class: 'elsewhere'},
              other.map((list) => {
                const place = list.order.indexOf(set);
                return place < 0
                  ? null
                  : h('span', {}, `${metricName(list.metric)} `, h('b', {}, ordinal(place + 1)));
              }),
            ),
          ),
        ),
      ),
      study.real?.metrics[metric] &&
        h('p', {class: 'under'}, `real music: ${format(metric, study.real.metrics[metric].mean)}`),
    );
  });
  const agree = lists.find((list) => list.metric === 'GS')?.order[0];
  const nearest = lists.find((list) => list.metric === 'overlap')?.order[0];
  const real = study.real?.metrics.GS,
    top = agree?.metrics.GS;
  const sentence =
    agree &&
    nearest &&
    (agree === nearest
      ? `The row with the highest GS is here also the one most like real music.`
      : `The row with the highest GS (${agree.name}) is number ${lists.find((list) => list.metric === 'overlap').order.indexOf(agree) + 1} of ` +
        `${study.done.length} in likeness to real music; the row most like real music (${nearest.name}) is number ` +
        `${lists.find((list) => list.metric === 'GS').order.indexOf(nearest) + 1} in GS.`);
  return [
    h('div', {class: 'panels four'}, cards),
    sentence &&
      h(
        'p',
        {class: 'note'},
        sentence,
        real && top && top.low > real.high
          ? ' Its rhythm repeats more than that of real music: the highest GS is not the best music.'
          : '',
        ' Small figures: the place of the row in the other orders.',
      ),
  ];
}
