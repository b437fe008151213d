// The engine of the studio as one file, in Chromium, without a network: node one_file.mjs STUDIO.html
//
// Prints how long loading and writing take. The page is tested by browser.mjs.
// Without a browser or playwright-core it says so and exits with 77, or with 1 where
// CONTINUO_REQUIRE_BROWSER is set.
import assert from 'node:assert/strict';
import {readFileSync, statSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {findChromium} from '../../common/find_chromium.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const [file] = process.argv.slice(2);

const {chromium, executablePath} = findChromium(import.meta.url);

const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required'],
});
try {
  const context = await browser.newContext({offline: true});
  const page = await context.newPage();
  const hosts = [];
  const faults = [];
  page.on('request', (request) => {
    if (/^(https?|wss?):/.test(request.url())) hosts.push(request.url());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  await page.goto(pathToFileURL(file).href);

  const prompt = [...readFileSync(join(here, '../../../examples/prompt.mid'))];
  const result = await page.evaluate(async (promptBytes) => {
    const begin = performance.now();
    const engine = await window.CONTINUO_WASM.createEngine();
    const info = await engine.info();
    const loaded = performance.now();
    const write = async (bars, seed) => {
      const start = performance.now();
      const times = [];
      const notes = [];
      const {pieces, manifest} = await engine.generate(
        {bars},
        {seed},
        {
          onBar: (update) => {
            times.push(performance.now() - start);
            notes.push(...update.notes);
          },
        },
      );
      const midi = [...pieces[0].midi];
      return {
        first: times[0],
        all: performance.now() - start,
        bars: times.length,
        notes,
        midi,
        manifest,
      };
    };
    const cold = await write(32, 1);
    const warm = await write(32, 1);

    // Stopping, in the midst of a piece and while another request waits.
    const controller = new AbortController();
    let stoppedAt = 0;
    const stopped = await engine
      .generate(
        {bars: 512},
        {seed: 1},
        {
          signal: controller.signal,
          onBar: ({bars}) => {
            if (bars === 2) {
              stoppedAt = performance.now();
              controller.abort();
            }
          },
        },
      )
      .then(
        () => 'completed',
        (error) => error.name,
      );
    const again = await write(4, 1);
    const restart = performance.now() - stoppedAt - again.all;

    const midi = new Uint8Array(promptBytes);
    const refused = await engine.generate({bars: 0}, {}).then(
      () => '',
      (error) => `${error.name}: ${error.message}`,
    );
    const [likelihood, evaluation, xml, filled, continued, imported] = await Promise.all([
      engine.likelihood(midi),
      engine.evaluate(midi),
      engine.exportMusicXml(midi),
      engine.fill({midi, first: 3, last: 4}, {seed: 1, count: 2}),
      engine.continueFrom({midi, promptBars: 4, bars: 4}, {seed: 1, scale: 'C major'}),
      engine
        .exportMusicXml(midi)
        .then((text) => engine.importMusicXml(new TextEncoder().encode(text))),
    ]);
    return {
      info,
      load: loaded - begin,
      cold,
      warm,
      stopped,
      restart,
      again,
      refused,
      likelihood,
      evaluation,
      xml: xml.slice(0, 300),
      filled: filled.pieces.length,
      continued: continued.pieces.length,
      imported: [...imported.midi.subarray(0, 4)],
    };
  }, prompt);

  const {cold, warm} = result;
  assert.equal(result.info.kind, 'wasm');
  assert.equal(cold.bars, 32);
  assert.deepEqual(warm.midi, cold.midi);
  assert.ok(cold.notes.length > 100);
  assert.equal(Buffer.from(cold.midi).subarray(0, 4).toString(), 'MThd');
  assert.equal(cold.manifest.engine, 'wasm');
  assert.equal(result.stopped, 'AbortError');
  assert.equal(result.again.bars, 4);
  assert.match(result.refused, /EngineError: bars is 0/);
  assert.ok(result.likelihood.nllOfBars.length >= 8);
  assert.match(result.evaluation.key, /major|minor/);
  assert.match(result.xml, /<score-partwise/);
  assert.deepEqual([result.filled, result.continued], [2, 1]);
  assert.equal(Buffer.from(result.imported).toString(), 'MThd');
  assert.deepEqual(hosts, [], 'requests to a host');
  assert.deepEqual(faults, []);

  const size = statSync(file).size;
  const ms = (time) => `${time.toFixed(0)} ms`;
  console.log(`file ${(size / 1e6).toFixed(2)} MB, loaded in ${ms(result.load)}`);
  for (const [name, run] of Object.entries({cold, warm})) {
    console.log(`32 bars, ${name}: first bar ${ms(run.first)}, all ${ms(run.all)}`);
  }
  console.log(`after a stop: loaded again in about ${ms(result.restart)}`);
  assert.ok(size < 12e6, 'the file is under 12 MB');
} finally {
  await browser.close();
}
