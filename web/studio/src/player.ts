// Plays a song, which may change or grow while it plays.
import {clamp, type Analysis} from './song.ts';
import type {Note} from './midi.ts';
import {Band, prepareTones, type Release} from './synth.ts';

const kTick = 25; // milliseconds between looks ahead
const kAhead = 0.14; // seconds that are handed to the audio system in advance
const kAheadHidden = 1.6; // in a tab that is not seen, whose timers are slow
const kLeadIn = 0.06;

export interface Loop {
  from: number;
  to: number;
}

/** Another way to sound: a SoundFont, or a port. */
export interface Sounder {
  strike(
    note: Note,
    program: number,
    drum: boolean,
    start: number,
    stop: number,
  ): Release | undefined;
  hush(): void;
}

interface Voice {
  track: number;
  until: number;
  release: Release;
}

export class Player {
  context: AudioContext | undefined;
  band: Band | undefined;
  meter: AnalyserNode | undefined;
  playing = false;
  loop: Loop | undefined;
  metronome = false;
  /** 1: as written. */
  speed = 1;
  volume = 0.7;
  muted: ReadonlySet<number> = new Set();
  solo: ReadonlySet<number> = new Set();
  /** Where it stands when it does not play, in ticks. */
  private rest = 0;
  /** Where it was told to play from, and returns to at the end. */
  private from = 0;
  private analysis: Analysis;
  /** Bars are still being written: the end of the song is not the end, and nothing from here on can be played yet. */
  private horizon: number | undefined;
  private endless = false;
  /** Time of the context and seconds of the song that fall together. */
  private anchorTime = 0;
  private anchorSeconds = 0;
  private stalled = false;
  private nextTick = 0;
  private clickBar = 0;
  private clickBeat = 0;
  private timer: ReturnType<typeof setInterval> | undefined;
  private voices: Voice[] = [];
  /** Instead of the built-in sounds. */
  sounder: Sounder | undefined;
  /** Beside them. */
  extra: Sounder | undefined;
  onChange: () => void = () => {};

  constructor(analysis: Analysis) {
    this.analysis = analysis;
  }

  /** Makes the audio context, which needs a gesture of the user. */
  wake(): Band {
    if (!this.context || !this.band) {
      this.context = new AudioContext({latencyHint: 'interactive'});
      this.band = new Band(this.context);
      this.band.setVolume(this.volume);
      this.meter = this.context.createAnalyser();
      this.band.output.connect(this.meter);
      void prepareTones();
    }
    void this.context.resume();
    return this.band;
  }

  /** Whether the time of sound passes. */
  get sounds(): boolean {
    return this.context?.state === 'running';
  }

  /** Root mean square of what sounds now, 0..1. */
  loudness(): number {
    if (!this.meter) return 0;
    const samples = new Float32Array(this.meter.fftSize);
    this.meter.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
  }

  setVolume(volume: number): void {
    this.volume = volume;
    this.band?.setVolume(volume);
  }

  setSpeed(speed: number): void {
    const tick = this.tick;
    this.speed = clamp(speed, 0.1, 4);
    if (this.playing) this.anchor(tick);
  }

  /** Takes another song, at the same tick. `horizon`: the tick up to which it is written, if it is still growing. */
  setSong(analysis: Analysis, horizon?: number): void {
    const tick = this.tick;
    this.analysis = analysis;
    this.horizon = horizon;
    if (this.playing) {
      this.anchor(tick);
      this.stalled = horizon !== undefined && tick >= horizon;
    }
  }

  /** Where it stands, in ticks. */
  get tick(): number {
    if (!this.playing || !this.context) return this.rest;
    if (this.stalled) return this.rest;
    const seconds =
      this.anchorSeconds + Math.max(0, this.context.currentTime - this.anchorTime) * this.speed;
    return this.analysis.tickAt(seconds);
  }

  /** The tick that sounds at a time of the context. */
  tickAtTime(time: number): number {
    return this.analysis.tickAt(this.anchorSeconds + (time - this.anchorTime) * this.speed);
  }

  timeOf(tick: number): number {
    return this.anchorTime + (this.analysis.secondsAt(tick) - this.anchorSeconds) / this.speed;
  }

  private anchor(tick: number, lead = 0): void {
    this.anchorTime = (this.context?.currentTime ?? 0) + lead;
    this.anchorSeconds = this.analysis.secondsAt(tick);
    this.rest = tick;
  }

  /** `endless`: goes on after the last note, for a recording; `lead`: seconds until it begins. */
  play(from = this.tick, endless = false, lead = kLeadIn): void {
    const band = this.wake();
    if (this.playing) this.silence();
    this.endless = endless;
    const end = this.analysis.end;
    if (!endless && this.horizon === undefined && from >= end - 1)
      from = this.loop ? this.loop.from : 0;
    if (this.loop && (from < this.loop.from || from >= this.loop.to)) from = this.loop.from;
    // The tones that are needed first.
    const soon = this.analysis.tickAt(this.analysis.secondsAt(from) + 1.2);
    const pitches = new Set<number>();
    this.analysis.eachNote(from, soon, (note) => {
      if (pitches.size < 6) pitches.add(note.pitch);
    });
    band.piano.prepare(pitches);
    this.playing = true;
    this.from = from;
    this.stalled = this.horizon !== undefined && from >= this.horizon;
    this.anchor(from, lead);
    this.nextTick = from;
    this.startClicks(from);
    // Notes that sound already at this place.
    this.analysis.eachNote(from, from + 1, (note, i) => {
      if (note.tick < from) this.strike(note, this.analysis.stops[i], this.anchorTime);
    });
    clearInterval(this.timer);
    this.timer = setInterval(() => this.schedule(), kTick);
    this.schedule();
    this.onChange();
  }

  /** Plays notes from a tick on that came after their time had been looked at. */
  catchUp(tick: number): void {
    this.nextTick = Math.min(this.nextTick, tick);
  }

  pause(): void {
    if (!this.playing) return;
    this.rest = this.tick;
    this.playing = false;
    clearInterval(this.timer);
    this.silence();
    this.onChange();
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.play();
  }

  seek(tick: number): void {
    tick = Math.max(0, tick);
    if (this.playing) this.play(tick, this.endless);
    else {
      this.rest = tick;
      this.onChange();
    }
  }

  /** Strikes a key now, as an instrument is played; the function that comes back lets it go. */
  touch(pitch: number, velocity: number, program = 0, drum = false): () => void {
    const band = this.wake();
    const now = this.context!.currentTime;
    const note: Note = {id: 0, track: 0, channel: drum ? 9 : 0, pitch, velocity, tick: 0, end: 1, release: 64, onSeq: 0, offSeq: 0}; // prettier-ignore
    const release =
      this.sounder?.strike(note, program, drum, now, now + 30) ??
      band.strike({program, drum, pitch, velocity}, now, now + 30);
    const other = this.extra?.strike(note, program, drum, now, now + 30);
    return () => {
      release(this.context!.currentTime);
      other?.(this.context!.currentTime);
    };
  }

  /** Ends what sounds of tracks that are not to be heard any more. */
  updateMutes(): void {
    const now = this.context?.currentTime ?? 0;
    this.voices = this.voices.filter((voice) => {
      if (this.isHeard(voice.track)) return true;
      voice.release(now);
      return false;
    });
  }

  private isHeard(track: number): boolean {
    return !this.muted.has(track) && (this.solo.size === 0 || this.solo.has(track));
  }

  private silence(): void {
    this.voices = [];
    this.band?.hush();
    this.sounder?.hush();
    this.extra?.hush();
  }

  private strike(note: Note, stopTick: number, start: number): void {
    if (!this.isHeard(note.track)) return;
    const program = this.analysis.programs[note.channel];
    const stop = Math.max(start + 0.04, this.timeOf(stopTick));
    const drum = note.channel === 9;
    let release: Release | undefined;
    if (this.sounder) release = this.sounder.strike(note, program, drum, start, stop);
    else
      release = this.band!.strike(
        {program, drum, pitch: note.pitch, velocity: note.velocity},
        start,
        stop,
      );
    const other = this.extra?.strike(note, program, drum, start, stop);
    this.voices.push({
      track: note.track,
      until: stop,
      release: (at) => {
        release?.(at);
        other?.(at);
      },
    });
  }

  private startClicks(tick: number): void {
    this.clickBar = this.analysis.barAt(tick);
    this.clickBeat = 0;
    while (this.clickTick() < tick - 1) this.advanceClick();
  }

  private beatTicks(): number {
    const bar = this.analysis.bar(this.clickBar);
    return (this.analysis.song.ticksPerQuarter * 4) / bar.denominator;
  }

  private clickTick(): number {
    return this.analysis.bar(this.clickBar).tick + this.clickBeat * this.beatTicks();
  }

  private advanceClick(): void {
    const bar = this.analysis.bar(this.clickBar);
    this.clickBeat++;
    if (this.clickTick() >= bar.end - 1) {
      this.clickBar++;
      this.clickBeat = 0;
    }
  }

  private schedule(): void {
    const {context, analysis} = this;
    if (!context || !this.playing) return;
    const now = context.currentTime;
    if (this.stalled) {
      // More bars have not come yet: the clock stands.
      if (this.horizon !== undefined && this.rest >= this.horizon) return;
      this.stalled = false;
      this.anchor(this.rest, kLeadIn);
      this.nextTick = this.rest;
      this.startClicks(this.rest);
    }
    const ahead = document.hidden ? kAheadHidden : kAhead;
    let until = this.tickAtTime(now + ahead);
    let wraps = false;
    if (this.loop && until >= this.loop.to) {
      until = this.loop.to;
      wraps = true;
    }
    if (this.horizon !== undefined && until > this.horizon) until = this.horizon;
    const {notes} = analysis.song;
    for (
      let i = analysis.firstNote(this.nextTick);
      i < notes.length && notes[i].tick < until;
      ++i
    ) {
      const at = this.timeOf(notes[i].tick);
      if (at > now - 0.25) this.strike(notes[i], analysis.stops[i], Math.max(now, at));
    }
    if (this.metronome) {
      for (; this.clickTick() < until; this.advanceClick()) {
        const at = this.timeOf(this.clickTick());
        if (at >= now - 0.02) this.band!.click(Math.max(now, at), this.clickBeat === 0);
      }
    } else while (this.clickTick() < until) this.advanceClick();
    this.nextTick = Math.max(this.nextTick, until);
    if (this.voices.length > 64) this.voices = this.voices.filter((voice) => voice.until > now);
    if (wraps && this.loop) {
      // The clock of the next round begins where this one ends.
      this.anchorTime = this.timeOf(this.loop.to);
      this.anchorSeconds = analysis.secondsAt(this.loop.from);
      this.rest = this.nextTick = this.loop.from;
      this.startClicks(this.loop.from);
      return;
    }
    const tick = this.tick;
    if (this.horizon !== undefined && tick >= this.horizon) {
      this.rest = this.horizon;
      this.stalled = true;
      return;
    }
    if (
      !this.endless &&
      this.horizon === undefined &&
      !this.loop &&
      analysis.secondsAt(tick) > analysis.seconds + 1.5
    ) {
      this.pause();
      this.seek(this.from);
    }
  }
}
