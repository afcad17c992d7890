"""The subjects of bench/peers and bench/overload: penstock and its peers, each with the settings that its own documents recommend for speed
(docs/BENCHMARKS.md lists and explains them).

A subject takes events on a port of 127.0.0.1, or follows the files of a directory, and writes them to a topic, or discards them. `start` writes its configuration and
returns its process; it raises Skip with the reason when the subject cannot run here. Debian's rsyslog and syslog-ng conflict with each other: their
packages are unpacked into a cache and run as plain processes."""

import dataclasses
import glob
import os
import random
import re
import shutil
import socket
import subprocess
import time
import urllib.request

from . import results

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "penstock-peers")
PACKAGES = {
    "rsyslog": ["rsyslog", "rsyslog-kafka", "libestr0", "libfastjson4", "liblognorm5"],
    "syslog-ng": ["syslog-ng-core", "syslog-ng-mod-rdkafka", "libivykis0", "libnet1", "libwrap0", "libjson-c5", "libpcre3"],
}


class Skip(Exception):
    pass


def free_port():
    """A port below the kernel's ephemeral ports; it and the next one were free for TCP and UDP a moment ago."""
    while True:
        port = random.randrange(12000, 31000, 2)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                for one in (port, port + 1):
                    with socket.socket(socket.AF_INET, kind) as probe:
                        probe.bind(("127.0.0.1", one))
            return port
        except OSError:
            continue


@dataclasses.dataclass
class Place:
    """The environment of one run of a subject."""

    build: str
    folder: str  # for its configuration and log
    port: int  # where it listens; port + 1: its metrics
    brokers: str = ""
    mock: bool = False  # the brokers are librdkafka's mock cluster
    topic: str = ""
    bytes: int = 120
    compression: str = "none"
    budget: str = ""  # penstock's memory budget
    cpus: object = None  # the only CPUs it may use
    engine: str = ""  # penstock.engine of Kafka sinks
    tuned: bool = True  # Kafka sinks of agents have linger.ms and batch.size for throughput; False: the defaults

    def logs(self):
        """The directory whose files a subject of the scheme `file` follows."""
        path = os.path.join(self.folder, "logs")
        os.makedirs(path, exist_ok=True)
        return path

    def spawn(self, command, environment=None):
        log = open(os.path.join(self.folder, "log"), "w", encoding="utf-8")
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
                                env={**os.environ, **(environment or {})}, preexec_fn=results.pinned(self.cpus))

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def agent(self, name, path, environment=None):
        """Starts penstock, or a real Flume ("flume"), with an agent file of the agent `a`; its metrics are on port + 1."""
        rest = ["agent", "-n", "a", "-f", path, "--no-reload-conf"]
        monitoring = ["-Dflume.monitoring.type=http", f"-Dflume.monitoring.port={self.port + 1}"]
        if name == "flume":
            return self.spawn([os.path.join(results.SOURCE, "tests/real/flume"), *rest],
                              {"FLUME_LOG": "WARN", "FLUME_JAVA": " ".join(["-Xmx2g", *monitoring]), **(environment or {})})
        return self.spawn([os.path.join(self.build, "penstock"), *rest, *monitoring], environment)

    def log_end(self):
        try:
            with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
                return (file.read().strip().splitlines() or [""])[-1][:200]
        except OSError:
            return ""


@dataclasses.dataclass
class Subject:
    name: str
    about: str  # for tables
    start: object  # place -> process
    scheme: str = "tcp"  # of the URL for load; "": it makes its own events; "file": it follows the files place.logs()/*.log
    listens: bool = True  # on its port (scheme "" and "file": on port + 1); False: nothing tells when it has started
    format: str = "rfc3164"
    kafka: bool = True  # otherwise it discards events, and its own counter counts them
    share: float = 1.0  # of the events that the others get; slow subjects need fewer for a run of the same length
    settings: str = ""
    counter: object = None  # place -> events that it took from its source and passed on, by its own count; None: it has no count


def metric(name):
    """A counter of an agent's JSON metrics."""

    def read(place):
        with urllib.request.urlopen(f"http://127.0.0.1:{place.port + 1}/metrics", timeout=5) as answer:
            return sum(int(one) for one in re.findall(rf'"{name}":"(\d+)"', answer.read().decode()))

    return read


def latency_buckets(place, name="latency"):
    """The upper limits of an agent's histogram, from a source's read to the acknowledgement (send_latency: to the socket), and how many are below each."""
    with urllib.request.urlopen(f"http://127.0.0.1:{place.port + 1}/metrics/prometheus", timeout=5) as answer:
        found = re.findall(rf'penstock_sink_{name}_seconds_bucket\{{[^}}]*le="([^"]+)"\}} (\d+)', answer.read().decode())
    return [(float(limit.replace("+Inf", "inf")), int(count)) for limit, count in found]


def percentile_ms(before, after, share):
    """Between the limits of its bucket, by proportion."""
    counts = [(limit, late - early) for (limit, late), (_, early) in zip(after, before)]
    wanted, low, below = counts[-1][1] * share, 0.0, 0
    for limit, count in counts:
        if count >= wanted:
            return 1000 * (low + (limit - low) * (wanted - below) / max(count - below, 1))
        low, below = limit, count
    return 1000 * low


def rsyslog_counter(place):
    """The last line of impstats about its input."""
    time.sleep(1.5)
    with open(os.path.join(place.folder, "stats"), encoding="utf-8", errors="replace") as file:
        found = re.findall(r'"origin": *"(?:imptcp|imudp|imfile)"[^}]*"submitted": *(\d+)', file.read())
    return int(found[-1]) if found else None


# ---- agent files, the same for penstock and Flume ----


def kafka_sink(name, place):
    tuned = f"""a.sinks.{name}.kafka.producer.linger.ms = 5
a.sinks.{name}.kafka.producer.batch.size = 524288
"""
    return f"""
a.sinks.{name}.type = org.apache.flume.sink.kafka.KafkaSink
a.sinks.{name}.channel = c
a.sinks.{name}.kafka.bootstrap.servers = {place.brokers}
a.sinks.{name}.kafka.topic = {place.topic}
a.sinks.{name}.flumeBatchSize = 10000
a.sinks.{name}.kafka.producer.acks = all
a.sinks.{name}.kafka.producer.compression.type = {place.compression}
""" + (tuned if place.tuned else "") + (f"a.sinks.{name}.penstock.engine = {place.engine}\n" if place.engine else "")


def agent_text(place, source, sinks):
    listening = {
        "syslogtcp": f"a.sources.s.type = syslogtcp\na.sources.s.host = 127.0.0.1\na.sources.s.port = {place.port}\n",
        "syslogudp": f"a.sources.s.type = syslogudp\na.sources.s.host = 127.0.0.1\na.sources.s.port = {place.port}\n",
        "netcat": f"a.sources.s.type = netcat\na.sources.s.bind = 127.0.0.1\na.sources.s.port = {place.port}\na.sources.s.ack-every-event = false\n",
        "taildir": "a.sources.s.type = TAILDIR\na.sources.s.filegroups = f\na.sources.s.batchSize = 1000\n"
                   f"a.sources.s.filegroups.f = {place.logs()}/.*log\na.sources.s.positionFile = {place.folder}/positions\n",
        "stress": f"a.sources.s.type = org.apache.flume.source.StressSource\na.sources.s.size = {place.bytes}\na.sources.s.batchSize = 1000\n",
    }[source]
    text = "a.sources = s\na.channels = c\na.sources.s.channels = c\n" + listening
    text += "a.channels.c.type = memory\na.channels.c.capacity = 200000\na.channels.c.transactionCapacity = 20000\n"
    if place.budget:
        text += f"a.penstock.memory.budget = {place.budget}\n"
    if sinks == 0:
        batch = 1000 if source == "stress" else 10000
        return text + (f"a.sinks = k\na.sinks.k.type = null\na.sinks.k.channel = c\na.sinks.k.batchSize = {batch}\n"
                       "a.sinks.k.logEveryNEvents = 100000000\n")
    names = [f"k{number + 1}" for number in range(sinks)]
    return text + f"a.sinks = {' '.join(names)}\n" + "".join(kafka_sink(name, place) for name in names)


def penstock(source, sinks, engine=""):
    def start(place):
        place.engine = engine
        return place.agent("penstock", place.write("agent.properties", agent_text(place, source, sinks)))

    return start


def flume(source, sinks):
    def start(place):
        if not (shutil.which("java") and shutil.which("mvn")):
            raise Skip("java or mvn is missing")
        if sinks and place.mock:
            raise Skip("Flume's Java client does not work with the mock cluster; use --broker real")
        place.budget = ""
        return place.agent("flume", place.write("agent.properties", agent_text(place, source, sinks)))

    return start


# ---- rsyslog and syslog-ng ----


def unpacked(name):
    """Downloads Debian packages into the cache; returns their folder."""
    root = os.path.join(CACHE, "root")
    os.makedirs(CACHE, exist_ok=True)
    for package in PACKAGES[name]:
        done = os.path.join(CACHE, package + ".done")
        if os.path.exists(done):
            continue
        got = subprocess.run(["apt-get", "download", package], cwd=CACHE, capture_output=True)
        files = glob.glob(os.path.join(CACHE, package + "_*.deb"))
        if got.returncode != 0 or not files or subprocess.run(["dpkg", "-x", files[0], root]).returncode != 0:
            raise Skip(f"package {package} cannot be downloaded")
        open(done, "w", encoding="utf-8").close()
    libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/syslog-ng", "usr/lib/syslog-ng/3.38"]
    return root, {"LD_LIBRARY_PATH": ":".join(os.path.join(root, one) for one in libraries)}


def rsyslog(scheme="tcp"):
    def start(place):
        root, environment = unpacked("rsyslog")
        receiving = {
            "tcp": f'module(load="imptcp" threads="2")\ninput(type="imptcp" port="{place.port}" address="127.0.0.1")',
            "udp": 'module(load="imudp" threads="2" timeRequery="8" batchSize="128")\n'
                   f'input(type="imudp" port="{place.port}" address="127.0.0.1" rcvbufSize="4m")',
            "file": 'module(load="imfile" mode="inotify")\n'
                    f'input(type="imfile" file="{place.logs()}/*.log" tag="t" addMetadata="off" maxSubmitAtOnce="10000")',
        }[scheme]
        raw = "msg" if scheme == "file" else "rawmsg"  # imfile puts no header before the line
        path = place.write("rsyslog.conf", f"""
global(workDirectory="{place.folder}")
main_queue(queue.type="FixedArray" queue.size="500000" queue.dequeueBatchSize="10000" queue.workerThreads="1")
module(load="impstats" interval="1" format="json" log.syslog="off" log.file="{place.folder}/stats")
module(load="omkafka")
{receiving}
template(name="raw" type="string" string="%{raw}%")
action(type="omkafka" broker=["{place.brokers}"] topic="{place.topic}" template="raw" partitions.auto="on" resubmitOnFailure="on"
  confParam=["acks=all","enable.idempotence=true","linger.ms=5","batch.size=1000000","batch.num.messages=10000",
             "queue.buffering.max.messages=500000","compression.type={place.compression}"])
""")
        return place.spawn([f"{root}/usr/sbin/rsyslogd", "-n", "-f", path, "-i", f"{place.folder}/pid",
                            "-M", f"{root}/usr/lib/x86_64-linux-gnu/rsyslog"], environment)

    return start


def syslog_ng(flags, message, scheme="tcp"):
    def start(place):
        root, environment = unpacked("syslog-ng")
        network = f'network(ip("127.0.0.1") port({place.port}) transport("{scheme}") log-fetch-limit(10000) {flags}'
        source = {
            "tcp": f"{network} max-connections(100) log-iw-size(400000))",
            "udp": f"{network} so-rcvbuf(4194304))",
            "file": f'wildcard-file(base-dir("{place.logs()}") filename-pattern("*.log") max-files(10) log-fetch-limit(10000) '
                    f'log-iw-size(4000000) {flags})',
        }[scheme]
        path = place.write("syslog-ng.conf", f"""
@version: 3.38
@module {'affile' if scheme == 'file' else 'afsocket'}
@module syslogformat
@module kafka
options {{ stats-freq(0); keep-hostname(yes); use-dns(no); log-fifo-size(1000000); threaded(yes); }};
source s {{ {source}; }};
destination d {{ kafka-c(bootstrap-servers("{place.brokers}") topic("{place.topic}") message("{message}") workers(1)
  config("acks" => "all", "enable.idempotence" => "true", "linger.ms" => "5", "batch.num.messages" => "10000",
         "queue.buffering.max.messages" => "500000", "compression.type" => "{place.compression}")); }};
log {{ source(s); destination(d); {'' if scheme == 'udp' else 'flags(flow-control);'} }};
""")
        return place.spawn([f"{root}/usr/sbin/syslog-ng", "-F", "-f", path, "--module-path", f"{root}/usr/lib/syslog-ng/3.38",
                            "-R", f"{place.folder}/persist", "-p", f"{place.folder}/pid", "-c", f"{place.folder}/ctl", "--no-caps"], environment)

    return start


# ---- programs that are not in Debian: used if installed ----


def program(*names):
    for name in names:
        found = shutil.which(name) or next(iter(glob.glob(f"/opt/*/bin/{name}")), None)
        if found:
            return found
    raise Skip(f"{names[0]} is not installed (not in Debian 12)")


def fluent_bit(scheme="tcp"):
    def start(place):
        receiving = {
            "tcp": f"name tcp\n    listen 127.0.0.1\n    port {place.port}\n    format none\n    separator \\n\n    chunk_size 1024\n    buffer_size 4096",
            "file": f"name tail\n    path {place.logs()}/*.log\n    read_from_head on\n    refresh_interval 1\n"
                    "    buffer_chunk_size 1M\n    buffer_max_size 1M\n    static_batch_size 50M",
        }[scheme]
        path = place.write("fluent-bit.conf", f"""
[SERVICE]
    flush 0.1
    log_level warn
[INPUT]
    {receiving}
    threaded on
    mem_buf_limit 256M
[OUTPUT]
    name kafka
    match *
    brokers {place.brokers}
    topics {place.topic}
    format raw
    raw_log_key log
    queue_full_retries 0
    rdkafka.acks all
    rdkafka.enable.idempotence true
    rdkafka.linger.ms 5
    rdkafka.batch.num.messages 10000
    rdkafka.queue.buffering.max.messages 500000
    rdkafka.compression.type {place.compression}
""")
        return place.spawn([program("fluent-bit", "td-agent-bit"), "-c", path])

    return start


def vector(place):
    path = place.write("vector.toml", f"""
data_dir = "{place.folder}"
acknowledgements.enabled = true
[sources.s]
type = "socket"
mode = "tcp"
address = "127.0.0.1:{place.port}"
[sinks.k]
type = "kafka"
inputs = ["s"]
bootstrap_servers = "{place.brokers}"
topic = "{place.topic}"
compression = "{place.compression}"
encoding.codec = "text"
buffer.type = "memory"
buffer.max_events = 100000
buffer.when_full = "block"
[sinks.k.librdkafka_options]
"acks" = "all"
"enable.idempotence" = "true"
"linger.ms" = "5"
"batch.num.messages" = "10000"
"queue.buffering.max.messages" = "500000"
""")
    return place.spawn([program("vector"), "--config", path, "--quiet"])


RAW = "flags(no-parse)"
DRAINED, TAKEN = metric("EventDrainSuccessCount"), metric("EventTakeSuccessCount")
ALL = [
    Subject("penstock", "syslogtcp → memory → Kafka", penstock("syslogtcp", 1), counter=DRAINED),
    Subject("penstock-librdkafka", "the same with penstock.engine = librdkafka", penstock("syslogtcp", 1, "librdkafka"), counter=DRAINED),
    Subject("flume", "Flume 1.11, the same file", flume("syslogtcp", 1), share=0.1, settings="-Xmx2g", counter=DRAINED),
    Subject("rsyslog", "imptcp → omkafka, raw", rsyslog(),
            settings="FixedArray queue of 500,000, batches of 10,000, raw template", counter=rsyslog_counter),
    Subject("syslog-ng", "network() → kafka-c(), raw", syslog_ng(RAW, "$MSG"),
            settings="no-parse, log-fetch-limit 10,000, log-iw-size 400,000, flow control"),
    Subject("syslog-ng-parsed", "the same, parsed, its default template", syslog_ng("", "$ISODATE $HOST $MSGHDR$MSG"),
            settings="as above, parsed"),
    Subject("syslog-ng-json", "the same, parsed, as JSON", syslog_ng("", "$(format-json --scope rfc5424)"), share=0.5,
            settings="as above, format-json"),
    Subject("fluent-bit", "tcp → kafka, raw", fluent_bit(), settings="threaded input, flush 0.1 s, raw"),
    Subject("vector", "socket → kafka, text", vector, share=0.5, settings="acknowledgements, memory buffer of 100,000, blocking"),
    Subject("penstock-best", "netcat → memory → four Kafka sinks", penstock("netcat", 4), format="fixed", counter=DRAINED),
    Subject("flume-best", "Flume 1.11, the same file (its own best case)", flume("netcat", 4), format="fixed", share=0.5,
            settings="-Xmx2g", counter=DRAINED),
    Subject("penstock-stress", "StressSource → memory → null", penstock("stress", 0), scheme="", kafka=False, counter=TAKEN),
    Subject("flume-stress", "Flume 1.11, the same file", flume("stress", 0),
            scheme="", kafka=False, settings="-Xmx2g, batches of 1,000", counter=TAKEN),
    Subject("penstock-netcat", "netcat → memory → null", penstock("netcat", 0), format="fixed", kafka=False, counter=TAKEN),
    Subject("flume-netcat", "Flume 1.11, the same file", flume("netcat", 0), format="fixed", kafka=False, settings="-Xmx2g", counter=TAKEN),
    Subject("penstock-file", "taildir → memory → Kafka", penstock("taildir", 1), scheme="file", counter=DRAINED),
    Subject("flume-file", "Flume 1.11, the same file", flume("taildir", 1), scheme="file", share=0.25, settings="-Xmx2g", counter=DRAINED),
    Subject("rsyslog-file", "imfile → omkafka, raw", rsyslog("file"), scheme="file", listens=False, share=0.5,
            settings="inotify, maxSubmitAtOnce 10,000, FixedArray queue of 500,000, batches of 10,000, raw template", counter=rsyslog_counter),
    Subject("syslog-ng-file", "wildcard-file() → kafka-c(), raw", syslog_ng(RAW, "$MSG", "file"), scheme="file", listens=False, share=0.5,
            settings="no-parse, log-fetch-limit 10,000, log-iw-size 400,000, flow control"),
    Subject("fluent-bit-file", "tail → kafka, raw", fluent_bit("file"), scheme="file", listens=False, share=0.5,
            settings="threaded input, chunks of 1 MB, flush 0.1 s, raw"),
    Subject("penstock-udp", "syslogudp → memory → Kafka", penstock("syslogudp", 1), scheme="udp"),
    Subject("rsyslog-udp", "imudp → omkafka, raw", rsyslog("udp"), scheme="udp", settings="2 threads, recvmmsg of 128"),
    Subject("syslog-ng-udp", "network(udp) → kafka-c(), raw", syslog_ng(RAW, "$MSG", "udp"), scheme="udp", settings="so-rcvbuf 4 MB"),
]
BY_NAME = {one.name: one for one in ALL}
