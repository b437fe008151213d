// The piano roll: ruler, chords, likelihood, notes, velocities, tempo and pedal, and an overview, on one canvas. Draws only what
// is visible, and only when something changed.
import type {Note} from './midi.ts';
import {clamp, pitchName, type Analysis, type NewNote, type NoteChange} from './song.ts';

export interface BarRange {
  /** Bars from 0, both included. */
  first: number;
  last: number;
}

export interface RollState {
  analysis: Analysis;
  selection: ReadonlySet<number>;
  bars: BarRange | null;
  tool: 'select' | 'draw';
  /** Quarter notes; 0: off. */
  snap: number;
  /** Bars that are new in what is shown. */
  fresh: BarRange | null;
  /** Of a note in these bars. */
  isNew: (note: Note) => boolean;
  /** Bars from here on are not written yet. */
  writtenTo: number | null;
  chords: readonly {tick: number; text: string}[];
  /** Nats per bar; the higher, the more surprised. */
  surprise: readonly number[];
  /** Where notes of other tracks are drawn faintly. */
  muted: ReadonlySet<number>;
  readOnly: boolean;
  drawTrack: {track: number; channel: number};
  follow: boolean;
}

export interface RollEvents {
  select(ids: Set<number>): void;
  selectBars(bars: BarRange | null): void;
  seek(tick: number): void;
  add(notes: NewNote[]): void;
  change(ids: ReadonlySet<number>, change: (note: Note) => NoteChange, label: string): void;
  touchKey(pitch: number): () => void;
  preview(note: {pitch: number; velocity: number; track: number}): void;
  scrolled(): void;
}

const kRuler = 30;
const kChords = 22;
const kStrip = 10;
const kVelocity = 46;
const kTempo = 34;
const kOverview = 34;
const kGutter = 46;
const kBlack = [1, 3, 6, 8, 10];

interface Colors {
  paper: string;
  raised: string;
  shade: string;
  line: string;
  faintLine: string;
  ink: string;
  muted: string;
  accent: string;
  warm: string;
  keyWhite: string;
  keyBlack: string;
  keyInk: string;
  tracks: string[];
}

type Drag =
  | {kind: 'ruler'; from: number}
  | {kind: 'overview'}
  | {kind: 'key'; release: () => void; pitch: number}
  | {kind: 'pan'; x: number; y: number; moved: boolean}
  | {kind: 'box'; x: number; y: number; toX: number; toY: number; base: Set<number>}
  | {kind: 'move'; note: Note; dTick: number; dPitch: number; x: number; y: number; copy: boolean}
  | {kind: 'resize'; note: Note; dTick: number; x: number}
  | {kind: 'draw'; pitch: number; tick: number; end: number; velocity: number}
  | {kind: 'velocity'; values: Map<number, number>}
  | {kind: 'pinch'};

export class Roll {
  readonly canvas: HTMLCanvasElement;
  state: RollState;
  private readonly events: RollEvents;
  private readonly context: CanvasRenderingContext2D;
  private width = 0;
  private height = 0;
  private ratio = 1;
  /** Tick at the left edge, pixels of a quarter note, pitch at the upper edge, height of a pitch. */
  private left = 0;
  private scale = 56;
  private top = 90;
  private row = 11;
  private colors: Colors | undefined;
  private dirty = true;
  private frame = 0;
  private drag: Drag | null = null;
  private readonly pointers = new Map<number, {x: number; y: number}>();
  private pinch: {distance: number; scale: number; tick: number} | null = null;
  private hoverPitch = -1;
  private playTick = 0;
  private playing = false;
  private position: (() => {tick: number; playing: boolean}) | undefined;
  private overview: {key: unknown; canvas: HTMLCanvasElement} | undefined;
  private fitted = false;
  /** Whether the heights of pitches follow from the song, as long as nobody changes them. */
  private fitsPitches = true;
  lastVelocity = 80;
  /** Milliseconds that the last drawings took, for tests. */
  readonly costs: number[] = [];

  constructor(canvas: HTMLCanvasElement, state: RollState, events: RollEvents) {
    this.canvas = canvas;
    this.state = state;
    this.events = events;
    this.context = canvas.getContext('2d')!;
    canvas.addEventListener('pointerdown', this.down);
    canvas.addEventListener('pointermove', this.move);
    canvas.addEventListener('pointerup', this.up);
    canvas.addEventListener('pointercancel', this.up);
    canvas.addEventListener('pointerleave', () => {
      this.hoverPitch = -1;
      this.touch();
    });
    canvas.addEventListener('dblclick', this.double);
    canvas.addEventListener('wheel', this.wheel, {passive: false});
    canvas.addEventListener('contextmenu', (event) => event.preventDefault());
    new ResizeObserver(() => this.resize()).observe(canvas);
    const tick = () => {
      this.frame = requestAnimationFrame(tick);
      this.step();
    };
    this.frame = requestAnimationFrame(tick);
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
  }

  set(state: Partial<RollState>): void {
    const before = this.state.analysis;
    const {rollTop} = this;
    this.state = {...this.state, ...state};
    const {analysis} = this.state;
    if (
      this.width > 0 &&
      (rollTop !== this.rollTop ||
        analysis.lowest !== before.lowest ||
        analysis.highest !== before.highest)
    ) {
      // While notes are dragged or drawn nothing jumps.
      if (
        analysis.lowest < before.lowest - 3 ||
        analysis.highest > before.highest + 3 ||
        rollTop !== this.rollTop
      )
        this.fitPitches();
      this.clampView();
    }
    this.touch();
  }

  /** Asked on every frame. */
  watch(position: () => {tick: number; playing: boolean}): void {
    this.position = position;
  }

  touch(): void {
    this.dirty = true;
  }

  themeChanged(): void {
    this.colors = undefined;
    this.overview = undefined;
    this.touch();
  }

  private resize(): void {
    const box = this.canvas.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) return;
    this.ratio = Math.min(3, devicePixelRatio || 1);
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.round(box.width * this.ratio);
    this.canvas.height = Math.round(box.height * this.ratio);
    this.overview = undefined;
    if (!this.fitted) this.fit();
    else {
      this.fitPitches();
      this.clampView();
    }
    this.draw();
  }

  private get tpq(): number {
    return this.state.analysis.song.ticksPerQuarter;
  }

  private get rollTop(): number {
    return (
      kRuler + (this.state.chords.length ? kChords : 0) + (this.state.surprise.length ? kStrip : 0)
    );
  }

  private get compact(): boolean {
    return this.height < 360;
  }

  private get rollBottom(): number {
    return this.height - kOverview - (this.compact ? 0 : kVelocity + kTempo);
  }

  private x(tick: number): number {
    return kGutter + ((tick - this.left) / this.tpq) * this.scale;
  }

  private tickOf(x: number): number {
    return this.left + ((x - kGutter) / this.scale) * this.tpq;
  }

  private y(pitch: number): number {
    return this.rollTop + (this.top - pitch) * this.row;
  }

  private pitchOf(y: number): number {
    return Math.ceil(this.top - (y - this.rollTop) / this.row);
  }

  private get length(): number {
    const {analysis} = this.state;
    return Math.max(analysis.bar(Math.max(0, analysis.barCount - 1)).end, analysis.bar(3).end);
  }

  private visibleTicks(): number {
    return ((this.width - kGutter) / this.scale) * this.tpq;
  }

  /** Shows all pitches, and as many bars as are easy to read. */
  fit(whole = false): void {
    if (this.width === 0) return;
    this.fitted = true;
    this.fitsPitches = true;
    this.fitPitches();
    const quarters = this.length / this.tpq;
    const all = (this.width - kGutter) / (quarters * 1.02);
    this.scale = whole ? Math.max(all, 0.02) : clamp(all, this.width < 600 ? 26 : 34, 90);
    if (whole) this.left = 0;
    this.clampView();
    this.touch();
  }

  private fitPitches(): void {
    if (!this.fitsPitches) return;
    const {analysis} = this.state;
    const room = Math.max(60, this.rollBottom - this.rollTop);
    const low = analysis.lowest - 3;
    const high = analysis.highest + 4;
    this.row = clamp(room / Math.max(24, high - low), 4, 22);
    this.top = (low + high) / 2 + room / this.row / 2;
  }

  zoom(factor: number, x = kGutter + (this.width - kGutter) / 2): void {
    const tick = this.tickOf(x);
    const least = Math.min(20, (this.width - kGutter) / (this.length / this.tpq) / 1.05);
    this.scale = clamp(this.scale * factor, least, 600);
    this.left = tick - ((x - kGutter) / this.scale) * this.tpq;
    this.clampView();
    this.touch();
  }

  zoomPitch(factor: number, y = (this.rollTop + this.rollBottom) / 2): void {
    const pitch = this.top - (y - this.rollTop) / this.row;
    this.fitsPitches = false;
    this.row = clamp(this.row * factor, 3, 32);
    this.top = pitch + (y - this.rollTop) / this.row;
    this.clampView();
    this.touch();
  }

  scrollBy(ticks: number, pitches = 0): void {
    this.left += ticks;
    this.top += pitches;
    if (pitches !== 0) this.fitsPitches = false;
    this.clampView();
    this.touch();
    this.events.scrolled();
  }

  /** Scrolls to the start. */
  home(): void {
    this.left = 0;
    this.touch();
  }

  /** Brings a tick into view. */
  reveal(tick: number): void {
    const span = this.visibleTicks();
    if (tick < this.left || tick > this.left + span * 0.92) {
      this.left = tick - span * 0.15;
      this.clampView();
      this.touch();
    }
  }

  view(): {from: number; to: number; scale: number} {
    return {from: this.left, to: this.left + this.visibleTicks(), scale: this.scale};
  }

  private clampView(): void {
    const span = this.visibleTicks();
    this.left = clamp(
      this.left,
      0,
      Math.max(0, this.length + span * 0.4 - Math.min(span, this.length)),
    );
    const rows = (this.rollBottom - this.rollTop) / this.row;
    this.top = rows >= 128 ? 127.5 + (rows - 128) / 2 : clamp(this.top, rows - 0.5, 128);
  }

  private step(): void {
    const at = this.position?.();
    if (at && (at.tick !== this.playTick || at.playing !== this.playing)) {
      const ended = this.playing && !at.playing;
      this.playTick = at.tick;
      this.playing = at.playing;
      this.dirty = true;
      if (ended && this.state.follow && !this.drag) {
        // Where playback has gone back to.
        this.reveal(at.tick);
      } else if (at.playing && this.state.follow && !this.drag) {
        const span = this.visibleTicks();
        if (at.tick < this.left || at.tick > this.left + span * 1.05) {
          this.left = at.tick - span * 0.1;
        } else if (at.tick > this.left + span * 0.6) {
          this.left = at.tick - span * 0.6;
        }
        this.clampView();
      }
    }
    if (this.dirty) this.draw();
  }

  private readColors(): Colors {
    const style = getComputedStyle(this.canvas);
    const get = (name: string) => style.getPropertyValue(name).trim();
    return {
      paper: get('--paper'),
      raised: get('--raised'),
      shade: get('--shade'),
      line: get('--line'),
      faintLine: get('--faint-line'),
      ink: get('--ink'),
      muted: get('--muted'),
      accent: get('--accent'),
      warm: get('--warm'),
      keyWhite: get('--key-white'),
      keyBlack: get('--key-black'),
      keyInk: get('--key-ink'),
      tracks: Array.from({length: 8}, (_, i) => get(`--track-${i}`)),
    };
  }

  // Drawing.

  private draw(): void {
    if (this.width === 0) return;
    this.dirty = false;
    const began = performance.now();
    const c = this.context;
    const color = (this.colors ??= this.readColors());
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.fillStyle = color.raised;
    c.fillRect(0, 0, this.width, this.height);
    c.save();
    c.beginPath();
    c.rect(kGutter, 0, this.width - kGutter, this.height);
    c.clip();
    this.drawGrid(c, color);
    this.drawNotes(c, color);
    this.drawRuler(c, color);
    if (!this.compact) {
      this.drawVelocities(c, color);
      this.drawTempo(c, color);
    }
    this.drawPlayhead(c, color);
    c.restore();
    this.drawKeys(c, color);
    this.drawOverview(c, color);
    this.costs.push(performance.now() - began);
    if (this.costs.length > 240) this.costs.shift();
  }

  private eachBar(visit: (index: number, tick: number, end: number) => void): void {
    const {analysis} = this.state;
    const to = this.left + this.visibleTicks();
    for (let i = analysis.barAt(Math.max(0, this.left)); i < 1e6; ++i) {
      const bar = analysis.bar(i);
      if (bar.tick > to) return;
      visit(i, bar.tick, bar.end);
    }
  }

  private drawGrid(c: CanvasRenderingContext2D, color: Colors): void {
    const {analysis, bars, fresh, snap} = this.state;
    const top = this.rollTop;
    const bottom = this.rollBottom;
    c.fillStyle = color.shade;
    const low = Math.max(0, this.pitchOf(bottom));
    const high = Math.min(127, this.pitchOf(top) + 1);
    for (let pitch = low; pitch <= high; ++pitch) {
      if (kBlack.includes(pitch % 12)) {
        const y = Math.max(top, this.y(pitch + 0) - 0);
        c.fillRect(kGutter, y, this.width, Math.min(this.row, bottom - y));
      }
    }
    c.fillStyle = color.line;
    for (let pitch = low - (low % 12) + 12; pitch <= high; pitch += 12) {
      const y = Math.round(this.y(pitch - 1));
      if (y > top && y < bottom) c.fillRect(kGutter, y, this.width, 1);
    }
    const end = analysis.bar(Math.max(0, analysis.barCount - 1)).end;
    const endX = this.x(analysis.barCount ? end : 0);
    if (endX < this.width) {
      c.globalAlpha = 0.5;
      c.fillStyle = color.paper;
      c.fillRect(endX, top, this.width - endX, bottom - top);
      c.globalAlpha = 1;
    }
    const range = (of: {first: number; last: number}, fill: string, alpha: number) => {
      const x0 = this.x(analysis.bar(of.first).tick);
      const x1 = this.x(analysis.bar(of.last).end);
      c.globalAlpha = alpha;
      c.fillStyle = fill;
      c.fillRect(x0, top, x1 - x0, bottom - top);
      c.globalAlpha = 1;
    };
    if (fresh) range(fresh, color.warm, 0.09);
    else if (bars) range(bars, color.accent, 0.1);
    const barPixels = ((analysis.bar(0).end - analysis.bar(0).tick) / this.tpq) * this.scale;
    const every = barPixels < 5 ? 16 : barPixels < 12 ? 4 : 1;
    this.eachBar((index, tick, barEnd) => {
      if (index % every) return;
      c.fillStyle = color.line;
      c.fillRect(Math.round(this.x(tick)), top, 1, bottom - top);
      const bar = analysis.bar(index);
      const beat = (this.tpq * 4) / bar.denominator;
      const pixels = (beat / this.tpq) * this.scale;
      if (pixels < 9) return;
      const fine = snap > 0 && snap * this.scale > 11 ? snap * this.tpq : beat;
      c.fillStyle = color.faintLine;
      if (fine < beat) {
        c.globalAlpha = 0.55;
        for (let at = tick + fine; at < barEnd - 1; at += fine) {
          c.fillRect(Math.round(this.x(at)), top, 1, bottom - top);
        }
        c.globalAlpha = 1;
      }
      for (let at = tick + beat; at < barEnd - 1; at += beat) {
        c.fillRect(Math.round(this.x(at)), top, 1, bottom - top);
      }
    });
  }

  private drawNotes(c: CanvasRenderingContext2D, color: Colors): void {
    const {analysis, selection, muted, fresh, isNew} = this.state;
    const top = this.rollTop;
    const bottom = this.rollBottom;
    const freshFrom = fresh ? analysis.bar(fresh.first).tick : Infinity;
    const freshTo = fresh ? analysis.bar(fresh.last).end : Infinity;
    c.save();
    c.beginPath();
    c.rect(kGutter, top, this.width - kGutter, bottom - top);
    c.clip();
    const {drag, row} = this;
    const height = Math.max(2, row - (row > 7 ? 1.5 : row > 4 ? 1 : 0));
    const tall = row >= 13;
    const from = this.left;
    const to = this.left + this.visibleTicks();
    const rounded = this.scale > 12;
    const chosen: Note[] = [];
    const paint = (note: Note, x: number, y: number, w: number, lit: boolean) => {
      const dim = muted.has(note.track);
      const isFresh = note.tick >= freshFrom && note.tick < freshTo && isNew(note);
      c.fillStyle = lit
        ? color.ink
        : isFresh
          ? color.warm
          : color.tracks[analysis.colors[note.track]];
      c.globalAlpha = dim ? 0.15 : lit ? 1 : 0.32 + (0.68 * note.velocity) / 127;
      if (rounded && w > 5) {
        c.beginPath();
        c.roundRect(x, y, w, height, Math.min(3, height / 3));
        c.fill();
      } else c.fillRect(x, y, w, height);
    };
    const now = this.playTick;
    analysis.eachNote(from, to, (note) => {
      if (selection.has(note.id)) {
        chosen.push(note);
        return;
      }
      const y = this.y(note.pitch);
      if (y > bottom || y < top - row) return;
      const x = this.x(note.tick);
      const w = Math.max(1.5, ((note.end - note.tick) / this.tpq) * this.scale - (rounded ? 1 : 0));
      const lit = this.playing && note.tick <= now && note.end > now;
      paint(note, x, y, w, lit);
      if (tall && w > 26 && this.scale > 40) {
        c.globalAlpha = 0.9;
        c.fillStyle = color.raised;
        c.font = '600 9px system-ui, sans-serif';
        c.fillText(pitchName(note.pitch), x + 4, y + row / 2 + 2.5);
      }
    });
    c.globalAlpha = 1;
    // Selected notes above the others, where they are dragged to.
    for (const note of chosen) {
      let {tick, end, pitch} = note;
      if (drag?.kind === 'move') {
        tick += drag.dTick;
        end += drag.dTick;
        pitch += drag.dPitch;
      } else if (drag?.kind === 'resize') end = Math.max(tick + this.tpq / 16, end + drag.dTick);
      const x = this.x(tick);
      const y = this.y(pitch);
      const w = Math.max(2, ((end - tick) / this.tpq) * this.scale - 1);
      paint(note, x, y, w, this.playing && tick <= now && end > now);
      c.globalAlpha = 1;
      c.strokeStyle = color.ink;
      c.lineWidth = 1.6;
      c.beginPath();
      c.roundRect(x + 0.5, y + 0.5, Math.max(1, w - 1), height - 1, Math.min(3, height / 3));
      c.stroke();
    }
    if (drag?.kind === 'draw') {
      c.globalAlpha = 0.9;
      c.fillStyle = color.accent;
      const w = ((drag.end - drag.tick) / this.tpq) * this.scale - 1;
      c.beginPath();
      c.roundRect(this.x(drag.tick), this.y(drag.pitch), Math.max(2, w), height, 3);
      c.fill();
    }
    if (drag?.kind === 'box') {
      const x = Math.min(drag.x, drag.toX);
      const y = Math.min(drag.y, drag.toY);
      c.globalAlpha = 0.12;
      c.fillStyle = color.accent;
      c.fillRect(x, y, Math.abs(drag.toX - drag.x), Math.abs(drag.toY - drag.y));
      c.globalAlpha = 1;
      c.strokeStyle = color.accent;
      c.lineWidth = 1;
      c.strokeRect(x + 0.5, y + 0.5, Math.abs(drag.toX - drag.x), Math.abs(drag.toY - drag.y));
    }
    c.restore();
    c.globalAlpha = 1;
  }

  private drawRuler(c: CanvasRenderingContext2D, color: Colors): void {
    const {analysis, bars, fresh, chords, surprise} = this.state;
    c.fillStyle = color.raised;
    c.fillRect(kGutter, 0, this.width, this.rollTop);
    const span = (of: BarRange, fill: string, y: number, height: number) => {
      const x0 = this.x(analysis.bar(of.first).tick);
      const x1 = this.x(analysis.bar(of.last).end);
      c.fillStyle = fill;
      c.fillRect(x0, y, x1 - x0, height);
    };
    if (bars) {
      c.globalAlpha = 0.18;
      span(bars, color.accent, 0, kRuler);
      c.globalAlpha = 1;
    }
    if (fresh) span(fresh, color.warm, kRuler - 3, 3);
    if (bars) span(bars, color.accent, kRuler - 3, 3);
    const barPixels = ((analysis.bar(0).end - analysis.bar(0).tick) / this.tpq) * this.scale;
    const every =
      barPixels > 26 ? 1 : barPixels > 13 ? 2 : barPixels > 6.5 ? 4 : barPixels > 1.6 ? 16 : 64;
    c.textBaseline = 'alphabetic';
    this.eachBar((index, tick) => {
      const bar = analysis.bar(index);
      const x = this.x(tick);
      const shown = index % every === 0;
      if (shown) {
        c.fillStyle = color.line;
        c.fillRect(Math.round(x), 8, 1, kRuler - 8);
        const chosen = bars && index >= bars.first && index <= bars.last;
        c.fillStyle = chosen ? color.accent : color.muted;
        c.font = `${chosen ? 600 : 400} 11px system-ui, sans-serif`;
        c.fillText(String(index + 1), x + 5, 19);
      }
      if (bar.changes && (shown || barPixels > 10)) {
        c.fillStyle = color.ink;
        c.font = '700 10px system-ui, sans-serif';
        c.fillText(
          `${bar.numerator}/${bar.denominator}`,
          x + 5 + String(index + 1).length * 7 + 6,
          19,
        );
      }
    });
    c.fillStyle = color.line;
    c.fillRect(kGutter, kRuler - 1, this.width, 1);
    let y = kRuler;
    if (chords.length) {
      c.font = '500 11px system-ui, sans-serif';
      const to = this.left + this.visibleTicks();
      let free = -Infinity;
      for (let i = 0; i < chords.length; ++i) {
        const end = chords[i + 1]?.tick ?? this.length;
        if (end < this.left || chords[i].tick > to) continue;
        const x = this.x(chords[i].tick);
        if (x < free) continue;
        c.fillStyle = color.line;
        c.fillRect(Math.round(x), y + 3, 1, kChords - 6);
        const {width} = c.measureText(chords[i].text);
        const textX = Math.max(x, kGutter) + 5;
        // One that began before the left edge gives way to the next.
        if (x < kGutter && this.x(end) < textX + width) continue;
        c.fillStyle = color.ink;
        c.fillText(chords[i].text, textX, y + 15);
        free = textX + width + 3;
      }
      y += kChords;
    }
    if (surprise.length) {
      // From the usual to what few bars exceed: a piece's first bar, which nothing announces, would
      // leave the others without differences.
      const sorted = surprise.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
      const least = sorted[sorted.length >> 1] ?? 0;
      const most = Math.max(least + 1e-6, sorted[Math.floor(0.9 * (sorted.length - 1))] ?? 1);
      this.eachBar((index, tick, end) => {
        const value = surprise[index];
        if (!Number.isFinite(value)) return;
        const share = clamp((value - least) / (most - least), 0, 1);
        c.globalAlpha = 0.12 + 0.85 * share;
        c.fillStyle = color.warm;
        const x = this.x(tick);
        c.fillRect(x, y + 2, this.x(end) - x - 1, kStrip - 4);
      });
      c.globalAlpha = 1;
      y += kStrip;
    }
    c.fillStyle = color.line;
    c.fillRect(kGutter, this.rollTop - 1, this.width, 1);
  }

  private drawVelocities(c: CanvasRenderingContext2D, color: Colors): void {
    const {analysis, selection, muted} = this.state;
    const top = this.rollBottom;
    c.fillStyle = color.raised;
    c.fillRect(kGutter, top, this.width, kVelocity);
    c.fillStyle = color.line;
    c.fillRect(kGutter, top, this.width, 1);
    const values = this.drag?.kind === 'velocity' ? this.drag.values : undefined;
    const to = this.left + this.visibleTicks();
    const room = kVelocity - 8;
    const w = this.scale > 30 ? 2.5 : 1;
    analysis.eachNote(this.left, to, (note) => {
      if (muted.has(note.track) || note.tick < this.left) return;
      const chosen = selection.has(note.id);
      const velocity = values?.get(note.id) ?? note.velocity;
      const x = this.x(note.tick);
      const h = (velocity / 127) * room;
      c.fillStyle = chosen ? color.ink : color.tracks[analysis.colors[note.track]];
      c.globalAlpha = selection.size && !chosen ? 0.3 : 0.85;
      c.fillRect(x, top + kVelocity - 2 - h, w, h);
      if (this.scale > 30) c.fillRect(x - 1, top + kVelocity - 2 - h, 4.5, 3);
    });
    c.globalAlpha = 1;
  }

  private drawTempo(c: CanvasRenderingContext2D, color: Colors): void {
    const {analysis} = this.state;
    const top = this.rollBottom + kVelocity;
    c.fillStyle = color.raised;
    c.fillRect(kGutter, top, this.width, kTempo);
    c.fillStyle = color.line;
    c.fillRect(kGutter, top, this.width, 1);
    const to = this.left + this.visibleTicks();
    c.fillStyle = color.muted;
    c.globalAlpha = 0.4;
    for (const pedal of analysis.pedals) {
      if (pedal.tick > to) break;
      if (pedal.end < this.left) continue;
      c.fillRect(
        this.x(pedal.tick),
        top + kTempo - 7,
        Math.max(1, this.x(pedal.end) - this.x(pedal.tick) - 1),
        4,
      );
    }
    c.globalAlpha = 1;
    let low = Infinity;
    let high = 0;
    const points: {tick: number; bpm: number}[] = [];
    for (const point of analysis.tempos) {
      if (point.tick > to) break;
      const bpm = 60 / (point.rate * this.tpq);
      if (point.tick <= this.left) points.length = 0;
      points.push({tick: point.tick, bpm});
    }
    for (const {bpm} of points) {
      low = Math.min(low, bpm);
      high = Math.max(high, bpm);
    }
    const spread = Math.max(8, high - low);
    const middle = (low + high) / 2;
    const y = (bpm: number) => top + 13 - ((bpm - middle) / spread) * 14;
    c.strokeStyle = color.muted;
    c.lineWidth = 1.3;
    c.beginPath();
    points.forEach((point, i) => {
      const x = Math.max(kGutter, this.x(point.tick));
      if (i === 0) c.moveTo(x, y(point.bpm));
      else {
        c.lineTo(x, y(points[i - 1].bpm));
        c.lineTo(x, y(point.bpm));
      }
    });
    if (points.length) c.lineTo(this.width, y(points[points.length - 1].bpm));
    c.stroke();
  }

  private drawPlayhead(c: CanvasRenderingContext2D, color: Colors): void {
    const {writtenTo} = this.state;
    if (writtenTo !== null) {
      const x = this.x(writtenTo);
      c.fillStyle = color.warm;
      c.fillRect(x, 0, 2, this.rollBottom);
    }
    const x = Math.round(this.x(this.playTick));
    if (x < kGutter - 1) return;
    c.fillStyle = color.accent;
    c.fillRect(x, 0, 1.5, this.height - kOverview);
    c.beginPath();
    c.moveTo(x - 5, 0);
    c.lineTo(x + 6.5, 0);
    c.lineTo(x + 0.75, 8);
    c.fill();
  }

  private drawKeys(c: CanvasRenderingContext2D, color: Colors): void {
    const top = this.rollTop;
    const bottom = this.rollBottom;
    c.fillStyle = color.raised;
    c.fillRect(0, 0, kGutter, this.height);
    const sounding = new Set<number>();
    if (this.playing) {
      this.state.analysis.eachNote(this.playTick, this.playTick + 1, (note) => {
        if (note.tick <= this.playTick) sounding.add(note.pitch);
      });
    }
    c.save();
    c.beginPath();
    c.rect(0, top, kGutter, bottom - top);
    c.clip();
    c.fillStyle = color.keyWhite;
    c.fillRect(0, top, kGutter, bottom - top);
    const low = Math.max(0, this.pitchOf(bottom));
    const high = Math.min(127, this.pitchOf(top) + 1);
    c.textBaseline = 'alphabetic';
    for (let pitch = low; pitch <= high; ++pitch) {
      const y = this.y(pitch);
      const black = kBlack.includes(pitch % 12);
      const pressed =
        sounding.has(pitch) || (this.drag?.kind === 'key' && this.drag.pitch === pitch);
      if (pressed) {
        c.fillStyle = color.accent;
        c.fillRect(0, y, black ? kGutter - 14 : kGutter - 1, this.row);
      } else if (black) {
        c.fillStyle = color.keyBlack;
        c.fillRect(0, y, kGutter - 14, this.row);
      }
      if (pitch % 12 === 0 || pitch % 12 === 5) {
        c.globalAlpha = 0.35;
        c.fillStyle = color.keyInk;
        c.fillRect(0, y + this.row - 0.5, kGutter, 1);
        c.globalAlpha = 1;
      }
      if ((pitch % 12 === 0 && this.row > 4.5) || pitch === this.hoverPitch) {
        c.font = `${pitch === this.hoverPitch ? 700 : 400} 9.5px system-ui, sans-serif`;
        c.textAlign = 'right';
        if (black) {
          // The name is wider than what is white beside a black key.
          const {width} = c.measureText(pitchName(pitch));
          c.fillStyle = pressed ? color.accent : color.keyWhite;
          c.fillRect(kGutter - 7 - width, y + this.row / 2 - 5.5, width + 6, 11);
        }
        c.fillStyle = pressed ? color.raised : color.keyInk;
        c.fillText(pitchName(pitch), kGutter - 4, y + this.row / 2 + 3.5);
        c.textAlign = 'left';
      }
    }
    c.restore();
    c.fillStyle = color.line;
    c.fillRect(kGutter - 1, 0, 1, this.height - kOverview);
    c.fillStyle = color.muted;
    c.font = '9.5px system-ui, sans-serif';
    c.textAlign = 'right';
    if (this.state.chords.length) c.fillText('chords', kGutter - 6, kRuler + 14);
    if (!this.compact) {
      c.fillText('velocity', kGutter - 6, this.rollBottom + 14);
      const tempo = this.rollBottom + kVelocity;
      c.fillText(
        `♩ ${Math.round(this.state.analysis.bpmAt(Math.max(0, this.playTick)))}`,
        kGutter - 6,
        tempo + 15,
      );
      c.fillText('pedal', kGutter - 6, tempo + 29);
    }
    c.textAlign = 'left';
  }

  private drawOverview(c: CanvasRenderingContext2D, color: Colors): void {
    const {analysis, fresh, bars} = this.state;
    const top = this.height - kOverview;
    c.fillStyle = color.paper;
    c.fillRect(0, top, this.width, kOverview);
    c.fillStyle = color.line;
    c.fillRect(0, top, this.width, 1);
    const {length} = this;
    const scale = this.width / length;
    if (this.overview?.key !== analysis) {
      const canvas = document.createElement('canvas');
      canvas.width = Math.round(this.width * this.ratio);
      canvas.height = Math.round(kOverview * this.ratio);
      const o = canvas.getContext('2d')!;
      o.scale(this.ratio, this.ratio);
      const range = Math.max(24, analysis.highest - analysis.lowest + 2);
      const step = Math.max(1, Math.floor(analysis.song.notes.length / 30000));
      for (let i = 0; i < analysis.song.notes.length; i += step) {
        const note = analysis.song.notes[i];
        o.fillStyle = color.tracks[analysis.colors[note.track]];
        o.globalAlpha = 0.35 + (0.4 * note.velocity) / 127;
        o.fillRect(
          note.tick * scale,
          4 + ((analysis.highest - note.pitch) / range) * (kOverview - 8),
          Math.max(0.8, (note.end - note.tick) * scale),
          1.4,
        );
      }
      this.overview = {key: analysis, canvas};
    }
    for (const [of, fill] of [
      [fresh, color.warm],
      [bars, color.accent],
    ] as const) {
      if (!of || (fresh && of !== fresh)) continue;
      c.globalAlpha = 0.16;
      c.fillStyle = fill;
      const from = analysis.bar(of.first).tick * scale;
      c.fillRect(from, top + 1, analysis.bar(of.last).end * scale - from, kOverview);
      c.globalAlpha = 1;
    }
    c.drawImage(this.overview.canvas, 0, top, this.width, kOverview);
    const x0 = Math.max(0, this.left * scale);
    const x1 = Math.min(this.width, (this.left + this.visibleTicks()) * scale);
    c.globalAlpha = 0.1;
    c.fillStyle = color.ink;
    c.fillRect(x0, top + 1, x1 - x0, kOverview - 1);
    c.globalAlpha = 0.5;
    c.strokeStyle = color.muted;
    c.lineWidth = 1;
    c.strokeRect(x0 + 0.5, top + 1.5, Math.max(2, x1 - x0 - 1), kOverview - 2.5);
    c.globalAlpha = 1;
    c.fillStyle = color.accent;
    c.fillRect(this.playTick * scale, top, 1.5, kOverview);
  }

  // Pointers.

  private snapTick(tick: number, floor = false): number {
    const {snap, analysis} = this.state;
    if (snap <= 0) return Math.max(0, Math.round(tick));
    const bar = analysis.bar(analysis.barAt(Math.max(0, tick)));
    const step = snap * this.tpq;
    const steps = (tick - bar.tick) / step;
    return Math.max(
      0,
      Math.round(bar.tick + (floor ? Math.floor(steps + 1e-6) : Math.round(steps)) * step),
    );
  }

  private noteAt(x: number, y: number): {note: Note; edge: boolean} | null {
    const pitch = this.pitchOf(y);
    const slack = (3 / this.scale) * this.tpq;
    const tick = this.tickOf(x);
    let found: Note | null = null;
    this.state.analysis.eachNote(tick - slack, tick + slack + 1, (note) => {
      if (note.pitch === pitch && !this.state.muted.has(note.track)) found = note;
    });
    if (!found) return null;
    const note = found as Note;
    const width = this.x(note.end) - this.x(note.tick);
    return {note, edge: this.x(note.end) - x < Math.min(8, width / 3)};
  }

  private place(event: {clientX: number; clientY: number}): {x: number; y: number} {
    const box = this.canvas.getBoundingClientRect();
    return {x: event.clientX - box.left, y: event.clientY - box.top};
  }

  private down = (event: PointerEvent): void => {
    if (event.button > 1) return;
    this.canvas.focus({preventScroll: true});
    const {x, y} = this.place(event);
    this.pointers.set(event.pointerId, {x, y});
    try {
      this.canvas.setPointerCapture(event.pointerId);
    } catch {
      /* a pointer that tests made up */
    }
    if (this.pointers.size === 2) {
      const [a, b] = [...this.pointers.values()];
      this.pinch = {
        distance: Math.max(10, Math.hypot(a.x - b.x, a.y - b.y)),
        scale: this.scale,
        tick: this.tickOf((a.x + b.x) / 2),
      };
      this.drag = {kind: 'pinch'};
      return;
    }
    const {state} = this;
    if (y >= this.height - kOverview) {
      this.drag = {kind: 'overview'};
      this.moveOverview(x);
      return;
    }
    if (x < kGutter) {
      if (y >= this.rollTop && y < this.rollBottom) {
        const pitch = clamp(this.pitchOf(y), 0, 127);
        this.drag = {kind: 'key', pitch, release: this.events.touchKey(pitch)};
        this.touch();
      }
      return;
    }
    if (event.button === 1) {
      this.drag = {kind: 'pan', x, y, moved: false};
      return;
    }
    if (y < this.rollTop) {
      const bar = state.analysis.barAt(Math.max(0, this.tickOf(x)));
      const from =
        event.shiftKey && state.bars
          ? bar < state.bars.first
            ? state.bars.last
            : state.bars.first
          : bar;
      this.drag = {kind: 'ruler', from};
      if (event.shiftKey)
        this.events.selectBars({first: Math.min(from, bar), last: Math.max(from, bar)});
      return;
    }
    if (y >= this.rollBottom) {
      if (!this.compact && y < this.rollBottom + kVelocity && !state.readOnly) {
        this.drag = {kind: 'velocity', values: new Map()};
        this.paintVelocity(x, y);
      } else this.events.seek(Math.max(0, this.tickOf(x)));
      return;
    }
    const hit = this.noteAt(x, y);
    if (hit && !state.readOnly) {
      let {selection} = state;
      if (event.shiftKey || event.ctrlKey || event.metaKey) {
        const next = new Set(selection);
        if (next.has(hit.note.id)) next.delete(hit.note.id);
        else next.add(hit.note.id);
        this.events.select(next);
        return;
      }
      if (!selection.has(hit.note.id)) {
        selection = new Set([hit.note.id]);
        this.events.select(new Set(selection));
      }
      this.lastVelocity = hit.note.velocity;
      this.events.preview(hit.note);
      this.drag = hit.edge
        ? {kind: 'resize', note: hit.note, dTick: 0, x}
        : {kind: 'move', note: hit.note, dTick: 0, dPitch: 0, x, y, copy: event.altKey};
      return;
    }
    if (state.tool === 'draw' && !state.readOnly) {
      this.beginNote(x, y);
      return;
    }
    if (event.pointerType === 'touch') {
      this.drag = {kind: 'pan', x, y, moved: false};
      return;
    }
    this.drag = {
      kind: 'box',
      x,
      y,
      toX: x,
      toY: y,
      base: event.shiftKey ? new Set(state.selection) : new Set(),
    };
  };

  private beginNote(x: number, y: number): void {
    const {snap} = this.state;
    const tick = this.snapTick(this.tickOf(x), true);
    const length = snap > 0 ? snap * this.tpq : this.tpq / 4;
    const pitch = clamp(this.pitchOf(y), 0, 127);
    this.drag = {kind: 'draw', pitch, tick, end: tick + length, velocity: this.lastVelocity};
    this.events.preview({pitch, velocity: this.lastVelocity, track: this.state.drawTrack.track});
    this.touch();
  }

  private move = (event: PointerEvent): void => {
    const {x, y} = this.place(event);
    if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, {x, y});
    const {drag} = this;
    if (!drag) {
      this.hover(x, y);
      return;
    }
    switch (drag.kind) {
      case 'pinch': {
        if (!this.pinch || this.pointers.size < 2) return;
        const [a, b] = [...this.pointers.values()];
        const middle = (a.x + b.x) / 2;
        this.scale = clamp(
          (this.pinch.scale * Math.hypot(a.x - b.x, a.y - b.y)) / this.pinch.distance,
          2,
          600,
        );
        this.left = this.pinch.tick - ((middle - kGutter) / this.scale) * this.tpq;
        this.clampView();
        break;
      }
      case 'overview':
        this.moveOverview(x);
        break;
      case 'key': {
        const pitch = clamp(this.pitchOf(y), 0, 127);
        if (pitch !== drag.pitch) {
          drag.release();
          this.drag = {kind: 'key', pitch, release: this.events.touchKey(pitch)};
        }
        break;
      }
      case 'pan':
        if (drag.moved || Math.hypot(x - drag.x, y - drag.y) > 4) {
          this.scrollBy(((drag.x - x) / this.scale) * this.tpq, (y - drag.y) / this.row);
          drag.x = x;
          drag.y = y;
          drag.moved = true;
        }
        break;
      case 'ruler': {
        const bar = this.state.analysis.barAt(Math.max(0, this.tickOf(x)));
        if (bar !== drag.from || this.state.bars)
          this.events.selectBars({first: Math.min(drag.from, bar), last: Math.max(drag.from, bar)});
        break;
      }
      case 'box':
        drag.toX = clamp(x, kGutter, this.width);
        drag.toY = clamp(y, this.rollTop, this.rollBottom);
        this.selectBox(drag);
        break;
      case 'move': {
        const free = event.altKey && !drag.copy;
        const raw = ((x - drag.x) / this.scale) * this.tpq;
        drag.dTick = free
          ? Math.round(raw)
          : Math.abs(x - drag.x) < 4
            ? 0
            : this.snapTick(drag.note.tick + raw) - drag.note.tick;
        const before = drag.dPitch;
        drag.dPitch = Math.round((drag.y - y) / this.row);
        if (drag.dPitch !== before)
          this.events.preview({...drag.note, pitch: clamp(drag.note.pitch + drag.dPitch, 0, 127)});
        break;
      }
      case 'resize': {
        const raw = ((x - drag.x) / this.scale) * this.tpq;
        drag.dTick = this.snapTick(drag.note.end + raw) - drag.note.end;
        break;
      }
      case 'draw': {
        const end = this.snapTick(this.tickOf(x) + (this.state.snap * this.tpq) / 2);
        const least =
          drag.tick + (this.state.snap > 0 ? this.state.snap * this.tpq : this.tpq / 16);
        drag.end = Math.max(least, end);
        break;
      }
      case 'velocity':
        this.paintVelocity(x, y);
        break;
    }
    this.touch();
  };

  private up = (event: PointerEvent): void => {
    this.pointers.delete(event.pointerId);
    const {drag, state} = this;
    if (!drag) return;
    if (drag.kind === 'pinch') {
      if (this.pointers.size === 0) this.drag = null;
      return;
    }
    this.drag = null;
    this.touch();
    const {x} = this.place(event);
    switch (drag.kind) {
      case 'key':
        drag.release();
        break;
      case 'ruler': {
        const bar = state.analysis.barAt(Math.max(0, this.tickOf(x)));
        if (bar === drag.from && !event.shiftKey) {
          const only = state.bars && state.bars.first === bar && state.bars.last === bar;
          // A click goes there and chooses the bar; a second one lets it go.
          this.events.selectBars(only ? null : {first: bar, last: bar});
          this.events.seek(state.analysis.bar(bar).tick);
        }
        break;
      }
      case 'pan':
        if (!drag.moved) {
          this.events.select(new Set());
          this.events.seek(Math.max(0, this.tickOf(x)));
        }
        break;
      case 'box':
        if (Math.hypot(drag.toX - drag.x, drag.toY - drag.y) < 4) {
          this.events.select(new Set());
          this.events.seek(Math.max(0, this.tickOf(drag.x)));
        }
        break;
      case 'move':
        if (drag.dTick !== 0 || drag.dPitch !== 0) {
          const {dTick, dPitch} = drag;
          this.events.change(
            state.selection,
            (note) => ({
              tick: note.tick + dTick,
              end: note.end + dTick,
              pitch: note.pitch + dPitch,
            }),
            'Move notes',
          );
        }
        break;
      case 'resize':
        if (drag.dTick !== 0) {
          const {dTick} = drag;
          const least = this.tpq / 16;
          this.events.change(
            state.selection,
            (note) => ({end: Math.max(note.tick + least, note.end + dTick)}),
            'Resize notes',
          );
        }
        break;
      case 'draw':
        this.events.add([
          {
            ...state.drawTrack,
            pitch: drag.pitch,
            tick: drag.tick,
            end: drag.end,
            velocity: drag.velocity,
          },
        ]);
        break;
      case 'velocity': {
        const {values} = drag;
        if (values.size)
          this.events.change(
            new Set(values.keys()),
            (note) => ({velocity: values.get(note.id) ?? note.velocity}),
            'Velocity',
          );
        break;
      }
    }
  };

  private double = (event: MouseEvent): void => {
    const {x, y} = this.place(event);
    if (this.state.readOnly || this.state.tool !== 'select') return;
    if (x < kGutter || y < this.rollTop || y > this.rollBottom || this.noteAt(x, y)) return;
    const tick = this.snapTick(this.tickOf(x), true);
    const length = this.state.snap > 0 ? this.state.snap * this.tpq : this.tpq / 4;
    this.events.add([
      {
        ...this.state.drawTrack,
        pitch: clamp(this.pitchOf(y), 0, 127),
        tick,
        end: tick + length,
        velocity: this.lastVelocity,
      },
    ]);
  };

  private hover(x: number, y: number): void {
    const inside = y >= this.rollTop && y < this.rollBottom;
    const pitch = inside ? clamp(this.pitchOf(y), 0, 127) : -1;
    if (pitch !== this.hoverPitch) {
      this.hoverPitch = pitch;
      this.touch();
    }
    let cursor = 'default';
    if (x < kGutter || y >= this.height - kOverview) cursor = 'pointer';
    else if (y < this.rollTop) cursor = 'col-resize';
    else if (inside && !this.state.readOnly) {
      const hit = this.noteAt(x, y);
      cursor = hit
        ? hit.edge
          ? 'ew-resize'
          : 'move'
        : this.state.tool === 'draw'
          ? 'crosshair'
          : 'default';
    } else if (y < this.rollBottom + kVelocity && !this.state.readOnly && !this.compact)
      cursor = 'ns-resize';
    this.canvas.style.cursor = cursor;
  }

  private moveOverview(x: number): void {
    const span = this.visibleTicks();
    this.left = (x / this.width) * this.length - span / 2;
    this.clampView();
    this.touch();
    this.events.scrolled();
  }

  private selectBox(drag: Extract<Drag, {kind: 'box'}>): void {
    const from = this.tickOf(Math.min(drag.x, drag.toX));
    const to = this.tickOf(Math.max(drag.x, drag.toX));
    const high = this.pitchOf(Math.min(drag.y, drag.toY));
    const low = this.pitchOf(Math.max(drag.y, drag.toY));
    const ids = new Set(drag.base);
    this.state.analysis.eachNote(from, to, (note) => {
      if (note.pitch >= low && note.pitch <= high && !this.state.muted.has(note.track))
        ids.add(note.id);
    });
    this.events.select(ids);
  }

  private paintVelocity(x: number, y: number): void {
    if (this.drag?.kind !== 'velocity') return;
    const {values} = this.drag;
    const velocity = clamp(
      Math.round(((this.rollBottom + kVelocity - 2 - y) / (kVelocity - 8)) * 127),
      1,
      127,
    );
    const slack = (5 / this.scale) * this.tpq;
    const tick = this.tickOf(x);
    const {selection} = this.state;
    this.state.analysis.eachNote(tick - slack, tick + slack, (note) => {
      if (Math.abs(note.tick - tick) <= slack && (selection.size === 0 || selection.has(note.id)))
        values.set(note.id, velocity);
    });
    this.touch();
  }

  private wheel = (event: WheelEvent): void => {
    event.preventDefault();
    const {x, y} = this.place(event);
    const unit = event.deltaMode === 1 ? 16 : 1;
    const dx = event.deltaX * unit;
    const dy = event.deltaY * unit;
    if (event.ctrlKey || event.metaKey) {
      const factor = Math.exp(-dy * 0.004);
      if (event.shiftKey || x < kGutter) this.zoomPitch(factor, y);
      else this.zoom(factor, x);
    } else if (event.shiftKey || x < kGutter) {
      this.scrollBy(0, -(dy || dx) / this.row);
    } else this.scrollBy(((dx + dy) / this.scale) * this.tpq);
    this.events.scrolled();
  };
}
