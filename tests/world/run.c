/* Runs drawn agents in the world: several lives each, with faults of the disk and the network, kills and power cuts, then a last one without; and
 * judges what arrived.
 *
 *   world [--from SEED] [--runs N] [--only TEXT] [--print] [--trace] [--histories] [--plant NAME]      (default 1, 1)
 *   world --scenario FILE [--from SEED] [--runs N] [--print] [--trace]
 *   world --steps FILE                                                prints the steps of a scenario as JSON (tests/scenarios/real)
 *
 * --only: seeds whose agent's line has this text ("kafka -> memory"). --trace: every call of every life on standard error. --plant: a violation that the referee must find: no-sync, lost, doubled, invented, stuck, astray, header, skipped, aborted; the exit code is 0 if it finds one.
 * --histories: a line for each seed, to compare.
 * A bad run prints its seed and the reason; --print shows the agent's file and log of every run. Exit code 1 when one was bad. */
#include <errno.h>
#include <iconv.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/world/agent.h"
#include "tests/world/decay.h"
#include "tests/world/disk.h"
#include "tests/world/fault.h"
#include "tests/world/ledger.h"
#include "tests/world/life.h"
#include "tests/world/net.h"
#include "tests/world/peers/peers.h"
#include "tests/world/real.h"
#include "tests/world/referee.h"
#include "tests/world/scenario/scenario.h"
#include "tests/world/turn.h"

#define MS UINT64_C(1000000)
#define LIVES_WITH_FAULTS 4
#define LIFE_NS (UINT64_C(4000) * MS)
#define SETTLE_NS (UINT64_C(60000) * MS)    /* longer than a group waits for a member that was killed */
#define PATIENCE_NS (UINT64_C(300000) * MS) /* for everything to arrive once the faults have ended */

/* What is done so far: grows as long as anything arrives. */
static uint64_t progress(void)
{
    return world->ledger->arrivals + world->disk->writes;
}

/* Ends the life: at a time, or, in the last one, when the peers are done and nothing has arrived for a while. */
static void stop_step(struct world_peer *peer)
{
    const bool *is_last = peer->state;
    bool settles = *is_last && world->now_ns < world->patience_ns;
    if (settles && (!peers_are_done() || world->settled != progress())) {
        world->settled = progress();
        peer->due_ns = world->now_ns + SETTLE_NS;
        return;
    }
    world->facts->is_settled = *is_last && peers_are_done() && world->settled == progress();
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
    peer->due_ns = world->now_ns + world_below(LIFE_NS);
}

/* The machine, or who watches it, needs a while to start the agent again; its peers go on, and what is on its way arrives. */
static void pause_between_lives(void)
{
    uint64_t end = world->now_ns + 1000 * MS + world_below(world_below(4) == 0 ? 10000 * MS : 200 * MS);
    do {
        uint64_t due = peers_due_ns();
        world->now_ns = due > end ? end : due > world->now_ns ? due : world->now_ns;
        peers_run();
    } while (world->now_ns < end);
}

/* ---- faults ---- */

static void draw_net_faults(void)
{
    struct net *net = world->net;
    net->partial_share = world_below(3) == 0 ? 20000 : 0;
    net->latency_ns = world_below(4) == 0 ? 20 * MS : 50000;
    net->reset_share = world_below(2) == 0 ? 2000 : 0;
    net->reset_from_ns = world->now_ns;
    net->reset_to_ns = world->now_ns + LIFE_NS;
}

static void draw_faults(void)
{
    world->server_faults = world_below(2) == 0;
    fault_draw(LIFE_NS);
    draw_net_faults();
}

static void end_faults(void)
{
    world->server_faults = false;
    fault_clear();
    if (world->plant == PLANT_STUCK)
        fault_add(FAULT_WRITE, ENOSPC, 65536, 0, WORLD_NEVER)->below = disk_at("/w/out");
    world->net->reset_share = 0;
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

static void run_lives(struct run *run)
{
    static bool *is_last;
    is_last = world_allocate(sizeof *is_last);
    struct world_peer *stop = peer_add(stop_step, is_last, WORLD_NEVER);
    struct world_peer *reload = peer_add(reload_step, run, WORLD_NEVER);
    bool is_calm = world_below(4) == 0; /* lives that only stop: then nothing comes twice */
    life_options[0] = (char *)REFEREE_OPTION;
    do {
        referee_life_begins(run);
        struct world_life *life = world->facts;
        *is_last = run->life_count == LIVES_WITH_FAULTS + 1;
        life->calm = *is_last || is_calm;
        if (life->calm) {
            end_faults();
            world->patience_ns = world->now_ns + PATIENCE_NS;
        } else
            draw_faults();
        world->kill_at = life->calm || world_below(4) == 0 ? 0 : 1 + world_below(6000);
        stop->due_ns = world->now_ns + (*is_last ? 0 : world_below(LIFE_NS));
        reload->due_ns = *is_last || world_below(3) != 0 ? WORLD_NEVER : world->now_ns + world_below(LIFE_NS);
        referee_life_ended(run, life_run("/w/agent.properties"));
        if (life->end == WORLD_KILLED && world_below(2) == 0) {
            cut_power();
            life->cut = true;
            run->cuts++;
        }
        if (!life->calm && !run->decayed && world_below(12) == 0)
            run->decayed = decay_strike();
        stop->due_ns = reload->due_ns = WORLD_NEVER;
        pause_between_lives();
        referee_life_judged(run);
    } while (!*is_last && run->verdict[0] == 0);
    referee_run_ended(run);
}

static bool prints, traces, prints_histories;
static const char *only = "";
static enum world_plant plant;
/* Prints the numbers of lost events. */
static void print_lost(void)
{
    const struct ledger *ledger = world->ledger;
    for (uint32_t i = 0; i < ledger->count; i++)
        if (ledger_is_lost(i))
            printf("lost: event %u\n", i);
}

static void play(struct run *run)
{
    world->pass_share = world_below(2) == 0 ? 2000 : 12000;
    world->pause_ns = MS << world_below(10);
    world->long_parks = world_below(2) == 0;
    disk_format();
    ledger_begin();
    net_begin();
    agent_draw(&run->agent);
    if (agent_has_sink(&run->agent, SINK_HDFS))
        world->long_parks =
            false; /* a file that failed rests a second, which looks like a park without a deadline */
    if (strstr(run->agent.name, only) != NULL)
        run_lives(run);
}

/* A process of its own plays the run: its heap and its variables are the same whatever was played before. */
static void play_apart(struct run *run)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        world_fatal("no process for a run: %s", strerror(errno));
    if (pid == 0) {
        play(run);
        fflush(NULL);
        real_call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
    }
    int status = 0;
    while (real_call(SYS_wait4, pid, (long)&status, 0, 0, 0, 0) < 0)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
        exit(99); /* world_fatal has said why */
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        world_fatal("the process of a run ended by signal %d", WTERMSIG(status));
}

static bool run_seed(uint64_t seed)
{
    world_reset(seed);
    struct run *run = world_allocate(sizeof *run); /* a peer of the agent's process draws its neighbours */
    world->plant = plant;
    world->traces = traces;
    play_apart(run);
    if (run->life_count == 0) /* not this agent */
        return true;
    if (prints_histories)
        printf("%llu %016llx\n", (unsigned long long)seed, (unsigned long long)world->history);
    if (prints)
        printf("%s\n%.*s", run->agent.text, (int)world->output_length, world->output);
    if (prints || (run->verdict[0] != 0 && plant == PLANT_NOTHING)) {
        const struct ledger *ledger = world->ledger;
        uint32_t acknowledged = 0;
        for (uint32_t i = 0; i < ledger->count; i++)
            acknowledged += ledger->acknowledged[i];
        printf("seed %llu: %s: %s: %u lives, %u reloads, %u killed, %u power cuts, %llu calls "
               "failed, %llu "
               "resets; "
               "%u events, %u acknowledged, %u lost, %u doubled, "
               "%u invented%s%s; %llu s; history %016llx\n",
               (unsigned long long)seed, run->verdict[0] == 0 ? "good" : run->verdict, run->agent.name,
               run->life_count, run->reloads, run->killed, run->cuts, (unsigned long long)run->failed_calls,
               (unsigned long long)world->net->resets, ledger->count, acknowledged, ledger_lost(),
               ledger_doubled(), ledger->invented, ledger->invented > 0 ? ": " : "", ledger->invention,
               (unsigned long long)(world->now_ns / WORLD_NS_PER_S), (unsigned long long)world->history);
    }
    if (prints)
        print_lost();
    if (plant != PLANT_NOTHING)
        return !referee_found(plant, run->verdict);
    return run->verdict[0] == 0;
}

/* Starts the program anew with the same addresses in every process, and an environment that does not change them. */
static void start_anew(char **argv)
{
    static char *environment[64] = {(char *)"TZ=UTC0", (char *)"PENSTOCK_WORLD=1"};
    size_t count = 2;
    for (char **variable = environ; *variable != NULL && count < 63; variable++)
        if (strncmp(*variable, "PS_MUTANT", 9) == 0) /* tests/mutation turns a bug on */
            environment[count++] = *variable;
    personality((unsigned long)personality(0xffffffff) | ADDR_NO_RANDOMIZE);
    execve("/proc/self/exe", argv, environment);
}

/* One CPU, so that no two threads ever run, and all that libc would read in a life. */
static void prepare(char **argv)
{
    if (getenv("PENSTOCK_WORLD") == NULL)
        start_anew(argv);
    cpu_set_t cpus, one;
    CPU_ZERO(&one);
    sched_getaffinity(0, sizeof cpus, &cpus);
    int nth = getpid() % CPU_COUNT(&cpus); /* worlds beside each other share the CPUs */
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &cpus) && nth-- == 0)
            CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    tzset(); /* libc reads the zone's file once, here */
    static const char *const sets[] = {"UTF-32",   "UTF-32BE",   "UTF-32LE", "UTF-16", "UTF-16BE",
                                       "UTF-16LE", "ISO-8859-1", "CP1252",   "GB18030"};
    for (size_t i = 0; i < sizeof sets / sizeof *sets;
         i++) /* and the modules of character sets, which stay loaded */
        (void)iconv_open(sets[i], "UTF-8");
    mallopt(M_ARENA_MAX,
            1); /* addresses do not depend on which thread allocates, and libc asks the kernel nothing */
    world_map();
}

/* Runs the seed of the last run again. */
static bool has_same_history(uint64_t seed)
{
    uint64_t history = world->history;
    (void)run_seed(seed);
    if (history == world->history)
        return true;
    printf("seed %llu: two runs have different histories\n", (unsigned long long)seed);
    return false;
}

static struct {
    uint64_t from, runs;
    const char *scenario, *steps;
} options = {.from = 1, .runs = 1};

static void read_flag(const char *name)
{
    if (strcmp(name, "--print") == 0)
        prints = true;
    else if (strcmp(name, "--trace") == 0)
        traces = true;
    else if (strcmp(name, "--histories") == 0)
        prints_histories = true;
    else
        world_fatal("unknown argument %s", name);
}

/* Returns whether this is an option with a value. */
static bool read_option(const char *name, const char *value)
{
    if (strcmp(name, "--from") == 0)
        options.from = strtoull(value, NULL, 10);
    else if (strcmp(name, "--runs") == 0)
        options.runs = strtoull(value, NULL, 10);
    else if (strcmp(name, "--only") == 0)
        only = value;
    else if (strcmp(name, "--scenario") == 0)
        options.scenario = value;
    else if (strcmp(name, "--steps") == 0)
        options.steps = value;
    else if (strcmp(name, "--plant") == 0)
        plant = referee_plant(value);
    else
        return false;
    return true;
}

static uint64_t run_seeds(void)
{
    uint64_t bad = 0;
    for (uint64_t seed = options.from; seed < options.from + options.runs; seed++) {
        bad += !run_seed(seed);
        if (seed % 16 == 0)
            bad += !has_same_history(seed);
    }
    printf("%llu runs, %llu bad\n", (unsigned long long)options.runs, (unsigned long long)bad);
    return bad;
}

/* Reads the arguments, and does what they ask. */
static __attribute__((noinline)) int act(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (i + 1 < argc && read_option(argv[i], argv[i + 1]))
            i++;
        else
            read_flag(argv[i]);
    }
    if (options.steps != NULL) {
        scenario_print(options.steps);
        return 0;
    }
    if (options.scenario != NULL)
        return scenario_play(options.scenario, options.from, options.runs, prints, traces) > 0;
    return (run_seeds() > 0) != (plant != PLANT_NOTHING);
}

#define STACK_BYTES ((uintptr_t)512 << 10) /* that the environment and the arguments take at most */

/* The stack begins at the same address whatever the environment and the arguments are, and the heap does not depend on what was printed. */
int main(int argc, char **argv)
{
    static char output[1 << 16];
    prepare(argv);
    setvbuf(stdout, output, _IOLBF, sizeof output);
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), top = (here | (((uintptr_t)1 << 21) - 1)) + 1;
    if (top - STACK_BYTES >= here)
        world_fatal("the arguments are too large");
    volatile char *pad = __builtin_alloca(here - (top - STACK_BYTES));
    *pad = 0;
    return act(argc, argv);
}
