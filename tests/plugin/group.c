/* Runs the tests of a suite, each in a process of its own: a stage that crashes, or that leaves something behind, spoils no
 * other test. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "tests/plugin/functions.h"
#include "tests/plugin/program.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#define SKIPPED 77
#define HUNG 78
/* A check at its limit has this time to say in which function it is. */
#define LAST_WORDS_NS (5 * PS_NS_PER_S)
#define LOOK_US 2000

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

/* Shared with the process of a check, which sets it when the check itself has come to its end: a stage may end the process with any
 * exit code. */
static volatile bool *has_ended;

_Noreturn void ps_plugin_test_skip(void)
{
    fflush(stdout);
    *has_ended = true;
    _exit(SKIPPED);
}

/* ---- a check that hangs ---- */

/* At the limit each process of the check gets the signal. One that is in no function of the stage waits for another process, or for a thread. */
static void say_where(int)
{
    const struct ps_stage_ops *ops = ps_plugin_test.ops;
    const char *function = ps_plugin_test_function(ops);
    if (function == NULL)
        return;
    dprintf(STDOUT_FILENO, "    it is in the function %s of the %s %s\n", function,
            ps_stage_kind_word(ops->kind), ops->name);
    _exit(HUNG);
}

/* The processes of a check are a group, which ends with this command. */
static void prepare_for_limit(void)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setpgid(0, 0);
    (void)ps_plugin_test_function(NULL);
    (void)signal(SIGALRM, say_where);
}

/* Waits for the check's end, but not longer than its limit: then it is ended. Returns whether it was. */
static bool await_end(pid_t child, int *status)
{
    uint64_t limit_ns = ps_plugin_test.limit_s * PS_NS_PER_S, began_ns = ps_test_patient_ns();
    bool asked = false, killed = false;
    while (waitpid(child, status, WNOHANG) != child) {
        uint64_t passed_ns = ps_test_patient_ns() - began_ns;
        if (limit_ns != 0 && passed_ns >= limit_ns && !asked) {
            asked = true;
            (void)kill(-child, SIGALRM);
        } else if (asked && !killed && passed_ns >= limit_ns + LAST_WORDS_NS) {
            killed = true;
            printf("    it is in no function of the stage: it waits for a thread, or calls the stage for "
                   "ever\n");
            (void)kill(-child, SIGKILL);
        }
        usleep(LOOK_US);
    }
    if (asked)
        (void)kill(-child, SIGKILL);
    return asked;
}

/* ---- checks ---- */

static _Noreturn void run(const struct CMUnitTest *test, int (*set_up)(void **state),
                          int (*tear_down)(void **state))
{
    void *state = NULL;
    prepare_for_limit();
    if (ps_plugin_test
            .has_places) /* the folder is removed with all that the check makes, even if the check crashes */
        setenv("TMPDIR", ps_test_folder(), 1);
    if (set_up != NULL && set_up(&state) != 0)
        ps_plugin_test_fail(__FILE__, __LINE__, "the test cannot be prepared");
    test->run(&state);
    if (tear_down != NULL)
        (void)tear_down(&state);
    fflush(stdout);
    *has_ended = true;
    exit(0); /* a sanitizer looks for leaks now */
}

/* Returns whether the test did not fail. */
static bool finish(const char *name, int status)
{
    bool ends_early =
        !*has_ended && WIFEXITED(status) && WEXITSTATUS(status) != 1; /* 1: ps_plugin_test_fail */
    if (WIFSIGNALED(status))
        printf("  FAILED  %s: ended by signal %d (%s)\n", name, WTERMSIG(status),
               strsignal(WTERMSIG(status)));
    else if (ends_early)
        printf("  FAILED  %s: the stage ended the process, with exit code %d\n", name, WEXITSTATUS(status));
    else if (WEXITSTATUS(status) == SKIPPED)
        printf("  skipped %s\n", name);
    else
        printf("  %s %s\n", WEXITSTATUS(status) == 0 ? "ok     " : "FAILED ", name);
    return !ends_early && WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == SKIPPED);
}

/* Ends the command: the other checks may hang for as long. */
static _Noreturn void end_hung(const char *name)
{
    printf("  FAILED  %s: it has not ended after %u s (--limit); the checks behind it were not made\n", name,
           ps_plugin_test.limit_s);
    exit(1);
}

int ps_plugin_test_group(const struct CMUnitTest *tests, size_t count, int (*set_up)(void **state),
                         int (*tear_down)(void **state))
{
    int failed = 0;
    void *shared = mmap(NULL, sizeof *has_ended, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("cannot map memory");
        return 1;
    }
    has_ended = shared;
    for (size_t i = 0; i < count; i++) {
        const char *name = tests[i].name + strlen("test_");
        int status = 0;
        *has_ended = false;
        if (strcmp(name, "all_are_here") == 0) /* tests penstock's own table */
            continue;
        if (ps_plugin_test.check != NULL && strcmp(name, ps_plugin_test.check) != 0)
            continue;
        ps_plugin_test.has_check = true;
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
        (void)setpgid(child, child); /* the child does the same; the first of both counts */
        bool hung = await_end(child, &status);
        if (ps_plugin_test.has_places)
            (void)ps_test_folder_teardown(NULL);
        if (hung)
            end_hung(name);
        failed += !finish(name, status);
    }
    return failed;
}
