/* The HTTP server with a handler that draws its results: requests in parts, missing memory, full batches, refusals at each part, and rows that a
 * handler leaves in a batch. Channels take or refuse each batch, immediately or later. Clients pipeline requests, with counted and chunked bodies
 * in random pieces. Each request has one answer, exactly the bytes of the model, and each event is in one batch once. */
#include "stages/lib/http/server.h"
#include "core/flow/batch_home.h"
#include "stages/lib/net/listen.h"
#include "stages/lib/net/options.h"
#include "tests/support/net.h"
#include "tests/support/stage.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 30U
#define REQUESTS 60U
#define BODY_MAX 600U
#define EVENTS_MAX 2100U /* more than two batches */
#define HELD_MAX 8U
#define FULL_TEXT "Error appending event to channel. Channel might be full."
#define STEPS_MAX 200000U

static uint64_t state;

static uint32_t draw(uint32_t below)
{
    return (uint32_t)(ps_test_random(&state) % below);
}

/* ---- requests, and what the model knows of them ---- */

static const struct refusal {
    uint16_t status;
    const char *text, *intro, *reason;
} refusals[] = {{400, "Bad Request", PS_HTTP_BAD_REQUEST, "it is wrong"},
                {500, "Internal Server Error", PS_HTTP_UNEXPECTED, "it fails"},
                {413, "Payload Too Large", NULL, "it is too long"},
                {415, "Unsupported Media Type", NULL, "it is of another kind"}};

static struct request {
    char body[BODY_MAX];
    uint32_t length, events;
    uint32_t given, accepted, refused; /* events that are in batches, and their outcomes */
    bool begun, ended;                 /* the handler saw it; it has no more events */
    bool head, last;                   /* HEAD; Connection: close */
    const struct refusal *by_handler;  /* NULL: none */
    bool full;                         /* a channel refused a batch, and no refusal by the handler followed */
} requests[REQUESTS];

static struct ps_test_stage stage;
static struct {
    struct ps_batch *batch;
    bool refused;
} held[HELD_MAX];
static unsigned held_count;
static const char *done_type, *done_body;
static unsigned handler_refused; /* requests that were refused at their beginning */

/* ---- the handler ---- */

static char bodies[REQUESTS][EVENTS_MAX][12];

static void add_rows(struct ps_batch *batch, uint32_t number, uint32_t from, uint32_t count, uint64_t origin)
{
    for (uint32_t i = from; i < from + count; i++) {
        char *body = bodies[number][i]; /* not in the batch, whose meta block has room for its rows only */
        uint32_t length = (uint32_t)snprintf(body, sizeof bodies[number][i], "%u/%u", number, i);
        assert_non_null(ps_batch_add(batch, body, length));
    }
    assert_true(ps_batch_ticket(batch, origin, count));
}

/* Returns the request. Asserts that its body is complete, and did not change between the tries. */
static struct request *request_of(const struct ps_http_exchange *exchange)
{
    char number[6] = "";
    assert_true(exchange->body_length >= 5);
    memcpy(number, exchange->body, 5);
    unsigned long index = strtoul(number, NULL, 10);
    assert_true(index < REQUESTS);
    struct request *request = &requests[index];
    assert_int_equal(exchange->body_length, request->length);
    assert_memory_equal(exchange->body, request->body, request->length);
    assert_int_equal(exchange->rest_at, request->given); /* the number of events stands for the offset */
    assert_false(request->ended);
    assert_true(request->given == 0 || exchange->plain == (request->given % 2 == 1));
    return request;
}

static enum ps_http_taken refuse(struct request *request, struct ps_http_exchange *exchange)
{
    const struct refusal *refusal = &refusals[draw(PS_COUNT_OF(refusals))];
    exchange->status = refusal->status;
    exchange->intro = refusal->intro;
    exchange->reason = refusal->reason;
    handler_refused += request->given == 0;
    request->by_handler = refusal;
    request->full = false; /* set again if a channel refuses a batch later */
    request->ended = true;
    return PS_HTTP_REFUSED;
}

static enum ps_http_taken take(void *owner, struct ps_batch *batch, struct ps_http_exchange *exchange)
{
    (void)owner;
    struct request *request = request_of(exchange);
    uint32_t number = (uint32_t)(request - requests), left = request->events - request->given,
             room = ps_batch_rows_room(batch);
    request->begun = true;
    assert_int_equal(request->refused, 0); /* otherwise its rest is not offered to the handler */
    exchange->events = request->events;
    switch (draw(8)) {
    case 0: /* leaves rows and a ticket behind, which the server removes */
        add_rows(batch, number, 0, room > 2 ? 1 + draw(2) : 0, exchange->origin);
        return PS_HTTP_MEMORY;
    case 1:
        if (batch->count == 0)
            break;
        add_rows(batch, number, 0, room > 2 ? 1 : 0, exchange->origin);
        return PS_HTTP_FULL;
    case 2:
        if (draw(2) == 0)
            add_rows(batch, number, 0, room > 2 ? 1 : 0, exchange->origin);
        return refuse(request, exchange);
    default:
        break;
    }
    if (left > 0 && room == 0)
        return PS_HTTP_FULL;
    uint32_t some = draw(2) == 0 && left > 0 ? 1 + draw(left) : left;
    some = some < room ? some : room;
    add_rows(batch, number, request->given, some, exchange->origin);
    request->given += some;
    request->ended = request->given == request->events;
    exchange->rest_at = request->given;
    exchange->plain = request->given % 2 == 1;
    return request->ended ? PS_HTTP_TAKEN : PS_HTTP_TAKEN_PART;
}

/* ---- the source ---- */

struct toy_plan {
    struct ps_listen listen; /* must be first */
};
#define FIELD(name) offsetof(struct toy_plan, name)
static const struct ps_option options[] = {PS_HOST_OPTION_ROW("bind", FIELD(listen.bind)),
                                           PS_PORT_OPTION_ROW("TCP", FIELD(listen.port)), PS_OPTION_END};

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct toy_plan *plan = plan_;
    return ps_listen_build(&plan->listen, context, err);
}

static enum ps_status open_source(const void *plan_, void *server, struct ps_port *port, struct ps_err *err)
{
    const struct toy_plan *plan = plan_;
    const struct ps_http_server_options with = {.take = take,
                                                .limits = {.head_bytes_max = 512, .body_bytes_max = BODY_MAX},
                                                .connections_max = 4,
                                                .done_type = done_type,
                                                .done_body = done_body,
                                                .done_length =
                                                    done_body != NULL ? (uint32_t)strlen(done_body) : 0};
    return ps_http_server_open(server, &with, &plan->listen, port, err);
}

static void close_source(const void *plan, void *server)
{
    (void)plan;
    ps_http_server_fini(server);
}

static const struct ps_stage_ops toy = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "toy",
    .summary = "Draws its results",
    .options = options,
    .plan_size = sizeof(struct toy_plan),
    .state_size = sizeof(struct ps_http_server),
    .build = build,
    .teardown = ps_listen_source_teardown,
    .open = open_source,
    .close = close_source,
    PS_LISTEN_SOURCE,
    .source = &ps_http_source_ops,
};

/* ---- channels ---- */

static void decide(struct ps_batch *batch, bool refused)
{
    for (uint32_t row = 0; row < batch->count; row++) {
        char body[32] = "", wanted[32];
        memcpy(body, batch->events[row].body, batch->events[row].body_length);
        struct request *request = &requests[strtoul(body, NULL, 10)];
        if (refused)
            request->full = true;
        else
            snprintf(wanted, sizeof wanted, "%u/%u", (unsigned)(request - requests),
                     request->accepted + request->refused);
        if (!refused && request->refused == 0)
            assert_string_equal(body, wanted);
        *(refused ? &request->refused : &request->accepted) += 1;
    }
    const struct ps_source_ops *source = stage.ops->source;
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

/* Takes the open batch from the stage: it is decided at once, or later. */
static void close_batch(void)
{
    struct ps_batch *batch = stage.batch;
    stage.batch = NULL;
    assert_ptr_equal(stage.batches[--stage.batch_count], batch);
    ps_batch_close(batch);
    bool refused = draw(6) == 0;
    if (refused && draw(2) == 0) {
        decide(batch, true);
        return;
    }
    if (held_count == HELD_MAX)
        decide_oldest();
    held[held_count].batch = batch;
    held[held_count++].refused = refused;
}

static void cycle(void)
{
    ps_test_source_read(&stage);
    if (stage.ops->source->tick != NULL)
        stage.ops->source->tick(stage.plan, stage.state, &stage.now);
    stage.now.mono_ns += PS_NS_PER_MS;
    if (stage.batch != NULL &&
        (stage.batch->full || stage.batch->flush || (stage.batch->count > 0 && draw(3) == 0)))
        close_batch();
    if (held_count > 0 && draw(3) == 0)
        decide_oldest();
}

/* ---- the client ---- */

static int peer;
static char out[REQUESTS * 4 * BODY_MAX], in[REQUESTS * BODY_MAX];
static size_t out_length, in_length, in_at;

static void put(const char *bytes, size_t length)
{
    assert_true(out_length + length <= sizeof out);
    memcpy(out + out_length, bytes, length);
    out_length += length;
}

/* Appends the body in chunks of random sizes. */
static void put_chunks(const struct request *request)
{
    for (uint32_t at = 0; at < request->length;) {
        uint32_t some = 1 + draw(request->length - at);
        char line[32];
        put(line, (size_t)snprintf(line, sizeof line, draw(2) == 0 ? "%x\r\n" : "%X;a=b\r\n", some));
        put(request->body + at, some);
        put("\r\n", 2);
        at += some;
    }
}

/* Draws a request whose body contains bytes that look like chunks. */
static void request_send(uint32_t number, bool last)
{
    struct request *request = &requests[number];
    static const uint32_t sizes[] = {0, 1, 2, 3, 10, 1023, 1024, 1025, EVENTS_MAX};
    *request =
        (struct request){.events = sizes[draw(PS_COUNT_OF(sizes))], .head = draw(6) == 0, .last = last};
    request->length = (uint32_t)snprintf(request->body, sizeof request->body, "%05u", number);
    for (unsigned more = draw(20); more > 0; more--)
        request->length +=
            (uint32_t)snprintf(request->body + request->length, sizeof request->body - request->length,
                               draw(2) == 0 ? "3\r\nabc\r\n" : "0\r\n\r\n");
    char head[160];
    bool chunked = draw(2) == 0;
    int length = snprintf(head, sizeof head, "%s /%u HTTP/1.1\r\nHost: h\r\n%s",
                          request->head ? "HEAD" : "POST", number, last ? "Connection: close\r\n" : "");
    put(head, (size_t)length);
    if (chunked) {
        put("Transfer-Encoding: chunked\r\n\r\n", 30);
        put_chunks(request);
        const char *end = draw(2) == 0 ? "0\r\n\r\n" : "0\r\nA: b\r\n\r\n";
        put(end, strlen(end));
    } else {
        put(head, (size_t)snprintf(head, sizeof head, "Content-Length: %u\r\n\r\n", request->length));
        put(request->body, request->length);
    }
}

static void read_answers(void)
{
    ssize_t length = recv(peer, in + in_length, sizeof in - in_length, MSG_DONTWAIT);
    assert_true(length >= 0 || errno == EAGAIN);
    in_length += length > 0 ? (size_t)length : 0;
}

/* Writes the answer that the model expects to a request whose outcomes are all known. */
static size_t answer_of(const struct request *request, char *text, size_t room)
{
    const struct refusal full = {503, "Service Unavailable", NULL, FULL_TEXT};
    const struct refusal *refusal = request->full ? &full : request->by_handler;
    const char *close_field = request->last ? "Connection: close\r\n" : "";
    char body[256] = "";
    if (refusal == NULL && done_type == NULL)
        return (size_t)snprintf(text, room, "HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\n\r\n", close_field);
    if (refusal == NULL)
        return (size_t)snprintf(text, room,
                                "HTTP/1.1 200 OK\r\n%sContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
                                close_field, done_type, strlen(done_body), request->head ? "" : done_body);
    snprintf(body, sizeof body, "%s%s\n", refusal->intro != NULL ? refusal->intro : "", refusal->reason);
    return (size_t)snprintf(
        text, room,
        "HTTP/1.1 %u %s\r\n%sContent-Type: text/plain;charset=utf-8\r\nContent-Length: %zu\r\n\r\n%s",
        refusal->status, refusal->text, close_field, strlen(body), request->head ? "" : body);
}

/* Checks the answers that have arrived completely. Returns how many requests are answered now. */
static uint32_t check_answers(uint32_t answered, uint32_t count)
{
    for (; answered < count && in_at < in_length; answered++) {
        const struct request *request = &requests[answered];
        char wanted[512];
        if (memmem(in + in_at, in_length - in_at, "\r\n\r\n", 4) == NULL)
            break;
        size_t length = answer_of(request, wanted, sizeof wanted);
        if (in_length - in_at < length)
            break;
        if (memcmp(in + in_at, wanted, length) != 0)
            fail_msg(
                "request %u of %u events, %u given, %u accepted, %u refused is answered\n%.*s\nand not\n%s",
                answered, request->events, request->given, request->accepted, request->refused,
                (int)(in_length - in_at), in + in_at, wanted);
        assert_true(request->ended || request->refused > 0);
        assert_int_equal(request->accepted + request->refused, request->given);
        in_at += length;
    }
    return answered;
}

static void talk(uint32_t count)
{
    size_t sent = 0;
    uint32_t answered = 0;
    for (unsigned step = 0; answered < count; step++) {
        if (step == STEPS_MAX)
            fail_msg("%u of %u requests are answered", answered, count);
        size_t piece = draw(4) == 0 ? out_length - sent : 1 + draw(300);
        piece = piece < out_length - sent ? piece : out_length - sent;
        ssize_t length = piece > 0 ? send(peer, out + sent, piece, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        sent += length > 0 ? (size_t)length : 0;
        cycle();
        read_answers();
        answered = check_answers(answered, count);
    }
    assert_int_equal(in_at, in_length);
    assert_int_equal(sent, out_length);
}

/* Calls that are not free. */
static unsigned count_calls(struct ps_http_server *server)
{
    unsigned room = server->calls.chunk_count * 64, unused = 0;
    for (uint32_t at = server->calls.free; at != 0; unused++)
        at = ps_calls_at(&server->calls, at - 1)->next_free;
    return room - unused;
}

static void test_drawn(void **unused)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        done_type = round % 3 == 0 ? "text/plain" : NULL;
        done_body = round % 3 == 0 ? "taken\n" : NULL;
        handler_refused = 0;
        ps_test_stage_start(&stage, &toy, PS_KEYS("bind", "127.0.0.1", "port", "0"));
        peer = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
        uint32_t count = 1 + draw(REQUESTS);
        out_length = in_length = in_at = 0;
        for (uint32_t i = 0; i < count; i++)
            request_send(i, i + 1 == count && round % 2 == 0);
        talk(count);
        for (unsigned i = 0; round % 2 == 0 && i < STEPS_MAX; i++) { /* the last answer ends the connection */
            char byte;
            cycle();
            if (recv(peer, &byte, 1, MSG_DONTWAIT) == 0)
                break;
            assert_true(i + 1 < STEPS_MAX);
        }
        assert_int_equal(count_calls(stage.state), 0);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), handler_refused);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchReceivedCount),
                         count - handler_refused);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 0);
        close(peer);
        while (held_count > 0)
            decide_oldest();
        ps_test_stage_fini(&stage);
    }
}

/* If several batches hold a text that is in a block, its memory counts in only one: the first that holds it for this
 * request. */
static void test_text_of_several_batches(void **unused)
{
    static const struct {
        uint32_t rest_at;
        bool counted; /* in an earlier batch */
        uint64_t blocks;
    } rows[] = {{0, false, 1}, {0, true, 1}, {7, false, 1}, {7, true, 0}};
    ps_test_stage_start(&stage, &toy, PS_KEYS("bind", "127.0.0.1", "port", "0"));
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_batch *batch = ps_test_stage_take_batch(&stage);
        struct ps_http_text text = {
            .block = ps_block_take(stage.port.blocks), .length = 5, .counted = rows[i].counted};
        struct ps_http_exchange exchange = {.text = &text, .rest_at = rows[i].rest_at, .body = NULL};
        uint64_t before = ps_batch_home(batch)->own_bytes;
        assert_non_null(text.block);
        assert_int_equal(ps_http_text_use(&exchange, batch), PS_HTTP_TAKEN);
        assert_int_equal(ps_batch_home(batch)->own_bytes - before, rows[i].blocks * PS_BLOCK_BYTES);
        assert_true(text.counted);
        assert_ptr_equal(exchange.body, text.block->base);
        assert_int_equal(exchange.body_length, 5);
        while (ps_batch_home(batch)->block_count <
               PS_BATCH_FILL_BLOCKS_MAX) { /* a batch that holds all that it may */
            struct ps_block *block = ps_block_take(stage.port.blocks);
            assert_true(block != NULL && ps_batch_refer(batch, block, true));
            ps_block_drop(stage.port.blocks, block);
        }
        struct ps_http_text other = {.block = ps_block_take(stage.port.blocks), .length = 6};
        exchange = (struct ps_http_exchange){.text = &other, .rest_at = rows[i].rest_at, .body = NULL};
        assert_int_equal(ps_http_text_use(&exchange, batch), PS_HTTP_FULL);
        assert_false(other.counted);
        assert_null(exchange.body);
        ps_block_drop(stage.port.blocks, other.block);
        ps_block_drop(stage.port.blocks, text.block);
        ps_test_stage_recycle(&stage);
    }
    ps_test_stage_fini(&stage);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_text_of_several_batches),
                                              cmocka_unit_test(test_drawn)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
