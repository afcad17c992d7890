/* Measures StressSource -> memory -> null in this process, compared with a bare loop that writes the same
 * bytes into blocks of the same size: the cost that the engine adds to an event. Also measures the hop alone:
 * full batches through a memory channel and home again, with nothing written.
 *
 *   bench_stress_null [--seconds 2] [--rounds 3]
 *
 * Prints two records: events per CPU-second of both, and the hop's nanoseconds per event. */
#include <stdlib.h>
#include <string.h>

#include "bench/suite/agent.h"
#include "bench/suite/harness.h"
#include "bench/suite/paired.h"
#include "bench/support/measure.h"
#include "core/flow/window.h"
#include "rings/inbox.h"
#include "rings/spsc.h"

#define BODY_BYTES 120

static const char agent_text[] =
    "a.sources = s\na.channels = c\na.sinks = k\n"
    "a.sources.s.type = org.apache.flume.source.StressSource\na.sources.s.size = 120\na.sources.s.channels = "
    "c\n"
    "a.channels.c.type = memory\na.channels.c.capacity = 100000\n"
    "a.sinks.k.type = null\na.sinks.k.channel = c\na.sinks.k.logEveryNEvents = 2000000000\n";

/* Returns events per CPU-second. */
static double run_agent(void *options)
{
    struct ps_agent *agent = ps_bench_agent_start(agent_text);
    struct ps_agent_cost cost = ps_bench_agent_for(agent, 0.2, ((struct ps_bench_options *)options)->seconds);
    ps_bench_agent_stop(agent);
    return cost.per_cpu_second;
}

/* Writes only the bytes: the same block repeatedly, one event's bytes at a time. */
static double run_bare(void *options)
{
    double seconds = ((struct ps_bench_options *)options)->seconds / 2;
    enum { EVENTS = 1024 };
    char *bytes = ps_must_alloc(1, EVENTS * BODY_BYTES, "bodies");
    struct ps_usage before = ps_usage_self(), after;
    uint64_t events = 0;
    do {
        for (int round = 0; round < 1000; round++) {
            memset(bytes, 0x7F, EVENTS * BODY_BYTES);
            __asm__ volatile("" : : "r"(bytes) : "memory");
            events += EVENTS;
        }
        after = ps_usage_self();
    } while (after.cpu_s - before.cpu_s < seconds);
    free(bytes);
    return (double)events / (after.cpu_s - before.cpu_s);
}

/* The source's handler of delivered batches; ignores them. */
static void nobody(void *, struct ps_batch *)
{
}

/* Returns nanoseconds per event for the hop alone: a lease of 1,024 events goes through a ring, home through
 * an inbox, and is released. */
static double run_hop(void *options)
{
    double seconds = ((struct ps_bench_options *)options)->seconds / 4;
    struct ps_bench_harness harness;
    struct ps_spsc *there = ps_spsc_create(64);
    static struct ps_inbox home;
    struct ps_window *window = ps_window_create(false, nobody, NULL);
    uint64_t events = 0;
    ps_bench_harness_init(&harness, UINT64_C(64) << 20);
    struct ps_usage before = ps_usage_self(), after;
    do {
        for (int round = 0; round < 1000; round++) {
            struct ps_batch *batch = ps_batch_take(&harness.bump, (struct ps_now){0, 0});
            batch->count = PS_BATCH_EVENTS_MAX; /* nothing reads the rows */
            ps_batch_close(batch);
            ps_window_enter(window, batch);
            PS_ASSERT(ps_spsc_push(there, ps_batch_chain(batch)));
            struct ps_lease *lease = ps_spsc_pop(there);
            ps_lease_settle_all(lease);
            ps_inbox_put(&home, &lease->homeward);
            ps_window_release(ps_lease_homeward(ps_inbox_take(&home)));
            events += PS_BATCH_EVENTS_MAX;
        }
        after = ps_usage_self();
    } while (after.cpu_s - before.cpu_s < seconds);
    ps_window_detach(window);
    ps_spsc_destroy(there);
    ps_bench_harness_fini(&harness);
    return (after.cpu_s - before.cpu_s) * 1e9 / (double)events;
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 2, .rounds = 3};
    static struct ps_paired_result result;
    ps_bench_options_parse(&options, argc, argv);
    ps_log_set_level(PS_LOG_WARN);
    const struct ps_paired whole = {.bench = "stress_null",
                                    .variant = "stress to null",
                                    .unit = "events/CPU-s",
                                    .reference = "memset of the same bytes",
                                    .goal = 40e6,
                                    .subject = run_agent,
                                    .bare = run_bare,
                                    .argument = &options};
    const struct ps_paired hop = {.bench = "stress_null",
                                  .variant = "hop",
                                  .unit = "ns/event",
                                  .lower_is_better = true,
                                  .goal = 5,
                                  .subject = run_hop,
                                  .argument = &options};
    ps_paired_run(&whole, options.rounds, &result);
    ps_paired_print(&whole, &result, "\"bytes\":%d", BODY_BYTES);
    ps_paired_run(&hop, options.rounds, &result);
    ps_paired_print(&hop, &result, "\"events_per_batch\":%u", PS_BATCH_EVENTS_MAX);
    return 0;
}
