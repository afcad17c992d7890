/* Far ends that listen: tcp (lines and frames, many connections), udp (kernel drops), http (Flume's arrays,
 * lines, compressed bodies, refusals). */
#include "tests/support/far.h"
#include "tests/support/net.h"
#include "core/quantity.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

static unsigned port_of(const struct ps_test_far *far)
{
    const char *address = far->ops->address(far->state);
    assert_non_null(address);
    return (unsigned)strtoul(strrchr(address, ':') + 1, NULL, 10);
}

/* Sends the bytes while the far end reads. Sending must not wait: bytes that arrive late fill the buffers, and no other thread reads. */
static void send_read(struct ps_test_far *far, int fd, const char *bytes, size_t length)
{
    uint64_t end_ns = ps_test_patience_end_ns();
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        assert_true(sent >= 0 || errno == EAGAIN);
        assert_true(ps_test_patient_ns() < end_ns);
        bytes += sent > 0 ? sent : 0;
        length -= sent > 0 ? (size_t)sent : 0;
        ps_test_far_read(far, sent > 0 ? 0 : 1);
    }
}

/* ---- tcp ---- */

static void test_tcp_lines(void **state)
{
    struct ps_test_far far;
    ps_test_far_open(&far, "tcp://127.0.0.1:0");
    ps_test_far_expect_nothing(&far, 10);
    int one = ps_test_connect("127.0.0.1", port_of(&far)), two = ps_test_connect("127.0.0.1", port_of(&far));
    ps_test_send_text(one, "first\nsec");
    ps_test_far_collect(&far, 1);
    ps_test_send_text(two, "other\n12 not a frame\n7");
    ps_test_far_collect(&far, 3);
    ps_test_send_text(one, "ond\n\nlast without newline");
    close(one);
    ps_test_far_collect(&far, 5);
    close(two);
    ps_test_far_collect(&far, 6);
    static const char *const texts[] = {"first", "other", "12 not a frame", "second", "last without newline",
                                        "7"};
    for (size_t i = 0; i < 6; i++)
        ps_test_far_expect(&far, i, texts[i]);
    assert_true(far.records[0].stream == far.records[4].stream);
    assert_true(far.records[1].stream == far.records[5].stream);
    assert_true(far.records[0].stream != far.records[1].stream);
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);
}

/* RFC 6587, byte by byte and in one piece; an invalid length ends the connection. */
static void test_tcp_octets(void **state)
{
    struct ps_test_far far;
    static const char frames[] = "7 <34>1 a12 <34>1 b\nc def\n8 <34>1 gh4 <3>i<34>1 a line\n";
    static const char *const texts[] = {"<34>1 a", "<34>1 b\nc de", "f", "8 <34>1 gh4 <3>i<34>1 a line"};
    for (int at_once = 0; at_once < 2; at_once++) {
        ps_test_far_open(&far, "tcp://127.0.0.1:0");
        int fd = ps_test_connect("127.0.0.1", port_of(&far));
        for (size_t i = 0; at_once == 0 && i < strlen(frames); i++) {
            ps_test_send(fd, frames + i, 1);
            ps_test_far_read(&far, 1);
        }
        if (at_once != 0)
            ps_test_send_text(fd, frames);
        close(fd);
        ps_test_far_collect(&far, 4);
        for (size_t i = 0; i < 4; i++)
            ps_test_far_expect(&far, i, texts[i]);
        ps_test_far_close(&far);
    }
    ps_test_far_open(&far, "tcp://127.0.0.1:0?framing=octets");
    int fd = ps_test_connect("127.0.0.1", port_of(&far));
    ps_test_send_text(fd, "3 abc\n10 0123456789");
    ps_test_far_collect(&far, 2);
    ps_test_far_expect(&far, 0, "abc");
    ps_test_far_expect(&far, 1, "0123456789");
    close(fd);
    ps_test_far_close(&far);
    ps_test_far_open(&far, "tcp://127.0.0.1:0?framing=lines");
    fd = ps_test_connect("127.0.0.1", port_of(&far));
    ps_test_send_text(fd, "3 <ab>\n");
    ps_test_far_collect(&far, 1);
    ps_test_far_expect(&far, 0, "3 <ab>");
    close(fd);
    ps_test_far_close(&far);
}

/* A length has at most 9 digits; with 10 it is the beginning of a line. */
static void test_tcp_longest_length(void **state)
{
    static const char *const sent[] = {"100000000 <34>1 a", "1000000000 <34>1 a"};
    static const char *const texts[] = {"<34>1 a", "1000000000 <34>1 a"};
    for (size_t i = 0; i < PS_COUNT_OF(sent); i++) {
        struct ps_test_far far;
        ps_test_far_open(&far, "tcp://127.0.0.1:0");
        int fd = ps_test_connect("127.0.0.1", port_of(&far));
        ps_test_send_text(fd, sent[i]);
        close(fd);
        ps_test_far_collect(&far, 1);
        ps_test_far_expect(&far, 0, texts[i]);
        ps_test_far_close(&far);
    }
}

/* Without descriptors connections wait, are accepted later, and the remark says so. */
static void test_tcp_no_descriptors(void **state)
{
    struct ps_test_far far;
    struct rlimit before, none;
    ps_test_far_open(&far, "tcp://127.0.0.1:0");
    int fd = ps_test_connect("127.0.0.1", port_of(&far));
    ps_test_send_text(fd, "late\n");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    ps_test_far_expect_nothing(&far, 50);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    ps_test_far_collect(&far, 1);
    ps_test_far_expect(&far, 0, "late");
    ps_test_far_expect_remark(&far, "connections had to wait", false);
    close(fd);
    ps_test_far_close(&far);
}

static void test_tcp_long(void **state)
{
    struct ps_test_far far;
    static char data[65536];
    memset(data, 'x', sizeof data);
    ps_test_far_open(&far, "tcp://127.0.0.1:0");
    int fd = ps_test_connect("127.0.0.1", port_of(&far));
    for (int i = 0; i < 20; i++)
        send_read(&far, fd, data, sizeof data);
    ps_test_send_text(fd, "\nnext\n");
    ps_test_far_collect(&far, 2);
    assert_int_equal(far.records[0].length, 1U << 20);
    ps_test_far_expect(&far, 1, "next");
    ps_test_far_expect_remark(&far, "records of more than 1 MiB were cut", true);
    close(fd);
    ps_test_far_close(&far);
}

static void test_tcp_many(void **state)
{
    struct ps_test_far far;
    enum { COUNT = 1000 };
    static int fds[COUNT];
    static unsigned next[COUNT];
    ps_test_far_open(&far, "tcp://[::]:0");
    for (int i = 0; i < COUNT; i++) {
        fds[i] = ps_test_connect("127.0.0.1", port_of(&far));
        ps_test_far_read(&far, 0);
    }
    for (unsigned round = 0; round < 5; round++)
        for (unsigned i = 0; i < COUNT; i++) {
            char text[64];
            ps_test_send(fds[i], text, (size_t)sprintf(text, "%u %u\n%u", i, 2 * round, i));
            ps_test_send(fds[i], text, (size_t)sprintf(text, " %u\n", 2 * round + 1));
        }
    ps_test_far_collect(&far, COUNT * 10);
    for (size_t i = 0; i < far.count; i++) {
        unsigned connection, number;
        assert_int_equal(sscanf(far.records[i].data, "%u %u", &connection, &number), 2);
        assert_int_equal(number, next[connection]++);
    }
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    ps_test_far_expect_nothing(&far, 20);
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);
}

static bool has_ipv6(void)
{
    struct ps_url url;
    void *far;
    assert_int_equal(ps_url_parse(&url, "tcp://[::1]:0", NULL), PS_OK);
    bool has = ps_far_ends[2]->open(&far, &url, 0, NULL) == PS_OK;
    if (has)
        ps_far_ends[2]->close(far);
    ps_url_fini(&url);
    return has;
}

static void test_ipv6(void **state)
{
    struct ps_test_far far;
    if (!has_ipv6())
        ps_test_skip("this machine has no IPv6");
    ps_test_far_open(&far, "tcp://[::1]:0");
    assert_true(strncmp(far.ops->address(far.state), "[::1]:", 6) == 0);
    int fd = ps_test_connect("::1", port_of(&far));
    ps_test_send_text(fd, "six\n");
    ps_test_far_collect(&far, 1);
    close(fd);
    ps_test_far_close(&far);
    ps_test_far_open(&far, "udp://[::1]:0");
    fd = ps_test_connect_udp("::1", port_of(&far));
    ps_test_send_text(fd, "six");
    ps_test_far_collect(&far, 1);
    close(fd);
    ps_test_far_close(&far);
}

static void test_refused(void **state)
{
    struct ps_test_far far;
    char url[64];
    ps_test_far_open(&far, "tcp://127.0.0.1:0");
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", port_of(&far));
    ps_test_far_refused(url, "the port is in use");
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port_of(&far));
    ps_test_far_refused(url, "the port is in use");
    ps_test_far_close(&far);
    ps_test_far_open(&far, "udp://127.0.0.1:0");
    snprintf(url, sizeof url, "udp://127.0.0.1:%u", port_of(&far));
    ps_test_far_refused(url, "the port is in use");
    ps_test_far_close(&far);
    ps_test_far_refused("tcp://no.such.host.invalid:0", "cannot resolve host");
    ps_test_far_refused("tcp://127.0.0.1", "a port is missing");
    ps_test_far_refused("udp://127.0.0.1:0/x", "write udp://HOST:PORT");
    ps_test_far_refused("tcp://127.0.0.1:0//", "write tcp://HOST:PORT");
    ps_test_far_open(&far, "tcp://127.0.0.1:0/"); /* as browsers write it */
    ps_test_far_close(&far);
    ps_test_far_open(&far, "udp://127.0.0.1:0/");
    ps_test_far_close(&far);
    ps_test_far_refused("tcp://127.0.0.1:0?framing=none", "framing is detect, lines or octets");
    ps_test_far_refused("tcp://127.0.0.1:0?framin=lines", "did you mean `framing`");
}

/* ---- udp ---- */

static void test_udp(void **state)
{
    struct ps_test_far far;
    static char large[60000];
    memset(large, 'y', sizeof large);
    ps_test_far_open(&far, "udp://127.0.0.1:0");
    int fd = ps_test_connect_udp("127.0.0.1", port_of(&far));
    ps_test_send_text(fd, "<34>one");
    ps_test_send_text(fd, "two\nlines");
    ps_test_send(fd, large, sizeof large);
    ps_test_far_collect(&far, 3);
    ps_test_far_expect(&far, 0, "<34>one");
    ps_test_far_expect(&far, 1, "two\nlines");
    assert_int_equal(far.records[2].length, sizeof large);
    for (unsigned i = 0; i < 20000; i++) { /* more than one read hands over */
        char text[32];
        ps_test_send(fd, text, (size_t)sprintf(text, "%u", i));
        if (i % 1000 == 999)
            ps_test_far_collect(&far, 3 + i + 1);
    }
    for (unsigned i = 0; i < 20000; i++)
        assert_int_equal(strtoul(far.records[3 + i].data, NULL, 10), i);
    ps_test_far_expect_remark(&far, NULL, false);
    close(fd);
    ps_test_far_close(&far);
}

/* Without a reader, the kernel counts what does not fit into its buffer. */
static void test_udp_dropped(void **state)
{
    struct ps_test_far far;
    char data[1000] = "x", remark[80];
    ps_test_far_open(&far, "udp://127.0.0.1:0");
    int fd = ps_test_connect_udp("127.0.0.1", port_of(&far));
    unsigned sent = 0;
    for (; sent < 400000; sent++) {
        bool lossy = false;
        if (sent % 5000 == 0 && (far.ops->remark(far.state, &lossy), lossy))
            break;
        ps_test_send(fd, data, sizeof data);
    }
    for (size_t before = 1; before != far.count;) {
        before = far.count;
        ps_test_far_read(&far, 50);
    }
    assert_true(far.count < sent);
    snprintf(remark, sizeof remark, "the kernel dropped %s datagrams",
             ps_quantity_print_count(sent - far.count).text);
    ps_test_far_expect_remark(&far, remark, true);
    close(fd);
    ps_test_far_close(&far);
}

/* ---- http ---- */

/* Sends a request ("" or METHOD PATH, then one header per line) and reads until its answer came; returns its
 * status. */
static int request(struct ps_test_far *far, int fd, const char *head, const void *body, size_t length)
{
    char text[4096];
    size_t used = 0, first = strcspn(head, "\n");
    ps_test_send(fd, text,
                 (size_t)snprintf(text, sizeof text,
                                  "%.*s HTTP/1.1\r\n%sHost: x\r\nContent-Length: %zu\r\n\r\n",
                                  *head != '\0' ? (int)first : 6, *head != '\0' ? head : "POST /",
                                  head[first] == '\n' ? head + first + 1 : "", length));
    send_read(far, fd, body, length);
    for (uint64_t end_ns = ps_test_patience_end_ns(); ps_test_patient_ns() < end_ns;) {
        ps_test_far_read(far, 10);
        ssize_t n = recv(fd, text + used, sizeof text - 1 - used, MSG_DONTWAIT);
        used += n > 0 ? (size_t)n : 0;
        text[used] = '\0';
        if (strstr(text, "\r\n\r\n") != NULL)
            return atoi(text + 9);
    }
    fail_msg("no answer");
    return 0;
}

static int post(struct ps_test_far *far, int fd, const char *body)
{
    return request(far, fd, "", body, strlen(body));
}

static void test_http(void **state)
{
    struct ps_test_far far;
    ps_test_far_open(&far, "http://127.0.0.1:0");
    int fd = ps_test_connect("127.0.0.1", port_of(&far)), other = ps_test_connect("127.0.0.1", port_of(&far));
    assert_int_equal(
        post(&far, fd, "\t\r\n [{\"headers\":{\"a\":\"[1]\"},\"body\":\"one\"} , {\"body\":\"t\\\"wo]\"}]\n"),
        200);
    assert_int_equal(post(&far, other, "three\nfour\n\nfive"), 200);
    assert_int_equal(post(&far, fd, "{\"body\":\"six\"}\n{\"body\":\"seven\"}\n"), 200);
    assert_int_equal(post(&far, fd, "[Fri Oct 11 22:14:15 2026] no array\n"), 200);
    assert_int_equal(post(&far, fd, "[1}2]\n"), 200);
    assert_int_equal(post(&far, fd, " [ ] "), 200);
    assert_int_equal(post(&far, fd, ""), 200);
    static const char *const texts[] = {"{\"headers\":{\"a\":\"[1]\"},\"body\":\"one\"}",
                                        "{\"body\":\"t\\\"wo]\"}",
                                        "three",
                                        "four",
                                        "five",
                                        "{\"body\":\"six\"}",
                                        "{\"body\":\"seven\"}",
                                        "[Fri Oct 11 22:14:15 2026] no array",
                                        "[1}2]"};
    ps_test_far_collect(&far, PS_COUNT_OF(texts));
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++)
        ps_test_far_expect(&far, i, texts[i]);
    assert_true(far.records[0].stream == far.records[5].stream);
    assert_true(far.records[0].stream != far.records[2].stream);
    ps_test_far_expect_remark(&far, NULL, false);
    close(fd);
    close(other);
    ps_test_far_close(&far);
}

static void test_http_large(void **state)
{
    struct ps_test_far far;
    size_t length = 0;
    char *body = malloc(4U << 20);
    body[length++] = '[';
    for (unsigned i = 0; i < 40000; i++)
        length += (size_t)sprintf(body + length, "%s{\"headers\":{\"n\":\"%u\"},\"body\":\"%060u\"}",
                                  i > 0 ? "," : "", i, i);
    body[length++] = ']';
    ps_test_far_open(&far, "http://127.0.0.1:0");
    int fd = ps_test_connect("127.0.0.1", port_of(&far));
    assert_int_equal(request(&far, fd, "PUT /any/where", body, length), 200);
    ps_test_far_collect(&far, 40000);
    assert_int_equal(strtoul(far.records[39999].data + 17, NULL, 10), 39999);

    uLongf packed_length = compressBound(length);
    unsigned char *packed = malloc(packed_length);
    assert_int_equal(compress(packed, &packed_length, (unsigned char *)body, length), Z_OK);
    static const char head[] = "POST /\nContent-Encoding: deflate\r\n";
    assert_int_equal(request(&far, fd, head, packed, packed_length), 200);
    ps_test_far_collect(&far, 80000);
    packed[30] ^= 1;
    assert_int_equal(request(&far, fd, head, packed, packed_length), 400);
    ps_test_far_expect_remark(&far, "1 requests could not be understood (400)", false);
    close(fd);
    ps_test_far_close(&far);
    free(packed);
    free(body);
}

static void test_http_refused(void **state)
{
    struct ps_test_far far;
    ps_test_far_open(&far, "http://127.0.0.1:0");
    int fd = ps_test_connect("127.0.0.1", port_of(&far));
    assert_int_equal(request(&far, fd, "POST /\nContent-Type: application/json; charset=utf-8\r\n",
                             "[{\"body\":\"x\"", 12),
                     400);
    assert_int_equal(request(&far, fd, "POST /\nContent-Encoding: br\r\n", "x", 1), 415);
    assert_int_equal(request(&far, fd, "GET /", "", 0), 200);
    assert_int_equal(request(&far, fd, "DELETE /", "", 0), 405);
    close(fd);
    /* a client that disconnects in the middle of its request */
    fd = ps_test_connect("127.0.0.1", port_of(&far));
    ps_test_send_text(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
    ps_test_far_expect_nothing(&far, 20);
    close(fd);
    ps_test_far_expect_nothing(&far, 20);
    assert_int_equal(far.count, 0);
    ps_test_far_expect_remark(&far, "Content-Encoding br were refused", false);
    ps_test_far_close(&far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp_lines),
        cmocka_unit_test(test_tcp_octets),
        cmocka_unit_test(test_tcp_longest_length),
        cmocka_unit_test(test_tcp_no_descriptors),
        cmocka_unit_test(test_tcp_long),
        cmocka_unit_test(test_tcp_many),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_udp),
        cmocka_unit_test(test_udp_dropped),
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_http_large),
        cmocka_unit_test(test_http_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
