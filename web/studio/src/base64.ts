// Chrome 140, Firefox 133 and Safari 18.2 do this themselves, several times as fast.
interface Native {
  toBase64?(): string;
}
interface NativeClass {
  fromBase64?(base64: string): Uint8Array<ArrayBuffer>;
}

export function toBase64(bytes: Uint8Array & Native): string {
  if (bytes.toBase64) return bytes.toBase64();
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000)
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

export function fromBase64(base64: string): Uint8Array<ArrayBuffer> {
  const {fromBase64: native} = Uint8Array as NativeClass;
  if (native) return native.call(Uint8Array, base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
  return bytes;
}
