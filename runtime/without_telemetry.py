"""onnxruntime, imported without its telemetry.

From 1.31 on it keeps an ID of the device and a database in the user's cache and looks up a host of
its maker, unless ORT_DISABLE_TELEMETRY is set when it is imported. So everything here that needs it
takes it from this module, whose name then stands where it is used:

    from edgegan.runtime.without_telemetry import onnxruntime
"""

from __future__ import annotations

import os

SWITCH = "ORT_DISABLE_TELEMETRY"

_chosen_by_host = SWITCH in os.environ
os.environ.setdefault(SWITCH, "1")
try:
    import onnxruntime
finally:
    if not _chosen_by_host:  # it is read at the import, and nobody else asked for it
        del os.environ[SWITCH]

__all__ = ["onnxruntime"]
