#include "tests/world/seed.h"

#include <errno.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/world/decay.h"
#include "tests/world/disk.h"
#include "tests/world/ledger.h"
#include "tests/world/life.h"
#include "tests/world/net.h"
#include "tests/world/peers/peers.h"
#include "tests/world/plan.h"
#include "tests/world/real.h"
#include "tests/world/turn.h"

#define MS UINT64_C(1000000)
#define SETTLE_NS (UINT64_C(60000) * MS) /* longer than a group waits for a member that was killed */
#define PATIENCE_NS                                                                                          \
    (UINT64_C(300000) *                                                                                      \
     MS) /* for everything to arrive once the faults have ended, if the agent acknowledges nothing more */

/* What is done so far: grows as long as anything arrives. */
static uint64_t progress(void)
{
    return world->ledger->arrivals + world->disk->writes;
}

struct stage { /* what ends, kills and reloads the agent */
    struct world_peer *stop, *kill, *reload;
    struct run *run;
    struct life_plan plan;
};

/* Ends the life: at a time, or, in the last one, when the peers are done and nothing has arrived for a while. */
static void stop_step(struct world_peer *peer)
{
    const struct stage *stage = peer->state;
    const struct life_plan *plan = &stage->plan;
    if (plan->is_last && world->settled_acknowledgements != world->ledger->acknowledgements) {
        world->settled_acknowledgements = world->ledger->acknowledgements;
        world->patience_ns = world->now_ns + PATIENCE_NS;
    }
    bool settles = plan->is_last && world->now_ns < world->patience_ns;
    if (settles && (!peers_are_done() || world->settled != progress())) {
        world->settled = progress();
        world->settled_calls = world->calls;
        peer->due_ns = world->now_ns + SETTLE_NS;
        return;
    }
    world->facts->is_settled = plan->is_last && peers_are_done() && world->settled == progress();
    if (world->facts->is_settled)
        referee_life_settled(stage->run, world->calls - world->settled_calls);
    if (world->facts->told_ns == WORLD_NEVER)
        world->facts->told_ns = world->now_ns;
    world->pending_signals |= UINT64_C(1) << SIGTERM;
    turn_wake(&turn_io, TURN_THREADS_MAX);
}

/* Writes a neighbour of the agent's file, and tells the agent. */
static void reload_step(struct world_peer *peer)
{
    struct run *run = peer->state;
    agent_redraw(&run->agent);
    run->reloads++;
    world->facts->reloads = true;
    world->pending_signals |= UINT64_C(1) << SIGHUP;
    turn_wake(&turn_io, TURN_THREADS_MAX);
}

/* Kills the agent soon. */
static void kill_step(struct world_peer *peer)
{
    const struct life_plan *plan = peer->state;
    if (world->kill_at > 0) /* it has nothing to do */
        turn_end_life(WORLD_KILLED, 0, "idle");
    world->kill_at = world->calls + plan->kill_call;
    peer->due_ns = world->now_ns + 500 * MS;
}

/* The machine, or who watches it, needs a while to start the agent again; its peers go on, and what is on its way arrives. */
static void rest(uint64_t rest_ns)
{
    uint64_t end = world->now_ns + rest_ns;
    while (world->now_ns < end) {
        uint64_t due = peers_due_ns();
        world->now_ns = due > end ? end : due > world->now_ns ? due : world->now_ns;
        peers_run();
    }
}

static void begin_faults(const struct life_plan *plan)
{
    struct net *net = world->net;
    world->server_faults = plan->server_faults;
    fault_begin(&plan->faults);
    if (world->plant == PLANT_STUCK && plan->is_last)
        fault_add(FAULT_WRITE, ENOSPC, 65536, 0, WORLD_NEVER)->below = disk_at("/w/out");
    net->partial_share = plan->partial_share;
    net->latency_ns = plan->latency_ns;
    net->reset_share = plan->reset_share;
    net->reset_from_ns = world->now_ns;
    net->reset_to_ns = WORLD_NEVER;
}

static void sync_output(void *argument, const char *path, struct disk_inode *file)
{
    disk_sync(file);
}

/* The far end is another machine's disk: what it has taken it keeps. */
static void cut_power(void)
{
    static const char *const places[] = {"/w/out", "/w/out2"};
    for (unsigned i = 0; i < 2; i++) {
        disk_walk(places[i], sync_output, NULL);
        disk_sync(disk_at(places[i]));
    }
    disk_cut();
}

/* ---- a run ---- */

static uint64_t after(uint64_t begin_ns, uint64_t ns)
{
    return ns == WORLD_NEVER ? WORLD_NEVER : begin_ns + ns;
}

static void play_life(struct run *run, struct stage *stage, uint64_t seed, unsigned number)
{
    struct life_plan *plan = &stage->plan;
    plan_draw(plan, seed, number);
    supply_begin(plan->supply);
    rest(plan->rest_ns);
    if (run->life_count > 0)
        referee_life_judged(run);
    if (run->verdict[0] != 0)
        return;
    uint64_t begin_ns = world->now_ns, trouble = world->server_trouble;
    referee_life_begins(run);
    struct world_life *life = world->facts;
    life->calm = plan->calm;
    world->patience_ns = begin_ns + PATIENCE_NS;
    begin_faults(plan);
    world->kill_at = plan->early ? plan->kill_call : 0;
    stage->stop->due_ns = plan->kills ? WORLD_NEVER : after(begin_ns, plan->end_ns);
    stage->kill->due_ns = plan->kills && !plan->early ? after(begin_ns, plan->end_ns) : WORLD_NEVER;
    if (plan->early)
        stage->stop->due_ns = after(begin_ns, 10000 * MS); /* it makes fewer calls than that */
    stage->reload->due_ns = after(begin_ns, plan->reload_ns);
    referee_life_ended(run, life_run("/w/agent.properties"));
    life->effects = faults_in_effect() + (unsigned)(life->resets + world->server_trouble - trouble) +
                    (life->end == WORLD_KILLED);
    if (life->end == WORLD_KILLED && plan->cuts) {
        cut_power();
        life->cut = true;
        run->cuts++;
    }
    if (!life->calm && !run->decayed && world_below(12) == 0)
        run->decayed = decay_strike();
    stage->stop->due_ns = stage->kill->due_ns = stage->reload->due_ns = WORLD_NEVER;
}

static void play_lives(struct run *run, uint64_t seed)
{
    struct stage *stage = world_allocate(sizeof *stage);
    stage->run = run;
    stage->stop = peer_add(stop_step, stage, WORLD_NEVER);
    stage->kill = peer_add(kill_step, &stage->plan, WORLD_NEVER);
    stage->reload = peer_add(reload_step, run, WORLD_NEVER);
    life_options[0] = (char *)REFEREE_OPTION;
    for (unsigned number = 1; number <= PLAN_LIVES_WITH_FAULTS + 1 && run->verdict[0] == 0; number++) {
        char word[16];
        snprintf(word, sizeof word, "life%u", number);
        if (!plan_without(word))
            play_life(run, stage, seed, number);
    }
    if (run->verdict[0] == 0) {
        rest(1000 * MS);
        referee_life_judged(run);
    }
    referee_run_ended(run);
}

static void play(struct run *run, uint64_t seed, const char *only)
{
    world->pass_share = world_below(2) == 0 ? 2000 : 12000;
    world->long_parks = world_below(2) == 0;
    disk_format();
    ledger_begin();
    net_begin();
    agent_draw(&run->agent);
    if (agent_has_sink(&run->agent, SINK_HDFS) || agent_has_sink(&run->agent, SINK_HIVE) ||
        agent_has_sink(&run->agent, SINK_HBASE) || agent_has_sink(&run->agent, SINK_KUDU))
        world->long_parks =
            false; /* a file that failed, or a transaction that fills, rests a second, which looks like a park without a deadline */
    if (strstr(run->agent.name, only) == NULL)
        return;
    if (plan_without("turns"))
        world->pass_share = world->blocks_most = 0;
    world->random += plan_limits.schedule * UINT64_C(0xa0761d6478bd642f);
    play_lives(run, seed);
}

/* The lives of a run share the caches of one CPU; the kernel chooses it when a run begins. */
static void stay_on_cpu(void)
{
    int cpu = sched_getcpu();
    cpu_set_t one;
    CPU_ZERO(&one);
    if (cpu >= 0) {
        CPU_SET((unsigned)cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
    }
}

/* A process of its own plays the run: its heap and its variables are the same whatever was played before. */
struct run *seed_play(uint64_t seed, const char *only, enum world_plant plant, bool traces)
{
    world_reset(seed);
    struct run *run = world_allocate(sizeof *run); /* a peer of the agent's process draws its neighbours */
    world->plant = plant;
    world->traces = traces;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        world_fatal("no process for a run: %s", strerror(errno));
    if (pid == 0) {
        stay_on_cpu();
        play(run, seed, only);
        real_call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
    }
    int status = 0;
    while (real_call(SYS_wait4, pid, (long)&status, 0, 0, 0, 0) < 0)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
        exit(99); /* world_fatal has said why */
    if (WIFSIGNALED(status))
        world_fatal("the process of a run ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        world_fatal("the process of a run ended with %d", WEXITSTATUS(status));
    return run->life_count == 0 ? NULL : run;
}

void seed_print(uint64_t seed, const struct run *run)
{
    const struct ledger *ledger = world->ledger;
    printf(
        "seed %llu: %s: %s: %u lives, %u reloads, %u killed, %u power cuts, %llu calls failed, %llu resets; "
        "%u events, %u acknowledged, %u lost, %u doubled, %u invented%s%s; %llu s; history %016llx\n",
        (unsigned long long)seed, run->verdict[0] == 0 ? "good" : run->verdict, run->agent.name,
        run->life_count, run->reloads, run->killed, run->cuts, (unsigned long long)run->failed_calls,
        (unsigned long long)world->net->resets, ledger->count, ledger->acknowledgements, ledger_lost(),
        ledger_doubled(), ledger->invented, ledger->invented > 0 ? ": " : "", ledger->invention,
        (unsigned long long)(world->now_ns / WORLD_NS_PER_S), (unsigned long long)world->history);
}
