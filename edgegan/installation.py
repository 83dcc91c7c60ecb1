"""How the training packages are installed, for sentences that say that they are missing."""

from __future__ import annotations

import sys

INSTALL_TRAINING = "pip install '.[train]'"
if sys.version_info >= (3, 13):  # for which there is no numpy that mxnet's metadata asks for
    INSTALL_TRAINING += ", then pip install --no-deps mxnet==1.9.1"
