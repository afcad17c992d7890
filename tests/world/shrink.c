#include "tests/world/shrink.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tests/world/plan.h"
#include "tests/world/seed.h"

#define SCHEDULES 4U /* that are tried: what is left out moves all draws behind it */

struct shrink {
    uint64_t seed;
    enum world_plant plant;
    char kind[sizeof((struct run *)0)->verdict]; /* of the violation */
    unsigned runs;
};

/* The words of a verdict, without its numbers and what follows a second colon. */
static void kind_of(const char *verdict, char *to)
{
    if (strncmp(verdict, "life ", 5) == 0 && strchr(verdict, ':') != NULL)
        verdict = strchr(verdict, ':') + 2;
    for (; *verdict != 0 && *verdict != ':'; verdict++)
        if (!isdigit((unsigned char)*verdict))
            *to++ = *verdict;
    *to = 0;
}

/* Returns whether the run is still bad in this way, with one of some schedules, which it keeps. */
static bool is_bad(struct shrink *shrink)
{
    uint64_t schedule = plan_limits.schedule;
    for (unsigned i = 0; i < SCHEDULES; i++) {
        char kind[sizeof shrink->kind];
        shrink->runs++;
        kind_of(seed_play(shrink->seed, "", shrink->plant, false)->verdict, kind);
        if (strcmp(kind, shrink->kind) == 0)
            return true;
        plan_limits.schedule++;
    }
    plan_limits.schedule = schedule;
    return false;
}

static void try_without(void *argument, const char *word)
{
    if (plan_without(word) || plan_limits.without_count == PLAN_WITHOUT_MAX)
        return;
    plan_leave_out(word);
    if (!is_bad(argument))
        plan_limits.without_count--;
}

static void try_fewer_events(struct shrink *shrink)
{
    for (;;) {
        uint32_t events = plan_limits.events;
        plan_limits.events = events == 0 ? 256 : events / 2;
        if (plan_limits.events > 0 && is_bad(shrink))
            continue;
        plan_limits.events = events;
        return;
    }
}

static void try_less_time(struct shrink *shrink)
{
    for (;;) {
        uint64_t time_ms = plan_limits.time_ms;
        plan_limits.time_ms = time_ms == 0 ? 4000 : time_ms / 2;
        if (plan_limits.time_ms > 0 && is_bad(shrink))
            continue;
        plan_limits.time_ms = time_ms;
        return;
    }
}

static void print_options(const struct shrink *shrink)
{
    printf("world --from %llu --schedule %llu", (unsigned long long)shrink->seed,
           (unsigned long long)plan_limits.schedule);
    if (plan_limits.events > 0)
        printf(" --events %u", plan_limits.events);
    if (plan_limits.time_ms > 0)
        printf(" --time %llu", (unsigned long long)plan_limits.time_ms);
    for (unsigned i = 0; i < plan_limits.without_count; i++)
        printf("%s%s", i == 0 ? " --without " : ",", plan_limits.without[i]);
    printf("\n");
}

static void print_plans(uint64_t seed)
{
    for (unsigned life = 1; life <= PLAN_LIVES_WITH_FAULTS + 1; life++) {
        struct life_plan plan;
        char word[PLAN_WORD_MAX];
        snprintf(word, sizeof word, "life%u", life);
        if (plan_without(word))
            continue;
        plan_draw(&plan, seed, life);
        plan_print(&plan);
    }
}

bool shrink_first_bad(uint64_t from, uint64_t runs, const char *only, enum world_plant plant)
{
    static struct shrink shrink;
    const struct run *run = NULL;
    uint64_t seed = from;
    for (; seed < from + runs && (run == NULL || run->verdict[0] == 0); seed++)
        run = seed_play(seed, only, plant, false);
    if (run == NULL || run->verdict[0] == 0)
        return false;
    seed--;
    shrink = (struct shrink){.seed = seed, .plant = plant};
    kind_of(run->verdict, shrink.kind);
    for (unsigned round = 0; round < 2; round++) {
        plan_words(seed, try_without, &shrink);
        try_fewer_events(&shrink);
        try_less_time(&shrink);
    }
    run = seed_play(seed, "", plant, false);
    print_options(&shrink);
    print_plans(seed);
    printf("%s\n", run->agent.text);
    seed_print(seed, run);
    printf("small after %u runs: %u lives, at most %u events each, %u faults\n", shrink.runs, plan_lives(),
           plan_limits.events, plan_faults(seed));
    return true;
}
