/* Recognizing commands that follow files, and the lines for taildir that are suggested for them. */
#include "stages/lib/process/tail_command.h"
#include "tests/support/arena.h"
#include "tests/support/support.h"

#include <string.h>

static bool parse_by(bool shell, const char *line, struct ps_tail_command *command)
{
    const char *words[32] = {NULL};
    char *save = NULL;
    size_t count = 0;
    for (char *word = strtok_r(ps_arena_text(ps_test_arena(), line), " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save))
        words[count++] = word;
    return ps_tail_command_parse(ps_test_arena(), words, shell, command);
}

static bool parse(const char *line, struct ps_tail_command *command)
{
    return parse_by(false, line, command);
}

static void test_follows(void **unused)
{
    static const struct {
        const char *line;
        bool from_start;
    } cases[] = {
        {"tail -F /var/log/app.log", false},
        {"tail -f /var/log/app.log", false},
        {"/usr/bin/tail -F /var/log/app.log", false},
        {"tail -n 0 -F /var/log/app.log", false},
        {"tail -n0 -F /var/log/app.log", false},
        {"tail -n +1 -F /var/log/app.log", true},
        {"tail -n +0 -F /var/log/app.log", true},
        {"tail -c +1 -f /var/log/app.log", true},
        {"tail -F -n +1 /var/log/app.log", true},
        {"tail -Fn+1 /var/log/app.log", true},
        {"tail -fn 20 /var/log/app.log", false},
        {"tail -10f /var/log/app.log", false},
        {"tail -qF /var/log/app.log", false},
        {"tail -F /var/log/app.log -n 0", false},
        {"tail -F -s 0.1 /var/log/app.log", false},
        {"tail -F -- /var/log/app.log", false},
        {"tail --follow=name --retry --lines=0 /var/log/app.log", false},
        {"tail --follow --lines +1 /var/log/app.log", true},
        {"tail --follow=descriptor --bytes=+1 --quiet --sleep-interval=2 /var/log/app.log", true},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_tail_command command = {0};
        if (!parse(cases[i].line, &command))
            fail_msg("not recognized: %s", cases[i].line);
        assert_string_equal(command.files[0].path, "/var/log/app.log");
        assert_int_equal(command.count, 1);
        assert_false(command.sudo || command.titles);
        assert_string_equal(command.files[0].pattern, "/var/log/app[.]log");
        if (command.from_start != cases[i].from_start)
            fail_msg("from_start is %d: %s", command.from_start, cases[i].line);
    }
}

static void test_others(void **unused)
{
    static const char *const lines[] = {
        "",
        "tail",
        "tail -F",
        "tail /var/log/app.log",
        "tail -n 5 /var/log/app.log",
        "tail -n 5 -F",
        "tail -F /var/log/a.log b.log",
        "sudo",
        "sudo -F /var/log/app.log",
        "sudo -i tail -F /var/log/app.log",
        "sudo - tail -F /var/log/app.log",
        "sudo -u",
        "sudo sudo tail -F /var/log/app.log",
        "tail -F /1 /2 /3 /4 /5",
        "tail -n +5 -F /var/log/app.log",
        "tail --lines=+5 -F /var/log/app.log",
        "tail -F /var/log/app.log -n",
        "tail -F /var/log/app.log --lines",
        "tail -F /var/log/app.log -s",
        "tail -v -F /var/log/app.log",
        "tail -z -F /var/log/app.log",
        "tail --pid=1 -F /var/log/app.log",
        "tail --follow=all /var/log/app.log",
        "tail --linesome -F /var/log/app.log",
        "tail -F app.log",
        "tail -F -",
        "tail -F /var/log/",
        "tail -F /",
        "tail -F /dev/null",
        "tail -F /proc/kmsg",
        "tail -F /var/log/*.log",
        "tail -F \"/var/log/app.log\"",
        "tail -F $HOME/app.log",
        "tail -F /var/log/app.log | grep x",
        "tail -F /var/log/app.log;",
        "tail -F /var/log/a\\b",
        "tail -F /var/log/\xc3\xa9",
        "tailf /var/log/app.log",
        "retail -F /var/log/app.log",
        "cat -F /var/log/app.log",
        "grep tail -F /var/log/app.log",
    };
    for (size_t i = 0; i < PS_COUNT_OF(lines); i++) {
        struct ps_tail_command command;
        if (parse(lines[i], &command))
            fail_msg("recognized: %s", lines[i]);
    }
}

/* The directory of a pattern is not an expression. */
static void test_pattern(void **unused)
{
    struct ps_tail_command command = {0};
    assert_true(parse("tail -F /srv/c++.d/g++.a_b-c,d:e@f%g=h", &command));
    assert_string_equal(command.files[0].pattern, "/srv/c++.d/g[+][+][.]a_b-c,d:e@f%g=h");
    assert_true(parse("tail -F /messages", &command));
    assert_string_equal(command.files[0].pattern, "/messages");
}

static void test_several_files(void **unused)
{
    struct ps_tail_command command = {0};
    assert_true(parse("tail -F /var/log/a.log /b", &command));
    assert_int_equal(command.count, 2);
    assert_string_equal(command.files[0].pattern, "/var/log/a[.]log");
    assert_string_equal(command.files[1].pattern, "/b");
    assert_true(command.titles);
    assert_true(parse("tail -q -n +1 -F /a /b /c", &command));
    assert_int_equal(command.count, 3);
    assert_true(!command.titles && command.from_start);
    assert_true(parse("tail -F /a /b /c /d", &command));
    assert_int_equal(command.count, PS_TAIL_COMMAND_FILES_MAX);
    assert_false(parse("tail -F /a /b /c /d /e", &command));
}

static void test_sudo(void **unused)
{
    static const char *const lines[] = {"sudo tail -F /a", "/usr/bin/sudo -n tail -F /a",
                                        "sudo -nE -u root /usr/bin/tail -F /a"};
    for (size_t i = 0; i < PS_COUNT_OF(lines); i++) {
        struct ps_tail_command command = {0};
        if (!parse(lines[i], &command) || !command.sudo)
            fail_msg("not recognized: %s", lines[i]);
        assert_string_equal(command.files[0].path, "/a");
    }
}

/* A shell removes quotes; without one, tail gets them. */
static void test_quotes(void **unused)
{
    struct ps_tail_command command = {0};
    assert_true(parse_by(true, "tail -F \"/var/log/a.log\" '/b'", &command));
    assert_string_equal(command.files[0].path, "/var/log/a.log");
    assert_string_equal(command.files[1].path, "/b");
    assert_false(parse_by(false, "tail -F \"/var/log/a.log\"", &command));
    assert_false(parse_by(true, "tail -F \"/var/log/a.log'", &command));
    assert_false(parse_by(true, "tail -F \"$HOME/a.log\"", &command));
    assert_false(parse_by(true, "tail -F '/var/my log'", &command));
    assert_false(parse_by(true, "tail -F /var/log/a\"b\"", &command));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows),       cmocka_unit_test(test_others), cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_several_files), cmocka_unit_test(test_sudo),   cmocka_unit_test(test_quotes),
    };
    return cmocka_run_group_tests(tests, ps_test_arena_setup, ps_test_arena_teardown);
}
