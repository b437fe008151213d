#!/usr/bin/env python3
"""Tokens a second of this engine and of its peers, with the same random GPT-2, taking turns. See README.md."""

import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys
import time

import numpy as np


def read_safetensors(path):
    """The F32 tensors of a file."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[8 + length + begin : 8 + length + end], np.float32)
        tensors[name.removeprefix("transformer.")] = values.reshape(entry["shape"])
    return tensors


def read_model(folder):
    return json.loads((folder / "config.json").read_text()), read_safetensors(folder / "model.safetensors")


# ---- this engine


def run_continuo(args, precision, batch, threads):
    config = args.config
    command = [args.continuo, "bench", "generate", "--json", "--folder", args.folder]
    command += ["--precision", precision, "--batch", str(batch)]
    command += ["--threads", str(threads), "--prompt", str(args.prompt), "--tokens", str(args.tokens)]
    command += ["--layers", str(config["n_layer"]), "--heads", str(config["n_head"])]
    command += ["--width", str(config["n_embd"]), "--vocab", str(config["vocab_size"])]
    command += ["--avx2"] if args.avx2 else []
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    names = ["tokens_per_second", "tokens_per_processor_second", "prompt_seconds", "prompt_processor_seconds"]
    return [result[name] for name in names]


# ---- CTranslate2


def convert_ctranslate2(folder, target):
    import ctranslate2
    from ctranslate2.specs import common_spec, transformer_spec

    config, weights = read_model(folder)
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        config["n_layer"], config["n_head"], pre_norm=True, activation=common_spec.Activation.GELUTanh
    )

    def norm(to, name):
        to.gamma = weights[name + ".weight"]
        to.beta = weights[name + ".bias"]

    def linear(to, name):
        to.weight = np.ascontiguousarray(weights[name + ".weight"].T)
        to.bias = weights[name + ".bias"]

    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = weights["wte.weight"]
    decoder.position_encodings.encodings = weights["wpe.weight"]
    norm(decoder.layer_norm, "ln_f")
    decoder.projection.weight = weights["wte.weight"]
    for i, layer in enumerate(decoder.layer):
        norm(layer.self_attention.layer_norm, f"h.{i}.ln_1")
        linear(layer.self_attention.linear[0], f"h.{i}.attn.c_attn")
        linear(layer.self_attention.linear[1], f"h.{i}.attn.c_proj")
        norm(layer.ffn.layer_norm, f"h.{i}.ln_2")
        linear(layer.ffn.linear_0, f"h.{i}.mlp.c_fc")
        linear(layer.ffn.linear_1, f"h.{i}.mlp.c_proj")
    spec.register_vocabulary([f"t{i}" for i in range(config["vocab_size"])])
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = "t0"
    spec.validate()
    spec.optimize()
    target.mkdir(parents=True, exist_ok=True)
    spec.save(str(target))
    return ctranslate2.__version__


def run_ctranslate2(args, compute_type, batch, threads):
    import ctranslate2

    target = pathlib.Path(args.folder) / "ctranslate2"
    if not (target / "model.bin").exists():
        convert_ctranslate2(args.model, target)
    generator = ctranslate2.Generator(
        str(target), device="cpu", compute_type=compute_type, inter_threads=1, intra_threads=threads
    )
    rng = np.random.default_rng(2)
    vocab = args.config["vocab_size"]
    prompts = [[f"t{i}" for i in rng.integers(1, vocab, args.prompt)] for _ in range(batch)]

    def generate(tokens):
        start, processor_start = time.perf_counter(), time.process_time()
        results = generator.generate_batch(
            prompts, max_length=tokens, min_length=tokens, sampling_topk=1, include_prompt_in_result=False, end_token=[]
        )
        assert all(len(r.sequences_ids[0]) == tokens for r in results)
        return time.perf_counter() - start, time.process_time() - processor_start

    prompt, prompt_processor = generate(1)
    whole, whole_processor = generate(args.tokens + 1)
    tokens = batch * args.tokens
    return tokens / (whole - prompt), tokens / (whole_processor - prompt_processor), prompt, prompt_processor


# ---- llama.cpp


def convert_llama_cpp(folder, target, kind):
    import gguf

    config, weights = read_model(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(str(target), "gpt2")
    writer.add_block_count(config["n_layer"])
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("none")

    def add(name, values):
        values = np.ascontiguousarray(values)
        # As llama.cpp's own converter: vectors and positions stay in f32.
        if values.ndim == 1 or name == "position_embd.weight" or kind == "F32":
            writer.add_tensor(name, values)
        else:
            number = gguf.GGMLQuantizationType[kind]
            writer.add_tensor(name, gguf.quants.quantize(values, number), raw_dtype=number)

    add("token_embd.weight", weights["wte.weight"])
    add("output.weight", weights["wte.weight"])
    add("position_embd.weight", weights["wpe.weight"])
    add("output_norm.weight", weights["ln_f.weight"])
    add("output_norm.bias", weights["ln_f.bias"])
    names = {"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm"}
    names |= {"mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
    for i in range(config["n_layer"]):
        for name, theirs in names.items():
            values = weights[f"h.{i}.{name}.weight"]
            add(f"blk.{i}.{theirs}.weight", values.T if values.ndim == 2 else values)
            add(f"blk.{i}.{theirs}.bias", weights[f"h.{i}.{name}.bias"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def run_llama_cpp(args, kind, batch, threads):
    import ctypes

    import llama_cpp as lib

    target = pathlib.Path(args.folder) / "llama.cpp" / f"{kind}.gguf"
    if not target.exists():
        convert_llama_cpp(args.model, target, kind)
    silent = lib.llama_log_callback(lambda level, text, data: None)
    lib.llama_log_set(silent, ctypes.c_void_p(0))
    lib.llama_backend_init()
    model = lib.llama_model_load_from_file(str(target).encode(), lib.llama_model_default_params())
    assert model, f"{target}: llama.cpp can't load it"
    params = lib.llama_context_default_params()
    params.n_ctx = batch * args.config["n_positions"]
    params.n_batch = max(batch * args.prompt, batch)
    params.n_ubatch = 512
    params.n_seq_max = batch
    params.n_threads = params.n_threads_batch = threads
    context = lib.llama_init_from_model(model, params)
    rng = np.random.default_rng(2)
    vocab = args.config["vocab_size"]

    def decode(ids, positions, sequences, wants):
        count = len(ids)
        b = lib.llama_batch_init(count, 0, 1)
        b.n_tokens = count
        for i in range(count):
            b.token[i], b.pos[i], b.n_seq_id[i], b.seq_id[i][0], b.logits[i] = ids[i], positions[i], 1, sequences[i], wants[i]
        assert lib.llama_decode(context, b) == 0
        lib.llama_batch_free(b)

    def best(row):
        return int(np.ctypeslib.as_array(lib.llama_get_logits_ith(context, row), (vocab,)).argmax())

    start, processor_start = time.perf_counter(), time.process_time()
    next_ids = []
    for s in range(batch):
        ids = rng.integers(1, vocab, args.prompt).tolist()
        decode(ids, range(args.prompt), [s] * args.prompt, [i + 1 == args.prompt for i in range(args.prompt)])
        next_ids.append(best(args.prompt - 1))
    prompt, prompt_processor = time.perf_counter() - start, time.process_time() - processor_start
    start, processor_start = time.perf_counter(), time.process_time()
    for step in range(args.tokens):
        decode(next_ids, [args.prompt + step] * batch, list(range(batch)), [True] * batch)
        next_ids = [best(i) for i in range(batch)]
    seconds = time.perf_counter() - start
    processor = time.process_time() - processor_start
    lib.llama_free(context)
    lib.llama_model_free(model)
    return batch * args.tokens / seconds, batch * args.tokens / processor, prompt, prompt_processor


RUNNERS = {
    "continuo": (run_continuo, ["int8", "bf16", "f32"]),
    "llama.cpp": (run_llama_cpp, ["Q8_0", "BF16", "F32"]),
    "CTranslate2": (run_ctranslate2, ["int8", "float32"]),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--continuo", default="build/bin/continuo", help="this program")
    parser.add_argument("--folder", default="/tmp/continuo-infer-bench", help="where models are kept")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--vocab", type=int, default=512)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--types", nargs="+", help="only these, as in int8 Q8_0")
    parser.add_argument("--avx2", action="store_true", help="no instructions beyond AVX2; llama.cpp must be built without")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.config = {"n_layer": args.layers, "n_head": args.heads, "n_embd": args.width, "vocab_size": args.vocab}
    args.config["n_positions"] = 1024
    args.model = pathlib.Path(args.folder) / f"{args.layers}x{args.width}h{args.heads}v{args.vocab}" / "f32"
    if args.avx2:
        os.environ |= {"CT2_FORCE_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    if args.child:  # a process of its own for each measurement, so that no thread pool lives on in the next
        name, kind, batch, threads = args.child
        print(json.dumps(RUNNERS[name][0](args, kind, int(batch), int(threads))))
        return

    for batch in args.batch:
        for threads in args.threads:
            best = {}
            for _ in range(args.rounds):
                for name, (_, kinds) in RUNNERS.items():
                    for kind in kinds:
                        if args.types and kind not in args.types:
                            continue
                        child = [sys.executable, *sys.argv, "--child", name, kind, str(batch), str(threads)]
                        done = subprocess.run(child, capture_output=True, text=True)
                        if done.returncode != 0:
                            best.setdefault((name, kind), (0.0, 0.0, 0.0, 0.0, done.stderr.strip().splitlines()[-1:]))
                            continue
                        speed, processor, prompt, prompt_processor = json.loads(done.stdout.splitlines()[-1])
                        before = best.get((name, kind), (0.0, 0.0, prompt, prompt_processor))
                        best[name, kind] = (
                            max(speed, before[0]),
                            max(processor, before[1]),
                            min(prompt, before[2]),
                            min(prompt_processor, before[3]),
                            [],
                        )
            print(f"batch {batch}, {threads} threads")
            for (name, kind), (speed, processor, prompt, prompt_processor, error) in best.items():
                print(
                    f"  {name:12} {kind:8} {speed:8.1f} tok/s ({processor:.1f} a processor second)"
                    f"   prompt {prompt:.2f} s ({prompt_processor:.2f} of the processor) {' '.join(error)}"
                )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
