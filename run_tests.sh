#!/usr/bin/env bash
# Checks the code and runs the tests; arguments go to pytest. The first call makes .venv, with the
# training packages for the CPU.
set -euo pipefail
source "$(dirname "$(readlink -f -- "${BASH_SOURCE[0]}")")/.ci/environment.sh"

ensure_environment ".[train,test]"
cd "$root"
"$venv/bin/python" -m ruff check
"$venv/bin/python" -m ruff format --check
mkdir -p "$venv/mypy/edgegan" # where mypy finds the packages under their import names
ln -sfn "$root"/{trainer,export,runtime} "$root"/edgegan/*.py "$venv/mypy/edgegan/"
"$venv/bin/python" -m mypy
# What checks the page's JavaScript; without it these checks are skipped, and say so.
if command -v npm >/dev/null && ! [ tests/page/node_modules/.package-lock.json -nt tests/page/package-lock.json ]; then
    (cd tests/page && npm ci >/dev/null 2>&1) || say "npm could not install TypeScript and Biome; is there a network?"
fi
# As many processes as cores, so each computes on one.
OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" exec "$venv/bin/python" -m pytest --numprocesses auto --dist worksteal "$@"
