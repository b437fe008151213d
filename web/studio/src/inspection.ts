// What the engine says about the piece: key, chords, likelihood, metrics, sheet music.
import {signal} from '@preact/signals';
import {EngineError, type Evaluation, type Likelihood} from './engine.ts';
import {isAbort} from './server_engine.ts';
import {analyse, type Analysis} from './song.ts';
import type {Song} from './midi.ts';
import type {Studio} from './studio.ts';

export interface ChordPlace {
  tick: number;
  text: string;
}

/** Where notes of sheet music begin and end: at sixteenths and so on. */
export type SmallestNote = 16 | 32 | 64;

export class Inspection {
  readonly chords = signal<readonly ChordPlace[]>([]);
  readonly surprise = signal<readonly number[]>([]);
  readonly likelihood = signal<Likelihood | null>(null);
  readonly evaluation = signal<Evaluation | null>(null);
  readonly running = signal(false);
  readonly fault = signal('');
  private readonly studio: Studio;
  private abort: AbortController | undefined;
  private of: Song | undefined;
  private sheet: {song: Song; smallestNote: SmallestNote; title: string; xml: string} | undefined;

  constructor(studio: Studio) {
    this.studio = studio;
  }

  /** Forgets what was said about another song. */
  songChanged(song: Song): void {
    if (this.of === song) return;
    this.abort?.abort();
    this.of = undefined;
    this.chords.value = [];
    this.surprise.value = [];
    this.likelihood.value = null;
    this.evaluation.value = null;
    this.fault.value = '';
  }

  async run(song: Song): Promise<void> {
    const engine = this.studio.engine.value;
    if (!engine || this.of === song || song.notes.length === 0) return;
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.of = song;
    this.running.value = true;
    this.fault.value = '';
    const midi = this.studio.midi(song);
    const {signal: stop} = abort;
    // Each may fail by itself: a model cannot read every piece.
    const attempt = async (work: () => Promise<void>) => {
      try {
        await work();
      } catch (error) {
        if (isAbort(error) || stop.aborted) throw error;
        this.fault.value =
          error instanceof EngineError
            ? [error.message, error.hint].filter(Boolean).join('. ')
            : String(error);
      }
    };
    try {
      await attempt(async () => {
        const evaluation = await engine.evaluate(midi, {signal: stop});
        if (!stop.aborted) this.evaluation.value = evaluation;
      });
      await attempt(async () => {
        const xml = await this.musicXml(song, undefined, stop);
        if (!stop.aborted) this.chords.value = chordsOf(xml, analyse(song));
      });
      await attempt(async () => {
        const likelihood = await engine.likelihood(midi, {signal: stop});
        if (stop.aborted) return;
        this.likelihood.value = likelihood;
        this.surprise.value = likelihood.nllOfBars;
      });
    } catch {
      if (this.of === song) this.of = undefined;
    } finally {
      if (this.abort === abort) this.running.value = false;
    }
  }

  async musicXml(
    song: Song,
    smallestNote: SmallestNote = 32,
    signal?: AbortSignal,
  ): Promise<string> {
    const {studio} = this;
    const title = studio.title.value;
    const {sheet} = this;
    if (sheet?.song === song && sheet.smallestNote === smallestNote && sheet.title === title)
      return sheet.xml;
    const engine = studio.engine.value;
    if (!engine) throw new EngineError('There is no engine to write sheet music.');
    const xml = await engine.exportMusicXml(studio.midi(song), {title, smallestNote}, {signal});
    this.sheet = {song, smallestNote, title, xml};
    return xml;
  }
}

const kAlter: Record<string, string> = {'-2': '𝄫', '-1': '♭', '1': '♯', '2': '𝄪'};
const kKinds: Record<string, string> = {
  major: '',
  minor: 'm',
  dominant: '7',
  'major-seventh': 'maj7',
  'minor-seventh': 'm7',
  diminished: 'dim',
  augmented: 'aug',
  'suspended-second': 'sus2',
  'suspended-fourth': 'sus4',
  'half-diminished': 'm7♭5',
  'diminished-seventh': 'dim7',
};

/** The chord symbols of sheet music, at the ticks of the song that it was made from. */
export function chordsOf(xml: string, analysis: Analysis): ChordPlace[] {
  const document = new DOMParser().parseFromString(xml, 'application/xml');
  const part = document.querySelector('part');
  const chords: ChordPlace[] = [];
  if (!part) return chords;
  const number = (element: Element | null, missing: number) => {
    const value = Number(element?.textContent);
    return element && Number.isFinite(value) ? value : missing;
  };
  let divisions = 1;
  let bar = 0;
  for (const measure of part.querySelectorAll(':scope > measure')) {
    const start = analysis.bar(bar++).tick;
    let at = 0;
    for (const element of measure.children) {
      const duration = number(element.querySelector(':scope > duration'), 0);
      if (element.tagName === 'attributes') {
        divisions = Math.max(1, number(element.querySelector(':scope > divisions'), divisions));
      } else if (element.tagName === 'note') {
        if (!element.querySelector(':scope > chord')) at += duration;
      } else if (element.tagName === 'backup') at -= duration;
      else if (element.tagName === 'forward') at += duration;
      else if (element.tagName === 'harmony') {
        const kind = element.querySelector('kind')?.textContent ?? '';
        const offset = number(element.querySelector(':scope > offset'), 0);
        const name = (of: string) => {
          const step = element.querySelector(`${of}-step`)?.textContent;
          return step
            ? step + (kAlter[element.querySelector(`${of}-alter`)?.textContent ?? ''] ?? '')
            : '';
        };
        const bass = name('bass');
        const text =
          kind === 'none'
            ? 'N.C.'
            : `${name('root')}${kKinds[kind] ?? ''}${bass ? `/${bass}` : ''}`;
        const tick = start + ((at + offset) / divisions) * analysis.song.ticksPerQuarter;
        if (chords.at(-1)?.text !== text) chords.push({tick, text: text.slice(0, 20)});
      }
    }
  }
  return chords;
}
