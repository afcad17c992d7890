/* A child that has been reaped: its id may belong to others. Real processes. */
#include "stages/lib/process/child.h"
#include "core/option.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process group that the tested code did not start. */
static pid_t start_stranger(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        for (;;)
            pause();
    }
    assert_int_equal(setpgid(pid, pid), 0);
    return pid;
}

static bool lives(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == 0;
}

/* The kernel gave the id of a command that has ended to another process, which leads another group. */
static void test_id_used_again(void **unused)
{
    static const struct ps_child_cpus any = {.known = false};
    struct ps_child child;
    struct ps_err err = {0};
    assert_int_equal(ps_child_start(&child, PS_WORDS("true"), false, &any, &err), PS_OK);
    while (!ps_child_poll(&child))
        usleep(1000);
    pid_t stranger = start_stranger(), own = child.pid;
    child.pid = stranger;
    ps_child_signal(&child, SIGKILL, true);
    ps_child_signal(&child, SIGKILL, false);
    ps_child_kill(&child);
    usleep(20000); /* a signal would have ended it by now; a slow machine can only hide a fault */
    assert_true(lives(stranger));
    assert_int_equal(kill(stranger, SIGKILL), 0);
    assert_int_equal(waitpid(stranger, NULL, 0), stranger);
    assert_int_equal(waitpid(own, NULL, WNOHANG), -1); /* the command was reaped */
}

/* While the command lives, or is not reaped, its group is its own. */
static void test_group(void **unused)
{
    static const struct ps_child_cpus any = {.known = false};
    struct ps_child child;
    struct ps_err err = {0};
    assert_int_equal(ps_child_start(&child, PS_WORDS("sleep", "1000"), false, &any, &err), PS_OK);
    ps_child_signal(&child, SIGTERM, true);
    while (!ps_child_poll(&child))
        usleep(1000);
    assert_int_equal(child.status, 128 + SIGTERM);
    ps_child_fini(&child);
}

/* Starts a process, and returns when its environment has this entry. */
static pid_t start_marked(const char *mark, char last)
{
    char entry[80];
    int gate[2];
    snprintf(entry, sizeof entry, "%s%c", mark, last);
    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *const words[] = {"sleep", "1000", NULL}, *const environment[] = {entry, NULL};
        execve("/bin/sleep", words, environment);
        _exit(1);
    }
    char byte;
    close(gate[1]);
    assert_int_equal(read(gate[0], &byte, 1), 0); /* closed by execve */
    close(gate[0]);
    return pid;
}

/* Only processes with the whole mark are meant: that of another child may begin in the same way. */
static void test_other_marks(void **unused)
{
    struct ps_child child;
    ps_child_init(&child);
    ps_child_mark(&child);
    pid_t other = start_marked(child.mark, '0');
    assert_int_equal(ps_child_signal_descendants(&child, SIGKILL, NULL), 0);
    pid_t own = start_marked(child.mark, '\0');
    assert_int_equal(ps_child_signal_descendants(&child, SIGKILL, NULL), 1);
    assert_int_equal(waitpid(own, NULL, 0), own);
    assert_true(lives(other));
    assert_int_equal(kill(other, SIGKILL), 0);
    assert_int_equal(waitpid(other, NULL, 0), other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_id_used_again), cmocka_unit_test(test_group),
                                       cmocka_unit_test(test_other_marks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
