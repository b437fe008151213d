// The grid's rows: sortable, best in bold, with intervals, real music on top.
import {checkbox, h, replace} from './dom.js';
import {gallery} from './gallery.js';
import {format, metricBest, metricName, metricText, ranked} from './study.js';

export function resultsTable(study, player) {
  let all = false,
    published = false;
  let order = {key: null, down: false};
  const unfolded = new Set();
  const box = h('div', {class: 'scroll table-box'});

  const value = (set, metric, best) => {
    const known = set.metrics[metric];
    if (!known) return h('td', {class: 'num'}, '–');
    const {count, mean, std, low, high} = known;
    const sure = Number.isFinite(low) && Number.isFinite(high);
    const theirs = published ? study.publishedOf(set, metric) : undefined;
    return h(
      'td',
      {
        class: `num${best ? ' best' : ''}`,
        title: [
          metricName(metric),
          sure && `95 % interval ${format(metric, low)} to ${format(metric, high)}`,
          Number.isFinite(std) && `standard deviation ${format(metric, std)}`,
          `n = ${count}`,
        ]
          .filter(Boolean)
          .join(', '),
      },
      h('span', {class: 'value'}, format(metric, mean)),
      h('span', {class: 'half'}, sure ? `±${format(metric, (high - low) / 2)}` : ''),
      theirs !== undefined && h('span', {class: 'theirs'}, format(metric, theirs)),
    );
  };

  const sortKey = {
    model: (set) => study.models.indexOf(set.run.model),
    tokenizer: (set) => study.tokenizers.indexOf(set.run.tokenizer),
    epoch: (set) => set.epoch,
    way: (set) => set.way,
  };

  function draw() {
    const metrics = all ? study.metrics : study.usualMetrics;
    const bests = new Map(metrics.map((metric) => [metric, ranked(study, metric)[0]]));
    const rows = [...study.grid];
    if (order.key) {
      const get = sortKey[order.key] ?? ((set) => set.metrics[order.key]?.mean ?? NaN);
      rows.sort((a, b) => {
        const x = get(a),
          y = get(b);
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // unknown values come last
        return (x < y ? -1 : x > y ? 1 : 0) * (order.down ? -1 : 1);
      });
    }
    const head = (key, text, title, number) =>
      h(
        'th',
        {
          class: number ? 'num' : '',
          'aria-sort': order.key !== key ? 'none' : order.down ? 'descending' : 'ascending',
          title,
        },
        h(
          'button',
          {
            class: 'sort',
            onclick: () => {
              const first = metricBest(key) === 1;
              order =
                order.key !== key
                  ? {key, down: first}
                  : order.down === first
                    ? {key, down: !first}
                    : {key: null, down: false};
              draw();
            },
          },
          text,
        ),
      );
    const ways = study.grid.some((set) => set.way);
    const columns = 4 + ways + metrics.length;
    const fold = (set, title) =>
      set.pieces.length > 0 &&
      h(
        'button',
        {
          class: 'fold',
          'aria-expanded': unfolded.has(set.id),
          title,
          'aria-label': title,
          onclick: () => {
            if (!unfolded.delete(set.id)) unfolded.add(set.id);
            draw();
          },
        },
        `${set.pieces.length}`,
      );
    const listen = (set) =>
      unfolded.has(set.id) &&
      h('tr', {class: 'pieces'}, h('td', {colspan: columns}, gallery(player, set)));
    const row = (set) => [
      h(
        'tr',
        {class: set.status === 'done' ? 'row' : 'row open', 'data-set': set.id},
        h(
          'th',
          {scope: 'row'},
          h('i', {class: 'swatch', style: {'--c': study.tokenizerColor(set.run.tokenizer)}}),
          h(
            'span',
            {class: 'who'},
            h('span', {}, set.run.model),
            h('small', {class: 'narrow'}, `${set.run.tokenizer} · ${set.epoch}`),
          ),
        ),
        h(
          'td',
          {class: 'wide'},
          set.run.tokenizer,
          set.run.variant && h('small', {}, ` ${set.run.variant}`),
        ),
        h('td', {class: 'num wide'}, set.epoch),
        ways && h('td', {class: 'wide'}, set.way),
        metrics.map((metric) => value(set, metric, bests.get(metric) === set)),
        h(
          'td',
          {class: 'screen-only'},
          set.status === 'done'
            ? fold(set, `Listen to the pieces of ${set.name}`)
            : h('small', {}, set.status),
        ),
      ),
      listen(set),
    ];
    replace(
      box,
      h(
        'table',
        {class: 'results', 'data-rows': rows.length},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            head('model', 'Model'),
            (() => {
              const cell = head('tokenizer', 'Tokenizer');
              cell.classList.add('wide');
              return cell;
            })(),
            (() => {
              const cell = head(
                'epoch',
                study.isByPercent ? '%' : 'Epoch',
                study.checkpointTitle,
                true,
              );
              cell.classList.add('wide');
              return cell;
            })(),
            ways &&
              (() => {
                const cell = head('way', 'Drawn');
                cell.classList.add('wide');
                return cell;
              })(),
            metrics.map((metric) => head(metric, metricName(metric), metricText(metric), true)),
            h('th', {class: 'screen-only'}, 'Listen'),
          ),
        ),
        study.real &&
          h(
            'tbody',
            {class: 'real'},
            h(
              'tr',
              {'data-set': study.real.id},
              h(
                'th',
                {scope: 'row'},
                h('i', {class: 'swatch', style: {'--c': 'var(--real)'}}),
                'Real music',
              ),
              h('td', {class: 'wide'}),
              h('td', {class: 'wide'}),
              ways && h('td', {class: 'wide'}),
              metrics.map((metric) => value(study.real, metric, false)),
              h(
                'td',
                {class: 'screen-only'},
                study.real.pieces.some((piece) => piece.playable) &&
                  fold(study.real, 'Listen to real music'),
              ),
            ),
            listen(study.real),
          ),
        h('tbody', {class: 'grid'}, rows.map(row)),
      ),
    );
  }
  draw();
  const unpublished = study.publishedEpochs;
  const usualBest = (end) =>
    study.usualMetrics
      .filter((metric) => metricBest(metric) === end)
      .map(metricName)
      .join(', ');
  return [
    h(
      'div',
      {class: 'tools screen-only'},
      checkbox('All metrics', all, (on) => {
        all = on;
        draw();
      }),
      study.hasPublished &&
        checkbox('Show published values too', published, (on) => {
          published = on;
          draw();
        }),
    ),
    box,
    h(
      'p',
      {class: 'note'},
      'Means over the pieces of a row, ± half of the 95 % interval (bootstrap over pieces). ',
      h('b', {}, 'Bold'),
      `: the highest ${usualBest(1)}, the lowest ${usualBest(-1)}; of other metrics the value nearest to real music. `,
      'Overlap: the area that the histograms of ten features share with those of real music, mean of the features. AUC: how well a ' +
        'random forest tells the pieces from real music (0.5: it guesses). Returns: exact notes of a bar that come ' +
        'back 4, 8 and 16 bars later. NLL: of songs that were not trained on, in nats. Copied: the longest run of notes that also occurs in a training song. ',
      study.hasPublished && [
        h('span', {class: 'theirs inline'}, 'In this typeface'),
        `: the published value of the same cell${
          unpublished ? `, at the same share of its ${unpublished} epochs` : ''
        }.`,
      ],
    ),
  ];
}
