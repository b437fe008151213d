// Standard MIDI Files to songs and back. Events that are not notes are kept as bytes, in their order; a song that was not
// edited gives the same events at the same ticks. Bytes are hostile: everything is bounded by the size of the file.

/** An event that is not a note: as in the file, without its delta time and with its status. */
export interface MidiEvent {
  readonly tick: number;
  readonly bytes: Uint8Array;
  /** Orders the events of a tick within their track. */
  readonly seq: number;
}

export interface Note {
  readonly id: number;
  readonly track: number;
  readonly channel: number;
  readonly pitch: number;
  /** Ticks; `end` > `tick` for notes that sound. */
  readonly tick: number;
  readonly end: number;
  readonly velocity: number;
  /** Velocity of the note-off; -1: it was a note-on of velocity 0. */
  readonly release: number;
  readonly onSeq: number;
  readonly offSeq: number;
}

export interface Track {
  /** By tick, then seq. */
  readonly events: readonly MidiEvent[];
  /** Tick of its end-of-track event. */
  readonly end: number;
}

export interface Song {
  readonly format: 0 | 1 | 2;
  readonly ticksPerQuarter: number;
  readonly tracks: readonly Track[];
  /** Of all tracks, by tick, then pitch. */
  readonly notes: readonly Note[];
}

export class MidiError extends Error {}

/** Seq of what was not in a file: note-offs first, note-ons last. */
export const kFirst = -1;
/** Seq of a note-off that is not in the file: all notes of its channel, or of its track, end there. */
export const kNone = -2;
export const kLast = 0x7fffffff;

let nextId = 1;
export const newId = () => nextId++;

export const byTime = (a: Note, b: Note) => a.tick - b.tick || a.pitch - b.pitch || a.id - b.id;

/** Fails with a MidiError that says what is wrong at which byte. */
export function parseMidi(bytes: Uint8Array): Song {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  let start = 0;
  // RIFF files (.rmi) have the MIDI file as a chunk.
  if (bytes.length > 20 && name(0) === 'RIFF') start = 20;
  if (bytes.length < start + 14 || name(start) !== 'MThd') {
    throw new MidiError('This is not a MIDI file: it does not begin with “MThd”.');
  }
  const headerLength = view.getUint32(start + 4);
  const format = view.getUint16(start + 8);
  const division = view.getUint16(start + 12);
  if (format > 2)
    throw new MidiError(`The file has format ${format}; formats 0, 1 and 2 are known.`);
  if (division & 0x8000)
    throw new MidiError(
      'The file counts time in frames (SMPTE), not in beats, which the studio cannot show.',
    );
  if (division === 0) throw new MidiError('The file has no ticks in a quarter note.');
  const tracks: Track[] = [];
  const notes: Note[] = [];
  let at = start + 8 + headerLength;
  while (at + 8 <= bytes.length) {
    const length = view.getUint32(at + 4);
    const body = at + 8;
    const end = Math.min(bytes.length, body + length);
    if (name(at) === 'MTrk') {
      tracks.push(parseTrack(bytes, body, end, tracks.length, notes));
    }
    at = body + length;
  }
  if (tracks.length === 0) throw new MidiError('The file has no tracks.');
  notes.sort(byTime);
  return {format: format as 0 | 1 | 2, ticksPerQuarter: division, tracks, notes};
}

interface OpenNote {
  tick: number;
  velocity: number;
  seq: number;
}

function parseTrack(
  bytes: Uint8Array,
  from: number,
  to: number,
  track: number,
  notes: Note[],
): Track {
  const events: MidiEvent[] = [];
  const open = new Map<number, OpenNote[]>(); // by channel * 128 + pitch, the oldest first
  let at = from;
  let tick = 0;
  let status = 0;
  let seq = 0;
  let finish = -1;
  const cut = () =>
    new MidiError(`Track ${track + 1} ends in the middle of an event, at byte ${at} of the file.`);
  const number = () => {
    let value = 0;
    for (let i = 0; i < 5; ++i) {
      if (at >= to) throw cut();
      const byte = bytes[at++];
      value = value * 128 + (byte & 127);
      // Some programs write negative times as five bytes.
      if (byte < 128) return i < 4 ? value : Math.max(0, value | 0);
    }
    throw new MidiError(
      `Track ${track + 1} has a number of more than five bytes at byte ${at} of the file.`,
    );
  };
  const endAll = (key: number, end: number) => {
    for (const begun of open.get(key) ?? []) {
      notes.push({
        id: newId(),
        track,
        channel: key >> 7,
        pitch: key & 127,
        tick: begun.tick,
        end: Math.max(end, begun.tick + 1),
        velocity: begun.velocity,
        release: 64,
        onSeq: begun.seq,
        offSeq: kNone,
      });
    }
    open.delete(key);
  };
  while (at < to) {
    tick += number();
    if (tick > 0x7fffffff) throw new MidiError(`Track ${track + 1} is longer than 2^31 ticks.`);
    if (at >= to) throw cut();
    if (bytes[at] & 0x80) status = bytes[at++];
    else if (status === 0 || status >= 0xf0)
      throw new MidiError(
        `Track ${track + 1} has an event without a status at byte ${at} of the file.`,
      );
    ++seq;
    if (status === 0xff) {
      const type = bytes[at];
      const begin = at++;
      if (begin >= to) throw cut();
      const length = number();
      if (at + length > to) throw cut();
      at += length;
      if (type === 0x2f) {
        finish = tick;
        break;
      }
      const copy = new Uint8Array(at - begin + 1);
      copy[0] = 0xff;
      copy.set(bytes.subarray(begin, at), 1);
      events.push({tick, bytes: copy, seq});
      status = 0;
    } else if (status === 0xf0 || status === 0xf7) {
      const begin = at - 1;
      const length = number();
      if (at + length > to) throw cut();
      at += length;
      events.push({tick, bytes: bytes.slice(begin, at), seq});
      status = 0;
    } else if (status > 0xf0) {
      throw new MidiError(
        `Track ${track + 1} has the unknown status ${status} at byte ${at - 1} of the file.`,
      );
    } else {
      const kind = status >> 4;
      const size = kind === 12 || kind === 13 ? 1 : 2;
      if (at + size > to) throw cut();
      const first = bytes[at] & 127;
      const second = size === 2 ? bytes[at + 1] & 127 : 0;
      at += size;
      const key = (status & 15) * 128 + first;
      if (kind === 9 && second > 0) {
        const list = open.get(key);
        if (list) list.push({tick, velocity: second, seq});
        else open.set(key, [{tick, velocity: second, seq}]);
      } else if (kind === 8 || kind === 9) {
        const begun = open.get(key)?.shift();
        if (begun) {
          notes.push({
            id: newId(),
            track,
            channel: status & 15,
            pitch: first,
            tick: begun.tick,
            end: tick,
            velocity: begun.velocity,
            release: kind === 8 ? second : -1,
            onSeq: begun.seq,
            offSeq: seq,
          });
        } else events.push({tick, bytes: Uint8Array.of(status, first, second), seq});
      } else {
        // All sound off, all notes off, and the modes that imply it.
        if (kind === 11 && (first === 120 || first >= 123)) {
          for (const one of open.keys()) if (one >> 7 === (status & 15)) endAll(one, tick);
        }
        events.push({
          tick,
          bytes: size === 2 ? Uint8Array.of(status, first, second) : Uint8Array.of(status, first),
          seq,
        });
      }
    }
  }
  if (finish < 0) finish = tick;
  for (const key of open.keys()) endAll(key, finish);
  return {events, end: finish};
}

/** A Standard MIDI File of the song, without running status. */
export function writeMidi(song: Song): Uint8Array {
  const of: Note[][] = song.tracks.map(() => []);
  for (const note of song.notes) of[note.track].push(note);
  const chunks = song.tracks.map((track, i) => writeTrack(track, of[i]));
  const total = 14 + chunks.reduce((sum, chunk) => sum + 8 + chunk.length, 0);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  bytes.set([0x4d, 0x54, 0x68, 0x64, 0, 0, 0, 6]);
  view.setUint16(8, song.format === 0 && chunks.length > 1 ? 1 : song.format);
  view.setUint16(10, chunks.length);
  view.setUint16(12, song.ticksPerQuarter);
  let at = 14;
  for (const chunk of chunks) {
    bytes.set([0x4d, 0x54, 0x72, 0x6b], at);
    view.setUint32(at + 4, chunk.length);
    bytes.set(chunk, at + 8);
    at += 8 + chunk.length;
  }
  return bytes;
}

function writeTrack(track: Track, notes: Note[]): Uint8Array {
  interface Item {
    tick: number;
    seq: number;
    bytes: Uint8Array;
  }
  const items: Item[] = [...track.events];
  for (const note of notes) {
    const {channel, pitch, release} = note;
    items.push({
      tick: note.tick,
      seq: note.onSeq,
      bytes: Uint8Array.of(0x90 | channel, pitch, note.velocity),
    });
    if (note.offSeq === kNone) continue;
    items.push({
      tick: note.end,
      seq: note.offSeq,
      bytes:
        release < 0
          ? Uint8Array.of(0x90 | channel, pitch, 0)
          : Uint8Array.of(0x80 | channel, pitch, release),
    });
  }
  items.sort((a, b) => a.tick - b.tick || a.seq - b.seq);
  let size = 4 + 3;
  for (const item of items) size += 4 + item.bytes.length;
  const bytes = new Uint8Array(size);
  let at = 0;
  let before = 0;
  const delta = (tick: number) => {
    // A delta time has at most four bytes of seven bits.
    const value = Math.min(tick - before, 0x0fffffff);
    before = tick;
    if (value >= 1 << 21) bytes[at++] = 0x80 | (value >> 21);
    if (value >= 1 << 14) bytes[at++] = 0x80 | ((value >> 14) & 127);
    if (value >= 1 << 7) bytes[at++] = 0x80 | ((value >> 7) & 127);
    bytes[at++] = value & 127;
  };
  for (const item of items) {
    delta(item.tick);
    bytes.set(item.bytes, at);
    at += item.bytes.length;
  }
  delta(Math.max(track.end, before));
  bytes.set([0xff, 0x2f, 0], at);
  return bytes.slice(0, at + 3);
}

/** The bytes of a meta event's data; nothing if it is another event. */
export function metaData(event: MidiEvent, type: number): Uint8Array | undefined {
  const {bytes} = event;
  if (bytes[0] !== 0xff || bytes[1] !== type) return undefined;
  let at = 2;
  while (at < bytes.length && bytes[at] & 0x80) ++at;
  return bytes.subarray(at + 1);
}

export function metaEvent(tick: number, type: number, data: ArrayLike<number>): MidiEvent {
  return {
    tick,
    seq: kFirst,
    bytes: Uint8Array.of(0xff, type, data.length & 127, ...Array.from(data)),
  };
}

/** UTF-8 where it is that, else Latin-1; without control characters. */
export function textOf(data: Uint8Array): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', {fatal: true}).decode(data);
  } catch {
    text = new TextDecoder('latin1').decode(data);
  }
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f]+/g, ' ').trim();
}
