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

/* `text` with the first `from` replaced by `to`; `from` NULL: unchanged. */
static struct ps_conf *conf_of(const char *text, const char *from, const char *to)
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
    assert_int_equal(ps_conf_load_text(&command, fake_table(), "x", changed, strlen(changed), &conf), PS_OK);
    ps_command_fini(&command);
    return conf;
}

/* Expects that the change of `before` refuses a reload with this text, or, NULL, that it does not. */
static void expect(const char *before, const char *from, const char *to, const char *what)
{
    size_t count;
    struct ps_conf *running = conf_of(before, NULL, NULL), *fresh = conf_of(before, from, to);
    struct ps_agent_spec *old = ps_conf_take_spec(running);
    const struct ps_problem *mistake = ps_conf_mistake(running, old, fresh, &count);
    if (what == NULL && mistake != NULL)
        fail_msg("%s -> %s: %s", from, to, mistake->what);
    if (what != NULL && (mistake == NULL || strstr(mistake->what, what) == NULL))
        fail_msg("%s -> %s: %s instead of %s", from, to, mistake != NULL ? mistake->what : "nothing", what);
    assert_int_equal(count > 0, what != NULL);
    ps_conf_destroy(fresh);
    ps_conf_destroy(running);
    ps_arena_destroy(old->arena);
}

static void mistakes_refuse(void **state)
{
    (void)state;
    expect(good, "r2.type = seq", "r2.type = sek", "Flume has no source `sek`");
    expect(good, "r1.channels = c1 c2", "r1.channels = c1 c3", "channel \"c3\" is not declared");
    expect(good, "capacity = 500", "capacity = 5OO", "\"5OO\" is not a whole number");
    expect(good, "a1.sinks = k1 k2", "a1.sinks = k1,k2", "is listed, but has no keys");
    expect(good, "a1.sinks = k1 k2\n", "", "is configured, but not listed");
    expect(good, "c2.type = memory", "c2.type = memori",
           "Flume has no channel `memori`"); /* the cause first */
}

static void changes_on_purpose_do_not(void **state)
{
    (void)state;
    expect(good, "capacity = 500", "capacity = 600", NULL);
    expect(good, "a1.sources = r1 r2", "a1.sources = r1", NULL);
    expect(good, "a1.sinks = k1 k2", "a1.sinks = k1", NULL); /* c2 keeps what is in it */
    expect(good, "k1.type = null", "k1.type = null\na1.sinks.k1.typo = 1", NULL);
}

/* The agent was started with k9 missing. */
static void mistakes_of_the_start_stay(void **state)
{
    (void)state;
    char text[1024];
    snprintf(text, sizeof text, "%sa1.sinks.k9.type = nul\na1.sinks.k9.channel = c2\n", good);
    char *list = strstr(text, "k1 k2");
    memmove(list + 8, list + 5, strlen(list + 5) + 1);
    memcpy(list, "k1 k2 k9", 8);
    expect(text, "capacity = 500", "# another line\na1.channels.c2.capacity = 600", NULL);
    expect(text, "k9.type = nul", "k9.type = nil", "Flume has no sink `nil`");
    expect(text, "k1 k2 k9", "k1 k9", "Flume has no sink `nul`"); /* now c2 has no sink */
    expect(text, "k1 k2 k9", "k1", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_refuse),
        cmocka_unit_test(changes_on_purpose_do_not),
        cmocka_unit_test(mistakes_of_the_start_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
