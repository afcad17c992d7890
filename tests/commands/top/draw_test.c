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
    ps_top_draw(memory, &view, "http://h:1", "10:00:00", &(struct top_form){.colour = false});
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

/* ---- a terminal of 80 columns and 24 rows ---- */

#define ROWS 24U
#define COLUMNS 80U
#define MANY 30U

static struct top_source sources[MANY];
static struct top_channel channels[MANY];
static struct top_sink sinks[MANY];
static char component_names[MANY][48];

/* Makes an agent with so many of each, whose last source, channel and sink are in trouble. */
static struct top_view view_make(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        snprintf(component_names[i], sizeof component_names[i], "name-%02u-is-quite-a-long-one", i);
        sources[i] =
            (struct top_source){.name = component_names[i], .type = "multiport_syslogtcp", .up = true};
        channels[i] = (struct top_channel){.name = component_names[i],
                                           .type = "memory",
                                           .size = 12,
                                           .capacity = 1000000,
                                           .put_s = 123456,
                                           .taken_s = 123456};
        sinks[i] = (struct top_sink){.name = component_names[i],
                                     .type = "kafka",
                                     .up = true,
                                     .p50_s = 0.001,
                                     .p99_s = 0.0123,
                                     .delivered_s = 123456,
                                     .bytes_s = 1e9};
        sources[i].received_s = 1234567;
        sources[i].bytes_s = 1e9;
        sources[i].waits = 0.03;
    }
    sources[count - 1].up = sinks[count - 1].up = false;
    sources[count - 1].connections = 65000;
    sources[count - 1].failed_s = 4321;
    sources[count - 1].dropped_s = 8765;
    channels[count - 1].size = 987654;
    sinks[count - 1].failed_s = 5432;
    sinks[count - 1].retried_s = 6543;
    return (struct top_view){.agent = "a1",
                             .version = "1.0",
                             .sources = sources,
                             .channels = channels,
                             .sinks = sinks,
                             .source_count = count,
                             .channel_count = count,
                             .sink_count = count,
                             .not_ready = "k1 cannot write\n",
                             .log_errors = 77,
                             .log_warnings = 88,
                             .reloads_failed = 9,
                             .worker_count = 4,
                             .busiest_worker = "0",
                             .used_bytes = 1e9,
                             .budget_bytes = 2e9};
}

/* Returns what a terminal of this size shows. Owns: the caller. */
static char *shown_on(const struct top_view *view, unsigned rows, unsigned columns)
{
    char *screen = NULL, *shown = NULL;
    size_t length;
    FILE *memory = open_memstream(&screen, &length);
    assert_non_null(memory);
    ps_top_draw(memory, view, "http://127.0.0.1:41414", "10:00:00",
                &(struct top_form){.rows = rows, .columns = columns});
    fclose(memory);
    memory = open_memstream(&shown, &length);
    assert_non_null(memory);
    ps_top_fit(memory, screen, rows, columns);
    fclose(memory);
    free(screen);
    return shown;
}

static void has(const char *shown, const char *text)
{
    if (strstr(shown, text) == NULL)
        fail_msg("`%s` is missing in\n%s", text, shown);
}

/* Whoever looks at a small terminal sees what is down, what is lost, what is full, and who holds up whom, however many
 * components there are. */
static void test_small_terminal(void **state)
{
    static const unsigned counts[] = {1, 2, 3, 4, 5, 9, MANY};
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        struct top_view view = view_make(counts[i]);
        char *shown = shown_on(&view, ROWS, COLUMNS), name[32];
        static const char *const always[] = {"NOT READY",
                                             "k1 cannot write",
                                             "log 77 errors, 88 warnings",
                                             "reloads failed 9",
                                             "SOURCE",
                                             "errors/s",
                                             "dropped/s",
                                             "conns",
                                             "CHANNEL",
                                             "fill",
                                             "SINK",
                                             "retried/s",
                                             "p99",
                                             "WHO HOLDS UP WHOM",
                                             "4,321 /s",
                                             "8,765 /s",
                                             "65,000",
                                             " 99 %",
                                             "5,432 /s",
                                             "6,543 /s"};
        for (size_t k = 0; k < PS_COUNT_OF(always); k++)
            has(shown, always[k]);
        snprintf(name, sizeof name, "name-%02u-is-quite down", counts[i] - 1);
        has(shown, name);
        assert_non_null(strstr(strstr(shown, name) + 1, name)); /* the source, and the sink */
        assert_true((strstr(shown, " more") != NULL) == (counts[i] > 3));
        free(shown);
    }
}

static void test_wide_terminal(void **state)
{
    struct top_view view = view_make(2);
    char *shown = shown_on(&view, 60, 120);
    static const char *const texts[] = {"multiport_sysl", "bytes/s", "p50",
                                        "65,000 down",    "[####",   "987,654 of 1,000,000"};
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++)
        has(shown, texts[i]);
    assert_null(strstr(shown, " more"));
    free(shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_small_terminal),
                                       cmocka_unit_test(test_wide_terminal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
