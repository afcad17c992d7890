/* The lines of penstock avro-client. A file's lines end as for java.io.BufferedReader, in whatever pieces the bytes
 * come. A directory's files are split like Flume's LINE. */
#include "commands/avro_client/avro_client.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t interrupts;

static void expect_line(struct ps_rpc_input *input, const char *expected)
{
    struct ps_slice line;
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_rpc_input_line(input, true, &line, &err), PS_RPC_LINE);
    assert_int_equal(line.length, strlen(expected));
    assert_memory_equal(line.data, expected, line.length);
}

static void expect(struct ps_rpc_input *input, enum ps_rpc_line expected)
{
    struct ps_slice line;
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_rpc_input_line(input, false, &line, &err), expected);
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void test_pieces(void **state)
{
    int pipes[2];
    char path[64];
    struct ps_err err = {.length = 0};
    struct ps_rpc_input input = {.interrupts = &interrupts};
    assert_int_equal(pipe(pipes), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", pipes[0]);
    assert_int_equal(ps_rpc_input_open(&input, path, &err), PS_OK);
    expect(&input, PS_RPC_LINE_PAUSE);
    say(pipes[1], "one\r");
    expect_line(&input, "one"); /* not held back for a \n that may follow */
    say(pipes[1], "\ntw");
    expect(&input, PS_RPC_LINE_PAUSE);
    say(pipes[1], "o\n\n\r\rthree");
    expect_line(&input, "two");
    expect_line(&input, "");
    expect_line(&input, "");
    expect_line(&input, "");
    assert_int_equal(input.line, 5);
    expect(&input, PS_RPC_LINE_PAUSE);
    close(pipes[1]);
    expect_line(&input, "three");
    expect(&input, PS_RPC_LINE_END);
    expect(&input, PS_RPC_LINE_END);
    ps_rpc_input_close(&input);
    close(pipes[0]);
}

static void test_interrupt(void **state)
{
    int pipes[2];
    char path[64];
    struct ps_slice line;
    struct ps_err err = {.length = 0};
    struct ps_rpc_input input = {.interrupts = &interrupts};
    assert_int_equal(pipe(pipes), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", pipes[0]);
    assert_int_equal(ps_rpc_input_open(&input, path, &err), PS_OK);
    interrupts = 1;
    assert_int_equal(ps_rpc_input_line(&input, true, &line, &err), PS_RPC_LINE_FAILED);
    assert_string_equal(err.text, "interrupted");
    interrupts = 0;
    ps_rpc_input_close(&input);
    close(pipes[0]);
    close(pipes[1]);
}

/* A line that is longer than a read, and the file's last one without a newline. */
static void test_long(void **state)
{
    static char text[300001];
    struct ps_slice line;
    struct ps_err err = {.length = 0};
    struct ps_rpc_input input = {.interrupts = &interrupts};
    memset(text, 'x', 300000);
    ps_test_folder_append("long", text, 300000);
    assert_int_equal(ps_rpc_input_open(&input, ps_test_folder_path("long"), &err), PS_OK);
    assert_int_equal(ps_rpc_input_line(&input, true, &line, &err), PS_RPC_LINE);
    assert_int_equal(line.length, 300000);
    expect(&input, PS_RPC_LINE_END);
    ps_rpc_input_close(&input);
}

/* 2,048 units of UTF-16 are one event; a line of exactly 2,048 units is followed by an empty event, as in Flume. */
static void test_directory(void **state)
{
    char directory[512];
    static char text[8192], expected[8192];
    struct ps_err err = {.length = 0};
    struct ps_rpc_input input = {.interrupts = &interrupts};
    size_t length = 0;
    for (unsigned i = 0; i < 1024; i++, length += 4)
        memcpy(text + length, "\xf0\x9f\x98\x80", 4); /* two units each */
    memcpy(expected, text, length);
    text[length++] = '\n';
    memcpy(text + length, "r\r\nrest", 7);
    snprintf(directory, sizeof directory, "%s/spool", ps_test_folder());
    assert_int_equal(mkdir(directory, 0700), 0);
    ps_test_folder_append("spool/one", text, length + 7);
    assert_int_equal(ps_rpc_input_open_directory(&input, directory, &err), PS_OK);
    expect_line(&input, expected);
    expect_line(&input, "");
    expect_line(&input, "r\r");
    ps_rpc_input_acknowledge(&input);
    assert_int_equal(ps_rpc_input_mark(&input, &err), PS_OK);
    expect_line(&input, "rest");
    ps_rpc_input_close(&input);

    /* Another run continues after what was acknowledged, and renames the file in the end. */
    bool more = true;
    input = (struct ps_rpc_input){.interrupts = &interrupts};
    assert_int_equal(ps_rpc_input_open_directory(&input, directory, &err), PS_OK);
    expect_line(&input, "rest");
    expect(&input, PS_RPC_LINE_END);
    assert_int_equal(ps_rpc_input_next(&input, &more, &err), PS_OK);
    assert_false(more);
    ps_rpc_input_close(&input);
    assert_int_not_equal(access(ps_test_folder_path("spool/one"), F_OK), 0);
    assert_int_equal(access(ps_test_folder_path("spool/one.COMPLETED"), F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test_setup_teardown(test_long, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_directory, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
