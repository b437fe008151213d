import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {gunzipSync} from 'node:zlib';
import {embed} from '../embed.mjs';
import {sourcesHash} from '../sources.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const page = readFileSync(join(root, 'dist', 'studio.html'), 'utf8');

/** The page with its compressed parts unpacked: releases of zlib compress differently. */
const unpacked = (text) =>
  text.replace(
    /(id="chunk-\w+">)([^<]*)/g,
    (_, start, base64) => start + gunzipSync(Buffer.from(base64, 'base64')),
  );

test('dist/studio.html was built from these sources', () => {
  assert.ok(
    page.includes(`content="${sourcesHash()}"`),
    'web/studio/dist/studio.html is stale: npm ci && node build.mjs, in web/studio',
  );
});

test(
  'building again gives the same page',
  {skip: !existsSync(join(root, 'node_modules', 'esbuild')) && 'no packages: npm ci'},
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'studio-'));
    try {
      execFileSync(process.execPath, [join(root, 'build.mjs'), join(folder, 'studio.html')], {
        stdio: 'pipe',
      });
      assert.ok(
        unpacked(readFileSync(join(folder, 'studio.html'), 'utf8')) === unpacked(page),
        'the built page differs from dist/studio.html',
      );
    } finally {
      rmSync(folder, {recursive: true});
    }
  },
);

test('the page asks for nothing from elsewhere', () => {
  assert.match(page, /Content-Security-Policy" content="default-src 'none'/);
  assert.doesNotMatch(page, /<(script|link|img|iframe)[^>]+(src|href)="(?!data:)/);
});

test('an engine can be put into the page, with its hash in the policy', () => {
  const whole = embed(page, 'window.CONTINUO_WASM = {}', {model: Uint8Array.of(1, 2, 3)});
  assert.match(whole, /<script type="application\/octet-stream" id="model">AQID<\/script>/);
  assert.match(whole, /script-src 'wasm-unsafe-eval' data: 'sha256-[\w+/=]+' 'sha256-/);
  assert.ok(whole.indexOf('window.CONTINUO_WASM = {}') < whole.lastIndexOf('<script>'));
  assert.throws(() => embed(page, '</script>'));
  assert.throws(() => embed('<html>', ''));
});
