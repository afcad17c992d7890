#!/usr/bin/env python3
"""A TCP proxy that makes faults, in an order that a seed decides: for tests of clients that must live with them.

    fault_proxy.py --listen 127.0.0.2 --to 127.0.0.1 --seed N PORT[:flip|:answers]...

Forwards each PORT of one address to the same port of the other one. Every second connection of a port is left alone; the others get a
fault at one of their first messages (what is read at once, in either direction): the connection is cut behind it, or in the middle of
it, the message is late, or, with `:flip`, a bit of a text in it is changed on the way to the server. With `:answers` any bit of what the
server says may be changed, and there is a fault after up to 40 messages again and again, on each connection: for calls. On SIGTERM it prints how
many faults there were, as a line of JSON."""

import argparse
import asyncio
import json
import random
import re
import signal

MESSAGES_MAX = {"": 6, "flip": 6, "answers": 40}  # the last one that may get a fault
TEXT = re.compile(rb"[ -~\n]{64}")  # what is in the middle of so many printable bytes is data, of no header
made = {"connections": 0, "cut": 0, "torn": 0, "late": 0, "flipped": 0, "garbled": 0}


class Plan:
    """What happens to one connection; `message` None: nothing."""

    def __init__(self, dice, number, how):
        made["connections"] += 1
        self.dice = dice
        self.how = how
        self.seen = 0
        self.message = None
        if number % 2 or how == "answers":
            self.draw()

    def draw(self):
        self.message = self.seen + self.dice.randint(1, MESSAGES_MAX[self.how])
        self.kind = self.dice.choice(["cut", "torn", "late"] + {"": [], "flip": ["flipped"] * 2, "answers": ["garbled"] * 4}[self.how])

    def is_due(self, data, to_server):
        self.seen += 1
        if self.message is None or self.seen < self.message:
            return False
        if self.kind == "garbled":
            return not to_server
        return self.kind != "flipped" or (to_server and TEXT.search(data) is not None)


def flip(data):
    at = TEXT.search(data).start() + 32
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def garble(data, dice):
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1:]


async def pump(reader, writer, plan, to_server, end):
    try:
        while data := await reader.read(65536):
            if plan.is_due(data, to_server):
                plan.message = None
                made[plan.kind] += 1
                kind = plan.kind
                if plan.how == "answers":
                    plan.draw()
                if kind == "late":
                    await asyncio.sleep(plan.dice.uniform(0.1, 3))
                elif kind == "flipped":
                    data = flip(data)
                elif kind == "garbled":
                    data = garble(data, plan.dice)
                else:
                    writer.write(data[:len(data) // 2] if kind == "torn" else data)
                    await writer.drain()
                    break
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    end.set()


async def serve(reader, writer, to, port, plan):
    end = asyncio.Event()
    try:
        far_reader, far_writer = await asyncio.open_connection(to, port)
    except OSError:
        writer.close()
        return
    pumps = [asyncio.create_task(pump(reader, far_writer, plan, True, end)),
             asyncio.create_task(pump(far_reader, writer, plan, False, end))]
    await end.wait()
    for task in pumps:
        task.cancel()
    for one in (writer, far_writer):
        one.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("ports", nargs="+")
    options = parser.parse_args()
    for number, text in enumerate(options.ports):
        port, _, how = text.partition(":")
        dice, counter = random.Random(options.seed + number), iter(range(1 << 30))
        await asyncio.start_server(
            lambda r, w, port=int(port), how=how, dice=dice, counter=counter:
                serve(r, w, options.to, port, Plan(dice, next(counter), how)),
            options.listen, int(port))
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print("ready", flush=True)
    await stopped.wait()
    print(json.dumps(made, separators=(",", ":")), flush=True)

asyncio.run(main())
