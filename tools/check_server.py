#!/usr/bin/env python3
"""Loads `continuo studio`: 1,000 requests from 16 clients, half of which go away early.

    tools/check_server.py build/bin/continuo [--requests 1000] [--clients 16]

Two thirds of the requests generate; the others continue, rewrite, measure, export, render, and read
the models, the opened file and the page. Every request that is awaited must be answered as it
should, or with 429, after which it is sent again. At the end the server must answer at once, have as
many threads as before, and end when it is told to. Prints its memory after each half of the
requests, and the seconds that it computed, and exits 1 if the second half has taken more than a
tenth.
"""
import argparse
import base64
import http.client
import json
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SONG = Path(__file__).resolve().parent.parent / "examples" / "prompt.mid"
MIDI = base64.b64encode(SONG.read_bytes()).decode()
# path, body (None: GET), what a whole answer has, and how often of 100 requests
KINDS = [
    ("/api/v1/generate", {"bars": 1}, b"event: done", 56),
    ("/api/v1/generate", {"bars": 3}, b"event: done", 10),
    ("/api/v1/continue", {"midi": MIDI, "prompt_bars": 1, "bars": 1}, b"event: done", 4),
    ("/api/v1/fill", {"midi": MIDI, "first": 2, "last": 2}, b"event: done", 2),
    ("/api/v1/likelihood", {"midi": MIDI}, b"nll_of_bars", 2),
    ("/api/v1/evaluate", {"midi": MIDI, "structure": False}, b"metrics", 4),
    ("/api/v1/export", {"midi": MIDI}, b"musicxml", 4),
    ("/api/v1/render", {"midi": MIDI}, b"WAVEfmt", 1),
    ("/api/v1/models", None, b"ticks_per_quarter", 5),
    ("/api/v1/opened", None, MIDI.encode(), 6),
    ("/", None, b"<p>", 6),
]


def status_of(pid):
    text = open(f"/proc/{pid}/status").read()
    return {key: int(re.search(rf"^{key}:\s+(\d+)", text, re.M)[1]) for key in ("VmRSS", "Threads")}


def request(port, kind, seed, leave, counts, lock):
    path, body, expected, _ = kind
    if path == "/api/v1/generate":
        body = {**body, "seed": seed}
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            if body is None:
                connection.request("GET", path)
            else:
                connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            if leave == "before":
                return "left"
            answer = connection.getresponse()
            if answer.status == 429:
                with lock:
                    counts["429"] += 1
                time.sleep(0.05)
                continue
            if leave == "within":
                answer.read(200)
                return "left"
            text = answer.read()
            missing = answer.status == 501 and path == "/api/v1/render"  # no FluidSynth
            return "done" if expected in text or missing else f"{path}: {answer.status} {text[-200:]}"
        except (ConnectionError, http.client.HTTPException):
            # More connections than the server takes are closed.
            with lock:
                counts["closed"] += 1
            time.sleep(0.05)
        finally:
            connection.close()


def run(args, folder):
    page = Path(folder) / "page.html"
    page.write_text("<!doctype html><p>")
    command = [args.continuo, "studio", SONG, "--page", page, "--no-open", "--port", "0", "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    port = int(json.loads(server.stdout.readline())["address"].rsplit(":", 1)[1])
    counts, lock = {"429": 0, "closed": 0, "done": 0, "left": 0, "other": 0}, threading.Lock()

    def client(number, share):
        rng = random.Random(number)
        for i in range(share):
            kind = rng.choices(KINDS, [kind[-1] for kind in KINDS])[0]
            leave = rng.choice(["before", "within", None, None])
            result = request(port, kind, number * 100000 + i, leave, counts, lock)
            with lock:
                counts[result if result in counts else "other"] += 1
                if result not in counts:
                    print(result)

    def load(requests):
        threads = [threading.Thread(target=client, args=(n, requests // args.clients)) for n in range(args.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(3)
        return status_of(server.pid)

    start = time.monotonic()
    before = load(args.requests // 2)  # what the first requests of a thread allocate stays
    after = load(args.requests - args.requests // 2)
    began = time.monotonic()
    last = request(port, KINDS[0], 1, None, counts, lock)
    server.send_signal(signal.SIGTERM)
    code = server.wait(timeout=20)
    computed = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{time.monotonic() - start:.0f} s, of which {computed.ru_utime + computed.ru_stime:.0f} s computed: {counts}; memory {before['VmRSS']} kB, then {after['VmRSS']} kB; threads "
          f"{before['Threads']}, then {after['Threads']}; the last request took {time.monotonic() - began:.2f} s; exit {code}")
    grown = after["VmRSS"] - before["VmRSS"]
    good = last == "done" and code == 143 and counts["other"] == 0 and after["Threads"] == before["Threads"]
    return 0 if good and grown <= before["VmRSS"] // 10 else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("continuo")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=16)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return run(args, folder)


if __name__ == "__main__":
    sys.exit(main())
