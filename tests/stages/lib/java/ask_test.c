/* Values that a Java class is asked for: the answer that the process reads, and each way in which the class can answer,
 * answer wrongly, or not answer. */
#include "stages/lib/java/ask.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/support/folder.h"
#include "tests/support/no_descriptors.h"
#include "tests/support/support.h"

#define MADE "\\75\\0\\0\\0\\0" /* the class was made */

struct heard {
    size_t count;
    char text[1024];
};

static void hear(void *argument, size_t index, const struct ps_java_answer *answer)
{
    struct heard *heard = argument;
    size_t used = strlen(heard->text);
    assert_int_equal(index, heard->count++);
    if (answer->bytes != NULL)
        snprintf(heard->text + used, sizeof heard->text - used, "=%.*s;", (int)answer->length,
                 (const char *)answer->bytes);
    else
        snprintf(heard->text + used, sizeof heard->text - used, "%s;",
                 answer->failure != NULL ? answer->failure : "-");
}

static enum ps_status ask(const char *script, uint64_t timeout_ms, struct heard *heard, struct ps_err *err)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const struct ps_pair settings[] = {{.key = "type", .value = "a.B"}, {.key = "empty", .value = ""}};
    const char *const asked[] = {"one", "two"};
    const struct ps_java_question question = {.kind = "config filter",
                                              .class_name = "a.B",
                                              .name = "f1",
                                              .settings = {2, settings},
                                              .asked = {2, asked}};
    *heard = (struct heard){.count = 0};
    *err = (struct ps_err){.length = 0};
    return ps_java_ask_command(argv, &question, timeout_ms, hear, heard, err);
}

static void test_question(void **state)
{
    struct heard heard;
    struct ps_err err;
    static const char want[] = "\0\0\0\n\0\0\0\rconfig filter\0\0\0\3a.B\0\0\0\2f1\0\0\0\0012\0\0\0\4type"
                               "\0\0\0\3a.B\0\0\0\5empty\0\0\0\0\0\0\0\3one\0\0\0\3two";
    char script[512], got[256];
    snprintf(script, sizeof script, "cat >%s", ps_test_folder_path("question"));
    assert_int_equal(ask(script, 30000, &heard, &err), PS_FAIL);
    assert_string_equal(err.text,
                        "the JVM ended with exit code 0 and without an answer; what it wrote is above");
    FILE *file = fopen(ps_test_folder_path("question"), "r");
    assert_non_null(file);
    size_t length = fread(got, 1, sizeof got, file);
    fclose(file);
    assert_int_equal(length, sizeof want - 1);
    assert_memory_equal(got, want, length);
}

static void test_answers(void **state)
{
    static const struct {
        const char *script, *want; /* NULL: it fails */
        const char *why;
    } rows[] = {
        {"printf >&3 '" MADE "\\75\\0\\0\\0\\3abc\\55\\0\\0\\0\\0'", "=abc;-;", ""},
        {"printf >&3 '" MADE "\\41\\0\\0\\0\\4oops\\75\\0\\0\\0\\0'", "oops;=;", ""},
        {"printf >&3 '" MADE "\\75\\0\\0\\0\\3abc\\55\\0\\0\\0\\0'; exit 3", "=abc;-;", ""},
        {"printf >&3 '\\41\\0\\0\\0\\6broken'", NULL, "broken"},
        {"printf >&3 '" MADE "\\75\\0\\0\\0\\3abc'", NULL, "the JVM ended after 1 of 2 answers"},
        {"printf >&3 '" MADE "\\75\\0\\0\\0\\3ab'", NULL, "the JVM ended after 0 of 2 answers"},
        {"printf >&3 '" MADE "\\75\\377\\377\\377\\377abc'", NULL, "the JVM ended after 0 of 2 answers"},
        {"printf >&3 '" MADE "\\77\\0\\0\\0\\3abc\\55\\0\\0\\0\\0'", NULL,
         "the JVM ended after 0 of 2 answers"},
        {"echo '[gc] before'; printf >&3 '" MADE "\\75\\0\\0\\0\\3abc\\55\\0\\0\\0\\0'; echo behind",
         "=abc;-;", ""},
        {"exec 3>&-; exit 1", NULL,
         "the JVM ended with exit code 1 and without an answer; what it wrote is above; its options are "
         "those of "
         "JAVA_OPTS, of FLUME_JAVA_OPTS and of the command line"},
        {"exec >&3; kill -KILL $$", NULL,
         "the JVM ended with exit code 137 and without an answer; what it wrote is above"},
        {"head -c 5000000 /dev/zero >&3", NULL, "its answers are too large: more than 4 MiB"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct heard heard;
        struct ps_err err;
        print_message("%s\n", rows[i].script);
        enum ps_status status = ask(rows[i].script, 30000, &heard, &err);
        assert_string_equal(err.text, rows[i].why);
        assert_int_equal(status, rows[i].want != NULL ? PS_OK : PS_FAIL);
        assert_string_equal(heard.text, rows[i].want != NULL ? rows[i].want : "");
    }
}

/* The process is killed with its children. */
static void test_silent(void **state)
{
    struct heard heard;
    struct ps_err err;
    assert_int_equal(ask("sleep 1000 & wait", 50, &heard, &err), PS_FAIL);
    assert_string_equal(err.text, "it did not answer within 50 ms");
    assert_int_equal(heard.count, 0);
}

static void test_no_program(void **state)
{
    const char *const argv[] = {"/no/such/java", NULL};
    const struct ps_java_question question = {.kind = "key provider", .class_name = "a.B", .name = ""};
    struct heard heard = {.count = 0};
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_java_ask_command(argv, &question, 1000, hear, &heard, &err), PS_FAIL);
    assert_string_equal(err.text, "cannot run /no/such/java: No such file or directory");
}

static unsigned open_fds(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* No question leaves a descriptor open, however it ends. */
static void test_descriptors(void **state)
{
    static const char *const scripts[] = {"printf >&3 '" MADE "\\75\\0\\0\\0\\3abc\\55\\0\\0\\0\\0'",
                                          "printf >&3 '\\41\\0\\0\\0\\6broken'", "exec 3>&-; exit 1",
                                          "sleep 1000"};
    unsigned before = open_fds();
    for (size_t i = 0; i < PS_COUNT_OF(scripts); i++) {
        struct heard heard;
        struct ps_err err;
        enum ps_status status = ask(scripts[i], i == 3 ? 50 : 30000, &heard, &err);
        assert_int_equal(status, i == 0 ? PS_OK : PS_FAIL);
        assert_int_equal(open_fds(), before);
    }
    test_no_program(state);
    assert_int_equal(open_fds(), before);
}

/* The last descriptor is used up by the question: the reason is the system's. */
static void test_no_descriptors(void **state)
{
    struct heard heard;
    struct ps_err err;
    struct rlimit before;
    int used[8]; /* the question's descriptor is not below 5 */
    for (size_t i = 0; i < PS_COUNT_OF(used); i++)
        used[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (unsigned left = 0; left < 2; left++) {
        ps_test_no_descriptors(&before);
        struct rlimit limit;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur += left;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        enum ps_status status = ask("exit 0", 1000, &heard, &err);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(status, PS_FAIL);
        assert_string_equal(err.text, "a file in memory for a question cannot be made: Too many open files");
    }
    for (size_t i = 0; i < PS_COUNT_OF(used); i++)
        close(used[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_question, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_no_program),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_no_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
