// Puts the engine and a model into the built page:
//   node build_engine.mjs PAGE.html CONTINUO.wasm MODEL -o OUTPUT.html
//
// MODEL is a model directory. The page unpacks both (wasm/provider.ts).
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {gzipSync} from 'node:zlib';
import {build} from 'esbuild';
import {embed} from './embed.mjs';

const source = join(dirname(fileURLToPath(import.meta.url)), 'wasm');
const modelFiles = [
  'config.json',
  'discriminator.json',
  'generation.json',
  'model.safetensors',
  'tokenizer.json',
  'LICENSE',
];

/** `worker:FILE` is the bundled text of a script. */
const workers = {
  name: 'workers',
  setup(setup) {
    setup.onResolve({filter: /^worker:/}, ({path}) => ({
      path: join(source, path.slice('worker:'.length)),
      namespace: 'worker',
    }));
    setup.onLoad({filter: /.*/, namespace: 'worker'}, async ({path}) => ({
      contents: `export default ${JSON.stringify(await bundle(path))}`,
      loader: 'js',
    }));
  },
};

async function bundle(entry) {
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: source,
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: ['chrome111', 'firefox113', 'safari16.4'],
    charset: 'ascii',
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [workers],
  });
  return result.outputFiles[0].text.trim();
}

/** The bundled script that sets window.CONTINUO_WASM. */
export function engineScript() {
  return bundle(join(source, 'provider.ts'));
}

/** What provider.ts unpacks: the size of a JSON object of sizes by name, the object, and the files. */
export function packModel(directory) {
  const names = modelFiles.filter((name) => existsSync(join(directory, name)));
  const files = names.map((name) => readFileSync(join(directory, name)));
  const sizes = JSON.stringify(Object.fromEntries(names.map((name, i) => [name, files[i].length])));
  const head = Buffer.alloc(4);
  head.writeUInt32LE(sizes.length);
  return Buffer.concat([head, Buffer.from(sizes), ...files]);
}

/** The blocks of the page: element ids with their bytes. Weights of 8 bits hardly become smaller by compression, and take
 * longer to unpack than to read. */
export function engineFiles(wasm, directory) {
  return {
    'continuo-wasm': gzipSync(readFileSync(wasm), {level: 9}),
    'continuo-model': packModel(directory),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [page, wasm, model, flag, output] = process.argv.slice(2);
  if (flag !== '-o' || !output) {
    console.error('usage: node build_engine.mjs PAGE.html CONTINUO.wasm MODEL -o OUTPUT.html');
    process.exit(2);
  }
  const text = embed(readFileSync(page, 'utf8'), await engineScript(), engineFiles(wasm, model));
  writeFileSync(output, text);
  console.log(`${output}: ${(Buffer.byteLength(text) / 1e6).toFixed(1)} MB`);
}
