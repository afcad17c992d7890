#!/usr/bin/env bash
# Needs: flume
# Sources netcat and netcatudp compared with a real Flume's: events, and the bytes of the answers.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
export LC_ALL=C.UTF-8
command -v python3 >/dev/null || skip "no python3, which plays the client"

base=$(ports_reserve)
sources="plain short silent latin wide udp"

cat >"$work/client.py" <<'EOF_'
import socket, sys, time
from patience import patient_s
base, out = int(sys.argv[1]), open(sys.argv[2], 'wb')
names = 'plain short silent latin wide udp'.split()
port = {name: base + i for i, name in enumerate(names)}
e, grin = 'é', '😀'
talks = [
    ('plain', b'hello\n\nx\r\npartial'), ('plain', b'a' * 511 + b'\nok\n'), ('plain', b'a' * 512 + b'\nok\n'),
    ('plain', b'tab\there nul\0there\n'), ('plain', b'good\n\xc3'), ('plain', b'\n' * 2000), ('plain', b'no end'),
    ('short', b'a' * 19 + b'\nok\n'), ('short', b'a' * 20 + b'\nok\n'), ('short', b'ok\n' + b'a' * 25),
    ('short', (e * 19 + '\n').encode()), ('short', (e * 20 + '\n').encode()),
    ('short', (grin * 9 + 'x\n').encode()), ('short', (grin * 10 + '\n').encode()),
    ('silent', b'one\ntwo\n'), ('silent', b'a' * 600 + b'\n'),
    ('latin', 'café\n'.encode('latin-1')), ('latin', bytes(range(32, 256)) + b'\n'),
    ('wide', 'häß €\nzwei\n'.encode('utf-16-be')), ('wide', '\ufeffmark\n'.encode('utf-16-le')),
]
def connect(name):
    for _ in range(1800):
        try:
            return socket.create_connection(('127.0.0.1', port[name]))
        except OSError:
            time.sleep(0.1)
whole = 0 # bytes of the answer to the same lines on a connection that has ended
# A busy machine answers late, and may close the connection a while after its last answer. Most connections stay open, and each costs this wait: so
# once the whole answer is there it is two seconds of the usual clock at most.
def waits(half, answer, patient, usual):
    return patient < (30 if half else 0.7) and (half or len(answer) + len(' END') < whole or usual < 2)
for name, sent in talks:
    for half in (True, False):
        s = connect(name)
        s.sendall(sent)
        if half:
            s.shutdown(socket.SHUT_WR)
        s.settimeout(0.1)
        answer, clocks = b'', (patient_s, time.monotonic)
        heard = [clock() for clock in clocks]
        while waits(half, answer, *(clock() - at for clock, at in zip(clocks, heard))):
            try:
                some = s.recv(4096)
            except socket.timeout:
                continue
            except ConnectionResetError: # Flume closes with unread bytes; its last answer may be lost
                some = b''
            if not some:
                answer += b' END'
                break
            answer, heard = answer + some, [clock() for clock in clocks]
        else:
            answer += b' OPEN'
        whole = len(answer)
        s.close()
        out.write(repr((name, half, sent[:20], answer)).encode() + b'\n')
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(('127.0.0.1', base + 10))
for sent in [b'first\nsecond\n', b'', b'\n', b'nonl', b'a\xff\x00b\xc3', b'L' * 2000]:
    u.sendto(sent, ('127.0.0.1', port['udp']))
out.write(b'end\n')
out.close()
EOF_

agent_file() {
    local source number=$base
    printf 'a1.%s = %s\n' sources "$sources" channels "$sources" sinks "$sources"
    cat <<-'EOF_'
	a1.sources.short.max-line-length = 20
	a1.sources.silent.ack-every-event = false
	a1.sources.latin.encoding = ISO-8859-1
	a1.sources.wide.encoding = UTF-16
	a1.sources.udp.remoteAddress = from
	EOF_
    for source in $sources; do
        cat <<-EOF_
		a1.sources.$source.type = $([[ $source == udp ]] && echo netcatudp || echo netcat)
		a1.sources.$source.bind = 127.0.0.1
		a1.sources.$source.port = $number
		a1.sources.$source.channels = $source
		EOF_
        into_files "$source" "$1/$source" 5000 5000
        ((number += 1))
    done
    PYTHONPATH=$here/../support PYTHONDONTWRITEBYTECODE=1 python3 "$work/client.py" "$base" "$1.answers" >/dev/null 2>&1 &
}
arrived() { # of the last source fed
    cat "$1/udp/"* 2>/dev/null | wc -l
}
leaving() { # DIR: when the client has written all answers, and no more events come from the other sources
    await 60 grep -qax end "$1.answers" || true # the answers are compared below
    local before='' now
    while now=$(cat "$1"/*/* | wc -c); [[ $now != "$before" ]]; do before=$now; patient_rest 3; done
}
both 6
same "answers" "$work/flume.answers" "$work/penstock.answers"
for source in $sources; do
    same_content "$source" "$source"
done
