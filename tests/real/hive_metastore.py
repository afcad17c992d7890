"""Calls of a metastore that Hive's command line does not have, or for which it wants the metastore's database, which an embedded Derby gives to nobody
else (hive_metastore.thrift). TABLE is DATABASE.NAME.

  hive_metastore.py PORT compact TABLE PARTITION:minor|PARTITION:major...   asks for compactions
  hive_metastore.py PORT compactions TABLE    prints those that were asked for: PARTITION STATE
  hive_metastore.py PORT open TABLE           prints the write ids of open transactions
  hive_metastore.py PORT aborted TABLE        prints each write id whose transaction is seen to be aborted, once, until it is killed; after a failed call
                                              it connects and asks again, and ends when ten calls one after the other have failed
  hive_metastore.py PORT hold TABLE FILE      asks for the exclusive lock of the table, as ALTER TABLE does, and prints "waits" or "holds" again and
                                              again until FILE is there
  hive_metastore.py PORT forgets TABLE        aborts a transaction of its own, and ends when the metastore has forgotten it: its cleaner has then looked
                                              at all that were aborted before
"""
import os
import socket
import struct
import sys
import time

STOP, I32, I64, STRING, STRUCT, SET, LIST = 0, 8, 10, 11, 12, 14, 15
NUMBERS = {2: ">b", 3: ">b", 4: ">d", 6: ">h", I32: ">i", I64: ">q"}
REPLY = 2
# Of enumerations.
MINOR, MAJOR = 1, 2
EXCLUSIVE, OF_A_TABLE, NO_TXN = 3, 2, 6
LOCK_STATES = {1: "holds", 2: "waits"}
WHO = "alter", "test", "alter table"  # user, host, agent


class Enum(int):
    """A number of four bytes; other numbers have eight."""


class Refused(Exception):
    pass


# A connection that the metastore has closed gives no bytes to unpack.
FAILED_CALLS = Refused, OSError, struct.error, IndexError


def write(value):
    """Returns the type of a value, and its bytes. Structs are dicts by the number of the field."""
    if isinstance(value, Enum):
        return I32, struct.pack(">i", value)
    if isinstance(value, int):
        return I64, struct.pack(">q", value)
    if isinstance(value, str):
        return STRING, struct.pack(">i", len(value)) + value.encode()
    if isinstance(value, list):
        items = [write(item) for item in value]
        return LIST, struct.pack(">bi", items[0][0], len(items)) + b"".join(item for _, item in items)
    fields = ((number, *write(field)) for number, field in value.items())
    return STRUCT, b"".join(struct.pack(">bh", kind, number) + field for number, kind, field in fields) + b"\0"


def read(stream, kind):
    if kind in NUMBERS:
        return struct.unpack(NUMBERS[kind], stream.read(struct.calcsize(NUMBERS[kind])))[0]
    if kind == STRING:
        return stream.read(read(stream, I32))
    if kind in (SET, LIST):
        item, count = struct.unpack(">bi", stream.read(5))
        return [read(stream, item) for _ in range(count)]
    assert kind == STRUCT, kind
    fields = {}
    while (kind := stream.read(1)[0]) != STOP:
        number = struct.unpack(">h", stream.read(2))[0]
        fields[number] = read(stream, kind)
    return fields


class Metastore:
    def __init__(self, port):
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=300).makefile("rwb")

    def call(self, name, *arguments):
        message = struct.pack(">I", 0x80010001) + write(name)[1] + struct.pack(">i", 1)
        self.stream.write(message + write(dict(enumerate(arguments, 1)))[1])
        self.stream.flush()
        kind = read(self.stream, I32) & 0xFF
        read(self.stream, STRING)
        read(self.stream, I32)
        answer = read(self.stream, STRUCT)
        if kind != REPLY or answer.keys() - {0}:
            raise Refused(f"{name}: {answer}")
        return answer.get(0)

    def begin(self, count):
        user, host, agent = WHO
        return self.call("open_txns", {1: Enum(count), 2: user, 3: host, 4: agent})[1]

    def abort(self, txns):
        self.call("abort_txns", {1: txns})

    def write_ids(self, table):
        """Returns the write ids of open and of aborted transactions."""
        found = {False: [], True: []}
        for ids in self.call("get_valid_write_ids", {1: [table]})[1]:
            is_aborted = int.from_bytes(ids[5], "little")
            for i, write_id in enumerate(ids[3]):
                found[bool(is_aborted >> i & 1)].append(write_id)
        return found[False], found[True]


def compact(metastore, table, *wanted):
    database, name = table.split(".")
    for one in wanted:
        partition, kind = one.rsplit(":", 1)
        metastore.call("compact2", {1: database, 2: name, 3: partition, 4: Enum({"minor": MINOR, "major": MAJOR}[kind])})


def compactions(metastore, table):
    for one in metastore.call("show_compact", {})[1]:
        if b"%s.%s" % (one[1], one[2]) == table.encode():
            print(one.get(3, b"-").decode(), one[5].decode())


def open_ids(metastore, table):
    for write_id in metastore.write_ids(table)[0]:
        print(write_id)


def aborted(metastore, table):
    seen = set()
    failures = 0
    while True:
        try:
            metastore = metastore or Metastore(int(sys.argv[1]))
            new = set(metastore.write_ids(table)[1]) - seen
            failures = 0
        except FAILED_CALLS as error:
            print(f"aborted: {error!r}", file=sys.stderr, flush=True)
            metastore = None
            failures += 1
            if failures == 10:
                raise
            time.sleep(1)
            continue
        seen |= new
        for write_id in sorted(new):
            print(write_id, flush=True)
        time.sleep(0.3)


def hold(metastore, table, release):
    database, name = table.split(".")
    user, host, agent = WHO
    component = {1: Enum(EXCLUSIVE), 2: Enum(OF_A_TABLE), 3: database, 4: name, 6: Enum(NO_TXN)}
    lock = None
    while not os.path.exists(release):
        try:
            if lock is None:
                txn = metastore.begin(1)[0]
                lock = metastore.call("lock", {1: [component], 2: txn, 3: user, 4: host, 5: agent})
            else:
                lock = metastore.call("check_lock", {1: lock[1], 2: txn})
        except Refused:  # the transaction is too old: this program has waited too long for a CPU
            lock = None
            continue
        print(LOCK_STATES[lock[2]], flush=True)
        time.sleep(0.3)
    failures = 0
    while lock is not None:
        try:
            metastore.abort([txn])
            lock = None
        except Refused as error:  # its database has rolled the call back too often
            print(f"hold: {error!r}", file=sys.stderr, flush=True)
            failures += 1
            if failures == 60:
                raise
            time.sleep(1)


def forgets(metastore, _):
    # The last of all transactions is never forgotten.
    txns = sorted(metastore.begin(2))
    metastore.abort(txns)
    while txns[0] in metastore.call("get_open_txns")[2]:
        time.sleep(0.1)


calls = {"compact": compact, "compactions": compactions, "open": open_ids, "aborted": aborted, "hold": hold, "forgets": forgets}
calls[sys.argv[2]](Metastore(int(sys.argv[1])), *sys.argv[3:])
