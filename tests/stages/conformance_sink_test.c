/* What every sink promises (core/stage.h), asked of each of them: it settles all events of a lease, in order,
 * and none twice; what is settled already it leaves alone; an idle one allocates nothing; it recalls, drains,
 * closes without a trace and opens again; an open that fails for want of memory leaves nothing behind. A
 * recall gives back every lease in flight, in order, and what is offered again arrives once. */
#include "stages/table.h"
#include "tests/support/allocations.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/reader.h"
#include "tests/support/stage.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

struct adapter {
    const struct ps_stage_ops *ops;
    const char *keys[12];
    /* Bodies that arrived since `begin`, one a line; NULL: nobody can tell. */
    void (*begin)(void);
    const char *(*arrived)(void);
    /* The far end takes nothing, until it is called with false. NULL: the sink has no leases in flight. */
    void (*stall)(bool stalls);
    bool
        library; /* a client library allocates for each event, and ends the process when there is no memory */
};

static char folder[64], log_path[96], text[1 << 20];

/* ---- adapters ---- */

static void clear_folder(void)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '1')
            unlink(path);
    }
    closedir(directory);
}

static size_t read_file(const char *path, char *to, size_t room)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(to, 1, room, file);
    fclose(file);
    return length;
}

static const char *folder_content(void)
{
    size_t length = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '1')
            length += read_file(path, text + length, sizeof text - 1 - length);
    }
    closedir(directory);
    text[length] = '\0';
    return text;
}

static void begin_log(void)
{
    assert_int_equal(truncate(log_path, 0), 0);
}

/* The bodies out of "... 65 76 .. event 1 }". */
static const char *log_content(void)
{
    static char log[1 << 20];
    log[read_file(log_path, log, sizeof log - 1)] = '\0';
    size_t used = 0;
    for (char *line = strtok(log, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *body = strstr(line, "body: ");
        if (body == NULL)
            continue;
        body += 6 + 16 * 3;
        char *end = strstr(body, " }");
        assert_non_null(end);
        used += (size_t)sprintf(text + used, "%.*s\n", (int)(end - body), body);
    }
    text[used] = '\0';
    return text;
}

static size_t records_before;

static struct ps_test_records topic_records(void)
{
    return ps_test_records_read(ps_test_cluster.bootstrap, "sink", 1, 0);
}

static void begin_topic(void)
{
    struct ps_test_records records = topic_records();
    records_before = records.count;
    ps_test_records_free(&records);
}

static const char *topic_content(void)
{
    struct ps_test_records records = topic_records();
    size_t used = 0;
    assert_true(records.count >= records_before);
    for (size_t i = records_before; i < records.count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\n", records.items[i].value);
    assert_true(used < sizeof text);
    text[used] = '\0';
    ps_test_records_free(&records);
    return text;
}

static void stall_broker(bool stalls)
{
    if (stalls)
        rd_kafka_mock_broker_set_down(ps_test_cluster.handle, 1);
    else
        rd_kafka_mock_broker_set_up(ps_test_cluster.handle, 1);
}

static char servers[64];

static const struct adapter adapters[] = {
    {.ops = &ps_sink_null},
    {.ops = &ps_sink_logger, .begin = begin_log, .arrived = log_content},
    {.ops = &ps_sink_file_roll,
     .keys = {"sink.directory", folder, "sink.rollInterval", "3600"},
     .begin = clear_folder,
     .arrived = folder_content},
    {.ops = &ps_sink_kafka,
     .keys = {"kafka.bootstrap.servers", servers, "kafka.topic", "sink", "kafka.producer.linger.ms", "1",
              "kafka.producer.reconnect.backoff.ms", "10", "kafka.producer.reconnect.backoff.max.ms", "50"},
     .begin = begin_topic,
     .arrived = topic_content,
     .stall = stall_broker,
     .library = true},
};

static void test_all_are_here(void **unused)
{
    (void)unused;
    for (size_t i = 0; ps_stages[i] != NULL; i++) {
        unsigned times = 0;
        for (size_t k = 0; k < PS_COUNT_OF(adapters); k++)
            times += adapters[k].ops == ps_stages[i];
        if (times != (ps_stages[i]->kind == PS_KIND_SINK))
            fail_msg("%s is asked %u times", ps_stages[i]->name, times);
    }
}

/* ---- checks ---- */

static unsigned open_fds(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* The embedded cluster, a thread of this process, closes its side of a connection a little later. */
static void assert_fds(const struct adapter *adapter, unsigned fds)
{
    for (int i = 0; adapter->library && open_fds() > fds && i < 5000; i++)
        usleep(1000);
    assert_int_equal(open_fds(), fds);
}

static struct ps_lease *some_lease(struct ps_test_stage *stage, unsigned first, unsigned count)
{
    static struct ps_test_event events[PS_BATCH_EVENTS_MAX];
    static char bodies[PS_BATCH_EVENTS_MAX][16];
    for (unsigned i = 0; i < count; i++) {
        snprintf(bodies[i], sizeof bodies[i], "event %u", (first + i) % 1000000);
        events[i] = PS_BODY(bodies[i]);
    }
    return ps_test_lease(stage, events, count);
}

/* Offers a lease until it is done or taken. */
static enum ps_result offer(struct ps_test_stage *stage, struct ps_lease *lease)
{
    uint64_t until = ps_clock_now().mono_ns + 20 * PS_NS_PER_S;
    for (;;) {
        assert_true(ps_clock_now().mono_ns < until);
        (void)ps_test_sink_tick(stage);
        enum ps_result result = ps_test_sink_work(stage, &lease);
        if (result == PS_DONE || result == PS_TAKEN)
            return result;
        ps_test_stage_pass_ms(stage, 10);
    }
}

/* Offers a lease until it is done, kept or not. */
static void deliver(struct ps_test_stage *stage, struct ps_lease *lease)
{
    size_t done = stage->done_count;
    if (offer(stage, lease) == PS_TAKEN)
        ps_test_sink_wait(stage, done + 1, 20000);
    assert_int_equal(lease->settled, lease->count);
    for (uint32_t i = 0; i < lease->count; i++)
        assert_true(ps_lease_is_settled(lease, i));
}

static void assert_arrived(const struct adapter *adapter, unsigned first, unsigned count)
{
    if (adapter->arrived == NULL)
        return;
    const char *at = adapter->arrived();
    for (unsigned i = 0; i < count; i++) {
        char line[24];
        int length = snprintf(line, sizeof line, "event %u\n", first + i);
        if (strncmp(at, line, (size_t)length) != 0)
            fail_msg("%s: after %u events \"%.20s\", not %s", adapter->ops->name, i, at, line);
        at += length;
    }
    assert_string_equal(at, "");
}

static void assert_idle(const struct adapter *adapter, struct ps_test_stage *stage)
{
    uint64_t before = ps_test_allocation_count;
    for (int i = 0; i < 200; i++) {
        (void)ps_test_sink_tick(stage);
        ps_test_stage_pass_ms(stage, 1);
    }
    if (ps_test_allocation_count != before)
        fail_msg("%s: %llu allocations while idle", adapter->ops->name,
                 (unsigned long long)(ps_test_allocation_count - before));
}

/* After the first lease, leases like it cost no allocation. */
static void assert_no_allocation(const struct adapter *adapter, struct ps_test_stage *stage)
{
    deliver(stage, some_lease(stage, 0, 100));
    struct ps_lease *leases[10];
    for (size_t i = 0; i < PS_COUNT_OF(leases); i++)
        leases[i] = some_lease(stage, 0, 100);
    uint64_t before = ps_test_allocation_count;
    for (size_t i = 0; i < PS_COUNT_OF(leases); i++)
        deliver(stage, leases[i]);
    if (ps_test_allocation_count != before)
        fail_msg("%s: %llu allocations for ten leases", adapter->ops->name,
                 (unsigned long long)(ps_test_allocation_count - before));
}

static void drain_and_recall(struct ps_test_stage *stage)
{
    uint64_t until = ps_clock_now().mono_ns + 10 * PS_NS_PER_S;
    const struct ps_sink_ops *ops = stage->ops->sink;
    while (ops->drain != NULL && !ops->drain(stage->plan, stage->state, &stage->now)) {
        assert_true(ps_clock_now().mono_ns < until);
        (void)ps_test_sink_tick(stage);
        ps_test_stage_pass_ms(stage, 10);
    }
    assert_null(ps_test_sink_recall(stage)); /* nothing was in flight */
}

/* Opens it and closes it again, so that libraries are warm. Returns how many descriptors are open then; a
 * client library must leave none. */
static unsigned start_closed(const struct adapter *adapter, struct ps_test_stage *stage)
{
    ps_test_stage_init(stage, adapter->ops);
    if (ps_test_stage_bind(stage, adapter->keys) != PS_OK || ps_test_stage_build(stage) != PS_OK)
        fail_msg("%s: %s", adapter->ops->name, stage->err.text);
    unsigned fds = open_fds();
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
    ps_test_stage_close(stage);
    if (adapter->library)
        assert_fds(adapter, fds);
    return open_fds();
}

static void test_life(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        const struct adapter *adapter = &adapters[i];
        print_message("%s\n", adapter->ops->name);
        struct ps_test_stage stage;
        unsigned fds = start_closed(adapter, &stage);
        for (int round = 0; round < 2; round++) {
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
            if (adapter->begin != NULL)
                adapter->begin();
            static const unsigned counts[] = {1, 0, 1024, 3, 100};
            unsigned sum = 0;
            for (size_t c = 0; c < PS_COUNT_OF(counts); c++) {
                deliver(&stage, some_lease(&stage, sum, counts[c]));
                sum += counts[c];
            }
            drain_and_recall(&stage);
            assert_arrived(adapter, 0, sum);
            if (!adapter->library)
                assert_no_allocation(adapter, &stage);
            assert_idle(adapter, &stage);
            ps_test_stage_close(&stage);
            assert_fds(adapter, fds);
            ps_test_stage_recycle(&stage);
        }
        ps_test_stage_fini(&stage);
    }
}

/* A lease that comes back after a rollback: its first half is settled. */
static void test_half_settled(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        const struct adapter *adapter = &adapters[i];
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, adapter->ops, adapter->keys);
        if (adapter->begin != NULL)
            adapter->begin();
        struct ps_lease *lease = some_lease(&stage, 0, 100);
        for (uint32_t position = 0; position < 50; position++)
            ps_lease_settle(lease, position);
        lease->cursor = 20; /* may lag behind: the bits are what counts */
        deliver(&stage, lease);
        assert_arrived(adapter, 50, 50);
        ps_test_stage_fini(&stage);
    }
}

/* Leases that were taken, recalled at once, from a far end that answers and from one that does not: each is
 * either done or given back, in order, and what is offered again arrives once. */
static void recall_and_offer_again(const struct adapter *adapter, bool stalls)
{
    enum { LEASES = 5, EVENTS = 20 };
    struct ps_test_stage stage;
    struct ps_lease *leases[LEASES];
    size_t taken = 0;
    ps_test_stage_start(&stage, adapter->ops, adapter->keys);
    if (adapter->begin != NULL)
        adapter->begin();
    deliver(&stage, some_lease(&stage, 0, EVENTS)); /* connected */
    size_t done = stage.done_count;
    if (stalls)
        adapter->stall(true);
    for (unsigned i = 0; i < LEASES; i++) {
        struct ps_lease *lease = some_lease(&stage, (1 + i) * EVENTS, EVENTS);
        if (offer(&stage, lease) == PS_TAKEN)
            leases[taken++] = lease;
    }
    assert_int_equal(taken, adapter->stall != NULL ? LEASES : 0);
    struct ps_lease *back = ps_test_sink_recall(&stage);
    size_t at = 0;
    for (; at < stage.done_count - done; at++) {
        assert_ptr_equal(stage.done[done + at], leases[at]);
        assert_int_equal(leases[at]->settled, EVENTS);
    }
    assert_true(!stalls || at == 0);
    if (stalls)
        adapter->stall(false);
    while (back != NULL) {
        struct ps_lease *lease = back;
        back = lease->next;
        lease->next = NULL;
        assert_true(at < taken);
        assert_ptr_equal(lease, leases[at++]);
        assert_int_equal(lease->pending, 0);
        assert_true(stalls ? lease->settled == 0 : lease->settled < EVENTS);
        deliver(&stage, lease);
    }
    assert_int_equal(at, taken);
    drain_and_recall(&stage);
    assert_int_equal(stage.done_count - done, taken);
    assert_arrived(adapter, 0, (1 + LEASES) * EVENTS);
    ps_test_stage_fini(&stage);
}

static void test_recall(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        recall_and_offer_again(&adapters[i], false);
        if (adapters[i].stall != NULL)
            recall_and_offer_again(&adapters[i], true);
    }
}

static void test_open_without_memory(void **unused)
{
    (void)unused;
    for (size_t i = 0; PS_TEST_ALLOCATIONS && i < PS_COUNT_OF(adapters); i++) {
        const struct adapter *adapter = &adapters[i];
        if (adapter->library)
            continue;
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, adapter->ops, adapter->keys);
        ps_test_stage_close(&stage);
        unsigned fds = open_fds();
        for (uint64_t nth = 2;; nth++) { /* the first one is the state's, the engine's business */
            ps_test_allocation_fails = nth;
            enum ps_status status = ps_test_stage_open(&stage);
            bool failed_one = ps_test_allocation_fails == 0;
            ps_test_allocation_fails = 0;
            if (status == PS_OK)
                ps_test_stage_close(&stage);
            else
                assert_true(failed_one && stage.err.length > 0);
            assert_int_equal(open_fds(), fds);
            if (!failed_one)
                break;
        }
        ps_test_stage_fini(&stage);
    }
}

static int set_up(void **state)
{
    int failed = ps_test_cluster_setup(state);
    snprintf(servers, sizeof servers, "%s", ps_test_cluster.bootstrap);
    ps_test_topic("sink", 1);
    return failed;
}

int main(void)
{
    snprintf(folder, sizeof folder, "/tmp/penstock-sinks-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    if (ps_log_open(log_path, NULL) != PS_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_here),        cmocka_unit_test(test_life),
        cmocka_unit_test(test_half_settled),        cmocka_unit_test(test_recall),
        cmocka_unit_test(test_open_without_memory),
    };
    int failed = cmocka_run_group_tests(tests, set_up, ps_test_cluster_teardown);
    (void)ps_log_open(NULL, NULL);
    clear_folder();
    unlink(log_path);
    rmdir(folder);
    return failed;
}
