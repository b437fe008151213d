// A song as a WAV file, computed offline.
import {analyse, type Analysis} from './song.ts';
import type {Song} from './midi.ts';
import {Band, prepareTones} from './synth.ts';

const kRate = 44100;
const kTail = 2.5;
const kLongest = 20 * 60;

export async function renderSong(
  song: Song,
  heard: (track: number) => boolean = () => true,
  longest = kLongest,
): Promise<AudioBuffer> {
  await prepareTones();
  const analysis: Analysis = analyse(song);
  if (analysis.seconds > longest)
    throw new Error(`The piece lasts longer than ${longest / 60} minutes.`);
  const context = new OfflineAudioContext(2, Math.ceil((analysis.seconds + kTail) * kRate), kRate);
  const band = new Band(context);
  song.notes.forEach((note, i) => {
    if (!heard(note.track)) return;
    const program = analysis.programs[note.channel];
    const start = analysis.secondsAt(note.tick) + 0.02;
    const stop = Math.max(start + 0.04, analysis.secondsAt(analysis.stops[i]) + 0.02);
    band.strike(
      {program, drum: note.channel === 9, pitch: note.pitch, velocity: note.velocity},
      start,
      stop,
    );
  });
  return context.startRendering();
}

/** 16 bits, two channels, as loud as it can be. */
export function wavFile(buffer: AudioBuffer): Uint8Array<ArrayBuffer> {
  const left = buffer.getChannelData(0);
  const right = buffer.getChannelData(Math.min(1, buffer.numberOfChannels - 1));
  let peak = 1e-6;
  for (let i = 0; i < left.length; ++i)
    peak = Math.max(peak, Math.abs(left[i]), Math.abs(right[i]));
  const scale = (0.89 * 32767) / peak; // -1 dB
  const bytes = new Uint8Array(44 + left.length * 4);
  const view = new DataView(bytes.buffer);
  const text = (at: number, value: string) => {
    for (let i = 0; i < value.length; ++i) bytes[at + i] = value.charCodeAt(i);
  };
  text(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 2, true);
  view.setUint32(24, buffer.sampleRate, true);
  view.setUint32(28, buffer.sampleRate * 4, true);
  view.setUint16(32, 4, true);
  view.setUint16(34, 16, true);
  text(36, 'data');
  view.setUint32(40, left.length * 4, true);
  for (let i = 0; i < left.length; ++i) {
    view.setInt16(44 + 4 * i, Math.round(left[i] * scale), true);
    view.setInt16(46 + 4 * i, Math.round(right[i] * scale), true);
  }
  return bytes;
}
