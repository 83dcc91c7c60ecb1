"""How many CPU cores this process may use: its affinity, and its container's limit."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")


def available_cores(cgroup_root: Path = CGROUP_ROOT) -> int:
    """Return the number of cores this process may use, at least 1.

    A container's CPU quota counts where it is lower than the affinity. A fraction of a core is
    rounded up: 1.5 cores keep two threads busier than one.
    """
    cores = _affinity()
    quota = _cgroup_v2_quota(cgroup_root) or _cgroup_v1_quota(cgroup_root)
    return max(1, min(cores, math.ceil(quota))) if quota else cores


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cgroup_v2_quota(root: Path) -> float | None:
    """Read cpu.max, "QUOTA PERIOD" in microseconds, QUOTA being "max" where there is no limit."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _cgroup_v1_quota(root: Path) -> float | None:
    """Read the two files of the older interface; a quota of -1 is no limit."""
    try:
        quota = int((root / "cpu" / "cpu.cfs_quota_us").read_text())
        period = int((root / "cpu" / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
