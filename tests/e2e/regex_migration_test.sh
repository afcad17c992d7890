#!/usr/bin/env bash
# conf/examples/regex-chain.properties (ten of Flume's interceptors) and regex-rules.properties (one file of rules) treat
# every event alike: the same channel, headers and body, as docs/MIGRATING.md says.
set -euo pipefail

[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
work=$(mktemp -d)
agent=
trap '[[ -z $agent ]] || kill -9 "$agent" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$PENSTOCK_SOURCE"

fail() { echo "FAILED: $*" >&2; tail -n 30 "$work"/*.out >&2; exit 1; }

python3 - "$work/lines" <<'PY'
import random, sys
rng = random.Random(20261120)
def kv():
    return (f"level={rng.choice(['INFO', 'INFO', 'DEBUG', 'WARN'])} host={rng.choice(['web', 'db7', 'x'])}{rng.randrange(9)}.{rng.choice(['eu', 'us', 'ap', 'sa'])}.example "
            f"user={rng.choice(['ada', 'grace', 'X'])} status={rng.choice(['200', '404', '50', '503'])} service={rng.choice(['cart', 'pay', '9'])} ms={rng.randrange(999)}")
def access():
    return f'10.0.0.{rng.randrange(9)} - {rng.choice(["ada", "-"])} "GET {rng.choice(["/healthz", "/api/v1/x", "/"])} HTTP/1.1" {rng.choice(["200", "503"])} 12'
def daemon():
    return f"Nov 20 09:00:00 web{rng.randrange(9)} {rng.choice(['sshd', 'cron', 'X'])}[{rng.randrange(999)}]: {rng.choice(['', 'java.io.IOException: closed', 'Exception: '])}"
def secret():
    return f" password={rng.choice(['a', 'b!c', ''])} card={rng.choice(['1111-2222-3333-4444', '1-2-3-4'])} " * rng.randrange(1, 3)
with open(sys.argv[1], "w", encoding="utf-8") as file:
    for number in range(5000):
        parts = [rng.choice([kv, access, daemon])() for _ in range(rng.choice([1, 1, 1, 2]))]
        if rng.random() < 0.2:
            parts.append(secret())
        if rng.random() < 0.05:
            parts.append("grüße \u2028 user=größe")
        print(f"{number} {' '.join(parts)}", file=file)
PY

send() { # PORT: sends all lines and waits for the last answer
    python3 - "$1" "$work/lines" <<'PY'
import socket, sys, time
data = open(sys.argv[2], "rb").read()
for _ in range(200):
    try:
        link = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        break
    except OSError:
        time.sleep(0.05)
link.sendall(data)
link.shutdown(socket.SHUT_WR)
while link.recv(65536):
    pass
PY
}

run() { # NAME: runs the example with file sinks instead of loggers
    local name=$1 port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    sed -E "s/app\.port = 6666/app.port = $port/
            s#^(a1\.sinks\.k-(\w+))\.type = logger#\1.type = file_roll\n\1.sink.directory = $work/$name/\2\n\1.sink.rollInterval = 0\n\1.sink.serializer = header_and_text#" \
        "conf/examples/$name.properties" >"$work/$name.properties"
    grep -q file_roll "$work/$name.properties" || fail "$name: no sinks were replaced"
    mkdir -p "$work/$name"/{eu,us,ap,other}
    "$PENSTOCK" agent -n a1 -f "$work/$name.properties" --no-reload-conf >"$work/$name.out" 2>&1 &
    agent=$!
    send "$port"
    kill "$agent"
    wait "$agent" || fail "$name: exit $?"
    agent=
}
cp conf/examples/regex.rules "$work/" # beside the agent file, which is not the working directory
run regex-chain
run regex-rules

python3 - "$work" <<'PY' || fail "the two agents differ"
import glob, re, sys
def read(name):
    out = {}
    for channel in ("eu", "us", "ap", "other"):
        for path in glob.glob(f"{sys.argv[1]}/{name}/{channel}/*"):
            for line in open(path, encoding="utf-8", newline="\n"):
                headers, body = re.fullmatch(r"\{(.*?)\} (.*)\n", line).groups()
                assert body not in out, body
                out[body] = (channel, sorted(filter(None, headers.split(", "))))
    return out
chain, rules = read("regex-chain"), read("regex-rules")
wrong = [(body, chain.get(body), rules.get(body)) for body in {*chain, *rules} if chain.get(body) != rules.get(body)]
for one in wrong[:5]:
    print(*one, sep="\n    ", file=sys.stderr)
assert not wrong, f"{len(wrong)} events differ"
assert 2500 < len(chain) < 5000 and {channel for channel, _ in chain.values()} == {"eu", "us", "ap", "other"}, len(chain)
assert any("password=***" in body for body in chain) and any("****-****-****-4444" in body for body in chain)
assert {one.partition("=")[0] for _, headers in chain.values() for one in headers} == {"status", "service", "user", "exception", "region", "program", "pid"}
print(f"{len(chain)} events, the same headers and bodies in the same channels")
PY
