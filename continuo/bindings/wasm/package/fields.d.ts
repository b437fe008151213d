import type {ComposeOptions, Evaluation, Likelihood, MusicXmlOptions, Note} from './index.js';

type Json = Record<string, unknown>;

/** The fields of a request that writes music; those that are undefined are left out of its JSON. */
export function composeFields(options: ComposeOptions): Json;
/** The same of a request for sheet music. */
export function musicXmlFields(options: MusicXmlOptions): Json;
/** Of answers. */
export function noteOf(note: Json): Note;
export function likelihoodOf(json: Json): Likelihood;
export function evaluationOf(json: Json): Evaluation;
