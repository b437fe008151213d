#!/usr/bin/env bash
# Tests a wheel like a user: in a fresh virtual environment. First bare, with what pip installs by
# itself, what the README says (left out where there is no package index), then with the test's
# packages, which `tools/bootstrap.sh --python` installs.
#
#   tools/python_test.sh WHEEL_FOLDER [pytest's arguments]
#
# Exits with 77 where there is no wheel or no test packages.
set -euo pipefail
wheel=$(ls "$(realpath "$1")"/continuo-*.whl 2>/dev/null | tail -1) || true
shift
source=$(cd "$(dirname "$0")/.." && pwd)
data=${HOME:-}/.local/share/continuo
python=$data/python/bin/python
if [ -z "$wheel" ] || [ ! -x "$python" ] || [ ! -d "$data/python-tests" ]; then
  echo "python_test: skipped: no wheel, or no test packages (tools/bootstrap.sh --python)"
  [ -z "${CONTINUO_REQUIRE_PYTHON:-}" ] || exit 1
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"  # not where the source's folder `continuo` is

begin=$SECONDS
"$python" -m venv bare
if bare/bin/pip install --quiet --disable-pip-version-check "$wheel" 2>pip.log; then
  sed -n '/^```python$/,/^```$/p' "$source/README.md" | grep -v '^```' >readme.py
  grep -q 'import continuo' readme.py
  cp "$source/examples/prompt.mid" song.mid
  bare/bin/python -W error readme.py >readme.log
  grep -q 'Pop1K7' readme.log
  bare/bin/continuo inspect piece-3.mid >/dev/null
  if bare/bin/continuo train --corpus none 2>train.log; then exit 1; fi
  grep -q '^continuo: train: .*Corpus.dataset()' train.log
  echo "python_test: bare environment: ok, $((SECONDS - begin)) s"
else
  tail -2 pip.log
  echo "python_test: bare environment: skipped, pip could not install"
fi

"$python" -m venv tests
tests/bin/pip install --quiet --disable-pip-version-check --no-deps --no-index "$wheel"
# After the environment's own packages.
packages=$(tests/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$data/python-tests" >"$packages/continuo-tests.pth"
[ ! -d "$data/libtorch/torch" ] || echo "$data/libtorch" >>"$packages/continuo-tests.pth"
export HOME=$work JUPYTER_CONFIG_DIR=$work IPYTHONDIR=$work/ipython
if [ -n "${CONTINUO_TEST_EXTENSION:-}" ]; then  # tools/python_asan.sh
  cp "$CONTINUO_TEST_EXTENSION" "$packages/continuo/_core.abi3.so"
  export LD_PRELOAD=$CONTINUO_TEST_PRELOAD
fi
tests/bin/python -W error -m pytest -p no:cacheprovider -q -c "$source/pyproject.toml" \
  --rootdir "$source/continuo/bindings/python/tests" "$source/continuo/bindings/python/tests" "$@"
