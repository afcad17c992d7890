"""What arrived at the far end, compared with what was sent and acknowledged."""
import bisect
import os
import threading
import time
from collections import Counter

from client import event

# The channel writes down what was delivered within 50 ms (stages/lib/queue/thread.c), after which it may be in a call
# to the disk; on a busy machine its thread, and the look at the files here, come later: as late as the Sampler itself
# was at the worst, whose thread sleeps and asks the disk for a sync, too, and as long as the agent's threads waited for
# a CPU since the delivery. More slack than the life of an agent, at most 2 s and its start, would allow any event to be
# delivered again: only what was measured adds more.
DUPLICATE_WINDOW_S = 0.05
SLACK_S = float(os.environ.get("CRASH_SLACK_S", "1.0"))


class Waits:
    """For how long has each thread of a process waited for a CPU? Schedstat tells of a wait when it is over; before, the thread is
    one that may run (state R) and has used no CPU."""

    def __init__(self, process):
        self.folder = f"/proc/{process}/task"
        self.threads = {}  # its number -> [(time, seconds of waiting so far)]
        self.seen = {}  # its number -> (ran, waited), and since when it may run and these are the same
        self.ended = None  # when no thread was left

    def look(self, now):
        alive = False
        for thread in self._list():
            try:
                with open(f"{self.folder}/{thread}/schedstat", encoding="ascii") as file:
                    ran, waited, _ = map(int, file.read().split())
                with open(f"{self.folder}/{thread}/stat", encoding="utf-8", errors="replace") as file:
                    state = file.read().rpartition(")")[2].split()[0]
            except (OSError, ValueError):  # the thread has ended, or the kernel does not count
                continue
            alive = alive or state not in "ZX"
            if state != "R" or self.seen.get(thread, (None,))[0] != (ran, waited):
                self.seen[thread] = (ran, waited), now
            seconds = waited / 1e9 + now - self.seen[thread][1]
            samples = self.threads.setdefault(thread, [])
            if not samples or samples[-1][1] != seconds:
                samples.append((now, seconds))
        if not alive and self.ended is None and self.seen:
            self.ended = now

    def _list(self):
        try:
            return os.listdir(self.folder)
        except OSError:
            return []

    def since(self, when):
        """The two longest waits: one thread delivers, and one writes down that it did."""
        waits = []
        for samples in self.threads.values():
            earlier = bisect.bisect_right(samples, when, key=lambda sample: sample[0])
            waits.append(samples[-1][1] - (samples[earlier - 1][1] if earlier > 0 else 0))
        return sum(sorted(waits)[-2:])


class Sampler(threading.Thread):
    """Looks at the sizes of a life's files again and again: when was a byte there? `probe` is a file of its own. And at the
    threads of the life's process."""

    def __init__(self, folder, marks, probe, process):
        super().__init__(daemon=True)
        self.folder, self.marks, self.probe, self.stopping = folder, marks, probe, False
        self.waits = Waits(process)
        self.samples = {}  # file name -> [(time, size)]
        self.lag = 0.0  # the longest that it took from one look to the next

    def look(self):
        now = time.monotonic()
        self.waits.look(now)
        try:
            entries = list(os.scandir(self.folder))
        except FileNotFoundError:
            return
        for entry in entries:
            if any(entry.name.startswith(mark) for mark in self.marks):
                size = entry.stat().st_size
                samples = self.samples.setdefault(entry.name, [])
                if not samples or samples[-1][1] != size:
                    samples.append((now, size))

    def run(self):
        probe = os.open(self.probe, os.O_WRONLY | os.O_CREAT, 0o600)
        looks = 0
        while not self.stopping:
            began = time.monotonic()
            self.look()
            looks += 1
            if looks % 10 == 0:
                os.pwrite(probe, b"x", 0)
                os.fdatasync(probe)
            time.sleep(0.01)
            self.lag = max(self.lag, time.monotonic() - began)
        os.close(probe)

    def stop(self):
        self.stopping = True
        self.join()


def parse(line):
    """Returns (connection, number) of a whole event, or None."""
    try:
        _, connection, number, _ = line.split(b"|", 3)
        identity = int(connection), int(number)
    except ValueError:
        return None
    return identity if event(*identity) == line else None


def _order(name):
    """file_roll's names: PREFIX, milliseconds of the start, "-" and a counter; the prefix has sink, life, reload."""
    sink, life, reload, start, counter = name.split("-")
    return int(life), int(reload), sink, int(start), int(counter)


def read_files(folder, samples):
    """Yields (sink, life, event or the damaged line, seconds when it was there or None) in the order of delivery."""
    names = sorted(os.listdir(folder), key=_order) if os.path.isdir(folder) else []
    for name in names:
        life, _, sink, *_ = _order(name)
        with open(f"{folder}/{name}", "rb") as file:
            data = file.read()
        seen, at, i = samples.get(name, []), 0, 0
        lines = data.split(b"\n")
        tail = lines.pop()  # a part of an event: the kill was in the middle of the write
        for line in lines:
            at += len(line) + 1
            while i < len(seen) and seen[i][1] < at:
                i += 1
            yield sink, life, parse(line) or line, seen[i][0] if i < len(seen) else None
        if tail and not (parse(tail) or b"".join([tail]).startswith(b"|")):
            yield sink, life, tail, None


class Result:
    def __init__(self):
        self.problems = []
        self.events = self.acknowledged = self.duplicates = 0

    def wrong(self, text):
        if len(self.problems) < 20:
            self.problems.append(text)


def check(case, arrivals):
    """`arrivals` as read_files yields them. Kafka has one far end for all lives: its life is None, and no times."""
    result = Result()
    count, first_seen = Counter(), {}
    newest = {}  # (sink, life, connection) -> last number: within a life nothing is repeated and order is kept
    highest = {}  # connection -> highest number so far, when one sink delivers everything
    sent = {c.identity: c for c in case.connections}
    for sink, life, what, seen in arrivals:
        if isinstance(what, bytes):
            result.wrong(f"{sink}, life {life}: not an event that was sent: {what[:80]!r} ({len(what)} bytes)")
            continue
        connection, number = what
        if connection not in sent or number >= sent[connection].sent:
            result.wrong(f"{sink}, life {life}: event {what} was never sent")
            continue
        count[what] += 1
        if life is not None:
            last = newest.get((sink, life, connection), -1)
            if number <= last:
                result.wrong(f"{sink}, life {life}, connection {connection}: {number} comes behind {last}")
            newest[sink, life, connection] = number
            if count[what] > 1:
                earlier, when = first_seen[what]
                age = case.ends[earlier] - when if when is not None else 0
                if earlier == life:
                    result.wrong(f"event {what} was delivered twice in life {life}")
                if when is not None and age > (DUPLICATE_WINDOW_S + SLACK_S + case.lags[earlier]
                                               + case.waits[earlier].since(when)):
                    result.wrong(f"event {what} was delivered {age:.3f} s before life {earlier} was killed, and again "
                                 f"in life {life}")
            first_seen[what] = life, seen
        if count[what] == 1 and case.sinks == 1:
            if number != highest.get(connection, -1) + 1:
                result.wrong(f"connection {connection}: {number} comes first behind {highest.get(connection, -1)}")
            highest[connection] = number
    result.events = len(count)
    result.duplicates = sum(count.values()) - len(count)
    for connection in case.connections:
        acknowledged = connection.acknowledged() if not connection.syslog else []
        result.acknowledged += len(acknowledged)
        lost = [n for n in acknowledged if (connection.identity, n) not in count]
        if lost:
            result.wrong(f"connection {connection.identity}: {len(lost)} acknowledged events are lost: "
                         f"{lost[0]} .. {lost[-1]} of {connection.answers} answers")
        there = [n for n in range(connection.sent) if (connection.identity, n) in count]
        if not connection.refused and there and there[-1] + 1 != len(there):
            missing = next(i for i, n in enumerate(there) if i != n)
            result.wrong(f"connection {connection.identity}: {missing} is missing, and {there[-1]} is there")
    return result
