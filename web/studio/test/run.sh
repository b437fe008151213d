#!/usr/bin/env bash
# run.sh modules                           the page's modules, and whether dist/ is what the
#                                          sources make: needs node
# run.sh browser CONTINUO [STUDIO.html]    the page in Chromium: needs node, playwright-core and
#                                          Chromium
# Exits with 77 where something is missing, with 1 where CONTINUO_REQUIRE_BROWSER is set.
set -euo pipefail
program=${2:+$(realpath "$2")}
page=${3:+$(realpath "$3")}
cd "$(dirname "$0")"
command -v node >/dev/null || {
  echo "skipped: no node (tools/bootstrap.sh --page-tests installs it)"
  exit $([ -n "${CONTINUO_REQUIRE_BROWSER:-}" ] && echo 1 || echo 77)
}
case "$1" in
  modules) exec node --test ./*.test.mjs ;;
  browser) exec node browser.mjs "$program" ${page:+"$page"} ;;
esac
