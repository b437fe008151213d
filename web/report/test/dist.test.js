import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {sourcesHash} from '../sources.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const page = readFileSync(join(root, 'dist', 'report.html'), 'utf8');

test('dist/report.html was built from these sources', () => {
  assert.ok(
    page.includes(`content="${sourcesHash()}"`),
    'web/report/dist/report.html is stale: npm ci && node build.mjs, in web/report',
  );
});

test(
  'building again gives the same bytes',
  {skip: !existsSync(join(root, 'node_modules', 'esbuild')) && 'no packages: npm ci'},
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'report-'));
    try {
      execFileSync(process.execPath, [join(root, 'build.mjs'), join(folder, 'report.html')], {
        stdio: 'pipe',
      });
      assert.ok(
        readFileSync(join(folder, 'report.html'), 'utf8') === page,
        'the built page differs from dist/report.html',
      );
    } finally {
      rmSync(folder, {recursive: true});
    }
  },
);

test('the page asks for nothing from elsewhere', () => {
  assert.match(page, /Content-Security-Policy" content="default-src 'none'/);
  assert.doesNotMatch(page, /<(script|link|img|iframe)[^>]+(src|href)="(?!data:)/);
  assert.equal(page.split('@CONTINUO_STUDY@').length, 2);
});
