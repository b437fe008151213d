import {useEffect, useRef, useState} from 'preact/hooks';
import {kMusicXmlType, saveBytes} from '../files.ts';
import type {Inspection} from '../inspection.ts';
import {fileName, type Studio} from '../studio.ts';
import {switchTheme} from '../theme.ts';
import {renderSong, wavFile} from '../wave.ts';
import {Icon} from './icons.tsx';
import {IconButton} from './parts.tsx';

export function TopBar(props: {
  studio: Studio;
  inspection: Inspection;
  open: () => void;
  pieces: () => void;
  help: () => void;
}) {
  const {studio, inspection} = props;
  const {past, future} = studio.history.value;
  const saved = studio.saved.value;
  return (
    <header class="topbar">
      <span class="brand" aria-hidden="true">
        <svg viewBox="0 0 32 32">
          <rect x="3" y="18" width="9" height="4" rx="2" />
          <rect x="9" y="11" width="12" height="4" rx="2" />
          <rect x="19" y="5" width="10" height="4" rx="2" class="new" />
          <rect x="15" y="24" width="14" height="4" rx="2" class="new" />
        </svg>
      </span>
      <h1 class="visually-hidden">Continuo studio</h1>
      <div class="piece-name">
        <input
          aria-label="Title of the piece"
          value={studio.title.value}
          maxLength={200}
          spellcheck={false}
          onInput={(event) => (studio.title.value = event.currentTarget.value)}
        />
        <small
          data-saved={saved}
          title={
            saved === 'memory'
              ? 'This browser keeps nothing for this page: save your piece as a file.'
              : undefined
          }
        >
          {
            {
              saved: (
                <>
                  saved<span class="rest"> in this browser</span>
                </>
              ),
              saving: 'saving …',
              failed: 'could not be saved in this browser',
              memory: 'not kept by this browser',
            }[saved]
          }
        </small>
      </div>
      <IconButton icon="pieces" label="All pieces" onClick={props.pieces} />
      <span class="grow" />
      <div class="group">
        <IconButton
          icon="undo"
          label={past.length ? `Undo: ${past[past.length - 1].label}` : 'Undo'}
          keys="Control+Z"
          disabled={past.length === 0 || studio.busy.value}
          onClick={() => studio.undo()}
        />
        <IconButton
          icon="redo"
          label={future.length ? `Redo: ${future[0].label}` : 'Redo'}
          keys="Control+Y"
          disabled={future.length === 0 || studio.busy.value}
          onClick={() => studio.redo()}
        />
      </div>
      <button
        type="button"
        class="secondary"
        onClick={props.open}
        aria-label="Open"
        title="Open a MIDI file, sheet music (MusicXML) or a session (Ctrl+O)"
      >
        <Icon name="open" />
        <span class="text">Open</span>
      </button>
      <SaveMenu studio={studio} inspection={inspection} />
      <div class="group">
        <IconButton icon="moon" label="Light or dark" onClick={switchTheme} />
        <IconButton icon="help" label="Keys and help" keys="?" onClick={props.help} />
      </div>
    </header>
  );
}

function SaveMenu({studio, inspection}: {studio: Studio; inspection: Inspection}) {
  const [open, setOpen] = useState(false);
  const [rendering, setRendering] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const close = (event: Event) => {
      if (
        event instanceof KeyboardEvent
          ? event.key === 'Escape'
          : !box.current!.contains(event.target as Node)
      )
        setOpen(false);
    };
    document.addEventListener('pointerdown', close);
    document.addEventListener('keydown', close);
    box.current!.querySelector<HTMLButtonElement>('[role=menuitem]')?.focus();
    return () => {
      document.removeEventListener('pointerdown', close);
      document.removeEventListener('keydown', close);
    };
  }, [open]);
  const name = fileName(studio.title.value);
  const empty = studio.shown.value.notes.length === 0;
  const item = (text: string, detail: string, run: () => void, disabled = false) => (
    <button
      type="button"
      role="menuitem"
      disabled={disabled}
      onClick={() => {
        setOpen(false);
        run();
      }}
    >
      <strong>{text}</strong>
      <small>{detail}</small>
    </button>
  );
  const wave = async () => {
    setRendering(true);
    try {
      const heard = (track: number) =>
        !studio.muted.value.has(track) &&
        (studio.solo.value.size === 0 || studio.solo.value.has(track));
      saveBytes(wavFile(await renderSong(studio.shown.value, heard)), `${name}.wav`, 'audio/wav');
    } catch (error) {
      studio.report(error, 'The sound could not be rendered.');
    }
    setRendering(false);
  };
  const xml = async () => {
    try {
      saveBytes(await inspection.musicXml(studio.shown.value), `${name}.musicxml`, kMusicXmlType);
    } catch (error) {
      studio.report(error, 'The sheet music could not be written.');
    }
  };
  return (
    <div class="menu" ref={box}>
      <button
        type="button"
        class="secondary"
        aria-label="Save"
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Icon name="save" />
        <span class="text">{rendering ? 'Rendering …' : 'Save'}</span>
      </button>
      {open && (
        <div
          class="menu-list"
          role="menu"
          aria-label="Save"
          onKeyDown={(event) => {
            if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
            event.preventDefault();
            event.stopPropagation();
            const items = [
              ...box.current!.querySelectorAll<HTMLButtonElement>('[role=menuitem]:not(:disabled)'),
            ];
            const at = items.indexOf(document.activeElement as HTMLButtonElement);
            items[
              (at + (event.key === 'ArrowDown' ? 1 : items.length - 1)) % items.length
            ]?.focus();
          }}
        >
          {item(
            'MIDI file',
            `${name}.mid`,
            () => saveBytes(studio.midi(studio.shown.value), `${name}.mid`, 'audio/midi'),
            empty,
          )}
          {item('Sheet music', `${name}.musicxml`, () => void xml(), empty || !studio.engine.value)}
          {item('Sound', `${name}.wav`, () => void wave(), empty || rendering)}
          {item('Session', 'the piece with all its takes', () =>
            saveBytes(studio.sessionFile(), `${name}.continuo.json`, 'application/json'),
          )}
        </div>
      )}
    </div>
  );
}
