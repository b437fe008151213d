// What the functions' options are called in requests of the API.

/** The fields of a request that writes music; those that are undefined are left out of its JSON. */
export function composeFields(options) {
  return {
    temperature: options.temperature,
    top_k: options.topK,
    top_p: options.topP,
    pitch_top_p: options.pitchTopP,
    min_p: options.minP,
    repetition_penalty: options.repetitionPenalty,
    recall: options.recall,
    chord_recall: options.chordRecall,
    drafts: options.drafts,
    seed: options.seed,
    count: options.count,
    keep: options.keep,
    retries: options.retries,
    chords: options.chords || undefined,
    tempo: options.tempo,
    bpm: options.bpm,
    form: options.form || undefined,
    density: options.density || undefined,
    loudness: options.loudness || undefined,
    scale: options.scale || undefined,
    range: options.range || undefined,
    grid: options.grid,
    max_notes: options.maxNotes,
    max_polyphony: options.maxPolyphony,
    keep_top: options.keepTop || undefined,
  };
}

const number = (value) => (typeof value === 'number' ? value : NaN);

// Of answers; NaN for a number that is not there.

export function noteOf(note) {
  const {duration_seconds: durationSeconds, ...rest} = note;
  return {...rest, durationSeconds};
}

export function likelihoodOf({tokens, notes, nll, nll_of_bars: nllOfBars}) {
  return {tokens, notes, nll: number(nll), nllOfBars: nllOfBars.map(number)};
}

export function evaluationOf({metrics, key}) {
  const values = Object.entries(metrics).map(([name, value]) => [name, number(value)]);
  return {metrics: Object.fromEntries(values), key};
}

export function musicXmlFields({title, smallestNote, triplets, chords, dynamics}) {
  return {
    title: title || undefined,
    smallest_note: smallestNote,
    triplets,
    chords,
    dynamics,
  };
}
