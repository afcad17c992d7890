"""Prints the test files that include a header which only its own folder of the product includes, each with these headers. architecture_test.sh runs it.

Such a test pins how the product is built. What a user sees is asked by the world and by scenarios, and a truth from outside through a header that other
folders include, too."""

import collections
import os
import re

PRODUCT = ("commands", "core", "rings", "regex", "conf", "stages", "bench")
INCLUDE = re.compile(r'^ *# *include "([^"]+)"', re.M)


def includes(*folders):
    """Yields each file and each header that it includes."""
    for folder in folders:
        for where, below, names in os.walk(folder):
            below.sort()
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    path = os.path.join(where, name)
                    with open(path, encoding="utf-8") as file:
                        yield from ((path, header) for header in INCLUDE.findall(file.read()))


def main():
    users, found = collections.defaultdict(set), collections.defaultdict(list)
    for path, header in includes(*PRODUCT):
        users[header].add(os.path.dirname(path))
    for path, header in includes("tests"):
        if header.startswith(PRODUCT) and os.path.exists(header) and not users[header] - {os.path.dirname(header)}:
            found[path].append(header)
    for path, headers in found.items():
        print(path, *headers)


if __name__ == "__main__":
    main()
