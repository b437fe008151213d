/** What the engine refused, in words for people. */
export class ContinuoError extends Error {
  readonly hint: string;
  /** "invalid", "not_found", "too_large", …; "internal": the engine must be loaded again. */
  readonly code: string;
}

/** Runs continuo.wasm in the thread that calls: the API of docs/api/openapi.json, without HTTP. */
export class Engine {
  /** Compiles and starts the module. `log` gets what it prints. */
  static create(
    wasm: BufferSource | WebAssembly.Module,
    options?: {log?: (text: string) => void},
  ): Promise<Engine>;
  /** Loads the files of a model directory, by name. Throws a ContinuoError. */
  load(files: Record<string, Uint8Array>, name?: string): void;
  /** Answers a request: `what` is the last part of its path, `body` its JSON, undefined for a GET.
   * Events come before it returns; `onEvent` returns false to stop, and `shouldStop` is asked
   * before each token. Returns the answer's JSON, null after events. Throws a ContinuoError. */
  request(
    what: string,
    body?: unknown,
    watch?: {
      onEvent?: (name: string, data: unknown) => boolean | void;
      shouldStop?: () => boolean;
    },
  ): unknown;
}
