"""Asks a metastore to compact a partition (compact2 of hive_metastore.thrift): Hive's own command wants the metastore's database, which an embedded
Derby gives to nobody else.

  hive_compact.py PORT DATABASE TABLE PARTITION minor|major
"""
import socket
import struct
import sys

STRING, I32, STRUCT, REPLY = 11, 8, 12, 2


def text(value):
    return struct.pack(">i", len(value)) + value.encode()


def field(kind, number, value):
    return struct.pack(">bh", kind, number) + value


port, database, table, partition, kind = sys.argv[1:]
request = b"".join(field(STRING, number, text(value)) for number, value in enumerate((database, table, partition), 1))
request += field(I32, 4, struct.pack(">i", {"minor": 1, "major": 2}[kind])) + b"\0"
message = struct.pack(">I", 0x80010001) + text("compact2") + struct.pack(">i", 1) + field(STRUCT, 1, request) + b"\0"
with socket.create_connection(("127.0.0.1", int(port)), timeout=60) as connection:
    connection.sendall(message)
    answer = connection.makefile("rb").read1(65536)
# The header, and the success, field 0, as the first of the reply.
if answer[3] != REPLY or struct.unpack(">bh", answer[20:23]) != (STRUCT, 0):
    sys.exit(f"the metastore refuses: {answer!r}")
