"""mypy sees wrong calls across the packages, and what is no array, as run_tests.sh calls it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Each line that ends in "# wrong" and no other is an error.
CALLS = """\
from typing import Optional

from edgegan import Generator
from edgegan.runtime.latent import draw_latents
from edgegan.trainer.framework import HybridBlock, NDArray, mx
from edgegan.trainer.recipe import load

Generator.load("dcgan").images(seed=7, count=25)
Generator.load(5)  # wrong
Generator.load("dcgan").images(seed=7, count="25")  # wrong
Generator.load("dcgan").image(seed=7)  # wrong
draw_latents(0, 25, 128, 1)  # wrong
load("dcgan", []).batch_size.upper()  # wrong


def judge(network: HybridBlock, images: Optional[NDArray], count: int) -> NDArray:
    scores = network(images)  # wrong
    scores = network(mx.nd.zeros((count, 3, 64, 64)))
    scores = mx.nd.concat(scores, images, dim=0)  # wrong
    scores = scores + images  # wrong
    scores = (scores + 1).mean() / 2
    scores.asarray()  # wrong
    for parameter in network.collect_params().values():
        parameter.data().asnumpy().append(1)  # wrong
    return scores.asnumpy()  # wrong
"""


@pytest.mark.skipif(
    not (ROOT / ".venv" / "mypy").exists(), reason="run_tests.sh makes the links that mypy follows"
)
def test_mypy_finds_every_wrong_call(tmp_path: Path) -> None:
    calls = tmp_path / "calls.py"
    calls.write_text(CALLS)
    found = subprocess.run(
        [sys.executable, "-m", "mypy", str(calls)], cwd=ROOT, capture_output=True, text=True
    )
    lines = {int(line) for line in re.findall(r"calls\.py:(\d+): error", found.stdout)}
    wrong = {number for number, line in enumerate(CALLS.splitlines(), 1) if "# wrong" in line}
    assert lines == wrong, found.stdout + found.stderr
