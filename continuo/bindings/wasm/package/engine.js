// Runs continuo.wasm in the thread that calls: the API of docs/api/openapi.json, without HTTP.

/** What the engine refused, in words for people. */
export class ContinuoError extends Error {
  constructor(message, hint = '', code = '') {
    super(hint ? `${message} (${hint})` : message);
    this.name = 'ContinuoError';
    this.hint = hint;
    this.code = code;
  }
}

const kNotSupported = -52; // ENOSYS of musl

/** What the module asks of its host beside events: a clock, and text for the console. It has no
 * files, no environment and no arguments. */
function hostFunctions(memory, log) {
  const view = () => new DataView(memory().buffer);
  const known = {
    clock_time_get(clock, precision, result) {
      const now = clock === 0 ? Date.now() : performance.now();
      view().setBigUint64(result, BigInt(Math.round(now * 1e6)), true);
      return 0;
    },
    environ_sizes_get(count, bytes) {
      view().setUint32(count, 0, true);
      view().setUint32(bytes, 0, true);
      return 0;
    },
    environ_get: () => 0,
    args_sizes_get(count, bytes) {
      return known.environ_sizes_get(count, bytes);
    },
    args_get: () => 0,
    fd_write(file, vectors, count, written) {
      let total = 0;
      let text = '';
      for (let i = 0; i < count; ++i) {
        const at = view().getUint32(vectors + 8 * i, true);
        const size = view().getUint32(vectors + 8 * i + 4, true);
        text += new TextDecoder().decode(new Uint8Array(memory().buffer, at, size));
        total += size;
      }
      if (text.trim()) log(text.trimEnd());
      view().setUint32(written, total, true);
      return 0;
    },
    proc_exit(status) {
      throw new ContinuoError(
        `the engine ended with status ${status}`,
        'load it again',
        'internal',
      );
    },
    emscripten_notify_memory_growth() {},
  };
  return (name) => known[name] ?? (() => kNotSupported);
}

export class Engine {
  #exports;
  #call = {};
  #broken = null;

  /** Compiles and starts the module. `wasm`: its bytes, or a WebAssembly.Module. */
  static async create(wasm, {log = console.error} = {}) {
    const engine = new Engine();
    const module = wasm instanceof WebAssembly.Module ? wasm : await WebAssembly.compile(wasm);
    const host = hostFunctions(() => engine.#exports.memory, log);
    const imports = {};
    for (const {module: space, name} of WebAssembly.Module.imports(module)) {
      imports[space] ??= {};
      imports[space][name] = host(name);
    }
    imports.continuo = {
      event: (name, data) => engine.#onEvent(engine.#text(name), engine.#text(data)),
      stop: () => (engine.#call.shouldStop?.() ? 1 : 0),
    };
    engine.#exports = (await WebAssembly.instantiate(module, imports)).exports;
    engine.#exports._initialize();
    return engine;
  }

  /** Loads a model directory: {'config.json': Uint8Array, 'model.safetensors': …, …}. */
  load(files, name = 'model') {
    this.#run(() => {
      for (const [file, bytes] of Object.entries(files)) {
        const at = this.#exports.continuo_allocate(bytes.length);
        new Uint8Array(this.#exports.memory.buffer, at, bytes.length).set(bytes);
        this.#withText([file], (text) => this.#exports.continuo_add_file(text, at, bytes.length));
        this.#exports.continuo_free(at);
      }
      const status = this.#withText([name], (text) => this.#exports.continuo_load(text));
      if (status !== 200) throw this.#error();
    });
  }

  /** A request of the API: `what` is the last part of its path. Events go to `onEvent(name, data)`,
   * which returns false to stop; `shouldStop()` is asked before each token. Returns the answer's
   * body, and null where the answer is events or was stopped. */
  request(what, body, {onEvent = () => true, shouldStop} = {}) {
    return this.#run(() => {
      this.#call = {onEvent, shouldStop, failure: null};
      const method = body === undefined ? 'GET' : 'POST';
      const words = [method, `/api/v1/${what}`, JSON.stringify(body ?? {})];
      const status = this.#withText(words, (...text) => this.#exports.continuo_request(...text));
      const {failure} = this.#call;
      this.#call = {};
      if (failure) throw failure;
      if (status !== 200) throw this.#error();
      const result = this.#text(this.#exports.continuo_result());
      return result ? JSON.parse(result) : null;
    });
  }

  #onEvent(name, data) {
    try {
      return this.#call.onEvent(name, JSON.parse(data)) === false ? 0 : 1;
    } catch (error) {
      this.#call.failure = error;
      return 0;
    }
  }

  /** After a trap (out of memory) the module's memory is in no known state. */
  #run(work) {
    if (this.#broken) throw this.#broken;
    try {
      return work();
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError || error.code === 'internal') {
        this.#broken = new ContinuoError(
          `the engine failed: ${error.message}`,
          'it may be out of memory; load it again',
          'internal',
        );
        throw this.#broken;
      }
      throw error;
    }
  }

  #error() {
    const {error} = JSON.parse(this.#text(this.#exports.continuo_result()));
    return new ContinuoError(error.message, error.hint, error.code);
  }

  #text(at) {
    const bytes = new Uint8Array(this.#exports.memory.buffer);
    return new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));
  }

  /** Calls `use` with the texts in the module's memory. */
  #withText(texts, use) {
    const places = texts.map((text) => {
      const bytes = new TextEncoder().encode(text);
      const at = this.#exports.continuo_allocate(bytes.length + 1);
      const memory = new Uint8Array(this.#exports.memory.buffer, at, bytes.length + 1);
      memory.set(bytes);
      memory[bytes.length] = 0;
      return at;
    });
    try {
      return use(...places);
    } finally {
      for (const at of places) this.#exports.continuo_free(at);
    }
  }
}
