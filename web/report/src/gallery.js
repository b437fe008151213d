// Pieces as small piano rolls that play.
import {h, whenSeen} from './dom.js';
import {playButton} from './player.js';
import {drawThumbnail} from './roll.js';
import {onTheme} from './theme.js';

const kMost = 60; // of a set, drawn at once

export const pieceName = (piece) =>
  `${piece.owner.name} · ${piece.owner.pieces.length > 1 || piece.owner.kind === 'real' ? `piece ${piece.number + 1}` : 'continuation'}`;

/** A piano roll of the whole piece; drawn when it comes into view. */
export function thumbnail(piece, props = {}) {
  const canvas = h('canvas', {class: 'thumb', 'aria-hidden': true, ...props});
  if (!piece.playable) return canvas;
  let seen = false;
  const draw = () => {
    if (seen && canvas.isConnected) drawThumbnail(canvas, piece.line());
  };
  whenSeen(canvas, () => {
    seen = true;
    draw();
  });
  onTheme(draw);
  new ResizeObserver(draw).observe(canvas);
  return canvas;
}

/** A card: roll, button, and what else there is to say. */
export function card(
  player,
  piece,
  {title, lines = [], blind = false, name = pieceName(piece), extra} = {},
) {
  return h(
    'div',
    {class: 'card'},
    thumbnail(
      piece,
      piece.playable ? {onclick: () => player.play(piece, name, blind), class: 'thumb plays'} : {},
    ),
    h(
      'div',
      {class: 'about'},
      playButton(player, piece, name, null, blind),
      h(
        'div',
        {class: 'says'},
        title && h('b', {}, title),
        lines.map((line) => h('span', {}, line)),
      ),
      extra,
    ),
  );
}

/** The pieces of a set that can be played. */
export function gallery(player, set) {
  const pieces = set.pieces.filter((piece) => piece.playable).slice(0, kMost);
  return h(
    'div',
    {},
    h(
      'div',
      {class: 'gallery'},
      pieces.map((piece) =>
        card(player, piece, {
          title: set.kind === 'real' ? piece.name : `${piece.number + 1}`,
          lines: [
            [
              piece.bars !== null && `${piece.bars} bars`,
              piece.notes !== null && `${piece.notes} notes`,
            ]
              .filter(Boolean)
              .join(', '),
          ],
        }),
      ),
    ),
    set.pieces.length > pieces.length &&
      h(
        'p',
        {class: 'note'},
        `${pieces.length} of ${set.pieces.length} pieces can be played in this page.`,
      ),
  );
}
