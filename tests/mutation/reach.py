"""Finds the tests that call the function of each bug, in a build with many bugs (run.py --together), and runs only these: run.py --parts.

Every test runs once without a bug, with PS_MUTANT=-1: each function that has bugs then marks them in the file that PS_MUTANT_REACHED names.
For each bug, only tests that call its function are run: first those of its file, then the shortest ones; without ctest, several bugs at a time."""
import concurrent.futures
import json
import os
import signal
import subprocess
import time

import together

PATIENCE = {"PS_TEST_PATIENCE_MS": "10000"}  # a bug that stops something costs a test this long, not a minute


class Asker:
    def __init__(self, build, jobs):
        self.build, self.pool = build, concurrent.futures.ThreadPoolExecutor(jobs)
        listed = json.loads(subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], check=True, capture_output=True).stdout)
        self.tests = {test["name"]: test for test in listed["tests"]}
        self.seconds, self.reached, self.unsound = {}, {}, set()

    def run(self, name, mutant, limit):
        """Runs one test; returns its exit status, 124 after the limit, and the seconds."""
        test = self.tests[name]
        properties = {one["name"]: one["value"] for one in test["properties"]}
        pairs = [pair.split("=", 1) for pair in properties.get("ENVIRONMENT", [])]
        environment = {**os.environ, **dict(pairs), **PATIENCE, "PS_MUTANT": str(mutant), "PS_MUTANT_REACHED": self.file(name)}
        begin = time.monotonic()
        child = subprocess.Popen(test["command"], cwd=properties.get("WORKING_DIRECTORY", self.build), env=environment, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            status = child.wait(limit)
        except subprocess.TimeoutExpired:
            status = 124
        try:
            os.killpg(child.pid, signal.SIGKILL)  # the test, or processes that it left behind
        except ProcessLookupError:
            pass
        child.wait()
        return status, time.monotonic() - begin

    def file(self, name):
        return os.path.join(self.build, f"reached.{name}")

    def measure(self, name, limit):
        together.prepare_file(self.file(name))
        status, self.seconds[name] = self.run(name, -1, limit)
        if status != 0:
            self.unsound.add(name)
        self.reached[name] = together.read_reached(self.file(name))[0]

    def measure_all(self, names, limit):
        """Runs each test without a bug; returns those that do not pass (or are skipped) and so count for nothing."""
        list(self.pool.map(lambda name: self.measure(name, limit), sorted(names)))
        return sorted(self.unsound)

    def ask(self, number, names, path):
        """Returns the name of a test that notices the bug, or None, and the number of tests that were run."""
        there = [name for name in names if number in self.reached.get(name, ()) and name not in self.unsound]
        own, folder = path.removesuffix(".c").replace("/", "_"), os.path.dirname(path).replace("/", "_")
        there.sort(key=lambda name: (not name.startswith(own), not name.startswith(folder), self.seconds[name]))
        for asked, name in enumerate(there, 1):
            limit = 20 + 10 * self.seconds[name]
            for patience in (limit, 3 * limit):  # the second one on a busy machine
                if self.run(name, number, patience)[0] == 0:
                    break
                if self.run(name, 0, patience)[0] == 0:
                    return name, asked
            else:
                self.unsound.add(name)  # it also fails without the bug
        return None, len(there)

    def ask_all(self, questions):
        """questions: (number, names, path). Yields (number, the answer) as they come."""
        asked = {self.pool.submit(self.ask, *one): one[0] for one in questions}
        for future in concurrent.futures.as_completed(asked):
            yield asked[future], future.result()
