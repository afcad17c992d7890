"""Prints the circles of calls between the source files of the product: files each of which reaches all others by calls of functions, or by
pointers to functions, that another file defines. architecture_test.sh runs it.

Reads the sources: a function that other files can call begins at the first column, is not static, and its body begins with a line "{".

  call_circles.py SIZE FOLDER...     prints one line for each circle of more than SIZE files: the files, apart by blanks
  call_circles.py --calls SIZE FOLDER...    and below it who calls what
"""

import os
import re
import sys

NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)+\'', re.S)
DEFINITION = re.compile(r"^(?!static\b|typedef\b)[A-Za-z_][^;{}=#]*?\b((?:ps|penstock_client)_\w+)\([^;{}]*\)\s*\n\{", re.M)
TAG = re.compile(r"\b(?:struct|enum|union)\s+\w+")
WORD = re.compile(r"p(?<![\w.]p)(?<!->p)(?:s|enstock_client)_\w+")  # begins with a letter, which the search jumps to


def read(folders):
    """Returns {file: text without comments, strings and tags of types}."""
    texts = {}
    for folder in folders:
        for where, below, names in os.walk(folder):
            below.sort()
            for name in sorted(names):
                if name.endswith(".c"):
                    path = os.path.join(where, name)
                    with open(path, encoding="utf-8") as file:
                        texts[path] = TAG.sub("type", NOISE.sub(" ", file.read()))
    return texts


def calls_of(texts):
    """Returns {file: {file that it calls: names}}."""
    defined = {}
    for path, text in texts.items():
        for name in DEFINITION.findall(text):
            defined.setdefault(name, path)
    calls = {}
    for path, text in texts.items():
        to = calls[path] = {}
        for name in sorted(set(WORD.findall(text)) & defined.keys()):
            if defined[name] != path:
                to.setdefault(defined[name], []).append(name)
    return calls


def circles_of(calls):
    """Returns the strongly connected parts of the graph (Tarjan), each sorted."""
    index, low, stack, found = {}, {}, [], []

    def visit(at):
        index[at] = low[at] = len(index)
        stack.append(at)
        for to in calls[at]:
            if to not in index:
                visit(to)
            if to in stack:
                low[at] = min(low[at], low[to])
        if low[at] == index[at]:
            here = stack.index(at)
            found.append(sorted(stack[here:]))
            del stack[here:]

    sys.setrecursionlimit(10000)
    for path in sorted(calls):
        if path not in index:
            visit(path)
    return sorted(found)


def main(arguments):
    show = arguments[0] == "--calls"
    size, folders = int(arguments[show]), arguments[show + 1:]
    calls = calls_of(read(folders))
    for circle in circles_of(calls):
        if len(circle) > size:
            print(*circle)
            for path in circle if show else []:
                for to in sorted(set(calls[path]) & set(circle)):
                    print(f"  {path} -> {to}: {', '.join(calls[path][to])}")


main(sys.argv[1:])
