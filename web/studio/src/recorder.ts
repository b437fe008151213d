// Playing along: MIDI inputs and the computer's keyboard, recording with a click, and call and response with the model.
import {batch, signal} from '@preact/signals';
import {EngineError} from './engine.ts';
import {kLast, type MidiEvent, type Song} from './midi.ts';
import {isAbort} from './server_engine.ts';
import {addNotes, analyse, clamp, withTempo, type NewNote} from './song.ts';
import type {Studio} from './studio.ts';
import type {Sounder} from './player.ts';
import {loadChunk} from './chunks.ts';
import {fromBase64} from './base64.ts';

/** Semitones above C of the keys of a computer, as they lie: letters are the white keys. */
export const kKeys: Record<string, number> = {
  KeyA: 0, KeyW: 1, KeyS: 2, KeyE: 3, KeyD: 4, KeyF: 5, KeyT: 6, KeyG: 7, KeyY: 8, KeyH: 9, KeyU: 10, KeyJ: 11,
  KeyK: 12, KeyO: 13, KeyL: 14, KeyP: 15, Semicolon: 16,
}; // prettier-ignore

export interface Phase {
  kind: 'count' | 'record' | 'call' | 'answer';
  /** The tick at which it ends; Infinity: when someone stops it. */
  until: number;
}

interface Held {
  release: () => void;
  tick: number;
  velocity: number;
}

export class Recorder {
  readonly access = signal<'unasked' | 'asking' | 'granted' | 'refused' | 'missing'>('unasked');
  readonly inputs = signal<string[]>([]);
  readonly outputs = signal<{id: string; name: string}[]>([]);
  readonly output = signal('');
  readonly keyboard = signal(false);
  /** It is an instrument for this recording only. */
  private lent = false;
  readonly octave = signal(4);
  readonly phase = signal<Phase | null>(null);
  readonly answerBars = signal(2);
  readonly snapRecorded = signal(false);
  readonly soundFont = signal('');
  readonly soundFontState = signal<'none' | 'loading' | 'ready'>('none');
  private processor: Promise<void> | undefined;
  private synth: SoundFontSynth | undefined;
  private readonly studio: Studio;
  private midi: MIDIAccess | undefined;
  private readonly held = new Map<number, Held>();
  private readonly sustained: (() => void)[] = [];
  private pedal = false;
  private taken: NewNote[] = [];
  private events: MidiEvent[] = [];
  private base: Song | undefined;
  private wasClicking = false;
  private timer: ReturnType<typeof setInterval> | undefined;
  private abort: AbortController | undefined;
  private callFrom = 0;
  /** The bar line after the call, while it is answered. */
  private answerFrom = 0;

  constructor(studio: Studio) {
    this.studio = studio;
  }

  // Instruments.

  async enableMidi(): Promise<void> {
    if (!navigator.requestMIDIAccess) {
      this.access.value = 'missing';
      return;
    }
    this.access.value = 'asking';
    try {
      this.midi = await navigator.requestMIDIAccess();
    } catch {
      this.access.value = 'refused';
      return;
    }
    this.access.value = 'granted';
    const list = () => {
      const inputs = [...this.midi!.inputs.values()];
      for (const input of inputs) input.onmidimessage = (event) => this.message(event);
      this.inputs.value = inputs.map((input) => input.name ?? 'Input');
      this.outputs.value = [...this.midi!.outputs.values()].map(({id, name}) => ({
        id,
        name: name ?? 'Output',
      }));
    };
    this.midi.onstatechange = list;
    list();
  }

  private message(event: MIDIMessageEvent): void {
    const {data} = event;
    if (!data || data.length < 2) return;
    const kind = data[0] >> 4;
    if (kind === 9 && data[2] > 0) this.noteOn(data[1] & 127, data[2] & 127, event.timeStamp);
    else if (kind === 8 || kind === 9) this.noteOff(data[1] & 127, event.timeStamp);
    else if (kind === 11 && data[1] === 64) this.pedalTo(data[2] & 127, event.timeStamp);
  }

  /** The tick at which something was played, as it was heard. */
  private tickOf(timeStamp: number): number {
    const {player} = this.studio;
    const context = player.context!;
    const ago = Math.max(0, Math.min(0.5, (performance.now() - timeStamp) / 1000));
    const latency = Math.min(0.2, context.outputLatency || context.baseLatency || 0);
    return Math.max(0, player.tickAtTime(context.currentTime - ago - latency));
  }

  noteOn(pitch: number, velocity: number, timeStamp = performance.now()): void {
    const {studio} = this;
    this.noteOff(pitch, timeStamp);
    const {track} = studio.target();
    const info = studio.analysis.value.tracks[track];
    const release = studio.player.touch(pitch, velocity, info?.program ?? 0, info?.drum ?? false);
    const kind = this.phase.value?.kind;
    let tick = kind && kind !== 'count' ? this.tickOf(timeStamp) : -1;
    // What is played when the question has been sent still belongs to the call, up to the bar line.
    if (kind === 'answer' && tick >= this.answerFrom) tick = -1;
    this.held.set(pitch, {release, tick, velocity});
  }

  noteOff(pitch: number, timeStamp = performance.now()): void {
    const held = this.held.get(pitch);
    if (!held) return;
    this.held.delete(pitch);
    if (this.pedal) this.sustained.push(held.release);
    else held.release();
    if (held.tick >= 0 && this.phase.value) {
      this.take(pitch, held, this.tickOf(timeStamp));
      this.show();
    }
  }

  private take(pitch: number, held: Held, end: number): void {
    const {studio} = this;
    let {tick} = held;
    if (this.snapRecorded.value) {
      const snapped = studio.snapped(tick);
      end += snapped - tick;
      tick = snapped;
    }
    this.taken.push({
      ...studio.target(),
      pitch,
      velocity: clamp(held.velocity, 1, 127),
      tick: Math.round(tick),
      end: Math.max(Math.round(end), Math.round(tick) + studio.song.value.ticksPerQuarter / 16),
    });
  }

  private pedalTo(value: number, timeStamp: number): void {
    const down = value >= 64;
    if (down !== this.pedal) {
      this.pedal = down;
      if (!down) for (const release of this.sustained.splice(0)) release();
    }
    if (this.phase.value?.kind === 'record' || this.phase.value?.kind === 'call') {
      const {channel} = this.studio.target();
      this.events.push({
        tick: Math.round(this.tickOf(timeStamp)),
        seq: kLast,
        bytes: Uint8Array.of(0xb0 | channel, 64, value),
      });
    }
  }

  moveOctave(by: number): void {
    this.octave.value = clamp(this.octave.value + by, 0, 8);
  }

  /** A key of the computer; whether it is one of the instrument. */
  key(event: KeyboardEvent, down: boolean): boolean {
    if (!this.keyboard.value || event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.code === 'KeyZ' || event.code === 'KeyX') {
      if (down && !event.repeat) this.moveOctave(event.code === 'KeyX' ? 1 : -1);
      return true;
    }
    const step = kKeys[event.code];
    if (step === undefined) return false;
    const pitch = clamp(12 * (this.octave.value + 1) + step, 0, 127);
    if (down && !event.repeat) this.noteOn(pitch, event.shiftKey ? 110 : 80, event.timeStamp);
    else if (!down) this.noteOff(pitch, event.timeStamp);
    return true;
  }

  // Recording.

  setTempo(bpm: number): void {
    const {studio} = this;
    if (studio.song.value.notes.length === 0)
      studio.song.value = withTempo(studio.song.value, clamp(bpm, 20, 300));
  }

  /** Records from the bar at the playhead on, after a bar of clicks. */
  record(): void {
    this.begin('record');
  }

  /** The player calls for some bars, the model answers with as many, and so on. */
  answer(): void {
    if (!this.studio.engine.value) {
      this.studio.say('note', 'There is no engine to answer.');
      return;
    }
    this.begin('call');
  }

  private begin(kind: 'record' | 'call'): void {
    const {studio} = this;
    if (this.phase.value || studio.busy.value) return;
    // Whoever has no instrument plays on the computer's keyboard.
    this.lent = !this.keyboard.value && this.inputs.value.length === 0;
    if (this.lent) this.keyboard.value = true;
    studio.leaveTake();
    const {player} = studio;
    player.wake();
    const analysis = analyse(studio.song.value);
    const bar = analysis.barAt(player.tick);
    // A call comes after what is there; a recording, on top of it.
    const start = analysis.bar(kind === 'call' ? Math.max(bar, analysis.barCount) : bar).tick;
    this.base = studio.song.value;
    this.taken = [];
    this.events = [];
    this.wasClicking = studio.metronome.value;
    this.callFrom = start;
    const first = analysis.bar(analysis.barAt(start));
    const beats = first.numerator;
    const beatSeconds =
      (60 / analysis.bpmAt(start)) * (4 / first.denominator) / studio.speed.value; // prettier-ignore
    batch(() => {
      studio.recording.value = true;
      studio.metronome.value = true;
      studio.loop.value = false;
      this.phase.value = {kind: 'count', until: start};
    });
    const lead = beats * beatSeconds + 0.1;
    player.play(start, true, lead);
    const begin = player.context!.currentTime + 0.1;
    for (let beat = 0; beat < beats; ++beat)
      player.band!.click(begin + beat * beatSeconds, beat === 0);
    const startsAt = begin + beats * beatSeconds;
    clearInterval(this.timer);
    this.timer = setInterval(() => {
      const now = player.context!.currentTime;
      if (!player.playing) {
        this.stop();
        return;
      }
      if (this.phase.value?.kind === 'count') {
        // What is played a little early belongs to the first beat.
        if (now >= startsAt - 0.12)
          this.phase.value = {kind, until: kind === 'call' ? this.callEnd() : Infinity};
      } else if (this.phase.value?.kind === 'call') this.watchCall();
    }, 20);
  }

  private callEnd(): number {
    const analysis = analyse(this.base!);
    return analysis.bar(analysis.barAt(this.callFrom) + this.answerBars.value).tick;
  }

  /** What was recorded until now, on top of the song. */
  private recorded(until = Infinity): Song {
    const {studio} = this;
    const notes = [...this.taken];
    if (until < Infinity) {
      for (const [pitch, held] of this.held) {
        if (held.tick < 0) continue;
        notes.push({
          ...studio.target(),
          pitch,
          velocity: held.velocity,
          tick: Math.round(Math.min(held.tick, until - 1)),
          end: Math.round(until),
        });
      }
    }
    let song = addNotes(this.base!, notes).song;
    if (this.events.length) {
      const {track} = studio.target();
      song = {
        ...song,
        tracks: song.tracks.map((one, i) =>
          i === track
            ? {
                ...one,
                events: [...one.events, ...this.events].sort(
                  (a, b) => a.tick - b.tick || a.seq - b.seq,
                ),
              }
            : one,
        ),
      };
    }
    return song;
  }

  private show(): void {
    if (this.phase.value?.kind !== 'answer') this.studio.liveSong.value = this.recorded();
  }

  private watchCall(): void {
    const {studio} = this;
    const {player} = studio;
    const end = this.callEnd();
    // The answer begins on the bar line, so the question is sent a little before it.
    const lead = clamp((studio.pace.value?.first ?? 100) / 1000 + 0.12, 0.15, 0.6);
    if (player.timeOf(end) - player.context!.currentTime > lead) return;
    const song = this.recorded(end);
    if (song.notes.length === this.base!.notes.length) {
      // Nothing was played: the call goes on.
      this.callFrom = end;
      this.phase.value = {kind: 'call', until: this.callEnd()};
      return;
    }
    this.base = song;
    this.taken = [];
    this.events = [];
    for (const held of this.held.values()) held.tick = -1;
    void this.respond(song, end);
  }

  private async respond(song: Song, start: number): Promise<void> {
    const {studio} = this;
    const engine = studio.engine.value!;
    const analysis = analyse(song);
    // A file ends with its last note: bars of the call that are silent after it are none of the prompt's, and the answer is
    // moved after them.
    const promptBars = Math.min(analysis.barAt(start), analysis.barCount);
    const silent = start - analysis.bar(promptBars).tick;
    const bars = this.answerBars.value;
    let end = analysis.bar(analysis.barAt(start) + bars).tick;
    this.answerFrom = start;
    this.phase.value = {kind: 'answer', until: end};
    this.abort = new AbortController();
    const heard: NewNote[] = [];
    const target = studio.target();
    const began = performance.now();
    let shift = -1;
    try {
      const result = await engine.continueFrom(
        {midi: studio.midi(song), promptBars, bars},
        {
          seed: Math.floor(Math.random() * 1e6),
          count: 1,
          ...studio.drawn({first: promptBars + 1, last: promptBars + bars}),
        },
        {
          signal: this.abort.signal,
          onBar: ({notes, bars: written}) => {
            if (written === promptBars + 1) {
              const first = performance.now() - began;
              studio.pace.value = {first, each: studio.pace.value?.each ?? first};
            }
            if (shift < 0) {
              // An answer that is late begins on the bar line after it.
              const late = studio.player.tick - start > song.ticksPerQuarter / 8;
              const wait = late
                ? analysis.bar(analysis.barAt(studio.player.tick) + 1).tick - start
                : 0;
              end += wait;
              shift = silent + wait;
            }
            for (const note of notes)
              heard.push({
                ...target,
                pitch: note.pitch,
                velocity: clamp(note.velocity, 1, 127),
                tick: note.time + shift,
                end: note.time + shift + Math.max(1, note.duration),
              });
            this.base = addNotes(song, heard).song;
            studio.liveSong.value = this.recorded();
            studio.player.catchUp(analysis.bar(written - 1).tick + shift);
          },
        },
      );
      const midi = result.pieces[0]?.midi;
      if (midi && this.phase.value) {
        const answered = this.recorded();
        this.base = answered;
        this.taken = [];
        this.events = [];
        batch(() => {
          studio.commit('Call and answer', answered);
          studio.liveSong.value = null;
        });
      }
    } catch (error) {
      if (!isAbort(error)) {
        studio.report(
          error instanceof Error ? error : new EngineError(String(error)),
          'The answer could not be written.',
        );
        this.base = this.recorded();
        this.taken = [];
        this.events = [];
        studio.commit('Call', this.base);
        studio.liveSong.value = null;
      }
    }
    if (!this.phase.value) return;
    this.callFrom = end;
    // The next call begins when the answer has been heard.
    const wait = setInterval(() => {
      if (!this.phase.value) clearInterval(wait);
      else if (studio.player.tick >= end - studio.song.value.ticksPerQuarter / 4) {
        clearInterval(wait);
        this.phase.value = {kind: 'call', until: this.callEnd()};
      }
    }, 20);
  }

  stop(): void {
    if (!this.phase.value) return;
    const {studio} = this;
    clearInterval(this.timer);
    this.abort?.abort();
    const now = studio.player.context ? this.tickOf(performance.now()) : 0;
    for (const [pitch, held] of [...this.held]) {
      held.release();
      if (held.tick >= 0) this.take(pitch, held, now);
    }
    this.held.clear();
    const song = this.recorded();
    const changed = this.taken.length > 0 || this.base !== studio.song.value;
    this.phase.value = null;
    if (this.lent) this.keyboard.value = false;
    studio.player.pause();
    batch(() => {
      studio.recording.value = false;
      studio.metronome.value = this.wasClicking;
      studio.liveSong.value = null;
      if (changed) {
        studio.commit('Record', song);
        studio.drawing.value = true;
      }
    });
    this.taken = [];
    this.events = [];
  }

  toggle(): void {
    if (this.phase.value) this.stop();
    else this.record();
  }

  // Other sounds.

  /** Sends what plays to a port; empty: to none. */
  useOutput(id: string): void {
    const {player} = this.studio;
    player.extra?.hush();
    const port = id ? this.midi?.outputs.get(id) : undefined;
    this.output.value = port ? id : '';
    player.extra = port ? midiOut(port, () => player.context?.currentTime ?? 0) : undefined;
  }

  async useSoundFont(file: File): Promise<void> {
    if (this.soundFontState.value === 'loading') return;
    const {player} = this.studio;
    const before = this.soundFont.value;
    this.soundFontState.value = 'loading';
    this.soundFont.value = file.name;
    let synth: SoundFontSynth | undefined;
    try {
      if (file.size > 512 << 20) throw new Error('It has more than 512 MB.');
      const band = player.wake();
      const context = player.context!;
      const chunk = await loadChunk<SoundFontChunk>('chunk-soundfont');
      this.processor ??= addProcessor(context, chunk.processor);
      await this.processor;
      synth = new chunk.WorkletSynthesizer(context);
      const {eventHandler, soundBankManager, isReady} = synth;
      await isReady;
      // What is damaged is an event; the manager waits on.
      const damaged = new Promise<never>((_, reject) =>
        eventHandler.addEvent('soundBankError', 'own', reject),
      );
      const added = soundBankManager.addSoundBank(await file.arrayBuffer(), 'own');
      await Promise.race([added, damaged]);
      synth.connect(band.input);
      this.silenceSoundFont();
      this.synth = synth;
      player.sounder = soundFontSounder(synth, () => context.currentTime);
      this.soundFontState.value = 'ready';
    } catch (error) {
      if (!synth) this.processor = undefined; // to be tried again
      synth?.destroy();
      this.soundFont.value = before;
      this.soundFontState.value = before ? 'ready' : 'none';
      this.studio.report(error, `${file.name} could not be used.`);
    }
  }

  noSoundFont(): void {
    this.silenceSoundFont();
    this.soundFont.value = '';
    this.soundFontState.value = 'none';
  }

  private silenceSoundFont(): void {
    const {player} = this.studio;
    player.sounder?.hush();
    player.sounder = undefined;
    this.synth?.destroy();
    this.synth = undefined;
  }
}

interface SoundFontChunk {
  WorkletSynthesizer: new (context: AudioContext) => SoundFontSynth;
  /** A script in base64. */
  processor: string;
}

/** An audio context takes a processor once. Chromium takes none from a Blob in a page that was opened from a file; the policy
 * of a server's page allows none from a data: address. */
async function addProcessor(context: AudioContext, script: string): Promise<void> {
  if (location.protocol === 'file:') {
    await context.audioWorklet.addModule(`data:text/javascript;base64,${script}`);
    return;
  }
  const url = URL.createObjectURL(new Blob([fromBase64(script)], {type: 'text/javascript'}));
  await context.audioWorklet.addModule(url);
  URL.revokeObjectURL(url);
}

interface SoundFontSynth {
  isReady: Promise<unknown>;
  soundBankManager: {addSoundBank(data: ArrayBuffer, id: string): Promise<void>};
  eventHandler: {
    addEvent(event: 'soundBankError', id: string, callback: (error: Error) => void): void;
  };
  connect(node: AudioNode): void;
  noteOn(channel: number, pitch: number, velocity: number, options?: {time?: number}): void;
  noteOff(channel: number, pitch: number, options?: {time?: number}): void;
  programChange(channel: number, program: number, options?: {time?: number}): void;
  stopAll(force?: boolean): void;
  destroy(): void;
}

function soundFontSounder(synth: SoundFontSynth, now: () => number): Sounder {
  const programs = new Map<number, number>();
  return {
    strike({channel, pitch, velocity}, program, drum, start, stop) {
      if (!drum && programs.get(channel) !== program) {
        programs.set(channel, program);
        synth.programChange(channel, program, {time: start});
      }
      synth.noteOn(channel, pitch, velocity, {time: start});
      if (stop - now() < 20) synth.noteOff(channel, pitch, {time: stop});
      return (at) => synth.noteOff(channel, pitch, {time: at});
    },
    hush: () => synth.stopAll(true),
  };
}

function midiOut(port: MIDIOutput, now: () => number): Sounder {
  const programs = new Map<number, number>();
  const at = (time: number) => performance.now() + Math.max(0, time - now()) * 1000;
  return {
    strike({channel, pitch, velocity}, program, drum, start, stop) {
      if (!drum && programs.get(channel) !== program) {
        programs.set(channel, program);
        port.send([0xc0 | channel, program], at(start));
      }
      port.send([0x90 | channel, pitch, velocity], at(start));
      if (stop - now() < 20) port.send([0x80 | channel, pitch, 64], at(stop));
      return (time) => port.send([0x80 | channel, pitch, 64], at(time));
    },
    hush() {
      for (let channel = 0; channel < 16; ++channel) port.send([0xb0 | channel, 123, 0]);
    },
  };
}
