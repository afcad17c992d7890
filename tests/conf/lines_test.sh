#!/usr/bin/env bash
# `penstock check` reads lines as Java's properties do (tests/conf/properties has the comparison with Java), and says where that is not what was
# meant: carriage returns, backslashes that continue nothing, comments and keys that a backslash makes a part of a value.
# No sanitizer: conf_corpus, conf_corpus_company and the whole outputs of commands read such files there, without a process for each.
# shellcheck source=tests/conf/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

agent() { # LINES..: an agent of nine lines, and these, each in the form of printf's %b
    cat <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = seq
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = kafka
a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:9092
a1.sinks.k1.channel = c1
END
    printf '%b' "$@"
}
check() { # FILE
    "$PENSTOCK" check -n a1 -f "$1" >"$work/out" 2>&1 || fail "exit $? for $(tail -n 2 "$1")"
}
says() { # TEXT
    grep -qF -- "$1" "$work/out" || fail "not said: $1"
}
fine() {
    ! grep -qE ':[0-9]+: (error|dropped|warning|note)' "$work/out" || fail "a problem in $(tail -n 2 "$work/file")"
    says 'a1: fine'
}

agent 'a1.channels.c1.capacity = 2000\n' | tr '\n' '\r' >"$work/file"
check "$work/file"
fine
says 'capacity 2,000 events'
says "note: its lines end with carriage returns alone, as on an old Mac: they are read as Java reads them; tr '\\r' '\\n' makes"
tr '\r' '\n' <"$work/file" >"$work/cured"
check "$work/cured"
! grep -q 'carriage' "$work/out" || fail 'the cure does not cure'
agent 'a1.channels.c1.capacity = 2000\n' | sed 's/$/\r/' >"$work/file"
check "$work/file"
fine
! grep -q carriage "$work/out" || fail 'lines that end with CR LF are usual'

agent 'a1.sinks.k1.kafka.topic = abc\rdef\n' >"$work/file"
check "$work/file"
says 'file:10: warning: a carriage return in the line ends it, as in Java'
says 'topic abc'

for end in '' '\n' '\r\n' '\n  '; do
    agent "a1.sinks.k1.kafka.topic = abc\\\\$end" >"$work/file"
    check "$work/file"
    says 'file:10: warning: a1.sinks.k1.kafka.topic: ends with a backslash, and no line follows'
    says 'topic abc'
done
# shellcheck disable=SC1003
for end in '\\\\' '\\\n  def' '\\\ndef\n'; do # no continuation; one with a line; another one
    agent "a1.sinks.k1.kafka.producer.client.id = abc$end" >"$work/file"
    check "$work/file"
    fine
done

agent 'a1.sinks.k1.kafka.topic = abc \\ \n a1.channels.c1.capacity = 2000\n' >"$work/file"
check "$work/file"
says 'file:10: warning: a1.sinks.k1.kafka.topic: a backslash with blanks behind it does not continue the line'

agent 'a1.sinks.k1.kafka.producer.client.id = abc\\\n  a1.channels.c1.capacity = 2000\n' >"$work/file"
check "$work/file"
says 'file:11: warning: a1.sinks.k1.kafka.producer.client.id: the line before ends with a backslash: this line is part of its value'
says 'remove the backslash at the end of line 10'
sed '10s/.$//' "$work/file" >"$work/cured"
check "$work/cured"
says 'capacity 2,000 events'
! grep -q backslash "$work/out" || fail 'the cure does not cure'

agent 'a1.sinks.k1.kafka.producer.client.id = abc\\\n# a comment\na1.channels.c1.capacity = 2000\n' >"$work/file"
check "$work/file"
says 'file:11: warning: a1.sinks.k1.kafka.producer.client.id: a comment cannot stand behind a line that ends with a backslash'
says 'remove this line, and the backslash at the end of line 10'
agent 'a1.sinks.k1.kafka.producer.client.id = abc\\\n # a comment \\\n def\n' >"$work/file"
check "$work/file"
says '; remove this line'
[[ $(grep -c 'warning' "$work/out") == 2 ]] || fail 'one warning, and the line with their number' # not also "a # after a value"
exit "$failed"
