#!/usr/bin/env python3
"""Loads `continuo serve`: 1,000 requests from 16 clients, half of which go away early.

    tools/check_server.py build/bin/continuo [--requests 1000] [--clients 16]

Every request that is awaited must end with "done", or with 429, after which it is sent again. At the
end the server must answer at once, have as many threads as before, and end when it is told to.
Prints its memory before and after, and exits 1 if it has grown by more than a tenth or 8 MB.
"""
import argparse
import http.client
import json
import random
import re
import signal
import subprocess
import sys
import threading
import time


def status_of(pid):
    text = open(f"/proc/{pid}/status").read()
    return {key: int(re.search(rf"^{key}:\s+(\d+)", text, re.M)[1]) for key in ("VmRSS", "Threads")}


def request(port, seed, leave, counts, lock):
    body = json.dumps({"bars": 2, "seed": seed, "count": 1})
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            connection.request("POST", "/api/v1/generate", body, {"Content-Type": "application/json"})
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
            text = answer.read().decode()
            return "done" if "event: done" in text else f"{answer.status} {text[-200:]}"
        except (ConnectionError, http.client.HTTPException):
            # More connections than the server takes are closed.
            with lock:
                counts["closed"] += 1
            time.sleep(0.05)
        finally:
            connection.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("continuo")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=16)
    args = parser.parse_args()
    server = subprocess.Popen([args.continuo, "serve", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True)
    port = int(json.loads(server.stdout.readline())["address"].rsplit(":", 1)[1])
    counts, lock = {"429": 0, "closed": 0, "done": 0, "left": 0, "other": 0}, threading.Lock()

    def client(number, share):
        rng = random.Random(number)
        for i in range(share):
            leave = rng.choice(["before", "within", None, None])
            result = request(port, number * 100000 + i, leave, counts, lock)
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
    before = load(args.requests // 10)  # what the first requests allocate stays
    after = load(args.requests)
    began = time.monotonic()
    last = request(port, 1, None, counts, lock)
    server.send_signal(signal.SIGTERM)
    code = server.wait(timeout=20)
    print(f"{time.monotonic() - start:.0f} s: {counts}; memory {before['VmRSS']} kB, then {after['VmRSS']} kB; threads "
          f"{before['Threads']}, then {after['Threads']}; the last request took {time.monotonic() - began:.2f} s; exit {code}")
    grown = after["VmRSS"] - before["VmRSS"]
    good = last == "done" and code == 143 and counts["other"] == 0 and after["Threads"] == before["Threads"]
    sys.exit(0 if good and grown <= max(8000, before["VmRSS"] // 10) else 1)


if __name__ == "__main__":
    main()
