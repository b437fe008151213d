// What follows from a song: bars, time, pedals, names; and edits, which give new songs.
import {
  byTime,
  kFirst,
  kLast,
  metaData,
  metaEvent,
  newId,
  textOf,
  type MidiEvent,
  type Note,
  type Song,
  type Track,
} from './midi.ts';

export interface TempoPoint {
  tick: number;
  seconds: number;
  /** Seconds per tick from here on. */
  rate: number;
}

export interface Bar {
  tick: number;
  end: number;
  numerator: number;
  denominator: number;
  /** Its signature is not that of the bar before. */
  changes: boolean;
}

export interface TrackInfo {
  name: string;
  channel: number;
  program: number;
  drum: boolean;
  notes: number;
}

export interface Pedal {
  tick: number;
  end: number;
}

export interface Marker {
  tick: number;
  text: string;
}

/** Notes in blocks, so that those that sound in a range are found without reading all. */
const kBlock = 256;

const kMostBars = 20000;

export class Analysis {
  readonly song: Song;
  readonly tempos: TempoPoint[];
  readonly bars: Bar[];
  private readonly exactEnd: number; // of the last of them, before it is rounded to a tick
  /** The last tick at which a note sounds. */
  readonly end: number;
  readonly seconds: number;
  readonly tracks: TrackInfo[];
  /** Of each channel, its first program. */
  readonly programs = new Uint8Array(16);
  /** Of each track, which of eight colors: tracks with notes have them in turn. */
  readonly colors: number[];
  readonly pedals: Pedal[];
  readonly markers: Marker[];
  readonly lowest: number;
  readonly highest: number;
  /** Of each note, the tick at which its string is damped: the pedal holds it, the same key struck again ends it. */
  readonly stops: Float64Array;
  private readonly blockEnds: number[];

  constructor(song: Song) {
    this.song = song;
    let end = 0;
    let lowest = 128;
    let highest = -1;
    const counts = new Array<number>(song.tracks.length).fill(0);
    const channels = new Array<number>(song.tracks.length).fill(-1);
    this.blockEnds = [];
    for (let i = 0; i < song.notes.length; ++i) {
      const note = song.notes[i];
      const block = Math.floor(i / kBlock);
      if (i % kBlock === 0) this.blockEnds.push(note.end);
      else if (note.end > this.blockEnds[block]) this.blockEnds[block] = note.end;
      if (note.end > end) end = note.end;
      if (note.pitch < lowest) lowest = note.pitch;
      if (note.pitch > highest) highest = note.pitch;
      counts[note.track]++;
      if (channels[note.track] < 0) channels[note.track] = note.channel;
    }
    this.end = end;
    this.lowest = highest < 0 ? 48 : lowest;
    this.highest = highest < 0 ? 84 : highest;

    const tempos: {tick: number; us: number}[] = [];
    const signatures: {tick: number; numerator: number; denominator: number}[] = [];
    const markers: Marker[] = [];
    const pedals = new Map<number, {down: number; list: Pedal[]}>();
    const firstPrograms: number[] = [];
    this.tracks = song.tracks.map((track, i) => {
      const info: TrackInfo = {
        name: '',
        channel: channels[i],
        program: 0,
        drum: channels[i] === 9,
        notes: counts[i],
      };
      let hasProgram = false;
      for (const event of track.events) {
        const {bytes, tick} = event;
        if (bytes[0] === 0xff) {
          if (bytes[1] === 0x51) {
            const data = metaData(event, 0x51)!;
            if (data.length >= 3)
              tempos.push({tick, us: Math.max(1, (data[0] << 16) | (data[1] << 8) | data[2])});
          } else if (bytes[1] === 0x58) {
            const data = metaData(event, 0x58)!;
            if (data.length >= 2 && data[0] > 0 && data[1] <= 7)
              signatures.push({tick, numerator: data[0], denominator: 2 ** data[1]});
          } else if (bytes[1] === 3 && !info.name)
            info.name = textOf(metaData(event, 3)!).slice(0, 80);
          else if (bytes[1] === 6 && markers.length < 10000)
            markers.push({tick, text: textOf(metaData(event, 6)!).slice(0, 80)});
        } else if (bytes[0] >> 4 === 12) {
          const channel = bytes[0] & 15;
          const known = firstPrograms[channel];
          if (known === undefined || tick < known) {
            firstPrograms[channel] = tick;
            this.programs[channel] = bytes[1];
          }
          if (!hasProgram) {
            info.program = bytes[1];
            hasProgram = true;
          }
          if (info.channel < 0) {
            info.channel = bytes[0] & 15;
            info.drum = info.channel === 9;
          }
        } else if (bytes[0] >> 4 === 11 && bytes[1] === 64) {
          const channel = bytes[0] & 15;
          let state = pedals.get(channel);
          if (!state) pedals.set(channel, (state = {down: -1, list: []}));
          if (bytes[2] >= 64) {
            if (state.down < 0) state.down = tick;
          } else if (state.down >= 0) {
            state.list.push({tick: state.down, end: tick});
            state.down = -1;
          }
        }
      }
      return info;
    });
    let sounding = 0;
    this.colors = counts.map((count) => (count > 0 ? sounding++ % 8 : 0));
    for (const state of pedals.values()) {
      if (state.down >= 0) state.list.push({tick: state.down, end: Math.max(end, state.down)});
      state.list.sort((a, b) => a.tick - b.tick);
    }
    this.markers = markers.sort((a, b) => a.tick - b.tick);
    this.tempos = tempoPoints(song.ticksPerQuarter, tempos);
    ({bars: this.bars, exactEnd: this.exactEnd} = barsOf(song.ticksPerQuarter, signatures, end));
    this.seconds = this.secondsAt(end);
    const all = [...pedals.values()].flatMap((state) => state.list).sort((a, b) => a.tick - b.tick);
    this.pedals = [];
    for (const {tick, end: up} of all) {
      const last = this.pedals[this.pedals.length - 1];
      if (last && tick <= last.end) last.end = Math.max(last.end, up);
      else this.pedals.push({tick, end: up});
    }
    this.stops = stopsOf(song.notes, pedals);
  }

  secondsAt(tick: number): number {
    const point =
      this.tempos[upperBound(this.tempos, (one) => one.tick <= tick) - 1] ?? this.tempos[0];
    return point.seconds + (tick - point.tick) * point.rate;
  }

  tickAt(seconds: number): number {
    const point =
      this.tempos[upperBound(this.tempos, (one) => one.seconds <= seconds) - 1] ?? this.tempos[0];
    return point.tick + (seconds - point.seconds) / point.rate;
  }

  bpmAt(tick: number): number {
    const point =
      this.tempos[upperBound(this.tempos, (one) => one.tick <= tick) - 1] ?? this.tempos[0];
    return 60 / (point.rate * this.song.ticksPerQuarter);
  }

  /** From the first note to the end of the last. */
  get meanBpm(): number {
    const first = this.song.notes[0]?.tick ?? 0;
    const seconds = this.seconds - this.secondsAt(first);
    if (!(seconds > 0)) return this.bpmAt(first);
    return ((this.end - first) / this.song.ticksPerQuarter / seconds) * 60;
  }

  /** Index of the bar at a tick; beyond the last bar it goes on counting. */
  barAt(tick: number): number {
    const i = upperBound(this.bars, (bar) => bar.tick <= tick) - 1;
    if (i < 0) return 0;
    const bar = this.bars[i];
    if (tick < bar.end) return i;
    // Of the lines that are rounded to the tick or earlier, the last.
    const {numerator, denominator} = bar;
    const length = barLength(this.song.ticksPerQuarter, numerator, denominator);
    return i + Math.ceil((Math.floor(tick) + 0.5 - this.exactEnd) / length);
  }

  /** Bar `index`, as if the last went on for ever. */
  bar(index: number): Bar {
    if (index < this.bars.length) return this.bars[Math.max(0, index)];
    const last = this.bars[this.bars.length - 1];
    // A bar that a signature cut short is followed by whole ones.
    const {numerator, denominator} = last;
    const length = barLength(this.song.ticksPerQuarter, numerator, denominator);
    const exact = this.exactEnd + (index - this.bars.length) * length;
    return {...last, tick: Math.round(exact), end: Math.round(exact + length), changes: false};
  }

  /** Bars that the engine counts: up to the last one in which a note sounds. */
  get barCount(): number {
    return this.end === 0 ? 0 : this.barAt(this.end - 1) + 1;
  }

  /** Calls `visit` for the notes that sound in [from, to), by time. */
  eachNote(from: number, to: number, visit: (note: Note, index: number) => void): void {
    const {notes} = this.song;
    for (let block = 0; block < this.blockEnds.length; ++block) {
      const first = block * kBlock;
      if (notes[first].tick >= to) return;
      if (this.blockEnds[block] <= from) continue;
      const last = Math.min(notes.length, first + kBlock);
      for (let i = first; i < last; ++i) {
        const note = notes[i];
        if (note.tick >= to) return;
        if (note.end > from) visit(note, i);
      }
    }
  }

  /** Index of the first note at or after a tick. */
  firstNote(tick: number): number {
    return upperBound(this.song.notes, (note) => note.tick < tick);
  }
}

/** How many of the leading items satisfy a predicate that holds for a prefix. */
export function upperBound<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(items[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}

const analyses = new WeakMap<Song, Analysis>();
export function analyse(song: Song): Analysis {
  let analysis = analyses.get(song);
  if (!analysis) analyses.set(song, (analysis = new Analysis(song)));
  return analysis;
}

function tempoPoints(ticksPerQuarter: number, changes: {tick: number; us: number}[]): TempoPoint[] {
  changes.sort((a, b) => a.tick - b.tick);
  const points: TempoPoint[] = [{tick: 0, seconds: 0, rate: 0.5 / ticksPerQuarter}];
  for (const {tick, us} of changes) {
    const last = points[points.length - 1];
    const point = {
      tick,
      seconds: last.seconds + (tick - last.tick) * last.rate,
      rate: us / 1e6 / ticksPerQuarter,
    };
    if (tick === last.tick) points[points.length - 1] = point;
    else points.push(point);
  }
  return points;
}

/** Bars as the engine's BarGrid has them: each line is rounded to a tick from its exact place. */
function barsOf(
  ticksPerQuarter: number,
  signatures: {tick: number; numerator: number; denominator: number}[],
  end: number,
): {bars: Bar[]; exactEnd: number} {
  signatures.sort((a, b) => a.tick - b.tick);
  // The last of one tick counts, and one equal to that in force changes nothing.
  let inForce = {tick: 0, numerator: 4, denominator: 4};
  const changes = signatures.filter((signature, i) => {
    const {tick, numerator, denominator} = signature;
    if (signatures[i + 1]?.tick === tick) return false;
    if (numerator === inForce.numerator && denominator === inForce.denominator) return false;
    inForce = signature;
    return true;
  });
  const bars: Bar[] = [];
  let {numerator, denominator} = {numerator: 4, denominator: 4};
  let next = 0;
  let tick = 0;
  let exact = 0;
  do {
    const change = changes[next]?.tick === tick;
    if (change) ({numerator, denominator} = changes[next++]);
    exact += barLength(ticksPerQuarter, numerator, denominator);
    let barEnd = Math.round(exact);
    if (next < changes.length && changes[next].tick < barEnd) barEnd = exact = changes[next].tick;
    bars.push({tick, end: barEnd, numerator, denominator, changes: change || tick === 0});
    tick = barEnd;
  } while (tick < end && bars.length < kMostBars);
  return {bars, exactEnd: exact};
}

/** Ticks of a whole bar, with their fraction. */
function barLength(ticksPerQuarter: number, numerator: number, denominator: number): number {
  return Math.max(1, (ticksPerQuarter * 4 * numerator) / denominator);
}

function stopsOf(notes: readonly Note[], pedals: Map<number, {list: Pedal[]}>): Float64Array {
  const stops = new Float64Array(notes.length);
  const struck = new Map<number, number>();
  for (let i = 0; i < notes.length; ++i) {
    const note = notes[i];
    stops[i] = note.end;
    const list = pedals.get(note.channel)?.list;
    if (list) {
      const at = upperBound(list, (pedal) => pedal.end <= note.end);
      if (at < list.length && list[at].tick <= note.end) stops[i] = list[at].end;
    }
    const key = note.channel * 128 + note.pitch;
    const before = struck.get(key);
    if (before !== undefined && stops[before] > note.tick && notes[before].tick < note.tick)
      stops[before] = note.tick;
    struck.set(key, i);
  }
  return stops;
}

// Edits.

/** A song with one empty piano track in 4/4. */
export function emptySong(bpm = 120): Song {
  const us = Math.round(6e7 / bpm);
  return {
    format: 1,
    ticksPerQuarter: 480,
    tracks: [
      {
        events: [
          metaEvent(0, 0x51, [(us >> 16) & 255, (us >> 8) & 255, us & 255]),
          metaEvent(0, 0x58, [4, 2, 24, 8]),
        ],
        end: 0,
      },
      {
        events: [
          metaEvent(
            0,
            3,
            Array.from('Piano', (c) => c.charCodeAt(0)),
          ),
          {tick: 0, seq: 0, bytes: Uint8Array.of(0xc0, 0)},
        ],
        end: 0,
      },
    ],
    notes: [],
  };
}

export function withNotes(song: Song, notes: Note[]): Song {
  return {...song, notes: notes.sort(byTime)};
}

export type NewNote = Pick<Note, 'track' | 'channel' | 'pitch' | 'tick' | 'end' | 'velocity'>;

export function makeNote(note: NewNote): Note {
  return {
    release: 64,
    ...note,
    id: newId(),
    onSeq: kLast,
    offSeq: kFirst,
  };
}

export function addNotes(song: Song, added: readonly NewNote[]): {song: Song; ids: number[]} {
  const made = added.map(makeNote);
  const ids = made.map((note) => note.id);
  return {song: settled(withNotes(song, [...song.notes, ...made]), new Set(ids)), ids};
}

/** No pitch sounds twice where a note of `ids` is one of the two: the earlier note ends where the later one begins. A file
 * says only that a key goes down or up, so that whoever reads it would mix up their ends. */
export function settled(song: Song, ids: ReadonlySet<number>): Song {
  const keyOf = ({track, channel, pitch}: Note) => (track * 16 + channel) * 128 + pitch;
  const sounding = new Map<number, Note[]>();
  for (const note of song.notes) if (ids.has(note.id)) sounding.set(keyOf(note), []);
  const ends = new Map<number, number>();
  for (const note of song.notes) {
    const key = keyOf(note);
    const before = sounding.get(key);
    if (!before) continue;
    const still: Note[] = [];
    for (const one of before) {
      if (one.end <= note.tick) continue;
      if (one.tick < note.tick && (ids.has(one.id) || ids.has(note.id)))
        ends.set(one.id, note.tick);
      else still.push(one);
    }
    still.push(note);
    sounding.set(key, still);
  }
  if (ends.size === 0) return song;
  return withNotes(
    song,
    song.notes.map((note) => {
      const end = ends.get(note.id);
      return end === undefined ? note : {...note, end, offSeq: kFirst};
    }),
  );
}

export function removeNotes(song: Song, ids: ReadonlySet<number>): Song {
  return {...song, notes: song.notes.filter((note) => !ids.has(note.id))};
}

export type NoteChange = Partial<Pick<Note, 'pitch' | 'tick' | 'end' | 'velocity'>>;

/** Changes notes, keeping them playable; what `change` leaves out stays. */
export function changeNotes(
  song: Song,
  ids: ReadonlySet<number>,
  change: (note: Note) => NoteChange,
): Song {
  const moved = new Set<number>();
  const notes = song.notes.map((note) => {
    if (!ids.has(note.id)) return note;
    const next = {...note, ...change(note)};
    const tick = Math.max(0, Math.round(next.tick));
    const end = Math.max(tick + 1, Math.round(next.end));
    const pitch = clamp(Math.round(next.pitch), 0, 127);
    if (tick !== note.tick || end !== note.end || pitch !== note.pitch) moved.add(note.id);
    return {
      ...next,
      tick,
      end,
      pitch,
      velocity: clamp(Math.round(next.velocity), 1, 127),
      onSeq: tick === note.tick ? note.onSeq : kLast,
      offSeq: end === note.end ? note.offSeq : kFirst,
    };
  });
  return settled(withNotes(song, notes), moved);
}

export const clamp = (value: number, low: number, high: number) =>
  Math.max(low, Math.min(high, value));

/** The track that new notes go to if nothing says otherwise: the first with notes that are not of drums. */
export function usualTrack(song: Song): {track: number; channel: number} {
  const {tracks} = analyse(song);
  let track = tracks.findIndex((one) => one.notes > 0 && !one.drum);
  if (track < 0) track = tracks.findIndex((one) => one.channel >= 0 && !one.drum);
  if (track < 0) track = Math.max(0, tracks.length - 1);
  return {track, channel: Math.max(0, tracks[track].channel)};
}

/** Replaces the tempos by one. */
export function withTempo(song: Song, bpm: number): Song {
  const us = clamp(Math.round(6e7 / bpm), 1, 0xffffff);
  const tempo = metaEvent(0, 0x51, [(us >> 16) & 255, (us >> 8) & 255, us & 255]);
  const tracks = song.tracks.map((track, i): Track => {
    const events: MidiEvent[] = track.events.filter((event) => metaData(event, 0x51) === undefined);
    return {...track, events: i === 0 ? [tempo, ...events] : events};
  });
  return {...song, tracks};
}

const kNames = ['C', 'C♯', 'D', 'E♭', 'E', 'F', 'F♯', 'G', 'A♭', 'A', 'B♭', 'B'];
export const pitchName = (pitch: number) => `${kNames[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

/** As the engine and the command line take it. */
export const asciiPitchName = (pitch: number) =>
  pitchName(pitch).replace('♯', '#').replace('♭', 'b');

/** "Bar 3, beat 2.5" of a tick. */
export function placeName(analysis: Analysis, tick: number): string {
  const index = analysis.barAt(tick);
  const bar = analysis.bar(index);
  const beat = ((tick - bar.tick) * bar.denominator) / (4 * analysis.song.ticksPerQuarter) + 1;
  return `bar ${index + 1}, beat ${Math.round(beat * 100) / 100}`;
}
