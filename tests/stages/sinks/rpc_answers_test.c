/* Sinks avro and thrift against a server whose answers are drawn: OK, FAILED, given twice, of a call that was answered before (on
 * this connection or an older one), cut anywhere, late, or none. An event is delivered only when a call with it was answered OK,
 * and in the end all are. */
#include "stages/avro/request.h"
#include "stages/avro/rpc.h"
#include "stages/thrift/request.h"
#include "tests/support/stage.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define CASES 8
#define LEASES 12U
#define LEASE_EVENTS_MAX 60U
#define EVENTS_MAX (LEASES * LEASE_EVENTS_MAX)
#define REQUEST_MS 1000
#define TURN_MS 20U
#define TURNS_MAX 200000U
#define ANSWER_BYTES_MAX 8192U
#define MARK "event:" /* before the number of an event in its body */

enum answer { OK, FAILED, TWICE, OLDER, CUT, LATE, HANGS_UP, ANSWER_COUNT };

struct protocol {
    const char *name;
    const struct ps_stage_ops *sink;
    /* Reads a call of `length` bytes. Returns its bytes; 0: not all is there. */
    size_t (*read)(uint8_t *bytes, size_t length, bool first, uint32_t *serial);
    size_t (*write)(uint8_t *to, bool first, uint32_t serial, bool ok);
};

static const struct protocol *protocol;
static struct ps_test_stage stage;
static int listener, link_fd;
static uint8_t in[1 << 20];
static size_t in_length;
static bool first, stands; /* no call of the link was answered; nothing more of it is */
static uint32_t last_serial;
static unsigned acknowledged[EVENTS_MAX], given[ANSWER_COUNT], event_count;
static uint64_t random_state;

static uint32_t draw(uint32_t limit)
{
    return (uint32_t)(ps_test_random(&random_state) % limit);
}

/* ---- protocols ---- */

static size_t read_avro(uint8_t *bytes, size_t length, bool is_first, uint32_t *serial)
{
    static struct ps_avro_clients known;
    struct ps_avro_message message;
    struct ps_avro_request request;
    enum ps_avro_framing framing = ps_avro_message_measure(bytes, length, sizeof in, &message);
    assert_int_not_equal(framing, PS_AVRO_GARBAGE);
    if (framing == PS_AVRO_PARTIAL)
        return 0;
    uint32_t wire_bytes = message.wire_bytes;
    const char *flat =
        ps_avro_message_flatten((char *)bytes, &message); /* the handshake is a piece of its own */
    ps_avro_request_read(flat + message.wire_bytes - message.payload_bytes, message.payload_bytes, is_first,
                         &known, &request);
    if (request.call != PS_AVRO_CALL_APPEND)
        fail_msg("no call: %s (first: %d)", request.reason, is_first);
    *serial = message.serial;
    return wire_bytes;
}

static size_t write_avro(uint8_t *to, bool is_first, uint32_t serial, bool ok)
{
    static const enum ps_avro_match match = PS_AVRO_MATCH_BOTH;
    return ps_avro_put_status(to, serial, is_first ? &match : NULL, ok ? PS_AVRO_OK : PS_AVRO_FAILED);
}

static uint8_t round_of_call;
static bool compact_call;

static size_t read_thrift(uint8_t *bytes, size_t length, bool is_first, uint32_t *serial)
{
    struct ps_thrift_request request;
    uint32_t message_length;
    (void)is_first;
    enum ps_thrift_framing framing = ps_thrift_frame_measure(bytes, length, sizeof in, &message_length);
    assert_int_not_equal(framing, PS_THRIFT_GARBAGE);
    if (framing == PS_THRIFT_PARTIAL)
        return 0;
    assert_true(
        ps_thrift_request_read(&ps_thrift_flume, bytes + PS_THRIFT_FRAME_BYTES, message_length, &request));
    assert_int_equal(request.error, PS_THRIFT_NO_ERROR);
    round_of_call = (uint8_t)request.round;
    compact_call = request.compact;
    *serial = request.message.number;
    return PS_THRIFT_FRAME_BYTES + message_length;
}

static size_t write_thrift(uint8_t *to, bool is_first, uint32_t serial, bool ok)
{
    static const struct ps_slice name = {"appendBatch", 11};
    (void)is_first;
    return ps_thrift_put_result(to, compact_call, &name, serial, ok ? 0 : 1, round_of_call);
}

static const struct protocol protocols[] = {
    {"avro", &ps_sink_avro, read_avro, write_avro},
    {"thrift", &ps_sink_thrift, read_thrift, write_thrift},
};

/* ---- the server ---- */

static void drop_link(void)
{
    if (link_fd >= 0)
        close(link_fd);
    link_fd = -1;
}

/* The events of a call whose answer OK was sent whole. */
static void acknowledge(const uint8_t *call, size_t length)
{
    const char *at = (const char *)call, *end = at + length;
    while ((at = memmem(at, (size_t)(end - at), MARK, sizeof MARK - 1)) != NULL) {
        at += sizeof MARK - 1;
        unsigned long number = strtoul(at, NULL, 10);
        assert_true(number < event_count);
        acknowledged[number]++;
    }
}

static void send_bytes(const uint8_t *bytes, size_t length)
{
    ssize_t sent = send(link_fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0) /* the sink has closed it */
        drop_link();
    else
        assert_int_equal(sent, length);
}

static void answer(const uint8_t *call, size_t call_length, uint32_t serial, bool calm)
{
    uint8_t bytes[ANSWER_BYTES_MAX];
    enum answer kind = calm || draw(3) == 0 ? OK : (enum answer)draw(ANSWER_COUNT);
    uint32_t named = kind == OLDER ? last_serial - draw(3) : serial;
    if (kind == OLDER && (last_serial == 0 || named == serial))
        kind = OK;
    given[kind]++;
    if (kind == LATE || kind == HANGS_UP) {
        stands = true; /* nothing comes on this connection before the sink gives it up */
        if (kind == HANGS_UP)
            drop_link();
        return;
    }
    size_t length = protocol->write(bytes, first, named, kind != FAILED);
    if (kind == CUT) {
        send_bytes(bytes, draw((uint32_t)length));
        drop_link();
        return;
    }
    if (kind == OK || kind == TWICE)
        acknowledge(call, call_length);
    first = false;
    last_serial = serial;
    send_bytes(bytes, length);
    if (kind == TWICE && link_fd >= 0)
        send_bytes(bytes, protocol->write(bytes, false, serial, true));
    stands =
        kind == TWICE || kind == OLDER; /* the sink gives the connection up: its other calls are not taken */
}

/* `calm`: every answer is OK from now on. */
static void serve(bool calm)
{
    int fresh = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fresh >= 0) {
        drop_link();
        link_fd = fresh;
        in_length = 0;
        first = true;
        stands = false;
    }
    if (link_fd < 0)
        return;
    ssize_t n = recv(link_fd, in + in_length, sizeof in - in_length, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
        drop_link();
        return;
    }
    in_length += n > 0 ? (size_t)n : 0;
    uint32_t serial;
    size_t taken;
    while (link_fd >= 0 && !stands && (taken = protocol->read(in, in_length, first, &serial)) > 0) {
        answer(in, taken, serial, calm);
        in_length -= taken;
        memmove(in, in + taken, in_length);
    }
}

static unsigned listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

/* ---- the sink ---- */

static struct ps_lease *make_lease(void)
{
    static char bodies[LEASE_EVENTS_MAX][32];
    struct ps_test_event events[LEASE_EVENTS_MAX];
    uint32_t count = 1 + draw(LEASE_EVENTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(bodies[i], sizeof bodies[i], MARK "%u;", event_count++);
        events[i] = PS_BODY(bodies[i]);
    }
    return ps_test_lease(&stage, events, count);
}

/* Each lease that came back since `seen` is delivered whole, and each of its events was acknowledged. */
static size_t check_done(size_t seen)
{
    for (; seen < stage.done_count; seen++) {
        const struct ps_lease *lease = stage.done[seen];
        assert_int_equal(lease->settled, lease->count);
        for (uint32_t i = 0; i < lease->count; i++) {
            unsigned long number = strtoul(ps_lease_event(lease, i)->body + sizeof MARK - 1, NULL, 10);
            if (acknowledged[number] == 0)
                fail_msg("%s: event %lu is delivered, and no call with it was answered OK", protocol->name,
                         number);
        }
    }
    return seen;
}

static void run_case(void)
{
    char port[8], timeout[8];
    memset(acknowledged, 0, sizeof acknowledged);
    event_count = 0;
    last_serial = 0;
    link_fd = -1;
    snprintf(port, sizeof port, "%u", listen_anywhere());
    snprintf(timeout, sizeof timeout, "%d", REQUEST_MS);
    ps_test_stage_start(&stage, protocol->sink,
                        PS_KEYS("hostname", "127.0.0.1", "port", port, "batch-size", "25", "request-timeout",
                                timeout, "penstock.calls", draw(2) == 0 ? "0" : "4"));
    unsigned offered = 0, calm_at = 600 + draw(900);
    size_t seen = 0;
    struct ps_lease *lease = NULL;
    for (unsigned turn = 0; seen < LEASES; turn++) {
        if (turn == TURNS_MAX)
            fail_msg("%s: %zu of %u leases are delivered", protocol->name, seen, LEASES);
        if (lease == NULL && offered < LEASES && draw(4) == 0)
            lease = make_lease();
        if (lease != NULL && ps_test_sink_work(&stage, &lease) == PS_TAKEN)
            offered++;
        ps_test_sink_tick(&stage);
        ps_test_stage_pass_ms(&stage, TURN_MS);
        serve(turn >= calm_at);
        seen = check_done(seen);
        if (turn % 4 == 0)
            usleep(20);
    }
    drop_link();
    close(listener);
    ps_test_stage_fini(&stage);
}

static void run_protocol(const struct protocol *one)
{
    protocol = one;
    random_state = ps_test_seed() | 1;
    memset(given, 0, sizeof given);
    for (unsigned i = 0; i < CASES; i++)
        run_case();
    for (unsigned i = 0; i < ANSWER_COUNT; i++)
        assert_true(given[i] > 0); /* each kind of answer was given */
}

static void test_avro(void **unused)
{
    (void)unused;
    run_protocol(&protocols[0]);
}

static void test_thrift(void **unused)
{
    (void)unused;
    run_protocol(&protocols[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_avro), cmocka_unit_test(test_thrift)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
