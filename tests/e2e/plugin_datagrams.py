"""Receives datagrams at a Unix socket and appends each as a line to a file: plugin_datagrams.py SOCKET FILE"""

import socket
import sys

receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
with open(sys.argv[2], "ab", buffering=0) as file:
    while True:
        file.write(receiver.recv(1 << 17) + b"\n")
