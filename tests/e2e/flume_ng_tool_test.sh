#!/usr/bin/env bash
# flume-ng tool: verify and fcintegritytool read a file channel as `penstock channel verify` does, and say what is damaged.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3, which writes Flume's channel"; exit 77; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

mkdir "$work/bin"
cp "$here/../../cmake/packaging/bin/flume-ng" "$work/bin/"
ln -s "$(realpath "$PENSTOCK")" "$work/bin/penstock"
python3 "$here/flume_channel.py" "$work/flume" 20 >/dev/null
"$PENSTOCK" channel import "$work/flume/d1" "$work/flume/d2" --into "$work/channel" >"$work/import.out" 2>"$work/import.err" || fail "the import"

expect() { # STATUS WORDS ARGUMENT...: of flume-ng tool
    local status=$1 words=$2 code=0
    shift 2
    "$work/bin/flume-ng" tool "$@" >"$work/tool.out" 2>&1 || code=$?
    [[ $code == "$status" ]] || fail "flume-ng tool $*: exit status $code, not $status: $(<"$work/tool.out")"
    grep -q -- "$words" "$work/tool.out" || fail "flume-ng tool $*: '$words' is not in: $(<"$work/tool.out")"
}
expect 0 " events: all of it can be read" verify "$work/channel"
expect 0 " events: all of it can be read" --conf /etc/flume FCINTEGRITYTOOL -l "$work/channel/data"
expect 0 " events: all of it can be read" -c /etc/flume -Dx=y fcintegritytool --dataDirs "$work/channel/data"
expect 0 "tools:" --help
expect 0 "tools:" fcintegritytool -h
expect 1 "name the tool"
expect 1 "there is no tool verity" verity
expect 1 "dataDirs is required" fcintegritytool
expect 1 "needs a list" fcintegritytool -l
expect 1 "there is no directory $work/nowhere" fcintegritytool -l "$work/nowhere"
expect 1 "there is no directory $work/nowhere" fcintegritytool -l "$work/flume/d1,$work/nowhere"
expect 1 "-e is not known" fcintegritytool -e Validator -l "$work/channel/data"
expect 1 "--fast is not known; -l" fcintegritytool --fast -l "$work/channel/data"
# Options of Flume's script come at any place, those of its tool in any of its forms.
expect 0 " events: all of it can be read" fcintegritytool "-l=$work/channel/data" -c /etc/flume -DmaxSize=2000 --plugins-path /opt
expect 0 " events: all of it can be read" -Xmx1g fcintegritytool -dataDirs "$work/channel/data" --conf /etc/flume
expect 1 "-c needs a value" fcintegritytool -l "$work/channel/data" -c

# Logs of Flume's: everything is read, and nothing is changed.
before=$(find "$work/flume" -type f -exec sha256sum {} + | sort)
events=$("$PENSTOCK" channel export "$work/channel" | wc -l)
expect 0 "^$events events, .* can be imported; nothing was changed" fcintegritytool -l "$work/flume/d1,$work/flume/d2"
cp -r "$work/flume" "$work/torn"
sed -i 's/event 11/event XX/' "$work/torn/d2/log-2"
expect 1 "^1 place of the logs is damaged" fcintegritytool -l "$work/torn/d1,$work/torn/d2"
[[ $(find "$work/flume" -type f ! -name in_use.lock -exec sha256sum {} + | sort) == "$before" ]] || fail "Flume's files have changed"
[[ ! -e $work/flume/channel ]] || fail "something was made"

segment=$(find "$work/channel/data" -name '*.segment' | head -n 1)
python3 - "$segment" <<'EOF_'
import sys
with open(sys.argv[1], 'r+b') as f:
    data = f.read()
    at = data.rindex(b'event') # of the last body: its frame's checksum is wrong
    f.seek(at)
    f.write(b'EVENT')
EOF_
code=0
"$work/bin/flume-ng" tool fcintegritytool -l "$work/channel/data" >"$work/tool.out" 2>&1 || code=$?
"$PENSTOCK" channel verify "$work/channel" >"$work/verify.out" 2>&1 && fail "penstock channel verify does not see the damage"
((code != 0)) || fail "flume-ng tool does not see the damage"
diff "$work/verify.out" "$work/tool.out" || fail "flume-ng tool says something else than penstock channel verify"
echo "the tools read the channel"
