#!/usr/bin/env python3
"""Clients of scribe and of Flume 0.9, byte by byte after their protocols: legacy_clients.py PORT sends to the sources scribe (PORT),
avroLegacy (PORT + 1) and thriftLegacy (PORT + 2), and prints what the calls return. `legacy_clients.py sort` puts the headers of
the lines "{k=v, k2=v2} body" in order."""

import http.client
import re
import socket
import struct
import sys
import time

# Without the fields whose values Flume writes wrongly: the avro client sends none (docs/stages/source_avrolegacy.md).
BODIES = [b"one", b"", "gr\u00fc\u00dfe \u2713".encode(), b"x" * 20000]


def text(data):
    return struct.pack(">i", len(data)) + data


def field(kind, number):
    return struct.pack(">bh", kind, number)


def head(name, kind, number, strict):
    if strict:
        return struct.pack(">I", 0x80010000 | kind) + text(name) + struct.pack(">i", number)
    return text(name) + struct.pack(">bi", kind, number)


def connect(port):
    deadline = time.monotonic() + 100
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=100)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def receive(connection, length):
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            return None
        data += more
    return data


# ---- scribe ----


def entry(category, message):
    out = b""
    if category is not None:
        out += field(11, 1) + text(category)
    return out + field(11, 2) + text(message) + b"\0"


def log(connection, number, entries, strict):
    call = head(b"Log", 1, number, strict) + field(15, 1) + struct.pack(">bi", 12, len(entries))
    call += b"".join(entries) + b"\0"
    connection.sendall(text(call))
    answer = receive(connection, struct.unpack(">i", receive(connection, 4))[0])
    if answer[0] & 0x80:  # a version, a name, a number
        kind, at = answer[3], 4 + 4 + 3 + 4
    else:  # a name, a type, a number
        kind, at = answer[7], 4 + 3 + 1 + 4
    return kind, struct.unpack(">bhib", answer[at : at + 8])


def scribe(port):
    connection = connect(port)
    print("Log", log(connection, 1, [entry(b"web", body) for body in BODIES], True))
    print("Log", log(connection, 2, [entry(None, b"without a category")], False))
    print("Log", log(connection, 3, [], True))


# ---- avro ----


def number(value):
    value = (value << 1) ^ (value >> 63)
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def chunk(data):
    return number(len(data)) + data


def avro(port):
    connect(port).close()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
    protocol = (
        '{"protocol":"FlumeOGEventAvroServer","namespace":"com.cloudera.flume.handlers.avro","types":[{"type":"enum","name":"Priority",'
        '"symbols":["FATAL","ERROR","WARN","INFO","DEBUG","TRACE"]},{"type":"record","name":"AvroFlumeOGEvent","fields":[{"name":'
        '"timestamp","type":"long"},{"name":"priority","type":"Priority"},{"name":"body","type":"bytes"},{"name":"nanos","type":"long"},'
        '{"name":"host","type":"string"},{"name":"fields","type":{"type":"map","values":"bytes"}}]}],"messages":{"append":{"request":'
        '[{"name":"evt","type":"AvroFlumeOGEvent"}],"response":"null"}}}'
    ).encode()
    for priority, body in enumerate(BODIES):
        call = b"c" * 16 + number(1) + chunk(protocol) + b"s" * 16 + number(0)
        call += number(0) + chunk(b"append")
        call += number(1300000000123) + number(priority) + chunk(body) + number(-7) + chunk(b"old.example") + number(0)
        pieces = [call[at : at + 8192] for at in range(0, len(call), 8192)]
        framed = b"".join(text(piece) for piece in pieces) + b"\0\0\0\0"
        connection.request("POST", "/", framed, {"Content-Type": "avro/binary"})
        answer = connection.getresponse()
        data, joined = answer.read(), b""
        while len(data) >= 4:
            length = struct.unpack(">i", data[:4])[0]
            joined, data = joined + data[4 : 4 + length], data[4 + length :]
        # Behind the handshake's answer: no metadata, no error. How much the handshake says differs.
        print("append", answer.status, answer.getheader("Content-Type"), joined[-2:].hex())


# ---- thrift ----


def thrift(port):
    connection = connect(port)
    for priority, body in enumerate(BODIES):
        event = field(10, 1) + struct.pack(">q", 1300000000123) + field(8, 2) + struct.pack(">i", priority)
        event += field(11, 3) + text(body) + field(10, 4) + struct.pack(">q", -7) + field(11, 5) + text(b"old.example")
        event += field(13, 6) + struct.pack(">bbi", 11, 11, 1) + text(b"field") + text(b"value") + b"\0"
        connection.sendall(head(b"append", 4, priority, priority % 2 == 0) + field(12, 1) + event + b"\0")
    connection.sendall(head(b"close", 1, 9, True) + b"\0")
    answer = receive(connection, 4 + 4 + 5 + 4 + 1)
    print("close", answer.hex())


def sort():
    for line in sys.stdin.buffer:
        found = re.match(rb"\{([^}]*)\}(.*)$", line.rstrip(b"\n"), re.S)
        headers = sorted(found.group(1).split(b", "))
        sys.stdout.buffer.write(b"{" + b", ".join(headers) + b"}" + found.group(2) + b"\n")


if sys.argv[1] == "sort":
    sort()
else:
    first = int(sys.argv[1])
    scribe(first)
    avro(first + 1)
    thrift(first + 2)
