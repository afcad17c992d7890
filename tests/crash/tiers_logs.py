"""The logs of the leaves of tests/crash/tiers: written without a rest, and rotated as logrotate does.

A line is "LEAF KIND NUMBER DOTS." with as many dots as the number says. Numbers go on over rotations.
What a log agent cannot read does not happen: a line is whole when its file is rotated, and before its file may have rested for idleTimeout;
nothing is written between copy and cut; what is compressed or deleted was read (its position is written), or is at the far end."""
import gzip
import json
import os
import shutil
import threading
import time

PLAIN_KEPT, KEPT = 2, 6  # rotated files that are not compressed; that are not deleted


def make_line(leaf, kind, number):
    return b"%s %s %d %s.\n" % (leaf, kind, number, b"." * (number * 7919 % (1500 if number % 97 == 0 else 120)))


class Rotated:
    """A file that is written no more; `first` .. `end` - 1 are its lines."""

    def __init__(self, path, first, end):
        self.path, self.first, self.end = path, first, end
        self.begun_at = None  # when a line of it was first found at the far end


class Log:
    """One file of a leaf, `kind` renamed or copied, and what it was rotated to. `pieces`: it is written in pieces that end anywhere."""

    def __init__(self, folder, leaf, kind, pieces, draw):
        self.leaf, self.kind, self.pieces, self.draw = leaf.encode(), kind.encode(), pieces, draw
        self.positions = f"{folder}/../positions.json"
        self.path = f"{folder}/{kind}.log"
        self.number = self.first = 0  # of the next line; of the first line in the file
        self.rest = b""               # of a line that is not written yet
        self.rotated = []             # the newest first
        self.rotations = self.compressed = self.deleted = 0
        self.old = None               # renamed: the file that its writer still has open
        self.out = self._open()

    def _open(self):
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def append(self, count):
        """Writes so many lines."""
        text = self.rest + b"".join(make_line(self.leaf, self.kind, self.number + i) for i in range(count))
        self.number += count
        cut = self.draw.randint(0, len(text)) if self.pieces else len(text)
        cut = max(cut, len(self.rest), text.rfind(b"\n", 0, -1) + 1)  # only the last line may stay unfinished
        self.rest = text[cut:]
        os.write(self.out, text[:cut])

    def _finish_line(self):
        os.write(self.out, self.rest)
        self.rest = b""

    def _shift(self):
        for i in range(len(self.rotated), 0, -1):
            file = self.rotated[i - 1]
            ending = ".gz" if file.path.endswith(".gz") else ""
            to = f"{self.path}.{i + 1}{ending}"
            os.rename(file.path, to)
            file.path = to

    def rotate(self):
        if self.number == self.first:
            return
        self._finish_line()
        self._shift()
        if self.kind == b"renamed":
            os.rename(self.path, self.path + ".1")
            self.append(self.draw.randint(0, 30))  # its writer does not know yet
            self._finish_line()
            os.close(self.out)
            self.out = self._open()
        else:
            shutil.copyfile(self.path, self.path + ".1")
            os.ftruncate(self.out, 0)
        self.rotated.insert(0, Rotated(self.path + ".1", self.first, self.number))
        self.first = self.number
        self.rotations += 1

    def _is_read(self, file, far):
        """Whether its lines are in a channel for good."""
        if far.has_all(self.leaf, self.kind, file.first, file.end):
            return True
        if self.kind == b"copied" or not far.has_any(self.leaf, self.kind, file.first, file.end):
            return False
        # A line came, so the leaf has opened it; positions that are written from now on know this file by its inode.
        file.begun_at = file.begun_at or time.time()
        try:
            if os.stat(self.positions).st_mtime <= file.begun_at + 0.01:
                return False
            with open(self.positions, encoding="utf-8") as positions:
                status = os.stat(file.path)
                return any(entry["inode"] == status.st_ino and entry["pos"] >= status.st_size for entry in json.load(positions))
        except (FileNotFoundError, ValueError):
            return False

    def tidy(self, far):
        """Compresses one file, and deletes the oldest."""
        for file in self.rotated[PLAIN_KEPT:]:
            if not file.path.endswith(".gz") and self._is_read(file, far):
                with open(file.path, "rb") as plain, gzip.open(file.path + ".gz", "wb", 1) as out:
                    shutil.copyfileobj(plain, out)
                os.unlink(file.path)
                file.path += ".gz"
                self.compressed += 1
                break
        if len(self.rotated) > KEPT and self.rotated[-1].path.endswith(".gz"):
            os.unlink(self.rotated.pop().path)
            self.deleted += 1


class Writer(threading.Thread):
    """Writes all logs until it is told to stop: `rate` lines a second in all, each log rotated every `rotate_s` on average."""

    def __init__(self, logs, far, draw, rate, rotate_s):
        super().__init__(daemon=True)
        self.logs, self.far, self.draw, self.rate, self.rotate_s = logs, far, draw, rate, rotate_s
        self.stopped, self.error = threading.Event(), None

    def _turn(self, elapsed_s):
        for log in self.logs:
            share = self.rate * elapsed_s / len(self.logs)
            count = int(share) + (self.draw.random() < share % 1)
            if count > 0:
                log.append(count)
            if self.draw.random() < elapsed_s / self.rotate_s:
                for _ in range(self.draw.choice([1, 1, 1, 1, 3])):  # sometimes a burst
                    log.rotate()
                    log.append(self.draw.randint(1, 20))
            if self.draw.random() < 4 * elapsed_s / self.rotate_s:
                log.tidy(self.far)

    def run(self):
        try:
            before = time.monotonic()
            while not self.stopped.wait(0.02):
                now = time.monotonic()
                self._turn(min(now - before, 0.2))
                before = now
            for log in self.logs:
                log._finish_line()
        except Exception as error:  # the harness reports it
            self.error = error
