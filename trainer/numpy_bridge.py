"""The names that numpy has dropped and mxnet 1.9.1, its last release, asks for when imported.

They stand in numpy while mxnet is imported and no longer, so that nobody else meets them: to ask
whether numpy has a ``bool`` gives the same answer as before. What of mxnet looks them up later is
its copy of numpy's interface, ``mxnet.np``, which edgegan does not use.

``distutils``, which Python 3.12 has dropped and mxnet imports too, comes from setuptools.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

DROPPED = {
    # The type of mxnet.np's booleans. Dropped by numpy 1.24, and another type since 2.0.
    "bool": bool,
    # Constants of mxnet.np. These and all up to the last line were dropped by numpy 2.0 to 2.4.
    "PZERO": 0.0,
    "NZERO": -0.0,
    "PINF": math.inf,
    "NINF": -math.inf,
    "NAN": math.nan,
    "NaN": math.nan,
    # The priority, if none is given, of what listens to gluon's Estimator.
    "Inf": math.inf,
    # Functions for which mxnet.np has its own, found by numpy's name.
    "product": np.prod,
    "round_": np.round,
    "sometrue": np.any,
    # Functions that mxnet.np takes from numpy as they are.
    "alltrue": np.all,
    "in1d": np.isin,
    "msort": partial(np.sort, axis=0),
    "trapz": getattr(np, "trapezoid", None),  # its name since numpy 2.0
    # Financial functions that mxnet.np hands on. numpy 1.20 dropped them: it hands on nothing.
    **dict.fromkeys(("mirr", "npv", "pmt", "ppmt", "pv", "rate")),
}


@contextmanager
def dropped_names() -> Iterator[None]:
    """Let numpy have the names that this one lacks, for as long as mxnet is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns of names that it is about to drop
        lacking = [name for name in DROPPED if not hasattr(np, name)]
    for name in lacking:
        setattr(np, name, DROPPED[name])
    try:
        yield
    finally:
        for name in lacking:
            delattr(np, name)
