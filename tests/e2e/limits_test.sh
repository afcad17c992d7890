#!/usr/bin/env bash
# What the machine refuses for a while (descriptors, threads, a process that compiles) is asked for again, without a restart or another change of a file:
# the metrics server, a reload. Closed standard descriptors are not given to other files. An agent that cannot receive signals, or cannot make its
# workers, does not start.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
for program in cc prlimit; do
    command -v $program >/dev/null || { echo "SKIP: no $program"; exit 77; }
done
cd "$work"
port=$(free_port)
metrics_port=$(free_port)
config() { # MORE: the agent's file
    netcat_flow "a1.channels.c1.type = memory" "a1.sinks.k1.type = null" "$1" >fresh
    mv fresh agent.properties
}
says() { grep -qE -- "$1" agent.err; }

# ---- standard descriptors ----

config ""
"$PENSTOCK" agent -n a1 -f agent.properties <&- >&- 2>&- &
agent=$!
children[$agent]=1
all_null() { [[ $(readlink /proc/$agent/fd/0 /proc/$agent/fd/1 /proc/$agent/fd/2 | sort -u) == /dev/null ]]; }
listens() { (exec 6<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
await "an agent without standard descriptors listens" listens
all_null || fail "files have the numbers of standard descriptors: $(ls -l /proc/$agent/fd)"
stop_agent TERM 0
code=0
"$PENSTOCK" components >&- 2>components.err || code=$?
[[ $code == 2 ]] || fail "lost output is not told: exit status $code"

# Refuses a descriptor for signals while there is a file no-signals, one for a worker while there is a file no-workers, and the metrics server while there is a file no-http; ends the compiler of rules
# while there is a file no-compiler.
cat >refuses.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

int signalfd(int fd, const sigset_t *set, int flags)
{
    if (access("no-signals", F_OK) == 0)
        return errno = EMFILE, -1;
    return (int)syscall(SYS_signalfd4, fd, set, 8, flags);
}

int epoll_create1(int flags)
{
    if (access("no-workers", F_OK) == 0)
        return errno = EMFILE, -1;
    return (int)syscall(SYS_epoll_create1, flags);
}

typedef void *start_va(unsigned, unsigned short, void *, void *, void *, void *, va_list);

void *MHD_start_daemon(unsigned flags, unsigned short port, void *a, void *b, void *c, void *d, ...)
{
    va_list options;
    if (access("no-http", F_OK) == 0)
        return errno = EAGAIN, (void *)0;
    va_start(options, d);
    void *daemon = ((start_va *)dlsym(RTLD_NEXT, "MHD_start_daemon_va"))(flags, port, a, b, c, d, options);
    va_end(options);
    return daemon;
}

__attribute__((constructor)) static void end_compiler(void)
{
    char line[256];
    int fd = open("/proc/self/cmdline", O_RDONLY);
    ssize_t length = read(fd, line, sizeof line);
    close(fd);
    if (length > 0 && memmem(line, (size_t)length, "rules\0compile", 13) != 0 && access("no-compiler", F_OK) == 0)
        _exit(1);
}
END
cc -shared -fPIC refuses.c -o refuses.so -ldl 2>cc.err || fail "refuses.c does not compile"
export ASAN_OPTIONS="${ASAN_OPTIONS-}:verify_asan_link_order=0" # refuses.so comes before the sanitizer's library

# ---- signals, workers ----

for what in signals workers; do
    touch no-$what
    code=0
    LD_PRELOAD=$work/refuses.so timeout -s KILL 60 "$PENSTOCK" agent -n a1 -f agent.properties 2>agent.err || code=$?
    [[ $code == 1 ]] || fail "no $what: exit status $code"
    says 'ERROR agent: not started: .*Too many open files' || fail "an agent without $what starts"
    [[ $what == workers ]] || says 'not started: cannot receive signals: Too many open files$' || fail "it does not name signals"
    rm no-$what
done

# ---- the metrics server, the compiler ----

touch no-http no-compiler
LD_PRELOAD=$work/refuses.so "$PENSTOCK" agent -n a1 -f agent.properties -i 1 -Dflume.monitoring.type=prometheus \
    -Dflume.monitoring.port="$metrics_port" 2>agent.err &
agent=$!
children[$agent]=1
await "the metrics server is refused" says 'ERROR agent: no metrics: metrics server: cannot start: .*; trying again every 3 s$'
rm no-http
answers() { [[ $(curl -s -o ready.txt -w '%{http_code}' --noproxy '*' "http://127.0.0.1:$metrics_port/readyz") == "$1" ]]; } # STATUS
await "the metrics server is started again" answers 200
(($(grep -c 'no metrics' agent.err) == 1)) || fail "each try is in the log"

cat >a.rules <<'END'
rule one { when body ~ /a[bc]d/ drop }
END
config "a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = rules
a1.sources.r1.interceptors.i1.rules.file = $work/a.rules
a1.sources.r1.interceptors.i1.rules.cache = none"
await "a reload whose build fails is refused" says 'the new configuration is not used; the agent keeps the old one: .*the compiler ended without an answer'
await "/readyz does not tell" answers 503
rm no-compiler
await "it is tried again" says 'INFO agent: reloaded'
await "the agent is ready" answers 200

# ---- a reload without descriptors ----

first_unused() { # prints the lowest number that no descriptor of the agent has
    local fd=0
    while [[ -e /proc/$agent/fd/$fd ]]; do fd=$((fd + 1)); done
    echo $fd
}
limit=$(prlimit --pid $agent --nofile --noheadings --output SOFT | tr -d ' ')
lowest=$limit
# A look at the file, and a connection that is not closed yet, have descriptors for a moment: the limit falls when they are gone.
refused() {
    local unused
    unused=$(first_unused)
    if ((unused < lowest)); then
        lowest=$unused
        prlimit --pid $agent --nofile="$unused": || fail "prlimit"
        kill -HUP $agent
    fi
    says 'ERROR agent: the new configuration is not used; the agent keeps the old one: cannot start a thread for the reload: Too many open files$'
}
await "a reload without descriptors is refused" refused
unchanged() { grep -c 'reload: nothing changed in the configuration' agent.err || true; }
before=$(unchanged)
reloaded() { (($(unchanged) > before)); }
prlimit --pid $agent --nofile="$limit":
await "it is tried again" reloaded
await "the agent is ready again" answers 200
stop_agent TERM 0
