import {useEffect, useRef, useState} from 'preact/hooks';
import {loadChunk} from '../chunks.ts';
import type {Inspection} from '../inspection.ts';
import type {StoredPiece} from '../store.ts';
import type {Studio} from '../studio.ts';
import {Icon} from './icons.tsx';
import {Dialog, IconButton, clock} from './parts.tsx';

export function PiecesDialog({studio, onClose}: {studio: Studio; onClose: () => void}) {
  const [pieces, setPieces] = useState<StoredPiece[] | null>(null);
  const list = async () => {
    await studio.save();
    setPieces(await studio.store.list().catch(() => []));
  };
  useEffect(() => void list(), []);
  return (
    <Dialog title="Your pieces" onClose={onClose} class="pieces">
      <p class="note">They are kept in this browser only. Save what matters as a file, too.</p>
      <ul>
        {pieces?.map((piece) => (
          <li key={piece.id} aria-current={piece.id === studio.pieceId.value ? 'true' : undefined}>
            <button
              type="button"
              class="entry"
              onClick={() => {
                if (piece.id !== studio.pieceId.value) void studio.openStored(piece);
                onClose();
              }}
            >
              <strong>{piece.title || 'Untitled'}</strong>
              <small>
                {piece.bars} bars · {clock(piece.seconds)} ·{' '}
                {new Date(piece.updated).toLocaleString()}
                {piece.id === studio.pieceId.value ? ' · open' : ''}
              </small>
            </button>
            {piece.id !== studio.pieceId.value && (
              <IconButton
                icon="trash"
                label={`Delete ${piece.title}`}
                onClick={() => void studio.store.remove(piece.id).then(list)}
              />
            )}
          </li>
        ))}
      </ul>
      {pieces?.length === 0 && <p class="note">None yet.</p>}
      <button
        type="button"
        class="secondary"
        onClick={() => {
          void studio.fresh();
          onClose();
        }}
      >
        <Icon name="plus" />
        Empty piece
      </button>
    </Dialog>
  );
}

const kHelp: [string, [string, string][]][] = [
  [
    'Listen',
    [
      ['Space', 'play, pause'],
      ['Home', 'to the start'],
      ['← →', 'a beat back or on, if no note is selected'],
      ['L', 'loop the selected bars, or the piece'],
      ['M', 'metronome'],
      ['F', 'follow playback'],
    ],
  ],
  [
    'Write',
    [
      ['N', 'write a new piece'],
      ['C', 'continue the piece, after the selected bars'],
      ['W', 'write the selected bars again'],
      ['1 … 8', 'show a take'],
      ['K', 'keep the take'],
      ['Esc', 'stop writing; back to the piece'],
    ],
  ],
  [
    'Edit',
    [
      ['V, D', 'select, draw'],
      [', .', 'to the note before or after'],
      ['← → ↑ ↓', 'move the selected notes; with Shift by a bar or an octave'],
      ['Alt ↑ ↓', 'louder, softer'],
      ['Alt ← →', 'shorter, longer'],
      ['Del', 'delete'],
      ['Ctrl A', 'select all, or the selected bars'],
      ['Ctrl C X V', 'copy, cut, paste at the playhead'],
      ['Ctrl Z, Y', 'undo, redo'],
      ['[ ]', 'select the bar before or after; with Shift extend'],
      ['R', 'record'],
    ],
  ],
  [
    'View',
    [
      ['+ −', 'zoom'],
      ['0', 'show all'],
      ['Wheel', 'scroll; with Ctrl zoom, with Shift up and down'],
      ['Ctrl S, O', 'save as MIDI, open'],
      ['?', 'this list'],
    ],
  ],
];

export function HelpDialog({studio, onClose}: {studio: Studio; onClose: () => void}) {
  const info = studio.info.value;
  return (
    <Dialog title="Keys and help" onClose={onClose} class="help">
      <div class="columns">
        {kHelp.map(([title, rows]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {rows.map(([keys, text]) => (
                <div key={keys}>
                  <dt>
                    <kbd>{keys}</kbd>
                  </dt>
                  <dd>{text}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p class="note">
        Drag over the bar numbers to select bars, over the notes to select notes; double-click to
        add a note; drag below the notes to change velocities. Nothing leaves this machine.
        {info
          ? ` Engine: ${info.where}, model ${info.model.name} (${info.model.sha256.slice(0, 12)}).`
          : ''}
      </p>
    </Dialog>
  );
}

interface Osmd {
  load(xml: Document): Promise<unknown>;
  render(): void;
  zoom: number;
}

export function SheetDialog({
  studio,
  inspection,
  onClose,
}: {
  studio: Studio;
  inspection: Inspection;
  onClose: () => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [state, setState] = useState('Writing the sheet music …');
  useEffect(() => {
    let wanted = true;
    void (async () => {
      try {
        const xml = await inspection.musicXml(studio.shown.value);
        const OpenSheetMusicDisplay =
          await loadChunk<new (box: HTMLElement, options: object) => Osmd>('chunk-sheet');
        if (!wanted || !box.current) return;
        const display = new OpenSheetMusicDisplay(box.current, {
          backend: 'svg',
          autoResize: false,
          drawPartNames: false,
          drawingParameters: 'compacttight',
          drawTitle: true,
        });
        await display.load(new DOMParser().parseFromString(xml, 'application/xml'));
        if (!wanted) return;
        display.zoom = box.current.clientWidth < 700 ? 0.55 : 0.8;
        display.render();
        setState('');
      } catch (error) {
        setState(error instanceof Error ? error.message : String(error));
      }
    })();
    return () => {
      wanted = false;
    };
  }, []);
  return (
    <Dialog title="Sheet music" onClose={onClose} class="sheet">
      {state && <p class="note">{state}</p>}
      <div
        ref={box}
        class="paper"
        role="img"
        aria-label={`Sheet music of ${studio.title.value}`}
        tabIndex={0}
      />
    </Dialog>
  );
}
