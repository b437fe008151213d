// The engine behind /api/v1 of `continuo serve` and `continuo studio`, or behind anything else that answers its requests.
import {
  composeFields,
  evaluationOf,
  likelihoodOf,
  musicXmlFields,
  noteOf,
} from '../../../continuo/bindings/wasm/package/fields.js';
import {fromBase64, toBase64} from './base64.ts';
import {
  EngineError,
  type BarUpdate,
  type ComposeOptions,
  type ComposeResult,
  type Control,
  type Engine,
  type EngineInfo,
  type Evaluation,
  type ImportedScore,
  type Likelihood,
  type Manifest,
  type MusicXmlOptions,
  type Watch,
  type WrittenPiece,
} from './engine.ts';

type Json = Record<string, unknown>;

const number = (value: unknown, missing = NaN) => (typeof value === 'number' ? value : missing);

/** What answers the requests; a server, if nothing else is given. */
export interface Transport {
  kind: EngineInfo['kind'];
  where: string;
  /** As `fetch`. */
  send(url: string, init: RequestInit): Promise<Response>;
}

export class ServerEngine implements Engine {
  private known: Promise<EngineInfo> | undefined;
  private readonly base: string;
  private readonly transport: Transport;

  /** `base` is an origin; empty: that of the page. */
  constructor(base = '', transport?: Transport) {
    this.base = base;
    this.transport = transport ?? {
      kind: 'server',
      where: `continuo on ${base || location.host}`,
      send: (url, init) => fetch(url, init),
    };
  }

  info(): Promise<EngineInfo> {
    this.known ??= this.readInfo();
    this.known.catch(() => (this.known = undefined));
    return this.known;
  }

  private async readInfo(): Promise<EngineInfo> {
    const response = await this.fetch('models');
    const json = (await response.json()) as {version?: string; models: Json[]; limits: Json};
    const model = json.models[0] ?? {};
    const sampling = (model.sampling ?? {}) as Json;
    return {
      kind: this.transport.kind,
      where: this.transport.where,
      version: typeof json.version === 'string' ? json.version : '',
      model: {
        name: String(model.name ?? 'model'),
        sha256: String(model.sha256 ?? ''),
        ticksPerQuarter: number(model.ticks_per_quarter, 480),
        context: number(model.context, 1024),
        vocabulary: number(model.vocabulary, 0),
        sampling: {
          temperature: number(sampling.temperature, 1),
          topK: number(sampling.top_k, 0),
          topP: number(sampling.top_p, 1),
          minP: number(sampling.min_p, 0),
          repetitionPenalty: number(sampling.repetition_penalty, 1),
          recall: number(sampling.recall, 0),
        },
        controls: Array.isArray(model.controls) ? (model.controls as Control[]) : [],
        grids: Array.isArray(model.grids) ? (model.grids as number[]) : [],
      },
      limits: {
        bars: number(json.limits.bars, 1024),
        lastBar: number(json.limits.last_bar, 10000),
        count: number(json.limits.count, 64),
        bytes: number(json.limits.body_bytes, 12 << 20),
      },
    };
  }

  async opened(): Promise<{name: string; midi: Uint8Array} | null> {
    // Engines without a version have no such path.
    if (!(await this.info()).version) return null;
    const json = (await (await this.fetch('opened')).json()) as {file: Json | null};
    const midi = json.file?.midi;
    return typeof midi === 'string'
      ? {name: String(json.file!.name ?? 'Opened'), midi: fromBase64(midi)}
      : null;
  }

  generate(request: {bars: number}, options: ComposeOptions, watch?: Watch) {
    return this.compose('generate', {bars: request.bars}, {bars: request.bars}, options, watch);
  }

  continueFrom(
    request: {midi: Uint8Array; promptBars: number; bars: number; track?: number},
    options: ComposeOptions,
    watch?: Watch,
  ) {
    const {promptBars, bars, track} = request;
    return this.compose(
      'continue',
      {midi: toBase64(request.midi), prompt_bars: promptBars, bars, track},
      {promptBars, bars, track},
      options,
      watch,
    );
  }

  fill(
    request: {midi: Uint8Array; first: number; last: number},
    options: ComposeOptions,
    watch?: Watch,
  ) {
    const {first, last} = request;
    return this.compose(
      'fill',
      {midi: toBase64(request.midi), first, last, keep: options.count ?? 1},
      {first, last},
      options,
      watch,
    );
  }

  private async compose(
    task: Manifest['task'],
    body: Json,
    described: Partial<Manifest>,
    options: ComposeOptions,
    watch: Watch = {},
  ): Promise<ComposeResult> {
    const info = await this.info();
    const response = await this.post(task, {...composeFields(options), ...body}, watch.signal);
    const pieces: WrittenPiece[] = [];
    let done = false;
    for await (const {name, data} of eventsOf(response, watch.signal)) {
      if (name === 'waiting') watch.onWaiting?.(number(data.before, 0));
      else if (name === 'bar') watch.onBar?.(barUpdate(data));
      else if (name === 'piece') {
        const piece: WrittenPiece = {
          index: number(data.index, 0),
          midi: fromBase64(String(data.midi)),
          nllPerToken: number(data.nll_per_token),
          followingNll: data.following_nll === undefined ? undefined : number(data.following_nll),
        };
        pieces.push(piece);
        watch.onPiece?.(piece);
      } else if (name === 'error') throw errorOf(data);
      else if (name === 'done') done = true;
    }
    if (!done)
      throw new EngineError(
        'The connection to the engine ended early.',
        'Is continuo still running?',
      );
    if (task !== 'fill') pieces.sort((a, b) => a.index - b.index);
    return {
      pieces,
      manifest: {
        task,
        model: info.model.name,
        modelSha256: info.model.sha256,
        engine: info.kind,
        version: info.version,
        ...described,
        options,
      },
    };
  }

  async likelihood(midi: Uint8Array, watch?: Pick<Watch, 'signal'>): Promise<Likelihood> {
    const response = await this.post('likelihood', {midi: toBase64(midi)}, watch?.signal);
    return likelihoodOf((await response.json()) as Json);
  }

  async evaluate(midi: Uint8Array, watch?: Pick<Watch, 'signal'>): Promise<Evaluation> {
    const response = await this.post('evaluate', {midi: toBase64(midi)}, watch?.signal);
    return evaluationOf((await response.json()) as Json);
  }

  async importMusicXml(file: Uint8Array): Promise<ImportedScore> {
    const response = await this.post('import', {musicxml: toBase64(file)});
    const json = (await response.json()) as {midi: string; warnings: string[]};
    return {midi: fromBase64(json.midi), warnings: json.warnings};
  }

  async exportMusicXml(
    midi: Uint8Array,
    options: MusicXmlOptions = {},
    watch?: Pick<Watch, 'signal'>,
  ): Promise<string> {
    const body = {midi: toBase64(midi), ...musicXmlFields(options)};
    const json = (await (await this.post('export', body, watch?.signal)).json()) as {
      musicxml: string;
    };
    return json.musicxml;
  }

  private async post(what: string, body: Json, signal?: AbortSignal): Promise<Response> {
    const text = JSON.stringify(body);
    const {limits} = await this.info();
    if (text.length > limits.bytes) {
      const megabytes = (of: number) => (of / (1 << 20)).toFixed(1);
      throw new EngineError(
        `the piece is too large for the engine: ${megabytes(text.length)} MB to send, at most ${megabytes(limits.bytes)} MB`,
        'Continue a shorter excerpt.',
        'too_large',
      );
    }
    return this.fetch(what, {
      method: 'POST',
      headers: {'Content-Type': 'application/json'},
      body: text,
      signal,
    });
  }

  private async fetch(what: string, init: RequestInit = {}): Promise<Response> {
    let response: Response;
    try {
      response = await this.transport.send(`${this.base}/api/v1/${what}`, init);
    } catch (error) {
      if (isAbort(error)) throw error;
      throw new EngineError('The engine does not answer.', 'Is continuo still running?');
    }
    if (!response.ok) {
      let json: Json;
      try {
        json = (await response.json()) as Json;
      } catch {
        json = {};
      }
      throw errorOf(json, `The engine answered with status ${response.status}.`);
    }
    return response;
  }
}

export const isAbort = (error: unknown) =>
  error instanceof DOMException && error.name === 'AbortError';

function errorOf(json: Json, missing = 'The engine failed.'): EngineError {
  const error = (json.error ?? {}) as Json;
  return new EngineError(
    String(error.message ?? missing),
    String(error.hint ?? ''),
    String(error.code ?? ''),
  );
}

function barUpdate(data: Json): BarUpdate {
  return {
    index: number(data.index, 0),
    bars: number(data.bars, 0),
    notes: (data.notes as Json[]).map(noteOf),
  };
}

/** Server-sent events of a response; comments are passed over. */
async function* eventsOf(
  response: Response,
  signal?: AbortSignal,
): AsyncGenerator<{name: string; data: Json}> {
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let pending = '';
  try {
    for (;;) {
      let chunk: ReadableStreamReadResult<Uint8Array>;
      try {
        chunk = await reader.read();
      } catch (error) {
        if (isAbort(error) || signal?.aborted) throw new DOMException('stopped', 'AbortError');
        throw new EngineError('The connection to the engine broke.', 'Is continuo still running?');
      }
      if (chunk.done) return;
      pending += decoder.decode(chunk.value, {stream: true});
      for (let end = pending.indexOf('\n\n'); end >= 0; end = pending.indexOf('\n\n')) {
        const block = pending.slice(0, end);
        pending = pending.slice(end + 2);
        let name = '';
        let data = '';
        for (const line of block.split('\n')) {
          if (line.startsWith('event: ')) name = line.slice(7);
          else if (line.startsWith('data: ')) data += line.slice(6);
        }
        if (name && data) {
          if (signal?.aborted) throw new DOMException('stopped', 'AbortError');
          yield {name, data: JSON.parse(data) as Json};
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
