/* What a load says in the log, and a load without memory: the rules stay, and the same file is read again later. */
#include "tests/support/allocations.h"
#include "tests/support/folder.h"
#include "tests/support/rules/files.h"

#include "regex/rules/rules.h"
#include "stages/lib/rules/live/live.h"

#include <stdio.h>
#include <unistd.h>

#define STAGING_ALIGNMENT 4096U /* of the room of a matcher's scratch (regex/matcher/matcher.c) */

/* ---- an allocator that fails for a worker's scratch ---- */

/* atomic; number of the first allocation that fails, as all after it do: 1 = the next one, 0 = none */
static unsigned aligned_fails;

#if PS_TEST_ALLOCATIONS
void *__libc_memalign(size_t alignment, size_t bytes);

static bool aligned_may(void)
{
    unsigned left = __atomic_load_n(&aligned_fails, __ATOMIC_ACQUIRE);
    if (left > 1) /* it stays 0 if the test gives the memory back meanwhile */
        (void)__atomic_compare_exchange_n(&aligned_fails, &left, left - 1, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE);
    return left != 1;
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    *memory = alignment != PS_CACHE_GAP || aligned_may() ? __libc_memalign(alignment, bytes) : NULL;
    return *memory != NULL ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return alignment != STAGING_ALIGNMENT || aligned_may() ? __libc_memalign(alignment, bytes) : NULL;
}
#endif

/* Of Hyperscan. NULL: malloc and free. Returns 0. */
int hs_set_scratch_allocator(void *(*allocate)(size_t bytes), void (*release)(void *memory));

/* ---- rules that follow their file ---- */

static char file[4096], log_path[4096], log_text[65536];
static struct ps_rules_live *live;

static int set_up(void **state)
{
    if (ps_test_folder_setup(state) != 0)
        return -1;
    snprintf(file, sizeof file, "%s", ps_test_folder_path("a.rules"));
    snprintf(log_path, sizeof log_path, "%s", ps_test_folder_path("agent.log"));
    return 0;
}

static int tear_down(void **state)
{
    ps_rules_live_destroy(live);
    live = NULL;
    hs_set_scratch_allocator(NULL, NULL);
    ps_log_open(NULL, NULL);
    return ps_test_folder_teardown(state);
}

static void start(void)
{
    struct ps_err err = {.length = 0};
    const struct ps_rules_live_options options = {
        .file = file, .watch = true, .component = "interceptor i1", .set = {.instances = 2}};
    live = ps_rules_live_create(&options, &err);
    if (live == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(ps_rules_live_open(live, 0, &err), PS_OK);
}

static struct ps_rules_live_state look(void)
{
    struct ps_rules_live_state state;
    ps_rules_live_look(live, &state);
    return state;
}

/* Begins another log. */
static void log_begin(void)
{
    struct ps_err err;
    unlink(log_path);
    assert_int_equal(ps_log_open(log_path, &err), PS_OK);
}

static void log_read(void)
{
    FILE *in = fopen(log_path, "re");
    assert_non_null(in);
    log_text[fread(log_text, 1, sizeof log_text - 1, in)] = '\0';
    fclose(in);
}

/* Waits until the log has a line with this text. */
static void log_await(const char *text)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    for (log_read(); strstr(log_text, text) == NULL; log_read()) {
        if (ps_test_patient_ns() > until_ns)
            fail_msg("no line \"%s\" in:\n%s", text, log_text);
        usleep(1000);
    }
}

/* Returns the number of the log's lines of a level that have this text. */
static unsigned logged(const char *level, const char *text)
{
    char head[32];
    unsigned count = 0;
    snprintf(head, sizeof head, "Z %s interceptor i1: ", level);
    for (const char *at = log_text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        const char *begin = memmem(at, (size_t)(end - at), head, strlen(head));
        count += begin != NULL && memmem(begin, (size_t)(end - begin), text, strlen(text)) != NULL;
    }
    return count;
}

/* ---- the log ---- */

#define WARNING "rule w { when body ~ /w/ set header.x = \"${none}\" }\n" /* no expression has the group */

/* Writes a warning, errors of this number, and another warning. */
static void write_problems(unsigned errors)
{
    static char text[65536];
    size_t length = (size_t)snprintf(text, sizeof text, WARNING);
    for (unsigned i = 0; i < errors; i++)
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "rule e%u { when body ~ /[/ drop }\n", i);
    snprintf(text + length, sizeof text - length, "rule v { when body ~ /v/ set header.x = \"${none}\" }\n");
    ps_test_rules_replace("a.rules", "%s", text);
}

/* A changed file is reported in the log, each problem with its place, the warnings also when there are no errors. More problems than are
 * kept are counted. At the start `check` has reported the file: the log has only what is at work. */
static void test_a_reload_logs_each_problem(void **state)
{
    static const unsigned errors[] = {0, 1, 3, PS_RULES_PROBLEMS_MAX - 2, PS_RULES_PROBLEMS_MAX + 4};
    ps_log_unlimited();
    ps_test_rules_write("a.rules", WARNING);
    log_begin();
    start();
    log_await("at work, number 1;");
    assert_int_equal(logged("WARN", ""), 0);
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        char place[64], more[64];
        unsigned count = errors[i] + 2, kept = count, warnings = 2;
        if (count > PS_RULES_PROBLEMS_MAX) { /* errors take the places of warnings */
            kept = PS_RULES_PROBLEMS_MAX;
            warnings = 0;
        }
        log_begin();
        write_problems(errors[i]);
        log_await(errors[i] == 0 ? "at work, number 2;" : "is not usable: the old rules stay active");
        for (unsigned line = 1; line <= kept; line++) {
            snprintf(place, sizeof place, "a.rules:%u:", warnings > 0 ? line : line + 1);
            bool warns = warnings > 0 && (line == 1 || line == count);
            if (logged(warns ? "WARN" : "ERROR", place) != 1)
                fail_msg("%u errors: no line %s in:\n%s", errors[i], place, log_text);
        }
        snprintf(more, sizeof more, "a.rules: %u more like these", count - kept);
        assert_int_equal(logged("WARN", more), count > kept);
        assert_int_equal(logged("WARN", ""), warnings + (count > kept));
        assert_int_equal(logged("ERROR", ""), kept - warnings + (errors[i] > 0));
    }
}

/* ---- memory ---- */

/* Changes the file while memory is short, and waits until its rules are active: the load is tried again although the file does not change. */
static void change_without_memory(unsigned number)
{
    char active[32];
    uint64_t before = look().reloads_failed;
    snprintf(active, sizeof active, "at work, number %u;", number + 1);
    ps_log_unlimited();
    log_begin();
    ps_test_rules_replace("a.rules", "rule other%u { when body ~ /c%u[0-9]d/ drop }\n", number, number);
    log_await("is not usable");
    assert_int_equal(look().generation, number);
    hs_set_scratch_allocator(NULL, NULL);
    __atomic_store_n(&aligned_fails, 0, __ATOMIC_RELEASE);
    uint64_t until_ns = ps_test_patience_end_ns();
    while (look().generation == number) {
        if (ps_test_patient_ns() > until_ns)
            fail_msg("the file is not read again after \"%s\"", look().error);
        usleep(1000);
    }
    assert_string_equal(look().error, "");
    log_await(active);
    /* One load has failed, or more if this thread was late. */
    assert_int_equal(logged("ERROR", "is not usable now, and is tried again: the old rules stay active"),
                     look().reloads_failed - before);
    assert_int_equal(logged("ERROR", "is not usable"), look().reloads_failed - before);
}

/* There is no memory for the scratch of the first worker, or for that of the last one. */
static void test_no_memory_for_a_scratch(void **state)
{
    static const unsigned nths[] = {1, 4}; /* each scratch takes two: its own, and the room of its matcher */
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer has its own allocator");
    ps_test_rules_write("a.rules", "rule one { when body ~ /a[0-9]b/ drop }\n");
    start();
    for (unsigned i = 0; i < PS_COUNT_OF(nths); i++) {
        __atomic_store_n(&aligned_fails, nths[i], __ATOMIC_RELEASE);
        change_without_memory(1 + i);
    }
}

static void *no_memory(size_t)
{
    return NULL;
}

/* There is no memory to open the database that was compiled. */
static void test_no_memory_for_the_database(void **state)
{
    ps_test_rules_write("a.rules", "rule one { when body ~ /a[0-9]b/ drop }\n");
    start();
    assert_int_equal(hs_set_scratch_allocator(no_memory, free), 0);
    change_without_memory(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_reload_logs_each_problem, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory_for_a_scratch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory_for_the_database, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
