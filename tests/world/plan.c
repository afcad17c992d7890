#include "tests/world/plan.h"

#include <stdio.h>
#include <string.h>

#include "tests/world/net.h"

#define MS UINT64_C(1000000)
#define LIFE_NS (UINT64_C(6000) * MS)
#define EARLY_CALLS 4000U /* an agent is up before that */

struct plan_limits plan_limits;

bool plan_without(const char *word)
{
    for (unsigned i = 0; i < plan_limits.without_count; i++)
        if (strcmp(plan_limits.without[i], word) == 0)
            return true;
    return false;
}

void plan_leave_out(const char *word)
{
    if (plan_limits.without_count == PLAN_WITHOUT_MAX || strlen(word) >= PLAN_WORD_MAX)
        world_fatal("%s cannot be left out", word);
    strcpy(plan_limits.without[plan_limits.without_count++], word);
}

void plan_leave_out_all(const char *words)
{
    while (*words != 0) {
        char word[PLAN_WORD_MAX];
        size_t length = strcspn(words, ",");
        snprintf(word, sizeof word, "%.*s", (int)length, words);
        plan_leave_out(word);
        words += length + (words[length] == ',');
    }
}

static bool is_without(const char *what, unsigned life)
{
    char word[PLAN_WORD_MAX];
    snprintf(word, sizeof word, "%s%u", what, life);
    return plan_without(word);
}

/* ---- draws ---- */

static void draw_end(struct life_plan *plan)
{
    bool early = world_below(6) == 0;
    plan->kills = world_below(2) == 0;
    plan->cuts = world_below(2) == 0;
    plan->early = early && plan->kills;
    plan->kill_call = 1 + world_below(early ? EARLY_CALLS : 400);
    plan->end_ns = early ? world_below(LIFE_NS) >> world_below(6) : 1500 * MS + world_below(LIFE_NS);
    plan->reload_ns = world_below(3) == 0 ? world_below(plan->end_ns + 1) : WORLD_NEVER;
}

static void draw_net(struct life_plan *plan)
{
    plan->partial_share = world_below(3) == 0 ? 20000 : 0;
    plan->latency_ns = world_below(6) == 0 ? 20 * MS : 50000;
    plan->reset_share = world_below(2) == 0 ? 2000 : 0;
}

static void draw_supply(struct life_plan *plan)
{
    plan->supply = (struct supply){.left = 350 + (uint32_t)world_below(300), .ends = plan->is_last};
    plan->supply.pause_ns = (MS << world_below(10)) + 1;
    plan->supply.rest_share = 4096U << world_below(5);
}

/* ---- what is left out ---- */

static void leave_out(struct life_plan *plan)
{
    char word[PLAN_WORD_MAX];
    if (is_without("kill", plan->number))
        plan->kills = plan->early = false;
    if (is_without("cut", plan->number))
        plan->cuts = false;
    if (is_without("reload", plan->number))
        plan->reload_ns = WORLD_NEVER;
    if (is_without("servers", plan->number))
        plan->server_faults = false;
    if (is_without("resets", plan->number))
        plan->reset_share = 0;
    if (is_without("partial", plan->number))
        plan->partial_share = 0;
    if (is_without("latency", plan->number))
        plan->latency_ns = 50000;
    if (is_without("short", plan->number))
        memset(plan->faults.short_share, 0, sizeof plan->faults.short_share);
    if (is_without("events", plan->number))
        plan->supply.left = 0;
    for (unsigned i = 0; i < plan->faults.count; i++) {
        snprintf(word, sizeof word, "fault%u.%u", plan->number, i + 1);
        plan->faults.faults[i].most = plan_without(word) ? FAULT_NEVER : plan->faults.faults[i].most;
    }
    if (plan_limits.events > 0 && plan->supply.left > plan_limits.events)
        plan->supply.left = plan_limits.events;
    if (plan_limits.time_ms > 0 && plan->end_ns > plan_limits.time_ms * MS)
        plan->end_ns = plan_limits.time_ms * MS;
}

/* Things of a life that are there. */
static void see_parts(const struct life_plan *plan, void (*see)(void *argument, const char *word),
                      void *argument)
{
    const struct {
        bool is_there;
        const char *name;
    } parts[] = {{plan->supply.left > 0, "events"},
                 {plan->kills || plan->early, "kill"},
                 {(plan->kills || plan->early) && plan->cuts, "cut"},
                 {plan->reload_ns != WORLD_NEVER, "reload"},
                 {plan->server_faults, "servers"},
                 {plan->reset_share > 0, "resets"},
                 {plan->partial_share > 0, "partial"},
                 {plan->latency_ns > MS, "latency"},
                 {plan->faults.short_share[FAULT_READ] > 0, "short"}};
    char word[PLAN_WORD_MAX];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(word, sizeof word, "%s%u", parts[i].name, plan->number);
        if (parts[i].is_there)
            see(argument, word);
    }
    for (unsigned i = 0; i < plan->faults.count; i++) {
        snprintf(word, sizeof word, "fault%u.%u", plan->number, i + 1);
        if (plan->faults.faults[i].most != FAULT_NEVER)
            see(argument, word);
    }
}

void plan_words(uint64_t seed, void (*see)(void *argument, const char *word), void *argument)
{
    static const char *const whole[] = {"second", "interceptors", "workers", "directories", "state", "turns"};
    for (unsigned life = 1; life <= PLAN_LIVES_WITH_FAULTS; life++) {
        char word[PLAN_WORD_MAX];
        snprintf(word, sizeof word, "life%u", life);
        see(argument, word);
    }
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        see(argument, whole[i]);
    for (unsigned life = 1; life <= PLAN_LIVES_WITH_FAULTS + 1; life++) {
        struct life_plan plan;
        if (is_without("life", life))
            continue;
        plan_draw(&plan, seed, life);
        see_parts(&plan, see, argument);
    }
}

unsigned plan_lives(void)
{
    unsigned lives = 1;
    for (unsigned life = 1; life <= PLAN_LIVES_WITH_FAULTS; life++)
        lives += !is_without("life", life);
    return lives;
}

unsigned plan_faults(uint64_t seed)
{
    unsigned faults = 0;
    for (unsigned life = 1; life <= PLAN_LIVES_WITH_FAULTS; life++) {
        struct life_plan plan;
        if (is_without("life", life))
            continue;
        plan_draw(&plan, seed, life);
        faults += (unsigned)plan.kills + (unsigned)plan.server_faults + (plan.reset_share > 0);
        for (unsigned i = 0; i < plan.faults.count; i++)
            faults += plan.faults.faults[i].most != FAULT_NEVER;
    }
    return faults;
}

void plan_draw(struct life_plan *plan, uint64_t seed, unsigned number)
{
    uint64_t random = world->random;
    world->random = (seed * 16 + number) * UINT64_C(0xd1342543de82ef95);
    *plan = (struct life_plan){.number = number, .is_last = number > PLAN_LIVES_WITH_FAULTS};
    bool is_calm = seed % 8 == 0; /* lives that only stop: then nothing comes twice */
    plan->calm = plan->is_last || is_calm;
    plan->rest_ns = number == 1 ? 0 : 1000 * MS + world_below(world_below(4) == 0 ? 10000 * MS : 200 * MS);
    draw_end(plan);
    draw_supply(plan);
    draw_net(plan);
    plan->server_faults = world_below(2) == 0;
    fault_draw(&plan->faults, plan->end_ns);
    if (plan->calm) {
        plan->faults = (struct faults){0};
        plan->server_faults = plan->kills = plan->early = false;
        plan->reset_share = plan->partial_share = 0;
        plan->latency_ns = 50000;
    }
    if (plan->is_last) {
        plan->end_ns = 0; /* it lasts until everything has arrived */
        plan->reload_ns = WORLD_NEVER;
    }
    leave_out(plan);
    world->random = random;
}

/* ---- printing ---- */

void plan_print(const struct life_plan *plan)
{
    const struct supply *supply = &plan->supply;
    printf("life %u: %u events, rests of %llu ms; ", plan->number, supply->left,
           (unsigned long long)(supply->pause_ns / MS));
    if (plan->is_last)
        printf("stopped when all has arrived");
    else if (plan->early)
        printf("killed at call %llu", (unsigned long long)plan->kill_call);
    else
        printf("%s at %.3f s", plan->kills ? "killed" : "stopped", (double)plan->end_ns / 1e9);
    if ((plan->kills || plan->early) && plan->cuts)
        printf(", power cut");
    if (plan->reload_ns != WORLD_NEVER)
        printf("; reload at %.3f s", (double)plan->reload_ns / 1e9);
    printf("%s%s%s%s%s\n", plan->server_faults ? "; servers fail" : "",
           plan->reset_share > 0 ? "; resets" : "", plan->partial_share > 0 ? "; partial sends" : "",
           plan->latency_ns > MS ? "; a slow net" : "",
           plan->faults.short_share[FAULT_READ] > 0 ? "; short reads and writes" : "");
    for (unsigned i = 0; i < plan->faults.count; i++)
        if (plan->faults.faults[i].most != FAULT_NEVER)
            fault_print(&plan->faults.faults[i], plan->number, i + 1);
}
