#include "tests/support/hive_stage.h"

#include <stdio.h>

int ps_test_hive_group_setup(void **unused)
{
    ps_test_metastore_start();
    return 0;
}

int ps_test_hive_group_teardown(void **unused)
{
    ps_test_metastore_stop();
    return 0;
}

const char *ps_test_hive_folder(void)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/t", ps_test_folder());
    return path;
}

struct ps_test_metastore_table ps_test_hive_lines(const char *keys)
{
    return (struct ps_test_metastore_table){.location = ps_test_hive_folder(),
                                            .columns = "line:string",
                                            .keys = keys,
                                            .bucket_columns = "line",
                                            .bucket_count = 1,
                                            .parameters = "transactional=true,orc.compress=NONE"};
}

int ps_test_hive_setup(void **state)
{
    if (ps_test_folder_setup(state) != 0)
        return -1;
    struct ps_test_metastore_table table = ps_test_hive_lines("");
    ps_test_metastore_set_table(&table);
    return 0;
}

void ps_test_hive_expect_rows(const char *day, const char *expected)
{
    static char rows[1 << 16];
    char path[400];
    snprintf(path, sizeof path, "%s/%s", ps_test_hive_folder(), day);
    (void)ps_test_metastore_rows(path, rows, sizeof rows);
    assert_string_equal(rows, expected);
}

void ps_test_hive_start(struct ps_test_stage *stage, const char *const *keys)
{
    ps_test_stage_start(stage, &ps_sink_hive, keys);
    stage->port.retry_step_ns = stage->port.retry_rest_max_ns = 10 * PS_NS_PER_MS;
}

void ps_test_hive_turn(struct ps_test_stage *stage)
{
    (void)ps_test_sink_tick(stage);
    ps_test_stage_pass_ms(stage, 1);
    usleep(1000);
}

void ps_test_hive_offer(struct ps_test_stage *stage, struct ps_lease *lease)
{
    enum ps_result result = PS_LATER;
    PS_HIVE_AWAIT(stage, (result = ps_test_sink_work(stage, &lease)) != PS_LATER);
    assert_int_equal(result, PS_TAKEN);
}

void ps_test_hive_deliver(struct ps_test_stage *stage, struct ps_lease *lease)
{
    size_t done = stage->done_count;
    ps_test_hive_offer(stage, lease);
    ps_test_sink_wait(stage, done + 1, PS_TEST_PATIENCE_MS);
}
