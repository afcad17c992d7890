#include "stages/lib/hadoop/loop.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/fake_namenode.h"
#include "tests/support/support.h"

/* ---- timers ---- */

#define TIMERS 300

struct timers {
    struct ps_test_hdfs hdfs;
    struct ps_hadoop_timer all[TIMERS];
    unsigned fired;
    uint64_t last_ns;
} timers;

static void fire(struct ps_hadoop_timer *timer)
{
    assert_false(timer->set);
    assert_true(timer->due_ns >= timers.last_ns && timer->due_ns <= timers.hdfs.now.mono_ns);
    timers.last_ns = timer->due_ns;
    timers.fired++;
}

static uint64_t earliest(void)
{
    uint64_t due_ns = PS_NEVER;
    for (unsigned i = 0; i < TIMERS; i++) {
        if (timers.all[i].set && timers.all[i].due_ns < due_ns)
            due_ns = timers.all[i].due_ns;
    }
    return due_ns;
}

/* Timers are set, moved and unset at random: they fire in order, none twice, and none is forgotten. */
static void test_timers(void **state)
{
    uint64_t random = ps_test_seed();
    ps_test_hdfs_init(&timers.hdfs);
    for (unsigned i = 0; i < TIMERS; i++)
        timers.all[i].fire = fire;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 50; i++) {
            struct ps_hadoop_timer *timer = &timers.all[ps_test_random(&random) % TIMERS];
            if (ps_test_random(&random) % 4 == 0)
                ps_hadoop_loop_unset(timers.hdfs.loop, timer);
            else
                ps_hadoop_loop_set(timers.hdfs.loop, timer,
                                   timers.hdfs.now.mono_ns + 1 + ps_test_random(&random) % 1000000);
        }
        unsigned due = 0;
        uint64_t now_ns = timers.hdfs.now.mono_ns + ps_test_random(&random) % 500000;
        for (unsigned i = 0; i < TIMERS; i++)
            due += timers.all[i].set && timers.all[i].due_ns <= now_ns;
        timers.hdfs.now.mono_ns = now_ns;
        timers.fired = 0;
        timers.last_ns = 0;
        ps_test_hdfs_turn(&timers.hdfs);
        assert_int_equal(timers.fired, due);
        assert_true(timers.hdfs.due_ns == earliest());
    }
    for (unsigned i = 0; i < TIMERS; i++)
        ps_hadoop_loop_set(timers.hdfs.loop, &timers.all[i], PS_NEVER);
    assert_true(earliest() == PS_NEVER);
    ps_test_hdfs_turn(&timers.hdfs);
    assert_true(timers.hdfs.due_ns == PS_NEVER);
    ps_test_hdfs_fini(&timers.hdfs);
}

/* ---- descriptors ---- */

struct pipe_end {
    struct ps_hadoop_watch watch;
    struct ps_hadoop_loop *loop;
    int fds[2];
    unsigned calls;
    struct pipe_end *other; /* unwatched when this one is ready */
};

static void ready(struct ps_hadoop_watch *watch, uint32_t events)
{
    struct pipe_end *end = (struct pipe_end *)watch;
    assert_true((events & (EPOLLIN | EPOLLOUT)) != 0);
    end->calls++;
    if (end->other != NULL)
        ps_hadoop_loop_unwatch(end->loop, &end->other->watch);
}

static void test_watches(void **state)
{
    struct ps_test_hdfs hdfs;
    struct pipe_end ends[2] = {0};
    struct epoll_event outer;
    ps_test_hdfs_init(&hdfs);
    for (unsigned i = 0; i < 2; i++) {
        ends[i].watch.ready = ready;
        ends[i].loop = hdfs.loop;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i].fds), 0);
        ps_hadoop_loop_watch(hdfs.loop, &ends[i].watch, ends[i].fds[0], EPOLLIN);
        ps_hadoop_loop_watch(hdfs.loop, &ends[i].watch, ends[i].fds[0], EPOLLIN);
    }
    ps_test_hdfs_turn(&hdfs);
    assert_int_equal(ends[0].calls + ends[1].calls, 0);
    assert_int_equal(epoll_wait(hdfs.port.epoll_fd, &outer, 1, 0), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(write(ends[i].fds[1], "x", 1), 1);
    assert_int_equal(epoll_wait(hdfs.port.epoll_fd, &outer, 1, 0), 1); /* the worker's epoll sees it */
    ps_test_hdfs_turn(&hdfs);
    assert_int_equal(ends[0].calls, 1);
    assert_int_equal(ends[1].calls, 1);
    /* The descriptor that is handled first removes the other one from the same turn. */
    ends[0].other = &ends[1];
    ends[1].other = &ends[0];
    ps_test_hdfs_turn(&hdfs);
    assert_int_equal(ends[0].calls + ends[1].calls, 3);
    ends[0].other = ends[1].other = NULL;
    for (unsigned i = 0; i < 2; i++)
        ps_hadoop_loop_watch(hdfs.loop, &ends[i].watch, ends[i].fds[0], EPOLLOUT);
    ps_test_hdfs_turn(&hdfs);
    assert_int_equal(ends[0].calls + ends[1].calls, 5);
    for (unsigned i = 0; i < 2; i++) {
        ps_hadoop_loop_unwatch(hdfs.loop, &ends[i].watch);
        ps_hadoop_loop_unwatch(hdfs.loop, &ends[i].watch);
        close(ends[i].fds[0]);
        close(ends[i].fds[1]);
    }
    ps_test_hdfs_turn(&hdfs);
    assert_int_equal(ends[0].calls + ends[1].calls, 5);
    ps_test_hdfs_fini(&hdfs);
}

/* ---- names ---- */

struct name {
    struct ps_hadoop_lookup lookup;
    bool found;
    int error;
    struct ps_address address;
};

static void found(struct ps_hadoop_lookup *lookup, const struct ps_address *address, int error)
{
    struct name *name = (struct name *)lookup;
    assert_false(name->found);
    name->found = true;
    name->error = error;
    name->address = *address;
}

static void test_names(void **state)
{
    static const char *const hosts[] = {"localhost", "127.0.0.7", "::1", "localhost", "localhost"};
    struct ps_test_hdfs hdfs;
    struct name names[5] = {0};
    ps_test_hdfs_init(&hdfs);
    for (unsigned i = 0; i < 5; i++) {
        names[i].lookup.found = found;
        ps_hadoop_loop_look_up(hdfs.loop, &names[i].lookup, hosts[i], 8020 + i);
        assert_false(names[i].found); /* never at once */
    }
    ps_hadoop_loop_forget(hdfs.loop, &names[3].lookup);
    ps_hadoop_loop_forget(hdfs.loop, &names[3].lookup);
    for (unsigned i = 0; i < 5; i++) {
        if (i == 3)
            continue;
        ps_test_hdfs_await(&hdfs, &names[i].found);
        assert_int_equal(names[i].error, 0);
        assert_int_equal(ps_address_port(&names[i].address), 8020 + i);
    }
    char text[PS_ADDRESS_TEXT_BYTES];
    ps_address_print(&names[1].address, text);
    assert_string_equal(text, "127.0.0.7:8021");
    ps_address_print(&names[2].address, text);
    assert_string_equal(text, "[::1]:8022");
    assert_false(names[3].found);
    ps_hadoop_loop_look_up(hdfs.loop, &names[3].lookup, "localhost", 1); /* under way when the loop ends */
    ps_test_hdfs_turn(&hdfs);
    ps_test_hdfs_fini(&hdfs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_watches),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
