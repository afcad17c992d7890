/* Sources that answer calls (avro, thrift, http) or lines (netcat) against a model: clients draw the sizes of their calls, how
 * many they send without waiting, in which pieces, and when they hang up; channels draw the outcome of each batch and when it
 * comes. A batch that is refused because a channel is full is refused at once, even while older ones wait for their channel's
 * promise; the others get their outcome in order, as in the engine. Every call has exactly one answer, which is OK only if all of
 * its events were accepted. Answers of thrift, http and netcat come in the order of the calls, a call's answer repeats its round,
 * and at the end no call is left, no answer that waits for its turn, and no byte of an unfinished message. */
#include "stages/lib/avro/zlib.h"
#include "stages/lib/thrift/source.h"
#include "tests/support/avro_rpc.h"
#include "tests/support/net.h"
#include "tests/support/rpc_calls.h"
#include "tests/support/thrift_rpc.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOCAL "bind", "127.0.0.1", "port", "0"
#define CASES 12U /* each share of refusals with each kind of hang-up */
#define STEPS 150
#define CLIENTS 4U
#define CALLS_MAX 600U
#define EVENTS_MAX 2600U /* events of a call: more than two batches */
#define BATCHES_MAX 64U
#define IDLE_TURNS_MAX 20000U
#define IN_BYTES (1U << 20)

struct call {
    uint32_t events, taken, refused; /* taken, refused: events that got this outcome */
    unsigned client;
    bool answered, ok, gone; /* gone: its client hung up */
    uint8_t round;
    unsigned epoch; /* how often its client had changed the round */
};

struct client {
    int fd;
    uint8_t round; /* 0: the client uses no rounds */
    bool greeted;  /* has read its first answer */
    bool failed;   /* one of its calls was answered FAILED in this round */
    unsigned epoch;
    struct ps_avro_zlib zlib; /* if the protocol compresses */
    char *out, *in;
    size_t out_at, out_length, in_length;
    unsigned next_answer; /* for calls in order: where the search for the next one begins */
};

struct protocol {
    const char *name;
    const struct ps_stage_ops *source;
    bool rounds;
    bool lines; /* calls have one event each, and several are sent together */
    bool compresses;
    bool in_turn; /* answers come in the order of the calls */
    /* Appends call number `number` to what the client sends. */
    void (*send)(struct client *client, unsigned number);
    /* Reads an answer. Returns its length; 0: it is not complete. *number: its call; UINT32_MAX: the next call. */
    size_t (*read)(struct client *client, unsigned *number, bool *ok);
};

static struct call calls[CALLS_MAX];
static unsigned call_count;
static struct client clients[CLIENTS];
static struct ps_test_stage stage;
static const struct protocol *protocol;
static struct {
    struct ps_batch *batch;
    bool refused;
} held[BATCHES_MAX];
static unsigned held_count;
static uint64_t random_state;

static uint32_t draw(uint32_t limit)
{
    return (uint32_t)(ps_test_random(&random_state) % limit);
}

static void append(struct client *client, const void *bytes, size_t length)
{
    client->out = realloc(client->out, client->out_length + length);
    assert_non_null(client->out);
    memcpy(client->out + client->out_length, bytes, length);
    client->out_length += length;
}

static size_t body_of(char body[32], unsigned number, unsigned index)
{
    return (size_t)snprintf(body, 32, "%u/%u", number, index);
}

/* ---- avro ---- */

static void send_avro(struct client *client, unsigned number)
{
    struct ps_test_avro_call call = {.bytes = NULL};
    char body[32];
    size_t length;
    if (!client->greeted)
        ps_test_avro_call_handshake(&call, ps_avro_protocol_md5, NULL, ps_avro_protocol_md5);
    if (calls[number].round > 0) {
        uint8_t name[PS_AVRO_ROUND_CALL_BYTES];
        ps_test_avro_call_bytes(&call, name, ps_avro_put_round_call(name, calls[number].round));
    } else {
        ps_test_avro_call_name(&call, "appendBatch");
    }
    if (calls[number].events > 0)
        ps_test_avro_call_long(&call, calls[number].events);
    for (unsigned i = 0; i < calls[number].events; i++)
        ps_test_avro_call_event(&call, body, body_of(body, number, i),
                                i % 7 == 0 ? PS_WORDS("k", "v") : NULL);
    ps_test_avro_call_long(&call, 0);
    uint8_t *message = ps_test_avro_message(&call, number, draw(2) == 0 ? 100000 : 999, &length);
    struct iovec parts[2] = {{message, length}, {NULL, 0}};
    if (protocol->compresses)
        assert_true(ps_avro_zlib_pack(&client->zlib, parts));
    append(client, parts[0].iov_base, parts[0].iov_len);
    free(message);
    ps_test_avro_call_free(&call);
}

static size_t read_avro(struct client *client, unsigned *number, bool *ok)
{
    static uint8_t scratch[PS_AVRO_ANSWER_BYTES_MAX];
    struct ps_avro_answer answer;
    size_t taken = 0;
    enum ps_avro_reading reading = ps_avro_read_answer((const uint8_t *)client->in, client->in_length,
                                                       !client->greeted, scratch, &answer, &taken);
    if (reading == PS_AVRO_MORE)
        return 0;
    assert_int_equal(reading, PS_AVRO_ANSWER);
    assert_string_equal(answer.error, "");
    client->greeted = true;
    *number = answer.serial;
    *ok = answer.status == PS_AVRO_OK;
    return taken;
}

/* ---- thrift ---- */

static void send_thrift(struct client *client, unsigned number)
{
    struct ps_test_thrift_call call = {.bytes = NULL};
    char body[32];
    ps_test_thrift_begin(&call, number % 2 == 0, number, calls[number].events, calls[number].round);
    for (unsigned i = 0; i < calls[number].events; i++)
        ps_test_thrift_event(&call, body, body_of(body, number, i), i % 7 == 0 ? PS_WORDS("k", "v") : NULL);
    ps_test_thrift_end(&call);
    append(client, call.bytes, call.length);
    ps_test_thrift_free(&call);
}

static size_t read_thrift(struct client *client, unsigned *number, bool *ok)
{
    struct ps_test_thrift_answer answer;
    if (client->in_length < PS_THRIFT_FRAME_BYTES)
        return 0;
    const uint8_t *bytes = (const uint8_t *)client->in;
    uint32_t length = ps_big_endian_get_32(bytes);
    if (client->in_length < PS_THRIFT_FRAME_BYTES + length)
        return 0;
    ps_test_thrift_answer_read(bytes + PS_THRIFT_FRAME_BYTES, length, &answer);
    assert_int_equal(answer.message.type, PS_THRIFT_REPLY);
    *number = answer.message.number;
    *ok = answer.number == 0;
    assert_true(*number < call_count);
    assert_int_equal(answer.round, calls[*number].round);
    assert_string_equal(answer.name, "appendBatch");
    bool compact = bytes[PS_THRIFT_FRAME_BYTES] == 0x82; /* the first byte of Thrift's compact messages */
    assert_int_equal(compact, *number % 2 == 0);
    return PS_THRIFT_FRAME_BYTES + length;
}

/* ---- http ---- */

static void send_http(struct client *client, unsigned number)
{
    char text[96], body[32];
    size_t at = client->out_length, length = 1;
    for (unsigned i = 0; i < calls[number].events; i++)
        length += body_of(body, number, i) + sizeof "{'body':''}" - 1 + (i > 0);
    int head =
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n[", length + 1);
    append(client, text, (size_t)head);
    for (unsigned i = 0; i < calls[number].events; i++) {
        body_of(body, number, i);
        append(client, text, (size_t)snprintf(text, sizeof text, "%s{'body':'%s'}", i > 0 ? "," : "", body));
    }
    append(client, "]", 1);
    assert_int_equal(client->out_length - at, (size_t)head + length);
}

static size_t read_http(struct client *client, unsigned *number, bool *ok)
{
    static const char length_field[] = "Content-Length: ";
    const char *end = memmem(client->in, client->in_length, "\r\n\r\n", 4);
    const char *field = memmem(client->in, client->in_length, length_field, sizeof length_field - 1);
    if (end == NULL)
        return 0;
    assert_non_null(field);
    size_t length = (size_t)(end + 4 - client->in) + strtoul(field + sizeof length_field - 1, NULL, 10);
    if (client->in_length < length)
        return 0;
    assert_memory_equal(client->in, "HTTP/1.1 ", 9);
    unsigned long status = strtoul(client->in + 9, NULL, 10);
    assert_true(status == 200 || status == 503);
    *number = UINT32_MAX;
    *ok = status == 200;
    return length;
}

/* ---- netcat ---- */

static void send_netcat(struct client *client, unsigned number)
{
    char body[32];
    append(client, body, body_of(body, number, 0));
    append(client, "\n", 1);
}

static size_t read_netcat(struct client *client, unsigned *number, bool *ok)
{
    const char *end = memchr(client->in, '\n', client->in_length);
    if (end == NULL)
        return 0;
    *number = UINT32_MAX;
    *ok = end - client->in == 2 && memcmp(client->in, "OK", 2) == 0;
    assert_true(*ok || memcmp(client->in, "FAILED: channel c1 is full\n", 27) == 0);
    return (size_t)(end + 1 - client->in);
}

static const struct protocol protocols[] = {
    {.name = "avro", .source = &ps_source_avro, .rounds = true, .send = send_avro, .read = read_avro},
    {.name = "avro, compressed",
     .source = &ps_source_avro,
     .rounds = true,
     .compresses = true,
     .send = send_avro,
     .read = read_avro},
    {.name = "thrift",
     .source = &ps_source_thrift,
     .rounds = true,
     .in_turn = true,
     .send = send_thrift,
     .read = read_thrift},
    {.name = "http", .source = &ps_source_http, .send = send_http, .read = read_http},
    {.name = "netcat", .source = &ps_source_netcat, .lines = true, .send = send_netcat, .read = read_netcat},
};

/* ---- channels ---- */

static void count_events(const struct ps_batch *batch, bool refused)
{
    for (uint32_t row = 0; row < batch->count; row++) {
        char body[32] = "";
        assert_true(batch->events[row].body_length < sizeof body);
        memcpy(body, batch->events[row].body, batch->events[row].body_length);
        unsigned long number = strtoul(body, NULL, 10);
        assert_true(number < call_count);
        *(refused ? &calls[number].refused : &calls[number].taken) += 1;
        assert_true(calls[number].taken + calls[number].refused <= calls[number].events);
    }
}

/* Accepts or refuses a batch, after which the source answers its calls. */
static void decide(struct ps_batch *batch, bool refused)
{
    const struct ps_source_ops *source = stage.ops->source;
    count_events(batch, refused);
    if (refused)
        source->refused(stage.plan, stage.state, batch, "channel c1 is full", &stage.now);
    else
        source->accepted(stage.plan, stage.state, batch, &stage.now);
    ps_batch_give(batch);
}

static void decide_oldest(void)
{
    struct ps_batch *batch = held[0].batch;
    bool refused = held[0].refused;
    memmove(held, held + 1, --held_count * sizeof held[0]);
    decide(batch, refused);
}

/* Takes the open batch from the stage: it is refused at once, or waits for its outcome. */
static void close_batch(uint32_t refused_percent)
{
    struct ps_batch *batch = stage.batch;
    bool refused = draw(100) < refused_percent;
    stage.batch = NULL;
    assert_ptr_equal(stage.batches[--stage.batch_count], batch);
    ps_batch_close(batch);
    if (refused && draw(2) == 0) {
        decide(batch, true);
        return;
    }
    if (held_count == BATCHES_MAX)
        decide_oldest();
    held[held_count].batch = batch;
    held[held_count++].refused = refused;
}

/* ---- clients ---- */

static void dial(struct client *client)
{
    *client = (struct client){.fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0)),
                              .round = protocol->rounds && draw(2) == 0,
                              .in = malloc(IN_BYTES)};
    assert_non_null(client->in);
    struct ps_err err;
    if (protocol->compresses)
        assert_int_equal(ps_avro_zlib_init(&client->zlib, 6, &err), PS_OK);
}

static void hang_up(struct client *client)
{
    close(client->fd);
    free(client->out);
    free(client->in);
    if (protocol->compresses)
        ps_avro_zlib_fini(&client->zlib);
    for (unsigned i = 0; i < call_count; i++)
        calls[i].gone |= calls[i].client == (unsigned)(client - clients) && !calls[i].answered;
}

static unsigned count_unanswered(unsigned client)
{
    unsigned count = 0;
    for (unsigned i = 0; i < call_count; i++)
        count += calls[i].client == client && !calls[i].answered && !calls[i].gone;
    return count;
}

static void begin_call(unsigned number)
{
    static const uint32_t sizes[] = {0, 1, 1, 2, 10, 100, 1023, 1024, 1025, 2048, 2049};
    struct client *client = &clients[number];
    bool waits = client->out_length > 0 || call_count == CALLS_MAX ||
                 (!client->greeted && protocol->read == read_avro && count_unanswered(number) > 0);
    if (client->failed && count_unanswered(number) == 0) {
        client->failed = false;
        client->round ^= client->round > 0 ? 3 : 0;
        client->epoch++;
    }
    if (waits || client->failed)
        return;
    uint32_t events = draw(4) == 0 ? draw(EVENTS_MAX) : sizes[draw(PS_COUNT_OF(sizes))];
    uint32_t count = protocol->lines ? 1 + draw(20) : 1;
    for (; count > 0 && call_count < CALLS_MAX; count--) {
        calls[call_count] = (struct call){.events = protocol->lines ? 1 : events,
                                          .client = number,
                                          .round = client->round,
                                          .epoch = client->epoch};
        protocol->send(client, call_count++);
    }
}

static void write_some(struct client *client)
{
    size_t left = client->out_length - client->out_at, piece = draw(3) == 0 ? 1 + draw(3000) : left;
    ssize_t n = send(client->fd, client->out + client->out_at, piece < left ? piece : left,
                     MSG_DONTWAIT | MSG_NOSIGNAL);
    assert_true(n >= 0 || errno == EAGAIN || errno == EWOULDBLOCK);
    client->out_at += n > 0 ? (size_t)n : 0;
    if (client->out_at == client->out_length)
        client->out_at = client->out_length = 0;
}

/* Returns whether an earlier call of the same round was refused: then this one may be refused without a further reason. */
static bool follows_refused(unsigned number)
{
    for (unsigned i = 0; i < number; i++) {
        if (calls[i].client == calls[number].client && calls[i].epoch == calls[number].epoch &&
            !calls[i].gone && calls[i].refused > 0)
            return calls[number].round > 0;
    }
    return false;
}

static void check_answer(struct client *client, unsigned number, bool ok)
{
    unsigned own = (unsigned)(client - clients);
    if (number == UINT32_MAX) {
        for (number = 0; number < call_count; number++) {
            if (calls[number].client == own && !calls[number].answered && !calls[number].gone)
                break;
        }
    }
    for (unsigned i = 0; i < number && i < call_count && protocol->in_turn; i++) {
        if (calls[i].client == own && !calls[i].answered && !calls[i].gone)
            fail_msg("%s: call %u is answered before call %u", protocol->name, number, i);
    }
    if (number >= call_count || calls[number].client != own || calls[number].answered || calls[number].gone)
        fail_msg("%s: an answer to no open call of client %u", protocol->name, own);
    struct call *call = &calls[number];
    if (ok ? call->taken != call->events : call->refused == 0 && !follows_refused(number))
        fail_msg("%s: call %u of %u events, %u taken, %u refused, is answered %s", protocol->name, number,
                 call->events, call->taken, call->refused, ok ? "OK" : "FAILED");
    call->answered = true;
    call->ok = ok;
    client->failed |= !ok;
}

static void read_answers(struct client *client)
{
    uint8_t packed[4096];
    char *to = protocol->compresses ? (char *)packed : client->in + client->in_length;
    size_t room = protocol->compresses ? sizeof packed : IN_BYTES - client->in_length;
    ssize_t n = recv(client->fd, to, room, MSG_DONTWAIT);
    assert_true(n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)));
    struct ps_avro_zlib_input input = {packed, n > 0 ? (size_t)n : 0};
    if (!protocol->compresses)
        client->in_length += n > 0 ? (size_t)n : 0;
    while (protocol->compresses && input.length > 0)
        assert_true(ps_avro_zlib_unpack(&client->zlib, &input, (uint8_t *)client->in + client->in_length,
                                        IN_BYTES - client->in_length, &client->in_length));
    unsigned number;
    bool ok;
    size_t length;
    while (client->in_length > 0 && (length = protocol->read(client, &number, &ok)) > 0) {
        client->in_length -= length;
        memmove(client->in, client->in + length, client->in_length);
        check_answer(client, number, ok);
    }
}

/* One turn of the source and of all clients. */
static void turn(uint32_t refused_percent)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (clients[i].out_length > 0)
            write_some(&clients[i]);
    }
    ps_test_source_read(&stage);
    stage.ops->source->tick(stage.plan, stage.state, &stage.now);
    if (stage.batch->full || stage.batch->flush || (stage.batch->count > 0 && draw(3) == 0))
        close_batch(refused_percent);
    while (held_count > 0 && draw(3) == 0)
        decide_oldest();
    for (unsigned i = 0; i < CLIENTS; i++)
        read_answers(&clients[i]);
}

static bool all_are_answered(void)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (count_unanswered(i) > 0)
            return false;
    }
    return true;
}

/* Asserts that all clients are gone, and that the source has freed everything that it kept for them. */
static void check_nothing_is_left(bool hung_up)
{
    const struct ps_stream *stream = stage.state;
    unsigned answered_ok = 0;
    for (unsigned i = 0; ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount) > 0; i++) {
        assert_true(i < IDLE_TURNS_MAX);
        ps_test_source_read(&stage);
        stage.ops->source->tick(stage.plan, stage.state, &stage.now);
        ps_test_stage_pass_ms(&stage, 10);
        if (stage.batch->count > 0)
            close_batch(50);
        while (held_count > 0)
            decide_oldest();
        usleep(50);
    }
    assert_int_equal(stream->slab.held_bytes, 0);
    if (protocol->rounds)
        assert_int_equal(ps_test_rpc_calls_in_use(&stage), 0);
    if (protocol->in_turn)
        assert_int_equal(((const struct ps_thrift_source *)stage.state)->server.kept_count, 0);
    if (hung_up || !protocol->rounds)
        return;
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 0);
    for (unsigned i = 0; i < call_count; i++)
        answered_ok += calls[i].ok;
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchReceivedCount), call_count);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchAcceptedCount), answered_ok);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), 0);
}

static void run_case(uint32_t refused_percent, bool hangs_up)
{
    ps_test_stage_start(&stage, protocol->source,
                        protocol->compresses ? PS_KEYS(LOCAL, "compression-type", "deflate")
                                             : PS_KEYS(LOCAL));
    call_count = held_count = 0;
    for (unsigned i = 0; i < CLIENTS; i++)
        dial(&clients[i]);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned number = draw(CLIENTS);
        if (hangs_up && draw(20) == 0) {
            hang_up(&clients[number]);
            dial(&clients[number]);
        }
        begin_call(number);
        turn(refused_percent);
    }
    for (unsigned i = 0; !all_are_answered(); i++) {
        if (i == IDLE_TURNS_MAX)
            fail_msg("%s: a call has no answer", protocol->name);
        turn(refused_percent);
        usleep(50);
    }
    while (held_count > 0)
        decide_oldest(); /* batches of clients that are gone */
    for (unsigned i = 0; i < CLIENTS; i++) {
        read_answers(&clients[i]); /* no answer is left */
        assert_int_equal(clients[i].in_length, 0);
        hang_up(&clients[i]);
    }
    check_nothing_is_left(hangs_up);
    ps_test_stage_fini(&stage);
}

static void run_protocol(const struct protocol *one)
{
    static const uint32_t percents[] = {0, 20, 50, 100};
    protocol = one;
    random_state = ps_test_seed() | 1;
    for (unsigned i = 0; i < (one->compresses ? CASES / 2 : CASES); i++)
        run_case(percents[i % PS_COUNT_OF(percents)], i % 3 == 2);
}

static void test_avro(void **unused)
{
    run_protocol(&protocols[0]);
}

static void test_compressed(void **unused)
{
    run_protocol(&protocols[1]);
}

static void test_thrift(void **unused)
{
    run_protocol(&protocols[2]);
}

static void test_http(void **unused)
{
    run_protocol(&protocols[3]);
}

static void test_netcat(void **unused)
{
    run_protocol(&protocols[4]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_avro), cmocka_unit_test(test_compressed),
                                       cmocka_unit_test(test_thrift), cmocka_unit_test(test_http),
                                       cmocka_unit_test(test_netcat)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
