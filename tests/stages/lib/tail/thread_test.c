/* Jobs of the thread of a source of files: more of them than its ring has room for, answers in order and by parts, and jobs that
 * a stop discards. */
#include "stages/lib/tail/thread.h"
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define JOBS 500U /* several times the ring's room */

struct job {
    struct ps_tail_job job; /* must be first */
    unsigned number;
};

static struct {
    bool slow; /* a job takes a while, so that not all are run before a stop */
    unsigned run, answered, discarded;
    unsigned discards[JOBS];
} t;

static void job_run(struct ps_tail_job *job)
{
    if (t.slow)
        usleep(20000);
    __atomic_add_fetch(&t.run, 1, __ATOMIC_RELAXED);
}

static void job_discard(struct ps_tail_job *job)
{
    t.discards[((struct job *)job)->number]++;
    __atomic_add_fetch(&t.discarded, 1, __ATOMIC_RELAXED);
    free(job);
}

static void job_answer(void *owner, struct ps_tail_job *job)
{
    assert_ptr_equal(owner, &t);
    assert_int_equal(((struct job *)job)->number, t.answered);
    t.answered++;
    free(job);
}

static struct ps_tail_job *job_make(unsigned number, bool answers)
{
    struct job *job = calloc(1, sizeof *job);
    assert_non_null(job);
    job->job =
        (struct ps_tail_job){.run = job_run, .answer = answers ? job_answer : NULL, .discard = job_discard};
    job->number = number;
    return &job->job;
}

static int set_up(void **state)
{
    memset(&t, 0, sizeof t);
    return 0;
}

static void start(struct ps_tail_thread *thread, int wake_fd)
{
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_tail_thread_start(thread, "test", wake_fd, &t, &err), PS_OK);
}

/* Each job is run and answered once, in the order of the calls. */
static void test_order(void **unused)
{
    struct ps_tail_thread thread;
    start(&thread, -1);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < JOBS; i++)
            ps_tail_thread_ask(&thread, job_make(round * JOBS + i, true));
        while (t.answered < (round + 1) * JOBS)
            assert_true(ps_tail_thread_wait(&thread, PS_TEST_PATIENCE_MS) > 0);
        assert_int_equal(ps_tail_thread_answers(&thread), 0);
        assert_null(thread.first);
    }
    assert_int_equal(t.run, 2 * JOBS);
    assert_int_equal(t.discarded, 0);
    ps_tail_thread_stop(&thread, PS_TEST_PATIENCE_MS);
}

/* Returns at most as many answers as the call asks for; the others stay. */
static void test_some_answers(void **unused)
{
    struct ps_tail_thread thread;
    start(&thread, -1);
    for (unsigned i = 0; i < 5; i++)
        ps_tail_thread_ask(&thread, job_make(i, true));
    while (__atomic_load_n(&t.run, __ATOMIC_RELAXED) < 5)
        usleep(100);
    while (t.answered < 3)
        assert_in_range(ps_tail_thread_some_answers(&thread, 3 - t.answered), 0, 3);
    assert_int_equal(t.answered, 3);
    while (t.answered < 5)
        (void)ps_tail_thread_answers(&thread);
    ps_tail_thread_stop(&thread, PS_TEST_PATIENCE_MS);
    assert_int_equal(t.discarded, 0);
}

/* A job that wants no answer is discarded by its owner after it was run. */
static void test_no_answer(void **unused)
{
    struct ps_tail_thread thread;
    start(&thread, -1);
    ps_tail_thread_ask(&thread, job_make(0, false));
    assert_int_equal(ps_tail_thread_wait(&thread, PS_TEST_PATIENCE_MS), 1);
    assert_int_equal(t.run, 1);
    assert_int_equal(t.discarded, 1);
    ps_tail_thread_stop(&thread, PS_TEST_PATIENCE_MS);
    assert_int_equal(t.discarded, 1);
}

/* A stop discards each job without an answer once: those in the ring, those that wait for room in it, and the one that
 * runs. The thread can be started again. */
static void test_stop(void **unused)
{
    struct ps_tail_thread thread;
    t.slow = true;
    start(&thread, -1);
    for (unsigned i = 0; i < JOBS; i++)
        ps_tail_thread_ask(&thread, job_make(i, true));
    assert_non_null(thread.first);
    ps_tail_thread_stop(&thread, PS_TEST_PATIENCE_MS);
    assert_int_equal(t.answered, 0);
    assert_int_equal(t.discarded, JOBS);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(t.discards[i], 1);
    assert_null(thread.first);
    t.slow = false;
    start(&thread, -1);
    ps_tail_thread_ask(&thread, job_make(0, true));
    assert_int_equal(ps_tail_thread_wait(&thread, PS_TEST_PATIENCE_MS), 1);
    assert_int_equal(t.answered, 1);
    ps_tail_thread_stop(&thread, PS_TEST_PATIENCE_MS);
}

/* The worker is woken for an answer. */
static void test_wakes(void **unused)
{
    struct ps_tail_thread thread;
    int wake_fd = eventfd(0, EFD_CLOEXEC);
    uint64_t count = 0;
    start(&thread, wake_fd);
    ps_tail_thread_ask(&thread, job_make(0, true));
    assert_int_equal(read(wake_fd, &count, sizeof count), sizeof count);
    assert_int_equal(ps_tail_thread_answers(&thread), 1);
    ps_tail_thread_stop(&thread, PS_TEST_PATIENCE_MS);
    close(wake_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_order, set_up),     cmocka_unit_test_setup(test_some_answers, set_up),
        cmocka_unit_test_setup(test_no_answer, set_up), cmocka_unit_test_setup(test_stop, set_up),
        cmocka_unit_test_setup(test_wakes, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
