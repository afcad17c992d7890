"""What the world (tests/world) finds of many bugs: run.py --together --world.

First each seed runs once without a bug, with PS_MUTANT=-1: it then marks the functions and lines of bugs that it executes (together.py). A bug is judged by
those seeds only: a run that does not call its function is the same with the bug. It is CAUGHT by the first seed that is bad with it, SURVIVED when the
time is over or no seed is left, and not drawn when no seed calls its function. A run that does not end counts as caught, too: without the bug it ends."""
import concurrent.futures
import os
import resource
import signal
import subprocess

import together

HANGS_S = 30  # CPU that a run may take; without a bug it takes a tenth of a second


class Asker:
    def __init__(self, build, jobs, seeds):
        self.build, self.seeds = build, range(1, seeds + 1)
        self.pool = concurrent.futures.ThreadPoolExecutor(jobs)
        self.calls, self.executes, self.unsound = {}, {}, []

    def run(self, seed, mutant):
        """Runs one seed; returns what it says of it ("" if it is good) and the seconds of CPU."""
        marks = os.path.join(self.build, f"reached.world.{seed}")
        if mutant < 0:
            together.prepare_file(marks)
        environment = {**os.environ, "PS_MUTANT": str(mutant), "PS_MUTANT_REACHED": marks}
        child = subprocess.Popen(["timeout", "-k", "1", str(4 * HANGS_S), os.path.join(self.build, "tests", "world"), "--from", str(seed), "--runs", "1"],
                                 env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (HANGS_S, HANGS_S)))
        text = child.stdout.read().decode(errors="replace")
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        said = next((line for line in text.splitlines() if line.startswith("seed ")), text.strip()[-300:] or "it does not end")
        if mutant < 0:
            reached = together.read_reached(marks)
            os.unlink(marks)
            for place, numbers in zip((self.calls, self.executes), reached):
                for number in numbers:
                    place.setdefault(number, []).append(seed)
        return "" if child.returncode == 0 else said, usage.ru_utime + usage.ru_stime

    def measure(self):
        """Runs all seeds without a bug; returns what the bad ones say, which count for nothing."""
        said = list(self.pool.map(lambda seed: self.run(seed, -1)[0], self.seeds))
        self.unsound = [seed for seed, words in zip(self.seeds, said) if words]
        return [words for words in said if words]

    def ask(self, number, has_probe, seconds):
        """Returns the outcome and its detail."""
        calls = [seed for seed in sorted(self.calls.get(number, ())) if seed not in self.unsound]
        executes = [seed for seed in sorted(self.executes.get(number, ())) if seed in calls]
        if not calls:
            return "NOT DRAWN", ""
        asked = used = 0
        for seed in executes + [seed for seed in calls if seed not in executes]:
            if used >= seconds or (has_probe and seed not in executes and executes):
                break
            said, took = self.run(seed, number)
            asked, used = asked + 1, used + took
            if said:
                return "CAUGHT", said
        reach = f"line in {len(executes)} seeds" if executes else "line never" if has_probe else "line unknown"
        return "SURVIVED", f"{asked} seeds asked; of {len(self.seeds)}: function in {len(calls)}, {reach}"

    def ask_all(self, questions, seconds):
        """questions: (number, whether its line has a probe). Yields (number, the answer) as they come."""
        asked = {self.pool.submit(self.ask, number, has_probe, seconds): number for number, has_probe in questions}
        for future in concurrent.futures.as_completed(asked):
            yield asked[future], future.result()


def row(outcome, detail):
    """The columns of the table that a bug counts in."""
    yield "bugs"
    if outcome in ("CAUGHT", "SURVIVED"):
        yield "called"
        if "line never" not in detail:
            yield "executed"
    if outcome == "CAUGHT":
        yield "caught"


def table(judged):
    """judged: (path, outcome, detail). The lines of a table by folder."""
    columns, counts = ("bugs", "called", "executed", "caught"), {}
    for path, outcome, detail in judged:
        if outcome in ("CAUGHT", "SURVIVED", "NOT DRAWN"):
            for place in (os.path.dirname(path), "all"):
                for column in row(outcome, detail):
                    counts.setdefault(place, dict.fromkeys(columns, 0))[column] += 1
    yield f"{'folder':34}" + "".join(f"{column:>10}" for column in columns)
    for place in sorted(counts, key=lambda place: (place == "all", place)):
        yield f"{place:34}" + "".join(f"{counts[place][column]:10}" for column in columns)
