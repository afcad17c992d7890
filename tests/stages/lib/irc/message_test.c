/* Messages of IRC as servers send them (RFC 1459, RFC 2812). */
#include "stages/lib/irc/message.h"
#include "tests/support/support.h"

static struct ps_irc_message message;

static bool read_line(const char *line)
{
    return ps_irc_message_read(line, strlen(line), &message);
}

static void expect(struct ps_slice slice, const char *text)
{
    assert_int_equal(slice.length, strlen(text));
    assert_memory_equal(slice.data, text, slice.length);
}

static void test_messages(void **unused)
{
    assert_true(read_line(":irc.example.net 001 flume :Welcome to the network"));
    expect(message.nick, "irc.example.net");
    assert_int_equal(message.number, 1);
    assert_int_equal(message.count, 2);
    expect(message.parameters[0], "flume");
    expect(ps_irc_last_parameter(&message), "Welcome to the network");
    assert_true(read_line(":flume!~f@host.example JOIN #logs"));
    expect(message.nick, "flume");
    assert_true(ps_irc_is_command(&message, "join"));
    assert_int_equal(message.number, 0);
    assert_true(read_line("PING  :a b"));
    expect(message.nick, "");
    expect(ps_irc_last_parameter(&message), "a b");
    assert_true(read_line("KICK #logs flume :"));
    assert_int_equal(message.count, 3);
    expect(ps_irc_last_parameter(&message), "");
    assert_true(read_line("PONG"));
    expect(ps_irc_last_parameter(&message), "");
    assert_true(read_line("x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"));
    assert_int_equal(message.count, PS_IRC_PARAMETERS_MAX);
    expect(ps_irc_last_parameter(&message), "15 16");
    assert_false(read_line(""));
    assert_false(read_line(":only.a.prefix"));
    assert_false(read_line(":"));
}

static void test_names(void **unused)
{
    assert_true(ps_irc_same_name((struct ps_slice){"Flume[A]\\~", 10}, "flume{a}|^"));
    assert_false(ps_irc_same_name((struct ps_slice){"flume", 5}, "flume_"));
    assert_false(ps_irc_same_name((struct ps_slice){"flumf", 5}, "flume"));
    assert_false(ps_irc_same_name((struct ps_slice){"flum\0", 5}, "flume"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_messages), cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
