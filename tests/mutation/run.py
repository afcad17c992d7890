#!/usr/bin/env python3
"""Plants bugs, one at a time, and runs the tests that should notice.

  tests/mutation/run.py                       every bug of tests/mutation/mutants.txt
  tests/mutation/run.py core/flow stages/lib/net  only those in these files or folders
  tests/mutation/run.py --draw 40 [PATH]...   40 bugs drawn by chance in these paths (default: commands core rings regex conf stages)

Options:
  --seed N      repeats a draw; without it the seed is taken from the clock and printed
  --wide        a bug that the chosen tests miss is run against every test of the build too (minutes each)
  --together    builds once, with every bug behind PS_MUTANT (tests/mutation/together.py): minutes for a set instead of an hour. Tests that
                begin programs with an environment of their own do not see the bug in them
  --parts       with --together: asks only the tests of parts, the programs of tests/e2e and the simulator, and of these only those that reach the function of the bug
                (tests/mutation/reach.py): seconds for each bug instead of a minute, so that hundreds can be drawn
  --world       with --together: asks the world alone (tests/mutation/world.py), at most --seconds of CPU for each bug (120), with its seeds from 1 to --seeds
                (1000), and prints a table by folder: bugs, how many the world's agents call, execute, and how many it finds
  --needed      with --together: asks what stays first (scenarios, world, conformance suites, oracles, fuzz corpora), then the other tests of parts, and says
                which programs no bug needed (tests/mutation/needed.py). --seconds and --seeds limit the world
  --bugs FILE   another list than mutants.txt; several, and together with --draw
  --list        prints the bugs and the tests chosen for each; runs nothing
  --fit         says which blocks of the list do not fit this tree: the line is gone, or there twice, or a test; builds and runs nothing
  --build DIR   where the copy is kept (default: build/mutation); the next run builds only what changed
  --jobs N      default: the number of cores
  --timeout S   of one test, default 120

A line of the result is CAUGHT (by which test), SURVIVED, NOT DRAWN (no seed of the world calls its function), INVALID (it does not compile: no bug), STALE
(the list names a line that is gone) or ALONE (--together cannot plant it: outside of a function, or in one with `...`).
A test that caught a bug is run once without it: one that fails then does not count.
The tests of a bug are those that the list names; without any, and for a drawn bug, those that ./test.sh --changed would run. The exit status
is 1 if a bug survived or is stale. The copy contains what is committed, so that a run does not see half an edit.

mutants.txt: a block for each bug, blocks separated by an empty line:

  core/flow/window.c window_pop        the file, and the function if the line stands in several
  - if (window->settled < window->end)   the line as it is, without its indentation; it must be there (in the function) once
  + if (window->settled <= window->end)  the bug
  tests: core_flow_window sim_engine     optional; names as ctest has them
"""
import argparse
import difflib
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time

import needed
import reach
import together
import world

sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import changed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIST = os.path.join(ROOT, "tests", "mutation", "mutants.txt")
PATHS = ["commands", "core", "rings", "regex", "conf", "stages"]
NEVER = ("unit_", "perf_", "real_", "bench_run", "e2e_bench")  # they judge the tree, the machine or a real server
WHOLE = NEVER + ("e2e_", "crash_", "stress_", "fuzz_")  # not asked by --parts, but for programs of e2e: they call the stages themselves
SLOW = ("sim_", "stress_", "e2e_", "fuzz_")  # run when the others miss a bug

# What a drawn bug does to a line: (pattern, replacement). One occurrence in the line is changed.
OPERATORS = [
    (r"(?<![<>=!-])<=(?!=)", "<"), (r"(?<![<>=!-])>=(?!=)", ">"), (r" < ", " <= "), (r" > ", " >= "),
    (r" == ", " != "), (r" != ", " == "), (r" && ", " || "), (r" \|\| ", " && "),
    (r" \+ ", " - "), (r" - ", " + "), (r" \+= ", " -= "), (r" -= ", " += "), (r"\+\+", "--"),
    (r"\btrue\b", "false"), (r"\bfalse\b", "true"), (r" \+ 1\b", ""), (r" - 1\b", ""),
    (r"\bbreak;", ";"), (r"\bcontinue;", ";"), (r"\bPS_MIN\(", "PS_MAX("), (r"\bPS_MAX\(", "PS_MIN("),
    (r"!(?=[a-z(])", ""), (r"\breturn PS_IDLE;", "return PS_DONE;"), (r"\breturn PS_RETRY;", "return PS_DONE;"), (r"\breturn -1;", "return 0;"),
    (r"(?<=[<>=] )\d+\b", lambda found: str(int(found.group()) + 1)),
    (r"\breturn;", ";"), (r"(?<=[<>] )[A-Z]\w*_MAX\b", r"\g<0> + 1"), (r"(?<=[<>]= )[A-Z]\w*_MAX\b", r"\g<0> - 1"),
    (r"(?<=; )(\w+) < ([^;]+)(?=; \1\+\+\))", r"\1 < \2 && \1 < 1"),  # all but the first of a list are left out
    (r"(?<=, )([\w>.&\[\]-]+), ([\w>.&\[\]-]+)(?=[,)])", r"\2, \1"),  # two arguments behind the first
]
CONSTANT = re.compile(r"\b(?!PS_LOG_)(?:PS_\w+_|E)[A-Z0-9]{3,}\b(?!\()")  # of an enum, or an errno
MEMBER = re.compile(r"\b(\w+(?:->|\.))([a-z]\w+)\b(?!\()")
CONDITION = re.compile(r"^(\s+(?:\} else )?if \()(.*)(\) (?:\{|return.*;|continue;|break;)|\))$")
STATEMENT = re.compile(r"^\s+[a-z_][\w>.\[\]-]*(\(.*\)| [-+|&]?= .*);$")  # a call or an assignment: a drawn bug may leave it out
# Calls whose absence a test does not notice in a debug build: only AddressSanitizer or ThreadSanitizer might.
UNSEEN = re.compile(r"^\s+(free|munmap|memset|ps_log\w*|\w+_(free|fini|destroy)|pthread_(mutex|cond)_\w+|\(void\)\w+)\(")
STEP = re.compile(r"^\s+for \(")  # a loop that counts the wrong way only takes long, and tells nothing about the tests


class Mutant:
    def __init__(self, path, before, after, tests, number=None, function=None):
        self.path, self.before, self.after, self.tests = path, before, after, tests
        self.number, self.function = number, function

    def find(self, lines):
        """The number of the line; None if it is not there exactly once."""
        at = [self.number] if self.number is not None else [i for i in self.places(lines) if lines[i].strip() == self.before]
        return at[0] if len(at) == 1 and lines[at[0]].strip() == self.before else None

    def line(self, lines, at):
        """The line with the bug."""
        return lines[at][: len(lines[at]) - len(lines[at].lstrip())] + self.after

    def apply(self, tree):
        """Edits the copy; returns False if the line is not there exactly once."""
        name = os.path.join(tree, self.path)
        if not os.path.exists(name):
            return False
        with open(name) as file:
            lines = file.read().split("\n")
        at = self.find(lines)
        if at is None:
            return False
        lines[at] = self.line(lines, at)
        with open(name, "w") as file:
            file.write("\n".join(lines))
        return True

    def places(self, lines):
        """The numbers of the lines that may be meant: all, or those of the function's body."""
        if not self.function:
            return range(len(lines))
        begin = [i for i, line in enumerate(lines) if re.match(rf"[a-z].*\b{self.function}\(", line) and not line.endswith(";")]
        if len(begin) != 1 or "}" not in lines[begin[0]:]:
            return range(0)
        return range(begin[0], lines.index("}", begin[0]))

    def __str__(self):
        where = f"{self.path}:{self.number + 1}" if self.number is not None else self.path
        return f"{where}\n    - {self.before}\n    + {self.after}"


def listed(path):
    mutants = []
    with open(path) as file:
        text = re.sub(r"(?m)^#.*\n", "", file.read())
    for block in re.split(r"\n\s*\n", text.strip()):
        rows = [row.strip() for row in block.split("\n")]
        tests = rows[3].removeprefix("tests:").split() if len(rows) == 4 else []
        if len(rows) not in (3, 4) or not rows[1].startswith("- ") or not rows[2].startswith("+ "):
            sys.exit(f"run.py: this block of {path} is not a file, a '-' line and a '+' line:\n{block}")
        name, _, function = rows[0].partition(" ")
        mutants.append(Mutant(name, rows[1][2:], rows[2][2:], tests, function=function))
    return mutants


def code_lines(text):
    """The numbers of lines that hold code of a function: no comment, preprocessor line, declaration table or empty line."""
    comment = function = False
    for number, line in enumerate(text.split("\n")):
        stripped = line.strip()
        if comment or stripped.startswith("/*"):
            comment = "*/" not in stripped
            continue
        if line == "{":
            function = True
        elif line == "}":
            function = False
        elif function and stripped and not stripped.startswith(("#", "//", "PS_ASSERT", "case ")) and "PS_ASSERT" not in stripped:
            yield number, line


def drawn(count, paths, seed):
    generator, found = random.Random(seed), []
    files = subprocess.run(["git", "ls-files", "--", *paths], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    for path in sorted(path for path in files if path.endswith(".c")):
        with open(os.path.join(ROOT, path)) as file:
            text = file.read()
        words = Words(text)
        for number, line in code_lines(text):
            edits = list(edits_of(line)) + [edit for edit in words.edits_of(line) if edit != line]
            edits = [edit for edit in edits if edit.split("/*")[0] != line.split("/*")[0]]  # not in the words of a comment
            if edits:
                found.append((path, number, line, edits))
    some = generator.sample(found, min(count, len(found)))  # each line once, however many edits it allows
    return [Mutant(path, line.strip(), generator.choice(edits).strip(), [], number) for path, number, line, edits in some]


def edits_of(line):
    """Yields each edit of the line that a drawn bug may be."""
    for pattern, replacement in OPERATORS:
        for match in re.finditer(pattern, line):
            inside = line[: match.start()].count('"') % 2 == 1  # of a text
            if not inside and not (STEP.match(line) and match.group() == "++"):
                yield line[: match.start()] + (replacement(match) if callable(replacement) else match.expand(replacement)) + line[match.end():]
    if STATEMENT.match(line) and not UNSEEN.match(line):
        yield ";"


def sides_of(condition):
    """Yields the condition with one side of each `&&` and `||` that is not in parentheses left out; nothing if it is more than a condition."""
    depth, operators = 0, []
    for at, letter in enumerate(condition):
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return
        if depth == 0 and condition[at : at + 4] in (" && ", " || "):
            operators.append(at)
    yield f"!({condition})"
    yield f"false && ({condition})"
    for at in operators:
        yield condition[:at]
        yield condition[at + 4 :]


class Words:
    """The constants and members that a file uses: a drawn bug takes another one of the same kind."""

    def __init__(self, text):
        self.constants, self.members, self.alike = set(CONSTANT.findall(text)), {}, {}
        for base, member in MEMBER.findall(text):
            self.members.setdefault(base, set()).add(member)

    def others(self, constant):
        """The next constant with the same beginning (the same enum), or the next errno."""
        begin = constant[: constant.rindex("_") + 1] if "_" in constant else "E"
        kin = sorted(one for one in self.constants | {"EIO", "ENOENT"} if one.startswith(begin) and ("_" in one) == ("_" in constant))
        return kin[(kin.index(constant) + 1) % len(kin)]

    def edits_of(self, line):
        found = CONDITION.match(line)
        for condition in sides_of(found.group(2)) if found else ():
            yield found.group(1) + condition + found.group(3)
        for pattern in (CONSTANT, MEMBER):
            for match in pattern.finditer(line):
                if line[: match.start()].count('"') % 2 == 1:
                    continue
                if pattern is CONSTANT:
                    yield line[: match.start()] + self.others(match.group()) + line[match.end() :]
                    continue
                base, member = match.groups()
                if (base, member) not in self.alike:
                    self.alike[base, member] = difflib.get_close_matches(member, sorted(self.members[base] - {member}), 1, 0.5)
                for other in self.alike[base, member]:
                    yield line[: match.start(2)] + other + line[match.end(2) :]


def run(*command, tree, log=None, timeout=None, mutant=0):
    """Runs a command in the copy; returns its exit status and output."""
    environment = {**os.environ, "CCACHE_BASEDIR": tree, "CCACHE_NOHASHDIR": "1", "PS_MUTANT": str(mutant)}
    try:
        done = subprocess.run(command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode(errors="replace")
    text = done.stdout.decode(errors="replace")
    if log:
        with open(log, "w") as file:
            file.write(text)
    return done.returncode, text


def test_names():
    """The names of all tests, as CMake makes them of the files' paths (tests/tests.cmake)."""
    found = set()
    for folder, _, files in os.walk(os.path.join(ROOT, "tests")):
        prefix = os.path.relpath(folder, os.path.join(ROOT, "tests")).replace("/", "_") + "_"
        matches = (re.fullmatch(r"(.*)_(?:test\.(?:c|sh)|fuzz\.c)", name) for name in files)
        found.update(prefix + match.group(1) for match in matches if match)
        found.update("scenario_" + name.removesuffix(".scn") for name in files if name.endswith(".scn"))
    return found


def misfits(mutants):
    """Yields what is wrong with each bug that does not fit this tree."""
    known, seen, texts = test_names(), set(), {}
    for mutant in mutants:
        name = os.path.join(ROOT, mutant.path)
        if mutant.path not in texts:
            texts[mutant.path] = pathlib.Path(name).read_text().split("\n") if os.path.exists(name) else None
        lines = texts[mutant.path]
        key = (mutant.path, mutant.function, mutant.before, mutant.after)
        unknown = [test for test in mutant.tests if test.removesuffix("_librdkafka") not in known]
        if lines is None:
            yield mutant, "there is no such file"
        elif mutant.find(lines) is None:
            count = sum(lines[i].strip() == mutant.before for i in mutant.places(lines))
            yield mutant, f"the line is there {count} times" + (f" in {mutant.function}" if mutant.function else "")
        elif mutant.before == mutant.after or key in seen:
            yield mutant, "it is listed twice" if key in seen else "it changes nothing"
        elif unknown:
            yield mutant, f"no test is named {' '.join(unknown)}"
        seen.add(key)


class Copy:
    """A clone of what is committed, with a release build of its own: its programs are those that ./test.sh runs, and as quick (with assertions, too)."""

    def __init__(self, folder, jobs, timeout, together=False):
        self.tree, self.jobs, self.timeout = os.path.abspath(folder), str(jobs), str(timeout)
        self.sound, self.unsound = set(), set()  # tests that caught a bug, and how they fare without one
        self.build = os.path.join(self.tree, "build", "release")
        if not os.path.isdir(os.path.join(self.tree, ".git")):
            shutil.rmtree(self.tree, ignore_errors=True)
            subprocess.run(["git", "clone", "-q", "--shared", ROOT, self.tree], check=True)
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
        for command in (["fetch", "-q", ROOT, "HEAD"], ["checkout", "-q", "-f", head], ["clean", "-q", "-fd", "-e", "build"]):
            subprocess.run(["git", *command], cwd=self.tree, check=True)
        launcher = ["-DCMAKE_C_COMPILER_LAUNCHER=ccache", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        status, text = run("cmake", "--preset", "release", *launcher, tree=self.tree)
        if status == 0 and not together:
            status, text = run("cmake", "--build", self.build, "-j", self.jobs, tree=self.tree)
        if status != 0:
            sys.exit(f"run.py: the tree does not build without a bug:\n{text[-2000:]}")
        _, text = run("ctest", "--test-dir", self.build, "-N", tree=self.tree)
        self.all = re.findall(r"Test +#\d+: (\S+)", text)
        _, text = run("cmake", "--build", self.build, "--target", "help", tree=self.tree)
        self.targets = set(re.findall(r"(?m)^(\w+): phony$", text))

    def choose(self, mutant):
        """The tests of a bug that is in the copy now."""
        if mutant.tests:
            unknown = [test for test in mutant.tests if test not in self.all]
            if unknown:
                sys.exit(f"run.py: {mutant.path}: no test is named {' '.join(unknown)}")
            return mutant.tests
        _, text = run(sys.executable, "tests/changed.py", self.build, tree=self.tree)
        names = [line.split("\t")[0] for line in text.splitlines() if "\t" in line]
        return [name for name in names if not name.startswith(NEVER)]

    def make(self, tests):
        """Builds these tests; returns the exit status and the output."""
        in_world = {"world"} if any(test.startswith("scenario_") for test in tests) else set()
        targets = sorted(self.targets.intersection(tests) | in_world | ({"penstock"} if set(tests) != {"world"} else set()))
        return run("cmake", "--build", self.build, "-j", self.jobs, "--target", *targets, "--", "-k", "0", tree=self.tree,
                   log=self.build + "/mutant.log")

    def ask(self, tests, mutant=0):
        """Runs these tests, with this bug of several; returns the names of those that failed."""
        slow = [test for test in tests if test.startswith(SLOW)]
        for some in ([test for test in tests if test not in slow], slow):  # ctest alone would begin with the slowest
            status, text = run("ctest", "--test-dir", self.build, "-j", self.jobs, "--timeout", self.timeout, "--stop-on-failure", "-R",
                               "^(" + "|".join(some) + ")$", tree=self.tree, timeout=1800, mutant=mutant) if some else (0, "")
            if status != 0:
                return re.findall(r"(?m)^\s+\d+ - (\S+) \(", text) or [f"(ctest ended with status {status})"]
        return []

    def test(self, tests):
        """Builds and runs these tests. Returns (INVALID or None, the names of those that failed)."""
        return ("INVALID", []) if self.make(tests)[0] != 0 else (None, self.ask(tests))

    def restore(self, mutant):
        subprocess.run(["git", "checkout", "-q", "--", mutant.path], cwd=self.tree, check=True)


def plant(copy, mutant, wide):
    """Plants one bug and runs its tests. Returns the outcome, the tests that failed and how many were chosen."""
    if not mutant.apply(copy.tree):
        return "STALE", [], 0
    try:
        tests = [test for test in copy.choose(mutant) if test not in copy.unsound]
        invalid, failed = copy.test(tests) if tests else (None, [])
        if not invalid and not failed and wide:
            invalid, failed = copy.test([test for test in copy.all if not test.startswith(NEVER) and test not in copy.unsound])
        return invalid or ("CAUGHT" if failed else "SURVIVED"), failed, len(tests)
    finally:
        copy.restore(mutant)


def judge(copy, mutant, wide):
    """Plants a bug, again without the tests that fail without it, too."""
    while True:
        outcome, failed, count = plant(copy, mutant, wide)
        unproven = [test for test in failed if test in copy.all and test not in copy.sound]
        _, broken = copy.test(unproven) if unproven else (None, [])
        copy.unsound.update(broken)
        if not broken:
            copy.sound.update(unproven)
            return outcome, " ".join(failed) or f"{count} tests"
        print(f"not counted, because they fail without a bug: {' '.join(broken)}", flush=True)


def choose_all(copy, mutants):
    """The tests of each bug, None for one whose line is gone."""
    chosen, of_file = [], {}
    for mutant in mutants:
        there = mutant.apply(copy.tree)
        if there and not mutant.tests and mutant.path not in of_file:
            of_file[mutant.path] = copy.choose(mutant)
        chosen.append((copy.choose(mutant) if mutant.tests else of_file[mutant.path]) if there else None)
        copy.restore(mutant)
    return chosen


def plant_together(copy, mutants, out):
    """Writes the files with every bug that is not in `out`, and adds those to it that cannot be behind PS_MUTANT. Returns the bugs with a probe."""
    files, with_probe = {}, set()
    for number, mutant in enumerate(mutants, 1):
        copy.restore(mutant)
        if number not in out:
            files.setdefault(mutant.path, []).append((number, mutant))
    for path, bugs in files.items():
        name = os.path.join(copy.tree, path)
        with open(name) as file:
            text = file.read()
        lines = text.split("\n")
        places = [(number, mutant.find(lines), mutant) for number, mutant in bugs]
        text, alone, probed = together.plant(text, [(number, at, mutant.line(lines, at)) for number, at, mutant in places])
        out.update((number, "ALONE") for number in alone)
        with_probe.update(probed)
        with open(name, "w") as file:
            file.write(text)
    return with_probe


def build_together(copy, mutants, tests, out):
    """Plants and builds; a bug that does not compile is left out. Returns the bugs with a probe before their lines."""
    while True:
        with_probe = plant_together(copy, mutants, out)
        status, text = copy.make(tests)
        if status == 0:
            return with_probe
        blames = re.findall(r"In function .(?:\w+_mutant_(\d+))?(.*?)(?=In function|\Z)", text, re.DOTALL)
        wrong = {int(number) for number, words in blames if number and "error:" in words} - out.keys()
        if not wrong:
            sys.exit(f"run.py: the tree does not build with these bugs:\n{text[-2000:]}")
        out.update((number, "INVALID") for number in wrong)


def judge_together(copy, mutants):
    """Yields each bug with its outcome and detail."""
    chosen = choose_all(copy, mutants)
    out = {number: "STALE" for number, tests in enumerate(chosen, 1) if tests is None}
    build_together(copy, mutants, {test for tests in chosen for test in tests or []}, out)
    for number, (mutant, tests) in enumerate(zip(mutants, chosen), 1):
        while number not in out:
            tests = [test for test in tests if test not in copy.unsound]
            failed = copy.ask(tests, number)
            unproven = [test for test in failed if test in copy.all and test not in copy.sound]
            broken = copy.ask(unproven)
            copy.unsound.update(broken)
            copy.sound.update(set(unproven) - set(broken))
            if not broken:
                out[number] = "CAUGHT" if failed else "SURVIVED"
                yield mutant, out[number], " ".join(failed) or f"{len(tests)} tests"
                break
            print(f"not counted, because they fail without a bug: {' '.join(broken)}", flush=True)
        else:
            yield mutant, out[number], ""


def choose_parts(path, tests, programs):
    """Returns the tests of parts, and programs of tests/e2e, that --parts runs for a file."""
    chosen = changed.Chosen(tests)
    if path.startswith("core/"):  # everything uses it: its own folder and the simulator answer for it
        chosen.folder(os.path.dirname(path).replace("/", "_"), path)
        chosen.folder("_".join(path.split("/")[:2]), path)
        chosen.folder("sim", path)
    else:
        changed.choose(chosen, path, {})
    return [name for name in chosen.why if not name.startswith(WHOLE) or name.startswith("e2e_") and name.removesuffix("_librdkafka") in programs]


def judge_parts(copy, mutants):
    """Yields each bug with its outcome and detail. Runs only the tests that call its function."""
    chosen = {path: choose_parts(path, set(copy.all), copy.targets) for path in {mutant.path for mutant in mutants}}
    tests, out = {test for some in chosen.values() for test in some}, {}
    build_together(copy, mutants, tests, out)
    asker = reach.Asker(copy.build, int(copy.jobs))
    for name in asker.measure_all(tests, int(copy.timeout)):
        print(f"not asked, because it does not pass without a bug: {name}", flush=True)
    numbers = [number for number in range(1, len(mutants) + 1) if number not in out]
    for number, outcome in sorted(out.items()):
        yield mutants[number - 1], outcome, ""
    answers = asker.ask_all((number, chosen[mutants[number - 1].path], mutants[number - 1].path) for number in numbers)
    for number, (test, asked) in answers:
        yield mutants[number - 1], "CAUGHT" if test else "SURVIVED", test or (f"{asked} tests" if asked else "no test reaches it")


def stale(copy, mutants):
    """The numbers of the bugs whose line is gone, as outcomes."""
    out = {}
    for number, mutant in enumerate(mutants, 1):
        lines = pathlib.Path(copy.tree, mutant.path).read_text().split("\n") if os.path.exists(os.path.join(copy.tree, mutant.path)) else []
        if mutant.find(lines) is None:
            out[number] = "STALE"
    return out


def judge_needed(copy, mutants, seeds, seconds):
    """Yields each bug with its outcome and detail, then prints which programs are needed."""
    out, tests = stale(copy, mutants), {}
    scenarios = [name for name in copy.all if name.startswith(("scenario_", "fuzz_"))]
    for path in {mutant.path for mutant in mutants}:
        tests[path] = choose_parts(path, set(copy.all), copy.targets) + scenarios
    names = {test for some in tests.values() for test in some}
    with_probe = build_together(copy, mutants, names | {"world"}, out)
    asker = needed.Asker(copy.build, int(copy.jobs), seeds)
    for said in asker.world.measure() + asker.measure_all(names, int(copy.timeout)):
        print(f"not asked, because it does not pass without a bug: {said}", flush=True)
    for number, outcome in sorted(out.items()):
        yield mutants[number - 1], outcome, ""
    numbers = [number for number in range(1, len(mutants) + 1) if number not in out]
    questions = [(number, number in with_probe, tests[mutants[number - 1].path], mutants[number - 1].path) for number in numbers]
    for number, (kind, detail) in asker.judge_all(questions, seconds):
        yield mutants[number - 1], "CAUGHT" if kind else "SURVIVED", f"{kind}: {detail}" if kind else detail
    print("\n".join(needed.report(copy.tree, asker, names)))


def judge_world(copy, mutants, seeds, seconds):
    """Yields each bug with its outcome and detail. Runs only the world."""
    out = stale(copy, mutants)
    with_probe = build_together(copy, mutants, {"world"}, out)
    asker = world.Asker(copy.build, int(copy.jobs), seeds)
    for said in asker.measure():
        print(f"not asked, because it is bad without a bug: {said}", flush=True)
    for number, outcome in sorted(out.items()):
        yield mutants[number - 1], outcome, ""
    numbers = [number for number in range(1, len(mutants) + 1) if number not in out]
    for number, (outcome, detail) in asker.ask_all(((number, number in with_probe) for number in numbers), seconds):
        yield mutants[number - 1], outcome, detail


def judge_apart(copy, mutants, wide):
    for mutant in mutants:
        yield mutant, *judge(copy, mutant, wide)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--draw", type=int)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--bugs", action="append")
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--world", action="store_true")
    parser.add_argument("--needed", action="store_true")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--wide", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "mutation"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--timeout", type=int, default=120)
    options = parser.parse_args()
    mutants = []
    if options.draw:
        mutants = drawn(options.draw, options.paths or PATHS, options.seed)
        print(f"seed {options.seed}")
    for path in options.bugs or ([] if options.draw else [LIST]):
        mutants += [one for one in listed(path) if not options.paths or one.path.startswith(tuple(options.paths))]
    if not mutants:
        sys.exit("run.py: no bug in these paths")
    if options.fit:
        wrong = list(misfits(mutants))
        for mutant, text in wrong:
            print(f"STALE    {mutant}\n    {text}")
        print(f"{len(mutants) - len(wrong)} of {len(mutants)} bugs fit the tree")
        sys.exit(1 if wrong else 0)
    copy = Copy(options.build + ("-together" if options.together else ""), options.jobs, options.timeout, options.together)
    if options.list:
        for mutant, tests in zip(mutants, choose_all(copy, mutants)):
            print(f"{mutant}\n    {'STALE' if tests is None else ' '.join(tests)}")
        return
    counts, rows = {}, []
    judged = judge_apart(copy, mutants, options.wide)
    if options.together and options.needed:
        judged = judge_needed(copy, mutants, options.seeds, options.seconds)
    elif options.together and options.world:
        judged = judge_world(copy, mutants, options.seeds, options.seconds)
    elif options.together:
        judged = judge_parts(copy, mutants) if options.parts else judge_together(copy, mutants)
    for mutant, outcome, detail in judged:
        rows.append((mutant.path, outcome, detail))
        row = counts.setdefault("/".join(mutant.path.split("/")[:3]) if options.parts else "/".join(mutant.path.split("/")[:2]), {})
        row[outcome] = row.get(outcome, 0) + 1
        print(f"{outcome:8} {mutant}\n    {detail}", flush=True)
    if options.world:
        print("\n".join(world.table(rows)))
    total = {}
    for folder in sorted(counts):
        print(f"{folder:28} " + ", ".join(f"{count} {outcome.lower()}" for outcome, count in sorted(counts[folder].items())))
        for outcome, count in counts[folder].items():
            total[outcome] = total.get(outcome, 0) + count
    valid = total.get("CAUGHT", 0) + total.get("SURVIVED", 0)
    print(f"{total.get('CAUGHT', 0)} of {valid} bugs caught" + (f" ({100 * total.get('CAUGHT', 0) / valid:.0f} %)" if valid else ""))
    sys.exit(1 if total.get("SURVIVED") or total.get("STALE") else 0)


if __name__ == "__main__":
    main()
