// What the page and the worker of the WebAssembly engine say to each other.

export interface StartMessage {
  kind: 'start';
  /** Compiled once: a worker that replaces another one need not compile it again. */
  module: WebAssembly.Module;
  /** The model directory's files by name. */
  files: Record<string, Uint8Array>;
  name: string;
}

export interface RequestMessage {
  kind: 'request';
  /** The last part of the path, as in docs/api/openapi.json. */
  what: string;
  /** JSON; undefined: a GET. */
  body: unknown;
}

export type ToWorker = StartMessage | RequestMessage;

/** The engine is loaded. */
export interface ReadyMessage {
  kind: 'ready';
}

export interface EventMessage {
  kind: 'event';
  name: string;
  data: unknown;
}

/** A request is done. `body` is JSON, or null after events. */
export interface AnswerMessage {
  kind: 'answer';
  body: unknown;
}

/** A request, or the start, failed. Of code "internal": the worker is of no further use. */
export interface FailureMessage {
  kind: 'failure';
  message: string;
  hint: string;
  code: string;
}

export type FromWorker = ReadyMessage | EventMessage | AnswerMessage | FailureMessage;
