// What the experiment claimed before it ran, and what its results say.
import {h} from './dom.js';
import {format, metricName, metricText} from './study.js';

const kSigns = {holds: '✓', 'does not hold': '✗', 'cannot be decided': '?'};
const kClasses = {holds: 'yes', 'does not hold': 'no', 'cannot be decided': 'open'};

const verdict = (text) =>
  h(
    'span',
    {class: `verdict ${kClasses[text] ?? 'open'}`},
    h('span', {'aria-hidden': 'true'}, kSigns[text] ?? '?'),
    ` ${text}`,
  );

/** A difference in the direction of the claim: a share in percent, or in the unit of the metric. */
export function difference(claim, metric, value) {
  if (!Number.isFinite(value)) return '–';
  const size = claim.relative
    ? `${Math.abs(100 * value).toFixed(1)} %`
    : format(metric, Math.abs(value));
  return parseFloat(size) === 0 ? size : `${value > 0 ? '+' : '−'}${size}`;
}

/** The range that a claim states, as text. */
export function claimed(claim, metric) {
  const low = difference(claim, metric, claim.least);
  return claim.most === null
    ? `above ${low}`
    : `${low} to ${difference(claim, metric, claim.most)}`;
}

const kColumns = [
  ['Metric', ''],
  ['Compared', ''],
  ['Means', 'num'],
  ['Difference', 'num'],
  ['95 % interval', 'num'],
  ['Claimed', 'num'],
  ['Published', 'num'],
  ['Trainings', 'num'],
  ['', ''],
];

function table(study, claim) {
  const name = (value) =>
    claim.axis === 'checkpoint'
      ? value
          .split(', ')
          .map((one) => study.checkpointName(one))
          .join(', ')
      : value;
  const published = claim.parts.some(({published: value}) => Number.isFinite(value));
  const columns = kColumns.filter(([title]) => published || title !== 'Published');
  return h(
    'div',
    {class: 'scroll'},
    h(
      'table',
      {class: 'plain-table parts'},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          columns.map(([title, kind]) => h('th', {class: kind}, title)),
        ),
      ),
      h(
        'tbody',
        {},
        claim.parts.map((part) => {
          const shown = (value) => difference(claim, part.metric, value);
          const sure = Number.isFinite(part.low) && Number.isFinite(part.high);
          return h(
            'tr',
            {},
            h('th', {scope: 'row', title: metricText(part.metric)}, metricName(part.metric)),
            h('td', {}, `${name(part.value)} against ${name(part.against)}`),
            h(
              'td',
              {class: 'num'},
              `${format(part.metric, part.mean_value)} and ${format(part.metric, part.mean_against)}`,
            ),
            h('td', {class: 'num'}, shown(part.difference)),
            h('td', {class: 'num'}, sure ? `${shown(part.low)} to ${shown(part.high)}` : '–'),
            h('td', {class: 'num'}, claimed(claim, part.metric)),
            published && h('td', {class: 'num'}, shown(part.published)),
            h('td', {class: 'num'}, part.trainings),
            h('td', {}, verdict(part.verdict)),
          );
        }),
      ),
    ),
  );
}

export function claims(study) {
  const count = (text) => study.claims.filter((claim) => claim.verdict === text).length;
  const [hold, fail, open] = Object.keys(kSigns).map(count);
  return [
    h('p', {}, `${hold} hold, ${fail} do not hold, ${open} cannot be decided.`),
    study.claims.map((claim) =>
      h(
        'div',
        {class: 'claim', 'data-verdict': claim.verdict},
        h('h3', {}, verdict(claim.verdict), h('span', {class: 'claim-text'}, claim.text)),
        claim.parts.length > 0 && table(study, claim),
        claim.note && h('p', {class: 'note'}, claim.note),
      ),
    ),
    h('p', {class: 'note'}, claimsNote),
  ];
}

const claimsNote =
  'The experiment stated these claims before it ran. Differences are positive in the direction of the claim. A row holds if its ' +
  'whole interval lies in the claimed range, and does not hold if the interval lies outside of it, at a level that covers all ' +
  'rows of the claim together. A claim holds if all its rows hold, and does not hold if one of them does not. The intervals ' +
  'cover what another seed of the training would change, as far as cells ran with several seeds.';
