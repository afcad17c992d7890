/* Rules compiled by another process: ten thousand of them, kept in the cache, within limits; compilation ends when the
 * file changes again or the agent stops. Needs the program. */
#include "tests/support/folder.h"
#include "tests/support/rules/files.h"

#include "stages/lib/rules/live/live.h"

#include <stdio.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MANY 1000U
#else
#define MANY 10000U
#endif
#define PATIENCE_NS (100 * PS_NS_PER_S)

static char file[4096], cache[4096];
static struct ps_err err;

static struct ps_rules_live_options options_for(const char *name)
{
    snprintf(file, sizeof file, "%s", ps_test_folder_path(name));
    snprintf(cache, sizeof cache, "%s", ps_test_folder_path("cache"));
    return (struct ps_rules_live_options){
        .file = file,
        .watch = true,
        .component = "test",
        .set = {.instances = 2,
                .matcher = {.cache_directory = cache,
                            .program = getenv("PENSTOCK"),
                            .compile_memory_bytes = PS_MATCHER_COMPILE_MEMORY_BYTES,
                            .compile_time_ms = PS_MATCHER_COMPILE_TIME_MS}}};
}

/* Every rule matches a different word. */
static void write_many(const char *name, unsigned count, const char *word)
{
    char beside[4096];
    const char *path = ps_test_folder_path(name);
    snprintf(beside, sizeof beside, "%s.new", path);
    FILE *out = fopen(beside, "we");
    assert_non_null(out);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "rule r%u { when body ~ /%s-%05u: [a-z]+ (GET|PUT) / drop }\n", i, word,
                i * 7919 % 100003);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(rename(beside, path), 0);
}

/* Writes repeats that are large enough to keep a compiler busy for a while, but not refused when read. */
static void write_slow(const char *name, unsigned seed)
{
    char beside[4096];
    const char *path = ps_test_folder_path(name);
    snprintf(beside, sizeof beside, "%s.new", path);
    FILE *out = fopen(beside, "we");
    assert_non_null(out);
    for (unsigned i = 0; i < 400; i++)
        fprintf(out, "rule r%u { when body ~ /x%u[a-f]{%u}y[b-k]{300}z(ab|cd|[ef]g){200}w%u/ drop }\n", i,
                i + seed, 200 + i % 50, i);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(rename(beside, path), 0);
}

static struct ps_rules_live *create(const struct ps_rules_live_options *options)
{
    struct ps_rules_live *live = ps_rules_live_create(options, &err);
    if (live == NULL)
        fail_msg("%s", err.text);
    return live;
}

static struct ps_rules_live_state look(struct ps_rules_live *live)
{
    struct ps_rules_live_state state;
    ps_rules_live_look(live, &state);
    return state;
}

static struct ps_rules_live_state wait_attempts(struct ps_rules_live *live, uint64_t attempts)
{
    uint64_t until_ns = ps_test_patient_ns() + PATIENCE_NS;
    for (;;) {
        struct ps_rules_live_state state = look(live);
        if (state.generation + state.reloads_failed == attempts)
            return state;
        if (ps_test_patient_ns() > until_ns)
            fail_msg("%llu sets, %llu failures: %s", (unsigned long long)state.generation,
                     (unsigned long long)state.reloads_failed, state.error);
        usleep(1000);
    }
}

/* The rules are compiled once; then they are taken from the cache, at the next start and when an older file comes
 * back. */
static void test_many(void **unused)
{
    write_many("a.rules", MANY, "first");
    struct ps_rules_live_options options = options_for("a.rules");
    struct ps_rules_live *live = create(&options);
    struct ps_rules_live_state state = look(live);
    assert_int_equal(state.rules, MANY);
    assert_int_equal(state.patterns, MANY);
    assert_false(state.cached);
    assert_true(state.database_bytes > MANY);
    uint64_t bytes = state.database_bytes;
    ps_rules_live_destroy(live);

    live = create(&options);
    state = look(live);
    assert_true(state.cached);
    assert_int_equal(state.database_bytes, bytes);
    assert_int_equal(ps_rules_live_open(live, 0, &err), PS_OK);
    write_many("a.rules", 10, "second");
    state = wait_attempts(live, 2);
    assert_int_equal(state.rules, 10);
    assert_false(state.cached);
    write_many("a.rules", MANY, "first");
    state = wait_attempts(live, 3);
    assert_true(state.cached);
    assert_int_equal(state.rules, MANY);
    ps_rules_live_destroy(live);
}

/* The rules are refused with the reason, and the active ones stay. */
static void refused_for(const char *why, const struct ps_rules_live_options *options, unsigned seed)
{
    write_many("a.rules", 5, "first");
    struct ps_rules_live *live = create(options);
    assert_int_equal(ps_rules_live_open(live, 0, &err), PS_OK);
    write_slow("a.rules", seed);
    struct ps_rules_live_state state = wait_attempts(live, 2);
    assert_int_equal(state.reloads_failed, 1);
    assert_int_equal(state.rules, 5);
    if (strstr(state.error, why) == NULL)
        fail_msg("says: %s", state.error);
    ps_rules_live_destroy(live);
}

static void test_limits(void **unused)
{
    struct ps_rules_live_options options = options_for("a.rules");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they need terabytes of addresses */
    options.set.matcher.compile_memory_bytes = UINT64_C(64) << 20;
    refused_for("memory", &options, 0);
#endif
    options.set.matcher.compile_memory_bytes = 0;
    options.set.matcher.compile_time_ms = 100;
    refused_for("time", &options, 1);
}

/* The next change does not wait until the one before is compiled. */
static void test_overtaken(void **unused)
{
    write_many("a.rules", 5, "first");
    struct ps_rules_live_options options = options_for("a.rules");
    struct ps_rules_live *live = create(&options);
    assert_int_equal(ps_rules_live_open(live, 0, &err), PS_OK);
    write_slow("a.rules", 2);
    usleep(200000);
    write_many("a.rules", 6, "second");
    struct ps_rules_live_state state = wait_attempts(live, 2);
    assert_int_equal(state.generation, 2);
    assert_int_equal(state.rules, 6);
    ps_rules_live_destroy(live);
}

/* The file is replaced all the time, faster than it can be compiled: it is still loaded, and the last text in the
 * end. Only a load that begins after the writer paused for the settle time may be ended by the next change. */
static void test_keeps_changing(void **unused)
{
    write_many("a.rules", 5, "first");
    struct ps_rules_live_options options = options_for("a.rules");
    options.settle_ms = 50;
    struct ps_rules_live *live = create(&options);
    assert_int_equal(ps_rules_live_open(live, 0, &err), PS_OK);
    uint64_t pauses = 0, last_ns = ps_clock_now().mono_ns, until_ns = ps_test_patient_ns() + PATIENCE_NS;
    unsigned changes = 0;
    while (look(live).generation < 5) {
        char word[32];
        snprintf(word, sizeof word, "word%u", changes++);
        write_many("a.rules", 6 + changes % 50, word);
        usleep(5000);
        uint64_t now_ns = ps_clock_now().mono_ns;
        pauses += now_ns - last_ns > (uint64_t)options.settle_ms * PS_NS_PER_MS / 2;
        last_ns = now_ns;
        assert_true(ps_test_patient_ns() < until_ns);
    }
    assert_true(look(live).overtaken <= pauses);
    write_many("a.rules", 4, "last");
    while (look(live).rules != 4) {
        assert_true(ps_test_patient_ns() < until_ns);
        usleep(1000);
    }
    assert_int_equal(look(live).reloads_failed, 0);
    ps_rules_live_destroy(live);
}

/* A stop does not wait for the compiler either: otherwise the test would exceed its time limit. */
static void test_stopped(void **unused)
{
    write_many("a.rules", 5, "first");
    struct ps_rules_live_options options = options_for("a.rules");
    options.set.matcher.compile_time_ms = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct ps_rules_live *live = create(&options);
        assert_int_equal(ps_rules_live_open(live, 0, &err), PS_OK);
        write_slow("a.rules", 3 + i);
        usleep(i * 100000);
        ps_rules_live_destroy(live);
        write_many("a.rules", 5, "first");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)

/* The program compiles a reload's rules at SCHED_IDLE, and would wait until all other tests have ended. So the test
 * preloads tests/support/idle.c. */
static void compile_as_usual(void)
{
    char library[4096];
    const char *tools = getenv("PENSTOCK_TOOLS");
    snprintf(library, sizeof library, "%s/not_idle.so", tools != NULL ? tools : "");
    if (access(library, R_OK) != 0)
        return;
    setenv("LD_PRELOAD", library, 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1); /* it comes before the sanitizer's library */
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_many), TEST(test_limits), TEST(test_overtaken),
                                       TEST(test_keeps_changing), TEST(test_stopped)};
    if (getenv("PENSTOCK") == NULL || access(getenv("PENSTOCK"), X_OK) != 0) {
        printf("SKIP: the program is not built\n");
        return 77;
    }
    compile_as_usual();
    ps_log_set_level(getenv("PENSTOCK_LOG") != NULL ? PS_LOG_DEBUG : PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
