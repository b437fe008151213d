import {EngineError, type Engine} from './engine.ts';
import {ServerEngine} from './server_engine.ts';

/** The engine inside the page, if it has one; else the server that the page came from. */
export async function chooseEngine(): Promise<Engine> {
  if (window.CONTINUO_WASM) {
    const engine = await window.CONTINUO_WASM.createEngine();
    await engine.info();
    return engine;
  }
  if (location.protocol === 'file:') {
    throw new EngineError(
      'This page has no engine inside.',
      'Open it with `continuo studio`, or use the studio.html that has one.',
    );
  }
  const engine = new ServerEngine();
  await engine.info();
  return engine;
}
