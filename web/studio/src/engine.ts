// What the page asks of an engine. There are two: ServerEngine (server_engine.ts) speaks HTTP to
// `continuo serve` or `continuo studio`; the WebAssembly build brings another one inside the file.
// Names and defaults are those of docs/api/openapi.json and of the command line, and the types those
// of the npm package.

import type {
  BarUpdate,
  ComposeOptions,
  Evaluation,
  Likelihood,
  Limit,
  MusicXmlOptions,
  Note,
} from '../../../continuo/bindings/wasm/package/index.js';

/** What a model has tokens for, beside what all of them can be asked for. */
export type Control = 'chords' | 'tempo' | 'form' | 'density' | 'loudness' | 'recall';

export type {
  BarUpdate,
  ComposeOptions,
  Evaluation,
  Likelihood,
  Limit,
  MusicXmlOptions,
  Note as WrittenNote,
};

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
    recall: number;
  };
  controls: Control[];
  /** Of which parts of a whole note new notes may be asked to begin on: 8, 12, 16. */
  grids: number[];
}

export interface EngineInfo {
  kind: 'server' | 'wasm';
  /** For people: "continuo on 127.0.0.1", "in this page". */
  where: string;
  version: string;
  model: ModelInfo;
  /** Of a request: most bars that it writes, the last bar of a piece that it can name, most pieces, most bytes. */
  limits: {bars: number; lastBar: number; count: number; bytes: number};
}

/** What an engine made of sheet music. */
export interface ImportedScore {
  /** A MIDI file. */
  midi: Uint8Array;
  /** What was left out or repaired. */
  warnings: string[];
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
  /** The MIDI file of a MusicXML file, plain or compressed. */
  importMusicXml(file: Uint8Array): Promise<ImportedScore>;
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
