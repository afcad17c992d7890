/* Runs drawn agents in the world: several lives each, with faults of the disk and the network, kills and power cuts, then a last one without; and
 * judges what arrived.
 *
 *   world [--from SEED] [--runs N] [--only TEXT] [--print] [--trace] [--plant NAME]      (default 1, 1)
 *   world --shrink [--from SEED] [--runs N] [--only TEXT] [--plant NAME]                 (the first bad one)
 *   world --scenario FILE [--from SEED] [--runs N] [--print] [--trace]
 *   world --steps FILE                                                prints the steps of a scenario as JSON (tests/scenarios/real)
 *
 * --shrink makes a bad seed small: it leaves out what it is bad without, and prints what remains, with the options that repeat it (--schedule, --events,
 * --time, --without). --only: seeds whose agent's line has this text ("kafka -> memory"). --trace: every call of every life on standard error. --plant: a violation that the referee must find: no-sync, lost, doubled, invented, stuck, astray, header, skipped, aborted; the exit code is 0 if it finds one.
 * --histories: a line for each seed, to compare.
 * A bad run prints its seed and the reason; --print shows the agent's file and log of every run. Exit code 1 when one was bad. */
#include <iconv.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <time.h>
#include <unistd.h>

#include "tests/world/figures.h"
#include "tests/world/ledger.h"
#include "tests/world/scenario/scenario.h"
#include "tests/world/seed.h"
#include "tests/world/plan.h"
#include "tests/world/shrink.h"

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

static bool run_seed(uint64_t seed)
{
    const struct run *run = seed_play(seed, only, plant, traces);
    if (run == NULL)
        return true;
    figures_count(run);
    if (prints_histories)
        printf("%llu %016llx\n", (unsigned long long)seed, (unsigned long long)world->history);
    if (prints)
        printf("%s\n%.*s", run->agent.text, (int)world->output_length, world->output);
    if (prints || (run->verdict[0] != 0 && plant == PLANT_NOTHING))
        seed_print(seed, run);
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

/* Reads all that libc would read in a life. */
static void prepare(char **argv)
{
    if (getenv("PENSTOCK_WORLD") == NULL)
        start_anew(argv);
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
    bool shrinks;
} options = {.from = 1, .runs = 1};

static void read_flag(const char *name)
{
    if (strcmp(name, "--print") == 0)
        prints = true;
    else if (strcmp(name, "--trace") == 0)
        traces = true;
    else if (strcmp(name, "--histories") == 0)
        prints_histories = true;
    else if (strcmp(name, "--shrink") == 0)
        options.shrinks = true;
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
    else if (strcmp(name, "--schedule") == 0)
        plan_limits.schedule = strtoull(value, NULL, 10);
    else if (strcmp(name, "--events") == 0)
        plan_limits.events = (uint32_t)strtoul(value, NULL, 10);
    else if (strcmp(name, "--time") == 0)
        plan_limits.time_ms = strtoull(value, NULL, 10);
    else if (strcmp(name, "--without") == 0)
        plan_leave_out_all(value);
    else
        return false;
    return true;
}

static uint64_t run_seeds(void)
{
    uint64_t bad = 0;
    for (uint64_t seed = options.from; seed < options.from + options.runs; seed++) {
        bad += !run_seed(seed);
        if (plant != PLANT_NOTHING && bad > 0) /* found */
            break;
        if (seed % 16 == 0)
            bad += !has_same_history(seed);
    }
    printf("%llu runs, %llu bad\n", (unsigned long long)options.runs, (unsigned long long)bad);
    figures_print();
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
    if (options.shrinks)
        return !shrink_first_bad(options.from, options.runs, only, plant);
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
