export {ContinuoError} from './engine.js';

/** One limit, or several: a text may name the bars that it is for, "A minor@9-16". Of several the
 * last that names a bar holds there. */
export type Limit<Value> = Value | string | (Value | string)[];

/** A field left out means the model's own choice, as a flag left out on the command line does. */
export interface ComposeOptions {
  /** Divides the logits; 0: always the likeliest token. */
  temperature?: number;
  /** Only the k likeliest tokens; 0: all. */
  topK?: number;
  /** Only the likeliest tokens that together reach p; above 0, at most 1. */
  topP?: number;
  /** `topP` of pitches alone: notes stay in the key, and rhythm and length are free. */
  pitchTopP?: number;
  minP?: number;
  repetitionPenalty?: number;
  /** A whole number from 0 to 2^53 - 1; the same seed gives the same bytes. 1 if left out. */
  seed?: number;
  /** Pieces, or candidates of `fill`; 1 if left out. Piece i draws from (seed, i). */
  count?: number;
  /** Only the best ones; 0, or left out: all, of `fill` the best one. */
  keep?: number;
  /** How often a piece that is stuck may go back; 0 if left out. */
  retries?: number;
  /** "C | Am | F G7", for models with tokens of chords. */
  chords?: string;
  /** `keep` that of the piece, if left out; `free` is the model's choice. Of `continueFrom` only. */
  tempo?: 'keep' | 'free';
  /** Quarter notes per minute, instead of `tempo`. Of `generate` and `continueFrom` only. */
  bpm?: number;
  /** "AABA" or "A8 B8 A8": sections of the new bars, for models with tokens of plans. */
  form?: string;
  /** How many notes, 0 to 7, as points LEVEL:BAR over the new bars, "2:1 6:24"; for models with
   * tokens of plans. */
  density?: string;
  /** How loud, 0 to 7, as `density`. */
  loudness?: string;
  /** The share of the notes that return in a bar which repeats another, 0 to 1; for models with
   * tokens of plans. */
  recall?: number;
  /** The share of the other bars whose chords return from 4, 8 or 16 bars before, 0 to 1; for models
   * with chord tokens. */
  chordRecall?: number;
  /** How often every two bars are drawn, 1 to 16, to keep those most like real music; for models
   * with a discriminator.json. */
  drafts?: number;
  /** "A minor". This and the next four limit new notes of any model (docs/generation.md). */
  scale?: Limit<string>;
  /** Lowest and highest note: "C3:C6". */
  range?: Limit<string>;
  /** Notes begin on sixteenths (16), eighths (8) or triplets (12). */
  grid?: Limit<number>;
  /** Notes that begin in a bar, at most. */
  maxNotes?: Limit<number>;
  /** Notes that sound at once, at most. */
  maxPolyphony?: Limit<number>;
  /** The melody of the bars stays, and new notes lie below it. Of `fill` only. */
  keepTop?: boolean;
}

/** Times are from the start of the whole piece; `time` and `duration` in ticks of its file. */
export interface Note {
  time: number;
  duration: number;
  pitch: number;
  velocity: number;
  program: number;
  drum: boolean;
  seconds: number;
  durationSeconds: number;
}

/** Piece `index` has `bars` complete bars, the prompt's included; `notes` are those new with it. As
 * many bars as an earlier update had, or fewer, replace it and later ones (`retries`). */
export interface BarUpdate {
  index: number;
  bars: number;
  notes: Note[];
}

export interface Piece {
  /** Below `count`. */
  index: number;
  /** A Standard MIDI File: the bytes that the program `continuo` writes. */
  midi: Uint8Array;
  /** Of `continueFrom`: the new bars alone. */
  newBars?: Uint8Array;
  /** Mean negative log-likelihood per token, in nats. */
  nllPerToken: number;
  /** Of `fill`: that of the bars that follow. */
  followingNll?: number;
}

/** Called in the midst of a call, which must not be followed by another one from inside. */
export interface Watch {
  /** Return false to stop. */
  onBar?(update: BarUpdate): boolean | void;
  onPiece?(piece: Piece): boolean | void;
  /** Asked before each token. */
  shouldStop?(): boolean;
}

export interface ComposeResult {
  /** The complete ones, in the order of their completion; of `keep` and `fill` best first. */
  pieces: Piece[];
  /** A callback asked to stop before all were complete. */
  stopped: boolean;
}

export interface Likelihood {
  tokens: number;
  notes: number;
  /** In nats. */
  nll: number;
  nllOfBars: number[];
}

export interface Evaluation {
  /** By the names of docs/metrics.md; NaN where one is not defined. */
  metrics: Record<string, number>;
  /** "C major" */
  key: string;
}

export interface MusicXmlOptions {
  title?: string;
  smallestNote?: 16 | 32 | 64;
  triplets?: boolean;
  chords?: boolean;
  dynamics?: boolean;
}

/** All methods compute in the calling thread until they are done, and throw ContinuoError. Tracks
 * and bars are counted from 1. */
export class Continuo {
  /** The model and the limits, as GET /api/v1/models answers. */
  info(): {models: Record<string, unknown>[]; limits: Record<string, number>};
  /** Writes new pieces, of 32 bars if `bars` is left out. */
  generate(options?: ComposeOptions & {bars?: number}, watch?: Watch): ComposeResult;
  /** Keeps the first `promptBars` bars (8) and writes `bars` new ones (24) after them. */
  continueFrom(
    midi: Uint8Array,
    options?: ComposeOptions & {
      promptBars?: number;
      bars?: number;
      track?: number;
    },
    watch?: Watch,
  ): ComposeResult;
  /** Writes the bars `first` to `last` again. */
  fill(
    midi: Uint8Array,
    options: ComposeOptions & {first: number; last: number},
    watch?: Watch,
  ): ComposeResult;
  likelihood(midi: Uint8Array): Likelihood;
  evaluate(midi: Uint8Array, options?: {bars?: number; structure?: boolean}): Evaluation;
  /** The MIDI file of a MusicXML file, plain or compressed, and what of it was left out. */
  importMusicXml(file: Uint8Array): {midi: Uint8Array; warnings: string[]};
  exportMusicXml(midi: Uint8Array, options?: MusicXmlOptions): string;
}

export interface LoadOptions {
  /** The bytes of continuo.wasm, or the module; left out: that of this package. */
  wasm?: Uint8Array | WebAssembly.Module;
  /** The files of a model directory by name; left out: the model of this package. */
  model?: Record<string, Uint8Array>;
  /** The name of the model in messages and in `info`. */
  name?: string;
}

export function load(options?: LoadOptions): Promise<Continuo>;
