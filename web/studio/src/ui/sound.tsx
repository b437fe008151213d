import type {Recorder} from '../recorder.ts';
import type {Studio} from '../studio.ts';
import {Icon} from './icons.tsx';

const kFamilies = ['Piano', 'Mallets', 'Organ', 'Guitar', 'Bass', 'Strings', 'Ensemble', 'Brass', 'Reed', 'Pipe', 'Lead', 'Pad', 'Effects', 'World', 'Percussion', 'Sounds']; // prettier-ignore

export function SoundPanel({studio, recorder}: {studio: Studio; recorder: Recorder}) {
  const {tracks} = studio.analysis.value;
  const toggle = (which: 'muted' | 'solo', track: number) => {
    const next = new Set(studio[which].value);
    if (next.has(track)) next.delete(track);
    else next.add(track);
    studio[which].value = next;
  };
  const target = studio.target().track;
  return (
    <div class="sound-panel">
      <h3>Tracks</h3>
      <ul class="tracks">
        {tracks.map((track, i) => {
          const sound = track.drum ? 'Drums' : kFamilies[track.program >> 3];
          return track.notes === 0 && track.channel < 0 ? null : (
            <li key={i}>
              <span
                class="dot"
                style={{background: `var(--track-${studio.analysis.value.colors[i]})`}}
              />
              <span class="what">
                <strong>{track.name || sound}</strong>
                <small>
                  {track.name ? sound : `Track ${i + 1}`} · {track.notes}{' '}
                  {track.notes === 1 ? 'note' : 'notes'}
                </small>
              </span>
              <button
                type="button"
                class="letter"
                aria-pressed={studio.muted.value.has(i)}
                aria-label={`Mute ${track.name || i + 1}`}
                title="Mute"
                onClick={() => toggle('muted', i)}
              >
                M
              </button>
              <button
                type="button"
                class="letter"
                aria-pressed={studio.solo.value.has(i)}
                aria-label={`Solo ${track.name || i + 1}`}
                title="Solo"
                onClick={() => toggle('solo', i)}
              >
                S
              </button>
              <button
                type="button"
                class="letter"
                aria-pressed={target === i}
                aria-label={`Draw and record in ${track.name || i + 1}`}
                title="Draw and record here"
                onClick={() => (studio.drawTrack.value = i)}
              >
                <Icon name="pencil" />
              </button>
            </li>
          );
        })}
      </ul>
      <h3>Sound</h3>
      {recorder.soundFont.value ? (
        <p class="row">
          <span class="field wide">
            {recorder.soundFont.value}
            {recorder.soundFontState.value === 'loading' && <small> is being read …</small>}
          </span>
          <button type="button" class="quiet" onClick={() => recorder.noSoundFont()}>
            Built-in sounds
          </button>
        </p>
      ) : (
        <label class="secondary file">
          <Icon name="open" />
          Your SoundFont (.sf2, .sf3)
          <input
            type="file"
            class="visually-hidden"
            accept=".sf2,.sf3,.dls"
            onChange={(event) => {
              const file = event.currentTarget.files?.[0];
              if (file) void recorder.useSoundFont(file);
            }}
          />
        </label>
      )}
      <h3>MIDI output</h3>
      {recorder.access.value === 'granted' ? (
        <select
          aria-label="MIDI output"
          value={recorder.output.value}
          onChange={(event) => recorder.useOutput(event.currentTarget.value)}
        >
          <option value="">none</option>
          {recorder.outputs.value.map(({id, name}) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      ) : (
        <button type="button" class="secondary" onClick={() => void recorder.enableMidi()}>
          <Icon name="keyboard" />
          Connect MIDI instruments
        </button>
      )}
    </div>
  );
}
