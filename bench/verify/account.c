/* Counts records. */
#include "bench/verify/account.h"
#include "core/clock.h"

#include <stdlib.h>

struct ps_account *ps_account_create(uint64_t memory_limit_bytes, bool run_only, uint32_t run)
{
    struct ps_account *account = ps_must_alloc(1, sizeof *account, "the account");
    account->tracker = ps_tracker_create(memory_limit_bytes);
    account->run_only = run_only;
    account->run = run;
    account->start_mono_ns = ps_clock_ns(CLOCK_MONOTONIC);
    account->start_wall_ns = ps_clock_ns(CLOCK_REALTIME);
    return account;
}

void ps_account_destroy(struct ps_account *account)
{
    if (account == NULL)
        return;
    if (account->arrivals != NULL)
        ps_arrivals_fini(account->arrivals);
    free(account->arrivals);
    ps_tracker_destroy(account->tracker);
    free(account);
}

void ps_account_count_arrivals(struct ps_account *account, uint64_t step_ns)
{
    account->arrivals = ps_must_alloc(1, sizeof *account->arrivals, "the arrivals of a run");
    ps_arrivals_init(account->arrivals, step_ns, account->start_mono_ns);
}

int64_t ps_account_clock(struct ps_account *account)
{
    uint64_t mono = ps_clock_ns(CLOCK_MONOTONIC) - account->start_mono_ns;
    int64_t step = (int64_t)(ps_clock_ns(CLOCK_REALTIME) - (account->start_wall_ns + mono));
    if (llabs(step) > llabs(account->clock_step_ns))
        account->clock_step_ns = step;
    return step;
}

/* Records the latency of an event's first arrival. */
static void latency_record(struct ps_account *account, struct ps_run *run, const struct ps_stamp *stamp,
                           uint64_t arrival_mono_ns)
{
    uint64_t arrival = account->start_wall_ns + (arrival_mono_ns - account->start_mono_ns);
    uint64_t due = stamp->due_us <= UINT64_MAX / 1000 ? stamp->due_us * 1000 : UINT64_MAX, latency = 0;
    if (PS_LIKELY(due <= arrival))
        latency = arrival - due;
    else
        run->early++;
    if (due < account->start_wall_ns)
        run->due_before++;
    ps_histogram_record(&run->latency_ns, latency, 1);
    ps_histogram_record(&account->latency_ns, latency, 1);
}

void ps_account_take(struct ps_account *account, const struct ps_far_record *record, uint64_t stream)
{
    struct ps_stamp stamp;
    account->records++;
    enum ps_stamp_state state = ps_stamp_find(record->data, record->length, &stamp, NULL);
    if (PS_UNLIKELY(state == PS_STAMP_NONE || state == PS_STAMP_BROKEN)) {
        account->foreign += state == PS_STAMP_NONE;
        account->broken += state == PS_STAMP_BROKEN;
        return;
    }
    if (PS_UNLIKELY(account->run_only && stamp.run != account->run)) {
        if (account->other++ == 0)
            account->other_run = stamp.run;
        return;
    }
    struct ps_run *run = ps_tracker_run(account->tracker, stamp.run);
    struct ps_source *source = run != NULL ? ps_tracker_source(account->tracker, run, stamp.source) : NULL;
    account->active_mono_ns = record->arrival_mono_ns;
    if (PS_UNLIKELY(source == NULL)) {
        account->untracked++;
        return;
    }
    if (PS_UNLIKELY(state != PS_STAMP_GOOD)) {
        source->tally.changed += state == PS_STAMP_CHANGED;
        run->tally.changed += state == PS_STAMP_CHANGED;
        source->tally.cut += state == PS_STAMP_CUT;
        run->tally.cut += state == PS_STAMP_CUT;
    }
    if (PS_UNLIKELY(ps_tracker_add(account->tracker, run, source, &stamp, stream) != PS_TRACKED_NEW))
        return;
    latency_record(account, run, &stamp, record->arrival_mono_ns);
    if (account->arrivals != NULL)
        ps_arrivals_add(account->arrivals, stamp.source, record->arrival_mono_ns);
}
