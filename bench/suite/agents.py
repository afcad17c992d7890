"""Runs of an agent file by penstock and by Flume in turn, and the records that compare them."""

import json
import os
import time

from . import results, subjects

LIMIT_S = 300
REAL = os.path.join(results.SOURCE, "tests/real")


class Agent:
    """A run of penstock (`name`) or Flume with an agent file of the agent `a`, until the end of the block. `environment` is added for both."""

    def __init__(self, name, options, folder, text, environment):
        self.place = subjects.Place(options.build, folder, subjects.free_port())
        path = self.place.write("agent.properties", text)
        rest = ["agent", "-n", "a", "-f", path, "--no-reload-conf"]
        monitoring = ["-Dflume.monitoring.type=http", f"-Dflume.monitoring.port={self.place.port + 1}"]
        if name == "penstock":
            self.process = self.place.spawn([os.path.join(options.build, "penstock"), *rest, *monitoring], environment)
        else:
            self.process = self.place.spawn([os.path.join(REAL, "flume"), *rest], {
                "FLUME_LOG": "WARN", "FLUME_JAVA": " ".join(["-Xmx2g", *monitoring]), **environment})

    def __enter__(self):
        if not results.listening(self.place.port + 1, self.process, 60):
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
    show(results.merged([record]))


def show(record):
    print(json.dumps(results.rounded({**record, "load": os.getloadavg()[0]})), flush=True)


