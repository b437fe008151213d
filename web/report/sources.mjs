import {createHash} from 'node:crypto';
import {readdirSync, readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

/** SHA-256 of all that the built page is made of; it stands in the page, so that a stale one can be told without building. */
export function sourcesHash() {
  const here = dirname(fileURLToPath(import.meta.url));
  const list = (folder) =>
    readdirSync(join(here, folder))
      .filter((name) => /\.(js|css|html)$/.test(name))
      .sort()
      .map((name) => `${folder}/${name}`);
  const names = [
    'build.mjs',
    'sources.mjs',
    'package-lock.json',
    ...list('src'),
    ...list('../common'),
  ];
  const hash = createHash('sha256');
  for (const name of names)
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(here, name)))
      .update('\0');
  return hash.digest('hex');
}
