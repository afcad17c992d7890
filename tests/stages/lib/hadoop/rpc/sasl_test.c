/* SASL of Hadoop's RPC on the wire: mechanisms that a server may offer, tokens with each level of protection, refusals,
 * servers without security. (Kerberos, and real namenodes: tests/real/hdfs_kerberos_test.sh.) */
#include "stages/lib/hadoop/proto/rpc_header.pb-c.h"
#include "stages/lib/hadoop/rpc/sasl.h"
#include "stages/lib/varint.h"
#include "tests/support/digest_server.h"
#include "tests/support/support.h"

#include <endian.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIG (200U * 1024U)

enum { SUCCESS = 0, NEGOTIATE = 1, INITIATE = 2, CHALLENGE = 3, RESPONSE = 4, WRAP = 5 };

static const struct ps_hadoop_rpc_sasl usual = {
    .token_name = "aWRlbnRpZmllcg==", .token_secret = "cGFzc3dvcmQ=", .protection = PS_SASL_STRONGEST};

struct wire {
    int ours, theirs;
    void *session;
    struct ps_digest_server server;
    char reason[PS_TRANSPORT_REASON_BYTES];
};

static void receive(const struct wire *wire, void *to, size_t length)
{
    for (size_t at = 0; at < length;) {
        ssize_t got = recv(wire->theirs, (char *)to + at, length - at, 0);
        assert_true(got > 0);
        at += (size_t)got;
    }
}

static int shake(struct wire *wire)
{
    short wants;
    return ps_hadoop_rpc_sasl_transport.handshake(wire->session, &wants, wire->reason);
}

/* Parses a request of the client: the header of SASL, and the message. */
static PsHadoop__RpcSasl *parse_request(const uint8_t *bytes, size_t length)
{
    uint64_t part = 0;
    size_t at = ps_varint_get(bytes, length, &part);
    assert_true(at > 0 && at + part <= length);
    PsHadoop__RpcRequestHeader *header = ps_hadoop__rpc_request_header__unpack(NULL, part, bytes + at);
    assert_non_null(header);
    assert_int_equal(header->call_id, -33);
    assert_int_equal(header->rpc_kind, 2);
    assert_int_equal(header->retry_count, -1);
    assert_int_equal(header->client_id.len, 0);
    ps_hadoop__rpc_request_header__free_unpacked(header, NULL);
    at += part;
    at += ps_varint_get(bytes + at, length - at, &part);
    assert_int_equal(at + part, length);
    PsHadoop__RpcSasl *message = ps_hadoop__rpc_sasl__unpack(NULL, part, bytes + at);
    assert_non_null(message);
    return message;
}

static PsHadoop__RpcSasl *receive_message(const struct wire *wire, uint32_t state)
{
    static uint8_t bytes[128 * 1024];
    uint32_t length;
    receive(wire, &length, sizeof length);
    length = be32toh(length);
    assert_true(length <= sizeof bytes);
    receive(wire, bytes, length);
    PsHadoop__RpcSasl *message = parse_request(bytes, length);
    assert_int_equal(message->state, state);
    return message;
}

static void give(const struct wire *wire, const void *bytes, size_t length)
{
    assert_int_equal(send(wire->theirs, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
}

static void give_response(const struct wire *wire, const PsHadoop__RpcResponseHeader *header,
                          const PsHadoop__RpcSasl *message)
{
    static uint8_t bytes[128 * 1024];
    size_t at = 4, length = ps_hadoop__rpc_response_header__get_packed_size(header);
    at += ps_varint_put(bytes + at, length);
    at += ps_hadoop__rpc_response_header__pack(header, bytes + at);
    if (message != NULL) {
        length = ps_hadoop__rpc_sasl__get_packed_size(message);
        assert_true(length < sizeof bytes - 100);
        at += ps_varint_put(bytes + at, length);
        at += ps_hadoop__rpc_sasl__pack(message, bytes + at);
    }
    uint32_t total = htobe32((uint32_t)(at - 4));
    memcpy(bytes, &total, sizeof total);
    give(wire, bytes, at);
}

static void give_message(const struct wire *wire, const PsHadoop__RpcSasl *message)
{
    PsHadoop__RpcResponseHeader header = PS_HADOOP__RPC_RESPONSE_HEADER__INIT;
    header.call_id = (uint32_t)-33;
    give_response(wire, &header, message);
}

static void give_state(const struct wire *wire, uint32_t state, const char *token)
{
    PsHadoop__RpcSasl message = PS_HADOOP__RPC_SASL__INIT;
    message.state = state;
    message.has_token = token != NULL;
    if (token != NULL)
        message.token = (ProtobufCBinaryData){.len = strlen(token), .data = (uint8_t *)(uintptr_t)token};
    give_message(wire, &message);
}

/* The methods that the server offers: "TOKEN", "KERBEROS", "SIMPLE", "OTHER"; "TOKEN?": a token with an unknown mechanism. */
static void offer(const struct wire *wire, const char *const *methods, const char *challenge)
{
    PsHadoop__RpcSasl message = PS_HADOOP__RPC_SASL__INIT;
    PsHadoop__RpcSaslAuth auths[4], *list[4];
    message.state = NEGOTIATE;
    message.auths = list;
    for (; methods[message.n_auths] != NULL; message.n_auths++) {
        PsHadoop__RpcSaslAuth *auth = list[message.n_auths] = &auths[message.n_auths];
        const char *method = methods[message.n_auths];
        bool token = strcmp(method, "TOKEN") == 0;
        ps_hadoop__rpc_sasl_auth__init(auth);
        auth->method = (char *)(uintptr_t)(strcmp(method, "TOKEN?") == 0 ? "TOKEN" : method);
        auth->mechanism = strcmp(method, "TOKEN?") == 0     ? "SCRAM-SHA-256"
                          : token                           ? "DIGEST-MD5"
                          : strcmp(method, "KERBEROS") == 0 ? "GSSAPI"
                                                            : "";
        auth->protocol = token ? "" : "hdfs";
        auth->server_id = token ? "default" : "localhost";
        if (token && challenge != NULL) {
            auth->has_challenge = true;
            auth->challenge =
                (ProtobufCBinaryData){.len = strlen(challenge), .data = (uint8_t *)(uintptr_t)challenge};
        }
    }
    give_message(wire, &message);
}

static void open_wire(struct wire *wire, const struct ps_hadoop_rpc_sasl *settings)
{
    int ends[2];
    uint8_t greeting[7];
    *wire = (struct wire){.server = {.secret = settings->token_secret}};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    wire->ours = ends[0];
    wire->theirs = ends[1];
    wire->session = ps_hadoop_rpc_sasl_transport.open(settings, wire->ours, wire->reason);
    assert_non_null(wire->session);
    assert_int_equal(shake(wire), 0);
    receive(wire, greeting, sizeof greeting);
    assert_memory_equal(greeting, "hrpc\x09\x00\xdf", sizeof greeting);
    ps_hadoop__rpc_sasl__free_unpacked(receive_message(wire, NEGOTIATE), NULL);
}

static void close_wire(struct wire *wire)
{
    ps_hadoop_rpc_sasl_transport.close(wire->session);
    ps_digest_server_fini(&wire->server);
    close(wire->ours);
    close(wire->theirs);
}

static const char *const token_first[] = {"TOKEN", "KERBEROS", NULL};

/* Plays an exchange with a token up to the client's response; the challenge comes with the offer or after it. */
static void exchange(struct wire *wire, const char *levels, bool at_once, char *last)
{
    const char *challenge = ps_digest_server_challenge(levels, "rc4");
    offer(wire, token_first, at_once ? challenge : NULL);
    assert_int_equal(shake(wire), 0);
    PsHadoop__RpcSasl *message = receive_message(wire, INITIATE);
    assert_int_equal(message->n_auths, 1);
    assert_string_equal(message->auths[0]->method, "TOKEN");
    assert_false(message->auths[0]->has_challenge);
    if (!at_once) {
        assert_int_equal(message->token.len, 0);
        ps_hadoop__rpc_sasl__free_unpacked(message, NULL);
        give_state(wire, CHALLENGE, challenge);
        assert_int_equal(shake(wire), 0);
        message = receive_message(wire, RESPONSE);
    }
    ps_digest_server_take(&wire->server, message->token.data, message->token.len, last);
    assert_string_equal(wire->server.uri, "/default");
    ps_hadoop__rpc_sasl__free_unpacked(message, NULL);
}

static void test_token(void **state)
{
    static uint8_t sent[BIG], got[BIG];
    static const char *const levels[] = {"auth-int", "auth-conf"};
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)(i * 3 + i / 255);
    for (size_t i = 0; i < PS_COUNT_OF(levels); i++) {
        struct wire wire;
        char last[64];
        short wants;
        open_wire(&wire, &usual);
        exchange(&wire, levels[i], i == 0, last);
        give_state(&wire, SUCCESS, last);
        assert_int_equal(shake(&wire), 1);
        assert_int_equal(ps_hadoop_rpc_sasl_method(wire.session), PS_HADOOP_RPC_TOKEN);
        size_t received = 0;
        for (size_t at = 0; at < sizeof sent;) {
            const struct iovec part = {sent + at, sizeof sent - at};
            ssize_t written = ps_hadoop_rpc_sasl_transport.write(wire.session, &part, 1, &wants, wire.reason);
            assert_true(written > 0); /* a message fits into the socket */
            at += (size_t)written;
            PsHadoop__RpcSasl *message = receive_message(&wire, WRAP);
            size_t length = ps_digest_server_unwrap(&wire.server, message->token.data, message->token.len);
            memcpy(got + received, message->token.data, length);
            received += length;
            ps_hadoop__rpc_sasl__free_unpacked(message, NULL);
        }
        assert_int_equal(received, sizeof sent);
        assert_memory_equal(got, sent, sizeof sent);
        uint8_t wrapped[40000 + PS_SASL_OVERHEAD_BYTES];
        PsHadoop__RpcSasl message = PS_HADOOP__RPC_SASL__INIT;
        message.state = WRAP;
        message.has_token = true;
        message.token.data = wrapped;
        message.token.len = ps_digest_server_wrap(&wire.server, sent, 40000, wrapped);
        give_message(&wire, &message);
        ssize_t some = 0;
        for (received = 0; received < 40000; received += (size_t)some) {
            some = ps_hadoop_rpc_sasl_transport.read(wire.session, (char *)got + received, 7001, &wants,
                                                     wire.reason);
            assert_true(some > 0);
        }
        assert_memory_equal(got, sent, 40000);
        give_state(&wire, SUCCESS, "not protected");
        assert_int_equal(
            ps_hadoop_rpc_sasl_transport.read(wire.session, (char *)got, 100, &wants, wire.reason), -1);
        assert_non_null(strstr(wire.reason, "not protected"));
        close_wire(&wire);
    }
}

/* A fatal response in the clear, which a server sends when it cannot unwrap. */
static void test_fatal_afterwards(void **state)
{
    struct wire wire;
    char last[64], bytes[64];
    short wants;
    PsHadoop__RpcResponseHeader header = PS_HADOOP__RPC_RESPONSE_HEADER__INIT;
    open_wire(&wire, &usual);
    exchange(&wire, "auth-conf", true, last);
    give_state(&wire, SUCCESS, last);
    assert_int_equal(shake(&wire), 1);
    header.call_id = (uint32_t)-1;
    header.status = 2;
    header.exception_class = "org.apache.hadoop.security.AccessControlException";
    header.error_message = "no\nstack";
    give_response(&wire, &header, NULL);
    assert_int_equal(
        ps_hadoop_rpc_sasl_transport.read(wire.session, bytes, sizeof bytes, &wants, wire.reason), -1);
    assert_string_equal(wire.reason, "the server refuses: AccessControlException: no");
    close_wire(&wire);
}

static void test_simple(void **state)
{
    static const char *const simple[] = {"SIMPLE", NULL};
    struct ps_hadoop_rpc_sasl settings = usual;
    for (int allowed = 0; allowed < 2; allowed++) {
        for (int at_once = 0; at_once < 2; at_once++) {
            struct wire wire;
            char bytes[3];
            short wants;
            settings.may_be_simple = allowed;
            open_wire(&wire, &settings);
            if (at_once)
                give_state(&wire, SUCCESS, NULL);
            else
                offer(&wire, simple, NULL);
            assert_int_equal(shake(&wire), allowed ? 1 : -1);
            if (!allowed) {
                assert_non_null(strstr(wire.reason, "fallback-to-simple-auth-allowed"));
                close_wire(&wire);
                continue;
            }
            if (!at_once)
                ps_hadoop__rpc_sasl__free_unpacked(receive_message(&wire, INITIATE), NULL);
            assert_int_equal(ps_hadoop_rpc_sasl_method(wire.session), PS_HADOOP_RPC_SIMPLE);
            assert_int_equal(ps_hadoop_rpc_sasl_transport.write(wire.session, &(struct iovec){"abc", 3}, 1,
                                                                &wants, wire.reason),
                             3);
            receive(&wire, bytes, 3);
            assert_memory_equal(bytes, "abc", 3);
            close_wire(&wire);
        }
    }
}

/* For a message outside the exchange, the reason says so. */
static void test_mistakes(void **state)
{
    static const char *const others[] = {"OTHER", "KERBEROS", NULL}, *const unknown[] = {"TOKEN?", NULL};
    struct wire wire;
    char last[64];
    PsHadoop__RpcResponseHeader header = PS_HADOOP__RPC_RESPONSE_HEADER__INIT;

    open_wire(&wire, &usual);
    offer(&wire, others, NULL);
    assert_int_equal(shake(&wire), -1);
    assert_non_null(strstr(wire.reason, "it offers OTHER KERBEROS"));
    close_wire(&wire);

    open_wire(&wire, &usual);
    offer(&wire, unknown, NULL);
    assert_int_equal(shake(&wire), -1);
    assert_non_null(strstr(wire.reason, "it offers TOKEN"));
    close_wire(&wire);

    open_wire(&wire, &usual);
    give_state(&wire, CHALLENGE, "x");
    assert_int_equal(shake(&wire), -1);
    assert_non_null(strstr(wire.reason, "does not follow"));
    close_wire(&wire);

    open_wire(&wire, &usual); /* success before the server has proved itself */
    exchange(&wire, "auth", false, last);
    give_state(&wire, SUCCESS, NULL);
    assert_int_equal(shake(&wire), -1);
    assert_non_null(strstr(wire.reason, "before it has shown who it is"));
    close_wire(&wire);

    open_wire(&wire, &usual);
    header.call_id = (uint32_t)-33;
    header.status = 2;
    header.exception_class = "javax.security.sasl.SaslException";
    header.error_message = "token expired";
    give_response(&wire, &header, NULL);
    assert_int_equal(shake(&wire), -1);
    assert_string_equal(wire.reason, "the server refuses: SaslException: token expired");
    close_wire(&wire);

    open_wire(&wire, &usual);
    give(&wire, "HTTP/1.1 400 Bad Request", 24);
    assert_int_equal(shake(&wire), -1);
    assert_non_null(strstr(wire.reason, "too long"));
    close_wire(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_fatal_afterwards),
        cmocka_unit_test(test_simple),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
