/* Source taildir: which files an expression of a group stands for, and files of which no group is left. */
#include "tests/stages/sources/taildir_support.h"

#include "stages/lib/tail/tailer/tailer.h"

static void group_of(char *group, size_t room, const char *expression)
{
    snprintf(group, room, "%s/%s", ps_test_folder(), expression);
}

/* An expression stands for whole names, as it is written. Names that contain one, begin or end alike, or differ in the case of letters are not
 * read: not those that are there at the start, nor new ones, nor renamed ones. */
static void test_near_names(void **unused)
{
    static const char *const near[] = {"app.log1", "1app.log", "my.app.log", "app.log.app.log", "App.log",
                                       "app.LOG",  "app_log",  "app.lo",     "pp.log",          " app.log"};
    char group[600];
    group_of(group, sizeof group, "app[.]log");
    for (size_t i = 0; i < PS_COUNT_OF(near) / 2; i++)
        append(near[i], "not this\n");
    append("app.log", "one\n");
    PS_START("filegroups.g", group);
    expect("one");
    for (size_t i = PS_COUNT_OF(near) / 2; i < PS_COUNT_OF(near); i++) {
        if (i % 2 == 0) {
            append("made", "not this\n");
            move("made", near[i]);
        } else {
            append(near[i], "not this\n");
        }
    }
    for (size_t i = 0; i < PS_COUNT_OF(near); i++)
        append(near[i], "nor this\n");
    append("app.log", "two\n");
    expect("two");
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* Two expressions that stand for parts of each other's names: each file has the header of its own group. */
static void test_groups_with_near_names(void **unused)
{
    char first[600], second[600];
    group_of(first, sizeof first, "a");
    group_of(second, sizeof second, "a[.]b");
    append("a", "of a\n");
    append("a.b", "of a.b\n");
    append("a.b.a", "of none\n");
    PS_START("filegroups", "f s", "filegroups.f", first, "filegroups.s", second, "headers.f.group", "f",
             "headers.s.group", "s");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(ps_test_event_header(&stage.events[i], "group"),
                            strcmp(stage.events[i].body, "of a") == 0 ? "f" : "s");
    ps_test_source_clear(&stage);
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* A file is renamed while the source is stopped, and no group has its new name: its rest has the header of the group that it was in, also beside
 * the directory of another group whose name begins alike. */
static void test_renamed_beside_a_near_directory(void **unused)
{
    char first[600], near[600], own[600];
    group_of(first, sizeof first, "first[.]log"); /* the group that a file of none would have */
    group_of(near, sizeof near, "log/app[.]log");
    group_of(own, sizeof own, "logs/app[.]log");
    assert_int_equal(mkdir(ps_test_folder_path("log"), 0700), 0);
    assert_int_equal(mkdir(ps_test_folder_path("logs"), 0700), 0);
    append("logs/app.log", "one\n");
    PS_START("filegroups", "first own near", "filegroups.first", first, "filegroups.own", own,
             "filegroups.near", near, "headers.first.group", "first", "headers.own.group", "own",
             "headers.near.group", "near");
    expect("one");
    ps_test_stage_close(&stage);
    append("logs/app.log", "two\n");
    move("logs/app.log", "logs/app.log.1");
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[0].body, "two");
    assert_string_equal(ps_test_event_header(&stage.events[0], "group"), "own");
    ps_test_stage_fini(&stage);
}

/* The same with a group for the directory above, whose expression would stand for the whole rest of the path: named first, and named last. */
static void test_renamed_below_a_directory(void **unused)
{
    static const char *const orders[] = {"first outer inner", "first inner outer"};
    char first[600], outer[600], inner[600];
    for (size_t i = 0; i < PS_COUNT_OF(orders); i++) {
        setup(NULL);
        group_of(first, sizeof first, "none/first[.]log"); /* the group that a file of none would have */
        group_of(outer, sizeof outer, ".*[.]log");
        group_of(inner, sizeof inner, "in/.*[.]log");
        assert_int_equal(mkdir(ps_test_folder_path("in"), 0700), 0);
        append("in/app.log", "one\n");
        PS_START("filegroups", orders[i], "filegroups.first", first, "filegroups.outer", outer,
                 "filegroups.inner", inner, "headers.first.group", "first", "headers.outer.group", "outer",
                 "headers.inner.group", "inner");
        expect("one");
        ps_test_stage_close(&stage);
        append("in/app.log", "two\n");
        move("in/app.log", "in/app.log.1");
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
        assert_string_equal(stage.events[0].body, "two");
        assert_string_equal(ps_test_event_header(&stage.events[0], "group"), "inner");
        ps_test_stage_fini(&stage);
        ps_test_folder_teardown(NULL);
    }
}

/* After a start with a narrower expression, what a file of no group has behind its position is counted: the exact number of bytes, and
 * nothing if all of it was delivered, or the file is shorter now. */
static void test_file_of_no_group(void **unused)
{
    static const struct {
        const char *more; /* NULL: the file is cut */
        unsigned lost;
    } rows[] = {{"", 0}, {"three\n", 6}, {"", 0}, {"x", 1}, {NULL, 0}};
    char group[600];
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        setup(NULL);
        group_of(group, sizeof group, "app[.]log");
        append("app.log", "one\n");
        append("app.secret", "two\n");
        PS_START(NULL);
        ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
        ps_test_stage_fini(&stage);
        if (rows[i].more == NULL)
            assert_int_equal(truncate(ps_test_folder_path("app.secret"), 1), 0);
        else
            append("app.secret", rows[i].more);
        append("app.log", "four\n");
        PS_START("filegroups.g", group);
        expect("four");
        expect_nothing();
        assert_int_equal(ps_test_stage_counter(&stage, (enum ps_counter)PS_TAIL_COUNTER_lost_bytes),
                         rows[i].lost);
        ps_test_stage_fini(&stage);
        ps_test_folder_teardown(NULL);
    }
}

/* ---- what `check` says ---- */

/* Each group is checked, whatever the ones before and after it are. */
static void test_one_wrong_group_of_several(void **unused)
{
    static const struct {
        const char *first, *second, *problem; /* problem NULL: there is none */
    } rows[] = {
        {"/tmp/a", "/tmp/b", NULL},
        {"a", "/tmp/b", "a has no directory"},
        {"/tmp/a", "b", "b has no directory"},
        {"/tmp/(a", "/tmp/b", "(a"},
        {"/tmp/a", "/tmp/(b", "(b"},
        {"/tmp/a/", "/tmp/b", "such as /tmp/a/.*"},
        {"/tmp/a", "/tmp/b/", "such as /tmp/b/.*"},
        {"/a/", "/b", "such as /a/.*"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        ps_test_stage_init(&stage, &ps_source_taildir);
        const char *const keys[] = {"filegroups",   "f s", "filegroups.f", rows[i].first, "filegroups.s",
                                    rows[i].second, NULL};
        assert_int_equal(ps_test_stage_bind(&stage, keys), rows[i].problem == NULL ? PS_OK : PS_FAIL);
        if (rows[i].problem != NULL)
            assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, rows[i].problem));
        ps_test_stage_fini(&stage);
    }
}

/* Keys of groups that are not named, groups without files, and groups that are named twice: each is told, and the others are read. */
static void test_told_of_groups(void **unused)
{
    static const struct {
        const char *keys[14];
        enum ps_log_level level;
        const char *words; /* NULL: there is nothing to tell */
    } rows[] = {
        {{"filegroups", "web db", "filegroups.web", "/tmp/a", "filegroups.db", "/tmp/b"}, PS_LOG_WARN, NULL},
        {{"filegroups", "web db", "filegroups.db", "/tmp/b"}, PS_LOG_WARN, "filegroups.web"},
        {{"filegroups", "web db", "filegroups.web", "/tmp/b"}, PS_LOG_WARN, "filegroups.db"},
        {{"filegroups", "web db web", "filegroups.web", "/tmp/a", "filegroups.db", "/tmp/b"},
         PS_LOG_WARN,
         "the group web is named twice"},
        {{"filegroups", "web db", "filegroups.web", "/tmp/a", "filegroups.db", "/tmp/b", "filegroups.wep",
          "/tmp/c"},
         PS_LOG_WARN,
         "did you mean web?"},
        {{"filegroups", "web dbase", "filegroups.web", "/tmp/a", "filegroups.dbase", "/tmp/b",
          "filegroups.dbas", "/tmp/c"},
         PS_LOG_WARN,
         "did you mean dbase?"},
        {{"filegroups", "web db", "filegroups.web", "/tmp/a", "filegroups.db", "/tmp/b", "headers.web.a", "1",
          "headers.wep.b", "2"},
         PS_LOG_WARN,
         "did you mean web?"},
        {{"filegroups", "web db", "filegroups.web", "/tmp/a", "filegroups.db", "/tmp/b", "headers.webx.a",
          "1"},
         PS_LOG_WARN,
         "the group webx: no event gets the header"},
        {{"filegroups", "web db", "filegroups.web", "/tmp/a", "filegroups.db", "/tmp/b", "headers.db.a", "1"},
         PS_LOG_WARN,
         NULL},
        {{"filegroups", "web", "filegroups.web", "/tmp/a", "headers.web.a", "1", "headers.web", "2"},
         PS_LOG_ERROR,
         "no header: write headers.<group>.<header>"},
        {{"filegroups", "web", "filegroups.web", "/tmp/a", "headers.web", "1", "headers.web.a", "2"},
         PS_LOG_ERROR,
         "no header: write headers.<group>.<header>"},
        {{"filegroups", "web db"}, PS_LOG_ERROR, "no group has files"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        ps_test_stage_init(&stage, &ps_source_taildir);
        bool is_wrong = rows[i].level == PS_LOG_ERROR;
        assert_int_equal(ps_test_stage_bind(&stage, rows[i].keys), is_wrong ? PS_FAIL : PS_OK);
        if (rows[i].words != NULL)
            assert_true(ps_test_stage_reported(&stage, rows[i].level, rows[i].words));
        else
            assert_false(ps_test_stage_reported(&stage, rows[i].level, ""));
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_wrong_group_of_several),
        cmocka_unit_test(test_told_of_groups),
        cmocka_unit_test_setup_teardown(test_near_names, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_groups_with_near_names, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_renamed_beside_a_near_directory, setup, ps_test_folder_teardown),
        cmocka_unit_test(test_renamed_below_a_directory),
        cmocka_unit_test(test_file_of_no_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
