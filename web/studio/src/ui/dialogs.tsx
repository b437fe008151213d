import {useEffect, useRef, useState} from 'preact/hooks';
import {loadChunk} from '../chunks.ts';
import {kMusicXmlType, saveBytes} from '../files.ts';
import type {Inspection, SmallestNote} from '../inspection.ts';
import {analyse} from '../song.ts';
import type {StoredPiece} from '../store.ts';
import {fileName, type Studio} from '../studio.ts';
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
                onClick={() => void studio.remove(piece.id).then(list)}
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

const kSmallest = [
  [16, 'sixteenth'],
  [32, '32nd'],
  [64, '64th'],
] as const;

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
  const [state, setState] = useState('');
  // What people play reads best in round values.
  const [smallest, setSmallest] = useState<SmallestNote>(16);
  const [xml, setXml] = useState('');
  useEffect(() => {
    let wanted = true;
    setState('Writing the sheet music …');
    setXml('');
    void (async () => {
      try {
        const song = studio.shown.value;
        const text = await inspection.musicXml(song, smallest);
        const OpenSheetMusicDisplay =
          await loadChunk<new (box: HTMLElement, options: object) => Osmd>('chunk-sheet');
        if (!wanted || !box.current) return;
        box.current.replaceChildren();
        const narrow = box.current.clientWidth < 700;
        const display = new OpenSheetMusicDisplay(box.current, {
          backend: 'svg',
          autoResize: false,
          drawPartNames: !narrow && analyse(song).tracks.filter(({notes}) => notes).length > 1,
          drawingParameters: 'compact',
          drawTitle: true,
        });
        await display.load(new DOMParser().parseFromString(text, 'application/xml'));
        if (!wanted) return;
        display.zoom = narrow ? 0.55 : 0.8;
        display.render();
        setXml(text);
        setState('');
      } catch (error) {
        if (wanted) setState(error instanceof Error ? error.message : String(error));
      }
    })();
    return () => {
      wanted = false;
    };
  }, [smallest]);
  return (
    <Dialog title="Sheet music" onClose={onClose} class="sheet">
      <div class="sheet-tools">
        <label>
          Smallest note{' '}
          <select
            value={smallest}
            onChange={(event) => setSmallest(Number(event.currentTarget.value) as SmallestNote)}
          >
            {kSmallest.map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <button
          type="button"
          class="secondary"
          disabled={!xml}
          onClick={() => saveBytes(xml, `${fileName(studio.title.value)}.musicxml`, kMusicXmlType)}
        >
          <Icon name="save" />
          Save as MusicXML
        </button>
      </div>
      {state && (
        <p class="note" role="status">
          {state}
        </p>
      )}
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
