// What each checkpoint makes of each prompt with each setting. A reader chooses the best of each prompt here.
import {h, icon, replace} from './dom.js';
import {card} from './gallery.js';
import {format} from './study.js';

const knobs = (sampling) =>
  [
    ['top_k', 'top-k'],
    ['top_p', 'top-p'],
    ['temperature', 'temperature'],
    ['repetition_penalty', 'penalty'],
  ]
    .filter(
      ([key]) =>
        sampling[key] !== undefined &&
        !(key === 'top_p' && sampling[key] === 1) &&
        !(key === 'top_k' && sampling[key] === 0),
    )
    .map(([key, name]) => `${name} ${sampling[key]}`)
    .join(', ');

export function continuations(study, player, store) {
  const ofSetting = (setting) => study.continuations.find((set) => set.setting === setting);
  return study.prompts.map((prompt) => {
    const sets = study.continuations.filter((set) => set.prompt === prompt);
    const stars = [];
    const cell = (checkpoint, setting) => {
      const set = sets.find((one) => one.checkpoint === checkpoint && one.setting === setting);
      const piece = set?.pieces[0];
      if (!piece)
        return h(
          'div',
          {class: 'card empty'},
          h('span', {class: 'setting'}, setting),
          h('small', {}, set?.status ?? 'not asked for'),
        );
      const star = h(
        'button',
        {
          class: 'plain star',
          'aria-pressed': false,
          title: `Choose as the best of ${prompt}`,
          'aria-label': `Choose ${set.name} as the best`,
          onclick: () => {
            const known = store.choices.get(prompt);
            const same = known?.set === piece.set && known?.number === piece.number;
            store.choose(prompt, same ? null : piece, same ? '' : (known?.note ?? ''));
          },
        },
        icon('star'),
      );
      stars.push([star, piece]);
      return card(player, piece, {
        name: set.name,
        title: setting,
        lines: [
          study.mainMetrics
            .map((metric) => `${metric} ${format(metric, piece.value(metric))}`)
            .join(' · '),
        ],
        extra: star,
      });
    };
    const bestLine = h('div', {class: 'best-line screen-only'});
    const note = h('input', {
      type: 'text',
      maxlength: 2000,
      placeholder: 'Why? A note for the record',
      'aria-label': `Why this is the best of ${prompt}`,
      onchange: () => {
        const known = store.choices.get(prompt);
        if (known) store.choose(prompt, known, note.value);
      },
    });
    const show = () => {
      const known = store.choices.get(prompt);
      for (const [star, piece] of stars) {
        const on = known?.set === piece.set && known?.number === piece.number;
        star.setAttribute('aria-pressed', on);
        star.closest('.card').classList.toggle('chosen', on);
      }
      if (document.activeElement !== note) note.value = known?.note ?? '';
      replace(
        bestLine,
        known
          ? ['Best: ', h('b', {}, study.find(known).owner.name.replace(`${prompt} · `, '')), note]
          : h('span', {class: 'muted'}, 'The star on a card makes it the best of this prompt.'),
      );
    };
    const block = h(
      'div',
      {class: 'prompt', 'data-prompt': prompt},
      h('h3', {}, `Prompt ${prompt}`),
      h(
        'div',
        {class: 'continuations-grid', style: {'--columns': study.settings.length}},
        h('div', {class: 'corner'}),
        study.settings.map((setting) =>
          h(
            'div',
            {class: 'column-head'},
            h('b', {}, setting),
            h('small', {}, knobs(ofSetting(setting).sampling)),
          ),
        ),
        study.checkpoints.map((checkpoint) => [
          h('div', {class: 'row-head'}, checkpoint),
          study.settings.map((setting) => cell(checkpoint, setting)),
        ]),
      ),
      bestLine,
    );
    store.listeners.push(show);
    show();
    return block;
  });
}
