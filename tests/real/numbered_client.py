"""Sends numbered lines to a netcat source until a file appears, and notes those that were answered OK. A line is sent once: one
whose answer did not come may have arrived, or not.

  numbered_client.py PORT NAME FOLDER     lines "NAME-N xx.. NAME-N"; noted in FOLDER/acked.NAME; ends when FOLDER/stop is there
"""
import os
import socket
import sys
import time

GROUP = 100


def run(port, name, folder):
    number = 0
    with open(f"{folder}/acked.{name}", "a", encoding="ascii") as acked:
        while not os.path.exists(f"{folder}/stop"):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                    answers = connection.makefile("rb")
                    while not os.path.exists(f"{folder}/stop"):
                        words = [f"{name}-{number + i}" for i in range(GROUP)]
                        number += GROUP
                        connection.sendall("".join(f"{w} {'x' * (int(w[-2:].lstrip('-')) * 3)} {w}\n" for w in words).encode())
                        for word in words:
                            answer = answers.readline()
                            if not answer:
                                raise ConnectionError
                            if answer.strip() == b"OK":
                                print(word, file=acked)
                        acked.flush()
            except OSError:
                time.sleep(0.05)


run(int(sys.argv[1]), sys.argv[2], sys.argv[3])
