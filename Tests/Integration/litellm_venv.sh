#!/usr/bin/env bash
# Makes the virtual environment with the real LiteLLM that the fleet's tests run beside budgetd:
# `litellm_venv.sh DIRECTORY`. BUDGETD_LITELLM=newest: with the newest LiteLLM that was looked at, and
# not with the one that the vectors are of. Where PyPI cannot be reached it says so in one line, leaves
# that line in DIRECTORY/unreachable, and the tests that need LiteLLM are skipped with it. Any other
# failure is an error.
set -euo pipefail
venv=$1
case ${BUDGETD_LITELLM:-reference} in
  reference) list=requirements.txt ;;
  newest) list=requirements-newest.txt ;;
  *)
    echo "litellm_venv.sh: BUDGETD_LITELLM is '$BUDGETD_LITELLM': give reference or newest" >&2
    exit 64
    ;;
esac
base=
if [ "${2:-}" != proxy ]; then
  list=litellm-$list
else
  list=litellm-proxy-$list
  base=$(cd "$3" && pwd)
  if [ -f "$base/unreachable" ]; then
    mkdir -p "$venv"
    cp "$base/unreachable" "$venv/unreachable"
    exit 0
  fi
fi
wanted=$(cd "$(dirname "$0")" && pwd)/$list

if [ -x "$venv/bin/python" ] && cmp -s "$wanted" "$venv/requirements.txt"; then exit 0; fi
rm -rf "$venv"
mkdir -p "$(dirname "$venv")"
python3 -m venv "$venv"
if "$venv/bin/pip" install -q --disable-pip-version-check --no-deps --no-compile --retries 2 \
  -r "$wanted" >"$venv/pip.log" 2>&1; then
  "$venv/bin/pip" uninstall -q -y pip setuptools
  # The one import that is needed, compiled here once and not in each test's process.
  module=litellm.router_strategy.budget_limiter
  if [ -n "$base" ]; then
    packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    "$base/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
      >"$packages/litellm.pth"
    module=litellm.proxy.proxy_server
  fi
  LITELLM_LOCAL_MODEL_COST_MAP=True LITELLM_MASTER_KEY=sk-none "$venv/bin/python" -c \
    "import $module"
  cp "$wanted" "$venv/requirements.txt"
elif grep -qiE 'connection|timed out|timeout|resolve|unreachable|proxy' "$venv/pip.log"; then
  echo "PyPI cannot be reached: the tests beside the real LiteLLM are skipped" |
    tee "$venv/unreachable"
else
  cat "$venv/pip.log" >&2
  echo "litellm_venv.sh: pip could not install $wanted" >&2
  exit 1
fi
