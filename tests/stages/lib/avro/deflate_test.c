/* A compressed connection over a pipe that gives and takes random pieces, or nothing, at each call: the far end
 * inflates what was written, reads into buffers of any size return exactly what the far end deflated, and nothing is
 * left in the layer when has_more is false. */
#include "stages/lib/avro/deflate.h"
#include "tests/support/support.h"

#define TEXT_MAX 60000U
#define WIRE_MAX (2U * TEXT_MAX)

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

/* The layer below: what was written to it, and what can be read from it. */
static struct {
    uint8_t written[WIRE_MAX], readable[WIRE_MAX];
    size_t written_length, read_at, read_end;
    enum ps_tls_result then; /* after the last readable byte */
    bool steady;             /* takes and gives everything at once */
    unsigned reads;
} wire;

static enum ps_tls_result below_read(void *argument, void *buffer, size_t room, size_t *length)
{
    assert_ptr_equal(argument, &wire);
    *length = 0;
    wire.reads++;
    if (wire.read_at == wire.read_end)
        return wire.then;
    if (!wire.steady && draw(3) == 0)
        return PS_TLS_WANT_READ;
    size_t left = wire.read_end - wire.read_at, most = left < room ? left : room;
    *length = wire.steady ? most : 1 + draw(most);
    memcpy(buffer, wire.readable + wire.read_at, *length);
    wire.read_at += *length;
    return PS_TLS_OK;
}

static enum ps_tls_result below_write(void *argument, const void *data, size_t length, size_t *written)
{
    assert_ptr_equal(argument, &wire);
    *written = 0;
    if (!wire.steady && draw(3) == 0)
        return PS_TLS_WANT_WRITE;
    *written = wire.steady ? length : 1 + draw(length);
    assert_true(wire.written_length + *written <= sizeof wire.written);
    memcpy(wire.written + wire.written_length, data, *written);
    wire.written_length += *written;
    return PS_TLS_OK;
}

static struct ps_avro_deflate deflate_layer;

static void open_layer(int level)
{
    const struct ps_tls_pipe below = {.read = below_read, .write = below_write, .argument = &wire};
    struct ps_err err = {.length = 0};
    memset(&wire, 0, sizeof wire);
    wire.then = PS_TLS_WANT_READ;
    assert_int_equal(ps_avro_deflate_init(&deflate_layer, level, &below, &err), PS_OK);
    assert_false(ps_avro_deflate_has_more(&deflate_layer));
}

/* Draws a text that deflates well, or hardly. */
static size_t draw_text(uint8_t *text, size_t most)
{
    size_t length = draw(4) == 0 ? most - draw(3) : 1 + draw(most);
    unsigned letters = draw(2) == 0 ? 2 : 256;
    for (size_t i = 0; i < length; i++)
        text[i] = (uint8_t)draw(letters);
    return length;
}

/* ---- writing ---- */

/* The caller passes the same bytes again until they are taken, possibly with more bytes after them. */
static void test_writes(void **unused)
{
    static uint8_t text[TEXT_MAX], back[TEXT_MAX];
    for (unsigned round = 0; round < 60; round++) {
        open_layer(round % 11 == 10 ? PS_AVRO_ZLIB_SMALL : (int)(round % 11));
        wire.steady = round % 7 == 0;
        size_t length = draw_text(text, TEXT_MAX), at = 0, taken = 0;
        while (at < length) {
            size_t part = 1 + draw(length - at), written;
            enum ps_tls_result result = ps_avro_deflate_write(&deflate_layer, text + at, part, &written);
            for (; result != PS_TLS_OK; part += draw(length - at - part + 1)) {
                assert_int_equal(result, PS_TLS_WANT_WRITE);
                assert_int_equal(written, 0);
                taken = taken > 0 ? taken : part;
                result = ps_avro_deflate_write(&deflate_layer, text + at, part, &written);
            }
            assert_int_equal(written, taken > 0 ? taken : part);
            taken = 0;
            at += written;
        }
        struct ps_avro_zlib far;
        struct ps_avro_zlib_input in = {wire.written, wire.written_length};
        assert_int_equal(ps_avro_zlib_init(&far, 6, NULL), PS_OK);
        size_t got = 0;
        while (in.length > 0)
            assert_true(ps_avro_zlib_unpack(&far, &in, back + got, sizeof back - got, &got));
        assert_int_equal(got, length);
        assert_memory_equal(back, text, length);
        assert_null(deflate_layer.why);
        ps_avro_zlib_fini(&far);
        ps_avro_deflate_fini(&deflate_layer);
    }
}

/* ---- reading ---- */

/* Puts the text on the wire as the far end deflates it, in one flush or several. */
static void put_on_wire(struct ps_avro_zlib *far, uint8_t *text, size_t length, unsigned flushes)
{
    for (size_t at = 0; at < length;) {
        size_t part = flushes > 1 ? 1 + draw((length - at + 1) / 2) : length - at;
        struct iovec parts[2] = {{NULL, 0}, {text + at, part}};
        assert_true(ps_avro_zlib_pack(far, parts));
        assert_true(wire.read_end + parts[0].iov_len <= sizeof wire.readable);
        memcpy(wire.readable + wire.read_end, parts[0].iov_base, parts[0].iov_len);
        wire.read_end += parts[0].iov_len;
        at += part;
        flushes--;
    }
}

/* Reads all of the text into buffers of random sizes. When the layer has no more, it has given every byte that was
 * received. */
static void read_back(const uint8_t *text, size_t length, size_t room_max)
{
    static uint8_t back[TEXT_MAX];
    size_t at = 0;
    while (at < length) {
        size_t room = 1 + draw(room_max), got;
        bool has_more = ps_avro_deflate_has_more(&deflate_layer);
        unsigned reads = wire.reads;
        if (room > sizeof back - at)
            room = sizeof back - at;
        enum ps_tls_result result = ps_avro_deflate_read(&deflate_layer, back + at, room, &got);
        if (result == PS_TLS_WANT_READ) {
            assert_int_equal(got, 0);
            assert_false(ps_avro_deflate_has_more(
                &deflate_layer)); /* the layer keeps no bytes while it asks for more from below */
            assert_true(wire.reads > reads);
            if (wire.read_at == wire.read_end)
                fail_msg("%zu of %zu bytes were given, and the rest is lost", at, length);
            continue;
        }
        assert_int_equal(result, PS_TLS_OK);
        assert_in_range(got, 1, room);
        if (!has_more)
            assert_true(wire.reads > reads);
        at += got;
    }
    assert_int_equal(at, length);
    assert_memory_equal(back, text, length);
}

static void test_reads(void **unused)
{
    static uint8_t text[TEXT_MAX];
    for (unsigned round = 0; round < 80; round++) {
        struct ps_avro_zlib far;
        assert_int_equal(ps_avro_zlib_init(&far, 1 + (int)draw(9), NULL), PS_OK);
        open_layer(round % 3 == 0 ? PS_AVRO_ZLIB_SMALL : 6);
        wire.steady = round % 5 == 0;
        for (unsigned call = 0; call < 3; call++) { /* further calls of the same connection */
            size_t length = draw_text(text, 1U << (4 + draw(12)));
            put_on_wire(&far, text, length, 1 + (unsigned)draw(4));
            read_back(text, length, 1U << draw(15));
            uint8_t none;
            size_t got = 1;
            do
                assert_int_equal(ps_avro_deflate_read(&deflate_layer, &none, 1, &got), PS_TLS_WANT_READ);
            while (wire.read_at < wire.read_end);
            assert_int_equal(got, 0);
        }
        wire.then = PS_TLS_CLOSED;
        uint8_t none;
        size_t got = 1;
        assert_int_equal(ps_avro_deflate_read(&deflate_layer, &none, 1, &got), PS_TLS_CLOSED);
        assert_int_equal(got, 0);
        assert_null(deflate_layer.why);
        ps_avro_zlib_fini(&far);
        ps_avro_deflate_fini(&deflate_layer);
    }
}

/* The buffer of a read is as long as the text, one byte shorter, and one byte longer. */
static void test_rooms(void **unused)
{
    static uint8_t text[3000];
    memset(text, 'x', sizeof text);
    for (size_t room = sizeof text - 1; room <= sizeof text + 1; room++) {
        struct ps_avro_zlib far;
        uint8_t back[sizeof text + 1];
        size_t got = 0;
        assert_int_equal(ps_avro_zlib_init(&far, 6, NULL), PS_OK);
        open_layer(PS_AVRO_ZLIB_SMALL);
        wire.steady = true;
        put_on_wire(&far, text, sizeof text, 1);
        assert_int_equal(ps_avro_deflate_read(&deflate_layer, back, room, &got), PS_TLS_OK);
        assert_int_equal(got, room < sizeof text ? room : sizeof text);
        assert_int_equal(ps_avro_deflate_has_more(&deflate_layer), room <= sizeof text);
        enum ps_tls_result result = ps_avro_deflate_read(&deflate_layer, back, sizeof back, &got);
        assert_int_equal(result, room < sizeof text ? PS_TLS_OK : PS_TLS_WANT_READ);
        assert_int_equal(got, room < sizeof text ? 1 : 0);
        assert_false(ps_avro_deflate_has_more(&deflate_layer));
        ps_avro_zlib_fini(&far);
        ps_avro_deflate_fini(&deflate_layer);
    }
}

/* Bytes that are not compressed, and errors from below. */
static void test_errors(void **unused)
{
    uint8_t back[64];
    size_t got = 1;
    open_layer(PS_AVRO_ZLIB_SMALL);
    wire.steady = true;
    memcpy(wire.readable, "not compressed", 14);
    wire.read_end = 14;
    assert_int_equal(ps_avro_deflate_read(&deflate_layer, back, sizeof back, &got), PS_TLS_ERROR);
    assert_string_equal(deflate_layer.why,
                        "the bytes are not compressed: is compression-type the same at both ends?");
    ps_avro_deflate_fini(&deflate_layer);
    open_layer(PS_AVRO_ZLIB_SMALL);
    assert_null(deflate_layer.why);
    wire.then = PS_TLS_ERROR;
    assert_int_equal(ps_avro_deflate_read(&deflate_layer, back, sizeof back, &got), PS_TLS_ERROR);
    assert_null(deflate_layer.why); /* the layer below has the reason */
    ps_avro_deflate_fini(&deflate_layer);
}

/* The layer below that never runs dry: compressed blocks without a byte in them. */
static struct {
    uint64_t blocks, most;
} flood;

static enum ps_tls_result read_flood(void *argument, void *buffer, size_t room, size_t *length)
{
    static const uint8_t head[2] = {0x78, 0x9c}, block[5] = {0, 0, 0, 0xff, 0xff};
    uint8_t *to = buffer;
    assert_ptr_equal(argument, &flood);
    *length = 0;
    if (flood.blocks == flood.most)
        return PS_TLS_WANT_READ;
    if (flood.blocks == 0) {
        memcpy(to, head, sizeof head);
        *length = sizeof head;
    }
    for (; *length + sizeof block <= room && flood.blocks < flood.most; flood.blocks++) {
        memcpy(to + *length, block, sizeof block);
        *length += sizeof block;
    }
    return PS_TLS_OK;
}

/* A client that sends blocks without bytes, as fast as they are read, does not keep the worker: other connections come
 * between. */
static void test_blocks_without_bytes(void **unused)
{
    const struct ps_tls_pipe below = {.read = read_flood, .write = below_write, .argument = &flood};
    struct ps_err err = {.length = 0};
    uint8_t back[64];
    flood.blocks = 0;
    flood.most = 1000000;
    assert_int_equal(ps_avro_deflate_init(&deflate_layer, 0, &below, &err), PS_OK);
    for (uint64_t before = 0; flood.blocks < flood.most; before = flood.blocks) {
        size_t got = 1;
        assert_int_equal(ps_avro_deflate_read(&deflate_layer, back, sizeof back, &got), PS_TLS_WANT_READ);
        assert_int_equal(got, 0);
        assert_false(ps_avro_deflate_has_more(&deflate_layer));
        assert_in_range(flood.blocks - before, 1, 64 * 1024);
    }
    ps_avro_deflate_fini(&deflate_layer);
}

static int setup(void **unused)
{
    state = ps_test_seed() | 1;
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_writes), cmocka_unit_test(test_reads),
                                              cmocka_unit_test(test_rooms), cmocka_unit_test(test_errors),
                                              cmocka_unit_test(test_blocks_without_bytes)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
