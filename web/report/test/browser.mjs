// The page in a real browser: node browser.mjs CONTINUO [--shots FOLDER]
//
// Makes results (make_fixture.py), a page of them, and uses it as a reader would, on a phone and on a desk. Without a browser or
// playwright-core it says so and exits with 77, or with 1 where CONTINUO_REQUIRE_BROWSER is set.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {findChromium} from '../../common/find_chromium.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const [continuo, flag, shots] = process.argv.slice(2);

const {chromium, executablePath} = findChromium(import.meta.url);

const folder = mkdtempSync(join(tmpdir(), 'continuo-page-'));
const run = (...command) => execFileSync(command[0], command.slice(1), {encoding: 'utf8'});
function makePage(name, ...flags) {
  mkdirSync(join(folder, name));
  run(
    'python3',
    join(here, 'make_fixture.py'),
    '--continuo',
    continuo,
    '-o',
    join(folder, name, 'results.db'),
    ...flags,
  );
  run(continuo, 'report', join(folder, name), '-o', join(folder, `${name}.html`));
  return join(folder, `${name}.html`);
}

const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});

/** A page that fails the test on whatever it complains of or asks for. */
async function open(file, width, colorScheme = 'light') {
  const context = await browser.newContext({
    viewport: {width, height: 900},
    colorScheme,
    acceptDownloads: true,
  });
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error.stack)));
  page.on('request', (request) => {
    if (!/^(file|data|blob):/.test(request.url())) complaints.push(`asks for ${request.url()}`);
  });
  await page.goto(`file://${file}`);
  const height = await page.evaluate(() => document.body.scrollHeight);
  for (let y = 0; y < height; y += 800) {
    // what is drawn when it is seen
    await page.evaluate((to) => scrollTo(0, to), y);
    await page.waitForTimeout(20);
  }
  return {page, context, complaints};
}

/** Whether something was drawn on a canvas. */
const drawn = (canvas) =>
  canvas.evaluate((one) => {
    const {data} = one.getContext('2d').getImageData(0, 0, one.width, one.height);
    return data.some((value, i) => i >= 4 && value !== data[i % 4]);
  });
const numbers = async (cells) => (await cells.allTextContents()).map(parseFloat);

async function checkTables(page, width) {
  assert.equal(await page.locator('table.results tbody.grid tr.row').count(), 36);
  assert.match(await page.locator('table.results tbody').first().textContent(), /^Real music/);
  assert.equal(await page.locator('table.heatmap').count(), 3);
  for (const metric of ['H4', 'GS'])
    assert.equal(await page.locator(`table.heatmap[data-metric=${metric}] td.cell`).count(), 6);
  assert.ok((await page.locator('table.results td.best').count()) >= 8);
  assert.match(
    await page.locator('table.results td:has(.half)').first().textContent(),
    /^\d+\.\d+±\d+\.\d+$/,
  );

  const column = async () =>
    numbers(page.locator('table.results tbody.grid td[title^="GS"] .value'));
  await page.locator('table.results .sort', {hasText: /^GS$/}).click();
  const down = await column();
  assert.equal(down.length, 36);
  assert.deepEqual(
    down,
    [...down].sort((a, b) => b - a),
  );
  await page.locator('table.results .sort', {hasText: /^GS$/}).click();
  assert.deepEqual(
    await column(),
    [...down].sort((a, b) => a - b),
  );

  assert.equal(await page.locator('table.results td .theirs').count(), 0);
  await page.getByLabel(/published values/).check();
  assert.equal(await page.locator('table.results td .theirs').count(), 36 * 3);

  await page.getByLabel('Beside H4 and GS').first().selectOption('H1');
  assert.equal(await page.locator('table.heatmap[data-metric=H1] td.cell').count(), 6);
  assert.deepEqual(
    await page.locator('.axis').evaluateAll((all) => all.map((one) => one.dataset.axis)),
    ['epoch', 'model', 'tokenizer'],
  );
  assert.equal(await page.locator('.ranking').count(), 5);
  assert.equal(await page.locator('.ranking li').count(), 15);
  assert.deepEqual(
    await page.locator('.claim').evaluateAll((all) => all.map((one) => one.dataset.verdict)),
    ['holds', 'does not hold', 'cannot be decided'],
  );
  assert.match(
    await page.locator('#claims').textContent(),
    /1 hold, 1 do not hold, 1 cannot be decided.*epoch\u00a030 against epoch\u00a010/,
  );
  assert.equal(await page.locator('table.changes').count(), 3);
  assert.equal(await page.locator('#metrics .chart svg').count(), 12);
  assert.equal(await page.locator('#progress .chart svg').count(), 9);
  assert.ok(
    (await page.evaluate(() => document.documentElement.scrollWidth)) <= width,
    'the page is wider than the screen',
  );
  assert.match(await page.locator('.head .scaled').textContent(), /^Scaled down: Made-up/);
}

async function checkPictures(page) {
  assert.equal(await page.locator('.continuations-grid .card').count(), 36);
  for (const place of [0, 17, 35])
    assert.ok(
      await drawn(page.locator('.continuations-grid canvas').nth(place)),
      `roll ${place} is empty`,
    );
  assert.equal(await page.locator('canvas.scape').count(), 7);
  assert.ok(await drawn(page.locator('canvas.scape').last()));
}

async function checkPlayer(page) {
  const dock = page.locator('.dock');
  await page.locator('.continuations-grid .card').nth(5).locator('button.play').click();
  await page.waitForFunction(() => Number(document.querySelector('.dock').dataset.position) > 0.5);
  assert.equal(await dock.getAttribute('data-state'), 'playing');
  await page.waitForFunction(() => window.continuoReport.player.loudness() > 1e-3); // it sounds
  assert.ok(await drawn(page.locator('.dock canvas')));
  assert.match(await dock.locator('.legend').textContent(), /given.*continued/);
  await dock.getByLabel('Pause').click();
  assert.equal(await dock.getAttribute('data-state'), 'stopped');
  const [midi] = await Promise.all([
    page.waitForEvent('download'),
    dock.getByLabel('Save as MIDI').click(),
  ]);
  assert.equal(
    readFileSync(await midi.path())
      .subarray(0, 4)
      .toString(),
    'MThd',
  );
  await dock.getByLabel('Close the player').click();
  assert.ok(!(await dock.isVisible()));

  await page.locator('table.results .fold').nth(1).click(); // the pieces of a row
  const piece = page.locator('table.results tr.pieces button.play').nth(2);
  await piece.click();
  await page.waitForFunction(() => document.querySelector('.dock').dataset.state === 'playing');
  await page.keyboard.press('Escape');
}

async function castVote(page, side) {
  const stage = page.locator('.stage');
  assert.ok(await stage.locator(`[data-vote=${side}]`).isDisabled(), 'a vote before listening');
  for (const one of 'AB') {
    await stage.locator(`[data-side=${one}] button.play`).click();
    await page.waitForFunction(() => document.querySelector('.dock').dataset.state === 'playing');
  }
  assert.doesNotMatch(await stage.textContent(), /gpt2|remi|midilike|default|creative/); // blind
  assert.doesNotMatch(await page.locator('.dock').textContent(), /gpt2|remi|midilike/);
  assert.ok(!(await page.getByLabel('Save as MIDI').isVisible()));
  await stage.locator(`[data-vote=${side}]`).click();
}

/** Chooses and votes; gives the file that the page exports. */
async function checkListening(page) {
  await castVote(page, 'A');
  await castVote(page, 'B');
  const stored = await page.evaluate(() =>
    JSON.parse(
      localStorage.getItem(
        Object.keys(localStorage).find((key) => key !== 'continuo-report:theme'),
      ),
    ),
  );
  assert.equal(stored.votes.length, 6); // four are in the results

  const block = page.locator('.prompt[data-prompt=song_2]');
  await block.locator('.star').nth(3).click();
  await block.getByLabel(/^Why this/).fill('A fine bass');
  await block.getByLabel(/^Why this/).blur();
  const final = page.locator('.final[data-prompt=song_2]');
  assert.match(await final.textContent(), /conservative.*in this browser only.*A fine bass/);
  assert.match(await page.locator('.final[data-prompt=song_1]').textContent(), /in the results/);

  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.locator('[data-export]').click(),
  ]);
  assert.equal(download.suggestedFilename(), 'choices.json');
  const file = join(folder, 'choices.json');
  await download.saveAs(file);
  const made = JSON.parse(readFileSync(file, 'utf8'));
  assert.equal(made.votes.length, 6);
  assert.deepEqual(made.choices.map(({prompt, note}) => [prompt, note]).pop(), [
    'song_2',
    'A fine bass',
  ]);

  assert.match(await page.locator('.ranking-box').textContent(), /more votes? between/);
  await page.evaluate(() => {
    // enough of them: the first checkpoint wins
    const {store, study} = window.continuoReport;
    const [a, b, c] = study.checkpoints.map(
      (name) => study.continuations.find((set) => set.checkpoint === name).pieces[0],
    );
    for (let i = 0; i < 6; ++i) {
      store.vote(a, b);
      store.vote(b, c);
    }
  });
  await page.waitForSelector('.ranking-box svg');
  assert.match(
    await page
      .locator('.ranking-box svg [aria-label="y-axis tick label"] text')
      .first()
      .textContent(),
    /epoch/,
  );

  await page.reload();
  assert.match(await page.locator('.final[data-prompt=song_2]').textContent(), /A fine bass/);
  return file;
}

let failed = false;
async function check(name, body) {
  try {
    await body();
    console.log(`ok: ${name}`);
  } catch (error) {
    failed = true;
    console.log(`FAILED: ${name}\n${error.stack}`);
  }
}

try {
  const file = makePage('study', '--pieces', '4', '--pool', '2');
  let choices;
  for (const width of [390, 1440]) {
    for (const scheme of ['light', 'dark']) {
      const {page, context, complaints} = await open(file, width, scheme);
      const at = `${width} pixels, ${scheme}`;
      await check(`${at}: theme`, async () => {
        const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
        assert.equal(await theme(), scheme);
        await page.getByLabel('Light or dark').click();
        assert.notEqual(await theme(), scheme);
        await page.getByLabel('Light or dark').click();
      });
      if (flag === '--shots')
        await page.screenshot({path: join(shots, `${width}-${scheme}.png`), fullPage: true});
      if (scheme === 'light') {
        await check(`${at}: tables`, () => checkTables(page, width));
        await check(`${at}: pictures`, () => checkPictures(page));
        await check(`${at}: player`, () => checkPlayer(page));
        await check(`${at}: listening`, async () => {
          choices = await checkListening(page);
        });
      }
      await check(`${at}: no complaint`, () => assert.deepEqual(complaints, []));
      await context.close();
    }
  }

  await check('the program takes what the page exports, and the next page shows it', async () => {
    run(continuo, 'experiment', 'choose', join(folder, 'study'), choices);
    run(continuo, 'report', join(folder, 'study'), '-o', join(folder, 'next.html'));
    const {page, context, complaints} = await open(join(folder, 'next.html'), 1440);
    assert.match(
      await page.locator('.final[data-prompt=song_2]').textContent(),
      /in the results.*A fine bass/,
    );
    assert.match(await page.locator('.exchange').textContent(), /2 chosen, 6 votes/);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  await check('names that would break out of the page stay text', async () => {
    const {page, context, complaints} = await open(
      makePage('hostile', '--pieces', '2', '--pool', '2', '--hostile'),
      1440,
    );
    assert.equal(await page.evaluate(() => window.broken), undefined);
    assert.match(await page.locator('h1').textContent(), /<\/script>/);
    assert.equal(await page.locator('table.results tbody.grid tr.row').count(), 36);
    assert.deepEqual(complaints, []);
    await context.close();
  });
} finally {
  await browser.close();
  rmSync(folder, {recursive: true});
}
process.exit(failed ? 1 : 0);
