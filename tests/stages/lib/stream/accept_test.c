/* The limit of connections: a new one takes the place of the longest silent one, or waits. */
#include "core/log/log.h"
#include "tests/support/folder.h"
#include "tests/support/net.h"
#include "tests/support/no_descriptors.h"

#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stages/lib/stream/stream.h"

#define LIMIT 4

static void start(struct ps_test_stage *stage, const char *limit)
{
    ps_test_stage_init_sized(stage, &ps_source_netcat, UINT64_C(4) << 20);
    assert_int_equal(ps_test_stage_bind(
                         stage, PS_KEYS("bind", "127.0.0.1", "port", "0", "penstock.connections.max", limit)),
                     PS_OK);
    assert_int_equal(ps_test_stage_build(stage), PS_OK);
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
}

static int client(const struct ps_test_stage *stage)
{
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(stage, 0));
}

static uint64_t open_count(const struct ps_test_stage *stage)
{
    return ps_test_stage_counter(stage, PS_COUNTER_OpenConnectionCount);
}

static void cycles(struct ps_test_stage *stage, unsigned count)
{
    while (count-- > 0)
        ps_test_source_cycle(stage);
}

static void assert_answered(struct ps_test_stage *stage, int fd)
{
    char answer[8];
    ssize_t got = 0;
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && got <= 0; i++) {
        if (i > 200) /* the kernel hands it over later, on a busy machine */
            usleep(1000);
        ps_test_source_cycle(stage);
        got = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    }
    assert_int_equal(got, 3);
    assert_memory_equal(answer, "OK\n", 3);
}

static void assert_served(struct ps_test_stage *stage, int fd)
{
    ps_test_send_text(fd, "hello\n");
    assert_answered(stage, fd);
}

static void assert_closed(int fd)
{
    char byte; /* the source has closed it, so this does not wait for it */
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

static void test_new_one_takes_the_place_of_the_longest_silent(void **unused)
{
    struct ps_test_stage stage;
    int fds[LIMIT];
    start(&stage, "4");
    for (int i = 0; i < LIMIT; i++) {
        fds[i] = client(&stage);
        assert_served(&stage, fds[i]);
        ps_test_stage_pass_ms(&stage, 500);
    }
    assert_served(&stage, fds[0]); /* now the second one has been silent longest */
    int another = client(&stage);
    assert_served(&stage, another);
    assert_int_equal(open_count(&stage), LIMIT);
    assert_closed(fds[1]);
    fds[1] = another;
    for (int i = 0; i < LIMIT; i++)
        assert_served(&stage, fds[i]);
    for (int i = 0; i < LIMIT; i++)
        close(fds[i]);
    ps_test_stage_fini(&stage);
}

/* All connections have sent something within a second: the next one is served when one of them is closed, or silent. */
static void test_waits_while_all_are_in_use(void **unused)
{
    struct ps_test_stage stage;
    int fds[LIMIT];
    start(&stage, "4");
    for (int i = 0; i < LIMIT; i++) {
        fds[i] = client(&stage);
        assert_served(&stage, fds[i]);
    }
    int fifth = client(&stage), sixth = client(&stage);
    ps_test_send_text(fifth, "waits\n");
    ps_test_send_text(sixth, "waits too\n");
    char byte;
    for (int i = 0; i < 50; i++) {
        ps_test_stage_pass_ms(&stage, 10);
        cycles(&stage, 5);
        assert_int_equal(recv(fifth, &byte, 1, MSG_DONTWAIT), -1);
        assert_int_equal(open_count(&stage), LIMIT);
    }
    close(fds[0]);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && open_count(&stage) == LIMIT &&
                         recv(fifth, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
         i++) {
        if (i > 200) /* the kernel hands the end over later, on a busy machine */
            usleep(1000);
        ps_test_source_cycle(&stage);
    }
    ps_test_stage_pass_ms(&stage, 150);
    assert_answered(&stage, fifth);
    assert_int_equal(open_count(&stage), LIMIT);
    assert_int_equal(recv(sixth, &byte, 1, MSG_DONTWAIT), -1);
    ps_test_stage_pass_ms(&stage, 1000);
    for (int i = 2; i < LIMIT; i++)
        assert_served(&stage, fds[i]);
    ps_test_stage_pass_ms(&stage, 150);
    assert_answered(&stage, sixth);
    assert_closed(fds[1]);
    close(fifth);
    close(sixth);
    for (int i = 2; i < LIMIT; i++)
        close(fds[i]);
    ps_test_stage_fini(&stage);
}

/* A connection that waits for an answer is not closed, however long it takes. */
static void test_one_that_is_owed_an_answer_stays(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, "1");
    int first = client(&stage);
    assert_served(&stage, first);
    struct ps_stream *stream = stage.state; /* netcat's state begins with it */
    stream->chunks[0][0].owed++;            /* as if its channel had not answered yet */
    int second = client(&stage);
    ps_test_send_text(second, "waits\n");
    char byte;
    for (int i = 0; i < 50; i++) {
        ps_test_stage_pass_ms(&stage, 1000);
        cycles(&stage, 5);
        assert_int_equal(recv(first, &byte, 1, MSG_DONTWAIT), -1);
        assert_int_equal(recv(second, &byte, 1, MSG_DONTWAIT), -1);
    }
    assert_int_equal(open_count(&stage), 1);
    stream->chunks[0][0].owed--;
    ps_test_stage_pass_ms(&stage, 150);
    assert_answered(&stage, second);
    assert_int_equal(open_count(&stage), 1);
    assert_closed(first);
    close(second);
    ps_test_stage_fini(&stage);
}

static bool no_watches; /* the user has no watch of an epoll left */

int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    static int (*real)(int, int, int, struct epoll_event *);
    if (real == NULL) {
        void *found = dlsym(RTLD_NEXT, "epoll_ctl");
        memcpy(&real, &found, sizeof real);
    }
    if (!no_watches || operation != EPOLL_CTL_ADD)
        return real(epoll_fd, operation, fd, event);
    errno = ENOSPC;
    return -1;
}

/* A connection that cannot be accepted waits, and the log has the reason and its cure. */
static void expect_reason(bool has_descriptors, const char *reason)
{
    struct ps_test_stage stage;
    struct rlimit before;
    char path[512];
    ps_log_unlimited();
    snprintf(path, sizeof path, "%s", ps_test_folder_path(has_descriptors ? "watches" : "descriptors"));
    start(&stage, "4");
    int fd = client(&stage);
    ps_test_await_ready(&stage); /* to accept the connection */
    assert_int_equal(ps_log_open(path, NULL), PS_OK);
    no_watches = has_descriptors;
    if (!has_descriptors)
        ps_test_no_descriptors(&before);
    cycles(&stage, 3);
    if (!has_descriptors)
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    no_watches = false;
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
    assert_int_equal(open_count(&stage), 0);
    const char *said = ps_test_folder_read(has_descriptors ? "watches" : "descriptors");
    if (strstr(said, reason) == NULL)
        fail_msg("%s", said);
    ps_test_stage_pass_ms(&stage, 1100);
    if (has_descriptors) { /* the connection that could not be watched was closed */
        close(fd);
        fd = client(&stage);
    }
    assert_served(&stage, fd);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_reasons(void **state)
{
    assert_int_equal(ps_test_folder_setup(state), 0);
    expect_reason(false,
                  "cannot accept connections: Too many open files; retrying every second (raise ulimit -n, "
                  "systemd: LimitNOFILE=)\n");
    expect_reason(true, "cannot accept connections: No space left on device; retrying every second (raise "
                        "fs.epoll.max_user_watches)\n");
    assert_int_equal(ps_test_folder_teardown(state), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_one_takes_the_place_of_the_longest_silent),
        cmocka_unit_test(test_waits_while_all_are_in_use),
        cmocka_unit_test(test_one_that_is_owed_an_answer_stays),
        cmocka_unit_test(test_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
