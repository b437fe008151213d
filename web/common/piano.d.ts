export const toneKeys: number[];
export function tone(pitch: number, rate?: number): Float32Array<ArrayBuffer>;
export interface Sound {
  pitch: number;
  velocity: number;
}
export class Piano {
  constructor(context: BaseAudioContext);
  readonly context: BaseAudioContext;
  readonly tones: Map<number, AudioBuffer>;
  /** What notes are struck into; another one after `hush`. */
  readonly level: GainNode;
  readonly output: AudioNode;
  readonly gain: number;
  setGain(gain: number): void;
  prepare(pitches: Iterable<number>): boolean;
  levelFor(line: {
    notes: {start: number; off: number; velocity: number}[];
    length: number;
  }): void;
  strike(sound: Sound, start: number, stop: number, into?: AudioNode): (at: number) => void;
  hush(): void;
}
