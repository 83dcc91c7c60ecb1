#!/usr/bin/env bash
# Checks the code and runs the tests; arguments go to pytest. The first call makes .venv, with the
# training packages for the CPU.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/.ci/environment.sh"

ensure_environment 11 ".[train,test]" # mxnet needs distutils, which Python 3.12 dropped
cd "$root"
"$venv/bin/python" -m ruff check
"$venv/bin/python" -m ruff format --check
"$venv/bin/python" -m mypy
exec "$venv/bin/python" -m pytest "$@"
