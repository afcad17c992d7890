/* Source taildir whose positions a sink keeps. The test acts as the sink: it collects the spans of delivered batches as
 * stages/lib/kafka/positions/positions.c does, and answers the source's question with them. */
#include "core/flow/sink_positions.h"
#include "tests/stages/sources/taildir_support.h"

#include <inttypes.h>
#include <stdlib.h>

static struct kept {
    char key[32], value[2048];
    bool gone;
} kept[64];
static size_t kept_count;
static unsigned questions;
static bool
    aborts; /* the test does not keep the positions of what is delivered, as if its transactions were aborted */
static struct ps_stage_ops ops;
static struct ps_source_ops source_ops;

static char *id_path(void)
{
    static char path[600];
    snprintf(path, sizeof path, "%s.id", positions);
    return path;
}

static const char *owner(void)
{
    static char text[64];
    char id[32] = "";
    FILE *file = fopen(id_path(), "r");
    assert_non_null(file);
    assert_int_equal(fread(id, 1, sizeof id - 1, file), 17);
    fclose(file);
    snprintf(text, sizeof text, "file/%.16s", id);
    return text;
}

static struct kept *kept_of(struct ps_slice key)
{
    size_t i = 0;
    while (i < kept_count &&
           (strlen(kept[i].key) != key.length || memcmp(kept[i].key, key.data, key.length) != 0))
        i++;
    if (i == kept_count) {
        assert_true(kept_count < PS_COUNT_OF(kept));
        snprintf(kept[kept_count++].key, sizeof kept[0].key, "%.*s", (int)key.length, key.data);
    }
    return &kept[i];
}

/* Commits a batch. */
static void collect(const struct ps_batch *batch)
{
    for (uint32_t i = 0; i < batch->span_count && !aborts; i++) {
        const struct ps_span *span = &batch->spans[i];
        assert_non_null(span->name);
        assert_string_equal(span->name->system, "file");
        assert_int_equal(span->name->group.length, 16);
        questions += span->name->name.length == 0;
        if (span->name->name.length == 0 || (span->name->detail.length == 0 && span->position >= 0))
            continue;
        struct kept *record = kept_of(span->name->name);
        record->gone = span->position < 0;
        if (!record->gone)
            snprintf(record->value, sizeof record->value, "{\"pos\":%" PRId64 ",%.*s", span->position,
                     (int)span->name->detail.length - 1, span->name->detail.data + 1);
    }
}

static void collect_delivered(const void *plan, void *state, const struct ps_batch *batch,
                              const struct ps_now *now)
{
    collect(batch);
    ps_source_taildir.source->delivered(plan, state, batch, now);
}

static void answer(void)
{
    char text[8192] = "[";
    for (size_t i = 0; i < kept_count; i++)
        if (!kept[i].gone)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", strlen(text) > 1 ? ",\n" : "",
                     kept[i].value);
    snprintf(text + strlen(text), sizeof text - strlen(text), "]\n");
    print_message("%s", text);
    ps_sink_positions_leave(owner(), text);
}

static void prepare(const char *const *more)
{
    const char *keys[32] = {"filegroups", "g", "filegroups.g", pattern, "positionFile", positions};
    struct ps_err err = {.length = 0};
    for (size_t i = 6; *more != NULL; more++)
        keys[i++] = *more;
    kept_count = 0;
    questions = 0;
    aborts = false;
    ops = ps_source_taildir;
    source_ops = *ps_source_taildir.source;
    source_ops.delivered = collect_delivered;
    ops.source = &source_ops;
    ps_test_stage_init(&stage, &ops);
    assert_int_equal(ps_test_stage_bind(&stage, keys), PS_OK);
    assert_true(ps_source_taildir.source->yields_positions(stage.plan, &err));
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
}

/* SIGKILL: the position file has nothing that was read since the start. */
static void kill_and_open(void)
{
    char path[600];
    ps_test_stage_close(&stage);
    ps_test_source_clear(&stage);
    (void)unlink(positions);
    snprintf(path, sizeof path, "%s.identities", positions);
    (void)unlink(path);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
}

static void test_starts_from_records(void **unused)
{
    append("app.log", "one\ntwo\n");
    prepare(PS_KEYS(NULL));
    answer();
    expect("one two");
    assert_int_equal(questions, 1);
    append("app.log", "three\n");
    kill_and_open();
    answer();
    expect("three");
    assert_int_equal(questions, 2);
    /* the records are behind: lines whose transaction was aborted come again */
    append("app.log", "four\n");
    aborts = true;
    expect("four");
    kill_and_open();
    aborts = false;
    answer();
    expect("four");
    ps_test_stage_fini(&stage);
}

/* A file is found again under another name, and another file that has its former name is read from its beginning. */
static void test_renamed(void **unused)
{
    append("app.log", "one\ntwo\n");
    prepare(PS_KEYS(NULL));
    answer();
    expect("one two");
    kill_and_open();
    append("app.log", "three\n");
    move("app.log", "app.log.1");
    append("app.log", "other\n");
    answer();
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    ps_test_source_settle(&stage, 2, 50);
    bool swapped = strcmp(stage.events[0].body, "other") == 0;
    assert_string_equal(stage.events[swapped].body, "three");
    assert_string_equal(stage.events[!swapped].body, "other");
    ps_test_stage_fini(&stage);
}

/* The source learns from a record where a copy continues before the truncated original has a new position. */
static void test_copied_and_truncated(void **unused)
{
    append("app.log", "one\ntwo\n");
    prepare(PS_KEYS(NULL));
    answer();
    expect("one two");
    append("app.copy", "one\ntwo\nthree\n");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "new\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < stage.event_count; i++)
        print_message("%s\n", stage.events[i].body);
    ps_test_source_clear(&stage);
    kill_and_open();
    answer();
    expect_nothing();
    append("app.log", "newer\n");
    expect("newer");
    ps_test_stage_fini(&stage);
}

/* A copy that was made some batches ago is recognized after a kill. */
static void test_earlier_copy(void **unused)
{
    char line[128], first[2048], copy[4096];
    snprintf(first, sizeof first, "%02000u", 0U); /* the identity of the file is in its first bytes */
    snprintf(copy, sizeof copy, "%s\n", first);
    append("app.log", copy);
    prepare(PS_KEYS(NULL));
    answer();
    expect(first);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(line, sizeof line, "%u%099u", i, 0U);
        size_t length = strlen(line);
        snprintf(line + length, sizeof line - length, "\n");
        append("app.log", line);
        if (i < 2)
            strcat(copy, line);
        line[length] = '\0';
        expect(line);
    }
    append("app.copy", copy);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    kill_and_open();
    answer();
    append("app.log", "new\n");
    expect("new");
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* Waits for a record of the end of the file, where reading begins. No event comes meanwhile. */
static void await_record(void)
{
    uint64_t until = ps_test_wait_ns(60000) + 60000 * PS_NS_PER_MS;
    while (kept_count == 0) {
        assert_true(ps_test_wait_ns(60000) <= until);
        ps_test_source_settle(&stage, 0, 10);
    }
}

static void test_skips_to_end(void **unused)
{
    append("app.log", "one\n");
    prepare(PS_KEYS("skipToEnd", "true"));
    answer();
    await_record();
    append("app.log", "two\n");
    kill_and_open();
    answer();
    expect("two");
    ps_test_stage_fini(&stage);
}

static void test_no_answer(void **unused)
{
    append("app.log", "one\n");
    prepare(PS_KEYS(NULL));
    while (!stage.failed)
        ps_test_source_work(&stage);
    assert_int_equal(stage.event_count, 0);
    assert_non_null(strstr(stage.err.text, "has not reported the positions"));
    ps_test_stage_fini(&stage);
}

static void test_records_of_another_version(void **unused)
{
    append("app.log", "one\n");
    prepare(PS_KEYS(NULL));
    ps_sink_positions_leave(owner(), "[{\"pos\":1,\"inode\":}]\n");
    while (!stage.failed)
        ps_test_source_work(&stage);
    assert_int_equal(stage.event_count, 0);
    ps_test_stage_fini(&stage);
}

/* What a file with a number looks like when it was cut, or edited. */
static const char *const no_numbers[] = {"",
                                         "0123\n",
                                         "0123456789abcdef",
                                         "0123456789abcdef ",
                                         "0123456789abcde\n\n",
                                         "0123456789ABCDEF\n",
                                         "0123456789abcdef0\n",
                                         "0123456789abcdef\n\n",
                                         "0123456789abcdef\n0123",
                                         "0123456789abcdef\n0123456789abcdef\n"};

/* The source's number is deleted when only the position file is used, so that a later sink finds no old records. */
static void test_number(void **unused)
{
    prepare(PS_KEYS(NULL));
    char first[64];
    snprintf(first, sizeof first, "%s", owner());
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    assert_string_equal(owner(), first);
    ps_test_stage_fini(&stage);
    PS_START(NULL);
    assert_int_equal(access(id_path(), F_OK), -1);
    ps_test_stage_fini(&stage);
    prepare(PS_KEYS(NULL));
    assert_string_not_equal(owner(), first);
    ps_test_stage_close(&stage);
    for (size_t i = 0; i < PS_COUNT_OF(no_numbers); i++) {
        FILE *file = fopen(id_path(), "w");
        assert_non_null(file);
        fputs(no_numbers[i], file);
        fclose(file);
        assert_int_equal(ps_test_stage_open(&stage), PS_FAIL);
        assert_non_null(strstr(stage.err.text, "does not have a number of 16 digits"));
    }
    ps_test_stage_fini(&stage);
}

/* Writes the position file, as young as the source's number and some seconds. */
static void write_flumes(const char *text, int seconds)
{
    struct stat number;
    FILE *file = fopen(positions, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(stat(id_path(), &number), 0);
    const struct timespec times[] = {{.tv_sec = number.st_mtim.tv_sec + seconds},
                                     {.tv_sec = number.st_mtim.tv_sec + seconds}};
    assert_int_equal(utimensat(AT_FDCWD, positions, times, 0), 0);
}

/* Flume went on from the position file (it writes no newline at the end): the sink's records are older, so the source draws another
 * number and does not find them. */
static void test_flume_went_on(void **unused)
{
    static const struct {
        const char *text;
        int seconds;
        bool draws;
    } rows[] = {{"[]\n", 10, false}, {"[]", -10, false}, {"[]", 10, true}, {"[]\n", 10, false}};
    char before[64];
    prepare(PS_KEYS(NULL));
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        snprintf(before, sizeof before, "%s", owner());
        ps_test_stage_close(&stage);
        write_flumes(rows[i].text, rows[i].seconds);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        if ((strcmp(owner(), before) != 0) != rows[i].draws)
            fail_msg("row %zu: %s, before %s", i, owner(), before);
    }
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_starts_from_records, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_renamed, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_copied_and_truncated, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_earlier_copy, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_skips_to_end, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_no_answer, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_records_of_another_version, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_number, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_flume_went_on, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
