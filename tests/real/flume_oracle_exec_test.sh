#!/usr/bin/env bash
# Needs: flume
# Source exec compared with a real Flume's: how commands are split and run, ends of lines, charsets, restart.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"

sources="words ends latin ascii broken shell environment failing tail"
printf 'a\r\nb\rc\n\rd\r\n\r\ne\n\nlast without end' >"$work/ends"
printf 'gr\xfc\xdfe \x80\xff\nplain\n' >"$work/latin"
printf 'ok \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\ncut \xc3\n\xff\xfe x\xe2\x82y \xed\xa0\x80 \xf0\x9f z \xc0\x80\n' >"$work/broken"
printf 'one\ntwo\n' >"$work/tail"

agent_file() {
    local source
    printf 'a1.%s = %s\n' sources "$sources" channels "$sources" sinks "$sources"
    cat <<-'EOF_' | sed "s|WORK|$work|g"
	a1.sources.words.command = printf   %s\\n  a 'b  c' "d" $HOME *
	a1.sources.ends.command = cat WORK/ends
	a1.sources.latin.command = cat WORK/latin
	a1.sources.latin.charset = ISO-8859-1
	a1.sources.ascii.command = cat WORK/latin
	a1.sources.ascii.charset = US-ASCII
	a1.sources.broken.command = cat WORK/broken
	a1.sources.shell.shell = /bin/bash -c
	a1.sources.shell.command = for i in 1 2  3; do echo "number  $i"; done; echo 'quoted   text' | tr a-z A-Z; printf 'tail'
	a1.sources.environment.shell = /bin/sh -c
	a1.sources.environment.command = umask; tty; echo "$#:$0"; ulimit -c >/dev/null && echo limits; trap
	a1.sources.failing.shell = /bin/sh -c
	a1.sources.failing.command = echo x; echo y >&2; exit 3
	a1.sources.failing.restart = true
	a1.sources.failing.restartThrottle = 200
	a1.sources.tail.command = tail -n +1 -F WORK/tail
	a1.sources.tail.batchSize = 1
	EOF_
    for source in $sources; do
        mkdir -p "$1/$source"
        cat <<-EOF_
		a1.sources.$source.type = exec
		a1.sources.$source.channels = $source
		a1.channels.$source.type = memory
		a1.channels.$source.capacity = 1000
		a1.sinks.$source.type = file_roll
		a1.sinks.$source.channel = $source
		a1.sinks.$source.sink.directory = $1/$source
		a1.sinks.$source.sink.rollInterval = 0
		EOF_
    done
}
arrived() { # events of all sources except `failing`, which never ends; 0 until it made five
    local source sum=0
    for source in $sources; do
        [[ $source == failing ]] || ((sum += $(cat "$1/$source/"* 2>/dev/null | wc -l))) || true
    done
    (($(cat "$1/failing/"* 2>/dev/null | wc -l) >= 5)) || sum=0
    echo $sum
}
expected=$((7 + 8 + 2 + 2 + 3 + 5 + 4 + 2))
SETTLE=1 both $expected
for source in $sources; do
    [[ $source == failing ]] || same_content "$source" "$source"
done
same_content "failing" failing head -5

# No process that they started is left.
no_tail() { ! pgrep -f -- "-F $work/tail" >/dev/null; }
await 60 no_tail || fail "a tail is left"
echo "same: no process is left"
