/* The properties of a thread from its start, and the time that a caller waits for its end. */
#include "core/thread.h"

#include "core/clock.h"
#include "tests/support/support.h"

#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    char name[16];
    sigset_t mask;
    cpu_set_t cpus;
} seen;
static sem_t named, go_on;

static void *look(void *unused)
{
    while (sem_wait(&named) != 0) {
    }
    pthread_getname_np(pthread_self(), seen.name, sizeof seen.name);
    pthread_sigmask(SIG_SETMASK, NULL, &seen.mask);
    sched_getaffinity(0, sizeof seen.cpus, &seen.cpus);
    return NULL;
}

static void *start_one_pinned(void *unused)
{
    pthread_t thread;
    cpu_set_t cpus, one;
    sched_getaffinity(0, sizeof cpus, &cpus);
    CPU_ZERO(&one);
    for (unsigned i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
        if (CPU_ISSET(i, &cpus))
            CPU_SET(i, &one);
    }
    assert_int_equal(pthread_setaffinity_np(pthread_self(), sizeof one, &one), 0);
    assert_int_equal(ps_thread_start(&thread, "fifteen-letters", look, NULL), 0);
    sem_post(&named);
    assert_true(ps_thread_join(thread, PS_THREAD_PATIENT));
    return NULL;
}

static void test_start(void **unused)
{
    pthread_t pinned;
    cpu_set_t cpus;
    sigset_t before, after;
    sched_getaffinity(0, sizeof cpus, &cpus);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(pthread_create(&pinned, NULL, start_one_pinned, NULL), 0);
    assert_int_equal(pthread_join(pinned, NULL), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_string_equal(seen.name, "fifteen-letters");
    assert_true(sigismember(&seen.mask, SIGTERM) && sigismember(&seen.mask, SIGHUP));
    assert_true(CPU_EQUAL(&seen.cpus, &cpus));
    assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

static void *wait_a_while(void *unused)
{
    while (sem_wait(&go_on) != 0) {
    }
    return NULL;
}

static void test_patience(void **unused)
{
    pthread_t thread;
    assert_int_equal(ps_thread_start(&thread, "patience", wait_a_while, NULL), 0);
    uint64_t before_ns = ps_clock_now().mono_ns;
    assert_false(ps_thread_join(thread, 30));
    assert_true(ps_clock_now().mono_ns - before_ns >= 29 * PS_NS_PER_MS);
    sem_post(&go_on); /* it ends by itself */
    assert_int_equal(ps_thread_start(&thread, "patience", wait_a_while, NULL), 0);
    sem_post(&go_on);
    assert_true(ps_thread_join(thread, 60000));
}

static void free_tables(void)
{
    _exit(9);
}

/* Returns the exit code of a process that ends with 3. A library's exit handler would change it to 9. */
static int end_process(bool leave_alone)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        pthread_t thread;
        atexit(free_tables);
        if (leave_alone &&
            (ps_thread_start(&thread, "left", wait_a_while, NULL) != 0 || ps_thread_join(thread, 0)))
            _exit(1);
        ps_thread_exit_process(3);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_exit(void **unused)
{
    assert_int_equal(end_process(false), 9);
    assert_int_equal(end_process(true), 3);
}

int main(void)
{
    sem_init(&named, 0, 0);
    sem_init(&go_on, 0, 0);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exit), cmocka_unit_test(test_start),
                                       cmocka_unit_test(test_patience)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
