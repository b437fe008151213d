// Computes the piano's tones away from the page.
import {tone} from '../../common/piano.js';

onmessage = ({data}: MessageEvent<number>) => {
  const samples = tone(data);
  (postMessage as (message: unknown, transfer: Transferable[]) => void)({key: data, samples}, [
    samples.buffer,
  ]);
};
