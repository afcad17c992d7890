#include "bench/load/pacer.h"
#include "core/clock.h"

#include <errno.h>
#include <string.h>

#define LOOK_NS UINT64_C(20000) /* time between polls of the descriptors while busy or spinning */
#define SLEEP_MAX_NS (20 * PS_NS_PER_MS)
#define SLEEP_STEP_NS PS_NS_PER_MS
#define MARK_NS PS_NS_PER_MS
#define SLEEP_LEAST_NS PS_NS_PER_MS /* nearer due times are waited for by spinning only */
#define SPIN_SHARE 8U               /* of the time to a due time, at most this part is spent spinning */
#define LATE_FALLS 32U              /* sleeps after which an old lateness is mostly forgotten */

uint64_t ps_pacer_now(void)
{
    return ps_clock_ns(CLOCK_MONOTONIC);
}

static void mark(struct ps_pacer *pacer, uint64_t now_ns)
{
    pacer->mark_ns = now_ns;
    pacer->mark_cpu_ns = ps_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

void ps_pacer_init(struct ps_pacer *pacer, int epoll, bool spin, struct ps_histogram *gap_ns)
{
    memset(pacer, 0, sizeof *pacer);
    pacer->epoll = epoll;
    pacer->spin = spin;
    pacer->gap_ns = gap_ns;
    pacer->seen_ns = ps_pacer_now();
    mark(pacer, pacer->seen_ns);
}

static void gap_note(struct ps_pacer *pacer, uint64_t from_ns, uint64_t to_ns)
{
    pacer->gaps[pacer->gap_count++ % PS_PACER_GAPS] = (struct ps_pacer_gap){from_ns, to_ns};
    ps_histogram_record(pacer->gap_ns, to_ns - from_ns, 1);
}

void ps_pacer_saw(struct ps_pacer *pacer, uint64_t now_ns)
{
    if (PS_UNLIKELY(now_ns - pacer->seen_ns > PS_PACER_GAP_NS)) {
        gap_note(pacer, pacer->seen_ns, now_ns);
        mark(pacer, now_ns);
    }
    pacer->seen_ns = now_ns;
}

void ps_pacer_worked(struct ps_pacer *pacer, uint64_t now_ns)
{
    uint64_t before_ns = pacer->seen_ns;
    pacer->seen_ns = now_ns;
    if (now_ns - before_ns <= PS_PACER_GAP_NS) {
        if (now_ns - pacer->mark_ns > MARK_NS)
            mark(pacer, now_ns);
        return;
    }
    uint64_t wall_ns = now_ns - pacer->mark_ns, cpu_ns = pacer->mark_cpu_ns;
    mark(pacer, now_ns);
    cpu_ns = pacer->mark_cpu_ns - cpu_ns;
    uint64_t away_ns = wall_ns > cpu_ns ? wall_ns - cpu_ns : 0;
    if (away_ns > now_ns - before_ns)
        away_ns = now_ns - before_ns;
    if (away_ns > PS_PACER_GAP_NS) /* all of this time counts as the gap */
        gap_note(pacer, before_ns, before_ns + away_ns);
}

static const struct ps_pacer_gap *gap_at(const struct ps_pacer *pacer, uint32_t number)
{
    return &pacer->gaps[number % PS_PACER_GAPS];
}

/* Returns the part of one gap within a period. */
static uint64_t within(const struct ps_pacer_gap *gap, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t begin_ns = gap->from_ns > from_ns ? gap->from_ns : from_ns;
    uint64_t end_ns = gap->to_ns < to_ns ? gap->to_ns : to_ns;
    return end_ns > begin_ns ? end_ns - begin_ns : 0;
}

void ps_pacer_overlap_begin(struct ps_pacer_overlap *overlap, const struct ps_pacer *pacer, uint64_t from_ns,
                            uint64_t to_ns)
{
    uint32_t kept = pacer->gap_count < PS_PACER_GAPS ? pacer->gap_count : PS_PACER_GAPS;
    *overlap = (struct ps_pacer_overlap){.pacer = pacer, .to_ns = to_ns, .oldest = pacer->gap_count};
    for (uint32_t i = 0; i < kept && gap_at(pacer, overlap->oldest - 1)->to_ns > from_ns; i++) {
        if (overlap->oldest < pacer->gap_count)
            overlap->behind_ns += within(gap_at(pacer, overlap->oldest), from_ns, to_ns);
        overlap->oldest--;
    }
}

uint64_t ps_pacer_overlap(struct ps_pacer_overlap *overlap, uint64_t from_ns)
{
    const struct ps_pacer *pacer = overlap->pacer;
    while (overlap->oldest < pacer->gap_count && gap_at(pacer, overlap->oldest)->to_ns <= from_ns) {
        overlap->oldest++;
        if (overlap->oldest < pacer->gap_count)
            overlap->behind_ns -= within(gap_at(pacer, overlap->oldest), 0, overlap->to_ns);
    }
    if (overlap->oldest == pacer->gap_count)
        return 0;
    return overlap->behind_ns + within(gap_at(pacer, overlap->oldest), from_ns, overlap->to_ns);
}

static int poll_descriptors(struct ps_pacer *pacer, uint64_t timeout_ns)
{
    struct timespec timeout = {(time_t)(timeout_ns / PS_NS_PER_S), (long)(timeout_ns % PS_NS_PER_S)};
    if (pacer->epoll < 0) {
        if (timeout_ns > 0)
            nanosleep(&timeout, NULL);
        return 0;
    }
    int count = epoll_pwait2(pacer->epoll, pacer->ready, PS_PACER_READY_MAX, &timeout, NULL);
    return count > 0 ? count : 0;
}

/* Polls without waiting, unless the last poll was a short time ago. */
static int look(struct ps_pacer *pacer, uint64_t now_ns)
{
    if (pacer->epoll < 0 || now_ns - pacer->polled_ns < LOOK_NS)
        return 0;
    pacer->polled_ns = now_ns;
    int count = poll_descriptors(pacer, 0);
    /* This poll does not wait: if it took long, another thread had the core. */
    ps_pacer_saw(pacer, ps_pacer_now());
    return count;
}

static uint64_t sleep_for(struct ps_pacer *pacer, uint64_t ns, int *ready_count)
{
    uint64_t before_ns = ps_pacer_now();
    ns = ns < SLEEP_MAX_NS ? ns : SLEEP_MAX_NS;
    *ready_count = poll_descriptors(pacer, ns);
    uint64_t now_ns = ps_pacer_now(), slept_ns = now_ns - before_ns;
    pacer->late_ns -= pacer->late_ns / LATE_FALLS;
    if (*ready_count == 0 && slept_ns > ns && slept_ns - ns > pacer->late_ns)
        pacer->late_ns = slept_ns - ns;
    pacer->seen_ns = pacer->polled_ns = now_ns;
    mark(pacer, now_ns); /* sleep does not count as a lost core */
    return now_ns;
}

/* Returns how long before a due time that is `left_ns` away the thread spins. */
static uint64_t spin_ns(const struct ps_pacer *pacer, uint64_t left_ns)
{
    if (left_ns < SLEEP_LEAST_NS)
        return PS_PACER_SPIN_NS;
    uint64_t ns = pacer->late_ns + pacer->late_ns / 4 + LOOK_NS;
    if (ns > left_ns / SPIN_SHARE)
        ns = left_ns / SPIN_SHARE;
    return ns < PS_PACER_SPIN_NS ? ns : PS_PACER_SPIN_NS;
}

/* Returns how long the thread may sleep before it must spin. */
static uint64_t idle_ns(const struct ps_pacer *pacer, uint64_t due_ns, uint64_t until_ns, uint64_t now_ns)
{
    uint64_t early_ns = pacer->spin && due_ns > now_ns ? spin_ns(pacer, due_ns - now_ns) : 0,
             first_ns = due_ns < until_ns ? due_ns : until_ns;
    if (first_ns <= now_ns || due_ns - now_ns <= early_ns)
        return 0;
    uint64_t ns = due_ns - now_ns - early_ns;
    if (until_ns - now_ns < ns)
        ns = until_ns - now_ns;
    return pacer->spin || ns > SLEEP_STEP_NS ? ns : SLEEP_STEP_NS;
}

uint64_t ps_pacer_wait(struct ps_pacer *pacer, uint64_t due_ns, uint64_t until_ns, int *ready_count)
{
    uint64_t now_ns = ps_pacer_now(), ns;
    ps_pacer_worked(pacer, now_ns);
    *ready_count = 0;
    if (until_ns > due_ns)
        until_ns = due_ns;
    ns = idle_ns(pacer, due_ns, until_ns, now_ns);
    if (ns > 0) {
        now_ns = sleep_for(pacer, ns, ready_count);
        if (*ready_count > 0 || !pacer->spin || idle_ns(pacer, due_ns, until_ns, now_ns) > 0)
            return now_ns;
    }
    *ready_count = look(pacer, now_ns);
    while (*ready_count == 0 && now_ns < until_ns) {
        now_ns = ps_pacer_now();
        ps_pacer_saw(pacer, now_ns);
        *ready_count = look(pacer, now_ns);
    }
    return ps_pacer_now();
}
