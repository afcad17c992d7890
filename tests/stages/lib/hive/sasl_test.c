/* The SASL exchange with a metastore on the wire, with DIGEST-MD5: levels of protection, frames, refusals, damage.
 * (Kerberos with a real metastore: tests/real/hive_kerberos_test.sh.) */
#include "stages/lib/hive/sasl.h"
#include "tests/support/digest_server.h"
#include "tests/support/support.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIG (200U * 1024U)

enum { START = 1, OK = 2, BAD = 3, ERROR = 4, COMPLETE = 5 };

static const struct ps_hive_sasl usual = {
    .token_name = "aWRlbnRpZmllcg==", .token_secret = "cGFzc3dvcmQ=", .protection = PS_SASL_STRONGEST};

struct wire {
    int ours, theirs;
    void *session;
    struct ps_digest_server server;
    char reason[PS_TRANSPORT_REASON_BYTES];
};

static void open_wire(struct wire *wire)
{
    int ends[2];
    *wire = (struct wire){.server = {.secret = usual.token_secret}};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    wire->ours = ends[0];
    wire->theirs = ends[1];
    wire->session = ps_hive_sasl_transport.open(&usual, wire->ours, wire->reason);
    assert_non_null(wire->session);
}

static void close_wire(struct wire *wire)
{
    ps_hive_sasl_transport.close(wire->session);
    ps_digest_server_fini(&wire->server);
    close(wire->ours);
    close(wire->theirs);
}

static int shake(struct wire *wire)
{
    short wants;
    return ps_hive_sasl_transport.handshake(wire->session, &wants, wire->reason);
}

/* Reads exactly this number of bytes, which have arrived. */
static void receive(const struct wire *wire, void *to, size_t length)
{
    for (size_t at = 0; at < length;) {
        ssize_t got = recv(wire->theirs, (char *)to + at, length - at, 0);
        assert_true(got > 0);
        at += (size_t)got;
    }
}

static void give(const struct wire *wire, const void *bytes, size_t length)
{
    assert_int_equal(send(wire->theirs, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
}

/* Receives a message with this status; returns the length of its bytes. */
static size_t receive_message(const struct wire *wire, uint8_t status, char bytes[4096])
{
    uint8_t head[5];
    uint32_t length;
    receive(wire, head, sizeof(head));
    assert_int_equal(head[0], status);
    memcpy(&length, head + 1, sizeof(length));
    length = be32toh(length);
    assert_true(length < 4096);
    receive(wire, bytes, length);
    bytes[length] = '\0';
    return length;
}

static void give_message(const struct wire *wire, uint8_t status, const char *text)
{
    uint8_t head[5] = {status};
    uint32_t length = htobe32((uint32_t)strlen(text));
    memcpy(head + 1, &length, sizeof(length));
    give(wire, head, sizeof(head));
    give(wire, text, strlen(text));
}

/* Plays the exchange up to the server's last message, which is in `last`. */
static void exchange(struct wire *wire, const char *levels, char last[64])
{
    char bytes[4096];
    assert_int_equal(shake(wire), 0);
    (void)receive_message(wire, START, bytes);
    assert_string_equal(bytes, "DIGEST-MD5");
    assert_int_equal(receive_message(wire, OK, bytes), 0);
    give_message(wire, OK, ps_digest_server_challenge(levels, "rc4"));
    assert_int_equal(shake(wire), 0);
    size_t length = receive_message(wire, OK, bytes);
    ps_digest_server_take(&wire->server, bytes, length, last);
    assert_string_equal(wire->server.uri, "null/default");
}

static void establish(struct wire *wire, const char *levels, unsigned protection)
{
    char last[64];
    open_wire(wire);
    exchange(wire, levels, last);
    give_message(wire, COMPLETE, last);
    assert_int_equal(shake(wire), 1);
    assert_int_equal(wire->server.protection, protection);
}

/* Receives a frame from the client; returns the length of its text. */
static size_t receive_frame(struct wire *wire, uint8_t *text, size_t room)
{
    uint32_t length;
    receive(wire, &length, sizeof(length));
    length = be32toh(length);
    assert_true(length <= room);
    receive(wire, text, length);
    return wire->server.protection == PS_SASL_AUTHENTICATION
               ? length
               : ps_digest_server_unwrap(&wire->server, text, length);
}

static size_t make_frame(struct wire *wire, const char *text, size_t length, uint8_t *to)
{
    size_t made = length;
    if (wire->server.protection == PS_SASL_AUTHENTICATION)
        memcpy(to + 4, text, length);
    else
        made = ps_digest_server_wrap(&wire->server, text, length, to + 4);
    uint32_t number = htobe32((uint32_t)made);
    memcpy(to, &number, sizeof(number));
    return made + 4;
}

/* The client's two parts are sent as one frame; the server's two frames, byte by byte, are read as one text. */
static void exchange_texts(struct wire *wire)
{
    uint8_t text[512];
    char read[64];
    short wants;
    struct iovec parts[2] = {{(void *)(uintptr_t) "get_", 4}, {(void *)(uintptr_t) "table", 5}};
    assert_int_equal(ps_hive_sasl_transport.write(wire->session, parts, 2, &wants, wire->reason), 9);
    assert_int_equal(receive_frame(wire, text, sizeof(text)), 9);
    assert_memory_equal(text, "get_table", 9);
    size_t length = make_frame(wire, "answ", 4, text);
    length += make_frame(wire, "er", 2, text + length);
    for (size_t i = 0, got = 0; i < length; i++) {
        give(wire, text + i, 1);
        ssize_t some =
            ps_hive_sasl_transport.read(wire->session, read + got, sizeof(read) - got, &wants, wire->reason);
        assert_true(some >= 0);
        got += (size_t)some;
        assert_int_equal(got, i + 1 < length ? (got == 0 ? 0 : 4) : 6);
    }
    assert_memory_equal(read, "answer", 6);
}

static void test_frames_without_protection(void **state)
{
    struct wire wire;
    establish(&wire, "auth", PS_SASL_AUTHENTICATION);
    exchange_texts(&wire);
    close_wire(&wire);
}

static void test_frames_with_protection(void **state)
{
    struct wire wire;
    establish(&wire, "auth,auth-int", PS_SASL_INTEGRITY);
    exchange_texts(&wire);
    close_wire(&wire);
    establish(&wire, "auth,auth-int,auth-conf", PS_SASL_PRIVACY);
    exchange_texts(&wire);
    close_wire(&wire);
}

/* The client writes more than a frame has, and more than the socket takes: every byte arrives once, in order. */
static void test_much_is_written(void **state)
{
    static uint8_t text[BIG], got[2 * BIG];
    struct wire wire;
    size_t sent = 0, had = 0, arrived = 0, at = 0;
    establish(&wire, "auth", PS_SASL_AUTHENTICATION);
    for (size_t i = 0; i < BIG; i++)
        text[i] = (uint8_t)(i * 31 >> 4);
    while (arrived < BIG) {
        short wants;
        struct iovec part = {text + sent, BIG - sent};
        if (sent < BIG) {
            ssize_t some = ps_hive_sasl_transport.write(wire.session, &part, 1, &wants, wire.reason);
            assert_true(some >= 0);
            sent += (size_t)some;
        }
        ssize_t some = recv(wire.theirs, got + had, sizeof(got) - had, 0);
        had += some > 0 ? (size_t)some : 0;
        for (uint32_t length; had - at >= 4; at += 4 + length, arrived += length) {
            memcpy(&length, got + at, sizeof(length));
            length = be32toh(length);
            assert_true(length > 0 && arrived + length <= BIG);
            if (had - at - 4 < length)
                break;
            assert_memory_equal(got + at + 4, text + arrived, length);
        }
    }
    assert_int_equal(at, had);
    close_wire(&wire);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *reason;
    } answers[] = {
        {"\3\0\0\0\x0bno\nsuch\nkey", 16, "the metastore refuses: no such key"},
        {"\4\0\0\0\0", 5, "the metastore refuses: "},
        {"\1\0\0\0\0", 5, "that is not a SASL message of a metastore"},
        {"\x80\1\0\3\0", 5, "that is not a SASL message of a metastore"},
        {"\2\0\1\0\1", 5, "that is not a SASL message of a metastore"},
        {"\2\0\0\0\3abc", 8, NULL},
        {"\5\0\0\0\0", 5, NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(answers); i++) {
        struct wire wire;
        open_wire(&wire);
        assert_int_equal(shake(&wire), 0);
        give(&wire, answers[i].bytes, answers[i].length);
        assert_int_equal(shake(&wire), -1);
        if (answers[i].reason != NULL)
            assert_string_equal(wire.reason, answers[i].reason);
        close_wire(&wire);
    }
}

static void test_a_wrong_proof(void **state)
{
    struct wire wire;
    char last[64];
    open_wire(&wire);
    exchange(&wire, "auth", last);
    last[strlen(last) - 1] ^= 1;
    give_message(&wire, COMPLETE, last);
    assert_int_equal(shake(&wire), -1);
    close_wire(&wire);
}

/* A client answers the first challenge and gets one more message. Only the proof, as COMPLETE, opens the connection;
 * the bytes after the proof are the first frame. */
static void test_messages_behind_the_challenge(void **state)
{
    static const struct {
        uint8_t status;
        bool is_proof;
        int shakes;
    } cases[] = {{COMPLETE, true, 1}, {COMPLETE, false, -1}, {OK, true, 0}, {START, true, -1},
                 {BAD, true, -1},     {ERROR, true, -1},     {0, true, -1}, {6, true, -1}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct wire wire;
        char last[64], bytes[4096], read[64];
        short wants;
        open_wire(&wire);
        exchange(&wire, "auth", last);
        give_message(&wire, cases[i].status, cases[i].is_proof ? last : "");
        if (cases[i].shakes == 1)
            give(&wire, "\0\0\0\6answer", 10);
        assert_int_equal(shake(&wire), cases[i].shakes);
        if (cases[i].shakes == 0) { /* the mechanism is complete: it expects no more challenges */
            assert_int_equal(receive_message(&wire, COMPLETE, bytes), 0);
            give_message(&wire, OK, "");
            assert_int_equal(shake(&wire), -1);
        } else if (cases[i].shakes == 1) {
            assert_int_equal(
                ps_hive_sasl_transport.read(wire.session, read, sizeof read, &wants, wire.reason), 6);
            assert_memory_equal(read, "answer", 6);
        }
        close_wire(&wire);
    }
}

/* The same for the first message: a good challenge does not open the connection, whatever its status, because the
 * server has proved nothing yet. */
static void test_messages_in_place_of_the_challenge(void **state)
{
    static const struct {
        uint8_t status;
        int shakes;
    } cases[] = {{OK, 0}, {COMPLETE, -1}, {START, -1}, {BAD, -1}, {ERROR, -1}, {0, -1}, {6, -1}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct wire wire;
        open_wire(&wire);
        assert_int_equal(shake(&wire), 0);
        give_message(&wire, cases[i].status, ps_digest_server_challenge("auth", "rc4"));
        assert_int_equal(shake(&wire), cases[i].shakes);
        close_wire(&wire);
    }
}

/* A message of the exchange has at most 64 KiB. */
static void test_the_longest_message(void **state)
{
    static char text[65536];
    memset(text, 'x', sizeof text);
    for (uint32_t length = 65535; length <= 65537; length++) {
        struct wire wire;
        uint8_t head[5] = {ERROR};
        uint32_t number = htobe32(length);
        open_wire(&wire);
        assert_int_equal(shake(&wire), 0);
        memcpy(head + 1, &number, sizeof number);
        give(&wire, head, sizeof head);
        for (size_t at = 0; at < sizeof text && length <= 65536; at += 4096) {
            size_t part = length - at < 4096 ? length - at : 4096;
            assert_int_equal(shake(&wire), 0);
            give(&wire, text + at, part);
        }
        assert_int_equal(shake(&wire), -1);
        assert_non_null(
            strstr(wire.reason, length <= 65536 ? "the metastore refuses: xxx" : "not a SASL message"));
        close_wire(&wire);
    }
}

/* A metastore without SASL takes the first message for a call, and hangs up. */
static void test_a_server_that_hangs_up(void **state)
{
    struct wire wire;
    open_wire(&wire);
    assert_int_equal(shake(&wire), 0);
    shutdown(wire.theirs, SHUT_WR);
    assert_int_equal(shake(&wire), -1);
    assert_non_null(strstr(wire.reason, ": does the metastore ask for Kerberos?"));
    close_wire(&wire);
}

static void test_damage(void **state)
{
    struct wire wire;
    uint8_t frame[256];
    char read[64];
    short wants;
    establish(&wire, "auth-int", PS_SASL_INTEGRITY);
    size_t length = make_frame(&wire, "answer", 6, frame);
    frame[5] ^= 1;
    give(&wire, frame, length);
    assert_int_equal(ps_hive_sasl_transport.read(wire.session, read, sizeof(read), &wants, wire.reason), -1);
    close_wire(&wire);
    establish(&wire, "auth", PS_SASL_AUTHENTICATION);
    give(&wire, "\x7f\xff\xff\xff", 4);
    assert_int_equal(ps_hive_sasl_transport.read(wire.session, read, sizeof(read), &wants, wire.reason), -1);
    close_wire(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_without_protection),
        cmocka_unit_test(test_frames_with_protection),
        cmocka_unit_test(test_much_is_written),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_messages_behind_the_challenge),
        cmocka_unit_test(test_messages_in_place_of_the_challenge),
        cmocka_unit_test(test_the_longest_message),
        cmocka_unit_test(test_a_wrong_proof),
        cmocka_unit_test(test_a_server_that_hangs_up),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
