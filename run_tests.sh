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
# As many processes as cores, so each computes on one.
OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" exec "$venv/bin/python" -m pytest --numprocesses auto --dist worksteal "$@"
