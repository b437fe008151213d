import {useEffect, useRef, useState} from 'preact/hooks';
import type {Studio, Take, TakeSet} from '../studio.ts';
import type {Note} from '../midi.ts';
import {analyse} from '../song.ts';
import {onTheme} from '../theme.ts';
import {saveBytes} from '../files.ts';
import {kShippedModel} from '../command.ts';
import {fileName, kUnranked} from '../studio.ts';
import {Icon} from './icons.tsx';
import {IconButton} from './parts.tsx';

export function titleOf(set: TakeSet): string {
  if (set.task === 'generate') return `New piece, ${set.bars} bars`;
  if (set.task === 'continue') {
    return `Bars ${set.promptBars + 1}–${set.promptBars + set.bars}, continued`;
  }
  return set.first === set.last
    ? `Bar ${set.first}, rewritten`
    : `Bars ${set.first}–${set.last}, rewritten`;
}

export function Takes({studio}: {studio: Studio}) {
  const sets = studio.sets.value;
  const set = studio.setOf(studio.activeSet.value);
  if (!set) return null;
  const looking = studio.looking.value;
  return (
    <section class="takes" aria-label="Takes">
      <header>
        {sets.length > 1 ? (
          <select
            aria-label="Which takes"
            value={set.id}
            disabled={studio.busy.value}
            onChange={(event) => {
              studio.leaveTake();
              studio.activeSet.value = event.currentTarget.value;
            }}
          >
            {[...sets].reverse().map((one, i) => (
              <option key={one.id} value={one.id}>
                {titleOf(one)}
                {i === 0 ? '' : ` (earlier)`}
              </option>
            ))}
          </select>
        ) : (
          <h2>{titleOf(set)}</h2>
        )}
        <Settings set={set} />
        <span class="grow" />
        {looking && !studio.busy.value && (
          <button type="button" class="quiet" onClick={() => studio.leaveTake()}>
            Back to the piece <kbd>Esc</kbd>
          </button>
        )}
        {!set.running && (
          <IconButton
            icon="trash"
            label="Delete these takes"
            onClick={() => studio.removeSet(set.id)}
          />
        )}
      </header>
      <ol class="cards">
        {set.takes.map((take, place) => (
          <Card
            key={`${set.id}-${take.index}`}
            studio={studio}
            set={set}
            take={take}
            place={place}
          />
        ))}
      </ol>
    </section>
  );
}

function Settings({set}: {set: TakeSet}) {
  const {options} = set;
  const words = [`seed ${options.seed ?? 1}`];
  if (options.temperature !== undefined) words.push(`boldness ${options.temperature}`);
  if (options.topP !== undefined) words.push(`top-p ${options.topP}`);
  if (options.topK !== undefined) words.push(`top-k ${options.topK}`);
  if (options.bpm !== undefined) words.push(`${options.bpm} bpm`);
  if (options.tempo === 'free') words.push('free tempo');
  if (options.chords) words.push(options.chords);
  if (options.form) words.push(options.form);
  if (options.recall !== undefined) words.push(`recall ${options.recall}`);
  const {scale, range, grid, maxNotes, maxPolyphony} = options;
  words.push(...[scale ?? [], range ?? []].flat());
  words.push(...[grid ?? []].flat().map((parts) => `grid ${parts}`));
  words.push(...[maxNotes ?? []].flat().map((most) => `${most} notes a bar`));
  words.push(...[maxPolyphony ?? []].flat().map((most) => `${most} at once`));
  if (options.keepTop) words.push('melody kept');
  return <span class="settings">{words.join(' · ')}</span>;
}

function Card({
  studio,
  set,
  take,
  place,
}: {
  studio: Studio;
  set: TakeSet;
  take: Take;
  place: number;
}) {
  // A set and its takes change in place, of which this tells.
  void studio.sets.value;
  const looking = studio.looking.value?.set === set.id && studio.looking.value.index === take.index;
  const kept = set.kept === take.index;
  const playing = looking && studio.playing.value;
  const [copied, setCopied] = useState(false);
  const goal =
    set.task === 'generate'
      ? set.bars
      : set.task === 'continue'
        ? set.promptBars + set.bars
        : set.last;
  const from =
    set.task === 'generate' ? 0 : set.task === 'continue' ? set.promptBars : set.first - 1;
  const done = Math.max(0, take.bars - from);
  const name = `Take ${place + 1}`;
  const best = set.task === 'fill' && !set.running && take.rank === 0 && set.takes.length > 1;
  const copy = async () => {
    const {command, file} = studio.command(set, take);
    const text = `${command}    # writes it as ${file}`;
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 2500);
      const reads: string[] = [];
      if (set.source)
        reads.push(`It reads ${set.sourceName}: save that file with “Source” on the take.`);
      if (set.model !== kShippedModel)
        reads.push(`It takes the model ${set.model} from the folder in which it runs.`);
      if (reads.length) studio.say('note', 'Command copied.', reads.join(' '));
    } catch {
      studio.say('note', 'Copy this command:', text);
    }
  };
  return (
    <li class={`card ${looking ? 'looking' : ''} ${kept ? 'kept' : ''}`} data-take={place + 1}>
      <button
        type="button"
        class="face"
        aria-label={`${name}${best ? ', the best fit' : ''}${kept ? ', kept' : ''}: show it`}
        title={best ? 'The model finds the bars that follow likeliest after this take.' : undefined}
        aria-pressed={looking}
        onClick={() => studio.look(set.id, take.index)}
        onDblClick={() => studio.keep(set.id, take.index)}
      >
        <Thumbnail
          studio={studio}
          set={set}
          take={take}
          running={set.running}
          notes={take.midi ? -1 : take.live.length}
        />
        {best && <span class="best">best fit</span>}
        {set.running && !take.midi && (
          <span class="progress" style={{width: `${(100 * done) / Math.max(1, goal - from)}%`}} />
        )}
      </button>
      {!(set.running && !take.midi) && (
        <div class="extras">
          {!take.stopped && take.rank !== kUnranked && (
            <IconButton
              icon={copied ? 'check' : 'copy'}
              label={`Copy the command line of ${name}`}
              onClick={() => void copy()}
            />
          )}
          {set.source && (
            <IconButton
              icon="open"
              label={`Save the source of ${name}: ${set.sourceName}`}
              onClick={() => saveBytes(set.source!, set.sourceName, 'audio/midi')}
            />
          )}
          <IconButton
            icon="save"
            label={`Save ${name} as MIDI`}
            onClick={() =>
              saveBytes(
                take.midi!,
                `${fileName(studio.title.value)}-take-${place + 1}.mid`,
                'audio/midi',
              )
            }
          />
        </div>
      )}
      <div class="foot">
        <button
          type="button"
          class="round small"
          aria-label={playing ? `Pause ${name}` : `Play ${name}`}
          onClick={() => (playing ? studio.player.pause() : studio.look(set.id, take.index, true))}
        >
          <Icon name={playing ? 'pause' : 'play'} />
        </button>
        <span class="name">
          {name}
          <kbd>{place + 1}</kbd>
        </span>
        <span class="grow" />
        {set.running && !take.midi ? (
          <small>
            {done} of {goal - from}
          </small>
        ) : (
          <>
            {take.stopped && (
              <small title="Stopped: only its complete bars are kept">stopped</small>
            )}
            {kept ? (
              <span class="kept-mark">
                <Icon name="check" />
                Kept
              </span>
            ) : (
              <button
                type="button"
                class="keep"
                disabled={studio.busy.value}
                onClick={() => studio.keep(set.id, take.index)}
              >
                Keep
              </button>
            )}
          </>
        )}
      </div>
    </li>
  );
}

/** Drawn again when `running` or `notes` changes. */
function Thumbnail(props: {
  studio: Studio;
  set: TakeSet;
  take: Take;
  running: boolean;
  notes: number;
}) {
  const {studio, set, take, running, notes} = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const draw = () => canvas.current && drawThumbnail(canvas.current, studio, set, take);
    draw();
    const off = onTheme(draw);
    const observer = new ResizeObserver(draw);
    observer.observe(canvas.current!);
    return () => {
      off();
      observer.disconnect();
    };
  }, [take, running, notes]);
  return <canvas ref={canvas} class="thumbnail" aria-hidden="true" />;
}

function drawThumbnail(canvas: HTMLCanvasElement, studio: Studio, set: TakeSet, take: Take): void {
  const box = canvas.getBoundingClientRect();
  const ratio = Math.min(3, devicePixelRatio || 1);
  if (box.width === 0) return;
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  const c = canvas.getContext('2d')!;
  c.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const song = studio.songOf(take);
  const fresh = studio.freshBars(set);
  const isNew = studio.isNew(set);
  interface Dot {
    tick: number;
    end: number;
    pitch: number;
    velocity: number;
  }
  let notes: readonly (Dot | Note)[];
  let from = 0;
  let to: number;
  let freshFrom = 0;
  let freshTo = Infinity;
  const analysis = analyse(song ?? studio.song.value);
  if (song) {
    notes = song.notes;
    to = analysis.bar(Math.max(0, analysis.barCount - 1)).end;
  } else {
    notes = take.live.map(({note}) => ({
      tick: note.time,
      end: note.time + note.duration,
      pitch: note.pitch,
      velocity: note.velocity,
    }));
    to =
      set.task === 'generate'
        ? set.bars * 4 * (studio.info.value?.model.ticksPerQuarter ?? 480)
        : 0;
  }
  if (fresh) {
    // With two bars around the new ones.
    freshFrom = analysis.bar(fresh.first).tick;
    freshTo = analysis.bar(fresh.last).end;
    from = analysis.bar(Math.max(0, fresh.first - 2)).tick;
    to = set.task === 'fill' ? analysis.bar(fresh.last + 2).tick : freshTo;
    notes = notes.filter((note) => note.end > from && note.tick < to);
  }
  if (notes.length > 4000) notes = notes.slice(0, 4000);
  let low = 127;
  let high = 0;
  for (const {pitch} of notes) {
    low = Math.min(low, pitch);
    high = Math.max(high, pitch);
  }
  const middle = (low + high) / 2;
  const half = Math.max(14, (high - low) / 2 + 1);
  const row = (box.height - 6) / (2 * half);
  const scale = box.width / Math.max(1, to - from);
  if (fresh) {
    c.globalAlpha = 0.1;
    c.fillStyle = color('--warm');
    c.fillRect((freshFrom - from) * scale, 0, (freshTo - freshFrom) * scale, box.height);
  }
  for (const note of notes) {
    const stays = 'id' in note && !isNew(note);
    const isFresh = !fresh || (note.tick >= freshFrom && note.tick < freshTo && !stays);
    c.globalAlpha = 0.4 + (0.6 * note.velocity) / 127;
    c.fillStyle = isFresh ? color(fresh ? '--warm' : '--accent') : color('--muted');
    c.fillRect(
      (note.tick - from) * scale,
      3 + (middle + half - note.pitch - 0.5) * row,
      Math.max(1.2, (note.end - note.tick) * scale - 0.5),
      Math.max(1.5, row * 0.9),
    );
  }
}
