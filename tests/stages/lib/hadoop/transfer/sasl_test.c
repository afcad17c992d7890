/* The exchange of SASL with a datanode, on the wire: levels of protection, AES, refusals, damage. (Real datanodes:
 * tests/real/hdfs_kerberos_test.sh.) */
#include "stages/lib/hadoop/proto/transfer_sasl.pb-c.h"
#include "stages/lib/hadoop/transfer/sasl.h"
#include "stages/lib/varint.h"
#include "tests/support/digest_server.h"
#include "tests/support/support.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIG (300U * 1024U)
#define LONG 70000U /* of a message: its length has more than 16 bits */

static const struct ps_transfer_sasl usual = {
    .name = "aWRlbnRpZmllcg==", .secret = "cGFzc3dvcmQ=", .protection = PS_SASL_STRONGEST};

struct wire {
    int ours, theirs;
    void *session;
    struct ps_digest_server server;
    char reason[PS_TRANSPORT_REASON_BYTES];
};

static void open_wire(struct wire *wire, const struct ps_transfer_sasl *settings)
{
    int ends[2];
    *wire = (struct wire){.server = {.secret = settings->secret}};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    wire->ours = ends[0];
    wire->theirs = ends[1];
    wire->session = ps_transfer_sasl_transport.open(settings, wire->ours, wire->reason);
    assert_non_null(wire->session);
}

static void close_wire(struct wire *wire)
{
    ps_transfer_sasl_transport.close(wire->session);
    ps_digest_server_fini(&wire->server);
    close(wire->ours);
    close(wire->theirs);
}

static int shake(struct wire *wire)
{
    short wants;
    return ps_transfer_sasl_transport.handshake(wire->session, &wants, wire->reason);
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

static PsHadoop__TransferSasl *receive_message(const struct wire *wire)
{
    uint8_t prefix[PS_VARINT_BYTES_MAX], bytes[4096];
    uint64_t length = 0;
    size_t at = 0;
    do
        receive(wire, prefix + at, 1);
    while (ps_varint_get(prefix, ++at, &length) == 0);
    assert_true(length <= sizeof bytes);
    receive(wire, bytes, length);
    PsHadoop__TransferSasl *message = ps_hadoop__transfer_sasl__unpack(NULL, length, bytes);
    assert_non_null(message);
    return message;
}

static void give(const struct wire *wire, const void *bytes, size_t length)
{
    assert_int_equal(send(wire->theirs, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
}

static void give_message(const struct wire *wire, const PsHadoop__TransferSasl *message)
{
    uint8_t bytes[4096];
    size_t length = ps_hadoop__transfer_sasl__get_packed_size(message);
    size_t prefix = ps_varint_put(bytes, length);
    assert_true(prefix + length <= sizeof bytes);
    (void)ps_hadoop__transfer_sasl__pack(message, bytes + prefix);
    give(wire, bytes, prefix + length);
}

static void give_payload(const struct wire *wire, const char *text)
{
    PsHadoop__TransferSasl message = PS_HADOOP__TRANSFER_SASL__INIT;
    message.has_payload = true;
    message.payload = (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
    give_message(wire, &message);
}

/* Plays the exchange up to the client's response. Returns whether the client offered cipher suites. */
static bool exchange(struct wire *wire, const char *levels, char *last)
{
    uint32_t magic;
    assert_int_equal(shake(wire), 0);
    receive(wire, &magic, sizeof magic);
    assert_int_equal(be32toh(magic), 0xdeadbeefU);
    PsHadoop__TransferSasl *message = receive_message(wire);
    assert_int_equal(message->status, 0);
    assert_int_equal(message->payload.len, 0);
    ps_hadoop__transfer_sasl__free_unpacked(message, NULL);
    give_payload(wire, ps_digest_server_challenge(levels, "3des,rc4"));
    assert_int_equal(shake(wire), 0);
    message = receive_message(wire);
    ps_digest_server_take(&wire->server, message->payload.data, message->payload.len, last);
    bool offered = message->n_cipher_options == 1 && message->cipher_options[0]->suite == 2;
    ps_hadoop__transfer_sasl__free_unpacked(message, NULL);
    return offered;
}

static void fill(uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
}

/* Bytes from the client: those of incomplete messages, and the text of the complete ones. */
struct taker {
    uint8_t wire[2 * BIG];
    uint8_t text[BIG];
    size_t wire_length, text_length;
};

static void take_messages(struct wire *wire, struct taker *taker)
{
    ssize_t got = recv(wire->theirs, taker->wire + taker->wire_length,
                       sizeof taker->wire - taker->wire_length, MSG_DONTWAIT);
    if (got > 0)
        taker->wire_length += (size_t)got;
    for (;;) {
        uint32_t length;
        if (taker->wire_length < sizeof length)
            return;
        memcpy(&length, taker->wire, sizeof length);
        length = be32toh(length);
        if (taker->wire_length < sizeof length + length)
            return;
        assert_true(length <= 65536 + 64);
        size_t text = ps_digest_server_unwrap(&wire->server, taker->wire + sizeof length, length);
        memcpy(taker->text + taker->text_length, taker->wire + sizeof length, text);
        taker->text_length += text;
        taker->wire_length -= sizeof length + length;
        memmove(taker->wire, taker->wire + sizeof length + length, taker->wire_length);
    }
}

static void test_protected(void **state)
{
    static const struct {
        const char *levels;
        unsigned protection;
    } cases[] = {{"auth-int", PS_SASL_INTEGRITY}, {"auth,auth-conf", PS_SASL_PRIVACY}};
    static uint8_t sent[BIG], back[BIG];
    static struct taker taker;
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct wire wire;
        char last[64];
        short wants;
        taker.wire_length = taker.text_length = 0;
        open_wire(&wire, &usual);
        assert_false(exchange(&wire, cases[i].levels, last));
        assert_string_equal(wire.server.uri, "hdfs/0");
        assert_string_equal(wire.server.user, usual.name);
        assert_int_equal(wire.server.protection, cases[i].protection);
        give_payload(&wire, last);
        assert_int_equal(shake(&wire), 1);
        fill(sent, sizeof sent);
        for (size_t at = 0; at < sizeof sent;) { /* in three parts, more than the socket takes at once */
            size_t left = sizeof sent - at;
            const struct iovec parts[] = {
                {sent + at, left / 3}, {sent + at + left / 3, 0}, {sent + at + left / 3, left - left / 3}};
            ssize_t written = ps_transfer_sasl_transport.write(wire.session, parts, 3, &wants, wire.reason);
            assert_true(written >= 0);
            at += (size_t)written;
            take_messages(&wire, &taker);
        }
        take_messages(&wire, &taker);
        assert_int_equal(taker.text_length, sizeof sent);
        assert_memory_equal(taker.text, sent, sizeof sent);
        static uint8_t message[LONG + 4096];
        size_t got = 0, length = 0;
        for (size_t at = 0; at <= 50;
             at++) { /* messages of 0, 61, 122 .. bytes, and a long one, all at once, read in small pieces */
            size_t some_length = at < 50 ? at * 61 : LONG;
            size_t made = ps_digest_server_wrap(&wire.server, sent + length, some_length, message + 4);
            uint32_t number = htobe32((uint32_t)made);
            memcpy(message, &number, sizeof number);
            give(&wire, message, 4 + made);
            length += some_length;
        }
        ssize_t some;
        while ((some = ps_transfer_sasl_transport.read(wire.session, (char *)back + got, 97, &wants,
                                                       wire.reason)) > 0)
            got += (size_t)some;
        assert_int_equal(some, 0);
        assert_int_equal(got, length);
        assert_memory_equal(back, sent, length);
        message[5] ^= 1; /* the last message again, changed */
        give(&wire, message, 20);
        close(wire.theirs);
        some = ps_transfer_sasl_transport.read(wire.session, (char *)back, 97, &wants, wire.reason);
        assert_int_equal(some, -1);
        wire.theirs = -1;
        close_wire(&wire);
    }
}

static void test_authentication_only(void **state)
{
    struct wire wire;
    char last[64], bytes[16];
    short wants;
    open_wire(&wire, &usual);
    (void)exchange(&wire, "auth", last);
    give_payload(&wire, last);
    give(&wire, "right behind", 12);
    assert_int_equal(shake(&wire), 1);
    assert_int_equal(ps_transfer_sasl_transport.read(wire.session, bytes, 5, &wants, wire.reason), 5);
    assert_int_equal(ps_transfer_sasl_transport.read(wire.session, bytes + 5, 11, &wants, wire.reason), 7);
    assert_memory_equal(bytes, "right behind", 12);
    assert_int_equal(ps_transfer_sasl_transport.read(wire.session, bytes, 16, &wants, wire.reason), 0);
    assert_int_equal(
        ps_transfer_sasl_transport.write(wire.session, &(struct iovec){"abc", 3}, 1, &wants, wire.reason), 3);
    receive(&wire, bytes, 3);
    assert_memory_equal(bytes, "abc", 3);
    close_wire(&wire);
}

/* The datanode chooses AES: its keys come wrapped. */
static void test_aes(void **state)
{
    static const uint8_t keys[2][16] = {"0123456789abcdef", "fedcba9876543210"};
    static const uint8_t ivs[2][16] = {"iv of the client", "iv of the server"};
    static uint8_t sent[BIG], got[BIG];
    struct ps_transfer_sasl settings = usual;
    struct wire wire;
    char last[64];
    short wants;
    uint8_t wrapped[2][128];
    PsHadoop__TransferSasl message = PS_HADOOP__TRANSFER_SASL__INIT;
    PsHadoop__CipherOption option = PS_HADOOP__CIPHER_OPTION__INIT, *options[] = {&option};
    settings.aes = true;
    open_wire(&wire, &settings);
    assert_true(exchange(&wire, "auth-conf", last));
    message.has_payload = true;
    message.payload = (ProtobufCBinaryData){.len = strlen(last), .data = (uint8_t *)last};
    message.n_cipher_options = 1;
    message.cipher_options = options;
    option.suite = 2;
    option.has_in_key = option.has_in_iv = option.has_out_key = option.has_out_iv = true;
    option.in_key.len = ps_digest_server_wrap(&wire.server, keys[0], 16, wrapped[0]);
    option.in_key.data = wrapped[0];
    option.out_key.len = ps_digest_server_wrap(&wire.server, keys[1], 16, wrapped[1]);
    option.out_key.data = wrapped[1];
    option.in_iv = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)(uintptr_t)ivs[0]};
    option.out_iv = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)(uintptr_t)ivs[1]};
    give_message(&wire, &message);
    assert_int_equal(shake(&wire), 1);
    EVP_CIPHER_CTX *in = EVP_CIPHER_CTX_new(), *out = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(in, EVP_aes_128_ctr(), NULL, keys[0], ivs[0]), 1);
    assert_int_equal(EVP_EncryptInit_ex(out, EVP_aes_128_ctr(), NULL, keys[1], ivs[1]), 1);
    fill(sent, sizeof sent);
    size_t received = 0;
    for (size_t at = 0; at < sizeof sent;) {
        const struct iovec part = {sent + at, sizeof sent - at};
        ssize_t written = ps_transfer_sasl_transport.write(wire.session, &part, 1, &wants, wire.reason);
        assert_true(written >= 0);
        at += (size_t)written;
        ssize_t some = recv(wire.theirs, got + received, sizeof got - received, MSG_DONTWAIT);
        received += some > 0 ? (size_t)some : 0;
    }
    receive(&wire, got + received, sizeof got - received);
    assert_memory_not_equal(got, sent, sizeof sent);
    int made;
    assert_int_equal(EVP_EncryptUpdate(in, got, &made, got, sizeof got), 1);
    assert_memory_equal(got, sent, sizeof sent);
    uint8_t answer[1000];
    assert_int_equal(EVP_EncryptUpdate(out, answer, &made, sent, sizeof answer), 1);
    give(&wire, answer, sizeof answer);
    for (size_t at = 0; at < sizeof answer;) {
        ssize_t some =
            ps_transfer_sasl_transport.read(wire.session, (char *)got + at, 333, &wants, wire.reason);
        assert_true(some > 0);
        at += (size_t)some;
    }
    assert_memory_equal(got, sent, sizeof answer);
    EVP_CIPHER_CTX_free(in);
    EVP_CIPHER_CTX_free(out);
    close_wire(&wire);
}

static void test_refusals(void **state)
{
    static const struct {
        unsigned status;
        bool token;
        char *message;
        const char *reason;
    } cases[] = {
        {1, false, "Can't re-compute encryption key\n\tat java",
         "the datanode does not know the data encryption key: Can't re-compute encryption key"},
        {2, true, "expired", "the datanode does not take the block token: expired"},
        {2, false, "x", "the datanode refuses: x"},
        {2, false, NULL, "the datanode refuses: "},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct wire wire;
        struct ps_transfer_sasl settings = usual;
        bool key_unknown = false;
        PsHadoop__TransferSasl message = PS_HADOOP__TRANSFER_SASL__INIT;
        settings.key_unknown = &key_unknown;
        message.status = cases[i].status;
        message.has_access_token_error = cases[i].token;
        message.access_token_error = cases[i].token;
        message.message = cases[i].message;
        open_wire(&wire, &settings);
        give_message(&wire, &message);
        assert_int_equal(shake(&wire), -1);
        assert_int_equal(key_unknown, cases[i].status == 1);
        assert_string_equal(wire.reason, cases[i].reason);
        close_wire(&wire);
    }
}

static void test_no_sasl(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *reason;
    } cases[] = {
        {"\xff\xff\xff", 3, "does not answer with SASL"},
        {"\x80\x80\x80", 3, "does not answer with SASL"},
        {"\x80\x80\x7f", 3, "does not answer with SASL"},
        {"\x02\xff\xff", 3, "damaged"},
        {"\x02\x08\x00", 3, "no nonce"},
        {"", 0, "closed the connection"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct wire wire;
        open_wire(&wire, &usual);
        give(&wire, cases[i].bytes, cases[i].length);
        shutdown(wire.theirs, SHUT_WR);
        assert_int_equal(shake(&wire), -1);
        if (strstr(wire.reason, cases[i].reason) == NULL)
            fail_msg("%s", wire.reason);
        close_wire(&wire);
    }
}

/* One server does not know the token's secret; the other names a cipher that the client did not offer. */
static void test_false_servers(void **state)
{
    struct wire wire;
    char last[64];
    open_wire(&wire, &usual);
    (void)exchange(&wire, "auth-conf", last);
    last[10] ^= 1;
    give_payload(&wire, last);
    assert_int_equal(shake(&wire), -1);
    assert_non_null(strstr(wire.reason, "does not know the secret"));
    close_wire(&wire);

    PsHadoop__TransferSasl message = PS_HADOOP__TRANSFER_SASL__INIT;
    PsHadoop__CipherOption option = PS_HADOOP__CIPHER_OPTION__INIT, *options[] = {&option};
    for (int offers = 0; offers < 2; offers++) {
        struct ps_transfer_sasl settings = usual;
        settings.aes = offers;
        open_wire(&wire, &settings);
        (void)exchange(&wire, "auth-conf", last);
        message.has_payload = true;
        message.payload = (ProtobufCBinaryData){.len = strlen(last), .data = (uint8_t *)last};
        message.n_cipher_options = 1;
        message.cipher_options = options;
        option.suite = 2;
        give_message(&wire, &message);
        assert_int_equal(shake(&wire), -1);
        assert_non_null(strstr(wire.reason, offers ? "keys are damaged" : "was not offered"));
        close_wire(&wire);
    }
}

/* Without security settings there is no exchange. */
static void test_none(void **state)
{
    static const struct ps_transfer_sasl none = {.wonders = true};
    struct wire wire;
    char bytes[3];
    short wants;
    open_wire(&wire, &none);
    assert_int_equal(shake(&wire), 1);
    assert_int_equal(
        ps_transfer_sasl_transport.write(wire.session, &(struct iovec){"abc", 3}, 1, &wants, wire.reason), 3);
    receive(&wire, bytes, 3);
    assert_memory_equal(bytes, "abc", 3);
    shutdown(wire.theirs, SHUT_WR);
    assert_int_equal(ps_transfer_sasl_transport.read(wire.session, bytes, 3, &wants, wire.reason), -1);
    assert_string_equal(wire.reason,
                        "the other side closed the connection (does it expect SASL? hdfs-site.xml has no "
                        "dfs.data.transfer.protection)");
    close_wire(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protected), cmocka_unit_test(test_authentication_only),
        cmocka_unit_test(test_aes),       cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_sasl),   cmocka_unit_test(test_false_servers),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
