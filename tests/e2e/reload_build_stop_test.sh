#!/usr/bin/env bash
# A stop while a reload builds its next plan, which still reads what the running plan has: the agent delivers what it holds and ends, and nothing of the
# running plan ends before the build. A second SIGHUP during a build is carried out after it.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/e2e/plugin_installed.sh
source "$(dirname "${BASH_SOURCE[0]}")/plugin_installed.sh"

# A source that gives no event. Its build lasts while the file `hold` exists.
cat >slow_build.c <<'END'
#include <penstock/plugin.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct plan {
    const char *hold;
};
struct state {
    struct ps_port *port;
};

static const struct ps_option options[] = {
    {.key = "hold",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct plan, hold),
     .flags = PS_OPTION_REQUIRED,
     .help = "the build lasts while this file exists"},
    PS_OPTION_END,
};

static bool builds; /* set and read as one word */

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    const struct plan *plan = plan_;
    char begun[4096];
    (void)context, (void)err;
    if (access(plan->hold, F_OK) != 0)
        return PS_OK;
    __atomic_store_n(&builds, true, __ATOMIC_SEQ_CST);
    snprintf(begun, sizeof begun, "%s.begun", plan->hold);
    close(open(begun, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    while (access(plan->hold, F_OK) == 0)
        usleep(1000);
    __atomic_store_n(&builds, false, __ATOMIC_SEQ_CST);
    return PS_OK;
}

/* A build may read what the plan before it has: nothing of that ends before the build. */
static void teardown(void *plan)
{
    (void)plan;
    if (__atomic_load_n(&builds, __ATOMIC_SEQ_CST))
        abort();
}

static enum ps_result work(const void *plan, void *state, struct ps_batch *batch, const struct ps_now *now)
{
    (void)plan, (void)state, (void)batch, (void)now;
    return PS_IDLE;
}

static const struct ps_source_ops source = {.needs = PS_LEVEL_NONE, .when_full = PS_WAIT, .work = work};

static const struct ps_stage_ops slow_build = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "slow_build",
    .summary = "a source that gives no event",
    .options = options,
    .plan_size = sizeof(struct plan),
    .state_size = sizeof(struct state),
    .build = build,
    .teardown = teardown,
    .source = &source,
};

PS_PLUGIN(&slow_build);
END
mkdir -p plugins/slow_build/penstock out
cc "${flags[@]}" -O1 -shared -fPIC slow_build.c -o plugins/slow_build/penstock/slow_build.so 2>cc.err || fail "slow_build.c does not compile"
port=$(free_port)
config() { # HOLD CAPACITY
    printf 'a1.%s\n' 'sources = r1 r2' 'channels = c1 c2' 'sinks = k1 k2' 'sources.r1.type = netcat' 'sources.r1.bind = 127.0.0.1' \
        "sources.r1.port = $port" 'sources.r1.channels = c1' 'sources.r2.type = slow_build' "sources.r2.hold = $work/$1" 'sources.r2.channels = c2' \
        'channels.c1.type = memory' "channels.c1.capacity = $2" 'channels.c2.type = memory' 'sinks.k1.type = file_roll' \
        "sinks.k1.sink.directory = $work/out" 'sinks.k1.sink.rollInterval = 0' 'sinks.k1.channel = c1' 'sinks.k2.type = null' 'sinks.k2.channel = c2' >fresh
    mv fresh agent.properties
}
says() { grep -qE -- "$1" agent.err; }
takes() { # an event is sent, and answered with OK
    local answer=
    { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
    echo "event $((sent + 1))" >&3 || return 1
    read -r -t 60 answer <&3 || true
    exec 3>&-
    [[ $answer == OK ]] || return 1
    sent=$((sent + 1))
}
sent=0
config first 1000
"$PENSTOCK" agent -n a1 -f agent.properties -i 3600 --plugins-path plugins 2>agent.err &
agent=$!
children[$agent]=1
await "it takes events" takes

# A second SIGHUP while the first reload builds.
touch second
config second 1000
kill -HUP "$agent"
await "the build begins" test -e second.begun
config second 2000
kill -HUP "$agent"
await "it says that the reload is under way" says 'INFO agent: SIGHUP: a reload is under way; the files are read again after it'
takes || fail "an answer while a plan is built"
rm second
reloaded() { (($(grep -c 'INFO agent: reloaded' agent.err) == $1)); }
await "both reloads are carried out" reloaded 2

# A stop.
touch third
config third 2000
kill -HUP "$agent"
await "the next build begins" test -e third.begun
takes || fail "an answer while the next plan is built"
kill -TERM "$agent"
code=0
wait "$agent" || code=$?
unset "children[$agent]"
((code == 0)) || fail "a stop while a plan is built: exit status $code"
says 'asked to stop: the reload is abandoned' || fail "it does not say that the reload is abandoned"
says "stopped: events accepted $(grouped $sent), delivered $(grouped $sent)," || fail "the account"
seq -f 'event %.0f' $sent | diff - <(cat out/* | sort -k 2n) >difference.err || fail "other events than each once came"
echo "ok: $sent events"
