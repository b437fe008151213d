// Continuo in JavaScript: writes symbolic music with the model of this package, in a browser, a
// worker or node, in the thread that calls.
import {ContinuoError, Engine} from './engine.js';
import {composeFields, evaluationOf, likelihoodOf, musicXmlFields, noteOf} from './fields.js';

export {ContinuoError};

const kModelFiles = [
  'config.json',
  'discriminator.json',
  'generation.json',
  'model.safetensors',
  'tokenizer.json',
];

async function readBeside(file) {
  const url = new URL(file, import.meta.url);
  if (url.protocol === 'file:') {
    const {readFile} = await import('node:fs/promises');
    return new Uint8Array(await readFile(url));
  }
  const response = await fetch(url);
  if (!response.ok) throw new ContinuoError(`${url}: status ${response.status}`, '', 'not_found');
  return new Uint8Array(await response.arrayBuffer());
}

async function modelBeside() {
  const bytes = await Promise.all(kModelFiles.map((file) => readBeside(`model/${file}`)));
  return Object.fromEntries(kModelFiles.map((file, i) => [file, bytes[i]]));
}

function toBase64(bytes) {
  let binary = '';
  for (let at = 0; at < bytes.length; at += 32768) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 32768));
  }
  return btoa(binary);
}

function fromBase64(text) {
  const binary = atob(text);
  return Uint8Array.from({length: binary.length}, (_, i) => binary.charCodeAt(i));
}

const number = (value) => (typeof value === 'number' ? value : NaN);

export class Continuo {
  #engine;
  constructor(engine) {
    this.#engine = engine;
  }

  info() {
    return this.#engine.request('models');
  }

  generate(options = {}, watch = {}) {
    return this.#compose('generate', {bars: options.bars}, options, watch);
  }

  continueFrom(midi, options = {}, watch = {}) {
    const {promptBars, bars, track} = options;
    const fields = {midi: toBase64(midi), prompt_bars: promptBars, bars, track};
    return this.#compose('continue', fields, options, watch);
  }

  fill(midi, options, watch = {}) {
    const {first, last} = options;
    return this.#compose('fill', {midi: toBase64(midi), first, last}, options, watch);
  }

  likelihood(midi) {
    return likelihoodOf(this.#engine.request('likelihood', {midi: toBase64(midi)}));
  }

  evaluate(midi, {bars, structure} = {}) {
    return evaluationOf(
      this.#engine.request('evaluate', {
        midi: toBase64(midi),
        bars,
        structure,
      }),
    );
  }

  importMusicXml(file) {
    const {midi, warnings} = this.#engine.request('import', {musicxml: toBase64(file)});
    return {midi: fromBase64(midi), warnings};
  }

  exportMusicXml(midi, options = {}) {
    const fields = {midi: toBase64(midi), ...musicXmlFields(options)};
    return this.#engine.request('export', fields).musicxml;
  }

  #compose(what, fields, options, watch) {
    const pieces = [];
    let failure = null;
    let stopped = true;
    const onEvent = (name, data) => {
      if (name === 'bar') {
        const {index, bars, notes} = data;
        return watch.onBar?.({index, bars, notes: notes.map(noteOf)});
      }
      if (name === 'piece') {
        const {index, midi, new_bars: newBars, nll_per_token: nll, following_nll: following} = data;
        const piece = {
          index,
          midi: fromBase64(midi),
          nllPerToken: number(nll),
        };
        if (newBars !== undefined) piece.newBars = fromBase64(newBars);
        if (following !== undefined) piece.followingNll = number(following);
        pieces.push(piece);
        return watch.onPiece?.(piece);
      }
      if (name === 'error') {
        const {message, hint, code} = data.error;
        failure = new ContinuoError(message, hint, code);
      }
      if (name === 'done') stopped = false;
      return true;
    };
    this.#engine.request(
      what,
      {...composeFields(options), ...fields},
      {
        onEvent,
        shouldStop: watch.shouldStop,
      },
    );
    if (failure) throw failure;
    return {pieces, stopped};
  }
}

/** Loads the engine and a model: those of this package, or others. */
export async function load({wasm, model, name = 'pop-piano'} = {}) {
  const engine = await Engine.create(wasm ?? (await readBeside('continuo.wasm')));
  engine.load(model ?? (await modelBeside()), name);
  return new Continuo(engine);
}
