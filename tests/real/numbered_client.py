"""Sends numbered lines to a source that answers until a file appears, and notes those that were answered. A line is sent once: one
whose answer did not come may have arrived, or not.

  numbered_client.py PORT NAME FOLDER [netcat|http [RATE]]
      lines "NAME-N xx.. NAME-N", in groups of 100, at most RATE lines/s (0: no limit), to a source of that type; noted in
      FOLDER/acked.NAME; ends when FOLDER/stop is there. If FOLDER/came.NAME is there, a number that the script writes of what the far end
      has, no more than 5,000 lines beyond it are sent: what waits for a Java that starts slowly would only make the rest slower
"""
import http.client
import json
import os
import socket
import sys
import time

GROUP = 100
AHEAD = 5000


def over_netcat(port):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        answers = connection.makefile("rb")
        while True:
            words = yield
            connection.sendall("".join(line(word) + "\n" for word in words).encode())
            for word in words:
                answer = answers.readline()
                if not answer:
                    raise ConnectionError
                if answer.strip() == b"OK":
                    yield word


def over_http(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while True:
        words = yield
        connection.request("POST", "/", json.dumps([{"headers": {}, "body": line(word)} for word in words]))
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            yield from words


def line(word):
    return f"{word} {'x' * (int(word[-2:].lstrip('-')) * 3)} {word}"


def is_ahead(folder, name, answered):
    try:
        with open(f"{folder}/came.{name}", encoding="ascii") as came:
            return answered >= int(came.read()) + AHEAD
    except FileNotFoundError:
        return False


def run(port, name, folder, way, rate):
    number = answered = 0
    due = time.monotonic()
    with open(f"{folder}/acked.{name}", "a", encoding="ascii") as acked:
        while not os.path.exists(f"{folder}/stop"):
            try:
                sender = way(port)
                next(sender)
                while not os.path.exists(f"{folder}/stop"):
                    if is_ahead(folder, name, answered):
                        time.sleep(0.05)
                        continue
                    first, number = number, number + GROUP  # a line that was sent is not sent again, also if no answer comes at all
                    word = sender.send([f"{name}-{i}" for i in range(first, number)])
                    while word is not None:
                        print(word, file=acked)
                        answered += 1
                        word = next(sender)
                    acked.flush()
                    due = max(due + GROUP / rate, time.monotonic()) if rate else due
                    time.sleep(max(0, due - time.monotonic()))
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)


more = sys.argv[4:]
run(int(sys.argv[1]), sys.argv[2], sys.argv[3], over_http if "http" in more else over_netcat, float(more[1]) if len(more) > 1 else 0)
