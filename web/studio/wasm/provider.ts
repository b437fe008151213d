// Sets window.CONTINUO_WASM: the engine whose parts lie in the page (embed.mjs).
import {EngineError, type Engine} from '../src/engine.ts';
import {embedded, unpack} from '../src/packed.ts';
import {ServerEngine} from '../src/server_engine.ts';
import {WasmTransport} from './transport.ts';
import workerScript from 'worker:./worker.ts';

function present<T>(part: T | undefined): T {
  if (part === undefined) throw new EngineError('The page lacks a part of its engine.');
  return part;
}

/** A number of four bytes, then as many bytes of JSON, {name: size}, then the files. */
function filesOf(bytes: Uint8Array): Record<string, Uint8Array> {
  const size = new DataView(bytes.buffer).getUint32(0, true);
  let at = 4 + size;
  const sizes = JSON.parse(new TextDecoder().decode(bytes.subarray(4, at))) as Record<
    string,
    number
  >;
  const files: Record<string, Uint8Array> = {};
  for (const [name, length] of Object.entries(sizes)) {
    files[name] = bytes.subarray(at, at + length);
    at += length;
  }
  return files;
}

async function compiled(wasm: ArrayBuffer): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(wasm);
  } catch (error) {
    throw new EngineError(
      `This browser cannot run the engine: ${(error as Error).message}`,
      'It needs WebAssembly with vectors: Chrome 91, Firefox 89, Safari 16.4 or newer.',
    );
  }
}

async function createEngine(): Promise<Engine> {
  if (!('DecompressionStream' in window) || !('WebAssembly' in window)) {
    throw new EngineError(
      'This browser is too old for the engine in this page.',
      'Use Chrome 91, Firefox 113, Safari 16.4 or a newer one.',
    );
  }
  const wasm = present(unpack('continuo-wasm')).arrayBuffer();
  const files = filesOf(present(embedded('continuo-model')));
  const transport = new WasmTransport(workerScript, {
    module: await compiled(await wasm),
    files,
    name: 'pop-piano',
  });
  try {
    await transport.load();
  } catch (error) {
    throw new EngineError(`The engine did not start: ${(error as Error).message}`);
  }
  return new ServerEngine('', {send: transport.fetch, kind: 'wasm', where: 'in this page'});
}

window.CONTINUO_WASM = {createEngine};
