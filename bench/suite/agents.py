"""Runs of agent files: by penstock and by Flume in turn, or those of bench/agents with a load; and the records that compare them."""

import os
import time
import urllib.request

from . import results, subjects, traffic

LIMIT_S = 300
REAL = os.path.join(results.SOURCE, "tests/real")


class Agent:
    """A run of penstock (`name`) or Flume with an agent file of the agent `a`, until the end of the block. `environment` is added for both."""

    def __init__(self, name, options, folder, text, environment):
        self.place = subjects.Place(options.build, folder, subjects.free_port())
        self.process = self.place.agent(name, self.place.write("agent.properties", text), environment)

    def __enter__(self):
        if not results.listening(self.place.port + 1, self.process, 300):
            raise RuntimeError(f"it did not start: {self.place.log_end()}")
        return self

    def __exit__(self, *_):
        results.end(self.process, 60)

    def metric(self, name):
        return subjects.metric(name)(self.place)

    def memory_bytes(self):
        return results.memory_peak_bytes(self.process.pid)

    def measure(self, events, slack):
        """Events per second and per CPU-second of the second half, and how many were acknowledged in all."""
        first, until = None, time.monotonic() + LIMIT_S
        while True:
            done, now, cpu = self.metric("EventDrainSuccessCount"), time.monotonic(), results.cpu_seconds(self.process.pid)
            if first is None and done >= events / 2:
                first = done, now, cpu
            if done >= events - slack:
                break
            if self.process.poll() is not None or now > until:
                raise RuntimeError(f"{done} events after {LIMIT_S} s: {self.place.log_end()}")
            time.sleep(0.1 if done < 0.9 * events else 0.02)  # an answer costs the agent most of a millisecond
        figures = {"per_second": (done - first[0]) / max(now - first[1], 0.001), "per_cpu_second": (done - first[0]) / max(cpu - first[2], 0.01)}
        while self.metric("EventDrainSuccessCount") < self.metric("EventPutSuccessCount"):
            time.sleep(0.1)
        return figures, self.metric("EventDrainSuccessCount")


class Flow:
    """A run of penstock with an agent file of bench/agents until the end of the block, when it checks that every event that load completed was
    delivered. The file takes its ports and paths from the environment: PORT, PROBE_PORT, FOLDER, CPU, and what `environment` adds."""

    def __init__(self, options, name, folder, **environment):
        cpus = sorted(os.sched_getaffinity(0))
        self.load_cpu, self.worker_cpu = cpus[0], cpus[-1]
        self.place = subjects.Place(options.build, folder, subjects.free_port())
        self.probe_port = subjects.free_port()
        self.process = self.place.agent("penstock", os.path.join(results.SOURCE, "bench/agents", name + ".conf"), {
            "PORT": str(self.place.port), "PROBE_PORT": str(self.probe_port), "FOLDER": folder, "CPU": str(self.worker_cpu), **environment})
        self.loads = []

    def __enter__(self):
        if not results.listening(self.place.port + 1, self.process, 300):
            raise RuntimeError(f"the agent did not start: {self.place.log_end()}")
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.account()
        finally:
            for load in self.loads:
                load.stop()
            results.end(self.process, 60)

    def load(self, url, *words):
        """Starts `penstock load` with these words, on a CPU of its own if there is one."""
        self.loads.append(traffic.Tool(self.place.build, ["load", "--target", url, *words, "--pace", "sleep"], {self.load_cpu}))
        return self.loads[-1]

    def lines(self, path, *words):
        """Sends the lines of a file again and again, over four connections, as fast as the agent takes them unless the words say a rate."""
        return self.load(f"tcp://127.0.0.1:{self.place.port}", "--lines", path, "--no-stamp", "--connections", "4", "--threads", "1", "--settle", "0s", *words)

    def metric(self, name):
        return subjects.metric(name)(self.place)

    def series(self, name):
        """The values of a series of the Prometheus metrics, over all labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.place.port + 1}/metrics/prometheus", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return [float(line.split()[-1]) for line in lines if line.startswith(name + "{")]

    def await_more_than(self, count):
        """Waits until more than `count` events are delivered: on a busy machine the load's first takes seconds."""
        until = time.monotonic() + LIMIT_S
        while (delivered := self.metric("EventDrainSuccessCount")) <= count:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{delivered} events are delivered, more than {count} were awaited: {self.place.log_end()}")
            time.sleep(0.02)

    def await_exactly(self, count):
        """Waits until `count` events are delivered, and checks that there are no more."""
        self.await_more_than(count - 1)
        if self.metric("EventDrainSuccessCount") != count:
            raise RuntimeError(f"{count} events were sent, {self.metric('EventDrainSuccessCount')} delivered: {self.place.log_end()}")

    def cost(self, seconds, settle=0.5):
        """Events per CPU-second of the whole process, and per second, after a while in which it settles. Measures for longer if no event came."""
        self.await_more_than(0)
        time.sleep(settle)
        began, first, cpu = time.monotonic(), self.metric("EventDrainSuccessCount"), results.cpu_seconds(self.process.pid)
        time.sleep(seconds)
        self.await_more_than(first)
        events, used = self.metric("EventDrainSuccessCount") - first, results.cpu_seconds(self.process.pid) - cpu
        return {"per_cpu_second": events / used, "per_second": events / (time.monotonic() - began)}

    def account(self):
        """Ends the loads, and waits until their events are delivered, each of them once."""
        for load in self.loads:
            load.stop()
        sent = sum(load.wait(LIMIT_S)["completed"] for load in self.loads)
        if self.loads:
            self.await_exactly(sent)
        return sent


def in_turn(rounds, progress, label, runs):
    """Runs each of `runs` (name -> function) `rounds` times, in turn. Returns name -> list of results."""
    out = {name: [] for name in runs}
    for number in range(rounds):
        for name in runs if number % 2 == 0 else reversed(list(runs)):
            progress.show(f"{label}, {name}, round {number + 1} of {rounds}")
            out[name].append(runs[name]())
    progress.clear()
    return out


def accounted(runs):
    return {name: sum(one[name] for one in runs) for name in ("events", "lost", "duplicated")}


def compared(head, unit, member, goal, subject, reference, about):
    """Shows a record of `member` of two lists of results, that begins with `head` (bench, variant, bytes)."""
    record = {**head, "unit": unit, "better": "higher", "rounds": len(subject), "reference": about,
              "goal_ratio": goal, **results.spread([one[member] for one in subject]),
              **results.spread([one[member] for one in reference], "reference_"), **accounted(subject)}
    record.update({"reference_" + key: value for key, value in accounted(reference).items()})
    results.show(record)
