// Requests of the HTTP API, answered by the WebAssembly engine in a worker instead of a server.
import type {FromWorker, RequestMessage, StartMessage, ToWorker} from './messages.ts';

interface Job {
  what: string;
  body: unknown;
  signal: AbortSignal | undefined;
  onAbort: () => void;
  resolve: (response: Response) => void;
  reject: (reason: unknown) => void;
  /** Of an answer in events, once there is one. */
  events?: ReadableStreamDefaultController<Uint8Array>;
}

const aborted = () => new DOMException('stopped', 'AbortError');
const encoder = new TextEncoder();

/** A worker runs one request at a time, without looking at messages meanwhile, so a request is
 * stopped by ending its worker; the next one starts within a fraction of a second. */
export class WasmTransport {
  private worker: Worker | undefined;
  private ready: Promise<void> | undefined;
  private readonly waiting: Job[] = [];
  private running: Job | undefined;
  private readonly url: string;
  private readonly start: StartMessage;

  /** `script` is the worker's. */
  constructor(script: string, start: Omit<StartMessage, 'kind'>) {
    this.url = URL.createObjectURL(new Blob([script], {type: 'text/javascript'}));
    this.start = {kind: 'start', ...start};
  }

  /** Resolves when the engine is loaded; rejects with the worker's failure. */
  load(): Promise<void> {
    this.ready ??= new Promise((resolve, reject) => {
      const worker = new Worker(this.url);
      this.worker = worker;
      worker.onmessage = ({data}: MessageEvent<FromWorker>) => {
        if (data.kind === 'ready') resolve();
        else if (data.kind === 'failure' && !this.running) reject(this.fail(data.message));
        else this.receive(data);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        reject(this.fail(event.message || 'the engine could not be started'));
      };
      worker.postMessage(this.start satisfies ToWorker);
    });
    return this.ready;
  }

  /** What `fetch` does for the paths below /api/v1/. */
  readonly fetch = (url: string, init: RequestInit = {}): Promise<Response> => {
    const what = url.slice(url.lastIndexOf('/') + 1);
    const body = typeof init.body === 'string' ? (JSON.parse(init.body) as unknown) : undefined;
    const signal = init.signal ?? undefined;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(aborted());
        return;
      }
      const job: Job = {what, body, signal, resolve, reject, onAbort: () => this.abort(job)};
      signal?.addEventListener('abort', job.onAbort);
      this.waiting.push(job);
      this.next();
    });
  };

  private next() {
    if (this.running) return;
    const job = this.waiting.shift();
    if (!job) return;
    this.running = job;
    this.load().then(
      () => {
        const message: RequestMessage = {kind: 'request', what: job.what, body: job.body};
        if (this.running === job) this.worker!.postMessage(message satisfies ToWorker);
      },
      () => {},
    );
  }

  private receive(message: FromWorker) {
    const job = this.running!;
    if (message.kind === 'event') {
      if (!job.events) {
        const stream = new ReadableStream<Uint8Array>({
          start: (controller) => {
            job.events = controller;
          },
        });
        job.resolve(new Response(stream, {headers: {'Content-Type': 'text/event-stream'}}));
      }
      const text = `event: ${message.name}\ndata: ${JSON.stringify(message.data)}\n\n`;
      job.events!.enqueue(encoder.encode(text));
      return;
    }
    if (message.kind === 'failure') {
      const {message: text, hint, code} = message;
      if (code === 'internal') this.end();
      job.resolve(Response.json({error: {message: text, hint, code}}, {status: 400}));
    } else if (message.kind === 'answer' && !job.events) {
      job.resolve(Response.json(message.body));
    }
    job.events?.close();
    this.finish(job);
  }

  /** The worker cannot be used; what runs fails, and the next request starts another one. */
  private fail(message: string): Error {
    this.end();
    const error = new Error(message);
    const job = this.running;
    if (job) {
      const answer = {error: {message, hint: 'reload the page', code: 'internal'}};
      job.resolve(Response.json(answer, {status: 500}));
      job.events?.error(error);
      this.finish(job);
    }
    return error;
  }

  private abort(job: Job) {
    const place = this.waiting.indexOf(job);
    if (place >= 0) this.waiting.splice(place, 1);
    job.reject(aborted());
    job.events?.error(aborted());
    if (this.running === job) {
      this.end();
      // Another one is ready by the time that it is asked for something.
      this.load().catch(() => {});
      this.finish(job);
    }
  }

  private finish(job: Job) {
    job.signal?.removeEventListener('abort', job.onAbort);
    this.running = undefined;
    this.next();
  }

  private end() {
    this.worker?.terminate();
    this.worker = undefined;
    this.ready = undefined;
  }
}
