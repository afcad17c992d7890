"""Compares what example.Promises was told to be in the channel with what came out.

  promises.py DIRECTORY FILE...      prints the account; ends with 1 when an event is missing, or when a thread's events came
                                     out of order but for those that came again
Files have lines "[HEADERS ]NAME NUMBER"; other lines are what a kill has left of one."""
import os
import re
import sys


def main():
    promised = {}
    for name in os.listdir(sys.argv[1]):
        with open(os.path.join(sys.argv[1], name), encoding="ascii") as file:
            promised[name] = int(file.read() or 0)
    seen = {name: bytearray() for name in promised}  # a byte for each number
    last, again, disordered, beyond = dict.fromkeys(promised, -1), 0, 0, 0
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8", errors="replace") as file:
            for text in file:
                found = re.match(r"(?:\{[^{}]*\} )?(\S+-\d+) (\d+)\n$", text)
                if not found or found[1] not in seen:
                    continue
                name, number = found[1], int(found[2])
                if number >= len(seen[name]):
                    seen[name].extend(bytes(2 * number + 1000 - len(seen[name])))
                if seen[name][number]:
                    again += 1
                    continue
                seen[name][number] = 1
                disordered += number < last[name]
                last[name] = max(last[name], number)
                beyond += number >= promised[name]
    for name, count in promised.items():
        seen[name].extend(bytes(max(0, count - len(seen[name]))))
    missing = {name: [n for n in range(count) if not seen[name][n]] for name, count in promised.items()}
    lost = sum(map(len, missing.values()))
    print(f"{len(promised)} threads, {sum(promised.values())} events promised, {lost} lost, {again} came again, "
          f"{beyond} further ones, {disordered} out of order")
    for name, numbers in missing.items():
        if numbers:
            print(f"{name}: {len(numbers)} of {promised[name]} are missing, from {numbers[0]} to {numbers[-1]}")
    return 1 if lost or disordered else 0


sys.exit(main())
