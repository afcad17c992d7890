/* Source http: JSON that is compressed, or has an object on each line. */
#include "stages/lib/http/server.h"
#include "tests/support/http_ask.h"
#include "tests/support/net.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define LOCAL "bind", "127.0.0.1", "port", "0"
#define GZIP "Content-Encoding: gzip\r\n"
#define LINES "Content-Type: application/x-ndjson\r\n"

struct bytes {
    char *data;
    size_t length;
};

/* Appends a member of gzip with this text. */
static void add_member(struct bytes *to, const char *text, size_t length)
{
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)text, .avail_in = (unsigned)length};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&stream, length);
    to->data = realloc(to->data, to->length + room);
    assert_non_null(to->data);
    stream.next_out = (unsigned char *)to->data + to->length;
    stream.avail_out = (unsigned)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    to->length += room - stream.avail_out;
    deflateEnd(&stream);
}

static struct bytes pack(const char *text)
{
    struct bytes packed = {.data = NULL};
    add_member(&packed, text, strlen(text));
    return packed;
}

static void expect_status(unsigned status, unsigned wanted, const char *what)
{
    if (status != wanted)
        fail_msg("%s: %u, not %u", what, status, wanted);
}

/* Returns objects, one on each line or in an array. The caller frees it. */
static struct bytes make_events(unsigned count, bool lines)
{
    struct bytes made = {.data = malloc(count * 48U + 2)};
    assert_non_null(made.data);
    if (!lines)
        made.data[made.length++] = '[';
    for (unsigned i = 0; i < count; i++)
        made.length +=
            (size_t)sprintf(made.data + made.length, "%s{\"headers\":{\"n\":\"%u\"},\"body\":\"b\\t%u\"}",
                            i == 0  ? ""
                            : lines ? "\n"
                                    : ",",
                            i, i);
    if (!lines)
        made.data[made.length++] = ']';
    return made;
}

static void expect_events(const struct ps_test_stage *stage, unsigned count)
{
    assert_int_equal(stage->event_count, count);
    for (unsigned i = 0; i < count; i++) {
        char body[16], number[16];
        snprintf(body, sizeof body, "b\t%u", i);
        snprintf(number, sizeof number, "%u", i);
        ps_test_expect(&stage->events[i], body, PS_WORDS("n", number));
    }
}

/* Bodies whose events fit one batch or need several give the same events plain and compressed, as lines and as an
 * array. */
static void test_sizes(void **unused)
{
    static const unsigned counts[] = {0, 1, 3, 40, 100, 1024, 1025, 3000, 9000};
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_http, PS_KEYS(LOCAL));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        for (int lines = 0; lines < 2; lines++) {
            struct bytes text = make_events(counts[i], lines > 0), packed = {.data = NULL};
            add_member(&packed, text.data,
                       text.length / 2); /* two members, as in a log that is appended to */
            add_member(&packed, text.data + text.length / 2, text.length - text.length / 2);
            ps_test_source_clear(&stage);
            expect_status(ps_test_http_post(&stage, fd, "/", lines > 0 ? LINES : "", text.data, text.length),
                          200, "plain");
            expect_events(&stage, counts[i]);
            ps_test_source_clear(&stage);
            expect_status(
                ps_test_http_post(&stage, fd, "/", lines > 0 ? LINES GZIP : GZIP, packed.data, packed.length),
                200, "packed");
            expect_events(&stage, counts[i]);
            free(text.data);
            free(packed.data);
        }
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

/* A body comes in chunks of each length, and its events need several batches: the source joins its bytes once. */
static void test_chunks(void **unused)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const size_t chunks[] = {1, 7, 4096, 1 << 20};
    static const unsigned counts[] = {1, 40, 1024, 1025, 3000};
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_http, PS_KEYS(LOCAL));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    for (size_t i = 0; i < PS_COUNT_OF(chunks) * PS_COUNT_OF(counts); i++) {
        size_t chunk = chunks[i % PS_COUNT_OF(chunks)];
        unsigned count = counts[i / PS_COUNT_OF(chunks)];
        struct bytes text = make_events(count, false);
        char *request = malloc(sizeof head + 16 + text.length * 8 + 32);
        assert_non_null(request);
        size_t length = (size_t)sprintf(request, "%s", head);
        for (size_t at = 0; at < text.length; at += chunk) {
            size_t part = text.length - at < chunk ? text.length - at : chunk;
            length += (size_t)sprintf(request + length, "%zx\r\n", part);
            memcpy(request + length, text.data + at, part);
            length += part;
            length += (size_t)sprintf(request + length, "\r\n");
        }
        length += (size_t)sprintf(request + length, "0\r\n\r\n");
        ps_test_source_clear(&stage);
        expect_status(ps_test_http_ask(&stage, fd, request, length), 200, "in chunks");
        expect_events(&stage, count);
        free(request);
        free(text.data);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Returns the text in UTF-16, big-endian. The caller frees it. */
static struct bytes widen(const struct bytes *text)
{
    struct bytes wide = {.data = malloc(2 * text->length), .length = 2 * text->length};
    assert_non_null(wide.data);
    for (size_t i = 0; i < text->length; i++) {
        wide.data[2 * i] = 0;
        wide.data[2 * i + 1] = text->data[i];
    }
    return wide;
}

/* Bodies in UTF-16 are events in UTF-16 with a byte order mark, as Flume makes them. */
static void expect_wide_events(const struct ps_test_stage *stage, unsigned count)
{
    assert_int_equal(stage->event_count, count);
    for (unsigned i = 0; i < count; i++) {
        char body[16], wide[34] = "\xFE\xFF";
        size_t length = (size_t)snprintf(body, sizeof body, "b\t%u", i);
        for (size_t k = 0; k < length; k++)
            wide[2 * k + 3] = body[k];
        assert_int_equal(stage->events[i].length, 2 * length + 2);
        assert_memory_equal(stage->events[i].body, wide, 2 * length + 2);
    }
}

/* A text that must be decoded is decoded once, however many batches its events need: it takes one block more than the
 * same text without decoding. */
static void test_decoded_once(void **unused)
{
    static const unsigned counts[] = {1, 40, 100, 1024, 1025, 3000, 9000};
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_http, PS_KEYS(LOCAL));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        struct bytes text = make_events(counts[i], false), wide = widen(&text), packed = {.data = NULL};
        ps_test_source_clear(&stage);
        expect_status(ps_test_http_post(&stage, fd, "/", "Content-Type: a/b; charset=utf-16\r\n", wide.data,
                                        wide.length),
                      200, "UTF-16");
        expect_wide_events(&stage, counts[i]);

        ps_test_source_clear(&stage);
        uint64_t before = stage.port.blocks->taken_count;
        expect_status(ps_test_http_post(&stage, fd, "/", "", text.data, text.length), 200, "plain");
        uint64_t plain = stage.port.blocks->taken_count - before;
        expect_events(&stage, counts[i]);
        text.data[strlen("[{\"headers\":{\"n\":\"0\"},\"")] =
            '\xFF'; /* the first letter of a member's name */
        for (int compressed = 0; compressed < 2; compressed++) {
            const struct bytes *body = compressed > 0 ? &packed : &text;
            add_member(&packed, text.data, text.length);
            ps_test_source_clear(&stage);
            before = stage.port.blocks->taken_count;
            expect_status(
                ps_test_http_post(&stage, fd, "/", compressed > 0 ? GZIP : "", body->data, body->length), 200,
                "repaired");
            uint64_t repaired = stage.port.blocks->taken_count - before;
            assert_int_equal(stage.event_count, counts[i]);
            ps_test_expect(&stage.events[0], "", PS_WORDS("n", "0"));
            char last[16], number[16];
            snprintf(last, sizeof last, "b\t%u", counts[i] - 1);
            snprintf(number, sizeof number, "%u", counts[i] - 1);
            if (counts[i] > 1)
                ps_test_expect(&stage.events[counts[i] - 1], last, PS_WORDS("n", number));
            if (repaired > plain + 1U + (unsigned)compressed)
                fail_msg("%u events: %" PRIu64 " blocks, and %" PRIu64 " of plain text", counts[i], repaired,
                         plain);
            packed.length = 0;
        }
        free(text.data);
        free(wide.data);
        free(packed.data);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Pipelined requests whose headers fill the batches: a request for which a batch has no room is put into the next one,
 * with its escapes replaced once. */
static void test_escapes_at_the_end_of_a_batch(void **unused)
{
    enum { REQUESTS = 80, VALUE = 9000 };
    static char requests[REQUESTS * (VALUE + 200)], value[VALUE + 8], body[VALUE + 100];
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_http, PS_KEYS(LOCAL));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    for (unsigned size = 1000; size <= VALUE; size += 400) {
        size_t length = 0;
        memset(value, 'x', size);
        value[size] = '\0';
        for (unsigned i = 0; i < REQUESTS; i++) {
            size_t body_length =
                (size_t)sprintf(body, "[{\"headers\":{\"v\":\"\\t%s\"},\"body\":\"b\\t%u\"}]", value, i);
            length += (size_t)sprintf(requests + length,
                                      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s",
                                      body_length, body);
        }
        ps_test_source_clear(&stage);
        size_t sent = 0;
        size_t taken = 0;
        for (unsigned i = 0; taken < REQUESTS; i++) {
            assert_true(i < PS_TEST_PATIENCE_MS);
            ssize_t n = send(fd, requests + sent, length - sent, MSG_DONTWAIT);
            sent += n > 0 ? (size_t)n : 0;
            ps_test_source_read(&stage);
            taken = stage.event_count + stage.batch->count;
            if (stage.batch->full) /* only when it is full, so that batches get as long as possible */
                ps_test_source_close_batch(&stage);
        }
        ps_test_source_close_batch(&stage);
        value[0] = '\t';
        memset(value + 1, 'x', size);
        value[size + 1] = '\0';
        for (unsigned i = 0; i < REQUESTS; i++) {
            snprintf(body, sizeof body, "b\t%u", i);
            ps_test_expect(&stage.events[i], body, PS_WORDS("v", value));
        }
        while (recv(fd, requests, sizeof requests, MSG_DONTWAIT) > 0)
            continue;
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_lines(void **unused)
{
    static const struct {
        const char *fields, *body;
        unsigned status, events;
    } cases[] = {
        {LINES, "{\"body\":\"a\"}\n", 200, 1},
        {LINES, "{\"body\":\"a\"}\r\n\r\n \t\r\n  {\"body\":\"b\"}  ", 200, 2},
        {LINES, "\xEF\xBB\xBF{\"body\":\"a\"}", 200, 1},
        {"Content-Type: application/x-ndjson; charset=utf-8\r\n", "{}", 200, 1},
        {"Content-Type: application/jsonl\r\n", "{}\n{}", 200, 2},
        {LINES, "", 200, 0},
        {LINES, "\n\n", 200, 0},
        {LINES, "[{\"body\":\"a\"}]", 400, 0},
        {LINES, "{},{}", 400, 0},
        {LINES, "{}{}", 400, 0},
        {LINES, "{\"body\":\"a\nb\"}", 400, 0},
        {LINES, "{\"body\":\"a}\n{b\"}", 400, 0},
        {LINES, "{}\nnull", 400, 0},
        {LINES, "{}\n{", 400, 0},
        {"Content-Type: application/x-ndjson; charset=utf-16\r\n", "{}", 415, 0},
        {"", "{}\n{}", 400, 0},
        {"Content-Type: application/x-ndjson2\r\n", "{}", 400, 0},
    };
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_http, PS_KEYS(LOCAL));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        ps_test_source_clear(&stage);
        expect_status(
            ps_test_http_post(&stage, fd, "/", cases[i].fields, cases[i].body, strlen(cases[i].body)),
            cases[i].status, cases[i].body);
        assert_int_equal(stage.event_count, cases[i].events);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Every cut or damaged body is refused, also with bytes after the last member; so is more text than the limit, and any
 * coding but gzip. */
static void test_bad_codings(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_http, PS_KEYS(LOCAL, "penstock.body.max", "1000"));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    struct bytes packed = pack("[{\"body\":\"a body that is packed\"}]");
    for (size_t length = 0; length < packed.length; length++)
        expect_status(ps_test_http_post(&stage, fd, "/", GZIP, packed.data, length), 400, "cut");
    for (size_t i = packed.length - 8; i < packed.length - 4; i++) { /* the checksum */
        packed.data[i] ^= 1;
        expect_status(ps_test_http_post(&stage, fd, "/", GZIP, packed.data, packed.length), 400, "damaged");
        packed.data[i] ^= 1;
    }
    char behind[2][128]; /* zeros are padding, which gzip(1) accepts */
    for (size_t i = 0; i < PS_COUNT_OF(behind); i++) {
        assert_true(packed.length < sizeof behind[i]);
        memcpy(behind[i], packed.data, packed.length);
        behind[i][packed.length] = i == 0 ? '\0' : 'x';
        expect_status(ps_test_http_post(&stage, fd, "/", GZIP, behind[i], packed.length + 1), 400,
                      "a byte behind");
    }
    expect_status(ps_test_http_post(&stage, fd, "/", GZIP, "[{}]", 4), 400, "not packed");
    static char long_text[1002];
    for (size_t length = 999; length < sizeof long_text; length++) {
        struct bytes text = {.data = NULL};
        memset(long_text, ' ', length);
        memcpy(long_text, "[]", 2);
        add_member(&text, long_text, length);
        expect_status(ps_test_http_post(&stage, fd, "/", GZIP, text.data, text.length),
                      length > 1000 ? 413 : 200, "a long text");
        free(text.data);
    }
    static const char *const codings[] = {"br", "deflate", "gzip, gzip", "zstd", "gzi", "gzipp"};
    for (size_t i = 0; i < PS_COUNT_OF(codings); i++) {
        char fields[64];
        snprintf(fields, sizeof fields, "Content-Encoding: %s\r\n", codings[i]);
        expect_status(ps_test_http_post(&stage, fd, "/", fields, packed.data, packed.length), 415,
                      codings[i]);
    }
    assert_int_equal(stage.event_count, 0);
    expect_status(ps_test_http_post(&stage, fd, "/", "Content-Encoding: identity\r\n", "[{}]", 4), 200,
                  "identity");
    expect_status(
        ps_test_http_post(&stage, fd, "/", "Content-Encoding: X-GZip\r\n", packed.data, packed.length), 200,
        "x-gzip");
    assert_int_equal(stage.event_count, 2);
    ps_test_expect(&stage.events[1], "a body that is packed", NULL);
    expect_status(ps_test_http_post(&stage, fd, "/", GZIP GZIP, packed.data, packed.length), 415,
                  "two fields");
    close(fd);
    free(packed.data);
    ps_test_stage_fini(&stage);
}

/* BLOBHandler keeps the bytes of the body as they came, like Flume's. */
static void test_blob_stays_packed(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_http, PS_KEYS(LOCAL, "handler", "BLOB"));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    struct bytes packed = pack("[{}]");
    expect_status(ps_test_http_post(&stage, fd, "/", GZIP, packed.data, packed.length), 200, "blob");
    assert_int_equal(stage.event_count, 1);
    assert_int_equal(stage.events[0].length, packed.length);
    assert_memory_equal(stage.events[0].body, packed.data, packed.length);
    close(fd);
    free(packed.data);
    ps_test_stage_fini(&stage);
}

/* Reads one answer, which is 200 and has no body. */
static void expect_answer(struct ps_test_stage *stage, int fd)
{
    char answer[512];
    bool closed;
    size_t length = 0;
    do {
        assert_true(length + 1 < sizeof answer);
        answer[length] = *ps_test_receive(stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
        assert_int_not_equal(answer[length], 0);
        answer[++length] = '\0';
    } while (length < 4 || strcmp(answer + length - 4, "\r\n\r\n") != 0);
    assert_memory_equal(answer, "HTTP/1.1 200 OK", 15);
}

/* Several clients' blobs lie in one batch: each of them is owed one answer, and gets one. */
static void test_blobs_of_several_clients(void **unused)
{
    enum { CLIENTS = 5 };
    struct ps_test_stage stage;
    int fds[CLIENTS];
    bool closed;
    ps_test_stage_start(&stage, &ps_source_http, PS_KEYS(LOCAL, "handler", "BLOB"));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < CLIENTS; i++) {
            static const char request[] = "POST /?a=b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx";
            if (round == 0)
                fds[i] = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
            ps_test_send(fds[i], request, sizeof request - 1);
        }
        ps_test_source_fill(&stage, CLIENTS);
        unsigned tickets = 0;
        for (const struct ps_ticket *ticket = stage.batch->tickets; ticket != NULL;
             ticket = ticket->next, tickets++)
            assert_int_equal(ticket->events, 1);
        assert_int_equal(tickets, CLIENTS);
        ps_test_source_close_batch(&stage);
        for (unsigned i = 0; i < CLIENTS; i++)
            expect_answer(&stage, fds[i]);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        shutdown(fds[i], SHUT_WR);
        assert_string_equal(ps_test_receive(&stage, fds[i], 1, PS_TEST_PATIENCE_MS, &closed), "");
        assert_true(closed);
        close(fds[i]);
    }
    assert_int_equal(stage.event_count, 3 * CLIENTS);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_decoded_once),
                                       cmocka_unit_test(test_escapes_at_the_end_of_a_batch),
                                       cmocka_unit_test(test_lines),
                                       cmocka_unit_test(test_chunks),
                                       cmocka_unit_test(test_bad_codings),
                                       cmocka_unit_test(test_blob_stays_packed),
                                       cmocka_unit_test(test_blobs_of_several_clients)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
