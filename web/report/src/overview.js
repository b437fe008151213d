// The head of the study, what was scaled down, the findings, and the settings.
import {h} from './dom.js';

const kGrouped = new Intl.NumberFormat('en');
const number = (value) => (value === null || value === undefined ? '–' : kGrouped.format(value));

function duration(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  const minutes = Math.round(seconds / 60);
  return minutes < 1
    ? `${Math.round(seconds)} s`
    : minutes < 90
      ? `${minutes} min`
      : `${(seconds / 3600).toFixed(1)} h`;
}

export function header(study) {
  const {meta} = study;
  const lines = (meta.scaled_down ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const pieces = study.done.reduce((sum, set) => sum + set.pieces.length, 0);
  const ended = study.continuations.filter((set) => set.status === 'done').length;
  const facts = [
    `${study.done.length} of ${study.grid.length} rows`,
    `${study.runs.filter((run) => run.status === 'done').length} of ${study.runs.length} trainings`,
    `${number(pieces)} pieces`,
    study.continuations.length > 0 && `${ended} of ${study.continuations.length} continuations`,
    study.real && `${study.real.pieces.length} pieces of real music to compare with`,
  ].filter(Boolean);
  const failed = [...study.runs, ...study.sets].filter((cell) => cell.status === 'failed');
  const open = study.grid.length - study.done.length + study.continuations.length - ended;
  return h(
    'header',
    {class: 'head'},
    h('h1', {}, meta.title || meta.name || 'Continuo'),
    lines.length > 0 &&
      h(
        'div',
        {class: 'scaled'},
        h('b', {}, 'Scaled down: '),
        lines.length === 1
          ? lines[0]
          : h(
              'ul',
              {},
              lines.map((line) => h('li', {}, line)),
            ),
      ),
    h('p', {class: 'facts'}, facts.join(' · ')),
    open > 0 &&
      h(
        'p',
        {class: 'note'},
        `${open} cells are not finished. They are empty here and no conclusion uses them.`,
      ),
    failed.length > 0 &&
      h(
        'p',
        {class: 'note'},
        `Failed: ${failed.map((cell) => `${cell.label || cell.id} (${cell.error})`).join('; ')}`,
      ),
  );
}

/** Findings, the first `shown` at once: those on the metrics by which cells are ranked come first. */
export function findingsList(study, all, shown) {
  const first = study.rankedMetrics;
  const weight = ({metric}) => (first.includes(metric) ? first.indexOf(metric) : first.length);
  const list = [...all].sort(
    (a, b) => (b.axis === 'best') - (a.axis === 'best') || weight(a) - weight(b),
  );
  const items = (some) =>
    h(
      'ul',
      {class: 'findings'},
      some.map(({text}) => h('li', {}, text)),
    );
  return [
    items(list.slice(0, shown)),
    list.length > shown &&
      h('details', {}, h('summary', {}, `${list.length - shown} more`), items(list.slice(shown))),
  ];
}

/** What is clear. */
export function findings(study) {
  return study.findings.length > 0
    ? findingsList(study, study.findings, 8)
    : h(
        'p',
        {},
        'No difference between cells is larger than chance explains with this number of pieces.',
      );
}

const show = (value) => (typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value));

export function settings(study) {
  const common = {};
  const first = study.runs[0]?.settings ?? {};
  for (const [key, value] of Object.entries(first)) {
    if (study.runs.every((run) => run.settings[key] === value)) common[key] = value;
  }
  const ways = new Map();
  for (const set of [...study.grid, ...study.continuations]) {
    const key = `${set.setting} ${JSON.stringify(set.sampling)}`;
    if (!ways.has(key))
      ways.set(key, {name: set.setting, sampling: set.sampling, kinds: new Set()});
    ways.get(key).kinds.add(set.kind === 'grid' ? 'the grid' : 'continuations');
  }
  const order = ['top_k', 'top_p', 'min_p', 'temperature', 'repetition_penalty', 'window'];
  const knobs = [
    ...new Set([...order, ...[...ways.values()].flatMap((way) => Object.keys(way.sampling))]),
  ].filter((knob) => [...ways.values()].some((way) => knob in way.sampling));
  return [
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
            [
              'Model',
              'Tokenizer',
              'Corpus',
              'Parameters',
              'Tokens seen',
              study.isByPercent ? '' : 'Epochs',
              'Time',
              '',
            ].map((text, i) => h('th', {class: i > 2 && i < 7 ? 'num' : ''}, text)),
          ),
        ),
        h(
          'tbody',
          {},
          study.runs.map((run) =>
            h(
              'tr',
              {},
              h('td', {}, run.model),
              h('td', {}, run.tokenizer, run.variant && h('small', {}, ` ${run.variant}`)),
              h('td', {}, run.corpus),
              h('td', {class: 'num'}, number(run.parameters)),
              h('td', {class: 'num'}, number(run.tokens)),
              h('td', {class: 'num'}, study.isByPercent ? '' : number(run.epochs)),
              h('td', {class: 'num'}, duration(run.seconds)),
              h(
                'td',
                {class: 'state'},
                run.status === 'done' ? '' : run.error ? `${run.status}: ${run.error}` : run.status,
              ),
            ),
          ),
        ),
      ),
    ),
    h('h3', {}, 'Equal in all trainings'),
    h(
      'dl',
      {class: 'pairs'},
      Object.entries(common).map(([key, value]) =>
        h('div', {}, h('dt', {}, key), h('dd', {}, show(value))),
      ),
    ),
    h('h3', {}, 'Sampling'),
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
            h('th', {}, 'Setting'),
            knobs.map((knob) => h('th', {class: 'num'}, knob)),
            h('th', {}, 'for'),
          ),
        ),
        h(
          'tbody',
          {},
          [...ways.values()].map(({name, sampling, kinds}) =>
            h(
              'tr',
              {},
              h('td', {}, name),
              knobs.map((knob) =>
                h('td', {class: 'num'}, knob in sampling ? show(sampling[knob]) : '–'),
              ),
              h('td', {}, [...kinds].join(', ')),
            ),
          ),
        ),
      ),
    ),
    study.meta.spec &&
      h(
        'details',
        {class: 'screen-only'},
        h('summary', {}, 'The spec, as run'),
        h('pre', {}, study.meta.spec),
      ),
    h(
      'p',
      {class: 'note'},
      [
        study.meta.continuo_version && `Continuo ${study.meta.continuo_version}`,
        study.meta.machine,
        study.meta.created_at &&
          `begun ${study.meta.created_at.replace('T', ' ').replace('Z', ' UTC')}`,
        study.meta.spec_sha256 && `spec ${study.meta.spec_sha256.slice(0, 12)}`,
      ]
        .filter(Boolean)
        .join(' · '),
    ),
  ];
}
