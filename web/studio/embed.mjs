// Puts an engine into the built page: node embed.mjs PAGE.html ENGINE.js [ID=FILE ...] -o OUTPUT.html
//
// ENGINE.js is a classic script that sets window.CONTINUO_WASM (WasmProvider in src/engine.ts); it runs before the page's own
// script, and its hash joins the Content-Security-Policy, with scripts from data: addresses, which are the only ones that a
// page from a file can give an audio worklet. Each FILE becomes an element that nothing executes, in base64:
// document.getElementById(ID).textContent. WebAssembly and Workers made from a Blob are allowed by the policy.
import {createHash} from 'node:crypto';
import {readFileSync, writeFileSync} from 'node:fs';

export function embed(page, script, files = {}) {
  if (/<\/script/i.test(script)) throw new Error('the script would end its own element');
  const hash = createHash('sha256').update(script).digest('base64');
  const blocks = Object.entries(files).map(
    ([id, bytes]) =>
      `<script type="application/octet-stream" id="${id}">${Buffer.from(bytes).toString('base64')}</script>\n`,
  );
  const place = '<!--CONTINUO_WASM-->';
  const policy = "script-src 'wasm-unsafe-eval'";
  if (!page.includes(place) || !page.includes(policy))
    throw new Error('not the page of the studio');
  return page
    .replace(policy, () => `${policy} data: 'sha256-${hash}'`)
    .replace(place, () => `${blocks.join('')}<script>${script}</script>`);
}

if (
  process.argv[1] &&
  import.meta.url.endsWith('/embed.mjs') &&
  process.argv[1].endsWith('embed.mjs')
) {
  const words = process.argv.slice(2);
  const at = words.indexOf('-o');
  if (at < 0 || words.length < 4) {
    console.error('usage: node embed.mjs PAGE.html ENGINE.js [ID=FILE ...] -o OUTPUT.html');
    process.exit(2);
  }
  const [, output] = words.splice(at, 2);
  const [page, script, ...files] = words;
  const data = Object.fromEntries(
    files.map((file) => {
      const equals = file.indexOf('=');
      return [file.slice(0, equals), readFileSync(file.slice(equals + 1))];
    }),
  );
  writeFileSync(output, embed(readFileSync(page, 'utf8'), readFileSync(script, 'utf8'), data));
}
