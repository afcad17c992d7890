"""The agents of tests/crash/tiers: leaves (taildir -> file channel -> avro sinks in a group) and collectors (avro -> file -> Kafka)."""
import collections
import os
import re
import signal
import subprocess

from agent import PENSTOCK, end_with_parent

LEAVES = {"leaf1": "failover", "leaf2": "failover", "leaf3": "load_balance", "leaf4": "load_balance"}
IDLE_MS = {"leaf1": 120000, "leaf2": 1000, "leaf3": 120000, "leaf4": 1000}
COLLECTORS = ["collector1", "collector2"]
WRONG = re.compile(r"FATAL|Sanitizer|runtime error|damaged|assert", re.IGNORECASE)


def _channel(folder):
    return f"""a1.channels.c1.type = file
a1.channels.c1.checkpointDir = {folder}/checkpoint
a1.channels.c1.dataDirs = {folder}/data
a1.channels.c1.capacity = 1000000
a1.channels.c1.maxFileSize = 1048576
a1.channels.c1.minimumRequiredSpace = 1048576
"""


def _group(kind, first, draw):
    if kind == "failover":
        return f"""a1.sinkgroups.g1.processor.priority.k{first} = 10
a1.sinkgroups.g1.processor.priority.k{3 - first} = 5
a1.sinkgroups.g1.processor.maxpenalty = 2000
"""
    return f"""a1.sinkgroups.g1.processor.selector = {draw.choice(["round_robin", "random"])}
a1.sinkgroups.g1.processor.backoff = true
a1.sinkgroups.g1.processor.selector.maxTimeOut = 2000
"""


def leaf_file(folder, name, first, ports, draw):
    sinks = "".join(f"""a1.sinks.k{i}.type = avro
a1.sinks.k{i}.channel = c1
a1.sinks.k{i}.hostname = 127.0.0.1
a1.sinks.k{i}.port = {port}
a1.sinks.k{i}.batch-size = {draw.choice([100, 1000])}
a1.sinks.k{i}.connect-timeout = 5000
a1.sinks.k{i}.request-timeout = 5000
""" for i, port in enumerate(ports, 1))
    return f"""a1.sources = r1
a1.channels = c1
a1.sinks = k1 k2
a1.sinkgroups = g1
a1.sources.r1.type = TAILDIR
a1.sources.r1.channels = c1
a1.sources.r1.filegroups = app
a1.sources.r1.filegroups.app = {folder}/logs/.*\\\\.log.*
a1.sources.r1.positionFile = {folder}/positions.json
a1.sources.r1.writePosInterval = {draw.choice([100, 500, 3000])}
a1.sources.r1.idleTimeout = {IDLE_MS[name]}
{_channel(folder)}a1.sinkgroups.g1.sinks = k1 k2
a1.sinkgroups.g1.processor.type = {LEAVES[name]}
{_group(LEAVES[name], first, draw)}{sinks}"""


def collector_file(folder, port, brokers, topic):
    return f"""a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = avro
a1.sources.r1.channels = c1
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = {port}
{_channel(folder)}a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.channel = c1
a1.sinks.k1.kafka.bootstrap.servers = {brokers}
a1.sinks.k1.kafka.topic = {topic}
"""


class Machine:
    """An agent that is ended and started again; all its lives have one log."""

    def __init__(self, root, name, text):
        self.name, self.folder, self.process = name, f"{root}/{name}", None
        self.log = f"{self.folder}/agent.log"
        self.begin, self.signals = 0, collections.Counter()
        os.makedirs(f"{self.folder}/logs", exist_ok=True)
        with open(f"{self.folder}/agent.properties", "w", encoding="ascii") as file:
            file.write(text)

    def start(self):
        with open(self.log, "ab") as log:
            self.begin = log.tell()
            self.process = subprocess.Popen([PENSTOCK, "agent", "-n", "a1", "-f", f"{self.folder}/agent.properties"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=end_with_parent)

    def check_runs(self):
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended by itself: {self.process.returncode}")

    def end(self, number):
        """Sends the signal; `await_end` waits."""
        self.check_runs()
        self.process.send_signal(number)
        self.signals[number] += 1

    def _takes_signals(self):
        """Whether this life has come so far."""
        with open(self.log, "rb") as log:
            log.seek(self.begin)
            return b"starts agent" in log.read()

    def await_end(self, number, limit_s=300):
        code = self.process.wait(limit_s)
        good = code == -signal.SIGKILL if number == signal.SIGKILL else code == 0 or (code == -signal.SIGTERM and not self._takes_signals())
        if not good:
            raise RuntimeError(f"{self.name} ended with {code} after signal {number}")
        self.process = None

    def go_on(self):
        if self.process is None:
            self.start()
        else:
            self.process.send_signal(signal.SIGCONT)

    def complaints(self):
        """(lines that must not be there, how often each kind of warning and error came)"""
        wrong, kinds = [], collections.Counter()
        with open(self.log, encoding="utf-8", errors="replace") as log:
            for line in log:
                if WRONG.search(line):
                    wrong.append(f"{self.name}: {line.strip()}")
                found = re.search(r"\b(WARN|ERROR)\b.*", line)
                if found:
                    kinds[re.sub(r"\d[\d,.]*", "N", re.sub(r"/\S+", "PATH", found[0]))[:160]] += 1
        return wrong, kinds
