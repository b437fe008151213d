// The page in a real browser, with a real engine: node browser.mjs CONTINUO [STUDIO.html] [--shots FOLDER]
//
// The page of `continuo studio`, or STUDIO.html, with the engine inside, opened from a file without a network. CONTINUO
// writes the takes again by their command lines.
//
// Without a browser or playwright-core it says so and exits with 77, or with 1 where CONTINUO_REQUIRE_BROWSER is set. Sheet
// music is read by music21 where it is installed.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {createRequire} from 'node:module';
import {homedir, tmpdir} from 'node:os';
import {basename, dirname, join, resolve} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {servePage} from './serve.mjs';
import {writePlanModel} from './plan_model.mjs';
import {findChromium} from '../../common/find_chromium.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..', '..');
const cases = join(process.env.CONTINUO_SHARED ?? join(root, '..', 'shared'), 'cases');
const pythonWithMusic21 = join(homedir(), '.local/share/continuo/music21/bin/python');
const words = process.argv.slice(2);
const flag = words.indexOf('--shots');
const shots = flag < 0 ? '' : words.splice(flag, 2)[1];
const [continuo, oneFile] = words.map((word) => resolve(word));

const {chromium, executablePath} = findChromium(import.meta.url);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const folder = mkdtempSync(join(tmpdir(), 'continuo-studio-'));
const pageFile = join(here, '..', 'dist', 'studio.html');
const server = oneFile
  ? {address: pathToFileURL(oneFile).href, stop: () => {}}
  : await servePage(continuo, pageFile);
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
    '--autoplay-policy=no-user-gesture-required',
  ],
});

/** Pages that fail the test on whatever they complain of, and ask other hosts for. */
async function open(
  width = 1440,
  {colorScheme = 'light', address = server.address, height = 900, prepare} = {},
) {
  const context = await browser.newContext({
    viewport: {width, height},
    colorScheme,
    acceptDownloads: true,
    offline: address.startsWith('file:'),
  });
  const complaints = [];
  const watch = (page) => {
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error.stack)));
    page.on('request', (request) => {
      const url = request.url();
      const own = address.startsWith('http') && url.startsWith(address.split('#')[0]);
      if (!own && !/^(file|data|blob):/.test(url)) complaints.push(`asks for ${url}`);
    });
  };
  const make = async () => {
    const page = await context.newPage();
    watch(page);
    await page.addInitScript(fakeMidi);
    if (prepare) await page.addInitScript(prepare);
    await page.goto(address);
    if (!prepare) await page.waitForFunction(() => window.continuoStudio?.studio.pieceId.value);
    return page;
  };
  return {context, page: await make(), another: make, complaints};
}

/** One MIDI input, whose keys are played by window.playMidi, and one output, which remembers what it is sent. */
function fakeMidi() {
  const input = {id: 'in', name: 'Test keys', onmidimessage: null};
  const output = {
    id: 'out',
    name: 'Test module',
    sent: [],
    send: (data, at) => output.sent.push([...data, at]),
  };
  window.playMidi = (...data) =>
    input.onmidimessage?.({data: Uint8Array.from(data), timeStamp: performance.now()});
  window.midiSent = output.sent;
  navigator.requestMIDIAccess = async () => ({
    inputs: new Map([['in', input]]),
    outputs: new Map([['out', output]]),
    onstatechange: null,
  });
}

const idle = (page, timeout = 60000) =>
  page.waitForFunction(() => !window.continuoStudio.studio.busy.value, null, {timeout});
const ready = (page) => page.waitForFunction(() => window.continuoStudio.studio.engine.value);

async function drop(page, name, bytes) {
  await page.evaluate(
    ({name, base64}) => {
      const data = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([data], name));
      dispatchEvent(
        new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}),
      );
    },
    {name, base64: Buffer.from(bytes).toString('base64')},
  );
}

async function opened(page, name, bytes) {
  const before = await page.evaluate(() => window.continuoStudio.studio.pieceId.value);
  await drop(page, name, bytes);
  await page.waitForFunction(
    (before) => {
      const {studio} = window.continuoStudio;
      return studio.pieceId.value !== before && studio.song.value.notes.length > 0;
    },
    before,
    {timeout: 30000},
  );
}

/** The file that a click downloads. */
async function downloaded(page, click) {
  const [download] = await Promise.all([page.waitForEvent('download', {timeout: 60000}), click()]);
  return {name: download.suggestedFilename(), bytes: readFileSync(await download.path())};
}

async function save(page, item) {
  await page.getByRole('button', {name: 'Save', exact: true}).click();
  return downloaded(page, () => page.getByRole('menuitem', {name: item}).click());
}

const notesOf = (page) =>
  page.evaluate(() =>
    window.continuoStudio.studio.shown.value.notes.map(({tick, end, pitch, velocity}) => [
      tick,
      end,
      pitch,
      velocity,
    ]),
  );
const barCount = (page) =>
  page.evaluate(() => window.continuoStudio.studio.analysis.value.barCount);

/** Where a tick and a pitch are on the screen. */
async function placeOf(page, tick, pitch) {
  await page.evaluate(
    () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
  );
  const box = await page.locator('canvas.roll').boundingBox();
  const at = await page.evaluate(
    ([tick, pitch]) => {
      const {roll} = window.continuoStudio;
      return {x: roll.x(tick), y: roll.y(pitch) + roll.row / 2};
    },
    [tick, pitch],
  );
  return {x: box.x + at.x, y: box.y + at.y};
}

async function selectBars(page, first, last) {
  const box = await page.locator('canvas.roll').boundingBox();
  const ticks = await page.evaluate(
    ([first, last]) =>
      [first, last].map((bar) => window.continuoStudio.studio.analysis.value.bar(bar).tick + 100),
    [first, last],
  );
  const [from, to] = await Promise.all(ticks.map((tick) => placeOf(page, tick, 60)));
  await page.mouse.move(from.x, box.y + 15);
  await page.mouse.down();
  await page.mouse.move(to.x, box.y + 15, {steps: 4});
  await page.mouse.up();
  assert.deepEqual(await page.evaluate(() => window.continuoStudio.studio.bars.value), {
    first,
    last,
  });
}

/** Runs the command line of a take; the bytes must be the take's. */
async function checkCommand(page, place, model) {
  const made = await page.evaluate((place) => {
    const {studio} = window.continuoStudio;
    const set = studio.setOf(studio.activeSet.value);
    const take = set.takes[place];
    return {
      ...studio.command(set, take),
      midi: [...take.midi],
      source: set.source && [...set.source],
      name: set.sourceName,
    };
  }, place);
  const work = mkdtempSync(join(folder, 'command-'));
  if (made.source) writeFileSync(join(work, made.name), Uint8Array.from(made.source));
  if (model) symlinkSync(model, join(work, basename(model)));
  const program = made.command.replace(/^continuo /, '"$0" -q ');
  execFileSync('sh', ['-c', program, continuo], {
    cwd: work,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  assert.deepEqual([...readFileSync(join(work, made.file))], made.midi, made.command);
}

/** A MIDI file of 480 ticks per quarter note; each of `tracks` has the bytes of its events. */
function midiFile(...tracks) {
  const chunks = tracks.map((body) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    return Buffer.concat([Buffer.from('MTrk'), length, Uint8Array.from(body)]);
  });
  const format = tracks.length > 1 ? 1 : 0;
  return Buffer.concat([
    Buffer.from('MThd\0\0\0\x06', 'latin1'),
    Uint8Array.of(0, format, 0, tracks.length, 1, 0xe0),
    ...chunks,
  ]);
}

/** The bytes of a track of eight bars: a name, a program, and a key on each quarter note that sounds for 432 ticks. */
function quarters(name, channel, program, pitch) {
  const body = [0, 0xff, 3, name.length, ...Buffer.from(name), 0, 0xc0 | channel, program];
  for (let i = 0; i < 32; ++i)
    body.push(i ? 48 : 0, 0x90 | channel, pitch, 80, 0x83, 0x30, 0x80 | channel, pitch, 0);
  return [...body, 0, 0xff, 0x2f, 0];
}

/** A MIDI file of `count` short notes of `ticks` ticks. */
function bigFile(count, ticks = 60) {
  const body = [];
  for (let i = 0; i < count; ++i) {
    const pitch = 36 + ((i * 7) % 48);
    body.push(0, 0x90, pitch, 40 + (i % 80), ticks, 0x80, pitch, 0);
  }
  body.push(0, 0xff, 0x2f, 0);
  return midiFile(body);
}

const prompt = readFileSync(join(root, 'examples', 'prompt.mid'));

async function checkNewPiece({page}) {
  assert.match(
    await page.locator('.engine').textContent(),
    oneFile ? /Inside this page · \S+/ : /Server · \S+/,
  );
  await page.locator('#new-piece').click();
  await page.waitForFunction(() => window.continuoStudio.studio.shown.value.notes.length > 0);
  await page.waitForFunction(() => window.continuoStudio.studio.player.tick > 0);
  await page.waitForFunction(() => window.continuoStudio.studio.player.loudness() > 1e-3, null, {
    timeout: 20000,
  });
  await idle(page);
  assert.equal(await barCount(page), 16);
  assert.match(await page.locator('#pace').textContent(), /^[\d.]+ m?s a bar$/);
  await page.locator('#play').click();
  assert.equal(await page.locator('#play').getAttribute('aria-label'), 'Play');
  await checkCommand(page, 0);
}

async function checkSound({page}) {
  const {name, bytes} = await save(page, /^Sound/);
  assert.match(name, /^Sketch-\d+\.wav$/);
  const samples = new Int16Array(bytes.buffer, bytes.byteOffset + 44, (bytes.length - 44) / 2);
  const peak = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  assert.ok(Math.abs(peak - 0.89 * 32767) < 2, `the peak is ${peak}`);
  const seconds = await page.evaluate(() => window.continuoStudio.studio.analysis.value.seconds);
  assert.ok(samples.length / 2 / 44100 > seconds);
}

async function checkRewrite({page}) {
  await opened(page, 'prompt.mid', prompt);
  assert.deepEqual([...(await save(page, /^MIDI file/)).bytes], [...prompt]);
  const before = await notesOf(page);
  await selectBars(page, 2, 3);
  await page.getByRole('radio', {name: 'Rewrite'}).click();
  assert.match(await page.locator('.sentence').textContent(), /bars 3 to 4/);
  await page.locator('.submit .primary').click();
  await idle(page);
  assert.equal(await page.locator('.card').count(), 4);
  assert.equal(await page.locator('.best').count(), 1);
  await page.locator('.card').nth(1).locator('.face').click();
  const after = await notesOf(page);
  const outside = (notes) => notes.filter(([tick]) => tick < 3840 || tick >= 7680);
  assert.deepEqual(outside(after), outside(before));
  assert.notDeepEqual(after, before);
  await checkCommand(page, 0);
  await checkCommand(page, 1);
  await page.locator('.card').nth(1).getByRole('button', {name: 'Keep'}).click();
  assert.match(await page.locator('.card').nth(1).textContent(), /Kept/);
  assert.deepEqual(await notesOf(page), after);
  assert.equal(await page.locator('.card').count(), 4, 'the others remain');
  await page.keyboard.press('Control+z');
  assert.deepEqual(await notesOf(page), before);
  assert.equal(await page.locator('.kept-mark').count(), 0, 'no take is kept any more');
  await page.keyboard.press('Control+y');
  assert.deepEqual(await notesOf(page), after);
  assert.match(await page.locator('.card').nth(1).textContent(), /Kept/);
  await page.keyboard.press('3'); // looks at another take, which is left again
  assert.notDeepEqual(await notesOf(page), after);
  await page.keyboard.press('Escape');
  assert.deepEqual(await notesOf(page), after);
}

/** Drums stay in bars that are rewritten, and do not look new; the page says what becomes of the other instruments. */
async function checkBand({page}) {
  const band = midiFile(
    quarters('Flute', 0, 73, 72),
    quarters('Bass', 1, 33, 36),
    quarters('Drums', 9, 0, 38),
  );
  await opened(page, 'band.mid', band);
  await selectBars(page, 2, 3);
  await page.getByRole('radio', {name: 'Rewrite'}).click();
  assert.match(await page.locator('.compose > .note').textContent(), /write for “Flute”; .* drums/);
  await page.evaluate(() => window.continuoStudio.studio.setForm({count: 1, autoplay: false}));
  await page.locator('.submit .primary').click();
  await idle(page);
  const written = await page.evaluate(() => {
    const {studio} = window.continuoStudio;
    const isNew = studio.isNewShown();
    return studio.shown.value.notes
      .filter(({tick}) => tick >= 3840 && tick < 7680)
      .map((note) => ({...note, isNew: isNew(note)}));
  });
  const drums = written.filter(({channel}) => channel === 9);
  assert.equal(drums.length, 8);
  assert.ok(drums.every(({isNew}) => !isNew));
  const others = written.filter(({channel}) => channel !== 9);
  assert.ok(others.length > 0 && others.every(({channel}) => channel === 0));
  assert.ok(others.some(({isNew}) => isNew));
  await page.evaluate(() => window.continuoStudio.studio.setForm({count: 4, autoplay: true}));
}

/** New notes keep to a scale and a range, the melody stays, and the command line says so. */
async function checkLimits({page}) {
  await opened(page, 'prompt.mid', prompt);
  const before = await notesOf(page);
  await selectBars(page, 2, 3);
  await page.getByRole('radio', {name: 'Rewrite'}).click();
  const summary = page.locator('.compose details summary').first();
  await page.getByText('Scale, range, rhythm').click();
  await page.getByLabel('Scale', {exact: true}).selectOption('Eb');
  await page.getByLabel('Kind of scale').selectOption('major pentatonic');
  await page.getByLabel('Lowest note').selectOption('C3');
  await page.getByLabel('Highest note').selectOption('A♭5');
  assert.equal(await summary.textContent(), 'Eb major pentatonic, from C3, up to A♭5');
  const write = async () => {
    await page.locator('.submit .primary').click();
    await idle(page);
    await page.evaluate(() => window.continuoStudio.studio.player.pause());
    await checkCommand(page, 1);
    const old = new Set(before.map(String));
    return (await notesOf(page)).filter((note) => !old.has(String(note)));
  };
  const limited = await write();
  assert.ok(limited.length > 0);
  for (const [, , pitch] of limited) {
    assert.ok([3, 5, 7, 10, 0].includes(pitch % 12) && pitch >= 48 && pitch <= 80, `key ${pitch}`);
  }
  await page.keyboard.press('Escape');
  await page.getByLabel('Keep the melody of these bars').check();
  await write();
  const top = (notes) => Math.max(...notes.filter(([tick]) => tick === 3840).map((one) => one[2]));
  assert.equal(top(await notesOf(page)), top(before));
  await page.keyboard.press('Escape');
  await page.getByLabel('Keep the melody of these bars').uncheck();

  // Other limits for the second bar.
  await page.getByRole('button', {name: 'Other limits for some bars'}).click();
  assert.equal(await page.getByLabel('First bar of part 1').inputValue(), '4');
  await page.getByLabel('Scale of part 1').selectOption('C');
  await page.getByLabel('Kind of scale of part 1').selectOption('whole tone');
  await page.getByLabel('Rhythm of part 1').selectOption('eighths');
  await page.getByLabel('Notes in a bar, at most of part 1').fill('5');
  await page.getByLabel('Notes at once, at most of part 1').fill('2');
  await page.getByLabel('Notes at once, at most of part 1').blur();
  assert.match(
    await summary.textContent(),
    /, bar 4: C whole tone, eighths, 5 notes a bar, 2 at once$/,
  );
  const parts = await write();
  assert.ok(parts.some(([tick]) => tick < 5760) && parts.some(([tick]) => tick >= 5760));
  for (const [tick, , pitch] of parts) {
    const scale = tick < 5760 ? [3, 5, 7, 10, 0] : [0, 2, 4, 6, 8, 10];
    assert.ok(scale.includes(pitch % 12), `key ${pitch} at ${tick}`);
    assert.ok(tick < 5760 || tick % 240 === 0, `at ${tick}`);
  }
  const second = parts.filter(([tick]) => tick >= 5760);
  assert.ok(second.length <= 5, `${second.length} notes`);
  for (const [tick] of second)
    assert.ok(second.filter((note) => note[0] <= tick && note[1] > tick).length <= 2, `at ${tick}`);
  await page.keyboard.press('Escape');
  // Limits of bars that are not written are not sent.
  await selectBars(page, 0, 1);
  await page.getByText('These bars are not written now.').waitFor();
  await write();
  await page.keyboard.press('Escape');
  await page.getByRole('button', {name: 'Remove part 1'}).click();
  await page.evaluate(() => {
    const {studio} = window.continuoStudio;
    const limits = studio.form.value.limits;
    const none = {scale: '', lowest: null, highest: null, grid: null};
    studio.setForm({limits: {...limits, ...none}});
  });
  await page.getByText('Scale, range, rhythm').click();
}

async function checkMusicXml({page, complaints}) {
  await opened(page, 'prompt.mid', prompt);
  const {bytes} = await save(page, /^Sheet music/);
  const packed = readFileSync(join(root, 'testdata', 'fuzz', 'musicxml', 'compressed.mxl'));
  for (const [name, file] of [
    ['sheet.musicxml', bytes],
    ['packed.mxl', packed],
    ['unnamed', bytes],
  ]) {
    await opened(page, name, file);
    const title = await page.evaluate(() => window.continuoStudio.studio.title.value);
    assert.equal(title, name.split('.')[0]);
  }
  assert.equal(await barCount(page), 8);
  // Sheet music has a note that begins twice once.
  const begun = (page) =>
    page.evaluate(() => {
      const {notes, ticksPerQuarter} = window.continuoStudio.studio.song.value;
      const places = notes.map(({tick, pitch}) => `${tick / ticksPerQuarter}: ${pitch}`);
      return [...new Set(places)].sort();
    });
  const read = await begun(page);
  await opened(page, 'prompt.mid', prompt);
  assert.deepEqual(read, await begun(page));
  await drop(page, 'broken.musicxml', bytes.subarray(0, 400));
  await page.locator('.message.error', {hasText: '“broken” could not be opened.'}).waitFor();
  await page.getByRole('button', {name: 'Dismiss'}).first().click();
  assert.deepEqual(await begun(page), read);
  if (!oneFile) assert.match(complaints.pop(), /status of 422/);
}

async function checkContinue({page}) {
  await opened(page, 'prompt.mid', prompt);
  await page.evaluate(() => {
    const {studio} = window.continuoStudio;
    studio.player.pause();
    studio.bars.value = null;
    studio.say('error', 'What went wrong before.');
    studio.setForm({
      count: 2,
      moreBars: 3,
      temperature: 1.1,
      topP: 0.9,
      fixedSeed: true,
      seed: 42,
      tempo: 'bpm',
      bpm: 110,
    });
  });
  const before = await notesOf(page);
  await page.keyboard.press('c');
  await idle(page);
  assert.equal(await barCount(page), 11);
  assert.equal(await page.locator('.card .keep').count(), 2, 'both takes can be kept');
  assert.equal(await page.locator('.message.error').count(), 0);
  const after = await notesOf(page);
  assert.deepEqual(after.slice(0, before.length), before);
  assert.ok(after.slice(before.length).every(([tick]) => tick >= 8 * 1920));
  await checkCommand(page, 0);
  await checkCommand(page, 1);
  await page.keyboard.press('k');
  assert.equal(await page.evaluate(() => window.continuoStudio.studio.looking.value), null);
  await page.evaluate(() => {
    window.continuoStudio.studio.player.pause();
    window.continuoStudio.studio.setForm({
      count: 4,
      temperature: null,
      topP: null,
      fixedSeed: false,
      tempo: 'keep',
    });
  });
}

async function checkRefusal({page, complaints}) {
  await opened(page, 'prompt.mid', prompt);
  const before = await notesOf(page);
  await page.getByRole('radio', {name: 'New'}).click();
  await page.getByPlaceholder('AABA').fill('A4 B');
  await page.locator('.submit .primary').click();
  await page.locator('.message.error', {hasText: 'sections without a number of bars'}).waitFor();
  await page.waitForFunction(() => window.continuoStudio.studio.title.value === 'prompt');
  assert.deepEqual(await notesOf(page), before);
  assert.equal(await page.getByRole('radio', {name: 'New'}).getAttribute('aria-checked'), 'true');
  await page.getByPlaceholder('AABA').fill('');
  await page.getByPlaceholder('AABA').blur(); // keys are the page's again
  if (!oneFile) assert.match(complaints.pop(), /status of 422/);
}

async function checkEdits({page}) {
  await opened(page, 'prompt.mid', prompt);
  const before = await notesOf(page);
  await page.keyboard.press('d');
  const from = await placeOf(page, 960 + 10, 85);
  const to = await placeOf(page, 960 + 470, 85);
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(to.x, to.y, {steps: 3});
  await page.mouse.up();
  const drawn = [960, 1440, 85, 80];
  const sorted = (notes) => notes.map(String).sort();
  assert.deepEqual(sorted(await notesOf(page)), sorted([...before, drawn]));
  const file = (await save(page, /^MIDI file/)).bytes;
  const read = JSON.parse(
    execFileSync('python3', [
      '-c',
      `import json, sys
data = open(sys.argv[1], "rb").read()
at, notes = 14, []
while at < len(data):
    length = int.from_bytes(data[at + 4:at + 8], "big"); at += 8; end = at + length; tick = 0
    while at < end:
        delta = 0
        while True:
            delta = delta * 128 + (data[at] & 127); at += 1
            if data[at - 1] < 128: break
        tick += delta
        status = data[at]; at += 1
        if status == 0xff:
            size = data[at + 1]; at += 2 + size
        elif status in (0xf0, 0xf7): at += 1 + data[at]
        elif status >> 4 in (12, 13): at += 1
        else:
            if status >> 4 == 9 and data[at + 1]: notes.append([tick, data[at], data[at + 1]])
            at += 2
print(json.dumps(notes))`,
      (writeFileSync(join(folder, 'drawn.mid'), file), join(folder, 'drawn.mid')),
    ]).toString(),
  );
  assert.deepEqual(
    sorted(read),
    sorted([...before, drawn].map(([tick, , pitch, velocity]) => [tick, pitch, velocity])),
  );
  await page.keyboard.press('v');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Alt+ArrowUp');
  await page.keyboard.press('Alt+ArrowRight');
  assert.deepEqual(sorted(await notesOf(page)), sorted([...before, [1080, 1680, 86, 86]]));
  // With the mouse: by a beat to the right, and its end by a beat.
  const grab = await placeOf(page, 1200, 86);
  const there = await placeOf(page, 1680, 86);
  await page.mouse.move(grab.x, grab.y);
  await page.mouse.down();
  await page.mouse.move(there.x, there.y, {steps: 3});
  await page.mouse.up();
  assert.deepEqual(sorted(await notesOf(page)), sorted([...before, [1560, 2160, 86, 86]]));
  const end = await placeOf(page, 2160, 86);
  const longer = await placeOf(page, 2640, 86);
  await page.mouse.move(end.x - 3, end.y);
  await page.mouse.down();
  await page.mouse.move(longer.x - 3, longer.y, {steps: 3});
  await page.mouse.up();
  assert.deepEqual(sorted(await notesOf(page)), sorted([...before, [1560, 2640, 86, 86]]));
  await page.keyboard.press('Delete');
  assert.deepEqual(await notesOf(page), before);
  for (let i = 0; i < 8; ++i) await page.keyboard.press('Control+z');
  assert.deepEqual(
    [...(await save(page, /^MIDI file/)).bytes],
    [...prompt],
    'undone to the file itself',
  );
  // A box around everything, then copy and paste at bar 9.
  await page.keyboard.press('Control+a');
  await page.keyboard.press('Control+c');
  await page.evaluate(() => window.continuoStudio.studio.player.seek(8 * 1920));
  await page.keyboard.press('Control+v');
  assert.equal((await notesOf(page)).length, 2 * before.length);
  assert.equal(await barCount(page), 16);
}

/** A piece that is left and opened again can still be undone to its first state. */
async function checkPieces({page}) {
  const history = () =>
    page.evaluate(() => {
      const {past, future} = window.continuoStudio.studio.history.value;
      return [past.length, future.length];
    });
  const reopen = async (title) => {
    await page.getByRole('button', {name: 'All pieces'}).click();
    await page.locator('.pieces .entry', {hasText: title}).first().click();
    await page.waitForFunction(
      (title) => window.continuoStudio.studio.title.value === title,
      title,
    );
  };
  const name = (title) =>
    page.evaluate((title) => (window.continuoStudio.studio.title.value = title), title);
  await opened(page, 'prompt.mid', prompt);
  await name('With a past');
  const states = [await notesOf(page)];
  for (let i = 0; i < 3; ++i) {
    await page.keyboard.press('Control+a');
    await page.keyboard.press('ArrowUp');
    states.push(await notesOf(page));
  }
  await page.keyboard.press('Control+z');
  assert.deepEqual(await history(), [2, 1]);
  await opened(page, 'prompt.mid', prompt);
  assert.deepEqual(await history(), [0, 0]);
  await name('Another');
  await page.keyboard.press('Control+a');
  await page.keyboard.press('Delete');
  await reopen('With a past');
  assert.deepEqual(await notesOf(page), states[2]);
  assert.deepEqual(await history(), [2, 1]);
  await page.keyboard.press('Control+y');
  assert.deepEqual(await notesOf(page), states[3]);
  for (let i = 0; i < 3; ++i) await page.keyboard.press('Control+z');
  assert.deepEqual([...(await save(page, /^MIDI file/)).bytes], [...prompt]);
  await reopen('Another');
  assert.deepEqual(await history(), [1, 0]);
  await page.keyboard.press('Control+z');
  assert.deepEqual(await notesOf(page), states[0]);
  // What another tab has made of a piece is not what could be undone here.
  await page.evaluate(async () => {
    const {studio} = window.continuoStudio;
    const all = await studio.store.list();
    const piece = all.find((one) => one.title === 'With a past');
    await studio.store.put({...piece, midi: studio.midi(studio.history.value.future[0].song)});
  });
  await reopen('With a past');
  assert.deepEqual(await notesOf(page), []);
  assert.deepEqual(await history(), [0, 0]);
  // What was undone does not come back by itself.
  await page.evaluate(async () => {
    const {studio} = window.continuoStudio;
    await studio.fresh('Undone');
    studio.addNotes([{track: 1, channel: 0, pitch: 60, tick: 0, end: 480, velocity: 80}]);
    await studio.save();
  });
  await page.keyboard.press('Control+z');
  await page.evaluate(() => window.continuoStudio.studio.save());
  const stored = await page.evaluate(async () => {
    const all = await window.continuoStudio.studio.store.list();
    return all.find(({title}) => title === 'Undone').notes;
  });
  assert.equal(stored, 0);
}

/** At the end of the music, playback and view return to where they began. */
async function checkEnd({page}) {
  await opened(page, 'prompt.mid', prompt);
  await page.evaluate(() => {
    const {studio, roll} = window.continuoStudio;
    studio.speed.value = 4;
    studio.follow.value = true;
    roll.zoom(10);
    roll.reveal(1920);
    studio.player.seek(1920);
  });
  await page.getByRole('button', {name: 'Metronome'}).click();
  await page.keyboard.press(' '); // plays, and does not press the button again
  assert.equal(await page.evaluate(() => window.continuoStudio.studio.metronome.value), true);
  await page.getByRole('button', {name: 'Metronome'}).click();
  await page.waitForFunction(() => window.continuoStudio.roll.view().from > 6 * 1920);
  await page.waitForFunction(() => !window.continuoStudio.studio.playing.value);
  assert.equal(await page.evaluate(() => window.continuoStudio.studio.player.tick), 1920);
  await page.waitForFunction(() => {
    const {from, to} = window.continuoStudio.roll.view();
    return from <= 1920 && to > 1920;
  });
  await page.evaluate(() => {
    const {studio, roll} = window.continuoStudio;
    studio.speed.value = 1;
    roll.fit();
  });
}

/** Playback stands where the music is not written yet, and goes on when it is; a loop stays in its bars. */
async function checkPlayback({page}) {
  // As loud after a pause, in which all that sounded has died away, as before it.
  await opened(page, 'prompt.mid', prompt);
  for (let i = 0; i < 3; ++i) {
    await page.evaluate(() => window.continuoStudio.studio.player.play(0));
    await page.waitForFunction(() => window.continuoStudio.studio.player.loudness() > 0.01, null, {
      timeout: 20000,
    });
    await page.evaluate(() => window.continuoStudio.studio.player.pause());
    await page.waitForFunction(() => window.continuoStudio.studio.player.loudness() < 1e-3, null, {
      timeout: 20000,
    });
    await page.waitForTimeout(300);
  }
  await page.evaluate(() => {
    const {studio} = window.continuoStudio;
    studio.player.pause();
    const real = studio.engine.value;
    const slow = Object.create(real);
    slow.generate = async (request, options, watch) => {
      const updates = [];
      const result = await real.generate(request, options, {
        onBar: (update) => updates.push(update),
      });
      for (const update of updates) {
        await new Promise((done) => setTimeout(done, 700));
        watch.onBar(update);
      }
      return result;
    };
    studio.engine.value = slow;
    window.restoreEngine = () => (studio.engine.value = real);
    studio.speed.value = 4;
    studio.setForm({newBars: 4, fixedSeed: true, seed: 2});
    window.ahead = 0;
    window.stood = false;
    window.watching = setInterval(() => {
      const horizon = studio.horizon();
      if (horizon === null || !studio.player.playing) return;
      window.ahead = Math.max(window.ahead, studio.player.tick - horizon);
      if (studio.player.tick >= horizon) window.stood = true;
    }, 5);
  });
  await page.keyboard.press('n');
  await page.waitForFunction(() => window.continuoStudio.studio.busy.value);
  await idle(page);
  await page.waitForFunction(
    () => window.continuoStudio.studio.player.tick > 3 * 1920 + 200,
    null,
    {timeout: 20000},
  );
  const {ahead, stood} = await page.evaluate(() => {
    clearInterval(window.watching);
    window.restoreEngine();
    return {ahead: window.ahead, stood: window.stood};
  });
  assert.ok(stood, 'it never waited');
  // It looks 25 ms ahead, at four times the speed of perhaps 200 beats a minute.
  assert.ok(ahead < 480, `it played ${ahead} ticks that were not there`);
  await page.evaluate(() => {
    const {studio} = window.continuoStudio;
    studio.bars.value = {first: 1, last: 1};
    studio.loop.value = true;
    studio.player.play(1920);
  });
  for (let i = 0; i < 12; ++i) {
    await page.waitForTimeout(120);
    const tick = await page.evaluate(() => window.continuoStudio.studio.player.tick);
    assert.ok(tick >= 1920 && tick < 3840 + 240, `${tick} in the loop`);
  }
  await page.evaluate(() => {
    const {studio} = window.continuoStudio;
    studio.player.pause();
    studio.loop.value = false;
    studio.bars.value = null;
    studio.speed.value = 1;
    studio.setForm({newBars: 16, fixedSeed: false});
  });
}

/** A rewriting that is stopped keeps its complete bars, and the old ones after them. */
async function checkStoppedRewriting({page}) {
  await opened(page, 'prompt.mid', prompt);
  const before = await notesOf(page);
  await page.evaluate(() => {
    const {studio} = window.continuoStudio;
    const real = studio.engine.value;
    const slow = Object.create(real);
    slow.fill = async (request, options, watch) => {
      const updates = [];
      await real.fill(request, options, {onBar: (update) => updates.push(update)});
      for (const update of updates) {
        watch.onBar(update);
        for (let i = 0; i < 50 && !watch.signal.aborted; ++i)
          await new Promise((done) => setTimeout(done, 40));
        if (watch.signal.aborted) throw new DOMException('stopped', 'AbortError');
      }
      throw new Error('nobody stopped it');
    };
    studio.engine.value = slow;
    studio.bars.value = {first: 2, last: 5};
    studio.setForm({count: 1});
    window.restoreEngine = () => (studio.engine.value = real);
  });
  await page.keyboard.press('w');
  await page.waitForFunction(() => window.continuoStudio.studio.horizon() === 3 * 1920);
  await page.keyboard.press('Escape');
  await idle(page);
  await page.evaluate(() => {
    window.restoreEngine();
    window.continuoStudio.studio.player.pause();
    window.continuoStudio.studio.setForm({count: 4});
  });
  const after = await notesOf(page);
  const outside = (notes) => notes.filter(([tick]) => tick < 2 * 1920 || tick >= 3 * 1920);
  assert.deepEqual(outside(after), outside(before));
  assert.notDeepEqual(after, before);
  await page.keyboard.press('Escape');
  assert.deepEqual(await notesOf(page), before);
}

async function checkStop({page}) {
  await page.evaluate(() => {
    const {studio} = window.continuoStudio;
    studio.setForm({task: 'generate', newBars: 256, count: 1});
  });
  await page.locator('.submit .primary').click();
  await page.waitForFunction(() => window.continuoStudio.studio.horizon() >= 2 * 1920, null, {
    timeout: 20000,
  });
  await page.keyboard.press('Escape');
  await idle(page);
  const bars = await barCount(page);
  assert.ok(bars >= 1 && bars < 256, `${bars} bars`);
  assert.ok((await notesOf(page)).length > 0);
  assert.match(await page.locator('.card').first().textContent(), /stopped/);
  await page.evaluate(() => {
    window.continuoStudio.studio.player.pause();
    window.continuoStudio.studio.setForm({task: 'continue', newBars: 16, count: 4});
  });
}

async function checkRecording({page}) {
  await page.evaluate(() => window.continuoStudio.studio.fresh());
  await page.getByRole('tab', {name: 'Play'}).click();
  // Without an instrument the computer's keyboard is one while something is recorded.
  await page.getByRole('button', {name: /^Record R/}).click();
  await page.waitForFunction(() => window.continuoStudio.recorder.phase.value?.kind === 'record');
  await page.keyboard.press('d', {delay: 100});
  await page.getByRole('button', {name: 'Octave higher'}).click();
  await page.keyboard.press('d', {delay: 100});
  await page.keyboard.press('z');
  await page.keyboard.press('Escape');
  assert.deepEqual(
    (await notesOf(page)).map((note) => note[2]),
    [64, 76],
  );
  assert.equal(await page.evaluate(() => window.continuoStudio.recorder.keyboard.value), false);
  await page.evaluate(() => window.continuoStudio.studio.fresh());
  await page.getByRole('button', {name: 'Connect MIDI instruments'}).click();
  await page.getByText('MIDI: Test keys').waitFor();
  const tempo = page.locator('.play-panel input[type=number]').last();
  await tempo.fill('240');
  await tempo.blur();
  await page.getByRole('button', {name: /^Record R/}).click();
  await page.waitForFunction(() => window.continuoStudio.recorder.phase.value?.kind === 'record');
  await page.waitForFunction(() => window.continuoStudio.studio.player.tick >= 480);
  await page.evaluate(() => window.playMidi(0x90, 60, 77));
  await page.waitForTimeout(250);
  await page.evaluate(() => window.playMidi(0x80, 60, 0));
  await page.keyboard.press('Escape');
  const notes = await notesOf(page);
  assert.equal(notes.length, 1);
  const [[tick, end, pitch, velocity]] = notes;
  assert.deepEqual([pitch, velocity], [60, 77]);
  assert.ok(tick > 240 && tick < 1000, `played at ${tick}`);
  assert.ok(end - tick > 300 && end - tick < 1000, `lasts ${end - tick}`); // 480 ticks are 250 ms
  // Call and response.
  await page.evaluate(() => window.continuoStudio.studio.fresh());
  await tempo.fill('120');
  await tempo.blur();
  // The limits of the Compose tab hold for answers too.
  await page.evaluate(() => {
    const {studio} = window.continuoStudio;
    studio.setForm({
      limits: {...studio.form.value.limits, scale: 'C major pentatonic', lowest: 72, highest: 84},
    });
  });
  await page.getByRole('button', {name: /Answer me/}).click();
  await page.evaluate(async () => {
    const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
    while (window.continuoStudio.recorder.phase.value?.kind !== 'call') await pause(10);
    for (const key of [60, 64, 67]) {
      window.playMidi(0x90, key, 80);
      await pause(120);
      window.playMidi(0x80, key, 0);
    }
  });
  await page.waitForFunction(() => window.continuoStudio.recorder.phase.value?.kind === 'answer');
  await page.waitForFunction(
    () => window.continuoStudio.studio.history.value.past.length > 0,
    null,
    {timeout: 20000},
  );
  const lead = await page.evaluate(() => window.continuoStudio.studio.player.tick);
  await page.waitForFunction(
    () => window.continuoStudio.recorder.phase.value?.kind === 'call',
    null,
    {timeout: 20000},
  );
  await page.keyboard.press('Escape');
  const all = await notesOf(page);
  const call = all.filter(([tick]) => tick < 1920);
  const answer = all.filter(([tick]) => tick >= 1920);
  assert.equal(await page.locator('.message.error').count(), 0);
  assert.deepEqual(
    call.map(([, , pitch]) => pitch),
    [60, 64, 67],
  );
  // The second bar of the call was silent. On a busy machine the answer may come late, and then begins a bar later.
  const bars = answer.map(([tick]) => Math.floor(tick / 1920));
  assert.ok(bars.length > 0 && bars[0] >= 2 && bars.at(-1) < bars[0] + 2, JSON.stringify(answer));
  for (const [, , pitch] of answer)
    assert.ok(
      pitch >= 72 && pitch <= 84 && [0, 2, 4, 7, 9].includes(pitch % 12),
      `answers with ${pitch}`,
    );
  await page.evaluate(() => {
    const {studio} = window.continuoStudio;
    studio.setForm({limits: {...studio.form.value.limits, scale: '', lowest: null, highest: null}});
  });
  console.log(
    `   the answer begins in bar ${bars[0] + 1}, and was complete at tick ${Math.round(lead)}, from 3840 on`,
  );
  await page.getByRole('tab', {name: 'Sound'}).click();
  await page.getByLabel('MIDI output').selectOption('out');
  await page.evaluate(() => window.continuoStudio.studio.player.seek(0));
  await page.locator('#play').click();
  await page.waitForFunction(() => window.midiSent.some(([status]) => status === 0x90));
  await page.locator('#play').click();
  await page.getByLabel('MIDI output').selectOption('');
  await page.getByRole('tab', {name: 'Compose'}).click();
}

async function checkFiles({page}) {
  if (!existsSync(cases)) {
    console.log(`   skipped: no ${cases}`);
    return;
  }
  for (const name of readdirSync(cases)) {
    if (!/\.(mid|kar)$/.test(name)) continue;
    const bytes = readFileSync(join(cases, name));
    await opened(page, name, bytes);
    const kept = await page.evaluate(() => [...window.continuoStudio.studio.midi()]);
    assert.deepEqual(kept, [...bytes], name);
  }
  assert.equal(await page.locator('.message.error').count(), 0);
}

async function checkHostileFiles({page}) {
  await opened(page, 'prompt.mid', prompt);
  const before = await notesOf(page);
  await drop(page, 'broken.mid', prompt.subarray(0, prompt.length - 40));
  await page.locator('.message.error', {hasText: 'middle of an event, at byte'}).waitFor();
  await drop(page, 'noise.mid', Buffer.from('This is no music.'));
  await page.locator('.message.error', {hasText: 'not a MIDI file'}).waitFor();
  await drop(page, 'bad.json', Buffer.from('{"continuo_session": 1, "midi": "AAAA"}'));
  await page.locator('.message.error', {hasText: 'bad.json'}).waitFor();
  assert.deepEqual(await notesOf(page), before);
  assert.equal(await page.evaluate(() => window.continuoStudio.studio.title.value), 'prompt');
  for (let i = 0; i < 3; ++i) await page.getByRole('button', {name: 'Dismiss'}).first().click();
  // A name that would be an element, if anything read it as HTML.
  const evil = '<img src=x onerror=document.title=1>';
  const named = midiFile([
    ...[0, 0xff, 3, evil.length, ...Buffer.from(evil)],
    ...[0, 0x90, 60, 90, 0x83, 0x60, 0x80, 60, 0, 0, 0xff, 0x2f, 0, 0, 0, 0],
  ]);
  await opened(page, 'evil.mid', named);
  await page.getByRole('tab', {name: 'Sound'}).click();
  assert.equal(await page.locator('.tracks strong').first().textContent(), evil);
  assert.equal(await page.locator('.app img').count(), 0);
  await page.getByRole('tab', {name: 'Compose'}).click();
}

async function checkBigFiles({page}) {
  await opened(page, 'twenty.mid', bigFile(20000));
  const costs = [];
  for (const zoom of [1, 0.2, 0.05]) {
    const cost = await page.evaluate(async (zoom) => {
      const {roll} = window.continuoStudio;
      roll.fit();
      roll.zoom(zoom);
      roll.costs.length = 0;
      const step = (roll.view().to - roll.view().from) / 30;
      for (let i = 0; i < 60; ++i) {
        roll.scrollBy(step);
        await new Promise(requestAnimationFrame);
      }
      return roll.costs.reduce((sum, one) => sum + one, 0) / roll.costs.length;
    }, zoom);
    costs.push(cost);
  }
  console.log(
    `   20,000 notes: a frame is drawn in ${costs.map((cost) => cost.toFixed(1)).join(', ')} ms (near to far)`,
  );
  assert.ok(costs[0] < 16.7 && costs[1] < 16.7, String(costs));
  // Ten million bytes, of more bars than the engine writes at once; then of more than it takes.
  const long = bigFile(1200000, 8);
  await opened(page, 'long.mid', long);
  const bars = await barCount(page);
  assert.ok(long.length > 9.5e6 && bars > 1024, `${long.length} bytes, ${bars} bars`);
  await page.evaluate(() => {
    window.continuoStudio.studio.setForm({moreBars: 2, count: 1, autoplay: false});
  });
  const asked = Date.now();
  await page.keyboard.press('c');
  await page.waitForFunction(() => window.continuoStudio.studio.busy.value);
  await idle(page, 240000);
  assert.equal(await barCount(page), bars + 2);
  console.log(
    `   ${(long.length / 1e6).toFixed(1)} MB, ${bars} bars, continued in ${Date.now() - asked} ms`,
  );
  await page.evaluate(() => {
    window.continuoStudio.studio.setForm({moreBars: 8, count: 4, autoplay: true});
  });
  await opened(page, 'endless.mid', bigFile(400000));
  await page.keyboard.press('c');
  await page.locator('.message.error', {hasText: 'first 10,000 bars'}).waitFor();
  await page.getByRole('button', {name: 'Dismiss'}).first().click();
  const bytes = bigFile(2100000, 8); // more than the engine takes
  const began = Date.now();
  await opened(page, 'large.mid', bytes);
  console.log(`   ${(bytes.length / 1e6).toFixed(1)} MB opened in ${Date.now() - began} ms`);
  assert.equal(
    await page.evaluate(() => window.continuoStudio.studio.song.value.notes.length),
    2100000,
  );
  await page.keyboard.press('c');
  await page
    .locator('.message.error', {hasText: 'too large for the engine'})
    .waitFor({timeout: 60000});
  await page.getByRole('button', {name: 'Dismiss'}).first().click();
  await idle(page);
  await opened(page, 'prompt.mid', prompt);
}

/** A General MIDI SoundFont of Debian's packages sounds, and sounds like itself. */
async function checkSoundFont({page, complaints}) {
  const fonts = ['TimGM6mb.sf2', 'FluidR3_GM.sf2', 'default-GM.sf2'];
  const font = fonts
    .map((name) => `/usr/share/sounds/sf2/${name}`)
    .find((path) => existsSync(path));
  if (!font) {
    console.log('   skipped: no SoundFont (apt-get install timgm6mb-soundfont)');
    return;
  }
  await opened(page, 'prompt.mid', prompt);
  await page.getByRole('tab', {name: 'Sound'}).click();
  const choose = page.locator('.sound-panel input[type=file]');
  const state = () => page.evaluate(() => window.continuoStudio.recorder.soundFontState.value);
  const becomes = (wanted) =>
    page.waitForFunction(
      (wanted) => window.continuoStudio.recorder.soundFontState.value === wanted,
      wanted,
      {timeout: 60000},
    );
  // A damaged one is refused, and the built-in sounds stay.
  const cut = join(folder, 'cut.sf2');
  writeFileSync(cut, readFileSync(font).subarray(0, 100000));
  await choose.setInputFiles(cut);
  await page.locator('.message.error', {hasText: 'cut.sf2 could not be used.'}).waitFor();
  assert.equal(await state(), 'none');
  assert.match(complaints.pop(), /SF parsing error/);
  await page.getByRole('button', {name: 'Dismiss'}).first().click();
  const heard = async () => {
    await page.evaluate(() => window.continuoStudio.studio.player.play(0));
    await page.waitForFunction(() => window.continuoStudio.studio.player.loudness() > 1e-3, null, {
      timeout: 20000,
    });
    await page.evaluate(() => window.continuoStudio.studio.player.pause());
    await page.waitForFunction(() => window.continuoStudio.studio.player.loudness() < 1e-4, null, {
      timeout: 20000,
    });
  };
  await heard();
  await choose.setInputFiles(font);
  await becomes('ready');
  await page.evaluate(() => {
    const {player} = window.continuoStudio.studio;
    const {strike} = player.sounder;
    window.struck = 0;
    player.sounder.strike = (...words) => {
      window.struck++;
      return strike(...words);
    };
  });
  await heard();
  assert.ok((await page.evaluate(() => window.struck)) > 0);
  // A damaged one in its place leaves it.
  await drop(page, 'cut.sf2', readFileSync(cut));
  await page.locator('.message.error', {hasText: 'cut.sf2 could not be used.'}).waitFor();
  await page.getByRole('button', {name: 'Dismiss'}).first().click();
  assert.match(complaints.pop(), /SF parsing error/);
  assert.equal(await state(), 'ready');
  await heard();
  await page.getByRole('button', {name: 'Built-in sounds'}).click();
  assert.equal(await state(), 'none');
  await heard();
  await page.getByRole('tab', {name: 'Compose'}).click();
}

async function checkInspection({page}) {
  await opened(page, 'prompt.mid', prompt);
  await page.getByRole('tab', {name: 'Inspect'}).click();
  await page.waitForFunction(
    () => window.continuoStudio.inspection.surprise.value.length === 8,
    null,
    {timeout: 30000},
  );
  assert.match(await page.locator('.facts').textContent(), /Key[A-G].{0,2} m(ajor|inor)Bars8/);
  assert.ok((await page.evaluate(() => window.continuoStudio.inspection.chords.value.length)) > 2);
  await page.getByRole('button', {name: 'Show as sheet music'}).click();
  await page.locator('dialog .paper svg').first().waitFor({timeout: 30000});
  await page.keyboard.press('Escape');
  // A quarter note that is let go a little early reads as one, unless shorter values are asked for.
  await opened(page, 'early.mid', midiFile(quarters('Piano', 0, 0, 72)));
  await page.getByRole('button', {name: 'Show as sheet music'}).click();
  const sheet = async () => {
    const button = page.getByRole('button', {name: 'Save as MusicXML'});
    return (await downloaded(page, () => button.click())).bytes.toString();
  };
  const round = await sheet();
  assert.equal(round.match(/<type>quarter</g).length, 32);
  assert.ok(!round.includes('<type>32nd<'));
  await page.getByLabel('Smallest note').selectOption('32nd');
  assert.ok((await sheet()).includes('<type>32nd<'));
  await page.keyboard.press('Escape');
  await opened(page, 'prompt.mid', prompt);
  const {name, bytes} = await save(page, /^Sheet music/);
  assert.equal(name, 'prompt.musicxml');
  assert.equal(bytes.toString().match(/<measure /g).length, 8);
  if (existsSync(pythonWithMusic21)) {
    writeFileSync(join(folder, name), bytes);
    const read = execFileSync(
      pythonWithMusic21,
      [join(here, 'read_musicxml.py'), join(folder, name)],
      {stdio: 'pipe'},
    );
    const shown = (await notesOf(page)).map(([tick, , pitch]) => [tick / 480, pitch]);
    const once = new Map(shown.map((note) => [String(note), note]));
    const ordered = [...once.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    assert.deepEqual(JSON.parse(read.toString()), ordered);
  } else {
    console.log('   its notes are not read: no music21 (tools/bootstrap.sh --page-tests)');
    assert.ok(!process.env.CONTINUO_REQUIRE_BROWSER, 'no music21');
  }
  await page.getByRole('tab', {name: 'Compose'}).click();
}

async function checkCrash({page, another, context}) {
  await opened(page, 'prompt.mid', prompt);
  await page.evaluate(() => {
    const {studio} = window.continuoStudio;
    studio.selectAll();
    studio.change(studio.selection.value, (note) => ({pitch: note.pitch + 1}), 'Up');
    studio.title.value = 'Before the crash';
  });
  const before = await notesOf(page);
  await page.waitForFunction(() => window.continuoStudio.studio.saved.value === 'saved');
  const session = await context.newCDPSession(page);
  await Promise.race([
    session.send('Page.crash').catch(() => {}),
    new Promise((done) => setTimeout(done, 500)),
  ]);
  const next = await another();
  await next.waitForFunction(
    () => window.continuoStudio.studio.title.value === 'Before the crash',
    null,
    {timeout: 10000},
  );
  assert.deepEqual(await notesOf(next), before);
  // Another tab does not write into the same piece.
  const second = await another();
  assert.notEqual(
    await second.evaluate(() => window.continuoStudio.studio.title.value),
    'Before the crash',
  );
  await second.close();
  await next.getByRole('button', {name: 'All pieces'}).click();
  await next.locator('.pieces .entry', {hasText: 'prompt'}).first().waitFor();
  await next.keyboard.press('Escape');
  const file = await save(next, /^Session/);
  await next.evaluate(() => window.continuoStudio.studio.fresh());
  await drop(next, file.name, file.bytes);
  await next.waitForFunction(() => window.continuoStudio.studio.title.value === 'Before the crash');
  assert.deepEqual(await notesOf(next), before);
  return next;
}

/** No serious fault of accessibility, and nothing wider than the screen. */
async function checkAccess(page, what) {
  await page.evaluate(axe);
  const {violations} = await page.evaluate(() =>
    window.axe.run(document, {resultTypes: ['violations']}),
  );
  const serious = violations.filter(({impact}) => impact === 'serious' || impact === 'critical');
  assert.deepEqual(
    serious.map(({id, nodes}) => [what, id, nodes.map((node) => node.html.slice(0, 200))]),
    [],
  );
  assert.ok(
    await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
    `${what}: wider than the screen`,
  );
}

async function checkWidth(width) {
  // The page of one file is the same one, so that one scheme shows that it opens.
  for (const colorScheme of oneFile ? ['light'] : ['light', 'dark']) {
    const {page, context, complaints} = await open(width, {
      colorScheme,
      height: width < 500 ? 844 : 900,
    });
    await ready(page);
    const at = `${width} ${colorScheme}`;
    const shot = async (name) => {
      if (!shots) return;
      mkdirSync(shots, {recursive: true});
      await page.screenshot({path: join(shots, `${name}-${width}-${colorScheme}.png`)});
    };
    await checkAccess(page, `${at}, start`);
    await shot('start');
    await page.getByRole('button', {name: 'Try the example'}).click();
    await page.waitForFunction(() => window.continuoStudio.studio.song.value.notes.length > 0);
    await page.evaluate(() => {
      const {studio} = window.continuoStudio;
      studio.bars.value = {first: 2, last: 3};
      studio.setForm({task: 'fill', fixedSeed: true, seed: 5, autoplay: false});
      void studio.compose();
    });
    await idle(page);
    // Bars 3 and 4 are written again, and begin on the screen, even if they are not played.
    const seen = await page.evaluate(() => window.continuoStudio.roll.view());
    assert.ok(seen.from <= 1920 && seen.to > 3840, `${at}: ${JSON.stringify(seen)}`);
    assert.equal(await page.evaluate(() => window.continuoStudio.studio.player.tick), 1920);
    // The button is at hand wherever one is in the form, and hides nothing that is half under it.
    const hit = await page
      .locator('.compose .slider')
      .first()
      .evaluate((slider) => {
        slider.scrollIntoView({block: 'center'});
        const {left, bottom, width} = document.querySelector('.submit').getBoundingClientRect();
        const button = document.elementFromPoint(left + width / 2, bottom - 24);
        const corner = document.elementFromPoint(left + 1, bottom - 1);
        scrollTo(0, 0);
        return [button?.closest('button')?.type, corner?.className];
      });
    assert.deepEqual(hit, ['submit', 'submit'], at);
    const cut = await page.locator('.card .keep').evaluateAll(
      (buttons) =>
        buttons.filter((button) => {
          const card = button.closest('.card').getBoundingClientRect();
          return button.getBoundingClientRect().right > card.right - 4;
        }).length,
    );
    assert.equal(cut, 0, `${at}: buttons that are cut off`);
    await checkAccess(page, `${at}, takes`);
    await shot('takes');
    if (colorScheme === 'light' && (width === 1024 || shots)) {
      for (const tab of ['Play', 'Inspect', 'Sound']) {
        await page.getByRole('tab', {name: tab}).click();
        if (tab === 'Inspect')
          await page.waitForFunction(
            () => window.continuoStudio.inspection.likelihood.value,
            null,
            {timeout: 20000},
          );
        await checkAccess(page, `${at}, ${tab}`);
        await shot(tab.toLowerCase());
      }
      await page.getByRole('button', {name: 'Keys and help'}).click();
      await checkAccess(page, `${at}, help`);
    }
    assert.deepEqual(complaints, [], at);
    await context.close();
  }
}

/** The page of a server that asks for a token, and was given a file. */
async function checkToken() {
  const token = '0123456789abcdef+/';
  const other = await servePage(continuo, pageFile, [join(root, 'examples', 'prompt.mid')], {
    CONTINUO_TOKEN: token,
  });
  try {
    const {page, context, complaints} = await open(1024, {address: other.address});
    await ready(page);
    await page.waitForFunction(() => window.continuoStudio.studio.title.value === 'prompt');
    assert.equal(new URL(page.url()).hash, '');
    await page.reload();
    await ready(page);
    assert.deepEqual(complaints, []);
    await context.close();
    const stranger = await open(1024, {address: other.address.split('#')[0]});
    await stranger.page.locator('.engine.fault').waitFor();
    await stranger.context.close();
  } finally {
    other.stop();
  }
}

/** A model with plan tokens has a form and recall, which a command line that names it has too. */
async function checkPlan() {
  const model = writePlanModel(continuo, join(root, 'examples'), folder, 'planned');
  const other = await servePage(continuo, pageFile, ['--model', model]);
  try {
    const {page, context, complaints} = await open(1440, {address: other.address});
    await ready(page);
    await opened(page, 'prompt.mid', prompt);
    await page.getByLabel('Form').fill('A2 A2');
    const recall = page.locator('.slider', {hasText: 'Recall'});
    assert.equal(await recall.locator('output').textContent(), '0.50', "the model's own");
    await page.evaluate(() => {
      const {studio} = window.continuoStudio;
      // Random weights would fill bars to the brim.
      const limits = {...studio.form.value.limits, maxNotes: 8};
      studio.setForm({moreBars: 4, count: 1, autoplay: false, limits});
    });
    const lost = async (share) => {
      await recall.locator('input').fill(share);
      await page.locator('.submit .primary').click();
      await idle(page);
      await checkCommand(page, 0, model);
      const notes = await notesOf(page);
      await page.keyboard.press('Escape');
      const fresh = notes.filter(([tick]) => tick >= 8 * 1920);
      const begun = fresh.filter(([tick]) => tick < 10 * 1920);
      const later = new Set(fresh.map(([tick, , pitch]) => `${tick - 3840} ${pitch}`));
      assert.ok(begun.length > 4, `${begun.length} notes`);
      return begun.filter(([tick, , pitch]) => !later.has(`${tick} ${pitch}`)).length;
    };
    assert.equal(await lost('1'), 0, 'notes that do not return');
    assert.match(await page.locator('.settings').textContent(), /A2 A2 · recall 1/);
    assert.ok((await lost('0')) > 0);
    assert.deepEqual(complaints, []);
    await context.close();
  } finally {
    other.stop();
  }
}

/** A piece that is begun before the browser has opened its store stays, and is kept in it. */
async function checkSlowStore() {
  const {page, another, context, complaints} = await open(1024, {prepare: slowStore});
  await page.locator('#new-piece').click();
  await idle(page);
  await page.waitForFunction(() => window.continuoStudio.studio.pieceId.value);
  assert.equal(await barCount(page), 16);
  await page.evaluate(() => window.continuoStudio.studio.save());
  const before = await notesOf(page);
  await page.close();
  const next = await another();
  await next.waitForFunction(() => window.continuoStudio.studio.song.value.notes.length > 0);
  assert.deepEqual(await notesOf(next), before);
  assert.deepEqual(complaints, []);
  await context.close();
}

function slowStore() {
  const real = IDBFactory.prototype.open;
  IDBFactory.prototype.open = function (...words) {
    const request = real.apply(this, words);
    Object.defineProperty(request, 'onsuccess', {
      set(handle) {
        request.addEventListener('success', () => setTimeout(handle, 6000));
      },
    });
    return request;
  };
}

async function checkAlone() {
  const {page, context, complaints} = await open(1024, {address: `file://${pageFile}`});
  await page.locator('.engine.fault', {hasText: 'has no engine inside'}).waitFor();
  await drop(page, 'prompt.mid', prompt);
  await page.waitForFunction(() => window.continuoStudio.studio.song.value.notes.length > 0);
  await page.keyboard.press(' ');
  await page.waitForFunction(() => window.continuoStudio.studio.player.loudness() > 1e-3, null, {
    timeout: 20000,
  });
  assert.deepEqual(complaints, []);
  await context.close();
}

let failed = false;
async function check(name, body) {
  const began = Date.now();
  try {
    await body();
    console.log(`ok: ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed = true;
    console.log(`FAILED: ${name}\n${error.stack}`);
  }
}

const only = process.env.STUDIO_ONLY;
const wants = (name) => !only || new RegExp(only).test(name);
try {
  const session = await open();
  await ready(session.page);
  for (const [name, body] of [
    [
      'a new piece plays while it is written, and its command line writes the same bytes',
      checkNewPiece,
    ],
    ['sound renders offline, and is not silent', checkSound],
    [
      'bars are rewritten, a take is kept, undone, and written again by its command line',
      checkRewrite,
    ],
    ['bars of several instruments are rewritten', checkBand],
    ['scale, range and melody limit what is written', checkLimits],
    ['sheet music opens, plain and compressed', checkMusicXml],
    ['a piece is continued', checkContinue],
    ['a new piece that is refused leaves the open one', checkRefusal],
    ['notes are drawn, moved, resized, deleted; the file says so to the tick', checkEdits],
    ['pieces keep what can be undone in them', checkPieces],
    ['at its end, playback returns to where it began', checkEnd],
    ['playback waits for what is being written, and loops', checkPlayback],
    ['Stop keeps complete bars', checkStop],
    ['Stop of a rewriting keeps what is not written again', checkStoppedRewriting],
    ['recording, call and response, MIDI output', checkRecording],
    ['files of the cases open and save as they are', checkFiles],
    ['broken files lose nothing', checkHostileFiles],
    ["someone's SoundFont sounds", checkSoundFont],
    ['inspection and sheet music', checkInspection],
    ['large files', checkBigFiles],
    ['a crash loses nothing, another tab does not interfere, sessions are files', checkCrash],
  ]) {
    if (wants(name)) await check(name, () => body(session));
  }
  await check('no complaint, no request to elsewhere', () =>
    assert.deepEqual(session.complaints, []),
  );
  await session.context.close();
  for (const width of [390, 1024, 1920]) {
    if (wants(`width ${width}`)) await check(`at ${width} pixels`, () => checkWidth(width));
  }
  if (wants('plan') && !oneFile) await check('form and recall of a model with a plan', checkPlan);
  if (wants('slow store') && !oneFile) await check('a slow store loses nothing', checkSlowStore);
  if (wants('alone') && !oneFile) await check('the page without an engine', checkAlone);
  if (wants('token') && !oneFile) await check('a server with a token and a file', checkToken);
} finally {
  await browser.close();
  server.stop();
  rmSync(folder, {recursive: true, force: true});
}
console.log(`${oneFile ?? 'the page of a server'}: ${failed ? 'FAILED' : 'ok'}`);
process.exit(failed ? 1 : 0);
