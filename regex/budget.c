/* Accounts for the time of matches. Thread: the worker that owns the budget. */
#include "regex/budget.h"

#include <inttypes.h>
#include <time.h>

#include "core/log/log.h"
#include "regex/regex.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S (1000 * NS_PER_MS)
#define NOTICE_NS NS_PER_MS
#define SAY_NS (10 * NS_PER_S)

static uint64_t read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

uint64_t ps_regex_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t ps_regex_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Returns the time that one reading of the CPU time takes: on some virtual machines it is longer than a match. */
static uint64_t clock_cost_ns(void)
{
    uint64_t least_ns = UINT64_MAX, before_ns = ps_regex_cpu_ns();
    for (unsigned i = 0; i < 8; i++) {
        uint64_t now_ns = ps_regex_cpu_ns();
        least_ns = now_ns - before_ns < least_ns ? now_ns - before_ns : least_ns;
        before_ns = now_ns;
    }
    return least_ns;
}

void ps_regex_budget_init(struct ps_regex_budget *budget, const char *component)
{
    budget->component = component;
    budget->clock_ns = clock_cost_ns();
    ps_regex_budget_begin(budget);
}

void ps_regex_budget_begin(struct ps_regex_budget *budget)
{
    budget->left_ns = PS_REGEX_BATCH_CPU_NS;
    budget->watched = false;
    budget->odd_ns = 0;
    budget->charge_count = 0;
}

static bool may_say(const struct ps_regex_budget *budget, uint64_t *said_ns)
{
    if (budget->component == NULL)
        return false;
    uint64_t now_ns = ps_regex_mono_ns();
    if (*said_ns != 0 && now_ns - *said_ns < SAY_NS)
        return false;
    *said_ns = now_ns;
    return true;
}

static struct ps_regex_charge *charge_of(struct ps_regex_budget *budget, const struct ps_regex *regex)
{
    for (unsigned i = 0; i < budget->charge_count; i++) {
        if (budget->charges[i].regex == regex)
            return &budget->charges[i];
    }
    return budget->charge_count == PS_REGEX_CHARGED_MAX ? &budget->charges[PS_REGEX_CHARGED_MAX - 1] : NULL;
}

bool ps_regex_budget_refuses(struct ps_regex_budget *budget, const struct ps_regex *regex)
{
    const struct ps_regex_charge *charge = charge_of(budget, regex);
    if (charge == NULL || charge->charged_ns < PS_REGEX_SUSPECT_CPU_NS)
        return false;
    budget->skipped++;
    return true;
}

uint64_t ps_regex_budget_find_ns(const struct ps_regex_budget *budget, uint64_t most_ns)
{
    uint64_t left_ns = budget->left_ns > PS_REGEX_SUSPECT_CPU_NS ? budget->left_ns : PS_REGEX_SUSPECT_CPU_NS;
    return left_ns < most_ns ? left_ns : most_ns;
}

static void say_spent(struct ps_regex_budget *budget)
{
    const struct ps_regex_charge *most = &budget->charges[0];
    for (unsigned i = 1; i < budget->charge_count; i++)
        most = budget->charges[i].charged_ns > most->charged_ns ? &budget->charges[i] : most;
    if (may_say(budget, &budget->spent_said_ns))
        ps_log(
            PS_LOG_WARN, budget->component,
            "costly expressions used up the %" PRIu64
            " ms that one batch has for them: their matches are given up until the next batch and count as "
            "none; the costliest is \"%.200s\": make it cheaper, for example with possessive repeats (a++)",
            PS_REGEX_BATCH_CPU_NS / NS_PER_MS, ps_regex_text(most->regex));
}

void ps_regex_budget_charge(struct ps_regex_budget *budget, const struct ps_regex *regex, uint64_t excess_ns)
{
    struct ps_regex_charge *charge = charge_of(budget, regex);
    budget->watched = true;
    if (charge == NULL) {
        charge = &budget->charges[budget->charge_count++];
        *charge = (struct ps_regex_charge){.regex = regex};
    }
    charge->charged_ns += excess_ns;
    if (budget->left_ns > 0 && excess_ns >= budget->left_ns) {
        budget->left_ns = 0;
        say_spent(budget);
        return;
    }
    budget->left_ns -= budget->left_ns > 0 ? excess_ns : 0;
}

void ps_regex_budget_sampled(struct ps_regex_budget *budget, uint64_t took_ns, uint64_t allowed_ns,
                             uint32_t scale)
{
    if (took_ns > allowed_ns)
        budget->odd_ns += (took_ns - allowed_ns) * scale;
    budget->watched |= budget->odd_ns >= NOTICE_NS;
}

void ps_regex_budget_gave_up(struct ps_regex_budget *budget, const struct ps_regex *regex)
{
    if (may_say(budget, &budget->gave_up_said_ns))
        ps_log(PS_LOG_WARN, budget->component,
               "a match was given up and counts as none, because it took too many steps, too long or too "
               "much memory: make \"%.200s\" cheaper, for example with possessive repeats (a++)",
               ps_regex_text(regex));
}
