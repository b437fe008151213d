// The player at the foot of the page: one piece at a time, with a piano roll that moves.
import {h, icon, replace} from './dom.js';
import {midiFile} from './notes.js';
import {Piano} from '../../common/piano.js';
import {drawRoll} from './roll.js';

const kAhead = 0.5; // seconds that are handed to the audio system before they sound
const kEvery = 120; // milliseconds between
const kLeadIn = 0.12; // before the first note

const clock = (seconds) =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

export class Player {
  constructor() {
    this.piece = null;
    this.playing = false;
    this.position = 0;
    this.listeners = [];
    this.canvas = h('canvas', {
      class: 'roll',
      role: 'img',
      'aria-label': 'Piano roll of the piece that plays',
    });
    this.canvas.addEventListener('click', (event) => {
      const box = this.canvas.getBoundingClientRect();
      const speed = Math.max(52, Math.min(110, box.width / 9));
      this.seek(this.position + (event.clientX - box.left - box.width * 0.28) / speed);
    });
    this.button = h(
      'button',
      {class: 'round', 'aria-label': 'Play', onclick: () => this.toggle()},
      icon('play'),
    );
    this.title = h('div', {class: 'title'});
    this.legend = h('div', {class: 'legend'});
    this.time = h('span', {class: 'time'});
    this.range = h('input', {
      type: 'range',
      min: 0,
      max: 1000,
      value: 0,
      'aria-label': 'Place in the piece',
      oninput: () => this.seek((this.range.value / 1000) * (this.line?.length ?? 0)),
    });
    this.save = h(
      'button',
      {
        class: 'plain',
        title: 'Save as MIDI',
        'aria-label': 'Save as MIDI',
        onclick: () => this.download(),
      },
      icon('save'),
    );
    this.dock = h(
      'section',
      {class: 'dock', hidden: true, 'aria-label': 'Player', 'data-state': 'stopped'},
      this.canvas,
      h(
        'div',
        {class: 'controls'},
        this.button,
        h('div', {class: 'what'}, this.title, this.legend),
        h('div', {class: 'where'}, this.range, this.time),
        this.save,
        h(
          'button',
          {
            class: 'plain',
            title: 'Close',
            'aria-label': 'Close the player',
            onclick: () => this.close(),
          },
          icon('close'),
        ),
      ),
    );
    document.addEventListener('keydown', (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT|BUTTON|SUMMARY)$/.test(event.target.tagName);
      if (!this.piece || typing || event.metaKey || event.ctrlKey) return;
      if (event.key === ' ') {
        event.preventDefault();
        this.toggle();
      } else if (event.key === 'Escape') this.close();
    });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  /** Plays a piece ({data(), line()}) under a name; `blind` ones can't be saved, since a file's name would tell. */
  play(piece, title, blind = false) {
    if (this.piece === piece && this.name === title) {
      this.toggle();
      return;
    }
    this.halt();
    this.piece = piece;
    this.name = title;
    this.blind = blind;
    this.line = piece.line();
    this.position = 0;
    this.save.hidden = blind;
    replace(this.title, title);
    replace(
      this.legend,
      this.line.promptEnd > 0
        ? [h('i', {class: 'dot given'}), 'given ', h('i', {class: 'dot fresh'}), 'continued']
        : [],
    );
    this.dock.hidden = false;
    document.body.classList.add('has-dock');
    this.start();
  }

  start() {
    if (!this.context) {
      this.context = new AudioContext({latencyHint: 'playback'});
      this.piano = new Piano(this.context);
      this.meter = this.context.createAnalyser();
      this.piano.output.connect(this.meter);
    }
    this.context.resume();
    if (this.position >= this.line.length - 0.01) this.position = 0;
    this.next = this.line.notes.findIndex((note) => note.start >= this.position - 1e-6);
    if (this.next < 0) this.next = this.line.notes.length;
    // Tones take a while to compute: the first ones now, the others in the order of their notes while it plays.
    const ahead = this.line.notes.slice(this.next);
    this.piano.prepare(
      new Set(ahead.filter((note) => note.start < this.position + 1).map((note) => note.pitch)),
    );
    this.waiting = [...new Set(ahead.map((note) => note.pitch))];
    this.piano.levelFor(this.line);
    this.playing = true;
    // A context's clock stands still until it runs; the piece begins with it.
    this.origin = this.context.currentTime + kLeadIn - this.position;
    this.timer = setInterval(() => this.schedule(), kEvery);
    this.schedule();
    this.show();
    const frame = () => {
      if (!this.playing) return;
      this.position = Math.max(0, this.context.currentTime - this.origin);
      if (this.position > this.line.length + 1.2) {
        this.halt();
        this.position = 0;
        this.show();
        return;
      }
      this.draw();
      this.frame = requestAnimationFrame(frame);
    };
    this.frame = requestAnimationFrame(frame);
  }

  schedule() {
    const now = this.context.currentTime;
    for (; this.next < this.line.notes.length; ++this.next) {
      const note = this.line.notes[this.next];
      const at = this.origin + note.start;
      if (at > now + kAhead + kEvery / 1000) break;
      this.piano.strike(
        note,
        Math.max(now, at),
        Math.max(now + 0.04, this.origin + Math.max(note.stop, note.start + 0.04)),
      );
    }
    while (this.waiting.length && !this.piano.prepare([this.waiting.shift()])) {
      /* was there */
    }
  }

  halt() {
    if (!this.playing) return;
    this.playing = false;
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    this.position = Math.max(0, Math.min(this.line.length, this.context.currentTime - this.origin));
    this.piano.hush();
  }

  toggle() {
    if (this.playing) this.halt();
    else this.start();
    this.show();
  }

  seek(seconds) {
    if (!this.line) return;
    const was = this.playing;
    this.halt();
    this.position = Math.max(0, Math.min(this.line.length - 0.01, seconds));
    // The hushed strings need a moment.
    if (was) setTimeout(() => this.playing || !this.piece || this.start(), 150);
    this.show();
  }

  close() {
    this.halt();
    this.piece = null;
    this.blind = false;
    this.dock.hidden = true;
    document.body.classList.remove('has-dock');
    this.show();
  }

  download() {
    const url = URL.createObjectURL(new Blob([midiFile(this.piece.data())], {type: 'audio/midi'}));
    h('a', {href: url, download: `${this.name.replace(/[^\w.-]+/g, '-')}.mid`}).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }

  draw() {
    if (!this.line || this.dock.hidden) return;
    drawRoll(this.canvas, this.line, this.position);
    this.range.value = (1000 * this.position) / Math.max(this.line.length, 1e-3);
    this.time.textContent = `${clock(Math.min(this.position, this.line.length))} / ${clock(this.line.length)}`;
    this.dock.dataset.position = this.position.toFixed(2);
  }

  show() {
    replace(this.button, icon(this.playing ? 'pause' : 'play'));
    this.button.setAttribute('aria-label', this.playing ? 'Pause' : 'Play');
    this.dock.dataset.state = this.playing ? 'playing' : 'stopped';
    this.draw();
    for (const listener of this.listeners) listener(this);
  }

  /** Root mean square of what sounds now, 0..1. */
  loudness() {
    if (!this.meter) return 0;
    const samples = new Float32Array(this.meter.fftSize);
    this.meter.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
  }
}

/** A button that plays a piece and shows whether it does. */
export function playButton(player, piece, title, label, blind = false) {
  if (!piece.playable) {
    return h(
      'span',
      {class: 'play silent', title: piece.silent ?? 'the notes of this piece are not kept'},
      label ?? '–',
    );
  }
  const button = h(
    'button',
    {
      class: label ? 'play chip' : 'play round small',
      title: `Play ${title}`,
      'aria-label': `Play ${title}`,
      onclick: (event) => {
        event.stopPropagation();
        player.play(piece, title, blind);
      },
    },
    icon('play'),
    label,
  );
  player.listeners.push(() => {
    const on = player.piece === piece && player.name === title;
    button.classList.toggle('on', on);
    button.replaceChild(icon(on && player.playing ? 'pause' : 'play'), button.firstChild);
  });
  return button;
}
