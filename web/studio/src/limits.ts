// Limits of new notes: for all bars, and others for some.
import type {ComposeOptions, Limit} from './engine.ts';
import {asciiPitchName, pitchName} from './song.ts';

/** What is null, or an empty scale, is not limited. */
export interface Limits {
  /** "A minor" */
  scale: string;
  /** MIDI pitches. */
  lowest: number | null;
  highest: number | null;
  /** Notes begin on this part of a whole note. */
  grid: number | null;
  /** That begin in a bar, at most. */
  maxNotes: number | null;
  /** That sound at once, at most. */
  maxPolyphony: number | null;
}

/** Limits that take the place of those of all bars from `first` to `last`, counted from 1 in the whole piece. */
export interface BarLimits extends Limits {
  first: number;
  last: number;
}

export const kNoLimits: Limits = {
  scale: '',
  lowest: null,
  highest: null,
  grid: null,
  maxNotes: null,
  maxPolyphony: null,
};

function valuesOf(limits: Limits): Record<string, string | number | null> {
  const {scale, lowest, highest, grid, maxNotes, maxPolyphony} = limits;
  const range = [lowest ?? 0, highest ?? 127].map(asciiPitchName).join(':');
  return {
    scale: scale || null,
    range: lowest === null && highest === null ? null : range,
    grid,
    maxNotes,
    maxPolyphony,
  };
}

export const isLimited = (limits: Limits) =>
  Object.values(valuesOf(limits)).some((value) => value !== null);

/** In words, for a summary. */
export function limitWords(limits: Limits): string[] {
  const {scale, lowest, highest, grid, maxNotes, maxPolyphony} = limits;
  const words: string[] = [];
  if (scale) words.push(scale);
  if (lowest !== null) words.push(`from ${pitchName(lowest)}`);
  if (highest !== null) words.push(`up to ${pitchName(highest)}`);
  if (grid !== null) words.push(gridName(grid));
  if (maxNotes !== null) words.push(`${maxNotes} notes a bar`);
  if (maxPolyphony !== null) words.push(`${maxPolyphony} at once`);
  return words;
}

export const gridName = (grid: number) =>
  ({8: 'eighths', 12: 'triplets', 16: 'sixteenths'})[grid] ?? `1/${grid}`;

/** The options of a request that writes the bars `first` to `last`. Limits for other bars are left out, which engines refuse. */
export function limitOptions(
  all: Limits,
  some: readonly BarLimits[],
  written: {first: number; last: number},
): Pick<ComposeOptions, 'scale' | 'range' | 'grid' | 'maxNotes' | 'maxPolyphony'> {
  const lists: Record<string, (string | number)[]> = {};
  const add = (limits: Limits, bars: string) => {
    for (const [name, value] of Object.entries(valuesOf(limits))) {
      if (value !== null) (lists[name] ??= []).push(bars ? `${value}@${bars}` : value);
    }
  };
  add(all, '');
  for (const limits of some) {
    const first = Math.max(limits.first, written.first);
    const last = Math.min(limits.last, written.last);
    if (first > last || !isLimited(limits)) continue;
    add(limits, `${first}-${last}`);
  }
  const options: Record<string, Limit<number>> = {};
  for (const [name, list] of Object.entries(lists))
    options[name] = list.length === 1 ? list[0] : list;
  return options;
}
