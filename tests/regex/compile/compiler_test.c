/* The compiler: requests and answers as bytes; the compiler as a process, with its limits and its end. The tests of
 * the process need the program. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "regex/compile/compiler.h"
#include "regex/matcher/matcher.h"
#include "tests/support/support.h"

static const struct ps_hyperscan_expression expressions[] = {
    {.text = "foo", .flags = 0},
    {.text = "", .flags = PS_HYPERSCAN_ALLOW_EMPTY, .states = 7},
    {.text = "b[a-z]r", .flags = PS_HYPERSCAN_PREFILTER},
};

static void test_requests_come_back(void **state)
{
    struct ps_bytes key = {0}, bytes = {0};
    struct ps_compile_limits limits = {.memory_bytes = UINT64_C(5) << 33, .time_ms = 17, .idle = true};
    struct ps_compile_request request;
    ps_compile_key_write(&key, expressions, 3);
    ps_compile_request_write(&bytes, &limits, &key);
    assert_int_equal(ps_compile_request_read(bytes.data, bytes.length, &request, NULL), PS_OK);
    assert_int_equal(request.count, 3);
    assert_int_equal(request.limits.memory_bytes, limits.memory_bytes);
    assert_int_equal(request.limits.time_ms, 17);
    assert_true(request.limits.idle);
    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(request.expressions[i].text, expressions[i].text);
        assert_int_equal(request.expressions[i].flags, expressions[i].flags);
        assert_int_equal(request.expressions[i].states, expressions[i].states);
    }
    ps_compile_request_fini(&request);
    for (size_t length = 0; length < bytes.length; length++)
        assert_int_equal(ps_compile_request_read(bytes.data, length, &request, NULL), PS_FAIL);
    ps_bytes_put(&bytes, "x", 1);
    assert_int_equal(ps_compile_request_read(bytes.data, bytes.length, &request, NULL), PS_FAIL);
    bytes.data[28] = 0xFF; /* the count */
    assert_int_equal(ps_compile_request_read(bytes.data, bytes.length, &request, NULL), PS_FAIL);
    ps_bytes_fini(&key);
    ps_bytes_fini(&bytes);
}

static void test_answers_come_back(void **state)
{
    struct ps_compile_answer answer = {.failed = 2, .error = "too large"}, read;
    struct ps_bytes bytes = {0};
    ps_compile_answer_write(&bytes, &answer, 3);
    assert_int_equal(ps_compile_answer_read(bytes.data, bytes.length, 3, &read, NULL), PS_OK);
    assert_null(read.built.outcomes);
    assert_int_equal(read.failed, 2);
    assert_string_equal(read.error, "too large");
    bytes.length = 0;
    unsigned char outcomes[3] = {0, 1, 2}, database[5] = "data";
    answer.built = (struct ps_hyperscan_built){.bytes = database, .length = 5, .outcomes = outcomes};
    ps_compile_answer_write(&bytes, &answer, 3);
    assert_int_equal(ps_compile_answer_read(bytes.data, bytes.length, 3, &read, NULL), PS_OK);
    assert_memory_equal(read.built.outcomes, outcomes, 3);
    assert_memory_equal(read.built.bytes, database, 5);
    ps_compile_answer_fini(&read);
    assert_int_equal(ps_compile_answer_read(bytes.data, bytes.length, 4, &read, NULL), PS_FAIL);
    for (size_t length = 0; length < bytes.length; length++)
        assert_int_equal(ps_compile_answer_read(bytes.data, length, 3, &read, NULL), PS_FAIL);
    outcomes[1] = 3;
    bytes.length = 0;
    ps_compile_answer_write(&bytes, &answer, 3);
    assert_int_equal(ps_compile_answer_read(bytes.data, bytes.length, 3, &read, NULL), PS_FAIL);
    ps_bytes_fini(&bytes);
}

/* Expressions become prefilters or are left out one after the other; the rest is compiled. */
static void test_what_is_too_much_is_left_out(void **state)
{
    const struct ps_hyperscan_expression some[] = {
        {.text = "foo"},
        {.text = "x(?:[\\x00-\\x7F]|[\\x80-\\xFE]{1,4}){1000}y"}, /* "Pattern is too large." */
        {.text = "a{40000}"},                                     /* "Bounded repeat is too large." */
        {.text = "(a)\\1"},
    };
    struct ps_hyperscan_built built;
    uint32_t failed;
    bool passing;
    struct ps_err err;
    assert_int_equal(ps_hyperscan_build(some, 4, &built, &failed, &err), PS_OK);
    assert_int_equal(built.outcomes[0], PS_HYPERSCAN_AS_ASKED);
    assert_int_not_equal(built.outcomes[1], PS_HYPERSCAN_AS_ASKED);
    assert_int_not_equal(built.outcomes[2], PS_HYPERSCAN_AS_ASKED);
    assert_int_equal(built.outcomes[3], PS_HYPERSCAN_PREFILTERED);
    struct ps_hyperscan *hyperscan = ps_hyperscan_open(built.bytes, built.length, &passing, &err);
    assert_non_null(hyperscan);
    assert_true(ps_hyperscan_database_bytes(hyperscan) > 0 && ps_hyperscan_scratch_bytes(hyperscan) > 0);
    ps_hyperscan_close(hyperscan);
    built.bytes[built.length / 2] ^= 1;
    assert_null(ps_hyperscan_open(built.bytes, built.length, &passing, &err));
    assert_false(passing);
    ps_hyperscan_built_fini(&built);
    const struct ps_hyperscan_expression target_gone = {.text = "("};
    assert_int_equal(ps_hyperscan_build(&target_gone, 1, &built, &failed, &err), PS_OK);
    assert_null(built.bytes);
    assert_int_equal(built.outcomes[0], PS_HYPERSCAN_LEFT_OUT);
    ps_hyperscan_built_fini(&built);
}

static bool yes(void *argument)
{
    ++*(unsigned *)argument;
    return true;
}

static void test_cancelled_before_it_began(void **state)
{
    unsigned asked = 0;
    struct ps_compile_answer answer;
    struct ps_compile_how how = {.cancelled = yes, .argument = &asked};
    struct ps_bytes key = {0};
    struct ps_err err;
    assert_int_equal(ps_compile_run(expressions, 3, &key, &how, &answer, &err), PS_FAIL);
    assert_string_equal(err.text, "compiling was cancelled");
    assert_int_equal(asked, 1);
}

static const char *program(void)
{
    const char *path = getenv("PENSTOCK");
    if (path == NULL || access(path, X_OK) != 0)
        ps_test_skip("there is no program at $PENSTOCK");
    return path;
}

static void test_a_process_compiles(void **state)
{
    struct ps_compile_how how = {.program = program(), .limits = {UINT64_C(1) << 30, 60000, true}};
    struct ps_compile_answer here = {0}, there;
    struct ps_bytes key = {0};
    struct ps_err err;
    ps_compile_key_write(&key, expressions + 2, 1);
    if (ps_compile_run(expressions + 2, 1, &key, &how, &there, &err) != PS_OK)
        fail_msg("%s", err.text);
    how.program = NULL;
    assert_int_equal(ps_compile_run(expressions + 2, 1, &key, &how, &here, &err), PS_OK);
    assert_int_equal(here.built.length, there.built.length);
    assert_memory_equal(here.built.bytes, there.built.bytes, here.built.length);
    ps_compile_answer_fini(&here);
    ps_compile_answer_fini(&there);
    ps_bytes_fini(&key);
}

/* Makes enough expressions that compiling takes more than a second. */
static struct ps_hyperscan_expression *many(uint32_t count, struct ps_bytes *key)
{
    struct ps_hyperscan_expression *made = calloc(count, sizeof *made);
    assert_non_null(made);
    for (uint32_t i = 0; i < count; i++) {
        char *text = malloc(80);
        assert_non_null(text);
        snprintf(text, 80, "service=[a-z]{3,%u}%u.*status=%u[0-9]", i % 37 + 10, i * 7919, i % 977);
        made[i] = (struct ps_hyperscan_expression){.text = text};
    }
    ps_compile_key_write(key, made, count);
    return made;
}

static void free_many(struct ps_hyperscan_expression *made, uint32_t count, struct ps_bytes *key)
{
    for (uint32_t i = 0; i < count; i++)
        free((char *)(uintptr_t)made[i].text);
    free(made);
    ps_bytes_fini(key);
}

#define MANY 5000U

/* Returns whether the same request may succeed later. */
static bool fails_because(struct ps_compile_how *how, const char *because)
{
    struct ps_compile_answer answer;
    struct ps_bytes key = {0};
    struct ps_err err;
    struct ps_hyperscan_expression *made = many(MANY, &key);
    assert_int_equal(ps_compile_run(made, MANY, &key, how, &answer, &err), PS_FAIL);
    if (strstr(err.text, because) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", err.text, because);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    free_many(made, MANY, &key);
    return answer.passing;
}

static void test_time_is_limited(void **state)
{
    struct ps_compile_how how = {.program = program(), .limits = {.time_ms = 200}};
    assert_false(fails_because(&how, "compiling took more than 200 ms of CPU time"));
}

static void test_memory_is_limited(void **state)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    ps_test_skip("a program with a sanitizer has no memory limit");
#endif
    struct ps_compile_how how = {.program = program(), .limits = {.memory_bytes = 20U << 20}};
    assert_false(fails_because(&how, "20 MiB of memory")); /* "more than ..." or "... is too little" */
}

static void test_cancelled_on_the_way(void **state)
{
    unsigned asked = 0;
    struct ps_compile_how how = {.program = program(), .cancelled = yes, .argument = &asked};
    assert_false(fails_because(&how, "compiling was cancelled"));
}

static void test_programs_that_cannot_answer(void **state)
{
    struct ps_compile_how how = {.program = "/nonexistent/penstock"};
    assert_true(fails_because(&how, "cannot start /nonexistent/penstock"));
    how.program = "/bin/false";
    assert_true(fails_because(&how, "ended without an answer"));
    how.program = "/bin/echo";
    (void)fails_because(&how, "the compiler");
}

/* Run by hand, the program only reports its purpose. */
static void test_refuses_other_input(void **state)
{
    char line[600];
    snprintf(line, sizeof line, "echo hello | %s rules compile >/dev/null 2>&1", program());
    int status = system(line);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_come_back),
        cmocka_unit_test(test_answers_come_back),
        cmocka_unit_test(test_what_is_too_much_is_left_out),
        cmocka_unit_test(test_cancelled_before_it_began),
        cmocka_unit_test(test_a_process_compiles),
        cmocka_unit_test(test_time_is_limited),
        cmocka_unit_test(test_memory_is_limited),
        cmocka_unit_test(test_cancelled_on_the_way),
        cmocka_unit_test(test_programs_that_cannot_answer),
        cmocka_unit_test(test_refuses_other_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
