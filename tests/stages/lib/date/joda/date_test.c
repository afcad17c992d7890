/* stages/lib/date/joda/date.h and Joda-Time 2.9.9, side by side, over the recorded table (tests/real/joda_date). */
#include <errno.h>
#include <stdio.h>

#include "stages/lib/date/joda/date.h"
#include "tests/support/source_tree.h"
#include "tests/support/support.h"

#define SHOWN_MAX 40
#define FIELDS_MAX 4

struct replay {
    struct ps_arena *arena;
    int64_t now_ms;
    const struct ps_joda_date *date;
    const char *zone, *pattern;
    unsigned patterns, texts, failures;
};

static void zone_begin(struct replay *replay, const char *zone)
{
    ps_arena_destroy(replay->arena);
    replay->arena = ps_arena_create();
    replay->zone = ps_arena_text(replay->arena, zone);
    setenv("TZ", zone, 1);
}

static void differs(struct replay *replay, const char *text, const char *ours, const char *joda)
{
    if (replay->failures++ < SHOWN_MAX)
        fprintf(stderr, "%s, pattern \"%s\", text \"%s\": ours %s, Joda-Time's %s\n", replay->zone,
                replay->pattern, text, ours, joda);
}

static void check_pattern(struct replay *replay, const char *pattern, bool good)
{
    struct ps_err err = {.length = 0};
    replay->patterns++;
    replay->pattern = pattern;
    replay->date = ps_joda_date_create(replay->arena, pattern, replay->now_ms, &err);
    if ((replay->date != NULL) != good)
        differs(replay, "", replay->date != NULL ? "accepted" : err.text, good ? "accepted" : "refused");
    if (replay->date == NULL)
        assert_true(err.length > 0);
}

static void check_text(struct replay *replay, const char *text, const char *joda)
{
    if (replay->date == NULL)
        return;
    int64_t ms;
    char ours[32] = "refused";
    replay->texts++;
    if (ps_joda_date_parse(replay->date, text, strlen(text), &ms))
        snprintf(ours, sizeof ours, "%lld", (long long)ms);
    if (strcmp(ours, joda) != 0)
        differs(replay, text, ours, joda);
}

static void test_table(void **state)
{
    const char *other = getenv("PENSTOCK_JODA_TABLE");
    const char *path = other != NULL ? other : ps_test_source_path("tests/stages/data/joda_date_table.txt");
    FILE *file = fopen(path, "re");
    if (file == NULL)
        fail_msg("%s: %s", path, strerror(errno));
    struct replay replay = {.arena = ps_arena_create()};
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = line, *fields[FIELDS_MAX] = {"", "", "", ""};
        for (size_t i = 0; i < FIELDS_MAX && rest != NULL; i++)
            fields[i] = strsep(&rest, "\t");
        if (strcmp(fields[0], "now") == 0)
            replay.now_ms = strtoll(fields[1], NULL, 10);
        else if (strcmp(fields[0], "z") == 0)
            zone_begin(&replay, fields[1]);
        else if (strcmp(fields[0], "p") == 0)
            check_pattern(&replay, ps_arena_text(replay.arena, fields[1]), fields[2][0] == '=');
        else if (strcmp(fields[0], "t") == 0)
            check_text(&replay, fields[1], fields[2][0] == '=' ? fields[3] : "refused");
    }
    free(line);
    fclose(file);
    ps_arena_destroy(replay.arena);
    printf("%u patterns, %u texts\n", replay.patterns, replay.texts);
    assert_true(replay.texts > 0);
    assert_int_equal(replay.failures, 0);
}

static void test_errors(void **state)
{
    static const struct {
        const char *pattern, *says;
    } bad[] = {
        {"yyyy-MM-ddTHH", "T at 10"}, {"b", "b at 0"}, {"", "empty"}, {"'", "empty"}, {"zzzz", "zzzz"},
    };
    struct ps_arena *arena = ps_arena_create();
    for (size_t i = 0; i < PS_COUNT_OF(bad); i++) {
        struct ps_err err = {.length = 0};
        assert_null(ps_joda_date_create(arena, bad[i].pattern, 0, &err));
        if (strstr(err.text, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].pattern, err.text);
    }
    char longest[400];
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = "dM"[i % 2];
    longest[sizeof longest - 1] = '\0';
    struct ps_err err = {.length = 0};
    assert_null(ps_joda_date_create(arena, longest, 0, &err));
    assert_non_null(strstr(err.text, "64 parts"));
    longest[65] = '\0';
    assert_null(ps_joda_date_create(arena, longest, 0, &err));
    longest[64] = '\0';
    assert_non_null(ps_joda_date_create(arena, longest, 0, &err));
    ps_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
