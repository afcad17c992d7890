#!/usr/bin/env python3
"""Measures how much CPU each test takes of the time that it runs: for tests/slots.txt.

  tests/slots.py BUILD [TEST-REGEX]     prints a line for each test: name, slots, wall and CPU seconds

A slot is a quarter of a CPU. Tests run one at a time; processes that outlive their parents (a broker that a script started) count too.
Run it on a quiet machine: a wall time made longer by others makes a test look idle."""
import ctypes
import math
import os
import re
import resource
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def reap_orphans(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.05)
        except ChildProcessError:
            return


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    build = sys.argv[1]
    listed = subprocess.run(["ctest", "--test-dir", build, "-N", "-R", sys.argv[2] if len(sys.argv) == 3 else "."], capture_output=True, text=True, check=True)
    for name in re.findall(r"Test *#\d+: (\S+)", listed.stdout):
        began, before = time.monotonic(), cpu_seconds()
        code = subprocess.run(["ctest", "--test-dir", build, "-R", f"^{name}$"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
        wall = time.monotonic() - began
        reap_orphans(10)
        cpu = cpu_seconds() - before
        slots = min(4, max(1, math.ceil(4 * cpu / wall)))
        print(f"{name:<44} {slots}  # {wall:.1f} s, {cpu:.1f} s of CPU{'' if code == 0 else ', FAILED'}", flush=True)


if __name__ == "__main__":
    main()
