/* Output of a run: JSON objects, one per line, without a terminal; a status line that is rewritten and cut to
 * the width on a terminal; colour only there and not with NO_COLOR. */
#include "tests/support/support.h"

#include "bench/support/live.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static char text[16384];

/* Opens a pseudo terminal with that many columns: returns one side as a stream; *other: the other. */
static FILE *terminal(unsigned short columns, int *other)
{
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    *other = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(*other >= 0);
    assert_int_equal(grantpt(*other), 0);
    assert_int_equal(unlockpt(*other), 0);
    int fd = open(ptsname(*other), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, TIOCSWINSZ, &size), 0);
    FILE *stream = fdopen(fd, "w");
    assert_non_null(stream);
    return stream;
}

/* Checks that the other side shows `expected` and nothing more so far. A terminal passes output on in pieces
 * at any time, so this waits for that many bytes. */
static void shows(int fd, const char *expected)
{
    size_t length = 0, wanted = strlen(expected);
    assert_true(wanted < sizeof text);
    while (length < wanted) {
        ssize_t got = read(fd, text + length, sizeof text - 1 - length);
        assert_true(got > 0);
        length += (size_t)got;
    }
    text[length] = '\0';
    assert_string_equal(text, expected);
}

static void test_text_has_no_status_line_without_a_terminal(void **state)
{
    struct ps_live live;
    FILE *file = tmpfile();
    assert_non_null(file);
    ps_live_init(&live, file, false, false);
    assert_true(!live.json && !live.colour);
    ps_live_status(&live, "not seen");
    ps_live_object(&live, json_pack("{s:s}", "type", "summary"), false); /* not written */
    ps_live_note(&live, "a note");
    ps_live_print(&live, "the %s\n", "end");
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_string_equal(text, "a note\nthe end\n");
    fclose(file);
}

static void test_objects_are_lines_when_asked_for(void **state)
{
    struct ps_live live;
    FILE *file = tmpfile();
    assert_non_null(file);
    ps_live_init(&live, file, true, false);
    assert_true(live.json && !live.colour);
    ps_live_status(&live, "not seen");
    ps_live_print(&live, "not seen\n");
    ps_live_object(&live, json_pack("{s:s,s:f}", "type", "progress", "t", 0.5), true);
    ps_live_object(&live, NULL, true);
    ps_live_object(&live, json_pack("{s:s}", "type", "summary"), false);
    ps_live_clear(&live);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_string_equal(text, "{\"type\":\"progress\",\"t\":0.5}\n{\"type\":\"summary\"}\n");
    assert_string_equal(ps_live_style(&live, PS_LIVE_BAD), "");
    fclose(file);
}

static void test_quiet_says_the_end_only(void **state)
{
    struct ps_live live;
    FILE *file = tmpfile();
    assert_non_null(file);
    ps_live_init(&live, file, true, true);
    ps_live_object(&live, json_pack("{s:s}", "type", "progress"), true);
    ps_live_object(&live, json_pack("{s:s}", "type", "summary"), false);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_string_equal(text, "{\"type\":\"summary\"}\n");
    fclose(file);
}

static void test_a_terminal_gets_one_line_rewritten(void **state)
{
    struct ps_live live;
    int other;
    FILE *stream = terminal(20, &other);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    ps_live_init(&live, stream, false, false);
    assert_true(!live.json && live.colour);
    assert_string_equal(ps_live_style(&live, PS_LIVE_BAD), "\033[31m");
    ps_live_object(&live, json_pack("{s:s}", "type", "progress"), true); /* not written */
    ps_live_status(&live, "short");
    shows(other, "\r\033[Kshort\033[0m");
    /* 19 columns: colours take none, \xc2\xb5 takes one. */
    ps_live_status(&live, "\033[31m0123456789\033[0m \xc2\xb5s 456789 cut");
    shows(other, "\r\033[K\033[31m0123456789\033[0m \xc2\xb5s 45678\033[0m");
    ps_live_note(&live, "stays");
    shows(other, "\r\033[Kstays\r\n");
    ps_live_print(&live, "%s\n", "the end");
    shows(other, "the end\r\n");
    fclose(stream);
    close(other);
}

static void test_colour_can_be_refused(void **state)
{
    struct ps_live live;
    int other;
    FILE *stream = terminal(80, &other);
    setenv("TERM", "xterm", 1);
    setenv("NO_COLOR", "1", 1);
    ps_live_init(&live, stream, false, false);
    assert_true(!live.json && !live.colour);
    setenv("NO_COLOR", "", 1); /* empty: as if it were not set */
    ps_live_init(&live, stream, false, false);
    assert_true(live.colour);
    ps_live_init(&live, stream, true, false); /* --json on a terminal */
    assert_true(live.json && !live.colour);
    setenv("TERM", "dumb", 1);
    ps_live_init(&live, stream, false, false);
    assert_true(!live.json && !live.colour && !live.moves);
    fclose(stream);
    close(other);
}

static void test_percentiles_are_named(void **state)
{
    static struct ps_histogram histogram;
    static const double percentiles[] = {50, 99.9};
    ps_histogram_record(&histogram, 100, 999);
    ps_histogram_record(&histogram, 1000000, 1);
    json_t *object = ps_live_percentiles(&histogram, percentiles, 2);
    char *dump = json_dumps(object, JSON_COMPACT);
    assert_string_equal(dump, "{\"p50\":100,\"p99.9\":100,\"max\":1000000}");
    free(dump);
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_has_no_status_line_without_a_terminal),
        cmocka_unit_test(test_objects_are_lines_when_asked_for),
        cmocka_unit_test(test_quiet_says_the_end_only),
        cmocka_unit_test(test_a_terminal_gets_one_line_rewritten),
        cmocka_unit_test(test_colour_can_be_refused),
        cmocka_unit_test(test_percentiles_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
