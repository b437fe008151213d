// What the page asks of an engine. There are two: ServerEngine (server_engine.ts) speaks HTTP to
// `continuo serve` or `continuo studio`; the WebAssembly build brings another one inside the file.
// Names and defaults are those of docs/api/openapi.json and of the command line.

/** What a model or the build of its engine can be asked for, beside what all of them take. */
export type Control = 'chords' | 'tempo' | 'form' | 'density' | 'loudness' | 'scale' | 'range';

/** A field left out means the model's own choice, as a flag left out on the command line does. */
export interface ComposeOptions {
  /** Divides the logits; 0: always the likeliest token. */
  temperature?: number;
  /** Only the k likeliest tokens; 0: all. */
  topK?: number;
  /** Only the likeliest tokens that together reach p; above 0, at most 1. */
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  /** A whole number from 0 to 2^53 - 1; the same seed gives the same bytes. 1 if left out. */
  seed?: number;
  /** How many pieces, or candidates of `fill`; 1 if left out. Piece i draws from (seed, i). */
  count?: number;
  /** How often a piece that is stuck may go back; 0 if left out. */
  retries?: number;
  /** "C | Am | F G7". Needs the control `chords`. */
  chords?: string;
  /** `keep` if left out; `free` needs the control `tempo`. Of `continueFrom` only. */
  tempo?: 'keep' | 'free';
  /** Quarter notes per minute, instead of `tempo`. Of `generate` and `continueFrom` only. */
  bpm?: number;
  /** "AABA" or "A8 B8 A8": sections of the new bars. Needs the control `form`. */
  form?: string;
  /** How many notes, 0 to 7, as points LEVEL:BAR over the new bars: "2:1 6:24". Needs the control `density`. */
  density?: string;
  /** How loud, 0 to 7, as `density`. Needs the control `loudness`. */
  loudness?: string;
  /** "C major", "A minor pentatonic". Needs the control `scale`. */
  scale?: string;
  /** Lowest and highest MIDI pitch. Needs the control `range`. */
  range?: readonly [number, number];
}

/** A note as it is written; times are from the start of the whole piece. */
export interface WrittenNote {
  /** In ticks of the piece that will be delivered: those of the given file, else `ticksPerQuarter` of the ModelInfo. */
  time: number;
  duration: number;
  pitch: number;
  velocity: number;
  program: number;
  drum: boolean;
  seconds: number;
  durationSeconds: number;
}

/** Piece `index` now has `bars` complete bars, the prompt's included; `notes` became known with the last of them. A number of
 * bars that is no higher than an earlier one replaces what came with that one and later ones (retries). */
export interface BarUpdate {
  index: number;
  bars: number;
  notes: WrittenNote[];
}

/** A complete piece: what `continuo generate`, `continue` or `fill` would have written to a file, byte for byte. */
export interface WrittenPiece {
  /** Below `count`; names the random stream. */
  index: number;
  /** The whole piece as a Standard MIDI File: new; the prompt and its new bars; the given piece with bars written again. */
  midi: Uint8Array;
  /** Mean negative log-likelihood per token, in nats; NaN if it was not measured. */
  nllPerToken: number;
  /** Of `fill`: the same of the bars that follow the gap. */
  followingNll?: number;
}

/** How a result was made: enough to make it again. */
export interface Manifest {
  task: 'generate' | 'continue' | 'fill';
  model: string;
  modelSha256: string;
  engine: 'server' | 'wasm';
  /** Version of the engine; empty if unknown. */
  version: string;
  bars?: number;
  promptBars?: number;
  track?: number;
  first?: number;
  last?: number;
  options: ComposeOptions;
}

export interface ComposeResult {
  /** By index; of `fill` best first. */
  pieces: WrittenPiece[];
  manifest: Manifest;
}

/** Of a running request. Callbacks are called in order, never after the promise has settled. */
export interface Watch {
  /** Ends the work soon; the promise then rejects with an AbortError (DOMException). */
  signal?: AbortSignal;
  /** With each bar of each piece, as it is written. */
  onBar?: (update: BarUpdate) => void;
  /** A piece is complete. */
  onPiece?: (piece: WrittenPiece) => void;
  /** This many requests are before this one. */
  onWaiting?: (before: number) => void;
}

export interface ModelInfo {
  name: string;
  sha256: string;
  /** Of the pieces that `generate` writes. */
  ticksPerQuarter: number;
  /** Tokens. */
  context: number;
  vocabulary: number;
  /** The model's own sampling, for the fields that are left out. */
  sampling: {
    temperature: number;
    topK: number;
    topP: number;
    minP: number;
    repetitionPenalty: number;
  };
  controls: Control[];
}

export interface EngineInfo {
  kind: 'server' | 'wasm';
  /** For people: "continuo on 127.0.0.1", "in this page". */
  where: string;
  version: string;
  model: ModelInfo;
  /** Most bars of a piece, pieces of a request, and bytes of a request. */
  limits: {bars: number; count: number; bytes: number};
}

export interface Likelihood {
  tokens: number;
  notes: number;
  /** In nats; NaN where nothing was measured. */
  nll: number;
  nllOfBars: number[];
}

export interface Evaluation {
  /** By the names of docs/metrics.md; NaN where a metric is not defined. */
  metrics: Record<string, number>;
  /** "C major"; empty if unknown. */
  key: string;
}

export interface MusicXmlOptions {
  title?: string;
  smallestNote?: 16 | 32 | 64;
  triplets?: boolean;
  chords?: boolean;
  dynamics?: boolean;
}

/** What the engine refused, in words for people. */
export class EngineError extends Error {
  readonly hint: string;
  readonly code: string;
  constructor(message: string, hint = '', code = '') {
    super(message);
    this.name = 'EngineError';
    this.hint = hint;
    this.code = code;
  }
}

/** All files are bytes of a Standard MIDI File; tracks and bars are counted from 1, as on the command line. Failures reject
 * with an EngineError, cancellation with an AbortError. An engine runs one request at a time; others wait their turn. */
export interface Engine {
  info(): Promise<EngineInfo>;
  /** The file that someone gave the engine to open; nothing, or no such function, if there is none. */
  opened?(): Promise<{name: string; midi: Uint8Array} | null>;
  /** Writes new pieces of `bars` bars. */
  generate(request: {bars: number}, options: ComposeOptions, watch?: Watch): Promise<ComposeResult>;
  /** Keeps the first `promptBars` bars and writes `bars` new ones; with `track` for this track alone. */
  continueFrom(
    request: {midi: Uint8Array; promptBars: number; bars: number; track?: number},
    options: ComposeOptions,
    watch?: Watch,
  ): Promise<ComposeResult>;
  /** Writes the bars `first` to `last` again; delivers all `count` candidates, best first. */
  fill(
    request: {midi: Uint8Array; first: number; last: number},
    options: ComposeOptions,
    watch?: Watch,
  ): Promise<ComposeResult>;
  likelihood(midi: Uint8Array, watch?: Pick<Watch, 'signal'>): Promise<Likelihood>;
  evaluate(midi: Uint8Array, watch?: Pick<Watch, 'signal'>): Promise<Evaluation>;
  /** MusicXML, as `continuo export` writes it. */
  exportMusicXml(
    midi: Uint8Array,
    options?: MusicXmlOptions,
    watch?: Pick<Watch, 'signal'>,
  ): Promise<string>;
}

/** What the one-file build puts in `window.CONTINUO_WASM` before the page's own script runs (embed.mjs). */
export interface WasmProvider {
  /** Called once; may take a while, and rejects with an EngineError if the browser lacks something. */
  createEngine(): Promise<Engine>;
}

declare global {
  interface Window {
    CONTINUO_WASM?: WasmProvider;
  }
}
