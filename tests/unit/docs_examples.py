#!/usr/bin/env python3
"""Runs the commands in the documents; for tests/unit/docs_examples_test.sh.

  docs_examples.py PROGRAM FOLDER DOCUMENT...     in the root of the source; FOLDER is empty and is left full

Every block of shell commands is a block of "sh" or "console" with one of these lines before it:

  <!-- run -->                      it ends with exit status 0
  <!-- run: exit 1 -->              it ends with this one
  <!-- run: own network -->         the same, in a network of its own, where ports are free and the names of HOSTS are 127.0.0.1
  <!-- run: prints "a text" -->     the text is in its output; conditions are separated by commas
  <!-- not run: REASON -->

A line "<!-- run: ..." may be followed by commands that readers do not see, up to a line "-->": they prepare what the block needs.
<!-- file: NAME --> before any block writes its text to a file for the later blocks. A "console" block has lines "$ COMMAND", each followed
by what it prints.

<!-- same: PATH --> before any block says that it shows this file of the source without its comments.

The blocks of a document run in one folder, in which the source's files are, in order; documents run side by side. A reader types: after a line that ends in "&" the
next one waits until something listens. A reader has time and a machine: the program in the path of the examples is a wrapper that
shortens runs (1 s, 20,000 events), stops an agent in the foreground after 3 s, and accepts a load or plan that this machine is too slow for.
Another one lets kcat wait for a broker's first answer for longer than its 5 s."""
import collections
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

HOSTS = "collector broker b1 b2 agent collector1"
LIMIT_S = 240
COMMAND = re.compile(r"^(\$ )?(sudo \w|([A-Z_]+=\S+ )*(penstock|flume-ng|cmake|cpack|curl|kcat|jq|systemctl|bench/\w+|perf/\w+|\./\w+\.sh|bash tests/)( |$))")
Block = collections.namedtuple("Block", "line language text run conditions reason setup file same")

WRAPPER = r"""#!/bin/bash
words=() command=$1
while (($#)); do
    words+=("$1")
    case $command$1 in
    load--duration | verify--duration) words+=(1s); shift ;;
    load--events | verify--events) words+=(20000); shift ;;
    demo--seconds | demo--rate) words+=(1000); shift ;;
    plan--within) words+=(5s); shift ;;
    esac
    shift
done
[[ $command != plan || " ${words[*]} " == *' --within '* || " ${words[*]} " == *' --render '* ]] || words+=(--within 5s)
code=0
if [[ $command == agent && ${FOREGROUND-} ]]; then
    exec timeout --preserve-status 3 PROGRAM "${words[@]}"
elif [[ $command == agent || $command == mock-broker ]]; then
    exec PROGRAM "${words[@]}" # so that a kill reaches it
elif [[ $command == top && " ${words[*]} " != *' --once '* ]] || [[ $command == tail && " ${words[*]} " == *' -f '* ]]; then
    timeout 3 PROGRAM "${words[@]}" || code=$?
    exit $((code == 124 ? 0 : code))
fi
PROGRAM "${words[@]}" || code=$?
case $command-$code in
load-3 | plan-[134]) exit 0 ;; # the machine of the test is too slow
esac
exit $code
"""

PRELUDE = r"""set -euo pipefail
pause() { # after a program was started in the background
    local i
    for ((i = 0; i < 200; i++)); do
        [[ -z $(ss -Hltun) ]] || break
        sleep 0.1
    done
    sleep 1
}
listens() { # PORT: waits until a program listens there, which takes a busy machine some time
    local i
    for ((i = 0; i < 600; i++)); do
        [[ -z $(ss -Hltun "sport = :$1") ]] || return 0
        sleep 0.1
    done
    echo "nothing listens on port $1" >&2
    return 1
}
logs_agent() { # OPTION...: an agent from syslog on port 5140 to the topic logs of broker:9092
    cat >logs.properties <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = syslogtcp
a1.sources.r1.host = 127.0.0.1
a1.sources.r1.port = 5140
a1.sources.r1.keepFields = all
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 100000
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.kafka.bootstrap.servers = broker:9092
a1.sinks.k1.kafka.topic = logs
a1.sinks.k1.channel = c1
END
    penstock mock-broker --port 9092 --topic logs:4 >broker.txt &
    listens 9092
    penstock agent -n a1 -f logs.properties "$@" 2>agent.txt &
    listens 5140
    [[ "$*" != *monitoring.type=http* ]] || listens 41414
}
"""


def blocks(path):
    out, armed = [], None
    with open(path, encoding="utf-8") as stream:
        lines = stream.read().split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        found = re.fullmatch(r" *<!-- (run|not run|file|same)(?:: (.*?))?( -->)?", line)
        if found:
            setup = []
            if not found[3]:
                at += 1
                while at < len(lines) and lines[at] != "-->":
                    setup.append(lines[at])
                    at += 1
            armed = (armed or []) + [(found[1], found[2] or "", "\n".join(setup))]
        elif re.match(r" *```", line):
            indent, language, begin = len(line) - len(line.lstrip()), line.strip()[3:], at
            at += 1
            text = []
            while at < len(lines) and lines[at].strip() != "```":
                text.append(lines[at][indent:])
                at += 1
            directives = dict((kind, (rest, setup)) for kind, rest, setup in armed or [])
            out.append(Block(begin + 1, language, "\n".join(text), "run" in directives, directives.get("run", ("", ""))[0],
                             directives.get("not run", (None,))[0], directives.get("run", ("", ""))[1], directives.get("file", (None,))[0],
                             directives.get("same", (None,))[0]))
            armed = None
        elif line.startswith("    ") and COMMAND.match(line.strip()) and not re.match(r" *(- |\d+\. )", line):
            out.append(Block(at + 1, "indented", line.strip(), False, "", None, "", None, None))
        elif line.strip():
            if armed:
                out.append(Block(at + 1, "", "", True, "", None, "", None, None))  # no block after it
            armed = None
        at += 1
    return out


def typed(text):
    """The commands as a reader types them."""
    out, inside = [], None
    for line in text.split("\n"):
        bare = re.sub(r"\s+#( .*)?$", "", line)
        if re.match(r"penstock agent\b", bare) and not bare.endswith("&"):
            line = "FOREGROUND=1 " + line
        out.append(line)
        if inside:
            inside = None if line == inside else inside
        elif re.search(r"<<-?'?(\w+)'?", bare):
            inside = re.search(r"<<-?'?(\w+)'?", bare)[1]
        elif bare.endswith("&") and not bare.endswith("&&"):
            out.append("pause")
    return "\n".join(out)


def commands_of_console(text):
    """[(command, output)]"""
    out = []
    for line in text.split("\n"):
        if line.startswith("$ "):
            out.append((line[2:], []))
        elif out:
            out[-1][1].append(line)
    return out


class Runner:
    def __init__(self, program, folder):
        self.folder = folder
        self.bin = os.path.join(folder, "bin")
        os.mkdir(self.bin)
        self.wrapper("penstock", WRAPPER.replace("PROGRAM", program))
        self.wrapper("kcat", f'#!/bin/bash\nexec {shutil.which("kcat")} -m 120 "$@"\n')
        shutil.copy("cmake/packaging/bin/flume-ng", self.bin)
        self.hosts = os.path.join(folder, "hosts")
        with open(self.hosts, "w", encoding="utf-8") as file:
            file.write(f"127.0.0.1 localhost {HOSTS}\n::1 localhost\n127.0.0.1 {os.uname().nodename}\n")
        probe = subprocess.run(self.apart() + ["true"], capture_output=True, check=False)
        self.network = probe.returncode == 0

    def wrapper(self, name, text):
        path = os.path.join(self.bin, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)

    @staticmethod
    def apart():
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        return ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

    def place(self, document):
        """The folder in which a document's blocks run: what the source has, without its builds."""
        place = os.path.join(self.folder, re.sub(r"\W", "_", document))
        os.makedirs(os.path.join(place, "build", "release"))
        for name in os.listdir("."):
            if name not in ("build", ".git"):
                os.symlink(os.path.abspath(name), os.path.join(place, name))
        os.symlink(os.path.join(self.bin, "penstock"), os.path.join(place, "build", "release", "penstock"))
        return place

    def bash(self, script, place, own_network):
        """Runs a script: (exit status, output). Everything that it started ends with it."""
        path = place + ".script"
        with open(path, "w", encoding="utf-8") as file:
            file.write(PRELUDE + script + "\n")
        environment = dict(os.environ, PATH=self.bin + ":" + os.environ["PATH"], TMPDIR=place, HOME=place)
        command = ["bash", path]
        if own_network:
            begin = 'ip link set lo up; mount --bind "$0" /etc/hosts; exec bash "$1"'
            command = [*self.apart(), "bash", "-euc", begin, self.hosts, path]
        with open(place + ".out", "w+", encoding="utf-8", errors="replace") as out:
            try:
                code = subprocess.run(command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                      timeout=LIMIT_S, check=False).returncode
            except subprocess.TimeoutExpired:
                code = f"none in {LIMIT_S} s"
            out.seek(0)
            return code, out.read()

    def run(self, block, place):
        """What is wrong, or None; "skip" when there can be no network of its own here."""
        own, wanted, prints = False, 0, []
        for condition in re.findall(r'(?:[^,"]|"[^"]*")+', block.conditions):
            condition = condition.strip()
            if condition == "own network":
                own = True
            elif re.fullmatch(r"exit \d+", condition):
                wanted = int(condition[5:])
            elif re.fullmatch(r'prints ".*"', condition):
                prints.append(condition[8:-1])
            else:
                return f"unknown condition: {condition}"
        if own and not self.network:
            return "skip"
        if block.language == "console":
            for command, output in commands_of_console(block.text):
                code, got = self.bash(block.setup + "\n" + command, place, own)
                if code != wanted or got.rstrip("\n").split("\n") != "\n".join(output).rstrip("\n").split("\n"):
                    return f"exit {code}; $ {command} prints:\n{got}"
            return None
        code, got = self.bash(typed(block.setup) + "\n" + typed(block.text), place, own)
        if code != wanted:
            return f"exit {code}, not {wanted}:\n{block.text}\n--\n" + "\n".join(got.split("\n")[-25:])
        for text in prints:
            if text not in got:
                return f"does not print {text}:\n{got[-2000:]}"
        return None


def shown(path):
    with open(path, encoding="utf-8") as file:
        return "".join(line for line in file if not line.startswith("#")).strip("\n")


def document_of(runner, document):
    """(how many blocks ran, reasons of those that did not, how many could not, what is wrong)"""
    found, run, reasons, skipped, failures = blocks(document), 0, [], 0, []
    place = runner.place(document) if any(block.run or block.file for block in found) else None
    for block in found:
        wrong = None
        if block.file:
            with open(os.path.join(place, block.file), "w", encoding="utf-8") as file:
                file.write(block.text + "\n")
        shell = block.language in ("sh", "console")
        if block.same and block.text != shown(block.same):
            wrong = f"is not what {block.same} has"
        elif block.run and not shell:
            wrong = "no block of sh or console after <!-- run -->"
        elif block.run:
            for _ in range(3):  # a load that a very busy machine keeps from its CPU may not be delivered
                wrong = runner.run(block, place)
                if not wrong or wrong == "skip":
                    break
            run += wrong != "skip"
        elif shell and not block.reason:
            wrong = "write <!-- run --> or <!-- not run: REASON --> before this block"
        elif shell:
            reasons.append(block.reason)
        elif not block.file and any(COMMAND.match(line.strip()) for line in block.text.split("\n")):
            wrong = "commands outside a block of sh: " + block.text.split("\n")[0]
        if wrong == "skip":
            skipped += 1
        elif wrong:
            failures.append(f"FAILED: {document}:{block.line}: {wrong}")
    return run, reasons, skipped, failures


def main():
    program, folder, documents = sys.argv[1], sys.argv[2], sys.argv[3:]
    runner = Runner(program, folder)
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool: # they mostly wait
        results = list(pool.map(lambda document: document_of(runner, document), documents))
    run, skipped = sum(result[0] for result in results), sum(result[2] for result in results)
    failures = [failure for result in results for failure in result[3]]
    for failure in failures:
        print(failure)
    print(f"{run} examples run")
    for reason, count in sorted(collections.Counter(reason for result in results for reason in result[1]).items()):
        print(f"{count} not run: {reason}")
    if skipped:
        print(f"SKIP: {skipped} examples need a network namespace (unshare --net)")
    return 1 if failures or not run else 77 if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
