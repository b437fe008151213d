// Bundles src/ into one HTML file: node build.mjs [OUTPUT], dist/studio.html if left out.
//
// What few people need, sheet music and SoundFonts, is compressed beside the script and unpacked when it is first used
// (src/chunks.ts).
import {createHash} from 'node:crypto';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {gzipSync} from 'node:zlib';
import {build} from 'esbuild';
import {sourcesHash} from './sources.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const output = process.argv[2] ?? join(here, 'dist', 'studio.html');

/** `worker:FILE` is the bundled text of a script, `base64:FILE` a file. */
const special = {
  name: 'special',
  setup(setup) {
    setup.onResolve({filter: /^(worker|base64):/}, ({path, resolveDir}) => {
      const colon = path.indexOf(':');
      return {path: join(resolveDir, path.slice(colon + 1)), namespace: path.slice(0, colon)};
    });
    setup.onLoad({filter: /.*/, namespace: 'worker'}, async ({path}) => ({
      contents: `export default ${JSON.stringify(await bundle(path))}`,
      loader: 'js',
    }));
    setup.onLoad({filter: /.*/, namespace: 'base64'}, ({path}) => ({
      contents: `export default ${JSON.stringify(readFileSync(path).toString('base64'))}`,
      loader: 'js',
    }));
  },
};

async function bundle(entry) {
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: join(here, 'src'),
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: ['chrome111', 'firefox113', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    charset: 'ascii',
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [special],
  });
  return result.outputFiles[0].text.trim();
}

function checked(name, text) {
  // Neither may end the element that it stands in; esbuild escapes </script> and </style> in strings already.
  if (/<\/(script|style)/i.test(text) || text.includes('<!--CONTINUO')) {
    throw new Error(`${name}: its bundle would break the page`);
  }
  return text;
}

const script = checked('main', await bundle('./main.tsx'));
const style = checked('style', await bundle('./style.css'));
const chunks = [];
for (const [id, entry] of [
  ['chunk-sheet', './sheet_chunk.ts'],
  ['chunk-soundfont', './soundfont_chunk.ts'],
]) {
  const packed = gzipSync(await bundle(entry), {level: 9});
  chunks.push(
    `<script type="application/octet-stream" id="${id}">${packed.toString('base64')}</script>\n`,
  );
}
const page = readFileSync(join(here, 'src', 'index.html'), 'utf8')
  .replace('@SOURCES_SHA256@', sourcesHash)
  .replace('@SCRIPT_SHA256@', () => createHash('sha256').update(script).digest('base64'))
  .replace('@STYLE@', () => style)
  .replace('@CHUNKS@', () => chunks.join(''))
  .replace('@SCRIPT@', () => script);
mkdirSync(dirname(output), {recursive: true});
writeFileSync(output, page);
console.log(
  `${output}: ${(page.length / 1024).toFixed(0)} KiB, of it script ${(script.length / 1024).toFixed(0)}, chunks ${(
    chunks.join('').length / 1024
  ).toFixed(0)}`,
);
