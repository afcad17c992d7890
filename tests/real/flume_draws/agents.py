#!/usr/bin/env python3
"""Runs drawn flows (flows.py) in a real Flume and in penstock, hundreds in one agent each, and compares what comes out.

    agents.py FOLDER SEED FIRST COUNT KIND... -- FLUME -- PENSTOCK     FLUME and PENSTOCK: commands; `agent -n a1 -f FILE` is added

Differences that docs/MIGRATING.md or the page of the stage names are counted by their names; any other is printed, and the exit status is 1.
"""
import collections
import concurrent.futures
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import differences
import flows

# In seconds of the clock Calm, but for PATIENCE_S.
READY_QUIET_S = 2  # without a source that starts
PORTS_QUIET_S = 10  # without a port that is opened
QUIET_S = 6.5      # Flume's sinks look every 5 s
ANSWER_S = 30      # then a source does not answer
PATIENCE_S = float(os.environ.get("PATIENCE_S", "240"))


class Calm:
    """A clock that slows down with the share that the agents get of the processor time that they ask for. It goes at half the speed at least."""

    LOOK_S, SLOWEST = 0.25, 0.5

    def __init__(self):
        self.seconds, self.pids, self.seen = 0.0, [], {}
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        then = time.monotonic()
        while True:
            time.sleep(self.LOOK_S)
            had, waited = self.grown()
            now = time.monotonic()
            share = had / (had + waited) if had + waited > 0 else 1
            self.seconds += (now - then) * max(share, self.SLOWEST)
            then = now

    def grown(self):
        """How long the agents' threads have run, and have waited for a processor, since the last look."""
        had, waited, seen = 0, 0, {}
        for path in [f"/proc/{pid}/task/{task}/schedstat" for pid in self.pids for task in self.names(pid)]:
            try:
                with open(path, encoding="ascii") as file:
                    seen[path] = [int(word) for word in file.read().split()[:2]]
            except OSError:  # it has ended
                continue
            before = self.seen.get(path, [0, 0])
            had, waited = had + seen[path][0] - before[0], waited + seen[path][1] - before[1]
        self.seen = seen
        return had, waited

    @staticmethod
    def names(pid):
        try:
            return os.listdir(f"/proc/{pid}/task")
        except OSError:
            return []


calm = Calm()


class Result:
    """What came of a flow: answers to its actions; events and files of its sinks; files of its source's directory."""

    def __init__(self):
        self.answers, self.sinks, self.files = [], [], []

    def same_as(self, other):
        return self.answers == other.answers and self.sinks == other.sinks and self.files == other.files


class Agent:
    def __init__(self, name, command, folder, drawn):
        self.name, self.command, self.folder, self.flows = name, command, os.path.join(folder, name), drawn
        self.ports = {}
        os.makedirs(self.folder)

    def placed(self, flow, value):
        port = self.ports.get(flow.number, (0, 0))
        return value.replace("@DIR@", self.directory(flow)).replace("@PORT@", str(port[0])).replace("@PORT2@", str(port[1]))

    def directory(self, flow):
        return f"{self.folder}/{flow.number}"

    def prepare(self):
        lines = []
        for flow in self.flows:
            for i in range(len(flow.sinks)):
                os.makedirs(f"{self.directory(flow)}/out{i}")
            for path, content, seconds in flow.files:
                path = f"{self.directory(flow)}/{path}"
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(content)
                os.utime(path, (seconds, seconds))
            lines += flow.properties(self)
        lines.append("a1.sources = " + " ".join(f"r{flow.number}" for flow in self.flows))
        names = [flow.channel(i) for flow in self.flows for i in range(len(flow.sinks))]
        lines.append("a1.channels = " + " ".join(names))
        lines.append("a1.sinks = " + " ".join("k" + name[1:] for name in names))
        with open(self.folder + ".properties", "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")

    def start(self):
        self.log = open(self.folder + ".log", "wb")
        self.process = subprocess.Popen(self.command + ["agent", "-n", "a1", "-f", self.folder + ".properties"], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        calm.pids.append(self.process.pid)

    def started(self):
        with open(self.folder + ".log", "rb") as file:
            return len(re.findall(rb"name: r\d+ started|starts agent", file.read()))

    def await_ready(self):
        until, seen, since = time.monotonic() + PATIENCE_S, -1, calm.seconds
        while seen <= 0 or calm.seconds - since < READY_QUIET_S:
            if self.process.poll() is not None or time.monotonic() > until:
                sys.exit(f"{self.name} does not start: see {self.folder}.log")
            count = self.started()
            if count != seen:
                seen, since = count, calm.seconds
            time.sleep(0.2)

    def written(self):
        total = 0
        for flow in self.flows:
            for where, _, files in os.walk(self.directory(flow)):
                total += sum(os.lstat(os.path.join(where, one)).st_size + 1 for one in files if os.path.lexists(os.path.join(where, one)))
        return total

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


# ---- what is done to a source ----

def free_ports(count):
    """Ports that are free now, for TCP and UDP."""
    held, ports = [], []
    while len(ports) < count:
        one, other = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind(("127.0.0.1", 0))
        try:
            other.bind(one.getsockname())
        except OSError:
            one.close()
            continue
        held += [one, other]
        ports.append(one.getsockname()[1])
    for one in held:
        one.close()
    return ports


def open_ports():
    """All TCP ports that listen, and all UDP ports."""
    ports = set()
    for name in ("tcp", "tcp6", "udp", "udp6"):
        try:
            with open(f"/proc/net/{name}", encoding="ascii") as lines:
                for line in list(lines)[1:]:
                    words = line.split()
                    if name.startswith("udp") or words[3] == "0A":
                        ports.add(int(words[1].rpartition(":")[2], 16))
        except OSError:
            continue
    return ports


def await_ports(agents):
    """Waits until each agent listens for the flows that the other one listens for, or for PORTS_QUIET_S without a change."""
    until, seen, since = time.monotonic() + PATIENCE_S, None, calm.seconds
    while time.monotonic() < until and calm.seconds - since < PORTS_QUIET_S:
        ports = open_ports()
        now = [{flow for flow, both in agent.ports.items() if ports & set(both)} for agent in agents]
        if now[0] == now[1]:
            return
        if now != seen:
            seen, since = now, calm.seconds
        time.sleep(0.2)


def read_to_end(connection):
    answer, since = b"", calm.seconds
    connection.settimeout(1)
    while calm.seconds - since < ANSWER_S:
        try:
            piece = connection.recv(65536)
        except TimeoutError:
            continue
        except ConnectionResetError:  # it closed before all bytes had come: whether they come before or after is chance
            return answer, "closed"
        except OSError:
            return answer, "cut"
        if not piece:
            return answer, "closed"
        answer, since = answer + piece, calm.seconds
    return answer, "silent"


def connect(port, pieces, ends):
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
            try:
                for i, piece in enumerate(pieces):
                    time.sleep(0.05 if i > 0 else 0)
                    connection.sendall(piece)
                if ends:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:  # it has closed the connection
                pass
            return read_to_end(connection)
    except OSError:
        return b"", "refused"


def act(agent, flow):
    answers = []
    for action in flow.actions:
        ports = agent.ports.get(flow.number)
        if action[0] == "connect":
            answers.append(connect(ports[action[1]], action[2], True))
        elif action[0] == "request":
            text, how = connect(ports[0], [action[1] + action[2]], False)
            status = re.match(rb"HTTP/1.1 (\d+)", text)
            answers.append(status[1].decode() if status else how)
        elif action[0] == "datagram":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(action[1], ("127.0.0.1", ports[0]))
            time.sleep(0.01)
        elif action[0] == "append":
            with open(f"{agent.directory(flow)}/{action[1]}", "ab") as file:
                file.write(action[2])
        elif action[0] == "rest":
            time.sleep(action[1])
    return answers


def files_below(folder):
    found = []
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            if "/.flumespool" not in path and os.path.isfile(path):
                with open(path, "rb") as file:
                    found.append((os.path.relpath(path, folder), file.read()))
    return sorted(found)


def collect(agent, flow, answers):
    result = Result()
    directory = agent.directory(flow)
    result.answers = answers
    for i in range(len(flow.sinks)):
        result.sinks.append(files_below(f"{directory}/out{i}"))
    if flow.kind == "spooldir":
        result.files = files_below(f"{directory}/spool")
    return differences.plain(flow, result, agent)


def main():
    words = sys.argv[1:]
    folder, seed, first, count = words[0], int(words[1]), int(words[2]), int(words[3])
    kinds, flume, penstock = " ".join(words[4:]).split(" -- ")
    drawn = flows.drawn(seed, kinds.split(), first, count)
    agents = [Agent("flume", flume.split(), folder, drawn), Agent("penstock", penstock.split(), folder, drawn)]
    with_ports = [flow for flow in drawn if flow.tcp or flow.udp]
    ports = free_ports(4 * len(with_ports))
    for agent in agents:
        for flow in with_ports:
            agent.ports[flow.number] = (ports.pop(), ports.pop())
        agent.prepare()
        agent.start()
    answers = {}
    try:
        for agent in agents:
            agent.await_ready()
        await_ports(agents)
        with concurrent.futures.ThreadPoolExecutor(48) as pool:
            jobs = {(agent.name, flow.number): pool.submit(act, agent, flow) for flow in drawn for agent in agents}
            answers = {which: job.result() for which, job in jobs.items()}
        until, seen, since = time.monotonic() + PATIENCE_S, None, calm.seconds
        while calm.seconds - since < QUIET_S and time.monotonic() < until:
            now = [agent.written() for agent in agents]
            if now != seen:
                seen, since = now, calm.seconds
            time.sleep(0.3)
    finally:
        for agent in agents:
            agent.stop()
    return compare(drawn, agents, answers)


def compare(drawn, agents, answers):
    counts, unknown = collections.defaultdict(collections.Counter), 0
    for flow in drawn:
        flume, penstock = (collect(agent, flow, answers[agent.name, flow.number]) for agent in agents)
        if flume.same_as(penstock):
            name = "same" if any(events for events in flume.sinks) else "same, without events"
        else:
            name = differences.known(flow, flume, penstock)
        if name is None:
            unknown += 1
            name = "other differences"
            if unknown <= int(os.environ.get("SHOWN", "8")):
                differences.show(flow, flume, penstock)
        counts[flow.kind][name] += 1
    for kind, names in counts.items():
        print(f"{kind}: {sum(names.values())} draws: " + ", ".join(f"{count} {name}" for name, count in sorted(names.items())))
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
