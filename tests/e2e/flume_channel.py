"""Writes a file channel as Flume 1.11 does, without a checkpoint: flume_channel.py DIRECTORY EVENTS

DIRECTORY/d1 and DIRECTORY/d2 are the data directories. Event n has the body "event n" and the headers number and host. Of each ten,
the second was taken, the third was taken and given back, the fourth was rolled back by its source. Prints the bodies of the events
that are in the channel, in order."""
import os
import struct
import sys
import zlib


def fixed32(number, value):
    return bytes([number << 3 | 5]) + struct.pack("<I", value)


def fixed64(number, value):
    return bytes([number << 3 | 1]) + struct.pack("<Q", value)


def delimited(data):
    length, prefix = len(data), b""
    while length >= 128:
        prefix += bytes([length & 127 | 128])
        length >>= 7
    return prefix + bytes([length]) + data


def field(number, data):
    return bytes([number << 3 | 2]) + delimited(data)


class Channel:
    def __init__(self):
        self.logs, self.order = {1: b"", 2: b""}, 1000

    def record(self, log, kind, transaction, body):
        self.order += 1
        header = fixed32(1, kind) + fixed64(2, transaction) + fixed64(3, self.order)
        whole = delimited(header) + delimited(body) + b"\0"
        offset = len(self.logs[log])
        self.logs[log] += b"\x7f" + struct.pack(">I", len(whole)) + whole
        return offset

    def put(self, log, transaction, body, headers):
        event = b"".join(field(1, field(1, k) + field(2, v)) for k, v in headers.items()) + field(2, body)
        return self.record(log, 1, transaction, field(1, event) + fixed64(2, zlib.crc32(body)))

    def take(self, log, transaction, offset):
        self.record(log, 2, transaction, fixed32(1, log) + fixed32(2, offset))

    def commit(self, log, transaction, kind):
        self.record(log, 4, transaction, fixed32(1, kind))

    def roll_back(self, log, transaction):
        self.record(log, 3, transaction, b"")

    def save(self, directory):
        for log, data in self.logs.items():
            path = f"{directory}/d{log}"
            os.makedirs(path)
            meta = fixed32(1, 3) + fixed32(2, log) + fixed64(3, 0) + fixed64(4, 0)
            with open(f"{path}/log-{log}", "wb") as file:
                file.write(data + b"\x80" * (1 << 20))
            with open(f"{path}/log-{log}.meta", "wb") as file:
                file.write(delimited(meta))


channel = Channel()
for n in range(1, int(sys.argv[2]) + 1):
    log, transaction = 1 + n % 2, 10 * n
    offset = channel.put(log, transaction, b"event %d" % n, {b"number": b"%d" % n, b"host": b"w\xc3\xa4b"})
    if n % 10 == 4:
        channel.roll_back(log, transaction)
        continue
    channel.commit(log, transaction, 1)
    if n % 10 == 2:
        channel.take(log, transaction + 1, offset)
        channel.commit(log, transaction + 1, 2)
        continue
    if n % 10 == 3:
        channel.take(log, transaction + 1, offset)
        channel.roll_back(log, transaction + 1)
    print(f"event {n}")
channel.save(sys.argv[1])
