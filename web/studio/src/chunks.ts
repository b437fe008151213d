// Parts of the page that are compressed until they are needed.
import {unpack} from './packed.ts';

const loaded = new Map<string, Promise<unknown>>();

/** Runs a chunk, a script that calls `window.continuoChunk(value)`; gives that value. */
export function loadChunk<T>(id: string): Promise<T> {
  let promise = loaded.get(id) as Promise<T> | undefined;
  if (!promise) {
    promise = load<T>(id);
    promise.catch(() => loaded.delete(id));
    loaded.set(id, promise);
  }
  return promise;
}

declare global {
  interface Window {
    continuoChunk?: (value: unknown) => void;
  }
}

async function load<T>(id: string): Promise<T> {
  const code = await unpack(id)?.blob();
  if (!code) throw new Error('This build of the page lacks that part.');
  const url = URL.createObjectURL(new Blob([code], {type: 'text/javascript'}));
  try {
    return await new Promise<T>((resolve, reject) => {
      window.continuoChunk = (value) => resolve(value as T);
      const script = document.createElement('script');
      script.src = url;
      script.onerror = () => reject(new Error('A part of the page could not be loaded.'));
      document.head.append(script);
    });
  } finally {
    URL.revokeObjectURL(url);
  }
}
