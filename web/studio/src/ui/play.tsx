import {useEffect, useRef} from 'preact/hooks';
import {kKeys, type Recorder} from '../recorder.ts';
import {analyse, clamp} from '../song.ts';
import type {Studio} from '../studio.ts';
import {Icon} from './icons.tsx';
import {Stepper} from './parts.tsx';

export function PlayPanel({studio, recorder}: {studio: Studio; recorder: Recorder}) {
  const phase = recorder.phase.value;
  const access = recorder.access.value;
  const empty = studio.song.value.notes.length === 0;
  const bpm = Math.round(analyse(studio.song.value).bpmAt(0));
  return (
    <div class="play-panel">
      <h3>Play with the model</h3>
      <p class="sentence">
        Play{' '}
        <Stepper
          label="Bars of the call"
          value={recorder.answerBars.value}
          min={1}
          max={16}
          onInput={(value) => (recorder.answerBars.value = value)}
        />{' '}
        bars after a bar of clicks. The model answers with as many, on the next bar line, and then
        it is your turn again.
      </p>
      {phase ? (
        <button type="button" class="primary stop" onClick={() => recorder.stop()}>
          <Icon name="stop" />
          Stop <kbd>Esc</kbd>
        </button>
      ) : (
        <div class="buttons">
          <button
            type="button"
            class="primary"
            disabled={!studio.engine.value || studio.busy.value}
            onClick={() => recorder.answer()}
          >
            <Icon name="spark" />
            Answer me
          </button>
          <button
            type="button"
            class="secondary"
            disabled={studio.busy.value}
            onClick={() => recorder.record()}
          >
            <Icon name="record" />
            Record <kbd>R</kbd>
          </button>
        </div>
      )}
      <p class={`phase ${phase?.kind ?? ''}`} role="status">
        {phase?.kind === 'count' && 'Get ready …'}
        {phase?.kind === 'record' && 'Recording'}
        {phase?.kind === 'call' && 'Your turn'}
        {phase?.kind === 'answer' && 'The model answers'}
      </p>
      {phase && recorder.keyboard.value && <Keys recorder={recorder} />}
      {empty && (
        <label class="row">
          <span class="field">Tempo</span>
          <input
            type="number"
            class="narrow"
            min={20}
            max={300}
            value={bpm}
            onChange={(event) =>
              recorder.setTempo(clamp(Number(event.currentTarget.value) || 120, 20, 300))
            }
          />
          <span class="unit">bpm</span>
        </label>
      )}
      <label class="check row">
        <input
          type="checkbox"
          checked={recorder.snapRecorded.value}
          onChange={(event) => (recorder.snapRecorded.value = event.currentTarget.checked)}
        />
        Move what I play to the grid
      </label>
      <h3>Instruments</h3>
      <label class="check row">
        <input
          type="checkbox"
          checked={recorder.keyboard.value}
          onChange={(event) => (recorder.keyboard.value = event.currentTarget.checked)}
        />
        This computer’s keyboard, or keys on the screen
      </label>
      {!phase && recorder.keyboard.value && <Keys recorder={recorder} />}
      {access === 'granted' ? (
        <p class="note">
          {recorder.inputs.value.length
            ? `MIDI: ${recorder.inputs.value.join(', ')}`
            : 'No MIDI instrument is connected.'}
        </p>
      ) : access === 'missing' ? (
        <p class="note">This browser has no Web MIDI.</p>
      ) : (
        <>
          <button
            type="button"
            class="secondary"
            disabled={access === 'asking'}
            onClick={() => void recorder.enableMidi()}
          >
            <Icon name="keyboard" />
            Connect MIDI instruments
          </button>
          {access === 'refused' && <p class="note">The browser did not allow it.</p>}
        </>
      )}
    </div>
  );
}

function Keys({recorder}: {recorder: Recorder}) {
  const octave = recorder.octave.value;
  const letters = Object.keys(kKeys).map((code) => (code === 'Semicolon' ? ';' : code.slice(3)));
  const black = [1, 3, 6, 8, 10, 13, 15];
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => box.current?.scrollIntoView({block: 'nearest'}), []);
  return (
    <div
      ref={box}
      class="keys"
      aria-label={`The keys A to K play octave ${octave}; Z and X change it`}
    >
      {letters.map((letter, i) => (
        <span
          key={letter}
          class={black.includes(i) ? 'black' : 'white'}
          onPointerDown={() => recorder.noteOn(12 * (octave + 1) + i, 84)}
          onPointerUp={() => recorder.noteOff(12 * (octave + 1) + i)}
          onPointerLeave={() => recorder.noteOff(12 * (octave + 1) + i)}
          onPointerCancel={() => recorder.noteOff(12 * (octave + 1) + i)}
        >
          {letter}
        </span>
      ))}
      <small>
        Octave
        <button
          type="button"
          aria-label="Octave lower"
          aria-keyshortcuts="Z"
          onClick={() => recorder.moveOctave(-1)}
        >
          −
        </button>
        {octave}
        <button
          type="button"
          aria-label="Octave higher"
          aria-keyshortcuts="X"
          onClick={() => recorder.moveOctave(1)}
        >
          +
        </button>
        <kbd>Z</kbd> <kbd>X</kbd>
      </small>
    </div>
  );
}
