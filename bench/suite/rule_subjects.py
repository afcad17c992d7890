"""The subjects of bench/rules_peers: one or a hundred rules in penstock, Flume, rsyslog and syslog-ng, each in its own idiom.

A subject reads lines on a TCP port of 127.0.0.1, applies its rules to each, and discards it; it counts the events of each route. `start`
writes its configuration and returns its process; `counts` returns the number of events of each route so far. The rules are those of
bench/suite/rule_traffic.py, unchanged: they use only what Java's, PCRE's and POSIX's expressions have in common."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import time
import urllib.request

from . import rule_traffic, subjects

REST = rule_traffic.REST


@dataclasses.dataclass
class Rule:
    channel: str
    word: str  # the text that group 1 matches
    pattern: str


def rules_of(kind, count):
    return [Rule(*rule_traffic.rule(kind, number)) for number in range(count)]


def expected(rules, lines):
    """The expected counts: the first rule that matches decides."""
    patterns, out = [(re.compile(one.pattern), one.channel) for one in rules], {REST: 0}
    for one in rules:
        out[one.channel] = 0
    for line in lines:
        out[next((channel for pattern, channel in patterns if pattern.search(line)), REST)] += 1
    return out


# ---- agents: penstock and Flume ----


def property_text(text):
    """Escapes a value for a properties file."""
    return text.replace("\\", "\\\\")


def numbered(routes):
    """Names a channel for each route."""
    return {route: f"c{number}" for number, route in enumerate(routes)}


def agent_text(place, channels, chain, selector=""):
    """A netcat source, these interceptors, a memory channel and a null sink for each route."""
    names = list(channels.values())
    text = f"a.sources = s\na.channels = {' '.join(names)}\na.sinks = {' '.join('k' + one for one in names)}\n"
    text += f"a.sources.s.type = netcat\na.sources.s.bind = 127.0.0.1\na.sources.s.port = {place.port}\na.sources.s.ack-every-event = false\n"
    text += f"a.sources.s.channels = {' '.join(names)}\n" + selector + chain
    for one in names:
        text += (f"a.channels.{one}.type = memory\na.channels.{one}.capacity = 100000\na.channels.{one}.transactionCapacity = 10000\n"
                 f"a.sinks.k{one}.type = null\na.sinks.k{one}.channel = {one}\na.sinks.k{one}.batchSize = 10000\na.sinks.k{one}.logEveryNEvents = 100000000\n")
    return text


def interceptors(list_):
    """list_: of {key: value}, in order."""
    text = f"a.sources.s.interceptors = {' '.join(f'i{number}' for number in range(len(list_)))}\n" if list_ else ""
    for number, keys in enumerate(list_):
        for key, value in keys.items():
            text += f"a.sources.s.interceptors.i{number}.{key} = {property_text(value)}\n"
    return text


def extractor(rule):
    return {"type": "regex_extractor", "regex": rule.pattern, "serializers": "s1", "serializers.s1.name": "route"}


def routing_text(place, job):
    """Flume's idiom: one extractor per rule sets the header, the multiplexing selector reads it."""
    rules = job.rules
    names = numbered([*dict.fromkeys(one.channel for one in rules), REST])
    selector = "a.sources.s.selector.type = multiplexing\na.sources.s.selector.header = route\n"
    for one in rules:
        selector += f"a.sources.s.selector.mapping.{one.word} = {names[one.channel]}\n"
    selector += f"a.sources.s.selector.default = {names[REST]}\n"
    return agent_text(place, names, interceptors([extractor(one) for one in rules]), selector), names


def rules_text(place, job):
    """penstock's idiom: a rules file."""
    rules = job.rules
    names = numbered([*dict.fromkeys(one.channel for one in rules), REST])
    text = f"mode first\ndefault {names[REST]}\n"
    for number, one in enumerate(rules):
        text += f"rule r{number} {{ when body ~ m!{one.pattern}! route {names[one.channel]} }}\n"
    path = place.write("traffic.rules", text)
    return agent_text(place, names, "", f"a.sources.s.selector.type = rules\na.sources.s.selector.rules.file = {path}\n"), names


def taken(place, channels):
    """Events each sink has taken, by route."""
    with urllib.request.urlopen(f"http://127.0.0.1:{place.port + 1}/metrics", timeout=30) as answer:
        found = json.loads(answer.read().decode())
    return {route: int(found.get(f"CHANNEL.{channel}", {}).get("EventTakeSuccessCount", 0)) for route, channel in channels.items()}


class Agent:
    """penstock or Flume with the agent file made by `text`: (place, job) -> (text, {route: channel})."""

    def __init__(self, name, about, text, java=False, settings=""):
        self.name, self.about, self.text, self.java, self.settings = name, about, text, java, settings

    def start(self, place, job):
        if self.java and not (shutil.which("java") and shutil.which("mvn")):
            raise subjects.Skip("java or mvn is missing")
        text, self.channels = self.text(place, job)
        path = place.write("agent.properties", text)
        return place.agent("flume" if self.java else "penstock", path)

    def counts(self, place):
        return taken(place, self.channels)


# ---- rsyslog ----


class Rsyslog:
    """imptcp and a re_match per rule; events that are hit go to an action of their own, the rest is discarded."""

    def __init__(self, name):
        self.name = name
        self.about = "imptcp, if re_match() ... stop, for each rule"
        self.settings = "FixedArray queue, batches of 10,000, no output for what no rule hits"

    def start(self, place, job):
        root, environment = subjects.unpacked("rsyslog")
        self.rules = job.rules
        tests = "".join(
            "if re_match($rawmsg, '{}') then {{ action(type=\"omfile\" name=\"r{}\" file=\"/dev/null\" template=\"raw\") stop }}\n".format(
                one.pattern.replace("\\", "\\\\").replace("'", "\\'"), number) for number, one in enumerate(job.rules))
        path = place.write("rsyslog.conf", f"""
global(workDirectory="{place.folder}")
main_queue(queue.type="FixedArray" queue.size="500000" queue.dequeueBatchSize="10000" queue.workerThreads="1")
module(load="impstats" interval="1" format="json" log.syslog="off" log.file="{place.folder}/stats")
module(load="imptcp" threads="2")
input(type="imptcp" port="{place.port}" address="127.0.0.1" supportOctetCountedFraming="off")
template(name="raw" type="string" string="%rawmsg%\\n")
{tests}
stop
""")
        return place.spawn([f"{root}/usr/sbin/rsyslogd", "-n", "-f", path, "-i", f"{place.folder}/pid",
                            "-M", f"{root}/usr/lib/x86_64-linux-gnu/rsyslog"], environment)

    def counts(self, place):
        """Reads impstats, which is written every second; events in the queue are not counted yet."""
        time.sleep(1.1)
        out = {one.channel: 0 for one in self.rules}
        submitted = queued = 0
        try:
            with open(os.path.join(place.folder, "stats"), encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            return {REST: 0, **out}
        last = {}
        for line in text.splitlines():
            try:
                one = json.loads(line[line.index("{"):])
            except ValueError:
                continue
            last[one.get("name")] = one
        for name, one in last.items():
            if one.get("origin") == "imptcp":
                submitted += one.get("submitted", 0)
            elif name == "main Q":
                queued = one.get("size", 0)
            elif re.fullmatch(r"r\d+", name or "") and "processed" in one:
                out[self.rules[int(name[1:])].channel] += one["processed"]
        return {**out, REST: submitted - queued - sum(out.values())}


# ---- syslog-ng ----


class SyslogNg:
    """network(no-parse) and a filter per rule, each in a final log path."""

    def __init__(self, name):
        self.name = name
        self.about = "network(), a log path with match() for each rule, final"
        self.settings = "no-parse, PCRE with JIT, log-fetch-limit 10,000, flow control, no output for what no rule hits"

    def start(self, place, job):
        self.root, self.environment = subjects.unpacked("syslog-ng")
        self.rules = job.rules
        channels = list(dict.fromkeys(one.channel for one in job.rules))
        filters = "".join(f"filter f{number} {{ match('{one.pattern}' value(\"MESSAGE\") type(\"pcre\")); }};\n" for number, one in enumerate(job.rules))
        outputs = "".join(f'destination d_{one} {{ file("/dev/null" persist-name("{one}") template("$MESSAGE\\n")); }};\n' for one in channels)
        paths = "".join(f"  log {{ filter(f{number}); destination(d_{one.channel}); flags(final); }};\n" for number, one in enumerate(job.rules))
        path = place.write("syslog-ng.conf", f"""
@version: 3.38
@module afsocket
@module affile
@module syslogformat
options {{ stats-freq(0); stats-level(0); keep-hostname(yes); use-dns(no); log-fifo-size(1000000); threaded(yes); }};
source s {{ network(ip("127.0.0.1") port({place.port}) transport("tcp") max-connections(100) log-iw-size(400000) log-fetch-limit(10000) flags(no-parse)); }};
{filters}{outputs}log {{ source(s);
{paths}  flags(flow-control);
}};
""")
        return place.spawn([f"{self.root}/usr/sbin/syslog-ng", "-F", "-f", path, "--module-path", f"{self.root}/usr/lib/syslog-ng/3.38",
                            "-R", f"{place.folder}/persist", "-p", f"{place.folder}/pid", "-c", f"{place.folder}/ctl", "--no-caps"], self.environment)

    def counts(self, place):
        asked = subprocess.run([f"{self.root}/usr/sbin/syslog-ng-ctl", "stats", "-c", f"{place.folder}/ctl"], capture_output=True, text=True,
                               env={**os.environ, **self.environment})
        out, received = {one.channel: 0 for one in self.rules}, 0
        for line in asked.stdout.splitlines():
            fields = line.split(";")
            if len(fields) == 6 and fields[4] == "processed":
                if fields[0] == "destination" and fields[1].removeprefix("d_") in out:
                    out[fields[1].removeprefix("d_")] = int(fields[5])
                elif fields[0] == "source" and fields[1] == "s":
                    received = int(fields[5])
        return {**out, REST: received - sum(out.values())}
