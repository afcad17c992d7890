#!/usr/bin/env python3
"""Clients that servers do not like, many at a time: silent ones, silent ones in the middle of a message, slow ones (a byte at a time), some
that close their side at once or in the middle of a message, and some that send and never read.

  many_clients.py COUNT KIND:PORT...      COUNT for each KIND (avro, thrift, http, netcat, syslogtcp)
  many_clients.py thrift PORT COUNT [AGAIN]   instead: a good client of thrift, which sends COUNT events one by one; it connects
                                          again, AGAIN times (default 0) at most, because a source with an idle timeout ends one that had no CPU

Prints "open NUMBER" when all are connected. Then it obeys lines of standard input: "ended" prints "ended NUMBER of NUMBER", how many of
those that read, and are not slow, the server has closed; slow ones at http count. The end of the input closes all."""

import resource
import select
import socket
import sys

FLOODS_MAX = 3  # of a kind
FLOOD_BYTES = 4 << 20
PING = (1).to_bytes(4, "big") + (1).to_bytes(4, "big") + (36).to_bytes(4, "big") + bytes(36)  # a handshake with an unknown protocol, no call
APPEND = bytes.fromhex("80010001 00000006") + b"append" + bytes.fromhex("00000000 0c0001 0d0001 0b0b 00000000 0b0002 00000005") + b"hello" + bytes(2)
APPEND = len(APPEND).to_bytes(4, "big") + APPEND  # without headers, binary protocol
WHOLE = {
    "thrift": APPEND,
    "avro": PING,
    "http": b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
    "netcat": b"hello\n",
    "syslogtcp": b"<13>hello\n",
}
ENDLESS = {  # the beginning of a message, and what it goes on with
    "thrift": ((50000).to_bytes(4, "big") + APPEND[4:-7], b"a"),
    "avro": ((1).to_bytes(4, "big") + (1).to_bytes(4, "big") + (50000).to_bytes(4, "big"), b"\0"),
    "http": (b"POST / HTTP/1.1\r\nHost: here\r\nX-Long: ", b"a"),
    "netcat": (b"a", b"a"),
    "syslogtcp": (b"<13>", b"a"),
}
SHAPES = ["silent"] * 15 + ["begun", "slow", "shut", "begun and shut", "flood"]


class Client:
    def __init__(self, kind, port, shape):
        self.kind, self.shape, self.at, self.ended = kind, shape, 0, False
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setblocking(False)
        begin, _ = ENDLESS[kind]
        if shape.startswith("begun"):
            self.send(begin)
        if shape.endswith("shut"):
            self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.ended = True
            return 0

    def step(self):
        begin, more = ENDLESS[self.kind]
        if self.shape == "slow":
            self.at += self.send(begin[self.at:self.at + 1] or more)
        elif self.shape == "flood":
            message = WHOLE[self.kind]
            sent = 1
            while sent > 0 and self.at < FLOOD_BYTES:
                sent = self.send((message * 1000)[self.at % len(message):])
                self.at += sent

    def look(self):
        """Whether the server has ended the connection."""
        if self.ended:
            return True
        try:
            while True:
                if not self.socket.recv(4096):
                    self.ended = True
                    break
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
        return self.ended


def read(connection, length):
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise ConnectionError("the source closed the connection of the good client")
        data += more
    return data


def good(port, count, again):
    while count > 0:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
                while count > 0:
                    connection.sendall(APPEND)
                    answer = read(connection, int.from_bytes(read(connection, 4), "big"))
                    if answer[:4] != bytes.fromhex("80010002") or not answer.endswith(bytes.fromhex("08 0000 00000000 00")):  # a reply: OK
                        sys.exit(f"the good client got {answer!r}")
                    count -= 1
        except ConnectionError as error:
            again -= 1
            if again < 0:
                sys.exit(str(error))


def main():
    if sys.argv[1] == "thrift":
        good(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 0)
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients = []
    for one in sys.argv[2:]:
        kind, port = one.split(":")
        floods = 0
        for i in range(int(sys.argv[1])):
            shape = SHAPES[i % len(SHAPES)]
            if shape == "flood":
                floods += 1
                shape = shape if floods <= FLOODS_MAX and kind != "syslogtcp" else "silent"
            clients.append(Client(kind, int(port), shape))
    print("open", len(clients), flush=True)
    while True:
        for client in clients:
            client.step()
        ready, _, _ = select.select([sys.stdin], [], [], 0.1)
        if not ready:
            continue
        if not sys.stdin.readline():
            return
        # The end of a connection does not reach a flood, behind what it does not read.
        waiting = [client for client in clients if client.shape != "flood" and (client.shape != "slow" or client.kind == "http")]
        print("ended", sum(client.look() for client in waiting), "of", len(waiting), flush=True)


main()
