// The studio in browsers that are not Chromium: node other_browsers.mjs STUDIO.html|ADDRESS [firefox|webkit]
//
// Firefox (Debian's firefox-esr) and WebKit, the engine of Safari (Debian's webkit2gtk-driver, with xvfb where there is no
// display): STUDIO.html from a file, or what a server has at ADDRESS. A new piece is written and heard, files are dropped, bars are written again, undone, and
// found again after a reload. Names what is not installed and exits with 77 if neither is.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {connect, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const [place, only] = process.argv.slice(2);
if (!place) {
  console.error('usage: node other_browsers.mjs STUDIO.html|ADDRESS [firefox|webkit]');
  process.exit(2);
}
const address = place.startsWith('http') ? place : pathToFileURL(resolve(place)).href;
const seconds = (n) => n * 1000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function freePort() {
  return new Promise((done) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const {port} = server.address();
      server.close(() => done(port));
    });
  });
}

async function until(what, check, patience = seconds(60)) {
  const end = Date.now() + patience;
  for (let last; ; await pause(200)) {
    try {
      last = await check();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what}: ${last}`);
  }
}

/** A sound device that plays to nobody, for machines without one: the environment that has it, and how it ends. */
async function startSound(folder) {
  const server = join(folder, 'sound');
  if (!existsSync('/usr/bin/pulseaudio')) return {environment: {}, stop: () => {}};
  const modules = [
    'module-null-sink',
    `module-native-protocol-unix auth-anonymous=1 socket=${server}`,
  ];
  const words = [
    '-n',
    '--exit-idle-time=-1',
    '--use-pid-file=no',
    ...modules.flatMap((one) => ['-L', one]),
  ];
  const child = spawn('/usr/bin/pulseaudio', words, {
    stdio: 'ignore',
    env: {...process.env, HOME: folder, XDG_RUNTIME_DIR: folder},
  });
  await until('pulseaudio', () => existsSync(server), seconds(20));
  return {environment: {PULSE_SERVER: `unix:${server}`}, stop: () => child.kill()};
}

// Both browsers take the commands of WebDriver: WebKit over HTTP, Firefox through Marionette.

async function openWebKit(folder, environment) {
  const browser = '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser';
  const driver = '/usr/bin/WebKitWebDriver';
  if (!existsSync(driver) || !existsSync(browser)) return null;
  const port = await freePort();
  const words = [driver, `--port=${port}`];
  if (!process.env.DISPLAY) words.unshift('xvfb-run', '-a', '-s', '-screen 0 1440x900x24');
  const child = spawn(words[0], words.slice(1), {
    detached: true,
    stdio: 'ignore',
    env: {
      ...process.env,
      ...environment,
      HOME: folder,
      XDG_DATA_HOME: folder,
      XDG_CACHE_HOME: folder,
    },
  });
  const send = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      body: body && JSON.stringify(body),
    });
    const {value} = await response.json();
    if (value?.error) throw new Error(`${path}: ${value.error}: ${value.message}`);
    return value;
  };
  await until('WebKitWebDriver', () => send('GET', '/status'), seconds(30));
  const options = {binary: browser, args: ['--automation']};
  const {sessionId, capabilities} = await send('POST', '/session', {
    capabilities: {alwaysMatch: {'webkitgtk:browserOptions': options}},
  });
  const base = `/session/${sessionId}`;
  await send('POST', `${base}/timeouts`, {script: seconds(300), pageLoad: seconds(120)});
  return {
    name: `WebKit (${capabilities.browserName} ${capabilities.browserVersion})`,
    go: (url) => send('POST', `${base}/url`, {url}),
    run: (script, args) => send('POST', `${base}/execute/async`, {script, args}),
    find: async (css) =>
      Object.values(await send('POST', `${base}/element`, {using: 'css selector', value: css}))[0],
    click: (id) => send('POST', `${base}/element/${id}/click`, {}),
    picture: () => send('GET', `${base}/screenshot`),
    close: async () => {
      await send('DELETE', base).catch(() => {});
      process.kill(-child.pid);
    },
  };
}

async function openFirefox(folder, environment) {
  const browser = ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find((path) => existsSync(path));
  if (!browser) return null;
  const port = await freePort();
  const preferences = {
    'marionette.port': port,
    'network.dns.disabled': true,
    'browser.shell.checkDefaultBrowser': false,
    'datareporting.policy.dataSubmissionEnabled': false,
    'app.update.disabledForTesting': true,
  };
  const lines = Object.entries(preferences).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  );
  writeFileSync(join(folder, 'user.js'), lines.join(''));
  const words = ['--headless', '--marionette', '--no-remote', '--profile', folder];
  const child = spawn(browser, words, {
    detached: true,
    stdio: 'ignore',
    env: {
      ...process.env,
      ...environment,
      HOME: folder,
      MOZ_HEADLESS_WIDTH: '1440',
      MOZ_HEADLESS_HEIGHT: '900',
    },
  });
  const socket = await until(
    'Firefox',
    () =>
      new Promise((done, fail) => {
        const one = connect(port, '127.0.0.1', () => done(one));
        one.on('error', fail);
      }),
  );
  // A message is its length, a colon and JSON: [0, id, command, parameters], answered by [1, id, error, result].
  const waiting = new Map();
  let pending = Buffer.alloc(0);
  socket.on('data', (data) => {
    pending = Buffer.concat([pending, data]);
    for (;;) {
      const colon = pending.indexOf(0x3a);
      const size = Number(pending.subarray(0, Math.max(0, colon)).toString());
      if (colon < 0 || pending.length < colon + 1 + size) return;
      const message = JSON.parse(pending.subarray(colon + 1, colon + 1 + size).toString());
      pending = pending.subarray(colon + 1 + size);
      if (!Array.isArray(message)) continue; // the greeting
      const [, id, error, result] = message;
      const {done, fail} = waiting.get(id);
      waiting.delete(id);
      if (error) fail(new Error(`${error.error}: ${error.message}`));
      else done(result);
    }
  });
  let last = 0;
  const send = (command, parameters = {}) =>
    new Promise((done, fail) => {
      const text = JSON.stringify([0, ++last, `WebDriver:${command}`, parameters]);
      waiting.set(last, {done, fail});
      socket.write(`${Buffer.byteLength(text)}:${text}`);
    });
  const {capabilities} = await send('NewSession', {strictFileInteractability: true});
  await send('SetTimeouts', {script: seconds(300), pageLoad: seconds(120)});
  return {
    name: `Firefox ${capabilities.browserVersion}`,
    go: (url) => send('Navigate', {url}),
    run: async (script, args) => (await send('ExecuteAsyncScript', {script, args})).value,
    find: async (css) =>
      Object.values((await send('FindElement', {using: 'css selector', value: css})).value)[0],
    click: (id) => send('ElementClick', {id}),
    picture: async () => (await send('TakeScreenshot', {full: false})).value,
    close: async () => {
      socket.destroy();
      process.kill(-child.pid);
    },
  };
}

async function checkStudio(browser) {
  /** The value of an expression in the page, where `studio` is its state; `args` are its arguments. */
  const page = async (expression, ...args) => {
    const body = `
      const done = arguments[arguments.length - 1];
      const args = [...arguments].slice(0, -1);
      const studio = window.continuoStudio?.studio;
      (async () => (${expression}))().then((value) => done({value}), (error) => done({error: String(error)}));`;
    const {value, error} = await browser.run(body, args);
    if (error) throw new Error(`${expression}: ${error}`);
    return value;
  };
  const click = async (css) => browser.click(await browser.find(css));
  const idle = () => until('idle', () => page('!studio.busy.value'), seconds(240));
  const drop = (name, bytes) =>
    page(
      `await (async () => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(atob(args[1]), (c) => c.charCodeAt(0))], args[0]));
        dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));
      })()`,
      name,
      Buffer.from(bytes).toString('base64'),
    );

  await browser.go(address);
  await until('the engine', () => page('studio.engine.value !== null'), seconds(120));
  // What is not caught, and what the page's policy or offline state forbids.
  await page(`(window.faults = [], addEventListener('error', (event) => window.faults.push(event.message)),
    addEventListener('unhandledrejection', (event) => window.faults.push(String(event.reason))),
    addEventListener('securitypolicyviolation', (event) => window.faults.push(event.blockedURI)), true)`);

  let began = Date.now();
  await click('#new-piece');
  await until('notes', () => page('studio.shown.value.notes.length > 0'));
  const first = Date.now() - began;
  await idle();
  const all = Date.now() - began;
  const [notes, bars] = await page(
    '[studio.song.value.notes.length, studio.analysis.value.barCount]',
  );
  assert.ok(notes > 50 && bars >= 16, `${notes} notes in ${bars} bars`);

  // While it plays, from its first notes on.
  const peak = await until('sound', () =>
    page('studio.player.loudness() > 1e-3 && studio.player.loudness()'),
  );
  await page('studio.player.pause()');

  const cases = {'prompt.mid': 'examples/prompt.mid', 'prompt.musicxml': null};
  cases['prompt.musicxml'] = Buffer.from(
    await page(
      'studio.engine.value.exportMusicXml(Uint8Array.from(atob(args[0]), (c) => c.charCodeAt(0)))',
      readFileSync(join(root, cases['prompt.mid'])).toString('base64'),
    ),
  );
  cases['prompt.mid'] = readFileSync(join(root, cases['prompt.mid']));
  for (const [name, bytes] of Object.entries(cases)) {
    const before = await page('studio.pieceId.value');
    await drop(name, bytes);
    await until(name, () =>
      page('studio.pieceId.value !== args[0] && studio.song.value.notes.length > 0', before),
    );
    assert.ok((await page('studio.analysis.value.barCount')) >= 8);
  }
  await drop('broken.mid', Buffer.from('MThd broken'));
  await until('a message', () => page(`studio.messages.value.some((one) => one.kind === 'error')`));
  assert.ok(await page('studio.song.value.notes.length > 0'), 'nothing is lost');

  await page('(studio.bars.value = {first: 2, last: 3}, true)');
  const before = await page('studio.song.value.notes.length');
  await page(`(studio.setForm({task: 'fill', count: 2}), true)`);
  began = Date.now();
  await click('form.compose button[type=submit]');
  await until('takes', () => page('studio.sets.value.length === 1'));
  await idle();
  const filled = Date.now() - began;
  assert.equal(await page('studio.sets.value[0].takes.length'), 2);
  await page('studio.keepLooking()');
  assert.ok(await page('studio.history.value.past.length > 0'));
  await page('studio.undo()');
  assert.equal(await page('studio.song.value.notes.length'), before);
  await page('studio.redo()');

  await page('studio.save()');
  const saved = await page('[studio.saved.value, studio.song.value.notes.length]');
  assert.equal(saved[0], 'saved');
  assert.deepEqual(await page('window.faults'), []);
  await browser.go(address);
  await until('the piece after a reload', () =>
    page('studio?.song.value.notes.length === args[0]', saved[1]),
  );

  console.log(
    `${browser.name}: ok: ${bars} bars, first notes after ${first} ms, all after ${all} ms; two bars again in two takes ` +
      `${filled} ms; loudness ${peak.toFixed(3)}`,
  );
}

let tried = 0;
let failed = 0;
for (const [name, open] of [
  ['firefox', openFirefox],
  ['webkit', openWebKit],
]) {
  if (only && only !== name) continue;
  const folder = mkdtempSync(join(tmpdir(), `continuo-${name}-`));
  let browser = null;
  let sound = null;
  try {
    sound = await startSound(folder);
    browser = await open(folder, sound.environment);
    if (!browser) {
      console.log(`${name}: not installed`);
      continue;
    }
    tried++;
    await checkStudio(browser);
  } catch (error) {
    failed++;
    console.log(`${browser?.name ?? name}: ${error.stack}`);
    const picture = await browser?.picture().catch(() => null);
    if (picture) {
      writeFileSync(join(tmpdir(), `continuo-${name}.png`), Buffer.from(picture, 'base64'));
      console.log(`${name}: see ${join(tmpdir(), `continuo-${name}.png`)}`);
    }
  } finally {
    await browser?.close();
    sound?.stop();
    await pause(500);
    rmSync(folder, {recursive: true, force: true, maxRetries: 5});
  }
}
process.exit(failed ? 1 : tried ? 0 : 77);
