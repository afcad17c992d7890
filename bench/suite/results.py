"""Common parts of the scripts of bench/: their options, the record that they print, the description of the machine, measured processes, and a line
of progress on a terminal.

A record is one JSON object on one line:

    bench, variant    what was measured
    value, unit       the median and its unit; better: "higher" or "lower"
    low, high         lowest and highest sample; rounds: number of samples; samples: all of them
    reference, reference_value, reference_low, reference_high, reference_samples
                      the reference, if any, measured in turn in the same run
    ratio, ratio_low, ratio_high
                      value / reference by pairs: comparable between machines
    goal, goal_ratio  the goal, if any
    machine, version, date

A bench that cannot run here is {"bench":..,"variant":..,"skip":"reason"}."""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def options(doc, rounds=3, seconds=None, events=None):
    """A parser of the options that bench/run gives every bench; `doc` is the help."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS)
    parser.add_argument("--build", type=os.path.abspath, default=os.path.abspath(os.environ.get("BUILD", os.path.join(SOURCE, "build/release"))),
                        help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=rounds, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=seconds, help=argparse.SUPPRESS)
    parser.add_argument("--events", type=int, default=events, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help=argparse.SUPPRESS)
    return parser


def _first(path, pattern, otherwise="unknown"):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = re.search(pattern, file.read(), re.M)
            return found.group(1).strip() if found else otherwise
    except OSError:
        return otherwise


def _library(name):
    try:
        return subprocess.run(["pkg-config", "--modversion", name], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine():
    return {
        "cpu": _first("/proc/cpuinfo", r"^model name\s*: (.*)$"),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "os": _first("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)'),
        "librdkafka": _library("rdkafka"),
        "hyperscan": _library("libhs"),
    }


def version(build):
    try:
        return subprocess.run([os.path.join(build, "penstock"), "version"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def date():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def spread(samples, prefix=""):
    """The members of a record with the measured figures."""
    return {
        prefix + "value": statistics.median(samples),
        prefix + "low": min(samples),
        prefix + "high": max(samples),
        prefix + "samples": list(samples),
    }


def merged(records):
    """Merges several records of one bench and variant (from several processes)."""
    out = dict(records[0])
    out.update(spread([one for record in records for one in record["samples"]]))
    out["rounds"] = len(out["samples"])
    if "reference" in out:
        out.update(spread([one for record in records for one in record["reference_samples"]], "reference_"))
        ratios = [a / b for a, b in zip(out["samples"], out["reference_samples"])]
        out.update(ratio=statistics.median(ratios), ratio_low=min(ratios), ratio_high=max(ratios))
    return out


def show(record):
    """Prints a record of one process for bench/run; adds the ratios to one with a reference."""
    print(json.dumps(rounded({**merged([record]), "load": os.getloadavg()[0]})), flush=True)


def rounded(value):
    if isinstance(value, float):
        short = float(f"{value:.6g}")
        return int(short) if short.is_integer() else short
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(one) for one in value]
    return value


class Writer:
    """Adds machine, version and date to records and writes them to a file or standard output."""

    def __init__(self, path, build):
        self.file = open(path, "w", encoding="utf-8") if path else sys.stdout
        self.machine, self.version = machine(), version(build)

    def write(self, record):
        full = {**rounded(record), "machine": self.machine, "version": self.version, "date": date()}
        print(json.dumps(full, separators=(",", ":")), file=self.file, flush=True)


class Progress:
    """One line on a terminal that is overwritten; prints nothing elsewhere."""

    def __init__(self):
        self.live = sys.stderr.isatty()

    def show(self, text):
        if self.live:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self):
        if self.live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def say(self, text):
        self.clear()
        print(text, file=sys.stderr, flush=True)


# ---- measured processes ----


def cpu_seconds(pid):
    """User and system time of a process and its threads so far, to the nanosecond: /proc/PID/stat counts in ticks of 10 ms, in which a fast
    program sends 50,000 events. The number of the clock is what clock_getcpuclockid(3) computes. 0 when the process has been reaped."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


def memory_peak_bytes(pid):
    return int(_first(f"/proc/{pid}/status", r"^VmHWM:\s*(\d+)", "0")) * 1024


def pinned(cpus):
    """For Popen's preexec_fn: runs the process on these CPUs only; None: on all."""

    def go():
        if cpus:
            os.sched_setaffinity(0, cpus)

    return go


def end(process, seconds=10):
    """Ends a process with SIGTERM, then SIGKILL. Returns the exit code."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def listening(port, process, seconds=30, datagrams=False):
    """Waits until a process listens on the port; returns False when `process` ended or time is up."""
    wanted = f":{port:04X}"
    files = ["/proc/net/udp", "/proc/net/udp6"] if datagrams else ["/proc/net/tcp", "/proc/net/tcp6"]
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        for name in files:
            try:
                with open(name, encoding="ascii") as file:
                    for line in file.readlines()[1:]:
                        fields = line.split()
                        if fields[1].endswith(wanted) and (datagrams or fields[3] == "0A"):
                            return True
            except OSError:
                pass
        time.sleep(0.05)
    return False
