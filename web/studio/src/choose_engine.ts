import {EngineError, type Engine} from './engine.ts';
import {ServerEngine, type Transport} from './server_engine.ts';

/** What the server asks of each request: it stands in the fragment of the address that the program prints, which is not sent to
 * the server. It is taken out of the address, so that it stays in no history, and kept while the tab is open. */
function takeToken(): string {
  const key = 'continuo-studio:token';
  const given = /^#token=([\w.~+/=-]+)$/.exec(location.hash)?.[1];
  if (given) {
    sessionStorage.setItem(key, given);
    history.replaceState(history.state, '', location.pathname + location.search);
  }
  return given ?? sessionStorage.getItem(key) ?? '';
}

/** Sends the token with each request. */
function withToken(token: string): Transport | undefined {
  if (!token) return undefined;
  return {
    kind: 'server',
    where: `continuo on ${location.host}`,
    send(url, init) {
      const headers = new Headers(init.headers);
      headers.set('Authorization', `Bearer ${token}`);
      return fetch(url, {...init, headers});
    },
  };
}

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
  const engine = new ServerEngine('', withToken(takeToken()));
  await engine.info();
  return engine;
}
