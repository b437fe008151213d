import {useEffect, useState} from 'preact/hooks';
import type {Recorder} from '../recorder.ts';
import type {Roll} from '../roll.ts';
import {clamp} from '../song.ts';
import type {Studio} from '../studio.ts';
import {Icon} from './icons.tsx';
import {IconButton, clock} from './parts.tsx';

const kSnaps: [number, string][] = [
  [4, '1 bar'],
  [2, '1/2'],
  [1, '1/4'],
  [0.5, '1/8'],
  [1 / 3, '1/8 triplet'],
  [0.25, '1/16'],
  [1 / 6, '1/16 triplet'],
  [0.125, '1/32'],
  [0, 'free'],
];

export function Transport({
  studio,
  recorder,
  roll,
}: {
  studio: Studio;
  recorder: Recorder;
  roll: () => Roll | undefined;
}) {
  const playing = studio.playing.value;
  const phase = recorder.phase.value;
  return (
    <footer class="transport" aria-label="Transport">
      <div class="group">
        <IconButton
          icon="start"
          label="To the start"
          keys="Home"
          onClick={() => studio.player.seek(0)}
        />
        <button
          type="button"
          class="round"
          id="play"
          aria-label={playing ? 'Pause' : 'Play'}
          title={`${playing ? 'Pause' : 'Play'} (Space)`}
          aria-keyshortcuts="Space"
          onClick={() => (phase ? recorder.stop() : studio.player.toggle())}
        >
          <Icon name={playing ? 'pause' : 'play'} />
        </button>
        <IconButton
          icon="record"
          class="record"
          label={phase ? 'Stop recording' : 'Record'}
          keys="R"
          pressed={phase !== null}
          onClick={() => recorder.toggle()}
        />
        <Position studio={studio} />
      </div>
      <div class="group">
        <IconButton
          icon="loop"
          label={studio.bars.value ? 'Loop the selected bars' : 'Loop the piece'}
          keys="L"
          pressed={studio.loop.value}
          onClick={() => (studio.loop.value = !studio.loop.value)}
        />
        <IconButton
          icon="click"
          label="Metronome"
          keys="M"
          pressed={studio.metronome.value}
          onClick={() => (studio.metronome.value = !studio.metronome.value)}
        />
        <label class="mini desk" title="Speed of playback">
          <span class="visually-hidden">Speed of playback, per cent</span>
          <input
            type="number"
            min={25}
            max={200}
            step={5}
            value={Math.round(studio.speed.value * 100)}
            onChange={(event) =>
              (studio.speed.value = clamp(Number(event.currentTarget.value) || 100, 25, 200) / 100)
            }
          />
          %
        </label>
        <label class="mini desk volume" title="Volume">
          <span class="visually-hidden">Volume</span>
          <Icon name="volume" />
          <input
            type="range"
            min={0}
            max={1.4}
            step={0.02}
            value={studio.volume.value}
            onInput={(event) => (studio.volume.value = Number(event.currentTarget.value))}
          />
        </label>
      </div>
      <span class="grow" />
      <div class="group tools">
        <IconButton
          icon="arrow"
          label="Select"
          keys="V"
          pressed={studio.tool.value === 'select'}
          onClick={() => (studio.tool.value = 'select')}
        />
        <IconButton
          icon="pencil"
          label="Draw"
          keys="D"
          pressed={studio.tool.value === 'draw'}
          onClick={() => {
            studio.tool.value = 'draw';
            studio.drawing.value = true;
          }}
        />
        <label class="mini">
          <span class="visually-hidden">Grid</span>
          <select
            title="Grid for drawing and moving"
            value={String(studio.snap.value)}
            onChange={(event) => (studio.snap.value = Number(event.currentTarget.value))}
          >
            {kSnaps.map(([value, text]) => (
              <option key={text} value={String(value)}>
                {text}
              </option>
            ))}
          </select>
        </label>
      </div>
      <div class="group zooms">
        <IconButton
          icon="zoomOut"
          label="Zoom out"
          keys="-"
          onClick={() => roll()?.zoom(1 / 1.4)}
        />
        <IconButton icon="zoomIn" label="Zoom in" keys="+" onClick={() => roll()?.zoom(1.4)} />
        <IconButton icon="fit" label="Show all" keys="0" onClick={() => roll()?.fit(true)} />
        <IconButton
          icon="follow"
          label="Follow playback"
          keys="F"
          pressed={studio.follow.value}
          onClick={() => (studio.follow.value = !studio.follow.value)}
        />
      </div>
    </footer>
  );
}

function Position({studio}: {studio: Studio}) {
  const [, redraw] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => redraw((n) => n + 1), 60);
    return () => clearInterval(timer);
  }, []);
  const analysis = studio.analysis.value;
  const {tick} = studio.player;
  const index = analysis.barAt(tick);
  const bar = analysis.bar(index);
  const beat =
    Math.floor(((tick - bar.tick) * bar.denominator) / (4 * analysis.song.ticksPerQuarter)) + 1;
  return (
    <div class="position" role="timer" aria-label="Position">
      <strong>
        {index + 1}
        <i>.</i>
        {beat}
      </strong>
      <span>
        {clock(analysis.secondsAt(tick))} / {clock(analysis.seconds)}
      </span>
    </div>
  );
}
