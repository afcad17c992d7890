#!/usr/bin/env bash
# The example of a source with positions (file_lines.c), when things fail, because users begin with a copy of it: a position that cannot be saved
# neither floods the log nor repeats events; a read error and a position that is none are said; what a long line becomes does not depend on reads.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/e2e/plugin_installed.sh
source "$(dirname "${BASH_SOURCE[0]}")/plugin_installed.sh"
for name in file_lines pipe_lines; do
    mkdir -p plugins/$name/penstock
    cc "${flags[@]}" -O1 -shared -fPIC "$root/conf/examples/plugins/$name.c" -o plugins/$name/penstock/$name.so 2>cc.err || fail "$name.c does not compile"
done

# Lets the plug-ins' reads and writes fail while there is a file of this name, and notes in the file `reads` how much they read.
cat >faults.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static ssize_t note(ssize_t got, size_t count)
{
    int error = errno, file = count < 65536 ? -1 : open("reads", O_WRONLY | O_APPEND);
    if (file >= 0) {
        dprintf(file, "%zd\n", got);
        close(file);
    }
    errno = error;
    return got;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    if (count == 20 && access("disk-is-full", F_OK) == 0)
        return errno = ENOSPC, -1;
    return ((ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite"))(fd, bytes, count, at);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t at)
{
    if (count >= 65536 && access("disk-is-broken", F_OK) == 0)
        return errno = EIO, -1;
    return note(((ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread"))(fd, bytes, count, at), count);
}

ssize_t read(int fd, void *bytes, size_t count)
{
    return note(((ssize_t(*)(int, void *, size_t))dlsym(RTLD_NEXT, "read"))(fd, bytes, count), count);
}
END
cc -shared -fPIC faults.c -o faults.so -ldl 2>cc.err || fail "faults.c does not compile"

agent_file() { # TYPE PATH
    cat >agent.properties <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = $1
a1.sources.r1.path = $work/$2
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
END
    [[ $1 != file_lines ]] || echo "a1.sources.r1.positionFile = $work/position" >>agent.properties
}
launch() {
    rm -rf out && mkdir out
    : >agent.err # the copy of this shell that becomes the agent empties it too late: lines of the agent before would be found
    LD_PRELOAD=$work/faults.so "$PENSTOCK" agent -n a1 -f agent.properties --plugins-path plugins >agent.out 2>agent.err &
    agent=$!
    children[$agent]=1
}
arrived() { [[ $(cat out/* 2>/dev/null | wc -l) -ge $1 ]]; } # COUNT
says() { grep -qE -- "$1" agent.err; }
said() { (($(grep -cE -- "$2" agent.err) >= $1)); } # TIMES PATTERN
saved() { [[ -e position && $(<position) =~ ^0*$(stat -c %s lines)$ ]]; }
agent_file file_lines lines

# ---- a position that cannot be saved ----

touch disk-is-full
seq 1000 >lines
launch
await "the first events" arrived 1000
for i in $(seq 1001 1020); do
    echo "$i" >>lines
    await "the events go on" arrived "$i"
done
await "the log says so" says "ERROR source r1: cannot write $work/position: No space left on device; after a restart lines come again$"
(($(grep -c 'cannot write' agent.err) == 1)) || fail "each try is in the log"
! says 'retrying every' || fail "the source is closed, and reads its lines again: $(grep retrying agent.err)"
rm disk-is-full
await "the position is saved later, without new lines" saved
await "the log says that it is over" says "INFO source r1: $work/position is written again; tries so far: [0-9]+, for"
# It is over: later positions are saved without a word, and the next failure is another one.
for i in $(seq 1021 1030); do
    echo "$i" >>lines
    await "the position of a later line" saved
done
(($(grep -c 'is written again' agent.err) == 1)) || fail "a failure is over more than once: $(grep -c 'is written again' agent.err)"
touch disk-is-full
echo 1031 >>lines
await "the second failure" said 2 'cannot write'
! grep 'cannot write' agent.err | sed -n 2p | grep 'tries so far' || fail "the second failure is counted with the first"
rm disk-is-full
await "the second failure is over" said 2 'is written again'
stop_agent TERM 0
seq 1031 | diff - <(cat out/*) >difference.err || fail "other events than each line once"
launch
echo 1032 >>lines
await "only the new line" arrived 1
stop_agent TERM 0
[[ $(cat out/*) == 1032 ]] || fail "after a restart there come: $(head -n 3 out/*)"

# What cannot be saved for a while is saved by the stop, if that can.
touch disk-is-full
launch
echo 1033 >>lines
await "the line" arrived 1
await "it is not saved" says 'cannot write'
rm disk-is-full
stop_agent TERM 0
saved || fail "a stop does not save the position: $(<position)"

# ---- a read error ----

launch
await "the source is open" says 'source r1'
touch disk-is-broken
await "a read error is said" says "ERROR source r1: cannot read $work/lines: Input/output error; retrying every 3 s"
rm disk-is-broken
echo 1034 >>lines
await "the source goes on" arrived 1
stop_agent TERM 0
[[ $(cat out/*) == 1034 ]] || fail "after a read error there come: $(head -n 3 out/*)"
mkdir folder
mkfifo pipe
for path in folder pipe; do
    agent_file file_lines $path
    launch
    await "$path is no file" says "ERROR source r1: cannot read $work/$path: it is not a regular file"
    stop_agent TERM
done
agent_file file_lines lines

# ---- positions that are none ----

for text in -5 words 5words 99999999999999999999 ''; do
    if [[ $text ]]; then printf %s "$text" >position; else head -c 20 /dev/zero >position; fi
    launch
    await "the position '$text' is refused" says "ERROR source r1: $work/position has no position; remove it to read $work/lines from its start"
    stop_agent TERM
    [[ -z $(cat out/*) ]] || fail "with the position '$text' there come: $(head -n 3 out/*)"
done
echo 99999999 >position
launch
await "a position behind the end is refused" says "$work/position has the position 99999999, and $work/lines has [0-9]+ bytes: it was cut or replaced"
stop_agent TERM

# ---- long lines: the events do not depend on which bytes are there when the source reads ----

letters() { head -c "$1" /dev/zero | tr '\0' x; } # COUNT
lengths() { cat out/* | awk '{ print length($0) }' | paste -sd ' '; }
has_last() { grep -qs last out/*; }
has_read() { awk -v "least=$1" '$1 > 0 { total += $1 } END { exit total < least }' reads; } # BYTES
long_lines() { # FILE: one line whose end comes after its last byte was read, then others
    letters 65536 >>"$1"
    await "the source has read the line without its end" has_read 65536
    {
        printf '\n'
        for count in 65535 65537 70000 131072 131073; do
            letters $count
            printf '\n'
        done
        printf '\nlast\n'
    } >>"$1"
    await "the last line" has_last
    [[ $(lengths) == '65536 65535 65536 1 65536 4464 65536 65536 65536 65536 1 0 4' ]] || fail "lines of these lengths came: $(lengths)"
}
rm position
: >lines
: >reads
launch
long_lines lines
stop_agent TERM 0
saved || fail "the position behind long lines is $(<position)"
rm pipe
: >reads
agent_file pipe_lines pipe
launch
await "the source has its pipe" test -p pipe
long_lines pipe
stop_agent TERM 0
