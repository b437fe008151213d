// A piece's notes as continuo/report/piece_notes.h packs them, and what a player and a drawing need of them.

export function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * {ticksPerQuarter, promptEnd, tempos: [{tick, us}], bars: [tick], pedals: [{tick, end}],
 *  notes: [{tick, end, pitch, velocity}]}, all in ticks.
 */
export function unpackNotes(bytes) {
  let at = 0;
  const number = () => {
    let value = 0,
      scale = 1;
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('notes end too early');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  };
  const list = (read) => {
    const count = number();
    const items = [];
    let tick = 0;
    for (let i = 0; i < count; ++i) {
      tick += number();
      items.push(read(tick));
    }
    return items;
  };
  const ticksPerQuarter = Math.max(1, number());
  const promptEnd = number();
  const tempos = list((tick) => ({tick, us: Math.max(1, number())}));
  const bars = list((tick) => tick);
  const pedals = list((tick) => ({tick, end: tick + number()}));
  const notes = list((tick) => ({
    tick,
    end: tick + number(),
    pitch: bytes[at++],
    velocity: bytes[at++],
  }));
  return {ticksPerQuarter, promptEnd, tempos, bars, pedals, notes};
}

/** From ticks to seconds through the tempos; 120 a minute is in force before the first. */
export function tempoMap({ticksPerQuarter, tempos}) {
  const sections = [{tick: 0, seconds: 0, rate: 0.5 / ticksPerQuarter}];
  for (const {tick, us} of tempos) {
    const last = sections[sections.length - 1];
    const seconds = last.seconds + (tick - last.tick) * last.rate;
    const section = {tick, seconds, rate: us / 1e6 / ticksPerQuarter};
    if (tick === last.tick) sections[sections.length - 1] = section;
    else sections.push(section);
  }
  return (tick) => {
    let low = 0,
      high = sections.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (sections[middle].tick <= tick) low = middle;
      else high = middle - 1;
    }
    const section = sections[low];
    return section.seconds + (tick - section.tick) * section.rate;
  };
}

/**
 * What sounds when: notes in seconds, each with `off`, when its key goes up, and `stop`, when its string is damped: the pedal
 * holds it until it goes up itself, and the same key struck again ends it.
 */
export function timeline(piece) {
  const seconds = tempoMap(piece);
  const pedals = [];
  for (const {tick, end} of piece.pedals) {
    // of several tracks: their union
    const last = pedals[pedals.length - 1];
    if (last && tick <= last.end) last.end = Math.max(last.end, end);
    else pedals.push({tick, end});
  }
  const notes = piece.notes.map((note) => ({...note, stop: note.end}));
  let pedal = 0;
  for (const note of [...notes].sort((a, b) => a.end - b.end)) {
    while (pedal < pedals.length && pedals[pedal].end <= note.end) ++pedal;
    if (pedal < pedals.length && pedals[pedal].tick <= note.end) note.stop = pedals[pedal].end;
  }
  const struck = new Map();
  for (const note of notes) {
    const before = struck.get(note.pitch);
    if (before && before.stop > note.tick && before.tick < note.tick) before.stop = note.tick;
    struck.set(note.pitch, note);
  }
  let length = 0;
  const timed = notes.map((note) => {
    const times = {
      start: seconds(note.tick),
      off: seconds(note.end),
      stop: seconds(note.stop),
      pitch: note.pitch,
      velocity: note.velocity,
      given: note.tick < piece.promptEnd,
    };
    length = Math.max(length, times.off);
    return times;
  });
  return {
    notes: timed,
    bars: piece.bars.map(seconds),
    pedals: pedals.map(({tick, end}) => ({start: seconds(tick), stop: seconds(end)})),
    promptEnd: piece.promptEnd > 0 ? seconds(piece.promptEnd) : 0,
    length,
  };
}

/** A type 0 Standard MIDI File of the piece. */
export function midiFile(piece) {
  const events = [];
  for (const {tick, us} of piece.tempos)
    events.push([tick, 0, [0xff, 0x51, 3, (us >> 16) & 255, (us >> 8) & 255, us & 255]]);
  for (const {tick, end} of piece.pedals) {
    events.push([tick, 2, [0xb0, 64, 127]], [end, 2, [0xb0, 64, 0]]);
  }
  for (const {tick, end, pitch, velocity} of piece.notes) {
    events.push([tick, 3, [0x90, pitch & 127, velocity & 127]], [end, 1, [0x80, pitch & 127, 64]]);
  }
  events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const varint = (value) => {
    const bytes = [value & 127];
    for (value = Math.floor(value / 128); value > 0; value = Math.floor(value / 128))
      bytes.unshift((value & 127) | 128);
    return bytes;
  };
  const track = [];
  let before = 0;
  for (const [tick, , bytes] of events) {
    track.push(...varint(tick - before), ...bytes);
    before = tick;
  }
  track.push(0, 0xff, 0x2f, 0);
  const u32 = (value) => [
    (value >>> 24) & 255,
    (value >>> 16) & 255,
    (value >>> 8) & 255,
    value & 255,
  ];
  return new Uint8Array([
    0x4d,
    0x54,
    0x68,
    0x64,
    0,
    0,
    0,
    6,
    0,
    0,
    0,
    1,
    (piece.ticksPerQuarter >> 8) & 127,
    piece.ticksPerQuarter & 255,
    0x4d,
    0x54,
    0x72,
    0x6b,
    ...u32(track.length),
    ...track,
  ]);
}
