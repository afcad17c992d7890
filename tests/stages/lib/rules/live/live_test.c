/* Rules that change while a worker uses them: what it sees meanwhile, with its thread and the loader's. tests/scenarios/rules_reload.scn and
 * rules_refused.scn have the ways of changing files and what is wrong with them. Runs with ThreadSanitizer, too. */
#include "tests/support/folder.h"
#include "tests/support/rules/files.h"

#include "rings/swap.h"
#include "rings/tsan.h"
#include "stages/lib/rules/live/live.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#define QUIET_MS 100

static struct ps_test_stage stage;

static void start_with(const char *path, const char *watch)
{
    static char file[4096]; /* used by the plan as long as it exists */
    snprintf(file, sizeof file, "%s", path);
    ps_test_stage_start(
        &stage, &ps_interceptor_rules,
        PS_KEYS("rules.file", file, "rules.cache", "none", "rules.settle", "0", "rules.watch", watch));
}

/* Starts with rules that write 1. */
static void start(const char *name)
{
    start_with(ps_test_rules_write(name, PS_TEST_RULES_GENERATION, 1), "true");
}

/* Returns the output of the active rules, as a worker: rules may be swapped meanwhile. */
static unsigned written(void)
{
    urcu_qsbr_thread_online();
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("x"));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
    const char *value = ps_test_event_header(&event, "generation");
    unsigned number = value != NULL ? (unsigned)strtoul(value, NULL, 10) : 0;
    ps_test_stage_recycle(&stage);
    PS_TSAN_RELEASE(&ps_swap_grace);
    urcu_qsbr_thread_offline();
    return number;
}

/* Waits until the rules that write `number` are active. */
static void becomes(unsigned number)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (written() != number) {
        if (ps_test_patient_ns() > until_ns)
            fail_msg("rules %u are at work, not %u", written(), number);
        usleep(1000);
    }
}

static void stays(unsigned number)
{
    usleep(QUIET_MS * 1000);
    assert_int_equal(written(), number);
}

static double series(const char *name)
{
    return ps_test_series(&stage, name, NULL);
}

static void append_whole(const char *name, const char *text)
{
    ps_test_folder_append(name, text, strlen(text));
}

static void rename_file(const char *from, const char *to)
{
    assert_int_equal(rename(ps_test_folder_path(from), ps_test_folder_path(to)), 0);
}

static void unlink_file(const char *name)
{
    assert_int_equal(unlink(ps_test_folder_path(name)), 0);
}

/* ---- ways of changing a file ---- */

static void test_ways(void **state)
{
    start("a.rules");
    assert_int_equal(written(), 1);
    ps_test_rules_write("a.rules", PS_TEST_RULES_GENERATION, 2); /* cp */
    becomes(2);
    ps_test_rules_replace("a.rules", PS_TEST_RULES_GENERATION, 3); /* sed -i, most tools */
    becomes(3);
    rename_file("a.rules", "a.rules~"); /* vi */
    ps_test_rules_write("a.rules", PS_TEST_RULES_GENERATION, 4);
    becomes(4);
    unlink_file("a.rules~");
    unlink_file("a.rules");
    ps_test_rules_write("a.rules", PS_TEST_RULES_GENERATION, 5);
    becomes(5);
    append_whole("a.rules", "rule more { when body ~ /y/ drop }\n"); /* echo >> */
    ps_test_series_wait(&stage, "rules", 2);
    becomes(5);
    ps_test_stage_fini(&stage);
}

/* Writes rules 2, then rules 3 in two halves. Returns whether nothing was read in between. */
static bool written_in_halves(void)
{
    static const char half[] = "rule all { when true set header.gener";
    static const char rest[] = "ation = \"3\" }\n";
    double failures = series("rules_reload_failures");
    ps_test_rules_write("a.rules", PS_TEST_RULES_GENERATION, 2);
    becomes(2); /* the thread is running */
    for (unsigned i = 0; i < 5; i++)
        stays(2); /* it has handled this change's event, too, if its first look saw it */
    int fd = open(ps_test_folder_path("a.rules"), O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, half, sizeof half - 1), sizeof half - 1);
    stays(2);
    assert_int_equal(write(fd, rest, sizeof rest - 1), sizeof rest - 1);
    stays(2);
    assert_int_equal(close(fd), 0);
    becomes(3);
    return series("rules_reload_failures") == failures;
}

/* The file is not read while a process has it open for writing. A thread without a CPU may handle the event of rules 2 only when the first
 * half of rules 3 is there, so there are several tries. */
static void test_half_written(void **state)
{
    start("a.rules");
    unsigned tries = 1;
    while (!written_in_halves())
        assert_true(++tries <= 5);
    ps_test_stage_fini(&stage);
}

/* ---- files that are not there ---- */

/* ---- refused ---- */

/* ---- reload on request ---- */

static void test_reread(void **state)
{
    start_with(ps_test_rules_write("a.rules", PS_TEST_RULES_GENERATION, 1), "false");
    ps_test_rules_write("a.rules", PS_TEST_RULES_GENERATION, 2);
    stays(1);
    stage.ops->reread(stage.plan);
    becomes(2);
    for (int i = 0; i < 10; i++)
        stage.ops->reread(stage.plan); /* nothing changed */
    stays(2);
    ps_test_rules_replace("a.rules", "bad");
    stage.ops->reread(stage.plan);
    ps_test_series_wait(&stage, "rules_reload_failures", 1);
    stage.ops->reread(stage.plan); /* it repeats a load that failed */
    ps_test_series_wait(&stage, "rules_reload_failures", 2);
    ps_test_rules_replace("a.rules", PS_TEST_RULES_GENERATION, 3);
    stage.ops->reread(stage.plan);
    becomes(3);
    ps_test_series_wait(&stage, "rules_generation", 3);
    ps_test_stage_fini(&stage);
}

/* The file changed between build and open, when nobody watched it. */
static void test_changed_before_open(void **state)
{
    char file[4096];
    snprintf(file, sizeof file, "%s", ps_test_rules_write("a.rules", PS_TEST_RULES_GENERATION, 1));
    ps_test_stage_init(&stage, &ps_interceptor_rules);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("rules.file", file, "rules.cache", "none")), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    ps_test_rules_write("a.rules", PS_TEST_RULES_GENERATION, 2);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    becomes(2);
    ps_test_stage_fini(&stage);
}

/* ---- counts go on ---- */

static void test_counts_outlive_sets(void **state)
{
    start("a.rules");
    for (unsigned number = 1; number <= 5; number++) {
        ps_test_rules_write("a.rules", PS_TEST_RULES_GENERATION "rule x%u { when body ~ /x/ drop }\n", number,
                            number);
        becomes(number);
        (void)written();
        assert_true(ps_test_series(&stage, "rule_hits", "all") >= number);
    }
    double hits = ps_test_series(&stage, "rule_hits", "all");
    (void)written();
    assert_true(ps_test_series(&stage, "rule_hits", "all") == hits + 1);
    ps_test_stage_fini(&stage);
}

/* ---- a lease that is half processed ---- */

static struct ps_rules_live *live_create(const char *path)
{
    static char file[4096];
    struct ps_err err = {.length = 0};
    snprintf(file, sizeof file, "%s", path);
    const struct ps_rules_live_options options = {
        .file = file, .watch = true, .component = "test", .set = {.instances = 2}};
    struct ps_rules_live *live = ps_rules_live_create(&options, &err);
    if (live == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(ps_rules_live_open(live, 0, &err), PS_OK);
    assert_int_equal(ps_rules_live_open(live, 1, &err), PS_OK);
    return live;
}

static void wait_generation(struct ps_rules_live *live, uint64_t generation)
{
    struct ps_rules_live_state now;
    uint64_t until_ns = ps_test_patience_end_ns();
    for (ps_rules_live_look(live, &now); now.generation != generation; ps_rules_live_look(live, &now)) {
        if (ps_test_patient_ns() > until_ns)
            fail_msg("generation %llu, not %llu", (unsigned long long)now.generation,
                     (unsigned long long)generation);
        usleep(1000);
    }
}

/* One call of `work` that finds `rule` to be the first one; it may end before its lease is done. */
static const void *used(struct ps_rules_live *live, unsigned instance, const char *rule, bool finished)
{
    struct ps_rules_scratch *scratch;
    urcu_qsbr_thread_online();
    const struct ps_rules_set *set = ps_rules_live_acquire(live, instance, &scratch);
    assert_string_equal(ps_rules_set_rules(set)->rules[0].name, rule);
    assert_false(ps_rules_scratch_is_busy(scratch));
    ps_rules_live_release(live, instance, finished);
    PS_TSAN_RELEASE(&ps_swap_grace);
    urcu_qsbr_thread_offline();
    return set;
}

static void test_half_done_lease_keeps_its_set(void **state)
{
    struct ps_rules_live *live =
        live_create(ps_test_rules_write("a.rules", "rule one { when body ~ /a/ drop }\n"));
    const void *set = used(live, 0, "one", false);
    ps_test_rules_write("a.rules", "rule two { when body ~ /b/ drop }\n");
    wait_generation(live, 2);
    usleep(QUIET_MS * 1000); /* time enough to free what it must not free */
    assert_ptr_equal(used(live, 0, "one", false), set);
    (void)used(live, 1, "two", true);
    assert_ptr_equal(used(live, 0, "one", false), set); /* still not finished */
    assert_ptr_equal(used(live, 0, "one", true), set);
    (void)used(live, 0, "two", true);
    ps_test_rules_write("a.rules", "rule three { when body ~ /c/ drop }\n");
    wait_generation(live, 3);
    (void)used(live, 1, "three", false);
    ps_test_rules_write("a.rules", "rule four { when body ~ /d/ drop }\n");
    wait_generation(live, 4);
    (void)used(live, 0, "four", true);
    ps_rules_live_destroy(live); /* never released: a source that was closed in the middle */
}

/* The reason of the last failed reload can be read, with its place. */
static void test_state(void **state)
{
    struct ps_rules_live_state now;
    struct ps_rules_live *live =
        live_create(ps_test_rules_write("a.rules", "rule one { when body ~ /ab/ drop }\n"));
    ps_rules_live_look(live, &now);
    assert_int_equal(now.rules, 1);
    assert_int_equal(now.patterns, 1);
    assert_int_equal(now.reloads, 0);
    assert_true(now.loaded_ms > 0 && now.database_bytes > 0 && now.scratch_bytes > 0 && !now.cached);
    assert_string_equal(now.error, "");
    ps_test_rules_replace("a.rules", "rule one {\n  when body ~ /a(b/\n  drop\n}\n");
    while (ps_rules_live_look(live, &now), now.reloads_failed == 0)
        usleep(1000);
    assert_non_null(strstr(now.error, "a.rules:2:"));
    assert_int_equal(now.generation, 1);
    ps_rules_live_destroy(live);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ways),
        TEST(test_half_written),
        TEST(test_reread),
        TEST(test_changed_before_open),
        TEST(test_counts_outlive_sets),
        TEST(test_half_done_lease_keeps_its_set),
        TEST(test_state),
    };
    ps_log_set_level(getenv("PENSTOCK_LOG") != NULL ? PS_LOG_DEBUG : PS_LOG_OFF);
    urcu_qsbr_register_thread();
    urcu_qsbr_thread_offline();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
