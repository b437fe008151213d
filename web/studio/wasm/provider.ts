// Sets window.CONTINUO_WASM: the engine whose parts lie in the page (embed.mjs).
import {EngineError, type Engine} from '../src/engine.ts';
import {ServerEngine} from '../src/server_engine.ts';
import {WasmTransport} from './transport.ts';
import workerScript from 'worker:./worker.ts';

async function unpacked(id: string): Promise<Uint8Array<ArrayBuffer>> {
  const element = document.getElementById(id);
  if (!element) throw new EngineError(`The page lacks its part ${id}.`);
  const packed = Uint8Array.from(atob(element.textContent!), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
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
    files[name] = bytes.slice(at, at + length);
    at += length;
  }
  return files;
}

async function createEngine(): Promise<Engine> {
  if (!('DecompressionStream' in window) || !('WebAssembly' in window)) {
    throw new EngineError(
      'This browser is too old for the engine in this page.',
      'Use Chrome 91, Firefox 113, Safari 16.4 or a newer one.',
    );
  }
  const [wasm, model] = await Promise.all([unpacked('continuo-wasm'), unpacked('continuo-model')]);
  let module: WebAssembly.Module;
  try {
    module = await WebAssembly.compile(wasm);
  } catch (error) {
    throw new EngineError(
      `This browser cannot run the engine: ${(error as Error).message}`,
      'It needs WebAssembly with vectors: Chrome 91, Firefox 89, Safari 16.4 or newer.',
    );
  }
  const transport = new WasmTransport(workerScript, {
    module,
    files: filesOf(model),
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
