// A take as a command line of the program that writes the same bytes.
import type {ComposeOptions, Limit} from './engine.ts';

export interface HowMade {
  task: 'generate' | 'continue' | 'fill';
  sourceName: string;
  promptBars: number;
  bars: number;
  first: number;
  last: number;
  track?: number;
  options: ComposeOptions;
  model: string;
  engine: 'server' | 'wasm';
}

/** A curve from 0 to 1 over new bars, as the engine reads it: "2:1 6:24", levels from 0 to 7 at rising bars. */
export function courseOf(curve: readonly number[], bars: number): string {
  const points: string[] = [];
  let last = 0;
  for (let i = 0; i < curve.length; ++i) {
    const bar = 1 + Math.round((i * (bars - 1)) / Math.max(1, curve.length - 1));
    if (bar > last) points.push(`${Math.round(curve[i] * 70) / 10}:${bar}`);
    last = bar;
  }
  return points.join(' ');
}

/** For a POSIX shell. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`;
}

function samplingFlags(options: ComposeOptions): string[] {
  const words: string[] = [];
  const add = (flag: string, value: number | string | undefined) => {
    if (value !== undefined) words.push(flag, String(value));
  };
  add('--temperature', options.temperature);
  add('--top-k', options.topK);
  add('--top-p', options.topP);
  add('--pitch-top-p', options.pitchTopP);
  add('--min-p', options.minP);
  add('--repetition-penalty', options.repetitionPenalty);
  add('--recall', options.recall);
  add('--chord-recall', options.chordRecall);
  add('--drafts', options.drafts);
  if (options.retries) add('--retries', options.retries);
  return words;
}

/** What the program takes without --model. */
export const kShippedModel = 'pop-piano';

/** A name that no program takes for a flag. */
const fileOf = (name: string) => (name.startsWith('-') ? `./${name}` : name);

/** What to run; the take is `file` in the folder that it writes. `rank`: of fill, the take's place among the candidates. */
export function commandOf(
  how: HowMade,
  index: number,
  rank: number,
): {command: string; file: string} {
  const {options} = how;
  const words = ['continuo'];
  const count = String(options.count ?? 1);
  const seed = ['--seed', String(options.seed ?? 1)];
  let number = index;
  if (how.task === 'generate') {
    words.push('generate', '--bars', String(how.bars), '--count', count, ...seed);
    if (options.bpm) words.push('--bpm', String(options.bpm));
  } else if (how.task === 'continue') {
    words.push(
      'continue',
      '--prompt',
      fileOf(how.sourceName),
      '--prompt-bars',
      String(how.promptBars),
    );
    words.push('--bars', String(how.bars), '--count', count, ...seed);
    if (how.track) words.push('--track', String(how.track));
    if (options.bpm) words.push('--bpm', String(options.bpm));
    else if (options.tempo === 'free') words.push('--tempo', 'free');
  } else {
    words.push('fill', fileOf(how.sourceName), '--bars', `${how.first}:${how.last}`);
    words.push('--candidates', count, '--keep', count, ...seed);
    number = rank;
  }
  words.push(...samplingFlags(options));
  const extra: [string, Limit<number> | undefined][] = [
    ['--chords', options.chords],
    ['--form', options.form],
    ['--density', options.density],
    ['--loudness', options.loudness],
    ['--scale', options.scale],
    ['--range', options.range],
    ['--grid', options.grid],
    ['--max-notes', options.maxNotes],
    ['--max-polyphony', options.maxPolyphony],
  ];
  for (const [flag, values] of extra)
    for (const value of [values ?? []].flat()) if (value) words.push(flag, String(value));
  if (options.keepTop) words.push('--keep-top');
  if (how.model !== kShippedModel) words.push('--model', fileOf(how.model));
  // The engine in the page has vectors of four numbers, and so rounds as the program then does.
  if (how.engine === 'wasm') words.push('--lanes', '4');
  words.push('-o', 'out/takes');
  return {
    command: words.map(quote).join(' '),
    file: `out/takes/piece-${String(number + 1).padStart(3, '0')}.mid`,
  };
}
