/* The dump of a made-up agent, word for word. */
#include "tests/support/support.h"

#include "core/clock.h"
#include "core/watch/metrics/metrics.h"

#define NOW_NS (1000 * PS_NS_PER_S)

static void expect(const struct ps_metrics *metrics, const char *text)
{
    struct ps_page page = {0};
    ps_metrics_dump(metrics, NOW_NS, &page);
    assert_string_equal(page.text, text);
    ps_page_fini(&page);
}

static void test_everything(void **state)
{
    struct ps_metrics_component components[] = {
        {.kind = PS_KIND_SOURCE,
         .name = "r1",
         .type = "netcat",
         .workers = 5,
         .held = 101,
         .open_events = 7,
         .waits_for = PS_METRICS_WAITS_FOR_CHANNEL,
         .wait_ns = 12300 * PS_NS_PER_MS,
         .counters = {[PS_COUNTER_EventReceivedCount] = 30,
                      [PS_COUNTER_EventAcceptedCount] = 20,
                      [PS_COUNTER_dropped] = 4,
                      [PS_COUNTER_malformed] = 3,
                      [PS_COUNTER_OpenConnectionCount] = 2}},
        {.kind = PS_KIND_SELECTOR, .name = "r1", .type = "rules"},
        {.kind = PS_KIND_CHANNEL,
         .name = "c1",
         .type = "memory",
         .fill = {.size = 99, .capacity = 100, .bytes = 3 << 19}},
        {.kind = PS_KIND_CHANNEL, .name = "c2", .type = "memory", .fill = {.capacity = 10}},
        {.kind = PS_KIND_SINK,
         .name = "k1",
         .type = "kafka",
         .workers = 2,
         .held = 3,
         .stalled_ns = 61 * PS_NS_PER_S,
         .rest_ns = 1500 * PS_NS_PER_MS,
         .counters = {[PS_COUNTER_EventDrainAttemptCount] = 9,
                      [PS_COUNTER_EventDrainSuccessCount] = 5,
                      [PS_COUNTER_retried] = 2,
                      [PS_COUNTER_refused] = 1,
                      [PS_COUNTER_duplicated] = 8}},
        {.kind = PS_KIND_SINK,
         .name = "k2",
         .type = "file_roll",
         .workers = 1,
         .state = PS_METRICS_OPENING,
         .error = "cannot write in /data\nmake room",
         .extra = (const char *const[]){"slow_writes", "write_longest_us_now", "never", NULL},
         .counters = {[PS_COUNTER_extra] = 3, [PS_COUNTER_extra + 1] = 312000}},
    };
    struct ps_metrics_ring rings[] = {{.channel = "c1", .size = 4, .capacity = 127},
                                      {.channel = "c1", .producer = 1, .capacity = 127}};
    struct ps_metrics_worker workers[] = {
        {.cpu = -1,
         .cycles = 8120,
         .parked = true,
         .parked_count = 4012,
         .heartbeat_ns = NOW_NS - 214 * PS_NS_PER_MS,
         .cycle_max_ns = 3 * PS_NS_PER_MS,
         .busy_ns = 1204 * PS_NS_PER_MS,
         .batches_out = 101,
         .blocks_cached = 4},
        {.id = 1,
         .cpu = 3,
         .cycles = 512,
         .doing = "interceptor i1 of source r1",
         .heartbeat_ns = NOW_NS - 14 * PS_NS_PER_S,
         .memory_waits = 6,
         .behind = true},
        {.id = 2, .cpu = -1, .heartbeat_ns = NOW_NS + 1},
    };
    struct ps_metrics metrics = {
        .process = {.agent = "a1",
                    .budget_bytes = UINT64_C(256) << 20,
                    .used_bytes = UINT64_C(25) << 19,
                    .reload_count = 2,
                    .reload_failed_count = 1,
                    .reload_failure = "a1.properties:3: error: a1.sources.r1.port: bad",
                    .stall_limit_ns = 60 * PS_NS_PER_S,
                    .stopping = true,
                    .orders = "drain",
                    .exchanging = true},
        .components = components,
        .component_count = PS_COUNT_OF(components),
        .rings = rings,
        .ring_count = PS_COUNT_OF(rings),
        .workers = workers,
        .worker_count = PS_COUNT_OF(workers),
    };
    expect(
        &metrics,
        "agent a1, stopping: 3 workers, last order: drain\n"
        "memory: 12.5 MiB of the budget of 256 MiB are used\n"
        "reloads: 2 carried out, 1 failed\n"
        "the last reload failed: a1.properties:3: error: a1.sources.r1.port: bad\n"
        "worker 0: parked; 8,120 cycles, the last began 214 ms ago, the longest took 3 ms; parked 4,012 "
        "times, busy 1.2 s; 101 batches of its pool are out, 4 free blocks, 0 times no memory\n"
        "worker 1 on CPU 3: in interceptor i1 of source r1; 512 cycles, the last began 14 s ago, the "
        "longest took 0 s (it is stuck); parked 0 times, busy 0 s; 0 batches of its pool are out, 0 "
        "free blocks, 6 times no memory; has not carried out the last order yet\n"
        "worker 2: between components; 0 cycles, the last began 0 s ago, the longest took 0 s; "
        "parked 0 times, busy 0 s; 0 batches of its pool are out, 0 free blocks, 0 times no memory\n"
        "source r1 (netcat) on workers 0, 2: open; waits for a full channel for 12.3 s; 101 batches under "
        "way, 7 events in open batches; events received 30, accepted 20, dropped 4, malformed 3, thrown away "
        "0; 2 "
        "connections\n"
        "channel c1 (memory): 99 of 100 events, 1.5 MiB; ring of producer 0: 4 of 127 leases; ring of "
        "producer 1: 0 of 127 leases\n"
        "channel c2 (memory): 0 of 10 events, 0 B\n"
        "sink k1 (kafka) on worker 1: open; backs off for 1.5 s more; has had events for 1 min 1 s without "
        "delivering any (not ready); holds 3 leases; events taken 9, delivered 5, retried 2, refused 1, "
        "possibly doubled 8\n"
        "sink k2 (file_roll) on worker 0: not open: cannot write in /data; make room; holds 0 leases; "
        "events taken 0, delivered 0, retried 0, refused 0, possibly doubled 0; its own: slow_writes 3, "
        "write_longest_us 312,000\n"
        "a reload replaces sources and sinks now: they are not in this dump\n");
}

static void test_nothing(void **state)
{
    expect(&(struct ps_metrics){.process = {.agent = "a1", .orders = "run"}},
           "agent a1: 0 workers, last order: run\n"
           "memory: 0 B of the budget of 0 B are used\n"
           "reloads: 0 carried out, 0 failed\n");
}

/* What the components of the first test do not have: groups, dead letters, states, waits, and a sink that has been slow for exactly a second, or a
 * little less. */
static void test_other_words(void **state)
{
#define SINK(number, ...)                                                                                    \
    {                                                                                                        \
        .kind = PS_KIND_SINK, .name = "k" #number, .type = "null", .workers = 1, __VA_ARGS__                 \
    }
#define COUNTS "; holds 0 leases; events taken 0, delivered 0, retried 0, refused 0, possibly doubled 0"
    struct ps_metrics_component components[] = {
        {.kind = PS_KIND_SOURCE,
         .name = "r1",
         .type = "spooldir",
         .workers = UINT64_C(1) << 63,
         .state = PS_METRICS_HALTED,
         .error = "one\ntwo\nthree",
         .held = 1,
         .open_events = 1,
         .counters = {[PS_COUNTER_deadletter] = 1234, [PS_COUNTER_OpenConnectionCount] = 1}},
        {.kind = PS_KIND_SOURCE,
         .name = "r2",
         .type = "seq",
         .workers = 3,
         .waits_for = PS_METRICS_WAITS_FOR_MEMORY,
         .error = "not said while it is open"},
        {.kind = PS_KIND_CHANNEL, .name = "c1", .type = "memory", .fill = {.size = 1, .capacity = 1}},
        {.kind = PS_KIND_CHANNEL, .name = "c2", .type = "memory", .fill = {.capacity = 10}},
        SINK(1, .state = PS_METRICS_CLOSED),
        SINK(2, .stalled_ns = PS_NS_PER_S - 1, .counters = {[PS_COUNTER_deadletter] = 5}),
        SINK(3, .stalled_ns = PS_NS_PER_S),
        SINK(4, .group = "g1"),
        SINK(5, .group = "g1", .member = PS_METRICS_MEMBER_ACTIVE),
        SINK(6, .group = "g1", .member = PS_METRICS_MEMBER_STANDBY),
        SINK(7, .group = "g2", .member = PS_METRICS_MEMBER_PENALISED, .penalty_ns = 3200 * PS_NS_PER_MS),
        SINK(8, .extra = (const char *const[]){"first", "second", NULL},
             .counters = {[PS_COUNTER_extra + 1] = 7}),
    };
    struct ps_metrics_ring rings[] = {{.channel = "c2", .producer = 3, .size = 1, .capacity = 2}};
    struct ps_metrics_worker workers[] = {{.cpu = -1,
                                           .parked = true,
                                           .parked_count = 1,
                                           .batches_out = 1,
                                           .blocks_cached = 1,
                                           .memory_waits = 1,
                                           .heartbeat_ns = 0}};
    const struct ps_metrics metrics = {
        .process = {.dropped = "source r3 is left out\n", .stall_limit_ns = 60 * PS_NS_PER_S},
        .components = components,
        .component_count = PS_COUNT_OF(components),
        .rings = rings,
        .ring_count = PS_COUNT_OF(rings),
        .workers = workers,
        .worker_count = PS_COUNT_OF(workers),
    };
    expect(&metrics,
           "agent : 1 worker, last order: none\n"
           "memory: 0 B of the budget of 0 B are used\n"
           "reloads: 0 carried out, 0 failed\n"
           "source r3 is left out\n"
           "worker 0: parked; 0 cycles, the last began 16 min 40 s ago, the longest took 0 s; parked 1 time, "
           "busy 0 s; 1 batch of its pool is out, 1 free block, 1 time no memory\n"
           "source r1 (spooldir) on worker 63: halted: one; two; three; 1 batch under way, 1 event in open "
           "batches; events received 0, accepted 0, dropped 0, malformed 0, thrown away 0, dead letters "
           "1,234; 1 "
           "connection\n"
           "source r2 (seq) on workers 0, 1: open; waits for memory; 0 batches under way, 0 events in open "
           "batches; events received 0, accepted 0, dropped 0, malformed 0, thrown away 0\n"
           "channel c1 (memory): 1 of 1 event, 0 B\n"
           "channel c2 (memory): 0 of 10 events, 0 B; ring of producer 3: 1 of 2 leases\n"
           "sink k1 (null) on worker 0: closed" COUNTS "\n"
           "sink k2 (null) on worker 0: open" COUNTS ", dead letters 5\n"
           "sink k3 (null) on worker 0: open; has had events for 1 s without delivering any" COUNTS "\n"
           "sink k4 (null) on worker 0: open" COUNTS "; in group g1: not decided yet\n"
           "sink k5 (null) on worker 0: open" COUNTS "; in group g1: active\n"
           "sink k6 (null) on worker 0: open" COUNTS "; in group g1: stands by\n"
           "sink k7 (null) on worker 0: open" COUNTS
           "; in group g2: left out, because it failed, for 3.2 s more\n"
           "sink k8 (null) on worker 0: open" COUNTS "; its own: second 7\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_everything), cmocka_unit_test(test_nothing),
                                       cmocka_unit_test(test_other_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
