#!/usr/bin/env python3
"""Reads cmake/packaging/oci/Containerfile.

  containerfile.py check          says what is wrong with it, exit 1 if anything is
  containerfile.py STAGE          prints the instructions of this stage ("last": the last), one a line: WORD <tab> arguments

In the root of the source. It knows the instructions that the file uses and no more: what Containerfile(5) has beyond that is an error here."""
import glob
import json
import re
import sys

PATH = "cmake/packaging/oci/Containerfile"
KNOWN = {"FROM", "COPY", "WORKDIR", "RUN", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD"}


def instructions():
    """[(line, word, arguments)]"""
    out, pending, begin = [], "", 0
    with open(PATH, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            begin = begin or number
            if line.endswith("\\"):
                pending += line[:-1] + " "
                continue
            word, _, arguments = (pending + line).partition(" ")
            out.append((begin, word, arguments.strip()))
            pending, begin = "", 0
    if pending:
        sys.exit(f"{PATH}: ends in a line that goes on")
    return out


def stages(found):
    out = []
    for line, word, arguments in found:
        if word == "FROM":
            out.append([])
        elif not out:
            sys.exit(f"{PATH}:{line}: {word} before FROM")
        out[-1].append((line, word, arguments))
    return out


def words_of(line, word, arguments, wrong):
    """ENTRYPOINT and CMD as a JSON list: without it they run below a shell that does not pass signals on."""
    try:
        words = json.loads(arguments)
    except ValueError:
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(each, str) for each in words):
        wrong(line, f"{word} is no JSON list of texts")
        return []
    return words


def check():
    problems, names = [], set()

    def wrong(line, text):
        problems.append(f"{PATH}:{line}: {text}")

    found = stages(instructions())
    for stage in found:
        for line, word, arguments in stage:
            if word not in KNOWN:
                wrong(line, f"unknown instruction {word}")
            elif word == "FROM":
                match = re.fullmatch(r"(\S+)(?: AS ([a-z]+))?", arguments)
                if not match:
                    wrong(line, "FROM IMAGE [AS NAME] expected")
                    continue
                if not re.fullmatch(r"debian:12(-slim)?", match[1]) and match[1] not in names:
                    wrong(line, f"{match[1]}: the package is for Debian 12")
                if match[2]:
                    names.add(match[2])
            elif word == "COPY":
                origin = re.match(r"--from=(\S+) ", arguments)
                if origin and origin[1] not in names:
                    wrong(line, f"COPY --from={origin[1]}: no such stage before")
                for source in [] if origin else arguments.split()[:-1]:
                    if not glob.glob(source):
                        wrong(line, f"COPY {source}: not in the source")
    last = {word: (line, arguments) for line, word, arguments in found[-1]}
    for word in ("USER", "ENTRYPOINT", "CMD", "STOPSIGNAL"):
        if word not in last:
            wrong(found[-1][0][0], f"the last stage has no {word}")
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", last.get("USER", (0, ""))[1]):
        wrong(last.get("USER", (0,))[0], "USER is no pair of numbers other than 0: runAsNonRoot compares numbers")
    for word in ("ENTRYPOINT", "CMD"):
        if word in last:
            words_of(last[word][0], word, last[word][1], wrong)
    for line, word, arguments in found[-1]:
        if word == "RUN" and re.search(r"\b(gcc|g\+\+|cmake|\S+-dev)\b", arguments):
            wrong(line, "the last stage installs what only a build needs")
        if word == "RUN" and "apt-get install" in arguments and "/var/lib/apt/lists" not in arguments:
            wrong(line, "the lists of apt stay in the image")
    print("\n".join(problems) or f"{len(found)} stages")
    return 1 if problems else 0


def main():
    if sys.argv[1:] == ["check"]:
        sys.exit(check())
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = stages(instructions())
    named = {stage[0][2].partition(" AS ")[2]: stage for stage in found}
    for _, word, arguments in found[-1] if sys.argv[1] == "last" else named[sys.argv[1]]:
        print(f"{word}\t{arguments}")


main()
