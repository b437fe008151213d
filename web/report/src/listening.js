// Listening: any piece, the final selection, blind votes, their ranking, and the file that takes them home.
import {intervalChart} from './charts.js';
import {rank} from './bradley_terry.js';
import {h, replace, select} from './dom.js';
import {card, gallery} from './gallery.js';
import {format, metricName} from './study.js';

/** A set is chosen, its pieces are shown. */
export function everything(study, player) {
  const sets = [study.real, ...study.done, ...study.continuations].filter(
    (set) => set && set.pieces.some((piece) => piece.playable),
  );
  if (sets.length === 0) return h('p', {class: 'note'}, 'No piece is kept in these results.');
  const box = h('div', {class: 'everything'});
  const show = (id) =>
    replace(
      box,
      gallery(
        player,
        sets.find((set) => set.id === id),
      ),
    );
  const first = [...sets].reverse().find((set) => set.kind === 'grid') ?? sets[0];
  const groups = [
    ['Real music', sets.filter((set) => set.kind === 'real')],
    ...study.series.map((series) => [
      series,
      study.setsOf(series).filter((set) => sets.includes(set)),
    ]),
    ...study.prompts.map((prompt) => [
      `Continuations of ${prompt}`,
      study.continuations.filter((set) => set.prompt === prompt && sets.includes(set)),
    ]),
  ];
  const chooser = h(
    'select',
    {onchange: (event) => show(event.target.value), 'data-sets': sets.length},
    groups
      .filter(([, some]) => some.length)
      .map(([name, some]) =>
        h(
          'optgroup',
          {label: name},
          some.map((set) => h('option', {value: set.id, selected: set === first}, set.name)),
        ),
      ),
  );
  show(first.id);
  return [
    h(
      'div',
      {class: 'tools screen-only'},
      h('label', {class: 'field'}, h('span', {}, 'Pieces of'), chooser),
    ),
    box,
  ];
}

/** The best of each prompt: from results.db, or from a later choice in this browser. */
export function selection(study, player, store) {
  const box = h('div', {class: 'selection'});
  const draw = () => {
    const chosen = study.prompts.filter((prompt) => store.choices.has(prompt));
    replace(
      box,
      chosen.length === 0
        ? h(
            'p',
            {class: 'note'},
            'Nothing is chosen yet. The stars on the cards above choose the best of a prompt; ' +
              '“continuo experiment choose” stores the exported file in the results, and the next report shows the selection here.',
          )
        : chosen.map((prompt) => {
            const choice = store.choices.get(prompt),
              piece = store.study.find(choice);
            const kept = study.choices.some(
              (one) =>
                one.prompt === prompt &&
                one.set === choice.set &&
                one.number === choice.number &&
                one.note === choice.note,
            );
            const set = piece.owner;
            return h(
              'article',
              {class: 'final', 'data-prompt': prompt},
              card(player, piece, {
                name: set.name,
                title: `${prompt}: ${set.checkpoint}, ${set.setting}`,
                lines: [
                  [...study.mainMetrics, 'SI_mid']
                    .filter((metric) => piece.value(metric) !== null)
                    .map((metric) => `${metricName(metric)} ${format(metric, piece.value(metric))}`)
                    .join(' · '),
                  kept ? 'in the results' : 'in this browser only: export it',
                ],
              }),
              choice.note && h('blockquote', {}, choice.note),
            );
          }),
    );
  };
  draw();
  store.listeners.push(draw);
  return box;
}

const kPools = [
  ['continuation', 'continuations of the same prompt'],
  ['grid', 'pieces of the last checkpoints'],
];
const kGroups = {
  continuation: [
    ['checkpoint', 'checkpoint', (set) => set.checkpoint],
    ['setting', 'setting', (set) => set.setting],
    ['both', 'checkpoint and setting', (set) => `${set.checkpoint} · ${set.setting}`],
  ],
  grid: [
    ['series', 'model and tokenizer', (set) => set.series ?? set.name],
    ['tokenizer', 'tokenizer', (set) => set.run?.tokenizer ?? 'real music'],
    ['model', 'model', (set) => set.run?.model ?? 'real music'],
  ],
};

/** Votes on pairs without names, and the ranking. `random` returns numbers in [0, 1). */
export function blind(study, player, store, random = Math.random) {
  const playable = (set) => set.pieces.filter((piece) => piece.playable);
  const pools = {
    continuation: study.continuations.flatMap(playable),
    grid: [
      ...study.series
        .map((series) =>
          study
            .setsOf(series)
            .filter((set) => playable(set).length > 0)
            .pop(),
        )
        .filter(Boolean),
      ...(study.real ? [study.real] : []),
    ].flatMap(playable),
  };
  const options = kPools.filter(([key]) => new Set(pools[key].map((piece) => piece.set)).size > 1);
  if (options.length === 0)
    return h('p', {class: 'note'}, 'There are no two sets of pieces to compare yet.');
  let pool = options[0][0],
    group = kGroups[pool][0][0],
    pair = null;
  const heard = new Set();
  const key = (piece) => `${piece.set}/${piece.number}`;
  const stage = h('div', {class: 'stage'}),
    ranking = h('div', {class: 'ranking-box'}),
    bar = h('div', {class: 'tools'});

  /** Two pieces of different sets in random order; pieces with few comparisons are preferred. */
  function draw() {
    const counts = new Map();
    for (const {winner, loser} of store.votes) {
      for (const piece of [winner, loser])
        counts.set(key({set: piece.set, number: piece.number}), (counts.get(key(piece)) ?? 0) + 1);
    }
    const pick = (list) => list[Math.floor(random() * list.length)];
    const bySet = new Map();
    for (const piece of pools[pool]) {
      if (!bySet.has(piece.set)) bySet.set(piece.set, []);
      bySet.get(piece.set).push(piece);
    }
    let best = null;
    for (let trial = 0; trial < 24; ++trial) {
      const a = pick(bySet.get(pick([...bySet.keys()])));
      const others = [...bySet.values()].filter(
        ([one]) => one.set !== a.set && (pool === 'grid' || one.owner.prompt === a.owner.prompt),
      );
      if (others.length === 0) continue;
      const b = pick(pick(others));
      const cost = (counts.get(key(a)) ?? 0) + (counts.get(key(b)) ?? 0);
      if (!best || cost < best.cost) best = {cost, pair: [a, b]};
    }
    pair = best?.pair ?? null;
    heard.clear();
    if (player.blind) player.close();
    show();
  }

  function show() {
    if (!pair) {
      replace(stage, h('p', {class: 'note'}, 'There are no two pieces to compare.'));
      return;
    }
    const prompt = pool === 'continuation' ? pair[0].owner.prompt : null;
    const sides = pair.map((piece, i) =>
      h(
        'div',
        {class: 'side', 'data-side': 'AB'[i]},
        card(player, piece, {
          name: `${'AB'[i]}, names hidden`,
          title: 'AB'[i],
          blind: true,
          lines: [heard.has(i) ? 'heard' : 'not heard yet'],
        }),
        h(
          'button',
          {
            class: 'vote',
            disabled: heard.size < 2,
            'data-vote': 'AB'[i],
            onclick: () => {
              store.vote(pair[i], pair[1 - i]);
              draw();
            },
          },
          `${'AB'[i]} is better`,
        ),
      ),
    );
    replace(
      stage,
      h(
        'p',
        {class: 'muted'},
        prompt
          ? `Both continue the same prompt, ${prompt}. `
          : `Any two pieces may be compared${pools.grid.some((piece) => piece.owner === study.real) ? ', real music too' : ''}. `,
        heard.size < 2 ? 'Listen to both, then vote.' : '',
      ),
      h('div', {class: 'sides'}, sides),
      h(
        'div',
        {class: 'tools'},
        h('button', {class: 'quiet', onclick: draw}, 'I can’t say: another pair'),
        store.votes.length > study.votes.length &&
          h('button', {class: 'quiet', onclick: () => store.undoVote()}, 'Take the last vote back'),
      ),
    );
  }
  player.listeners.push(() => {
    const at = pair && player.playing && player.blind ? pair.indexOf(player.piece) : -1;
    if (at >= 0 && !heard.has(at)) {
      heard.add(at);
      show();
    }
  });

  function showRanking() {
    const members = new Set(pools[pool].map(key));
    const votes = store.votes.filter(
      ({winner, loser}) => members.has(key(winner)) && members.has(key(loser)),
    );
    const nameOf = kGroups[pool].find(([name]) => name === group)[2];
    const names = [...new Set(pools[pool].map((piece) => nameOf(piece.owner)))];
    const result = rank(
      votes.map(({winner, loser}) => ({
        winner: nameOf(study.find(winner).owner),
        loser: nameOf(study.find(loser).owner),
      })),
      names,
    );
    replace(
      ranking,
      h(
        'div',
        {class: 'tools'},
        select(
          'Rank by',
          kGroups[pool].map(([name, text]) => [name, text]),
          group,
          (value) => {
            group = value;
            showRanking();
          },
        ),
        h(
          'span',
          {class: 'muted', 'data-votes': votes.length},
          `${votes.length} vote${votes.length === 1 ? '' : 's'}`,
        ),
      ),
      result.missing > 0
        ? h(
            'p',
            {class: 'note'},
            `${result.missing} more vote${result.missing === 1 ? '' : 's'} between different ones needed before there is a ranking.`,
          )
        : [
            intervalChart({
              title: 'Preference',
              unit: 'Bradley–Terry strength, log odds against the average, 95 % interval',
              rowHeight: 26,
              rows: result.ranking.map(({name, strength, low, high, wins, losses}) => ({
                name: `${name} (${wins} : ${losses})`,
                color: 'var(--accent)',
                mean: strength,
                low,
                high,
              })),
              level: {value: 0, name: 'average'},
            }),
            h(
              'p',
              {class: 'note'},
              'These votes do not distinguish entries whose intervals overlap widely.',
            ),
          ],
    );
  }
  const showBar = () =>
    replace(
      bar,
      options.length > 1 &&
        select('Compare', options, pool, (value) => {
          pool = value;
          group = kGroups[pool][0][0];
          draw();
          showRanking();
        }),
    );
  store.listeners.push(() => {
    show();
    showRanking();
  });
  showBar();
  draw();
  showRanking();
  return h('div', {class: 'blind'}, bar, stage, ranking);
}

/** Exports choices and votes to a file and imports them from one. */
export function exchange(study, store) {
  const says = h('span', {class: 'muted', role: 'status'});
  const status = () =>
    `${store.choices.size} chosen, ${store.votes.length} vote${store.votes.length === 1 ? '' : 's'}`;
  const show = () => replace(says, status());
  store.listeners.push(show);
  show();
  const file = h('input', {
    type: 'file',
    accept: '.json,application/json',
    hidden: true,
    onchange: async () => {
      try {
        store.take(JSON.parse(await file.files[0].text()));
        store.save();
        replace(says, `Taken in: ${status()}`);
      } catch {
        replace(says, 'That file is not a choices.json.');
      }
      file.value = '';
    },
  });
  const box = h(
    'div',
    {class: 'tools exchange'},
    h(
      'button',
      {
        class: 'strong-button',
        'data-export': true,
        onclick: () => {
          const url = URL.createObjectURL(
            new Blob([JSON.stringify(store.toJson(), null, 1)], {type: 'application/json'}),
          );
          h('a', {href: url, download: 'choices.json'}).click();
          setTimeout(() => URL.revokeObjectURL(url), 10000);
        },
      },
      'Export choices.json',
    ),
    h('button', {class: 'quiet', onclick: () => file.click()}, 'Take one in…'),
    file,
    says,
  );
  return [
    box,
    h(
      'p',
      {class: 'note'},
      'Choices and votes stay in this browser until they are exported. ',
      h('code', {}, 'continuo experiment choose DIR choices.json'),
      ' stores them in the results.',
    ),
  ];
}
