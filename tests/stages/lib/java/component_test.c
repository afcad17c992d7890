/* A component of a Java host whose message is not sent: the pipe is full, it is broken, or the host's run has ended. Each message that a component
 * sends meets each of them. */
#include "stages/lib/java/component.h"

#include "stages/lib/java/host_internal.h"
#include "stages/lib/java/launch.h"
#include "tests/support/java/bare.h"
#include "tests/support/support.h"

#include <signal.h>
#include <unistd.h>

static struct ps_java_class class = {.kind = PS_JAVA_SINK, .name = "org.example.Sink", .agent = "a1"};
static struct ps_port port = {.component = "sink k1", .name = "k1", .wake_fd = -1};
static struct ps_java_component component;
static struct ps_java_message message;

static struct ps_java_host *no_host(void *argument, struct ps_err *err)
{
    fail_msg("there is no host");
    return NULL;
}

static int set_up(void **state)
{
    struct ps_err err = {.length = 0};
    java_bare_begin();
    class.host = ps_java_host_hold(no_host, NULL, &err);
    class.starts = ps_java_starts_create();
    component = (struct ps_java_component){.state = PS_JAVA_WAITS};
    ps_java_component_open(&component, &class, &port);
    return 0;
}

static int tear_down(void **state)
{
    ps_java_component_close(&component);
    if (java_bare_runs())
        java_bare_end();
    ps_java_class_teardown(&class);
    return 0;
}

/* Writing to the pipe gives an error from here on, although the run has not ended. */
static void break_pipe(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_not_equal(dup2(ends[1], 1000), -1);
    close(ends[1]);
    class.host->out = 1000;
}

/* Asserts that these messages have been sent since the last call, and no other. */
static void expect_sent(unsigned count, enum ps_java_message_type type)
{
    for (unsigned i = 0; i < count; i++) {
        assert_true(java_bare_take(&message));
        assert_int_equal(message.type, type);
    }
    assert_false(java_bare_take(&message));
}

static void configure(void)
{
    assert_int_equal(ps_java_component_next(&component), PS_JAVA_NOTHING);
    assert_int_equal(component.state, PS_JAVA_CONFIGURED);
    expect_sent(1, PS_JAVA_CONFIGURE);
}

static void run(void)
{
    configure();
    assert_true(java_bare_send(PS_JAVA_READY, NULL, 0, NULL));
    assert_int_equal(ps_java_component_next(&component), PS_JAVA_STARTED);
    assert_int_equal(component.state, PS_JAVA_RUNS);
}

/* ---- the properties ---- */

static void test_configured_when_there_is_room(void **state)
{
    java_bare_block(true);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(ps_java_component_next(&component), PS_JAVA_NOTHING);
        assert_int_equal(component.state, PS_JAVA_WAITS);
        assert_null(component.link.host);
        assert_null(component.properties.memory);
    }
    java_bare_block(false);
    configure();
}

static void test_not_configured_through_a_broken_pipe(void **state)
{
    break_pipe();
    assert_int_equal(ps_java_component_next(&component), PS_JAVA_ENDED);
    assert_int_equal(component.state, PS_JAVA_OVER);
    assert_true(component.reason.length > 0);
    close(1000);
}

/* ---- other messages ---- */

static void test_sent_when_there_is_room(void **state)
{
    run();
    java_bare_block(true);
    for (unsigned i = 0; i < 3; i++)
        assert_false(ps_java_component_send(&component, PS_JAVA_DROP, NULL, 0, NULL));
    java_bare_block(false);
    expect_sent(0, PS_JAVA_DROP);
    assert_true(ps_java_component_send(&component, PS_JAVA_DROP, NULL, 0, NULL));
    expect_sent(1, PS_JAVA_DROP);
    assert_int_equal(ps_java_component_next(&component), PS_JAVA_NOTHING);
}

static void test_not_sent_to_an_ended_run(void **state)
{
    run();
    java_bare_end();
    assert_false(ps_java_component_send(&component, PS_JAVA_DROP, NULL, 0, NULL));
    assert_int_equal(component.state, PS_JAVA_RUNS); /* messages may have come before */
    assert_int_equal(ps_java_component_next(&component), PS_JAVA_ENDED);
    assert_non_null(strstr(component.reason.text, "the Java host has ended"));
}

/* ---- the stop ---- */

/* It is sent once, also if the pipe is full at first; the class has stopped when it says so. */
static void test_stopped_when_there_is_room(void **state)
{
    for (unsigned runs = 0; runs < 2; runs++) {
        if (runs == 0)
            configure();
        else
            run();
        enum ps_java_component_state before = component.state;
        java_bare_block(true);
        for (unsigned i = 0; i < 3; i++) {
            assert_false(ps_java_component_stop(&component));
            assert_int_equal(component.state, before);
        }
        java_bare_block(false);
        expect_sent(0, PS_JAVA_STOP);
        for (unsigned i = 0; i < 3; i++) {
            assert_false(ps_java_component_stop(&component));
            assert_int_equal(component.state, PS_JAVA_STOPS);
        }
        expect_sent(1, PS_JAVA_STOP);
        assert_true(java_bare_send(PS_JAVA_STOPPED, NULL, 0, NULL));
        assert_int_equal(ps_java_component_next(&component), PS_JAVA_ENDED);
        assert_true(ps_java_component_stop(&component));
        assert_int_equal(component.reason.length, 0);
        ps_java_component_close(&component);
        expect_sent(0, PS_JAVA_STOP);
        ps_java_component_open(&component, &class, &port);
    }
}

/* The host may still run, and stop the class: that is waited for. */
static void test_stop_through_a_broken_pipe(void **state)
{
    run();
    break_pipe();
    assert_false(ps_java_component_stop(&component));
    assert_int_equal(component.state, PS_JAVA_STOPS);
    java_bare_end();
    close(1000);
    assert_int_equal(ps_java_component_next(&component), PS_JAVA_ENDED);
    assert_true(ps_java_component_stop(&component));
}

static void test_stop_of_an_ended_run(void **state)
{
    run();
    java_bare_end();
    assert_true(ps_java_component_stop(&component));
    assert_int_equal(component.state, PS_JAVA_OVER);
}

static void test_stop_of_what_was_never_configured(void **state)
{
    assert_true(ps_java_component_stop(&component));
    assert_int_equal(ps_java_component_next(&component), PS_JAVA_ENDED);
    expect_sent(0, PS_JAVA_STOP);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_configured_when_there_is_room), TEST(test_not_configured_through_a_broken_pipe),
        TEST(test_sent_when_there_is_room),       TEST(test_not_sent_to_an_ended_run),
        TEST(test_stopped_when_there_is_room),    TEST(test_stop_through_a_broken_pipe),
        TEST(test_stop_of_an_ended_run),          TEST(test_stop_of_what_was_never_configured),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
