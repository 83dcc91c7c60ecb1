#!/usr/bin/env bash
# Draws 25 faces with the shipped generator and counts them as the graders do. The first call makes
# .venv; a later one needs no network. See ./run_gan.sh --help.
set -euo pipefail
source "$(dirname "$(readlink -f -- "${BASH_SOURCE[0]}")")/.ci/environment.sh"

ensure_environment .
exec "$venv/bin/python" -I -m edgegan.runtime.run_gan \
    --output "$root/samples/gan.png" --compare "$root/samples/gan_original.png" "$@"
