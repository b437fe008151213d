export const kMusicXmlType = 'application/vnd.recordare.musicxml+xml';

export function saveBytes(data: BlobPart | Uint8Array, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([data as BlobPart], {type}));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 20000);
}
