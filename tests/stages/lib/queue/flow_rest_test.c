/* A flow in Java whose file channels the native ones have left events of: it is found by the keys of the flow. */
#include "stages/lib/queue/flow_rest.h"

#include "stages/lib/queue/store.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ps_queue_flow_rest rest;
static char data[512], state_folder[512];

static int set_up(void **state)
{
    assert_int_equal(ps_test_folder_setup(state), 0);
    snprintf(data, sizeof data, "%s", ps_test_folder_path("data"));
    snprintf(state_folder, sizeof state_folder, "%s", ps_test_folder_path("state"));
    return 0;
}

/* The log of the directories "state" and "data", with a segment for each frame. The caller closes it. */
static void *open_log(void)
{
    static struct ps_segment_files files;
    static const char *directories[1];
    static struct ps_log_store_settings settings;
    struct ps_err err = {.length = 0};
    files = ps_segment_disk;
    files.open_direct = NULL;
    directories[0] = data;
    settings = (struct ps_log_store_settings){.data_directories = {1, directories},
                                              .state_directory = state_folder,
                                              .segment_bytes = 1024,
                                              .files = &files};
    void *log = ps_log_store.open(&settings, "channel c1", &err);
    if (log == NULL)
        fail_msg("%s", err.text);
    return log;
}

static void put_events(unsigned count)
{
    struct ps_err err = {.length = 0};
    uint64_t number;
    void *log = open_log();
    assert_int_equal(ps_log_store.append(log, "payload", 7, count, count, &number, &err), PS_OK);
    assert_int_equal(ps_log_store.sync(log, &err), PS_OK);
    ps_log_store.close(log);
}

static void deliver_events(void)
{
    struct ps_store_frame frame;
    struct ps_err err = {.length = 0};
    void *log = open_log();
    while (ps_log_store.feed(log, &frame, &err) == PS_STORE_FED)
        ps_log_store.take(log, &frame);
    assert_int_equal(ps_log_store.sync(log, &err), PS_OK);
    ps_log_store.close(log);
}

/* Looks at a flow with this channel "c1" behind a channel in memory. */
static bool finds(const char *type)
{
    struct ps_test_stage stage;
    struct ps_pair items[] = {
        {.key = "sources.r1.type", .value = "netcat"},
        {.key = "channels.c0.type", .value = "memory"},
        {.key = "channels.c1.type", .value = type},
        {.key = "channels.c1.checkpointDir", .value = state_folder},
        {.key = "channels.c1.dataDirs", .value = data},
    };
    const struct ps_pairs flow = {PS_COUNT_OF(items), items};
    ps_test_stage_init(&stage, &ps_channel_memory);
    bool found = ps_queue_flow_rest(&flow, &stage.context, &rest);
    if (found) { /* the texts end with the stage */
        static char texts[5][512];
        const char **all[] = {&rest.channel, &rest.key, &rest.directory, &rest.what, &rest.cure};
        for (size_t i = 0; i < PS_COUNT_OF(all); i++) {
            snprintf(texts[i], sizeof texts[i], "%s", *all[i]);
            *all[i] = texts[i];
        }
    }
    ps_test_stage_fini(&stage);
    return found;
}

static void test_events_are_found(void **state)
{
    put_events(3);
    for (unsigned round = 0; round < 2; round++) { /* a look changes nothing */
        assert_true(finds("file"));
        assert_string_equal(rest.channel, "c1");
        assert_string_equal(rest.key, "channels.c1.dataDirs");
        assert_string_equal(rest.directory, data);
        assert_non_null(strstr(rest.what, "it has 3 events in penstock's own format"));
        assert_non_null(strstr(rest.cure, "penstock channel export"));
    }
    assert_true(finds("FILE"));
    assert_true(finds("org.apache.flume.channel.file.FileChannel"));
    assert_true(finds("SPILLABLEMEMORY"));
    assert_false(finds("memory"));
    assert_false(finds("com.acme.FileChannel"));
    deliver_events();
    assert_false(finds("file"));
}

static void test_no_events_are_left(void **state)
{
    assert_false(finds("file")); /* no directories */
    ps_log_store.close(open_log());
    assert_false(finds("file")); /* a log that never had one */
}

static void test_a_log_in_use_is_left_alone(void **state)
{
    put_events(2);
    void *log = open_log();
    assert_false(finds("file"));
    ps_log_store.close(log);
    assert_true(finds("file"));
}

static void test_files_of_flume_are_its_own(void **state)
{
    assert_int_equal(mkdir(data, 0755), 0);
    ps_test_folder_append("data/log-1.meta", "x", 1);
    ps_test_folder_append("data/log-1", "x", 1);
    assert_false(finds("file"));
}

static void test_a_log_that_cannot_be_read(void **state)
{
    put_events(2);
    const char *head = ps_test_folder_path("state/state");
    assert_int_equal(unlink(head), 0);
    assert_int_equal(mkdir(head, 0755), 0);
    assert_true(finds("file"));
    assert_non_null(strstr(rest.what, "cannot be read"));
    assert_non_null(strstr(rest.cure, "penstock channel verify"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events_are_found, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_no_events_are_left, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_log_in_use_is_left_alone, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_files_of_flume_are_its_own, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_log_that_cannot_be_read, set_up, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
