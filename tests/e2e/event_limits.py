"""Events at the limits, one call each, from clients of http, avro and thrift.

    event_limits.py HTTP_PORT AVRO_PORT THRIFT_PORT ROUND

A client whose port is empty sends nothing. Prints a line for each event that was acknowledged: its body. Exits with 1 if an event within the limits was refused, or one beyond
them was not, or if a source did not answer."""
import json
import socket
import struct
import sys
import urllib.error
import urllib.request

NAME_MAX, HEADERS_MAX, NAMES_MAX, VALUES_MAX = 65535, 4096, 1 << 20, 32 << 20


def drawn():
    """(what, headers, whether it is within the limits)"""
    for length in (NAME_MAX - 1, NAME_MAX, NAME_MAX + 1, NAME_MAX + 2):
        yield f"name-{length}", {"n" * length: "v"}, length <= NAME_MAX
    for count in (HEADERS_MAX - 1, HEADERS_MAX, HEADERS_MAX + 1):
        yield f"headers-{count}", {f"h{i}": str(i) for i in range(count)}, count <= HEADERS_MAX
    for over in (0, 1):
        names = ["%02d" % i + "n" * (NAME_MAX - 2) for i in range(15)]
        names += ["last" + "n" * (NAMES_MAX + over - 15 * NAME_MAX - 4 - 40000), "more" + "n" * (40000 - 4)]
        yield f"names-{NAMES_MAX + over}", {name: "" for name in names}, over <= 0
    for over in (0, 1):
        values = {"a": "v" * (VALUES_MAX // 2), "b": "v" * (VALUES_MAX // 2 + over)}
        yield f"values-{VALUES_MAX + over}", values, over <= 0
    yield "values-80-long", {f"v{i}": "v" * 140000 for i in range(80)}, True


def http(port, headers, body):
    data = json.dumps([{"headers": headers, "body": body}]).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status == 200
    except urllib.error.HTTPError as error:
        return False if error.code == 400 else sys.exit(f"http answers {error.code}: {error.read()!r}")


def exactly(connection, length):
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            sys.exit("a source closed a connection without an answer")
        data += more
    return data


def call(port, message, read):
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(message)
        return read(connection)


def zigzag(number):
    number = number * 2
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def text(value):
    data = value.encode()
    return zigzag(len(data)) + data


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def long(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value >> 1

    def skip(self, length):
        self.at += length


def avro(port, headers, body):
    handshake = b"\1" * 16 + zigzag(1) + text('{"protocol":"AvroSourceProtocol"}') + b"\2" * 16 + zigzag(0)
    event = b"".join(text(name) + text(value) for name, value in headers.items())
    event = zigzag(len(headers)) + event + zigzag(0) + text(body)
    payload = handshake + zigzag(0) + text("append") + event

    def read(connection):
        pieces = struct.unpack(">II", exactly(connection, 8))[1]
        data = b"".join(exactly(connection, struct.unpack(">I", exactly(connection, 4))[0]) for _ in range(pieces))
        answer = Reader(data)
        answer.long()  # match
        if answer.long():
            answer.skip(answer.long())  # the protocol
        if answer.long():
            answer.skip(16)
        answer.long()  # no metadata of the handshake
        answer.long()  # nor of the answer
        return answer.byte() == 0 and answer.long() == 0

    return call(port, struct.pack(">III", 1, 1, len(payload)) + payload, read)


def thrift(port, headers, body):
    def string(value):
        data = value.encode()
        return struct.pack(">I", len(data)) + data

    event = struct.pack(">bhbbI", 13, 1, 11, 11, len(headers))
    event += b"".join(string(name) + string(value) for name, value in headers.items())
    event += struct.pack(">bh", 11, 2) + string(body) + b"\0"
    payload = struct.pack(">I", 0x80010001) + string("append") + struct.pack(">Ibh", 1, 12, 1) + event + b"\0"

    def read(connection):
        data = exactly(connection, struct.unpack(">I", exactly(connection, 4))[0])
        return data[3] == 2 and data[-5:] == b"\0\0\0\0\0"

    return call(port, struct.pack(">I", len(payload)) + payload, read)


wrong = 0
for client, port in zip((http, avro, thrift), sys.argv[1:4]):
    for what, headers, legal in drawn() if port else ():
        event = f"{client.__name__}-{what}-{sys.argv[4]}"
        taken = client(int(port), headers, event)
        if taken:
            print(event)
        if taken != legal:
            wrong += 1
            print(f"{event}: {'taken' if taken else 'refused'}", file=sys.stderr)
sys.exit(wrong > 0)
