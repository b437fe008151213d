import {effect} from '@preact/signals';
import {render} from 'preact';
import {Inspection} from './inspection.ts';
import {Recorder} from './recorder.ts';
import {Studio} from './studio.ts';
import {prepareTones} from './synth.ts';
import {App, type Parts} from './ui/app.tsx';

const studio = new Studio();
const parts: Parts = {studio, inspection: new Inspection(studio), recorder: new Recorder(studio)};
effect(() => parts.inspection.songChanged(studio.shown.value));
void studio.start();
// So that the first note sounds at once.
setTimeout(() => void prepareTones(), 800);
render(<App parts={parts} />, document.getElementById('studio')!);

declare global {
  interface Window {
    /** For tests, and for the curious. */
    continuoStudio: Parts;
  }
}
window.continuoStudio = parts;
