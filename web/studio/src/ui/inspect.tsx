import {useEffect} from 'preact/hooks';
import reference from '../../../../models/pop1k7.eval.json';
import type {Inspection} from '../inspection.ts';
import type {Studio} from '../studio.ts';

const kMetrics: [keyof typeof reference.mean, string, string][] = [
  ['H1', 'Pitch variety in a bar', 'Entropy of the pitch classes of one bar, in bits (H1)'],
  ['H4', 'Pitch variety in four bars', 'Entropy of the pitch classes of four bars, in bits (H4)'],
  ['GS', 'Steadiness of rhythm', 'Grooving similarity of all pairs of bars (GS)'],
  ['CPI', 'Freedom of the chords', 'Chord progression irregularity (CPI)'],
];

/** "D# major" as musicians write it. */
function keyName(key: string): string {
  const [tonic, mode = ''] = key.split(' ');
  const flats: Record<string, string> = {
    'D#': 'E♭',
    'G#': mode === 'minor' ? 'G♯' : 'A♭',
    'A#': 'B♭',
    'C#': mode === 'minor' ? 'C♯' : 'D♭',
    'F#': 'F♯',
  };
  return `${flats[tonic] ?? tonic} ${mode}`;
}

export function InspectPanel({
  studio,
  inspection,
  openSheet,
}: {
  studio: Studio;
  inspection: Inspection;
  openSheet: () => void;
}) {
  const song = studio.shown.value;
  const writing = studio.busy.value;
  useEffect(() => {
    if (writing || song.notes.length === 0) return;
    const timer = setTimeout(() => void inspection.run(song), 500);
    return () => clearTimeout(timer);
  }, [song, writing, studio.engine.value]);
  const evaluation = inspection.evaluation.value;
  const likelihood = inspection.likelihood.value;
  const bars = likelihood?.nllOfBars ?? [];
  const measured = bars.map((_, i) => i).filter((i) => Number.isFinite(bars[i]));
  // The first always surprises: nothing announces it.
  const others = measured.length > 1 ? measured.slice(1) : measured;
  const worst = others.reduce((best, i) => (best < 0 || bars[i] > bars[best] ? i : best), -1);
  if (song.notes.length === 0) return <p class="note">There is nothing to inspect yet.</p>;
  return (
    <div class="inspect-panel">
      <dl class="facts">
        <div>
          <dt>Key</dt>
          <dd>{evaluation?.key ? keyName(evaluation.key) : '–'}</dd>
        </div>
        <div>
          <dt>Bars</dt>
          <dd>{studio.analysis.value.barCount}</dd>
        </div>
        <div>
          <dt>Notes</dt>
          <dd>{song.notes.length.toLocaleString('en')}</dd>
        </div>
        <div>
          <dt>Tempo</dt>
          <dd>{Math.round(studio.analysis.value.meanBpm)}</dd>
        </div>
      </dl>
      <h3>Next to real music</h3>
      <ul class="metrics">
        {kMetrics.map(([name, title, description]) => {
          const value = evaluation?.metrics[name];
          const mean = reference.mean[name];
          const std = reference.std[name];
          const place = (of: number) =>
            `${Math.max(0, Math.min(100, 50 + ((of - mean) / (4 * std)) * 50))}%`;
          return (
            <li key={name} title={description}>
              <span>{title}</span>
              <output>{value === undefined || Number.isNaN(value) ? '–' : value.toFixed(2)}</output>
              <span class="scale" role="img" aria-label={`real music: ${mean.toFixed(2)}`}>
                <i
                  class="usual"
                  style={{left: place(mean - std), right: `calc(100% - ${place(mean + std)})`}}
                />
                {value !== undefined && !Number.isNaN(value) && (
                  <i class="mark" style={{left: place(value)}} />
                )}
              </span>
            </li>
          );
        })}
      </ul>
      <p class="note">
        The bands are the middle two thirds of {reference.name.replace(/, .*/, '')}, 1,747 pop piano
        songs.
      </p>
      <h3>Where the model is surprised</h3>
      {likelihood ? (
        <p class="sentence">
          {worst >= 0 ? (
            <>
              The strip above the notes is darker where the model expected something else, most of
              all in{' '}
              <button
                type="button"
                class="link"
                onClick={() => {
                  studio.bars.value = {first: worst, last: worst};
                  studio.player.seek(studio.analysis.value.bar(worst).tick);
                }}
              >
                bar {worst + 1}
              </button>
              . The mean is {(likelihood.nll / Math.max(1, likelihood.notes)).toFixed(1)} nats for
              each note.
            </>
          ) : (
            'The model finds nothing to say.'
          )}
        </p>
      ) : (
        <p class="note">{inspection.running.value ? 'The model is reading …' : '–'}</p>
      )}
      {inspection.fault.value && <p class="fault">{inspection.fault.value}</p>}
      <h3>Sheet music</h3>
      <button type="button" class="secondary" disabled={!studio.engine.value} onClick={openSheet}>
        Show as sheet music
      </button>
    </div>
  );
}
