import {useRef, useState} from 'preact/hooks';
import {completions, faultOf} from '../chords.ts';
import type {Inspection} from '../inspection.ts';
import {analyse, clamp, pitchName} from '../song.ts';
import {
  gridName,
  isLimited,
  kNoLimits,
  limitWords,
  type BarLimits,
  type Limits,
} from '../limits.ts';
import type {ComposeForm, Studio, Task} from '../studio.ts';
import {Icon} from './icons.tsx';
import {IconButton, Segments, Stepper} from './parts.tsx';
import {CurveField} from './curve.tsx';

const kTasks = [
  ['continue', 'Continue'],
  ['fill', 'Rewrite'],
  ['generate', 'New'],
] as const;

export function ComposePanel({studio, inspection}: {studio: Studio; inspection: Inspection}) {
  const form = studio.form.value;
  const info = studio.info.value;
  const bars = studio.bars.value;
  const {barCount, tracks} = analyse(studio.song.value);
  const controls = info?.model.controls ?? [];
  const own = info?.model.sampling;
  const set = (change: Partial<ComposeForm>) => studio.setForm(change);
  const temperature = form.temperature ?? own?.temperature ?? 1;
  const recall = form.recall ?? own?.recall ?? 0;
  const nothing = form.task !== 'generate' && barCount === 0;
  const unchosen = form.task === 'fill' && !bars;
  const after = (studio.written('continue')?.first ?? 1) - 1;
  const instruments = tracks.filter((track) => track.notes > 0 && !track.drum);
  const count = form.count;
  const takes = `${count} ${count === 1 ? 'take' : 'takes'}`;

  return (
    <form
      class="compose"
      onSubmit={(event) => {
        event.preventDefault();
        void studio.compose();
      }}
    >
      <Segments
        label="What to write"
        value={form.task}
        options={kTasks}
        onChange={(task: Task) => set({task})}
      />
      <p class="sentence">
        {form.task === 'generate' && (
          <>
            Write a new piece of{' '}
            <Stepper
              label="Bars of the new piece"
              value={form.newBars}
              min={1}
              max={256}
              onInput={(newBars) => set({newBars})}
            />{' '}
            bars.
          </>
        )}
        {form.task === 'continue' &&
          (nothing ? (
            'Open or write something first; then the model continues it.'
          ) : (
            <>
              Write{' '}
              <Stepper
                label="New bars"
                value={form.moreBars}
                min={1}
                max={128}
                onInput={(moreBars) => set({moreBars})}
              />{' '}
              bars after bar {after}
              {after < barCount ? ', in place of what follows' : ''}.
            </>
          ))}
        {form.task === 'fill' &&
          (unchosen ? (
            'Drag over the bar numbers above the notes to choose the bars to write again.'
          ) : (
            <>
              Write{' '}
              <strong>
                {bars!.first === bars!.last
                  ? `bar ${bars!.first + 1}`
                  : `bars ${bars!.first + 1} to ${bars!.last + 1}`}
              </strong>{' '}
              again, to fit what is around.
            </>
          ))}
      </p>
      {form.task !== 'generate' && instruments.length > 1 && (
        <p class="note">
          Models of one instrument, as the shipped one, write for{' '}
          {instruments[0].name ? `“${instruments[0].name}”` : 'the first track'}; the other
          instruments rest in these bars{form.task === 'fill' ? ', and drums go on' : ''}.
        </p>
      )}
      <Slider
        label="Boldness"
        value={temperature}
        range={[0.6, 1.4, 0.02]}
        ends={['careful', 'bold']}
        words={`${temperature.toFixed(2)}, ${temperature < 0.9 ? 'careful' : temperature > 1.1 ? 'bold' : 'balanced'}`}
        onInput={(value) =>
          set({temperature: own && Math.abs(value - own.temperature) < 0.005 ? null : value})
        }
      />
      {form.task !== 'fill' && (
        <div class="row">
          <label class="field" for="tempo">
            Tempo
          </label>
          <select
            id="tempo"
            value={form.task === 'generate' && form.tempo === 'keep' ? 'free' : form.tempo}
            onChange={(event) => set({tempo: event.currentTarget.value as ComposeForm['tempo']})}
          >
            {form.task === 'continue' && <option value="keep">as in the piece</option>}
            {(form.task === 'generate' || controls.includes('tempo')) && (
              <option value="free">the model’s choice</option>
            )}
            <option value="bpm">fixed</option>
          </select>
          {form.tempo === 'bpm' && (
            <>
              <input
                type="number"
                class="narrow"
                aria-label="Quarter notes per minute"
                min={20}
                max={300}
                value={form.bpm}
                onChange={(event) =>
                  set({bpm: clamp(Number(event.currentTarget.value) || 96, 20, 300)})
                }
              />
              <span class="unit">bpm</span>
            </>
          )}
        </div>
      )}
      {controls.includes('chords') && (
        <ChordField studio={studio} keyName={inspection.evaluation.value?.key ?? ''} />
      )}
      {controls.includes('form') && (
        <label class="row">
          <span class="field">Form</span>
          <input
            type="text"
            value={form.form}
            placeholder="AABA"
            maxLength={64}
            onInput={(event) => set({form: event.currentTarget.value})}
          />
        </label>
      )}
      {controls.includes('density') && (
        <CurveField
          label="Density"
          value={form.density}
          ends={['few notes', 'many']}
          onChange={(density) => set({density})}
        />
      )}
      {controls.includes('loudness') && (
        <CurveField
          label="Loudness"
          value={form.loudness}
          ends={['soft', 'loud']}
          onChange={(loudness) => set({loudness})}
        />
      )}
      {controls.includes('recall') && (
        <Slider
          label="Recall"
          value={recall}
          range={[0, 1, 0.05]}
          ends={['repeats freely', 'exactly']}
          words={`${Math.round(recall * 100)} percent of a bar returns where it is repeated`}
          onInput={(value) => set({recall: value === own?.recall ? null : value})}
        />
      )}
      <LimitFields studio={studio} keyName={inspection.evaluation.value?.key ?? ''} />
      <details>
        <summary>More choices</summary>
        <div class="row">
          <span class="field">Takes</span>
          <Stepper
            label="Takes"
            value={count}
            min={1}
            max={Math.min(8, info?.limits.count ?? 8)}
            onInput={(value) => set({count: value})}
          />
        </div>
        <label class="row">
          <span class="field">Top-p</span>
          <input
            type="number"
            class="narrow"
            min={0.05}
            max={1}
            step={0.01}
            placeholder={String(own?.topP ?? 1)}
            value={form.topP ?? ''}
            onChange={(event) => {
              const value = Number(event.currentTarget.value);
              set({topP: value > 0 && value <= 1 ? value : null});
            }}
          />
          <span class="unit">only the likeliest choices</span>
        </label>
        <label class="row">
          <span class="field">Top-k</span>
          <input
            type="number"
            class="narrow"
            min={1}
            step={1}
            placeholder={
              own?.topK && own.topK < (info?.model.vocabulary ?? 0) ? String(own.topK) : 'all'
            }
            value={form.topK ?? ''}
            onChange={(event) => {
              const value = Math.round(Number(event.currentTarget.value));
              set({topK: value >= 1 ? value : null});
            }}
          />
          <span class="unit">at most so many choices</span>
        </label>
        <div class="row">
          <label class="field" for="seed">
            Seed
          </label>
          <input
            id="seed"
            type="number"
            class="narrow"
            min={0}
            step={1}
            value={form.seed}
            onChange={(event) => {
              const value = Math.round(Number(event.currentTarget.value));
              set({
                seed: clamp(Number.isFinite(value) ? value : 1, 0, Number.MAX_SAFE_INTEGER),
                fixedSeed: true,
              });
            }}
          />
          <label class="check">
            <input
              type="checkbox"
              checked={form.fixedSeed}
              onChange={(event) => set({fixedSeed: event.currentTarget.checked})}
            />
            keep it
          </label>
        </div>
        <label class="check row">
          <input
            type="checkbox"
            checked={form.autoplay}
            onChange={(event) => set({autoplay: event.currentTarget.checked})}
          />
          Play while it is being written
        </label>
      </details>
      <div class="submit">
        {studio.busy.value ? (
          <button type="button" class="primary stop" onClick={() => studio.stop()}>
            <Icon name="stop" />
            Stop <kbd>Esc</kbd>
          </button>
        ) : (
          <button
            type="submit"
            class="primary"
            disabled={!studio.engine.value || nothing || unchosen}
          >
            <Icon name="spark" />
            Write {takes}{' '}
            <kbd>{form.task === 'continue' ? 'C' : form.task === 'fill' ? 'W' : 'N'}</kbd>
          </button>
        )}
      </div>
    </form>
  );
}

function Slider(props: {
  label: string;
  value: number;
  range: [least: number, most: number, step: number];
  /** What the left end means, and the right. */
  ends: [string, string];
  /** The value, for who listens. */
  words: string;
  onInput: (value: number) => void;
}) {
  const {label, value, ends, words, onInput} = props;
  const [min, max, step] = props.range;
  return (
    <label class="slider">
      <span class="label">
        {label} <output>{value.toFixed(2)}</output>
      </span>
      <input
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={words}
        onInput={(event) => onInput(Number(event.currentTarget.value))}
      />
      <span class="ends" aria-hidden="true">
        <span>{ends[0]}</span>
        <span>{ends[1]}</span>
      </span>
    </label>
  );
}

function ChordField({studio, keyName}: {studio: Studio; keyName: string}) {
  const form = studio.form.value;
  const input = useRef<HTMLInputElement>(null);
  const [focused, setFocused] = useState(false);
  const fault = faultOf(form.chords);
  const names = completions(form.chords, keyName);
  const take = (name: string) => {
    studio.setForm({chords: `${form.chords.replace(/[^\s|]*$/, name)} `});
    input.current?.focus();
  };
  return (
    <div class="chords">
      <label class="row">
        <span class="field">Chords</span>
        <input
          ref={input}
          type="text"
          value={form.chords}
          placeholder="C | Am | F G7"
          maxLength={4000}
          autocomplete="off"
          spellcheck={false}
          aria-invalid={fault !== null}
          onFocus={() => setFocused(true)}
          onBlur={() => setTimeout(() => setFocused(false), 150)}
          onInput={(event) => studio.setForm({chords: event.currentTarget.value})}
        />
      </label>
      {fault !== null && !/[A-G][#b]?$/.test(form.chords) && (
        <p class="fault">“{fault}” is no chord that the model knows.</p>
      )}
      {focused && (
        <div class="suggestions">
          {names.map((name) => (
            <button type="button" key={name} onClick={() => take(name)}>
              {name}
            </button>
          ))}
          <button type="button" aria-label="Next bar" onClick={() => take('|')}>
            |
          </button>
        </div>
      )}
    </div>
  );
}

const kRoots = ['C', 'Db', 'D', 'Eb', 'E', 'F', 'F#', 'G', 'Ab', 'A', 'Bb', 'B'];
const kScales = [
  'major',
  'minor',
  'harmonic minor',
  'melodic minor',
  'dorian',
  'phrygian',
  'lydian',
  'mixolydian',
  'locrian',
  'major pentatonic',
  'minor pentatonic',
  'blues',
  'whole tone',
];
/** The keys of a piano, the highest first. */
const kPianoKeys = Array.from({length: 88}, (_, i) => 108 - i);

/** What limits new notes, whatever the model: in all bars, in some, and a melody that stays. */
function LimitFields({studio, keyName}: {studio: Studio; keyName: string}) {
  const {limits, barLimits, keepTop, task} = studio.form.value;
  const written = studio.written();
  const set = (change: Partial<ComposeForm>) => studio.setForm(change);
  const replace = (index: number, change: Partial<BarLimits>) =>
    set({barLimits: barLimits.map((one, i) => (i === index ? {...one, ...change} : one))});
  // The second half of what will be written.
  const add = () => {
    const {first, last} = written ?? {first: 1, last: 1};
    const from = first + Math.floor((last - first + 1) / 2);
    set({barLimits: [...barLimits, {...kNoLimits, first: from, last}]});
  };
  const active = [
    ...limitWords(limits),
    ...barLimits.filter(isLimited).map((one) => `${barWords(one)}: ${limitWords(one).join(', ')}`),
    ...(keepTop && task === 'fill' ? ['melody kept'] : []),
  ];
  return (
    <details class="limits">
      <summary>{active.length ? active.join(', ') : 'Scale, range, rhythm'}</summary>
      <LimitRows
        studio={studio}
        keyName={keyName}
        limits={limits}
        where=""
        onChange={(change) => set({limits: {...limits, ...change}})}
      />
      {task === 'fill' && (
        <label class="check row">
          <input
            type="checkbox"
            checked={keepTop}
            onChange={(event) => set({keepTop: event.currentTarget.checked})}
          />
          Keep the melody of these bars
        </label>
      )}
      {barLimits.map((one, index) => {
        const where = ` of part ${index + 1}`;
        const outside = written && (one.first > written.last || one.last < written.first);
        return (
          <fieldset key={index} class="bar-limits">
            <legend class="visually-hidden">{`Limits of ${barWords(one)}`}</legend>
            <div class="row">
              <span class="field">Bars</span>
              <BarNumber
                label={`First bar${where}`}
                value={one.first}
                onInput={(first) => replace(index, {first, last: Math.max(first, one.last)})}
              />
              <span class="unit">to</span>
              <BarNumber
                label={`Last bar${where}`}
                value={one.last}
                onInput={(last) => replace(index, {last, first: Math.min(last, one.first)})}
              />
              <span class="grow" />
              <IconButton
                icon="trash"
                label={`Remove part ${index + 1}`}
                onClick={() => set({barLimits: barLimits.filter((_, i) => i !== index)})}
              />
            </div>
            {outside && <p class="fault">These bars are not written now.</p>}
            <LimitRows
              studio={studio}
              keyName={keyName}
              limits={one}
              where={where}
              onChange={(change) => replace(index, change)}
            />
          </fieldset>
        );
      })}
      {written && (
        <button type="button" class="quiet" onClick={add}>
          Other limits for some bars
        </button>
      )}
    </details>
  );
}

const barWords = ({first, last}: BarLimits) =>
  first === last ? `bar ${first}` : `bars ${first}–${last}`;

function BarNumber(props: {label: string; value: number; onInput: (value: number) => void}) {
  return (
    <input
      type="number"
      class="narrow"
      aria-label={props.label}
      min={1}
      max={10000}
      value={props.value}
      onChange={(event) =>
        props.onInput(clamp(Math.round(Number(event.currentTarget.value)) || 1, 1, 10000))
      }
    />
  );
}

/** The limits of all bars, or of some; `where` names these for who listens. */
function LimitRows(props: {
  studio: Studio;
  keyName: string;
  limits: Limits;
  where: string;
  onChange: (change: Partial<Limits>) => void;
}) {
  const {studio, keyName, limits, where, onChange} = props;
  const {scale, lowest, highest, grid} = limits;
  const grids = studio.info.value?.model.grids ?? [];
  const [root, ...kind] = scale.split(' ');
  const own = /^([A-G][#b]?) (major|minor)$/.exec(keyName);
  const none = where ? 'as in all' : 'any';
  return (
    <>
      <div class="row">
        <span class="field">Scale</span>
        <select
          aria-label={`Scale${where}`}
          value={root}
          onChange={(event) => {
            const next = event.currentTarget.value;
            const usual = kind.join(' ') || (own?.[1] === next ? own[2] : 'major');
            onChange({scale: next && `${next} ${usual}`});
          }}
        >
          <option value="">{none}</option>
          {kRoots.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        {scale && (
          <select
            aria-label={`Kind of scale${where}`}
            value={kind.join(' ')}
            onChange={(event) => onChange({scale: `${root} ${event.currentTarget.value}`})}
          >
            {kScales.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
      </div>
      <div class="row">
        <span class="field">Range</span>
        <PitchSelect
          label={`Lowest note${where}`}
          value={lowest}
          keys={kPianoKeys.filter((key) => key <= (highest ?? 127))}
          onChange={(value) => onChange({lowest: value})}
        />
        <span class="unit">to</span>
        <PitchSelect
          label={`Highest note${where}`}
          value={highest}
          keys={kPianoKeys.filter((key) => key >= (lowest ?? 0))}
          onChange={(value) => onChange({highest: value})}
        />
      </div>
      {grids.length > 0 && (
        <label class="row">
          <span class="field">Rhythm</span>
          <select
            aria-label={`Rhythm${where}`}
            value={grid ?? ''}
            onChange={(event) => onChange({grid: Number(event.currentTarget.value) || null})}
          >
            <option value="">{none}</option>
            {grids.map((parts) => (
              <option key={parts} value={parts}>
                {gridName(parts)}
              </option>
            ))}
          </select>
        </label>
      )}
      <MostNotes
        field="At most"
        unit="notes a bar"
        label={`Notes in a bar, at most${where}`}
        value={limits.maxNotes}
        onChange={(maxNotes) => onChange({maxNotes})}
      />
      <MostNotes
        field=""
        unit="notes at once"
        label={`Notes at once, at most${where}`}
        value={limits.maxPolyphony}
        onChange={(maxPolyphony) => onChange({maxPolyphony})}
      />
    </>
  );
}

function MostNotes(props: {
  field: string;
  unit: string;
  label: string;
  value: number | null;
  onChange: (value: number | null) => void;
}) {
  return (
    <label class="row">
      <span class="field">{props.field}</span>
      <input
        type="number"
        class="narrow"
        aria-label={props.label}
        min={1}
        max={999}
        placeholder="any"
        value={props.value ?? ''}
        onChange={(event) => {
          const value = Math.round(Number(event.currentTarget.value));
          props.onChange(value >= 1 ? Math.min(value, 999) : null);
        }}
      />
      <span class="unit">{props.unit}</span>
    </label>
  );
}

function PitchSelect(props: {
  label: string;
  value: number | null;
  keys: number[];
  onChange: (value: number | null) => void;
}) {
  return (
    <select
      aria-label={props.label}
      value={props.value ?? ''}
      onChange={(event) => {
        const {value} = event.currentTarget;
        props.onChange(value === '' ? null : Number(value));
      }}
    >
      <option value="">any</option>
      {props.keys.map((key) => (
        <option key={key} value={key}>
          {pitchName(key)}
        </option>
      ))}
    </select>
  );
}
