#!/usr/bin/env python3
"""Which tests a change touches: for ./test.sh --changed.

  tests/changed.py BUILD [BASE]     prints a line for each test: its name, a tab, why it was chosen

BUILD is a configured build directory (ctest and ninja are asked there). The change is what the working tree has against HEAD, files that git
does not know included, and with BASE also the commits since BASE. Chosen are

- the test of a file (tests/<path of the file>_test.*), the other tests of its folder (not those of other stages: a stage uses none), and
  the conformance suite of a stage's kind,
- the same for each file of another folder that uses the file: through its header, through that of another file of its folder which uses it,
  or, for a part without a header of its own, through that of the whole (netcat for stages/lib/stream/stream.c and stages/lib/stream/connection.c),
- the tests that run the stage of such a file by the name of its operations (ps_source_avro), themselves or through tests/support,
- tests whose own files changed, and those that include a changed header, as the build knows it,
- for a command (commands) the scripts that run it,
- scripts of tests/e2e and tests/real by their names (kafka_*, load_*, rules_*, ..): tests/e2e for a changed subject, tests/real only
  when the script itself changed, because they need servers,
- for stages/stages.def the conformance suites, and what lists the stages,
- unit_architecture always, since every change can break a rule of the tree."""
import os
import re
import subprocess
import sys

MANY = 60  # tests that include one header: beyond this the folder's tests stand for them, and the line says so
WORDS = {"kafka", "load", "verify", "plan", "report", "rules", "regex", "demo", "service", "bench"}


def lines(*command, folder=None):
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()


def changed_files(base):
    files = set(lines("git", "diff", "--name-only", "HEAD")) | set(lines("git", "ls-files", "--others", "--exclude-standard"))
    if base:
        files |= set(lines("git", "diff", "--name-only", f"{base}...HEAD"))
    return sorted(files)


def known_tests(build):
    return [line.split(": ", 1)[1] for line in lines("ctest", "--test-dir", build, "-N") if re.match(r" *Test *#", line)]


def name_of(path):
    """tests/core/flow/batch_test.c -> core_flow_batch; None for what is no test."""
    found = re.fullmatch(r"tests/(.*)_(?:test|fuzz)\.(?:c|sh)", path)
    return found.group(1).replace("/", "_") if found else None


def dependants(build):
    """File -> names of tests whose own object files include it."""
    found = {}
    try:
        text = lines("ninja", "-C", build, "-t", "deps")
    except (subprocess.CalledProcessError, FileNotFoundError):
        return found
    root, test = os.getcwd() + "/", None
    for line in text:
        if not line.startswith(" "):
            source = re.search(r"/(tests/.*_(?:test|fuzz)\.c)\.o:", line)
            test = name_of(source.group(1)) if source else None
        elif test:
            path = os.path.normpath(os.path.join(build, line.strip()))
            found.setdefault(path.removeprefix(root), set()).add(test)
    return found


class Chosen:
    def __init__(self, tests):
        self.tests, self.why = tests, {"unit_architecture": "every change"}

    def add(self, test, why):
        if test in self.tests:
            self.why.setdefault(test, why)

    def folder(self, prefix, why):
        for test in self.tests:
            if test.startswith(prefix + "_"):
                self.add(test, why)


def conformance(chosen, folder, why):
    suite = "stages_conformance_" + folder.removesuffix("s")
    chosen.add(suite, why)
    chosen.folder(suite, why)


def include_lines(pattern, *where):
    """(file, included header) of the #include lines that match."""
    found = subprocess.run(["git", "grep", "-E", pattern, "--", *where], capture_output=True, text=True).stdout
    return re.findall(r'(?m)^([^:\n]*):#include "([^"\n]*)"', found)


def headers_of(path):
    """The headers through which other folders use a file: its own, or, for a part without one (connection.c), those of its folder
    that it includes (internal.h) and that these include (stream.h); and those of the files of its folder that use these, and so on."""
    folder, name = os.path.split(path)
    inside = [(file, header) for file, header in include_lines(f'^#include "{folder}/[^/]*"', f"{folder}/*.[ch]") if os.path.dirname(file) == folder]
    own = path.rsplit(".", 1)[0] + ".h"
    headers = {own}
    if not os.path.exists(own):
        headers = {header for file, header in inside if file == path}
        headers |= {header for file, header in inside if file in headers}
    known = set()
    while known != headers:
        known = set(headers)
        headers |= {file.rsplit(".", 1)[0] + ".h" for file, header in inside if header in known}
    return headers


def users(path):
    """The files of other folders that use a file: netcat.c for stages/lib/stream/stream.c and stages/lib/stream/connection.c."""
    headers = headers_of(path)
    found = include_lines('^#include "(stages|regex|bench|commands)/', "stages", "regex", "bench", "commands")
    return sorted({user for user, header in found if header in headers and os.path.dirname(user) != os.path.dirname(path)})


def stage_tests(chosen, path, why):
    """For stages/sources/avro.c: the tests that run its stage, ps_source_avro, under another name (mixed_outcomes)."""
    parts = path.removesuffix(".c").split("/")
    if len(parts) < 3 or parts[0] != "stages" or parts[1] == "lib":
        return
    operations = rf"\bps_{parts[1].removesuffix('s')}_{parts[2]}\b"
    found = subprocess.run(["git", "grep", "-lP", operations, "--", "tests/*.c"], capture_output=True, text=True).stdout.split()
    for file in found:
        if file.startswith("tests/support/") and not file.startswith("tests/support/conformance"):  # rpc_calls.c: rpc_windows_test.c includes rpc_calls.h
            header = re.escape(file.removesuffix(".c") + ".h")
            found += {user for user, _ in include_lines(f'^#include "{header}"', "tests/*.c")} - set(found)
    for test in filter(None, map(name_of, found)):
        chosen.add(test, why)


def end_to_end(chosen, path):
    words = set(re.split(r"[/_.]", path)) & WORDS
    for test in chosen.tests:
        if test.startswith("e2e_") and words & set(test.split("_")):
            chosen.add(test, path)


def command_users(chosen, path):
    """For commands/tail.c: the scripts that run `penstock tail`."""
    command = re.split(r"[/_.]", path.removeprefix("commands/"))[0]
    runs = rf'penstock"?\}}? +{"mock-broker" if command == "mock" else command}\b'
    found = subprocess.run(["git", "grep", "-liP", runs, "--", "tests/e2e", "tests/conf"], capture_output=True, text=True).stdout
    for test in filter(None, map(name_of, found.split())):
        chosen.add(test, path)


def choose(chosen, path, included):
    test = name_of(path)
    if test:
        chosen.add(test, path)
        return
    folder, name = os.path.split(path)
    parts = path.split("/")
    if path.startswith("tests/fuzz/corpus/"):
        chosen.add("fuzz_" + parts[3], path)
    elif parts[0] == "tests" and len(parts) > 2 and parts[1] != "support":
        chosen.folder("_".join(parts[1:-2] if parts[-2] == "data" else parts[1:-1]), path)
    elif parts[0] in ("docs", "conf") and not name.endswith((".c", ".h")) or path in ("README.md", "CONTRIBUTING.md"):
        for test in ("unit_docs_examples", "unit_install", "conf_validate_check"):
            chosen.add(test, path)
    elif parts[0] == "perf":
        chosen.folder("perf", path)
    elif path == "stages/stages.def":
        chosen.folder("stages_conformance", path)
        for test in ("conf_validate_check", "e2e_components_json", "unit_install", "unit_hardening"):
            chosen.add(test, path)
        return
    elif name == "CMakeLists.txt" or name.endswith(".cmake"):
        chosen.add("unit_install", path)
        chosen.add("unit_hardening", path)
        chosen.folder("stages", path)
    if name.endswith((".c", ".h")) and parts[0] != "tests":
        stem = folder.replace("/", "_") + "_" + name.rsplit(".", 1)[0]
        chosen.add(stem, path)
        chosen.folder(stem, path)
        is_stage = parts[0] == "stages" and len(parts) == 3 and parts[1] != "lib"
        if not is_stage and (len(parts) > 2 or parts[0] in ("rings", "conf")):
            chosen.folder(folder.replace("/", "_"), path)
        if parts[0] == "stages":
            conformance(chosen, parts[1], path)
            stage_tests(chosen, path, path)
        for user in users(path):
            own = user.rsplit(".", 1)[0].replace("/", "_")
            if not any(test == own or test.startswith(own + "_") for test in chosen.tests):  # lane/http.c: tests/bench/load/target/http_test.c
                own = os.path.dirname(user).replace("/", "_")
            chosen.add(own, f"{user} uses {path}")
            chosen.folder(own, f"{user} uses {path}")
            stage_tests(chosen, user, f"{user} uses {path}")
            if user.startswith("stages/"):
                conformance(chosen, user.split("/")[1], f"{user} uses {path}")
        if parts[:2] == ["core", "engine"] or parts[:2] == ["core", "flow"] or parts[0] == "rings":
            for kind in ("sim", "stress"):
                chosen.folder(kind, path)
        if parts[:3] == ["stages", "lib", "kafka"] and parts[3] in ("cluster", "transaction", "wire"):  # behind the table of stages/lib/kafka/produce/seam.h, through which it is called
            chosen.folder("stages_lib_kafka_produce", path)
        if parts[:3] == ["stages", "lib", "queue"] or path == "stages/channels/file.c":
            chosen.folder("crash", path)
        end_to_end(chosen, path)
        if parts[0] == "commands":
            command_users(chosen, path)
    if parts[0] == "bench" and (len(parts) == 2 or parts[1] in ("suite", "agents")):
        for test in ("bench_run", "bench_tables", "bench_load_speed", "e2e_bench_peers", "e2e_bench_rules"):
            chosen.add(test, path)
    direct = included.get(path, set())
    if len(direct) <= MANY:
        for test in direct:
            chosen.add(test, f"includes {path}")
    else:
        chosen.folder(parts[0], path)
        print(f"changed: {len(direct)} tests include {path}: those of {parts[0]}/ are chosen; ./test.sh --quick runs them all", file=sys.stderr)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    os.chdir(lines("git", "rev-parse", "--show-toplevel")[0])
    build = os.path.abspath(sys.argv[1])
    chosen = Chosen(known_tests(build))
    included = dependants(build)
    for path in changed_files(sys.argv[2] if len(sys.argv) == 3 else None):
        choose(chosen, path, included)
    for test, why in sorted(chosen.why.items()):
        print(f"{test}\t{why}")


if __name__ == "__main__":
    main()
