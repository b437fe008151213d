// The worker in which the WebAssembly engine computes. It does one request at a time; the page ends
// it to stop one.
import {ContinuoError, Engine} from '../../../continuo/bindings/wasm/package/engine.js';
import type {FromWorker, ToWorker} from './messages.ts';

const scope = self as unknown as {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
};

let engine: Engine | undefined;

async function answer(message: ToWorker): Promise<FromWorker> {
  if (message.kind === 'start') {
    engine = await Engine.create(message.module);
    engine.load(message.files, message.name);
    return {kind: 'ready'};
  }
  const body = engine!.request(message.what, message.body, {
    onEvent: (name, data) => scope.postMessage({kind: 'event', name, data}),
  });
  return {kind: 'answer', body};
}

scope.onmessage = async ({data: message}) => {
  try {
    scope.postMessage(await answer(message));
  } catch (error) {
    const {
      message: text,
      hint,
      code,
    } = error instanceof ContinuoError
      ? error
      : {message: `the engine failed: ${error}`, hint: 'reload the page', code: 'internal'};
    scope.postMessage({kind: 'failure', message: text, hint, code});
  }
};
