/* Both syslog parsers against tables recorded from Flume 1.11.0's own classes (tests/stages/data/syslog,
 * recorded by tests/real/flume_tables): time zones, daylight saving, years, keepFields, sizes, malformed input. */
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
    assert_true(cases > 1000);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables), cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_stamp_that_grows),
                                       cmocka_unit_test(test_stamp_with_a_surrogate_pair)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
