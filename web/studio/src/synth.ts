// All instruments: the report's piano for pianos, simple synthesis for the other General MIDI programs and for drums.
import {Piano, toneKeys} from '../../common/piano.js';
import toneWorker from 'worker:./tone_worker.ts';

/** Tones that were computed so far, for all contexts. */
const tones = new Map<number, AudioBuffer>();
const waiting: Piano[] = [];
let worker: Worker | undefined;
let pending = 0;

/** Begins to compute the piano's tones, those of the middle first; resolves when all are there. */
export function prepareTones(): Promise<void> {
  if (tones.size === toneKeys.length) return Promise.resolve();
  return new Promise((resolve) => {
    if (!worker) {
      const url = URL.createObjectURL(new Blob([toneWorker], {type: 'text/javascript'}));
      worker = new Worker(url);
      const order = [...toneKeys].sort((a, b) => Math.abs(a - 60) - Math.abs(b - 60));
      for (const key of order) worker.postMessage(key);
      pending = order.length;
    }
    worker.addEventListener(
      'message',
      ({data}: MessageEvent<{key: number; samples: Float32Array<ArrayBuffer>}>) => {
        if (!tones.has(data.key)) {
          const buffer = new AudioBuffer({
            length: data.samples.length,
            numberOfChannels: 1,
            sampleRate: 44100,
          });
          buffer.copyToChannel(data.samples, 0);
          tones.set(data.key, buffer);
          for (const piano of waiting) piano.tones.set(data.key, buffer);
          pending--;
        }
        if (pending === 0) resolve();
      },
    );
  });
}

export type Release = (at: number) => void;

interface Patch {
  wave: OscillatorType;
  /** Harmonics that a sine-based organ or bell adds: [ratio, level]. */
  partials?: [number, number][];
  attack: number;
  /** Seconds in which a held note falls to a third; 0: it does not. */
  decay: number;
  release: number;
  level: number;
  /** Filter in multiples of the note's frequency at full force. */
  bright: number;
  detune?: number;
}

const kOrgan: Patch = {wave: 'sine', partials: [[1, 1], [2, 0.6], [3, 0.35], [4, 0.3], [8, 0.1]], attack: 0.01, decay: 0, release: 0.06, level: 0.22, bright: 14}; // prettier-ignore
const kPatches: Patch[] = [
  {wave: 'sawtooth', attack: 0.002, decay: 0.5, release: 0.1, level: 0.3, bright: 6}, // 0: piano, not used
  {wave: 'sine', partials: [[1, 1], [3.93, 0.3], [9.2, 0.1]], attack: 0.002, decay: 0.7, release: 0.5, level: 0.5, bright: 20}, // prettier-ignore
  kOrgan,
  {wave: 'triangle', partials: [[1, 1], [2, 0.4], [3, 0.2]], attack: 0.003, decay: 0.7, release: 0.12, level: 0.5, bright: 7}, // prettier-ignore
  {wave: 'sawtooth', attack: 0.006, decay: 1.4, release: 0.08, level: 0.5, bright: 4},
  {wave: 'sawtooth', attack: 0.09, decay: 0, release: 0.22, level: 0.2, bright: 5, detune: 7},
  {wave: 'sawtooth', attack: 0.13, decay: 0, release: 0.3, level: 0.18, bright: 4, detune: 9},
  {wave: 'sawtooth', attack: 0.035, decay: 0, release: 0.1, level: 0.26, bright: 5},
  {wave: 'square', attack: 0.03, decay: 0, release: 0.1, level: 0.16, bright: 5},
  {wave: 'triangle', attack: 0.045, decay: 0, release: 0.12, level: 0.45, bright: 6},
  {wave: 'sawtooth', attack: 0.008, decay: 0, release: 0.12, level: 0.2, bright: 6, detune: 5},
  {wave: 'sawtooth', attack: 0.4, decay: 0, release: 0.8, level: 0.16, bright: 3, detune: 12},
  {wave: 'triangle', attack: 0.2, decay: 0, release: 0.7, level: 0.35, bright: 6, detune: 10},
  {wave: 'sawtooth', attack: 0.003, decay: 0.45, release: 0.12, level: 0.35, bright: 6},
  {wave: 'sine', partials: [[1, 1], [2.76, 0.4]], attack: 0.002, decay: 0.3, release: 0.2, level: 0.5, bright: 12}, // prettier-ignore
  {wave: 'square', attack: 0.05, decay: 0, release: 0.3, level: 0.12, bright: 3},
];

/** Plays notes of any program through a context, which may be an OfflineAudioContext. */
export class Band {
  readonly context: BaseAudioContext;
  readonly piano: Piano;
  /** Of other instruments, which are as loud as these. */
  readonly input: GainNode;
  private noise: AudioBuffer | undefined;
  private readonly sounding = new Set<AudioScheduledSourceNode>();

  constructor(context: BaseAudioContext) {
    this.context = context;
    this.piano = new Piano(context);
    this.input = context.createGain();
    this.input.connect(this.piano.output);
    for (const [key, buffer] of tones) this.piano.tones.set(key, buffer);
    if (tones.size < toneKeys.length) waiting.push(this.piano);
  }

  get output(): AudioNode {
    return this.piano.output;
  }

  setVolume(volume: number): void {
    this.piano.setGain(volume);
    this.input.gain.value = volume;
  }

  strike(
    sound: {program: number; drum: boolean; pitch: number; velocity: number},
    start: number,
    stop: number,
  ): Release {
    if (sound.drum) return this.hit(sound.pitch, sound.velocity, start);
    if (sound.program < 8) return this.piano.strike(sound, start, stop);
    return this.sustain(kPatches[sound.program >> 3], sound.pitch, sound.velocity, start, stop);
  }

  /** A click of the metronome. */
  click(at: number, accent: boolean): void {
    const {context} = this;
    const oscillator = context.createOscillator();
    const gain = context.createGain();
    oscillator.frequency.value = accent ? 1760 : 1180;
    gain.gain.setValueAtTime(accent ? 0.28 : 0.17, at);
    gain.gain.exponentialRampToValueAtTime(1e-4, at + 0.05);
    oscillator.connect(gain).connect(this.piano.output);
    oscillator.start(at);
    oscillator.stop(at + 0.06);
    this.keep(oscillator, gain);
  }

  hush(): void {
    this.piano.hush();
    const now = this.context.currentTime;
    for (const source of this.sounding) {
      try {
        source.stop(now + 0.12);
      } catch {
        /* has ended */
      }
    }
    this.sounding.clear();
  }

  private keep(source: AudioScheduledSourceNode, last: AudioNode): void {
    this.sounding.add(source);
    source.onended = () => {
      this.sounding.delete(source);
      last.disconnect();
    };
  }

  private sustain(
    patch: Patch,
    pitch: number,
    velocity: number,
    start: number,
    stop: number,
  ): Release {
    const {context} = this;
    const frequency = 440 * 2 ** ((pitch - 69) / 12);
    const force = velocity / 127;
    const gain = context.createGain();
    const filter = context.createBiquadFilter();
    filter.type = 'lowpass';
    filter.frequency.value = Math.min(
      14000,
      frequency * patch.bright * (0.35 + 0.65 * force) + 300,
    );
    const level = patch.level * (0.12 + 0.88 * force ** 1.5);
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(level, start + patch.attack);
    if (patch.decay > 0) gain.gain.setTargetAtTime(level * 0.02, start + patch.attack, patch.decay);
    gain.gain.setTargetAtTime(0, Math.max(stop, start + patch.attack), patch.release / 3);
    filter.connect(gain).connect(this.piano.level);
    const end = Math.max(stop, start + patch.attack) + patch.release * 2;
    const sources: OscillatorNode[] = [];
    const add = (ratio: number, share: number, detune: number) => {
      if (frequency * ratio > 16000) return;
      const oscillator = context.createOscillator();
      oscillator.type = patch.wave;
      oscillator.frequency.value = frequency * ratio;
      oscillator.detune.value = detune;
      const part = context.createGain();
      part.gain.value = share;
      oscillator.connect(part).connect(filter);
      oscillator.start(start);
      oscillator.stop(end);
      this.sounding.add(oscillator);
      sources.push(oscillator);
    };
    for (const [ratio, share] of patch.partials ?? [[1, 1]]) add(ratio, share, patch.detune ?? 0);
    if (patch.detune) add(1, 0.8, -patch.detune);
    const first = sources[0];
    if (first) {
      first.onended = () => {
        for (const source of sources) this.sounding.delete(source);
        gain.disconnect();
      };
    }
    return (at) => {
      gain.gain.cancelScheduledValues(at);
      gain.gain.setTargetAtTime(0, at, patch.release / 3);
      for (const source of sources) source.stop(at + patch.release * 2);
    };
  }

  private hit(pitch: number, velocity: number, start: number): Release {
    const {context} = this;
    const force = 0.1 + 0.9 * (velocity / 127) ** 1.4;
    const gain = context.createGain();
    gain.connect(this.piano.level);
    const ends: AudioScheduledSourceNode[] = [];
    const boom = (from: number, to: number, seconds: number, level: number) => {
      const oscillator = context.createOscillator();
      const part = context.createGain();
      oscillator.frequency.setValueAtTime(from, start);
      oscillator.frequency.exponentialRampToValueAtTime(to, start + seconds * 0.4);
      part.gain.setValueAtTime(level * force, start);
      part.gain.exponentialRampToValueAtTime(1e-4, start + seconds);
      oscillator.connect(part).connect(gain);
      oscillator.start(start);
      oscillator.stop(start + seconds);
      ends.push(oscillator);
    };
    const hiss = (type: BiquadFilterType, frequency: number, seconds: number, level: number) => {
      const source = context.createBufferSource();
      source.buffer = this.noise ??= makeNoise(context);
      const filter = context.createBiquadFilter();
      filter.type = type;
      filter.frequency.value = frequency;
      const part = context.createGain();
      part.gain.setValueAtTime(level * force, start);
      part.gain.exponentialRampToValueAtTime(1e-4, start + seconds);
      source.connect(filter).connect(part).connect(gain);
      source.start(start, ((pitch * 37) % 100) / 200);
      source.stop(start + seconds);
      ends.push(source);
    };
    if (pitch === 35 || pitch === 36) boom(140, 42, 0.35, 1.1);
    else if (pitch === 38 || pitch === 40 || pitch === 39 || pitch === 37) {
      if (pitch !== 39) boom(260, 170, 0.14, 0.45);
      hiss('highpass', pitch === 37 ? 2500 : 1400, pitch === 37 ? 0.06 : 0.2, 0.5);
    } else if (pitch === 42 || pitch === 44) hiss('highpass', 7500, 0.06, 0.3);
    else if (pitch === 46) hiss('highpass', 7000, 0.35, 0.28);
    else if (pitch === 49 || pitch === 57 || pitch === 55 || pitch === 52)
      hiss('highpass', 4500, 1.3, 0.32);
    else if (pitch === 51 || pitch === 53 || pitch === 59) hiss('bandpass', 6500, 0.6, 0.4);
    else if (pitch >= 41 && pitch <= 50)
      boom(90 + (pitch - 41) * 18, 60 + (pitch - 41) * 14, 0.35, 0.8);
    else {
      boom(300 + (pitch % 12) * 45, 240 + (pitch % 12) * 40, 0.1, 0.3);
      hiss('bandpass', 3000, 0.05, 0.2);
    }
    ends.forEach((source, i) => {
      this.sounding.add(source);
      source.onended = () => {
        this.sounding.delete(source);
        if (i === ends.length - 1) gain.disconnect();
      };
    });
    return () => {};
  }
}

function makeNoise(context: BaseAudioContext): AudioBuffer {
  const buffer = context.createBuffer(1, 2 * context.sampleRate, context.sampleRate);
  const data = buffer.getChannelData(0);
  let seed = 22222;
  for (let i = 0; i < data.length; ++i) {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    data[i] = seed / 1073741824 - 1;
  }
  return buffer;
}
