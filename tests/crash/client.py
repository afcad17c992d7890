"""Sends numbered events over several connections and records which of them were acknowledged."""
import random
import selectors
import socket
import threading
import time

_letters = random.Random(1)
POOL = bytes(_letters.choice(b"abcdefghijklmnopqrstuvwxyz0123456789 ") for _ in range(4096)) * 110
CHUNK_BYTES = 65536


def event(connection, number):
    """The body of an event: its text follows from its numbers, so that a changed byte is noticed."""
    mixed = (connection * 2654435761 + number * 40503) % 4294967296
    length = 16 + mixed % 240
    if mixed % 61 == 0:
        length = 2000 + mixed % 6000
    elif mixed % 4001 == 0:
        length = 300000 + mixed % 100000  # longer than a block of a batch
    start = mixed % 4096
    return b"|%d|%d|" % (connection, number) + POOL[start:start + length]


class Connection:
    """What one connection sent, and which answers came: `sent` events at most arrived, answer n is about event n."""

    def __init__(self, identity, port, syslog):
        self.identity, self.syslog = identity, syslog
        self.sent, self.answers, self.refused = 0, 0, []
        self.rest, self.partial, self.open = b"", b"", True
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.socket.setblocking(False)

    def acknowledged(self):
        refused = set(self.refused)
        return [number for number in range(self.answers) if number not in refused]

    def make(self, events):
        """Renders up to `events` more events."""
        parts = [self.rest]
        length = len(self.rest)
        while events > 0 and length < CHUNK_BYTES:
            body = event(self.identity, self.sent)
            parts.append((b"<13>Nov 21 10:00:00 host " if self.syslog else b"") + body + b"\n")
            length += len(parts[-1])
            self.sent += 1
            events -= 1
        self.rest = b"".join(parts)

    def close(self):
        self.open = False
        self.socket.close()

    def send(self):
        try:
            done = self.socket.send(self.rest)
            self.rest = self.rest[done:]
        except BlockingIOError:
            pass
        except OSError:
            self.rest = b""  # answers may still be there

    def receive(self):
        """Returns whether answers came."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.close()
            return False
        lines = (self.partial + data).split(b"\n")
        self.partial = lines.pop()
        for line in lines:
            if line.strip() != b"OK":
                self.refused.append(self.answers)
            self.answers += 1
        return True


class Sender(threading.Thread):
    """Sends until it is stopped or every connection has ended. `pace`: fast; trickle (a few events every few
    milliseconds); lockstep (the next event of a connection after the answer to the last)."""

    def __init__(self, connections, pace, limit):
        super().__init__(daemon=True)
        self.connections, self.pace, self.limit = connections, pace, limit
        self.stopping = False

    def _fill(self, connection, now):
        total = sum(c.sent for c in self.connections)
        if connection.rest or total >= self.limit or self.stopping:
            return
        if self.pace == "fast":
            connection.make(100)
        elif self.pace == "lockstep":
            if connection.syslog or connection.answers == connection.sent:
                connection.make(1)
        elif now >= getattr(connection, "due", 0):
            connection.due = now + 0.004
            connection.make(2)

    def run(self):
        with selectors.DefaultSelector() as selector:
            for connection in self.connections:
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            while any(c.open for c in self.connections):
                now = time.monotonic()
                for connection in self.connections:
                    if connection.open:
                        self._fill(connection, now)
                        if connection.rest:
                            connection.send()
                for key, _ in selector.select(0 if self.pace == "fast" and not self.stopping else 0.002):
                    while key.data.open and key.data.receive():
                        pass
                    if not key.data.open:
                        selector.unregister(key.fileobj)
                if self.stopping and all(not c.rest and (c.syslog or c.answers == c.sent)
                                         for c in self.connections if c.open):
                    break
        for connection in self.connections:
            connection.close()

    def finish(self, limit_s=120):
        """Nothing more is sent; waits for the answers. Returns whether they came."""
        self.stopping = True
        self.join(limit_s)
        return not self.is_alive()


def connect(first_identity, count, port, syslog):
    """Returns the connections that the agent accepted before it ended."""
    connections = []
    for i in range(count):
        try:
            connections.append(Connection(first_identity + i, port, syslog))
        except OSError:
            break
    return connections
