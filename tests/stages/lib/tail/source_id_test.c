/* The number of a source of files beside its positions: when it is outdated, what is made of a file that is none, and its removal. */
#include "stages/lib/tail/source_id.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"
#include "tests/support/system_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define NUMBER "0123456789abcdef"

static char positions[512], id[520];

static int setup(void **state)
{
    ps_test_folder_setup(state);
    snprintf(positions, sizeof positions, "%s", ps_test_folder_path("p"));
    snprintf(id, sizeof id, "%s.id", positions);
    return 0;
}

static void write_file(const char *path, const char *text, time_t s, long ns)
{
    const struct timespec times[2] = {{s, ns}, {s, ns}};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Flume ends its file without a newline; only if it did so later than the number was made, the number is outdated. */
static void test_overtaken(void **unused)
{
    static const struct {
        const char *positions; /* NULL: there are none */
        bool has_number;
        time_t s; /* later than the number */
        long ns;
        bool overtaken;
    } rows[] = {
        {"[]", true, 0, 1, true},         {"[]", true, 1, 0, true},    {"[]", true, 1, -500, true},
        {"[]", true, 0, 0, false},        {"[]", true, 0, -1, false},  {"[]", true, -1, 0, false},
        {"[]", true, -1, 500, false},     {"[]\n", true, 5, 0, false}, {"[{}\n]", true, 5, 0, true},
        {"", true, 5, 0, false},          {NULL, true, 0, 0, false},   {"[]", false, 5, 0, false},
        {"[{}]", true, 1000000, 0, true}, {"\n", true, 5, 0, false},   {"x", true, 0, 1, true},
        {"[{}]\n", true, 0, 1, false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        (void)unlink(positions);
        (void)unlink(id);
        if (rows[i].positions != NULL)
            write_file(positions, rows[i].positions, 1000000000 + rows[i].s, 1000 + rows[i].ns);
        if (rows[i].has_number)
            write_file(id, NUMBER "\n", 1000000000, 1000);
        if (ps_tail_source_id_is_overtaken(positions) != rows[i].overtaken)
            fail_msg("row %zu: the number is %soutdated", i, rows[i].overtaken ? "not " : "");
    }
}

static enum ps_status need(bool overtaken, char owner[PS_TAIL_OWNER_BYTES], const char **reason)
{
    static struct ps_err err;
    err.length = 0;
    memset(owner, '#', PS_TAIL_OWNER_BYTES);
    enum ps_status status = ps_tail_source_id_need(positions, overtaken, owner, &err);
    *reason = err.length > 0 ? err.text : NULL;
    return status;
}

/* A number that cannot be read is no missing number: another one would make the sink's records useless. */
static void test_errors(void **unused)
{
    static const int errors[] = {EIO, EACCES, EMFILE, ENOMEM};
    char owner[PS_TAIL_OWNER_BYTES];
    const char *reason;
    write_file(id, NUMBER "\n", 1, 0);
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        ps_test_call_error = errors[i];
        ps_test_call_broken = "open";
        ps_test_call_path = id; /* a new number could be written */
        assert_int_equal(need(false, owner, &reason), PS_FAIL);
        ps_test_call_broken = ps_test_call_path = NULL;
        assert_non_null(strstr(reason, id));
        assert_non_null(strstr(reason, strerror(ps_test_call_error)));
        assert_int_equal(need(false, owner, &reason), PS_OK);
        assert_string_equal(owner, NUMBER);
        assert_null(reason);
    }
    assert_int_equal(unlink(id), 0);
    assert_int_equal(mkdir(id, 0700), 0); /* it can be opened, but not read */
    assert_int_equal(need(false, owner, &reason), PS_FAIL);
    assert_non_null(strstr(reason, strerror(EISDIR)));
    assert_int_equal(rmdir(id), 0);
}

/* Each call of writing a new number fails once: there is an error, and the next number is the one in the file. */
static void test_writing(void **unused)
{
    char owner[PS_TAIL_OWNER_BYTES], last[PS_TAIL_OWNER_BYTES] = "";
    const char *reason;
    bool failed = true;
    unsigned failures = 0;
    for (uint64_t nth = 1; failed; nth++) {
        ps_test_call_error = EIO;
        ps_test_call_fails = nth;
        enum ps_status status = need(true, owner, &reason);
        failed = ps_test_call_fails == 0;
        ps_test_call_fails = 0;
        assert_int_equal(status == PS_OK, reason == NULL);
        failures += status != PS_OK;
        if (status != PS_OK)
            assert_non_null(strstr(reason, id));
        assert_int_equal(need(false, owner, &reason), PS_OK);
        assert_int_equal(strspn(owner, "0123456789abcdef"), 16);
        assert_int_equal(owner[16], '\0');
        snprintf(last, sizeof last, "%s", owner);
        assert_int_equal(need(false, owner, &reason), PS_OK);
        assert_string_equal(owner, last);
    }
    assert_true(failures >= 3);
}

static void test_forget(void **unused)
{
    static const struct {
        int error;
        enum ps_status status;
    } rows[] = {{ENOENT, PS_OK}, {EROFS, PS_OK}, {EACCES, PS_FAIL}, {EPERM, PS_FAIL}, {EIO, PS_FAIL}};
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_tail_source_id_forget(positions, &err), PS_OK); /* there is none */
    write_file(id, NUMBER "\n", 1, 0);
    assert_int_equal(ps_tail_source_id_forget(positions, &err), PS_OK);
    assert_int_equal(access(id, F_OK), -1);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        err.length = 0;
        write_file(id, NUMBER "\n", 1, 0);
        ps_test_call_error = rows[i].error;
        ps_test_call_broken = "unlink";
        enum ps_status status = ps_tail_source_id_forget(positions, &err);
        ps_test_call_broken = NULL;
        assert_int_equal(status, rows[i].status);
        if (status != PS_OK) {
            assert_non_null(strstr(err.text, "cannot be removed"));
            assert_non_null(strstr(err.text, strerror(rows[i].error)));
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(overtaken), TEST(errors), TEST(writing), TEST(forget)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
