"""mxnet's import: with the names that numpy has dropped, without scipy.stats, and no trace left."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest

from edgegan.trainer.numpy_bridge import DROPPED, dropped_names

# What somebody can find in numpy before and after, in a process of its own.
LOOK = """\
import json, sys, warnings
import numpy as np
warnings.simplefilter("ignore")

def look():
    return {name: hasattr(np, name) for name in names}

from edgegan.trainer.numpy_bridge import DROPPED
names = {*DROPPED, *dir(np)}
before = look()
import edgegan.trainer.framework
after = look()
was_imported = "scipy.stats" in sys.modules
from scipy import stats
print(json.dumps([{name: [before[name], after[name]] for name in names}, was_imported]))
"""


def test_mxnet_leaves_numpy_as_it_was_and_scipy_stats_to_others() -> None:
    found, stats_were_imported = json.loads(
        subprocess.run(
            [sys.executable, "-c", LOOK], capture_output=True, text=True, check=True
        ).stdout.splitlines()[-1]
    )
    assert {"bool", "PINF", "npv", "float32"} <= set(found)
    assert {name for name, (before, after) in found.items() if before != after} == set()
    assert not stats_were_imported  # they take long


def test_every_name_is_there_for_the_import() -> None:
    with warnings.catch_warnings(), dropped_names():
        warnings.simplefilter("ignore")
        assert [name for name in DROPPED if not hasattr(np, name)] == []


def test_dropped_functions_do_what_they_did() -> None:
    with warnings.catch_warnings(), dropped_names():
        warnings.simplefilter("ignore")
        assert np.sometrue([0, 2])
        assert not np.alltrue([0, 2])
        assert np.product([2, 3, 4]) == 24
        assert np.round_(2.567, 1) == 2.6
        assert np.trapz([0, 1, 0]) == 1  # a triangle
        assert np.in1d([1, 5], [5]).tolist() == [False, True]
        assert np.msort([[3, 1], [2, 4]]).tolist() == [[2, 1], [3, 4]]
        assert np.PINF > 1e308 > -1e308 > np.NINF
        assert np.signbit([np.PZERO, np.NZERO]).tolist() == [False, True]
        assert np.isnan([np.NaN, np.NAN]).all()


def test_failed_import_leaves_numpy_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DROPPED, "a_name_of_no_numpy", 1)
    with contextlib.suppress(ImportError), dropped_names():
        assert np.a_name_of_no_numpy == 1
        raise ImportError
    assert not hasattr(np, "a_name_of_no_numpy")
