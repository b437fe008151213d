import {useEffect, useRef, useState} from 'preact/hooks';
import {Inspection} from '../inspection.ts';
import {installKeys} from '../keys.ts';
import {Recorder} from '../recorder.ts';
import type {Roll} from '../roll.ts';
import {pitchName, placeName} from '../song.ts';
import type {Panel, Studio} from '../studio.ts';
import {ComposePanel} from './compose.tsx';
import {HelpDialog, PiecesDialog, SheetDialog} from './dialogs.tsx';
import {Icon} from './icons.tsx';
import {InspectPanel} from './inspect.tsx';
import {IconButton, groupKeys} from './parts.tsx';
import {PlayPanel} from './play.tsx';
import {RollView} from './roll_view.tsx';
import {SoundPanel} from './sound.tsx';
import {Takes} from './takes.tsx';
import {TopBar} from './topbar.tsx';
import {Transport} from './transport.tsx';

const kPanels: [Panel, string][] = [
  ['compose', 'Compose'],
  ['play', 'Play'],
  ['inspect', 'Inspect'],
  ['sound', 'Sound'],
];

export interface Parts {
  studio: Studio;
  inspection: Inspection;
  recorder: Recorder;
  roll?: Roll;
}

export function App({parts}: {parts: Parts}) {
  const {studio, inspection, recorder} = parts;
  const [dialog, setDialog] = useState<'pieces' | 'help' | 'sheet' | null>(null);
  const [dropping, setDropping] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const open = () => picker.current!.click();
  useEffect(() => {
    const off = installKeys(parts, {open, help: () => setDialog('help')});
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      setDropping(true);
    };
    const drop = (event: DragEvent) => {
      event.preventDefault();
      setDropping(false);
      const file = event.dataTransfer?.files[0];
      if (!file) return;
      if (/\.(sf2|sf3|dls)$/i.test(file.name)) void recorder.useSoundFont(file);
      else void studio.openFile(file);
    };
    const leave = (event: DragEvent) => {
      if (!event.relatedTarget) setDropping(false);
    };
    addEventListener('dragover', over);
    addEventListener('drop', drop);
    addEventListener('dragleave', leave);
    return () => {
      off();
      removeEventListener('dragover', over);
      removeEventListener('drop', drop);
      removeEventListener('dragleave', leave);
    };
  }, []);
  const panel = studio.panel.value;
  return (
    <div class="app">
      <TopBar
        studio={studio}
        inspection={inspection}
        open={open}
        pieces={() => setDialog('pieces')}
        help={() => setDialog('help')}
      />
      <main class="stage" aria-label="Music">
        <div class="roll-box">
          <RollView
            studio={studio}
            inspection={inspection}
            onRoll={(roll) => (parts.roll = roll)}
          />
          {studio.isEmpty.value && <Start studio={studio} open={open} />}
          {!studio.readOnly && !studio.busy.value && (
            <BarChip studio={studio} low={inspection.chords.value.length > 0} />
          )}
          {!studio.readOnly && studio.selection.value.size > 0 && <NoteChip studio={studio} />}
          {studio.readOnly && !studio.recording.value && (
            <Banner studio={studio} low={inspection.chords.value.length > 0} />
          )}
        </div>
        <Takes studio={studio} />
      </main>
      <aside class="panel" aria-label="Tools">
        <div class="tabs" role="tablist" aria-label="Tools" onKeyDown={groupKeys}>
          {kPanels.map(([id, text]) => (
            <button
              type="button"
              key={id}
              role="tab"
              id={`tab-${id}`}
              aria-selected={panel === id}
              tabIndex={panel === id ? 0 : -1}
              aria-controls="tool"
              onClick={() => (studio.panel.value = id)}
            >
              {text}
            </button>
          ))}
        </div>
        <div class="tool" id="tool" role="tabpanel" aria-labelledby={`tab-${panel}`}>
          {panel === 'compose' && <ComposePanel studio={studio} inspection={inspection} />}
          {panel === 'play' && <PlayPanel studio={studio} recorder={recorder} />}
          {panel === 'inspect' && (
            <InspectPanel
              studio={studio}
              inspection={inspection}
              openSheet={() => setDialog('sheet')}
            />
          )}
          {panel === 'sound' && <SoundPanel studio={studio} recorder={recorder} />}
        </div>
        <EngineLine studio={studio} />
      </aside>
      <Transport studio={studio} recorder={recorder} roll={() => parts.roll} />
      <input
        ref={picker}
        type="file"
        class="visually-hidden"
        id="file"
        tabIndex={-1}
        aria-label="Open a file"
        accept=".mid,.midi,.kar,.rmi,.musicxml,.xml,.mxl,.json,audio/midi"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          event.currentTarget.value = '';
          if (file) void studio.openFile(file);
        }}
      />
      {dropping && (
        <div class="dropping">Drop a MIDI file, sheet music, a session, or a SoundFont</div>
      )}
      <div class="messages">
        {studio.messages.value.map((message) => (
          <div
            key={message.id}
            class={`message ${message.kind}`}
            role={message.kind === 'error' ? 'alert' : 'status'}
          >
            <p>
              <strong>{message.text}</strong> {message.hint}
            </p>
            <IconButton icon="close" label="Dismiss" onClick={() => studio.dismiss(message.id)} />
          </div>
        ))}
      </div>
      <div class="visually-hidden" role="status" aria-live="polite">
        {studio.announcement.value}
      </div>
      {dialog === 'pieces' && <PiecesDialog studio={studio} onClose={() => setDialog(null)} />}
      {dialog === 'help' && <HelpDialog studio={studio} onClose={() => setDialog(null)} />}
      {dialog === 'sheet' && (
        <SheetDialog studio={studio} inspection={inspection} onClose={() => setDialog(null)} />
      )}
    </div>
  );
}

function Start({studio, open}: {studio: Studio; open: () => void}) {
  const ready = studio.engine.value !== null;
  return (
    <div class="start">
      <h2>What shall we play?</h2>
      <button
        type="button"
        class="primary big"
        id="new-piece"
        disabled={!ready}
        onClick={() => void studio.writeNewPiece()}
      >
        <Icon name="spark" />
        Write a new piece
      </button>
      <p>It plays while it is being written.</p>
      <div class="buttons">
        <button type="button" class="secondary" onClick={open}>
          <Icon name="open" />
          Open MIDI or MusicXML
        </button>
        <button type="button" class="secondary" onClick={() => void studio.openExample()}>
          <Icon name="play" />
          Try the example
        </button>
        <button
          type="button"
          class="secondary"
          onClick={() => {
            studio.tool.value = 'draw';
            studio.drawing.value = true;
          }}
        >
          <Icon name="pencil" />
          Draw notes
        </button>
      </div>
    </div>
  );
}

/** Says that what is seen is a take. */
function Banner({studio, low}: {studio: Studio; low: boolean}) {
  const looking = studio.looking.value;
  const set = studio.setOf(looking?.set ?? null);
  if (!looking || !set) return null;
  const place = set.takes.findIndex((take) => take.index === looking.index) + 1;
  return (
    <div class={low ? 'banner low' : 'banner'}>
      <span>{studio.busy.value ? `Writing take ${place} …` : `Take ${place}`}</span>
      {studio.busy.value ? (
        <button type="button" onClick={() => studio.stop()}>
          Stop <kbd>Esc</kbd>
        </button>
      ) : (
        <button type="button" onClick={() => studio.keepLooking()}>
          Keep <kbd>K</kbd>
        </button>
      )}
    </div>
  );
}

/** What can be done with the selected bars. */
function BarChip({studio, low}: {studio: Studio; low: boolean}) {
  const range = studio.bars.value;
  const {barCount} = studio.analysis.value;
  if (!range || !studio.engine.value || range.first >= barCount) return null;
  const last = Math.min(range.last + 1, barCount);
  const name = range.first + 1 === last ? `Bar ${last}` : `Bars ${range.first + 1}–${last}`;
  const write = (task: 'fill' | 'continue') => {
    studio.setForm({task});
    void studio.compose(task);
  };
  return (
    <div class={low ? 'banner quiet-banner low' : 'banner quiet-banner'}>
      <span>{name}</span>
      <button type="button" onClick={() => write('fill')}>
        Rewrite <kbd>W</kbd>
      </button>
      <button type="button" onClick={() => write('continue')}>
        Continue after <kbd>C</kbd>
      </button>
      <IconButton
        icon="close"
        label="Select no bars"
        keys="Escape"
        onClick={() => (studio.bars.value = null)}
      />
    </div>
  );
}

/** What can be done with the selected notes, also without a keyboard. */
function NoteChip({studio}: {studio: Studio}) {
  const ids = studio.selection.value;
  const notes = studio.shown.value.notes.filter((note) => ids.has(note.id));
  if (notes.length === 0) return null;
  const mean = Math.round(notes.reduce((sum, note) => sum + note.velocity, 0) / notes.length);
  return (
    <div class="note-chip">
      <span>
        {notes.length === 1
          ? `${pitchName(notes[0].pitch)}, ${placeName(studio.analysis.value, notes[0].tick)}`
          : `${notes.length} notes`}
      </span>
      <label>
        <span class="visually-hidden">Velocity of the selected notes</span>
        <input
          type="range"
          min={1}
          max={127}
          value={mean}
          title={`Velocity ${mean}`}
          onChange={(event) => {
            const by = Number(event.currentTarget.value) - mean;
            studio.change(ids, (note) => ({velocity: note.velocity + by}), 'Velocity');
          }}
        />
      </label>
      <output>{mean}</output>
      <IconButton
        icon="trash"
        label="Delete the selected notes"
        keys="Delete"
        onClick={() => studio.deleteSelected()}
      />
    </div>
  );
}

function EngineLine({studio}: {studio: Studio}) {
  const info = studio.info.value;
  const fault = studio.engineFault.value;
  const pace = studio.pace.value;
  const before = studio.waitingBefore.value;
  if (fault) {
    return (
      <div class="engine fault" role="status">
        <span>
          {fault.message} {fault.hint}
        </span>
        <button type="button" class="quiet" onClick={() => void studio.connect()}>
          Try again
        </button>
      </div>
    );
  }
  return (
    <div
      class="engine"
      role="status"
      title={info ? `Model ${info.model.name}, ${info.model.sha256.slice(0, 12)}` : ''}
    >
      <i class={studio.busy.value ? 'lamp busy' : info ? 'lamp on' : 'lamp'} />
      <span>
        {info
          ? `${info.kind === 'wasm' ? 'Inside this page' : 'Server'} · ${info.model.name}`
          : 'Looking for the engine …'}
        {before > 0 && studio.busy.value ? ` · ${before} waiting` : ''}
      </span>
      <span class="grow" />
      {pace && (
        <span id="pace" title={`The first bar took ${Math.round(pace.first)} ms`}>
          {pace.each < 10
            ? `${pace.each.toFixed(1)} ms`
            : pace.each < 1000
              ? `${Math.round(pace.each)} ms`
              : `${(pace.each / 1000).toFixed(1)} s`}{' '}
          a bar
        </span>
      )}
    </div>
  );
}
