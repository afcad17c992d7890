/* Which agent `penstock top` finds by the command lines in /proc. */
#include "commands/top/top.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <sys/stat.h>

static struct ps_arena *arena;

/* Words are separated by a blank here. */
static void process(const char *pid, const char *line)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", ps_test_folder(), pid);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%s/cmdline", ps_test_folder(), pid);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (const char *at = line; *at != '\0'; at++)
        fputc(*at == ' ' ? '\0' : *at, file);
    fputc('\0', file);
    fclose(file);
}

static void expect(const char *url)
{
    struct ps_err err = {0};
    const char *found = ps_top_find(arena, ps_test_folder(), &err);
    if (found == NULL)
        fail_msg("%s", err.text);
    assert_string_equal(found, url);
}

static void test_find(void **state)
{
    struct ps_err err = {0};
    expect("http://127.0.0.1:41414"); /* no agent runs: the default */
    process("10", "/usr/bin/penstock check -n a1 -Dflume.monitoring.type=http -Dflume.monitoring.port=1");
    process("11", "/usr/bin/vi agent -Dflume.monitoring.type=http -Dflume.monitoring.port=2");
    process("12", "/usr/bin/penstock agent -n a1 -Dflume.monitoring.port=3");
    process("self", "/usr/bin/penstock agent -n a1 -Dflume.monitoring.type=http -Dflume.monitoring.port=4");
    expect("http://127.0.0.1:41414");
    static const char *const hosts[][2] = {
        {"0.0.0.0", "127.0.0.1"}, {"::", "127.0.0.1"}, {"::1", "[::1]"}, {"10.0.0.1", "10.0.0.1"}};
    for (size_t i = 0; i < PS_COUNT_OF(hosts); i++) {
        char line[256], url[64];
        snprintf(line, sizeof line,
                 "/opt/penstock agent -n a1 -Dflume.monitoring.type=http -Dflume.monitoring.port=5 "
                 "-Dpenstock.monitoring.host=%s",
                 hosts[i][0]);
        snprintf(url, sizeof url, "http://%s:5", hosts[i][1]);
        process("13", line);
        expect(url);
    }
    process("14", "penstock node --name=b1 -Dflume.monitoring.type=prometheus");
    assert_null(ps_top_find(arena, ps_test_folder(), &err));
    assert_non_null(strstr(err.text, "2 agents run"));
    assert_non_null(strstr(err.text, "b1 at http://127.0.0.1:41414 (process 14)"));
}

static void test_url(void **state)
{
    assert_string_equal(ps_top_url(arena, "http://h:1/x"), "http://h:1/x");
    assert_string_equal(ps_top_url(arena, "5"), "http://127.0.0.1:5");
    assert_string_equal(ps_top_url(arena, "h:5"), "http://h:5");
    assert_string_equal(ps_top_url(arena, "h"), "http://h:41414");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_find, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test(test_url)};
    arena = ps_arena_create();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ps_arena_destroy(arena);
    return failed;
}
