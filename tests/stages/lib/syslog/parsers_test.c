/* Both syslog parsers against tables recorded from Flume 1.11.0's own classes (tests/stages/data/syslog,
 * recorded by tests/real/flume_tables): time zones, daylight saving, years, keepFields, sizes, malformed input. */
#include "stages/lib/syslog/single.h"

#include "tests/support/source_tree.h"
#include "tests/support/syslog.h"

#include <dirent.h>
#include <stdio.h>

static size_t unescape(const char *text, char *out)
{
    size_t used = 0;
    while (*text != '\0') {
        unsigned byte;
        if (text[0] == '\\' && text[1] == 'x' && sscanf(text + 2, "%2x", &byte) == 1) {
            out[used++] = (char)byte;
            text += 4;
        } else {
            out[used++] = *text++;
        }
    }
    return used;
}

struct table {
    struct ps_test_syslog how;
    char mode[16], zone[64], keep[64];
};

static void set(struct table *table, const char *line)
{
    char text[64];
    long long number;
    if (sscanf(line, "mode %15s", table->mode) == 1)
        table->how.mode = table->mode;
    else if (sscanf(line, "zone %63s", table->zone) == 1)
        table->how.zone = table->zone;
    else if (sscanf(line, "now %lld", &number) == 1)
        table->how.now_ms = number;
    else if (sscanf(line, "keep %63[^\n]", text) == 1)
        strcpy(table->keep, text);
    else if (sscanf(line, "size %lld", &number) == 1)
        table->how.size_max = (uint32_t)number;
    table->how.keep_fields = table->keep;
}

static void compare(const struct table *table, const char *escaped, const char *expected, const char *where)
{
    static char bytes[8192];
    size_t length = unescape(escaped, bytes);
    struct ps_test_syslog how = table->how;
    if (strcmp(how.mode, "multi") == 0) { /* the table has lines, the parser splits them */
        bytes[length++] = '\n';
        how.size_max = (uint32_t)sizeof bytes;
    }
    char *made = ps_test_syslog_run(&how, NULL, bytes, length);
    if (strcmp(made, expected) != 0)
        fail_msg("%s: %s\nFlume:\n%sours:\n%s", where, escaped, expected, made);
    free(made);
}

static size_t run_table(const char *path)
{
    static char line[8192], escaped[8192], expected[65536];
    struct table table = {.how = {.mode = NULL}};
    size_t cases = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        bool is_case = line[0] == '>' && line[1] == ' ';
        if (is_case && cases > 0)
            compare(&table, escaped, expected, path);
        if (is_case) {
            line[strcspn(line, "\n")] = '\0';
            strcpy(escaped, line + 2);
            expected[0] = '\0';
            cases++;
        } else if (cases > 0) {
            strcat(expected, line);
        } else if (line[0] != '#') {
            set(&table, line);
        }
    }
    compare(&table, escaped, expected, path);
    fclose(file);
    return cases;
}

static void test_tables(void **unused)
{
    const char *folder = ps_test_source_path("tests/stages/data/syslog");
    char path[4096 + 256];
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    size_t cases = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (strstr(entry->d_name, ".txt") == NULL)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        cases += run_table(path);
    }
    closedir(directory);
    print_message("%zu cases\n", cases);
    assert_true(cases > 300);
}

/* A message one byte below eventSize is whole; at eventSize its end is not seen, so it is cut there, as Flume does
 * (tests/real/flume_oracle_syslog_test.sh has both parsers with small sizes). The text after the cut is the next
 * message. */
static void test_sizes(void **unused)
{
    enum { SIZE = 40 };
    static const char start[] = "<13>Oct 11 22:14:15 host ";
    static const struct {
        const char *mode;
        int over; /* bytes of the message above SIZE */
        const char *expected;
    } cases[] = {
        {"single", -1,
         "Facility=1 Severity=5 host=host priority=13 timestamp=1697062455000 | ddddddddddddde\n"},
        {"single", 0,
         "Facility=1 Severity=5 flume.syslog.status=Incomplete host=host priority=13 timestamp=1697062455000 "
         "| "
         "dddddddddddddde\n(none)\n"},
        {"single", 1,
         "Facility=1 Severity=5 flume.syslog.status=Incomplete host=host priority=13 timestamp=1697062455000 "
         "| "
         "ddddddddddddddd\nFacility=0 Severity=0 flume.syslog.status=Invalid | e\n"},
        {"multi", -1,
         "Facility=1 Priority=13 Severity=5 host=host timestamp=1697062455000 | ddddddddddddde\n"},
        {"multi", 0,
         "Facility=1 Priority=13 Severity=5 flume.syslog.status=Incomplete host=host timestamp=1697062455000 "
         "| "
         "dddddddddddddde\n(dropped)\n"},
        {"multi", 1,
         "Facility=1 Priority=13 Severity=5 flume.syslog.status=Incomplete host=host timestamp=1697062455000 "
         "| "
         "ddddddddddddddd\nflume.syslog.status=Invalid | e\n"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char data[SIZE + 8], *made;
        int length = SIZE + cases[i].over;
        memset(data, 'd', sizeof data);
        memcpy(data, start, sizeof start - 1);
        data[length - 1] = 'e';
        data[length] = '\n';
        struct ps_test_syslog how = {.mode = cases[i].mode,
                                     .zone = "UTC",
                                     .now_ms = 1697062455000,
                                     .keep_fields = "none",
                                     .size_max = SIZE};
        made = ps_test_syslog_run(&how, NULL, data, (size_t)length + 1);
        assert_string_equal(made, cases[i].expected);
        free(made);
        if (cases[i].over != 0)
            continue;
        made = ps_test_syslog_run(&how, NULL, data, SIZE); /* a buffer that is full: no other byte comes */
        size_t first = strcspn(cases[i].expected, "\n") + 1;
        assert_int_equal(strlen(made), first);
        assert_memory_equal(made, cases[i].expected, first);
        free(made);
    }
}

/* A stamp that the user's format makes longer than 1,024 bytes gives no time; one that fits does. */
static void test_stamp_that_grows(void **unused)
{
    static const struct ps_pair keys[] = {
        {"regex", "<(\\d+)>()(\\S+) (\\S+) (.*)"},
        {"search", "x"},
        {"replace", "2003-10-11 22:14:15 ......................................"},
        {"dateFormat", "yyyy-MM-dd HH:mm:ss"}};
    const struct ps_pairs format = {PS_COUNT_OF(keys), keys};
    struct ps_test_syslog how = {
        .mode = "single", .zone = "UTC", .now_ms = 1697062455000, .keep_fields = "none", .size_max = 2500};
    char *made = ps_test_syslog_run(&how, &format, "<13>xx h body\n", 14);
    assert_string_equal(made, "Facility=1 Severity=5 host=h priority=13 timestamp=1065910455000 | body\n");
    free(made);
    static const char longer[] = "<13>xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx h body\n";
    made = ps_test_syslog_run(&how, &format, longer, sizeof longer - 1);
    assert_string_equal(made, "Facility=1 Severity=5 host=h priority=13 | body\n");
    free(made);
}

/* The 15 characters of a stamp are Java's: a character outside of the basic plane counts as two. */
static void test_stamp_with_a_surrogate_pair(void **unused)
{
    static const char text[] = "<13>A\xF0\x9F\x98\x80"
                               "bcdefghijklm host body\n";
    const struct ps_test_syslog how = {
        .mode = "multi", .zone = "UTC", .now_ms = 1697062455000, .keep_fields = "none", .size_max = 2500};
    char *made = ps_test_syslog_run(&how, NULL, text, sizeof text - 1);
    assert_string_equal(made, "Facility=1 Priority=13 Severity=5 host=host timestamp=0 | body\n");
    free(made);
}

#define ANY(texts) texts[ps_test_random(state) % PS_COUNT_OF(texts)]

/* Gives the part another text, now and then. */
#define REDRAW(part, texts)                                                                                  \
    do {                                                                                                     \
        if ((part) == NULL || ps_test_random(state) % 4 == 0)                                                \
            (part) = ANY(texts);                                                                             \
    } while (0)

/* Writes a message into `text`. `parts` are those of the last message, of which most stay; NULL: there was none. */
static size_t draw_message(uint64_t *state, const char *parts[4], char *text, size_t room)
{
    static const char *const priorities[] = {"13", "5", "013", "+13", "21", "134", "3", "x", ""};
    static const char *const versions[] = {"", "", "", "1", "1 ", "2", " "};
    static const char *const stamps[] = {"Oct 11 22:14:15",     "Oct 11 22:14:16",          "Oct 1 22:14:15",
                                         "Oct  1 22:14:15",     "Oct  11 22:14:15",         "Oct 1x 22:14:15",
                                         "2023-10-11T22:14:15", "2023-10-11T22:14:15.003Z", "-",
                                         "Abc 11 22:14:15"};
    static const char *const hosts[] = {"host",
                                        "hos",
                                        "hosts",
                                        "Host",
                                        "",
                                        "-",
                                        "web-01.example.org",
                                        "web-02.example.org",
                                        "ip-10-0-0-1.example",
                                        "ip-10-0-0-2.example",
                                        "a.host.whose.name.is.longer.than.the.text.of.a.head.that.is.kept"};
    static const char *const bodies[] = {"",
                                         "a body of some more than sixteen bytes, and then more",
                                         "app 1 - [id a=\"1\"] text",
                                         "app 1 - [id a=\"1\"]",
                                         "app 1 - [id a=\"1\"][b] text",
                                         "app 2 - - text",
                                         "\xc3\xa4",
                                         "a body of which the carriage return\r comes late",
                                         "\x80"};
    REDRAW(parts[0], priorities);
    REDRAW(parts[1], versions);
    REDRAW(parts[2], stamps);
    REDRAW(parts[3], hosts);
    int length =
        snprintf(text, room, "<%s>%s%s %s %s\n", parts[0], parts[1], parts[2], parts[3], ANY(bodies));
    return (size_t)length;
}

/* Prints the events, without an empty one at the end: the newline behind a message that was cut. */
static char *run_whole(const struct ps_test_syslog *how, const char *data, size_t length)
{
    static const char nothing[] = "(none)\n";
    char *printed = ps_test_syslog_run(how, NULL, data, length);
    size_t size = strlen(printed), end = sizeof nothing - 1;
    if (size >= end && strcmp(printed + size - end, nothing) == 0)
        printed[size - end] = '\0';
    return printed;
}

/* An event is the same whether its message comes alone or behind others, whose head, headers or time the parser uses again. */
static void test_messages_that_follow_others(void **unused)
{
    static const char *const kept[] = {"none", "all", "timestamp", "priority version hostname"};
    uint64_t seed = ps_test_seed(), *state = &seed;
    for (unsigned round = 0; round < 120; round++) {
        const struct ps_test_syslog how = {.mode = ps_test_random(state) % 2 == 0 ? "single" : "multi",
                                           .batch_events = (uint32_t)(ps_test_random(state) % 5),
                                           .structured = ps_test_random(state) % 4 == 0,
                                           .zone = "Europe/Berlin",
                                           .now_ms = 1697062455000,
                                           .keep_fields = ANY(kept),
                                           .size_max = round % 2 == 0 ? 2500 : 60};
        char all[8000], *alone[40];
        const char *parts[4] = {NULL};
        size_t length = 0, printed = 0;
        for (unsigned i = 0; i < PS_COUNT_OF(alone); i++) {
            size_t more = draw_message(state, parts, all + length, sizeof all - length);
            alone[i] = run_whole(&how, all + length, more);
            length += more;
        }
        char *together = run_whole(&how, all, length);
        for (unsigned i = 0; i < PS_COUNT_OF(alone); i++) {
            size_t size = strlen(alone[i]);
            if (strncmp(together + printed, alone[i], size) != 0)
                fail_msg("message %u: alone\n%safter others\n%s", i, alone[i], together + printed);
            printed += size;
            free(alone[i]);
        }
        assert_int_equal(together[printed], 0);
        free(together);
    }
}

/* Adds the event of one message, at that time, to the batch, and returns its header timestamp. */
static long long stamp_at(struct ps_syslog_single *parser, struct ps_batch *batch, int64_t now_ms)
{
    static const char message[] = "<13>Jan 10 00:00:00 host body\n";
    uint32_t room, used;
    char *data = ps_batch_reserve(batch, sizeof message, &room), text[32] = "";
    struct ps_slice value;
    memcpy(data, message, sizeof message - 1);
    ps_syslog_time_now(&parser->time, now_ms);
    assert_int_equal(ps_syslog_single_next(parser, batch, data, sizeof message - 1, NULL, &used),
                     PS_PARSED_ADDED);
    ps_batch_commit(batch, used);
    assert_true(
        ps_event_header(batch, &batch->events[batch->count - 1], ps_name_intern("timestamp"), &value));
    if (batch->count == 1) /* it is not of a batch before */
        assert_in_range((uintptr_t)value.data, (uintptr_t)data, (uintptr_t)data + sizeof message);
    memcpy(text, value.data, value.length);
    return strtoll(text, NULL, 10);
}

/* The year of a stamp that the parser knows depends on the time now, to the millisecond: in one batch, and in the next. */
static void test_stamp_at_another_time(void **unused)
{
    static const struct ps_stage_ops none = {.name = "none"};
    static const int64_t january = INT64_C(1673308800000),
                         december = INT64_C(1702166400000); /* on the 10th */
    struct ps_test_stage stage;
    struct ps_syslog_single parser;
    bool known;
    ps_test_stage_init(&stage, &none);
    struct ps_syslog_single_rules rules = {.zone = ps_time_zone_load(stage.arena, "UTC", &known),
                                           .size_max = 2500};
    ps_syslog_names_init(&rules.names, false);
    assert_true(ps_syslog_single_init(&parser, &rules));
    static const int64_t times[][2] = {{january, january},
                                       {december, january},
                                       {december + 1, INT64_C(1704844800000)},
                                       {december + 999, INT64_C(1704844800000)},
                                       {december, january},
                                       {january, january}};
    for (unsigned most = 1; most <= 4; most++) { /* events of a batch */
        struct ps_batch *batch = ps_batch_take(&stage.bump, stage.now);
        for (unsigned i = 0; i < 24; i++) {
            const int64_t *time = times[i % PS_COUNT_OF(times)];
            if (batch->count == most) {
                ps_batch_give(batch);
                batch = ps_batch_take(&stage.bump, stage.now);
            }
            assert_int_equal(stamp_at(&parser, batch, time[0]), time[1]);
        }
        ps_batch_give(batch);
    }
    ps_syslog_single_fini(&parser);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables),
                                       cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_stamp_that_grows),
                                       cmocka_unit_test(test_stamp_with_a_surrogate_pair),
                                       cmocka_unit_test(test_messages_that_follow_others),
                                       cmocka_unit_test(test_stamp_at_another_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
