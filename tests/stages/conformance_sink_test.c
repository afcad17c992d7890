/* What every sink promises (core/stage.h), asked of each of them: it settles all events of a lease, in order,
 * and none twice; what is settled already it leaves alone; an idle one allocates nothing; it recalls, drains,
 * closes without a trace and opens again; an open that fails for want of memory leaves nothing behind. */
#include "tests/support/allocations.h"
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

static const struct adapter adapters[] = {
    {.ops = &ps_sink_null},
    {.ops = &ps_sink_logger, .begin = begin_log, .arrived = log_content},
    {.ops = &ps_sink_file_roll,
     .keys = {"sink.directory", folder, "sink.rollInterval", "3600"},
     .begin = clear_folder,
     .arrived = folder_content},
};

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

/* Offers a lease until it is done, kept or not. */
static void deliver(struct ps_test_stage *stage, struct ps_lease *lease)
{
    struct ps_lease *offered = lease;
    size_t done = stage->done_count;
    uint64_t until = ps_clock_now().mono_ns + 20 * PS_NS_PER_S;
    for (;;) {
        assert_true(ps_clock_now().mono_ns < until);
        (void)ps_test_sink_tick(stage);
        enum ps_result result = ps_test_sink_work(stage, &offered);
        if (result == PS_TAKEN)
            ps_test_sink_wait(stage, done + 1, 20000);
        if (result == PS_DONE || result == PS_TAKEN)
            break;
        ps_test_stage_pass_ms(stage, 10);
    }
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

static void test_life(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        const struct adapter *adapter = &adapters[i];
        print_message("%s\n", adapter->ops->name);
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, adapter->ops, adapter->keys);
        ps_test_stage_close(&stage);
        unsigned fds = open_fds();
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
            assert_no_allocation(adapter, &stage);
            assert_idle(adapter, &stage);
            ps_test_stage_close(&stage);
            assert_int_equal(open_fds(), fds);
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

static void test_open_without_memory(void **unused)
{
    (void)unused;
    for (size_t i = 0; PS_TEST_ALLOCATIONS && i < PS_COUNT_OF(adapters); i++) {
        const struct adapter *adapter = &adapters[i];
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

int main(void)
{
    snprintf(folder, sizeof folder, "/tmp/penstock-sinks-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    if (ps_log_open(log_path, NULL) != PS_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_half_settled),
        cmocka_unit_test(test_open_without_memory),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)ps_log_open(NULL, NULL);
    clear_folder();
    unlink(log_path);
    rmdir(folder);
    return failed;
}
