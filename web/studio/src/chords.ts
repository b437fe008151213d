// Chord names as the engine reads them, and what could be meant by the beginning of one.

export const kQualities = [
  '',
  'm',
  '7',
  'maj7',
  'm7',
  'dim',
  'aug',
  'sus2',
  'sus4',
  'm7b5',
  'dim7',
];
const kName =
  /^(N|[A-G][#b]?(maj|m|min|-|7|maj7|M7|m7|min7|-7|dim|o|aug|\+|sus2|sus4|sus|m7b5|\/o7|dim7|o7)?)$/;

/** The first word that is no chord; null if all are. Bars are between vertical lines. */
export function faultOf(text: string): string | null {
  for (const word of text.split(/[\s|]+/)) if (word && !kName.test(word)) return word;
  return null;
}

const kScale = ['C', 'Db', 'D', 'Eb', 'E', 'F', 'F#', 'G', 'Ab', 'A', 'Bb', 'B'];
const kMajor = [[0, ''], [2, 'm'], [4, 'm'], [5, ''], [7, ''], [9, 'm']] as const; // prettier-ignore
const kMinor = [[0, 'm'], [3, ''], [5, 'm'], [7, 'm'], [8, ''], [10, '']] as const; // prettier-ignore

/** What may stand in place of the last word: its continuations, or the chords of the key. `key` as the engine names it. */
export function completions(text: string, key: string): string[] {
  const last = /[^\s|]*$/.exec(text)![0];
  const root = /^[A-G][#b]?/.exec(last)?.[0];
  if (root) {
    const rest = last.slice(root.length);
    const names = kQualities
      .filter((quality) => quality.startsWith(rest) && quality !== rest)
      .map((quality) => root + quality);
    if (root.length === 1 && !rest) names.splice(3, 0, `${root}#`, `${root}b`);
    return names.slice(0, 7);
  }
  if (last) return [];
  const match = /^([A-G])([#♯b♭]?)\s*(major|minor)?/i.exec(key);
  let tonic = 0;
  if (match) {
    tonic = [9, 11, 0, 2, 4, 5, 7]['ABCDEFG'.indexOf(match[1].toUpperCase())];
    if (/[#♯]/.test(match[2])) tonic += 1;
    if (/[b♭]/.test(match[2])) tonic += 11;
  }
  const chords = match?.[3]?.toLowerCase() === 'minor' ? kMinor : kMajor;
  return chords.map(([step, quality]) => kScale[(tonic + step) % 12] + quality);
}
