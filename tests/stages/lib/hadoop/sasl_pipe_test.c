/* A socket with framed bytes: messages of random lengths that come in random pieces and are read into buffers of random sizes, and bytes that are
 * written in parts while the socket is full. The frames are those of Hive's metastore without protection: a length, and the bytes. (With
 * protection: the tests of the three transports that use the pipe.) */
#include "stages/lib/hadoop/sasl_pipe.h"
#include "core/big_endian.h"
#include "tests/support/support.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_MAX 400000U
#define HEAD 4U

static uint64_t state;
static struct ps_sasl sasl; /* no protection */
static struct ps_sasl_pipe *pipe_of_test;
static int theirs;
static char reason[PS_TRANSPORT_REASON_BYTES];
static bool refuses; /* the frame has no message */

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static size_t put_head(uint8_t *end, size_t length)
{
    ps_big_endian_put_32(end - HEAD, (uint32_t)length);
    return HEAD;
}

static bool find(uint8_t *frame, size_t frame_length, uint8_t **message, size_t *length, char *why)
{
    *message = frame;
    *length = frame_length;
    if (refuses)
        snprintf(why, PS_TRANSPORT_REASON_BYTES, "it is refused");
    return !refuses;
}

static const struct ps_sasl_framing framing = {.put_head = put_head, .find = find, .frames_plain = true};

static int setup(void **unused)
{
    int ends[2], bytes = 20000;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
    theirs = ends[1];
    pipe_of_test = ps_sasl_pipe_open(sizeof *pipe_of_test, &framing, ends[0], reason);
    assert_non_null(pipe_of_test);
    sasl.protection = PS_SASL_AUTHENTICATION;
    pipe_of_test->sasl = &sasl;
    refuses = false;
    return 0;
}

static int teardown(void **unused)
{
    int ours = pipe_of_test->fd;
    pipe_of_test->sasl = NULL;
    ps_sasl_pipe_close(pipe_of_test);
    close(ours);
    if (theirs >= 0)
        close(theirs);
    return 0;
}

static uint8_t *stream_new(void)
{
    uint8_t *bytes = malloc(STREAM_MAX);
    assert_non_null(bytes);
    for (size_t i = 0; i < STREAM_MAX; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    return bytes;
}

/* ---- reading ---- */

/* Puts the stream's bytes into frames, many of them with lengths near the sizes at which buffers change. */
static size_t put_frames(const uint8_t *bytes, size_t length, uint8_t *wire)
{
    static const uint32_t lengths[] = {0, 1, 2, 4091, 4092, 4093, 8191, 65535, 65536, 65537, 100000};
    uint8_t *to = wire;
    for (size_t at = 0; at < length;) {
        size_t some = draw(3) == 0 ? lengths[draw(PS_COUNT_OF(lengths))] : draw(300);
        some = some < length - at ? some : length - at;
        ps_big_endian_put_32(to, (uint32_t)some);
        memcpy(to + HEAD, bytes + at, some);
        to += HEAD + some;
        at += some;
    }
    return (size_t)(to - wire);
}

/* A read that does not fill its buffer has consumed all bytes that were sent: the caller may poll the socket. */
static void test_reads(void **unused)
{
    uint8_t *bytes = stream_new(), *wire = malloc(8 * STREAM_MAX), *back = malloc(STREAM_MAX);
    for (unsigned round = 0; round < 20; round++) {
        size_t length = 1 + draw(STREAM_MAX), whole = put_frames(bytes, length, wire), sent = 0, got = 0;
        size_t piece_max = 1 + draw(30000), room_max = 1 + draw(70000);
        for (unsigned idle = 0; got < length;) {
            size_t piece = sent < whole ? 1 + draw(piece_max) : 0;
            piece = piece < whole - sent ? piece : whole - sent;
            ssize_t some = piece > 0 ? send(theirs, wire + sent, piece, MSG_NOSIGNAL) : 0;
            sent += some > 0 ? (size_t)some : 0;
            size_t room = 1 + draw(room_max);
            room = room < length - got ? room : length - got;
            short wants = 7;
            some = ps_sasl_pipe_read(pipe_of_test, (char *)back + got, room, &wants, reason);
            assert_in_range(some, 0, room);
            got += (size_t)some;
            assert_memory_equal(back + got - some, bytes + got - some, (size_t)some);
            if ((size_t)some < room)
                assert_int_equal(wants, POLLIN);
            idle = some == 0 && piece == 0 ? idle + 1 : 0;
            if (idle > 10)
                fail_msg("%zu of %zu bytes came, and nothing is under way", got, length);
        }
        assert_memory_equal(back, bytes, length);
        assert_true(pipe_of_test->in_room <= 4096); /* a long buffer does not stay */
    }
    free(bytes);
    free(wire);
    free(back);
}

/* Bytes that came before an error are given first; then the error is reported, and again by later calls. */
static void test_broken(void **unused)
{
    static const uint8_t frames[] = {0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 1, 'c', 4, 0, 0, 1};
    char got[8];
    short wants;
    assert_int_equal(send(theirs, frames, sizeof frames, 0), sizeof frames);
    assert_int_equal(ps_sasl_pipe_read(pipe_of_test, got, sizeof got, &wants, reason), 3);
    assert_memory_equal(got, "abc", 3);
    for (unsigned again = 0; again < 3; again++) {
        reason[0] = '\0';
        assert_int_equal(ps_sasl_pipe_read(pipe_of_test, got, sizeof got, &wants, reason), -1);
        assert_string_equal(reason, "a message is too long: is it a Hadoop server with security?");
    }
}

/* A frame of the greatest length is not refused: the reader waits for its bytes. */
static void test_longest(void **unused)
{
    static const uint8_t longest[] = {4, 0, 0, 0};
    char got[8];
    short wants = 0;
    assert_int_equal(send(theirs, longest, sizeof longest, 0), sizeof longest);
    assert_int_equal(ps_sasl_pipe_read(pipe_of_test, got, sizeof got, &wants, reason), 0);
    assert_int_equal(wants, POLLIN);
}

static void test_refused(void **unused)
{
    char got[8];
    short wants;
    refuses = true;
    assert_int_equal(send(theirs, "\0\0\0\1a", 5, 0), 5);
    assert_int_equal(ps_sasl_pipe_read(pipe_of_test, got, sizeof got, &wants, reason), -1);
    assert_string_equal(reason, "it is refused");
}

/* The stream ends in the middle of a frame, of its length, and between frames. */
static void test_end(void **unused)
{
    static const struct {
        size_t sent;
        ssize_t got;
    } rows[] = {{0, -1}, {2, -1}, {4, -1}, {5, -1}, {6, 2}, {8, 2}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char got[8];
        short wants;
        assert_int_equal(send(theirs, "\0\0\0\2ab\0\0", rows[i].sent, 0), rows[i].sent);
        close(theirs);
        theirs = -1;
        ssize_t some = ps_sasl_pipe_read(pipe_of_test, got, sizeof got, &wants, reason);
        if (some != rows[i].got)
            fail_msg("row %zu: %zd", i, some);
        if (some > 0)
            some = ps_sasl_pipe_read(pipe_of_test, got, sizeof got, &wants, reason);
        assert_int_equal(some, -1);
        assert_string_equal(reason, "the other side closed the connection");
        teardown(NULL);
        setup(NULL);
    }
}

/* Bytes that came with the end of the exchange are read first, when the rest is not framed. */
static void test_plain(void **unused)
{
    static const struct ps_sasl_framing plain = {.put_head = put_head, .find = find};
    char got[8];
    short wants = 7;
    uint8_t *frame;
    size_t length;
    pipe_of_test->framing = &plain;
    assert_int_equal(send(theirs, "\0\0\0\1xabcd", 9, 0), 9);
    assert_int_equal(ps_sasl_pipe_frame(pipe_of_test, &frame, &length, &wants, reason), 1);
    assert_int_equal(length, 1);
    assert_int_equal(frame[0], 'x');
    assert_int_equal(ps_sasl_pipe_read(pipe_of_test, got, 3, &wants, reason), 3);
    assert_memory_equal(got, "abc", 3);
    assert_int_equal(send(theirs, "ef", 2, 0), 2);
    assert_int_equal(ps_sasl_pipe_read(pipe_of_test, got, 8, &wants, reason), 3);
    assert_memory_equal(got, "def", 3);
    assert_int_equal(ps_sasl_pipe_read(pipe_of_test, got, 8, &wants, reason), 0);
    assert_int_equal(wants, POLLIN);
    assert_int_equal(ps_sasl_pipe_read(pipe_of_test, got, 0, &wants, reason), 0);
}

/* ---- writing ---- */

/* Takes what has arrived, and compares the content of its frames. Returns the bytes of content. */
static size_t take_frames(uint8_t *wire, size_t *wire_length, const uint8_t *bytes, size_t at)
{
    ssize_t some = recv(theirs, wire + *wire_length, STREAM_MAX - *wire_length, MSG_DONTWAIT);
    *wire_length += some > 0 ? (size_t)some : 0;
    for (uint32_t length;
         *wire_length >= HEAD && *wire_length >= HEAD + (length = ps_big_endian_get_32(wire));) {
        assert_in_range(length, 1, 65536);
        assert_memory_equal(wire + HEAD, bytes + at, length);
        at += length;
        *wire_length -= HEAD + length;
        memmove(wire, wire + HEAD + length, *wire_length);
    }
    return at;
}

/* The caller gives the same bytes until they are taken, in parts that may be empty. */
static void test_writes(void **unused)
{
    uint8_t *bytes = stream_new(), *wire = malloc(STREAM_MAX);
    for (unsigned round = 0; round < 20; round++) {
        size_t length = 1 + draw(STREAM_MAX), written = 0, arrived = 0, wire_length = 0;
        while (arrived < length) {
            size_t left = length - written, first = draw(left + 1), second = draw(left - first + 1);
            const struct iovec parts[] = {
                {bytes + written, first}, {NULL, 0}, {bytes + written + first, second}};
            short wants = 7;
            ssize_t some = 0;
            if (pipe_of_test->taken == 0 || first + second >= pipe_of_test->taken)
                some = ps_sasl_pipe_write(pipe_of_test, parts, 3, &wants, reason);
            assert_in_range(some, 0, left < 65536 ? left : 65536);
            written += (size_t)some;
            if (some == 0 && pipe_of_test->taken > 0 && wants != 7)
                assert_int_equal(wants, POLLOUT);
            arrived = take_frames(wire, &wire_length, bytes, arrived);
            if (pipe_of_test->taken == 0 && some > 0)
                assert_null(pipe_of_test->out); /* nothing waits to be sent */
        }
        assert_int_equal(written, length);
    }
    free(bytes);
    free(wire);
}

/* Messages of the exchange are sent together. */
static void test_put(void **unused)
{
    char got[16];
    short wants;
    assert_true(ps_sasl_pipe_put(pipe_of_test, "ab", 2));
    assert_true(ps_sasl_pipe_put(pipe_of_test, "", 0));
    assert_true(ps_sasl_pipe_put(pipe_of_test, "cde", 3));
    assert_int_equal(recv(theirs, got, sizeof got, 0), -1);
    for (unsigned again = 0; again < 2; again++)
        assert_int_equal(ps_sasl_pipe_flush(pipe_of_test, &wants, reason), 1);
    assert_int_equal(recv(theirs, got, sizeof got, 0), 5);
    assert_memory_equal(got, "abcde", 5);
    assert_true(ps_sasl_pipe_put(pipe_of_test, "f", 1));
    assert_int_equal(ps_sasl_pipe_flush(pipe_of_test, &wants, reason), 1);
    assert_int_equal(recv(theirs, got, sizeof got, 0), 1);
    ps_sasl_pipe_end(pipe_of_test);
    assert_int_equal(recv(theirs, got, sizeof got, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {TEST(test_reads),   TEST(test_broken), TEST(test_longest),
                                              TEST(test_refused), TEST(test_end),    TEST(test_plain),
                                              TEST(test_writes),  TEST(test_put)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
