#!/usr/bin/env python3
"""Runs drawn flows (flows.py) in a real Flume and in penstock, hundreds in one agent each, and compares what comes out.

    agents.py FOLDER SEED FIRST COUNT KIND... -- FLUME -- PENSTOCK     FLUME and PENSTOCK: commands; `agent -n a1 -f FILE` is added

A pair of agents has up to MOST_FLOWS flows; more run in one pair behind the other. KEEP=1 keeps the folder of each.
Differences that docs/MIGRATING.md or the page of the stage names are counted by their names; any other is printed, and the exit status is 1.
"""
import collections
import concurrent.futures
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import differences
import flows

# In seconds of the clock Calm, but for PATIENCE_S.
READY_QUIET_S = 2  # without a component that starts, or a port that is opened: all have started, if both agents listen for the same flows
PORTS_QUIET_S = 6  # the same, if they do not: Flume starts a source again every 3 s
LOOKS_QUIET_S = 20 # the same, if one agent has found files of sources taildir that the other has not: a first look may be late on a busy machine
QUIET_S = 6.5      # Flume's sinks look every 5 s
SILENT_S = 6       # without a byte from any source of the agent: those that have not answered do not
PATIENCE_S = float(os.environ.get("PATIENCE_S", "240"))
MOST_FLOWS = int(os.environ.get("MOST_FLOWS", "640"))


class Calm:
    """A clock that slows down with the share that the agents get of the processor time that they ask for. It goes at half the speed at least."""

    LOOK_S, LOOK_SHARE, SLOWEST = 0.25, 0.05, 0.5

    def __init__(self):
        self.seconds, self.pids, self.seen = 0.0, [], {}
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        then, look = time.monotonic(), 0
        while True:
            time.sleep(max(self.LOOK_S, look / self.LOOK_SHARE))  # an agent may have thousands of threads
            before = time.monotonic()
            had, waited = self.grown()
            look = time.monotonic() - before
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
        self.moved = 0  # when a client was last answered, by `calm`
        self.log_at, self.count, self.has_found = 0, 0, set()
        self.told = None  # penstock tells systemd, and us, that it has opened what it can open: a busy machine may take it longer than Flume
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
        environment = dict(os.environ)
        if self.name == "penstock":
            self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.told.setblocking(False)
            self.told.bind("")  # Linux chooses an abstract name
            environment["NOTIFY_SOCKET"] = "@" + self.told.getsockname()[1:].decode()
        self.process = subprocess.Popen(self.command + ["agent", "-n", "a1", "-f", self.folder + ".properties"], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, env=environment)
        calm.pids.append(self.process.pid)

    def started(self):
        """How much has started, by the log; nothing before penstock says that it is ready."""
        if self.told and not self.is_told_ready():
            return 0
        with open(self.folder + ".log", "rb") as file:
            file.seek(self.log_at)
            lines, end, _ = file.read().rpartition(b"\n")
        self.log_at += len(lines + end)
        self.count += len(re.findall(rb"name: [ckr]\w+ started|Source starting|Created serverSocket|starts agent", lines))
        return self.count

    def found(self):
        """The flows whose sources taildir have looked for files, and found some. Flume writes its position files in place."""
        for flow in self.flows:
            if flow.number not in self.has_found:
                try:
                    with open(f"{self.directory(flow)}/positions.json", encoding="utf-8") as file:
                        if "inode" in file.read():
                            self.has_found.add(flow.number)
                except OSError:
                    continue
        return set(self.has_found)

    def is_told_ready(self):
        try:
            ready = b"READY=1" in self.told.recv(4096).splitlines()
        except BlockingIOError:
            return False
        if ready:
            self.told.close()
            self.told = None
        return ready

    def written(self):
        """Grows with what the sinks write, and changes with what spooldir renames."""
        total = 0
        for flow in self.flows:
            folders = [f"out{i}" for i in range(len(flow.sinks))] + (["spool"] if flow.kind == "spooldir" else [])
            for folder in folders:
                for where, _, files in os.walk(f"{self.directory(flow)}/{folder}"):
                    total += sum(os.lstat(path).st_size + len(path) for path in (os.path.join(where, one) for one in files) if os.path.lexists(path))
        return total

    def ended(self):
        return self.process.poll() is not None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def await_end(self):
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


def await_ready(agents):
    """Waits until both agents have started what they can start of their flows."""
    until, seen, since = time.monotonic() + PATIENCE_S, None, calm.seconds
    while True:
        ports = open_ports()
        started, listening = [agent.started() for agent in agents], [{flow for flow, both in agent.ports.items() if ports & set(both)} for agent in agents]
        found = [agent.found() for agent in agents]
        if (started, listening, found) != seen:
            seen, since = (started, listening, found), calm.seconds
        quiet = LOOKS_QUIET_S if found[0] != found[1] else READY_QUIET_S if listening[0] == listening[1] else PORTS_QUIET_S
        if all(started) and calm.seconds - since >= quiet:
            return
        for agent in agents:
            if agent.ended() or time.monotonic() > until:
                sys.exit(f"{agent.name} does not start: see {agent.folder}.log")
        time.sleep(0.2)


def await_quiet(agents):
    """Waits until nothing more comes out."""
    until, seen, since = time.monotonic() + PATIENCE_S, None, calm.seconds
    while calm.seconds - since < QUIET_S:
        now = [agent.written() for agent in agents]
        if now != seen:
            seen, since = now, calm.seconds
        if time.monotonic() > until:
            print(f"something still comes out after {PATIENCE_S:.0f} s", file=sys.stderr)
            return
        time.sleep(0.3)


def read_to_end(agent, connection):
    answer, agent.moved = b"", calm.seconds
    connection.settimeout(1)
    while calm.seconds - agent.moved < SILENT_S:
        try:
            piece = connection.recv(65536)
        except TimeoutError:
            continue
        except ConnectionResetError:  # it closed before all bytes had come: whether they come before or after is chance
            return answer, "closed"
        except OSError:
            return answer, "cut"
        agent.moved = calm.seconds
        if not piece:
            return answer, "closed"
        answer += piece
    return answer, "silent"


def connect(agent, port, pieces, ends):
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
            return read_to_end(agent, connection)
    except OSError:
        return b"", "refused"


def connect_at_once(agent, port_and_pieces):
    with concurrent.futures.ThreadPoolExecutor(len(port_and_pieces)) as pool:
        return list(pool.map(lambda one: connect(agent, *one, True), port_and_pieces))


def act(agent, flow):
    answers = []
    for number, action in enumerate(flow.actions):
        ports = agent.ports.get(flow.number)
        if action[0] == "connect":
            if answers and answers[-1] == (b"", "silent"):  # the other connections do not wait for each other
                return answers + connect_at_once(agent, [(ports[port], pieces) for _, port, pieces in flow.actions[number:]])
            answers.append(connect(agent, ports[action[1]], action[2], True))
        elif action[0] == "request":
            text, how = connect(agent, ports[0], [action[1] + action[2]], False)
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


def act_in_all(agents):
    """Gives both agents the same input, all flows at once: {(agent's name, flow's number): answers}."""
    jobs = [(agent, flow) for flow in agents[0].flows for agent in agents]
    threading.stack_size(256 << 10)
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:  # a thread each: most of them wait
        results = [pool.submit(act, *job) for job in jobs]
        return {(agent.name, flow.number): result.result() for (agent, flow), result in zip(jobs, results)}


def run_pair(folder, drawn, commands):
    """Runs the flows in one Flume and one penstock: the names of what came of them, as in `compare`."""
    begun, steps = time.monotonic(), []

    def step(name):
        steps.append(f"{name} {time.monotonic() - begun:.0f} s")
    agents = [Agent(name, command.split(), folder, drawn) for name, command in zip(("flume", "penstock"), commands)]
    with_ports = [flow for flow in drawn if flow.tcp or flow.udp]
    ports = free_ports(4 * len(with_ports))
    calm.pids = []
    for agent in agents:
        for flow in with_ports:
            agent.ports[flow.number] = (ports.pop(), ports.pop())
        agent.prepare()
        agent.start()
    try:
        await_ready(agents)
        step("ready")
        answers = act_in_all(agents)
        step("answered")
        await_quiet(agents)
        step("quiet")
    finally:
        for agent in agents:
            agent.stop()
        for agent in agents:
            agent.await_end()
    names = compare(drawn, agents, answers)
    step("compared")
    print(f"{len(drawn)} flows: " + ", ".join(steps), flush=True)
    return names


def compare(drawn, agents, answers):
    """Prints each flow with an unknown difference; returns (kind, name of what came of it) of each flow, None for such a difference."""
    names = []
    for flow in drawn:
        flume, penstock = (collect(agent, flow, answers[agent.name, flow.number]) for agent in agents)
        if flume.same_as(penstock):
            name = "same" if any(events for events in flume.sinks) else "same, without events"
        else:
            name = differences.known(flow, flume, penstock)
        if name is None:
            differences.show(flow, flume, penstock)
        names.append((flow.kind, name))
    return names


def main():
    words = sys.argv[1:]
    folder, seed, first, count = words[0], int(words[1]), int(words[2]), int(words[3])
    kinds, *commands = " ".join(words[4:]).split(" -- ")
    kinds = kinds.split()
    most = max(1, MOST_FLOWS // len(kinds))
    counts = collections.defaultdict(collections.Counter)
    for at in range(first, first + count, most):
        place, last = f"{folder}/from{at}", min(at + most, first + count)
        for kind, name in run_pair(place, flows.drawn(seed, kinds, at, last - at), commands):
            counts[kind][name or "other differences"] += 1
        if not os.environ.get("KEEP"):
            shutil.rmtree(place)
    for kind, names in counts.items():
        print(f"{kind}: {sum(names.values())} draws: " + ", ".join(f"{number} {name}" for name, number in sorted(names.items())))
    return 1 if any("other differences" in names for names in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
