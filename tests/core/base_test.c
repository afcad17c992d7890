/* The allocation functions that abort when there is no memory, PS_ASSERT, and which errors are a shortage. */
#include "core/base.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/allocations.h"

static void test_alloc(void **state)
{
    uint64_t *numbers = ps_must_alloc(1000, sizeof *numbers, "a test");
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], 0);
    numbers[999] = 7;
    numbers = ps_must_realloc(numbers, 100000 * sizeof *numbers, "a test");
    assert_int_equal(numbers[999], 7);
    free(numbers);
    for (size_t bytes = 1; bytes < 1000; bytes += 111) {
        uint8_t *memory = ps_must_alloc_aligned(bytes, "a test");
        assert_int_equal((uintptr_t)memory % PS_CACHE_GAP, 0);
        for (size_t i = 0; i < (bytes + PS_CACHE_GAP - 1) / PS_CACHE_GAP * PS_CACHE_GAP; i++)
            assert_int_equal(memory[i], 0);
        free(memory);
    }
    char *copy = ps_must_copy_text("text", "a test");
    assert_string_equal(copy, "text");
    free(copy);
    size_t length;
    FILE *stream = ps_must_open_text(&copy, &length, "a test");
    assert_true(fprintf(stream, "%d %s", 12, "months") == 9);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(length, 9);
    assert_string_equal(copy, "12 months");
    free(copy);
}

static void without_memory(void)
{
    ps_test_allocation_fails = 1;
    free(ps_must_alloc(3, 7, "three weeks"));
}

static void realloc_without_memory(void)
{
    ps_test_allocation_fails = 1;
    free(ps_must_realloc(NULL, 99, "a page"));
}

static void library_without_memory(void)
{
    ps_out_of_memory(0, "a library's object");
}

static void assertion(void)
{
    PS_ASSERT(errno == 12345);
}

/* Runs a function in a child process and returns what the child printed before it aborted. */
static void assert_ends(void (*end)(void), const char *printed)
{
    int ends[2];
    char text[512] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka has a handler of its own */
        dup2(ends[1], STDERR_FILENO);
        end();
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)got;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    if (strstr(text, printed) == NULL)
        fail_msg("printed: %s", text);
}

static void test_no_memory(void **state)
{
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer counts allocations of its own");
    assert_ends(without_memory, "penstock: out of memory: no 21 bytes for three weeks\n");
    assert_ends(realloc_without_memory, "penstock: out of memory: no 99 bytes for a page\n");
    assert_ends(library_without_memory, "penstock: out of memory for a library's object\n");
}

/* Exits only if the text is complete. */
static void print_without_memory(void)
{
    char *text;
    size_t length;
    FILE *stream = ps_must_open_text(&text, &length, "a long text");
    for (unsigned i = 0; i < 10000; i++)
        fprintf(stream, "%05u\n", i);
    fclose(stream);
    ps_test_allocation_fails = 0;
    bool complete = length == 60000 && text[60000] == '\0';
    for (unsigned i = 0; i < 10000 && complete; i++)
        complete = strtoul(text + (size_t)6 * i, NULL, 10) == i && text[6 * i + 5] == '\n';
    _exit(complete ? 0 : 1);
}

/* Each allocation of a text fails: the process ends, or no byte of the text is missing. */
static void test_text_without_memory(void **state)
{
    unsigned ended = 0, nth = 1;
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer counts allocations of its own");
    for (; nth < 20; nth++) {
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            signal(SIGABRT, SIG_DFL); /* cmocka has a handler of its own */
            ps_test_allocation_fails = nth;
            print_without_memory();
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
        if (status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT))
            fail_msg("allocation %u fails: the text is not complete, status %d", nth, status);
    }
    assert_in_range(ended, 4, nth - 2);
}

static void test_assert(void **state)
{
    assert_ends(assertion, ": errno == 12345\n");
}

/* EAGAIN of open(2) is a lease of the file, ENOBUFS is of sockets only, and EIO is of a disk: callers name them. */
static void test_shortage(void **state)
{
    static const int shortages[] = {EMFILE, ENFILE, ENOMEM};
    static const int others[] = {0,      EAGAIN, EINTR, ENOBUFS, ENOSPC, EDQUOT,
                                 EACCES, ENOENT, EIO,   ESTALE,  EROFS,  -ENOMEM};
    for (size_t i = 0; i < PS_COUNT_OF(shortages); i++)
        assert_true(ps_is_shortage(shortages[i]));
    for (size_t i = 0; i < PS_COUNT_OF(others); i++)
        assert_false(ps_is_shortage(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_text_without_memory),
        cmocka_unit_test(test_assert),
        cmocka_unit_test(test_shortage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
