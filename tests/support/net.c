#include "tests/support/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stages/lib/net/datagrams.h"
#include "stages/lib/stream/stream.h"

unsigned ps_test_tcp_port(const struct ps_test_stage *stage, uint16_t listener)
{
    return ps_stream_port(stage->state, listener);
}

unsigned ps_test_udp_port(const struct ps_test_stage *stage)
{
    return ps_address_port(&((const struct ps_datagrams *)stage->state)->bound);
}

static int connect_to(const char *address, unsigned port, int type)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    bool is_six = strchr(address, ':') != NULL;
    int fd = socket(is_six ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct timeval limit = {.tv_sec = PS_TEST_PATIENCE_MS / 1000};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
    if (is_six) {
        assert_int_equal(inet_pton(AF_INET6, address, &six.sin6_addr), 1);
        assert_int_equal(connect(fd, (struct sockaddr *)&six, sizeof six), 0);
    } else {
        assert_int_equal(inet_pton(AF_INET, address, &four.sin_addr), 1);
        assert_int_equal(connect(fd, (struct sockaddr *)&four, sizeof four), 0);
    }
    return fd;
}

int ps_test_connect(const char *address, unsigned port)
{
    return connect_to(address, port, SOCK_STREAM);
}

int ps_test_connect_udp(const char *address, unsigned port)
{
    return connect_to(address, port, SOCK_DGRAM);
}

void ps_test_send(int fd, const void *data, size_t length)
{
    const char *p = data;
    do {
        ssize_t n = send(fd, p, length, MSG_NOSIGNAL);
        assert_true(n >= 0);
        p += n;
        length -= (size_t)n;
    } while (length > 0);
}

void ps_test_send_text(int fd, const char *text)
{
    ps_test_send(fd, text, strlen(text));
}

char *ps_test_receive(struct ps_test_stage *stage, int fd, size_t length, unsigned patience_ms, bool *closed)
{
    char *text = ps_arena_alloc(stage->arena, length + 1);
    size_t used = 0;
    uint64_t until = ps_test_wait_ns(patience_ms) + patience_ms * PS_NS_PER_MS;
    *closed = false;
    /* A short wait, for an event that should not come, also has some rounds: the thread may have slept all that time. */
    for (unsigned round = 0;
         used < length && !*closed && (round < 20 || ps_test_wait_ns(patience_ms) < until); round++) {
        ps_test_source_work(stage);
        ps_test_source_close_batch(stage);
        ssize_t n = recv(fd, text + used, length - used, MSG_DONTWAIT);
        if (n > 0)
            used += (size_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
            *closed = true;
        else
            usleep(1000);
    }
    text[used] = '\0';
    return text;
}

bool ps_test_has_arrived(int fd)
{
    int unconfirmed;
    assert_int_equal(ioctl(fd, SIOCOUTQ, &unconfirmed), 0);
    return unconfirmed == 0;
}

void ps_test_await_arrival(int fd)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (!ps_test_has_arrived(fd)) {
        assert_true(ps_test_patient_ns() < until_ns);
        usleep(100);
    }
}

void ps_test_await_counter(struct ps_test_stage *stage, enum ps_counter counter, uint64_t value)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (ps_test_stage_counter(stage, counter) != value) {
        if (ps_test_patient_ns() >= until_ns)
            fail_msg("counter %d is %llu, not %llu", (int)counter,
                     (unsigned long long)ps_test_stage_counter(stage, counter), (unsigned long long)value);
        (void)ps_test_source_work(stage);
        if (stage->batch != NULL && stage->batch->count > 0)
            ps_test_source_close_batch(stage);
        usleep(1000);
    }
}
