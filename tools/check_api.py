#!/usr/bin/env python3
"""Compares `continuo serve` with docs/api/openapi.json by schemathesis: valid requests must be accepted, others refused, and
every answer, with each server-sent event, must be as the description says.

    tools/check_api.py build/bin/continuo [--examples 10] [--seed 1]

Exits 77 where schemathesis is missing (tools/bootstrap.sh --api-tests).
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
# What a schema cannot say is wrong: 404, a model that the server does not have; 422, such as a bar
# that the piece does not have. 501: there is no FluidSynth.
CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = [200, 404, 422, 501]
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("continuo")
    parser.add_argument("--examples", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--schemathesis", default=Path.home() / ".local/share/continuo/api-tests/bin/schemathesis", type=Path)
    args = parser.parse_args()
    if not args.schemathesis.exists():
        print("check_api: skipped, there is no schemathesis (tools/bootstrap.sh --api-tests)")
        return 77
    server = subprocess.Popen([args.continuo, "serve", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True)
    try:
        address = json.loads(server.stdout.readline())["address"]
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "schemathesis.toml"
            config.write_text(CONFIG)
            environment = {**os.environ, "SCHEMATHESIS_HOOKS": "api_hooks", "PYTHONPATH": str(TOOLS), "PYTHONDONTWRITEBYTECODE": "1"}
            command = [args.schemathesis, "--config-file", config, "run", TOOLS.parent / "docs" / "api" / "openapi.json", "--url",
                       address, "--max-examples", str(args.examples), "--seed", str(args.seed), "--workers", "1", "--no-color",
                       "--suppress-health-check", "all", "--generation-database", "none"]
            status = subprocess.run(command, env=environment, cwd=folder).returncode
        if server.poll() is not None:
            print(f"check_api: the server ended with {server.returncode}")
            status = 1
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(timeout=20)
    return status or (0 if code == 143 else 1)


if __name__ == "__main__":
    sys.exit(main())
