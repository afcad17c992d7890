/* Bodies with one object in a line, or compressed, compared with a model of the resulting array: random bodies, with
 * lengths near those at which the text moves to another buffer, with too little memory at first, and with exactly the
 * maximum. */
#include "stages/lib/http/json/body.h"

#include "tests/stages/lib/http/json/scarce_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define TEXT_BYTES (1U << 17)

static char text[TEXT_BYTES], packed[2 * TEXT_BYTES], wanted[TEXT_BYTES];
static size_t text_length, packed_length, wanted_length;

static int setup(void **unused)
{
    memory_open();
    return 0;
}

static int teardown(void **unused)
{
    memory_close();
    return 0;
}

static void text_put(const char *bytes)
{
    text_length += (size_t)snprintf(text + text_length, sizeof text - text_length, "%s", bytes);
    assert_true(text_length < sizeof text - 10);
}

/* Draws lines, and the array that results. Returns the number of objects. */
static uint32_t lines_draw(size_t length)
{
    static const char *const ends[] = {"\n", "\r\n", " \t\n", "\n\n", "\n  \n"}, *const begins[] = {"", " ",
                                                                                                    "\t "};
    uint32_t lines = 0;
    text_length = wanted_length = 0;
    wanted[wanted_length++] = '[';
    if (draw(8) == 0)
        text_put("\xEF\xBB\xBF"); /* the byte order mark counts as blanks */
    while (text_length + 40 < length) {
        char object[40];
        snprintf(object, sizeof object, "{\"body\":\"%u}{\"}", (unsigned)draw(100000));
        text_put(begins[draw(PS_COUNT_OF(begins))]);
        text_put(object);
        wanted_length += (size_t)sprintf(wanted + wanted_length, "%s%s", lines++ > 0 ? "," : "", object);
        if (text_length + 40 < length || draw(2) == 0)
            text_put(ends[draw(PS_COUNT_OF(ends))]);
    }
    wanted[wanted_length++] = ']';
    return lines;
}

static void text_pack(void)
{
    z_stream stream = {.next_in = (unsigned char *)text,
                       .avail_in = (unsigned)text_length,
                       .next_out = (unsigned char *)packed,
                       .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed_length = sizeof packed - stream.avail_out;
    deflateEnd(&stream);
}

struct made {
    struct ps_batch *batch;
    enum ps_http_taken taken;
    struct ps_http_exchange exchange;
    struct ps_http_text kept;
};

/* Makes the body of a request whose head is `type` and `coding`. */
static void make(struct made *made, const char *type, const char *coding, uint32_t bytes_max, bool scarce)
{
    static struct ps_json_body body;
    char head[128];
    snprintf(head, sizeof head, "%s%s", type, coding);
    struct ps_http_message message = {
        .content_type = {.at = 0, .length = (uint32_t)strlen(type)},
        .content_encoding = {.at = (uint32_t)strlen(type), .length = (uint32_t)strlen(coding)}};
    bool is_packed = *coding != '\0';
    size_t length = is_packed ? packed_length : text_length;
    *made = (struct made){.batch = ps_batch_take(&bump, (struct ps_now){0})};
    assert_non_null(made->batch);
    char *request = ps_batch_alloc(made->batch, (uint32_t)length);
    assert_non_null(request);
    memcpy(request, is_packed ? packed : text, length);
    struct ps_batch_point point = ps_batch_point(made->batch);
    do {
        made->exchange = (struct ps_http_exchange){.message = &message,
                                                   .head = head,
                                                   .body = request,
                                                   .body_length = (uint32_t)length,
                                                   .text = &made->kept};
        if (scarce && draw(3) != 0)
            memory_take(made->batch);
        made->taken = ps_json_body_make(&body, &cache, bytes_max, made->batch, &made->exchange);
        memory_return();
        if (made->taken != PS_HTTP_TAKEN)
            ps_batch_rewind(made->batch, &point); /* as the server does */
        assert_true(made->taken != PS_HTTP_MEMORY || scarce);
        scarce &= draw(5) != 0;
    } while (made->taken == PS_HTTP_MEMORY);
    ps_json_body_fini(&body);
}

static void made_drop(struct made *made)
{
    if (made->kept.block != NULL)
        ps_block_drop(&cache, made->kept.block);
    ps_batch_give(made->batch);
}

static void test_lines(void **unused)
{
    static const size_t lengths[] = {1,
                                     60,
                                     500,
                                     PS_HTTP_TEXT_META_BYTES_MAX - 40,
                                     PS_HTTP_TEXT_META_BYTES_MAX,
                                     PS_HTTP_TEXT_META_BYTES_MAX + 40,
                                     20000,
                                     60000};
    static const char *const types[] = {"application/x-ndjson", "application/ndjson", "application/jsonl"};
    for (unsigned round = 0; round < 800; round++) {
        uint32_t lines = lines_draw(lengths[draw(PS_COUNT_OF(lengths))] + draw(60));
        bool is_packed = draw(2) == 0;
        struct made made;
        text_pack();
        make(&made, types[draw(PS_COUNT_OF(types))],
             !is_packed     ? ""
             : draw(2) == 0 ? "gzip"
                            : "X-GZIP",
             (uint32_t)text_length, draw(2) == 0);
        assert_int_equal(made.taken, PS_HTTP_TAKEN);
        assert_true(made.kept.is_lines && made.kept.lines == lines);
        assert_int_equal(made.exchange.body_length, wanted_length);
        assert_memory_equal(made.exchange.body, wanted, wanted_length);
        made_drop(&made);
    }
}

static void expect_refused(const char *type, const char *coding, uint32_t bytes_max, unsigned status)
{
    struct made made;
    make(&made, type, coding, bytes_max, false);
    if (made.taken != PS_HTTP_REFUSED || made.exchange.status != status)
        fail_msg("%s %s: %u, not %u", type, coding, made.exchange.status, status);
    assert_non_null(made.exchange.reason);
    made_drop(&made);
}

/* The text of each gzip member counts towards the maximum; one byte more, a member that lacks a byte, and a byte
 * after it are refused. */
static void test_gzip_bounds(void **unused)
{
    struct made made;
    (void)lines_draw(5000);
    text_pack();
    size_t once = packed_length;
    make(&made, "application/json", "gzip", (uint32_t)text_length, false);
    assert_int_equal(made.taken, PS_HTTP_TAKEN);
    assert_int_equal(made.exchange.body_length, text_length);
    assert_memory_equal(made.exchange.body, text, text_length);
    made_drop(&made);
    expect_refused("application/json", "gzip", (uint32_t)text_length - 1, 413);
    memcpy(packed + once, packed, once);
    packed_length = 2 * once;
    make(&made, "application/json", "gzip", 2 * (uint32_t)text_length, false);
    assert_int_equal(made.taken, PS_HTTP_TAKEN);
    assert_int_equal(made.exchange.body_length, 2 * text_length);
    assert_memory_equal(made.exchange.body + text_length, text, text_length);
    made_drop(&made);
    expect_refused("application/json", "gzip", 2 * (uint32_t)text_length - 1, 413);
    for (size_t cut = 1; cut <= once; cut += cut < 30 ? 1 : 97) {
        packed_length = 2 * once - cut;
        if (cut < once)
            expect_refused("application/json", "gzip", UINT32_MAX / 2, 400);
    }
    packed[once] = '\0';
    packed_length = once + 1;
    expect_refused("application/json", "gzip", UINT32_MAX / 2, 400);
    expect_refused("application/json", "br", UINT32_MAX / 2, 415);
}

static void test_lines_that_are_no_objects(void **unused)
{
    static const char *const texts[] = {"5\n", "{}\n[]\n", "{}\n{", "{}x\n", "{} \n }", "\"{}\"\n{}"};
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        text_length = strlen(texts[i]);
        memcpy(text, texts[i], text_length);
        expect_refused("application/x-ndjson", "", 1000, 400);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(lines), TEST(gzip_bounds), TEST(lines_that_are_no_objects)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
