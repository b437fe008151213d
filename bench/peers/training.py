#!/usr/bin/env python3
"""Tokens a second of training, beside PyTorch and transformers in Python, taking turns on the same machine. See README.md."""

import argparse
import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")


def write_songs(folder, notes):
    """8 MIDI files of one track, of random notes."""
    rng = random.Random(1)
    folder.mkdir()
    for song in range(8):
        events = bytearray()
        for _ in range(notes):
            pitch = rng.randrange(40, 90)
            events += bytes([0, 0x90, pitch, 64]) + bytes([0x81, 0x70, 0x80, pitch, 0])
        events += b"\x00\xff\x2f\x00"
        header = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 0, 0, 1, 1, 0xE0])
        (folder / f"{song}.mid").write_bytes(header + b"MTrk" + len(events).to_bytes(4, "big") + events)


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def run_continuo(args, precision):
    """Tokens a second of wall clock and of processor time, and the peak of memory in GiB."""
    with tempfile.TemporaryDirectory(prefix="continuo-bench-") as name:
        folder = pathlib.Path(name)
        write_songs(folder / "midi", args.context)
        program = str(pathlib.Path(args.bin) / "continuo")
        subprocess.run([program, "corpus", "build", str(folder / "midi"), "--tokenizer", "remi", "-o", str(folder / "corpus"),
                        "--valid", "0", "-q"], check=True, stdout=subprocess.DEVNULL)
        command = [program, "train", "--corpus", str(folder / "corpus"), "-o", str(folder / "run"), "-q"]
        command += ["--layers", str(args.layers), "--heads", str(args.heads), "--width", str(args.width)]
        command += ["--context", str(args.context), "--batch", str(args.batch), "--dropout", str(args.dropout)]
        command += ["--precision", precision, "--threads", str(args.threads), "--steps", "1000000", "--lr", "1e-4"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        log = folder / "run" / "train.jsonl"
        marks = {}
        while process.poll() is None and args.steps + 1 not in marks:
            lines = log.read_text().splitlines() if log.exists() else []
            for count in (1, args.steps + 1):
                if len(lines) >= count and count not in marks:
                    marks[count] = (json.loads(lines[count - 1]), processor_seconds(process.pid))
            time.sleep(0.01)
        if args.steps + 1 not in marks:
            raise RuntimeError(process.stderr.read())
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) / 2**20
        process.kill()
        process.wait()
    (first, first_processor), (last, last_processor) = marks[1], marks[args.steps + 1]
    tokens = last["tokens"] - first["tokens"]
    return tokens / (last["seconds"] - first["seconds"]), tokens / (last_processor - first_processor), peak


def run_transformers(args, precision):
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=316, n_positions=args.context, n_embd=args.width, n_layer=args.layers, n_head=args.heads,
                   resid_pdrop=args.dropout, embd_pdrop=args.dropout, attn_pdrop=args.dropout, bos_token_id=1, eos_token_id=2)
    )
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    ids = torch.randint(0, 316, (args.batch, args.context))

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = model(ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    step()
    start, processor_start = time.perf_counter(), time.process_time()
    for _ in range(args.steps):
        step()
    tokens = args.steps * ids.numel()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return tokens / (time.perf_counter() - start), tokens / (time.process_time() - processor_start), peak


RUNNERS = {"continuo": run_continuo, "transformers": run_transformers}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default="build/bin", help="this engine's programs")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5, help="measured, after one that is not")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--precisions", nargs="+", default=["f32", "bf16"])
    parser.add_argument("--only", choices=RUNNERS)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(RUNNERS[args.child[0]](args, args.child[1])))
        return

    best = {}
    for _ in range(args.rounds):
        for precision in args.precisions:
            for name in RUNNERS:
                if args.only not in (None, name):
                    continue
                child = [sys.executable, *sys.argv, "--child", name, precision]
                done = subprocess.run(child, capture_output=True, text=True)
                if done.returncode != 0:
                    sys.exit(done.stderr)
                wall, processor, peak = json.loads(done.stdout.splitlines()[-1])
                before = best.get((name, precision), (0, 0, 0))
                best[name, precision] = (max(wall, before[0]), max(processor, before[1]), max(peak, before[2]))
    print(f"{args.layers} x {args.width}, {args.batch} x {args.context} ids, dropout {args.dropout}, {args.threads} threads")
    for (name, precision), (wall, processor, peak) in best.items():
        print(f"  {name:12} {precision:5} {wall:8.0f} tok/s ({processor:.0f} a processor second)  peak {peak:.2f} GiB")
    for precision in args.precisions:
        ours, theirs = best.get(("continuo", precision)), best.get(("transformers", precision))
        if ours and theirs:
            print(f"  {precision}: {ours[0] / theirs[0]:.2f} times as fast, {ours[1] / theirs[1]:.2f} times a processor second")


if __name__ == "__main__":
    main()
