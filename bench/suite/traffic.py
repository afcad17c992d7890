"""`penstock load` and `penstock verify` as child processes: started, watched line by line, ended."""

import json
import os
import random
import subprocess
import threading
import time

from . import results


def new_run():
    return f"{random.randrange(1, 1 << 24):06x}"


class Tool:
    """A subcommand that prints JSON lines: `summary` is the last one, `progress` those before it."""

    def __init__(self, build, words, cpus=None):
        self.command = [os.path.join(build, "penstock"), *words, "--json"]
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=results.pinned(cpus))
        self.began = time.monotonic()
        self.progress, self.summary, self.moved, self.ended, self.errors = [], None, self.began, 0.0, []
        self.cpu_seconds = 0.0
        self.threads = [threading.Thread(target=one, daemon=True) for one in (self._read, self._read_errors)]
        for thread in self.threads:
            thread.start()

    def _read(self):
        for line in self.process.stdout:
            try:
                one = json.loads(line)
            except ValueError:
                continue
            if one.get("type") == "summary":
                self.summary, self.ended = one, time.monotonic()
            elif one.get("type") == "progress":
                if one.get("received", 0) != self.received():
                    self.moved = time.monotonic()
                one["seen"] = time.monotonic()
                self.progress.append(one)
            self.cpu_seconds = results.cpu_seconds(self.process.pid) or self.cpu_seconds

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors = self.errors[-9:] + [line.rstrip()]

    def ready(self):
        """Waits for its first line: from then on it knows where it begins to read."""
        while not self.progress and self.process.poll() is None and time.monotonic() < self.began + 10:
            time.sleep(0.02)
        return self

    def received(self):
        """The number of events verify has seen so far."""
        return self.progress[-1].get("received", 0) if self.progress else 0

    def last_arrival(self, events):
        """When the last of `events` events came. A verify that has seen all of them ends after a second of silence."""
        return self.ended - 1.0 if self.summary and self.summary.get("received", 0) >= events else self.moved

    def wait(self, seconds):
        """Returns its summary; raises when it has not ended by then or printed none."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
        for thread in self.threads:
            thread.join(5)
        if self.summary is None:
            raise RuntimeError(f"{' '.join(self.command)}: exit {self.process.returncode}, no summary; {' '.join(self.errors)[-400:]}")
        return self.summary

    def stop(self):
        """Interrupts it like ^C: it prints its summary."""
        if self.process.poll() is None:
            self.process.send_signal(2)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def load(build, url, run, size, format_, events=None, rate=None, duration=None, connections=4, cpus=None, more=()):
    words = ["load", "--target", url, "--run", run, "--format", format_, "--size", str(size), "--connections", str(connections),
             "--threads", "1", "--pace", "sleep"]  # spinning would take a CPU from the subject and its broker
    for name, value in (("--events", events), ("--rate", rate), ("--duration", duration)):
        if value is not None:
            words += [name, f"{value:.10g}" if isinstance(value, float) else str(value)]
    return Tool(build, words + list(more), cpus)


def verify(build, url, run, events=None, idle="10s", cpus=None):
    words = ["verify", "--from", url, "--run", run, "--idle", idle]
    return Tool(build, words + (["--events", str(events)] if events is not None else []), cpus)
