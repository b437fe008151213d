// Bundles src/ into one HTML file: node build.mjs [OUTPUT], dist/report.html if left out. The same sources and packages give the
// same bytes.
import {createHash} from 'node:crypto';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';
import {sourcesHash} from './sources.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const output = process.argv[2] ?? join(here, 'dist', 'report.html');

async function bundle(entry) {
  const result = await build({
    entryPoints: [join(here, 'src', entry)],
    absWorkingDir: here,
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: ['chrome111', 'firefox113', 'safari16.4'],
    charset: 'ascii',
    legalComments: 'none',
    logLevel: 'warning',
  });
  // Neither may end the element that it stands in; esbuild escapes </script> and </style> in strings already.
  const text = result.outputFiles[0].text.trim();
  if (/<\/(script|style)/i.test(text) || text.includes('@CONTINUO_STUDY@')) {
    throw new Error(`${entry}: its bundle would break the page`);
  }
  return text;
}

const script = await bundle('main.js');
const style = await bundle('style.css');
const page = readFileSync(join(here, 'src', 'index.html'), 'utf8')
  .replace('@SOURCES_SHA256@', sourcesHash)
  .replace('@SCRIPT_SHA256@', () => createHash('sha256').update(script).digest('base64'))
  .replace('@STYLE@', () => style)
  .replace('@SCRIPT@', () => script);
mkdirSync(dirname(output), {recursive: true});
writeFileSync(output, page);
console.log(`${output}: ${(page.length / 1024).toFixed(0)} KiB`);
