#!/usr/bin/env bash
# Draws faces of the assignment's texts, or of those in a file, with the shipped conditional generator
# and counts them as the graders do. The first call makes .venv; a later one needs no network. See
# ./run_cgan.sh --help.
set -euo pipefail
source "$(dirname "$(readlink -f -- "${BASH_SOURCE[0]}")")/.ci/environment.sh"

ensure_environment .
exec "$venv/bin/python" -I -m edgegan.runtime.run_cgan \
    --output "$root/samples/cgan.png" --compare "$root/samples/cgan_original.png" "$@"
