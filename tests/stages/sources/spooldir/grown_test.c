/* The source spooldir, and writers that go on in files that it has finished: what they write is lost, which is said once for each file and
 * counted. */
#include "core/log/log.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <stdio.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_spooldir;

static void append(const char *name, const char *text)
{
    FILE *file = fopen(ps_test_folder_path(name), "a");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void put(const char *name, const char *text)
{
    append(".put", text);
    assert_int_equal(rename(ps_test_folder_path(".put"), ps_test_folder_path(name)), 0);
}

static uint64_t lost(const struct ps_test_stage *stage)
{
    assert_string_equal(ps_source_spooldir.counters[1], "lost_bytes");
    return ps_test_stage_counter(stage, (enum ps_counter)(PS_COUNTER_extra + 1));
}

/* Works until the condition holds; a second passes at each step. */
#define UNTIL(stage, condition)                                                                              \
    do {                                                                                                     \
        uint64_t until_ = ps_test_patience_end_ns();                                                         \
        while (!(condition)) {                                                                               \
            assert_true(ps_test_patient_ns() < until_);                                                      \
            (void)ps_test_source_work(stage);                                                                \
            ps_test_source_close_batch(stage);                                                               \
            ps_test_stage_pass_ms(stage, 1000);                                                              \
            usleep(1000);                                                                                    \
        }                                                                                                    \
    } while (0)

static bool is_there(const char *name)
{
    return access(ps_test_folder_path(name), F_OK) == 0;
}

static unsigned occurrences(const char *text, const char *of)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, of)) != NULL; at++)
        count++;
    return count;
}

static void try(const char *policy, const char *finished, const char *sign)
{
    struct ps_test_stage stage;
    char said[512];
    put("a", "1\n2\n");
    put("b", "3\n");
    assert_int_equal(ps_log_open(ps_test_folder_path(".said"), NULL), PS_OK);
    ps_test_stage_start(&stage, &ps_source_spooldir,
                        PS_KEYS("spoolDir", ps_test_folder(), "pollDelay", "10", "trackingPolicy", policy));
    UNTIL(&stage, is_there(sign) && stage.event_count == 3);
    assert_int_equal(lost(&stage), 0);
    append(finished, "4\n");
    UNTIL(&stage, lost(&stage) == 2);
    append(finished, "5\n6\n");
    UNTIL(&stage, lost(&stage) == 6);
    ps_test_stage_pass_ms(&stage, 70000); /* the file is not looked at for ever: its total is said */
    snprintf(said, sizeof said, "%s is still written: 6 bytes came after it was finished at byte 4",
             ps_test_folder_path(finished));
    UNTIL(&stage, strstr(ps_test_folder_read(".said"), said) != NULL);
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
    const char *text = ps_test_folder_read(".said");
    assert_int_equal(occurrences(text, "is still written"), 2);
    assert_non_null(strstr(text, "is still written: 2 bytes came after it was finished at byte 4 so far"));
    assert_int_equal(stage.event_count, 3);
    ps_test_stage_fini(&stage);
}

static void test_renamed(void **state)
{
    try("rename", "a.COMPLETED", "b.COMPLETED");
}

static void test_marked(void **state)
{
    try("tracker_dir", "a", ".flumespool/b.COMPLETED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_renamed, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_marked, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
