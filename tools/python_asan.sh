#!/usr/bin/env bash
# Runs the Python package's tests with an extension that is built with AddressSanitizer and
# UndefinedBehaviorSanitizer, in place of the one in the wheel. Python, NumPy and the wheel's
# programs are those without. Leaks are not looked for: Python itself keeps memory to its end.
#
#   cmake --preset asan -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCONTINUO_PYTHON=ON
#   cmake --build --preset asan --target continuo_python
#   tools/python_asan.sh build/wheel build-asan [pytest's arguments]
#
# Exits with 77 where there is no wheel or no test packages.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: tools/python_asan.sh WHEEL_FOLDER ASAN_BUILD [pytest's arguments]" >&2; exit 2; }
wheels=$1
extension=$(realpath "$2")/python/_core.abi3.so
shift 2
[ -e "$extension" ] || { echo "python_asan: $extension: is not there; build the target continuo_python" >&2; exit 1; }
# The runtime has to be loaded first, and libstdc++ with it, whose exceptions it intercepts.
runtime=$(ldd "$extension" | sed -n 's/^\s*lib\(asan\|clang_rt\.asan\)[^ ]* => \([^ ]*\).*/\2/p')
[ -n "$runtime" ] || { echo "python_asan: $extension: is not built with AddressSanitizer" >&2; exit 1; }
cpp=$(ldd "$extension" | sed -n 's/^\s*libstdc++[^ ]* => \([^ ]*\).*/\1/p')
export CONTINUO_TEST_EXTENSION=$extension CONTINUO_TEST_PRELOAD="$runtime $cpp"
export ASAN_OPTIONS=detect_leaks=0:strict_string_checks=1:handle_abort=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
# Left out: what looks at the wheel's extension, and what compares it with the wheel's program, as
# another compiler's sums differ in the last bits and a draw may fall on the other side.
exec "$(dirname "$0")/python_test.sh" "$wheels" --deselect test_package.py::test_the_wheel_holds_all_it_needs \
  --deselect test_model.py::test_the_program_writes_the_same_bytes "$@"
