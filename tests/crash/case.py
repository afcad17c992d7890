"""One case: an agent with a file or jdbc channel that is killed several times, started again each time, and drained at last."""
import os
import random
import re
import shutil
import signal
import subprocess
import time

from agent import PENSTOCK, TOOLS, Agent, configure, end_with_parent
from check import Sampler, check, read_files
from client import Sender, connect

CALLS = ["pwrite", "state", "state", "fdatasync", "fsync", "fallocate", "unlink", "open"]
ALLOWED = re.compile(r"is not whole|cannot write into|does not exist|No such file")


class Case:
    """Everything is drawn from the seed before anything runs."""

    def __init__(self, seed, root):
        draw = random.Random(seed)
        self.seed, self.folder = seed, f"{root}/case-{seed}"
        self.out = f"{self.folder}/out"
        self.source = draw.choices(["netcat", "syslogtcp", "multiport_syslogtcp"], [6, 2, 2])[0]
        self.sink = draw.choices(["files", "kafka"], [5, 1])[0]
        self.sinks = 2 if self.sink == "files" and draw.random() < 0.2 else 1
        self.workers = draw.choice([1, 2])
        self.directories = draw.choice([1, 2, 2, 3])
        self.sync = draw.random() < 0.75
        self.roll_interval_s = draw.choice([0, 0, 1])
        self.lives = [self._draw_life(draw) for _ in range(draw.randint(1, 5))]
        # For some lives the far end is not there: a backlog grows.
        self.far_end_from = draw.choice([0, 0, 0, 1, len(self.lives)]) if self.sink == "files" else 0
        self.channel = draw.choices(["file", "jdbc"], [4, 1])[0]
        self.connections, self.ends, self.samples, self.lags, self.waits, self.brokers = [], {}, {}, {}, {}, None
        self.kills, self.how = 0, []

    def _draw_life(self, draw):
        kind = draw.choices(["load", "reload", "recovery", "long"], [12, 4, 4, 1])[0]
        life = {"kind": kind, "call": None, "connections": draw.randint(1, 6), "reloads": [],
                "pace": draw.choice(["fast", "fast", "trickle", "lockstep"]), "seconds": draw.uniform(0.02, 0.5)}
        if kind == "long":
            life.update(seconds=draw.uniform(1.3, 2.0), pace="trickle")
        elif kind == "recovery":
            life["seconds"] = draw.uniform(0.0, 0.03)
        elif kind == "reload":
            life["reloads"] = [draw.uniform(0.0, 0.15) for _ in range(draw.randint(1, 4))]
            life["seconds"] = draw.uniform(0.0, 0.05)
        if kind != "long" and draw.random() < 0.6:
            self._draw_call(draw, life)
        return life

    @staticmethod
    def _draw_call(draw, life):
        """Which call ends the life. Those of segments and of the state are rare: they need many events."""
        call = draw.choice(["any", "any"] + CALLS)
        if call in ("any", "pwrite", "fdatasync"):
            count = int((20 if life["kind"] == "recovery" else 200) ** draw.random())
        else:
            count = draw.randint(1, 5)
            life["pace"] = "fast"
        halves = {"pwrite": ["half"], "state": ["half", "half"]}
        life["call"] = call, count, draw.choice(["before", "after"] + halves.get(call, []))
        if life["kind"] != "recovery":
            life["seconds"] += 0.7

    def describe(self):
        lives = "; ".join(f"{life['kind']} {life['pace']}" + (f" {life['call']}" if life["call"] else "")
                          for life in self.lives)
        return (f"{self.source}, {self.channel}, {self.sink} x{self.sinks}, {self.workers} workers, {self.directories} directories, "
                f"sync {self.sync}: {lives}")

    # ---- the lives ----

    def _start_broker(self):
        broker = subprocess.Popen([PENSTOCK, "mock-broker", "--topic", "crash:1"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, preexec_fn=end_with_parent)
        self.brokers = broker.stdout.readline().decode().strip()
        return broker

    def _marks(self, life):
        return [f"k{i + 1}-{life}-" for i in range(self.sinks)]

    def _load(self, agent, life, plan):
        """Returns the sender, once there is a port to send to; None if the agent ended before."""
        port = agent.await_port()
        if port is None:
            return None
        connections = connect(life * 100, plan["connections"], port, self.source != "netcat")
        self.connections += connections
        sender = Sender(connections, plan["pace"], 1500 if self.sink == "kafka" else 30000)
        sender.start()
        return sender

    def _await_end(self, agent, seconds):
        until = time.monotonic() + seconds
        while agent.runs() and time.monotonic() < until:
            time.sleep(min(0.002, max(0.0, until - time.monotonic())))

    def _live(self, life, plan):
        """Starts the agent, sends, and sees it killed."""
        if life >= self.far_end_from:
            os.makedirs(self.out, exist_ok=True)
        configure(self, life)
        agent = Agent(self, life, plan["call"])
        sampler = Sampler(self.out, self._marks(life), f"{self.folder}/probe", agent.process.pid)
        sampler.start()
        sender = self._load(agent, life, plan) if plan["kind"] != "recovery" else None
        for i, pause in enumerate(plan["reloads"]):
            self._await_end(agent, pause)
            configure(self, life, i + 1)
            agent.signal(signal.SIGHUP)
        self._await_end(agent, plan["seconds"])
        agent.signal(signal.SIGKILL)
        code = agent.wait()
        if code != -signal.SIGKILL:
            raise RuntimeError(f"life {life}: the agent ended by itself: {code}")
        if sender is not None:
            sender.join(30)
        sampler.stop()
        # A busy machine may show this thread late that the agent has ended.
        self.ends[life] = min(agent.ended, sampler.waits.ended or agent.ended)
        self.samples.update(sampler.samples)
        self.lags[life], self.waits[life] = sampler.lag, sampler.waits
        self.kills += 1
        self.how.append(agent.killed_at() or plan["kind"])
        self._check_log(agent)

    def _check_log(self, agent):
        """SIGKILL damages nothing but the last frame, and nothing is lost."""
        for line in agent.text().splitlines():
            if re.search(r"(WARN|ERROR) channel c1", line) and not ALLOWED.search(line):
                raise RuntimeError(f"{agent.log}: {line}")

    # ---- the end ----

    def _arrivals(self):
        if self.sink == "files":
            return list(read_files(self.out, self.samples))
        lines = subprocess.run([f"{TOOLS}/crash_topic_lines", self.brokers, "crash"], check=True,
                               stdout=subprocess.PIPE).stdout.split(b"\n")
        from check import parse
        return [("k1", None, parse(line) or line, None) for line in lines[:-1]]

    def _progress(self):
        if self.sink == "files":
            return sum(entry.stat().st_size for entry in os.scandir(self.out))
        return len(self._arrivals())

    def _rest(self, looks):
        """Returns when nothing has come for that many looks."""
        before, quiet = -1, 0
        while quiet < looks:
            time.sleep(0.03)
            now = self._progress()
            quiet = quiet + 1 if now == before else 0
            before = now

    def _drain(self):
        """The last lives: without a kill, until nothing stays in the channel. Each that leaves events makes the next wait
        longer for them: on a busy machine a commit of the jdbc channel takes longer than the first life waits."""
        os.makedirs(self.out, exist_ok=True)
        for life, looks in enumerate((4, 4, 8, 16, 32, 64, 128, 256, 512), len(self.lives)):
            configure(self, life)
            agent = Agent(self, life)
            agent.await_text(" waiting ")
            self._rest(looks)
            agent.signal(signal.SIGTERM)
            code = agent.wait()
            self.ends[life] = agent.ended
            self._check_log(agent)
            stays = re.search(r"closed: ([\d,]+) events? stay", agent.text())
            if code != 0 or not stays:
                raise RuntimeError(f"the last life ended with {code}")
            if stays.group(1) == "0":
                return
        raise RuntimeError(f"{stays.group(1)} events stay in the channel")

    def play(self):
        """Returns the result; the folder is removed if nothing is wrong."""
        os.makedirs(self.folder)
        broker = self._start_broker() if self.sink == "kafka" else None
        try:
            for life, plan in enumerate(self.lives):
                self._live(life, plan)
            self._drain()
            result = check(self, self._arrivals())
        finally:
            if broker is not None:
                broker.kill()
                broker.wait()
        if not result.problems:
            shutil.rmtree(self.folder)
        return result
