"""Runs the command that it is given; says on stderr, as JSON, what that took.

A script for ``measure.run_process``. The system counts as a new process's peak memory what the one
that starts it has, so this one is small: it imports next to nothing.
"""

import json
import os
import sys
import time

if __name__ == "__main__":
    command = sys.argv[1:]
    started = time.perf_counter()
    to_stdout = [(os.POSIX_SPAWN_DUP2, 1, 2)]
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=to_stdout)
    _, status, usage = os.wait4(process, 0)
    report = {
        "status": os.waitstatus_to_exitcode(status),
        "seconds": time.perf_counter() - started,
        "maxrss": usage.ru_maxrss,
    }
    print(json.dumps(report), file=sys.stderr)
