#!/usr/bin/env python3
"""Carries out, to the letter, the cures that `penstock check` prints, and asks again.

    cures.py PENSTOCK FILE...

Of all problems of the files' agents with a cure that can be carried out by a program (a line to add, a value, a name or a key
to write, a name to add to a list), one for each form of message and cure is carried out: the problem must be gone, and what
the cure has written must be accepted. Prints each cure that does not work; exit status 1 if there is one."""

import json
import os
import re
import subprocess
import sys
import tempfile

LISTS = ("sources", "channels", "sinks", "sinkgroups")


def check(penstock, agent, files):
    command = [penstock, "check", "--json", "-n", agent]
    for file in files:
        command += ["-f", file]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    try:
        return json.loads(done.stdout)["problems"] if done.returncode in (0, 1, 3) else None
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None


def agents_of(text):
    return sorted(set(re.findall(r"^\s*([\w.-]+)\.(?:sources|channels|sinks)\s*=", text, re.M)))


def split(line):
    """Returns key and value of a plain line of a properties file, or None."""
    match = re.match(r"^\s*([^\s=:#!\\]+)\s*[=:]\s*(.*?)\s*$", line)
    return match.groups() if match and not line.rstrip().endswith("\\") else None


def escaped(value):
    return value.replace("\\", "\\\\")


class Text:
    """The lines of a file, which a cure changes."""

    def __init__(self, lines):
        self.lines = list(lines)
        self.keys = set()  # those that the cure has written

    def value(self, number, value):
        key = split(self.lines[number - 1])[0]
        self.keys.add(key)
        self.lines[number - 1] = f"{key} = {value}"

    def key(self, number, key):
        self.keys.add(key)
        self.lines[number - 1] = f"{key} = {split(self.lines[number - 1])[1]}"

    def add(self, line):
        self.keys.add(line.split(" =")[0])
        self.lines.append(line)

    def find(self, key):
        numbers = [i + 1 for i, line in enumerate(self.lines) if split(line) and split(line)[0] == key]
        return numbers[-1] if numbers else None

    def set(self, key, value):
        number = self.find(key)
        if number:
            self.value(number, value)
        else:
            self.add(f"{key} = {value}")


def begin_with(problem, cure, text):
    """A name or value to write in place of the one of the line."""
    key, value = split(text.lines[problem["line"] - 1])
    listed = re.match(r'^\S.* "(\S+)" is listed, but has no keys$', problem["message"])
    named = re.match(r'^channel "(\S+)" is not declared$', problem["message"])
    if "of an agent without channels" in problem["message"]:
        old = key.split(".")[0] + "."
        text.lines = [cure + "." + line[len(old) :] if line.startswith(old) else line for line in text.lines]
    elif "unknown key" in problem["message"] or "is not a key of an agent" in problem["message"]:
        whole = cure if cure.startswith(problem["key"].split(".")[0] + ".") else None
        prefix = key[: len(key) - len(problem["key"].split(".", 3)[-1])]
        text.key(problem["line"], whole or prefix + cure)
    elif listed or named:
        name = (listed or named).group(1)
        text.value(problem["line"], " ".join(cure if word == name else word for word in value.split()))
    else:
        text.value(problem["line"], cure)
    return True


def edit_text(cure, line, text):
    """Cures of the text of a line, whatever is in it, or of the whole file."""
    if cure == "save the file without a byte order mark":
        text.lines[0] = text.lines[0].replace("\xef\xbb\xbf", "", 1)
        return True
    if cure == "native2ascii converts a whole file":
        text.lines = [re.sub(r"[^\x00-\x7f]+", lambda m: "".join(f"\\u{ord(c):04x}" for c in m.group().encode("latin-1").decode("utf-8", "replace")), one) for one in text.lines]
        return True
    if line is None or line > len(text.lines):
        return False
    old = text.lines[line - 1]
    match = re.match(r"^write it as ((?:\\u[0-9a-f]{4})+)$", cure)
    if match:
        sign = match.group(1).encode().decode("unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16")
        text.lines[line - 1] = old.replace(sign.encode("utf-8").decode("latin-1"), match.group(1))
    elif cure == "replace it by an ordinary blank":
        text.lines[line - 1] = old.replace("\xc2\xa0", " ")
    elif cure == "write \\\\u for a backslash and a u":
        text.lines[line - 1] = re.sub(r"\\u(?![0-9a-fA-F]{4})", r"\\\\u", old)
    elif re.match(r"^write (\\\\.)( and \\\\.)*$", cure):
        for sign in re.findall(r"\\\\(.)", cure):
            text.lines[line - 1] = text.lines[line - 1].replace("\\" + sign, "\\\\" + sign)
    elif re.match(r"^write # instead of (//|;), ", cure):
        text.lines[line - 1] = "#" + old
    elif cure.startswith("remove the line: ") or cure.startswith("remove the line, or begin it "):
        text.lines[line - 1] = "#"
    elif cure.startswith("remove this line"):
        text.lines[line - 1] = "#"
        match = re.search(r"the backslash at the end of line (\d+)$", cure)
        if match:
            text.lines[int(match.group(1)) - 1] = text.lines[int(match.group(1)) - 1].rstrip("\\")
    elif re.match(r"^remove the backslash at the end of line (\d+)$", cure):
        number = int(cure.split()[-1]) - 1
        text.lines[number] = text.lines[number].rstrip("\\")
    elif cure.startswith("remove the backslash, or "):
        text.lines[line - 1] = old.rstrip("\\")
    elif re.match(r"^write (\$\$\{.*?\}) to keep the text, ", cure):
        reference = re.match(r"^write \$(\$\{.*?\}) to keep the text, ", cure).group(1)
        text.lines[line - 1] = old.replace(reference, "$" + reference)
    else:
        return False
    return text.lines[line - 1] != old or "remove" in cure


def carry_out(agent, problem, text):
    """Does what the cure says. Returns false if it is not for a program."""
    cure, line = problem["cure"], problem["line"]
    if edit_text(cure, line, text):
        return True
    if line is None and not cure.startswith(("add the line", "line ")):
        return False
    if line is not None and (line > len(text.lines) or split(text.lines[line - 1]) is None):
        return False
    match = re.search(r"\badd the line (\S+) = (.+?)(?: \(.*\)|, or .*|; .*)?$", cure)
    if match and match.group(2) not in ("...", "..", "TYPE"):
        text.add(f"{match.group(1)} = {match.group(2)}")
        return True
    match = re.match(r"^add (\S+) to (\S+), and the line (\S+) = (\S+)$", cure)
    if match:
        number = text.find(match.group(2))
        text.set(match.group(2), (split(text.lines[number - 1])[1] + " " if number else "") + match.group(1))
        text.set(match.group(3), match.group(4))
        return True
    match = re.search(r"^(?:.*, or )?remove (\S+) from (\S+?)(?:, or .*|: .*)?$", cure)
    if match and text.find(match.group(2)):
        names = split(text.lines[text.find(match.group(2)) - 1])[1].split()
        text.set(match.group(2), " ".join(name for name in names if name != match.group(1)))
        return True
    match = re.match(r"^add (\S+) to (\S+)$", cure)
    if match and match.group(2).split(".")[-1] in LISTS + ("interceptors",):
        number = text.find(match.group(2))
        text.set(match.group(2), (split(text.lines[number - 1])[1] + " " if number else "") + match.group(1))
        return True
    match = re.match(r"^(?:did you mean (\S+)\?|keys are case-sensitive: write (\S+))$", cure)
    if match:
        return begin_with(problem, match.group(1) or match.group(2), text)
    match = re.search(r": write (\S+) instead of (\S+)(?: in each line)?$|; write (\S+) instead of (\S+) in each line$", cure)
    if match:
        new, old = match.group(1) or match.group(3), match.group(2) or match.group(4)
        word = re.compile(r"(?<![\w-])" + re.escape(old) + r"(?![\w-])")
        text.lines = [word.sub(new, one) for one in text.lines]
        return True
    match = re.match(r"^set (\S+) = (\d+) and (\S+) = (\d+) or more", cure)
    if match:
        text.set(match.group(1), match.group(2))
        text.set(match.group(3), match.group(4))
        return True
    match = re.match(r"^set (\S+) = (\S+)(?: or more, or a smaller \S+|, or \S+ = \S+|, or .*)?$", cure)
    if match and not match.group(2).isupper():
        text.set(match.group(1), match.group(2))
        return True
    match = re.search(r", such as (.+)$", cure)
    if match:
        text.value(line, match.group(1))
        return True
    match = re.match(r"^write (\S+) or (\S+)(?:, or .*)?$", cure)
    if match and cure != "write true or false":
        text.value(line, match.group(1))
        return True
    match = re.match(r"^write (\w+), (?:or another|and make another) .*$", cure) or re.match(r"^write (\d+|[a-zA-Z_.-]+)$", cure)
    if match:
        text.value(line, match.group(1))
        return True
    match = re.search(r"name a directory: \S+, or (\./\w+)(?:; .*)?$", cure)
    if match:
        text.value(line, match.group(1))
        return True
    match = re.match(r"^(-?\d+) to (-?\d+)(?: \w+)?$|^at least (-?\d+)(?: \w+)?$", cure)
    if match:
        text.value(line, match.group(1) or match.group(3))
        return True
    match = re.match(r"^one of: (\w+)(?:, \w+)*$", cure)
    if match:
        text.value(line, match.group(1))
        return True
    if cure in ("write the value without quotes", "write the type without quotes"):
        text.value(line, split(text.lines[line - 1])[1].strip("\"'"))
        return True
    if cure == "write true or false":
        text.value(line, "false")
        return True
    if cure in ("remove it", "remove one of the two lines", "write a value, or remove the line", "remove the line"):
        text.lines[line - 1] = "#"
        return True
    if cure == "lists are separated by blanks, not commas":
        text.value(line, split(text.lines[line - 1])[1].replace(",", " "))
        return True
    if cure.startswith("put the comment on a line of its own") and "#" in text.lines[line - 1]:
        text.value(line, re.sub(r"\s+#.*", "", split(text.lines[line - 1])[1]))
        return True
    match = re.search(r"(?:^|: )write ((?:/|[a-z]+:/|\$\{env:)\S*)$", cure)
    if match:
        text.value(line, match.group(1))
        return True
    if " or set penstock.allow.unsupported = true to run without it" in cure:
        text.add(f"{agent}.penstock.allow.unsupported = true")
        return True
    return False


def shape(text):
    """The form of a message: without names and numbers."""
    return re.sub(r"\"[^\"]*\"|`[^`]*`|\S*[./]\S*|-?\d+|\b[a-z]+\d+\b", "_", text)


def name_of(problem):
    return problem["key"], problem["message"]


def try_cure(penstock, agent, problem, before, path, lines, work):
    """Returns None if the cure is not for a program; else whether it works, and what check says then."""
    text = Text(lines)
    if not carry_out(agent, problem, text):
        return None
    cured = os.path.join(work, os.path.basename(path))
    with open(cured, "w", encoding="latin-1") as out:
        out.write("\n".join(text.lines) + "\n")
    after = check(penstock, agent, [cured])
    if after is None:
        return False, []
    known = {name_of(one) for one in before if one["severity"] in ("error", "dropped")}
    new = [one for one in after if name_of(one) not in known and one["severity"] in ("error", "dropped")]
    new = [one for one in new if one["key"] in text.keys and not re.search("not declared|was dropped|has no keys", one["message"])]
    left = [one for one in after if name_of(one) == name_of(problem)]
    return not left and not new, left + new


def main():
    penstock, files = sys.argv[1], sys.argv[2:]
    seen, wrong, done, other = {}, 0, 0, set()
    with tempfile.TemporaryDirectory() as work:
        for path in files:
            with open(path, encoding="latin-1") as file:
                lines = file.read().split("\n")
            for agent in agents_of("\n".join(lines)):
                before = check(penstock, agent, [path]) or []
                for problem in before:
                    if not problem["cure"] or (problem["file"] or path) != path:
                        continue
                    form = (shape(problem["message"]), shape(problem["cure"]))
                    if seen.get(form):
                        continue
                    result = try_cure(penstock, agent, problem, before, path, lines, work)
                    if result is None:
                        other.add(form)
                        continue
                    seen[form] = True
                    done += 1
                    if not result[0]:
                        wrong += 1
                        print(f"{path}:{problem['line']}: {problem['key']}: {problem['message']}; {problem['cure']}: does not cure: {'; '.join(str(name_of(one)) for one in result[1])}")
    if os.environ.get("CURES_OTHER"):
        for what, cure in sorted(other - set(seen)):
            print(f"by hand: {what}; {cure}")
    print(f"{done} forms of cures were carried out, {wrong} do not work; {len(other - set(seen))} are not for a program")
    sys.exit(1 if wrong else 0)


main()
