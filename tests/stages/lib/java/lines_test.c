/* Lines of the Java host in the agent's log, compared with a model: random lines, in pieces, with and without the mark of a component, as long as
 * the memory for one, and longer: then the rest is dropped, and the next line is whole again. */
#include "stages/lib/java/lines.h"

#include "core/log/log.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINES 60U

static uint64_t state;
static struct ps_java_lines lines;
static char wanted[LINES][64]; /* level, component and text; of a long line its beginning */
static unsigned wanted_count;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static void expect_line(const char *level, const char *component, const char *text)
{
    snprintf(wanted[wanted_count++], sizeof wanted[0], "%s %s: %s", level, component, text);
}

/* Appends a random line, and notes what the log says of it. */
static size_t line_draw(char *to, unsigned number)
{
    static const char *const levels[] = {"INFO", "WARN", "ERROR"};
    char text[32], component[16];
    snprintf(text, sizeof text, "text %u of %u", number, (unsigned)draw(1000));
    snprintf(component, sizeof component, "sink k%u", (unsigned)draw(9));
    const char *level = levels[draw(3)];
    switch (draw(10)) {
    case 0: /* a line of the JVM, with a blank and CR LF at its end */
        expect_line("INFO", "java", text);
        return (size_t)sprintf(to, "%s \r\n", text);
    case 1: /* a level that is not known */
        expect_line("INFO", component, text);
        return (size_t)sprintf(to, "\001LOUD\001%s\001%s\n", component, text);
    case 2: /* empty ones say nothing */
        return (size_t)sprintf(to, "%s", draw(2) == 0 ? "\n" : "  \r\n");
    case 3: { /* longer than the memory for one line, or as long */
        size_t length = PS_JAVA_LINE_BYTES_MAX - 2 + draw(5) + (draw(2) == 0 ? PS_JAVA_LINE_BYTES_MAX : 0);
        int head = sprintf(to, "long %u ", number);
        expect_line("INFO", "java", to);
        memset(to + head, 'x', length - (size_t)head);
        to[length] = '\n';
        return length + 1;
    }
    case 4: /* a byte that is no text */
        expect_line(level, component, "a b");
        return (size_t)sprintf(to, "\001%s\001%s\001a\tb\n", level, component);
    case 5: /* a line that a logger has chosen by a level of its own, below that of the log */
        expect_line("DEBUG", component, text);
        return (size_t)sprintf(to, "\001DEBUG!\001%s\001%s\n", component, text);
    case 6: /* one that nobody has chosen */
        return (size_t)sprintf(to, "\001DEBUG\001%s\001%s\n", component, text);
    case 7: /* no level of a line */
        expect_line("INFO", component, text);
        return (size_t)sprintf(to, "\001%s\001%s\001%s\n", draw(2) == 0 ? "OFF!" : "!", component, text);
    default:
        expect_line(level, component, text);
        return (size_t)sprintf(to, "\001%s\001%s\001%s\n", level, component, text);
    }
}

/* Asserts that the log has all lines, in order: "TIME LEVEL COMPONENT: TEXT". */
static void expect_log(void)
{
    ps_log_flush();
    FILE *log = fopen(ps_test_folder_path("log"), "r");
    static char line[4 * PS_JAVA_LINE_BYTES_MAX];
    assert_non_null(log);
    for (unsigned i = 0; i < wanted_count; i++) {
        assert_non_null(fgets(line, sizeof line, log));
        const char *at = strchr(line, ' ');
        assert_non_null(at);
        bool is_long = strstr(wanted[i], ": long ") != NULL;
        size_t length = strlen(wanted[i]);
        if (strncmp(at + 1, wanted[i], length) != 0 || (!is_long && at[1 + length] != '\n'))
            fail_msg("line %u: %.100s, not %s", i, at + 1, wanted[i]);
    }
    assert_null(fgets(line, sizeof line, log));
    fclose(log);
}

static void play(bool newline_at_end)
{
    static char bytes[LINES * 3 * PS_JAVA_LINE_BYTES_MAX];
    size_t length = 0;
    int ends[2];
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    assert_int_equal(ps_log_open(ps_test_folder_path("log"), NULL), PS_OK);
    wanted_count = 0;
    for (unsigned i = 0; i < LINES; i++)
        length += line_draw(bytes + length, i);
    if (!newline_at_end) {
        length += (size_t)sprintf(bytes + length, "last one");
        expect_line("INFO", "java", "last one");
    }
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    ps_java_lines_init(&lines);
    assert_int_equal(ps_java_lines_fd(&lines), -1);
    ps_java_lines_begin(&lines, ends[0]);
    for (size_t at = 0; at < length;) {
        size_t part = 1 + draw(draw(2) == 0 ? 20 : 12000);
        ssize_t put = write(ends[1], bytes + at, part < length - at ? part : length - at);
        assert_true(put > 0);
        at += (size_t)put;
        for (unsigned reads = 0; reads < 4; reads++) /* one read may not have room for all */
            ps_java_lines_read(&lines);
    }
    close(ends[1]);
    ps_java_lines_end(&lines);
    assert_int_equal(ps_java_lines_fd(&lines), -1);
    expect_log();
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
}

static void test_drawn(void **unused)
{
    for (unsigned round = 0; round < 30; round++)
        play(round % 2 == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn)};
    state = ps_test_seed() | 1;
    ps_log_unlimited();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
