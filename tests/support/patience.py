"""A clock for waits that end when nothing happens any more: tests/support/patience.sh for programs in Python."""
import os


def patient_s():
    """The seconds in which the machine was idle, and an eighth of the rest."""
    with open("/proc/uptime", encoding="ascii") as file:
        up, idle = map(float, file.read().split())
    return (up + 7 * idle / os.cpu_count()) / 8
