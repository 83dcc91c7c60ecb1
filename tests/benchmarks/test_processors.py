import math
import shutil
import sys

import pytest

from benchmarks.processors import Processor, arm_processors, compare, main, x86_processors
from edgegan.runtime.errors import UserError
from edgegan.runtime.models import find_model

needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-x86_64") is None, reason="qemu-user is not installed"
)

# In place of a processor: it draws as this one does, but three bytes by one level and one by two.
INEXACT = """
import runpy, sys
import numpy as np

sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
images = np.load(sys.argv[3])
images[0, 0, 0] ^= 1
images[1, 5, 5, 0] ^= 2
np.save(sys.argv[3], images)
"""


@needs_qemu
def test_the_shipped_integers_draw_the_same_bytes_on_processors_without_integer_products():
    results = compare("student", find_model("student"), 1, x86_processors())
    assert [result.processor for result in results] == ["Haswell", "Nehalem"]
    assert [result.differing for result in results] == [0, 0]
    assert all(result.bytes == 25 * 64 * 64 * 3 for result in results)


def test_bytes_that_differ_are_counted(tmp_path):
    script = tmp_path / "inexact.py"
    script.write_text(INEXACT)
    inexact = Processor("inexact", (sys.executable, str(script)), {})
    (found,) = compare("student", find_model("student"), 1, [inexact])
    assert (found.differing, found.most) == (4, 2)
    # 10 log10(255^2 / mean squared difference), the mean over all bytes.
    assert found.quality == pytest.approx(10 * math.log10(255**2 * found.bytes / 7))


def test_a_processor_that_fails_is_one_sentence():
    broken = Processor(
        "broken", (sys.executable, "-c", "raise SystemExit('no such instruction')"), {}
    )
    with pytest.raises(UserError, match="student on broken failed: no such instruction"):
        compare("student", find_model("student"), 1, [broken])


def test_a_folder_without_a_python_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(UserError, match=r"has no usr/bin/python3\.\*, expected a Debian for arm64"):
        arm_processors(tmp_path)


def test_without_the_emulator_its_package_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"qemu-x86_64 is not installed: it is in .* qemu-user"):
        main([])
