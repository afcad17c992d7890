/* Started programs: descriptors, signals, process group, exit status, and whether they end with the
 * caller. */
#include "core/spawn.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define SHELL "/bin/sh"

/* Runs a shell command; `out` receives its output without the last newline. */
static int run(const char *line, bool ends_with_caller, char *out, size_t room)
{
    const char *argv[] = {"sh", "-c", line, NULL};
    int ends[2];
    pid_t pid;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(ps_spawn(&pid, &(struct ps_spawn){.program = ends_with_caller ? SHELL : NULL,
                                                       .argv = argv,
                                                       .input = PS_SPAWN_NOTHING,
                                                       .output = ends[1],
                                                       .errors = ends[1],
                                                       .ends_with_caller = ends_with_caller}),
                     0);
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], out + length, room - 1 - length)) > 0;)
        length += (size_t)got;
    close(ends[0]);
    out[length > 0 && out[length - 1] == '\n' ? length - 1 : length] = '\0';
    return ps_spawn_exit_code(ps_spawn_wait(pid));
}

static void test_set_up(void **state)
{
    char out[256], wanted[64];
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    for (int with_caller = 0; with_caller < 2; with_caller++) {
        assert_int_equal(run("cat; echo out; echo err >&2; exit 3", with_caller, out, sizeof out), 3);
        assert_string_equal(out, "out\nerr");
        assert_int_equal(
            run("sed -n 's/^Sig[BI][lg][kn]:.//p' /proc/self/status", with_caller, out, sizeof out), 0);
        unsigned long long blocked_now = 1, ignored_now = 1;
        assert_int_equal(sscanf(out, "%llx %llx", &blocked_now, &ignored_now), 2);
        assert_int_equal(blocked_now, 0);
        assert_int_equal(ignored_now & 0x7fffffff, 0); /* the C library uses signals 32 and 33 */
        /* The fifth field of stat is the process group. */
        assert_int_equal(run("read -r _ _ _ _ group _ </proc/$$/stat; echo $((group == $$))", with_caller,
                             out, sizeof out),
                         0);
        assert_string_equal(out, "1");
        assert_int_equal(run("kill -9 $$", with_caller, out, sizeof out), 128 + 9);
        snprintf(wanted, sizeof wanted, "%d", (int)getpid());
        assert_int_equal(run("echo $PPID", with_caller, out, sizeof out), 0);
        assert_string_equal(out, wanted);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void test_what_cannot_be_executed(void **state)
{
    const char *argv[] = {"no-such-program-anywhere", NULL};
    pid_t pid;
    struct ps_spawn spawn = {
        .argv = argv, .input = PS_SPAWN_INHERIT, .output = PS_SPAWN_NOTHING, .errors = PS_SPAWN_NOTHING};
    assert_int_equal(ps_spawn(&pid, &spawn), ENOENT);
    spawn.program = "/no/such/program";
    assert_int_equal(ps_spawn(&pid, &spawn), ENOENT);
    spawn.ends_with_caller = true;
    assert_int_equal(ps_spawn(&pid, &spawn), 0);
    assert_int_equal(ps_spawn_exit_code(ps_spawn_wait(pid)), 127);
}

static void test_polling(void **state)
{
    const char *argv[] = {"sleep", "100", NULL};
    pid_t pid;
    int status = 0;
    assert_int_equal(ps_spawn(&pid, &(struct ps_spawn){.argv = argv,
                                                       .input = PS_SPAWN_NOTHING,
                                                       .output = PS_SPAWN_NOTHING,
                                                       .errors = PS_SPAWN_NOTHING}),
                     0);
    assert_false(ps_spawn_poll(pid, &status));
    kill(-pid, SIGTERM);
    while (!ps_spawn_poll(pid, &status))
        usleep(1000);
    assert_int_equal(ps_spawn_exit_code(status), 128 + SIGTERM);
    assert_true(ps_spawn_poll(pid, &status)); /* the process is already reaped */
    assert_int_equal(ps_spawn_exit_code(status), -1);
    assert_int_equal(ps_spawn_wait(pid), -1);
}

/* A process starts another one and is killed: the other one also ends. */
static void test_ends_with_the_caller(void **state)
{
    const char *argv[] = {"sh", "-c", "echo up; exec sleep 100", NULL};
    int ends[2];
    char byte;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t caller = fork();
    if (caller == 0) {
        pid_t pid;
        if (ps_spawn(&pid, &(struct ps_spawn){.program = SHELL,
                                              .argv = argv,
                                              .input = PS_SPAWN_NOTHING,
                                              .output = ends[1],
                                              .errors = PS_SPAWN_NOTHING,
                                              .ends_with_caller = true}) != 0)
            _exit(1);
        pause();
        _exit(0);
    }
    close(ends[1]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(read(ends[0], &byte, 1), 1); /* "up\n" */
    kill(caller, SIGKILL);
    ps_spawn_wait(caller);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* the last writer is gone */
    close(ends[0]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_up),
        cmocka_unit_test(test_what_cannot_be_executed),
        cmocka_unit_test(test_polling),
        cmocka_unit_test(test_ends_with_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
