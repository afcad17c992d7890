"""The agent of a case: its configuration, and its process, which may have a chosen end."""
import ctypes
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from patience import patient_s

PENSTOCK = os.environ.get("PENSTOCK", "build/debug/penstock")
TOOLS = os.environ.get("PENSTOCK_TOOLS", os.path.join(os.path.dirname(PENSTOCK), "tests"))

SOURCES = {
    "netcat": ["type = netcat", "bind = 127.0.0.1", "port = 0", "max-line-length = 1000000"],
    "syslogtcp": ["type = syslogtcp", "host = 127.0.0.1", "port = 0", "eventSize = 1000000"],
    "multiport_syslogtcp": ["type = multiport_syslogtcp", "host = 127.0.0.1", "ports = 0", "eventSize = 1000000"],
}


def _sink(case, name, life, reloads):
    if case.sink == "kafka":
        return ["type = org.apache.flume.sink.kafka.KafkaSink", f"kafka.bootstrap.servers = {case.brokers}",
                "kafka.topic = crash", "kafka.producer.linger.ms = 1", f"flumeBatchSize = {100 + reloads}"]
    return ["type = file_roll", f"sink.directory = {case.out}", f"sink.rollInterval = {case.roll_interval_s}",
            f"sink.pathManager.prefix = {name}-{life}-{reloads}-"]


def _channel(case, reloads):
    if case.channel == "jdbc":
        return ["type = jdbc", f"driver.url = jdbc:derby:{case.folder}/db;create=true",
                f"maximum.connections = {20 + reloads // 2}"]
    return ["type = file", f"checkpointDir = {case.folder}/state",
            "dataDirs = " + ", ".join(f"{case.folder}/data{i}" for i in range(case.directories)),
            f"keep-alive = {20 + reloads // 2}", "maxFileSize = 1048576", "minimumRequiredSpace = 1048576",
            f"fsyncPerTransaction = {'true' if case.sync else 'false'}", "fsyncInterval = 1"]


def configure(case, life, reloads=0):
    """Writes the agent's file. Each reload changes the sink, and every second one the channel too."""
    sinks = [f"k{i + 1}" for i in range(case.sinks)]
    lines = ["a1.sources = r1", "a1.channels = c1", f"a1.sinks = {' '.join(sinks)}",
             f"a1.penstock.workers = {case.workers}"]
    lines += [f"a1.sources.r1.{line}" for line in SOURCES[case.source] + ["channels = c1"]]
    channel = _channel(case, reloads)
    lines += [f"a1.channels.c1.{line}" for line in channel]
    for name in sinks:
        lines += [f"a1.sinks.{name}.{line}" for line in _sink(case, name, life, reloads) + ["channel = c1"]]
    temporary = f"{case.folder}/agent.properties.new"
    with open(temporary, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    os.rename(temporary, f"{case.folder}/agent.properties")


def end_with_parent():
    """In a child, before exec: it gets SIGKILL when the harness ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Agent:
    """One life of the agent."""

    def __init__(self, case, life, kill=None):
        self.log = f"{case.folder}/agent-{life}.log"
        self.report = f"{case.folder}/killed-{life}"
        environment = dict(os.environ)
        if kill is not None:
            call, count, when = kill
            environment.update(LD_PRELOAD=f"{TOOLS}/crash_kill_at.so", PENSTOCK_KILL_CALL=call,
                               PENSTOCK_KILL_COUNT=str(count), PENSTOCK_KILL_WHEN=when,
                               PENSTOCK_KILL_REPORT=self.report)
            environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [PENSTOCK, "agent", "-n", "a1", "-f", f"{case.folder}/agent.properties"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, preexec_fn=end_with_parent)
        self.began = time.monotonic()
        self.ended = None

    def runs(self):
        if self.ended is None and self.process.poll() is not None:
            self.ended = time.monotonic()
        return self.ended is None

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def await_text(self, pattern, limit_s=60):
        """Returns the match, or None if the process ended before it wrote that."""
        until = patient_s() + limit_s
        while True:
            runs = self.runs()
            match = re.search(pattern, self.text())
            if match or not runs:
                return match
            if patient_s() > until:
                raise TimeoutError(f"{self.log}: no {pattern!r} in {limit_s} s")
            time.sleep(0.003)

    def await_port(self):
        match = self.await_text(r"source r1: listening on \S*?:(\d+)")
        return int(match.group(1)) if match else None

    def signal(self, number):
        if self.runs():
            self.process.send_signal(number)

    def wait(self, limit_s=240):
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise TimeoutError(f"{self.log}: it does not end in {limit_s} s") from None
        self.runs()
        return self.process.returncode

    def killed_at(self):
        """Returns the call at which the library ended it, or None: it did not, or a kill from outside was faster than its report."""
        try:
            with open(self.report, encoding="ascii") as file:
                words = file.read().split()
        except FileNotFoundError:
            return None
        return " ".join(words[:2]) if len(words) == 3 else None
