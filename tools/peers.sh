#!/usr/bin/env bash
# Holds the tokenizers to MidiTok itself: makes a virtual environment for each release in out/peers,
# and tests new random configurations and scores, and that MidiTok loads what Continuo saves,
# against both. Needs a build and PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."

for release in "3.1.0 0.6.0" "3.0.4 0.5.4"; do
  read -r miditok symusic <<<"$release"
  venv=out/peers/miditok-$miditok
  if [ ! -x "$venv/bin/pip" ] || ! "$venv/bin/python" -c 'import miditok' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "miditok==$miditok" "symusic==$symusic"
  fi
  CONTINUO_MIDITOK_PYTHON=$PWD/$venv/bin/python build/bin/token_test --gtest_filter='MidiTokPeer*'
done
