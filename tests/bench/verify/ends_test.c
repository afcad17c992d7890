/* When a verification ends, second by second, without a clock; and manifests that appear later. */
#include "bench/verify/ends.h"
#include "bench/verify/verify.h"
#include "core/clock.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <unistd.h>

#define S PS_NS_PER_S

struct step {
    uint64_t now_s, active_s; /* since the start, which is at 100 s; active_s 0: nothing has come yet */
    uint64_t sent, received;  /* sent 0: not known */
    bool manifest_missing, interrupted, failed, far_over;
    enum ps_end end;
};

static void run(uint64_t idle_s, uint64_t duration_s, const struct step *steps, size_t count)
{
    struct ps_ends ends = {.start_ns = 100 * S, .idle_ns = idle_s * S, .duration_ns = duration_s * S};
    for (size_t i = 0; i < count; i++) {
        struct ps_ends_state state = {
            .now_ns = (100 + steps[i].now_s) * S,
            .active_ns = steps[i].active_s > 0 ? (100 + steps[i].active_s) * S : 0,
            .known = steps[i].sent > 0,
            .sent = steps[i].sent,
            .received = steps[i].received,
            .manifest_missing = steps[i].manifest_missing,
            .interrupted = steps[i].interrupted,
            .failed = steps[i].failed,
            .far_over = steps[i].far_over,
        };
        enum ps_end end = ps_ends_check(&ends, &state);
        if (end != steps[i].end)
            fail_msg("step %zu: %s instead of %s", i, ps_end_name(end), ps_end_name(steps[i].end));
    }
}
#define RUN(idle_s, duration_s, steps) run(idle_s, duration_s, steps, PS_COUNT_OF(steps))

static void test_idle(void **state)
{
    static const struct step steps[] = {
        {.now_s = 29}, /* nothing yet: 30 s */
        {.now_s = 31, .active_s = 29},
        {.now_s = 33, .active_s = 29},
        {.now_s = 35, .active_s = 34},
        {.now_s = 39, .active_s = 34, .end = PS_END_IDLE},
    };
    static const struct step nothing[] = {{.now_s = 29}, {.now_s = 30, .end = PS_END_NOTHING}};
    static const struct step patient[] = {{.now_s = 30}, {.now_s = 59}, {.now_s = 60, .end = PS_END_NOTHING}};
    RUN(5, 0, steps);
    RUN(5, 0, nothing);
    RUN(60, 0, patient);
}

static void test_duration(void **state)
{
    static const struct step nothing[] = {{.now_s = 59}, {.now_s = 60, .end = PS_END_DURATION}};
    static const struct step busy[] = {{.now_s = 59, .active_s = 59},
                                       {.now_s = 60, .active_s = 60, .end = PS_END_DURATION}};
    static const struct step idle[] = {{.now_s = 11, .active_s = 7},
                                       {.now_s = 12, .active_s = 7, .end = PS_END_IDLE}};
    RUN(5, 60, nothing);
    RUN(5, 60, busy);
    RUN(5, 60, idle);
}

static void test_all_there(void **state)
{
    static const struct step steps[] = {
        {.now_s = 3, .active_s = 3, .sent = 10, .received = 9},
        {.now_s = 4, .active_s = 4, .sent = 10, .received = 10}, /* a second for late duplicates */
        {.now_s = 5, .active_s = 5, .sent = 10, .received = 10},
        {.now_s = 6, .active_s = 5, .sent = 10, .received = 10, .end = PS_END_ALL},
    };
    static const struct step for_ever[] = {
        {.now_s = 4, .active_s = 4, .sent = 10, .received = 10},
        {.now_s = 13, .active_s = 13, .sent = 10, .received = 10},
        {.now_s = 14, .active_s = 14, .sent = 10, .received = 10, .end = PS_END_ALL},
    };
    /* More was sent than it seemed at first: the wait for duplicates begins again. */
    static const struct step grows[] = {
        {.now_s = 4, .active_s = 4, .sent = 10, .received = 10},
        {.now_s = 5, .active_s = 5, .sent = 20, .received = 12},
        {.now_s = 18, .active_s = 18, .sent = 20, .received = 20},
        {.now_s = 19, .active_s = 18, .sent = 20, .received = 20, .end = PS_END_ALL},
    };
    RUN(5, 0, steps);
    RUN(5, 0, for_ever);
    RUN(5, 0, grows);
}

static void test_manifest_is_waited_for(void **state)
{
    static const struct step comes[] = {
        {.now_s = 3, .active_s = 3, .manifest_missing = true},
        {.now_s = 20, .active_s = 3, .manifest_missing = true},
        {.now_s = 21, .active_s = 3, .sent = 10, .received = 9, .end = PS_END_IDLE},
    };
    static const struct step never[] = {
        {.now_s = 62, .active_s = 3, .manifest_missing = true},
        {.now_s = 63, .active_s = 3, .manifest_missing = true, .end = PS_END_IDLE},
    };
    RUN(5, 0, comes);
    RUN(5, 0, never);
}

static void test_others(void **state)
{
    static const struct step signal[] = {{.now_s = 1, .interrupted = true, .end = PS_END_SIGNAL}};
    static const struct step over[] = {{.now_s = 1, .active_s = 1, .far_over = true, .end = PS_END_FAR}};
    static const struct step failed[] = {
        {.now_s = 1, .active_s = 1, .far_over = true, .failed = true, .end = PS_END_FAILED}};
    RUN(5, 0, signal);
    RUN(5, 0, over);
    RUN(5, 0, failed);
}

/* ---- manifests ---- */

static char folder[] = "/tmp/ends_test.XXXXXX", paths[2][64], spare[64];

static int setup(void **state)
{
    if (mkdtemp(folder) == NULL)
        return -1;
    for (unsigned i = 0; i < 2; i++)
        snprintf(paths[i], sizeof paths[i], "%s/m%u", folder, i);
    snprintf(spare, sizeof spare, "%s/new", folder);
    return 0;
}

static int teardown(void **state)
{
    unlink(paths[0]);
    unlink(paths[1]);
    return rmdir(folder);
}

/* As load does: writes a temporary file, then renames it. */
static void write_manifest(unsigned which, const char *text)
{
    FILE *file = fopen(spare, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(spare, paths[which]), 0);
}

static void test_manifest_appears(void **state)
{
    struct ps_manifest_file files[2] = {0};
    struct ps_expected expected = {0};
    struct ps_err err = {.length = 0};
    const char *const names[] = {paths[0], paths[1]};
    assert_int_equal(ps_ends_manifests(files, names, 2, &expected, &err), PS_OK);
    assert_int_equal(expected.manifest_missing, 2);
    write_manifest(1, "{\"run\":\"3fa9c2\",\"sources\":[{\"source\":4,\"events\":7,\"failed\":2}]}");
    assert_int_equal(ps_ends_manifests(files, names, 2, &expected, &err), PS_OK);
    assert_int_equal(expected.manifest_missing, 1);
    assert_int_equal(expected.manifests[0].run, 0x3fa9c2);
    write_manifest(0,
                   "{\"run\":\"aa\",\"sources\":[{\"source\":1,\"events\":1},{\"source\":0,\"events\":9}]}");
    assert_int_equal(ps_ends_manifests(files, names, 2, &expected, &err), PS_OK);
    assert_int_equal(expected.manifest_missing, 0);
    assert_int_equal(expected.manifest_count, 2);
    assert_int_equal(expected.manifests[0].run, 0xaa);
    assert_int_equal(expected.manifests[0].events, 10);
    assert_int_equal(expected.manifests[1].failed, 2);
    assert_int_equal(ps_manifest_find(&expected.manifests[0], 0)->events, 9);
    assert_int_equal(ps_manifest_find(&expected.manifests[0], 1)->events, 1);
    assert_null(ps_manifest_find(&expected.manifests[0], 2));
    /* that of an older run is replaced when the new load ends */
    write_manifest(0, "{\"run\":\"bb\",\"sources\":[]}");
    assert_int_equal(ps_ends_manifests(files, names, 2, &expected, &err), PS_OK);
    assert_int_equal(expected.manifests[0].run, 0xbb);
    assert_int_equal(expected.manifests[0].events, 0);
    write_manifest(0, "{\"run\":\"3fa9c2\",\"sources\":[]}");
    assert_int_equal(ps_ends_manifests(files, names, 2, &expected, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "same run"));
    for (unsigned i = 0; i < expected.manifest_count; i++)
        ps_manifest_fini(&expected.manifests[i]);
}

static void test_manifest_makes_no_sense(void **state)
{
    static const char *const texts[][2] = {
        {"", "is not valid JSON"},
        {"[]", "no \"run\""},
        {"{\"run\":12}", "no \"run\""},
        {"{\"run\":\"\",\"sources\":[]}", "is not a run"},
        {"{\"run\":\"1234567\",\"sources\":[]}", "is not a run"},
        {"{\"run\":\"xyz\",\"sources\":[]}", "is not a run"},
        {"{\"run\":\"1\"}", "no list of \"sources\""},
        {"{\"run\":\"1\",\"sources\":{}}", "no list of \"sources\""},
        {"{\"run\":\"1\",\"sources\":[1]}", "entry 1"},
        {"{\"run\":\"1\",\"sources\":[{\"source\":0}]}", "entry 1"},
        {"{\"run\":\"1\",\"sources\":[{\"source\":0,\"events\":1.5}]}", "entry 1"},
        {"{\"run\":\"1\",\"sources\":[{\"source\":0,\"events\":1},{\"source\":1,\"events\":-1}]}", "entry 2"},
        {"{\"run\":\"1\",\"sources\":[{\"source\":262144,\"events\":1}]}", "entry 1"},
        {"{\"run\":\"1\",\"sources\":[{\"source\":0,\"events\":4398046511105}]}", "entry 1"},
        {"{\"run\":\"1\",\"sources\":[{\"source\":0,\"events\":1,\"failed\":2}]}", "entry 1"},
        {"{\"run\":\"1\",\"sources\":[{\"source\":7,\"events\":1},{\"source\":7,\"events\":1}]}",
         "source 7 is in it twice"},
        {"{\"run\":\"1\",\"sources\":[{\"source\":0,\"events\":1}]", "is not valid JSON"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        struct ps_manifest manifest;
        struct ps_err err = {.length = 0};
        bool found = true;
        write_manifest(0, texts[i][0]);
        assert_int_equal(ps_manifest_read(&manifest, paths[0], &found, &err), PS_FAIL);
        assert_false(found);
        if (strstr(err.text, texts[i][1]) == NULL || strstr(err.text, paths[0]) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", texts[i][0], err.text, texts[i][1]);
        ps_manifest_fini(&manifest);
    }
    struct ps_manifest manifest;
    struct ps_err err = {.length = 0};
    bool found;
    assert_int_equal(ps_manifest_read(&manifest, folder, &found, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "not a file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_all_there),
        cmocka_unit_test(test_manifest_is_waited_for),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_manifest_appears),
        cmocka_unit_test(test_manifest_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
