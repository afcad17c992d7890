/* The records of files that a sink keeps: texts that are read or refused, and errors of the system meanwhile. After a
 * failed call or allocation no file is read from its beginning again, and no file that is there counts as gone. */
#include "stages/lib/spool/sink_records.h"
#include "core/log/log.h"
#include "stages/lib/spool/spool_internal.h"
#include "tests/stages/lib/spool/spool_support.h"
#include "tests/support/allocations.h"
#include "tests/support/folder.h"
#include "tests/support/system_calls.h"

#include <inttypes.h>
#include <stdlib.h>

#define WITHOUT_FILE                                                                                         \
    "\"pos\":13,\"inode\":5,\"device\":3,\"born\":7,\"size\":20,\"changed\":9,\"compression\":0,"            \
    "\"inside\":0,\"end\":0"
#define MEMBERS WITHOUT_FILE ",\"file\":\"a\""

static struct ps_spool_records records;
static struct ps_err err;

static void test_all_members(void **unused)
{
    assert_int_equal(ps_spool_sink_records_parse(
                         "[{\"pos\":13,\"inode\":9223372036854775807,\"device\":-3,\"born\":7,\"size\":20,"
                         "\"changed\":9,\"compression\":1,\"inside\":4,\"end\":2,"
                         "\"file\":\"x/\\\"\\u00e4\\ud83d\\ude00\"},\n{" MEMBERS "}]\n",
                         &records, &err),
                     PS_OK);
    assert_int_equal(records.count, 2);
    const struct ps_spool_sink_records *kept = records.items;
    assert_string_equal(kept->path, "x/\"\xc3\xa4\xf0\x9f\x98\x80");
    assert_true(kept->inode == INT64_MAX && kept->device == (uint64_t)-3 && kept->born_ns == 7);
    assert_true(kept->state.size == 20 && kept->state.changed_ns == 9);
    assert_int_equal(kept->position, 12); /* at the end of the file, one more */
    assert_int_equal(kept->inside, 4);
    assert_int_equal(kept->compression, PS_COMPRESSION_GZIP);
    assert_int_equal(kept->end, PS_SPOOL_KEPT_BROKEN);
    assert_int_equal(records.items[1].position, 13);
    assert_string_equal(records.items[1].path, "a");
    ps_spool_sink_records_free(&records);
}

static void test_forms(void **unused)
{
    static const struct {
        const char *text;
        int count; /* -1: refused */
    } cases[] = {
        {"[]", 0},
        {" [ ] \n", 0},
        {"[{" MEMBERS "}]", 1},
        {" [ { " MEMBERS " } , {" MEMBERS "} ]", 2},
        {"[{" MEMBERS ",\"later\":5,\"more\":\"text\"}]", 1},
        {"[{" MEMBERS ",\"inside\":3}]", 1},
        {"[{" MEMBERS ",\"file\":\"b\"}]", 1},
        {"", -1},
        {"{}", -1},
        {"[", -1},
        {"[{", -1},
        {"[{}]", -1},
        {"[{" MEMBERS "}", -1},
        {"[{" MEMBERS "},]", -1},
        {"[{" MEMBERS "} {" MEMBERS "}]", -1},
        {"[{" MEMBERS ",}]", -1},
        {"[{" MEMBERS ",\"later\":[1]}]", -1},
        {"[{" MEMBERS ",\"later\":null}]", -1},
        {"[{" MEMBERS ",\"later\" 5}]", -1},
        {"[{" WITHOUT_FILE "}]", -1},
        {"[{" WITHOUT_FILE ",\"file\":5}]", -1},
        {"[{" WITHOUT_FILE ",\"file\":\"a}]", -1},
        {"[{" WITHOUT_FILE ",\"file\":\"\\x\"}]", -1},
        {"[{" WITHOUT_FILE ",\"file\":\"\\u12\"}]", -1},
        {"[{" WITHOUT_FILE ",\"file\":\"\\ud800\\u0041\"}]", -1},
        {"[{" MEMBERS ",\"inode\":\"5\"}]", -1},
        {"[{" MEMBERS ",\"inode\":}]", -1},
        {"[{" MEMBERS ",\"inode\":5.5}]", -1},
        {"[{" MEMBERS ",\"inode\":9223372036854775808}]", -1},
        {"[{" MEMBERS ",\"inside\":-1}]", -1},
        {"[{" MEMBERS ",\"pos\":-1}]", -1},
        {"[{" MEMBERS ",\"pos\":0}]", 1},
        {"[{" MEMBERS ",\"end\":1,\"pos\":0}]", -1},
        {"[{" MEMBERS ",\"end\":1,\"pos\":1}]", 1},
        {"[{" MEMBERS ",\"end\":-1}]", -1},
        {"[{" MEMBERS ",\"end\":3}]", -1},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        enum ps_status status = ps_spool_sink_records_parse(cases[i].text, &records, &err);
        if ((status == PS_OK) != (cases[i].count >= 0) ||
            (int)records.count != (cases[i].count > 0 ? cases[i].count : 0))
            fail_msg("%s: %d records", cases[i].text, (int)records.count);
        if (status != PS_OK) {
            assert_non_null(strstr(err.text, "this version of penstock cannot read"));
            assert_null(records.items);
        }
        ps_spool_sink_records_free(&records);
    }
}

static void test_no_memory(void **unused)
{
    uint64_t nth = 1;
    for (; PS_TEST_ALLOCATIONS; nth++) {
        ps_test_allocation_fails = nth;
        enum ps_status status = ps_spool_sink_records_parse("[{" MEMBERS "},{" MEMBERS "}]", &records, &err);
        bool came = ps_test_allocation_fails == 0;
        ps_test_allocation_fails = 0;
        assert_int_equal(status, came ? PS_FAIL : PS_OK);
        assert_int_equal(records.count, came ? 0 : 2);
        if (!came)
            break;
        assert_non_null(strstr(err.text, "no memory"));
    }
    ps_spool_sink_records_free(&records);
    assert_true(nth == (PS_TEST_ALLOCATIONS ? 5 : 1)); /* the string, the items, two paths */
}

/* ---- at a start ---- */

static struct ps_spool *spool;
static char *texts;

static void open_spool(void)
{
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".flumespool",
                                               .suffix = ".COMPLETED",
                                               .include = "^.*$",
                                               .ignore = "^$"};
    spool = ps_spool_create(&settings, &err);
    assert_non_null(spool);
}

static void close_spool(void)
{
    struct ps_tail_thread none = {.helper = NULL};
    struct ps_spool_file *files = ps_spool_files(spool);
    for (unsigned i = 0; i < PS_SPOOL_FILES_MAX; i++) {
        if (files[i].fd >= 0)
            close(files[i].fd);
        files[i].fd = -1;
    }
    ps_spool_leave(spool, &none);
}

/* Fetches with the nth call, or allocation, failing. Returns false when there were fewer. */
static bool fetch(uint64_t call, uint64_t allocation)
{
    struct ps_spool_fetch *job = ps_spool_fetch_of(spool);
    struct ps_spool_file *files = ps_spool_files(spool);
    job->wanted = 0;
    job->list = true;
    for (unsigned i = 0; i < PS_SPOOL_FILES_MAX && job->wanted < 4; i++)
        if (files[i].fd < 0 && !files[i].in_flight)
            job->files[job->wanted++] = &files[i];
    ps_spool_fetch_prepare(job, spool, answer);
    ps_test_call_fails = call;
    ps_test_allocation_fails = allocation;
    job->job.run(&job->job);
    bool came = ps_test_call_fails == 0 && ps_test_allocation_fails == 0;
    ps_test_call_fails = ps_test_allocation_fails = 0;
    return came;
}

/* Prints the record of each file as it is now, and renames b to c; a new file gets the name b; the file d is deleted. */
static void make(void)
{
    char record[4096];
    size_t length = 0;
    for (const char *name = "abd"; *name != '\0'; name++)
        ps_test_folder_append((const char[]){*name, '\0'}, "one\ntwo\n", 8);
    open_spool();
    fetch(0, 0);
    assert_int_equal(ps_spool_fetch_of(spool)->found, 3);
    texts = malloc(16384);
    assert_non_null(texts);
    for (unsigned i = 0; i < 3; i++) {
        uint32_t printed =
            ps_spool_sink_records_print(ps_spool_fetch_of(spool)->files[i], 0, PS_SPOOL_KEPT_OPEN, record);
        length += (size_t)sprintf(texts + length, "%c{\"pos\":4,%.*s", i == 0 ? '[' : ',', (int)printed - 1,
                                  record + 1);
    }
    stpcpy(texts + length, "]\n");
    close_spool();
    assert_int_equal(rename(ps_test_folder_path("b"), ps_test_folder_path("c")), 0);
    ps_test_folder_append("b", "new\n", 4);
    assert_int_equal(unlink(ps_test_folder_path("d")), 0);
}

/* The first fetch of this run meets the failure; the second one is made when the source is opened again, or polls.
 * Returns false if the failure did not come. */
static bool play(uint64_t call, uint64_t allocation)
{
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    make();
    open_spool();
    struct ps_spool_fetch *job = ps_spool_fetch_of(spool);
    bool came = true;
    unsigned found = 0, gone = 0;
    job->records = strdup(texts);
    for (unsigned tries = 0; tries < 3; tries++) {
        bool failed = fetch(tries == 0 ? call : 0, tries == 0 ? allocation : 0);
        came = tries == 0 ? failed : came;
        if (job->failed) {
            assert_true(job->reason[0] != '\0');
            assert_null(job->records);
            job->records = strdup(texts); /* the source is opened again, and asks again */
            continue;
        }
        for (unsigned i = 0; i < job->found; i++) {
            const struct ps_spool_file *file = job->files[i];
            found |= 1U << (file->name[0] - 'a');
            if (file->start != (file->name[0] == 'b' ? 0 : 4))
                fail_msg("%s begins at %" PRIu64 "; %s failed", file->name, file->start,
                         ps_test_call_failed != NULL ? ps_test_call_failed : "an allocation");
        }
        gone += (unsigned)job->gone_count;
        free(job->gone);
        job->gone = NULL;
        job->gone_count = 0;
    }
    if (found != 7 || gone != 1)
        fail_msg("found %x, gone %u; %s failed", found, gone,
                 ps_test_call_failed != NULL ? ps_test_call_failed : "an allocation");
    close_spool();
    free(texts);
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
    return came;
}

static void test_each_call_fails(void **unused)
{
    static const int errors[] = {EIO, EACCES, ENOMEM};
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        uint64_t nth = 1;
        ps_test_call_error = errors[i];
        for (; play(nth, 0); nth++)
            ;
        assert_in_range(nth, 15, 200);
    }
}

static void test_each_allocation_fails(void **unused)
{
    uint64_t nth = 1;
    for (ps_test_call_failed = NULL; PS_TEST_ALLOCATIONS && play(0, nth); nth++)
        ;
    assert_true(!PS_TEST_ALLOCATIONS || nth > 5);
}

/* ---- listings without a file that exists ---- */

/* Makes a run that has read a part of the file `a`, which is then renamed; the new run has its record. */
static void make_one(const char *name)
{
    char record[4096];
    ps_test_folder_append("a", "one\ntwo\n", 8);
    open_spool();
    fetch(0, 0);
    assert_int_equal(ps_spool_fetch_of(spool)->found, 1);
    uint32_t printed =
        ps_spool_sink_records_print(ps_spool_fetch_of(spool)->files[0], 0, PS_SPOOL_KEPT_OPEN, record);
    close_spool();
    assert_int_equal(rename(ps_test_folder_path("a"), ps_test_folder_path(name)), 0);
    open_spool();
    assert_true(asprintf(&ps_spool_fetch_of(spool)->records, "[{\"pos\":4,%.*s]\n", (int)printed - 1,
                         record + 1) > 0);
}

static void expect_fetch(unsigned found, size_t gone)
{
    struct ps_spool_fetch *job = ps_spool_fetch_of(spool);
    fetch(0, 0);
    assert_int_equal(job->found, found);
    assert_int_equal(job->gone_count, gone);
    free(job->gone);
    job->gone = NULL;
    job->gone_count = 0;
}

/* A listing can miss a file that is renamed meanwhile. */
static void test_missed_by_one_list(void **unused)
{
    make_one(".a");
    expect_fetch(0, 0);
    assert_int_equal(rename(ps_test_folder_path(".a"), ps_test_folder_path("c")), 0);
    expect_fetch(1, 0);
    assert_int_equal(ps_spool_fetch_of(spool)->files[0]->start, 4);
    expect_fetch(0, 0);
    close_spool();
}

static void test_missed_by_two_lists(void **unused)
{
    make_one(".a");
    expect_fetch(0, 0);
    expect_fetch(0, 1);
    expect_fetch(0, 0);
    close_spool();
}

/* Two lists in a row may lack a renamed file because memory runs out: the file does not count as gone. The nth allocation of the first fetch fails, and
 * the mth of the second one. Returns whether the first failure came, and sets *second for the other. */
static bool play_lists(uint64_t nth, uint64_t mth, bool *second)
{
    unsigned found = 0;
    bool came[4];
    make_one("c");
    struct ps_spool_fetch *job = ps_spool_fetch_of(spool);
    char *kept = strdup(job->records);
    assert_non_null(kept);
    for (unsigned times = 0; times < 4; times++) {
        came[times] = fetch(0, times == 0 ? nth : times == 1 ? mth : 0);
        assert_int_equal(job->gone_count, 0);
        if (job->failed)
            job->records = strdup(kept); /* the source asks again */
        else
            found += job->found;
        assert_true(job->failed || job->found == 0 || job->files[0]->start == 4);
    }
    assert_int_equal(found, 1);
    free(kept);
    close_spool();
    assert_int_equal(unlink(ps_test_folder_path("c")), 0);
    *second = came[1];
    return came[0];
}

static void test_lists_without_memory(void **unused)
{
    bool first = PS_TEST_ALLOCATIONS, second;
    for (uint64_t nth = 1; first; nth++) {
        second = true;
        for (uint64_t mth = 1; second; mth++)
            first = play_lists(nth, mth, &second);
    }
}

/* A record's file has its old name and also a new link: the record belongs to the old name, and the link counts as another file, whichever of
 * the two is looked at first. */
static void test_another_link(void **unused)
{
    for (const char *link_name = "Ac"; *link_name != '\0'; link_name++) {
        const char name[] = {*link_name, '\0'};
        make_one("a");
        assert_int_equal(link(ps_test_folder_path("a"), ps_test_folder_path(name)), 0);
        expect_fetch(2, 0);
        for (unsigned i = 0; i < 2; i++) {
            const struct ps_spool_file *file = ps_spool_fetch_of(spool)->files[i];
            if (file->start != (file->name[0] == 'a' ? 4 : 0))
                fail_msg("%s begins at %" PRIu64 ", and the link is %s", file->name, file->start, name);
        }
        close_spool();
        assert_int_equal(unlink(ps_test_folder_path("a")), 0);
        assert_int_equal(unlink(ps_test_folder_path(name)), 0);
    }
}

/* The name of the record has another file now, and the file has another name: the record is of the file. */
static void test_another_file_has_the_name(void **unused)
{
    make_one("c");
    ps_test_folder_append("a", "new\nnew\n", 8);
    expect_fetch(2, 0);
    for (unsigned i = 0; i < 2; i++) {
        const struct ps_spool_file *file = ps_spool_fetch_of(spool)->files[i];
        assert_int_equal(file->start, file->name[0] == 'c' ? 4 : 0);
    }
    close_spool();
}

/* No file can have the path of the record any longer, for whatever reason: its file has been renamed, and is read on. */
static void test_paths_without_a_file(void **unused)
{
    static char name[300], path[5000];
    const char *const paths[] = {"b", "c/a", "d/a", name, path};
    memset(name, 'n', sizeof name - 1);
    memset(path, '/', sizeof path - 1);
    path[sizeof path - 2] = 'b';
    for (size_t i = 0; i < PS_COUNT_OF(paths); i++) {
        make_one("c");
        char **kept = &ps_spool_fetch_of(spool)->records, *own = *kept, *at = strstr(own, "\"a\"");
        assert_non_null(at);
        assert_true(asprintf(kept, "%.*s\"%s%s", (int)(at - own), own, paths[i], at + 2) > 0);
        free(own);
        expect_fetch(1, 0);
        if (ps_spool_fetch_of(spool)->files[0]->start != 4)
            fail_msg("the file is read from its beginning after %.20s", paths[i]);
        close_spool();
        assert_int_equal(unlink(ps_test_folder_path("c")), 0);
    }
}

/* The records stay as long as their files cannot be looked at, and the log says so once. */
static void test_never_looked_at(void **unused)
{
    make_one(".a");
    ps_log_set_level(PS_LOG_WARN);
    uint64_t warnings = ps_log_count(PS_LOG_WARN);
    ps_test_call_broken = "stat";
    ps_test_call_error = EACCES;
    for (unsigned i = 0; i < 4; i++)
        expect_fetch(0, 0);
    assert_int_equal(ps_log_count(PS_LOG_WARN) - warnings, 1);
    ps_test_folder_append("b", "new\n", 4); /* a candidate that cannot be looked at either */
    for (unsigned i = 0; i < 4; i++)
        expect_fetch(0, 0);
    assert_int_equal(ps_log_count(PS_LOG_WARN) - warnings, 2);
    ps_test_call_broken = NULL;
    ps_log_set_level(PS_LOG_OFF);
    expect_fetch(1, 0);
    expect_fetch(0, 1);
    close_spool();
}

/* A power cut may bring a file back whose directory is not synced: its record stays until that is possible, also if the directory is gone
 * itself. The log says so once. */
static void test_gone_files_are_synced(void **unused)
{
    static const char *const paths[] = {"a", "d/e/a"};
    for (size_t i = 0; i < PS_COUNT_OF(paths); i++) {
        make_one(".a");
        char **kept = &ps_spool_fetch_of(spool)->records, *own = *kept, *at = strstr(own, "\"a\"");
        assert_non_null(at);
        assert_true(asprintf(kept, "%.*s\"%s%s", (int)(at - own), own, paths[i], at + 2) > 0);
        free(own);
        expect_fetch(0, 0);
        ps_log_set_level(PS_LOG_WARN);
        uint64_t warnings = ps_log_count(PS_LOG_WARN);
        ps_test_call_broken = "fsync";
        ps_test_call_error = EIO;
        for (unsigned tries = 0; tries < 3; tries++)
            expect_fetch(0, 0);
        ps_test_call_broken = NULL;
        ps_log_set_level(PS_LOG_OFF);
        assert_int_equal(ps_log_count(PS_LOG_WARN) - warnings, 1);
        expect_fetch(0, 1);
        expect_fetch(0, 0);
        close_spool();
        assert_int_equal(unlink(ps_test_folder_path(".a")), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_members),
                                       cmocka_unit_test(test_forms),
                                       cmocka_unit_test(test_no_memory),
                                       cmocka_unit_test(test_each_call_fails),
                                       cmocka_unit_test(test_each_allocation_fails),
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, ps_test_folder_setup, ps_test_folder_teardown)
                                       TEST(missed_by_one_list),
                                       TEST(missed_by_two_lists),
                                       TEST(lists_without_memory),
                                       TEST(another_link),
                                       TEST(another_file_has_the_name),
                                       TEST(paths_without_a_file),
                                       TEST(never_looked_at),
                                       TEST(gone_files_are_synced)};
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
