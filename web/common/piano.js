// A piano made of damped partials: no samples. Each string's tone is computed once, by resonators, when it is first needed.

const kStep = 3; // semitones between computed tones; those between are resampled
const kRate = 44100;
const kLoudness = 0.4; // of the mean square of what sounds at once, before the room

/** How hard a blow sounds, 0..1. */
const strength = (velocity) => 0.05 + 0.75 * (Math.max(1, velocity) / 127) ** 1.7;

/** The tone of a key struck once, undamped. */
export function tone(pitch, rate = kRate) {
  const f0 = 440 * 2 ** ((pitch - 69) / 12);
  // Strings are stiff: partial n sounds at n f0 sqrt(1 + B n^2). B as measured on grands, about 1e-4 in the bass, 1e-2 on top.
  const stiffness = 2.2e-4 * 2 ** (Math.max(0, pitch - 45) / 10);
  const sustain = Math.min(14, 9 * 2 ** ((48 - pitch) / 17)); // seconds to fall by 60 dB
  const length = Math.min(7, sustain * 0.9);
  const samples = new Float32Array(Math.ceil(length * rate));
  const partials = Math.max(1, Math.min(28, Math.floor(9500 / f0)));
  let power = 0;
  for (let n = 1; n <= partials; ++n) {
    const frequency = n * f0 * Math.sqrt(1 + stiffness * n * n);
    if (frequency > 0.45 * rate) break;
    // The hammer strikes at about an eighth of the string, and its felt rounds off what is high.
    const amplitude =
      ((Math.abs(Math.sin((Math.PI * n) / 8.1)) + 0.06) / n ** 0.75) *
      Math.exp(-frequency / (1500 + 0.45 * f0));
    power += amplitude * amplitude;
    const life = sustain / (1 + 0.13 * (n - 1) + frequency / 5000);
    // Three strings not quite in tune: a quick decay, then a slow one that beats.
    for (const [share, detune, slower] of [
      [0.62, 0, 0.42],
      [0.26, 0.00031, 1.15],
      [0.12, -0.00024, 1.3],
    ]) {
      const turn = (2 * Math.PI * frequency * (1 + detune)) / rate;
      const decay = Math.exp(-6.908 / (life * slower * rate));
      const a = 2 * decay * Math.cos(turn),
        b = -decay * decay;
      // y[k] = decay^k sin(turn k): from silence, without a click.
      let before = 0,
        now = amplitude * share * decay * Math.sin(turn);
      const end = Math.min(samples.length, Math.ceil(life * slower * rate * 1.1));
      for (let k = 1; k < end; ++k) {
        samples[k] += now;
        const next = a * now + b * before;
        before = now;
        now = next;
      }
    }
  }
  // The knock of key and hammer, darker in the bass.
  let low = 0,
    seed = pitch * 7919 + 1;
  const knock = Math.ceil(0.03 * rate),
    darkness = Math.min(0.5, 0.05 + f0 / 4000);
  for (let k = 0; k < knock && k < samples.length; ++k) {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    low += darkness * (seed / 1073741824 - 1 - low);
    samples[k] += 0.12 * Math.sqrt(power) * low * Math.exp(-k / (0.006 * rate));
  }
  const scale = 0.5 / Math.sqrt(power);
  const fade = Math.ceil(0.3 * rate);
  for (let k = 0; k < samples.length; ++k)
    samples[k] *= scale * Math.min(1, (samples.length - k) / fade, k / 40);
  return samples;
}

/** A room: noise that dies away, different on both sides. */
function room(context) {
  const length = Math.ceil(1.7 * context.sampleRate);
  const buffer = context.createBuffer(2, length, context.sampleRate);
  for (let channel = 0; channel < 2; ++channel) {
    const data = buffer.getChannelData(channel);
    let low = 0,
      seed = 17 + channel * 7907;
    for (let k = 0; k < length; ++k) {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      const seconds = k / context.sampleRate;
      low += (0.5 - 0.22 * Math.min(1, seconds)) * (seed / 1073741824 - 1 - low);
      data[k] = low * Math.exp(-4.4 * seconds) * Math.min(1, seconds / 0.008);
    }
  }
  return buffer;
}

/** The pitches whose tones the others are made of. */
export const toneKeys = Array.from({length: 30}, (_, i) => 21 + kStep * i);

/** Plays notes through a context, which may be an OfflineAudioContext. */
export class Piano {
  constructor(context) {
    this.context = context;
    this.tones = new Map();
    this.sounding = new Set();
    this.gain = 0.55;
    const limiter = context.createDynamicsCompressor();
    limiter.threshold.value = -10;
    limiter.knee.value = 12;
    limiter.ratio.value = 12;
    limiter.attack.value = 0.002;
    limiter.release.value = 0.2;
    const reverb = context.createConvolver();
    reverb.buffer = room(context);
    const wet = context.createGain();
    wet.gain.value = 0.22;
    reverb.connect(wet).connect(limiter);
    this.room = reverb;
    this.output = limiter;
    this.level = this.makeLevel();
    limiter.connect(context.destination);
  }

  /** What notes are struck into. Its gain is set, not scheduled: Chromium passes over what is scheduled for a time at which
   * nothing sounds. */
  makeLevel() {
    const level = this.context.createGain();
    level.gain.value = this.gain;
    level.connect(this.output);
    level.connect(this.room);
    return level;
  }

  setGain(gain) {
    this.gain = gain;
    this.level.gain.value = gain;
  }

  /** Computes what these pitches need; whether there was something to compute. */
  prepare(pitches) {
    const before = this.tones.size;
    for (const pitch of pitches) {
      const key = Math.max(21, Math.min(108, Math.round(pitch / kStep) * kStep));
      if (!this.tones.has(key)) {
        const samples = tone(key);
        const buffer = this.context.createBuffer(1, samples.length, kRate);
        buffer.copyToChannel(samples, 0);
        this.tones.set(key, buffer);
      }
    }
    return this.tones.size > before;
  }

  /** Raises a piece of few and soft notes, lowers one of many and hard ones, so that all are about as loud. */
  levelFor({notes, length}) {
    const energy =
      notes.reduce(
        (sum, note) => sum + strength(note.velocity) ** 2 * Math.min(1.5, note.off - note.start),
        0,
      ) / Math.max(1, length);
    this.setGain(Math.max(0.25, Math.min(1.6, kLoudness / Math.sqrt(Math.max(energy, 1e-6)))));
  }

  /** Strikes a key at a time of the context, damped at `stop`; `into` may lead elsewhere than to the piano's own level. Gives a
   * function that damps it earlier. */
  strike({pitch, velocity}, start, stop, into = this.level) {
    this.prepare([pitch]);
    const key = Math.max(21, Math.min(108, Math.round(pitch / kStep) * kStep));
    const force = Math.max(1, velocity) / 127;
    const source = this.context.createBufferSource();
    source.buffer = this.tones.get(key);
    source.playbackRate.value = 2 ** ((pitch - key) / 12);
    const felt = this.context.createBiquadFilter(); // the harder the blow, the brighter
    felt.type = 'lowpass';
    felt.frequency.value = Math.min(
      16000,
      440 * 2 ** ((pitch - 69) / 12) * (1.2 + 5 * force) + 600 + 9000 * force ** 2.2,
    );
    felt.Q.value = 0.3;
    const gain = this.context.createGain();
    gain.gain.setValueAtTime(strength(velocity), start);
    // The top keys have no dampers.
    if (pitch < 90) gain.gain.setTargetAtTime(0, stop, pitch < 40 ? 0.11 : 0.07);
    const pan = this.context.createStereoPanner();
    pan.pan.value = Math.max(-0.45, Math.min(0.45, (pitch - 62) / 70));
    source.connect(felt).connect(gain).connect(pan).connect(into);
    source.start(start);
    if (pitch < 90) source.stop(stop + 0.8);
    this.sounding.add(source);
    source.onended = () => {
      this.sounding.delete(source);
      pan.disconnect();
    };
    return (at) => {
      if (pitch >= 90) return;
      gain.gain.cancelScheduledValues(at);
      gain.gain.setTargetAtTime(0, at, 0.07);
      source.stop(at + 0.6);
    };
  }

  /** Silence, soon. */
  hush() {
    const now = this.context.currentTime;
    const old = this.level;
    old.gain.setTargetAtTime(0, now, 0.02);
    setTimeout(() => old.disconnect(), 1000);
    this.level = this.makeLevel();
    const sources = [...this.sounding];
    this.sounding.clear();
    for (const source of sources) {
      try {
        source.stop(now + 0.12);
      } catch {
        /* has ended */
      }
    }
  }
}
