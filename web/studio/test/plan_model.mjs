// A small model with plan tokens and random weights, for tests.
import {execFileSync} from 'node:child_process';
import {copyFileSync, mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

const kWidth = 32;
const kContext = 1024;

/** The shapes of GPT-2's weights, of one layer, by name. */
function shapes(vocabulary) {
  const norm = (name) => [
    [`${name}.weight`, [kWidth]],
    [`${name}.bias`, [kWidth]],
  ];
  const matrix = (name, from, to) => [
    [`${name}.weight`, [from, to]],
    [`${name}.bias`, [to]],
  ];
  return [
    ['transformer.wte.weight', [vocabulary, kWidth]],
    ['transformer.wpe.weight', [kContext, kWidth]],
    ...norm('transformer.h.0.ln_1'),
    ...matrix('transformer.h.0.attn.c_attn', kWidth, 3 * kWidth),
    ...matrix('transformer.h.0.attn.c_proj', kWidth, kWidth),
    ...norm('transformer.h.0.ln_2'),
    ...matrix('transformer.h.0.mlp.c_fc', kWidth, 4 * kWidth),
    ...matrix('transformer.h.0.mlp.c_proj', 4 * kWidth, kWidth),
    ...norm('transformer.ln_f'),
  ];
}

/** Writes the model into `folder`/`name`, and returns that. `songs`: a folder of MIDI files. */
export function writePlanModel(continuo, songs, folder, name) {
  const corpus = join(folder, 'corpus');
  const quietly = {stdio: ['ignore', 'pipe', 'inherit']};
  const build = ['-q', 'corpus', 'build', songs, '--tokenizer', 'remiplan', '-o', corpus];
  execFileSync(continuo, build, quietly);
  const tokenizer = join(corpus, 'tokenizer.json');
  const tokens = execFileSync(continuo, ['vocab', '--tokenizer', tokenizer], quietly);
  const vocabulary = tokens.toString().trimEnd().split('\n').length;

  const header = {};
  const values = [];
  let seed = 1;
  for (const [tensor, shape] of shapes(vocabulary)) {
    const begin = 4 * values.length;
    const count = shape.reduce((product, size) => product * size, 1);
    for (let i = 0; i < count; ++i) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      values.push((seed / 2 ** 32 - 0.5) * 0.2);
    }
    header[tensor] = {dtype: 'F32', shape, data_offsets: [begin, 4 * values.length]};
  }
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeUInt32LE(text.length);
  const model = join(folder, name);
  mkdirSync(model);
  writeFileSync(
    join(model, 'model.safetensors'),
    Buffer.concat([size, text, Buffer.from(Float32Array.from(values).buffer)]),
  );
  const config = {
    model_type: 'gpt2',
    vocab_size: vocabulary,
    n_positions: kContext,
    n_embd: kWidth,
    n_layer: 1,
    n_head: 2,
  };
  writeFileSync(join(model, 'config.json'), JSON.stringify(config));
  writeFileSync(join(model, 'generation.json'), JSON.stringify({temperature: 1, recall: 0.5}));
  copyFileSync(tokenizer, join(model, 'tokenizer.json'));
  return model;
}
