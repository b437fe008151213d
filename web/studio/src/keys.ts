// The keyboard.
import {saveBytes} from './files.ts';
import {placeName, pitchName, upperBound} from './song.ts';
import {fileName, type Studio} from './studio.ts';
import type {Parts} from './ui/app.tsx';

export function installKeys(
  parts: Parts,
  actions: {open: () => void; help: () => void},
): () => void {
  const {studio, recorder} = parts;
  const down = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (document.querySelector('dialog[open]')) return;
    const command = event.ctrlKey || event.metaKey;
    const typing =
      target instanceof HTMLTextAreaElement ||
      target instanceof HTMLSelectElement ||
      (target instanceof HTMLInputElement && !['checkbox', 'range', 'file'].includes(target.type));
    if (command && event.code === 'KeyS') {
      event.preventDefault();
      const name = fileName(studio.title.value);
      if (studio.shown.value.notes.length)
        saveBytes(studio.midi(studio.shown.value), `${name}.mid`, 'audio/midi');
      return;
    }
    if (command && event.code === 'KeyO') {
      event.preventDefault();
      actions.open();
      return;
    }
    if (event.key === 'Escape') {
      if (document.querySelector('[role=menu]')) return;
      if (typing) target.blur();
      else escape(parts);
      return;
    }
    if (typing) return;
    if (recorder.key(event, true)) {
      event.preventDefault();
      return;
    }
    const sliding = target instanceof HTMLInputElement && target.type === 'range';
    const pressing =
      target instanceof HTMLButtonElement ||
      target instanceof HTMLInputElement ||
      target.tagName === 'SUMMARY';
    if (sliding && /^(Arrow|Home|End|Page)/.test(event.key)) return;
    if (pressing && (event.key === ' ' || event.key === 'Enter')) return;
    if (handle(parts, event, command, actions)) event.preventDefault();
  };
  const up = (event: KeyboardEvent) => {
    recorder.key(event, false);
  };
  // Space plays after a click, too; who goes by the keyboard stays where they are.
  const clicked = (event: MouseEvent) => {
    const button = (event.target as Element).closest('button');
    if (event.detail > 0 && button && button === document.activeElement) button.blur();
  };
  addEventListener('keydown', down);
  addEventListener('keyup', up);
  addEventListener('click', clicked);
  return () => {
    removeEventListener('click', clicked);
    removeEventListener('keydown', down);
    removeEventListener('keyup', up);
  };
}

function escape({studio, recorder}: Parts): void {
  if (recorder.phase.value) recorder.stop();
  else if (studio.busy.value) studio.stop();
  else if (studio.looking.value) studio.leaveTake();
  else if (studio.selection.value.size) studio.selection.value = new Set();
  else studio.bars.value = null;
}

function handle(
  parts: Parts,
  event: KeyboardEvent,
  command: boolean,
  actions: {help: () => void},
): boolean {
  const {studio, recorder, roll} = parts;
  const {key} = event;
  if (command) {
    switch (key.toLowerCase()) {
      case 'z':
        if (event.shiftKey) studio.redo();
        else studio.undo();
        return true;
      case 'y':
        studio.redo();
        return true;
      case 'a':
        studio.selectAll();
        return true;
      case 'c':
        studio.copy();
        return studio.selection.value.size > 0;
      case 'x':
        studio.copy();
        studio.deleteSelected();
        return true;
      case 'v':
        studio.paste();
        return true;
      default:
        return false;
    }
  }
  if (/^Arrow/.test(key)) return arrow(parts, event);
  if (event.altKey) return false;
  if (/^[1-8]$/.test(key)) {
    const set = studio.setOf(studio.activeSet.value);
    const take = set?.takes[Number(key) - 1];
    if (set && take) studio.look(set.id, take.index, !studio.busy.value && studio.player.playing);
    return true;
  }
  switch (key.length === 1 ? key.toLowerCase() : key) {
    case ' ':
      if (recorder.phase.value) recorder.stop();
      else studio.player.toggle();
      return true;
    case 'Home':
      studio.player.seek(0);
      roll?.reveal(0);
      return true;
    case 'End':
      studio.player.seek(studio.analysis.value.end);
      roll?.reveal(studio.analysis.value.end);
      return true;
    case 'Delete':
    case 'Backspace':
      studio.deleteSelected();
      return true;
    case 'l':
      studio.loop.value = !studio.loop.value;
      return true;
    case 'm':
      studio.metronome.value = !studio.metronome.value;
      return true;
    case 'f':
      studio.follow.value = !studio.follow.value;
      return true;
    case 'r':
      recorder.toggle();
      return true;
    case 'v':
      studio.tool.value = 'select';
      return true;
    case 'd':
      studio.tool.value = 'draw';
      studio.drawing.value = true;
      return true;
    case 'n':
      void studio.writeNewPiece();
      return true;
    case 'c':
      studio.setForm({task: 'continue'});
      void studio.compose('continue');
      return true;
    case 'w':
      studio.setForm({task: 'fill'});
      void studio.compose('fill');
      return true;
    case 'k':
      studio.keepLooking();
      return true;
    case '+':
    case '=':
      roll?.zoom(1.4);
      return true;
    case '-':
      roll?.zoom(1 / 1.4);
      return true;
    case '0':
      roll?.fit(true);
      return true;
    case ',':
      step(parts, -1);
      return true;
    case '.':
      step(parts, 1);
      return true;
    case '[':
    case '{':
      bar(parts, -1, event.shiftKey);
      return true;
    case ']':
    case '}':
      bar(parts, 1, event.shiftKey);
      return true;
    case '?':
      actions.help();
      return true;
    default:
      return false;
  }
}

function arrow({studio, roll}: Parts, event: KeyboardEvent): boolean {
  const ids = studio.selection.value;
  const tpq = studio.shown.value.ticksPerQuarter;
  const analysis = studio.analysis.value;
  const sign = event.key === 'ArrowRight' || event.key === 'ArrowUp' ? 1 : -1;
  const across = event.key === 'ArrowRight' || event.key === 'ArrowLeft';
  const grid = (studio.snap.value || 1 / 16) * tpq;
  if (ids.size === 0) {
    if (event.altKey) return false;
    if (!across) {
      roll?.scrollBy(0, sign * 4);
      return true;
    }
    const {player} = studio;
    const index = analysis.barAt(player.tick);
    const current = analysis.bar(index);
    const beat = (tpq * 4) / current.denominator;
    let tick: number;
    if (event.shiftKey)
      tick = analysis.bar(
        Math.max(0, sign < 0 && player.tick > current.tick + 1 ? index : index + sign),
      ).tick;
    else tick = current.tick + (Math.round((player.tick - current.tick) / beat) + sign) * beat;
    player.seek(Math.max(0, tick));
    roll?.reveal(Math.max(0, tick));
    return true;
  }
  if (event.altKey && across) {
    studio.change(
      ids,
      (note) => ({end: Math.max(note.tick + tpq / 16, note.end + sign * grid)}),
      'Resize notes',
    );
  } else if (event.altKey) {
    studio.change(ids, (note) => ({velocity: note.velocity + sign * 6}), 'Velocity');
  } else if (across) {
    const chosen = studio.shown.value.notes.filter((note) => ids.has(note.id));
    const first = chosen[0];
    if (!first) return true;
    const one = analysis.bar(analysis.barAt(first.tick));
    const by = Math.max(-first.tick, sign * (event.shiftKey ? one.end - one.tick : grid));
    studio.change(ids, (note) => ({tick: note.tick + by, end: note.end + by}), 'Move notes');
  } else {
    const by = sign * (event.shiftKey ? 12 : 1);
    studio.change(ids, (note) => ({pitch: note.pitch + by}), 'Move notes');
    hear(studio, ids);
  }
  return true;
}

function hear(studio: Studio, ids: ReadonlySet<number>): void {
  if (studio.player.playing) return;
  const notes = studio.shown.value.notes.filter((note) => ids.has(note.id)).slice(0, 6);
  for (const note of notes) {
    const info = studio.analysis.value.tracks[note.track];
    const release = studio.player.touch(
      note.pitch,
      note.velocity,
      info?.program ?? 0,
      info?.drum ?? false,
    );
    setTimeout(release, 220);
  }
}

/** Selects the note before or after. */
function step({studio, roll}: Parts, sign: number): void {
  const {notes} = studio.shown.value;
  if (notes.length === 0) return;
  const ids = studio.selection.value;
  let at: number;
  if (ids.size) {
    at =
      sign > 0
        ? notes.findLastIndex((note) => ids.has(note.id)) + 1
        : notes.findIndex((note) => ids.has(note.id)) - 1;
  } else {
    const tick = studio.player.tick;
    at = upperBound(notes, (note) => note.tick < tick) - (sign > 0 ? 0 : 1);
  }
  const note = notes[Math.max(0, Math.min(notes.length - 1, at))];
  studio.selection.value = new Set([note.id]);
  roll?.reveal(note.tick);
  hear(studio, studio.selection.value);
  studio.announce(
    `${pitchName(note.pitch)}, ${placeName(studio.analysis.value, note.tick)}, velocity ${note.velocity}`,
  );
}

/** Selects the bar before or after, or extends the selection by it. */
function bar({studio, roll}: Parts, sign: number, extend: boolean): void {
  const analysis = studio.analysis.value;
  const range = studio.bars.value;
  let next = range;
  if (!range) {
    const at = analysis.barAt(studio.player.tick);
    next = {first: at, last: at};
  } else if (extend) next = {first: range.first, last: Math.max(range.first, range.last + sign)};
  else {
    const at = Math.max(0, sign > 0 ? range.last + 1 : range.first - 1);
    next = {first: at, last: at};
  }
  studio.bars.value = next;
  roll?.reveal(analysis.bar(next!.last).tick);
  const {first, last} = next!;
  studio.announce(
    first === last ? `Bar ${first + 1} selected` : `Bars ${first + 1} to ${last + 1} selected`,
  );
}
