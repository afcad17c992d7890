/* A helper: its jobs come back in order and once, whatever happens to it; nothing is left behind. The last test is a stress
 * test, also for ThreadSanitizer. */
#include "core/helper/helper.h"

#include "core/clock.h"
#include "tests/support/conformance.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

static bool no_thread;

/* Replaces the function of libc. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (no_thread)
        return EAGAIN;
    if (real == NULL)
        *(void **)(&real) = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attributes, run, argument);
}

struct job {
    unsigned number;
    bool hangs; /* until `go_on` */
    bool looks; /* until it is cancelled */
    bool was_run, was_cancelled;
    unsigned asked, taken, discarded; /* how often */
};

static sem_t begun, go_on, ended;
static atomic_uint ends;

static void run(void *argument, void *job_)
{
    struct job *job = job_;
    struct ps_helper **helper = argument;
    assert_false(job->was_run);
    job->was_run = true;
    if (job->hangs || job->looks)
        sem_post(&begun);
    while (job->hangs && sem_wait(&go_on) != 0) {
    }
    for (uint64_t until_ns = ps_test_patience_end_ns(); job->looks && !ps_helper_is_cancelled(*helper);)
        assert_true(ps_test_patient_ns() < until_ns);
    job->was_cancelled = ps_helper_is_cancelled(*helper);
}

static void discard(void *argument, void *job)
{
    ((struct job *)job)->discarded++;
}

static void end(void *argument)
{
    ends++;
    sem_post(&ended);
}

static struct ps_helper *helper;

static const struct ps_helper_settings settings = {.name = "test-helper",
                                                   .room = 3,
                                                   .wake_fd = -1,
                                                   .run = run,
                                                   .discard = discard,
                                                   .end = end,
                                                   .argument = &helper};

static void start(void)
{
    struct ps_err err = {0};
    ends = 0;
    helper = ps_helper_create(&settings, &err);
    if (helper == NULL)
        fail_msg("%s", err.text);
}

static void wait_for(sem_t *what)
{
    while (sem_wait(what) != 0) {
    }
}

/* ---- jobs ---- */

static void test_in_order(void **unused)
{
    struct job jobs[] = {{1}, {2}, {3}, {4}};
    start();
    assert_null(ps_helper_answer(helper));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 3; i++) {
            jobs[i].was_run = false;
            assert_true(ps_helper_ask(helper, &jobs[i]));
        }
        assert_false(ps_helper_ask(helper, &jobs[3])); /* no room, although some may be done */
        assert_int_equal(ps_helper_busy_count(helper), 3);
        for (unsigned i = 0; i < 3; i++) {
            assert_ptr_equal(ps_helper_wait(helper, 60000), &jobs[i]);
            assert_true(jobs[i].was_run);
        }
        assert_null(ps_helper_answer(helper));
        assert_null(ps_helper_wait(helper, 1));
        assert_int_equal(ps_helper_busy_count(helper), 0);
    }
    assert_true(ps_helper_destroy(helper, PS_THREAD_PATIENT));
    wait_for(&ended);
    assert_int_equal(ends, 1);
    assert_int_equal(jobs[0].discarded, 0);
}

static void test_wake_up(void **unused)
{
    struct job job = {.number = 1};
    struct ps_err err = {0};
    struct ps_helper_settings with_wake_up = settings;
    struct pollfd wake = {.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .events = POLLIN};
    with_wake_up.wake_fd = wake.fd;
    helper = ps_helper_create(&with_wake_up, &err);
    assert_non_null(helper);
    assert_true(ps_helper_ask(helper, &job));
    assert_int_equal(poll(&wake, 1, 60000), 1);
    assert_ptr_equal(ps_helper_answer(helper), &job); /* it is there when the descriptor is written */
    job = (struct job){.hangs = true};
    assert_true(ps_helper_ask(helper, &job));
    wait_for(&begun);
    close(wake.fd); /* the helper has its own */
    sem_post(&go_on);
    assert_ptr_equal(ps_helper_wait(helper, 60000), &job);
    assert_true(ps_helper_destroy(helper, PS_THREAD_PATIENT));
    wait_for(&ended);
}

/* ---- the end ---- */

/* A job hangs: the end of the helper does not wait for it, and the thread ends by itself later. */
static void test_ends_alone(void **unused)
{
    struct job jobs[] = {{.number = 1, .hangs = true}, {.number = 2}, {.number = 3}};
    unsigned fds = ps_test_open_fds();
    start();
    for (unsigned i = 0; i < 3; i++)
        assert_true(ps_helper_ask(helper, &jobs[i]));
    wait_for(&begun);
    assert_false(ps_helper_destroy(helper, 0));
    assert_int_equal(ends, 0);
    sem_post(&go_on);
    wait_for(&ended);
    assert_int_equal(ends, 1);
    assert_true(jobs[0].was_run && jobs[0].was_cancelled && !jobs[1].was_run && !jobs[2].was_run);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(jobs[i].discarded, 1);
    assert_int_equal(ps_test_open_fds(), fds);
}

/* Answers that were not taken are discarded as well. */
static void test_not_taken(void **unused)
{
    struct job jobs[] = {{1}, {2}};
    start();
    assert_true(ps_helper_ask(helper, &jobs[0]));
    assert_ptr_equal(ps_helper_wait(helper, 60000), &jobs[0]);
    assert_true(ps_helper_ask(helper, &jobs[1]));
    assert_true(ps_helper_destroy(helper, PS_THREAD_PATIENT));
    wait_for(&ended);
    assert_int_equal(jobs[0].discarded, 0);
    assert_int_equal(jobs[1].discarded, 1);
    assert_true(ps_helper_destroy(NULL, 0));
}

static void test_cancel(void **unused)
{
    struct job jobs[] = {{.number = 1, .looks = true}, {.number = 2}, {.number = 3}};
    start();
    assert_true(ps_helper_ask(helper, &jobs[0]));
    assert_true(ps_helper_ask(helper, &jobs[1]));
    wait_for(&begun);
    ps_helper_cancel(helper);
    assert_true(ps_helper_ask(helper, &jobs[2]));
    for (unsigned i = 0; i < 3; i++)
        assert_ptr_equal(ps_helper_wait(helper, 60000), &jobs[i]);
    assert_true(jobs[0].was_cancelled);
    assert_false(jobs[1].was_run); /* it waited */
    assert_true(jobs[2].was_run && !jobs[2].was_cancelled);
    assert_true(ps_helper_destroy(helper, PS_THREAD_PATIENT));
    wait_for(&ended);
}

/* The owner does not wait for a job behind others: that job is not run, and the others are. */
static void test_withdraw(void **unused)
{
    struct job jobs[] = {{.number = 1, .hangs = true}, {.number = 2}, {.number = 3}};
    start();
    for (unsigned i = 0; i < 3; i++)
        assert_true(ps_helper_ask(helper, &jobs[i]));
    wait_for(&begun);
    assert_false(ps_helper_withdraw(helper, &jobs[2]));
    sem_post(&go_on);
    for (unsigned i = 0; i < 3; i++)
        assert_ptr_equal(ps_helper_wait(helper, 60000), &jobs[i]);
    assert_true(jobs[1].was_run && !jobs[1].was_cancelled);
    assert_false(jobs[0].was_cancelled || jobs[2].was_run);
    assert_true(ps_helper_destroy(helper, PS_THREAD_PATIENT));
    wait_for(&ended);
}

/* The owner has to wait for the job that runs, and the job learns that it is cancelled. */
static void test_withdraw_running(void **unused)
{
    struct job jobs[] = {{.number = 1, .looks = true}, {.number = 2}};
    start();
    assert_true(ps_helper_ask(helper, &jobs[0]));
    assert_true(ps_helper_ask(helper, &jobs[1]));
    wait_for(&begun);
    assert_true(ps_helper_withdraw(helper, &jobs[0]));
    for (unsigned i = 0; i < 2; i++)
        assert_ptr_equal(ps_helper_wait(helper, 60000), &jobs[i]);
    assert_true(jobs[0].was_cancelled && jobs[1].was_run && !jobs[1].was_cancelled);
    assert_true(ps_helper_destroy(helper, PS_THREAD_PATIENT));
    wait_for(&ended);
}

static void test_no_thread(void **unused)
{
    struct ps_err err = {0};
    struct ps_helper_settings with_wake_up = settings;
    unsigned fds = ps_test_open_fds();
    ends = 0;
    no_thread = true;
    assert_null(ps_helper_create(&settings, &err));
    no_thread = false;
    assert_string_equal(
        err.text,
        "cannot start the thread \"test-helper\": Resource temporarily unavailable; raise the limit "
        "of processes (TasksMax, ulimit -u)");
    err = (struct ps_err){0};
    with_wake_up.wake_fd = 1000000; /* not open */
    assert_null(ps_helper_create(&with_wake_up, &err));
    assert_non_null(strstr(err.text, "cannot copy a file descriptor: Bad file descriptor"));
    assert_int_equal(ends, 0);
    assert_int_equal(ps_test_open_fds(), fds);
}

/* ---- stress ---- */

#define ROUNDS 60U
#define JOBS 400U

struct crew {
    struct ps_helper *helper;
    struct job jobs[JOBS];
    atomic_bool has_ended;
};

static void crew_run(void *argument, void *job_)
{
    struct job *job = job_;
    job->was_run = true;
    if (job->number % 16 == 0)
        ps_test_yield();
}

static void crew_end(void *argument)
{
    atomic_store(&((struct crew *)argument)->has_ended, true);
}

static void test_stress(void **unused)
{
    uint64_t random = ps_test_seed();
    static struct crew crews[ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct crew *crew = &crews[round];
        struct ps_err err = {0};
        const struct ps_helper_settings of_crew = {.name = "crew",
                                                   .room = 1 + ps_test_random(&random) % 9,
                                                   .wake_fd = -1,
                                                   .idle = round % 8 == 0,
                                                   .run = crew_run,
                                                   .discard = discard,
                                                   .end = crew_end,
                                                   .argument = crew};
        unsigned asked = 0, next = 0, cancels = 0;
        crew->helper = ps_helper_create(&of_crew, &err);
        assert_non_null(crew->helper);
        while (asked < JOBS && ps_test_random(&random) % 1000 != 0) {
            struct job *job = &crew->jobs[asked];
            job->number = asked;
            job->asked = 1; /* before the thread has it */
            if (ps_test_random(&random) % 2 == 0 && ps_helper_ask(crew->helper, job))
                asked++;
            else
                job->asked = 0;
            job = ps_test_random(&random) % 8 == 0 ? ps_helper_wait(crew->helper, 1)
                                                   : ps_helper_answer(crew->helper);
            if (job != NULL) {
                assert_int_equal(job->number, next++);
                assert_true(job->was_run || cancels > 0);
                job->taken++;
            }
            if (ps_test_random(&random) % 64 == 0) {
                ps_helper_cancel(crew->helper);
                cancels++;
            }
        }
        (void)ps_helper_destroy(crew->helper, ps_test_random(&random) % 2 == 0 ? 0 : PS_THREAD_PATIENT);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t until_ns = ps_test_patience_end_ns();
        while (!atomic_load(&crews[round].has_ended))
            assert_true(ps_test_patient_ns() < until_ns);
        for (unsigned i = 0; i < JOBS; i++) {
            const struct job *job = &crews[round].jobs[i];
            assert_int_equal(job->taken + job->discarded, job->asked); /* none is lost, none comes twice */
        }
    }
}

int main(void)
{
    sem_init(&begun, 0, 0);
    sem_init(&go_on, 0, 0);
    sem_init(&ended, 0, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),   cmocka_unit_test(test_wake_up),
        cmocka_unit_test(test_ends_alone), cmocka_unit_test(test_not_taken),
        cmocka_unit_test(test_cancel),     cmocka_unit_test(test_no_thread),
        cmocka_unit_test(test_withdraw),   cmocka_unit_test(test_withdraw_running),
        cmocka_unit_test(test_stress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
