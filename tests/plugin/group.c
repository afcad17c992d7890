/* Runs the tests of a suite, each in a process of its own: a stage that crashes, or that leaves something behind, spoils no
 * other test. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/plugin/program.h"
#include "tests/support/folder.h"

#define SKIPPED 77

_Noreturn void ps_plugin_test_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    const char *slash = strrchr(file, '/');
    printf("    %s:%d: ", slash != NULL ? slash + 1 : file, line);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
    _exit(1);
}

_Noreturn void ps_plugin_test_skip(void)
{
    fflush(stdout);
    _exit(SKIPPED);
}

static _Noreturn void run(const struct CMUnitTest *test, int (*set_up)(void **state),
                          int (*tear_down)(void **state))
{
    void *state = NULL;
    if (ps_plugin_test
            .has_places) /* the folder is removed with all that the check makes, even if the check crashes */
        setenv("TMPDIR", ps_test_folder(), 1);
    if (set_up != NULL && set_up(&state) != 0)
        ps_plugin_test_fail(__FILE__, __LINE__, "the test cannot be prepared");
    test->run(&state);
    if (tear_down != NULL)
        (void)tear_down(&state);
    fflush(stdout);
    exit(0); /* a sanitizer looks for leaks now */
}

/* Returns whether the test did not fail. */
static bool finish(const char *name, int status)
{
    if (WIFSIGNALED(status))
        printf("  FAILED  %s: ended by signal %d (%s)\n", name, WTERMSIG(status),
               strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == SKIPPED)
        printf("  skipped %s\n", name);
    else
        printf("  %s %s\n", WEXITSTATUS(status) == 0 ? "ok     " : "FAILED ", name);
    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == SKIPPED);
}

int ps_plugin_test_group(const struct CMUnitTest *tests, size_t count, int (*set_up)(void **state),
                         int (*tear_down)(void **state))
{
    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = tests[i].name + strlen("test_");
        int status = 0;
        if (strcmp(name, "all_are_here") == 0) /* tests penstock's own table */
            continue;
        fflush(stdout);
        if (ps_plugin_test.has_places && ps_test_folder_setup(NULL) != 0) {
            perror("cannot make a folder");
            return failed + 1;
        }
        pid_t child = fork();
        if (child == 0)
            run(&tests[i], set_up, tear_down);
        if (child < 0) {
            fprintf(stderr, "cannot start a process: %s\n", strerror(errno));
            return failed + 1;
        }
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        if (ps_plugin_test.has_places)
            (void)ps_test_folder_teardown(NULL);
        failed += !finish(name, status);
    }
    return failed;
}
