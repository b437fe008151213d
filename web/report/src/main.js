import {claims} from './claims.js';
import {
  bars,
  changes,
  controlled,
  controlledNote,
  heatmaps,
  losses,
  progress,
  rankings,
} from './comparison.js';
import {continuations} from './continuations.js';
import {h, icon, replace} from './dom.js';
import {pieceName} from './gallery.js';
import {blind, everything, exchange, selection} from './listening.js';
import {findings, header, settings} from './overview.js';
import {Player, playButton} from './player.js';
import {resultsTable} from './results_table.js';
import {Store} from './store.js';
import {copying, scapes} from './structure.js';
import {readStudy} from './study.js';
import {onTheme, switchTheme} from './theme.js';

function storage() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

function start(study) {
  document.title = `${study.meta.title || study.meta.name || 'Continuo'} · report`;
  const player = new Player();
  const store = new Store(study, storage());
  onTheme(() => player.draw());
  const firstPlay = (set) => {
    const piece = set.pieces.find((one) => one.playable);
    return piece && playButton(player, piece, pieceName(piece));
  };

  const sections = [
    ['summary', 'Summary', 'What the numbers support', () => findings(study)],
    study.claims.length > 0 && ['claims', 'Claims', 'What was claimed', () => claims(study)],
    ['results', 'Results', 'Results', () => resultsTable(study, player)],
    ['heatmap', 'Heatmap', 'Model by tokenizer', () => heatmaps(study)],
    ['metrics', 'Metrics', 'Metric comparison', () => bars(study)],
    [
      'progress',
      'Progress',
      'Training progress',
      () => [progress(study), h('h3', {}, 'Loss'), losses(study)],
    ],
    study.epochs.length > 1 && [
      'change',
      'Change',
      `Change from ${study.checkpointName(study.firstEpoch)}`,
      () => changes(study),
    ],
    [
      'controlled',
      'Controlled',
      'One thing varied, everything else equal',
      () => [controlled(study), h('p', {class: 'note'}, controlledNote)],
    ],
    ['rankings', 'Rankings', 'The top three of each ranking', () => rankings(study, firstPlay)],
    ['structure', 'Structure', 'Repetition: scape plots', () => scapes(study, player)],
    ['copying', 'Copying', 'Copying', () => copying(study, player)],
    study.continuations.length > 0 && [
      'continuations',
      'Continuations',
      'Continuations',
      () => [
        h(
          'p',
          {class: 'note'},
          h('i', {class: 'dot given'}),
          ' the prompt as given, ',
          h('i', {class: 'dot fresh'}),
          ' what the model added. A click on a roll plays it.',
        ),
        continuations(study, player, store),
      ],
    ],
    study.continuations.length > 0 && [
      'selection',
      'Selection',
      'Final selection',
      () => selection(study, player, store),
    ],
    [
      'listening',
      'Listening',
      'Listening',
      () => [
        h('h3', {}, 'Any piece'),
        everything(study, player),
        h(
          'div',
          {class: 'screen-only'},
          h('h3', {}, 'Blind comparison'),
          blind(study, player, store),
          h('h3', {}, 'Choices and votes'),
          exchange(study, store),
        ),
      ],
    ],
    ['settings', 'Settings', 'Settings', () => settings(study)],
  ].filter(Boolean);

  const links = new Map(sections.map(([id, short]) => [id, h('a', {href: `#${id}`}, short)]));
  const body = sections.map(([id, , title, content]) => {
    const made = content();
    return made && h('section', {id}, h('h2', {}, title), made);
  });
  const nav = h(
    'nav',
    {class: 'top screen-only', 'aria-label': 'Sections'},
    h('div', {class: 'links'}, [...links.values()]),
    h(
      'button',
      {
        class: 'plain theme',
        title: 'Light or dark',
        'aria-label': 'Light or dark',
        onclick: switchTheme,
      },
      icon('moon'),
    ),
  );
  replace(
    document.getElementById('page'),
    nav,
    h(
      'main',
      {},
      header(study),
      body,
      h(
        'footer',
        {class: 'foot'},
        'Made by ',
        h('b', {}, 'continuo report'),
        ` ${study.meta.continuo_version ?? ''} from results.db alone. The page loads nothing from other places.`,
      ),
    ),
    player.dock,
  );

  // The link of the section that is being read.
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const [id, link] of links) link.classList.toggle('here', id === entry.target.id);
        const link = links.get(entry.target.id);
        link.parentElement.scrollTo({
          left: link.offsetLeft - link.parentElement.clientWidth / 2 + link.offsetWidth / 2,
        });
      }
    },
    {rootMargin: '-30% 0px -65% 0px'},
  );
  for (const section of body) if (section) observer.observe(section);
  for (const [id, link] of links) if (!document.getElementById(id)) link.remove();
  addEventListener('beforeprint', () => {
    for (const details of document.querySelectorAll('details'))
      details.open ||= !details.classList.contains('screen-only');
  });
  window.continuoReport = {player, store, study}; // for tests and the curious
}

const page = document.getElementById('page');
let json = null;
try {
  json = JSON.parse(document.getElementById('study').textContent);
} catch {
  /* reported below */
}
if (json === null)
  replace(
    page,
    h('p', {}, 'This page has no results. “continuo report” makes a page with results.'),
  );
else start(readStudy(json));
