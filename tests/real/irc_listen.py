#!/usr/bin/env python3
"""Listens in a channel of an IRC server: irc_listen.py PORT NICK CHANNEL FILE. Writes what others say there, one message a line,
and to FILE.ready when it is in; comes back when the server does. Ends with SIGTERM."""

import os
import socket
import sys
import time

port, nick, channel, path = int(sys.argv[1]), sys.argv[2], "#" + sys.argv[3], sys.argv[4]


def listen(out):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(f"NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\n".encode())
        for line in connection.makefile("rb"):
            words = line.rstrip(b"\r\n").split(b" ", 3)
            if words[0] == b"PING":
                connection.sendall(b"PONG " + words[1] + b"\r\n")
            elif words[1:2] == [b"001"]:
                connection.sendall(f"JOIN {channel}\r\n".encode())
            elif words[1:2] == [b"366"]:
                with open(path + ".ready", "a", encoding="ascii") as ready:
                    ready.write("in\n")
            elif words[1:2] == [b"PRIVMSG"]:
                out.write(words[3][1:] + b"\n")
                out.flush()


with open(path, "ab") as lines:
    while os.getppid() != 1:
        try:
            listen(lines)
        except OSError:
            pass
        time.sleep(0.1)
