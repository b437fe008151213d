// Parts of the page that are compressed until they are needed.
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
  const base64 = document.getElementById(id)?.textContent;
  if (!base64) throw new Error('This build of the page lacks that part.');
  const packed = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  const code = await new Response(stream).blob();
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
