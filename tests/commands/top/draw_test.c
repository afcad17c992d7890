/* Columns of `penstock top`: names that fill them exactly, are longer, or have characters of several bytes. */
#include "commands/top/top.h"
#include "tests/support/support.h"

#include <stdlib.h>

/* Returns the line of the screen that has a sink of this name, from the name on. Owns: the caller. */
static char *line_of(const char *name)
{
    char *screen = NULL;
    size_t length;
    struct top_sink sink = {.name = name, .type = "null", .up = true};
    struct top_view view = {
        .agent = "a1", .version = "1", .sinks = &sink, .sink_count = 1, .not_ready = "", .ready = true};
    FILE *memory = open_memstream(&screen, &length);
    assert_non_null(memory);
    ps_top_draw(memory, &view, "http://h:1", "10:00:00", false);
    fclose(memory);
    char *line = strstr(screen, "n\303\251");
    if (line == NULL)
        fail_msg("no line of %s:\n%s", name, screen);
    line = strndup(line, strcspn(line, "\n"));
    free(screen);
    return line;
}

static void test_names(void **state)
{
    static const struct {
        const char *name, *shown;
    } cases[] = {
        {"n\303\251", "n\303\251                   "},
        {"n\303\2513456789012345678 ", "n\303\2513456789012345678  "},
        {"n\303\25134567890123456789", "n\303\25134567890123456789 "},
        {"n\303\251345678901234567890", "n\303\251345678901234567890 "},
        {"n\303\251345678901234567890x", "n\303\251345678901234567890 "},
        {"n\303\25134567890123456789\303\251\303\251", "n\303\25134567890123456789\303\251 "},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char *line = line_of(cases[i].name);
        if (strncmp(line, cases[i].shown, strlen(cases[i].shown)) != 0)
            fail_msg("\"%s\" is shown as \"%s\"", cases[i].name, line);
        free(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
