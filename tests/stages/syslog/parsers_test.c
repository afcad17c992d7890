/* Both syslog parsers against tables recorded from Flume 1.11.0's own classes (tests/stages/data/syslog): time
 * zones, daylight saving, years, keepFields, sizes, malformed input. */
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
    (void)unused;
    char folder[512], path[1024];
    snprintf(folder, sizeof folder, "%s/tests/stages/data/syslog", getenv("PENSTOCK_SOURCE"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
