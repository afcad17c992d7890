#!/usr/bin/env python3
"""The rule sets and logs with which the rule engine is measured; the same seed gives the same data everywhere.

  bench/suite/rule_traffic.py KIND RULES rules        a rules file that routes the events it hits; "rest" is the default
  bench/suite/rule_traffic.py KIND RULES rules-set    the same, setting the header `route` instead: for the interceptor
  bench/suite/rule_traffic.py KIND RULES patterns     one line per rule: channel, tab, group 1, tab, expression
  bench/suite/rule_traffic.py KIND RULES log EVENTS   EVENTS events, one per line

Spread: every rule has a literal of its own (a made-up word of eight letters), in eight shapes in turn; one event in a hundred is hit, by one
rule. Dense: six rules per service, which all share their longest literal except for the name ("service=<name>-<n> status="); every event is hit
by one to three rules.

The spread set has the curve of bare Hyperscan on which the goals are based: 1,000 rules cost Hyperscan 1.4 to 1.8 times as much as 10 rules, and
10,000 rules 2.4 to 2.9 times.

Expressions use only what Java, PCRE and POSIX extended expressions have in common, with the word as group 1, so that Flume, rsyslog and syslog-ng
accept them unchanged. Events have 256 bytes and no newline."""

import sys

SEED = 20261120
BYTES = 256  # of an event
RULES_MAX = 100000
REST = "rest"  # the channel of events that no rule hits
ONE_IN = 100  # spread: one event in so many is hit
MASK = (1 << 64) - 1

# ---- words: four syllables, all different, unordered (none begins with z: rsyslog would uncompress it) ----

CONSONANTS, VOWELS = "bdfghklmnprstvw", "aeiou"
SYLLABLES = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]
WORDS = len(SYLLABLES) ** 4
STEP = 19260817  # prime, so it shares no factor with WORDS: every word occurs once


def rule_word(number, half=0):
    at = ((half * (WORDS // 2) + number % (WORDS // 2)) * STEP + SEED) % WORDS
    word = ""
    for _ in range(4):
        at, syllable = divmod(at, len(SYLLABLES))
        word += SYLLABLES[syllable]
    return word


def other_word(number):
    """A word that no rule has."""
    return rule_word(number, 1)


def capital(word):
    return word[0].upper() + word[1:]


# ---- rules ----

# Typical expressions; %s is the rule's own word. They also contain text that all traffic has ("request", "status=5"): if the expressions consisted of
# their own words only, 10 rules would cost a sixth of what they cost, and 10,000 rules a third.
SPREAD = {
    "status": "status=5[0-9][0-9] .*service=(%s)",
    "path": '"[A-Z]+ /api/v[0-9]/(%s)/',
    "exception": "(%s)[a-z]*Exception",
    "program": " (%s)\\[[0-9]+\\]: ",
    "user": "user=(%s)( |,|$)",
    "host": "host=(%s)[0-9]+[.](eu|us|ap)[.]",
    "between": "request .*(%s)",
    "anchored": "^(%s) (started|stopped|failed)",
}
SHAPES = list(SPREAD)
CHANNELS = [*SHAPES, REST]

# The rules of one service in a dense set. Every event of the service is hit by one of the first four; the other two hit some of the events that the fourth
# one hits.
DENSE = ["2[0-9][0-9]", "3[0-9][0-9]", "4[0-9][0-9]", "5[0-9][0-9]", "50[0-9]", "503"]
DENSE_EACH = 4  # the first rules of a service, of which exactly one hits each event of the service
SERVICES = ["checkout", "payment", "inventory", "shipping", "search", "session", "catalogue", "billing"]


def rule(kind, number):
    """Channel, what group 1 matches, and expression of a rule."""
    if kind == "dense":
        service = number // len(DENSE)
        name = f"{SERVICES[service % len(SERVICES)]}-{service}"
        return SHAPES[service % len(SHAPES)], name, f"service=({name}) status={DENSE[number % len(DENSE)]}"
    shape = SHAPES[number % len(SHAPES)]
    word = capital(rule_word(number)) if shape == "exception" else rule_word(number)
    return shape, word, SPREAD[shape] % word


def rules_text(kind, rules, routes=True):
    """A file for `rules` (docs/RULES.md) in which the first match acts."""
    lines = [f"# {kind}, {rules} rules, made by bench/suite/rule_traffic.py", "mode first"] + ([f"default {REST}"] if routes else []) + [""]
    for number in range(rules):
        channel, _, pattern = rule(kind, number)
        action = f"route {channel}" if routes else f'set header.route = "{channel}"'
        lines.append(f"rule r{number} {{ when body ~ m!{pattern}! {action} }}")
    return "\n".join(lines) + "\n"


# ---- events ----

FREE_TEXT = ("request from cache was taken after retry of the queue while reading index with timeout on primary shard and waiting for commit log to flush "
             "before next poll in worker").split()
STATUSES = [200, 200, 200, 200, 200, 204, 301, 304, 404, 500, 503]
# Shapes of events without a hit; most are key=value and access lines.
UNHIT = ["status", "user", "host", "between", "path", "path", "program", "program", "exception", "anchored"]


class Log:
    """The events of a set, in order."""

    def __init__(self, kind, rules):
        self.kind, self.rules, self.random = kind, rules, SEED

    def next(self):
        """splitmix64"""
        self.random = (self.random + 0x9e3779b97f4a7c15) & MASK
        z = self.random
        z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & MASK
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & MASK
        return z ^ (z >> 31)

    def below(self, limit):
        return ((self.next() >> 32) * limit) >> 32

    def one_of(self, list_):
        return list_[self.below(len(list_))]

    def filled(self, line, tail=""):
        """Adds words of free text up to the event's size, before `tail`."""
        room, parts = BYTES - len(line) - len(tail), []
        while room > 0:
            parts.append((self.one_of(FREE_TEXT) + " ")[:room])
            room -= len(parts[-1])
        return line + "".join(parts) + tail

    def key_values(self, shape, word, others):
        bits = self.below(1000)
        status = 500 + bits % 5 if shape == "status" else self.one_of(STATUSES)
        host, user, service = (word if shape == one else other for one, other in zip(("host", "user", "status"), others))
        line = (f"time=2026-11-20T09:{bits % 60:02}:{bits * 7 % 60:02}.{bits:03}Z level={'WARN' if bits % 10 == 0 else 'INFO'} "
                f"host={host}{bits % 40}.{('eu', 'us', 'ap')[bits % 3]}.example user={user} status={status} service={service} ms={bits} ")
        if shape == "between":
            line += f"request taken over by {word} "
        return self.filled(line + 'msg="', '"')

    def access(self, word, others):
        bits = self.below(10000)
        return self.filled(f"10.{bits % 200}.{bits % 250}.{bits % 100} - {others[0]} [20/Nov/2026:09:{bits % 60:02}:{bits * 7 % 60:02} +0000] "
                           f"\"{('GET', 'GET', 'GET', 'POST', 'PUT')[bits % 5]} /api/v{1 + bits % 2}/{word}/{bits} HTTP/1.1\" "
                           f'{self.one_of(STATUSES)} {bits * 3} "-" "', '"')

    def syslog(self, word, others):
        bits = self.below(10000)
        return self.filled(f"Nov 20 09:{bits % 60:02}:{bits * 7 % 60:02} {others[0]} {word}[{bits}]: ")

    def exception(self, word, others):
        bits = self.below(1000)
        return self.filled(f"2026-11-20 09:{bits % 60:02}:{bits * 7 % 60:02},{bits:03} ERROR [worker-{bits % 16}] com.example.{others[0]}: "
                           f"org.{others[1]}.{capital(word)}Exception: ")

    def spread(self):
        hit = self.below(self.rules) if self.below(ONE_IN) == 0 else None
        shape = self.one_of(UNHIT) if hit is None else SHAPES[hit % len(SHAPES)]
        others = [other_word(self.next() >> 8) for _ in range(4)]
        word = other_word(self.next() >> 8) if hit is None else rule_word(hit)
        if shape == "path":
            return self.access(word, others), hit is not None
        if shape == "exception":
            return self.exception(word, others), hit is not None
        if shape == "program":
            return self.syslog(word, others), hit is not None
        if shape == "anchored":
            return self.filled(f"{word} {self.one_of(('started', 'stopped', 'failed'))}: "), hit is not None
        return self.key_values(shape, word, others), hit is not None

    def dense(self):
        bits = self.below(1000)
        service = self.below((self.rules + len(DENSE) - DENSE_EACH) // len(DENSE))
        status = self.one_of(STATUSES)
        return self.filled(f"time=2026-11-20T09:{bits % 60:02}:{bits * 7 % 60:02}.{bits:03}Z level=INFO "
                           f"service={SERVICES[service % len(SERVICES)]}-{service} status={status} ms={bits} msg=\"", '"'), True

    def events(self, count):
        """Events, and whether a rule hits each of them."""
        event = self.dense if self.kind == "dense" else self.spread
        return [event() for _ in range(count)]


def write_log(path, kind, rules, count):
    """Writes so many events, one a line. Returns how many of them are hit."""
    events = Log(kind, rules).events(count)
    with open(path, "w", encoding="ascii") as file:
        file.writelines(line + "\n" for line, _ in events)
    return sum(hit for _, hit in events)


def main(words):
    if len(words) not in (3, 4) or words[0] not in ("spread", "dense") or words[2] not in ("rules", "rules-set", "patterns", "log"):
        sys.exit(__doc__)
    kind, rules, what = words[0], int(words[1]), words[2]
    if not (DENSE_EACH if kind == "dense" else 1) <= rules <= RULES_MAX or (what == "log") != (len(words) == 4):
        sys.exit(__doc__)
    if what == "log":
        sys.stdout.writelines(line + "\n" for line, _ in Log(kind, rules).events(int(words[3])))
    elif what == "patterns":
        sys.stdout.writelines("\t".join(rule(kind, number)) + "\n" for number in range(rules))
    else:
        sys.stdout.write(rules_text(kind, rules, what == "rules"))


if __name__ == "__main__":
    main(sys.argv[1:])
