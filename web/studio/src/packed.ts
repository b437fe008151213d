import {fromBase64} from './base64.ts';

/** What lies in base64 in the element of this id; undefined where there is none. */
export function embedded(id: string): Uint8Array<ArrayBuffer> | undefined {
  const base64 = document.getElementById(id)?.textContent;
  return base64 ? fromBase64(base64) : undefined;
}

/** The same, of what is compressed by gzip there. */
export function unpack(id: string): Response | undefined {
  const bytes = embedded(id);
  if (!bytes) return undefined;
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip')));
}
