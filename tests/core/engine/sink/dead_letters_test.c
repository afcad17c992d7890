/* Dead letters and attempts in the engine, with stages of the test's own: how often and when a sink is called again, the
 * fate of events whose attempts are used up, and that a source answers no client before its letters are on disk. */
#include "core/log/log.h"
#include "tests/support/folder.h"
#include "tests/support/letter_source.h"

#include <glob.h>
#include <stdio.h>
#include <unistd.h>

static struct {
    bool fails;               /* the sink rolls back a lease with an 'x' in it */
    bool settles_others;      /* before that it settles the others */
    bool keeps;               /* it settles all events, and asks to be offered the lease again */
    uint64_t attempts_ns[64]; /* when it rolled back */
    unsigned attempts;
    char delivered[64];
    unsigned delivered_count;
} script;

static struct ps_test_small_agent agent;

static enum ps_result sink_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    bool bad = false;
    for (uint32_t i = 0; i < (*lease)->count; i++)
        bad |= ps_lease_event(*lease, i)->body[0] == 'x';
    bad &= script.fails;
    for (uint32_t i = 0; i < (*lease)->count && (!bad || script.settles_others); i++) {
        char body = ps_lease_event(*lease, i)->body[0];
        if (ps_lease_is_settled(*lease, i) || (bad && body == 'x'))
            continue;
        script.delivered[script.delivered_count++] = body;
        ps_lease_settle(*lease, i);
    }
    if (!bad)
        return script.keeps ? PS_LATER : PS_DONE;
    script.attempts_ns[script.attempts++] = at->mono_ns;
    return PS_RETRY;
}

static const struct ps_sink_ops sink_ops = {.work = sink_work};
static const struct ps_stage_ops sink = {.kind = PS_KIND_SINK, .name = "sink", .sink = &sink_ops};

static const char *directory(void)
{
    return ps_test_folder_path("dead");
}

static int setup(void **state)
{
    static const struct ps_test_small_stages stages = {
        .source = &ps_test_letter_source, .interceptor = &ps_test_letter_chain, .sink = &sink};
    static char path[256];
    if (ps_test_folder_setup(state) != 0)
        return -1;
    memset(&script, 0, sizeof script);
    ps_test_letters = (struct ps_test_letter_script){0};
    snprintf(path, sizeof path, "%s", directory());
    ps_test_small_agent_start(&agent, &stages, 1, "100");
    agent.plan->spec->sources[0].common->deadletter = path;
    agent.plan->spec->sinks[0].common = (struct ps_sink_common){path, 3, 100, 150};
    return 0;
}

static int teardown(void **state)
{
    ps_test_small_agent_stop(&agent, true);
    return ps_test_folder_teardown(state);
}

static void feed(const char *bodies)
{
    ps_test_letter_feed(&agent, bodies);
}

/* The bodies of all letters, in order, one byte each. */
static void assert_letters(const char *bodies)
{
    char line[1024], found[64] = "";
    glob_t files;
    size_t count = 0;
    if (glob(ps_test_folder_path("dead/*.jsonl"), 0, NULL, &files) == 0) {
        for (size_t i = 0; i < files.gl_pathc; i++) {
            FILE *in = fopen(files.gl_pathv[i], "r");
            assert_non_null(in);
            while (fgets(line, sizeof line, in) != NULL)
                found[count++] = strstr(line, "\"body\":\"")[8];
            fclose(in);
        }
        globfree(&files);
    }
    found[count] = '\0';
    assert_string_equal(found, bodies);
}

static uint64_t counted(enum ps_counter counter)
{
    return ps_counter_read(ps_test_small_agent_sink(&agent)->base.counters, counter);
}

static void test_attempts(void **state)
{
    script.fails = true;
    feed("ab");
    feed("cx");
    feed("de");
    ps_test_small_agent_run(&agent, 10 * PS_NS_PER_S);
    assert_int_equal(script.attempts, 3);
    assert_int_equal(script.attempts_ns[1] - script.attempts_ns[0], 100 * PS_NS_PER_MS);
    assert_int_equal(script.attempts_ns[2] - script.attempts_ns[1], 150 * PS_NS_PER_MS);
    assert_string_equal(script.delivered, "abde");
    assert_letters("cx");
    assert_int_equal(counted(PS_COUNTER_deadletter), 2);
    assert_int_equal(counted(PS_COUNTER_EventDrainSuccessCount), 4);
    assert_int_equal(ps_test_small_agent_fill(&agent, 0), 0);
    feed("fx"); /* the count begins again */
    ps_test_small_agent_run(&agent, 10 * PS_NS_PER_S);
    assert_int_equal(script.attempts, 6);
    assert_letters("cxfx");
}

/* Events that the sink settled before it failed are delivered and do not become letters. */
static void test_settled_events(void **state)
{
    script.fails = script.settles_others = true;
    feed("axbx");
    ps_test_small_agent_run(&agent, 10 * PS_NS_PER_S);
    assert_string_equal(script.delivered, "ab");
    assert_letters("xx");
    assert_int_equal(counted(PS_COUNTER_EventDrainSuccessCount), 2);
}

/* A sink that recovers before the last attempt loses nothing. */
static void test_comes_right(void **state)
{
    script.fails = true;
    feed("x");
    assert_int_equal(script.attempts, 2);
    script.fails = false;
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_string_equal(script.delivered, "x");
    assert_letters("");
}

/* Each lease has all of its attempts, even after one that became letters, with no success between them. */
static void test_given_up_in_a_row(void **state)
{
    script.fails = true;
    for (unsigned i = 1; i <= 3; i++) {
        feed("ax");
        ps_test_small_agent_run(&agent, 10 * PS_NS_PER_S);
        assert_int_equal(script.attempts, 3 * i);
    }
    assert_letters("axaxax");
    feed("bx");
    assert_int_equal(script.attempts, 11);
    script.fails = false;
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_string_equal(script.delivered, "bx");
    assert_letters("axaxax");
}

static void test_without_limit(void **state)
{
    agent.plan->spec->sinks[0].common = (struct ps_sink_common){directory(), 0, 0, 0};
    script.fails = true;
    feed("x");
    ps_test_small_agent_run(&agent, 100 * PS_NS_PER_S);
    assert_int_equal(script.attempts, 23); /* at 0, 1, 3, 6, 10, 15, 20, .. s */
    assert_letters("");
    script.fails = false;
    ps_test_small_agent_run(&agent, 10 * PS_NS_PER_S);
    assert_string_equal(script.delivered, "x");
}

/* A lease that is settled while the engine offers it is delivered: a recall finishes it, and does not give it back. */
static void test_recalled_settled(void **state)
{
    script.keeps = true;
    feed("a");
    struct ps_sink_runner *runner = ps_test_small_agent_sink(&agent);
    assert_non_null(runner->offered);
    assert_int_equal(runner->offered->settled, 1);
    assert_int_equal(counted(PS_COUNTER_EventDrainSuccessCount), 0);
    assert_true(ps_sink_runner_recall(runner, ps_worker_now(runner->base.worker)));
    assert_null(runner->offered);
    assert_int_equal(counted(PS_COUNTER_EventDrainSuccessCount), 1);
}

/* A directory that cannot be written: no event of the lease is settled, and no later lease is offered. */
static void test_directory_fails(void **state)
{
    char away[256], path[256];
    script.fails = true;
    feed("a");
    snprintf(path, sizeof path, "%s", directory());
    snprintf(away, sizeof away, "%s", ps_test_folder_path("away"));
    assert_int_equal(rename(path, away), 0);
    ps_test_folder_append("dead", "", 0);
    feed("x");
    feed("b");
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_int_equal(script.attempts, 3);
    assert_string_equal(script.delivered, "a");
    assert_non_null(ps_test_small_agent_sink(&agent)->offered);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(away, path), 0);
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_string_equal(script.delivered, "ab");
    assert_letters("x");
}

/* The source's batch is accepted when its letters are on disk, even when it has no other events. */
static void test_source_waits(void **state)
{
    char away[256], path[256];
    feed("ab");
    assert_int_equal(ps_test_letters.accepted, 2);
    assert_string_equal(script.delivered, "ab");
    snprintf(path, sizeof path, "%s", directory());
    snprintf(away, sizeof away, "%s", ps_test_folder_path("away"));
    assert_int_equal(rename(path, away), 0);
    ps_test_folder_append("dead", "", 0);
    feed("c!!d");
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_int_equal(ps_test_letters.accepted, 2);
    assert_string_equal(script.delivered, "ab");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(away, path), 0);
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_int_equal(ps_test_letters.accepted, 4);
    assert_string_equal(script.delivered, "abcd");
    assert_letters("!!");
}

/* A stop while the directory cannot be written: the log says how many letters are lost. */
static void test_stop_while_the_directory_fails(void **state)
{
    char path[256], wanted[320], text[4096];
    struct ps_err err = {.length = 0};
    feed("a");
    snprintf(path, sizeof path, "%s", directory());
    assert_int_equal(rename(path, ps_test_folder_path("away")), 0);
    ps_test_folder_append("dead", "", 0);
    feed("b!!c!");
    ps_log_set_level(PS_LOG_ERROR);
    assert_int_equal(ps_log_open(ps_test_folder_path("log"), &err), PS_OK);
    ps_test_small_agent_stop(&agent, false);
    assert_int_equal(ps_log_open(NULL, &err), PS_OK);
    ps_log_set_level(PS_LOG_OFF);
    FILE *log = fopen(ps_test_folder_path("log"), "r");
    assert_non_null(log);
    text[fread(text, 1, sizeof text - 1, log)] = '\0';
    fclose(log);
    snprintf(wanted, sizeof wanted, "3 dead letters were not written into %s\n", path);
    if (strstr(text, wanted) == NULL)
        fail_msg("the log has no \"%s\", but \"%s\"", wanted, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_attempts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settled_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_comes_right, setup, teardown),
        cmocka_unit_test_setup_teardown(test_given_up_in_a_row, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recalled_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directory_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_while_the_directory_fails, setup, ps_test_folder_teardown),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
