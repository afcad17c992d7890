/* The plain transport: its errors without memory, and after each error of the socket; which direction a call waits
 * for; what is left in the socket at the end. */
#include "stages/lib/tls/transport.h"
#include "tests/support/allocations.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define REASON "what was there before"

static int ours, theirs;
static void *session;
static char reason[PS_TRANSPORT_REASON_BYTES];
static const struct ps_transport *const plain = &ps_transport_plain;

static int setup(void **unused)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ours = ends[0];
    theirs = ends[1];
    snprintf(reason, sizeof reason, REASON);
    session = plain->open(NULL, ours, reason);
    assert_non_null(session);
    assert_string_equal(reason, REASON);
    return 0;
}

static int teardown(void **unused)
{
    plain->close(session);
    close(ours);
    if (theirs >= 0)
        close(theirs);
    return 0;
}

static void test_no_memory(void **unused)
{
#if PS_TEST_ALLOCATIONS
    ps_test_allocation_fails = 1;
    void *none = plain->open(NULL, ours, reason);
    ps_test_allocation_fails = 0;
    assert_null(none);
    assert_string_equal(reason, "no memory");
#else
    ps_test_skip("a sanitizer has its own allocator");
#endif
}

static void test_bytes(void **unused)
{
    const struct iovec parts[] = {{"ab", 2}, {NULL, 0}, {"cde", 3}};
    char got[8];
    short wants = 7;
    assert_int_equal(plain->write(session, parts, 3, &wants, reason), 5);
    assert_int_equal(wants, 7); /* only a call that waits says for what */
    assert_int_equal(recv(theirs, got, sizeof got, 0), 5);
    assert_memory_equal(got, "abcde", 5);
    assert_int_equal(plain->read(session, got, sizeof got, &wants, reason), 0);
    assert_int_equal(wants, POLLIN);
    assert_int_equal(send(theirs, "xyz", 3, 0), 3);
    wants = 7;
    assert_int_equal(plain->read(session, got, 2, &wants, reason), 2);
    assert_int_equal(plain->read(session, got + 2, 6, &wants, reason), 1);
    assert_int_equal(wants, 7);
    assert_memory_equal(got, "xyz", 3);
    assert_string_equal(reason, REASON);
}

/* A server with TLS answers with an alert: that is said, and not read as an answer. Later bytes may be any. */
static void test_an_alert_of_tls(void **unused)
{
    static const char alert[] = {0x15, 3, 3, 0, 2, 2, 40};
    char got[8];
    short wants = 7;
    assert_int_equal(send(theirs, alert, sizeof alert, 0), sizeof alert);
    assert_int_equal(plain->read(session, got, sizeof got, &wants, reason), -1);
    assert_string_equal(reason, "the other side speaks TLS, and this one does not");
}

static void test_later_bytes_are_no_alert(void **unused)
{
    char got[8];
    short wants = 7;
    assert_int_equal(send(theirs, "x\x15\x03\x03", 4, 0), 4);
    assert_int_equal(plain->read(session, got, 1, &wants, reason), 1);
    assert_int_equal(plain->read(session, got, 3, &wants, reason), 3);
    assert_string_equal(reason, REASON);
}

/* The socket is full: the call waits for writing, and goes on when there is room again. */
static void test_full(void **unused)
{
    static char bytes[65536];
    const struct iovec part = {bytes, sizeof bytes};
    short wants = 0;
    size_t written = 0, got = 0;
    ssize_t length;
    while ((length = plain->write(session, &part, 1, &wants, reason)) > 0)
        written += (size_t)length;
    assert_int_equal(length, 0);
    assert_int_equal(wants, POLLOUT);
    while (got < written) {
        length = recv(theirs, bytes, sizeof bytes, MSG_DONTWAIT);
        assert_true(length > 0);
        got += (size_t)length;
    }
    assert_true(plain->write(session, &part, 1, &wants, reason) > 0);
    assert_string_equal(reason, REASON);
}

static void test_end(void **unused)
{
    char got[4];
    short wants = 0;
    plain->end(session); /* the other side sees the end, and may still send */
    assert_int_equal(recv(theirs, got, sizeof got, 0), 0);
    assert_int_equal(send(theirs, "a", 1, 0), 1);
    assert_int_equal(plain->read(session, got, sizeof got, &wants, reason), 1);
    close(theirs);
    theirs = -1;
    assert_int_equal(plain->read(session, got, sizeof got, &wants, reason), -1);
    assert_string_equal(reason, "the other side closed the connection");
    const struct iovec part = {got, 1};
    assert_int_equal(plain->write(session, &part, 1, &wants, reason), -1);
    assert_string_equal(reason, "Broken pipe");
    assert_int_equal(wants, 0);
}

static void test_errors(void **unused)
{
    char got[4];
    const struct iovec part = {got, 1};
    short wants = 0;
    int file = open("/dev/null", O_RDWR | O_CLOEXEC);
    void *wrong = plain->open(NULL, file, reason);
    assert_int_equal(plain->read(wrong, got, sizeof got, &wants, reason), -1);
    assert_string_equal(reason, "Socket operation on non-socket");
    snprintf(reason, sizeof reason, REASON);
    assert_int_equal(plain->write(wrong, &part, 1, &wants, reason), -1);
    assert_string_equal(reason, "Socket operation on non-socket");
    assert_int_equal(wants, 0);
    plain->close(wrong);
    close(file);
}

/* Closing reads what has arrived, so that the kernel does not reset the connection. It does not close the socket. */
static void test_close(void **unused)
{
    char got;
    static const char bytes[10000];
    assert_int_equal(send(theirs, bytes, sizeof bytes, 0), sizeof bytes);
    plain->close(session);
    assert_int_equal(recv(ours, &got, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    session = plain->open(NULL, ours, reason);
}

static void test_reason(void **unused)
{
    char longer[400];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(ps_transport_lose(reason, longer), -1);
    assert_int_equal(strlen(reason),
                     PS_TRANSPORT_REASON_BYTES - 1 < 255 ? PS_TRANSPORT_REASON_BYTES - 1 : 255);
    assert_int_equal(ps_transport_lose(reason, "short"), -1);
    assert_string_equal(reason, "short");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {TEST(test_no_memory),
                                              TEST(test_bytes),
                                              TEST(test_an_alert_of_tls),
                                              TEST(test_later_bytes_are_no_alert),
                                              TEST(test_full),
                                              TEST(test_end),
                                              TEST(test_errors),
                                              TEST(test_close),
                                              TEST(test_reason)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
