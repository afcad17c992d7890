/* The datagrams of sd_notify, as the other end of the socket receives them. */
#include "core/watch/notify.h"
#include "tests/support/no_descriptors.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '/'));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    return fd;
}

static void expect(int fd, const char *text)
{
    char got[2048];
    ssize_t length = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    assert_true(length >= 0);
    got[length] = '\0';
    assert_string_equal(got, text);
}

static void speak(int fd)
{
    assert_true(ps_notify_ready("2 workers"));
    expect(fd, "READY=1\nSTATUS=2 workers");
    assert_true(ps_notify_watchdog());
    expect(fd, "WATCHDOG=1");
    assert_true(ps_notify_stopping("draining"));
    expect(fd, "STOPPING=1\nSTATUS=draining");
    assert_true(ps_notify("STATUS=%d events", 7));
    expect(fd, "STATUS=7 events");
    assert_true(ps_notify_reloading());
    char got[128];
    assert_true(recv(fd, got, sizeof got, MSG_DONTWAIT) > 0);
    assert_memory_equal(got, "RELOADING=1\nMONOTONIC_USEC=", 27);
}

static void test_path(void **state)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/ps_notify_test_%d", (int)getpid());
    int fd = listen_at(path);
    setenv("NOTIFY_SOCKET", path, 1);
    speak(fd);
    close(fd);
    unlink(path);
    assert_false(ps_notify_ready("nobody listens"));
}

static void test_abstract(void **state)
{
    char path[64];
    snprintf(path, sizeof path, "@ps_notify_test_%d", (int)getpid());
    int fd = listen_at(path);
    setenv("NOTIFY_SOCKET", path, 1);
    speak(fd);
    close(fd);
}

/* Clients may have taken all descriptors: the messages need none. Runs first, while no message has made the socket. */
static void test_no_descriptors(void **state)
{
    char path[64];
    struct rlimit before;
    unsetenv("NOTIFY_SOCKET");
    assert_false(ps_notify_open());
    snprintf(path, sizeof path, "@ps_notify_test_%d", (int)getpid());
    int fd = listen_at(path);
    setenv("NOTIFY_SOCKET", path, 1);
    assert_true(ps_notify_open());
    ps_test_no_descriptors(&before);
    bool ready = ps_notify_ready("running"), fed = ps_notify_watchdog();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(ready && fed);
    expect(fd, "READY=1\nSTATUS=running");
    expect(fd, "WATCHDOG=1");
    close(fd);
}

static void test_not_under_systemd(void **state)
{
    unsetenv("NOTIFY_SOCKET");
    assert_false(ps_notify_ready("up"));
    char longest[300] = "/";
    memset(longest + 1, 'x', sizeof longest - 2);
    setenv("NOTIFY_SOCKET", longest, 1);
    assert_false(ps_notify_ready("up"));
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_false(ps_notify_ready("up"));
}

static void test_watchdog_interval(void **state)
{
    char pid[32];
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    assert_int_equal(ps_notify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(ps_notify_watchdog_ms(), 15000);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_USEC", "1999", 1); /* 0 would mean that there is none */
    assert_int_equal(ps_notify_watchdog_ms(), 1);
    setenv("WATCHDOG_USEC", "30000000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(ps_notify_watchdog_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
    assert_int_equal(ps_notify_watchdog_ms(), 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(ps_notify_watchdog_ms(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_descriptors),    cmocka_unit_test(test_path),
        cmocka_unit_test(test_abstract),          cmocka_unit_test(test_not_under_systemd),
        cmocka_unit_test(test_watchdog_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
