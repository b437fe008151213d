import {dirname} from 'node:path';
import {fileURLToPath} from 'node:url';
import * as common from '../common/sources_hash.mjs';

/** What the page is made of, in one number. */
export const sourcesHash = () =>
  common.sourcesHash(dirname(fileURLToPath(import.meta.url)), [
    'build.mjs',
    'sources.mjs',
    'package-lock.json',
  ]);
