/* Which changes of a file refuse a reload: mistakes that the running configuration does not have, and those
 * that leave a channel without its last source or sink. */
#include "tests/support/support.h"

#include "conf/mistake.h"
#include "tests/conf/fake_stages.h"

#include <stdio.h>

static const char good[] = "a1.sources = r1 r2\n"
                           "a1.channels = c1 c2\n"
                           "a1.sinks = k1 k2\n"
                           "a1.sources.r1.type = seq\n"
                           "a1.sources.r1.channels = c1 c2\n"
                           "a1.sources.r2.type = seq\n"
                           "a1.sources.r2.channels = c2\n"
                           "a1.channels.c1.type = memory\n"
                           "a1.channels.c2.type = memory\n"
                           "a1.channels.c2.capacity = 500\n"
                           "a1.sinks.k1.type = null\n"
                           "a1.sinks.k1.channel = c1\n"
                           "a1.sinks.k2.type = null\n"
                           "a1.sinks.k2.channel = c2\n";

/* `text` with the first `from` replaced by `to`; `from` NULL: unchanged. `wanted` NULL: it may load or not. */
static struct ps_conf *conf_load(const char *text, const char *from, const char *to,
                                 const enum ps_status *wanted)
{
    struct ps_command command;
    struct ps_conf *conf;
    struct ps_err err;
    char *argv[] = {(char *)(uintptr_t) "agent", (char *)(uintptr_t) "-n", (char *)(uintptr_t) "a1",
                    (char *)(uintptr_t) "-f", (char *)(uintptr_t) "x"};
    assert_int_equal(ps_command_parse(&command, (int)PS_COUNT_OF(argv), argv, &err), PS_OK);
    const char *found = from != NULL ? strstr(text, from) : text + strlen(text);
    assert_non_null(found);
    const char *changed = ps_arena_format(command.arena, "%.*s%s%s", (int)(found - text), text,
                                          from != NULL ? to : "", from != NULL ? found + strlen(from) : "");
    enum ps_status got = ps_conf_load_text(&command, fake_table(), "x", changed, strlen(changed), &conf);
    if (wanted != NULL && got != *wanted)
        fail_msg("%s -> %s: the load should %s", from, to, *wanted == PS_OK ? "succeed" : "fail");
    ps_command_fini(&command);
    return conf;
}

static struct ps_conf *conf_of(const char *text, const char *from, const char *to)
{
    return conf_load(text, from, to, &(enum ps_status){PS_OK});
}

/* Expects that the change of `before` refuses a reload with this text, or, NULL, that it does not. */
static void expect(const char *before, const char *from, const char *to, const char *what)
{
    size_t count;
    struct ps_conf *running = conf_of(before, NULL, NULL), *fresh = conf_load(before, from, to, NULL);
    struct ps_agent_spec *old = ps_conf_take_spec(running);
    const struct ps_problem *mistake = fresh->problems.errors > 0
                                           ? ps_conf_refusal(fresh, &count) /* no start would do it either */
                                           : ps_conf_mistake(running, old, fresh, &count);
    if (what == NULL && mistake != NULL)
        fail_msg("%s -> %s: %s", from, to, mistake->what);
    if (what != NULL && (mistake == NULL || strstr(mistake->what, what) == NULL))
        fail_msg("%s -> %s: %s instead of %s", from, to, mistake != NULL ? mistake->what : "nothing", what);
    assert_int_equal(count > 0, what != NULL);
    ps_conf_destroy(fresh);
    ps_conf_destroy(running);
    ps_arena_destroy(old->arena);
}

static void test_mistakes_refuse(void **state)
{
    expect(good, "r2.type = seq", "r2.type = sek", "Flume has no source `sek`");
    expect(good, "r1.channels = c1 c2", "r1.channels = c1 c3", "channel \"c3\" is not declared");
    expect(good, "capacity = 500", "capacity = 5OO", "\"5OO\" is not a whole number");
    expect(good, "a1.sinks = k1 k2", "a1.sinks = k1,k2", "is listed, but has no keys");
    expect(good, "a1.sinks = k1 k2\n", "", "is configured, but not listed");
    expect(good, "c2.type = memory", "c2.type = memori",
           "Flume has no channel `memori`"); /* the cause first */
}

/* A component that is still listed leaves a channel without its last sink or source. */
static void test_components_that_move_refuse(void **state)
{
    expect(good, "k1.channel = c1", "k1.channel = c2",
           "channel c1 has sources, and loses its last sink: sink k1 now takes from c2 instead");
    expect(good, "r1.channels = c1 c2", "r1.channels = c2",
           "channel c1 has sinks, and loses its last source: source r1 no longer puts events into it");
}

/* Three of four sinks take from one channel. A reload that moves all three is refused, because the channel loses its
 * last sink; one that moves fewer is not. The fourth sink may be anywhere in the list. */
static void test_the_last_of_several_refuses(void **state)
{
    static const char agent[] = "a1.sources = r1\n"
                                "a1.channels = c1 c2\n"
                                "a1.sinks = k1 k2 k3 k4\n"
                                "a1.sources.r1.type = seq\n"
                                "a1.sources.r1.channels = c1 c2\n"
                                "a1.channels.c1.type = memory\n"
                                "a1.channels.c2.type = memory\n"
                                "a1.sinks.k1.type = null\n"
                                "a1.sinks.k2.type = null\n"
                                "a1.sinks.k3.type = null\n"
                                "a1.sinks.k4.type = null\n"
                                "%sa1.sinks.k%d.channel = %s\n";
    for (int other = 1; other <= 4; other++) { /* this one takes from c2, and the others from c1 */
        char before[1024], links[256] = "", fresh[64], old[64];
        for (int i = 1; i <= 4; i++) {
            if (i != other)
                snprintf(links + strlen(links), sizeof links - strlen(links), "a1.sinks.k%d.channel = c1\n",
                         i);
        }
        snprintf(before, sizeof before, agent, links, other, "c2");
        snprintf(fresh, sizeof fresh, "k%d.channel = c1", other);
        snprintf(old, sizeof old, "k%d.channel = c2", other);
        expect(before, old, fresh, "channel c2 has sources, and loses its last sink");
        for (int i = 1; i <= 4; i++) { /* one of three moves */
            char from[64], to[64];
            snprintf(from, sizeof from, "k%d.channel = c1", i);
            snprintf(to, sizeof to, "k%d.channel = c2", i);
            if (i != other)
                expect(before, from, to, NULL);
        }
        char all[1024];
        snprintf(all, sizeof all, "%s", before);
        for (char *at = all; (at = strstr(at, "channel = c1")) != NULL;) /* all three move */
            memcpy(at, "channel = c2", 12);
        expect(before, before, all, "channel c1 has sources, and loses its last sink");
    }
}

static void test_moves_that_cut_no_channel_do_not(void **state)
{
    expect(good, "r2.channels = c2", "r2.channels = c1", NULL); /* r1 puts into c2 */
    expect(good, "c1\na1.sinks.k2.type = null\na1.sinks.k2.channel = c2",
           "c2\na1.sinks.k2.type = null\na1.sinks.k2.channel = c1", NULL); /* exchanged */
    expect(good, "a1.sinks = k1 k2", "a1.sinks = k2", NULL);               /* removed on purpose */
    /* c1 has nothing left on either side: it is out of use */
    expect("a1.sources = r1\na1.channels = c1 c2\na1.sinks = k1\na1.sources.r1.type = seq\n"
           "a1.sources.r1.channels = c1\na1.channels.c1.type = memory\na1.channels.c2.type = memory\n"
           "a1.sinks.k1.type = null\na1.sinks.k1.channel = c1\n",
           "r1.channels = c1\na1.channels.c1.type = memory\na1.channels.c2.type = memory\n"
           "a1.sinks.k1.type = null\na1.sinks.k1.channel = c1",
           "r1.channels = c2\na1.channels.c1.type = memory\na1.channels.c2.type = memory\n"
           "a1.sinks.k1.type = null\na1.sinks.k1.channel = c2",
           NULL);
}

static void test_changes_on_purpose_do_not(void **state)
{
    expect(good, "capacity = 500", "capacity = 600", NULL);
    expect(good, "a1.sources = r1 r2", "a1.sources = r1", NULL);
    expect(good, "a1.sinks = k1 k2", "a1.sinks = k1", NULL); /* c2 keeps what is in it */
    expect(good, "k1.type = null", "k1.type = null\na1.sinks.k1.typo = 1", NULL);
}

/* The agent was started with k9 missing. */
static void test_mistakes_of_the_start_stay(void **state)
{
    char text[1024];
    snprintf(text, sizeof text, "%sa1.sinks.k9.type = nul\na1.sinks.k9.channel = c2\n", good);
    char *list = strstr(text, "k1 k2");
    memmove(list + 8, list + 5, strlen(list + 5) + 1);
    memcpy(list, "k1 k2 k9", 8);
    expect(text, "capacity = 500", "# another line\na1.channels.c2.capacity = 600", NULL);
    expect(text, "k9.type = nul", "k9.type = nil", "Flume has no sink `nil`");
    expect(text, "k1 k2 k9", "k1 k9", "Flume has no sink `nul`"); /* now c2 has no sink */
    expect(text, "k1 k2 k9", "k2 k9",
           "Flume has no sink `nul`"); /* now c1 has none: not the last of the list */
    expect(text, "k1 k2 k9", "k1", NULL);
    expect(text, "k1.channel = c1", "k1.channel = c2", "loses its last sink"); /* no mistake of the start */
    /* the same mistake, of another component */
    expect(text, "k2.type = null\na1.sinks.k2.channel = c2\na1.sinks.k9.type = nul\n",
           "k2.type = nul\na1.sinks.k2.channel = c2\na1.sinks.k9.type = null\n", "Flume has no sink `nul`");
}

static const char small[] = "a1.sources = r1\n"
                            "a1.channels = c1\n"
                            "a1.sinks = k1\n"
                            "a1.sources.r1.type = seq\n"
                            "a1.sources.r1.channels = c1\n"
                            "a1.sinks.k1.type = null\n"
                            "a1.sinks.k1.channel = c1\n"
                            "a1.channels.c1.type = memory\n"
                            "a1.channels.c1.capacity = 500\n";

/* Expects that the change of `before` leaves nothing that could run, and that this is the problem to say first. */
static void expect_refusal(const char *before, const char *from, const char *to, const char *what,
                           size_t causes)
{
    size_t count;
    struct ps_conf *fresh = conf_load(before, from, to, &(enum ps_status){PS_FAIL});
    struct ps_arena *arena = ps_arena_create();
    const char *text = ps_problem_text(arena, ps_conf_refusal(fresh, &count));
    if (strstr(text, what) == NULL)
        fail_msg("%s -> %s: %s instead of %s", from, to, text, what);
    assert_int_equal(count, causes);
    ps_arena_destroy(arena);
    ps_conf_destroy(fresh);
}

static void test_a_refusal_says_its_cause(void **state)
{
    expect_refusal(small, "capacity = 500", "capacity = 5",
                   "x:8: dropped: a1.channels.c1.transactionCapacity: is above capacity", 1);
    expect_refusal(small, "capacity = 500", "transactionCapacity = 5OO",
                   "x:9: dropped: a1.channels.c1.transactionCapacity: \"5OO\" is not a whole number", 1);
    expect_refusal(small, "c1.type = memory", "c1.type = memori",
                   "x:8: dropped: a1.channels.c1.type: Flume has no channel `memori`", 1);
    expect_refusal(small, "a1.channels = c1", "a1.channels = c1,",
                   "x:2: dropped: a1.channels: channel \"c1,\"", 1);
    /* the mistake of a source does not explain why the channel is missing */
    expect_refusal(small, "seq\na1.sources.r1.channels = c1",
                   "sek\na1.sources.r1.channels = c1\na1.channels.c1.transactionCapacity = x",
                   "x:6: dropped: a1.channels.c1.transactionCapacity: \"x\"", 1);
    expect_refusal(small, "a1.channels = c1\n", "", "x: error: a1: the agent has no list of channels; add",
                   1);
}

static void test_nothing_left_has_a_cause_or_a_cure(void **state)
{
    expect_refusal(small, "seq\na1.sources.r1.channels = c1\na1.sinks.k1.type = null",
                   "sek\na1.sources.r1.channels = c1\na1.sinks.k1.type = nul",
                   "x:4: dropped: a1.sources.r1.type: Flume has no source `sek`", 2);
    /* nor does a warning, unless nothing was dropped */
    expect_refusal(small, "capacity = 500\n",
                   "capacity = 5OO\na1.channels.c2.type = memory\na1.sources.r1.type = sek\n"
                   "a1.sinks.k1.type = nul\n",
                   "x:11: dropped: a1.sources.r1.type: Flume has no source `sek`", 2);
    expect_refusal(small, "a1.sources = r1\na1.channels = c1\na1.sinks = k1", "a1.channels = c1",
                   "x:2: warning: a1.sources.r1: source r1 is configured, but not listed", 2);
    expect_refusal("a1.channels = c1\na1.channels.c1.type = memory\n", NULL, NULL,
                   "error: a1: the agent has neither a source nor a sink left; name some in a1.sources", 1);
}

/* More warnings than a configuration keeps, and then the error. */
static void test_an_error_is_kept_behind_many_warnings(void **state)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_problems problems;
    ps_problems_init(&problems, arena);
    for (size_t i = 0; i < PS_PROBLEM_MAX + 5; i++)
        ps_problem_add(&problems, PS_SEVERITY_WARNING, (struct ps_place){"x", 1, "key"}, NULL, "unknown");
    ps_problem_add(&problems, PS_SEVERITY_ERROR, (struct ps_place){"x", 2, "key"}, NULL, "wrong");
    ps_problem_add(&problems, PS_SEVERITY_ERROR, (struct ps_place){"x", 3, "key"}, NULL, "wrong, too");
    assert_int_equal(problems.count, PS_PROBLEM_MAX + 1);
    assert_string_equal(problems.items[PS_PROBLEM_MAX].what, "wrong");
    assert_int_equal(problems.held_back, 6);
    ps_problems_fini(&problems);
    ps_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_refuse),
        cmocka_unit_test(test_components_that_move_refuse),
        cmocka_unit_test(test_the_last_of_several_refuses),
        cmocka_unit_test(test_moves_that_cut_no_channel_do_not),
        cmocka_unit_test(test_changes_on_purpose_do_not),
        cmocka_unit_test(test_mistakes_of_the_start_stay),
        cmocka_unit_test(test_a_refusal_says_its_cause),
        cmocka_unit_test(test_nothing_left_has_a_cause_or_a_cure),
        cmocka_unit_test(test_an_error_is_kept_behind_many_warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
