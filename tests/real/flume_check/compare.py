#!/usr/bin/env python3
"""Compares `penstock check` with what a real Flume makes of the same agent files (Check.java).

    compare.py PENSTOCK ANSWERS FOLDER

ANSWERS has the lines of Check.java for the files of FOLDER. Prints a line for each agent:

    same         both have the same sources, channels, sinks and groups, with the same connections; or both have nothing
    gentler      Flume ends the whole load at a class that it cannot load; penstock drops that component, and the rest is as
                 Flume has it without that component
    unsupported  Flume has a component that penstock has not: it says so, and does not start; when it is allowed to leave it
                 out (penstock.allow.unsupported), the rest is as Flume has it
    stricter     Flume starts with a channel that sources fill and from which no sink takes, because its sink was dropped;
                 penstock refuses to start; or without the line that a byte order mark takes from the agent
    known        different, as a line `# differs: REASON` in the file says
    DIFFERENT    none of these: exit status 1

A line `# differs:` in a file without differences is a mistake, too."""

import collections
import json
import os
import subprocess
import sys
import tempfile


def check(penstock, agent, files):
    command = [penstock, "check", "--json", "-n", agent]
    for file in files:
        command += ["-f", file]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1, 3):
        raise SystemExit(f"{' '.join(command)}: {done.returncode}: {done.stderr.decode()}")
    return json.loads(done.stdout)


def components(plan):
    groups = collections.defaultdict(set)
    for sink in plan["sinks"]:
        if sink["group"]:
            groups[sink["group"]].add(sink["name"])
    return {
        "sources": {source["name"]: set(source["channels"]) for source in plan["sources"]},
        "channels": {channel["name"]: None for channel in plan["channels"]},
        "sinks": {sink["name"]: sink["channel"] for sink in plan["sinks"]},
        "groups": dict(groups),
    }


def of_flume(answer):
    return {
        "sources": {name: set(channels) for name, channels in answer.get("sources", {}).items()},
        "channels": {name: None for name in answer.get("channels", [])},
        "sinks": answer.get("sinks", {}),
        "groups": {name: set(members) for name, members in answer.get("groups", {}).items()},
    }


NOTHING = {"sources": {}, "channels": {}, "sinks": {}, "groups": {}}


def differences(flume, ours):
    """Returns a text for each component that only one has, or that is connected differently."""
    found = []
    for kind in NOTHING:
        for name in sorted(set(flume[kind]) | set(ours[kind])):
            where = f"{kind[:-1]} {name}"
            if name not in ours[kind]:
                found.append(f"{where}: only Flume has it")
            elif name not in flume[kind]:
                found.append(f"{where}: only penstock has it")
            elif flume[kind][name] != ours[kind][name]:
                found.append(f"{where}: Flume has {flume[kind][name]}, penstock {ours[kind][name]}")
    return found


def unsupported(plan):
    """The keys of what penstock lacks: a type of Flume's, or a Java class of the user's own where nothing can stand in."""
    return [
        problem["key"]
        for problem in plan["problems"]
        if "not supported by penstock" in problem["message"] or "penstock runs no Java" in problem["message"]
    ]


def without(have, names):
    """What is left of Flume's components when some are left out: channels that nothing is connected to go with them."""
    left = {
        "sources": {name: channels for name, channels in have["sources"].items() if ("sources", name) not in names},
        "sinks": {name: channel for name, channel in have["sinks"].items() if ("sinks", name) not in names},
    }
    used = set(left["sinks"].values()).union(*left["sources"].values())
    left["channels"] = {name: None for name in have["channels"] if name in used}
    left["groups"] = {name: members & set(left["sinks"]) for name, members in have["groups"].items()}
    left["groups"] = {name: members for name, members in left["groups"].items() if members}
    return left if left["sources"] or left["sinks"] else NOTHING


def unread(plan):
    """The channels for which penstock refuses to start, because a sink that was dropped was to take from them."""
    words = "no sink is left that takes from channel "
    return [problem["message"].split(words)[1].split(":")[0] for problem in plan["problems"] if words in problem["message"]]


def component_of(key, agent):
    parts = key[len(agent) + 1 :].split(".")
    return (parts[0], parts[1]) if len(parts) > 1 else (parts[0], "")


def judge(penstock, answer, path, allow):
    agent = answer["agent"]
    plan = check(penstock, agent, [path])
    missing = unsupported(plan)
    if answer["abort"]:
        return ("DIFFERENT" if plan["starts"] else "same"), [f"Flume ends the load: {answer['abort']}"]
    if missing:
        with open(allow, "w", encoding="utf-8") as out:
            out.write(f"{agent}.penstock.allow.unsupported = true\n")
        plan = check(penstock, agent, [path, allow])
    flume = without(of_flume(answer), {component_of(key, agent) for key in missing})
    ours = without(components(plan), {tuple(name.split(".")) for name in answer["unloadable"]})
    marked = [problem["key"] for problem in plan["problems"] if "byte order mark" in problem["message"] and problem["severity"] == "error"]
    if marked:
        return "DIFFERENT" if plan["starts"] else "stricter", [f"{key} has a byte order mark" for key in marked]
    refused = unread(plan)
    if refused:
        read = set(without(flume, {tuple(name.split(".")) for name in answer["unloadable"]})["sinks"].values())
        return ("DIFFERENT" if plan["starts"] or set(refused) & read else "stricter"), [f"nothing takes from {name}" for name in refused]
    found = differences(flume, ours if plan["starts"] else NOTHING)
    if found:
        return "DIFFERENT", found
    if missing:
        return "unsupported", missing
    return ("gentler" if answer["unloadable"] else "same"), [f"{name} cannot be loaded" for name in answer["unloadable"]]


def starts(answer):
    return bool(answer.get("sources") or answer.get("sinks"))


def main():
    penstock, answers, folder = sys.argv[1:4]
    count, wrong = collections.Counter(), 0
    with open(answers, encoding="utf-8") as lines, tempfile.TemporaryDirectory() as work:
        for line in lines:
            answer = json.loads(line)
            path = os.path.join(folder, answer["file"])
            with open(path, encoding="latin-1") as text:
                known = [row[11:].strip() for row in text if row.startswith("# differs: ")]
            verdict, why = judge(penstock, answer, path, os.path.join(work, "allow.properties"))
            if known and verdict == "DIFFERENT":
                verdict, why = "known", known
            elif known:
                verdict, why = "DIFFERENT", ["the file says that they differ, but they do not"]
            count[verdict] += 1
            print(f"{verdict}: {answer['file']} {answer['agent']}: {'; '.join(why) or ('starts' if starts(answer) else 'nothing runs')}")
            if verdict == "DIFFERENT":
                wrong += 1
                for entry in answer["log"]:
                    print(f"    Flume: {entry}")
                for problem in check(penstock, answer["agent"], [path])["problems"]:
                    print(f"    penstock: {problem['severity']}: {problem['key']}: {problem['message']}")
    print(", ".join(f"{verdict} {number}" for verdict, number in sorted(count.items())))
    sys.exit(1 if wrong else 0)


main()
