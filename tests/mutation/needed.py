"""Which test programs are needed: run.py --together --needed.

Each bug is asked first of what stays: the scenarios, the world's seeds, the conformance suites, the tests beside another implementation (oracles, fuzz corpora,
tables), rings and stress. Only a bug that these miss is asked of the other programs: first of those that another bug needed already, then of those of its file.
A program that no bug needed may go, if nothing that it alone promises is a user's (docs/TESTING.md)."""
import concurrent.futures
import os
import re

import reach
import world

STAYS = re.compile(r"^(scenario_|fuzz_|stress_|sim_|rings_|stages_conformance_)|oracle|conformance|_java_|vectors|^conf_validate_check$")


class Asker(reach.Asker):
    """Runs the tests of reach.Asker, those that stay first."""

    def __init__(self, build, jobs, seeds):
        super().__init__(build, jobs)
        self.world, self.needed = world.Asker(build, jobs, seeds), {}

    def order(self, names, number, path):
        own, folder = path.removesuffix(".c").replace("/", "_"), os.path.dirname(path).replace("/", "_")
        there = [name for name in names if number in self.reached.get(name, ()) and name not in self.unsound]
        return sorted(there, key=lambda name: (name not in self.needed, not name.startswith(own), not name.startswith(folder), self.seconds[name]))

    def first(self, number, names):
        """Returns the first of these tests that notices the bug, or None."""
        for name in names:
            limit = 20 + 10 * self.seconds[name]
            if self.run(name, number, limit)[0] != 0 and self.run(name, number, 3 * limit)[0] != 0:
                if self.run(name, 0, 3 * limit)[0] == 0:
                    return name
                self.unsound.add(name)
        return None

    def judge(self, number, has_probe, names, path, seconds):
        """Returns the kind of what notices the bug (stays, world, needed, None) and its name or the reason."""
        there = self.order(names, number, path)
        stays = [name for name in there if STAYS.search(name)]
        name = self.first(number, [name for name in stays if name.startswith("scenario_")])
        if name:
            return "stays", name
        outcome, said = self.world.ask(number, has_probe, seconds)
        if outcome == "CAUGHT":
            return "world", said
        name = self.first(number, [name for name in stays if not name.startswith("scenario_")])
        if name:
            return "stays", name
        name = self.first(number, [name for name in there if not STAYS.search(name)])
        if name:
            self.needed.setdefault(name, []).append(number)
            return "needed", name
        return None, f"{len(there)} tests reach it; the world: {said or 'never calls it'}"

    def judge_all(self, questions, seconds):
        """questions: (number, has_probe, names, path). Yields (number, the answer) as they come."""
        asked = {self.pool.submit(self.judge, *one, seconds): one[0] for one in questions}
        for future in concurrent.futures.as_completed(asked):
            yield asked[future], future.result()


def source_of(root, name):
    """The file of a test program; None for scenarios and what has no file of its own."""
    for folder, _, files in os.walk(os.path.join(root, "tests")):
        prefix = os.path.relpath(folder, os.path.join(root, "tests")).replace("/", "_") + "_"
        for file in files:
            if file.endswith("_test.c") and prefix + file.removesuffix("_test.c") == name:
                return os.path.join(folder, file)
    return None


def report(root, asker, names):
    """The lines that say which programs of these are needed, and which may go."""
    rows = []
    for name in sorted(names):
        path = source_of(root, name)
        if path and not STAYS.search(name):
            with open(path) as file:
                rows.append((len(asker.needed.get(name, ())), sum(1 for _ in file), name, os.path.relpath(path, root)))
    yield f"{'lines':>6} {'bugs':>5}  needed by a bug that nothing else noticed"
    yield from (f"{lines:6} {bugs:5}  {path}" for bugs, lines, _, path in sorted(rows, reverse=True) if bugs)
    yield f"{'lines':>6}        may go"
    yield from (f"{lines:6}        {path}" + (" (not asked)" if name in asker.unsound else "") for bugs, lines, name, path in rows if not bugs)
    yield f"needed {sum(row[1] for row in rows if row[0])} lines, may go {sum(row[1] for row in rows if not row[0])} lines"
