"""Brokers for benches: a real Kafka (tests/real/kafka) or librdkafka's mock cluster in a separate process. The real one stores and replicates
at the cost of a broker; the mock one needs no Java and keeps about 5 MB per partition, so a reader must keep up with it."""

import os
import socket
import struct
import subprocess
import tempfile

from . import results

PARTITIONS = 4


class Unavailable(Exception):
    pass


class Real:
    kind = "real"

    def __init__(self, port, cpus):
        self.cpus = cpus
        self.tool = os.path.join(results.SOURCE, "tests/real/kafka")
        self.folder = tempfile.mkdtemp(prefix="penstock-kafka-")
        started = self._run("start", "--port", str(port))
        self.address = started.stdout.split("\n")[0]
        if started.returncode != 0 or not self.address:
            self.stop()
            raise Unavailable("no real Kafka: java or mvn is missing, or it did not start")
        self.pid = int(self._run("pids").stdout.split()[0])

    def _run(self, verb, *words):
        return subprocess.run([self.tool, verb, *words, "--dir", self.folder + "/kafka"], capture_output=True, text=True,
                              preexec_fn=results.pinned(self.cpus))

    def topic(self, name):
        self._run("topic", name, str(PARTITIONS))

    def warm(self, build):
        """Warms the broker up: a JVM that has not compiled its hot path yet costs several times as much."""
        self.topic("warm")
        for _ in range(2):
            subprocess.run([os.path.join(build, "bench/bench_kafka_bare"), "--brokers", self.address, "--topic", "warm", "--events", "4000000"],
                           capture_output=True)

    def stop(self):
        self._run("stop", "--wipe")
        subprocess.run(["rm", "-rf", self.folder])


class Mock:
    kind = "mock"

    def __init__(self, build, cpus):
        self.process = subprocess.Popen([os.path.join(build, "penstock"), "mock-broker", "--with-parent"], stdout=subprocess.PIPE, text=True,
                                        preexec_fn=results.pinned(cpus))
        self.address = self.process.stdout.readline().strip()
        if not self.address:
            raise Unavailable("penstock mock-broker did not start")
        self.pid = self.process.pid

    def topic(self, name):
        """The mock cluster makes a topic, with four partitions, for who asks for it by name; verify asks for the list only."""
        host, port = self.address.split(",")[0].rsplit(":", 1)
        body = struct.pack(">hhihih", 3, 1, 1, -1, 1, len(name)) + name.encode()  # Metadata, version 1, no client's name, one topic
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(struct.pack(">i", len(body)) + body)
            client.recv(4)

    def warm(self, build):
        """There is nothing to warm up."""

    def stop(self):
        results.end(self.process)


class Given(Real):
    """A real broker that `tests/real/kafka start --dir FOLDER/kafka` started and somebody else has warmed up; it goes on afterwards."""

    def __init__(self, folder):
        self.cpus, self.folder = None, folder
        self.tool = os.path.join(results.SOURCE, "tests/real/kafka")
        with open(os.path.join(folder, "kafka/bootstrap"), encoding="utf-8") as file:
            self.address = file.read().strip()
        self.pid = int(self._run("pids").stdout.split()[0])

    def warm(self, build):
        """It is warm."""

    def stop(self):
        """It goes on."""


def start(kind, build, cpus=None):
    """Starts a broker of the kind, on these CPUs only if given."""
    return Mock(build, cpus) if kind == "mock" else Real(20000 + os.getpid() % 8000, cpus)
