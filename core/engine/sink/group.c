#include "core/engine/sink/group.h"

#include <stdlib.h>

#include "core/engine/worker.h"
#include "core/quantity.h"

struct ps_sink_group {
    const struct ps_group_spec *spec;
    struct ps_processor *processor;
    struct ps_sink_runner **members; /* by their number */
    bool *busy;
    unsigned joined;
    bool mixed; /* the members take from different channels, which Flume allows */
    uint64_t changes;
    uint64_t progress_ns;
};

static uint64_t ms_of(const struct ps_now *now)
{
    return now->mono_ns / PS_NS_PER_MS;
}

/* ---- members ---- */

static struct ps_sink_group *group_create(const struct ps_group_spec *spec, const struct ps_worker *worker)
{
    struct ps_sink_group *group = ps_must_alloc(1, sizeof *group, spec->component);
    unsigned count = spec->settings.count;
    group->spec = spec;
    group->members = ps_must_alloc(count, sizeof(struct ps_sink_runner *), spec->component);
    group->busy = ps_must_alloc(count, sizeof *group->busy, spec->component);
    group->processor = ps_processor_create(&spec->settings, ps_worker_now(worker)->mono_ns);
    return group;
}

void ps_sink_group_join(struct ps_sink_runner *runner, struct ps_sink_runner *const *others, size_t count)
{
    for (size_t i = 0; i < count && runner->group == NULL; i++) {
        if (others[i]->group != NULL && others[i]->group->spec == runner->spec->group)
            runner->group = others[i]->group;
    }
    if (runner->group == NULL)
        runner->group = group_create(runner->spec->group, runner->base.worker);
    struct ps_sink_group *group = runner->group;
    for (unsigned i = 0; i < group->spec->settings.count; i++)
        group->mixed |= group->members[i] != NULL && group->members[i]->channel != runner->channel;
    group->members[runner->spec->member] = runner;
    group->joined++;
}

void ps_sink_group_leave(struct ps_sink_runner *runner)
{
    struct ps_sink_group *group = runner->group;
    if (group == NULL || --group->joined > 0)
        return;
    ps_processor_destroy(group->processor);
    free(group->members);
    free(group->busy);
    free(group);
}

bool ps_sink_group_has_others(const struct ps_sink_runner *runner)
{
    return runner->group->joined > 1;
}

/* ---- choosing the member for the next lease ---- */

static bool holds_leases(const struct ps_sink_runner *runner)
{
    return runner->offered != NULL || runner->inflight > 0;
}

static bool channel_is_empty(const struct ps_sink_runner *runner)
{
    const struct ps_stage_spec *stage = &runner->channel->spec->stage;
    struct ps_fill fill;
    stage->ops->channel->fill(stage->plan, &fill);
    return fill.size == 0;
}

/* Returns whether the stage has failed. A stage that was not opened yet has not failed. */
static bool is_dead(const struct ps_sink_runner *runner)
{
    return runner->base.status == PS_RUNNER_FAILED || runner->base.status == PS_RUNNER_ENDING;
}

/* Returns whether the member counts as failed when the processor names it. A failure counts only once until the sink
 * has given its leases back and is opened again, which is when a penalty ends. Without a penalty a closed sink fails
 * whenever it is named. */
static bool fails(const struct ps_sink_runner *member, const struct ps_now *now)
{
    return is_dead(member) && (!member->told || !(member->base.status == PS_RUNNER_ENDING ||
                                                  ps_runner_may_open(&member->base, now)));
}

static void note_who_is_busy(struct ps_sink_group *group, const struct ps_now *now)
{
    for (unsigned i = 0; i < group->joined; i++) {
        const struct ps_sink_runner *member = group->members[i];
        group->busy[i] = !fails(member, now) &&
                         (member->base.status != PS_RUNNER_OPEN || member->offered != NULL ||
                          !ps_sink_runner_has_room(member) || (group->mixed && channel_is_empty(member)));
    }
}

/* Failover: a sink takes a lease only when the leases of the other sinks are given back or delivered; and a sink that
 * had failed must deliver one lease before it takes a second. */
static bool must_wait(const struct ps_sink_group *group, const struct ps_sink_runner *named,
                      const struct ps_now *now)
{
    if (group->spec->settings.type != PS_PROCESSOR_FAILOVER)
        return false;
    for (unsigned i = 0; i < group->joined; i++) {
        if (group->members[i] != named && holds_leases(group->members[i]))
            return true;
    }
    return named->inflight > 0 &&
           ps_processor_penalised_until_ms(group->processor, named->spec->member, ms_of(now)) != 0;
}

/* Failover: begins the member's penalty again if it ends before the member has given back its leases. Returns whether
 * the processor then names another member. */
static bool ends_late(struct ps_sink_group *group, unsigned number, const struct ps_now *now)
{
    if (group->members[number]->base.status != PS_RUNNER_ENDING)
        return false;
    ps_processor_rests_from(group->processor, number, ms_of(now));
    return ps_processor_next(group->processor, group->busy, ms_of(now)) != number;
}

/* Returns the member that the processor names, or NULL. A member that failed and is closed is opened when its
 * penalty ends (ps_sink_group_closed). */
static struct ps_sink_runner *named_member(struct ps_sink_group *group, const struct ps_now *now)
{
    for (;;) {
        note_who_is_busy(group, now);
        unsigned number = ps_processor_next(group->processor, group->busy, ms_of(now));
        if (number == PS_PROCESSOR_NOBODY)
            return NULL;
        if (fails(group->members[number], now))
            ps_sink_group_failed(group->members[number], now);
        else if (!ends_late(group, number, now))
            return group->members[number];
    }
}

bool ps_sink_group_admits(struct ps_sink_runner *runner, const struct ps_now *now)
{
    struct ps_sink_group *group = runner->group;
    if (group->joined < group->spec->settings.count)
        return false; /* the runners are still being made */
    return named_member(group, now) == runner && !group->busy[runner->spec->member] &&
           !must_wait(group, runner, now);
}

/* ---- outcomes ---- */

void ps_sink_group_taken(struct ps_sink_runner *runner)
{
    ps_processor_taken(runner->group->processor, runner->spec->member);
    runner->group->changes++;
}

void ps_sink_group_delivered(struct ps_sink_runner *runner, const struct ps_now *now)
{
    struct ps_sink_group *group = runner->group;
    unsigned failures = ps_processor_failures(group->processor, runner->spec->member);
    group->progress_ns = now->mono_ns;
    if (!ps_runner_is_open(&runner->base))
        return;
    ps_processor_delivered(group->processor, runner->spec->member);
    if (failures > 0 && ps_processor_failures(group->processor, runner->spec->member) == 0)
        ps_log(PS_LOG_INFO, group->spec->component, "%s delivers again", runner->base.spec->component);
    group->changes++;
}

void ps_sink_group_failed(struct ps_sink_runner *runner, const struct ps_now *now)
{
    struct ps_sink_group *group = runner->group;
    unsigned member = runner->spec->member, before = ps_processor_failures(group->processor, member);
    runner->told = true;
    ps_processor_failed(group->processor, member, ms_of(now));
    group->changes++;
    if (runner->base.status == PS_RUNNER_FAILED)
        ps_sink_group_closed(runner, now);
    unsigned failures = ps_processor_failures(group->processor, member);
    uint64_t until_ms = ps_processor_penalised_until_ms(group->processor, member, ms_of(now));
    uint64_t left_ms = until_ms > ms_of(now) ? until_ms - ms_of(now) : 0;
    /* after a rollback there is no reason here: the sink has logged it */
    const char *reason = is_dead(runner) ? runner->base.error : "";
    if (left_ms > 0)
        ps_log(before == 0 ? PS_LOG_WARN : PS_LOG_DEBUG, group->spec->component,
               "%s failed %u %s in a row: it is left out for %s%s%s", runner->base.spec->component, failures,
               ps_quantity_word(failures, "time", "times"), ps_quantity_print_ns(left_ms * PS_NS_PER_MS).text,
               reason[0] != '\0' ? ": " : "", reason);
    else
        ps_log(reason[0] != '\0' ? PS_LOG_WARN : PS_LOG_DEBUG, group->spec->component, "%s failed%s%s",
               runner->base.spec->component, reason[0] != '\0' ? ": " : "", reason);
}

void ps_sink_group_closed(struct ps_sink_runner *runner, const struct ps_now *now)
{
    struct ps_sink_group *group = runner->group;
    unsigned member = runner->spec->member;
    ps_processor_rests_from(group->processor, member, ms_of(now));
    uint64_t until_ns = ps_processor_penalised_until_ms(group->processor, member, ms_of(now)) * PS_NS_PER_MS;
    if (until_ns > now->mono_ns)
        runner->base.retry_ns = until_ns;
    group->changes++;
}

/* ---- for the runners ---- */

uint64_t ps_sink_group_changes(const struct ps_sink_runner *runner)
{
    return runner->group->changes;
}

uint64_t ps_sink_group_wake_ns(const struct ps_sink_runner *runner, const struct ps_now *now)
{
    uint64_t wake_ms = ps_processor_wake_ms(runner->group->processor, ms_of(now));
    return wake_ms < UINT64_MAX / PS_NS_PER_MS ? wake_ms * PS_NS_PER_MS : PS_NEVER;
}

uint64_t ps_sink_group_progress_ns(const struct ps_sink_runner *runner)
{
    return runner->group->progress_ns;
}

void ps_sink_group_note(struct ps_sink_runner *runner, const struct ps_now *now)
{
    const struct ps_processor *processor = runner->group->processor;
    unsigned member = runner->spec->member;
    uint64_t until_ms = ps_processor_penalised_until_ms(processor, member, ms_of(now));
    enum ps_metrics_member state = until_ms != 0 ? PS_METRICS_MEMBER_PENALISED
                                   : ps_processor_is_active(processor, member, ms_of(now))
                                       ? PS_METRICS_MEMBER_ACTIVE
                                       : PS_METRICS_MEMBER_STANDBY;
    __atomic_store_n(&runner->member_state, (uint32_t)state, __ATOMIC_RELAXED);
    __atomic_store_n(&runner->penalised_until_ns, until_ms * PS_NS_PER_MS, __ATOMIC_RELAXED);
}
