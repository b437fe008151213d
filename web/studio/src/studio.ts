// The studio's state and what can be done to it; the components show it.
import {batch, computed, effect, signal, untracked} from '@preact/signals';
import example from 'base64:../../../examples/prompt.mid';
import {fromBase64, toBase64} from './base64.ts';
import {chooseEngine} from './choose_engine.ts';
import {commandOf, courseOf, type HowMade} from './command.ts';
import {
  EngineError,
  type ComposeOptions,
  type ComposeResult,
  type Engine,
  type EngineInfo,
  type Watch,
  type WrittenNote,
} from './engine.ts';
import {kNoLimits, limitOptions, type BarLimits, type Limits} from './limits.ts';
import {MidiError, metaEvent, parseMidi, writeMidi, type Note, type Song} from './midi.ts';
import {Player} from './player.ts';
import type {BarRange} from './roll.ts';
import {isAbort} from './server_engine.ts';
import {
  addNotes,
  analyse,
  changeNotes,
  clamp,
  emptySong,
  makeNote,
  removeNotes,
  settled,
  usualTrack,
  withNotes,
  type NewNote,
  type NoteChange,
} from './song.ts';
import {Store, claim, type StoredPiece, type StoredSet} from './store.ts';

export interface Take {
  index: number;
  /** Complete bars so far, the prompt's included. */
  bars: number;
  live: {bars: number; note: WrittenNote}[];
  midi?: Uint8Array;
  song?: Song;
  nll?: number;
  /** It was stopped: only complete bars, which no command line writes again. */
  stopped?: boolean;
  /** Of a rewriting: its place among the candidates, 0 the best, by which the command line numbers its files; or kUnranked. */
  rank?: number;
}

export interface TakeSet extends HowMade {
  id: string;
  source: Uint8Array | null;
  modelSha256: string;
  takes: Take[];
  running: boolean;
  kept: number | null;
}

/** One step of the history: the song before it, or after it, and what it is called. */
interface Step {
  song: Song;
  label: string;
  /** Of a step that keeps a take: which one, and which one of its set was kept before. */
  kept?: {set: string; now: number; before: number | null};
}

/** `past`: the last step last; `future`: the next one first. */
interface History {
  past: Step[];
  future: Step[];
}

export interface Message {
  id: number;
  kind: 'note' | 'error';
  text: string;
  hint: string;
}

export type Task = 'generate' | 'continue' | 'fill';
export type Panel = 'compose' | 'play' | 'inspect' | 'sound';

export interface ComposeForm {
  task: Task;
  newBars: number;
  moreBars: number;
  count: number;
  temperature: number | null;
  topP: number | null;
  topK: number | null;
  seed: number;
  fixedSeed: boolean;
  tempo: 'keep' | 'free' | 'bpm';
  bpm: number;
  chords: string;
  form: string;
  density: number[] | null;
  loudness: number[] | null;
  /** How much of a bar returns in one that repeats it, 0 to 1. */
  recall: number | null;
  limits: Limits;
  barLimits: readonly BarLimits[];
  keepTop: boolean;
  autoplay: boolean;
}

const kForm: ComposeForm = {
  task: 'continue',
  newBars: 16,
  moreBars: 8,
  count: 4,
  temperature: null,
  topP: null,
  topK: null,
  seed: 1,
  fixedSeed: false,
  tempo: 'keep',
  bpm: 96,
  chords: '',
  form: '',
  density: null,
  loudness: null,
  recall: null,
  limits: kNoLimits,
  barLimits: [],
  keepTop: false,
  autoplay: true,
};

interface WriteRequest {
  bars?: number;
  promptBars?: number;
  first?: number;
  last?: number;
}

/** Of a take whose set was stopped before all candidates were there. */
export const kUnranked = -1;
export const kMostBytes = 64 << 20;
/** A larger file takes seconds to open. */
const kLargeFile = 1 << 20;
const newKey = () => crypto.getRandomValues(new Uint32Array(2)).join('-');
const randomSeed = () => crypto.getRandomValues(new Uint32Array(1))[0] % 1000000;

export class Studio {
  readonly engine = signal<Engine | null>(null);
  readonly info = signal<EngineInfo | null>(null);
  readonly engineFault = signal<EngineError | null>(null);
  /** Milliseconds to the first bar and for each bar, of the last request. */
  readonly pace = signal<{first: number; each: number} | null>(null);

  readonly pieceId = signal('');
  readonly title = signal('Untitled');
  readonly song = signal<Song>(emptySong());
  readonly sets = signal<TakeSet[]>([]);
  readonly activeSet = signal<string | null>(null);
  /** A take that is looked at and listened to, in place of the song. */
  readonly looking = signal<{set: string; index: number} | null>(null);
  readonly liveSong = signal<Song | null>(null);
  readonly history = signal<History>({past: [], future: []});
  readonly selection = signal<ReadonlySet<number>>(new Set());
  readonly bars = signal<BarRange | null>(null);
  readonly tool = signal<'select' | 'draw'>('select');
  readonly snap = signal(0.25);
  readonly follow = signal(true);
  readonly loop = signal(false);
  readonly metronome = signal(false);
  readonly playing = signal(false);
  readonly speed = signal(1);
  readonly volume = signal(0.7);
  readonly muted = signal<ReadonlySet<number>>(new Set());
  readonly solo = signal<ReadonlySet<number>>(new Set());
  readonly drawTrack = signal<number | null>(null);
  readonly busy = signal(false);
  readonly waitingBefore = signal(0);
  readonly form = signal<ComposeForm>(kForm);
  readonly panel = signal<Panel>('compose');
  readonly messages = signal<Message[]>([]);
  readonly announcement = signal('');
  readonly saved = signal<'saved' | 'saving' | 'failed' | 'memory'>('saved');
  /** The start screen: nothing is in the piece, and nothing is being written. */
  readonly isEmpty = computed(
    () =>
      this.shown.value.notes.length === 0 &&
      !this.busy.value &&
      !this.recording.value &&
      !this.drawing.value,
  );
  /** Someone chose to begin with an empty page. */
  readonly drawing = signal(false);
  readonly recording = signal(false);

  readonly shown = computed<Song>(
    () => this.liveSong.value ?? this.lookedAt()?.song ?? this.song.value,
  );
  readonly analysis = computed(() => analyse(this.shown.value));

  readonly player: Player;
  readonly store = new Store();
  private abort: AbortController | undefined;
  /** Settles when nothing is being written. */
  private writing: Promise<unknown> = Promise.resolve();
  private clipboard: {notes: NewNote[]} | undefined;
  private release: () => void = () => {};
  private saveTimer: ReturnType<typeof setTimeout> | undefined;
  private created = Date.now();
  private nextMessage = 1;
  private loaded = false;
  private soundMissed = false;
  /** As it came from a file, until it is edited. */
  private original = new WeakMap<Song, Uint8Array>();
  /** What was in the bars that a set writes again (replacedBy). */
  private readonly replaced = new WeakMap<TakeSet, Map<number, number>>();
  /** Pieces that were left in this page, with what can be undone in them. */
  private readonly left = new Map<string, {song: Song; history: History}>();

  constructor() {
    this.player = new Player(this.analysis.value);
    this.player.onChange = () => (this.playing.value = this.player.playing);
    effect(() => {
      const analysis = this.analysis.value;
      this.player.setSong(analysis, this.horizon() ?? undefined);
    });
    effect(() => {
      const range = this.bars.value;
      const analysis = this.analysis.value;
      this.player.loop = !this.loop.value
        ? undefined
        : range
          ? {from: analysis.bar(range.first).tick, to: analysis.bar(range.last).end}
          : analysis.end > 0
            ? {from: 0, to: analysis.bar(Math.max(0, analysis.barCount - 1)).end}
            : undefined;
    });
    effect(() => {
      this.player.metronome = this.metronome.value;
      this.player.setSpeed(this.speed.value);
      this.player.setVolume(this.volume.value);
    });
    effect(() => {
      this.player.muted = this.muted.value;
      this.player.solo = this.solo.value;
      this.player.updateMutes();
    });
    effect(() => {
      if (this.playing.value) setTimeout(() => this.checkSound(), 2000);
    });
    effect(() => {
      document.title = `${this.title.value || 'Untitled'} · Continuo`;
    });
    effect(() => {
      // What autosave watches.
      void this.song.value;
      void this.title.value;
      void this.sets.value;
      untracked(() => this.saveSoon());
    });
  }

  /** Without a device a browser may let the time of sound stand. */
  private checkSound(): void {
    if (this.soundMissed || !this.player.playing || this.player.sounds) return;
    this.soundMissed = true;
    this.say('note', 'This browser plays no sound.', 'Is there a sound device?');
  }

  // Start.

  async start(): Promise<void> {
    const engine = this.connect();
    await this.store.open();
    if (!this.store.lasts) this.saved.value = 'memory';
    const last = await this.store.lastId().catch(() => undefined);
    const piece =
      last === undefined ? undefined : await this.store.get(last).catch(() => undefined);
    const all = await this.store.list().catch(() => [] as StoredPiece[]);
    // A store may take seconds to open; who has begun meanwhile goes on.
    if (piece && !this.hasBegun()) await this.openStored(piece);
    if (!this.pieceId.value) {
      const id = newKey();
      const title = `Sketch ${all.length + 1}`;
      const {free} = await claim(id);
      if (this.hasBegun()) {
        this.pieceId.value = id;
        this.title.value = title;
      } else this.reset(id, title, emptySong());
      this.created = Date.now();
      this.release = free;
    }
    this.loaded = true;
    this.saveSoon();
    addEventListener('pagehide', () => void this.save());
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) void this.save();
    });
    await engine;
    await this.openGiven();
  }

  private hasBegun(): boolean {
    return (
      this.pieceId.value !== '' ||
      this.busy.value ||
      this.drawing.value ||
      this.recording.value ||
      this.song.value.notes.length > 0 ||
      this.sets.value.length > 0
    );
  }

  /** Opens the file that the engine was started with, once in this tab. */
  private async openGiven(): Promise<void> {
    try {
      const given = await this.engine.value?.opened?.();
      if (!given) return;
      const mark = `${given.name} ${given.midi.length}`;
      if (sessionStorage.getItem('continuo-studio:given') === mark) return;
      sessionStorage.setItem('continuo-studio:given', mark);
      await this.openBytes(given.midi, titleOf(given.name));
    } catch (error) {
      this.report(error, 'The file could not be opened.');
    }
  }

  async connect(): Promise<void> {
    this.engineFault.value = null;
    try {
      const engine = await chooseEngine();
      const info = await engine.info();
      batch(() => {
        this.engine.value = engine;
        this.info.value = info;
      });
    } catch (error) {
      this.engineFault.value =
        error instanceof EngineError ? error : new EngineError(String(error));
    }
  }

  /** An empty piece; the one before stays stored. */
  async fresh(title = ''): Promise<void> {
    await this.leave();
    const id = newKey();
    const all = await this.store.list().catch(() => [] as StoredPiece[]);
    this.reset(id, title || `Sketch ${all.length + 1}`, emptySong());
    this.created = Date.now();
    this.release = (await claim(id)).free;
  }

  /** Leaves a piece that has something in it for an empty one. */
  private async freshIfUsed(): Promise<void> {
    if (this.song.value.notes.length === 0 && this.sets.value.length === 0) return;
    const title = this.title.value;
    await this.fresh();
    this.say('note', `“${title}” is kept under “All pieces”.`);
  }

  /** Writes a new piece; where the engine refuses, the piece that was open is open again. */
  private async writeFresh(bars: number, options: ComposeOptions, play: boolean): Promise<void> {
    const before = this.pieceId.value;
    await this.freshIfUsed();
    if ((await this.write('generate', {bars}, options, play)) || this.pieceId.value === before)
      return;
    const piece = await this.store.get(before).catch(() => undefined);
    if (piece && (await this.openStored(piece))) this.setForm({task: 'generate'});
  }

  private reset(id: string, title: string, song: Song): void {
    this.player.pause();
    batch(() => {
      this.pieceId.value = id;
      this.title.value = title;
      this.song.value = song;
      this.sets.value = [];
      this.activeSet.value = null;
      this.looking.value = null;
      this.liveSong.value = null;
      this.history.value = {past: [], future: []};
      this.selection.value = new Set();
      this.bars.value = null;
      this.muted.value = new Set();
      this.solo.value = new Set();
      this.drawTrack.value = null;
      this.drawing.value = false;
      this.loop.value = false;
      this.expectTask(song);
    });
    this.player.seek(0);
  }

  /** What one will most likely do next. */
  private expectTask(song: Song): void {
    this.setForm({task: song.notes.length ? 'continue' : 'generate'});
  }

  private async leave(): Promise<void> {
    this.stop();
    await this.writing;
    if (this.loaded) await this.save();
    this.left.set(this.pieceId.value, {song: this.song.value, history: this.history.value});
    this.release();
    this.release = () => {};
  }

  /** The piece as it was left in this page, if it is stored so: another tab may have changed it. */
  private takeLeft({id, midi}: StoredPiece): {song: Song; history: History} | undefined {
    const left = this.left.get(id);
    this.left.delete(id);
    return left && sameBytes(this.midi(left.song), midi) ? left : undefined;
  }

  /** Removes a piece that is not open. */
  async remove(id: string): Promise<void> {
    this.left.delete(id);
    await this.store.remove(id);
  }

  /** Opens a stored piece, unless another tab has it. */
  async openStored(piece: StoredPiece): Promise<boolean> {
    const claimed = await claim(piece.id);
    if (!claimed.mine) {
      if (this.loaded)
        this.say('note', 'Another tab has this piece open.', 'Close it there first.');
      return false;
    }
    const left = this.takeLeft(piece);
    let song: Song;
    try {
      song = left?.song ?? parseMidi(piece.midi);
    } catch (error) {
      claimed.free();
      this.report(error, `“${piece.title}” could not be read.`);
      return false;
    }
    if (this.loaded) await this.leave();
    this.reset(piece.id, piece.title, song);
    if (left) this.history.value = left.history;
    this.created = piece.created;
    this.release = claimed.free;
    const sets: TakeSet[] = [];
    for (const set of piece.sets) {
      try {
        sets.push({
          ...set,
          options: set.options as ComposeOptions,
          running: false,
          takes: set.takes.map((take, place) => ({
            index: take.index,
            rank: take.rank ?? place,
            bars: 0,
            live: [],
            midi: take.midi,
            nll: take.nll ?? undefined,
            stopped: take.stopped,
          })),
        });
      } catch {
        /* a set of another version */
      }
    }
    this.sets.value = sets;
    this.activeSet.value = sets[sets.length - 1]?.id ?? null;
    return true;
  }

  // Files.

  async openExample(): Promise<void> {
    await this.openBytes(fromBase64(example), 'Example');
  }

  async openFile(file: File): Promise<void> {
    if (file.size > kMostBytes) {
      this.say(
        'error',
        `${file.name} has ${Math.round(file.size / 1e6)} MB; the studio reads up to 64 MB.`,
      );
      return;
    }
    const large = file.size > kLargeFile;
    const opening = large ? this.say('note', `Opening ${file.name} …`) : 0;
    // Long enough to see it.
    if (large) await new Promise((seen) => setTimeout(seen, 100));
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (/\.json$/i.test(file.name) || bytes[0] === 0x7b) await this.openSession(bytes, file.name);
    else if (isMusicXml(file.name, bytes)) await this.openMusicXml(bytes, titleOf(file.name));
    else await this.openBytes(bytes, titleOf(file.name));
    this.dismiss(opening);
  }

  /** The engine makes a MIDI file of sheet music, which is what the page works with. */
  private async openMusicXml(bytes: Uint8Array, title: string): Promise<void> {
    const engine = this.engine.value;
    if (!engine) {
      this.say('error', `“${title}” could not be opened.`, 'Sheet music needs the engine.');
      return;
    }
    try {
      const {midi, warnings} = await engine.importMusicXml(bytes);
      const opened = await this.openBytes(midi, title);
      if (opened && warnings.length) this.say('note', `Read with care: ${warnings[0]}`);
    } catch (error) {
      this.report(error, `“${title}” could not be opened.`);
    }
  }

  async openBytes(bytes: Uint8Array, title: string): Promise<boolean> {
    let song: Song;
    try {
      song = parseMidi(bytes);
    } catch (error) {
      this.report(error, `“${title}” could not be opened.`);
      return false;
    }
    await this.fresh(title);
    this.original.set(song, bytes);
    this.song.value = song;
    this.expectTask(song);
    this.announce(`${title}: ${song.notes.length} notes in ${this.analysis.value.barCount} bars`);
    return true;
  }

  /** The bytes of the song: those of its file where it was not edited. */
  midi(song = this.song.value): Uint8Array {
    return this.original.get(song) ?? writeMidi(song);
  }

  sessionFile(): string {
    const sets = this.sets.value.map((set) => this.stored(set));
    return JSON.stringify({
      continuo_session: 1,
      title: this.title.value,
      midi: toBase64(this.midi()),
      sets: sets.map((set) => ({
        ...set,
        source: set.source && toBase64(set.source),
        takes: set.takes.map((take) => ({...take, midi: toBase64(take.midi)})),
      })),
    });
  }

  async openSession(bytes: Uint8Array, name: string): Promise<void> {
    try {
      const json = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
      if (json.continuo_session !== 1) throw new Error('it is no session of the studio');
      const song = fromBase64(String(json.midi));
      parseMidi(song);
      const sets = (Array.isArray(json.sets) ? json.sets : []) as Record<string, unknown>[];
      const piece: StoredPiece = {
        id: newKey(),
        title: String(json.title).slice(0, 200),
        created: Date.now(),
        updated: Date.now(),
        midi: song,
        notes: 0,
        bars: 0,
        seconds: 0,
        sets: sets.slice(0, 1000).map(readSet),
      };
      await this.openStored(piece);
    } catch (error) {
      this.say(
        'error',
        `${name} could not be opened.`,
        error instanceof Error ? error.message : '',
      );
    }
  }

  // Keeping.

  private saveSoon(): void {
    if (!this.loaded) return;
    if (this.saved.value !== 'memory') this.saved.value = 'saving';
    clearTimeout(this.saveTimer);
    this.saveTimer = setTimeout(() => void this.save(), 350);
  }

  private stored(set: TakeSet): StoredSet {
    const {
      id,
      task,
      source,
      sourceName,
      promptBars,
      bars,
      first,
      last,
      track,
      options,
      model,
      modelSha256,
    } = set;
    return {
      id,
      task,
      source,
      sourceName,
      promptBars,
      bars,
      first,
      last,
      track,
      options: {...options} as Record<string, unknown>,
      model,
      modelSha256,
      engine: set.engine,
      kept: set.kept,
      takes: set.takes
        .filter((take) => take.midi)
        .map((take) => ({
          index: take.index,
          midi: take.midi!,
          nll: take.nll ?? null,
          stopped: take.stopped,
          rank: take.rank,
        })),
    };
  }

  async save(): Promise<void> {
    clearTimeout(this.saveTimer);
    if (!this.loaded || !this.pieceId.value) return;
    const song = this.song.value;
    const {past, future} = this.history.value;
    if (
      song.notes.length === 0 &&
      this.sets.value.length === 0 &&
      past.length + future.length === 0
    ) {
      if (this.saved.value === 'saving') this.saved.value = 'saved';
      return;
    }
    const analysis = analyse(song);
    try {
      await this.store.put({
        id: this.pieceId.value,
        title: this.title.value,
        created: this.created,
        updated: Date.now(),
        midi: this.midi(song),
        sets: this.sets.value.map((set) => this.stored(set)).filter((set) => set.takes.length),
        notes: song.notes.length,
        bars: analysis.barCount,
        seconds: analysis.seconds,
      });
      if (this.saved.value !== 'memory') this.saved.value = 'saved';
    } catch {
      this.saved.value = 'failed';
    }
  }

  // Edits.

  commit(label: string, song: Song, selection?: ReadonlySet<number>, kept?: Step['kept']): void {
    batch(() => {
      this.history.value = {
        past: [...this.history.value.past, {song: this.song.value, label, kept}],
        future: [],
      };
      this.song.value = song;
      if (kept) this.markKept(kept.set, kept.now);
      this.looking.value = null;
      if (selection) this.selection.value = selection;
    });
    this.announce(label);
  }

  undo(): void {
    const {past, future} = this.history.value;
    const last = past[past.length - 1];
    if (!last || this.busy.value) return;
    batch(() => {
      this.history.value = {
        past: past.slice(0, -1),
        future: [{...last, song: this.song.value}, ...future],
      };
      this.song.value = last.song;
      if (last.kept) this.markKept(last.kept.set, last.kept.before);
      this.looking.value = null;
      this.selection.value = new Set();
    });
    this.announce(`Undone: ${last.label}`);
  }

  redo(): void {
    const {past, future} = this.history.value;
    const next = future[0];
    if (!next || this.busy.value) return;
    batch(() => {
      this.history.value = {
        past: [...past, {...next, song: this.song.value}],
        future: future.slice(1),
      };
      this.song.value = next.song;
      if (next.kept) this.markKept(next.kept.set, next.kept.now);
      this.looking.value = null;
      this.selection.value = new Set();
    });
    this.announce(`Again: ${next.label}`);
  }

  /** Whether notes can be edited now: not those of a take that is looked at. */
  get readOnly(): boolean {
    return this.looking.value !== null || this.liveSong.value !== null;
  }

  private mayEdit(): boolean {
    if (!this.readOnly) return true;
    this.say('note', 'This is a take.', 'Keep it (K) to edit it, or leave it (Esc).');
    return false;
  }

  target(): {track: number; channel: number} {
    const usual = usualTrack(this.song.value);
    const track = this.drawTrack.value;
    if (track === null || track >= this.song.value.tracks.length) return usual;
    return {track, channel: Math.max(0, analyse(this.song.value).tracks[track].channel)};
  }

  addNotes(notes: NewNote[], label = notes.length === 1 ? 'Add note' : 'Add notes'): void {
    if (!this.mayEdit()) return;
    const {song, ids} = addNotes(this.song.value, notes);
    this.commit(label, song, new Set(ids));
  }

  change(ids: ReadonlySet<number>, change: (note: Note) => NoteChange, label: string): void {
    if (ids.size === 0 || !this.mayEdit()) return;
    this.commit(label, changeNotes(this.song.value, ids, change));
  }

  deleteSelected(): void {
    const ids = this.selection.value;
    if (ids.size === 0 || !this.mayEdit()) return;
    this.commit(
      ids.size === 1 ? 'Delete note' : `Delete ${ids.size} notes`,
      removeNotes(this.song.value, ids),
      new Set(),
    );
  }

  selectAll(): void {
    const range = this.bars.value;
    const analysis = this.analysis.value;
    const from = range ? analysis.bar(range.first).tick : 0;
    const to = range ? analysis.bar(range.last).end : Infinity;
    const ids = this.shown.value.notes
      .filter((note) => note.tick >= from && note.tick < to)
      .map((note) => note.id);
    this.selection.value = new Set(ids);
    this.announce(`${ids.length} notes selected`);
  }

  copy(): void {
    const ids = this.selection.value;
    const notes = this.shown.value.notes.filter((note) => ids.has(note.id));
    if (notes.length === 0) return;
    const from = notes[0].tick;
    this.clipboard = {
      notes: notes.map(({track, channel, pitch, tick, end, velocity}) => ({
        track,
        channel,
        pitch,
        tick: tick - from,
        end: end - from,
        velocity,
      })),
    };
    this.announce(`${notes.length} notes copied`);
  }

  paste(): void {
    if (!this.clipboard || !this.mayEdit()) return;
    const at = this.snapped(this.player.tick);
    const tracks = this.song.value.tracks.length;
    this.addNotes(
      this.clipboard.notes.map((note) => ({
        ...note,
        ...(note.track < tracks ? {} : this.target()),
        tick: note.tick + at,
        end: note.end + at,
      })),
      'Paste notes',
    );
  }

  snapped(tick: number): number {
    const step = (this.snap.value || 1 / 480) * this.song.value.ticksPerQuarter;
    const analysis = this.analysis.value;
    const bar = analysis.bar(analysis.barAt(Math.max(0, tick)));
    return Math.round(bar.tick + Math.round((tick - bar.tick) / step) * step);
  }

  // Writing.

  setForm(change: Partial<ComposeForm>): void {
    this.form.value = {...this.form.value, ...change};
  }

  /** The bars that a request would write, counted from 1; null if there is nothing to continue, or none are chosen. */
  written(task = this.form.value.task): {first: number; last: number} | null {
    const {newBars, moreBars} = this.form.value;
    if (task === 'generate') return {first: 1, last: newBars};
    const {barCount} = analyse(this.song.value);
    if (barCount === 0) return null;
    const range = this.bars.value;
    if (task === 'continue') {
      // After the selected bars, else after the last.
      const after = range ? clamp(range.last + 1, 1, barCount) : barCount;
      return {first: after + 1, last: after + moreBars};
    }
    if (!range || range.first >= barCount) return null;
    return {first: range.first + 1, last: Math.min(range.last + 1, barCount)};
  }

  /** How the notes of some bars are drawn, by the form: what holds for a take and for an answer alike. */
  drawn(written: {first: number; last: number}): ComposeOptions {
    const form = this.form.value;
    const controls = this.info.value?.model.controls ?? [];
    const options: ComposeOptions = {};
    if (form.temperature !== null) options.temperature = form.temperature;
    if (form.topP !== null) options.topP = form.topP;
    if (form.topK !== null) options.topK = form.topK;
    if (controls.includes('recall') && form.recall !== null) options.recall = form.recall;
    return Object.assign(options, limitOptions(form.limits, form.barLimits, written));
  }

  private options(task: Task, written: {first: number; last: number}): ComposeOptions {
    const bars = written.last - written.first + 1;
    const form = this.form.value;
    const controls = this.info.value?.model.controls ?? [];
    const options: ComposeOptions = {
      seed: form.fixedSeed ? form.seed : randomSeed(),
      count: form.count,
      ...this.drawn(written),
    };
    if (!form.fixedSeed) this.setForm({seed: options.seed!});
    if (controls.includes('chords') && form.chords.trim()) options.chords = form.chords.trim();
    if (task !== 'fill' && form.tempo === 'bpm') options.bpm = form.bpm;
    if (task === 'continue' && form.tempo === 'free' && controls.includes('tempo'))
      options.tempo = 'free';
    if (controls.includes('form') && form.form.trim()) options.form = form.form.trim();
    if (controls.includes('density') && form.density)
      options.density = courseOf(form.density, bars);
    if (controls.includes('loudness') && form.loudness)
      options.loudness = courseOf(form.loudness, bars);
    if (task === 'fill' && form.keepTop) options.keepTop = true;
    return options;
  }

  /** Whether the engine takes pieces as far as this bar, counted from 1; says so if not. */
  private reaches(bar: number): boolean {
    const most = this.info.value?.limits.lastBar ?? Infinity;
    if (bar <= most) return true;
    this.say(
      'error',
      `The engine reads the first ${most.toLocaleString('en')} bars of a piece, and this is bar ${bar.toLocaleString('en')}.`,
      'Select bars before that.',
    );
    return false;
  }

  /** One click: a new piece that plays while it is written. */
  async writeNewPiece(bars = this.form.value.newBars): Promise<void> {
    if (this.busy.value || !this.engine.value) return;
    this.player.wake();
    const options = {...this.options('generate', {first: 1, last: bars}), count: 1};
    await this.writeFresh(bars, options, true);
    if (this.form.value.task === 'generate') this.expectTask(this.song.value);
  }

  /** What the form asks for. */
  async compose(task = this.form.value.task): Promise<void> {
    const engine = this.engine.value;
    if (this.busy.value || !engine) return;
    const form = this.form.value;
    if (form.autoplay) this.player.wake();
    if (this.looking.value) this.keepLooking();
    const written = this.written(task);
    if (!written) {
      this.sayNothingToWrite(task);
      return;
    }
    const {first, last} = written;
    const options = this.options(task, written);
    if (task === 'generate') {
      await this.writeFresh(last, options, form.autoplay);
    } else if (task === 'continue') {
      if (!this.reaches(first - 1)) return;
      const request = {promptBars: first - 1, bars: last - first + 1};
      await this.write('continue', request, options, form.autoplay);
    } else {
      if (!this.reaches(last)) return;
      await this.write('fill', {first, last}, options, form.autoplay);
    }
  }

  private sayNothingToWrite(task: Task): void {
    const {barCount} = analyse(this.song.value);
    if (barCount === 0)
      this.say(
        'note',
        'There is nothing to continue yet.',
        'Write a new piece, open a file, or draw some notes.',
      );
    else if (task === 'fill' && this.bars.value)
      this.say('note', `The piece ends with bar ${barCount}.`, 'Continue it instead.');
    else
      this.say(
        'note',
        'Which bars? None are selected.',
        'Drag over the bar numbers above the notes.',
      );
  }

  /** False where the engine refuses, and nothing is written. */
  private write(
    task: Task,
    request: WriteRequest,
    options: ComposeOptions,
    play: boolean,
  ): Promise<boolean> {
    const writing = this.writeTakes(task, request, options, play);
    this.writing = writing;
    return writing;
  }

  private async writeTakes(
    task: Task,
    request: WriteRequest,
    options: ComposeOptions,
    play: boolean,
  ): Promise<boolean> {
    const engine = this.engine.value;
    const info = this.info.value;
    if (!engine || !info) return false;
    const source = task === 'generate' ? null : this.midi();
    const base = this.song.value;
    const count = options.count ?? 1;
    const set: TakeSet = {
      id: newKey(),
      task,
      source,
      sourceName: `${fileName(this.title.value)}.mid`,
      promptBars: request.promptBars ?? 0,
      bars: request.bars ?? 0,
      first: request.first ?? 0,
      last: request.last ?? 0,
      options,
      model: info.model.name,
      modelSha256: info.model.sha256,
      engine: info.kind,
      takes: Array.from({length: count}, (_, index) => ({index, bars: 0, live: []})),
      running: true,
      kept: null,
    };
    if (task === 'fill') this.replaced.set(set, replacedBy(set, base));
    this.abort = new AbortController();
    const began = performance.now();
    let firstBar = 0;
    let newBars = 0;
    let started = false;
    let refused = false;
    batch(() => {
      this.busy.value = true;
      // What went wrong before has been read.
      this.messages.value = this.messages.value.filter(({kind}) => kind !== 'error');
      this.waitingBefore.value = 0;
      this.sets.value = [...this.sets.value, set];
      this.activeSet.value = set.id;
      this.looking.value = {set: set.id, index: 0};
      this.selection.value = new Set();
      this.liveSong.value = growingSong(set, set.takes[0], base, info.model.ticksPerQuarter);
    });
    const place = task === 'generate' ? 0 : this.freshBars(set)!.first;
    // Who does not listen to the new bars still sees them.
    if (!play && task !== 'generate' && !this.player.playing)
      this.player.seek(this.analysis.value.bar(Math.max(0, place - 1)).tick);
    const beginPlaying = () => {
      if (!play || started) return;
      const analysis = this.analysis.value;
      if (task === 'generate') {
        // Pieces may begin with an empty bar.
        const first = analysis.song.notes[0];
        if (!first) return;
        started = true;
        this.player.play(analysis.bar(analysis.barAt(first.tick)).tick);
        return;
      }
      started = true;
      // With the bar before the new ones.
      this.player.play(analysis.bar(Math.max(0, place - 1)).tick);
    };
    let redraw = false;
    const show = () => {
      if (redraw) return;
      redraw = true;
      requestFrame(() => {
        redraw = false;
        this.refreshLive(set, base);
      });
    };
    const watch: Watch = {
      signal: this.abort.signal,
      onWaiting: (before) => (this.waitingBefore.value = before),
      onBar: ({index, bars, notes}) => {
        const take = set.takes[index];
        if (!take) return;
        if (!firstBar) firstBar = performance.now() - began;
        newBars++;
        if (bars <= take.bars) take.live = take.live.filter((one) => one.bars < bars);
        take.bars = bars;
        for (const note of notes) take.live.push({bars, note});
        if (index === this.looking.value?.index) {
          this.refreshLive(set, base);
          if (!started && (task !== 'fill' || bars >= set.first)) beginPlaying();
        } else show();
      },
      onPiece: (piece) => {
        const take = set.takes[piece.index];
        if (!take) return;
        take.midi = piece.midi;
        take.nll = piece.followingNll ?? piece.nllPerToken;
        show();
      },
    };
    try {
      let result: ComposeResult;
      if (task === 'generate') result = await engine.generate({bars: set.bars}, options, watch);
      else if (task === 'continue')
        result = await engine.continueFrom(
          {midi: source!, promptBars: set.promptBars, bars: set.bars},
          options,
          watch,
        );
      else
        result = await engine.fill(
          {midi: source!, first: set.first, last: set.last},
          options,
          watch,
        );
      for (const piece of result.pieces) {
        const take = set.takes[piece.index];
        take.midi = piece.midi;
        take.nll = piece.followingNll ?? piece.nllPerToken;
      }
      if (task === 'fill') {
        for (const [rank, piece] of result.pieces.entries()) set.takes[piece.index].rank = rank;
      }
      this.announce(
        `${result.pieces.length} ${result.pieces.length === 1 ? 'take' : 'takes'} written`,
      );
    } catch (error) {
      for (const take of set.takes) {
        if (task === 'fill') take.rank = kUnranked;
        if (take.midi || take.live.length === 0) continue;
        take.stopped = true;
        const grown = growingSong(set, take, base, info.model.ticksPerQuarter, true);
        take.midi = writeMidi(grown);
      }
      if (isAbort(error)) this.announce('Stopped; complete bars are kept.');
      else {
        this.report(error, 'The music could not be written.');
        refused = true;
      }
    }
    const usable = set.takes.filter((take) => take.midi);
    if (newBars) {
      const each = (performance.now() - began - firstBar) / Math.max(1, newBars - 1);
      this.pace.value = {first: firstBar, each: newBars > 1 ? each : firstBar};
    }
    batch(() => {
      this.busy.value = false;
      this.liveSong.value = null;
      set.running = false;
      set.takes = usable;
      const kept = this.sets.value.filter((one) => one.id !== set.id);
      this.sets.value = usable.length ? [...kept, set] : kept;
      if (!usable.length) {
        this.activeSet.value = kept[kept.length - 1]?.id ?? null;
        this.looking.value = null;
      } else if (task === 'generate' && this.song.value === base) {
        const index = usable.some((one) => one.index === this.looking.value?.index)
          ? this.looking.value!.index
          : usable[0].index;
        this.keep(set.id, index);
      } else if (
        this.looking.value?.set === set.id &&
        !usable.some((one) => one.index === this.looking.value!.index)
      ) {
        this.looking.value = {set: set.id, index: usable[0].index};
      }
    });
    if (usable.length) beginPlaying();
    return usable.length > 0 || !refused;
  }

  private refreshLive(set: TakeSet, base: Song): void {
    const info = this.info.value;
    const looking = this.looking.value;
    batch(() => {
      if (info && set.running && looking?.set === set.id) {
        const take = set.takes.find((one) => one.index === looking.index);
        if (take)
          this.liveSong.value =
            this.songOf(take) ?? growingSong(set, take, base, info.model.ticksPerQuarter);
      }
      this.sets.value = [...this.sets.value];
    });
  }

  /** The tick up to which what is shown is written; null if all of it is. */
  horizon(): number | null {
    const looking = this.looking.value;
    const set = looking && this.sets.value.find((one) => one.id === looking.set);
    if (!set?.running) return null;
    const take = set.takes.find((one) => one.index === looking!.index);
    if (!take || take.midi) return null;
    const analysis = this.analysis.value;
    if (set.task === 'fill') {
      return analysis.bar(Math.max(set.first - 1, take.bars)).tick;
    }
    return analysis.bar(Math.max(set.promptBars, take.bars)).tick;
  }

  stop(): void {
    this.abort?.abort();
  }

  // Takes.

  setOf(id: string | null): TakeSet | undefined {
    return this.sets.value.find((set) => set.id === id);
  }

  songOf(take: Take): Song | undefined {
    if (!take.song && take.midi) {
      try {
        take.song = parseMidi(take.midi);
        this.original.set(take.song, take.midi);
      } catch {
        return undefined;
      }
    }
    return take.song;
  }

  private lookedAt(): {song: Song | undefined} | undefined {
    const looking = this.looking.value;
    if (!looking) return undefined;
    const take = this.setOf(looking.set)?.takes.find((one) => one.index === looking.index);
    return take && {song: this.songOf(take)};
  }

  /** The bars that are new in the takes of a set, counted from 0. */
  freshBars(set: TakeSet): BarRange | null {
    if (set.task === 'generate') return null;
    if (set.task === 'fill') return {first: set.first - 1, last: set.last - 1};
    return {first: set.promptBars, last: set.promptBars + set.bars - 1};
  }

  freshShown(): BarRange | null {
    const set = this.setOf(this.looking.value?.set ?? null);
    return set ? this.freshBars(set) : null;
  }

  /** Tells the new notes in the takes of a rewriting from those that stay in its bars, as drums and a kept melody do. */
  isNew(set: TakeSet): (note: Note) => boolean {
    if (set.task !== 'fill' || !set.source) return () => true;
    let old = this.replaced.get(set);
    if (!old) {
      let song: Song | undefined;
      try {
        song = parseMidi(set.source);
      } catch {
        // A session file may hold anything.
      }
      old = song ? replacedBy(set, song) : new Map<number, number>();
      this.replaced.set(set, old);
    }
    return (note) => old.get(placeOf(note)) !== note.end;
  }

  isNewShown(): (note: Note) => boolean {
    const set = this.setOf(this.looking.value?.set ?? null);
    return set ? this.isNew(set) : () => true;
  }

  look(setId: string, index: number, play = false): void {
    const set = this.setOf(setId);
    const take = set?.takes.find((one) => one.index === index);
    if (!set || !take) return;
    batch(() => {
      this.looking.value = {set: setId, index};
      this.activeSet.value = setId;
      this.selection.value = new Set();
      if (set.running) {
        const base = this.song.value;
        const ticks = this.info.value?.model.ticksPerQuarter ?? 480;
        this.liveSong.value = this.songOf(take) ?? growingSong(set, take, base, ticks);
      }
    });
    const place = Math.max(0, (this.freshBars(set)?.first ?? 0) - 1);
    const tick = this.analysis.value.bar(place).tick;
    if (play) this.player.play(tick);
    else if (!this.player.playing) this.player.seek(tick);
    this.announce(`Take ${set.takes.indexOf(take) + 1}`);
  }

  leaveTake(): void {
    if (this.busy.value) return;
    this.looking.value = null;
  }

  /** Makes a take the piece. */
  keep(setId: string, index: number): void {
    const set = this.setOf(setId);
    const take = set?.takes.find((one) => one.index === index);
    const song = take && this.songOf(take);
    if (!set || !song) return;
    batch(() => {
      // What comes next goes on after the new bars.
      if (set.task !== 'fill') this.bars.value = null;
      const kept = {set: setId, now: index, before: set.kept};
      this.commit(`Keep take ${set.takes.indexOf(take) + 1}`, song, new Set(), kept);
    });
  }

  private markKept(setId: string, index: number | null): void {
    const set = this.setOf(setId);
    if (!set) return;
    set.kept = index;
    this.sets.value = [...this.sets.value];
  }

  keepLooking(): void {
    const looking = this.looking.value;
    if (looking && !this.busy.value) this.keep(looking.set, looking.index);
  }

  command(set: TakeSet, take: Take): {command: string; file: string} {
    return commandOf(set, take.index, take.rank ?? 0);
  }

  removeSet(id: string): void {
    if (this.setOf(id)?.running) return;
    batch(() => {
      if (this.looking.value?.set === id) this.looking.value = null;
      this.sets.value = this.sets.value.filter((set) => set.id !== id);
      if (this.activeSet.value === id)
        this.activeSet.value = this.sets.value[this.sets.value.length - 1]?.id ?? null;
    });
  }

  // Messages.

  say(kind: 'note' | 'error', text: string, hint = ''): number {
    const id = this.nextMessage++;
    this.messages.value = [...this.messages.value.slice(-3), {id, kind, text, hint}];
    if (kind === 'note') setTimeout(() => this.dismiss(id), 6000);
    return id;
  }

  dismiss(id: number): void {
    this.messages.value = this.messages.value.filter((message) => message.id !== id);
  }

  report(error: unknown, what: string): void {
    if (error instanceof EngineError) {
      const words = error.message.charAt(0).toUpperCase() + error.message.slice(1);
      this.say('error', `${what} ${words}${/[.!?]$/.test(words) ? '' : '.'}`, error.hint);
    } else if (error instanceof MidiError) this.say('error', what, error.message);
    else this.say('error', what, error instanceof Error ? error.message : String(error));
  }

  /** For people who listen to the page. */
  announce(text: string): void {
    this.announcement.value = text;
  }
}

const requestFrame = (run: () => void) =>
  document.hidden ? setTimeout(run, 30) : requestAnimationFrame(run);

const titleOf = (name: string) => name.replace(/\.(midi?|kar|rmi|musicxml|xml|mxl)$/i, '');

/** The ends of the notes of a song that begin in the bars which a set writes again, by their places. */
function replacedBy(set: TakeSet, song: Song): Map<number, number> {
  const analysis = analyse(song);
  const ends = new Map<number, number>();
  const {tick} = analysis.bar(set.first - 1);
  analysis.eachNote(tick, analysis.bar(set.last - 1).end, (note) => {
    ends.set(placeOf(note), note.end);
  });
  return ends;
}

const placeOf = ({tick, channel, pitch}: Note) => (tick * 16 + channel) * 128 + pitch;

const sameBytes = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

/** By its name, or as a zip archive or XML. */
function isMusicXml(name: string, bytes: Uint8Array): boolean {
  if (/\.(musicxml|xml|mxl)$/i.test(name)) return true;
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 8));
  return start.startsWith('PK') || /^(\xef\xbb\xbf)?<\?xml/.test(start);
}

export const fileName = (title: string) =>
  title
    .normalize('NFKD')
    .replace(/[^\w.-]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 80) || 'piece';

/** The options of a session file, without what is not of its type. */
function readOptions(json: unknown): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  if (typeof json !== 'object' || !json) return options;
  const numbers = [
    'temperature',
    'topK',
    'topP',
    'pitchTopP',
    'minP',
    'repetitionPenalty',
    'seed',
    'count',
    'retries',
    'bpm',
    'recall',
    'chordRecall',
    'drafts',
  ];
  const texts = ['chords', 'tempo', 'form', 'density', 'loudness'];
  const limits = ['scale', 'range', 'grid', 'maxNotes', 'maxPolyphony'];
  const isLimit = (value: unknown) => typeof value === 'string' || Number.isFinite(value);
  for (const [name, value] of Object.entries(json)) {
    if (
      (numbers.includes(name) && Number.isFinite(value)) ||
      (texts.includes(name) && typeof value === 'string') ||
      (limits.includes(name) && [value].flat().every(isLimit)) ||
      (name === 'keepTop' && typeof value === 'boolean')
    )
      options[name] = value;
  }
  return options;
}

function readSet(json: Record<string, unknown>): StoredSet {
  const number = (value: unknown) =>
    typeof value === 'number' && Number.isSafeInteger(value) ? value : 0;
  const task = json.task === 'continue' || json.task === 'fill' ? json.task : 'generate';
  const takes = (Array.isArray(json.takes) ? json.takes : []) as Record<string, unknown>[];
  return {
    id: String(json.id),
    task,
    source: typeof json.source === 'string' ? fromBase64(json.source) : null,
    sourceName: String(json.sourceName),
    promptBars: number(json.promptBars),
    bars: number(json.bars),
    first: number(json.first),
    last: number(json.last),
    options: readOptions(json.options),
    model: String(json.model),
    modelSha256: String(json.modelSha256),
    engine: json.engine === 'wasm' ? 'wasm' : 'server',
    kept: typeof json.kept === 'number' ? json.kept : null,
    takes: takes.slice(0, 64).map((take) => ({
      index: number(take.index),
      midi: fromBase64(String(take.midi)),
      nll: typeof take.nll === 'number' ? take.nll : null,
      stopped: take.stopped === true,
      rank: take.rank === undefined ? undefined : number(take.rank),
    })),
  };
}

/** What a take will be, from the bars that are there. `stopped`: no more will come, and what is not rewritten stays. */
function growingSong(
  set: TakeSet,
  take: Take,
  base: Song,
  ticksPerQuarter: number,
  stopped = false,
): Song {
  const written = take.live.map((one) => one.note);
  if (set.task === 'generate') {
    // The tempo follows from the times of the notes.
    const places = new Map<number, number>([[0, 0]]);
    for (const note of written) {
      places.set(note.time, note.seconds);
      places.set(note.time + note.duration, note.seconds + note.durationSeconds);
    }
    const points = [...places].sort((a, b) => a[0] - b[0]);
    const empty = emptySong(set.options.bpm ?? 120);
    const tempos = [];
    for (let i = 0; i + 1 < points.length; ++i) {
      const us =
        ((points[i + 1][1] - points[i][1]) / (points[i + 1][0] - points[i][0])) *
        ticksPerQuarter *
        1e6;
      if (Number.isFinite(us) && us >= 1) {
        const rounded = Math.min(0xffffff, Math.round(us));
        tempos.push(
          metaEvent(points[i][0], 0x51, [
            (rounded >> 16) & 255,
            (rounded >> 8) & 255,
            rounded & 255,
          ]),
        );
      }
    }
    const [conductor, piano] = empty.tracks;
    const song: Song = {
      ...empty,
      ticksPerQuarter,
      tracks: [{...conductor, events: [...tempos, ...conductor.events]}, piano],
    };
    return withNotes(
      song,
      written.map((note) => liveNote(note, {track: 1, channel: note.drum ? 9 : 0})),
    );
  }
  const analysis = analyse(base);
  const target = usualTrack(base);
  const from = analysis.bar(set.task === 'continue' ? set.promptBars : set.first - 1).tick;
  const lastBar = stopped ? Math.min(take.bars, set.last) : set.last;
  const to = set.task === 'continue' ? Infinity : analysis.bar(lastBar - 1).end;
  const rest = base.notes.filter((note) => {
    if (note.tick < from || note.tick >= to) return true;
    return set.task === 'fill' && analysis.tracks[note.track].drum;
  });
  const fresh = written.map((note) => liveNote(note, target));
  const song = withNotes(base, [...rest, ...fresh]);
  return stopped ? settled(song, new Set(fresh.map((note) => note.id))) : song;
}

function liveNote(note: WrittenNote, target: {track: number; channel: number}): Note {
  return makeNote({
    ...target,
    pitch: note.pitch,
    velocity: clamp(note.velocity, 1, 127),
    tick: note.time,
    end: note.time + Math.max(1, note.duration),
  });
}
