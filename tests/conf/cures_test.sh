#!/usr/bin/env bash
# The cures that `penstock check` suggests, for expressions and for all files of the tree: each one, put into the file as it is printed, cures. And
# Java's properties take single backslashes away, of which check warns.
# No sanitizer: conf_corpus, conf_corpus_company and the whole outputs of commands read such files there, without a process for each.
# shellcheck source=tests/conf/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

write_file() { # LINES...: lines of source r1 after those of an agent
    cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
END
    printf 'a1.sources.r1.%s\n' "$@" >>"$work/agent.properties"
}
with_regex() { write_file 'type = seq' 'interceptors = i1' 'interceptors.i1.type = regex_filter' "interceptors.i1.regex = $1"; }
with_names() { write_file 'type = spooldir' "spoolDir = $work" "includePattern = $1"; }
with_others() { write_file 'type = spooldir' "spoolDir = $work" "ignorePattern = $1"; }
with_format() { write_file 'type = syslogtcp' 'host = 127.0.0.1' 'port = 5140' "format.regex = $1"; }
with_files() { write_file 'type = taildir' "positionFile = $work/positions.json" 'filegroups = f' "filegroups.f = $1"; }
check() { # CODE
    local code=0
    "$PENSTOCK" check -n a1 -f "$work/agent.properties" --strict >"$work/out" 2>&1 || code=$?
    [[ $code == "$1" ]] || fail "exit $code, not $1, for $(tail -n 1 "$work/agent.properties")"
}
suggested() { # prints what the cures of the last line's problems tell to write in a properties file, each on a line
    sed -nE '/^[^ ]*:1[01]: /{ s/.*: ([^ ]+) in a properties file$/\1/p; t; s/.* (or|write) (\[[^ ]+\]) for the character$/\2/p; t; s/.*; write ([^ ]+)$/\1/p }' "$work/out"
}

cures() { # FUNCTION VALUE PART: check refuses or warns of the value, with one cure, which is good instead of the last PART
    local value=$2 part=$3 cure
    "$1" "$value"
    check 1
    cure=$(suggested)
    [[ $cure =~ ^[^[:space:]]+$ ]] || { fail "not one cure for $value: $cure"; return; }
    "$1" "${value%"$part"*}$cure${value##*"$part"}"
    check 0
    ! grep -qE 'dropped|warning|error' "$work/out" || fail "$value with $cure for $part"
}
cures with_regex '(foo' '('
cures with_regex 'foo(' '('
cures with_regex 'foo)' ')'
cures with_regex '*x' '*'
cures with_regex 'a**' '*'
cures with_regex '+x' '+'
cures with_regex '?x' '?'
cures with_regex 'a{2' '{'
cures with_regex 'a{x}' '{'
cures with_regex '[abc' '['
cures with_regex '[z-a]' '-'
# shellcheck disable=SC1003
cures with_regex 'a\\' '\\'
cures with_regex '^\d+$' '\d'
cures with_regex '^a\.b$' '\.'
cures with_regex 'a\|b' '\|'
cures with_files '/var/log/*.log' '/var/log/*.log'
cures with_files '/var/log/(foo' '('
cures with_files '/var/log/[foo' '['
cures with_files '/var/log/app\d+' '\d'
cures with_names '*.csv' '*.csv'
cures with_others '*.tmp' '*.tmp'
cures with_names '(foo' '('
cures with_format '(foo' '('
# The mistake is the single backslash, although what Java's properties leave is no expression, or a pattern of the shell.
cures with_regex '\p{L}+' '\p'
cures with_regex '\(foo' '\('
cures with_regex '[\[x]' '\['
cures with_regex 'x \*' '\*'
cures with_files '/var/log/\p{L}.*' '\p'
cures with_format '(\p{L}+)' '\p'
cures with_files '/var/log/\*.log' '\*'
cures with_names '\*.csv' '\*'
cures with_others '\(foo' '\('

# What a pattern of the shell becomes matches what it means.
with_files '/var/log/*-?.log'
check 1
grep -qF 'write /var/log/.*-.[.]log' "$work/out" || fail 'the expression of a pattern of the shell'
with_names '*.csv'
check 1
grep -qE '; write \.\*\[\.]csv$' "$work/out" || fail 'the expression of a pattern of the shell for spooldir'
# The value is in the message once.
said_once() {
    check 1
    [[ $(grep -oF '(foo"' "$work/out" | wc -l) == 1 ]] || fail 'the value is not there once'
}
with_names '(foo'
said_once
with_others '(foo'
said_once
with_files '/(foo'
said_once
with_format '(foo'
said_once

# A line end in the value is not the one before a cure: the message goes on behind it.
with_regex 'a\n(\d'
check 1
grep -qF 'is not a valid expression: Unclosed group' "$work/out" || fail 'no reason for an expression with a line end'
with_files 'C:\new\data.log'
check 1
grep -qF 'has no directory: write <directory>/<expression>' "$work/out" || fail 'no reason for a path with a line end'

# Where the line stands, and both characters.
with_regex '^\d+\s\d'
check 1
grep -qF "agent.properties:11: warning: a1.sources.r1.interceptors.i1.regex: a single backslash before these characters is not part of the value: Java's properties remove it; write \\\\d and \\\\s" \
    "$work/out" || fail 'no warning with line and cure'
# Backslashes that mean what they say.
for value in '^\\d+$' 'a\tb' 'a\\.b\=c\:\#\!' 'caf\u00e9' '\"a' 'a\
    b'; do
    with_regex "$value"
    check 0
done
# Lines of other agents are not this one's.
with_regex 'x'
echo 'a2.sources.r1.regex = \d' >>"$work/agent.properties"
check 0

# The cures for all files of the tree, as far as a program can carry them out.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if command -v python3 >/dev/null; then
    python3 "$here/cures.py" "$PENSTOCK" "$here"/../../conf/examples/*.properties "$here"/[0-9]*.properties \
        "$here"/../real/agents/*.properties >"$work/out" 2>&1 || fail 'cures that do not work'
fi
exit "$failed"
